// SPDX-License-Identifier: Apache-2.0
// Multipliers made before the machine runs; see numerics.hpp and docs/reference/arithmetic.md.
#include "base/numerics.hpp"

#include <algorithm>
#include <string>

#include "base/error.hpp"

namespace gemel::numerics {

QuantizedMultiplier quantize_multiplier(double real) {
  if (!(real >= 0.0) || std::isinf(real)) throw InternalError("quantize_multiplier: " + std::to_string(real));
  if (real == 0.0) return {0, 0};
  int shift = 0;
  const double fraction = std::frexp(real, &shift);                   // in [0.5, 1)
  auto fixed = static_cast<std::int64_t>(std::round(std::ldexp(fraction, 31)));  // half away from zero
  if (fixed == std::int64_t{1} << 31) {
    fixed /= 2;
    ++shift;
  }
  if (shift < -31) return {0, 0};
  if (shift > 30) return {0x7fffffff, 30};
  return {static_cast<std::int32_t>(fixed), shift};
}

QuantizedMultiplier average_multiplier(int taps) {
  if (taps < 1 || taps > MaxTaps) throw InternalError("average_multiplier: " + std::to_string(taps) + " taps");
  // 2^k < taps <= 2^(k+1), so that ceil(2^(31+k)/taps) is in 2^30..2^31-1.
  int k = -1;
  while ((1 << (k + 1)) < taps) ++k;
  const std::int64_t numerator = std::int64_t{1} << (31 + k);
  return {static_cast<std::int32_t>((numerator + taps - 1) / taps), -k};
}

QuantizedMultiplier mean_requant(std::int32_t multiplier, int shift, std::int64_t count) {
  if (count < 1 || shift < -31 || shift > 30) {
    throw InternalError("mean_requant: shift " + std::to_string(shift) + ", " + std::to_string(count) + " values");
  }
  const int k = std::min({bit_length(static_cast<std::uint64_t>(count)) - 1, 32, 31 + shift});
  return {static_cast<std::int32_t>((std::int64_t{multiplier} << k) / count), shift - k};
}

AddMultipliers add_requant(double scale_a, double scale_b, double scale_out) {
  const double twice_max = 2 * std::max(scale_a, scale_b);
  return {quantize_multiplier(scale_a / twice_max), quantize_multiplier(scale_b / twice_max),
          quantize_multiplier(twice_max / ((1 << AddLeftShift) * scale_out))};
}

}  // namespace gemel::numerics
