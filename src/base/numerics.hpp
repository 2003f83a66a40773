// SPDX-License-Identifier: Apache-2.0
// The arithmetic of docs/reference/arithmetic.md, written once: golden, models, compiler and loaders use these functions and
// nothing else. Every function is total: any bit pattern of its operands has a defined result, so hardware can be compared on
// any input. Operands of the requantizer: x int32; multiplier 31 bits (bit 31 is ignored); shift a 6-bit two's complement
// number, positive to the left (higher bits are ignored; -32 gives 0 in every fixed mode). Integer results that do not fit
// are cut to their low 32 bits, as the reference kernels do when compiled.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace gemel::numerics {

// How an int32 becomes a rounded int32; the numbers are those of the instruction set's enum `rounding`.
enum class RequantMode : std::uint8_t {
  FixedDouble = 0,  // TFLite reference kernels, default build: high half of the product half up, then the shift half away
  FixedSingle = 1,  // the same, single-rounding build: half up, once
  Float = 2,        // ONNX Runtime: int32 -> float32, times float32, half to even. `multiplier` holds the bits of the scale
  Magnitude = 3,    // FixedSingle on |x|, sign restored: half away from zero. Average pooling
};

// ---- Bits -------------------------------------------------------------------------------------------------------------

// Sums are 32-bit two's complement: they wrap.
inline constexpr std::int32_t wrap_add(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}
inline constexpr std::int32_t wrap_subtract(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) - static_cast<std::uint32_t>(b));
}
inline constexpr int sign_extend_shift(int shift) { return ((shift & 63) ^ 32) - 32; }
inline constexpr std::uint32_t magnitude(std::int32_t x) {
  return x < 0 ? 0u - static_cast<std::uint32_t>(x) : static_cast<std::uint32_t>(x);
}
inline std::int32_t float_bits(float value) {
  std::int32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
inline float float_from_bits(std::int32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// ---- One value through the requantizer ----------------------------------------------------------------------------------

// a = x << max(s,0); b = (a*m + 2^30) >> 31; y = b / 2^max(-s,0), half away from zero.
// TFLite: MultiplyByQuantizedMultiplier = RoundingDivideByPOT(SaturatingRoundingDoublingHighMul(x << left, m), right).
inline std::int32_t requantize_double(std::int32_t x, std::int32_t multiplier, int shift) {
  const int s = sign_extend_shift(shift);
  const int left = s > 0 ? s : 0;
  const int right = s < 0 ? -s : 0;
  const auto a = static_cast<std::int32_t>(static_cast<std::uint32_t>(x) << left);
  const std::int64_t product = std::int64_t{a} * (multiplier & 0x7fffffff);
  const std::int64_t b = (product + (std::int64_t{1} << 30)) >> 31;
  const std::int64_t mask = (std::int64_t{1} << right) - 1;
  return static_cast<std::int32_t>((b >> right) + ((b & mask) > (mask >> 1) + (b < 0 ? 1 : 0) ? 1 : 0));
}

// y = (x*m + 2^(30-s)) >> (31-s)
inline std::int32_t requantize_single(std::int32_t x, std::int32_t multiplier, int shift) {
  const int right = 31 - sign_extend_shift(shift);  // 0..63
  const std::int64_t product = std::int64_t{x} * (multiplier & 0x7fffffff);
  const auto half = static_cast<std::int64_t>((std::uint64_t{1} << right) >> 1);
  return static_cast<std::int32_t>((product + half) >> right);  // |product| < 2^62 and half <= 2^62: no overflow
}

// sign(x) * ((|x|*m + 2^(30-s)) >> (31-s))
inline std::int32_t requantize_magnitude(std::int32_t x, std::int32_t multiplier, int shift) {
  const int right = 31 - sign_extend_shift(shift);
  const std::uint64_t product = std::uint64_t{magnitude(x)} * static_cast<std::uint32_t>(multiplier & 0x7fffffff);
  const auto y = static_cast<std::uint32_t>((product + ((std::uint64_t{1} << right) >> 1)) >> right);
  return static_cast<std::int32_t>(x < 0 ? 0u - y : y);
}

// A magnitude rounded, half to even, to a multiple of 2^count and divided by it.
inline constexpr std::uint64_t shift_right_half_even(std::uint64_t value, int count) {
  if (count <= 0) return value;
  if (count > 63) return 0;  // values here are below 2^63: less than a half
  const std::uint64_t kept = value >> count;
  const std::uint64_t rest = value & ((std::uint64_t{1} << count) - 1);
  const std::uint64_t half = std::uint64_t{1} << (count - 1);
  return kept + (rest > half || (rest == half && (kept & 1)) ? 1 : 0);
}
inline int bit_length(std::uint64_t value) { return value == 0 ? 0 : 64 - __builtin_clzll(value); }

// round_half_even(fl32(fl32(x) * S)), S a float32 given by its bits, as integer logic:
// (1) |x| to 24 significant bits, half to even; (2) times the 24-bit mantissa of S; (3) to 24 significant bits, half to even;
// (4) shift to an integer, half to even; (5) sign. The magnitude saturates at 2^31 - 1. The sign of S is ignored.
// A subnormal S gives 0, as float32 does (2^31 * 2^-126 is far below a half); so does S = 0. Infinities and NaNs act as a
// huge S: 0 for x = 0, else saturation.
inline std::int32_t requantize_float(std::int32_t x, std::int32_t scale_bits) {
  const int exponent = (scale_bits >> 23) & 0xff;
  if (x == 0 || exponent == 0) return 0;
  const std::uint64_t mantissa = static_cast<std::uint64_t>(scale_bits & 0x7fffff) | 0x800000;
  // A carry out of a rounding makes 2^24: one bit longer, but a power of two, which needs no second rounding.
  const std::uint64_t value = magnitude(x);
  const int dropped1 = bit_length(value) > 24 ? bit_length(value) - 24 : 0;
  const std::uint64_t product = shift_right_half_even(value, dropped1) * mantissa;
  const int dropped2 = bit_length(product) - 24;  // the product of a 24-bit mantissa has at least 24 bits
  const std::uint64_t rounded = shift_right_half_even(product, dropped2);
  const int scale = exponent - 150 + dropped1 + dropped2;  // value = rounded * 2^scale; rounded in 2^23..2^24
  std::uint64_t y;
  if (scale >= 8) {
    y = 0x7fffffff;  // at least 2^31
  } else if (scale >= 0) {
    y = rounded << scale;
    if (y > 0x7fffffff) y = 0x7fffffff;
  } else {
    y = shift_right_half_even(rounded, -scale);
  }
  return x < 0 ? -static_cast<std::int32_t>(y) : static_cast<std::int32_t>(y);
}

// The hardware's requantizer.
inline std::int32_t requantize(RequantMode mode, std::int32_t x, std::int32_t multiplier, int shift) {
  switch (mode) {
    case RequantMode::FixedDouble: return requantize_double(x, multiplier, shift);
    case RequantMode::FixedSingle: return requantize_single(x, multiplier, shift);
    case RequantMode::Float: return requantize_float(x, multiplier);
    case RequantMode::Magnitude: return requantize_magnitude(x, multiplier, shift);
  }
  return 0;  // not reached: the mode has two bits
}

// y + zero point, without overflow, cut to [clamp_min, clamp_max] (both in the 8-bit domain, min <= max).
inline constexpr std::int32_t finish(std::int32_t y, std::int32_t zero_point, std::int32_t clamp_min, std::int32_t clamp_max) {
  const std::int32_t low = clamp_min - zero_point, high = clamp_max - zero_point;
  return (y < low ? low : y > high ? high : y) + zero_point;
}

// ---- Rows ---------------------------------------------------------------------------------------------------------------

// out[i] = low byte of finish(requantize(mode, sums[i] + bias[i], multiplier[i], shift[i]), ...), for i in 0..n-1.
// Vectorized, chosen by what the CPU has; equal to the scalar functions in every bit. `out` overlaps no input.
void requantize_row(RequantMode mode, const std::int32_t* sums, const std::int32_t* bias, const std::int32_t* multiplier,
                    const std::int32_t* shift, int n, int zero_point, int clamp_min, int clamp_max, std::uint8_t* out);

// Every version of requantize_row that this CPU can run, slowest first, for tests: all must agree.
struct RowVersion {
  const char* name;
  decltype(&requantize_row) run;
};
std::vector<RowVersion> row_versions();

// ---- Multipliers, made before the machine runs ----------------------------------------------------------------------------

struct QuantizedMultiplier {
  std::int32_t multiplier = 0;  // 0, or 2^30..2^31-1 (mean_requant: may be less)
  int shift = 0;                // -31..30, positive to the left
};

// TFLite's QuantizeMultiplier: real = multiplier/2^31 * 2^shift. Less than about 2^-32 gives (0, 0), as there; 2^30 or more
// gives the greatest (2^31-1, 30). `real` must be finite and not negative.
QuantizedMultiplier quantize_multiplier(double real);

// For Magnitude: requantize_magnitude(sum, multiplier, shift) == divide_half_away(sum, taps) for every sum of `taps` 8-bit
// values, 1 <= taps <= MaxTaps (proof: arithmetic.md).
inline constexpr int MaxTaps = 1 << 20;
QuantizedMultiplier average_multiplier(int taps);

// TFLite's MEAN: the multiplier of s_in/s_out with the division by `count` worked in.
QuantizedMultiplier mean_requant(std::int32_t multiplier, int shift, std::int64_t count);

// TFLite's ADD: both inputs are shifted left by AddLeftShift and multiplied by the first and second; their sum by the third.
inline constexpr int AddLeftShift = 20;
struct AddMultipliers {
  QuantizedMultiplier first, second, sum;
};
AddMultipliers add_requant(double scale_a, double scale_b, double scale_out);

// What AVERAGE_POOL_2D is: sum / taps, half away from zero.
inline constexpr std::int32_t divide_half_away(std::int32_t sum, std::int32_t taps) {
  return sum > 0 ? (sum + taps / 2) / taps : (sum - taps / 2) / taps;
}

// TFLite's 16x8 kernels with 64-bit sums (|x| < 2^47): the multiplier cut to 16 bits, half up. Not used by the machine.
inline std::int32_t requantize_wide(std::int64_t x, std::int32_t multiplier, int shift) {
  const std::int64_t m16 = multiplier >= 0x7fff0000 ? 0x7fff : (std::int64_t{multiplier} + (1 << 15)) >> 16;
  return static_cast<std::int32_t>((x * m16 + (std::int64_t{1} << (14 - shift))) >> (15 - shift));
}

}  // namespace gemel::numerics
