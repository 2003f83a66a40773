// SPDX-License-Identifier: Apache-2.0
// Synthetic numbers: bell-shaped, without a mean, the same on every run, quick to make; and networks made of them use
// their 8-bit range in every layer instead of ending in one value.
#include "network/synthetic.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <set>

#include "network/workload.hpp"
#include "ops/golden.hpp"

namespace gemel {
namespace {

struct Moments {
  double mean = 0, deviation = 0, saturated = 0;
};

// Saturated: at an end of the range that is not the zero point itself (where a ReLU puts half of its values).
Moments moments(const std::vector<std::uint8_t>& bytes, const Tensor& t) {
  double sum = 0, squares = 0, ends = 0;
  for (const std::uint8_t byte : bytes) {
    const int q = t.type == ElementType::Int8 ? static_cast<std::int8_t>(byte) : byte;
    const double x = q - t.zero_point;
    sum += x;
    squares += x * x;
    ends += q != t.zero_point && (q == min_value(t.type) || q == max_value(t.type));
  }
  const auto n = static_cast<double>(bytes.size());
  return {sum / n, std::sqrt(squares / n - sum / n * (sum / n)), ends / n};
}

TEST(Bell, HasNoMeanAndTheStatedDeviation) {
  constexpr int Count = 1 << 20;
  std::vector<std::uint8_t> bytes(Count);
  synthetic::fill_bell(reinterpret_cast<std::int8_t*>(bytes.data()), Count, 42);
  const Moments m = moments(bytes, Tensor{});
  EXPECT_NEAR(m.mean, 0.0, 4 * synthetic::BellDeviation / std::sqrt(Count));
  EXPECT_NEAR(m.deviation, synthetic::BellDeviation, 0.3);
  for (const std::uint8_t byte : bytes) ASSERT_NE(byte, 0x80) << "-128 never occurs";
}

// The definition again, byte by byte: what is vectorized must give the same numbers as what is not.
TEST(Bell, IsTheMeanOfFourHashedBytes) {
  const std::uint64_t stream = 77;
  std::uint64_t keys = stream;  // splitmix64's output function
  keys = (keys ^ (keys >> 30)) * 0xBF58476D1CE4E5B9;
  keys = (keys ^ (keys >> 27)) * 0x94D049BB133111EB;
  keys ^= keys >> 31;
  const auto hash = [&](std::uint32_t counter) {
    std::uint32_t x = counter * 0x9E3779B9u + static_cast<std::uint32_t>(keys);
    x = (x ^ (x >> 16)) * 0x7FEB352Du;
    x = (x ^ (x >> 15) ^ static_cast<std::uint32_t>(keys >> 32)) * 0x846CA68Bu;
    return x ^ (x >> 16);
  };
  std::vector<std::int8_t> found(100003);
  synthetic::fill_bell(found.data(), found.size(), stream);
  for (std::size_t i = 0; i < found.size(); ++i) {
    unsigned bytes[4];
    for (unsigned k = 0; k < 4; ++k) bytes[k] = hash(static_cast<std::uint32_t>(i / 4 * 4 + k)) >> (8 * (i % 4)) & 0xFF;
    const unsigned mean = ((bytes[0] + bytes[1] + 1) / 2 + (bytes[2] + bytes[3] + 1) / 2 + 1) / 2;
    ASSERT_EQ(found[i], std::max(static_cast<int>(mean) - 128, -127)) << i;
  }
}

TEST(Bell, APrefixIsAPrefix) {
  std::vector<std::int8_t> long_one(100), short_one(13);
  synthetic::fill_bell(long_one.data(), long_one.size(), 9);
  synthetic::fill_bell(short_one.data(), short_one.size(), 9);
  EXPECT_TRUE(std::equal(short_one.begin(), short_one.end(), long_one.begin()));
}

TEST(Stream, DependsOnSeedNameAndPurpose) {
  const std::set<std::uint64_t> all = {synthetic::stream(1, "a", "weight"), synthetic::stream(2, "a", "weight"),
                                       synthetic::stream(1, "b", "weight"), synthetic::stream(1, "a", "bias"),
                                       synthetic::stream(1, "aw", "eight")};
  EXPECT_EQ(all.size(), 5u);
}

TEST(SyntheticInput, IsReproducibleAndFollowsTheZeroPoint) {
  Tensor t;
  t.name = "image";
  t.shape = {1, 64, 64, 3};
  t.zero_point = 20;
  EXPECT_EQ(synthetic_input(t, 1), synthetic_input(t, 1));
  EXPECT_NE(synthetic_input(t, 1), synthetic_input(t, 2));
  EXPECT_NEAR(moments(synthetic_input(t, 1), t).mean, 0.0, 2.0);
  t.type = ElementType::UInt8;
  t.zero_point = 120;
  EXPECT_NEAR(moments(synthetic_input(t, 1), t).mean, 0.0, 2.0);
}

TEST(SyntheticNetwork, IsTheSameTwiceAndAnotherWithAnotherSeed) {
  LoadOptions two;
  two.seed = 2;
  const Network a = load_workload("resnet8"), b = load_workload("resnet8"), c = load_workload("resnet8", two);
  for (std::size_t i = 0; i < a.layers.size(); ++i) {
    EXPECT_EQ(a.layers[i].requant.multiplier, b.layers[i].requant.multiplier);
    if (a.layers[i].weights() == nullptr) continue;
    EXPECT_EQ(a.layers[i].weights()->bytes, b.layers[i].weights()->bytes);
    EXPECT_EQ(a.layers[i].weights()->bias, b.layers[i].weights()->bias);
  }
  EXPECT_NE(a.layers[0].weights()->bytes, c.layers[0].weights()->bytes);
  EXPECT_NE(a.layers[0].weights()->bytes, a.layers[1].weights()->bytes);
}

// Recorded once: the numbers must never change unnoticed, or recorded cycles and results lose their meaning.
TEST(SyntheticNetwork, HasTheRecordedFirstWeights) {
  const Network n = load_workload("resnet8");
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const Layer& l : n.layers)
    for (const std::uint8_t w : l.weights() ? l.weights()->bytes : std::vector<std::uint8_t>()) hash = (hash ^ w) * 0x100000001B3;
  EXPECT_EQ(hash, 18321338232544757491ull);
}

TEST(SyntheticNetwork, EveryLayerUsesItsRange) {
  for (const char* name : {"resnet8", "bert_base_encoder", "mobilenet_v2"}) {
    const Network n = load_workload(name);
    Golden golden(n);
    for (const int input : n.inputs) golden.set_input(input, synthetic_input(n.tensors[input], 1));
    int layers = 0;
    golden.run([&](const Layer& layer, const std::vector<std::uint8_t>& bytes) {
      const Moments m = moments(bytes, n.tensors[layer.output]);
      EXPECT_GT(m.deviation, 15.0) << name << " " << layer.name;
      EXPECT_LT(m.saturated, 0.08) << name << " " << layer.name;
      ++layers;
    });
    EXPECT_EQ(layers, static_cast<int>(n.layers.size()));
  }
}

}  // namespace
}  // namespace gemel
