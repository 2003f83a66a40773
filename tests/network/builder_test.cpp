// SPDX-License-Identifier: Apache-2.0
// NetworkBuilder: what it makes, and the exact text, code and key of everything it refuses.
#include "network/builder.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "network/workload.hpp"

namespace gemel {
namespace {

struct Refusal {
  std::string code, message, about;
  bool operator==(const Refusal& o) const { return code == o.code && message == o.message && about == o.about; }
};
std::ostream& operator<<(std::ostream& out, const Refusal& r) { return out << r.code << " at `" << r.about << "`: " << r.message; }

Refusal refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const BuildError& error) {
    const Diagnostic& d = error.diagnostics().front();
    return {d.code, d.message, error.about()};
  }
  return {"", "accepted", ""};
}

Tensor tensor(const std::string& name, const Shape& shape, ElementType type = ElementType::Int8, double scale = 0.5) {
  Tensor t;
  t.name = name;
  t.shape = shape;
  t.type = type;
  t.scale = scale;
  return t;
}

Layer layer(const std::string& name, Attributes attributes, std::vector<int> inputs) {
  Layer l;
  l.name = name;
  l.attributes = std::move(attributes);
  l.inputs = std::move(inputs);
  return l;
}

// A dense layer of 3 outputs behind an input of [2, 4], with weights and scales.
struct Mlp {
  NetworkBuilder builder{"mlp", "mlp.yaml"};
  Layer dense;
  Tensor output;

  Mlp() {
    Dense attributes;
    attributes.weights.bytes.assign(12, 1);
    dense = layer("fc", attributes, {builder.input(tensor("x", {2, 4}))});
    output.scale = 0.25;
    output.shape = builder.shape_of(dense, {3});
    builder.quantize(dense, output, {0.125f}, quantization::Activation::Relu);
  }
};

TEST(NetworkBuilder, MakesALayerFromScales) {
  Mlp mlp;
  EXPECT_EQ(mlp.output.shape, (Shape{2, 3}));
  // 0.5 * 0.125 / 0.25 = 0.25 = 2^30 / 2^31 * 2^-1, once per channel
  EXPECT_EQ(mlp.dense.requant.multiplier, std::vector<std::int32_t>(3, 1 << 30));
  EXPECT_EQ(mlp.dense.requant.shift, std::vector<int>(3, -1));
  EXPECT_EQ(mlp.dense.clamp_min, 0);
  EXPECT_EQ(mlp.dense.clamp_max, 127);
  const int out = mlp.builder.add(mlp.dense, mlp.output);
  EXPECT_EQ(mlp.builder.find("fc"), out);
  EXPECT_EQ(mlp.builder.find("fd"), -1);
  mlp.builder.find_outputs();
  const Network network = mlp.builder.take();
  EXPECT_EQ(network.inputs, std::vector<int>{0});
  EXPECT_EQ(network.outputs, std::vector<int>{out});
  EXPECT_EQ(network.macs(), 24);
}

TEST(NetworkBuilder, RefusesInputs) {
  NetworkBuilder b;
  b.input(tensor("x", {1, 4}));
  EXPECT_EQ(refusal([&] { b.input(tensor("x", {1})); }),
            (Refusal{"E0209", "the name `x` is taken: every input and layer needs its own", "name"}));
  EXPECT_EQ(refusal([&] { b.input(tensor("", {1})); }).code, "E0207");
  EXPECT_EQ(refusal([&] { b.input(tensor("long", {1 << 20, 1 << 20, 1 << 20, 1 << 20})); }),
            (Refusal{"E0214", "input `long` has the shape [1048576, 1048576, 1048576, 1048576], which is too large", ""}));
  // As an image its outer three dimensions are one.
  EXPECT_EQ(refusal([&] { b.input(tensor("outer", {1 << 10, 1 << 10, 1 << 10, 1, 1, 1})); }),
            (Refusal{"E0214", "input `outer` has the shape [1024, 1024, 1024, 1, 1, 1], which is too large", ""}));
  EXPECT_EQ(refusal([&] { b.input(tensor("none", {1, 0})); }).code, "E0214");
}

TEST(NetworkBuilder, RefusesLayersThatDoNotFitTheirInputs) {
  NetworkBuilder b;
  const int x = b.input(tensor("x", {1, 2, 2, 4})), wide = b.input(tensor("wide", {1, 2, 2, 4}, ElementType::Int32));
  EXPECT_EQ(refusal([&] { b.shape_of(layer("sum", Add{}, {x}), {}); }),
            (Refusal{"E0210", "layer `sum`: `add` takes 2 inputs, not 1", "inputs"}));
  EXPECT_EQ(refusal([&] { b.shape_of(layer("sum", Add{}, {x, 7}), {}); }),
            (Refusal{"E0210", "layer `sum`: it reads a tensor that does not exist", "inputs"}));
  EXPECT_EQ(refusal([&] { b.shape_of(layer("view", Reshape{}, {x}), {3, 5}); }),
            (Refusal{"E0211", "layer `view`: [3, 5] has 15 elements, but its input [1, 2, 2, 4] has 16", "shape"}));
  EXPECT_EQ(refusal([&] { b.add(layer("view", Reshape{}, {wide}), tensor("view", {16})); }),
            (Refusal{"E0212", "layer `view`: `wide` is int32, and `reshape` reads int8 or uint8", "inputs"}));
  EXPECT_EQ(refusal([&] { b.add(layer("view", Reshape{}, {x}), tensor("view", {16}, ElementType::Float32)); }),
            (Refusal{"E0212", "layer `view`: `reshape` makes int8 or uint8, not float32", "output"}));
}

TEST(NetworkBuilder, RefusesNumbersThatDoNotFitTheirLayer) {
  const auto refused = [](const std::function<void(Mlp&)>& change) {
    Mlp mlp;
    change(mlp);
    return refusal([&] { mlp.builder.add(mlp.dense, mlp.output); });
  };
  EXPECT_EQ(refused([](Mlp& m) { m.dense.requant.multiplier.pop_back(); }),
            (Refusal{"E0306", "layer `fc`: it has 2 multipliers and 3 shifts, and needs 3", ""}));
  EXPECT_EQ(refused([](Mlp& m) { m.dense.requant.shift[1] = 31; }),
            (Refusal{"E0307", "layer `fc`: multiplier 1073741824 with shift 31 is outside of 0 to 2147483647 and -31 to 30", ""}));
  EXPECT_EQ(refused([](Mlp& m) { m.dense.weights()->bytes.pop_back(); }), (Refusal{"E0306", "layer `fc`: it has 11 weights, and needs 12", ""}));
  EXPECT_EQ(refused([](Mlp& m) { m.dense.weights()->bias = {1, 2}; }),
            (Refusal{"E0306", "layer `fc`: its bias has 2 entries, and must have 3", ""}));
  EXPECT_EQ(refused([](Mlp& m) { m.dense.weights()->zero_point = 128; }),
            (Refusal{"E0212", "layer `fc`: the zero point of its weights is no int8", "weight"}));
  EXPECT_EQ(refused([](Mlp& m) { m.dense.clamp_max = 128; }),
            (Refusal{"E0212", "layer `fc`: `clamp` is [0, 128], but must lie in order between -128 and 127", "clamp"}));
  EXPECT_EQ(refused([](Mlp&) {}), (Refusal{"", "accepted", ""}));
}

TEST(NetworkBuilder, RefusesArithmeticThatAnOperatorDoesNotHave) {
  NetworkBuilder b;
  const int x = b.input(tensor("x", {1, 2}));
  Layer product = layer("product", Mul{}, {x, x});
  product.requant.rounding = Rounding::Float;
  EXPECT_EQ(refusal([&] { b.quantize(product, tensor("product", {1, 2}), {}, quantization::Activation::None); }),
            (Refusal{"E0213", "layer `product`: `mul` has no `float` arithmetic", "arithmetic"}));
  Mlp mlp;
  EXPECT_EQ(refusal([&] { NetworkBuilder::narrow_clamp(mlp.dense, -1, 5); }),
            (Refusal{"E0212", "layer `fc`: `clamp` is [-1, 5], but must lie in order between 0 and 127", "clamp"}));
  mlp.dense.requant = {};
  mlp.output.scale = 1e-11;
  EXPECT_EQ(refusal([&] { mlp.builder.quantize(mlp.dense, mlp.output, {1.0f}, quantization::Activation::None); }),
            (Refusal{"E0212", "layer `fc`: its scales ask for a multiplication by 2^30 or more", ""}));
}

TEST(NetworkBuilder, FilesMayGiveShapesOfAnyRank) {
  const Network network = load_workload_text(
      "gemel_workload: 1\nname: ranks\nsynthetic: {seed: 1}\ninputs: [{name: x, shape: [3, 8]}]\nlayers:\n"
      "  - {name: fc, op: dense, out_channels: 4}\n  - {name: view, op: reshape, shape: [3, 1, 2, 1, 2]}\n  - {name: rows, op: matmul, out_channels: 5}\n",
      "ranks.yaml");
  EXPECT_EQ(network.tensors[1].shape, (Shape{3, 4}));
  EXPECT_EQ(network.tensors[2].shape, (Shape{3, 1, 2, 1, 2}));
  EXPECT_EQ(network.tensors[3].shape, (Shape{3, 1, 2, 1, 5}));
}

}  // namespace
}  // namespace gemel
