// SPDX-License-Identifier: Apache-2.0
// AVX-512 without VNNI: zero points are removed first, then 16-bit values are multiplied in pairs. (vpmaddubsw, which
// takes bytes, would saturate.)
#if GEMEL_KERNELS_X86
#include "kernels/avx512_common.hpp"

namespace gemel {
namespace {

struct Avx512Isa : Vectors512 {
  static constexpr int RowsPerGroup = 2;
  static constexpr bool ReadsInPlace = false;
  static constexpr bool HasZeroPoints = false;

  static bool can_run(const MatrixTile& t) {
    const auto small = [](int zero) { return zero >= -4096 && zero <= 4096; };  // two products fit 32 bits, a value 16
    return small(t.act_zero) && small(t.weight_zero);
  }
  static std::uint32_t input_zero(const MatrixTile&) { return 0; }  // of the 16-bit values
  static std::uint32_t weight_zero(const MatrixTile&) { return 0; }

  template <bool>
  static GEMEL_INLINE Vec broadcast(const std::uint8_t* p) {
    std::int32_t group;
    std::memcpy(&group, p, sizeof group);
    return _mm512_set1_epi32(group);
  }
  static GEMEL_INLINE Vec dot(Vec sum, Vec x, Vec w) { return _mm512_add_epi32(sum, _mm512_madd_epi16(x, w)); }

  static void stage_words(std::uint8_t* out, const std::uint8_t* source, std::int64_t words, const MatrixTile& t) {
    const std::int64_t rows = t.rows, filled = (rows + 1) / 2 * 2;
    if (filled == rows) {
      remove_zero(out, source, words * rows, words * rows, t);
    } else {
      for (std::int64_t i = 0; i < words; ++i, out += 2 * filled, source += rows)
        remove_zero(out, source, rows, filled, t);
    }
  }

  class Packer {
   public:
    Packer(const MatrixTile& t, int segments, const Segment* segment)
        : loader_(segments, segment),
          unsigned_(t.weight_unsigned),
          zero_point_(_mm512_set1_epi16(static_cast<short>(t.weight_zero))) {}

    void pack(const std::uint8_t* const* source, std::int64_t stride, std::int64_t rows, std::uint8_t* out,
              std::int64_t step) {
      std::int64_t r = 0;
      for (; r + 2 <= rows; r += 2, out += step) {
        store(reinterpret_cast<std::int32_t*>(out),
              pair(loader_.load(source, r * stride), loader_.load(source, (r + 1) * stride)));
      }
      if (r == rows) return;
      constexpr __mmask32 UpperRow = 0x55555555;  // the row that the array does not have weighs 0
      const Vec last = pair(loader_.load(source, r * stride), _mm_setzero_si128());
      store(reinterpret_cast<std::int32_t*>(out), _mm512_maskz_mov_epi16(UpperRow, last));
    }

    void corrections(std::int32_t* out, std::uint32_t, std::uint32_t) const { store(out, zero()); }

   private:
    GEMEL_INLINE Vec pair(__m128i a, __m128i b) const {
      const __m256i bytes =
          _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi8(a, b)), _mm_unpackhi_epi8(a, b), 1);
      return _mm512_sub_epi16(unsigned_ ? _mm512_cvtepu8_epi16(bytes) : _mm512_cvtepi8_epi16(bytes), zero_point_);
    }

    RowLoader loader_;
    bool unsigned_;
    Vec zero_point_;
  };

 private:
  static GEMEL_INLINE __mmask32 first(std::int64_t values) {
    return values >= 32 ? ~__mmask32{0} : (__mmask32{1} << values) - 1;
  }
  // `values` bytes of source become 16-bit values without zero point; 0 is written up to `filled` values.
  static GEMEL_INLINE void remove_zero(std::uint8_t* out, const std::uint8_t* source, std::int64_t values,
                                       std::int64_t filled, const MatrixTile& t) {
    const Vec zero_point = _mm512_set1_epi16(static_cast<short>(t.act_zero));
    for (std::int64_t i = 0; i < filled; i += 32) {
      const __mmask32 mask = first(values - i);
      const __m256i bytes = _mm256_maskz_loadu_epi8(mask, source + i);
      const Vec wide = t.act_unsigned ? _mm512_cvtepu8_epi16(bytes) : _mm512_cvtepi8_epi16(bytes);
      _mm512_mask_storeu_epi16(out + 2 * i, first(filled - i), _mm512_maskz_sub_epi16(mask, wide, zero_point));
    }
  }
};

}  // namespace

namespace kernel_tables {
const Kernels Avx512 = {SimdLevel::Avx512, matrix_tile_with<Avx512Isa>, depthwise_with<Vectors512, Vectors256>,
                        window_sums_with<Vectors512, Vectors256>, window_maxima_with<Vectors512, Vectors256>};
}

}  // namespace gemel
#endif
