// SPDX-License-Identifier: Apache-2.0
// Layers that give bytes of their sums: golden against loops that read like the definition, and what the builder refuses, with its text.
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "network/builder.hpp"
#include "ops/ops.hpp"
#include "support/network_builder.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes last(const Network& network, const std::vector<const Bytes*>& inputs) {
  std::vector<const std::uint8_t*> data;
  for (const Bytes* input : inputs) data.push_back(input->data());
  return ops::golden(network, network.layers.back(), data);
}

std::int32_t value_of(const Bytes& bytes, std::int64_t at, const Tensor& tensor) {
  return ops::value_of(bytes[static_cast<std::size_t>(at)], tensor.type) - tensor.zero_point;
}

// Byte `b` of sum `n` of pixel `pixel`.
std::uint8_t byte_of(const Bytes& made, std::int64_t pixel, int b, int n, int sums, int bytes) {
  return made.at(static_cast<std::size_t>((pixel * bytes + b) * sums + n));
}

TEST(Sums, OfAConvolutionAreTheFormula) {
  test::Random random(test::random_seed());
  for (int bytes = 1; bytes <= 4; ++bytes) {
    test::NetworkBuilder b("sums", random());
    const int x = b.input({2, 5, 4, 6}, {ElementType::UInt8, 0.1, 77});
    test::NetworkBuilder::Conv c;
    c.out_channels = 4;
    c.groups = 2;
    c.window.kernel = {3, 2};
    c.window.padding = {1, 0, 1, 1};
    c.weight_zero_point = -9;
    c.sum_bytes = bytes;
    const int y = b.conv(x, c);
    const Network network = b.build();
    const Tensor &in = network.tensors[static_cast<std::size_t>(x)], &out = network.tensors[static_cast<std::size_t>(y)];
    ASSERT_EQ(to_string(out.shape), "[2, 5, 4, " + std::to_string(4 * bytes) + "]");
    EXPECT_EQ(out.type, ElementType::UInt8);
    const Bytes data = test::random_bytes(random, in.shape.elements());
    const Bytes made = last(network, {&data});
    const Weights& w = *network.layers[0].weights();
    for (int n = 0; n < 2; ++n)
      for (int oy = 0; oy < 5; ++oy)
        for (int ox = 0; ox < 4; ++ox)
          for (int o = 0; o < 4; ++o) {
            std::int32_t sum = w.bias[static_cast<std::size_t>(o)];
            for (int ky = 0; ky < 3; ++ky)
              for (int kx = 0; kx < 2; ++kx)
                for (int i = 0; i < 3; ++i) {
                  const int iy = oy + ky - 1, ix = ox + kx;
                  if (iy < 0 || iy >= 5 || ix >= 4) continue;
                  sum += value_of(data, ((n * 5 + iy) * 4 + ix) * 6 + o / 2 * 3 + i, in) *
                         (ops::value_of(w.bytes[static_cast<std::size_t>(((o * 3 + ky) * 2 + kx) * 3 + i)], w.type) + 9);
                }
            for (int byte = 0; byte < bytes; ++byte)
              ASSERT_EQ(byte_of(made, (n * 5 + oy) * 4 + ox, byte, o, 4, bytes), static_cast<std::uint8_t>(sum >> 8 * byte)) << sum << ", byte " << byte;
          }
  }
}

TEST(Sums, OfComputedMatricesAreTheFormula) {
  test::Random random(test::random_seed());
  test::NetworkBuilder b("sums", random());
  const int x = b.input({2, 5, 6}, {ElementType::UInt8, 0.1, 128}), v = b.input({2, 3, 4, 2}, {ElementType::Int8, 0.1, 4});
  const int y = b.grouped_matmul(x, v, {}, Rounding::FixedDouble, 3);
  const Network network = b.build();
  const Tensor &a = network.tensors[static_cast<std::size_t>(x)], &w = network.tensors[static_cast<std::size_t>(v)];
  ASSERT_EQ(to_string(network.tensors[static_cast<std::size_t>(y)].shape), "[2, 5, 36]");
  const Bytes rows = test::random_bytes(random, 60), matrices = test::random_bytes(random, 48);
  const Bytes made = last(network, {&rows, &matrices});
  for (int n = 0; n < 2; ++n)
    for (int r = 0; r < 5; ++r)
      for (int g = 0; g < 3; ++g)
        for (int o = 0; o < 4; ++o) {
          std::int32_t sum = 0;
          for (int k = 0; k < 2; ++k) sum += value_of(rows, (n * 5 + r) * 6 + g * 2 + k, a) * value_of(matrices, ((n * 3 + g) * 4 + o) * 2 + k, w);
          for (int byte = 0; byte < 3; ++byte) ASSERT_EQ(byte_of(made, n * 5 + r, byte, g * 4 + o, 12, 3), static_cast<std::uint8_t>(sum >> 8 * byte));
        }
}

class Refusals : public ::testing::Test {
 protected:
  Refusals() {
    builder.input({"x", {1, 4}, ElementType::Int8, 0.1, 0});
    layer.name = "l";
    layer.inputs = {0};
    MatMul product;
    product.weights.bytes.assign(8, 1);
    layer.attributes = product;
    layer.sum_bytes = 3;
    layer.clamp_min = 0;
    layer.clamp_max = 255;
  }
  std::string text() {
    try {
      builder.add(layer, output);
    } catch (const UserError& error) {
      return error.what();
    }
    return "nothing was refused";
  }
  NetworkBuilder builder{"refused"};
  Layer layer;
  Tensor output{"", {1, 6}, ElementType::UInt8, 1, 0};
};

TEST_F(Refusals, NothingOfWhatIsRight) { EXPECT_EQ(text(), "nothing was refused"); }

TEST_F(Refusals, AnOutputWithAScale) {
  for (int i = 0; i < 3; ++i) {
    output = {"", {1, 6}, i == 0 ? ElementType::Int8 : ElementType::UInt8, i == 1 ? 0.5 : 1, i == 2 ? 7 : 0};
    EXPECT_EQ(text(), "error[E0212]: layer `l`: bytes of sums are uint8 with scale 1 and zero point 0");
  }
}

TEST_F(Refusals, ChannelsThatAreNotSoManyBytes) {
  output.shape = {1, 7};
  EXPECT_EQ(text(), "error[E0211]: layer `l`: 7 output channels are not 3 bytes of each sum");
}

TEST_F(Refusals, BytesThatThereAreNot) {
  const auto refused = [](const std::string& bytes) {
    return "error[E0211]: layer `l`: it cannot give " + bytes + " bytes of its sums\nhint: 1 to 4, of an operator with weights and without a table";
  };
  layer.sum_bytes = 5;
  EXPECT_EQ(text(), refused("5"));
  layer.sum_bytes = -1;
  EXPECT_EQ(text(), refused("-1"));
  layer.sum_bytes = 3;
  layer.then_table = std::make_shared<TableEntries>();
  EXPECT_EQ(text(), refused("3"));
  layer.then_table.reset();
  layer.attributes = Reshape{};
  EXPECT_EQ(text(), refused("3"));
}

TEST_F(Refusals, Multipliers) {
  layer.requant.multiplier = {1, 1};
  layer.requant.shift = {0, 0};
  EXPECT_EQ(text(), "error[E0306]: layer `l`: it has 2 multipliers and 2 shifts, and needs 0");
}

}  // namespace
}  // namespace gemel
