// SPDX-License-Identifier: Apache-2.0
// The read channel of an ideal memory without jitter (docs/reference/machine.md, 7), in closed form: bursts, decided in the order in which they are accepted,
// share its cycles.
#pragma once
#include <algorithm>
#include <cstdint>

#include "base/cycle.hpp"

namespace gemel {

// Cycles for which so many beats hold a channel of a memory. A beat has `beat` thousandths of a byte, and a cycle moves so many of them.
struct Bandwidth {
  std::int64_t beat = 0, per_cycle = 0;

  Cycle occupation(std::int64_t beats) const { return per_cycle >= beat ? beats : (beats * beat + per_cycle - 1) / per_cycle; }
};

class ReadChannel {
 public:
  ReadChannel(Bandwidth bandwidth, Cycle latency) : bandwidth_(bandwidth), latency_(latency) {}

  // A burst of so many beats, accepted in cycle `at`: its first beat on the wires; the others follow without gaps.
  Cycle read(Cycle at, std::int64_t beats) {
    if (beats != last_beats_) {
      last_beats_ = beats;
      occupied_ = bandwidth_.occupation(beats);
    }
    return take(at, occupied_) - beats;
  }
  // The same for one that holds the channel for so many cycles: the cycle behind its last beat.
  Cycle take(Cycle at, Cycle occupied) { return free_ = std::max(at + latency_, free_) + occupied; }
  // The channel is taken up to before this cycle.
  Cycle free() const { return free_; }
  void take_until(Cycle free) { free_ = free; }
  Cycle latency() const { return latency_; }
  const Bandwidth& bandwidth() const { return bandwidth_; }

 private:
  Bandwidth bandwidth_;
  Cycle latency_, free_ = 0;
  std::int64_t last_beats_ = 0;
  Cycle occupied_ = 0;
};

}  // namespace gemel
