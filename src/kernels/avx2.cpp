// SPDX-License-Identifier: Apache-2.0
// AVX2: zero points are removed first, then 16-bit values are multiplied in pairs, 8 columns at a time.
#if GEMEL_KERNELS_X86
#include <immintrin.h>

#include "kernels/matrix_tile_simd.hpp"
#include "kernels/vector_tile_simd.hpp"

namespace gemel {
namespace {

struct Avx2Isa {
  using Vec = __m256i;
  static constexpr int Lanes = 8;
  static constexpr int VectorBytes = 32;
  static constexpr int MaxPixels = 4;  // 4 x 2 sums, 2 weights, a broadcast and a product are 12 of 16 registers
  static constexpr int MaxVectors = 2;
  static constexpr int RowsPerGroup = 2;
  static constexpr bool ReadsInPlace = false;
  static constexpr bool HasZeroPoints = false;

  static bool can_run(const MatrixTile& t) {
    const auto small = [](int zero) { return zero >= -4096 && zero <= 4096; };  // two products fit 32 bits, a value 16
    return small(t.act_zero) && small(t.weight_zero);
  }
  static std::uint32_t input_zero(const MatrixTile&) { return 0; }  // of the 16-bit values
  static std::uint32_t weight_zero(const MatrixTile&) { return 0; }

  static GEMEL_INLINE Vec zero() { return _mm256_setzero_si256(); }
  static GEMEL_INLINE Vec splat(std::int32_t x) { return _mm256_set1_epi32(x); }
  static GEMEL_INLINE Vec load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static GEMEL_INLINE void store(std::int32_t* p, Vec x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
  static GEMEL_INLINE Vec add(Vec a, Vec b) { return _mm256_add_epi32(a, b); }
  static GEMEL_INLINE Vec sub(Vec a, Vec b) { return _mm256_sub_epi32(a, b); }
  static GEMEL_INLINE Vec max(Vec a, Vec b) { return _mm256_max_epi32(a, b); }
  // Product of the low halves (signed 16 bits) of each lane; the high half of w must be 0.
  static GEMEL_INLINE Vec multiply_low(Vec x, Vec w) { return _mm256_madd_epi16(x, w); }
  static GEMEL_INLINE Vec dot(Vec sum, Vec x, Vec w) { return add(sum, _mm256_madd_epi16(x, w)); }

  template <bool>
  static GEMEL_INLINE Vec broadcast(const std::uint8_t* p) {
    std::int32_t group;
    std::memcpy(&group, p, sizeof group);
    return splat(group);
  }

  // Lanes [lane, lane + count) of x to out[0, count), added to what is there if `accumulate`.
  static GEMEL_INLINE void store_lanes(std::int32_t* out, Vec x, int lane, int count, bool accumulate) {
    const Vec index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const Vec mask =
        _mm256_and_si256(_mm256_cmpgt_epi32(index, splat(lane - 1)), _mm256_cmpgt_epi32(splat(lane + count), index));
    if (accumulate) x = add(x, _mm256_maskload_epi32(out - lane, mask));
    _mm256_maskstore_epi32(out - lane, mask, x);
  }

  // `count` bytes, each to a lane of 32 bits; the other lanes are 0 and their bytes are not read.
  template <bool Unsigned>
  static GEMEL_INLINE Vec widen(const std::uint8_t* p, int count) {
    const __m128i bytes = load_bytes(p, count);
    return Unsigned ? _mm256_cvtepu8_epi32(bytes) : _mm256_cvtepi8_epi32(bytes);
  }

  static void stage_words(std::uint8_t* out, const std::uint8_t* source, std::int64_t words, const MatrixTile& t) {
    const std::int64_t rows = t.rows, filled = (rows + 1) / 2 * 2;
    if (filled == rows) {
      remove_zero(out, source, words * rows, t);
    } else {
      for (std::int64_t i = 0; i < words; ++i, out += 2 * filled, source += rows) {
        remove_zero(out, source, rows, t);
        std::memset(out + 2 * rows, 0, 2);
      }
    }
  }

  class Packer {
   public:
    Packer(const MatrixTile& t, int segments, const Segment* segment)
        : segments_(segments),
          segment_(segment),
          unsigned_(t.weight_unsigned),
          zero_point_(_mm256_set1_epi16(static_cast<short>(t.weight_zero))) {}

    void pack(const std::uint8_t* const* source, std::int64_t stride, std::int64_t rows, std::uint8_t* out,
              std::int64_t step) {
      std::int64_t r = 0;
      for (; r + 2 <= rows; r += 2, out += step) {
        store(reinterpret_cast<std::int32_t*>(out), pair(row(source, r * stride), row(source, (r + 1) * stride)));
      }
      if (r == rows) return;
      const Vec last = pair(row(source, r * stride), _mm_setzero_si128());  // the row that the array lacks weighs 0
      store(reinterpret_cast<std::int32_t*>(out), _mm256_and_si256(last, splat(0xFFFF)));
    }

    void corrections(std::int32_t* out, std::uint32_t, std::uint32_t) const { store(out, zero()); }

   private:
    GEMEL_INLINE __m128i row(const std::uint8_t* const* source, std::int64_t offset) const {
      if (segments_ == 1) return load_bytes(source[0] + offset, segment_[0].count);
      std::uint8_t bytes[Lanes] = {};
      for (int s = 0; s < segments_; ++s) {
        for (int c = 0; c < segment_[s].count; ++c) bytes[segment_[s].lane + c] = source[s][offset + c];
      }
      return load_bytes(bytes, Lanes);
    }
    GEMEL_INLINE Vec pair(__m128i a, __m128i b) const {
      const __m128i bytes = _mm_unpacklo_epi8(a, b);
      return _mm256_sub_epi16(unsigned_ ? _mm256_cvtepu8_epi16(bytes) : _mm256_cvtepi8_epi16(bytes), zero_point_);
    }

    int segments_;
    const Segment* segment_;
    bool unsigned_;
    Vec zero_point_;
  };

 private:
  static GEMEL_INLINE __m128i load_bytes(const std::uint8_t* p, int count) {
    if (count == Lanes) return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    std::uint64_t bytes;  // from pieces that may overlap, since nothing beyond `count` may be read
    if (count >= 4) {
      std::uint32_t low, high;
      std::memcpy(&low, p, 4);
      std::memcpy(&high, p + count - 4, 4);
      bytes = low | std::uint64_t{high} << (8 * (count - 4));
    } else {
      bytes =
          p[0] | std::uint64_t{p[count / 2]} << (8 * (count / 2)) | std::uint64_t{p[count - 1]} << (8 * (count - 1));
    }
    return _mm_cvtsi64_si128(static_cast<long long>(bytes));
  }
  // `values` bytes of source become 16-bit values without zero point.
  static GEMEL_INLINE void remove_zero(std::uint8_t* out, const std::uint8_t* source, std::int64_t values,
                                       const MatrixTile& t) {
    const Vec zero_point = _mm256_set1_epi16(static_cast<short>(t.act_zero));
    std::int64_t i = 0;
    for (; i + 16 <= values; i += 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(source + i));
      const Vec wide = t.act_unsigned ? _mm256_cvtepu8_epi16(bytes) : _mm256_cvtepi8_epi16(bytes);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 2 * i), _mm256_sub_epi16(wide, zero_point));
    }
    for (; i < values; ++i) {
      const int value = (t.act_unsigned ? int{source[i]} : int{static_cast<std::int8_t>(source[i])}) - t.act_zero;
      const auto narrow = static_cast<std::int16_t>(value);
      std::memcpy(out + 2 * i, &narrow, sizeof narrow);
    }
  }
};

}  // namespace

namespace kernel_tables {
const Kernels Avx2 = {SimdLevel::Avx2, matrix_tile_with<Avx2Isa>, depthwise_with<Avx2Isa, Avx2Isa>,
                      window_sums_with<Avx2Isa, Avx2Isa>, window_maxima_with<Avx2Isa, Avx2Isa>};
}

}  // namespace gemel
#endif
