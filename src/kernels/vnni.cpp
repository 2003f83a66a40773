// SPDX-License-Identifier: Apache-2.0
// AVX-512 VNNI: vpdpbusd adds four products of an unsigned and a signed byte to a 32-bit sum, without saturation.
// Values u are the activations as unsigned bytes (signed ones with the top bit changed, so shifted by 128), v the
// weights as signed bytes (unsigned ones shifted by -128); their zero points are shifted alike.
#if GEMEL_KERNELS_X86
#include "kernels/avx512_common.hpp"

namespace gemel {
namespace {

constexpr int ByteShift = 128;

struct VnniIsa : Vectors512 {
  static constexpr int RowsPerGroup = 4;
  static constexpr bool ReadsInPlace = true;
  static constexpr bool HasZeroPoints = true;

  static std::int32_t shifted_input_zero(const MatrixTile& t) { return t.act_zero + (t.act_unsigned ? 0 : ByteShift); }
  // Padding is a byte with the value of the zero point, so that must be one.
  static bool can_run(const MatrixTile& t) { return shifted_input_zero(t) >= 0 && shifted_input_zero(t) <= 255; }
  static std::uint32_t input_zero(const MatrixTile& t) { return static_cast<std::uint32_t>(shifted_input_zero(t)); }
  static std::uint32_t weight_zero(const MatrixTile& t) {
    return static_cast<std::uint32_t>(t.weight_zero - (t.weight_unsigned ? ByteShift : 0));
  }

  template <bool Flip>
  static GEMEL_INLINE Vec broadcast(const std::uint8_t* p) {
    std::int32_t group;
    std::memcpy(&group, p, sizeof group);
    const Vec x = _mm512_set1_epi32(group);
    return Flip ? _mm512_xor_si512(x, top_bits()) : x;
  }
  static GEMEL_INLINE Vec dot(Vec sum, Vec u, Vec v) { return _mm512_dpbusd_epi32(sum, u, v); }
  static GEMEL_INLINE Vec top_bits() { return _mm512_set1_epi8(static_cast<char>(0x80)); }

  static void stage_words(std::uint8_t* out, const std::uint8_t* source, std::int64_t words, const MatrixTile& t) {
    const Vec flip = t.act_unsigned ? zero() : top_bits();
    const std::int64_t rows = t.rows, word = (rows + 3) / 4 * 4;
    if (word == rows) {
      copy(out, source, words * rows, words * rows, flip);
    } else if (word <= 64) {
      const __mmask64 read = first(rows), written = first(word);
      for (std::int64_t i = 0; i < words; ++i, out += word, source += rows) {
        const Vec x = _mm512_xor_si512(_mm512_maskz_loadu_epi8(read, source), flip);
        _mm512_mask_storeu_epi8(out, written, _mm512_maskz_mov_epi8(read, x));
      }
    } else {
      for (std::int64_t i = 0; i < words; ++i, out += word, source += rows) copy(out, source, rows, word, flip);
    }
  }

  static std::uint32_t sum_values(const std::uint8_t* p, std::int64_t bytes, bool flip) {
    const Vec change = flip ? top_bits() : zero();
    Vec sum = zero();
    for (std::int64_t i = 0; i < bytes; i += 64) {
      const __mmask64 mask = first(bytes - i);
      const Vec x = _mm512_maskz_mov_epi8(mask, _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, p + i), change));
      sum = _mm512_add_epi64(sum, _mm512_sad_epu8(x, zero()));
    }
    return static_cast<std::uint32_t>(_mm512_reduce_add_epi64(sum));
  }

  class Packer {
   public:
    Packer(const MatrixTile& t, int segments, const Segment* segment)
        : loader_(segments, segment), flip_(t.weight_unsigned ? top_bits() : zero()) {}

    void pack(const std::uint8_t* const* source, std::int64_t stride, std::int64_t rows, std::uint8_t* out,
              std::int64_t step) {
      const RowLoader loader = loader_;  // copies, which stores of bytes cannot change: they stay in registers
      const Vec flip = flip_;
      Vec sums = sums_;
      const auto put = [&](Vec packed) {
        _mm512_storeu_si512(out, packed);
        sums = _mm512_dpbusd_epi32(sums, _mm512_set1_epi8(1), packed);
        out += step;
      };
      std::int64_t r = 0;
      if (loader.whole() && stride == Lanes) {
        for (const std::uint8_t* p = source[0]; r + 4 <= rows; r += 4, p += 64)
          put(to_columns(_mm512_xor_si512(load(p), flip)));
      } else if (loader.whole()) {
        for (const std::uint8_t* p = source[0]; r + 4 <= rows; r += 4, p += 4 * stride) {
          put(to_columns(_mm512_xor_si512(
              join(load16(p), load16(p + stride), load16(p + 2 * stride), load16(p + 3 * stride)), flip)));
        }
      } else {
        for (; r + 4 <= rows; r += 4) {
          const __m128i a = loader.load(source, r * stride), b = loader.load(source, (r + 1) * stride);
          const __m128i c = loader.load(source, (r + 2) * stride), d = loader.load(source, (r + 3) * stride);
          put(to_columns(_mm512_xor_si512(join(a, b, c, d), flip)));
        }
      }
      if (r < rows) {
        const __m128i none = _mm_setzero_si128();  // rows that the array does not have
        const __m128i a = loader.load(source, r * stride);
        const __m128i b = r + 1 < rows ? loader.load(source, (r + 1) * stride) : none;
        const __m128i c = r + 2 < rows ? loader.load(source, (r + 2) * stride) : none;
        const auto present = static_cast<__mmask8>((1u << (2 * (rows - r))) - 1);  // two 64-bit halves per row
        put(to_columns(_mm512_maskz_xor_epi64(present, join(a, b, c, none), flip)));
      }
      sums_ = sums;
    }

    // constant - zero * (sum of each column's weights)
    void corrections(std::int32_t* out, std::uint32_t zero_point, std::uint32_t constant) const {
      const Vec product = _mm512_mullo_epi32(sums_, splat(static_cast<std::int32_t>(zero_point)));
      store(out, sub(splat(static_cast<std::int32_t>(constant)), product));
    }

   private:
    static GEMEL_INLINE Vec join(__m128i a, __m128i b, __m128i c, __m128i d) {
      const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
      const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(c), d, 1);
      return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    }
    static GEMEL_INLINE __m128i load16(const std::uint8_t* p) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    }
    // Turns four rows of 16 bytes into 16 columns of four: first the 32-bit pieces, then the bytes inside each quarter.
    static GEMEL_INLINE Vec to_columns(Vec rows) {
      const Vec pieces = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
      const Vec bytes = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
      return _mm512_shuffle_epi8(_mm512_permutexvar_epi32(pieces, rows), bytes);
    }

    RowLoader loader_;
    Vec flip_;
    Vec sums_ = zero();
  };

 private:
  static GEMEL_INLINE __mmask64 first(std::int64_t bytes) {
    return bytes >= 64 ? ~__mmask64{0} : (__mmask64{1} << bytes) - 1;
  }
  // Copies `bytes` of source, changed by flip, and writes 0 up to `filled`.
  static GEMEL_INLINE void copy(std::uint8_t* out, const std::uint8_t* source, std::int64_t bytes, std::int64_t filled,
                                Vec flip) {
    std::int64_t i = 0;
    for (; i + 64 <= bytes; i += 64) _mm512_storeu_si512(out + i, _mm512_xor_si512(load(source + i), flip));
    if (i >= filled) return;
    const __mmask64 mask = first(bytes - i);
    const Vec x = _mm512_maskz_mov_epi8(mask, _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, source + i), flip));
    _mm512_mask_storeu_epi8(out + i, first(filled - i), x);
  }
};

}  // namespace

namespace kernel_tables {
const Kernels Vnni = {SimdLevel::Vnni, matrix_tile_with<VnniIsa>, depthwise_with<Vectors512, Vectors256>,
                      window_sums_with<Vectors512, Vectors256>, window_maxima_with<Vectors512, Vectors256>};
}

}  // namespace gemel
#endif
