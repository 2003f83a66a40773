// SPDX-License-Identifier: Apache-2.0
// Maximum of the window's taps inside the image, clamped. Scale and zero point stay. Also the shape rule of both pools.
#include <algorithm>

#include "ops/window.hpp"

namespace gemel::ops {

ShapeRule pool_shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape&) {
  const Shape& in = inputs[0];
  const Window& window = *layer.window();
  if (const std::string problem = image_problem(in); !problem.empty()) return {{}, problem};
  // Else a window could lie wholly in the padding, and have no maximum and no average.
  if (std::max(window.pad_top, window.pad_bottom) >= window.kernel_h || std::max(window.pad_left, window.pad_right) >= window.kernel_w) {
    return {{}, "the padding of a pooling window must be smaller than the window"};
  }
  const std::int64_t h = slide(in[1], window.pad_top, window.pad_bottom, window.kernel_h, 1, window.stride_h);
  const std::int64_t w = slide(in[2], window.pad_left, window.pad_right, window.kernel_w, 1, window.stride_w);
  if (h < 1 || w < 1) {
    return {{}, "the window, " + std::to_string(window.kernel_h) + "x" + std::to_string(window.kernel_w) +
                    ", is larger than the padded image"};
  }
  return {{in[0], h, w, in[3]}, {}};
}

Bytes max_pool_golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const Window& window = layer.get<MaxPool>()->window;
  const Nhwc in = inputs[0].tensor.nhwc();
  return for_each_output(output.nhwc(), [&](int n, int oy, int ox, int c) {
    int maximum = -128;
    for_each_tap(window, inputs[0], in, n, oy, ox, c, [&](int value) { maximum = std::max(maximum, value); });
    return finished(layer, maximum, 0);
  });
}

}  // namespace gemel::ops
