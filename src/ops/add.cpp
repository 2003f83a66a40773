// SPDX-License-Identifier: Apache-2.0
// Addition of two tensors of one shape, each with its scale; TFLite's ADD.
//   y = round(round((a - a_zero) << 20, first) + round((b - b_zero) << 20, second), sum) + y_zero, clamped
#include <cmath>

#include "network/layer_reader.hpp"
#include "ops/ops.hpp"

namespace gemel::ops {
namespace {

ShapeRule shape(const Layer&, const std::vector<Shape>& inputs, const Shape&) { return same_shape(inputs, "what is added"); }

Bytes golden_add(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const auto scaled = [&](std::size_t operand, std::int64_t i) {
    const Tensor& tensor = inputs[operand].tensor;
    const int difference = value_of(inputs[operand].data[i], tensor.type) - tensor.zero_point;
    return rounded(layer, operand, difference * (1 << numerics::AddLeftShift));
  };
  const std::int64_t count = output.shape.elements();
  Bytes y(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i)
    y[static_cast<std::size_t>(i)] = finished(layer, rounded(layer, 2, numerics::wrap_add(scaled(0, i), scaled(1, i))), output.zero_point);
  return y;
}

void resolve(Layer& layer, const std::vector<const Tensor*>& inputs, const Tensor& output, const std::vector<float>&) {
  layer.requant = quantization::add_requant(layer.requant.rounding, inputs[0]->scale, inputs[1]->scale, output.scale);
}

Expectation expected(const Layer&, const std::vector<const Tensor*>&, const std::vector<synthetic::Statistics>& values) {
  return {{values[0].mean + values[1].mean, std::hypot(values[0].deviation, values[1].deviation)}, {}};
}

void read(LayerReader& r) {
  r.layer.attributes = Add{};
  r.read_arithmetic();
  r.read_activation();
  r.read_output();
}

}  // namespace

OpInfo add() {
  OpInfo row;
  row.op = Op::Add;
  row.inputs = 2;
  row.summary = "sum of two tensors of one shape, each with its scale";
  row.keys = {"activation", "clamp", "output", "arithmetic"};
  row.arithmetic = {Rounding::FixedDouble, Rounding::FixedSingle};
  row.requant_entries = 3;
  row.shape = shape;
  row.golden = golden_add;
  row.resolve = resolve;
  row.expected = expected;
  row.read = read;
  return row;
}

}  // namespace gemel::ops
