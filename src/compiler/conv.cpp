// SPDX-License-Identifier: Apache-2.0
// Convolutions as the array sees them; see conv.hpp. Their tiling is chosen in plan_conv.cpp.
#include "compiler/conv.hpp"

#include <algorithm>

namespace gemel::compiler {

ConvShape conv_shape(const Convolution& conv) {
  const Nhwc &in = conv.in, &out = conv.out;
  const Window& window = conv.window;
  ConvShape s;
  s.n = in.n;
  s.h = in.h;
  s.w = in.w;
  s.cin = in.c;
  s.oh = out.h;
  s.ow = out.w;
  s.cout = out.c;
  s.out_pixel_bytes = std::int64_t{out.c} * conv.out_bytes;
  s.pixel_bytes = in.c;
  s.row_bytes = std::int64_t{in.w} * in.c;
  s.plane_bytes = s.row_bytes * in.h;
  s.kernel_h = window.kernel_h;
  s.kernel_w = window.kernel_w;
  s.stride_h = window.stride_h;
  s.stride_w = window.stride_w;
  s.dilation_h = window.kernel_h > 1 ? window.dilation_h : 1;
  s.dilation_w = window.kernel_w > 1 ? window.dilation_w : 1;
  s.pad_top = window.pad_top;
  s.pad_left = window.pad_left;
  s.groups = conv.groups;
  const bool padded = window.pad_top || window.pad_left || window.pad_bottom || window.pad_right;
  if (s.oh == 1) s.stride_h = 1;  // a stride that is never taken
  if (s.ow == 1) s.stride_w = 1;
  if (window.kernel_h == 1 && window.kernel_w == 1 && !padded) {
    // Only every stride-th pixel is read.
    s.h = s.oh;
    s.w = s.ow;
    s.pixel_bytes *= s.stride_w;
    s.row_bytes *= s.stride_h;
    s.stride_h = s.stride_w = 1;
    if (s.w == 1) s.pixel_bytes = s.cin;
    if (s.pixel_bytes == s.cin && (s.h == 1 || s.row_bytes == s.w * s.pixel_bytes) &&
        (s.n == 1 || s.plane_bytes == std::int64_t{s.h} * s.w * s.cin)) {
      s.w = s.ow = s.n * s.h * s.w;
      s.n = s.h = s.oh = 1;
      s.row_bytes = s.plane_bytes = std::int64_t{s.w} * s.cin;
    }
  }
  return s;
}

ConvShape depthwise_slice(const ConvShape& shape, int channels) {
  ConvShape s = shape;
  s.cin = s.cout = s.groups = channels;
  return s;
}

int first_block(const ConvShape& s, const ConvPlan& p, const Machine& m, int n) {
  if (s.groups == 1) return 0;
  const int from = n * m.columns / (s.cout / s.groups) * (s.cin / s.groups) / m.rows;
  return std::min(from, p.cin_blocks - p.block_cin);
}

Span input_span(int out, int count_out, int stride, int pad, int tap, int taps, int dilation, int size) {
  const int first = out * stride - pad + tap * dilation;
  const int last = first + (count_out - 1) * stride + (taps - 1) * dilation;
  Span s;
  s.first = std::min(std::max(first, 0), size - 1);
  s.count = std::max(1, std::min(last, size - 1) - s.first + 1);
  s.origin = first - s.first;
  return s;
}

}  // namespace gemel::compiler
