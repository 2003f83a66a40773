// SPDX-License-Identifier: Apache-2.0
// Sum and difference of two tensors of one shape, each with its scale; TFLite's ADD and SUB, with three multipliers of any arithmetic.
//   y = round(round((a - a_zero) << 20, first) +- round((b - b_zero) << 20, second) + bias, sum) + y_zero, clamped
#include <cmath>
#include <type_traits>

#include "network/layer_reader.hpp"
#include "ops/ops.hpp"

namespace gemel::ops {
namespace {

template <class Kind>
constexpr bool Subtracts = std::is_same_v<Kind, Sub>;

template <class Kind>
ShapeRule shape(const Layer&, const std::vector<Shape>& inputs, const Shape&) {
  return same_shape(inputs, Subtracts<Kind> ? "what is subtracted" : "what is added");
}

template <class Kind>
Bytes golden_sum(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const auto scaled = [&](std::size_t operand, std::int64_t i) {
    const Tensor& tensor = inputs[operand].tensor;
    const int difference = value_of(inputs[operand].data[i], tensor.type) - tensor.zero_point;
    return rounded(layer, operand, difference * (1 << numerics::AddLeftShift));
  };
  const std::int64_t count = output.shape.elements();
  Bytes y(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int32_t a = scaled(0, i), b = scaled(1, i), sum = Subtracts<Kind> ? numerics::wrap_subtract(a, b) : numerics::wrap_add(a, b);
    y[static_cast<std::size_t>(i)] = finished(layer, rounded(layer, 2, numerics::wrap_add(sum, layer.requant.bias)), output.zero_point);
  }
  return y;
}

void resolve(Layer& layer, const std::vector<const Tensor*>& inputs, const Tensor& output, const std::vector<float>&) {
  layer.requant = quantization::add_requant(layer.requant.rounding, inputs[0]->scale, inputs[1]->scale, output.scale);
}

template <class Kind>
Expectation expected(const Layer&, const std::vector<const Tensor*>&, const std::vector<synthetic::Statistics>& values) {
  const double mean = Subtracts<Kind> ? values[0].mean - values[1].mean : values[0].mean + values[1].mean;
  return {{mean, std::hypot(values[0].deviation, values[1].deviation)}, {}};
}

template <class Kind>
void read(LayerReader& r) {
  r.layer.attributes = Kind{};
  r.read_arithmetic();
  r.read_activation();
  r.read_output();
}

template <class Kind>
OpInfo row_of(const char* summary) {
  OpInfo row;
  row.op = Kind::op;
  row.inputs = 2;
  row.summary = summary;
  row.keys = {"activation", "clamp", "output", "arithmetic"};
  row.arithmetic = {Rounding::FixedDouble, Rounding::FixedSingle, Rounding::Float};
  row.requant_entries = 3;
  row.shape = shape<Kind>;
  row.golden = golden_sum<Kind>;
  row.resolve = resolve;
  row.expected = expected<Kind>;
  row.read = read<Kind>;
  return row;
}

}  // namespace

OpInfo add() { return row_of<Add>("sum of two tensors of one shape, each with its scale"); }
OpInfo sub() { return row_of<Sub>("difference of two tensors of one shape, each with its scale"); }

}  // namespace gemel::ops
