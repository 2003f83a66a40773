// SPDX-License-Identifier: Apache-2.0
// requantizer, beat model; see requantizer_beat.hpp.
#include "blocks/requantizer/requantizer_beat.hpp"

#include "base/numerics.hpp"

namespace gemel {

RequantizerBeat::RequantizerBeat(const Machine& machine)
    : lanes_(machine.lanes), line_(static_cast<std::size_t>(machine.lanes) * Places) {}

void RequantizerBeat::reset() {
  valid_ = 0;
  head_ = 0;
  changed_ = false;
  out_ = {};
}

void RequantizerBeat::step(const RequantizerIn& in) {
  changed_ = in.valid || valid_ != 0;
  if (!changed_) return;
  const auto row = [this](int place) { return line_.data() + static_cast<std::ptrdiff_t>(place) * lanes_; };
  if (in.valid) {
    const auto mode = static_cast<numerics::RequantMode>(in.rounding);
    std::int32_t* y = row(head_);
    for (int lane = 0; lane < lanes_; ++lane) {
      y[lane] = numerics::requantize(mode, in.x[lane], in.multiplier[lane], in.shift[lane]);
    }
  }
  valid_ = (valid_ << 1 | (in.valid ? 1u : 0u)) & ((1u << RequantizerLatency) - 1);
  const int leaving = (head_ + 1 + Places - RequantizerLatency) % Places;
  head_ = (head_ + 1) % Places;
  out_.valid = (valid_ >> (RequantizerLatency - 1) & 1) != 0;
  out_.y = out_.valid ? row(leaving) : nullptr;
}

}  // namespace gemel
