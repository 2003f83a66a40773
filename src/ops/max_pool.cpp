// SPDX-License-Identifier: Apache-2.0
// Maximum of the window's taps inside the image, clamped. Scale and zero point stay.
#include <algorithm>

#include "ops/window.hpp"

namespace gemel::ops {
namespace {

Bytes golden_max_pool(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const Window& window = layer.get<MaxPool>()->window;
  const Nhwc in = inputs[0].tensor.nhwc();
  return for_each_output(output.nhwc(), [&](int n, int oy, int ox, int c) {
    int maximum = -128;
    for_each_tap(window, inputs[0], in, n, oy, ox, c, [&](int value) { maximum = std::max(maximum, value); });
    return finished(layer, maximum, 0);
  });
}

Expectation expected(const Layer& layer, const std::vector<const Tensor*>&, const std::vector<synthetic::Statistics>& values) {
  synthetic::Statistics s = values[0];
  if (taps(*layer.window()) > 1) s.mean += 0.6 * s.deviation;
  return {s, {}};
}

}  // namespace

OpInfo max_pool() {
  OpInfo row = pool();
  row.op = Op::MaxPool;
  row.summary = "maximum over a window; scale and zero point are the input's";
  row.golden = golden_max_pool;
  row.expected = expected;
  row.read = read_pool<MaxPool>;
  return row;
}

}  // namespace gemel::ops
