// SPDX-License-Identifier: Apache-2.0
// Products of rows with matrices that the network computes, group by group: the heads of an attention. A row [G*K] has G groups of K elements; group g is
// multiplied with the matrix [N, K] of its group, which lies as weights lie, and gives N elements of the row [G*N]. The machine runs it as a grouped
// convolution of 1x1 whose weights the host has put into their order.
#include <limits>

#include "network/builder.hpp"
#include "network/layer_reader.hpp"
#include "ops/weighted.hpp"

namespace gemel::ops {
namespace {

ShapeRule shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape&) {
  const Shape &x = inputs[0], &w = inputs[1];
  const std::int64_t groups = layer.get<GroupedMatMul>()->groups;
  const bool fits = x.rank() == 3 && w.rank() == 4 && x[0] == w[0] && w[1] == groups && w[1] * w[3] == x[2];
  if (!fits)
    return shape_problem("its inputs have the shapes " + to_string(x) + " and " + to_string(w) + ", but must be [n, rows, G*K] and [n, G, N, K] with " +
                         std::to_string(groups) + " groups G");
  constexpr std::int64_t MostTerms = 32768;  // 2^15 products below 2^16: their sum fits int32
  if (w[3] > MostTerms)
    return too_large("a sum of " + std::to_string(w[3]) + " products of two computed tensors may not fit int32", "the most is 32768");
  if (w.elements() > std::numeric_limits<std::int32_t>::max())
    return too_large("its second input " + to_string(w) + " has more elements than can be weights", "the most is 2^31 - 1");
  if (const ShapeRule rule = check_channels(layer.out_bytes() * w[1] * w[2]); !rule.ok()) return rule;
  return {{x[0], x[1], layer.out_bytes() * w[1] * w[2]}, {}, {}, "E0211", {}};
}

// Image by image, each with its own weights.
Bytes golden_grouped_matmul(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  Layer one = layer;
  Tensor x = inputs[0].tensor, y = output;
  x.shape[0] = y.shape[0] = 1;
  Weights& weights = *one.weights();
  weights.type = inputs[1].tensor.type;
  weights.zero_point = inputs[1].tensor.zero_point;
  const std::int64_t images = output.shape[0], matrices = inputs[1].tensor.shape.elements() / images;
  Bytes made;
  for (std::int64_t n = 0; n < images; ++n) {
    weights.bytes.assign(inputs[1].data + n * matrices, inputs[1].data + (n + 1) * matrices);
    const Bytes image = weighted_golden(one, {{x, inputs[0].data + n * x.shape.elements()}}, y);
    made.insert(made.end(), image.begin(), image.end());
  }
  return made;
}

void resolve(Layer& layer, const std::vector<const Tensor*>& inputs, const Tensor& output, const std::vector<float>&) {
  const std::vector<float> scale = {static_cast<float>(inputs[1]->scale)};
  layer.requant = quantization::conv_requant(layer.requant.rounding, inputs[0]->scale, scale, output.scale,
                                             static_cast<int>(output.shape.innermost()));
}

Expectation expected(const Layer&, const std::vector<const Tensor*>& inputs, const std::vector<synthetic::Statistics>& values) {
  return expected_product(inputs[1]->shape.innermost(), values);
}

void read(LayerReader& r) {
  GroupedMatMul product;
  if (r.map().require("groups").exists()) product.groups = static_cast<int>(r.map().integer("groups", 1, std::numeric_limits<int>::max(), 1));
  else r.valid = false;
  r.layer.attributes = std::move(product);
  r.read_result();
}

}  // namespace

OpInfo grouped_matmul() {
  OpInfo row;
  row.op = Op::GroupedMatMul;
  row.inputs = 2;
  row.summary = "rows [n, rows, G*K], group by group times the computed matrices [n, G, N, K] of the second input, which a layer of the host must make";
  row.keys = {"groups", "activation", "clamp", "output", "arithmetic", "sum_bytes"};
  row.arithmetic = {Rounding::FixedDouble, Rounding::FixedSingle, Rounding::Float};
  row.requant_entries = PerChannel;
  row.shape = shape;
  row.golden = golden_grouped_matmul;
  row.resolve = resolve;
  row.expected = expected;
  row.read = read;
  return row;
}

}  // namespace gemel::ops
