// SPDX-License-Identifier: Apache-2.0
// Window sums of the vector unit, in bulk: depthwise convolution, sum and maximum over the taps of a window, for one
// block of C channels at a time. No clock, no SystemC, exact on every CPU. Requantization is the caller's.
//
// Output pixel p = (z*out_height + oy)*out_width + ox; tap t = ky*kernel_w + kx reads the C bytes of source word
//   src_base + z*plane_words + (y*src_width + x)*pixel_words + block*block_step
// with y = origin_y + oy*stride_y + ky*dilation_y, x likewise. Taps outside the image contribute nothing.
#pragma once
#include <cstdint>

namespace gemel {

struct VectorTile {
  const std::uint8_t* source = nullptr;  // storage of the buffer; word i = bytes [i*columns, (i+1)*columns)
  int columns = 1;                       // C, 1..256
  std::uint32_t src_base = 0;
  int src_height = 1, src_width = 1, pixel_words = 1;
  std::int64_t plane_words = 0;
  int block_step = 1;  // words from one channel block to the next
  int out_planes = 1, out_height = 1, out_width = 1;
  int kernel_h = 1, kernel_w = 1;
  int stride_y = 1, stride_x = 1, dilation_y = 1, dilation_x = 1;
  int origin_y = 0, origin_x = 0;
  bool source_unsigned = false;
  int source_zero = 0;  // -128..255, whatever the type
};

// The taps of a depthwise convolution for one channel block: byte t*C + c is tap t of channel c.
struct DepthwiseWeights {
  const std::uint8_t* bytes = nullptr;
  bool is_unsigned = false;
  int zero = 0;  // -128..255, whatever the type
};

// Each writes sums[p*C + c] for every output pixel p and channel c of channel block `block`.
// sum over taps of (x - source_zero) * (w - weights.zero)
void depthwise_sums(const VectorTile& tile, int block, const DepthwiseWeights& weights, std::int32_t* sums);
// sum over taps of (x - source_zero)
void window_sums(const VectorTile& tile, int block, std::int32_t* sums);
// maximum over taps of x itself, source_zero not removed; 0 where no tap is inside the image
void window_maxima(const VectorTile& tile, int block, std::int32_t* maxima);

}  // namespace gemel
