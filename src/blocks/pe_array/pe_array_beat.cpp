// SPDX-License-Identifier: Apache-2.0
// pe_array, beat model; see pe_array_beat.hpp.
#include "blocks/pe_array/pe_array_beat.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace gemel {

PeArrayBeat::PeArrayBeat(const Machine& machine)
    : rows_(machine.rows),
      columns_(machine.columns),
      latency_(static_cast<std::size_t>(machine.rows + machine.columns - 1)),
      active_(static_cast<std::size_t>(rows_) * static_cast<std::size_t>(columns_)),
      shadow_(active_.size()),
      line_((latency_ + 1) * static_cast<std::size_t>(columns_)),
      line_valid_(latency_ + 1) {}

void PeArrayBeat::reset() {
  loaded_ = 0;
  ever_switched_ = false;
  std::fill(line_valid_.begin(), line_valid_.end(), std::uint8_t{0});
  head_ = 0;
  travelling_ = 0;
  changed_ = false;
  out_ = {};
}

void PeArrayBeat::enter_weights(const std::int16_t* weight) {
  if (loaded_ == rows_) throw InternalError("pe_array: weight rows of the next pass enter before the pass has begun");
  // Where the chain puts it after R shifts: the first to enter ends in the last row.
  const auto row = static_cast<std::size_t>(rows_ - 1 - loaded_);
  std::copy(weight, weight + columns_, shadow_.begin() + static_cast<std::ptrdiff_t>(row) * columns_);
  ++loaded_;
}

// Tile by tile, so that a tile's sums stay in registers over all rows.
void PeArrayBeat::multiply(const std::int16_t* activation, std::int32_t* sums) const {
  constexpr int Tile = 16;
  for (int first = 0; first < columns_; first += Tile) {
    const std::int16_t* weight = active_.data() + first;
    if (columns_ - first >= Tile) {
      std::int32_t tile[Tile] = {};
      for (int r = 0; r < rows_; ++r, weight += columns_) {
        const std::int16_t a = activation[r];
        for (int c = 0; c < Tile; ++c) tile[c] += a * weight[c];
      }
      std::copy(tile, tile + Tile, sums + first);
    } else {
      const int count = columns_ - first;
      std::fill(sums + first, sums + columns_, 0);
      for (int r = 0; r < rows_; ++r, weight += columns_) {
        const std::int16_t a = activation[r];
        for (int c = 0; c < count; ++c) sums[first + c] += a * weight[c];
      }
    }
  }
}

void PeArrayBeat::step(const PeArrayIn& in) {
  changed_ = in.weight_valid || in.activation_valid || travelling_ > 0;
  if (!changed_) return;
  if (loaded_ != 0 && loaded_ != rows_ && !in.weight_valid) {
    throw InternalError("pe_array: a gap between the weight rows of a pass");
  }
  line_valid_[head_] = in.activation_valid;
  if (in.activation_valid) {
    if (in.activation_switch) {
      if (loaded_ != rows_) throw InternalError("pe_array: a pass begins before its weights are loaded");
      std::swap(active_, shadow_);
      loaded_ = 0;
      ever_switched_ = true;
    } else if (!ever_switched_) {
      throw InternalError("pe_array: a row enters before the first switch");
    }
    multiply(in.activation, line_.data() + head_ * static_cast<std::size_t>(columns_));
    ++travelling_;
  }
  if (in.weight_valid) enter_weights(in.weight);
  // The place behind the one that leaves next holds what is on the wires now: latency_ + 1 places.
  if (out_.valid) --travelling_;
  head_ = head_ == latency_ ? 0 : head_ + 1;
  const std::size_t leaving = head_ == latency_ ? 0 : head_ + 1;
  out_.valid = line_valid_[leaving] != 0;
  out_.sums = out_.valid ? line_.data() + leaving * static_cast<std::size_t>(columns_) : nullptr;
}

}  // namespace gemel
