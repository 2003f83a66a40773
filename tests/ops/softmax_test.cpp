// SPDX-License-Identifier: Apache-2.0
// Softmax and argmax: a case of CMSIS-NN's unit tests (made with TFLite), cases by hand, and random rows against the real function.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "network/builder.hpp"
#include "network/quantization.hpp"
#include "network/workload.hpp"
#include "ops/ops.hpp"
#include "support/network_builder.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes raw(const std::vector<int>& values) { return Bytes(values.begin(), values.end()); }

Bytes softmax(Rounding rounding, const Tensor& input, const Tensor& output, const Bytes& x, Requant requant) {
  Layer layer;
  layer.name = "softmax";
  layer.attributes = Softmax{};
  layer.requant = std::move(requant);
  layer.requant.rounding = rounding;
  layer.clamp_min = min_value(output.type), layer.clamp_max = max_value(output.type);
  return ops::info(Op::Softmax).golden(layer, {{input, x.data()}}, output);
}

TEST(Softmax, EqualsTheCaseOfCmsisNn) {  // softmax: INPUT_MULT, INPUT_LEFT_SHIFT, input and output_ref
  const Tensor x{"x", {2, 5}, ElementType::Int8, 0.0078435, 0}, y{"y", {2, 5}, ElementType::Int8, 1.0 / 256, -128};
  EXPECT_EQ(softmax(Rounding::FixedDouble, x, y, raw({101, 49, 6, -34, -75, -79, -38, 120, -55, 115}), {Rounding::FixedDouble, {1077952640}, {19}}),
            raw({-57, -70, -79, -86, -92, -94, -88, -54, -91, -56}));
}

// Recorded from ONNX Runtime 1.32 (x86): DequantizeLinear, Softmax, QuantizeLinear with optimization `extended`, and without any.
TEST(Softmax, BothFormsEqualOnnxRuntime) {
  const auto run = [](bool qlinear, const Tensor& x, const Tensor& y, const Bytes& in) {
    Layer layer;
    layer.attributes = Softmax{qlinear};
    layer.requant = quantization::softmax_requant(Rounding::Float, x.scale);
    layer.clamp_min = min_value(y.type), layer.clamp_max = max_value(y.type);
    return ops::info(Op::Softmax).golden(layer, {{x, in.data()}}, y);
  };
  const Tensor x{"x", {2, 8}, ElementType::Int8, 0.05f, -28}, y{"y", {2, 8}, ElementType::Int8, static_cast<float>(1.0 / 255), -128};
  const Bytes in = raw({3, -128, 127, 90, 100, 110, 126, 127, 0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_EQ(run(true, x, y, in), raw({-128, -128, -61, -117, -111, -99, -64, -61, -102, -100, -99, -97, -96, -94, -92, -90}));
  EXPECT_EQ(run(false, x, y, in), raw({-128, -128, -61, -117, -111, -99, -64, -61, -101, -100, -99, -97, -96, -94, -92, -90}));
  const Tensor u{"u", {2, 8}, ElementType::UInt8, 0.11f, 100}, v{"v", {2, 8}, ElementType::UInt8, 0.07f, 0};
  const Bytes of = raw({131, 0, 255, 218, 228, 238, 254, 255, 128, 129, 130, 131, 132, 133, 134, 135});
  EXPECT_EQ(run(true, u, v, of), raw({0, 0, 4, 0, 0, 1, 4, 4, 1, 1, 1, 2, 2, 2, 2, 2}));
  EXPECT_EQ(run(false, u, v, of), raw({0, 0, 5, 0, 0, 1, 4, 5, 1, 1, 1, 2, 2, 2, 2, 3}));
}

TEST(Softmax, ItsMultiplierIsTflites) {
  // 2^26 * 2^-7 = 2^19 = 2^30 / 2^31 * 2^20
  EXPECT_EQ(quantization::softmax_requant(Rounding::FixedDouble, 0x1p-7).multiplier.at(0), 1 << 30);
  EXPECT_EQ(quantization::softmax_requant(Rounding::FixedDouble, 0x1p-7).shift.at(0), 20);
}

TEST(Softmax, RowsOfOneValueAndOfEqualValues) {
  for (const Rounding rounding : {Rounding::FixedDouble, Rounding::FixedSingle, Rounding::Float}) {
    const Tensor one{"x", {2, 1}, ElementType::UInt8, 0.1, 3}, out_one{"y", {2, 1}, ElementType::UInt8, 1.0 / 256, 0};
    EXPECT_EQ(softmax(rounding, one, out_one, raw({0, 255}), quantization::softmax_requant(rounding, 0.1)), raw({255, 255}));
    const Tensor four{"x", {1, 4}, ElementType::Int8, 0.1, 3}, out_four{"y", {1, 4}, ElementType::Int8, 1.0 / 256, -128};
    EXPECT_EQ(softmax(rounding, four, out_four, raw({-7, -7, -7, -7}), quantization::softmax_requant(rounding, 0.1)), raw({-64, -64, -64, -64}));
  }
}

// Against exp() in double: in `float` arithmetic equal but for ties that float32 moves, in fixed arithmetic within one step.
TEST(Softmax, RandomRowsAreTheRealFunction) {
  test::Random random(test::random_seed());
  std::int64_t values = 0, off = 0;
  for (int row = 0; row < 3000; ++row) {
    const auto rounding = static_cast<Rounding>(row % 3);
    const bool is_signed = row % 2 == 0;
    const ElementType type = is_signed ? ElementType::Int8 : ElementType::UInt8;
    const auto length = static_cast<std::int64_t>(1 + random() % 200);
    const float scale = std::exp2(static_cast<float>(random() % 160) / 20.0f - 9.0f);
    Tensor x{"x", {1, length}, type, scale, test::least(type) + static_cast<int>(random() % 256)};
    Tensor y{"y", {1, length}, type, 1.0 / 256, test::least(type)};
    if (rounding == Rounding::Float) y.scale = 0.003, y.zero_point = test::least(type) + static_cast<int>(random() % 20);
    const Bytes in = test::random_bytes(random, length);
    const Bytes out = softmax(rounding, x, y, in, quantization::softmax_requant(rounding, scale));
    double sum = 0, most = -1e9;
    std::vector<double> real;
    for (const std::uint8_t q : in) real.push_back(double{scale} * (ops::value_of(q, type) - x.zero_point)), most = std::max(most, real.back());
    for (const double v : real) sum += std::exp(v - most);
    for (std::size_t i = 0; i < real.size(); ++i) {
      const double exact = std::clamp(std::exp(real[i] - most) / sum / y.scale + y.zero_point, double(test::least(type)), test::least(type) + 255.0);
      const double error = std::fabs(ops::value_of(out[i], type) - exact);
      ASSERT_LE(error, rounding == Rounding::Float ? 0.51 : 1.0) << to_string(rounding) << ", row " << row << ", element " << i;
      ++values;
      off += error > 0.51;
    }
  }
  EXPECT_GT(values, 200000);
  EXPECT_LT(off * 20, values) << "fixed arithmetic is rarely off by a step";
}

TEST(Argmax, GivesTheFirstLargestValue) {
  Layer layer;
  layer.attributes = ArgMax{};
  const auto argmax = [&](ElementType type, const std::vector<int>& values) {
    const Tensor x{"x", {2, 3}, type, 1.0, 0}, y{"y", {2}, ElementType::Int32, 1.0, 0};
    const Bytes in = raw(values), out = ops::info(Op::ArgMax).golden(layer, {{x, in.data()}}, y);
    std::vector<std::int32_t> indices(2);
    EXPECT_EQ(out.size(), 8u);
    std::memcpy(indices.data(), out.data(), 8);
    return indices;
  };
  EXPECT_EQ(argmax(ElementType::Int8, {-1, 5, 5, -128, -128, -128}), (std::vector<std::int32_t>{1, 0}));
  EXPECT_EQ(argmax(ElementType::UInt8, {255, 5, 5, 0, 1, 128}), (std::vector<std::int32_t>{0, 2}));  // 255 is not -1
}

std::string refusal(const std::string& layers) {
  try {
    load_workload_text("gemel_workload: 1\nname: tail\nsynthetic: {seed: 1}\ninputs: [{name: x, shape: [3, 8], scale: 0.1, zero_point: 2}]\nlayers:\n" +
                           layers,
                       "tail.yaml");
  } catch (const UserError& error) {
    return error.diagnostics().front().code + ": " + error.diagnostics().front().message;
  }
  return "accepted";
}

TEST(Softmax, RefusesWhatItCannotCompute) {
  EXPECT_EQ(refusal("  - {name: s, op: softmax}\n  - {name: a, op: argmax}\n"), "accepted");
  EXPECT_EQ(refusal("  - {name: s, op: softmax, output: {scale: 0.1, zero_point: 0}}\n"),
            "E0212: layer `s`: in fixed arithmetic the output of `softmax` has the scale 1/256 and the zero point -128");
  EXPECT_EQ(refusal("  - {name: s, op: softmax, arithmetic: float, output: {scale: 0.1, zero_point: 0}}\n"), "accepted");
  EXPECT_EQ(refusal("  - {name: s, op: softmax, form: qlinear}\n"), "E0212: layer `s`: `form: qlinear` is of float arithmetic");
  EXPECT_EQ(refusal("  - {name: s, op: softmax, arithmetic: float, form: qlinear, output: {scale: 0.1, zero_point: 0}}\n"), "accepted");
  EXPECT_EQ(refusal("  - {name: s, op: softmax, arithmetic: float, form: qlinear, output: {scale: 1.5, zero_point: 0}}\n"),
            "E0212: layer `s`: with `form: qlinear` the output's scale must be 1 at most");
  EXPECT_EQ(refusal("  - {name: a, op: argmax}\n  - {name: b, op: softmax}\n"), "E0212: layer `b`: `a` is int32, and `softmax` reads int8 or uint8");
  EXPECT_EQ(refusal("  - {name: w, op: matmul, out_channels: 4096}\n  - {name: s, op: softmax}\n"),
            "E0214: layer `s`: a softmax over 4096 values overflows in fixed arithmetic");
}

}  // namespace
}  // namespace gemel
