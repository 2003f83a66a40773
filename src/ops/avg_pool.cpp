// SPDX-License-Identifier: Apache-2.0
// Average of the window's taps inside the image, half away from zero, clamped; TFLite's AVERAGE_POOL_2D. Scale and zero
// point stay, so the average is taken of the quantized values. The machine multiplies instead (numerics::average_multiplier).
#include "ops/window.hpp"

namespace gemel::ops {

Bytes avg_pool_golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const Window& window = layer.get<AvgPool>()->window;
  const Nhwc in = inputs[0].tensor.nhwc();
  return for_each_output(output.nhwc(), [&](int n, int oy, int ox, int c) {
    int sum = 0, taps = 0;
    for_each_tap(window, inputs[0], in, n, oy, ox, c, [&](int value) { sum += value, ++taps; });
    return finished(layer, numerics::divide_half_away(sum, taps), 0);
  });
}

}  // namespace gemel::ops
