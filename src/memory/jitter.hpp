// SPDX-License-Identifier: Apache-2.0
// The random part of memory's latency (docs/reference/machine.md, 7): outputs of SplitMix64, one per burst of a channel.
#pragma once
#include <cstdint>

#include "base/cycle.hpp"
#include "config/machine.hpp"

namespace gemel {

class Jitter {
 public:
  enum Channel : std::uint64_t { Reads = 0, Writes = 1 };

  Jitter(const Machine& machine, Channel channel)
      : span_(static_cast<std::uint64_t>(machine.jitter_cycles) + 1),
        first_(2 * static_cast<std::uint64_t>(machine.jitter_seed) + channel),
        state_(first_) {}

  bool any() const { return span_ != 1; }
  void restart() { state_ = first_; }

  // Of the channel's next burst: 0..jitter_cycles.
  Cycle next() {
    if (span_ == 1) return 0;
    state_ += 0x9E3779B97F4A7C15;
    std::uint64_t z = state_;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return static_cast<Cycle>((z ^ z >> 31) % span_);
  }

 private:
  std::uint64_t span_, first_, state_;
};

}  // namespace gemel
