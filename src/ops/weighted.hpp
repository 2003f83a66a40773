// SPDX-License-Identifier: Apache-2.0
// What operators with weights have in common: conv2d, and dense and matmul as 1x1 convolutions (as_convolution()). In conv2d.cpp.
#pragma once
#include "ops/ops.hpp"

namespace gemel::ops {

Bytes weighted_golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output);
void resolve_weighted(Layer& layer, const std::vector<const Tensor*>& inputs, const Tensor& output, const std::vector<float>& weight_scales);

// Of sums of so many products of two computed tensors with these values.
Expectation expected_product(std::int64_t terms, const std::vector<synthetic::Statistics>& values);

// Why a layer cannot make so many output channels; ok() if it can.
ShapeRule check_channels(std::int64_t channels);

}  // namespace gemel::ops
