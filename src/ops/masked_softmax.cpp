// SPDX-License-Identifier: Apache-2.0
// Softmax over the innermost dimension of which some elements do not count: attention with a mask. It runs on the host.
// What ONNX Runtime makes of DequantizeLinear, an Add of the mask's real number (0, or `penalty` where the mask is 0), Softmax, QuantizeLinear, where
// nothing becomes bytes in between: float32 at the seams, the sum in double. In a row without any element that counts all have the same penalty, and
// with that of the lowest float32 all have the same share.
#include <cmath>

#include "network/builder.hpp"
#include "network/layer_reader.hpp"
#include "ops/ops.hpp"

namespace gemel::ops {
namespace {

ShapeRule shape(const Layer&, const std::vector<Shape>& inputs, const Shape&) {
  const Shape &x = inputs[0], &mask = inputs[1];
  const std::int64_t rows = x.elements() / x.innermost(), masks = mask.elements() / mask.innermost();
  if (x.innermost() != mask.innermost() || rows % masks != 0)
    return shape_problem("its mask has the shape " + to_string(mask) + ", whose rows do not fit those of its input " + to_string(x));
  return {x, {}, {}, "E0211", {}};
}

Bytes golden_masked_softmax(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const Operand &x = inputs[0], &mask = inputs[1];
  const std::int64_t length = output.shape.innermost(), count = output.shape.elements();
  const std::int64_t each = count / mask.tensor.shape.elements() * length;  // elements that one row of the mask is for
  const float penalty = layer.get<MaskedSoftmax>()->penalty;
  std::vector<double> row(static_cast<std::size_t>(length));
  Bytes y(static_cast<std::size_t>(count));
  for (std::int64_t at = 0; at < count; at += length) {
    const std::uint8_t* counts = mask.data + at / each * length;
    double most = -std::numeric_limits<double>::infinity(), sum = 0;
    for (std::int64_t i = 0; i < length; ++i) {
      const float real = real_of(x.data[at + i], x.tensor) + (value_of(counts[i], mask.tensor.type) != 0 ? 0.0f : penalty);
      row[static_cast<std::size_t>(i)] = real;
      most = std::max<double>(most, real);
    }
    for (double& v : row) sum += v = std::exp(v - most);
    for (std::int64_t i = 0; i < length; ++i)
      y[static_cast<std::size_t>(at + i)] = element_of(static_cast<float>(row[static_cast<std::size_t>(i)] / sum), layer, output);
  }
  return y;
}

Expectation expected(const Layer&, const std::vector<const Tensor*>& inputs, const std::vector<synthetic::Statistics>&) {
  const double mean = 1.0 / static_cast<double>(inputs[0]->shape.innermost());
  return {{mean, mean}, {}};
}

void read(LayerReader& r) {
  MaskedSoftmax softmax;
  softmax.penalty = static_cast<float>(r.map().number("penalty", static_cast<double>(softmax.penalty), -1, static_cast<double>(softmax.penalty)));
  r.layer.attributes = softmax;
  r.read_output();
}

}  // namespace

OpInfo masked_softmax() {
  OpInfo row;
  row.op = Op::MaskedSoftmax;
  row.inputs = 2;
  row.summary = "softmax over the innermost dimension; where the second input, a mask, is 0, `penalty` is added first. A row of the mask is for as many rows "
                "of the first input as there are";
  row.keys = {"penalty", "output"};
  row.on_host = true;
  row.shape = shape;
  row.golden = golden_masked_softmax;
  row.expected = expected;
  row.read = read;
  return row;
}

}  // namespace gemel::ops
