// SPDX-License-Identifier: Apache-2.0
// A whole network through golden: order, memory, and what it refuses.
#include "ops/golden.hpp"

#include <gtest/gtest.h>

#include <map>

#include "base/error.hpp"
#include "ops/ops.hpp"
#include "support/network_builder.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using test::NetworkBuilder;
using Bytes = std::vector<std::uint8_t>;

// x -> conv -> add(conv, x) -> mean; and a second reader of x.
Network residual() {
  NetworkBuilder b("residual");
  const int x = b.input({2, 4, 5, 3}, {});
  NetworkBuilder::Conv c;
  c.out_channels = 3;
  const int y = b.conv(x, c);
  b.global_avg_pool(b.add(y, x, {}), {});
  b.max_pool(x, {});
  return b.build();
}

TEST(Golden, ComputesWhatIsAskedFor) {
  const Network network = residual();
  test::Random random(test::random_seed());
  const Bytes x = test::random_bytes(random, 2 * 4 * 5 * 3);
  Golden golden(network);
  golden.set_input(network.inputs[0], x);
  const Bytes mean = golden.tensor(network.layers[2].output);
  const Bytes conv = ops::golden(network, network.layers[0], {x.data()});
  const Bytes sum = ops::golden(network, network.layers[1], {conv.data(), x.data()});
  EXPECT_EQ(golden.tensor(network.layers[0].output), conv);
  EXPECT_EQ(golden.tensor(network.layers[1].output), sum);
  EXPECT_EQ(mean, ops::golden(network, network.layers[2], {sum.data()}));
  golden.release(network.layers[0].output);
  EXPECT_EQ(golden.tensor(network.layers[0].output), conv) << "computed again";
}

TEST(Golden, RunVisitsEveryLayerInOrder) {
  test::Random random(test::random_seed());
  int layers = 0;
  for (int i = 0; i < 200; ++i) {
    const Network network = test::random_network(random);
    const std::vector<Bytes> inputs = test::random_inputs(network, random);
    Golden lazy(network), streaming(network);
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      lazy.set_input(network.inputs[k], inputs[k]);
      streaming.set_input(network.inputs[k], inputs[k]);
    }
    std::size_t next = 0;
    streaming.run([&](const Layer& layer, const Bytes& output) {
      ASSERT_EQ(&layer, &network.layers[next++]);
      ASSERT_EQ(static_cast<std::int64_t>(output.size()), network.tensors[layer.output].shape.elements());
      ASSERT_EQ(output, lazy.tensor(layer.output)) << test::describe(network);
      ++layers;
    });
    ASSERT_EQ(next, network.layers.size());
    for (const int output : network.outputs) ASSERT_EQ(streaming.tensor(output), lazy.tensor(output));
  }
  EXPECT_GT(layers, 400);
}

TEST(Golden, ANewInputForgetsOldResults) {
  const Network network = residual();
  test::Random random(test::random_seed());
  Golden golden(network);
  golden.set_input(0, Bytes(120, 0));
  const Bytes before = golden.tensor(network.outputs[1]);
  golden.set_input(0, Bytes(120, 77));
  EXPECT_EQ(golden.tensor(network.outputs[1]), Bytes(120, 77));
  EXPECT_NE(golden.tensor(network.outputs[1]), before);
}

TEST(Golden, RefusesWhatMakesNoSense) {
  Network network = residual();
  Golden golden(network);
  EXPECT_THROW(golden.tensor(network.outputs[0]), InternalError) << "no input was set";
  EXPECT_THROW(golden.set_input(network.outputs[0], Bytes(6)), InternalError) << "not an input";
  EXPECT_THROW(golden.set_input(0, Bytes(119)), InternalError) << "one byte is missing";
  network.tensors[network.layers[0].output].shape[2] = 6;
  EXPECT_THROW(Golden{network}, InternalError) << "a shape that the operator does not make";
}

TEST(Golden, RandomNetworksCoverEveryOperator) {
  test::Random random(test::random_seed());
  std::map<Op, int> count;
  std::int64_t constant = 0, layers = 0;
  for (int i = 0; i < 300; ++i) {
    test::RandomNetworkLimits limits;
    limits.host_steps = i % 2 == 0;
    const Network network = test::random_network(random, limits);
    const std::vector<Bytes> inputs = test::random_inputs(network, random);
    Golden golden(network);
    for (std::size_t k = 0; k < inputs.size(); ++k) golden.set_input(network.inputs[k], inputs[k]);
    golden.run([&](const Layer& layer, const Bytes& output) {
      ++count[layer.op()];
      ++layers;
      constant += output.size() > 8 && std::all_of(output.begin(), output.end(), [&](std::uint8_t v) { return v == output[0]; });
    });
  }
  for (const ops::OpInfo& row : ops::table()) {
    if (row.op == Op::ArgMax) continue;  // nothing can follow it
    EXPECT_GT(count[row.op], 10) << row.name();
  }
  EXPECT_LT(constant * 5, layers) << "tests on networks whose tensors are mostly constant would show little";
}

TEST(Golden, TheSameSeedGivesTheSameNetwork) {
  const std::uint64_t seed = test::random_seed();
  test::Random first(seed), second(seed);
  const Network a = test::random_network(first), b = test::random_network(second);
  EXPECT_EQ(test::describe(a), test::describe(b));
  for (std::size_t i = 0; i < a.layers.size(); ++i) {
    if (a.layers[i].weights() != nullptr) {
      EXPECT_EQ(a.layers[i].weights()->bytes, b.layers[i].weights()->bytes);
    }
  }
}

}  // namespace
}  // namespace gemel
