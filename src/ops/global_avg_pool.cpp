// SPDX-License-Identifier: Apache-2.0
// Mean over height and width, with rescaling; TFLite's MEAN.
//   y = round(sum of (x - x_zero)) + y_zero, clamped; the division is in the multiplier (numerics::mean_requant)
#include "ops/ops.hpp"

namespace gemel::ops {

ShapeRule global_avg_pool_shape(const Layer&, const std::vector<Shape>& inputs, const Shape&) {
  const Shape& in = inputs[0];
  if (const std::string problem = image_problem(in); !problem.empty()) return {{}, problem};
  return {{in[0], 1, 1, in[3]}, {}};
}

Bytes global_avg_pool_golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
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

}  // namespace gemel::ops
