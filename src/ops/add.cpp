// SPDX-License-Identifier: Apache-2.0
// Addition of two tensors of one shape, each with its scale; TFLite's ADD.
//   y = round(round((a - a_zero) << 20, first) + round((b - b_zero) << 20, second), sum) + y_zero, clamped
#include "ops/ops.hpp"

namespace gemel::ops {

ShapeRule add_shape(const Layer&, const std::vector<Shape>& inputs, const Shape&) {
  if (!(inputs[0] == inputs[1])) return {{}, "what is added must have one shape"};
  return {inputs[0], {}};
}

Bytes add_golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const auto scaled = [&](int operand, std::int64_t i) {
    const Tensor& tensor = inputs[operand].tensor;
    const int difference = value_of(inputs[operand].data[i], tensor.type) - tensor.zero_point;
    return rounded(layer, operand, difference * (1 << numerics::AddLeftShift));
  };
  const std::int64_t count = output.shape.elements();
  Bytes y(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    y[i] = finished(layer, rounded(layer, 2, numerics::wrap_add(scaled(0, i), scaled(1, i))), output.zero_point);
  }
  return y;
}

}  // namespace gemel::ops
