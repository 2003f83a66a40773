// SPDX-License-Identifier: Apache-2.0
// Dimensions in another order: every element is moved. It runs on the host.
#include <algorithm>
#include <numeric>

#include "network/layer_reader.hpp"
#include "ops/ops.hpp"

namespace gemel::ops {
namespace {

std::string order_text(const std::vector<int>& order) {
  std::string text;
  for (const int d : order) text += (text.empty() ? "[" : ", ") + std::to_string(d);
  return text.empty() ? "[]" : text + "]";
}

ShapeRule shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape&) {
  const std::vector<int>& order = layer.get<Transpose>()->order;
  std::vector<int> sorted = order, all(static_cast<std::size_t>(inputs[0].rank()));
  std::sort(sorted.begin(), sorted.end());
  std::iota(all.begin(), all.end(), 0);
  if (sorted != all)
    return shape_problem("its order is " + order_text(order) + ", but must have each of the " + std::to_string(inputs[0].rank()) +
                             " dimensions of its input " + to_string(inputs[0]) + " once, counted from 0", "order");
  std::vector<std::int64_t> lengths;
  for (const int d : order) lengths.push_back(inputs[0][d]);
  return {Shape(lengths), {}, {}, "E0211", {}};
}

Bytes golden_transpose(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const std::vector<int>& order = layer.get<Transpose>()->order;
  const Shape& in = inputs[0].tensor.shape;
  const auto rank = order.size();
  std::vector<std::int64_t> stride(rank, 1), step(rank), at(rank, 0);  // of the input by dimension; of the input by the output's; the element's place
  for (std::size_t d = rank; d-- > 1;) stride[d - 1] = stride[d] * in[static_cast<int>(d)];
  for (std::size_t d = 0; d < rank; ++d) step[d] = stride[static_cast<std::size_t>(order[d])];
  Bytes y(static_cast<std::size_t>(output.bytes()));
  std::int64_t from = 0;
  for (std::uint8_t& element : y) {
    element = inputs[0].data[from];
    for (std::size_t d = rank; d-- > 0;) {  // the next element of the output
      from += step[d];
      if (++at[d] < output.shape[static_cast<int>(d)]) break;
      from -= step[d] * at[d];
      at[d] = 0;
    }
  }
  return y;
}

Expectation expected(const Layer&, const std::vector<const Tensor*>&, const std::vector<synthetic::Statistics>& values) { return {values[0], {}}; }

void read(LayerReader& r) {
  Transpose transpose;
  const YamlValue order = r.map().require("order");
  r.valid = r.valid && order.is_list();
  for (const YamlValue& item : order.exists() ? order.as_list() : std::vector<YamlValue>{}) {
    const auto dimension = item.as_integer(0, Shape::MaxRank - 1);
    r.valid = r.valid && dimension;
    transpose.order.push_back(static_cast<int>(dimension.value_or(0)));
  }
  r.layer.attributes = std::move(transpose);
  r.read_kept_output();
}

}  // namespace

OpInfo transpose() {
  OpInfo row;
  row.op = Op::Transpose;
  row.summary = "dimensions in another order: that of `order`, as indices of the input's; type, scale and zero point are the input's";
  row.keys = {"order", "output"};
  row.on_host = true;
  row.keeps_quantization = true;
  row.shape = shape;
  row.golden = golden_transpose;
  row.expected = expected;
  row.read = read;
  return row;
}

}  // namespace gemel::ops
