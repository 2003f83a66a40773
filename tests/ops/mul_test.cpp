// SPDX-License-Identifier: Apache-2.0
// Products: every pair of bytes against the formula in wide integers, written out here; the multiplier; what is refused. A case of
// CMSIS-NN's unit tests: cmsis_nn_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "network/workload.hpp"
#include "ops/ops.hpp"
#include "support/network_builder.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using Bytes = std::vector<std::uint8_t>;

// x * real as TFLite rounds it, for real = multiplier/2^31 * 2^shift: to nearest of 2^31 (ties upwards), and what a right shift drops once
// more (ties away from zero); or all at once, ties upwards.
std::int64_t rounded(Rounding rounding, std::int64_t x, std::int64_t multiplier, int shift) {
  const auto floor_of = [](__int128 value, int bits) { return static_cast<std::int64_t>(value >> bits); };
  if (rounding == Rounding::FixedSingle) {
    const int bits = 31 - shift;
    return floor_of(static_cast<__int128>(x) * multiplier + (static_cast<__int128>(1) << (bits - 1)), bits);
  }
  const std::int64_t shifted = shift > 0 ? x * (std::int64_t{1} << shift) : x;
  const std::int64_t high = floor_of(static_cast<__int128>(shifted) * multiplier + (static_cast<__int128>(1) << 30), 31);
  const int right = std::max(0, -shift);
  if (right == 0) return high;
  const std::int64_t magnitude = (std::abs(high) + (std::int64_t{1} << (right - 1))) >> right;
  return high < 0 ? -magnitude : magnitude;
}

TEST(Mul, EveryPairOfBytesEqualsTheFormula) {
  test::Random random(test::random_seed());
  Bytes a, b;
  for (int i = 0; i < 65536; ++i) a.push_back(static_cast<std::uint8_t>(i)), b.push_back(static_cast<std::uint8_t>(i >> 8));
  for (int run = 0; run < 40; ++run) {
    test::NetworkBuilder builder("product");
    const auto quantization = [&] { return test::random_quantization(random, {}); };
    const Shape shape{1, 256, 256, 1};
    const auto first = quantization(), second = quantization();
    auto out = quantization();
    out.scale = first.scale * second.scale * std::exp2(test::draw(random, -20, 140) / 10.0);
    const auto rounding = run % 2 == 0 ? Rounding::FixedDouble : Rounding::FixedSingle;
    const int y = builder.mul(builder.input(shape, first), builder.input(shape, second), out, rounding);
    test::random_clamp(random, builder.layer(y));
    const Network network = builder.build();
    const Layer& layer = network.layers[0];
    ASSERT_EQ(layer.requant.multiplier.size(), 1u);
    const std::int64_t multiplier = layer.requant.multiplier[0];
    const int shift = layer.requant.shift[0];
    EXPECT_NEAR(static_cast<double>(multiplier) * std::exp2(shift - 31), first.scale * second.scale / out.scale, 1e-9 * std::exp2(shift));
    const Bytes got = ops::golden(network, layer, {a.data(), b.data()});
    for (std::size_t i = 0; i < got.size(); ++i) {
      const std::int64_t product = std::int64_t{ops::value_of(a[i], first.type) - first.zero_point} * (ops::value_of(b[i], second.type) - second.zero_point);
      const std::int64_t expected =
          std::clamp<std::int64_t>(rounded(rounding, product, multiplier, shift) + out.zero_point, layer.clamp_min, layer.clamp_max);
      ASSERT_EQ(ops::value_of(got[i], out.type), expected) << test::describe(network) << " a " << int{a[i]} << " b " << int{b[i]};
    }
  }
}

TEST(Mul, ItsMultiplierIsTflites) {
  test::NetworkBuilder b("scales");
  const Network network = [&] {
    const int x = b.input({4}, {ElementType::Int8, 0.5, 0}), y = b.input({4}, {ElementType::Int8, 0.25, 3});
    b.mul(x, y, {ElementType::Int8, 2.0, -7});
    return b.build();
  }();
  EXPECT_EQ(network.layers[0].requant.multiplier, std::vector<std::int32_t>{1 << 30});  // 0.5 * 0.25 / 2 = 2^-4 = 2^30/2^31 * 2^-3
  EXPECT_EQ(network.layers[0].requant.shift, std::vector<int>{-3});
}

std::string text_with(const char* more) {
  return std::string("gemel_workload: 1\nname: gate\nsynthetic: {seed: 1}\ninputs: [{name: x, shape: [2, 3, 3, 4], type: uint8}]\nlayers:\n"
                     "  - {name: a, op: conv2d, out_channels: 4, kernel: 1}\n  - {name: y, op: mul, inputs: [a, x]") +
         more + "}\n";
}

TEST(Mul, AWorkloadFileSaysIt) {
  const Network network = load_workload_text(text_with(", activation: relu, arithmetic: fixed_single, output: {scale: 0.1, zero_point: -5}"), "gate.yaml");
  const Layer& layer = network.layers[1];
  ASSERT_EQ(layer.op(), Op::Mul);
  EXPECT_EQ(layer.requant.rounding, Rounding::FixedSingle);
  EXPECT_EQ(layer.clamp_min, -5);
  EXPECT_EQ(network.output_of(layer).shape, (Shape{2, 3, 3, 4}));
  try {
    load_workload_text(text_with(", arithmetic: float"), "gate.yaml");
    FAIL() << "`mul` has no float arithmetic";
  } catch (const UserError& error) {
    const std::string text = to_string(error.diagnostics().at(0));
    EXPECT_EQ(text.substr(0, text.find("\n7 |")), "error[E0213]: layer `y`: `mul` has no `float` arithmetic\n  gate.yaml:7:52");
  }
}

TEST(Mul, ShapesMustBeEqual) {
  Layer l;
  l.attributes = Mul{};
  EXPECT_EQ(ops::output_shape(l, {{1, 5, 5, 4}, {1, 1, 1, 4}}).problem,
            "its inputs have the shapes [1, 5, 5, 4] and [1, 1, 1, 4], but what is multiplied must have one shape");
  EXPECT_EQ(ops::output_shape(l, {{1, 5, 5, 4}}).problem, "mul takes 2 inputs, not 1");
  EXPECT_EQ(ops::output_shape(l, {{3, 4}, {3, 4}}).shape, (Shape{3, 4}));
}

}  // namespace
}  // namespace gemel
