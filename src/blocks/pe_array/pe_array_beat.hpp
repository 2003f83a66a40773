// SPDX-License-Identifier: Apache-2.0
// pe_array, beat model: the sums of a row are made when it enters and travel down a delay line of R+C-1 places.
// Breaking the contract of the ports is an InternalError.
#pragma once
#include <vector>

#include "base/clocked.hpp"
#include "blocks/pe_array/pe_array_ports.hpp"
#include "config/machine.hpp"

namespace gemel {

class PeArrayBeat : public Clocked<PeArrayIn, PeArrayOut> {
 public:
  explicit PeArrayBeat(const Machine& machine);

  void reset() override;
  const PeArrayOut& out() const override { return out_; }
  [[gnu::hot]] void step(const PeArrayIn& in) override;
  bool quiet() const override { return !changed_; }

 private:
  [[gnu::hot]] void enter_weights(const std::int16_t* weight);
  [[gnu::hot]] void multiply(const std::int16_t* activation, std::int32_t* sums) const;

  int rows_, columns_;
  std::size_t latency_;                       // R + C - 1
  std::vector<std::int16_t> active_, shadow_; // R x C
  int loaded_ = 0;                            // weight rows in the shadow registers
  bool ever_switched_ = false;
  std::vector<std::int32_t> line_;            // latency_ + 1 rows of sums: the one on the wires outlives the step
  std::vector<std::uint8_t> line_valid_;
  std::size_t head_ = 0;                      // place of the row that enters in this cycle
  std::size_t travelling_ = 0;                // valid rows in the line, the one on the wires included
  bool changed_ = false;
  PeArrayOut out_;
};

}  // namespace gemel
