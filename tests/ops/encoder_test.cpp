// SPDX-License-Identifier: Apache-2.0
// What a transformer encoder has beside products with constant weights: layer norm, transposition, products of computed matrices, softmax with a mask,
// embeddings. Outputs recorded from ONNX Runtime 1.32 (x86), loops that read like the definition, and what is refused, with its text.
// Bit for bit over many shapes: tests/python/onnx_operators_test.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "network/builder.hpp"
#include "network/workload.hpp"
#include "ops/ops.hpp"
#include "support/network_builder.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;
using Quantization = test::NetworkBuilder::Quantization;

Bytes raw(const std::vector<int>& values) { return Bytes(values.begin(), values.end()); }

Bytes of_indices(const std::vector<std::int32_t>& indices) {
  Bytes bytes(indices.size() * sizeof indices[0]);
  std::memcpy(bytes.data(), indices.data(), bytes.size());
  return bytes;
}

// The last layer of a network, by golden.
Bytes last(const Network& network, const std::vector<const Bytes*>& inputs) {
  std::vector<const std::uint8_t*> data;
  for (const Bytes* input : inputs) data.push_back(input->data());
  return ops::golden(network, network.layers.back(), data);
}

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const UserError& error) {
    return error.what();
  }
  return "nothing was refused";
}

Layer with(Attributes attributes, std::vector<int> inputs = {0}) {
  Layer layer;
  layer.name = "l";
  layer.attributes = std::move(attributes);
  layer.inputs = std::move(inputs);
  return layer;
}

TEST(LayerNorm, EqualsOnnxRuntime) {
  struct Case {
    std::vector<int> gamma, beta, x, y;  // gamma and beta in parts of 64
  };
  const Case cases[] = {  // shorter than eight elements; one group of eight; one, one of four, and three more
      {{94, 121, -36, 121, 53}, {2, 23, -39, 86, -81}, {-57, -30, 18, -24, -95, -117, -128, -116, -90, 127, -80, 39, 64, -68, -56},
       {-38, 49, -80, 124, -128, -40, -47, -13, 55, 27, -80, 127, -78, -5, -99}},
      {{46, 12, 154, -5, 139, 119, 128, -17}, {-20, 23, -2, 29, 31, 29, -80, 82},
       {14, 103, -59, -36, 97, -81, -112, -33, 45, -97, 94, -41, -70, 11, 101, 98, 95, -50, -124, 71, 53, 69, -128, -119},
       {2, 43, -84, 33, 127, -68, -128, 85, 2, 9, 127, 35, -117, 22, 63, 63, 38, 22, -128, 27, 127, 127, -128, 98}},
      {{60, 27, 47, 146, 0, 65, 24, 18, 121, -10, 23, -17, -11, 16, 99}, {14, -10, -60, 53, 53, -48, -80, -33, -64, 53, 3, 1, -38, 1, 84},
       {-68, 68, -125, -48, 110, 95, -107, 87, 88, -12, -34, 122, 115, 45, -26, -75, 111, -60, 14, 44, -67, -48, 61,
        -78, 44, 113, 47, 37, -10, 119, -72, -37, 36, 39, -101, -87, 49, 87, 34, 110, -32, -44, 76, -118, -79},
       {-42, 10, -127, -59, 54, 15, -103, -12, 38, 57, -6, -13, -42, 10, 30, -57, 30, -99, 48, 54, -113, -90, -15,
        -128, 50, 38, -1, -33, 0, 127, -30, -14, -23, 127, 54, -104, -51, -3, 13, 39, 1, 13, -42, -16, -6}},
  };
  for (const Case& c : cases) {
    LayerNorm norm;
    for (std::size_t i = 0; i < c.gamma.size(); ++i) {
      norm.gamma.push_back(static_cast<float>(c.gamma[i]) / 64);
      norm.beta.push_back(static_cast<float>(c.beta[i]) / 64);
    }
    const Shape shape{3, static_cast<std::int64_t>(c.gamma.size())};
    const Tensor x{"x", shape, ElementType::Int8, 0.07f, -11}, y{"y", shape, ElementType::Int8, 0.017f, 5};
    const Bytes in = raw(c.x);
    EXPECT_EQ(ops::golden(with(norm), {{x, in.data()}}, y), raw(c.y)) << c.gamma.size();
  }
}

TEST(LayerNorm, ARowOfOneValueIsBeta) {
  const LayerNorm norm{1e-12f, {3, 3, 3}, {1, 0, -1}};
  const Tensor x{"x", {1, 3}, ElementType::UInt8, 0.5, 7}, y{"y", {1, 3}, ElementType::UInt8, 0.5, 100};
  const Bytes in = {200, 200, 200};
  Layer layer = with(norm);
  layer.clamp_min = 0, layer.clamp_max = 255;
  EXPECT_EQ(ops::golden(layer, {{x, in.data()}}, y), (Bytes{102, 100, 98}));
}

TEST(Transpose, MovesEachElementToItsPlace) {
  test::Random random(test::random_seed());
  for (int i = 0; i < 200; ++i) {
    test::NetworkBuilder b("t", random());
    const Shape shape{test::draw(random, 1, 4), test::draw(random, 1, 5), test::draw(random, 1, 5), test::draw(random, 1, 6)};
    std::vector<int> order = {0, 1, 2, 3};
    std::shuffle(order.begin(), order.end(), random);
    const int out = b.transpose(b.input(shape, {}), order);
    const Bytes x = test::random_bytes(random, shape.elements()), y = last(b.build(), {&x});
    const Shape made = b.tensor(out).shape;
    std::array<std::int64_t, 4> at{};
    std::size_t element = 0;
    for (at[0] = 0; at[0] < made[0]; ++at[0])
      for (at[1] = 0; at[1] < made[1]; ++at[1])
        for (at[2] = 0; at[2] < made[2]; ++at[2])
          for (at[3] = 0; at[3] < made[3]; ++at[3]) {
            std::array<std::int64_t, 4> from{};
            for (std::size_t d = 0; d < 4; ++d) from[static_cast<std::size_t>(order[d])] = at[d];
            const std::int64_t place = ((from[0] * shape[1] + from[1]) * shape[2] + from[2]) * shape[3] + from[3];
            ASSERT_EQ(y[element++], x[static_cast<std::size_t>(place)]);
          }
  }
}

TEST(Transpose, RefusesWhatIsNoOrder) {
  NetworkBuilder b("n", "n.yaml");
  b.input({"x", {2, 3, 4}, ElementType::Int8, 1, 0});
  EXPECT_EQ(refusal([&] { b.shape_of(with(Transpose{{0, 2, 2}}), {}); }),
            "error[E0211]: layer `l`: its order is [0, 2, 2], but must have each of the 3 dimensions of its input [2, 3, 4] once, counted from 0");
  EXPECT_EQ(b.shape_of(with(Transpose{{2, 0, 1}}), {}), (Shape{4, 2, 3}));
}

TEST(BatchMatMul, EqualsLoopsInEachRounding) {
  test::Random random(test::random_seed());
  for (int i = 0; i < 120; ++i) {
    const auto rounding = static_cast<Rounding>(i % 3);
    test::NetworkBuilder builder("t", random());
    const int heads = test::draw(random, 1, 3), m = test::draw(random, 1, 6), k = test::draw(random, 1, 40), n = test::draw(random, 1, 6);
    const Quantization qa{i % 2 ? ElementType::Int8 : ElementType::UInt8, 0.02, test::draw(random, 0, 90)};
    const Quantization qb{i % 5 ? ElementType::Int8 : ElementType::UInt8, 0.03, test::draw(random, 0, 90)};
    const int a = builder.input({2, heads, m, k}, qa), b = builder.input({2, heads, k, n}, qb);
    builder.batch_matmul(a, b, {ElementType::Int8, 0.02 * 0.03 * 40 * std::sqrt(k), -5}, rounding);
    const Network network = builder.build();
    const Bytes x = test::random_bytes(random, network.tensors[0].bytes()), w = test::random_bytes(random, network.tensors[1].bytes());
    const Bytes y = last(network, {&x, &w});
    const Layer& layer = network.layers.back();
    for (int h = 0; h < 2 * heads; ++h)
      for (int r = 0; r < m; ++r)
        for (int c = 0; c < n; ++c) {
          std::int32_t sum = 0;
          for (int j = 0; j < k; ++j)
            sum += (ops::value_of(x[static_cast<std::size_t>((h * m + r) * k + j)], qa.type) - qa.zero_point) *
                   (ops::value_of(w[static_cast<std::size_t>((h * k + j) * n + c)], qb.type) - qb.zero_point);
          ASSERT_EQ(y[static_cast<std::size_t>((h * m + r) * n + c)], ops::finished(layer, ops::rounded(layer, 0, sum), -5));
        }
  }
}

TEST(BatchMatMul, RefusesShapesThatDoNotFit) {
  NetworkBuilder b("n", "n.yaml");
  b.input({"a", {2, 3, 4}, ElementType::Int8, 1, 0});
  b.input({"b", {1, 4, 5}, ElementType::Int8, 1, 0});
  EXPECT_EQ(refusal([&] { b.shape_of(with(BatchMatMul{}, {0, 1}), {}); }),
            "error[E0211]: layer `l`: its inputs have the shapes [2, 3, 4] and [1, 4, 5], but must be [..., M, K] and [..., K, N]");
  b.input({"c", {1, 40000}, ElementType::Int8, 1, 0});
  b.input({"d", {40000, 1}, ElementType::Int8, 1, 0});
  EXPECT_THAT(refusal([&] { b.shape_of(with(BatchMatMul{}, {2, 3}), {}); }), HasSubstr("error[E0214]: layer `l`: a sum of 40000 products"));
}

TEST(GroupedMatMul, EqualsLoopsWithMatricesOfEachImage) {
  test::Random random(test::random_seed());
  for (int i = 0; i < 90; ++i) {
    const auto rounding = static_cast<Rounding>(i % 3);
    test::NetworkBuilder builder("t", random());
    const int images = test::draw(random, 1, 3), rows = test::draw(random, 1, 6), groups = test::draw(random, 1, 4);
    const int k = test::draw(random, 1, 20), n = test::draw(random, 1, 6);
    const Quantization qa{i % 2 ? ElementType::Int8 : ElementType::UInt8, 0.02, test::draw(random, 0, 90)};
    const Quantization qb{i % 5 ? ElementType::Int8 : ElementType::UInt8, 0.03, test::draw(random, 0, 90)};
    const int a = builder.input({images, rows, groups * k}, qa), b = builder.input({images, groups, n, k}, qb);
    builder.grouped_matmul(a, b, {ElementType::Int8, 0.02 * 0.03 * 40 * std::sqrt(k), -5}, rounding);
    const Network network = builder.build();
    const Bytes x = test::random_bytes(random, network.tensors[0].bytes()), w = test::random_bytes(random, network.tensors[1].bytes());
    const Bytes y = last(network, {&x, &w});
    const Layer& layer = network.layers.back();
    EXPECT_EQ(network.macs(layer), std::int64_t{images} * rows * groups * n * k);
    EXPECT_EQ(network.weights(), 0);
    for (int z = 0; z < images; ++z)
      for (int r = 0; r < rows; ++r)
        for (int g = 0; g < groups; ++g)
          for (int c = 0; c < n; ++c) {
            std::int32_t sum = 0;
            for (int j = 0; j < k; ++j)
              sum += (ops::value_of(x[static_cast<std::size_t>((z * rows + r) * groups * k + g * k + j)], qa.type) - qa.zero_point) *
                     (ops::value_of(w[static_cast<std::size_t>(((z * groups + g) * n + c) * k + j)], qb.type) - qb.zero_point);
            ASSERT_EQ(y[static_cast<std::size_t>((z * rows + r) * groups * n + g * n + c)], ops::finished(layer, ops::rounded(layer, 0, sum), -5));
          }
  }
}

TEST(GroupedMatMul, RefusesShapesThatDoNotFit) {
  NetworkBuilder b("n", "n.yaml");
  b.input({"a", {1, 3, 12}, ElementType::Int8, 1, 0});
  b.input({"b", {1, 4, 5, 3}, ElementType::Int8, 1, 0});
  EXPECT_EQ(b.shape_of(with(GroupedMatMul{4, {}}, {0, 1}), {}), (Shape{1, 3, 20}));
  b.input({"c", {1, 1, 1 << 24}, ElementType::Int8, 1, 0});
  b.input({"d", {1, 1 << 20, 1 << 10, 16}, ElementType::Int8, 1, 0});
  EXPECT_THAT(refusal([&] { b.shape_of(with(GroupedMatMul{1 << 20, {}}, {2, 3}), {}); }), HasSubstr("error[E0214]: layer `l`: its second input"));
  EXPECT_EQ(refusal([&] { b.shape_of(with(GroupedMatMul{2, {}}, {0, 1}), {}); }),
            "error[E0211]: layer `l`: its inputs have the shapes [1, 3, 12] and [1, 4, 5, 3], but must be [n, rows, G*K] and [n, G, N, K] with 2 groups G");
}

TEST(Gather, TakesRowsAndCountsFromTheEnd) {
  const Tensor x{"x", {1, 4}, ElementType::Int32, 1, 0}, y{"y", {1, 4, 2}, ElementType::Int8, 1, 0};
  const Layer layer = with(Gather{3, 2, {1, 2, 3, 4, 5, 6}});
  const Bytes in = of_indices({2, 0, -1, -3});
  EXPECT_EQ(ops::golden(layer, {{x, in.data()}}, y), (Bytes{5, 6, 1, 2, 5, 6, 1, 2}));
  const Bytes beyond = of_indices({2, 0, -1, 3});
  EXPECT_EQ(refusal([&] { ops::golden(layer, {{x, beyond.data()}}, y); }),
            "error[E0516]: layer `l`: index 3, element 3 of `x`, is none of the table's 3 rows\n"
            "hint: indices are -3 to 2; negative ones count from the end");
}

TEST(AddConstant, AddsRealNumbersToTheInnermostDimensions) {
  const Tensor x{"x", {2, 2, 2}, ElementType::Int8, 0.5, 10}, y{"y", {2, 2, 2}, ElementType::UInt8, 0.25, 100};
  Layer layer = with(AddConstant{{2, 2}, {0, 1, -2, 1000}});
  layer.clamp_min = 0, layer.clamp_max = 255;
  const Bytes in = raw({10, 11, 12, 13, 10, 11, 12, 13});
  EXPECT_EQ(ops::golden(layer, {{x, in.data()}}, y), (Bytes{100, 106, 96, 255, 100, 106, 96, 255}));
  NetworkBuilder b("n", "n.yaml");
  b.input(x);
  EXPECT_EQ(refusal([&] { b.shape_of(with(AddConstant{{2, 3}, {}}), {}); }),
            "error[E0211]: layer `l`: its constant has the shape [2, 3], which are not the innermost dimensions of its input [2, 2, 2]");
}

TEST(MaskedSoftmax, IsTheSoftmaxOfWhatCounts) {
  test::Random random(test::random_seed());
  for (int i = 0; i < 200; ++i) {
    const int length = test::draw(random, 2, 20), batch = test::draw(random, 1, 3);
    const Tensor x{"x", {batch, 2, 3, length}, ElementType::Int8, 0.06, test::draw(random, -128, 127)};
    const Tensor mask{"m", {batch, length}, ElementType::UInt8, 1, 0}, y{"y", x.shape, ElementType::Int8, 1.0 / 256, -128};
    const Bytes in = test::random_bytes(random, x.bytes());
    Bytes counts(static_cast<std::size_t>(mask.bytes()));
    for (std::uint8_t& c : counts) c = test::chance(random, 0.6) ? 1 : 0;
    const Bytes out = ops::golden(with(MaskedSoftmax{}, {0, 1}), {{x, in.data()}, {mask, counts.data()}}, y);
    for (int row = 0; row < batch * 6; ++row) {
      const std::uint8_t* own = counts.data() + row / 6 * length;
      Bytes few;
      for (int k = 0; k < length; ++k)
        if (own[k]) few.push_back(in[static_cast<std::size_t>(row * length + k)]);
      const auto made = [&](int k) { return out[static_cast<std::size_t>(row * length + k)]; };
      if (few.empty()) {
        for (int k = 1; k < length; ++k) ASSERT_EQ(made(k), made(0));
        continue;
      }
      const Tensor some{"s", {static_cast<std::int64_t>(few.size())}, x.type, x.scale, x.zero_point}, share{"t", some.shape, y.type, y.scale, y.zero_point};
      Layer plain = with(Softmax{});
      plain.requant = quantization::softmax_requant(Rounding::Float, x.scale);
      const Bytes wanted = ops::golden(plain, {{some, few.data()}}, share);
      for (int k = 0, at = 0; k < length; ++k) ASSERT_EQ(made(k), own[k] ? wanted[static_cast<std::size_t>(at++)] : 0x80);
    }
  }
}

TEST(MaskedSoftmax, RefusesAMaskOfOtherRows) {
  NetworkBuilder b("n", "n.yaml");
  b.input({"x", {1, 3, 4}, ElementType::Int8, 1, 0});
  b.input({"m", {2, 4}, ElementType::UInt8, 1, 0});
  EXPECT_EQ(refusal([&] { b.shape_of(with(MaskedSoftmax{}, {0, 1}), {}); }),
            "error[E0211]: layer `l`: its mask has the shape [2, 4], whose rows do not fit those of its input [1, 3, 4]");
}

constexpr const char* Encoder = R"(gemel_workload: 1
name: encoder
arithmetic: float
synthetic: {seed: 3}
inputs:
  - {name: words, shape: [1, 6], type: int32}
  - {name: mask, shape: [1, 6], type: uint8, scale: 1, zero_point: 0}
layers:
  - {name: embedded, op: gather, input: words, rows: 50, out_channels: 8}
  - {name: placed, op: add_constant, shape: [6, 8]}
  - {name: norm, op: layer_norm, epsilon: 1.0e-12}
  - {name: query, op: matmul, out_channels: 8}
  - {name: heads, op: reshape, shape: [1, 6, 2, 4]}
  - {name: q, op: transpose, order: [0, 2, 1, 3]}
  - {name: k, op: transpose, input: heads, order: [0, 2, 3, 1]}
  - {name: scores, op: batch_matmul, inputs: [q, k]}
  - {name: shares, op: masked_softmax, inputs: [scores, mask], output: {scale: 0.00390625, zero_point: -128}}
)";

TEST(Encoder, AWorkloadFileSaysIt) {
  const Network one = load_workload_text(Encoder, "e.yaml", {}), other = load_workload_text(Encoder, "e.yaml", {});
  EXPECT_EQ(one.layers[2].get<LayerNorm>()->gamma, other.layers[2].get<LayerNorm>()->gamma);
  EXPECT_EQ(one.layers[0].get<Gather>()->table.size(), 400u);
  EXPECT_EQ(one.output_of(one.layers.back()).shape, (Shape{1, 2, 6, 6}));
  LoadOptions two;
  two.batch = 2;
  EXPECT_EQ(load_workload_text(Encoder, "e.yaml", two).tensors.back().shape, (Shape{2, 2, 6, 6}));
  const Bytes words = synthetic_input(one, 0, 1);
  for (std::size_t i = 0; i < words.size(); i += 4) {
    std::int32_t index = 0;
    std::memcpy(&index, words.data() + i, 4);
    EXPECT_TRUE(index >= 0 && index < 50) << index;
  }
}

}  // namespace
}  // namespace gemel
