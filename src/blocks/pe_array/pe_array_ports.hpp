// SPDX-License-Identifier: Apache-2.0
// pe_array, ports. Contract: R x C multiply-accumulates, weight stationary. A row of activations that enters at t leaves as C
// sums at t + R + C - 1. Weight rows enter from the last to the first, R of them in R consecutive cycles, not before the first row of
// the pass before (the same cycle is allowed). `activation_switch` marks the first row of a pass: from this row on the weights
// loaded last are used; it comes after the last of the R weight rows. Nothing stalls; without valid nothing moves.
//
// In hardware: weight rows travel down column c in a chain of their own (c cycles later than column 0) and are copied into
// the shadow registers of all rows of the column at the edge that would move the R-th into place; the switch travels with the
// wavefront. A shadow is then read for the last time in the cycle at whose end it is overwritten, and not before.
#pragma once
#include <cstdint>

namespace gemel {

struct PeArrayIn {
  bool weight_valid = false;
  bool activation_valid = false;
  bool activation_switch = false;
  const std::int16_t* weight = nullptr;      // C values of 9 bits, zero point removed
  const std::int16_t* activation = nullptr;  // R values of 9 bits, zero point removed
};

struct PeArrayOut {
  bool valid = false;
  const std::int32_t* sums = nullptr;        // C sums
};

}  // namespace gemel
