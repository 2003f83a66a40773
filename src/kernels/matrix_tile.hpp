// SPDX-License-Identifier: Apache-2.0
// The whole arithmetic of one matrix instruction, in bulk: no clock, no SystemC, exact on every CPU.
//
// Output pixel p = (z*out_height + oy)*out_width + ox, P of them; pass k = (ky*kernel_w + kx)*cin_blocks + cb, K of
// them. For each cout block n, pixel p and column c, in 32-bit two's complement arithmetic that wraps:
//   acc[acc_base + n*P + p][c] = (accumulate ? old : 0) + sum over k, r of a[r] * w[r][c]
//   a[r]    = byte r of activation word (z, y, x, cb) + n*act_block_step, minus act_zero; 0 outside the image
//   w[r][c] = byte c of weight word weight_base + (n*K + k)*R + r, minus weight_zero
// with y = origin_y + oy*stride_y + ky*dilation_y, x likewise. All R rows and C columns always take part.
#pragma once
#include <cstdint>

namespace gemel {

// Addresses count words of the simulated scratchpads. The caller has checked that every word lies inside its buffer and
// that the three operands do not overlap.
struct MatrixTile {
  const std::uint8_t* activation = nullptr;  // storage of activation_buffer; word i = bytes [i*rows, (i+1)*rows)
  const std::uint8_t* weight = nullptr;  // storage of weight_buffer; word i = bytes [i*columns, (i+1)*columns): one row
  std::int32_t* accumulator = nullptr;   // storage of accumulator_buffer; word i = sums [i*columns, (i+1)*columns)
  int rows = 1, columns = 1;             // R and C of the array, 1..256

  std::uint32_t act_base = 0, weight_base = 0, acc_base = 0;

  // The resident tile: word of (z, y, x, cb) = act_base + z*plane_words + (y*act_width + x)*pixel_words + cb.
  int act_height = 1, act_width = 1, pixel_words = 1;
  std::int64_t plane_words = 0;

  int out_planes = 1, out_height = 1, out_width = 1;
  int kernel_h = 1, kernel_w = 1, cin_blocks = 1, cout_blocks = 1;
  int stride_y = 1, stride_x = 1, dilation_y = 1, dilation_x = 1;
  int origin_y = 0, origin_x = 0;  // image coordinates of the first tap of output (0, 0); negative in the padding
  int act_block_step = 0;          // words from one cout block's input to the next one's; 0: they read the same

  int act_zero = 0;  // -128..255, whatever the type
  bool act_unsigned = false;
  int weight_zero = 0;  // -128..255, whatever the type
  bool weight_unsigned = false;
  bool accumulate = false;  // add to the accumulators instead of overwriting them
};

// Runs the tile with the fastest kernels of this CPU (kernels.hpp). Safe to call from several threads.
void run_matrix_tile(const MatrixTile& tile);

}  // namespace gemel
