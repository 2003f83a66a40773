// SPDX-License-Identifier: Apache-2.0
// Golden in float mode against outputs of ONNX Runtime: QLinearConv (full, pointwise, strided, depthwise, asymmetric weights),
// QLinearMatMul, and the bare sums of MatMulInteger. Models and outputs are read from the ONNX files as they are.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "ops/ops.hpp"
#include "support/onnx_model.hpp"
#include "support/reference_data.hpp"

namespace gemel {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Files {
  bool found = false;
  test::OnnxModel model;
  Bytes input, output;
};

Files load(const std::string& name) {
  const std::string folder = (test::reference_data("derived/ort", "onnxruntime").folder / name).string() + "/";
  const std::string model = test::read_bytes(folder + "model.onnx"), in = test::read_bytes(folder + "in0.bin"),
                    out = test::read_bytes(folder + "out0.bin");
  Files files;
  if (model.empty() || in.empty() || out.empty()) return files;
  files.found = true;
  files.model = test::read_onnx(model);
  files.input = {in.begin(), in.end()};
  files.output = {out.begin(), out.end()};
  return files;
}

// [outer][channels][inner] to [outer][inner][channels]: NCHW to NHWC, OIHW to OHWI.
Bytes channels_last(const Bytes& from, int outer, int channels, int inner) {
  Bytes to(from.size());
  for (int n = 0; n < outer; ++n) {
    for (int c = 0; c < channels; ++c) {
      for (int i = 0; i < inner; ++i) to[(n * inner + i) * channels + c] = from[(n * channels + c) * inner + i];
    }
  }
  return to;
}

float scalar_float(const test::OnnxTensor& t) { return t.values<float>().at(0); }
ElementType type_of(const test::OnnxTensor& t) { return t.data_type == 3 ? ElementType::Int8 : ElementType::UInt8; }
int zero_point_of(const test::OnnxTensor& t) { return ops::value_of(static_cast<std::uint8_t>(t.raw.at(0)), type_of(t)); }

// S = fl32(fl32(x_scale * w_scale) / y_scale), per channel.
Requant float_requant(float x_scale, const std::vector<float>& w_scales, float y_scale, int channels) {
  Requant requant{Rounding::Float, {}, {}};
  for (int o = 0; o < channels; ++o) {
    const float product = x_scale * w_scales[w_scales.size() == 1 ? 0 : o];
    requant.multiplier.push_back(numerics::float_bits(product / y_scale));
    requant.shift.push_back(0);
  }
  return requant;
}

Tensor quantized(const char* name, const Shape& shape, const test::OnnxTensor& zero) {
  return {name, shape, type_of(zero), 1.0, zero_point_of(zero)};
}
void set_clamp(Layer& layer, ElementType type) {
  layer.clamp_min = type == ElementType::Int8 ? -128 : 0;
  layer.clamp_max = layer.clamp_min + 255;
}
std::size_t differences(const Bytes& a, const Bytes& b) {
  std::size_t count = a.size() == b.size() ? 0 : a.size() + b.size();
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) count += a[i] != b[i];
  return count;
}

class OnnxRuntimeConv : public ::testing::TestWithParam<const char*> {};

TEST_P(OnnxRuntimeConv, IsEqual) {
  const Files files = load(GetParam());
  ASSERT_TRUE(files.found);
  ASSERT_EQ(files.model.nodes.size(), 1u);
  const test::OnnxNode& node = files.model.nodes[0];
  ASSERT_EQ(node.type, "QLinearConv");
  const auto constant = [&](int input) -> const test::OnnxTensor& { return files.model.constants.at(node.inputs.at(input)); };
  const auto attribute = [&](const char* name, int i) { return static_cast<int>(node.attributes.at(name).at(i)); };
  const test::OnnxTensor& weights = constant(3);
  const int out_channels = static_cast<int>(weights.dims[0]), depth = static_cast<int>(weights.dims[1]);

  Layer layer;
  layer.inputs = {0}, layer.output = 1;
  Conv2d conv;
  Window& window = conv.window;
  window.kernel_h = static_cast<int>(weights.dims[2]), window.kernel_w = static_cast<int>(weights.dims[3]);
  window.stride_h = attribute("strides", 0), window.stride_w = attribute("strides", 1);
  window.dilation_h = attribute("dilations", 0), window.dilation_w = attribute("dilations", 1);
  window.pad_top = attribute("pads", 0), window.pad_left = attribute("pads", 1);
  window.pad_bottom = attribute("pads", 2), window.pad_right = attribute("pads", 3);
  conv.groups = attribute("group", 0);
  conv.weights.type = type_of(weights);
  conv.weights.zero_point = zero_point_of(constant(5));
  conv.weights.bytes = channels_last({weights.raw.begin(), weights.raw.end()}, out_channels, depth, window.kernel_h * window.kernel_w);
  conv.weights.bias = constant(8).values<std::int32_t>();
  layer.attributes = conv;
  layer.requant = float_requant(scalar_float(constant(1)), constant(4).values<float>(), scalar_float(constant(6)), out_channels);

  // The image is square in all of these models.
  const int in_channels = depth * conv.groups, pixels = static_cast<int>(files.input.size()) / in_channels;
  int side = 1;
  while (side * side < pixels) ++side;
  ASSERT_EQ(side * side * in_channels, static_cast<int>(files.input.size()));
  Network network;
  network.tensors = {quantized("x", {1, side, side, in_channels}, constant(2)), quantized("y", {}, constant(7))};
  set_clamp(layer, network.tensors[1].type);
  const ops::ShapeRule rule = ops::output_shape(layer, {network.tensors[0].shape}, {out_channels});
  ASSERT_TRUE(rule.ok()) << rule.problem;
  network.tensors[1].shape = rule.shape;

  const Bytes y = ops::golden(network, layer, {channels_last(files.input, 1, in_channels, pixels).data()});
  const Bytes expected = channels_last(files.output, 1, out_channels, static_cast<int>(rule.shape[1] * rule.shape[2]));
  EXPECT_EQ(differences(y, expected), 0u) << "of " << expected.size();
}

INSTANTIATE_TEST_SUITE_P(Cases, OnnxRuntimeConv,
                         ::testing::Values("conv3x3_s1_c64", "conv3x3_s2_c64", "conv1x1_c256", "conv1x1_s2", "conv3x3_c3_s2",
                                           "dw3x3_s1", "dw3x3_s2", "conv_u8u8_wzp"),
                         [](const ::testing::TestParamInfo<const char*>& param) { return std::string(param.param); });

TEST(OnnxRuntime, MatrixProductIsEqual) {
  const Files files = load("qmm_128x768x64");
  ASSERT_TRUE(files.found);
  const auto& c = files.model.constants;
  const int depth = static_cast<int>(c.at("B").dims[0]), channels = static_cast<int>(c.at("B").dims[1]);
  const int rows = static_cast<int>(files.input.size()) / depth;
  Layer layer;
  layer.inputs = {0}, layer.output = 1;
  layer.attributes = MatMul{};
  Weights& weights = *layer.weights();
  weights.type = type_of(c.at("B"));
  weights.zero_point = zero_point_of(c.at("bz"));
  weights.bytes = channels_last({c.at("B").raw.begin(), c.at("B").raw.end()}, 1, depth, channels);  // [K][N] to [N][K]
  layer.requant = float_requant(scalar_float(c.at("as")), c.at("bs").values<float>(), scalar_float(c.at("ys")), channels);
  Network network;
  network.tensors = {quantized("a", {1, 1, rows, depth}, c.at("az")), quantized("y", {1, 1, rows, channels}, c.at("yz"))};
  set_clamp(layer, network.tensors[1].type);
  EXPECT_EQ(differences(ops::golden(network, layer, {files.input.data()}), files.output), 0u) << "of " << files.output.size();
}

// The sums themselves: with a bias of minus the expected sum and a multiplier of 1, a row must come out as the offset
// added to it; a sum that differs by anything but a multiple of 2^32 comes out as another byte.
TEST(OnnxRuntime, IntegerMatrixProductIsEqual) {
  const Files files = load("matmulinteger_u8s8");
  ASSERT_TRUE(files.found);
  const auto& c = files.model.constants;
  const int depth = static_cast<int>(c.at("B").dims[0]), channels = static_cast<int>(c.at("B").dims[1]);
  const int rows = static_cast<int>(files.input.size()) / depth;
  Layer layer;
  layer.inputs = {0}, layer.output = 1;
  layer.attributes = MatMul{};
  Weights& weights = *layer.weights();
  weights.type = type_of(c.at("B"));
  weights.zero_point = zero_point_of(c.at("bz"));
  weights.bytes = channels_last({c.at("B").raw.begin(), c.at("B").raw.end()}, 1, depth, channels);
  Network network;
  network.tensors = {quantized("a", {1, 1, rows, depth}, c.at("az")), {"y", {1, 1, rows, channels}, ElementType::Int8, 1.0, 0}};
  std::vector<std::int32_t> sums(files.output.size() / 4);
  std::memcpy(sums.data(), files.output.data(), files.output.size());
  ASSERT_EQ(sums.size(), static_cast<std::size_t>(rows) * channels);
  for (int row = 0; row < rows; ++row) {
    for (const int offset : {0, 1, -1}) {
      weights.bias.clear();
      for (int o = 0; o < channels; ++o) weights.bias.push_back(offset - sums[row * channels + o]);
      layer.requant = {Rounding::FixedSingle, std::vector<std::int32_t>(channels, 1 << 30), std::vector<int>(channels, 1)};
      const Bytes y = ops::golden(network, layer, {files.input.data()});
      for (int o = 0; o < channels; ++o) {
        ASSERT_EQ(y[row * channels + o], static_cast<std::uint8_t>(offset)) << "row " << row << ", column " << o;
      }
    }
  }
}

}  // namespace
}  // namespace gemel
