// SPDX-License-Identifier: Apache-2.0
#include "blocks/vector_unit/vector_unit_model.hpp"

#include <cstring>

#include "base/numerics.hpp"
#include "isa/compute_timing.hpp"
#include "kernels/vector_tile.hpp"

namespace gemel {
namespace {

using isa::SetWords;

// One parameter set, unpacked.
struct ParameterSet {
  std::int32_t bias[256], multiplier[256], shift[256];
  void read(const std::uint8_t* bytes, int columns) {
    std::memcpy(bias, bytes, static_cast<std::size_t>(columns) * 4);
    std::memcpy(multiplier, bytes + 4 * columns, static_cast<std::size_t>(columns) * 4);
    for (int c = 0; c < columns; ++c) shift[c] = static_cast<std::int8_t>(bytes[8 * columns + c]);
  }
};

VectorTile tile_of(const isa::Vector& v, const Scratchpad& source, int columns) {
  VectorTile t;
  t.source = source.word(0);
  t.columns = columns;
  t.src_base = static_cast<std::uint32_t>(v.src0_base);
  t.src_height = v.src_height;
  t.src_width = v.src_width;
  t.pixel_words = v.pixel_words;
  t.plane_words = v.plane_words;
  t.block_step = v.block_step;
  t.out_planes = v.out_planes;
  t.out_height = v.out_height;
  t.out_width = v.out_width;
  t.kernel_h = v.kernel_h;
  t.kernel_w = v.kernel_w;
  t.stride_y = v.stride_y;
  t.stride_x = v.stride_x;
  t.dilation_y = v.dilation_y;
  t.dilation_x = v.dilation_x;
  t.origin_y = v.origin_y;
  t.origin_x = v.origin_x;
  t.source_unsigned = v.src0_unsigned != 0;
  t.source_zero = v.src0_zero;
  return t;
}

std::int64_t pixels_of(const isa::Vector& v) { return std::int64_t{v.out_planes} * v.out_height * v.out_width; }

// Rows of sums [P][C] to result words of one block, through rounding, zero point, clamp and table.
class ResultWriter {
 public:
  ResultWriter(const isa::Vector& v, Scratchpad& vector, const std::uint8_t* table, int columns)
      : v_(v), vector_(vector), table_(table), columns_(columns), mode_(static_cast<numerics::RequantMode>(v.rounding)) {}

  void requantized(int block, const std::int32_t* sums, const ParameterSet& set) {
    const std::int64_t pixels = pixels_of(v_);
    for (std::int64_t p = 0; p < pixels; ++p) {
      std::uint8_t* out = word(block, p);
      numerics::requantize_row(mode_, sums + p * columns_, set.bias, set.multiplier, set.shift, columns_, v_.dst_zero,
                               v_.clamp_min, v_.clamp_max, out);
      look_up(out);
    }
  }
  void clamped(int block, const std::int32_t* values) {  // pool_max: no rounding, no zero point
    const std::int64_t pixels = pixels_of(v_);
    for (std::int64_t p = 0; p < pixels; ++p) {
      std::uint8_t* out = word(block, p);
      for (int c = 0; c < columns_; ++c) {
        out[c] = static_cast<std::uint8_t>(
            std::min(std::max(values[p * columns_ + c], std::int32_t{v_.clamp_min}), std::int32_t{v_.clamp_max}));
      }
      look_up(out);
    }
  }
  std::uint8_t* word(int block, std::int64_t pixel) {
    return vector_.word(v_.dst_base + pixel * v_.dst_pixel_step + std::int64_t{block} * v_.dst_block_step);
  }
  void look_up(std::uint8_t* out) const {
    if (table_ == nullptr) return;
    for (int c = 0; c < columns_; ++c) out[c] = table_[out[c]];
  }

 private:
  const isa::Vector& v_;
  Scratchpad& vector_;
  const std::uint8_t* table_;
  int columns_;
  numerics::RequantMode mode_;
};

}  // namespace

void VectorUnitModel::start(const isa::Instruction& instruction, Cycle s) {
  const isa::Vector& v = instruction.vector;
  sequencer_.done(isa::Unit::Vector, s + vector_cycles(vector_work(v), machine_), isa::ErrorCode::None);
  if (vector_ != nullptr) execute(instruction.opcode, v);
}

void VectorUnitModel::execute(isa::Opcode opcode, const isa::Vector& v) {
  const int columns = machine_.columns;
  const std::int64_t pixels = pixels_of(v);
  std::int64_t param = v.param_base + (v.table ? table_words(machine_) : 0);
  std::uint8_t table[256];
  if (v.table) std::memcpy(table, param_->word(v.param_base), sizeof table);
  ResultWriter result(v, *vector_, v.table ? table : nullptr, columns);
  ParameterSet set;
  const auto read_set = [&](ParameterSet& into) {
    into.read(param_->word(param), columns);
    param += SetWords;
  };

  if (isa::reads(opcode).twice()) {
    ParameterSet second, sum;
    read_set(set);
    read_set(second);
    read_set(sum);
    const auto mode = static_cast<numerics::RequantMode>(v.rounding);
    const auto value = [](std::uint8_t byte, bool is_unsigned) {
      return is_unsigned ? std::int32_t{byte} : std::int32_t{static_cast<std::int8_t>(byte)};
    };
    // An operand has 256 values: its first rounding is a table per distinct set, made once (sets are usually uniform).
    std::vector<std::int32_t>& q = sums_;
    q.resize(2 * 256 + static_cast<std::size_t>(columns));
    const auto uniform = [&](const ParameterSet& s) {
      for (int c = 1; c < columns; ++c)
        if (s.bias[c] != s.bias[0] || s.multiplier[c] != s.multiplier[0] || s.shift[c] != s.shift[0]) return false;
      return true;
    };
    const auto scaled = [&](std::uint8_t byte, bool is_unsigned, int zero, const ParameterSet& s, int c) {
      const auto shifted = static_cast<std::uint32_t>(value(byte, is_unsigned) - zero) << 20;
      return numerics::requantize(mode, static_cast<std::int32_t>(shifted + static_cast<std::uint32_t>(s.bias[c])),
                                  s.multiplier[c], s.shift[c]);
    };
    const auto joined = [&](std::int32_t a, std::int32_t b) {
      return opcode == isa::Opcode::Sub ? numerics::wrap_subtract(a, b) : numerics::wrap_add(a, b);
    };
    const bool tabled = uniform(set) && uniform(second) && pixels * v.blocks * columns > 512;
    if (tabled) {
      for (int i = 0; i < 256; ++i) {
        q[i] = scaled(static_cast<std::uint8_t>(i), v.src0_unsigned != 0, v.src0_zero, set, 0);
        q[256 + i] = scaled(static_cast<std::uint8_t>(i), v.src1_unsigned != 0, v.src1_zero, second, 0);
      }
    }
    std::int32_t* row = q.data() + 512;
    const auto finish_word = [&](int b, std::int64_t p) {
      std::uint8_t* out = result.word(b, p);
      numerics::requantize_row(mode, row, sum.bias, sum.multiplier, sum.shift, columns, v.dst_zero, v.clamp_min,
                               v.clamp_max, out);
      result.look_up(out);
    };
    for (int b = 0; b < v.blocks; ++b) {
      std::int64_t p = 0;
      for (int z = 0; z < v.out_planes; ++z) {
        for (int y = 0; y < v.out_height; ++y) {
          for (int x = 0; x < v.out_width; ++x, ++p) {
            const int sy = v.origin_y + y * v.stride_y, sx = v.origin_x + x * v.stride_x;
            if (sy < 0 || sy >= v.src_height || sx < 0 || sx >= v.src_width) {  // contributes nothing: only the biases
              for (int c = 0; c < columns; ++c) {
                row[c] = joined(numerics::requantize(mode, set.bias[c], set.multiplier[c], set.shift[c]),
                                numerics::requantize(mode, second.bias[c], second.multiplier[c], second.shift[c]));
              }
              finish_word(b, p);
              continue;
            }
            const std::int64_t offset = std::int64_t{b} * v.block_step + std::int64_t{z} * v.plane_words +
                                        (std::int64_t{sy} * v.src_width + sx) * v.pixel_words;
            const std::uint8_t* first = vector_->word(v.src0_base + offset);
            const std::uint8_t* other = vector_->word(v.src1_base + offset);
            if (tabled) {
              for (int c = 0; c < columns; ++c) {
                row[c] = joined(q[first[c]], q[256 + other[c]]);
              }
            } else {
              for (int c = 0; c < columns; ++c) {
                row[c] = joined(scaled(first[c], v.src0_unsigned != 0, v.src0_zero, set, c),
                                scaled(other[c], v.src1_unsigned != 0, v.src1_zero, second, c));
              }
            }
            finish_word(b, p);
          }
        }
      }
    }
    return;
  }

  const VectorTile tile = tile_of(v, *vector_, columns);
  if (opcode != isa::Opcode::Requantize) sums_.resize(static_cast<std::size_t>(pixels * columns));
  if (v.param_shared && opcode != isa::Opcode::PoolMax && opcode != isa::Opcode::Depthwise) read_set(set);
  for (int b = 0; b < v.blocks; ++b) {
    switch (opcode) {
      case isa::Opcode::PoolMax:
        window_maxima(tile, b, sums_.data());
        result.clamped(b, sums_.data());
        break;
      case isa::Opcode::Depthwise: {
        read_set(set);
        DepthwiseWeights weights;
        weights.bytes = param_->word(param);
        weights.is_unsigned = v.weight_unsigned != 0;
        weights.zero = v.weight_zero;
        param += std::int64_t{v.kernel_h} * v.kernel_w;
        depthwise_sums(tile, b, weights, sums_.data());
        result.requantized(b, sums_.data(), set);
        break;
      }
      case isa::Opcode::Mul: {
        if (!v.param_shared) read_set(set);
        window_sums(tile, b, sums_.data());  // of windows of one tap: the values themselves
        VectorTile second = tile;
        second.src_base = static_cast<std::uint32_t>(v.src1_base);
        second.source_unsigned = v.src1_unsigned != 0;
        second.source_zero = v.src1_zero;
        factors_.resize(sums_.size());
        window_sums(second, b, factors_.data());
        for (std::size_t i = 0; i < sums_.size(); ++i) sums_[i] *= factors_[i];
        result.requantized(b, sums_.data(), set);
        break;
      }
      case isa::Opcode::PoolSum:
        if (!v.param_shared) read_set(set);
        window_sums(tile, b, sums_.data());
        result.requantized(b, sums_.data(), set);
        break;
      default:
        if (!v.param_shared) read_set(set);
        result.requantized(
            b, reinterpret_cast<const std::int32_t*>(accumulator_->word(v.src0_base + std::int64_t{b} * pixels)), set);
    }
  }
}

}  // namespace gemel
