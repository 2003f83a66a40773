// SPDX-License-Identifier: Apache-2.0
// Layer normalization over the innermost dimension. It runs on the host.
// To the bit what ONNX Runtime 1.32 makes of DequantizeLinear, LayerNormalization, QuantizeLinear on x86 with AVX2: its float32 kernel, whose results
// depend on the order of sums and on where products and sums are one operation (found by comparing its mean, its deviation and its output one by one).
//   Rows of 8 elements and more: the mean is a sum in double, rounded once. Squares of the differences are added up in eight lanes, fused; the lanes
//   are added pairwise, halves first. Of the elements behind the last eight, a whole group of four has its squares rounded before they are added; the
//   others are fused. The result is multiplied by 1 / deviation; gamma and beta are fused.
//   Shorter rows: Welford's method in float32, divided by the deviation, nothing fused.
#include <array>
#include <cmath>

#include "network/builder.hpp"
#include "network/layer_reader.hpp"
#include "ops/ops.hpp"

namespace gemel::ops {
namespace {

constexpr std::size_t Lanes = 8, Group = 4;

float mean_of(const std::vector<float>& x) {
  double sum = 0;
  for (const float v : x) sum += v;
  return static_cast<float>(sum / static_cast<double>(x.size()));
}

float variance_of(const std::vector<float>& x, float mean) {
  std::array<float, Lanes> lanes{};
  std::size_t i = 0;
  for (; i + Lanes <= x.size(); i += Lanes) {
    for (std::size_t k = 0; k < Lanes; ++k) {
      const float d = x[i + k] - mean;
      lanes[k] = std::fma(d, d, lanes[k]);
    }
  }
  const auto half = [&](std::size_t k) { return lanes[k] + lanes[k + 4]; };
  float sum = (half(0) + half(2)) + (half(1) + half(3));
  const std::size_t rounded = x.size() - i >= Group ? i + Group : i;
  for (; i < x.size(); ++i) {
    const float d = x[i] - mean;
    if (i < rounded) {
      const float square = d * d;
      sum = sum + square;
    } else {
      sum = std::fma(d, d, sum);
    }
  }
  return sum / static_cast<float>(x.size());
}

void normalize(std::vector<float>& x, const LayerNorm& norm) {
  const auto beta = [&](std::size_t i) { return norm.beta.empty() ? 0.0f : norm.beta[i]; };
  if (x.size() >= Lanes) {
    const float mean = mean_of(x);
    const float factor = 1.0f / std::sqrt(variance_of(x, mean) + norm.epsilon);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float scaled = (x[i] - mean) * factor;
      x[i] = std::fma(scaled, norm.gamma[i], beta(i));
    }
    return;
  }
  float mean = 0, squares = 0, count = 0;
  for (const float v : x) {
    const float d = v - mean;
    count += 1;
    mean = mean + d / count;
    const float product = d * (v - mean);
    squares = squares + product;
  }
  const float deviation = std::sqrt(squares / count + norm.epsilon);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float scaled = (x[i] - mean) / deviation * norm.gamma[i];
    x[i] = scaled + beta(i);
  }
}

Bytes golden_layer_norm(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const std::vector<float>& factor = layer.get<LayerNorm>()->factor;
  const std::int64_t length = output.shape.innermost(), count = output.shape.elements();
  std::vector<float> row(static_cast<std::size_t>(length));
  Bytes y(static_cast<std::size_t>(count));
  for (std::int64_t at = 0; at < count; at += length) {
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = real_of(inputs[0].data[at + static_cast<std::int64_t>(i)], inputs[0].tensor);
    for (std::size_t i = 0; i < factor.size(); ++i) row[i] = row[i] * factor[i];
    normalize(row, *layer.get<LayerNorm>());
    for (std::size_t i = 0; i < row.size(); ++i) y[static_cast<std::size_t>(at) + i] = element_of(row[i], layer, output);
  }
  return y;
}

ShapeRule shape(const Layer&, const std::vector<Shape>& inputs, const Shape&) { return {inputs[0], {}, {}, "E0211", {}}; }

std::vector<ConstantTensor> constants(Layer& layer, const Tensor& input, const Tensor&) {
  auto& norm = *layer.get<LayerNorm>();
  const std::vector<std::int64_t> row = {input.shape.innermost()};
  return {{"gamma", row, &norm.gamma, true, 1}, {"beta", row, &norm.beta, false, 0}, {"factor", row, &norm.factor, false, 1}};
}

Expectation expected(const Layer&, const std::vector<const Tensor*>&, const std::vector<synthetic::Statistics>&) { return {{0, 1.1}, {}}; }

void read(LayerReader& r) {
  LayerNorm norm;
  norm.epsilon = static_cast<float>(r.map().number("epsilon", 1e-30, 1, norm.epsilon));
  r.layer.attributes = std::move(norm);
  r.read_output();
}

}  // namespace

OpInfo layer_norm() {
  OpInfo row;
  row.op = Op::LayerNorm;
  row.summary = "normalization over the innermost dimension to the mean 0 and the deviation 1, then times `NAME.gamma` plus `NAME.beta`; "
                "the input times `NAME.factor` first, if there is one";
  row.keys = {"epsilon", "output"};
  row.on_host = true;
  row.shape = shape;
  row.golden = golden_layer_norm;
  row.constants = constants;
  row.expected = expected;
  row.read = read;
  return row;
}

}  // namespace gemel::ops
