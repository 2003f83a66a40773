// SPDX-License-Identifier: Apache-2.0
// Differences: every pair of bytes against the formula in wide integers and the real difference; what is refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "network/workload.hpp"
#include "ops/ops.hpp"
#include "support/network_builder.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Pairs {
  Bytes a, b;
  Pairs() {
    for (int i = 0; i < 65536; ++i) a.push_back(static_cast<std::uint8_t>(i)), b.push_back(static_cast<std::uint8_t>(i >> 8));
  }
};

TEST(Sub, EveryPairOfBytesIsTheRoundedDifferenceOfWhatIsRounded) {
  test::Random random(test::random_seed());
  const Pairs pairs;
  for (int run = 0; run < 40; ++run) {
    test::NetworkBuilder builder("difference");
    const Shape shape{1, 256, 256, 1};
    const auto first = test::random_quantization(random, {}), second = test::random_quantization(random, {});
    auto out = test::random_quantization(random, {});
    out.scale = std::max(first.scale, second.scale) * std::exp2(test::draw(random, -20, 20) / 10.0);
    const auto rounding = run % 2 == 0 ? Rounding::FixedDouble : Rounding::FixedSingle;
    builder.sub(builder.input(shape, first), builder.input(shape, second), out, rounding);
    const Network network = builder.build();
    const Layer& layer = network.layers[0];
    ASSERT_EQ(layer.requant.multiplier.size(), 3u);
    const Bytes got = ops::golden(network, layer, {pairs.a.data(), pairs.b.data()});
    const auto scaled = [&](const test::NetworkBuilder::Quantization& q, std::size_t set, std::uint8_t byte) {
      return std::int64_t{ops::rounded(layer, set, (ops::value_of(byte, q.type) - q.zero_point) * (1 << 20))};
    };
    double worst = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const std::int64_t difference = scaled(first, 0, pairs.a[i]) - scaled(second, 1, pairs.b[i]);
      ASSERT_EQ(difference, static_cast<std::int32_t>(difference));
      const std::int64_t y = std::int64_t{ops::rounded(layer, 2, static_cast<std::int32_t>(difference))} + out.zero_point;
      ASSERT_EQ(ops::value_of(got[i], out.type), std::clamp<std::int64_t>(y, layer.clamp_min, layer.clamp_max)) << test::describe(network);
      const double real = (first.scale * (ops::value_of(pairs.a[i], first.type) - first.zero_point) -
                           second.scale * (ops::value_of(pairs.b[i], second.type) - second.zero_point)) / out.scale + out.zero_point;
      worst = std::max(worst, std::abs(ops::value_of(got[i], out.type) - std::clamp<double>(real, layer.clamp_min, layer.clamp_max)));
    }
    EXPECT_LT(worst, 0.51) << test::describe(network);
  }
}

TEST(Sub, AWorkloadFileSaysIt) {
  const Network network = load_workload_text(
      "gemel_workload: 1\nname: gap\nsynthetic: {seed: 1}\ninputs: [{name: x, shape: [2, 6]}, {name: y, shape: [2, 6]}]\nlayers:\n"
      "  - {name: gap, op: sub, inputs: [x, y], output: {scale: 0.1, zero_point: 4}}\n", "gap.yaml");
  EXPECT_EQ(network.layers[0].op(), Op::Sub);
  EXPECT_EQ(network.output_of(network.layers[0]).shape, (Shape{2, 6}));
}

TEST(Sub, ShapesMustBeEqual) {
  Layer l;
  l.attributes = Sub{};
  EXPECT_EQ(ops::output_shape(l, {{1, 4}, {4}}).problem, "its inputs have the shapes [1, 4] and [4], but what is subtracted must have one shape");
}

}  // namespace
}  // namespace gemel
