// SPDX-License-Identifier: Apache-2.0
// Workload files: what each key means for shapes and numbers, tensors from a file and what can be wrong with them, batches,
// and the shipped workloads, whose sizes are those of the real networks and of the table in workloads/README.md.
#include "network/workload.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <sstream>

#include "base/error.hpp"
#include "network/safetensors.hpp"
#include "network/scalesim.hpp"
#include "network/synthetic.hpp"
#include "ops/golden.hpp"
#include "ops/ops.hpp"

namespace gemel {
namespace {

namespace fs = std::filesystem;

// A synthetic network over one input, with the given layers.
std::string synthetic_yaml(const std::string& shape, const std::string& layers) {
  return "gemel_workload: 1\nname: t\nsynthetic: {seed: 1}\ninputs:\n  - {name: image, shape: " + shape + "}\nlayers:\n" + layers;
}
Network load(const std::string& shape, const std::string& layers, const LoadOptions& options = {}) {
  return load_workload_text(synthetic_yaml(shape, layers), "t.yaml", options);
}
const Layer& layer(const Network& n, const std::string& name) {
  for (const Layer& l : n.layers)
    if (l.name == name) return l;
  throw std::out_of_range(name);
}
Shape out(const Network& n, const std::string& name) { return n.tensors[layer(n, name).output].shape; }
std::string message(const std::function<void()>& action) {
  try {
    action();
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Workload, SamePaddingPutsTheOddPixelAtTheEnd) {
  const Network n = load("[1, 224, 224, 3]", "  - {name: c, op: conv2d, out_channels: 4, kernel: 3, stride: 2, padding: same}\n");
  EXPECT_EQ(out(n, "c"), (Shape{1, 112, 112, 4}));
  const Window& c = *layer(n, "c").window();
  EXPECT_EQ(c.pad_top, 0);
  EXPECT_EQ(c.pad_bottom, 1 /*(112-1)*2 + 3 - 224*/);
  EXPECT_EQ(c.pad_left, 0);
  EXPECT_EQ(c.pad_right, 1);
}

TEST(Workload, SamePaddingCountsTheDilatedKernel) {
  const Network n = load("[1, 10, 10, 3]", "  - {name: c, op: conv2d, out_channels: 4, kernel: [3, 1], dilation: [2, 7], padding: same}\n");
  EXPECT_EQ(out(n, "c"), (Shape{1, 10, 10, 4}));
  EXPECT_EQ(layer(n, "c").window()->pad_top, 2);
  EXPECT_EQ(layer(n, "c").window()->pad_bottom, 2);
  EXPECT_EQ(layer(n, "c").window()->pad_left, 0);
}

TEST(Workload, ExplicitPaddingIsTopLeftBottomRight) {
  const Network n = load("[1, 8, 8, 3]", "  - {name: c, op: conv2d, out_channels: 4, kernel: 3, padding: [1, 2, 3, 4]}\n");
  EXPECT_EQ(out(n, "c"), (Shape{1, 8 + 4 - 2, 8 + 6 - 2, 4}));
  EXPECT_EQ(layer(n, "c").window()->pad_left, 2);
  EXPECT_EQ(layer(n, "c").window()->pad_bottom, 3);
}

TEST(Workload, ALayerReadsThePreviousOneUnlessItSaysOtherwise) {
  const Network n = load("[1, 8, 8, 4]",
                         "  - {name: a, op: table, function: relu}\n"
                         "  - {name: b, op: table, function: tanh}\n"
                         "  - {name: c, op: table, input: a, function: sigmoid}\n"
                         "  - {name: d, op: add, inputs: [b, c]}\n");
  EXPECT_EQ(n.tensors[layer(n, "a").inputs[0]].name, "image");
  EXPECT_EQ(n.tensors[layer(n, "b").inputs[0]].name, "a");
  EXPECT_EQ(n.tensors[layer(n, "c").inputs[0]].name, "a");
  ASSERT_EQ(n.outputs.size(), 1u);
  EXPECT_EQ(n.tensors[n.outputs[0]].name, "d");
  EXPECT_EQ(layer(n, "c").line, 9);
}

TEST(Workload, WhatNobodyReadsIsAnOutput) {
  const Network n = load("[1, 8, 8, 4]",
                         "  - {name: a, op: table, function: relu}\n"
                         "  - {name: b, op: table, input: a, function: tanh}\n"
                         "  - {name: c, op: table, input: a, function: tanh}\n");
  ASSERT_EQ(n.outputs.size(), 2u);
  EXPECT_EQ(n.tensors[n.outputs[1]].name, "c");
}

TEST(Workload, DepthwiseTakesTheInputsChannels) {
  const Network n = load("[1, 8, 8, 6]",
                         "  - {name: a, op: conv2d, groups: depthwise, kernel: 3}\n"
                         "  - {name: b, op: conv2d, groups: depthwise, out_channels: 12, kernel: 3}\n");
  EXPECT_EQ(layer(n, "a").get<Conv2d>()->groups, 6);
  EXPECT_EQ(out(n, "a")[3], 6);
  EXPECT_EQ(layer(n, "a").weights()->bytes.size(), 6u * 9);
  EXPECT_EQ(layer(n, "b").get<Conv2d>()->groups, 6);
  EXPECT_EQ(out(n, "b")[3], 12);
}

TEST(Workload, ADenseLayerFlattensEachImage) {
  LoadOptions options;
  options.batch = 3;
  const Network n = load("[1, 2, 2, 5]", "  - {name: fc, op: dense, out_channels: 7}\n", options);
  ASSERT_EQ(n.layers.size(), 1u) << "no view before it";
  EXPECT_EQ(n.layers[0].op(), Op::Dense);
  EXPECT_EQ(out(n, "fc"), (Shape{3, 1, 1, 7}));
  EXPECT_EQ(n.macs(), 3 * 20 * 7);
}

TEST(Workload, ChainsOfDenseLayersKeepImagesApart) {
  LoadOptions options;
  options.batch = 3;
  const std::string layers =
      "  - {name: a, op: dense, out_channels: 7}\n  - {name: b, op: dense, out_channels: 6}\n  - {name: c, op: dense, out_channels: 5}\n";
  const Network n = load("[1, 2, 2, 5]", layers, options);
  EXPECT_EQ(out(n, "b"), (Shape{3, 1, 1, 6}));
  EXPECT_EQ(out(n, "c"), (Shape{3, 1, 1, 5}));
  EXPECT_EQ(n.macs(), 3 * load("[1, 2, 2, 5]", layers).macs());
}

TEST(Workload, ABatchOfDenseLayersIsItsImagesOneByOne) {
  LoadOptions options;
  const std::string layers = "  - {name: a, op: dense, out_channels: 7, activation: relu}\n  - {name: b, op: dense, out_channels: 5}\n";
  const Network one = load("[1, 2, 2, 5]", layers);
  options.batch = 4;
  const Network four = load("[1, 2, 2, 5]", layers, options);
  const std::vector<std::uint8_t> images = synthetic_input(four.tensors[four.inputs[0]], 3);
  Golden batched(four), single(one);
  batched.set_input(four.inputs[0], images);
  const std::vector<std::uint8_t>& all = batched.tensor(four.outputs[0]);
  ASSERT_EQ(all.size(), 4u * 5);
  for (int i = 0; i < 4; ++i) {
    single.set_input(one.inputs[0], {images.begin() + 20 * i, images.begin() + 20 * (i + 1)});
    EXPECT_EQ(single.tensor(one.outputs[0]), std::vector<std::uint8_t>(all.begin() + 5 * i, all.begin() + 5 * (i + 1))) << "image " << i;
  }
}

TEST(Workload, AMatmulKeepsItsRows) {
  const Network n = load("[2, 3, 4, 5]", "  - {name: m, op: matmul, out_channels: 7}\n");
  EXPECT_EQ(out(n, "m"), (Shape{2, 3, 4, 7}));
  EXPECT_EQ(n.macs(), 2 * 3 * 4 * 5 * 7);
}

TEST(Workload, ABatchReplacesTheImagesOfTheFile) {
  const std::string layers =
      "  - {name: c, op: conv2d, out_channels: 4, kernel: 3}\n  - {name: v, op: reshape, shape: [1, 1, 1, 144]}\n";
  LoadOptions options;
  options.batch = 5;
  const Network n = load("[1, 8, 8, 3]", layers, options);
  EXPECT_EQ(out(n, "c"), (Shape{5, 6, 6, 4}));
  EXPECT_EQ(out(n, "v"), (Shape{5, 1, 1, 144}));
  EXPECT_EQ(n.macs(), 5 * load("[1, 8, 8, 3]", layers).macs());
}

TEST(Workload, ABatchThatDoesNotFitIsRefused) {
  LoadOptions options;
  options.batch = 3;
  EXPECT_EQ(message([&] { load("[2, 8, 8, 3]", "  - {name: v, op: reshape, shape: [1, 16, 8, 3]}\n", options); }),
            "error[E0216]: layer `v`: the shape cannot be taken to a batch of 3\n  t.yaml:7:28\n"
            "7 |   - {name: v, op: reshape, shape: [1, 16, 8, 3]}\n"
            "  |                            ^^^^^");
}

TEST(Workload, PoolsHandOnTheirQuantization) {
  const Network n = load("[1, 8, 8, 4]",
                         "  - {name: m, op: max_pool, kernel: 2, stride: 2}\n"
                         "  - {name: a, op: avg_pool, kernel: 4, activation: relu}\n");
  const Tensor &image = n.tensors[0], &m = n.tensors[1], &a = n.tensors[2];
  EXPECT_EQ(m.scale, image.scale);
  EXPECT_EQ(a.zero_point, image.zero_point);
  EXPECT_EQ(a.shape, (Shape{1, 1, 1, 4}));
  EXPECT_EQ(layer(n, "m").clamp_min, -128);
  EXPECT_EQ(layer(n, "a").clamp_min, image.zero_point);
}

TEST(Workload, AnActivationBecomesTheClampOfTheOutputsType) {
  const Network n = load("[1, 8, 8, 4]",
                         "  - {name: a, op: matmul, out_channels: 4, activation: relu6, output: {scale: 0.05, zero_point: -100}}\n"
                         "  - {name: b, op: matmul, out_channels: 4, output: {type: uint8, scale: 0.05, zero_point: 7}}\n"
                         "  - {name: c, op: matmul, out_channels: 4, clamp: [-5, 9]}\n");
  EXPECT_EQ(layer(n, "a").clamp_min, -100);
  EXPECT_EQ(layer(n, "a").clamp_max, 20);
  EXPECT_EQ(layer(n, "b").clamp_min, 0);
  EXPECT_EQ(layer(n, "b").clamp_max, 255);
  EXPECT_EQ(layer(n, "c").clamp_min, -5);
  EXPECT_EQ(layer(n, "c").clamp_max, 9);
}

TEST(Workload, ArithmeticIsTheNetworksOrTheLayers) {
  const std::string yaml = "gemel_workload: 1\nname: t\narithmetic: fixed_single\nsynthetic: {}\n"
                           "inputs: [{name: image, shape: [1, 8, 8, 4]}]\nlayers:\n"
                           "  - {name: a, op: matmul, out_channels: 4}\n  - {name: b, op: matmul, out_channels: 4, arithmetic: float}\n";
  const Network n = load_workload_text(yaml, "t.yaml");
  EXPECT_EQ(n.layers[0].requant.rounding, Rounding::FixedSingle);
  EXPECT_EQ(n.layers[1].requant.rounding, Rounding::Float);
}

TEST(Workload, NamesArePrintableUtf8) {
  EXPECT_EQ(name_problem("conv1/\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80"), "");
  EXPECT_EQ(name_problem(""), "is empty");
  EXPECT_EQ(name_problem("a\tb"), "has a control character");
  EXPECT_EQ(name_problem(std::string(201, 'x')), "is longer than 200 bytes");
  for (const char* bad : {"\x80", "\xC0\x80", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF", "a\xE2\x82"})
    EXPECT_EQ(name_problem(bad), "is not UTF-8") << bad;
  const std::string text = message([] { load("[1, 8, 8, 4]", "  - {name: \"a\\x07\", op: table, function: relu}\n"); });
  EXPECT_EQ(text.substr(0, text.find('\n')), "error[E0207]: `layers[0].name` cannot be a name: it has a control character");
}

TEST(Workload, TimingOnlyDiffersInNothingButTheNumbers) {
  LoadOptions options;
  options.timing_only = true;
  const Network full = load_workload("resnet8"), timing = load_workload("resnet8", options);
  ASSERT_EQ(full.layers.size(), timing.layers.size());
  for (std::size_t i = 0; i < full.layers.size(); ++i) {
    EXPECT_EQ(timing.layers[i].requant.multiplier, full.layers[i].requant.multiplier);
    if (full.layers[i].weights() == nullptr) continue;
    EXPECT_TRUE(timing.layers[i].weights()->bytes.empty());
    EXPECT_EQ(timing.layers[i].weights()->bias.size(), full.layers[i].weights()->bias.size());
  }
}

// ---- tensors from a file ------------------------------------------------------------------------------------------------

class WorkloadTensors : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "gemel-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  // A 2x2x2 convolution of 3 channels out, with scales; what a test changes, it changes before load().
  Network load(const LoadOptions& options = {}) {
    safetensors::Writer writer;
    for (const auto& [name, add] : tensors_) add(writer, name);
    writer.write((folder_ / "t.safetensors").string());
    std::ofstream(folder_ / "t.yaml") << yaml_;
    return load_workload((folder_ / "t.yaml").string(), options);
  }
  std::string error() {
    std::string text = message([&] { load(); });
    const std::string folder = folder_.string() + "/";
    for (auto at = text.find(folder); at != std::string::npos; at = text.find(folder)) text.erase(at, folder.size());
    return text.substr(0, text.find("\n"));
  }
  using Add = std::function<void(safetensors::Writer&, const std::string&)>;
  template <class T>
  static Add of(std::vector<std::int64_t> shape, std::vector<T> data) {
    auto kept = std::make_shared<std::vector<T>>(std::move(data));
    return [shape, kept](safetensors::Writer& w, const std::string& name) { w.add(name, shape, kept->data()); };
  }

  fs::path folder_;
  std::string layer_ = "  - {name: c, op: conv2d, out_channels: 3, kernel: 2, output: {scale: 0.5, zero_point: 1}}\n";
  std::string yaml_ = "gemel_workload: 1\nname: t\ntensors: t.safetensors\n"
                      "inputs:\n  - {name: image, shape: [1, 4, 4, 2], scale: 0.5, zero_point: 0}\nlayers:\n" + layer_;
  std::map<std::string, Add> tensors_ = {
      {"c.weight", of<std::int8_t>({3, 2, 2, 2}, std::vector<std::int8_t>(24, 1))},
      {"c.bias", of<std::int32_t>({3}, {10, 20, 30})},
      {"c.weight_scale", of<float>({3}, {0.25f, 0.5f, 1.0f})},
  };
};

// Of operators of the host, each by the layer's name; beta and factor may be missing.
TEST_F(WorkloadTensors, GiveConstantsOfTheHost) {
  yaml_ = "gemel_workload: 1\nname: t\ntensors: t.safetensors\narithmetic: float\n"
          "inputs:\n  - {name: words, shape: [1, 3], type: int32}\nlayers:\n"
          "  - {name: e, op: gather, rows: 5, out_channels: 2, output: {scale: 0.5, zero_point: 1}}\n"
          "  - {name: p, op: add_constant, shape: [3, 2], output: {scale: 0.5, zero_point: 1}}\n"
          "  - {name: n, op: layer_norm, output: {scale: 0.5, zero_point: 1}}\n";
  tensors_ = {{"e.weight", of<std::int8_t>({5, 2}, std::vector<std::int8_t>(10, 3))},
              {"p.addend", of<float>({3, 2}, std::vector<float>(6, 0.5f))},
              {"n.gamma", of<float>({2}, {1, 2})}};
  const Network network = load();
  EXPECT_EQ(network.layers[0].get<Gather>()->table, std::vector<std::uint8_t>(10, 3));
  EXPECT_EQ(network.layers[1].get<AddConstant>()->addend, std::vector<float>(6, 0.5f));
  EXPECT_EQ(network.layers[2].get<LayerNorm>()->gamma, (std::vector<float>{1, 2}));
  EXPECT_TRUE(network.layers[2].get<LayerNorm>()->beta.empty());
  LoadOptions options;
  options.timing_only = true;
  EXPECT_TRUE(load(options).layers[0].get<Gather>()->table.empty());
  tensors_["n.gamma"] = of<float>({2}, {1, std::numeric_limits<float>::infinity()});
  EXPECT_EQ(error(), "error[E0307]: tensor `n.gamma`: entry 1 is not finite");
  tensors_["n.gamma"] = of<float>({3}, {1, 2, 3});
  EXPECT_EQ(error(), "error[E0306]: tensor `n.gamma` has the shape [3], but must have [2]");
  tensors_.erase("n.gamma");
  EXPECT_EQ(error(), "error[E0304]: tensor `n.gamma` is missing in t.safetensors");
  tensors_["n.gamma"] = of<float>({2}, {1, 2});
  tensors_["e.weight"] = of<std::uint8_t>({5, 2}, std::vector<std::uint8_t>(10, 3));
  EXPECT_EQ(error(), "error[E0305]: tensor `e.weight` is U8, but must be I8");
}

TEST_F(WorkloadTensors, AreReadAndTurnedIntoMultipliers) {
  const Network n = load();
  const Layer& c = n.layers[0];
  EXPECT_EQ(c.weights()->bytes, std::vector<std::uint8_t>(24, 1));
  EXPECT_EQ(c.weights()->bias, (std::vector<std::int32_t>{10, 20, 30}));
  EXPECT_EQ(c.requant.multiplier, (std::vector<std::int32_t>{1 << 30, 1 << 30, 1 << 30}));
  EXPECT_EQ(c.requant.shift, (std::vector<int>{-1 /*1/4*/, 0 /*1/2*/, 1 /*1*/}));
  EXPECT_EQ(n.tensors_file, (folder_ / "t.safetensors").string());
}

TEST_F(WorkloadTensors, OneScaleServesAllChannelsAndTheBiasMayBeLeftOut) {
  tensors_["c.weight_scale"] = of<float>({1}, {0.5f});
  tensors_.erase("c.bias");
  const Network n = load();
  EXPECT_TRUE(n.layers[0].weights()->bias.empty());
  EXPECT_EQ(n.layers[0].requant.shift, (std::vector<int>{0, 0, 0}));
}

TEST_F(WorkloadTensors, MultipliersMayBeGivenAsTheyAre) {
  tensors_.erase("c.weight_scale");
  tensors_["c.multiplier"] = of<std::int32_t>({3}, {1, 0, INT32_MAX});
  tensors_["c.shift"] = of<std::int32_t>({3}, {-31, 30, 0});
  const Network n = load();
  EXPECT_EQ(n.layers[0].requant.multiplier, (std::vector<std::int32_t>{1, 0, INT32_MAX}));
  EXPECT_EQ(n.layers[0].requant.shift, (std::vector<int>{-31, 30, 0}));
}

TEST_F(WorkloadTensors, AnMlpCanBeBatched) {
  yaml_ = "gemel_workload: 1\nname: t\ntensors: t.safetensors\n"
          "inputs:\n  - {name: x, shape: [1, 1, 1, 8], scale: 0.5}\nlayers:\n"
          "  - {name: a, op: dense, out_channels: 4, output: {scale: 0.5}}\n"
          "  - {name: b, op: dense, out_channels: 3, output: {scale: 0.5}}\n";
  tensors_ = {{"a.weight", of<std::int8_t>({4, 8}, std::vector<std::int8_t>(32, 1))},
              {"a.weight_scale", of<float>({1}, {0.5f})},
              {"b.weight", of<std::int8_t>({3, 4}, std::vector<std::int8_t>(12, 1))},
              {"b.weight_scale", of<float>({1}, {0.5f})}};
  LoadOptions options;
  options.batch = 2;
  const Network n = load(options);
  EXPECT_EQ(out(n, "b"), (Shape{2, 1, 1, 3}));
  EXPECT_EQ(n.macs(), 2 * (8 * 4 + 4 * 3));
}

TEST_F(WorkloadTensors, TimingOnlyChecksThemButKeepsNone) {
  LoadOptions options;
  options.timing_only = true;
  EXPECT_TRUE(load(options).layers[0].weights()->bytes.empty());
  tensors_.erase("c.weight");
  EXPECT_THROW(load(options), UserError);
}

TEST_F(WorkloadTensors, AMissingOneIsNamedWithASuggestion) {
  tensors_["c.wieght"] = tensors_["c.weight"];
  tensors_.erase("c.weight");
  const std::string text = message([&] { load(); });
  EXPECT_NE(text.find("error[E0304]: tensor `c.weight` is missing in "), std::string::npos) << text;
  EXPECT_NE(text.find("did you mean `c.wieght`?"), std::string::npos) << text;
}

TEST_F(WorkloadTensors, EachKindOfWrongOneIsNamed) {
  const auto with = [&](const std::string& name, const Add& add) {
    const auto before = tensors_;
    tensors_[name] = add;
    const std::string text = error();
    tensors_ = before;
    return text;
  };
  EXPECT_EQ(with("c.weight", of<std::uint8_t>({3, 2, 2, 2}, std::vector<std::uint8_t>(24, 1))),
            "error[E0305]: tensor `c.weight` is U8, but must be I8");
  EXPECT_EQ(with("c.weight", of<std::int8_t>({2, 2, 2, 3}, std::vector<std::int8_t>(24, 1))),
            "error[E0306]: tensor `c.weight` has the shape [2, 2, 2, 3], but must have [3, 2, 2, 2]");
  EXPECT_EQ(with("c.bias", of<std::int32_t>({2}, {1, 2})), "error[E0306]: tensor `c.bias` has the shape [2], but must have [3]");
  EXPECT_EQ(with("c.weight_scale", of<float>({2}, {1, 2})),
            "error[E0306]: tensor `c.weight_scale` has the shape [2], but must have [3] or [1]");
  EXPECT_EQ(with("c.weight_scale", of<float>({3}, {1, std::nanf(""), 2})),
            "error[E0307]: tensor `c.weight_scale`: entry 1 is nan, but scales must be 1e-12 to 1e+12");
  EXPECT_EQ(with("c.weight_scale", of<float>({3}, {1, 2, -2})),
            "error[E0307]: tensor `c.weight_scale`: entry 2 is -2, but scales must be 1e-12 to 1e+12");
  EXPECT_EQ(with("c.weight_scale", of<float>({3}, {0, 2, 2})),
            "error[E0307]: tensor `c.weight_scale`: entry 0 is 0, but scales must be 1e-12 to 1e+12");
  EXPECT_EQ(with("c.bais", of<std::int32_t>({3}, {1, 2, 3})), "error[E0308]: tensor `c.bais` belongs to no layer of t.yaml");
  EXPECT_EQ(with("c.multiplier", of<std::int32_t>({3}, {1, 2, 3})), "error[E0304]: tensor `c.shift` is missing in t.safetensors");
  EXPECT_EQ(with("c.weight_scale", of<float>({3}, {1e11f, 1, 1})),
            "error[E0212]: layer `c`: its scales ask for a multiplication by 2^30 or more");
  tensors_["c.shift"] = of<std::int32_t>({3}, {0, 31, 0});
  EXPECT_EQ(with("c.multiplier", of<std::int32_t>({3}, {1, 2, 3})),
            "error[E0307]: tensor `c.shift`: entry 1 is 31, but must be -31 to 30");
  tensors_["c.shift"] = of<std::int32_t>({3}, {0, 0, 0});
  EXPECT_EQ(with("c.multiplier", of<std::int32_t>({3}, {1, 2, -3})),
            "error[E0307]: tensor `c.multiplier`: entry 2 is -3, but must be 0 to 2147483647");
}

TEST_F(WorkloadTensors, MultipliersInFloatAreTheBitsOfFloat32) {
  yaml_.replace(yaml_.find("  - {name: c"), layer_.size(),
                "  - {name: c, op: conv2d, out_channels: 3, kernel: 2, arithmetic: float, output: {scale: 0.5, zero_point: 1}}\n");
  tensors_["c.shift"] = of<std::int32_t>({3}, {0, 0, 0});
  tensors_["c.multiplier"] = of<std::int32_t>({3}, {0x3f800000, 0x00800000, 0x7f7fffff});
  EXPECT_EQ(load().layers[0].requant.multiplier, (std::vector<std::int32_t>{0x3f800000, 0x00800000, 0x7f7fffff}));
  for (const std::int32_t wrong : {-1, 0, 0x007fffff, 0x7f800000}) {
    tensors_["c.multiplier"] = of<std::int32_t>({3}, {0x3f800000, wrong, 0x3f800000});
    EXPECT_EQ(error(), "error[E0307]: tensor `c.multiplier`: entry 1 is " + std::to_string(wrong) +
                           " with shift 0, but in `float` must be the bits of a normal positive float32, with shift 0");
  }
  tensors_["c.multiplier"] = of<std::int32_t>({3}, {0x3f800000, 0x3f800000, 0x3f800000});
  tensors_["c.shift"] = of<std::int32_t>({3}, {0, 0, 1});
  EXPECT_EQ(error(), "error[E0307]: tensor `c.multiplier`: entry 2 is 1065353216 with shift 1, but in `float` must be the bits of a normal "
                     "positive float32, with shift 0");
}

TEST_F(WorkloadTensors, ATruncatedFileIsRefused) {
  load();
  const auto file = folder_ / "t.safetensors";
  fs::resize_file(file, fs::file_size(file) - 5);
  const std::string text = message([&] { load_workload((folder_ / "t.yaml").string()); });
  EXPECT_EQ(text.rfind("error[E0303]: tensor `", 0), 0u) << text;
}

TEST_F(WorkloadTensors, TheTestSetIsFoundAndChecked) {
  EXPECT_FALSE(load_test_set(load()).has_value());
  tensors_["test.images"] = of<std::int8_t>({2, 4, 4, 2}, std::vector<std::int8_t>(64, 3));
  tensors_["test.labels"] = of<std::int32_t>({2}, {7, 8});
  tensors_["test.float_accuracy"] = of<float>({1}, {0.5f});
  const auto set = load_test_set(load());
  ASSERT_TRUE(set.has_value());
  EXPECT_EQ(set->shape, (Shape{2, 4, 4, 2}));
  EXPECT_EQ(set->images.size(), 64u);
  EXPECT_EQ(set->labels, (std::vector<std::int32_t>{7, 8}));
  EXPECT_EQ(set->float_accuracy, 0.5);
  tensors_["test.labels"] = of<std::int32_t>({1}, {7});
  const Network n = load();
  EXPECT_THROW(load_test_set(n), UserError);
}

// ---- shipped workloads --------------------------------------------------------------------------------------------------

struct Size {
  std::size_t layers;
  std::int64_t macs, weights;
};

TEST(ShippedWorkloads, HaveTheSizesOfTheRealNetworks) {
  // Multiply-accumulates and weights (biases not counted) as published for these networks at 224x224.
  const std::map<std::string, Size> sizes = {
      {"resnet50", {72, 4089184256, 25502912}},      {"resnet18", {31, 1814073344, 11678912}},
      {"mobilenet_v1", {29, 568740352, 4209088}},    {"mobilenet_v2", {64, 300774272, 3469760}},
      {"vgg16", {21, 15470264320, 138344128}},       {"resnet8", {14, 12501632, 77360}},
      {"gemm_512", {1, 512 * 512 * 512, 512 * 512}}, {"conv3x3_56", {1, 56 * 56 * 9 * 64 * 64, 9 * 64 * 64}},
      {"depthwise_112", {1, 112 * 112 * 9 * 32, 9 * 32}}, {"dense_1000", {1, 2048 * 1000, 2048 * 1000}},
      {"bert_base_encoder", {12, 4 * 128 * 768 * 768 + 2 * 12 * 128 * 128 * 64 + 2 * 128 * 768 * 3072,
                             4 * 768 * 768 + 2 * 12 * 128 * 64 + 2 * 768 * 3072}},
  };
  LoadOptions options;
  options.timing_only = true;
  for (const auto& [name, size] : sizes) {
    const Network n = load_workload(name, options);
    EXPECT_EQ(n.name, name);
    EXPECT_EQ(n.layers.size(), size.layers) << name;
    EXPECT_EQ(n.macs(), size.macs) << name;
    EXPECT_EQ(n.weights(), size.weights) << name;
  }
}

TEST(ShippedWorkloads, ABatchOfVgg16IsSoManyTimesItsWork) {
  LoadOptions options;
  options.timing_only = true;
  options.batch = 2;
  const Network n = load_workload("vgg16", options);
  EXPECT_EQ(n.macs(), 2 * 15470264320);
  EXPECT_EQ(n.macs(layer(n, "fc7")), 2ll * 4096 * 4096);
  EXPECT_EQ(out(n, "fc8"), (Shape{2, 1, 1, 1000}));
}

// Processor time, so that a busy machine does not matter: four times the layers may cost ten times as much, not sixteen.
double seconds_to_load(const std::string& text, const char* file) {
  LoadOptions options;
  options.timing_only = true;
  double least = 1e9;
  for (int i = 0; i < 3; ++i) {
    const std::clock_t start = std::clock();
    const std::string name = file;
    const Network n = name.find(".csv") != std::string::npos ? scalesim::load_table_text(text, name, options)
                                                             : load_workload_text(text, name, options);
    EXPECT_GE(n.layers.size(), 4000u);
    least = std::min(least, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return least;
}

TEST(Workload, ReadingTakesTimeLinearInLayers) {
  const auto yaml = [](int count) {
    std::string layers;
    for (int i = 0; i < count; ++i) layers += "  - {name: l" + std::to_string(i) + ", op: matmul, out_channels: 4}\n";
    return synthetic_yaml("[1, 1, 1, 4]", layers);
  };
  const auto table = [](int count, bool same_name) {
    std::string text = "Layer, M, N, K\n";
    for (int i = 0; i < count; ++i) text += "a" + (same_name ? std::string() : std::to_string(i)) + ", 4, 4, 4\n";
    return text;
  };
  EXPECT_LT(seconds_to_load(yaml(16000), "t.yaml"), 10 * seconds_to_load(yaml(4000), "t.yaml"));
  EXPECT_LT(seconds_to_load(table(16000, true), "t.csv"), 10 * seconds_to_load(table(4000, true), "t.csv"));
  EXPECT_LT(seconds_to_load(table(16000, false), "t.csv"), 10 * seconds_to_load(table(4000, false), "t.csv"));
}

TEST(Workload, ReadingEndsWhenItIsInterrupted) {
  const std::atomic<bool> interrupted{true};
  LoadOptions options;
  options.interrupted = &interrupted;
  EXPECT_THROW(load("[1, 8, 8, 4]", "  - {name: a, op: table, function: relu}\n", options), Interrupted);
  EXPECT_THROW(scalesim::load_table_text("Layer, M, N, K\na, 4, 4, 4\n", "t.csv", options), Interrupted);
  EXPECT_THROW(load_workload("digits", options), Interrupted);
}

std::string with_commas(std::int64_t number) {
  std::string text = std::to_string(number);
  for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3) text.insert(at, ",");
  return text;
}

TEST(ShippedWorkloads, AreThoseOfTheTableInTheReadme) {
  std::ifstream in(fs::path(GEMEL_SOURCE_DIR) / "workloads" / "README.md");
  ASSERT_TRUE(in) << "workloads/README.md";
  std::map<std::string, std::string> rows;
  for (std::string line; std::getline(in, line);)
    if (line.rfind("| [`", 0) == 0) rows[line.substr(4, line.find('`', 4) - 4)] = line;
  LoadOptions options;
  options.timing_only = true;
  const auto shipped = list_workloads();
  ASSERT_GE(shipped.size(), 11u);
  EXPECT_EQ(rows.size(), shipped.size());
  for (const WorkloadInfo& info : shipped) {
    EXPECT_FALSE(info.description.empty()) << info.name;
    const Network n = load_workload(info.name, options);
    std::ostringstream row;
    row << "| [`" << info.name << "`](" << info.name << ".yaml) | " << info.description << " | " << n.layers.size() << " | "
        << with_commas(n.macs()) << " | " << with_commas(n.weights()) << " |";
    EXPECT_EQ(rows[info.name], row.str());
  }
}

TEST(ShippedWorkloads, KeepTheShapeRulesOfTheOperators) {
  LoadOptions options;
  options.timing_only = true;
  for (const WorkloadInfo& info : list_workloads()) {
    for (const int batch : {0, 3}) {
      options.batch = batch;
      const Network n = load_workload(info.name, options);
      for (const Layer& l : n.layers) {
        std::vector<Shape> shapes;
        for (const int i : l.inputs) shapes.push_back(n.tensors[i].shape);
        const auto rule = ops::output_shape(l, shapes, n.tensors[l.output].shape);
        ASSERT_TRUE(rule.ok()) << info.name << " " << l.name << ": " << rule.problem;
        EXPECT_EQ(rule.shape, n.tensors[l.output].shape) << info.name << " " << l.name;
      }
    }
  }
}

TEST(ShippedWorkloads, DigitsComeWithTheirTestSet) {
  const auto set = load_test_set(load_workload("digits"));
  ASSERT_TRUE(set.has_value());
  EXPECT_GE(set->shape[0], 100);
  EXPECT_TRUE(set->float_accuracy.has_value());
  EXPECT_TRUE(std::all_of(set->labels.begin(), set->labels.end(), [](int label) { return label >= 0 && label <= 9; }));
}

}  // namespace
}  // namespace gemel
