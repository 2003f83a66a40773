// SPDX-License-Identifier: Apache-2.0
// The reference kernels: the formulas of matrix_tile.hpp and vector_tile.hpp as loops. Sums are unsigned, because only
// unsigned integers may wrap in C++.
#include <algorithm>
#include <cstring>

#include "kernels/tables.hpp"

namespace gemel {
namespace {

int value_of(std::uint8_t byte, bool is_unsigned) {
  return is_unsigned ? int{byte} : int{static_cast<std::int8_t>(byte)};
}

void matrix_tile(const MatrixTile& t) {
  const int R = t.rows, C = t.columns;
  const std::int64_t P = std::int64_t{t.out_planes} * t.out_height * t.out_width;
  const std::int64_t K = std::int64_t{t.kernel_h} * t.kernel_w * t.cin_blocks;
  std::uint32_t sums[256];
  for (std::int64_t n = 0; n < t.cout_blocks; ++n) {
    std::int64_t p = 0;
    for (int z = 0; z < t.out_planes; ++z) {
      for (int oy = 0; oy < t.out_height; ++oy) {
        for (int ox = 0; ox < t.out_width; ++ox, ++p) {
          std::int32_t* out = t.accumulator + (t.acc_base + n * P + p) * C;
          for (int c = 0; c < C; ++c) sums[c] = t.accumulate ? static_cast<std::uint32_t>(out[c]) : 0;
          for (std::int64_t k = 0; k < K; ++k) {
            const int cb = static_cast<int>(k % t.cin_blocks), tap = static_cast<int>(k / t.cin_blocks);
            const int y = t.origin_y + oy * t.stride_y + tap / t.kernel_w * t.dilation_y;
            const int x = t.origin_x + ox * t.stride_x + tap % t.kernel_w * t.dilation_x;
            if (y < 0 || y >= t.act_height || x < 0 || x >= t.act_width) continue;
            const std::int64_t word = t.act_base + z * t.plane_words +
                                      (std::int64_t{y} * t.act_width + x) * t.pixel_words + cb + n * t.act_block_step;
            const std::uint8_t* a = t.activation + word * R;
            const std::uint8_t* w = t.weight + (t.weight_base + (n * K + k) * R) * C;
            for (int r = 0; r < R; ++r, w += C) {
              const int operand = value_of(a[r], t.act_unsigned) - t.act_zero;
              for (int c = 0; c < C; ++c) {
                sums[c] += static_cast<std::uint32_t>(operand * (value_of(w[c], t.weight_unsigned) - t.weight_zero));
              }
            }
          }
          std::memcpy(out, sums, sizeof(std::int32_t) * static_cast<std::size_t>(C));
        }
      }
    }
  }
}

// Calls tap(t, word) for each tap inside the image and then done(p), for every output pixel p.
template <class Tap, class Done>
void walk(const VectorTile& t, int block, Tap tap, Done done) {
  std::int64_t p = 0;
  for (int z = 0; z < t.out_planes; ++z) {
    for (int oy = 0; oy < t.out_height; ++oy) {
      for (int ox = 0; ox < t.out_width; ++ox, ++p) {
        for (int ky = 0; ky < t.kernel_h; ++ky) {
          for (int kx = 0; kx < t.kernel_w; ++kx) {
            const int y = t.origin_y + oy * t.stride_y + ky * t.dilation_y;
            const int x = t.origin_x + ox * t.stride_x + kx * t.dilation_x;
            if (y < 0 || y >= t.src_height || x < 0 || x >= t.src_width) continue;
            const std::int64_t word = t.src_base + z * t.plane_words +
                                      (std::int64_t{y} * t.src_width + x) * t.pixel_words +
                                      std::int64_t{block} * t.block_step;
            tap(ky * t.kernel_w + kx, t.source + word * t.columns);
          }
        }
        done(p);
      }
    }
  }
}

void depthwise(const VectorTile& t, int block, const DepthwiseWeights& weights, std::int32_t* sums) {
  const int C = t.columns;
  std::uint32_t sum[256] = {};
  walk(
      t, block,
      [&](int tap, const std::uint8_t* x) {
        const std::uint8_t* w = weights.bytes + std::int64_t{tap} * C;
        for (int c = 0; c < C; ++c) {
          sum[c] += static_cast<std::uint32_t>((value_of(x[c], t.source_unsigned) - t.source_zero) *
                                               (value_of(w[c], weights.is_unsigned) - weights.zero));
        }
      },
      [&](std::int64_t p) {
        std::memcpy(sums + p * C, sum, sizeof(std::int32_t) * static_cast<std::size_t>(C));
        std::fill_n(sum, C, 0u);
      });
}

void sums_of_windows(const VectorTile& t, int block, std::int32_t* sums) {
  const int C = t.columns;
  std::uint32_t sum[256] = {};
  walk(
      t, block,
      [&](int, const std::uint8_t* x) {
        for (int c = 0; c < C; ++c)
          sum[c] += static_cast<std::uint32_t>(value_of(x[c], t.source_unsigned) - t.source_zero);
      },
      [&](std::int64_t p) {
        std::memcpy(sums + p * C, sum, sizeof(std::int32_t) * static_cast<std::size_t>(C));
        std::fill_n(sum, C, 0u);
      });
}

void maxima_of_windows(const VectorTile& t, int block, std::int32_t* maxima) {
  const int C = t.columns;
  std::int32_t best[256] = {};
  bool any = false;
  walk(
      t, block,
      [&](int, const std::uint8_t* x) {
        for (int c = 0; c < C; ++c) {
          const int value = value_of(x[c], t.source_unsigned);
          best[c] = any ? std::max(best[c], value) : value;
        }
        any = true;
      },
      [&](std::int64_t p) {
        std::copy_n(best, C, maxima + p * C);
        std::fill_n(best, C, 0);
        any = false;
      });
}

}  // namespace

namespace kernel_tables {
const Kernels Scalar = {SimdLevel::Scalar, matrix_tile, depthwise, sums_of_windows, maxima_of_windows};
}

}  // namespace gemel
