// SPDX-License-Identifier: Apache-2.0
// What the two 512-bit instruction sets share: 16 sums of 32 bits in a vector. For avx512.cpp and vnni.cpp only.
#pragma once
#include <immintrin.h>

#include "kernels/matrix_tile_simd.hpp"
#include "kernels/vector_tile_simd.hpp"

namespace gemel {
namespace {

struct Vectors512 {
  using Vec = __m512i;
  static constexpr int Lanes = 16;
  static constexpr int VectorBytes = 64;
  static constexpr int MaxPixels = 8;  // 8 x 3 sums, 3 weights and a broadcast are 28 of 32 registers
  static constexpr int MaxVectors = 3;

  static GEMEL_INLINE Vec zero() { return _mm512_setzero_si512(); }
  static GEMEL_INLINE Vec splat(std::int32_t x) { return _mm512_set1_epi32(x); }
  static GEMEL_INLINE Vec load(const void* p) { return _mm512_loadu_si512(p); }
  static GEMEL_INLINE void store(std::int32_t* p, Vec x) { _mm512_storeu_si512(p, x); }
  static GEMEL_INLINE Vec add(Vec a, Vec b) { return _mm512_add_epi32(a, b); }
  static GEMEL_INLINE Vec sub(Vec a, Vec b) { return _mm512_sub_epi32(a, b); }
  static GEMEL_INLINE Vec max(Vec a, Vec b) { return _mm512_max_epi32(a, b); }
  // Product of the low halves (signed 16 bits) of each lane; the high half of w must be 0.
  static GEMEL_INLINE Vec multiply_low(Vec x, Vec w) { return _mm512_madd_epi16(x, w); }

  // Lanes [lane, lane + count) of x to out[0, count), added to what is there if `accumulate`.
  static GEMEL_INLINE void store_lanes(std::int32_t* out, Vec x, int lane, int count, bool accumulate) {
    const auto mask = static_cast<__mmask16>(((1u << count) - 1) << lane);
    if (accumulate) x = add(x, _mm512_maskz_loadu_epi32(mask, out - lane));
    _mm512_mask_storeu_epi32(out - lane, mask, x);
  }

  // `count` bytes, each to a lane of 32 bits; the other lanes are 0 and their bytes are not read.
  template <bool Unsigned>
  static GEMEL_INLINE Vec widen(const std::uint8_t* p, int count) {
    const __m128i bytes = count == Lanes ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(p))
                                         : _mm_maskz_loadu_epi8(static_cast<__mmask16>((1u << count) - 1), p);
    return Unsigned ? _mm512_cvtepu8_epi32(bytes) : _mm512_cvtepi8_epi32(bytes);
  }
};

// Half as wide, for the window kernels of arrays with at most 8 columns.
struct Vectors256 {
  using Vec = __m256i;
  static constexpr int Lanes = 8;

  static GEMEL_INLINE Vec zero() { return _mm256_setzero_si256(); }
  static GEMEL_INLINE Vec splat(std::int32_t x) { return _mm256_set1_epi32(x); }
  static GEMEL_INLINE Vec load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static GEMEL_INLINE void store(std::int32_t* p, Vec x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
  static GEMEL_INLINE Vec add(Vec a, Vec b) { return _mm256_add_epi32(a, b); }
  static GEMEL_INLINE Vec sub(Vec a, Vec b) { return _mm256_sub_epi32(a, b); }
  static GEMEL_INLINE Vec max(Vec a, Vec b) { return _mm256_max_epi32(a, b); }
  static GEMEL_INLINE Vec multiply_low(Vec x, Vec w) { return _mm256_madd_epi16(x, w); }

  static GEMEL_INLINE void store_lanes(std::int32_t* out, Vec x, int lane, int count, bool accumulate) {
    const auto mask = static_cast<__mmask8>(((1u << count) - 1) << lane);
    if (accumulate) x = add(x, _mm256_maskz_loadu_epi32(mask, out - lane));
    _mm256_mask_storeu_epi32(out - lane, mask, x);
  }

  template <bool Unsigned>
  static GEMEL_INLINE Vec widen(const std::uint8_t* p, int count) {
    const __m128i bytes = count == Lanes ? _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))
                                         : _mm_maskz_loadu_epi8(static_cast<__mmask16>((1u << count) - 1), p);
    return Unsigned ? _mm256_cvtepu8_epi32(bytes) : _mm256_cvtepi8_epi32(bytes);
  }
};

// One weight row of one vector: 16 bytes, gathered from one cout block or several.
class RowLoader {
 public:
  RowLoader(int segments, const Segment* segment) : segments_(segments) {
    for (int s = 0; s < segments; ++s) {
      lane_[s] = segment[s].lane;
      mask_[s] = static_cast<__mmask16>(((1u << segment[s].count) - 1) << segment[s].lane);
    }
    whole_ = segments == 1 && segment[0].count == 16;
  }
  bool whole() const { return whole_; }

  GEMEL_INLINE __m128i load(const std::uint8_t* const* source, std::int64_t offset) const {
    if (whole_) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(source[0] + offset));
    __m128i row = _mm_maskz_loadu_epi8(mask_[0], source[0] + offset - lane_[0]);
    for (int s = 1; s < segments_; ++s) row = _mm_mask_loadu_epi8(row, mask_[s], source[s] + offset - lane_[s]);
    return row;
  }

 private:
  int segments_;
  bool whole_;
  int lane_[16];
  __mmask16 mask_[16];
};

}  // namespace
}  // namespace gemel
