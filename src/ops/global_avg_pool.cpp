// SPDX-License-Identifier: Apache-2.0
// Mean over height and width, with rescaling; TFLite's MEAN, and in `float` ONNX Runtime's QLinearGlobalAveragePool.
//   y = round(sum of (x - x_zero)) + y_zero, clamped; the division is in the multiplier (numerics::mean_requant)
#include <cmath>

#include "network/layer_reader.hpp"
#include "ops/ops.hpp"

namespace gemel::ops {
namespace {

ShapeRule shape(const Layer&, const std::vector<Shape>& inputs, const Shape&) {
  const Shape& in = inputs[0];
  if (const std::string problem = image_problem(in); !problem.empty()) return shape_problem(problem);
  return {{in[0], 1, 1, in[3]}, {}, {}, "E0211", {}};
}

Bytes golden_mean(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const Tensor& input = inputs[0].tensor;
  const Nhwc in = input.nhwc();
  const std::int64_t pixels = std::int64_t{in.h} * in.w;
  Bytes y;
  for (int n = 0; n < in.n; ++n) {
    for (int c = 0; c < in.c; ++c) {
      std::int32_t sum = 0;
      for (std::int64_t p = 0; p < pixels; ++p) {
        const std::uint8_t raw = inputs[0].data[(n * pixels + p) * in.c + c];
        sum = numerics::wrap_add(sum, value_of(raw, input.type) - input.zero_point);
      }
      y.push_back(finished(layer, rounded(layer, 0, sum), output.zero_point));
    }
  }
  return y;
}

std::int64_t pixels_of(const Tensor& input) {
  const Nhwc image = input.nhwc();
  return std::int64_t{image.h} * image.w;
}

void resolve(Layer& layer, const std::vector<const Tensor*>& inputs, const Tensor& output, const std::vector<float>&) {
  layer.requant = quantization::mean_requant(layer.requant.rounding, inputs[0]->scale, output.scale, pixels_of(*inputs[0]));
}

Expectation expected(const Layer&, const std::vector<const Tensor*>& inputs, const std::vector<synthetic::Statistics>& values) {
  synthetic::Statistics s = values[0];
  s.deviation /= std::pow(static_cast<double>(pixels_of(*inputs[0])), 0.25);
  return {s, {}};
}

void read(LayerReader& r) {
  r.layer.attributes = GlobalAvgPool{};
  r.read_arithmetic();
  r.read_activation();
  r.read_output();
}

}  // namespace

OpInfo global_avg_pool() {
  OpInfo row;
  row.op = Op::GlobalAvgPool;
  row.summary = "mean over height and width, rescaled";
  row.keys = {"activation", "clamp", "output", "arithmetic"};
  row.arithmetic = {Rounding::FixedDouble, Rounding::FixedSingle, Rounding::Float};
  row.requant_entries = 1;
  row.shape = shape;
  row.golden = golden_mean;
  row.resolve = resolve;
  row.expected = expected;
  row.read = read;
  return row;
}

}  // namespace gemel::ops
