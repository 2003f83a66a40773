// SPDX-License-Identifier: Apache-2.0
// Shape rules of dense layers (one row per image) and of products of rows with a constant matrix. Their golden is that of a 1x1
// convolution over as_convolution()'s view: conv2d.cpp.
#include "ops/ops.hpp"

namespace gemel::ops {

ShapeRule dense_shape(const Layer&, const std::vector<Shape>& inputs, const Shape& wanted) {
  const Shape& in = inputs[0];
  if (in.rank() < 2) return {{}, to_string(in) + " has no dimension for the images: that needs [n, ..., c]"};
  Shape out = in;
  for (int i = 1; i < out.rank(); ++i) out[i] = 1;
  out[out.rank() - 1] = wanted.innermost();
  return {out, {}};
}

ShapeRule matmul_shape(const Layer&, const std::vector<Shape>& inputs, const Shape& wanted) {
  Shape out = inputs[0];
  if (out.rank() < 1) return {{}, "a single element has no rows"};
  out[out.rank() - 1] = wanted.innermost();
  return {out, {}};
}

}  // namespace gemel::ops
