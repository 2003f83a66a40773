// SPDX-License-Identifier: Apache-2.0
// Sum of a tensor and constant real numbers, one for each element of its innermost dimensions: position embeddings, say. It runs on the host.
// What ONNX Runtime makes of DequantizeLinear, Add of a float32 constant, QuantizeLinear: float32 throughout.
#include "network/builder.hpp"
#include "network/layer_reader.hpp"
#include "ops/ops.hpp"

namespace gemel::ops {
namespace {

ShapeRule shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape&) {
  const std::vector<std::int64_t>& of = layer.get<AddConstant>()->shape;
  const Shape& in = inputs[0];
  const auto rank = static_cast<std::size_t>(in.rank());
  if (of.empty() || of.size() > rank || !std::equal(of.begin(), of.end(), in.begin() + (rank - of.size())))
    return shape_problem("its constant has the shape " + to_string(Shape(of)) + ", which are not the innermost dimensions of its input " + to_string(in),
                         "shape");
  return {in, {}, {}, "E0211", {}};
}

Bytes golden_add_constant(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const std::vector<float>& addend = layer.get<AddConstant>()->addend;
  Bytes y(static_cast<std::size_t>(output.shape.elements()));
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = element_of(real_of(inputs[0].data[i], inputs[0].tensor) + addend[i % addend.size()], layer, output);
  return y;
}

std::vector<ConstantTensor> constants(Layer& layer, const Tensor&, const Tensor&) {
  AddConstant& add = *layer.get<AddConstant>();
  return {{"addend", add.shape, &add.addend, true, 0}};
}

Expectation expected(const Layer&, const std::vector<const Tensor*>&, const std::vector<synthetic::Statistics>& values) {
  return {{values[0].mean, std::hypot(values[0].deviation, synthetic::ConstantDeviation)}, {}};
}

void read(LayerReader& r) {
  AddConstant add;
  const YamlValue of = r.map().require("shape");
  if (of.exists()) {
    const Shape shape = r.read_shape(of);
    add.shape.assign(shape.begin(), shape.end());
  } else {
    r.valid = false;
  }
  r.layer.attributes = std::move(add);
  r.read_output();
}

}  // namespace

OpInfo add_constant() {
  OpInfo row;
  row.op = Op::AddConstant;
  row.summary = "plus the real numbers `NAME.addend`, whose `shape` is that of the innermost dimensions";
  row.keys = {"shape", "output"};
  row.on_host = true;
  row.shape = shape;
  row.golden = golden_add_constant;
  row.constants = constants;
  row.expected = expected;
  row.read = read;
  return row;
}

}  // namespace gemel::ops
