// SPDX-License-Identifier: Apache-2.0
// Any function of one 8-bit value: y = entries[raw byte of x]. The entries come from a function that has a name, or from a file.
#include <algorithm>
#include <cmath>
#include <iterator>

#include "network/layer_reader.hpp"
#include "network/limits.hpp"
#include "ops/ops.hpp"

namespace gemel::ops {
namespace {

// What others call the functions (names as YamlValue::as_choice() folds them).
const YamlValue::Synonyms FunctionSynonyms = {{"swish", "`silu`"}, {"hswish", "`hard_swish`"}, {"hsigmoid", "`hard_sigmoid`"},
                                              {"logistic", "`sigmoid`"}, {"relu6", "`activation: relu6` of the layer before"}};

ShapeRule shape(const Layer&, const std::vector<Shape>& inputs, const Shape&) { return {inputs[0], {}, {}, "E0211", {}}; }

Bytes golden_table(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const TableEntries& entries = layer.get<Table>()->entries;
  Bytes y(static_cast<std::size_t>(output.shape.elements()));
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = entries[inputs[0].data[i]];
  return y;
}

// Mean, deviation and range of f by a sum over the normal distribution, in steps of a fifth of a deviation.
Expectation expected(const Layer& layer, const std::vector<const Tensor*>&, const std::vector<synthetic::Statistics>& values) {
  const auto f = static_cast<quantization::TableFunction>(layer.get<Table>()->function);
  double weight = 0, first = 0, second = 0, low = 0, high = 0;
  for (int i = -16; i <= 16; ++i) {
    const double z = i / 5.0, p = std::exp(-0.5 * z * z), y = quantization::evaluate(f, values[0].mean + z * values[0].deviation);
    weight += p, first += p * y, second += p * y * y;
    low = std::min(low, y), high = std::max(high, y);
  }
  const double mean = first / weight;
  Expectation e{{mean, std::sqrt(std::max(second / weight - mean * mean, 1e-12))}, {}};
  if (!std::isfinite(e.values.deviation) || high - low > limits::MostScale) {  // exp of much
    e.values = {};
    low = -1.0, high = 1.0;
  }
  e.range = synthetic::Statistics{(low + high) / 2, std::max(high - low, 1e-6) / 6.4};
  return e;
}

void resolve(Layer& layer, const std::vector<const Tensor*>& inputs, const Tensor& output, const std::vector<float>&) {
  Table& table = *layer.get<Table>();
  if (table.function == Table::NoFunction) return;
  table.entries = quantization::fill_table(static_cast<quantization::TableFunction>(table.function), *inputs[0], output);
}

void read(LayerReader& r) {
  Table table;
  const auto& names = quantization::table_function_names();
  const bool from_file = r.context().from_file;
  const YamlValue value = from_file ? r.map().find("function") : r.map().require("function");
  const auto function = value.exists() ? value.as_choice(names, FunctionSynonyms) : std::nullopt;
  if (function) table.function = static_cast<int>(std::distance(names.begin(), std::find(names.begin(), names.end(), *function)));
  r.valid = r.valid && (function || (from_file && !value.exists()));
  r.read_output();
  r.layer.attributes = table;
}

}  // namespace

OpInfo lookup_table() {
  OpInfo row;
  row.op = Op::Table;
  row.summary = "any function of one value, by a table of 256 bytes: one that has a name (`function`), or the tensor `NAME.table`";
  row.keys = {"function", "output"};
  row.shape = shape;
  row.golden = golden_table;
  row.resolve = resolve;
  row.expected = expected;
  row.read = read;
  return row;
}

}  // namespace gemel::ops
