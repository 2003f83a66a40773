// SPDX-License-Identifier: Apache-2.0
// Dense layers (one row per image) and products of rows with a constant matrix. Their golden is that of a 1x1 convolution.
#include "network/layer_reader.hpp"
#include "network/limits.hpp"
#include "ops/weighted.hpp"

namespace gemel::ops {
namespace {

ShapeRule dense_shape(const Layer&, const std::vector<Shape>& inputs, const Shape& wanted) {
  const Shape& in = inputs[0];
  if (in.rank() < 2) return shape_problem(to_string(in) + " has no dimension for the images: that needs [n, ..., c]");
  if (const std::int64_t row = in.elements() / in[0]; row > limits::MostLength)
    return too_large("a row of " + std::to_string(row) + " values is too long", "a dimension may be 2^24 long");
  if (const ShapeRule rule = check_channels(wanted.innermost()); !rule.ok()) return rule;
  Shape out = in;
  for (int i = 1; i < out.rank(); ++i) out[i] = 1;
  out[out.rank() - 1] = wanted.innermost();
  return {out, {}, {}, "E0211", {}};
}

ShapeRule matmul_shape(const Layer&, const std::vector<Shape>& inputs, const Shape& wanted) {
  Shape out = inputs[0];
  if (out.rank() < 1) return shape_problem("a single element has no rows");
  if (const ShapeRule rule = check_channels(wanted.innermost()); !rule.ok()) return rule;
  out[out.rank() - 1] = wanted.innermost();
  return {out, {}, {}, "E0211", {}};
}

template <class Kind>
void read_product(LayerReader& r) {
  Kind product;
  r.wanted = {r.read_channels(0)};
  r.read_weights(product.weights);
  r.read_result();
  r.layer.attributes = std::move(product);
}

OpInfo product() {
  OpInfo row;
  row.keys = {"out_channels", "activation", "clamp", "output", "weight", "arithmetic", "sum_bytes"};
  row.arithmetic = {Rounding::FixedDouble, Rounding::FixedSingle, Rounding::Float};
  row.requant_entries = PerChannel;
  row.golden = weighted_golden;
  row.resolve = resolve_weighted;
  return row;
}

}  // namespace

OpInfo dense() {
  OpInfo row = product();
  row.op = Op::Dense;
  row.summary = "all elements of an image as one row, times constant weights";
  row.shape = dense_shape;
  row.read = read_product<Dense>;
  return row;
}

OpInfo matmul() {
  OpInfo row = product();
  row.op = Op::MatMul;
  row.summary = "every row along the innermost dimension, times constant weights";
  row.shape = matmul_shape;
  row.read = read_product<MatMul>;
  return row;
}

}  // namespace gemel::ops
