// SPDX-License-Identifier: Apache-2.0
// Rows of a constant table, by indices: an embedding. ONNX's Gather along dimension 0, whose indices count from the end if they are negative. It runs
// on the host.
#include <cstring>

#include "base/error.hpp"
#include "network/layer_reader.hpp"
#include "network/limits.hpp"
#include "ops/ops.hpp"

namespace gemel::ops {
namespace {

ShapeRule shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape&) {
  std::vector<std::int64_t> lengths(inputs[0].begin(), inputs[0].end());
  if (lengths.size() == Shape::MaxRank)
    return shape_problem("its input " + to_string(inputs[0]) + " has 6 dimensions, and its output would have one more, which is too many");
  lengths.push_back(layer.get<Gather>()->channels);
  return {Shape(lengths), {}, {}, "E0211", {}};
}

Bytes golden_gather(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const Gather& gather = *layer.get<Gather>();
  const std::int64_t count = inputs[0].tensor.shape.elements();
  Bytes y(static_cast<std::size_t>(output.bytes()));
  for (std::int64_t i = 0; i < count; ++i) {
    std::int32_t index = 0;
    std::memcpy(&index, inputs[0].data + i * static_cast<std::int64_t>(sizeof index), sizeof index);
    const std::int64_t row = index < 0 ? index + gather.rows : index;
    if (row < 0 || row >= gather.rows)
      throw UserError("E0516", "layer `" + layer.name + "`: index " + std::to_string(index) + ", element " + std::to_string(i) + " of `" +
                                   inputs[0].tensor.name + "`, is none of the table's " + std::to_string(gather.rows) + " rows",
                      "indices are -" + std::to_string(gather.rows) + " to " + std::to_string(gather.rows - 1) + "; negative ones count from the end");
    std::memcpy(y.data() + i * gather.channels, gather.table.data() + row * gather.channels, static_cast<std::size_t>(gather.channels));
  }
  return y;
}

std::vector<ConstantTensor> constants(Layer& layer, const Tensor&, const Tensor&) {
  Gather& gather = *layer.get<Gather>();
  return {{"weight", {gather.rows, gather.channels}, &gather.table, true, 0}};
}

Expectation expected(const Layer&, const std::vector<const Tensor*>&, const std::vector<synthetic::Statistics>&) { return {{0, 1}, {}}; }

void read(LayerReader& r) {
  Gather gather;
  if (r.map().require("rows").exists()) gather.rows = r.map().integer("rows", 1, limits::MostLength, 1);
  else r.valid = false;
  gather.channels = r.read_channels(0);
  r.layer.attributes = std::move(gather);
  r.read_output();
}

}  // namespace

OpInfo gather() {
  OpInfo row;
  row.op = Op::Gather;
  row.summary = "for each int32 index the row of the constant table `NAME.weight` [rows, out_channels]; the output has one dimension more";
  row.keys = {"rows", "out_channels", "output"};
  row.input_type = ElementType::Int32;
  row.on_host = true;
  row.shape = shape;
  row.golden = golden_gather;
  row.constants = constants;
  row.expected = expected;
  row.read = read;
  return row;
}

}  // namespace gemel::ops
