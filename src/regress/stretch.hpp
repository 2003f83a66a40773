// SPDX-License-Identifier: Apache-2.0
// Values where hardware goes wrong: the ends of a field's range, powers of two and what lies beside them. The ranges are those of the
// instruction set's table. An instruction with such a value is fitted into its machine: the other fields give way.
#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "config/machine.hpp"
#include "isa/isa.hpp"

namespace gemel::regress {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  int range(int least, int greatest) { return std::uniform_int_distribution<int>(least, greatest)(engine_); }
  std::int64_t wide(std::int64_t least, std::int64_t greatest) { return std::uniform_int_distribution<std::int64_t>(least, greatest)(engine_); }
  bool chance(int percent) { return range(1, 100) <= percent; }
  // Mostly small, now and then as great as it may be.
  int skewed(int least, int greatest) {
    const int half = chance(75) ? std::max(least, std::min(greatest, least + 3)) : greatest;
    return range(least, half);
  }
  // The ends of a range, powers of two within it and their neighbours, or anything of any magnitude.
  std::int64_t stretched(std::int64_t least, std::int64_t greatest) {
    const std::int64_t size = greatest > 0 ? greatest : -least;
    int bits = 0;
    while (bits < 62 && std::int64_t{2} << bits <= size) ++bits;
    std::int64_t value = 0;
    switch (range(0, 9)) {
      case 0: return least;
      case 1: return greatest;
      case 2: value = greatest - range(1, 3); break;
      case 3: case 4: case 5: case 6: value = (std::int64_t{1} << range(0, bits)) + range(-1, 1); break;
      default: value = wide(0, (std::int64_t{2} << range(0, bits)) - 1);
    }
    if (least < 0 && (greatest <= 0 || chance(50))) value = -value;
    return std::clamp(value, least, greatest);
  }
  std::uint8_t byte() { return static_cast<std::uint8_t>(range(0, 255)); }
  std::uint64_t bits() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

// Cycles that an instruction takes, roughly: its steps, words and beats, and what bursts wait for.
inline std::int64_t rough_cycles(const isa::Instruction& instruction, const Machine& machine) {
  const auto moved = [&machine](std::int64_t runs, std::int64_t bytes, std::int64_t words, int outstanding, int latency) {
    const std::int64_t bursts = runs * (bytes / machine.burst_bytes + 2);
    const std::int64_t beats = runs * (1000 * bytes / machine.millibytes_per_cycle() + 2);
    return std::max(words, beats) + bursts * (latency + machine.jitter_cycles / 2) / std::min(outstanding, machine.memory_queue);
  };
  switch (instruction.unit) {
    case isa::Unit::Load: {
      const isa::Load& i = instruction.load;
      const std::int64_t runs = std::int64_t{i.count1} * i.count2;
      std::int64_t bytes = i.run_bytes;
      if (i.window_count > 0) bytes = std::min(bytes, i.window_offset + std::int64_t{i.window_count - 1} * i.window_step + i.window_bytes);
      const isa::Extent words = isa::touched(i, machine).items[0];
      return moved(runs, bytes, words.last - words.first + 1, machine.load_outstanding, machine.read_latency_cycles);
    }
    case isa::Unit::Store: {
      const isa::Store& i = instruction.store;
      const isa::Extent words = isa::touched(i, machine).items[0];
      return moved(std::int64_t{i.count1} * i.count2, i.run_bytes, words.last - words.first + 1, machine.store_outstanding, machine.write_latency_cycles);
    }
    case isa::Unit::Matrix: {
      const isa::Matrix& i = instruction.matrix;
      const std::int64_t pixels = std::int64_t{i.out_planes} * i.out_height * i.out_width;
      return std::int64_t{i.kernel_h} * i.kernel_w * i.cin_blocks * i.cout_blocks * std::max<std::int64_t>({pixels, machine.rows, 3});
    }
    case isa::Unit::Vector: {
      const isa::Vector& i = instruction.vector;
      const std::int64_t slices = (machine.columns + machine.lanes - 1) / machine.lanes;
      const std::int64_t steps = std::max(std::int64_t{isa::reads(i.opcode).steps}, std::int64_t{i.kernel_h} * i.kernel_w);
      return isa::TableBytes + i.blocks * (isa::SetWords + std::int64_t{i.out_planes} * i.out_height * i.out_width * slices * steps);
    }
    case isa::Unit::None: break;
  }
  return 0;
}

// One to four fields of an instruction at such values.
class Stretch {
 public:
  // `allowed`: the addresses it touches may be touched. An operand may overlap the result with a chance of `careless_percent`.
  // It takes `most_cycles`, or `dear_cycles` for what takes many, if its fields are to be great.
  Stretch(Dice& random, const Machine& machine, std::int64_t most_cycles, std::int64_t dear_cycles, int careless_percent,
          std::function<bool(const isa::Instruction&)> allowed)
      : random_(random),
        machine_(machine),
        most_cycles_(most_cycles),
        dear_cycles_(dear_cycles),
        careless_percent_(careless_percent),
        allowed_(std::move(allowed)) {}

  // False: no such instruction was found, and it is as it was.
  bool operator()(isa::Instruction& instruction) {
    isa::Word word = isa::encode(instruction);
    const isa::FormatInfo& format = *isa::find(isa::opcode(word))->format;
    std::vector<const isa::FieldInfo*> fields;
    for (int f = 0; f < format.field_count; ++f) {
      if (stretches(format.fields[f], instruction)) fields.push_back(&format.fields[f]);
    }
    std::vector<const isa::FieldInfo*> pinned;
    for (int n = random_.chance(50) ? 1 : random_.range(2, 4); n > 0; --n) {
      const isa::FieldInfo* field = fields[static_cast<std::size_t>(random_.range(0, static_cast<int>(fields.size()) - 1))];
      const auto dear = std::find_if(fields.begin(), fields.end(), [](const isa::FieldInfo* f) { return is(*f, "run_bytes") || is(*f, "blocks"); });
      const bool is_dear = dear != fields.end() && random_.chance(25);  // what gives way most often
      if (is_dear) field = *dear, most_cycles_ = dear_cycles_;
      if (std::find(pinned.begin(), pinned.end(), field) != pinned.end()) continue;
      const std::int64_t greatest = most(*field, instruction);
      isa::set_field(word, *field, is_dear && random_.chance(40) ? random_.wide(greatest / 2, greatest) : random_.stretched(field->min, greatest));
      pinned.push_back(field);
    }
    // A distance tells nothing unless there are two of what it lies between.
    at_least_two_.clear();
    for (const isa::FieldInfo* distance : pinned) {
      for (const auto& [of, count] : Counts) {
        const auto field = std::find_if(fields.begin(), fields.end(), [name = count](const isa::FieldInfo* f) { return name == f->name; });
        if (distance->name != of || field == fields.end()) continue;
        at_least_two_.push_back(*field);
        isa::set_field(word, **field, std::max<std::int64_t>(2, isa::get_field(word, **field)));
      }
    }
    aligned_ = random_.chance(50);
    to_border_ = random_.chance(60) ? random_.range(-1, 3) : Nowhere;
    tile_to_taps_ = random_.chance(50) ? random_.range(-1, 2) : Nowhere;
    const auto is_pinned = [&pinned](std::string_view name) {
      return std::any_of(pinned.begin(), pinned.end(), [name](const isa::FieldInfo* f) { return name == f->name; });
    };
    group_pinned_ = is_pinned("group_bytes");
    run_pinned_ = is_pinned("run_bytes");
    wide_pinned_ = is_pinned("act_width") || is_pinned("src_width");
    high_pinned_ = is_pinned("act_height") || is_pinned("src_height");
    for (int attempt = 0; attempt < MostAttempts; ++attempt) {
      isa::Instruction i = isa::decode(word);
      if (complete(i)) {
        instruction = i;
        return true;
      }
      std::vector<const isa::FieldInfo*> lower;
      for (const isa::FieldInfo* f : fields) {
        const bool is_place = std::string_view(f->name) == "address";
        if (isa::get_field(word, *f) != neutral(*f) && !is_place && !is_pinned(f->name)) lower.push_back(f);
      }
      if (lower.empty()) {
        for (const isa::FieldInfo* f : pinned) {
          if (isa::get_field(word, *f) != neutral(*f)) lower.push_back(f);
        }
      }
      if (lower.empty()) return false;
      const isa::FieldInfo& f = *lower[static_cast<std::size_t>(random_.range(0, static_cast<int>(lower.size()) - 1))];
      const std::int64_t value = isa::get_field(word, f), least = neutral(f);
      isa::set_field(word, f, least + (value - least) / 2);
    }
    return false;
  }

 private:
  static constexpr int MostAttempts = 400, Nowhere = -100;

  static bool is(const isa::FieldInfo& f, std::string_view name) { return name == f.name; }

  // Distance, and what lies so far apart.
  static constexpr std::pair<std::string_view, std::string_view> Counts[] = {
      {"stride_y", "out_height"}, {"stride_x", "out_width"}, {"dilation_y", "kernel_h"}, {"dilation_x", "kernel_w"}, {"stride1", "count1"},
      {"stride2", "count2"}, {"plane_words", "out_planes"}, {"block_step", "blocks"}, {"dst_block_step", "blocks"}, {"dst_pixel_step", "out_width"},
      {"act_block_step", "cout_blocks"}, {"window_step", "window_count"}};

  std::int64_t neutral(const isa::FieldInfo& f) const {
    if (std::find(at_least_two_.begin(), at_least_two_.end(), &f) != at_least_two_.end()) return 2;
    return std::string_view(f.name) == "dst_pixel_step" ? 1 : f.default_value();  // results lie apart
  }
  // No run is longer than the buffer that holds it.
  std::int64_t most(const isa::FieldInfo& f, const isa::Instruction& i) const {
    if (is(f, "address")) return machine_.memory_bytes - 1;
    if (!is(f, "run_bytes") || (i.unit == isa::Unit::Load && i.load.window_count > 0)) return f.max;
    const Buffer buffer = i.unit == isa::Unit::Load ? static_cast<Buffer>(i.load.buffer) : Buffer::Vector;
    return std::min<std::int64_t>({f.max, machine_.words(buffer) * machine_.word_bytes(buffer), machine_.memory_bytes});
  }
  // Counts, sizes, distances and places; not what is chosen of a few, nor what follows from others.
  static bool stretches(const isa::FieldInfo& f, const isa::Instruction& i) {
    const std::string_view name = f.name;
    const auto ends_with = [name](std::string_view end) { return name.size() >= end.size() && name.substr(name.size() - end.size()) == end; };
    if (f.width == 1 || f.names != nullptr || ends_with("_last") || ends_with("_base") || ends_with("_zero") || name.substr(0, 6) == "clamp_") return false;
    if (name == "fill" || name == "machine") return false;
    if (i.unit == isa::Unit::Load) {
      const bool of_windows = name.substr(0, 7) == "window_";
      return i.load.window_count > 0 ? name != "group_bytes" : !of_windows;
    }
    if (i.unit != isa::Unit::Vector) return true;
    const isa::VectorReads& reads = isa::reads(i.vector.opcode);
    if (reads.steps > 0 && name.substr(0, 7) == "kernel_") return false;
    return reads.sources > 0 || name.substr(0, 4) != "src_";
  }

  // Where an operand of so many words may begin: where it did, or so that it ends with its buffer. False: it is too long.
  bool place(int& base, int& last, const isa::Extent& extent, Buffer buffer) {
    const std::int64_t words = extent.any ? extent.last - base + 1 : 1;
    if (words > machine_.words(buffer)) return false;
    base = static_cast<int>(std::min<std::int64_t>(base, machine_.words(buffer) - words));
    last = base + static_cast<int>(words) - 1;
    return true;
  }
  template <class Moved>
  bool place_in_memory(Moved& i) {
    const isa::Extent bytes = isa::memory_bytes(i);
    if (!bytes.any) return i.address < static_cast<std::uint64_t>(machine_.memory_bytes);
    const std::int64_t span = bytes.last - static_cast<std::int64_t>(i.address) + 1;
    if (span > machine_.memory_bytes) return false;
    i.address = std::min(i.address, static_cast<std::uint64_t>(machine_.memory_bytes - span));
    if (aligned_) i.address -= i.address % static_cast<std::uint64_t>(machine_.burst_bytes);
    return true;
  }
  template <class Moved>
  void make_groups(Moved& i) {
    constexpr int Most = (1 << 24) - 1;
    if (run_pinned_ && !group_pinned_) {
      const int parts = random_.range(1, 8);
      i.group_bytes = std::max(1, i.run_bytes / parts);
    } else {
      i.group_bytes = std::max(i.group_bytes, 1);
      if (random_.chance(50)) i.run_bytes = i.group_bytes * std::clamp(i.run_bytes / i.group_bytes, 1, Most / i.group_bytes);
    }
  }
  // Puts the first taps to where the tile ends, if its size is what is tried; or the end of the tile to the last taps.
  void to_border(bool pinned, int& size, int& origin, int count, int stride, int kernel, int dilation) const {
    constexpr int Most = (1 << 14) - 1;
    if (pinned) {
      if (to_border_ != Nowhere) origin = std::min(size - to_border_, Most);
    } else if (tile_to_taps_ != Nowhere) {
      size = std::clamp(origin + (count - 1) * stride + (kernel - 1) * dilation + 1 + tile_to_taps_, 1, Most);
    }
  }

  // Sets what follows from other fields, and moves operands. False: it is not legal, takes too long, or goes where it may not.
  bool complete(isa::Instruction& instruction) {
    if (!(instruction.unit == isa::Unit::Load     ? complete(instruction.load)
          : instruction.unit == isa::Unit::Matrix ? complete(instruction.matrix)
          : instruction.unit == isa::Unit::Vector ? complete(instruction.vector)
                                                  : complete(instruction.store))) {
      return false;
    }
    return !isa::check(isa::encode(instruction)) && !isa::check_claims(instruction, machine_) &&
           rough_cycles(instruction, machine_) <= most_cycles_ && allowed_(instruction);
  }
  bool complete(isa::Load& i) {
    if (i.window_count > 0) {
      i.window_bytes = std::clamp(i.window_bytes, 1, std::min(machine_.burst_bytes, (1 << 12) - 1));
      i.window_step = std::clamp(i.window_step, 1, i.window_bytes);
      i.window_offset = std::max(i.window_offset, 1 - i.window_bytes);
    } else {
      make_groups(i);
    }
    return place(i.word_base, i.word_last, isa::touched(i, machine_).items[0], static_cast<Buffer>(i.buffer)) && place_in_memory(i);
  }
  bool complete(isa::Store& i) {
    make_groups(i);
    return place(i.word_base, i.word_last, isa::touched(i, machine_).items[0], Buffer::Vector) && place_in_memory(i);
  }
  bool complete(isa::Matrix& i) {
    to_border(wide_pinned_, i.act_width, i.origin_x, i.out_width, i.stride_x, i.kernel_w, i.dilation_x);
    to_border(high_pinned_, i.act_height, i.origin_y, i.out_height, i.stride_y, i.kernel_h, i.dilation_y);
    const isa::Touched t = isa::touched(i, machine_);
    return place(i.act_base, i.act_last, t.items[0], Buffer::Activation) && place(i.weight_base, i.weight_last, t.items[1], Buffer::Weight) &&
           place(i.acc_base, i.acc_last, t.items[2], Buffer::Accumulator);
  }
  bool complete(isa::Vector& i) {
    const int sources = isa::reads(i.opcode).sources;
    const bool sums = sources == 0, pair = sources == 2;
    if (!sums) {
      to_border(wide_pinned_, i.src_width, i.origin_x, i.out_width, i.stride_x, i.kernel_w, i.dilation_x);
      to_border(high_pinned_, i.src_height, i.origin_y, i.out_height, i.stride_y, i.kernel_h, i.dilation_y);
    }
    // Each result has a word of its own: steps of pixels lie between those of blocks, or the other way round.
    const std::int64_t pixels = std::int64_t{i.out_planes} * i.out_height * i.out_width;
    const bool apart = (pixels == 1 || i.dst_pixel_step > 0) && (i.blocks == 1 || i.dst_block_step > 0) &&
                       (pixels == 1 || i.blocks == 1 || i.dst_block_step >= pixels * i.dst_pixel_step ||
                        i.dst_pixel_step >= std::int64_t{i.blocks} * i.dst_block_step);
    if (!apart) return false;
    const isa::Touched t = isa::touched(i, machine_);
    int item = 0;
    if (!place(i.src0_base, i.src0_last, t.items[0], sums ? Buffer::Accumulator : Buffer::Vector)) return false;
    if (pair && !place(i.src1_base, i.src1_last, t.items[1], Buffer::Vector)) return false;
    item += pair ? 2 : 1;
    i.param_last = i.param_base;
    if (isa::param_words(i, machine_.columns) > 0 && !place(i.param_base, i.param_last, t.items[static_cast<std::size_t>(item++)], Buffer::Param)) return false;
    if (!place(i.dst_base, i.dst_last, t.items[static_cast<std::size_t>(item)], Buffer::Vector)) return false;
    const auto overlaps = [&] {
      return (!sums && i.src0_last >= i.dst_base && i.dst_last >= i.src0_base) || (pair && i.src1_last >= i.dst_base && i.dst_last >= i.src1_base);
    };
    const int words = i.dst_last - i.dst_base + 1, free = static_cast<int>(machine_.words(Buffer::Vector)) - words;
    for (int attempt = 0; overlaps() && attempt < 8; ++attempt) {
      i.dst_base = attempt == 0 ? free : attempt == 1 ? 0 : random_.range(0, free);
      i.dst_last = i.dst_base + words - 1;
    }
    return !overlaps() || random_.chance(careless_percent_);
  }

  Dice& random_;
  const Machine& machine_;
  std::int64_t most_cycles_, dear_cycles_;
  int careless_percent_;
  std::function<bool(const isa::Instruction&)> allowed_;
  bool aligned_ = false;  // to whole bursts
  int to_border_ = Nowhere, tile_to_taps_ = Nowhere;
  std::vector<const isa::FieldInfo*> at_least_two_;
  bool group_pinned_ = false, run_pinned_ = false, wide_pinned_ = false, high_pinned_ = false;
};

}  // namespace gemel::regress
