// SPDX-License-Identifier: Apache-2.0
// The table of operators.
#include "ops/ops.hpp"

#include "base/error.hpp"

namespace gemel::ops {

const std::vector<OpInfo>& table() {
  static const std::vector<OpInfo> rows = {
      {Op::Conv2d, to_string(Op::Conv2d), 1, conv2d_shape, conv2d_golden},
      {Op::Dense, to_string(Op::Dense), 1, dense_shape, conv2d_golden},
      {Op::MatMul, to_string(Op::MatMul), 1, matmul_shape, conv2d_golden},
      {Op::Add, to_string(Op::Add), 2, add_shape, add_golden},
      {Op::MaxPool, to_string(Op::MaxPool), 1, pool_shape, max_pool_golden},
      {Op::AvgPool, to_string(Op::AvgPool), 1, pool_shape, avg_pool_golden},
      {Op::GlobalAvgPool, to_string(Op::GlobalAvgPool), 1, global_avg_pool_shape, global_avg_pool_golden},
      {Op::Table, to_string(Op::Table), 1, table_shape, table_golden},
      {Op::Reshape, to_string(Op::Reshape), 1, reshape_shape, reshape_golden},
  };
  return rows;
}

const OpInfo& info(Op op) {
  for (const OpInfo& row : table()) {
    if (row.op == op) return row;
  }
  throw InternalError("operator " + std::to_string(static_cast<int>(op)) + " has no row in the table of operators");
}

std::string image_problem(const Shape& shape) {
  return shape.rank() == 4 ? "" : to_string(shape) + " is no image: that has 4 dimensions, [n, h, w, c]";
}

ShapeRule output_shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape& wanted) {
  const OpInfo& row = info(layer.op());
  if (inputs.size() != static_cast<std::size_t>(row.inputs)) {
    return {{}, std::string(row.name) + " takes " + std::to_string(row.inputs) + " inputs, not " + std::to_string(inputs.size())};
  }
  return row.output_shape(layer, inputs, wanted);
}

Bytes golden(const Network& network, const Layer& layer, const std::vector<const std::uint8_t*>& inputs) {
  std::vector<Operand> operands;
  for (std::size_t i = 0; i < inputs.size(); ++i) operands.push_back({network.tensors.at(layer.inputs.at(i)), inputs[i]});
  Bytes out = info(layer.op()).golden(layer, operands, network.tensors.at(layer.output));
  if (layer.then_table) {
    for (std::uint8_t& byte : out) byte = (*layer.then_table)[byte];
  }
  return out;
}

}  // namespace gemel::ops
