// SPDX-License-Identifier: Apache-2.0
// Product of two tensors of one shape, each with its scale; TFLite's MUL.
//   y = round((a - a_zero) * (b - b_zero)) + y_zero, clamped
#include <cmath>

#include "network/layer_reader.hpp"
#include "ops/ops.hpp"

namespace gemel::ops {
namespace {

ShapeRule shape(const Layer&, const std::vector<Shape>& inputs, const Shape&) { return same_shape(inputs, "what is multiplied"); }

Bytes golden_mul(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const auto difference = [&](std::size_t operand, std::int64_t i) {
    const Tensor& tensor = inputs[operand].tensor;
    return value_of(inputs[operand].data[i], tensor.type) - tensor.zero_point;
  };
  const std::int64_t count = output.shape.elements();
  Bytes y(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i)
    y[static_cast<std::size_t>(i)] = finished(layer, rounded(layer, 0, difference(0, i) * difference(1, i)), output.zero_point);
  return y;
}

void resolve(Layer& layer, const std::vector<const Tensor*>& inputs, const Tensor& output, const std::vector<float>&) {
  const auto m = numerics::quantize_multiplier(inputs[0]->scale * inputs[1]->scale / output.scale);
  layer.requant = {layer.requant.rounding, {m.multiplier}, {m.shift}};
}

// Of two independent values.
Expectation expected(const Layer&, const std::vector<const Tensor*>&, const std::vector<synthetic::Statistics>& values) {
  const synthetic::Statistics &a = values[0], &b = values[1];
  return {{a.mean * b.mean, std::hypot(a.deviation * b.deviation, a.deviation * b.mean, a.mean * b.deviation)}, {}};
}

void read(LayerReader& r) {
  r.layer.attributes = Mul{};
  r.read_arithmetic();
  r.read_activation();
  r.read_output();
}

}  // namespace

OpInfo mul() {
  OpInfo row;
  row.op = Op::Mul;
  row.inputs = 2;
  row.summary = "product of two tensors of one shape, each with its scale";
  row.keys = {"activation", "clamp", "output", "arithmetic"};
  row.arithmetic = {Rounding::FixedDouble, Rounding::FixedSingle};
  row.requant_entries = 1;
  row.shape = shape;
  row.golden = golden_mul;
  row.resolve = resolve;
  row.expected = expected;
  row.read = read;
  return row;
}

}  // namespace gemel::ops
