// SPDX-License-Identifier: Apache-2.0
// requantizer, beat model: results are made when a row enters and travel down a delay line.
#pragma once
#include <vector>

#include "base/clocked.hpp"
#include "blocks/requantizer/requantizer_ports.hpp"
#include "config/machine.hpp"

namespace gemel {

class RequantizerBeat : public Clocked<RequantizerIn, RequantizerOut> {
 public:
  explicit RequantizerBeat(const Machine& machine);

  void reset() override;
  const RequantizerOut& out() const override { return out_; }
  [[gnu::hot]] void step(const RequantizerIn& in) override;
  bool quiet() const override { return !changed_; }

 private:
  static constexpr int Places = RequantizerLatency + 1;  // one more: what is on the wires outlives the step

  int lanes_;
  std::vector<std::int32_t> line_;                       // Places rows of L
  std::uint32_t valid_ = 0;                              // bit i: a row entered i+1 cycles ago
  int head_ = 0;
  bool changed_ = false;
  RequantizerOut out_;
};

}  // namespace gemel
