// SPDX-License-Identifier: Apache-2.0
// Scales to multipliers, clamps and tables, held against figures worked out by hand and against vectors computed with
// TFLite's own functions.
#include "network/quantization.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/numerics.hpp"

namespace gemel::quantization {
namespace {

Tensor tensor(double scale, int zero_point, ElementType type = ElementType::Int8) {
  Tensor t;
  t.scale = static_cast<float>(scale);
  t.zero_point = zero_point;
  t.type = type;
  return t;
}

TEST(ActivationClamp, RaisesTheLowerBoundToTheZeroPoint) {
  const Clamp clamp = activation_clamp(Activation::Relu, tensor(0.1, -7));
  EXPECT_EQ(clamp.min, -7);
  EXPECT_EQ(clamp.max, 127);
}

TEST(ActivationClamp, Relu6RoundsHalfAwayFromZero) {
  EXPECT_EQ(activation_clamp(Activation::Relu6, tensor(0.0625, -128)).max, -128 + 96);
  EXPECT_EQ(activation_clamp(Activation::Relu6, tensor(4.0, 0)).max, 2 /*1.5 away from zero*/);
  EXPECT_EQ(activation_clamp(Activation::ReluN1To1, tensor(2.0, 0)).min, -1 /*-0.5 away from zero*/);
  EXPECT_EQ(activation_clamp(Activation::ReluN1To1, tensor(2.0, 0)).max, 1);
}

TEST(ActivationClamp, IsCutToTheRangeOfTheType) {
  EXPECT_EQ(activation_clamp(Activation::Relu6, tensor(0.01, -128)).max, 127);
  const Clamp u8 = activation_clamp(Activation::None, tensor(0.01, 5, ElementType::UInt8));
  EXPECT_EQ(u8.min, 0);
  EXPECT_EQ(u8.max, 255);
  const Clamp tiny = activation_clamp(Activation::Relu6, tensor(1e-12, 127));
  EXPECT_EQ(tiny.min, 127);
  EXPECT_EQ(tiny.max, 127);
}

TEST(ConvRequant, APowerOfTwoIsExact) {
  const Requant r = conv_requant(Rounding::FixedDouble, 0.5, {0.25f}, 1.0, 3);  // 2^-3 = 0.5 * 2^-2
  EXPECT_EQ(r.multiplier, (std::vector<std::int32_t>{1 << 30, 1 << 30, 1 << 30}));
  EXPECT_EQ(r.shift, (std::vector<int>{-2, -2, -2}));
}

TEST(ConvRequant, FormsTheProductOfTheScalesInDouble) {
  const float a = 0.1f, b = 0.3f, y = 0.7f;
  const double in_float = static_cast<double>(a * b) / y, in_double = static_cast<double>(a) * b / y;
  ASSERT_NE(in_float, in_double) << "the example shows nothing";
  const auto real = [](const Requant& r) { return std::ldexp(r.multiplier[0], r.shift[0] - 31); };
  const Requant one = conv_requant(Rounding::FixedDouble, a, {b}, y, 1);
  EXPECT_NEAR(real(one) / in_double, 1.0, 5e-10);
  EXPECT_GT(std::abs(real(one) / in_float - 1.0), 1e-9);
  EXPECT_EQ(one.multiplier[0], conv_requant(Rounding::FixedDouble, a, {b, b}, y, 2).multiplier[0]);  // per channel as well
}

// A sum of the autoencoder of MLPerf Tiny, whose last layer has one weight scale: TensorFlow Lite Micro gives -21. With the product in float32 it would be -22.
TEST(ConvRequant, RoundsASumNearAHalfAsTensorFlowLiteMicroDoes) {
  const Requant r = conv_requant(Rounding::FixedDouble, 0.024790890514850616, {0.0195566825568676f}, 0.36449846625328064, 1);
  EXPECT_EQ(numerics::requantize_double(-88337, r.multiplier[0], r.shift[0]) + 96, -21);
}

TEST(ConvRequant, FloatKeepsTheBitsOfTheFloat32Scale) {
  const float a = 0.1f, b = 0.3f, y = 0.7f;
  const Requant r = conv_requant(Rounding::Float, a, {b}, y, 1);
  const volatile float product = a * b;  // rounded to float32, then divided
  const float expected = product / y;
  float found = 0;
  std::memcpy(&found, r.multiplier.data(), sizeof found);
  EXPECT_EQ(found, expected);
  EXPECT_EQ(r.shift, std::vector<int>{0});
}

TEST(AddRequant, EqualScalesMeetHalfWay) {
  const Requant r = add_requant(Rounding::FixedDouble, 0.5, 0.5, 0.5);
  EXPECT_EQ(r.multiplier, (std::vector<std::int32_t>{1 << 30, 1 << 30, 1 << 30}));
  EXPECT_EQ(r.shift, (std::vector<int>{0 /*1/2*/, 0, -18 /*2 / 2^20 = 2^-19*/}));
}

TEST(MeanRequant, WorksTheDivisionIn) {
  // 49 values, s_in = s_out: multiplier 2^30 and shift 1 become (2^30 << 5) / 49, shift 1 - 5, with 5 = floor(log2 49).
  const Requant r = mean_requant(Rounding::FixedDouble, 0.5, 0.5, 49);
  EXPECT_EQ(r.multiplier[0], static_cast<std::int32_t>((std::int64_t{1} << 35) / 49));
  EXPECT_EQ(r.shift[0], -4);
}

TEST(AddRequant, FloatHasTheSameThreeFactorsInFloat32) {
  const Requant r = add_requant(Rounding::Float, 0.5, 0.25, 2.0);
  EXPECT_EQ(r.multiplier, (std::vector<std::int32_t>{0x3f000000 /*1/2*/, 0x3e800000 /*1/4*/, 0x35000000 /*1 / (2^20 * 2)*/}));
  EXPECT_EQ(r.shift, (std::vector<int>{0, 0, 0}));
}

TEST(MeanRequant, FloatIsTheScaleOfOnnxRuntime) {
  const float x = 0.1f, y = 0.3f;
  const Requant r = mean_requant(Rounding::Float, x, y, 49);
  const volatile float taps = y * 49.0f;  // rounded to float32, then divided by
  const float expected = x / taps;
  float found = 0;
  std::memcpy(&found, r.multiplier.data(), sizeof found);
  EXPECT_EQ(found, expected);
  EXPECT_EQ(r.shift, std::vector<int>{0});
}

TEST(MeanRequant, TheShiftStaysInRange) {
  const Requant r = mean_requant(Rounding::FixedDouble, 1e-9, 1.0, 1 << 20);  // shift -29, only 2 left to take
  EXPECT_EQ(r.shift[0], -31);
}

TEST(Table, IdentityIsTheIdentityAndReluCuts) {
  const Tensor t = tensor(0.5, 3);
  const auto identity = fill_table(TableFunction::Identity, t, t);
  const auto relu = fill_table(TableFunction::Relu, t, t);
  for (int q = -128; q <= 127; ++q) {
    const auto byte = static_cast<std::uint8_t>(q);
    EXPECT_EQ(identity[byte], byte);
    EXPECT_EQ(static_cast<std::int8_t>(relu[byte]), std::max(q, 3));
  }
}

TEST(Table, IsIndexedByTheRawByteOfEitherType) {
  const auto table = fill_table(TableFunction::Identity, tensor(1.0, 0, ElementType::UInt8), tensor(1.0, -128));
  EXPECT_EQ(static_cast<std::int8_t>(table[0]), -128);
  EXPECT_EQ(static_cast<std::int8_t>(table[255]), 127);
}

TEST(Table, FunctionsHaveTheirKnownValues) {
  EXPECT_DOUBLE_EQ(evaluate(TableFunction::Sigmoid, 0.0), 0.5);
  EXPECT_NEAR(evaluate(TableFunction::Sigmoid, 2.0), 0.8807970779778823, 1e-15);
  EXPECT_NEAR(evaluate(TableFunction::Tanh, 1.0), 0.7615941559557649, 1e-15);
  EXPECT_DOUBLE_EQ(evaluate(TableFunction::HardSigmoid, -3.0), 0.0);
  EXPECT_DOUBLE_EQ(evaluate(TableFunction::HardSwish, 3.0), 3.0);
  EXPECT_NEAR(evaluate(TableFunction::HardSwish, 1.0), 4.0 / 6.0, 1e-15);
  EXPECT_NEAR(evaluate(TableFunction::Gelu, 1.0), 0.8413447460685429, 1e-15);
  EXPECT_NEAR(evaluate(TableFunction::Exp, 1.0), 2.718281828459045, 1e-15);
  EXPECT_NEAR(evaluate(TableFunction::Silu, 2.0), 1.7615941559557646, 1e-15);
  EXPECT_EQ(table_function_names().size(), 9u);
}

TEST(Table, AValueHalfWayRoundsAwayFromZero) {
  const auto table = fill_table(TableFunction::Identity, tensor(0.5, 0), tensor(1.0, 0));
  EXPECT_EQ(static_cast<std::int8_t>(table[static_cast<std::uint8_t>(1)]), 1);    // 0.5
  EXPECT_EQ(static_cast<std::int8_t>(table[static_cast<std::uint8_t>(-1)]), -1);  // -0.5
  EXPECT_EQ(static_cast<std::int8_t>(table[static_cast<std::uint8_t>(3)]), 2);    // 1.5
}

TEST(Table, InfinityEndsAtTheRange) {
  const auto table = fill_table(TableFunction::Exp, tensor(1e6, 0), tensor(1.0, 0));
  EXPECT_EQ(static_cast<std::int8_t>(table[127]), 127);
  EXPECT_EQ(static_cast<std::int8_t>(table[128]), 0);
}

}  // namespace
}  // namespace gemel::quantization
