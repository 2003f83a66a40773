// SPDX-License-Identifier: Apache-2.0
// The operators: for each its shape rule and its golden, a plain function from bytes to bytes with no clock and no tiling.
// One file per operator; ops.cpp has the table. Adding an operator: an entry in enum Op, one file here, one row there.
// Tensors are dense, row-major, raw bytes of the tensor's type; images are NHWC. Arithmetic: docs/reference/arithmetic.md.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/numerics.hpp"
#include "network/network.hpp"

namespace gemel::ops {

using Bytes = std::vector<std::uint8_t>;

// What a layer makes of its input shapes, or why it cannot.
struct ShapeRule {
  Shape shape;
  std::string problem;  // empty: fine. Else a clause without capital or full stop: "the kernel 3x3 is larger than ..."
  bool ok() const { return problem.empty(); }
};

// An input of a layer: its shape, type, zero point and bytes.
struct Operand {
  const Tensor& tensor;
  const std::uint8_t* data;
};

struct OpInfo {
  Op op;
  const char* name;
  int inputs;  // how many
  // `wanted` is the output as far as the layer does not decide it: the innermost length (channels) where it has weights, all of
  // a reshape.
  ShapeRule (*output_shape)(const Layer& layer, const std::vector<Shape>& inputs, const Shape& wanted);
  Bytes (*golden)(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output);
};
const OpInfo& info(Op op);
const std::vector<OpInfo>& table();

ShapeRule output_shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape& wanted = {});

// The output tensor of one layer, the table fused into it included. The network must obey the shape rules.
Bytes golden(const Network& network, const Layer& layer, const std::vector<const std::uint8_t*>& inputs);

// ---- Common to the operators ------------------------------------------------------------------------------------------

inline int value_of(std::uint8_t raw, ElementType type) {
  return type == ElementType::Int8 ? static_cast<int>(static_cast<std::int8_t>(raw)) : static_cast<int>(raw);
}
inline numerics::RequantMode requant_mode(Rounding rounding) {
  return rounding == Rounding::FixedDouble   ? numerics::RequantMode::FixedDouble
         : rounding == Rounding::FixedSingle ? numerics::RequantMode::FixedSingle
                                             : numerics::RequantMode::Float;
}
// x through entry `i` of the layer's requantization, without zero point and clamp.
inline std::int32_t rounded(const Layer& layer, std::size_t i, std::int32_t x) {
  return numerics::requantize(requant_mode(layer.requant.rounding), x, layer.requant.multiplier[i], layer.requant.shift[i]);
}
inline std::uint8_t finished(const Layer& layer, std::int32_t y, int zero_point) {
  return static_cast<std::uint8_t>(numerics::finish(y, zero_point, layer.clamp_min, layer.clamp_max));
}

// Why a shape is no image, or "".
std::string image_problem(const Shape& shape);

// Output length of a window that slides over one dimension; below 1: the window does not fit.
inline std::int64_t slide(std::int64_t length, std::int64_t pad_before, std::int64_t pad_after, std::int64_t kernel, std::int64_t dilation,
                          std::int64_t stride) {
  const std::int64_t room = length + pad_before + pad_after - ((kernel - 1) * dilation + 1);
  return room < 0 ? 0 : room / stride + 1;
}

// The shape rules and goldens, one pair per file.
ShapeRule conv2d_shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape& wanted);
Bytes conv2d_golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output);
ShapeRule dense_shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape& wanted);   // dense.cpp
ShapeRule matmul_shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape& wanted);  // dense.cpp
ShapeRule add_shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape& wanted);
Bytes add_golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output);
ShapeRule pool_shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape& wanted);  // max_pool.cpp; both pools
Bytes max_pool_golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output);
Bytes avg_pool_golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output);
ShapeRule global_avg_pool_shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape& wanted);
Bytes global_avg_pool_golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output);
ShapeRule table_shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape& wanted);
Bytes table_golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output);
ShapeRule reshape_shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape& wanted);
Bytes reshape_golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output);

}  // namespace gemel::ops
