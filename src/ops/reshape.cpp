// SPDX-License-Identifier: Apache-2.0
// The same elements in the same order under another shape.
#include "ops/ops.hpp"

namespace gemel::ops {

ShapeRule reshape_shape(const Layer&, const std::vector<Shape>& inputs, const Shape& wanted) {
  if (wanted.elements() != inputs[0].elements()) {
    return {{}, std::to_string(inputs[0].elements()) + " elements cannot be seen as " + std::to_string(wanted.elements())};
  }
  return {wanted, {}};
}

Bytes reshape_golden(const Layer&, const std::vector<Operand>& inputs, const Tensor& output) {
  return Bytes(inputs[0].data, inputs[0].data + output.bytes());
}

}  // namespace gemel::ops
