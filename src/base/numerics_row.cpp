// SPDX-License-Identifier: Apache-2.0
// requantize_row: the scalar functions of numerics.hpp over rows, in a form that the compiler turns into vector
// instructions: chunks of a fixed size, no branches, and 64-bit arithmetic shifts (which AVX2 lacks) made of logical
// ones. The same source is compiled for each instruction set; which one runs is decided by what the CPU has.
#include <algorithm>

#include "base/numerics.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#define GEMEL_ROW_X86 1
#endif
#define GEMEL_INLINE inline __attribute__((always_inline))

namespace gemel::numerics {
namespace {

constexpr std::uint64_t SignBit = std::uint64_t{1} << 63;

struct Finish {
  std::int32_t low, high, zero_point;  // clamp before the zero point is added
};

GEMEL_INLINE std::int32_t fixed_double(std::int32_t x, std::int32_t m, std::int32_t shift) {
  const std::int32_t s = sign_extend_shift(shift);
  const std::int32_t left = s > 0 ? s : 0;
  const std::int32_t right = s < 0 ? (s == -32 ? 31 : -s) : 0;
  const std::int32_t multiplier = s == -32 ? 0 : m & 0x7fffffff;  // |b| < 2^31: b / 2^32 rounds to 0
  const auto a = static_cast<std::int32_t>(static_cast<std::uint32_t>(x) << left);
  const std::uint64_t product = static_cast<std::uint64_t>(std::int64_t{a} * std::int64_t{multiplier});
  const auto b = static_cast<std::int32_t>(static_cast<std::uint32_t>((product + (std::uint64_t{1} << 30)) >> 31));
  const auto mask = static_cast<std::int32_t>((std::uint32_t{1} << right) - 1u);
  const std::int32_t threshold = (mask >> 1) + (b < 0 ? 1 : 0);
  return (b >> right) + ((b & mask) > threshold ? 1 : 0);
}

GEMEL_INLINE std::int32_t fixed_single(std::int32_t x, std::int32_t m, std::int32_t shift) {
  const auto right = static_cast<std::uint64_t>(31 - sign_extend_shift(shift));  // 0..63
  const std::uint64_t product = static_cast<std::uint64_t>(std::int64_t{x} * std::int64_t{m & 0x7fffffff});
  const std::uint64_t sum = product + ((std::uint64_t{1} << right) >> 1);
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(((sum ^ SignBit) >> right) - (SignBit >> right)));
}

GEMEL_INLINE std::int32_t magnitude_rounded(std::int32_t x, std::int32_t m, std::int32_t shift) {
  const auto right = static_cast<std::uint64_t>(31 - sign_extend_shift(shift));
  const std::uint64_t product = std::uint64_t{magnitude(x)} * static_cast<std::uint32_t>(m & 0x7fffffff);
  const auto y = static_cast<std::uint32_t>((product + ((std::uint64_t{1} << right) >> 1)) >> right);
  const std::uint32_t sign = x < 0 ? 0xffffffffu : 0u;
  return static_cast<std::int32_t>((y ^ sign) - sign);
}

// The CPU's own float32 arithmetic, in its default rounding (half to even). Cut to the clamp first, as ONNX Runtime does;
// the sum with 1.5*2^23 then leaves no bits behind the point, so the addition itself rounds half to even.
GEMEL_INLINE std::int32_t float_rounded(std::int32_t x, std::int32_t m, float low, float high) {
  constexpr float Magic = 12582912.0f;
  const std::int32_t bits = std::min(m & 0x7fffffff, std::int32_t{0x7f7fffff});  // infinities and NaNs: a huge scale
  float scale;
  __builtin_memcpy(&scale, &bits, sizeof scale);
  float f = static_cast<float>(x) * scale;
  f = f < low ? low : f;
  f = f > high ? high : f;
  const float shifted = f + Magic;
  std::int32_t shifted_bits;
  __builtin_memcpy(&shifted_bits, &shifted, sizeof shifted_bits);
  return shifted_bits - 0x4b400000;  // the bits of Magic
}

template <RequantMode Mode, int Chunk>
GEMEL_INLINE void chunk(const std::int32_t* __restrict sums, const std::int32_t* __restrict bias,
                        const std::int32_t* __restrict multiplier, const std::int32_t* __restrict shift, const Finish& f,
                        std::uint8_t* __restrict out) {
  std::int32_t y[Chunk];
  const auto low = static_cast<float>(f.low), high = static_cast<float>(f.high);
  for (int i = 0; i < Chunk; ++i) {
    const std::int32_t x = wrap_add(sums[i], bias[i]);
    if constexpr (Mode == RequantMode::FixedDouble) y[i] = fixed_double(x, multiplier[i], shift[i]);
    if constexpr (Mode == RequantMode::FixedSingle) y[i] = fixed_single(x, multiplier[i], shift[i]);
    if constexpr (Mode == RequantMode::Float) y[i] = float_rounded(x, multiplier[i], low, high);
    if constexpr (Mode == RequantMode::Magnitude) y[i] = magnitude_rounded(x, multiplier[i], shift[i]);
  }
  for (int i = 0; i < Chunk; ++i) {
    const std::int32_t cut = std::min(std::max(y[i], f.low), f.high);
    out[i] = static_cast<std::uint8_t>(cut + f.zero_point);
  }
}

template <RequantMode Mode>
GEMEL_INLINE void row(const std::int32_t* sums, const std::int32_t* bias, const std::int32_t* multiplier,
                      const std::int32_t* shift, int n, const Finish& f, std::uint8_t* out) {
  int i = 0;
  for (; i + 16 <= n; i += 16) chunk<Mode, 16>(sums + i, bias + i, multiplier + i, shift + i, f, out + i);
  if (i == n) return;
  if (n >= 16) {  // the last chunk again, further to the left: some results are written twice
    i = n - 16;
    return chunk<Mode, 16>(sums + i, bias + i, multiplier + i, shift + i, f, out + i);
  }
  if (i + 8 <= n) {
    chunk<Mode, 8>(sums + i, bias + i, multiplier + i, shift + i, f, out + i);
    i += 8;
  }
  if (i + 4 <= n) {
    chunk<Mode, 4>(sums + i, bias + i, multiplier + i, shift + i, f, out + i);
    i += 4;
  }
  for (; i < n; ++i) chunk<Mode, 1>(sums + i, bias + i, multiplier + i, shift + i, f, out + i);
}

GEMEL_INLINE void any_row(RequantMode mode, const std::int32_t* sums, const std::int32_t* bias,
                          const std::int32_t* multiplier, const std::int32_t* shift, int n, int zero_point, int clamp_min,
                          int clamp_max, std::uint8_t* out) {
  const Finish f{clamp_min - zero_point, clamp_max - zero_point, zero_point};
  switch (mode) {
    case RequantMode::FixedDouble: return row<RequantMode::FixedDouble>(sums, bias, multiplier, shift, n, f, out);
    case RequantMode::FixedSingle: return row<RequantMode::FixedSingle>(sums, bias, multiplier, shift, n, f, out);
    case RequantMode::Float: return row<RequantMode::Float>(sums, bias, multiplier, shift, n, f, out);
    case RequantMode::Magnitude: return row<RequantMode::Magnitude>(sums, bias, multiplier, shift, n, f, out);
  }
}

#define GEMEL_ROW_ARGUMENTS                                                                                              \
  RequantMode mode, const std::int32_t *sums, const std::int32_t *bias, const std::int32_t *multiplier,                  \
      const std::int32_t *shift, int n, int zero_point, int clamp_min, int clamp_max, std::uint8_t *out

// The scalar functions themselves, value by value: what the others are compared with.
void row_scalar(GEMEL_ROW_ARGUMENTS) {
  for (int i = 0; i < n; ++i) {
    const std::int32_t y = requantize(mode, wrap_add(sums[i], bias[i]), multiplier[i], shift[i]);
    out[i] = static_cast<std::uint8_t>(finish(y, zero_point, clamp_min, clamp_max));
  }
}
void row_portable(GEMEL_ROW_ARGUMENTS) {
  any_row(mode, sums, bias, multiplier, shift, n, zero_point, clamp_min, clamp_max, out);
}
#if GEMEL_ROW_X86
__attribute__((target("avx2"))) void row_avx2(GEMEL_ROW_ARGUMENTS) {
  any_row(mode, sums, bias, multiplier, shift, n, zero_point, clamp_min, clamp_max, out);
}
__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=512"))) void row_avx512(GEMEL_ROW_ARGUMENTS) {
  any_row(mode, sums, bias, multiplier, shift, n, zero_point, clamp_min, clamp_max, out);
}
#endif

}  // namespace

std::vector<RowVersion> row_versions() {
  std::vector<RowVersion> versions = {{"scalar", row_scalar}, {"portable", row_portable}};
#if GEMEL_ROW_X86
  if (__builtin_cpu_supports("avx2")) versions.push_back({"avx2", row_avx2});
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq")) {
    versions.push_back({"avx512", row_avx512});
  }
#endif
  return versions;
}

void requantize_row(RequantMode mode, const std::int32_t* sums, const std::int32_t* bias, const std::int32_t* multiplier,
                    const std::int32_t* shift, int n, int zero_point, int clamp_min, int clamp_max, std::uint8_t* out) {
  static const auto fastest = row_versions().back().run;
  fastest(mode, sums, bias, multiplier, shift, n, zero_point, clamp_min, clamp_max, out);
}

}  // namespace gemel::numerics
