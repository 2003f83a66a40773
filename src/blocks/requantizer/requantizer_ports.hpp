// SPDX-License-Identifier: Apache-2.0
// requantizer, ports. Contract: L lanes; what is on the wires at t with `valid` comes back, multiplied and rounded, at t + 6. The
// sum already contains its bias; zero point and clamp follow outside. Valid-only, one row per cycle, nothing stalls.
#pragma once
#include "gemel/isa.gen.hpp"

namespace gemel {

inline constexpr int RequantizerLatency = 6;

struct RequantizerIn {
  bool valid = false;
  isa::Rounding rounding = isa::Rounding::FixedDouble;
  const std::int32_t* x = nullptr;           // L values each; 0 in lanes beyond column C
  const std::int32_t* multiplier = nullptr;
  const std::int32_t* shift = nullptr;       // a 6-bit two's complement number, positive to the left
};

struct RequantizerOut {
  bool valid = false;
  const std::int32_t* y = nullptr;           // L values
};

}  // namespace gemel
