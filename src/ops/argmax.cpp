// SPDX-License-Identifier: Apache-2.0
// Index of the first largest value along the innermost dimension, which the output does not have; TFLite's ARG_MAX and ONNX's ArgMax
// (axis -1, keepdims 0). It runs on the host.
#include <cstring>

#include "network/layer_reader.hpp"
#include "ops/ops.hpp"

namespace gemel::ops {
namespace {

ShapeRule shape(const Layer&, const std::vector<Shape>& inputs, const Shape&) {
  const Shape& in = inputs[0];
  if (in.rank() < 1) return shape_problem("a single element has no dimension to search along");
  return {Shape(std::vector<std::int64_t>(in.begin(), in.end() - 1)), {}, {}, "E0211", {}};
}

Bytes golden_argmax(const Layer&, const std::vector<Operand>& inputs, const Tensor& output) {
  const Tensor& input = inputs[0].tensor;
  const std::int64_t length = input.shape.innermost(), rows = output.shape.elements();
  Bytes y(static_cast<std::size_t>(output.bytes()));
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::uint8_t* x = inputs[0].data + r * length;
    std::int32_t best = 0;
    for (std::int64_t i = 1; i < length; ++i) {
      if (value_of(x[i], input.type) > value_of(x[best], input.type)) best = static_cast<std::int32_t>(i);
    }
    std::memcpy(y.data() + r * static_cast<std::int64_t>(sizeof best), &best, sizeof best);
  }
  return y;
}

Expectation expected(const Layer&, const std::vector<const Tensor*>&, const std::vector<synthetic::Statistics>&) { return {{0, 1}, {}}; }

void read(LayerReader& r) {
  r.layer.attributes = ArgMax{};
  r.output.type = ElementType::Int32;
  r.output.scale = 1;
}

}  // namespace

OpInfo argmax() {
  OpInfo row;
  row.op = Op::ArgMax;
  row.summary = "index of the first largest value along the innermost dimension, as int32";
  row.output_type = ElementType::Int32;
  row.on_host = true;
  row.shape = shape;
  row.golden = golden_argmax;
  row.expected = expected;
  row.read = read;
  return row;
}

}  // namespace gemel::ops
