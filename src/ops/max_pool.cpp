// SPDX-License-Identifier: Apache-2.0
// Maximum of the window's taps inside the image, clamped. Scale and zero point stay. Also the shape rule of both pools.
#include <algorithm>

#include "ops/window.hpp"

namespace gemel::ops {

ShapeRule pool_shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape&) {
  const Shape& in = inputs[0];
  // Else a window could lie wholly in the padding, and have no maximum and no average.
  if (std::max(layer.pad_top, layer.pad_bottom) >= layer.kernel_h || std::max(layer.pad_left, layer.pad_right) >= layer.kernel_w) {
    return {{}, "the padding of a pooling window must be smaller than the window"};
  }
  const int h = slide(in.h, layer.pad_top, layer.pad_bottom, layer.kernel_h, 1, layer.stride_h);
  const int w = slide(in.w, layer.pad_left, layer.pad_right, layer.kernel_w, 1, layer.stride_w);
  if (h < 1 || w < 1) {
    return {{}, "the window, " + std::to_string(layer.kernel_h) + "x" + std::to_string(layer.kernel_w) +
                    ", is larger than the padded image"};
  }
  return {{in.n, h, w, in.c}, {}};
}

Bytes max_pool_golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  return for_each_output(output.shape, [&](int n, int oy, int ox, int c) {
    int maximum = -128;
    for_each_tap(layer, inputs[0], n, oy, ox, c, [&](int value) { maximum = std::max(maximum, value); });
    return finished(layer, maximum, 0);
  });
}

}  // namespace gemel::ops
