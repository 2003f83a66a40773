// SPDX-License-Identifier: Apache-2.0
// The window kernels of vector_tile.hpp for any vector instruction set; included once by each file that defines one. A
// vector of channels stays in a register while the taps of its window pass; taps outside the image are cut off by range.
#pragma once
#include "kernels/matrix_tile_simd.hpp"

namespace gemel {
namespace {

// The taps [first, last) of one dimension that lie inside an image of `size`, the first tap of all being at `position`.
struct TapRange {
  int first, last;
};
GEMEL_INLINE TapRange taps_inside(int position, int taps, int dilation, int size) {
  TapRange range{0, taps};
  if (position >= 0 && position + (taps - 1) * dilation < size) return range;
  while (range.first < taps && position + range.first * dilation < 0) ++range.first;
  while (range.last > range.first && position + (range.last - 1) * dilation >= size) --range.last;
  return range;
}

// For each output pixel and each vector of channels: Op::start, then Op::tap for each tap inside, then Op::finish.
template <class Isa, class Op>
GEMEL_INLINE void for_windows(const VectorTile& t, int block, std::int32_t* out, const Op& op) {
  const std::int64_t C = t.columns;
  const std::int64_t pixel = t.pixel_words * C, row = pixel * t.src_width;
  const std::uint8_t* base = t.source + (t.src_base + std::int64_t{block} * t.block_step) * C;
  for (int z = 0; z < t.out_planes; ++z, base += t.plane_words * C) {
    for (int oy = 0; oy < t.out_height; ++oy) {
      const int y = t.origin_y + oy * t.stride_y;
      const TapRange rows = taps_inside(y, t.kernel_h, t.dilation_y, t.src_height);
      for (int ox = 0; ox < t.out_width; ++ox, out += C) {
        const int x = t.origin_x + ox * t.stride_x;
        const TapRange columns = taps_inside(x, t.kernel_w, t.dilation_x, t.src_width);
        for (int c = 0; c < t.columns; c += Isa::Lanes) {
          const int count = least(Isa::Lanes, t.columns - c);
          typename Isa::Vec sum = op.start();
          int seen = 0;
          for (int ky = rows.first; ky < rows.last; ++ky) {
            const std::uint8_t* source = base + (y + std::int64_t{ky} * t.dilation_y) * row +
                                         (x + std::int64_t{columns.first} * t.dilation_x) * pixel + c;
            for (int kx = columns.first; kx < columns.last; ++kx, ++seen, source += pixel * t.dilation_x) {
              sum = op.tap(sum, source, count, ky * t.kernel_w + kx, c);
            }
          }
          sum = op.finish(sum, seen);
          if (count == Isa::Lanes) {
            Isa::store(out + c, sum);
          } else {
            Isa::store_lanes(out + c, sum, 0, count, false);
          }
        }
      }
    }
  }
}

template <class Isa, bool Unsigned>
struct DepthwiseOp {
  using Vec = typename Isa::Vec;
  const std::int32_t* weights;  // [tap][padded columns], each in the low half of a lane
  std::int64_t padded;
  Vec source_zero;

  GEMEL_INLINE Vec start() const { return Isa::zero(); }
  GEMEL_INLINE Vec tap(Vec sum, const std::uint8_t* x, int count, int t, int c) const {
    const Vec value = Isa::sub(Isa::template widen<Unsigned>(x, count), source_zero);
    return Isa::add(sum, Isa::multiply_low(value, Isa::load(weights + t * padded + c)));
  }
  GEMEL_INLINE Vec finish(Vec sum, int) const { return sum; }
};

template <class Isa, bool Unsigned>
struct SumOp {
  using Vec = typename Isa::Vec;
  std::int32_t source_zero;

  GEMEL_INLINE Vec start() const { return Isa::zero(); }
  GEMEL_INLINE Vec tap(Vec sum, const std::uint8_t* x, int count, int, int) const {
    return Isa::add(sum, Isa::template widen<Unsigned>(x, count));
  }
  GEMEL_INLINE Vec finish(Vec sum, int seen) const { return Isa::sub(sum, Isa::splat(seen * source_zero)); }
};

template <class Isa, bool Unsigned>
struct MaximumOp {
  using Vec = typename Isa::Vec;

  GEMEL_INLINE Vec start() const { return Isa::splat(-128); }
  GEMEL_INLINE Vec tap(Vec best, const std::uint8_t* x, int count, int, int) const {
    return Isa::max(best, Isa::template widen<Unsigned>(x, count));
  }
  GEMEL_INLINE Vec finish(Vec best, int seen) const { return seen ? best : Isa::zero(); }
};

template <class Isa>
void depthwise_with(const VectorTile& t, int block, const DepthwiseWeights& weights, std::int32_t* sums) {
  const auto fits = [](int zero) { return zero >= -4096 && zero <= 4096; };  // a value without it must fit 16 bits
  if (!fits(t.source_zero) || !fits(weights.zero)) return kernel_tables::Scalar.depthwise_sums(t, block, weights, sums);
  const std::int64_t padded = round_up_div(t.columns, Isa::Lanes) * Isa::Lanes, taps = std::int64_t{t.kernel_h} * t.kernel_w;
  auto* wide = static_cast<std::int32_t*>(scratch(Slot::Weights, taps * padded * std::int64_t{sizeof(std::int32_t)}));
  for (std::int64_t tap = 0; tap < taps; ++tap) {
    for (std::int64_t c = 0; c < padded; ++c) {
      const std::uint8_t byte = c < t.columns ? weights.bytes[tap * t.columns + c] : std::uint8_t{0};
      const int value = (weights.is_unsigned ? int{byte} : int{static_cast<std::int8_t>(byte)}) - weights.zero;
      wide[tap * padded + c] = value & 0xFFFF;
    }
  }
  const typename Isa::Vec zero = Isa::splat(t.source_zero);
  if (t.source_unsigned) {
    for_windows<Isa>(t, block, sums, DepthwiseOp<Isa, true>{wide, padded, zero});
  } else {
    for_windows<Isa>(t, block, sums, DepthwiseOp<Isa, false>{wide, padded, zero});
  }
}

template <class Isa>
void window_sums_with(const VectorTile& t, int block, std::int32_t* sums) {
  if (t.source_unsigned) {
    for_windows<Isa>(t, block, sums, SumOp<Isa, true>{t.source_zero});
  } else {
    for_windows<Isa>(t, block, sums, SumOp<Isa, false>{t.source_zero});
  }
}

template <class Isa>
void window_maxima_with(const VectorTile& t, int block, std::int32_t* maxima) {
  if (t.source_unsigned) {
    for_windows<Isa>(t, block, maxima, MaximumOp<Isa, true>{});
  } else {
    for_windows<Isa>(t, block, maxima, MaximumOp<Isa, false>{});
  }
}

}  // namespace
}  // namespace gemel
