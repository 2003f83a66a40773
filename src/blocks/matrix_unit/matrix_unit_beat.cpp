// SPDX-License-Identifier: Apache-2.0
// matrix_unit, beat model; see matrix_unit_beat.hpp. Within step(), a register that is read before it is assigned has the
// value of this cycle; what is assigned is on the wires in the next.
#include "blocks/matrix_unit/matrix_unit_beat.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"

namespace gemel {
namespace {

// Least distance between two uses of one accumulator word: read, add, write.
constexpr std::int64_t ReuseCycles = 3;

inline std::int16_t extend(std::uint8_t byte, bool is_unsigned) {
  return is_unsigned ? std::int16_t{byte} : static_cast<std::int16_t>(static_cast<std::int8_t>(byte));
}

void remove_zero(const std::uint8_t* bytes, bool is_unsigned, std::int16_t zero, std::vector<std::int16_t>& row) {
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = static_cast<std::int16_t>(extend(bytes[i], is_unsigned) - zero);
}

}  // namespace

MatrixUnitBeat::MatrixUnitBeat(const Machine& machine) : rows_(machine.rows), columns_(machine.columns) {
  std::size_t size = 1;
  while (size < static_cast<std::size_t>(rows_ + columns_ + 5)) size *= 2;
  track_.resize(size);
  track_mask_ = size - 1;
  for (auto& r : weight_registers_) r.resize(static_cast<std::size_t>(columns_));
  for (auto& r : activation_registers_) r.resize(static_cast<std::size_t>(rows_));
  for (auto& r : sum_registers_) r.resize(static_cast<std::size_t>(columns_));
}

void MatrixUnitBeat::reset() {
  pending_valid_ = false;
  shadow_ = Shadow::Empty;
  loads_left_ = passes_left_ = pixels_left_ = gap_ = 0;
  rows_left_ = 0;
  chain_next_ = false;
  weight_tags_ = {};
  std::fill(track_.begin(), track_.end(), RowTag{});
  track_alive_ = 0;
  changed_ = false;
  out_ = {};
}

void MatrixUnitBeat::step(const MatrixUnitIn& in) {
  const bool at_work = pending_valid_ || shadow_ != Shadow::Empty || passes_left_ > 0 || pixels_left_ > 0 || gap_ > 0 ||
                       track_alive_ > 0 || weight_tags_[0].valid || weight_tags_[1].valid || chain_next_ ||
                       out_.completion.chain || out_.completion.done || out_.array.weight_valid;
  changed_ = at_work || in.command.valid;
  if (!changed_) return;

  clock_sink(in);
  const bool shadow_leaves = clock_activation_walker();
  clock_weight_walker(shadow_leaves);

  if (in.command.valid) {
    if (pending_valid_) throw InternalError("matrix_unit: a third instruction is started");
    pending_valid_ = true;
    pending_.m = isa::decode_matrix(*in.command.word);
    const isa::Matrix& m = pending_.m;
    pending_.pixels = matrix_pixels(m);
    pending_.passes = matrix_passes(m);
  }
}

// Everything behind the buffers' read data: zero points, array, accumulators.
void MatrixUnitBeat::clock_sink(const MatrixUnitIn& in) {
  ++head_;  // tag(0) is the row that the activation walker emits in this step
  tag(0).valid = false;

  const WeightTag& weight = weight_tags_[1];
  out_.array.weight_valid = weight.valid;
  if (weight.valid) {
    auto& row = weight_registers_[static_cast<std::size_t>(weight_turn_ ^= 1)];
    remove_zero(in.weight, weight.is_unsigned, weight.zero, row);
    out_.array.weight = row.data();
  }
  weight_tags_[1] = weight_tags_[0];
  weight_tags_[0].valid = false;

  out_.array.activation_valid = out_.array.activation_switch = false;
  out_.accumulator_read.enable = out_.accumulator_write.enable = false;
  out_.completion.done = false;
  if (track_alive_ == 0) return;
  --track_alive_;

  const RowTag& entering = tag(2);
  if (entering.valid) {
    auto& row = activation_registers_[static_cast<std::size_t>(activation_turn_ ^= 1)];
    if (entering.padding) {
      std::fill(row.begin(), row.end(), std::int16_t{0});
    } else {
      remove_zero(in.activation, entering.is_unsigned, entering.zero, row);
    }
    out_.array.activation_valid = true;
    out_.array.activation_switch = entering.is_switch;
    out_.array.activation = row.data();
  }

  const int through = rows_ + columns_;
  const RowTag& reading = tag(through);
  if (reading.valid && !reading.overwrite) out_.accumulator_read = {true, reading.accumulator};

  const RowTag& writing = tag(through + 2);
  if (writing.valid != in.array.valid) throw InternalError("matrix_unit: pe_array has not kept its latency");
  if (writing.valid) {
    auto& sums = sum_registers_[static_cast<std::size_t>(sum_turn_ ^= 1)];
    const auto size = static_cast<std::size_t>(columns_) * sizeof(std::int32_t);
    if (writing.overwrite) {
      std::memcpy(sums.data(), in.array.sums, size);
    } else {
      for (std::size_t c = 0; c < sums.size(); ++c) {
        std::uint32_t before;  // sums wrap: 32 bits, two's complement
        std::memcpy(&before, in.accumulator + c * sizeof before, sizeof before);
        sums[c] = static_cast<std::int32_t>(before + static_cast<std::uint32_t>(in.array.sums[c]));
      }
    }
    out_.accumulator_write = {true, writing.accumulator, reinterpret_cast<const std::uint8_t*>(sums.data())};
  }
  const RowTag& finishing = tag(through + 3);
  out_.completion.done = finishing.valid && finishing.last;
}

// Returns whether a pass begins, which leaves the shadow registers to the next weights.
bool MatrixUnitBeat::clock_activation_walker() {
  const bool begins = shadow_ == Shadow::Full && gap_ <= 1;
  if (gap_ > 0) --gap_;
  out_.activation.enable = false;
  if (begins) begin_pass();
  if (pixels_left_ > 0) emit_row();
  return begins;
}

void MatrixUnitBeat::begin_pass() {
  const bool new_job = passes_left_ == 0;
  if (new_job) {
    job_ = weight_job_;
    passes_left_ = job_.passes;
    ky_ = kx_ = cb_ = n_ = 0;
  } else if (++cb_ == job_.m.cin_blocks) {  // pass order: n, ky, kx, cb
    cb_ = 0;
    if (++kx_ == job_.m.kernel_w) {
      kx_ = 0;
      if (++ky_ == job_.m.kernel_h) {
        ky_ = 0;
        ++n_;
      }
    }
  }
  --passes_left_;
  pixels_left_ = job_.pixels;
  gap_ = std::max(job_.pixels, ReuseCycles);
  z_ = oy_ = ox_ = 0;
  accumulator_ = static_cast<std::uint32_t>(job_.m.acc_base + n_ * job_.pixels);
  first_row_ = true;
}

void MatrixUnitBeat::emit_row() {
  const isa::Matrix& m = job_.m;
  const int y = m.origin_y + oy_ * m.stride_y + ky_ * m.dilation_y;
  const int x = m.origin_x + ox_ * m.stride_x + kx_ * m.dilation_x;
  RowTag& row = tag(0);
  row.valid = true;
  row.padding = y < 0 || y >= m.act_height || x < 0 || x >= m.act_width;
  row.is_unsigned = m.act_unsigned != 0;
  row.is_switch = first_row_;
  row.overwrite = ky_ == 0 && kx_ == 0 && cb_ == 0 && !m.accumulate;
  row.last = pixels_left_ == 1 && passes_left_ == 0;
  row.zero = static_cast<std::int16_t>(m.act_zero);
  row.accumulator = accumulator_++;
  track_alive_ = rows_ + columns_ + 4;
  if (!row.padding) {
    const std::int64_t address = m.act_base + std::int64_t{z_} * m.plane_words +
                                 (std::int64_t{y} * m.act_width + x) * m.pixel_words + cb_ +
                                 std::int64_t{n_} * m.act_block_step;
    out_.activation = {true, static_cast<std::uint32_t>(address)};
  }
  first_row_ = false;
  --pixels_left_;
  if (++ox_ == m.out_width) {
    ox_ = 0;
    if (++oy_ == m.out_height) {
      oy_ = 0;
      ++z_;
    }
  }
}

void MatrixUnitBeat::clock_weight_walker(bool shadow_leaves) {
  out_.completion.chain = chain_next_;
  chain_next_ = false;
  out_.weight.enable = false;
  if (shadow_ == Shadow::Loading) {
    emit_weight_row();
    return;
  }
  if (shadow_leaves) shadow_ = Shadow::Empty;
  if (shadow_ == Shadow::Full) return;
  if (loads_left_ == 0) {
    if (!pending_valid_) return;
    weight_job_ = pending_;
    pending_valid_ = false;
    loads_left_ = weight_job_.passes;
    weight_at_ = static_cast<std::uint32_t>(weight_job_.m.weight_base);
  } else {
    weight_at_ += static_cast<std::uint32_t>(rows_);
  }
  rows_left_ = rows_;
  chain_next_ = --loads_left_ == 0;
  emit_weight_row();
}

void MatrixUnitBeat::emit_weight_row() {
  --rows_left_;  // from the last row to the first
  out_.weight = {true, weight_at_ + static_cast<std::uint32_t>(rows_left_)};
  weight_tags_[0] = {true, weight_job_.m.weight_unsigned != 0, static_cast<std::int16_t>(weight_job_.m.weight_zero)};
  shadow_ = rows_left_ == 0 ? Shadow::Full : Shadow::Loading;
}

}  // namespace gemel
