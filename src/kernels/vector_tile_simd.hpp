// SPDX-License-Identifier: Apache-2.0
// The window kernels of vector_tile.hpp for any vector instruction set; included once by each file that defines one.
// The sums of four neighbouring pixels and a vector of channels stay in registers while the taps of their windows pass;
// taps outside the image are cut off by range.
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

// The geometry of one channel block, in bytes.
struct Windows {
  const std::uint8_t* base;  // of image coordinates (0, 0) of the first plane
  std::int64_t plane, row, pixel;
};

// What an operation does with a tap: Op::start, then Op::tap for each tap inside, then Op::finish.
template <class V>
struct Depthwise {
  using Vec = typename V::Vec;
  static constexpr bool HasWeights = true;
  Vec source_zero;

  GEMEL_INLINE Vec start() const { return V::zero(); }
  GEMEL_INLINE Vec tap(Vec sum, Vec x, Vec w) const { return V::add(sum, V::multiply_low(V::sub(x, source_zero), w)); }
  GEMEL_INLINE Vec finish(Vec sum, int) const { return sum; }
};

template <class V>
struct Sum {
  using Vec = typename V::Vec;
  static constexpr bool HasWeights = false;
  std::int32_t source_zero;

  GEMEL_INLINE Vec start() const { return V::zero(); }
  GEMEL_INLINE Vec tap(Vec sum, Vec x, Vec) const { return V::add(sum, x); }
  GEMEL_INLINE Vec finish(Vec sum, int taps) const { return V::sub(sum, V::splat(taps * source_zero)); }
};

template <class V>
struct Maximum {
  using Vec = typename V::Vec;
  static constexpr bool HasWeights = false;

  GEMEL_INLINE Vec start() const { return V::splat(-128); }
  GEMEL_INLINE Vec tap(Vec best, Vec x, Vec) const { return V::max(best, x); }
  GEMEL_INLINE Vec finish(Vec best, int taps) const { return taps ? best : V::zero(); }
};

// `Pixels` neighbours of one output row, for one vector of channels; all have the same taps inside the image.
template <class V, class Op, bool Unsigned, bool Whole, int Pixels>
GEMEL_INLINE void windows(const VectorTile& t, const Op& op, const std::uint8_t* source, std::int64_t row_step,
                          std::int64_t tap_step, std::int64_t pixel_step, TapRange rows, TapRange columns,
                          const std::int32_t* weights, std::int64_t padded, int count, std::int32_t* out) {
  using Vec = typename V::Vec;
  Vec sum[Pixels];
#pragma GCC unroll 8
  for (int i = 0; i < Pixels; ++i) sum[i] = op.start();
  for (int ky = rows.first; ky < rows.last; ++ky, source += row_step) {
    const std::uint8_t* p = source;
    const std::int32_t* w = weights + (std::int64_t{ky} * t.kernel_w + columns.first) * padded;
    for (int kx = columns.first; kx < columns.last; ++kx, p += tap_step, w += padded) {
      Vec weight = V::zero();
      if constexpr (Op::HasWeights) weight = V::load(w);
#pragma GCC unroll 8
      for (int i = 0; i < Pixels; ++i) {
        sum[i] = op.tap(sum[i], V::template widen<Unsigned>(p + i * pixel_step, Whole ? V::Lanes : count), weight);
      }
    }
  }
  const int taps = (rows.last - rows.first) * (columns.last - columns.first);
#pragma GCC unroll 8
  for (int i = 0; i < Pixels; ++i, out += t.columns) {
    if constexpr (Whole) {
      V::store(out, op.finish(sum[i], taps));
    } else {
      V::store_lanes(out, op.finish(sum[i], taps), 0, count, false);
    }
  }
}

// All output pixels for channels [c, c + count).
template <class V, class Op, bool Unsigned, bool Whole>
void all_windows(const VectorTile& t, const Windows& geometry, const Op& op, const std::int32_t* weights,
                 std::int64_t padded, int c, int count, std::int32_t* out) {
  const std::int64_t row_step = geometry.row * t.dilation_y, tap_step = geometry.pixel * t.dilation_x;
  const std::int64_t pixel_step = geometry.pixel * t.stride_x;
  // Outputs [first, last) of a row have all their columns inside the image.
  int first = 0, last = t.out_width;
  while (first < last && t.origin_x + first * t.stride_x < 0) ++first;
  while (last > first && t.origin_x + (last - 1) * t.stride_x + (t.kernel_w - 1) * t.dilation_x >= t.src_width) --last;
  const std::uint8_t* plane = geometry.base + c;
  out += c;
  if constexpr (Op::HasWeights) weights += c;
  for (int z = 0; z < t.out_planes; ++z, plane += geometry.plane) {
    for (int oy = 0; oy < t.out_height; ++oy) {
      const int y = t.origin_y + oy * t.stride_y;
      const TapRange rows = taps_inside(y, t.kernel_h, t.dilation_y, t.src_height);
      const std::uint8_t* line = plane + (y + std::int64_t{rows.first} * t.dilation_y) * geometry.row;
      int ox = 0;
      while (ox < t.out_width) {
        const int x = t.origin_x + ox * t.stride_x;
        const TapRange columns = taps_inside(x, t.kernel_w, t.dilation_x, t.src_width);
        const std::uint8_t* source = line + (x + std::int64_t{columns.first} * t.dilation_x) * geometry.pixel;
        if (ox >= first && ox + 4 <= last) {
          windows<V, Op, Unsigned, Whole, 4>(t, op, source, row_step, tap_step, pixel_step, rows, columns, weights,
                                             padded, count, out);
          ox += 4;
          out += 4 * std::int64_t{t.columns};
        } else {
          windows<V, Op, Unsigned, Whole, 1>(t, op, source, row_step, tap_step, pixel_step, rows, columns, weights,
                                             padded, count, out);
          ox += 1;
          out += t.columns;
        }
      }
    }
  }
}

template <class V, class Op>
void for_windows(const VectorTile& t, int block, const Op& op, const std::int32_t* weights, std::int64_t padded,
                 std::int32_t* out) {
  const std::int64_t C = t.columns, pixel = t.pixel_words * C;
  const std::uint8_t* base = t.source + (t.src_base + std::int64_t{block} * t.block_step) * C;
  const Windows geometry{base, t.plane_words * C, pixel * t.src_width, pixel};
  for (int c = 0; c < t.columns; c += V::Lanes) {
    const int count = least(V::Lanes, t.columns - c);
    if (t.source_unsigned) {
      if (count == V::Lanes) {
        all_windows<V, Op, true, true>(t, geometry, op, weights, padded, c, count, out);
      } else {
        all_windows<V, Op, true, false>(t, geometry, op, weights, padded, c, count, out);
      }
    } else {
      if (count == V::Lanes) {
        all_windows<V, Op, false, true>(t, geometry, op, weights, padded, c, count, out);
      } else {
        all_windows<V, Op, false, false>(t, geometry, op, weights, padded, c, count, out);
      }
    }
  }
}

template <class V>
void depthwise_by(const VectorTile& t, int block, const DepthwiseWeights& weights, std::int32_t* sums) {
  const std::int64_t padded = round_up_div(t.columns, V::Lanes) * V::Lanes,
                     taps = std::int64_t{t.kernel_h} * t.kernel_w;
  auto* wide = static_cast<std::int32_t*>(scratch(Slot::Weights, taps * padded * std::int64_t{sizeof(std::int32_t)}));
  for (std::int64_t tap = 0; tap < taps; ++tap) {
    for (std::int64_t c = 0; c < padded; ++c) {
      const std::uint8_t byte = c < t.columns ? weights.bytes[tap * t.columns + c] : std::uint8_t{0};
      const int value = (weights.is_unsigned ? int{byte} : int{static_cast<std::int8_t>(byte)}) - weights.zero;
      wide[tap * padded + c] = value & 0xFFFF;  // the high half must be 0
    }
  }
  for_windows<V>(t, block, Depthwise<V>{V::splat(t.source_zero)}, wide, padded, sums);
}

// Wide and Narrow are vectors of 32-bit lanes; the narrow ones do for arrays with few columns.
template <class Wide, class Narrow>
void depthwise_with(const VectorTile& t, int block, const DepthwiseWeights& weights, std::int32_t* sums) {
  const auto fits = [](int zero) { return zero >= -4096 && zero <= 4096; };  // a value without it must fit 16 bits
  if (!fits(t.source_zero) || !fits(weights.zero)) return kernel_tables::Scalar.depthwise_sums(t, block, weights, sums);
  t.columns <= Narrow::Lanes ? depthwise_by<Narrow>(t, block, weights, sums)
                             : depthwise_by<Wide>(t, block, weights, sums);
}

template <class Wide, class Narrow>
void window_sums_with(const VectorTile& t, int block, std::int32_t* sums) {
  if (t.columns <= Narrow::Lanes) {
    for_windows<Narrow>(t, block, Sum<Narrow>{t.source_zero}, nullptr, 0, sums);
  } else {
    for_windows<Wide>(t, block, Sum<Wide>{t.source_zero}, nullptr, 0, sums);
  }
}

template <class Wide, class Narrow>
void window_maxima_with(const VectorTile& t, int block, std::int32_t* maxima) {
  if (t.columns <= Narrow::Lanes) {
    for_windows<Narrow>(t, block, Maximum<Narrow>{}, nullptr, 0, maxima);
  } else {
    for_windows<Wide>(t, block, Maximum<Wide>{}, nullptr, 0, maxima);
  }
}

}  // namespace
}  // namespace gemel
