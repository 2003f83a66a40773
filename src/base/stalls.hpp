// SPDX-License-Identifier: Apache-2.0
// Random stalls of the AXI channels between the chip and its bridge, for tests (docs/reference/machine.md, 7): whether a channel moves in a
// cycle is a pure function of seed, channel and cycle, so models compute it, and beat models and RTL meet it. Cycles are counted from the
// first request of the simulation, which is one for instructions.
#pragma once
#include <cstdint>
#include <initializer_list>

#include "base/cycle.hpp"

namespace gemel {

class StallPattern {
 public:
  StallPattern() = default;  // never stalls
  // `percent`, 0..99: of the cycles in which nothing moves. `stream` tells channels apart.
  StallPattern(std::uint64_t seed, std::uint64_t stream, int percent)
      : start_(8 * seed + stream), percent_(static_cast<std::uint64_t>(percent)) {}

  bool any() const { return percent_ != 0; }
  // What is on the wires of the channel in cycle t moves in t. Everything does up to the origin.
  bool open(Cycle t) const { return percent_ == 0 || t <= origin_ || draw(static_cast<std::uint64_t>(t - origin_)) >= percent_; }
  // The first open cycle from t on.
  Cycle next_open(Cycle t) const {
    if (percent_ == 0) return t;
    while (!open(t)) ++t;
    return t;
  }
  void set_origin(Cycle origin) { origin_ = origin; }

 private:
  std::uint64_t draw(std::uint64_t k) const {  // output k of SplitMix64, in percent
    std::uint64_t z = start_ + k * 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return (z ^ z >> 31) % 100;
  }

  std::uint64_t start_ = 0, percent_ = 0;
  Cycle origin_ = Never;
};

struct ReadStalls { StallPattern request, data; };               // AR, R
struct WriteStalls { StallPattern request, data, response; };    // AW, W, B

struct AxiStalls {
  ReadStalls fetch, load;
  WriteStalls store;

  // The first AR of fetch is on the wires in cycle t. Later calls change nothing.
  void begin(Cycle t) {
    if (!begun_) set_origin(t);
    begun_ = true;
  }
  // To be counted anew.
  void restart() {
    begun_ = false;
    set_origin(Never);
  }

 private:
  void set_origin(Cycle t) {
    for (StallPattern* p : {&fetch.request, &fetch.data, &load.request, &load.data, &store.request, &store.data, &store.response}) {
      p->set_origin(t);
    }
  }
  bool begun_ = false;
};

}  // namespace gemel
