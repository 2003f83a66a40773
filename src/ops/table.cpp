// SPDX-License-Identifier: Apache-2.0
// Any function of one 8-bit value: y = table[raw byte of x].
#include "ops/ops.hpp"

namespace gemel::ops {

ShapeRule table_shape(const Layer&, const std::vector<Shape>& inputs, const Shape&) { return {inputs[0], {}}; }

Bytes table_golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const TableEntries& entries = layer.get<Table>()->entries;
  Bytes y(static_cast<std::size_t>(output.shape.elements()));
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = entries[inputs[0].data[i]];
  return y;
}

}  // namespace gemel::ops
