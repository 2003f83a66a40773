// SPDX-License-Identifier: Apache-2.0
#include "compiler/interpreter.hpp"

#include <algorithm>
#include <cstring>

#include "base/numerics.hpp"

namespace gemel::test {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
int value(std::uint8_t byte, int is_unsigned) { return is_unsigned ? byte : static_cast<std::int8_t>(byte); }

}  // namespace

Interpreter::Interpreter(const Schedule& schedule, const Machine& machine) : schedule_(schedule), machine_(machine) {
  for (std::size_t i = 0; i < schedule.program.size(); ++i) {
    const isa::Word& w = schedule.program[i];
    program_.push_back(isa::decode(w));
    if (const auto bad = isa::check(w)) fail(i, isa::to_string(*bad));
    if (const auto bad = isa::check_claims(program_.back(), machine)) fail(i, isa::to_string(*bad));
  }
  memory_.resize(static_cast<std::size_t>(schedule.memory_bytes_used));
  for (const ConstantSegment& c : schedule.constants) std::copy(c.bytes.begin(), c.bytes.end(), memory_.begin() + static_cast<std::int64_t>(c.address));
  for (int b = 0; b < BufferCount; ++b) {
    const auto words = static_cast<std::size_t>(machine.words(static_cast<Buffer>(b)));
    is_written_[b].assign(words, 0);
    if (b < 4) buffers_[b].assign(words * static_cast<std::size_t>(machine.word_bytes(static_cast<Buffer>(b))), 0);
  }
  accumulator_.assign(is_written_[4].size() * static_cast<std::size_t>(machine.columns), 0);
}

void Interpreter::fail(std::size_t instruction, const std::string& what) {
  if (problem_.empty()) {
    problem_ = "instruction " + std::to_string(instruction) + ": " + what + "\n  " + isa::disassemble(schedule_.program[instruction]);
  }
}

void Interpreter::set_input(int tensor, const std::vector<std::uint8_t>& bytes) {
  std::copy(bytes.begin(), bytes.end(), memory_.begin() + static_cast<std::int64_t>(schedule_.tensors[tensor].address));
}

std::vector<std::uint8_t> Interpreter::tensor(int index) const {
  const ScheduleTensor& t = schedule_.tensors[index];
  const auto first = memory_.begin() + static_cast<std::int64_t>(t.address);
  return {first, first + t.bytes};
}

const std::uint8_t* Interpreter::word(Buffer buffer, std::int64_t index) {
  const int b = static_cast<int>(buffer);
  if (index < 0 || index >= static_cast<std::int64_t>(is_written_[b].size()) || !is_written_[b][index]) {
    fail(current_, "reads word " + std::to_string(index) + " of " + to_string(buffer) + ", which was never written");
    return buffers_[b].data();
  }
  return buffers_[b].data() + index * machine_.word_bytes(buffer);
}

std::uint8_t* Interpreter::written(Buffer buffer, std::int64_t index) {
  const int b = static_cast<int>(buffer);
  is_written_[b][index] = 1;
  return buffers_[b].data() + index * machine_.word_bytes(buffer);
}

void Interpreter::execute(std::size_t instruction) {
  current_ = instruction;
  const isa::Instruction& i = program_[instruction];
  switch (i.unit) {
    case isa::Unit::Load: load(i.load); break;
    case isa::Unit::Matrix: matrix(i.matrix); break;
    case isa::Unit::Vector: vector(i.vector); break;
    case isa::Unit::Store: store(i.store); break;
    case isa::Unit::None: break;
  }
}

void Interpreter::load(const isa::Load& l) {
  const auto buffer = static_cast<Buffer>(l.buffer);
  const int width = machine_.word_bytes(buffer);
  std::int64_t at = l.word_base;
  const auto byte = [&](std::uint64_t address) {
    if (address < memory_.size()) return memory_[address];
    fail(current_, "reads memory beyond its end");
    return std::uint8_t{0};
  };
  for (std::int64_t i2 = 0; i2 < l.count2; ++i2) {
    for (std::int64_t i1 = 0; i1 < l.count1; ++i1) {
      const std::uint64_t run = l.address + static_cast<std::uint64_t>(i2 * l.stride2 + i1 * l.stride1);
      if (l.window_count == 0) {
        for (std::int64_t g = 0; g < l.run_bytes; g += l.group_bytes) {
          for (std::int64_t k = 0; k < l.group_bytes; k += width) {
            std::uint8_t* w = written(buffer, at++);
            for (int lane = 0; lane < width; ++lane) {
              w[lane] = k + lane < l.group_bytes ? byte(run + static_cast<std::uint64_t>(g + k + lane)) : 0;
            }
          }
        }
        continue;
      }
      for (std::int64_t n = 0; n < l.window_count; ++n) {
        for (std::int64_t k = 0; k < l.window_bytes; k += width) {
          std::uint8_t* w = written(buffer, at++);
          for (int lane = 0; lane < width; ++lane) {
            const std::int64_t in_row = l.window_offset + n * l.window_step + k + lane;
            const bool inside = in_row >= 0 && in_row < l.run_bytes;
            w[lane] = k + lane >= l.window_bytes ? 0 : inside ? byte(run + static_cast<std::uint64_t>(in_row)) : static_cast<std::uint8_t>(l.fill);
          }
        }
      }
    }
  }
  if (at != l.word_last + 1) fail(current_, "claims other words than it fills");
}

void Interpreter::matrix(const isa::Matrix& m) {
  const int rows = machine_.rows, columns = machine_.columns;
  const std::int64_t pixels = std::int64_t{m.out_planes} * m.out_height * m.out_width;
  std::int64_t pass = 0;
  for (std::int64_t n = 0; n < m.cout_blocks; ++n) {
    for (int k = 0; k < m.kernel_h * m.kernel_w * m.cin_blocks; ++k, ++pass) {
      const int ky = k / (m.kernel_w * m.cin_blocks), kx = k / m.cin_blocks % m.kernel_w, cb = k % m.cin_blocks;
      std::vector<const std::uint8_t*> weights;
      for (int r = 0; r < rows; ++r) weights.push_back(word(Buffer::Weight, m.weight_base + pass * rows + r));
      for (std::int64_t p = 0; p < pixels; ++p) {
        const std::int64_t z = p / (std::int64_t{m.out_height} * m.out_width), oy = p / m.out_width % m.out_height, ox = p % m.out_width;
        const std::int64_t y = m.origin_y + oy * m.stride_y + ky * m.dilation_y, x = m.origin_x + ox * m.stride_x + kx * m.dilation_x;
        const std::int64_t acc = m.acc_base + n * pixels + p;
        std::int32_t* sums = accumulator_.data() + acc * columns;
        if (k == 0 && !m.accumulate) {
          std::fill(sums, sums + columns, 0);
        } else if (!is_written_[4][acc]) {
          fail(current_, "adds to accumulator word " + std::to_string(acc) + ", which was never written");
        }
        is_written_[4][acc] = 1;
        if (y < 0 || y >= m.act_height || x < 0 || x >= m.act_width) continue;
        const std::int64_t at = m.act_base + z * m.plane_words + (y * m.act_width + x) * m.pixel_words + cb + n * m.act_block_step;
        if (at < m.act_base || at > m.act_last) fail(current_, "leaves its activation claim");
        const std::uint8_t* a = word(Buffer::Activation, at);
        for (int r = 0; r < rows; ++r) {
          const int operand = value(a[r], m.act_unsigned) - m.act_zero;
          for (int c = 0; c < columns; ++c) {
            sums[c] = numerics::wrap_add(sums[c], operand * (value(weights[r][c], m.weight_unsigned) - m.weight_zero));
          }
        }
      }
    }
  }
}

void Interpreter::vector(const isa::Vector& v) {
  const int columns = machine_.columns;
  const std::int64_t pixels = std::int64_t{v.out_planes} * v.out_height * v.out_width;
  std::vector<std::uint8_t> table;
  std::int64_t sets = v.param_base;
  if (v.table) {
    for (std::int64_t i = 0; i < ceil_div(256, columns); ++i) {
      const std::uint8_t* w = word(Buffer::Param, sets++);
      table.insert(table.end(), w, w + columns);
    }
  }
  const bool depthwise = v.opcode == isa::Opcode::Depthwise;
  const int taps = v.kernel_h * v.kernel_w;
  const auto number = [&](std::int64_t set, int array, int lane) {  // array 0 bias, 1 multiplier, 2 shift
    std::int32_t x = 0;
    if (array == 2) return std::int32_t{static_cast<std::int8_t>(word(Buffer::Param, set + 8)[lane])};
    for (int i = 3; i >= 0; --i) {
      const int byte = 4 * lane + i;
      x = static_cast<std::int32_t>(static_cast<std::uint32_t>(x) << 8 | word(Buffer::Param, set + 4 * array + byte / columns)[byte % columns]);
    }
    return x;
  };
  const auto rounded = [&](std::int64_t set, int lane, std::int32_t x) {
    return numerics::requantize(static_cast<numerics::RequantMode>(v.rounding), numerics::wrap_add(x, number(set, 0, lane)),
                                number(set, 1, lane), number(set, 2, lane));
  };
  std::vector<std::uint8_t> out(static_cast<std::size_t>(columns));
  for (std::int64_t b = 0; b < v.blocks; ++b) {
    const std::int64_t set = sets + (v.param_shared ? 0 : b * (depthwise ? 9 + taps : 9));
    for (std::int64_t p = 0; p < pixels; ++p) {
      const std::int64_t z = p / (std::int64_t{v.out_height} * v.out_width), oy = p / v.out_width % v.out_height, ox = p % v.out_width;
      const auto source = [&](std::int64_t base, int ky, int kx) -> const std::uint8_t* {
        const std::int64_t y = v.origin_y + oy * v.stride_y + ky * v.dilation_y, x = v.origin_x + ox * v.stride_x + kx * v.dilation_x;
        if (y < 0 || y >= v.src_height || x < 0 || x >= v.src_width) return nullptr;
        const std::int64_t at = base + b * v.block_step + z * v.plane_words + (y * v.src_width + x) * v.pixel_words;
        return word(Buffer::Vector, at);
      };
      for (int c = 0; c < columns; ++c) {
        std::int32_t x = 0;
        int result = 0;
        if (v.opcode == isa::Opcode::Requantize) {
          const std::int64_t at = v.src0_base + b * pixels + p;
          if (!is_written_[4][at]) fail(current_, "reads an accumulator that was never written");
          x = accumulator_[static_cast<std::size_t>(at * columns + c)];
        } else if (v.opcode == isa::Opcode::Add || v.opcode == isa::Opcode::Sub) {
          const int shift = 1 << numerics::AddLeftShift;
          const std::int32_t q0 = rounded(set, c, (value(source(v.src0_base, 0, 0)[c], v.src0_unsigned) - v.src0_zero) * shift);
          const std::int32_t q1 = rounded(set + 9, c, (value(source(v.src1_base, 0, 0)[c], v.src1_unsigned) - v.src1_zero) * shift);
          x = v.opcode == isa::Opcode::Add ? numerics::wrap_add(q0, q1) : numerics::wrap_subtract(q0, q1);
        } else if (v.opcode == isa::Opcode::Mul) {
          x = (value(source(v.src0_base, 0, 0)[c], v.src0_unsigned) - v.src0_zero) * (value(source(v.src1_base, 0, 0)[c], v.src1_unsigned) - v.src1_zero);
        } else {
          bool any = false;
          for (int k = 0; k < taps; ++k) {
            const std::uint8_t* w = source(v.src0_base, k / v.kernel_w, k % v.kernel_w);
            if (w == nullptr) continue;
            const int raw = value(w[c], v.src0_unsigned);
            if (v.opcode == isa::Opcode::PoolMax) {
              x = any ? std::max(x, raw) : raw;
            } else if (depthwise) {
              x = numerics::wrap_add(x, (raw - v.src0_zero) * (value(word(Buffer::Param, set + 9 + k)[c], v.weight_unsigned) - v.weight_zero));
            } else {
              x += raw - v.src0_zero;
            }
            any = true;
          }
        }
        if (v.opcode == isa::Opcode::PoolMax) {
          result = std::clamp(x, v.clamp_min, v.clamp_max);
        } else {
          const bool third = v.opcode == isa::Opcode::Add || v.opcode == isa::Opcode::Sub;
          result = numerics::finish(rounded(third ? set + 18 : set, c, x), v.dst_zero, v.clamp_min, v.clamp_max);
        }
        out[c] = static_cast<std::uint8_t>(result);
        if (v.table) out[c] = table[out[c]];
      }
      std::memcpy(written(Buffer::Vector, v.dst_base + p * v.dst_pixel_step + b * v.dst_block_step), out.data(), out.size());
    }
  }
}

void Interpreter::store(const isa::Store& s) {
  std::int64_t at = s.word_base;
  for (std::int64_t i2 = 0; i2 < s.count2; ++i2) {
    for (std::int64_t i1 = 0; i1 < s.count1; ++i1) {
      const std::uint64_t run = s.address + static_cast<std::uint64_t>(i2 * s.stride2 + i1 * s.stride1);
      if (run + static_cast<std::uint64_t>(s.run_bytes) > memory_.size()) return fail(current_, "writes memory beyond its end");
      for (std::int64_t g = 0; g < s.run_bytes; g += s.group_bytes) {
        for (std::int64_t k = 0; k < s.group_bytes; k += machine_.columns) {
          const auto bytes = static_cast<std::size_t>(std::min<std::int64_t>(machine_.columns, s.group_bytes - k));
          std::memcpy(memory_.data() + run + g + k, word(Buffer::Vector, at++), bytes);
        }
      }
    }
  }
  if (at != s.word_last + 1) fail(current_, "claims other words than it stores");
}

bool Interpreter::can_start(int unit) const {
  const UnitState& u = units_[unit];
  if (u.queue.empty()) return false;
  const isa::Instruction& i = program_[u.queue.front()];
  const isa::Header& h = i.unit == isa::Unit::Load     ? static_cast<const isa::Header&>(i.load)
                         : i.unit == isa::Unit::Matrix ? static_cast<const isa::Header&>(i.matrix)
                         : i.unit == isa::Unit::Vector ? static_cast<const isa::Header&>(i.vector)
                                                       : static_cast<const isa::Header&>(i.store);
  for (int s = 0; s < 4; ++s) {
    if ((h.wait_mask >> s & 1) && semaphores_[4 * unit + s] == 0) return false;
  }
  return u.flight.empty() || (u.flight.size() == 1 && h.chain);
}

void Interpreter::check_hazards(std::size_t instruction) {
  const isa::Instruction& mine = program_[instruction];
  const isa::Claims claims = isa::claims(mine);
  const auto range = isa::memory_bytes(mine);
  const auto meet = [](std::int64_t a0, std::int64_t a1, std::int64_t b0, std::int64_t b1) { return a0 <= b1 && b0 <= a1; };
  for (const isa::Claim& a : claims) {
    for (const isa::Claim& b : claims) {
      if (&a == &b || a.buffer != b.buffer || !a.write || mine.unit == isa::Unit::Matrix) continue;
      if (meet(a.first, a.last, b.first, b.last)) fail(instruction, "writes what it reads");
    }
  }
  for (int u = 0; u < isa::UnitCount; ++u) {
    if (u == static_cast<int>(mine.unit)) {
      for (const Flight& f : units_[u].flight) {
        if (mine.unit != isa::Unit::Matrix) continue;
        const isa::Matrix& x = mine.matrix;
        const isa::Matrix& y = program_[f.instruction].matrix;
        const bool equal = x.acc_base == y.acc_base && x.acc_last == y.acc_last;
        if (!equal && meet(x.acc_base, x.acc_last, y.acc_base, y.acc_last)) fail(instruction, "illegal chain");
      }
      continue;
    }
    for (const Flight& f : units_[u].flight) {
      const isa::Instruction& other = program_[f.instruction];
      const isa::Claims others = isa::claims(other);
      for (const isa::Claim& a : claims) {
        for (const isa::Claim& b : others) {
          if (a.buffer != b.buffer) continue;
          const auto bank = machine_.bank_words(a.buffer);
          if (a.write == b.write && meet(a.first / bank, a.last / bank, b.first / bank, b.last / bank)) {
            fail(instruction, "shares a bank's port with instruction " + std::to_string(f.instruction));
          }
          if ((a.write || b.write) && meet(a.first, a.last, b.first, b.last)) {
            fail(instruction, "meets words of instruction " + std::to_string(f.instruction));
          }
        }
      }
      const bool memory = (mine.unit == isa::Unit::Load && other.unit == isa::Unit::Store) ||
                          (mine.unit == isa::Unit::Store && other.unit == isa::Unit::Load);
      const auto theirs = isa::memory_bytes(other);
      if (memory && range.any && theirs.any && meet(range.first, range.last, theirs.first, theirs.last)) {
        fail(instruction, "meets memory of instruction " + std::to_string(f.instruction));
      }
    }
  }
}

void Interpreter::start(int unit, bool at_once) {
  UnitState& u = units_[unit];
  const std::size_t i = u.queue.front();
  u.queue.erase(u.queue.begin());
  isa::Instruction copy = program_[i];
  const isa::Header& h = copy.unit == isa::Unit::Load     ? static_cast<isa::Header&>(copy.load)
                         : copy.unit == isa::Unit::Matrix ? static_cast<isa::Header&>(copy.matrix)
                         : copy.unit == isa::Unit::Vector ? static_cast<isa::Header&>(copy.vector)
                                                          : static_cast<isa::Header&>(copy.store);
  for (int s = 0; s < 4; ++s) {
    if (h.wait_mask >> s & 1) --semaphores_[4 * unit + s];
  }
  check_hazards(i);
  u.flight.push_back({i, false});
  if (at_once) {
    for (Flight& f : u.flight) {
      if (!f.executed) execute(f.instruction);
      f.executed = true;
    }
  }
}

int Interpreter::finish(int unit) {
  UnitState& u = units_[unit];
  const Flight f = u.flight.front();
  u.flight.erase(u.flight.begin());
  if (!f.executed) execute(f.instruction);
  const isa::Instruction& i = program_[f.instruction];
  const isa::Header& h = i.unit == isa::Unit::Load     ? static_cast<const isa::Header&>(i.load)
                         : i.unit == isa::Unit::Matrix ? static_cast<const isa::Header&>(i.matrix)
                         : i.unit == isa::Unit::Vector ? static_cast<const isa::Header&>(i.vector)
                                                       : static_cast<const isa::Header&>(i.store);
  for (int s = 0; s < 16; ++s) {
    if (!(h.post_mask >> s & 1)) continue;
    greatest_count_ = std::max(greatest_count_, ++semaphores_[s]);
    if (semaphores_[s] > 255) fail(f.instruction, "semaphore overflow");
  }
  return static_cast<int>(f.instruction);
}

}  // namespace gemel::test
