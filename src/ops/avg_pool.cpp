// SPDX-License-Identifier: Apache-2.0
// Average of the window's taps inside the image, half away from zero, clamped; TFLite's AVERAGE_POOL_2D. Scale and zero
// point stay, so the average is taken of the quantized values. The machine multiplies instead (numerics::average_multiplier).
// Also what both pools have in common.
#include <cmath>

#include "ops/window.hpp"

namespace gemel::ops {
namespace {

ShapeRule pool_shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape&) {
  const Shape& in = inputs[0];
  const Window& window = *layer.window();
  if (const std::string problem = image_problem(in); !problem.empty()) return shape_problem(problem);
  // Else a window could lie wholly in the padding, and have no maximum and no average.
  if (std::max(window.pad_top, window.pad_bottom) >= window.kernel_h || std::max(window.pad_left, window.pad_right) >= window.kernel_w)
    return shape_problem("the padding is as wide as the kernel, so a window would hold no pixel", "padding");
  if (layer.op() == Op::AvgPool && taps(window) > numerics::MaxTaps)
    return too_large("an average over " + std::to_string(static_cast<std::int64_t>(taps(window))) + " values cannot be computed exactly",
                     "the most is " + std::to_string(numerics::MaxTaps), "kernel");
  return slide_window(window, in, in[3]);
}

Bytes golden_avg_pool(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const Window& window = layer.get<AvgPool>()->window;
  const Nhwc in = inputs[0].tensor.nhwc();
  return for_each_output(output.nhwc(), [&](int n, int oy, int ox, int c) {
    int sum = 0, count = 0;
    for_each_tap(window, inputs[0], in, n, oy, ox, c, [&](int value) { sum += value, ++count; });
    return finished(layer, numerics::divide_half_away(sum, count), 0);
  });
}

// Neighbours are alike, so a window of k x k counts for about k independent values.
Expectation expected(const Layer& layer, const std::vector<const Tensor*>&, const std::vector<synthetic::Statistics>& values) {
  synthetic::Statistics s = values[0];
  s.deviation /= std::pow(taps(*layer.window()), 0.25);
  return {s, {}};
}

}  // namespace

OpInfo pool() {
  OpInfo row;
  row.keys = {"kernel", "stride", "padding", "activation", "clamp", "output"};
  row.keeps_quantization = true;
  row.shape = pool_shape;
  return row;
}

OpInfo avg_pool() {
  OpInfo row = pool();
  row.op = Op::AvgPool;
  row.summary = "average over the taps of a window that lie inside the image; scale and zero point are the input's";
  row.golden = golden_avg_pool;
  row.expected = expected;
  row.read = read_pool<AvgPool>;
  return row;
}

}  // namespace gemel::ops
