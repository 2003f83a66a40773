// SPDX-License-Identifier: Apache-2.0
// The table of lowerings: how the machine runs each operator. What an operator computes is in src/ops.
#include "base/error.hpp"
#include "compiler/lower.hpp"

namespace gemel::compiler {

const OpLowering& Lowerer::lowering(Op op) {
  using L = Lowerer;
  using isa::Opcode;
  constexpr const char* VectorUnit = "vector unit";
  static const OpLowering rows[] = {  // in the order of Op
      {Op::Conv2d, "array; with one channel a group also the vector unit, or both", Opcode::Depthwise, &L::plan_weighted, &L::lower_weighted},
      {Op::Dense, "array", Opcode::Depthwise, &L::plan_weighted, &L::lower_weighted},
      {Op::MatMul, "array", Opcode::Depthwise, &L::plan_weighted, &L::lower_weighted},
      {Op::Add, "vector unit; behind a layer of the array within its tiles", Opcode::Add, &L::plan_elementwise, &L::lower_elementwise},
      {Op::Sub, VectorUnit, Opcode::Sub, &L::plan_elementwise, &L::lower_elementwise},
      {Op::Mul, VectorUnit, Opcode::Mul, &L::plan_elementwise, &L::lower_elementwise},
      {Op::MaxPool, VectorUnit, Opcode::PoolMax, &L::plan_pool, &L::lower_window},
      {Op::AvgPool, VectorUnit, Opcode::PoolSum, &L::plan_pool, &L::lower_window},
      {Op::GlobalAvgPool, VectorUnit, Opcode::PoolSum, &L::plan_mean, &L::lower_window},
      {Op::Table, "vector unit; behind any other layer without a step of its own", Opcode::PoolSum, &L::plan_elementwise, &L::lower_elementwise},
      {Op::Reshape, "nothing: a view", Opcode::PoolSum, nullptr, nullptr},
      {Op::Softmax, "host", Opcode::PoolSum, nullptr, nullptr},
      {Op::ArgMax, "host", Opcode::PoolSum, nullptr, nullptr},
      {Op::MaskedSoftmax, "host", Opcode::PoolSum, nullptr, nullptr},
      {Op::LayerNorm, "host", Opcode::PoolSum, nullptr, nullptr},
      {Op::Transpose, "host", Opcode::PoolSum, nullptr, nullptr},
      {Op::BatchMatMul, "host", Opcode::PoolSum, nullptr, nullptr},
      {Op::Gather, "host", Opcode::PoolSum, nullptr, nullptr},
      {Op::AddConstant, "host", Opcode::PoolSum, nullptr, nullptr},
      {Op::GroupedMatMul, "array; the host puts the second input into the order of weights", Opcode::Depthwise, &L::plan_weighted, &L::lower_weighted},
  };
  static_assert(std::size(rows) == OpCount, "every operator has a row");
  const OpLowering& row = rows[static_cast<std::size_t>(op)];
  if (row.op != op) throw InternalError(std::string("the lowering of ") + to_string(op) + " stands in another row");
  return row;
}

}  // namespace gemel::compiler
