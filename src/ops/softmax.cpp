// SPDX-License-Identifier: Apache-2.0
// Softmax over the innermost dimension. It runs on the host.
// fixed_*: TFLite's integer SOFTMAX, which is gemmlowp's fixed-point arithmetic. A number with k integer bits is raw / 2^(31-k):
//   d = requantize(x - max), 5 integer bits; sum = sum of exp(d), 12 integer bits; y = exp(d) / sum in multiples of 1/256.
//   Values further below the maximum than 5 integer bits can say count as 0.
// float: what ONNX Runtime makes of DequantizeLinear, Softmax, QuantizeLinear: float32 at the seams, the sum in double. With `form: qlinear` what its
// QLinearSoftmax makes of them, which graph optimization puts there: powers from a table of float32, their sum in float32 one after the other, and
// the output's scale cut off to the reciprocal of a whole number.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "network/builder.hpp"
#include "network/layer_reader.hpp"
#include "ops/ops.hpp"

namespace gemel::ops {
namespace {

constexpr double FixedScale = 1.0 / 256;
constexpr double LeastInputScale = 0x1p-26;

// ---- gemmlowp's fixed point -------------------------------------------------------------------------------------------

std::int32_t saturated(std::int64_t x) {
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(x, INT32_MIN, INT32_MAX));
}
// Products of numbers with i and j integer bits have i + j.
std::int32_t times(std::int32_t a, std::int32_t b) {  // SaturatingRoundingDoublingHighMul: half away from zero
  const std::int64_t product = std::int64_t{a} * b;
  const std::int64_t nudge = product >= 0 ? std::int64_t{1} << 30 : 1 - (std::int64_t{1} << 30);
  return saturated((product + nudge) / (std::int64_t{1} << 31));
}
std::int32_t divided_by_power(std::int32_t x, int exponent) {  // RoundingDivideByPOT: half away from zero
  const std::int64_t mask = (std::int64_t{1} << exponent) - 1, rest = x & mask;
  return static_cast<std::int32_t>((std::int64_t{x} >> exponent) + (rest > (mask >> 1) + (x < 0 ? 1 : 0) ? 1 : 0));
}
std::int32_t times_power(std::int32_t x, int exponent) { return saturated(std::int64_t{x} * (std::int64_t{1} << exponent)); }

// exp(a) for a in [-1/4, 0); no integer bits.
std::int32_t exp_of_a_quarter(std::int32_t a) {
  constexpr std::int32_t ExpOfMinusEighth = 1895147668, Third = 715827883;
  const std::int32_t x = numerics::wrap_add(a, 1 << 28);  // Taylor's series around -1/8
  const std::int32_t x2 = times(x, x), x3 = times(x2, x), x4 = times(x2, x2);
  const std::int32_t quarter = divided_by_power(x4, 2);
  const std::int32_t tail = divided_by_power(numerics::wrap_add(times(numerics::wrap_add(quarter, x3), Third), x2), 1);
  return numerics::wrap_add(ExpOfMinusEighth, times(ExpOfMinusEighth, numerics::wrap_add(x, tail)));
}

// exp(a) for a <= 0 with 5 integer bits; no integer bits. One is 2^31 - 1.
std::int32_t exp_of_negative(std::int32_t a) {
  constexpr int Fraction = 26;
  constexpr std::int32_t Quarter = 1 << (Fraction - 2);
  if (a == 0) return INT32_MAX;
  const std::int32_t fine = (a & (Quarter - 1)) - Quarter;  // in [-1/4, 0)
  const std::int32_t rest = fine - a;                       // a multiple of 1/4
  std::int32_t result = exp_of_a_quarter(times_power(fine, 5));
  constexpr std::int32_t Factors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};  // exp(-2^k), k from -2
  for (int i = 0; i < 7; ++i) {
    if (rest & (std::int32_t{1} << (Fraction - 2 + i))) result = times(result, Factors[i]);
  }
  return result;
}

// 1 / (1 + a) for a in [0, 1), no integer bits, by three steps of Newton's method.
std::int32_t reciprocal_of_one_plus(std::int32_t a) {
  constexpr std::int32_t FortyEightOver17 = 1515870810, MinusThirtyTwoOver17 = -1010580540, One = 1 << 29;  // 2 integer bits
  const auto half = static_cast<std::int32_t>((std::int64_t{a} + INT32_MAX + 1) / 2);
  std::int32_t x = numerics::wrap_add(FortyEightOver17, times(half, MinusThirtyTwoOver17));
  for (int i = 0; i < 3; ++i) x = numerics::wrap_add(x, times_power(times(x, One - times(half, x)), 2));
  return times_power(x, 1);
}

// ---- One row ------------------------------------------------------------------------------------------------------------

struct Row {
  const Layer& layer;
  const Tensor& input;
  const Tensor& output;
  const std::uint8_t* x;
  std::int64_t length;
  std::uint8_t* y;

  int value(std::int64_t i) const { return value_of(x[i], input.type); }
  int largest() const {
    int most = value(0);
    for (std::int64_t i = 1; i < length; ++i) most = std::max(most, value(i));
    return most;
  }
};

void fixed_row(const Row& row) {
  constexpr int SumBits = 12;
  const int shift = row.layer.requant.shift.at(0);
  // TFLite's CalculateInputRadius(5, shift).
  const auto least = -static_cast<std::int64_t>(std::floor(31.0 * 0x1p26 / std::ldexp(1.0, shift)));
  const int most = row.largest();
  const auto scaled = [&](std::int64_t i) { return rounded(row.layer, 0, row.value(i) - most); };
  std::int32_t sum = 0;
  for (std::int64_t i = 0; i < row.length; ++i) {
    if (row.value(i) - most >= least) sum = numerics::wrap_add(sum, divided_by_power(exp_of_negative(scaled(i)), SumBits));
  }
  const int zeros = sum == 0 ? 32 : __builtin_clz(static_cast<std::uint32_t>(sum));
  const auto fraction = static_cast<std::int32_t>((static_cast<std::uint64_t>(static_cast<std::uint32_t>(sum)) << zeros) - (std::uint64_t{1} << 31));
  const std::int32_t scale = reciprocal_of_one_plus(fraction);
  const int right = SumBits - zeros + 31 - 8;
  for (std::int64_t i = 0; i < row.length; ++i) {
    std::int32_t y = 0;
    if (row.value(i) - most >= least) y = divided_by_power(times(scale, exp_of_negative(scaled(i))), right);
    row.y[i] = finished(row.layer, y, row.output.zero_point);
  }
}

void float_row(const Row& row) {
  const float scale = numerics::float_from_bits(row.layer.requant.multiplier.at(0));
  const auto real = [&](int q) { return static_cast<double>(scale * static_cast<float>(q - row.input.zero_point)); };
  const double most = real(row.largest());
  double sum = 0;
  for (std::int64_t i = 0; i < row.length; ++i) sum += std::exp(real(row.value(i)) - most);
  for (std::int64_t i = 0; i < row.length; ++i) {
    const auto share = static_cast<float>(std::exp(real(row.value(i)) - most) / sum);
    const float q = std::nearbyint(share / static_cast<float>(row.output.scale));
    row.y[i] = finished(row.layer, static_cast<std::int32_t>(std::min(q, 1e6f)), row.output.zero_point);
  }
}

// ONNX Runtime's QLinearSoftmax. A power is exp of the value's distance to 255, raised so far that sums of `length` powers just fit float32.
using Powers = std::array<float, 256>;  // by 255 less the distance to the row's largest value
Powers powers(const Layer& layer, std::int64_t length) {
  constexpr double Reserve = 5;  // natural logarithm of what the sum may grow by
  const double scale = numerics::float_from_bits(layer.requant.multiplier.at(0));
  const double room = std::log(static_cast<double>(std::numeric_limits<float>::max()) / static_cast<double>(length));
  const double raised = std::max(0.0, room - Reserve) / scale;
  Powers table;
  for (int k = 0; k < 256; ++k) table[static_cast<std::size_t>(k)] = static_cast<float>(std::exp((k - 255 + raised) * scale));
  return table;
}

void qlinear_row(const Row& row, const Powers& table) {
  const int most = row.largest();
  const auto power = [&](std::int64_t i) { return table[static_cast<std::size_t>(255 + row.value(i) - most)]; };
  float sum = 0;
  for (std::int64_t i = 0; i < row.length; ++i) sum += power(i);
  const float steps = std::floor(1.0f / static_cast<float>(row.output.scale));
  for (std::int64_t i = 0; i < row.length; ++i) {
    const float q = std::nearbyint(power(i) * steps / sum);
    row.y[i] = finished(row.layer, static_cast<std::int32_t>(std::min(q, 1e6f)), row.output.zero_point);
  }
}

Bytes golden_softmax(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const std::int64_t length = output.shape.innermost();
  const bool qlinear = layer.requant.rounding == Rounding::Float && layer.get<Softmax>()->qlinear;
  const Powers table = qlinear ? powers(layer, length) : Powers{};
  Bytes y(static_cast<std::size_t>(output.shape.elements()));
  for (std::int64_t at = 0; at < output.shape.elements(); at += length) {
    const Row row{layer, inputs[0].tensor, output, inputs[0].data + at, length, y.data() + at};
    if (qlinear) qlinear_row(row, table);
    else if (layer.requant.rounding == Rounding::Float) float_row(row);
    else fixed_row(row);
  }
  return y;
}

// ---- Description ----------------------------------------------------------------------------------------------------------

ShapeRule shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape&) {
  constexpr std::int64_t Most = 4095;  // their sum has 12 integer bits
  if (layer.requant.rounding != Rounding::Float && inputs[0].innermost() > Most)
    return too_large("a softmax over " + std::to_string(inputs[0].innermost()) + " values overflows in fixed arithmetic",
                     "the most is 4095; `arithmetic: float` has no such limit");
  return {inputs[0], {}, {}, "E0211", {}};
}

void resolve(Layer& layer, const std::vector<const Tensor*>& inputs, const Tensor& output, const std::vector<float>&) {
  const bool fixed = layer.requant.rounding != Rounding::Float;
  if (fixed && (output.scale != FixedScale || output.zero_point != min_value(output.type)))
    throw BuildError("E0212", "layer `" + layer.name + "`: in fixed arithmetic the output of `softmax` has the scale 1/256 and the zero point " +
                                  std::to_string(min_value(output.type)), "output", "leave `output` out, or give it these");
  if (fixed && layer.get<Softmax>()->qlinear)
    throw BuildError("E0212", "layer `" + layer.name + "`: `form: qlinear` is of float arithmetic", "form", "leave `form` out, or add `arithmetic: float`");
  if (!fixed && layer.get<Softmax>()->qlinear && output.scale > 1)
    throw BuildError("E0212", "layer `" + layer.name + "`: with `form: qlinear` the output's scale must be 1 at most", "output");
  if (fixed && inputs[0]->scale <= LeastInputScale)
    throw BuildError("E0212", "layer `" + layer.name + "`: in fixed arithmetic the scale of its input must exceed 2^-26", "inputs");
  layer.requant = quantization::softmax_requant(layer.requant.rounding, inputs[0]->scale);
}

Expectation expected(const Layer&, const std::vector<const Tensor*>& inputs, const std::vector<synthetic::Statistics>&) {
  const double mean = 1.0 / static_cast<double>(inputs[0]->shape.innermost());
  return {{mean, mean}, {}};
}

void read(LayerReader& r) {
  Softmax softmax;
  softmax.qlinear = r.map().choice("form", {"float32", "qlinear"}, "float32") == "qlinear";
  r.layer.attributes = softmax;
  r.read_arithmetic();
  const bool given = r.map().find("output").exists();
  if (given) r.read_output();
  if (given && r.output.scale > 0) return;
  r.output.scale = FixedScale;
  r.output.zero_point = min_value(r.output.type);
}

}  // namespace

OpInfo softmax() {
  OpInfo row;
  row.op = Op::Softmax;
  row.summary = "softmax over the innermost dimension";
  row.keys = {"output", "arithmetic", "form"};
  row.arithmetic = {Rounding::FixedDouble, Rounding::FixedSingle, Rounding::Float};
  row.requant_entries = 1;
  row.on_host = true;
  row.shape = shape;
  row.golden = golden_softmax;
  row.resolve = resolve;
  row.expected = expected;
  row.read = read;
  return row;
}

}  // namespace gemel::ops
