// SPDX-License-Identifier: Apache-2.0
// Golden against the unit-test data of CMSIS-NN (made by its authors with TFLite's interpreter): every case of an operator
// that Gemel has, element by element, plus the two that exercise the requantizer alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ops/ops.hpp"
#include "support/reference_data.hpp"

namespace gemel {
namespace {

class Case {
 public:
  explicit Case(const std::string& name)
      : name_(name), file_((test::reference_data("cmsis_nn", "cmsis_nn").folder / "cases" / (name + ".json")).string()) {
    std::ifstream stream(file_);
    found_ = static_cast<bool>(stream);
    if (found_) json_ = nlohmann::json::parse(stream);
  }
  bool found() const { return found_; }
  const std::string& name() const { return name_; }
  int number(const char* key) const { return json_.at("config").at(key).get<int>(); }
  int number(const char* key, int otherwise) const { return json_.at("config").contains(key) ? number(key) : otherwise; }
  template <class T = int>
  std::vector<T> array(const char* key) const {
    return json_.at("arrays").at(key).at("data").get<std::vector<T>>();
  }
  bool has(const char* key) const { return json_.at("arrays").contains(key) && json_.at("arrays").at(key).at("data").is_array(); }

 private:
  std::string name_, file_;
  bool found_ = false;
  nlohmann::json json_;
};

std::vector<std::uint8_t> raw(const std::vector<int>& values) { return {values.begin(), values.end()}; }
std::vector<int> signed_values(const std::vector<std::uint8_t>& bytes) {
  std::vector<int> values;
  for (const std::uint8_t byte : bytes) values.push_back(ops::value_of(byte, ElementType::Int8));
  return values;
}
int padding_after(int out, int stride, int kernel, int dilation, int length, int before) {
  return std::max(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - length - before);
}

// Runs one layer on int8 tensors; the shape rule must give the expected output, too.
std::vector<int> run(Layer layer, const std::vector<Tensor>& inputs, const std::vector<std::vector<int>>& data, const Tensor& output) {
  Network network;
  network.tensors = inputs;
  network.tensors.push_back(output);
  std::vector<Shape> shapes;
  std::vector<std::vector<std::uint8_t>> bytes;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    layer.inputs.push_back(static_cast<int>(i));
    shapes.push_back(inputs[i].shape);
    bytes.push_back(raw(data[i]));
  }
  layer.output = static_cast<int>(inputs.size());
  const ops::ShapeRule rule = ops::output_shape(layer, shapes, output.shape);
  EXPECT_TRUE(rule.ok()) << rule.problem;
  EXPECT_EQ(rule.shape, output.shape);
  std::vector<const std::uint8_t*> pointers;
  for (const auto& b : bytes) pointers.push_back(b.data());
  return signed_values(ops::golden(network, layer, pointers));
}

std::string case_name(const ::testing::TestParamInfo<const char*>& info) { return info.param; }

#define GEMEL_LOAD_CASE(variable)  \
  const Case variable(GetParam()); \
  ASSERT_TRUE(variable.found())

// ---- Convolutions and dense layers ------------------------------------------------------------------------------------

class CmsisNnConv : public ::testing::TestWithParam<const char*> {};

TEST_P(CmsisNnConv, IsEqual) {
  GEMEL_LOAD_CASE(c);
  const bool depthwise = c.name().rfind("depthwise", 0) == 0;
  const int in_channels = c.number("IN_CH"), out_channels = c.number("OUT_CH");
  Tensor input{"x", {c.number("INPUT_BATCHES"), c.number("INPUT_H"), c.number("INPUT_W"), in_channels}, ElementType::Int8, 1.0,
               -c.number("INPUT_OFFSET")};
  Tensor output{"y", {input.shape[0], c.number("OUTPUT_H"), c.number("OUTPUT_W"), out_channels}, ElementType::Int8, 1.0,
                c.number("OUTPUT_OFFSET")};
  Layer layer;
  Conv2d conv;
  Window& window = conv.window;
  window.kernel_h = c.number("FILTER_Y"), window.kernel_w = c.number("FILTER_X");
  window.stride_h = c.number("STRIDE_Y"), window.stride_w = c.number("STRIDE_X");
  window.dilation_h = c.number("DILATION_Y"), window.dilation_w = c.number("DILATION_X");
  window.pad_top = c.number("PAD_Y"), window.pad_left = c.number("PAD_X");
  window.pad_bottom = padding_after(output.nhwc().h, window.stride_h, window.kernel_h, window.dilation_h, input.nhwc().h, window.pad_top);
  window.pad_right = padding_after(output.nhwc().w, window.stride_w, window.kernel_w, window.dilation_w, input.nhwc().w, window.pad_left);
  conv.groups = depthwise ? in_channels : 1;
  std::vector<std::uint8_t>& weights = conv.weights.bytes;
  weights = raw(c.array("weights"));
  if (depthwise) {  // theirs: [tap][output channel]; ours: [output channel][tap]
    const std::vector<std::uint8_t> theirs = weights;
    const int taps = window.kernel_h * window.kernel_w;
    for (int tap = 0; tap < taps; ++tap) {
      for (int o = 0; o < out_channels; ++o) weights[o * taps + tap] = theirs[tap * out_channels + o];
    }
  }
  conv.weights.bias = c.array<std::int32_t>("biases");
  layer.attributes = conv;
  layer.requant = {Rounding::FixedDouble, c.array<std::int32_t>("output_mult"), c.array("output_shift")};
  layer.clamp_min = c.number("OUT_ACTIVATION_MIN"), layer.clamp_max = c.number("OUT_ACTIVATION_MAX");

  EXPECT_EQ(run(layer, {input}, {c.array("input")}, output), c.array("output_ref"));
}

INSTANTIATE_TEST_SUITE_P(Cases, CmsisNnConv,
                         ::testing::Values("basic", "conv_2", "conv_3", "conv_4", "kernel1x1", "kernel1x1_stride_x",
                                           "kernel1x1_stride_x_y", "kernel1x1_stride_x_y_1", "kernel1x1_stride_x_y_2",
                                           "stride2pad1", "depthwise_2", "depthwise_kernel_3x3", "depthwise_null_bias_0",
                                           "depthwise_null_bias_1"),
                         case_name);

class CmsisNnDense : public ::testing::TestWithParam<const char*> {};

TEST_P(CmsisNnDense, IsEqual) {
  GEMEL_LOAD_CASE(c);
  const int depth = c.number("ACCUMULATION_DEPTH"), out_channels = c.number("OUT_CH"), batch = c.number("INPUT_BATCHES");
  const bool per_channel = c.number("OUTPUT_MULTIPLIER", 0) == 0;
  const Tensor input{"x", {1, 1, batch, depth}, ElementType::Int8, 1.0, -c.number("INPUT_OFFSET")};
  const Tensor output{"y", {1, 1, batch, out_channels}, ElementType::Int8, 1.0, c.number("OUTPUT_OFFSET")};
  Layer layer;
  MatMul product;
  product.weights.bytes = raw(c.array("weights"));
  product.weights.zero_point = -c.number("FILTER_OFFSET", 0);
  product.weights.bias = c.array<std::int32_t>(per_channel ? "bias" : "biases");
  layer.attributes = product;
  if (per_channel) {
    layer.requant = {Rounding::FixedDouble, c.array<std::int32_t>("output_multiplier"), c.array("output_shift")};
  } else {
    layer.requant = {Rounding::FixedDouble, std::vector<std::int32_t>(out_channels, c.number("OUTPUT_MULTIPLIER")),
                     std::vector<int>(out_channels, c.number("OUTPUT_SHIFT"))};
  }
  layer.clamp_min = c.number("OUT_ACTIVATION_MIN"), layer.clamp_max = c.number("OUT_ACTIVATION_MAX");

  EXPECT_EQ(run(layer, {input}, {c.array("input")}, output), c.array(per_channel ? "output" : "output_ref"));
}

INSTANTIATE_TEST_SUITE_P(Cases, CmsisNnDense, ::testing::Values("fully_connected", "fc_per_ch"), case_name);

// ---- Pools, additions, products -------------------------------------------------------------------------------------------------

class CmsisNnPool : public ::testing::TestWithParam<const char*> {};

TEST_P(CmsisNnPool, IsEqual) {
  GEMEL_LOAD_CASE(c);
  const Tensor input{"x", {c.number("INPUT_N"), c.number("INPUT_H"), c.number("INPUT_W"), c.number("INPUT_C")}};
  const Tensor output{"y", {input.shape[0], c.number("OUTPUT_H"), c.number("OUTPUT_W"), c.number("OUTPUT_C")}};
  Layer layer;
  Window window;
  window.kernel_h = c.number("FILTER_H"), window.kernel_w = c.number("FILTER_W");
  window.stride_h = c.number("STRIDE_H"), window.stride_w = c.number("STRIDE_W");
  window.pad_top = c.number("PADDING_H"), window.pad_left = c.number("PADDING_W");
  window.pad_bottom = padding_after(output.nhwc().h, window.stride_h, window.kernel_h, 1, input.nhwc().h, window.pad_top);
  window.pad_right = padding_after(output.nhwc().w, window.stride_w, window.kernel_w, 1, input.nhwc().w, window.pad_left);
  if (c.name().rfind("avg", 0) == 0) layer.attributes = AvgPool{window};
  else layer.attributes = MaxPool{window};
  layer.clamp_min = c.number("ACTIVATION_MIN"), layer.clamp_max = c.number("ACTIVATION_MAX");

  EXPECT_EQ(run(layer, {input}, {c.array("input_tensor")}, output), c.array("output"));
}

INSTANTIATE_TEST_SUITE_P(Cases, CmsisNnPool,
                         ::testing::Values("avgpooling", "avgpooling_1", "avgpooling_2", "avgpooling_3", "maxpooling",
                                           "maxpooling_1", "maxpooling_2", "maxpooling_3"),
                         case_name);

TEST(CmsisNn, AddIsEqual) {
  const Case c("add");
  ASSERT_TRUE(c.found());
  ASSERT_EQ(c.number("LEFT_SHIFT"), numerics::AddLeftShift);
  const Shape shape{1, 1, 1, c.number("DST_SIZE")};
  const Tensor first{"a", shape, ElementType::Int8, 1.0, -c.number("INPUT1_OFFSET")};
  const Tensor second{"b", shape, ElementType::Int8, 1.0, -c.number("INPUT2_OFFSET")};
  const Tensor output{"y", shape, ElementType::Int8, 1.0, c.number("OUTPUT_OFFSET")};
  Layer layer;
  layer.attributes = Add{};
  layer.requant = {Rounding::FixedDouble,
                   {c.number("INPUT1_MULT"), c.number("INPUT2_MULT"), c.number("OUTPUT_MULT")},
                   {c.number("INPUT1_SHIFT"), c.number("INPUT2_SHIFT"), c.number("OUTPUT_SHIFT")}};
  layer.clamp_min = c.number("OUT_ACTIVATION_MIN"), layer.clamp_max = c.number("OUT_ACTIVATION_MAX");
  EXPECT_EQ(run(layer, {first, second}, {c.array("input1"), c.array("input2")}, output), c.array("output_ref"));
}

TEST(CmsisNn, MulIsEqual) {
  const Case c("mul");
  ASSERT_TRUE(c.found());
  const Shape shape{1, 1, 1, c.number("DST_SIZE")};
  const Tensor first{"a", shape, ElementType::Int8, 1.0, -c.number("INPUT1_OFFSET")};
  const Tensor second{"b", shape, ElementType::Int8, 1.0, -c.number("INPUT2_OFFSET")};
  const Tensor output{"y", shape, ElementType::Int8, 1.0, c.number("OUTPUT_OFFSET")};
  Layer layer;
  layer.attributes = Mul{};
  layer.requant = {Rounding::FixedDouble, {c.number("OUTPUT_MULT")}, {c.number("OUTPUT_SHIFT")}};
  layer.clamp_min = c.number("OUT_ACTIVATION_MIN"), layer.clamp_max = c.number("OUT_ACTIVATION_MAX");
  EXPECT_EQ(run(layer, {first, second}, {c.array("input1"), c.array("input2")}, output), c.array("output_ref"));
}

// ---- The requantizer alone ------------------------------------------------------------------------------------------------

TEST(CmsisNn, SumsOf64BitsRequantizeEqually) {
  const Case c("requantize_s64");
  ASSERT_TRUE(c.found());
  const std::vector<int> x = c.array("input"), w = c.array("weights"), m = c.array("output_multiplier"), s = c.array("output_shift");
  const std::vector<std::int64_t> bias = c.array<std::int64_t>("bias");
  const int channels = c.number("IN_CH"), width = c.number("INPUT_W");
  std::vector<int> y;
  for (int oy = 0; oy < c.number("OUTPUT_H"); ++oy) {
    for (int ox = 0; ox < c.number("OUTPUT_W"); ++ox) {
      for (int o = 0; o < c.number("OUT_CH"); ++o) {
        std::int64_t sum = bias[o];
        for (int tap = 0; tap < 4; ++tap) {
          const int pixel = (oy * c.number("STRIDE_Y") + tap / 2) * width + ox * c.number("STRIDE_X") + tap % 2;
          for (int i = 0; i < channels; ++i) sum += std::int64_t{x[pixel * channels + i]} * w[(o * 4 + tap) * channels + i];
        }
        y.push_back(std::clamp(numerics::requantize_wide(sum, m[o], s[o]), -32768, 32767));
      }
    }
  }
  EXPECT_EQ(y, c.array("output"));
}

}  // namespace
}  // namespace gemel
