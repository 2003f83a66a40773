// SPDX-License-Identifier: Apache-2.0
// The same elements in the same order under another shape.
#include "network/layer_reader.hpp"
#include "network/limits.hpp"
#include "ops/ops.hpp"

namespace gemel::ops {
namespace {

ShapeRule shape(const Layer&, const std::vector<Shape>& inputs, const Shape& wanted) {
  const std::int64_t elements = wanted.checked_elements(limits::MostElements);
  if (elements >= 0 && elements != inputs[0].elements())  // too large: said by whoever checks sizes
    return shape_problem(to_string(wanted) + " has " + std::to_string(elements) + " elements, but its input " + to_string(inputs[0]) +
                             " has " + std::to_string(inputs[0].elements()), "shape");
  return {wanted, {}, {}, "E0211", {}};
}

Bytes golden_reshape(const Layer&, const std::vector<Operand>& inputs, const Tensor& output) {
  return Bytes(inputs[0].data, inputs[0].data + output.bytes());
}

Expectation expected(const Layer&, const std::vector<const Tensor*>&, const std::vector<synthetic::Statistics>& values) { return {values[0], {}}; }

void read(LayerReader& r) {
  r.layer.attributes = Reshape{};
  r.read_view();
  r.read_kept_output();
}

}  // namespace

OpInfo reshape() {
  OpInfo row;
  row.op = Op::Reshape;
  row.summary = "the same elements in the same order under another shape; a view, which costs nothing";
  row.keys = {"shape", "output"};
  row.keeps_quantization = true;
  row.shape = shape;
  row.golden = golden_reshape;
  row.expected = expected;
  row.read = read;
  return row;
}

}  // namespace gemel::ops
