// SPDX-License-Identifier: Apache-2.0
#include "sim/locate.hpp"

#include <algorithm>

#include "isa/isa.hpp"

namespace gemel {
namespace {

constexpr int AddRows = 3;                        // of the requantizer: first, second, sum
constexpr std::int64_t AddRowAt[] = {0, 1, 8};    // cycles in which those of a step's result leave it, relative to the first

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

template <class Instruction>
std::int64_t pixels(const Instruction& i) {
  return std::int64_t{i.out_planes} * i.out_height * i.out_width;
}

bool within(std::int64_t word, std::int64_t first, std::int64_t last) { return first <= word && word <= last; }

// Address of the first byte of a run of a load or store.
template <class Transfer>
std::uint64_t run_address(const Transfer& t, std::int64_t run) {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(t.address) + run / t.count1 * t.stride2 + run % t.count1 * t.stride1);
}

// Address of the byte in `lane` of the word'th word of a transfer whose runs are cut into groups; none in the padding of a group's last word.
template <class Transfer>
std::optional<std::uint64_t> grouped_address(const Transfer& t, std::int64_t word_bytes, std::int64_t word, std::int64_t lane) {
  const std::int64_t words_of_group = ceil_div(t.group_bytes, word_bytes);
  const std::int64_t words_of_run = t.run_bytes / t.group_bytes * words_of_group + ceil_div(t.run_bytes % t.group_bytes, word_bytes);
  const std::int64_t run = word / words_of_run, group = word % words_of_run / words_of_group;
  const std::int64_t in_group = word % words_of_run % words_of_group * word_bytes + lane, in_run = group * t.group_bytes + in_group;
  if (in_group >= t.group_bytes || in_run >= t.run_bytes) return {};
  return run_address(t, run) + static_cast<std::uint64_t>(in_run);
}

std::int64_t result_word(const isa::Vector& v, std::int64_t block, std::int64_t pixel) {
  return v.dst_base + pixel * v.dst_pixel_step + block * v.dst_block_step;
}

bool writes(const isa::Vector& v, std::int64_t word) {
  for (std::int64_t b = 0; b < v.blocks; ++b) {
    const std::int64_t steps = word - result_word(v, b, 0), step = std::max<std::int64_t>(1, v.dst_pixel_step);
    if (steps >= 0 && steps % step == 0 && steps / step < pixels(v)) return true;
  }
  return false;
}

// The result word that an instruction without taps (two sources, copy or table) makes of a source word; -1: it makes none.
std::int64_t elementwise_result(const isa::Vector& v, std::int64_t word) {
  const int sources = isa::reads(v.opcode).sources;
  if ((sources != 2 && v.opcode != isa::Opcode::PoolSum) || v.kernel_h != 1 || v.kernel_w != 1) return -1;
  for (int operand = 0; operand < sources; ++operand) {
    const std::int64_t base = operand == 0 ? v.src0_base : v.src1_base;
    if (!within(word, base, operand == 0 ? v.src0_last : v.src1_last)) continue;
    for (std::int64_t b = 0; b < v.blocks; ++b) {
      for (std::int64_t p = 0; p < pixels(v); ++p) {
        const std::int64_t x = p % v.out_width, y = p / v.out_width % v.out_height, z = p / v.out_width / v.out_height;
        const std::int64_t row = v.origin_y + y * v.stride_y, column = v.origin_x + x * v.stride_x;
        if (row < 0 || row >= v.src_height || column < 0 || column >= v.src_width) continue;
        if (base + b * v.block_step + z * v.plane_words + (row * v.src_width + column) * v.pixel_words == word) return result_word(v, b, p);
      }
    }
  }
  return -1;
}

}  // namespace

Locator::Locator(const Machine& machine, const Schedule& schedule) : machine_(machine), schedule_(schedule) {
  program_.reserve(schedule.program.size());
  for (const isa::Word& word : schedule.program) program_.push_back(isa::decode(word));
}

// Beats of that kind that instruction i sends.
std::int64_t Locator::beats(std::size_t i, Carries carries) const {
  const isa::Instruction& instruction = at(i);
  switch (instruction.unit) {
    case isa::Unit::Load: return carries == Carries::LoadedWord ? instruction.load.word_last - instruction.load.word_base + 1 : 0;
    case isa::Unit::Matrix: {
      const isa::Matrix& m = instruction.matrix;
      const bool row = carries == Carries::AccumulatorWord || carries == Carries::ArraySums;
      return row ? pixels(m) * m.kernel_h * m.kernel_w * m.cin_blocks * m.cout_blocks : 0;
    }
    case isa::Unit::Vector: {
      const isa::Vector& v = instruction.vector;
      if (carries == Carries::ResultWord) return pixels(v) * v.blocks;
      if (carries != Carries::RequantizedRow || v.opcode == isa::Opcode::PoolMax) return 0;
      return pixels(v) * v.blocks * ceil_div(machine_.columns, machine_.lanes) * (isa::reads(v.opcode).twice() ? AddRows : 1);
    }
    case isa::Unit::Store: {
      if (carries != Carries::StoredBeat) return 0;
      const isa::Store& s = instruction.store;
      const auto bus = static_cast<std::uint64_t>(machine_.bus_bytes);
      std::int64_t count = 0;
      for (std::int64_t run = 0; run < std::int64_t{s.count1} * s.count2; ++run) {  // bursts begin and end at whole beats but for the ends of a run
        const std::uint64_t first = run_address(s, run), last = first + static_cast<std::uint64_t>(s.run_bytes) - 1;
        count += static_cast<std::int64_t>(last / bus - first / bus + 1);
      }
      return count;
    }
    case isa::Unit::None: break;
  }
  return 0;
}

Location Locator::of_beat(const CarriedBeat& beat, std::int64_t byte, std::int64_t number) const {
  if (beat.carries == Carries::Nothing) return {};
  for (std::size_t i = 0; i < program_.size(); ++i) {
    const std::int64_t count = beats(i, beat.carries);
    if (number >= count) {
      number -= count;
      continue;
    }
    const auto instruction = static_cast<std::int64_t>(i);
    switch (beat.carries) {
      case Carries::LoadedWord: return {instruction, of_loaded(i, beat.address, byte)};
      case Carries::AccumulatorWord: return {instruction, of_sum(i, beat.address, byte / 4)};
      case Carries::ArraySums: {
        const isa::Matrix& m = at(i).matrix;
        const std::int64_t passes = std::int64_t{m.kernel_h} * m.kernel_w * m.cin_blocks, p = pixels(m);
        return {instruction, of_sum(i, m.acc_base + number / p / passes * p + number % p, byte / 4)};
      }
      case Carries::RequantizedRow: return {instruction, of_row(i, number, byte / 4)};
      case Carries::ResultWord: return {instruction, of_result(i, beat.address, byte)};
      case Carries::StoredBeat: return {instruction, of_store_beat(i, number, byte)};
      case Carries::Nothing: case Carries::ReadWord: case Carries::Count: return {};
    }
  }
  return {};
}

Location Locator::of_read(Buffer buffer, std::uint32_t word, std::int64_t byte, std::uint32_t reader) const {
  const auto instruction = static_cast<std::int64_t>(reader);
  if (reader >= program_.size()) return {};
  const isa::Instruction& reads = at(reader);
  if (buffer == Buffer::Accumulator) return {instruction, of_sum(reader, word, byte / 4)};
  if (reads.unit == isa::Unit::Store) return {instruction, of_stored(reader, word, byte)};
  for (std::size_t i = reader; i-- > 0;) {  // who wrote it last
    const isa::Instruction& earlier = at(i);
    if (earlier.unit == isa::Unit::Load && static_cast<Buffer>(earlier.load.buffer) == buffer &&
        within(word, earlier.load.word_base, earlier.load.word_last)) {
      return {instruction, of_loaded(i, word, byte)};
    }
    if (buffer == Buffer::Vector && earlier.unit == isa::Unit::Vector && writes(earlier.vector, word)) {
      return {instruction, of_result(i, word, byte)};
    }
  }
  return {instruction, {}};
}

Locator::Found Locator::of_sum(std::size_t i, std::int64_t word, std::int64_t lane) const {
  for (; i < program_.size(); ++i) {
    if (at(i).unit != isa::Unit::Vector || at(i).vector.opcode != isa::Opcode::Requantize) continue;
    const isa::Vector& v = at(i).vector;
    const std::int64_t row = word - v.src0_base;
    if (!within(word, v.src0_base, v.src0_last) || row >= v.blocks * pixels(v)) continue;
    return of_result(i, result_word(v, row / pixels(v), row % pixels(v)), lane);
  }
  return {};
}

Locator::Found Locator::of_result(std::size_t i, std::int64_t word, std::int64_t lane) const {
  for (std::size_t j = i + 1; j < program_.size(); ++j) {
    const isa::Instruction& next = at(j);
    if (next.unit == isa::Unit::Store && within(word, next.store.word_base, next.store.word_last)) return of_stored(j, word, lane);
    const std::int64_t made = next.unit == isa::Unit::Vector ? elementwise_result(next.vector, word) : -1;
    if (made < 0) continue;
    // It goes on to an addition: the same place in the layer's own tensor, which has the same shape.
    Found element = of_result(j, made, lane);
    const auto layer = static_cast<std::size_t>(at(i).header().tag);
    if (element && layer < schedule_.layers.size() && schedule_.layers[layer].output >= 0) element->tensor = schedule_.layers[layer].output;
    return element;
  }
  return {};
}

Locator::Found Locator::of_stored(std::size_t i, std::int64_t word, std::int64_t lane) const {
  const isa::Store& s = at(i).store;
  const auto address = grouped_address(s, machine_.columns, word - s.word_base, lane);
  return address ? at_output(s.tag, *address) : Found();
}

Locator::Found Locator::of_loaded(std::size_t i, std::int64_t word, std::int64_t lane) const {
  const isa::Load& l = at(i).load;
  const std::int64_t word_bytes = machine_.word_bytes(static_cast<Buffer>(l.buffer));
  if (l.window_count == 0) {
    const auto address = grouped_address(l, word_bytes, word - l.word_base, lane);
    return address ? at_input(l.tag, *address) : Found();
  }
  const std::int64_t words_of_window = ceil_div(l.window_bytes, word_bytes), at_word = word - l.word_base;
  const std::int64_t window = at_word / words_of_window % l.window_count, run = at_word / words_of_window / l.window_count;
  const std::int64_t inside = at_word % words_of_window * word_bytes + lane, byte = l.window_offset + window * l.window_step + inside;
  if (inside >= l.window_bytes || byte < 0 || byte >= l.run_bytes) return {};
  return at_input(l.tag, run_address(l, run) + static_cast<std::uint64_t>(byte));
}

Locator::Found Locator::of_row(std::size_t i, std::int64_t row, std::int64_t lane) const {
  const isa::Vector& v = at(i).vector;
  const std::int64_t slices = ceil_div(machine_.columns, machine_.lanes);
  if (isa::reads(v.opcode).twice()) {  // rows of neighbouring results are interleaved
    std::vector<std::pair<std::int64_t, std::int64_t>> rows;  // when, of which result
    for (std::int64_t r = 0; r < pixels(v) * v.blocks * slices; ++r) {
      for (const std::int64_t after : AddRowAt) rows.emplace_back(AddRows * r + after, r);
    }
    std::nth_element(rows.begin(), rows.begin() + row, rows.end());
    row = rows[static_cast<std::size_t>(row)].second;
  }
  const std::int64_t channel = row % slices * machine_.lanes + lane, pixel = row / slices % pixels(v), block = row / slices / pixels(v);
  if (channel >= machine_.columns) return {};
  return of_result(i, result_word(v, block, pixel), channel);
}

Locator::Found Locator::of_store_beat(std::size_t i, std::int64_t beat, std::int64_t byte) const {
  const isa::Store& s = at(i).store;
  const auto bus = static_cast<std::uint64_t>(machine_.bus_bytes);
  for (std::int64_t run = 0; run < std::int64_t{s.count1} * s.count2; ++run) {
    const std::uint64_t first = run_address(s, run), end = first + static_cast<std::uint64_t>(s.run_bytes);
    const auto count = static_cast<std::int64_t>((end - 1) / bus - first / bus + 1);
    if (beat >= count) {
      beat -= count;
      continue;
    }
    const std::uint64_t address = (first / bus + static_cast<std::uint64_t>(beat)) * bus + static_cast<std::uint64_t>(byte);
    return within(static_cast<std::int64_t>(address), static_cast<std::int64_t>(first), static_cast<std::int64_t>(end) - 1) ? at_output(s.tag, address)
                                                                                                                               : Found();
  }
  return {};
}

// A store carries the tag of the layer whose output it writes.
Locator::Found Locator::at_output(int layer, std::uint64_t address) const {
  if (static_cast<std::size_t>(layer) >= schedule_.layers.size()) return {};
  const int output = schedule_.layers[static_cast<std::size_t>(layer)].output;
  if (output < 0) return {};
  const ScheduleTensor& tensor = schedule_.tensors[static_cast<std::size_t>(output)];
  const auto index = static_cast<std::int64_t>(address - tensor.address);
  if (!tensor.in_memory || address < tensor.address || index >= tensor.bytes) return {};
  return Element{output, index};
}

// Memory is used again and again: what a layer reads there is what was made last before it.
Locator::Found Locator::at_input(int layer, std::uint64_t address) const {
  Found found;
  int made = -2;
  for (std::size_t t = 0; t < schedule_.tensors.size(); ++t) {
    const ScheduleTensor& tensor = schedule_.tensors[t];
    if (!tensor.in_memory || address < tensor.address || address >= tensor.address + static_cast<std::uint64_t>(tensor.bytes)) continue;
    if (tensor.layer >= layer || tensor.layer < made) continue;
    made = tensor.layer;
    found = Element{static_cast<int>(t), static_cast<std::int64_t>(address - tensor.address)};
  }
  return found;
}

std::int64_t store_bursts(const isa::Store& store, const Machine& machine) {
  const auto burst = static_cast<std::uint64_t>(machine.burst_bytes);
  std::int64_t count = 0;
  for (std::int64_t run = 0; run < std::int64_t{store.count1} * store.count2; ++run) {
    const std::uint64_t first = run_address(store, run), last = first + static_cast<std::uint64_t>(store.run_bytes) - 1;
    count += static_cast<std::int64_t>(last / burst - first / burst + 1);
  }
  return count;
}

std::string element_text(const Shape& shape, std::int64_t index) {
  const Nhwc image = shape.nhwc();
  const std::int64_t c = index % image.c, w = index / image.c % image.w, h = index / image.c / image.w % image.h;
  const std::int64_t n = index / image.c / image.w / image.h;
  return "[" + std::to_string(n) + ", " + std::to_string(h) + ", " + std::to_string(w) + ", " + std::to_string(c) + "]";
}

std::string to_string(const Element& element, const Schedule& schedule) {
  const ScheduleTensor& tensor = schedule.tensors[static_cast<std::size_t>(element.tensor)];
  return "element " + element_text(tensor.shape, element.index) + " of tensor `" + tensor.name + "` (" +
         (tensor.type == ElementType::UInt8 ? "uint8" : "int8") + ")";
}

}  // namespace gemel
