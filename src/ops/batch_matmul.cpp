// SPDX-License-Identifier: Apache-2.0
// Product of matrices that the network computes, [..., M, K] times [..., K, N], one for each index of the outer dimensions. It runs on the host.
// y = round((a - z_a)(b - z_b), summed over K) + z_y with the one multiplier of s_a s_b / s_y: TFLite's BATCH_MATMUL in fixed arithmetic (s_a s_b in
// float32, as in its FULLY_CONNECTED), ONNX Runtime's QLinearMatMul in float.
#include "network/layer_reader.hpp"
#include "ops/weighted.hpp"

namespace gemel::ops {
namespace {

constexpr std::int64_t MostTerms = 32768;  // 2^15 products below 2^16: their sum fits int32

ShapeRule shape(const Layer&, const std::vector<Shape>& inputs, const Shape&) {
  const Shape &a = inputs[0], &b = inputs[1];
  const int rank = a.rank();
  bool fits = rank >= 2 && b.rank() == rank;
  for (int d = 0; fits && d < rank - 2; ++d) fits = a[d] == b[d];
  if (!fits || a[rank - 1] != b[rank - 2])
    return shape_problem("its inputs have the shapes " + to_string(a) + " and " + to_string(b) + ", but must be [..., M, K] and [..., K, N]");
  if (a[rank - 1] > MostTerms)
    return too_large("a sum of " + std::to_string(a[rank - 1]) + " products of two computed tensors may not fit int32", "the most is 32768");
  Shape out = a;
  out[rank - 1] = b[rank - 1];
  return {out, {}, {}, "E0211", {}};
}

Bytes golden_batch_matmul(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const Operand &a = inputs[0], &b = inputs[1];
  const int rank = output.shape.rank();
  const std::int64_t m = output.shape[rank - 2], n = output.shape[rank - 1], k = a.tensor.shape[rank - 1];
  Bytes y(static_cast<std::size_t>(output.shape.elements()));
  std::vector<std::int32_t> sums(static_cast<std::size_t>(n));
  for (std::int64_t row = 0; row < output.shape.elements() / n; ++row) {
    const std::uint8_t* left = a.data + row * k;
    const std::uint8_t* right = b.data + row / m * k * n;
    std::fill(sums.begin(), sums.end(), 0);
    for (std::int64_t i = 0; i < k; ++i) {
      const int factor = value_of(left[i], a.tensor.type) - a.tensor.zero_point;
      for (std::int64_t j = 0; j < n; ++j)
        sums[static_cast<std::size_t>(j)] += factor * (value_of(right[i * n + j], b.tensor.type) - b.tensor.zero_point);
    }
    for (std::int64_t j = 0; j < n; ++j)
      y[static_cast<std::size_t>(row * n + j)] = finished(layer, rounded(layer, 0, sums[static_cast<std::size_t>(j)]), output.zero_point);
  }
  return y;
}

void resolve(Layer& layer, const std::vector<const Tensor*>& inputs, const Tensor& output, const std::vector<float>&) {
  const std::vector<float> scale = {static_cast<float>(inputs[1]->scale)};
  layer.requant = quantization::conv_requant(layer.requant.rounding, inputs[0]->scale, scale, output.scale, 1);
}

Expectation expected(const Layer&, const std::vector<const Tensor*>& inputs, const std::vector<synthetic::Statistics>& values) {
  return expected_product(inputs[0]->shape.innermost(), values);
}

void read(LayerReader& r) {
  r.layer.attributes = BatchMatMul{};
  r.read_arithmetic();
  r.read_activation();
  r.read_output();
}

}  // namespace

Expectation expected_product(std::int64_t terms, const std::vector<synthetic::Statistics>& values) {
  const synthetic::Statistics &a = values[0], &b = values[1];
  const auto count = static_cast<double>(terms);
  const auto square = [](const synthetic::Statistics& s) { return s.mean * s.mean + s.deviation * s.deviation; };
  const double mean = a.mean * b.mean;
  return {{count * mean, std::sqrt(count * std::max(square(a) * square(b) - mean * mean, 1e-12))}, {}};
}

OpInfo batch_matmul() {
  OpInfo row;
  row.op = Op::BatchMatMul;
  row.inputs = 2;
  row.summary = "products of matrices that are both computed, [..., M, K] times [..., K, N]";
  row.keys = {"activation", "clamp", "output", "arithmetic"};
  row.arithmetic = {Rounding::FixedDouble, Rounding::FixedSingle, Rounding::Float};
  row.requant_entries = 1;
  row.on_host = true;
  row.shape = shape;
  row.golden = golden_batch_matmul;
  row.resolve = resolve;
  row.expected = expected;
  row.read = read;
  return row;
}

}  // namespace gemel::ops
