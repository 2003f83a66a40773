// SPDX-License-Identifier: Apache-2.0
// The operators on cases worked by hand, on random networks against the plainest possible loops, and their shape rules.
#include "ops/ops.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "support/network_builder.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using test::NetworkBuilder;
using Bytes = std::vector<std::uint8_t>;

Bytes run_layer(const Network& network, std::size_t layer, const std::vector<Bytes>& inputs) {
  std::vector<const std::uint8_t*> pointers;
  for (const Bytes& input : inputs) pointers.push_back(input.data());
  return ops::golden(network, network.layers.at(layer), pointers);
}
Bytes raw(std::initializer_list<int> values) {
  Bytes bytes;
  for (const int value : values) bytes.push_back(static_cast<std::uint8_t>(value));
  return bytes;
}
// Multiplies by 1: what comes out is the sum, cut to 8 bits.
void set_identity(Layer& layer, std::size_t channels) {
  layer.requant = {Rounding::FixedDouble, std::vector<std::int32_t>(channels, 1 << 30), std::vector<int>(channels, 1)};
}

// ---- By hand ----------------------------------------------------------------------------------------------------------------

TEST(Ops, ConvolutionPadsWithTheZeroPoint) {
  NetworkBuilder b("pad");
  const int x = b.input({1, 1, 2, 1}, {ElementType::UInt8, 1.0, 100});
  NetworkBuilder::Conv c;
  c.window.kernel = {3, 3};
  c.window.padding = {1, 1, 1, 1};
  c.bias = false;
  c.output = {ElementType::Int8, 1.0, 5};
  Layer& layer = b.layer(b.conv(x, c));
  layer.weights()->bytes = raw({99, 99, 99, 1, 2, 3, 99, 99, 99});  // the rows above and below meet padding only
  set_identity(layer, 1);
  // 103 and 98 are 3 and -2: 2*3 + 3*-2 = 0 and 1*3 + 2*-2 = -1
  EXPECT_EQ(run_layer(b.build(), 0, {raw({103, 98})}), raw({5, 4}));
}

TEST(Ops, ConvolutionRemovesTheWeightsZeroPoint) {
  NetworkBuilder b("zero");
  const int x = b.input({1, 1, 1, 2}, {ElementType::Int8, 1.0, -128});
  NetworkBuilder::Conv c;
  c.weight_type = ElementType::UInt8;
  c.weight_zero_point = 128;
  c.output = {ElementType::Int8, 1.0, 0};
  Layer& layer = b.layer(b.conv(x, c));
  layer.weights()->bytes = raw({130, 125});
  layer.weights()->bias = {-7};
  set_identity(layer, 1);
  EXPECT_EQ(run_layer(b.build(), 0, {raw({-118, -124})}), raw({10 * 2 - 4 * 3 - 7}));
}

TEST(Ops, ConvolutionSumsWrapIn32Bits) {
  NetworkBuilder b("wrap");
  const int depth = 40000;  // 40000 * 255 * 255 = 2,601,000,000 = 2^32 - 1,693,967,296
  const int x = b.input({1, 1, 1, depth}, {ElementType::UInt8, 1.0, 0});
  NetworkBuilder::Conv c;
  c.weight_type = ElementType::UInt8;
  c.bias = false;
  Layer& layer = b.layer(b.conv(x, c));
  std::fill(layer.weights()->bytes.begin(), layer.weights()->bytes.end(), std::uint8_t{255});
  layer.requant = {Rounding::FixedDouble, {1 << 30}, {-23}};  // / 2^24
  EXPECT_EQ(run_layer(b.build(), 0, {Bytes(depth, 255)}), raw({-101}));  // -1,693,967,296 / 2^24 = -100.97
}

TEST(Ops, DepthwiseChannelsComeFromTheirInputChannel) {
  NetworkBuilder b("depthwise");
  const int x = b.input({1, 1, 1, 2}, {ElementType::Int8, 1.0, 0});
  NetworkBuilder::Conv c;
  c.groups = 2;
  c.out_channels = 4;  // output channel = input channel * multiplier + m
  c.bias = false;
  Layer& layer = b.layer(b.conv(x, c));
  layer.weights()->bytes = raw({1, 2, 3, 4});
  set_identity(layer, 4);
  EXPECT_EQ(run_layer(b.build(), 0, {raw({5, 7})}), raw({5, 10, 21, 28}));
}

TEST(Ops, ConvolutionFollowedByATableLooksUpTheClampedByte) {
  NetworkBuilder b("table");
  const int x = b.input({1, 1, 3, 1}, {ElementType::Int8, 1.0, 0});
  NetworkBuilder::Conv c;
  c.bias = false;
  Layer& layer = b.layer(b.conv(x, c));
  layer.weights()->bytes = raw({1});
  layer.clamp_min = 0;
  set_identity(layer, 1);
  TableEntries entries;
  for (int i = 0; i < 256; ++i) entries[i] = static_cast<std::uint8_t>(255 - i);
  layer.then_table = std::make_shared<TableEntries>(entries);
  EXPECT_EQ(run_layer(b.build(), 0, {raw({-9, 1, 127})}), raw({255, 254, 128}));
}

TEST(Ops, AdditionRescalesBothInputs) {
  NetworkBuilder b("add");
  const int x = b.input({1, 1, 1, 3}, {ElementType::Int8, 0.5, 10});
  const int y = b.input({1, 1, 1, 3}, {ElementType::UInt8, 0.25, 100});
  b.add(x, y, {ElementType::Int8, 0.75, -1});
  // (10, 12, -90) - 10 -> 0, 1.0, -50; (100, 108, 103) - 100 -> 0, 2.0, 0.75; sums / 0.75: 0, 4, -65.67
  EXPECT_EQ(run_layer(b.build(), 0, {raw({10, 12, -90}), raw({100, 108, 103})}), raw({-1, 3, -67}));
}

// A bias joins the sum of the rounded inputs: here a quarter of the output's step, which takes ties over.
TEST(Ops, ABiasJoinsTheSumOfAnAddition) {
  NetworkBuilder b("add");
  const int x = b.input({1, 1, 1, 4}, {ElementType::Int8, 0.5, 0});
  Layer& layer = b.layer(b.add(x, b.input({1, 1, 1, 4}, {ElementType::Int8, 0.5, 0}), {ElementType::Int8, 1.0, 0}));
  layer.requant.rounding = Rounding::Float;
  layer.requant.multiplier = {0x3f000000, 0x3f000000, 0x35800000};  // 1/2, 1/2, 2^-20
  layer.requant.shift = {0, 0, 0};
  const Bytes even = run_layer(b.build(), 0, {raw({1, 3, -1, -3}), raw({0, 0, 0, 0})});
  EXPECT_EQ(even, raw({0, 2, 0, -2}));
  layer.requant.bias = 1 << 18;
  EXPECT_EQ(run_layer(b.build(), 0, {raw({1, 3, -1, -3}), raw({0, 0, 0, 0})}), raw({1, 2, 0, -1}));
  layer.requant.bias = -(1 << 18);
  EXPECT_EQ(run_layer(b.build(), 0, {raw({1, 3, -1, -3}), raw({0, 0, 0, 0})}), raw({0, 1, -1, -2}));
}

TEST(Ops, PoolsIgnoreWhatLiesOutside) {
  NetworkBuilder b("pools");
  const int x = b.input({1, 1, 3, 1}, {ElementType::Int8, 1.0, 50});
  NetworkBuilder::Window window;
  window.kernel = {1, 3};
  window.padding = {0, 1, 0, 1};
  b.max_pool(x, window);
  b.avg_pool(x, window);
  const Network network = b.build();
  const Bytes data = raw({-3, -4, -120});
  EXPECT_EQ(run_layer(network, 0, {data}), raw({-3, -3, -4}));
  EXPECT_EQ(run_layer(network, 1, {data}), raw({-4, -42, -62}));  // -7/2 away from zero; -127/3 = -42.3; -124/2
}

TEST(Ops, PoolsClamp) {
  NetworkBuilder b("clamp");
  const int x = b.input({1, 1, 2, 1}, {ElementType::UInt8, 1.0, 0});
  NetworkBuilder::Window window;
  for (const int out : {b.max_pool(x, window), b.avg_pool(x, window)}) b.layer(out).clamp_min = 3, b.layer(out).clamp_max = 200;
  const Network network = b.build();
  EXPECT_EQ(run_layer(network, 0, {raw({0, 255})}), raw({3, 200}));
  EXPECT_EQ(run_layer(network, 1, {raw({0, 255})}), raw({3, 200}));
}

TEST(Ops, MeanDividesByThePixelsAndRescales) {
  NetworkBuilder b("mean");
  const int x = b.input({2, 1, 3, 2}, {ElementType::Int8, 0.5, 4});
  b.global_avg_pool(x, {ElementType::Int8, 0.25, -3});
  // image 0: channel 0: (1-4)+(2-4)+(3-4) = -6 -> -2 * 2 - 3; channel 1: (4+5+6) - 12 = 3 -> 1 * 2 - 3
  // image 1: channel 0: 3 * (100-4) = 288 -> 96 * 2 - 3 = 189: cut; channel 1: 4+4+5 - 12 = 1 -> 0.67 -> 1 - 3
  EXPECT_EQ(run_layer(b.build(), 0, {raw({1, 4, 2, 5, 3, 6, 100, 4, 100, 4, 100, 5})}), raw({-7, -1, 127, -2}));
}

TEST(Ops, TablesAreIndexedByTheRawByte) {
  NetworkBuilder b("table");
  const int x = b.input({1, 1, 3, 1}, {ElementType::Int8, 1.0, 0});
  TableEntries entries{};
  entries[255] = 7, entries[128] = 9, entries[1] = 11;
  b.table(x, entries, {});
  EXPECT_EQ(run_layer(b.build(), 0, {raw({-1, -128, 1})}), raw({7, 9, 11}));
}

// ---- Against the plainest loops ------------------------------------------------------------------------------------------

// One element of a convolution straight from the formula, in 64 bits; `o` counts bytes of sums where the layer gives those.
std::uint8_t conv_element(const Network& network, const Layer& l, const Bytes& x, int n, int oy, int ox, int o) {
  const Tensor& in = network.tensors[l.inputs[0]];
  const Tensor& out = network.tensors[l.output];
  const Nhwc image = in.nhwc();
  const Conv2d& conv = *l.get<Conv2d>();
  const Window& window = conv.window;
  const Weights& weights = conv.weights;
  const int sums = out.nhwc().c / l.out_bytes(), byte_of_sum = o / sums;
  o %= sums;
  const int depth = image.c / conv.groups, group = o / (sums / conv.groups);
  std::int64_t sum = weights.bias.empty() ? 0 : weights.bias[o];
  for (int c = 0; c < depth; ++c) {
    for (int ky = 0; ky < window.kernel_h; ++ky) {
      for (int kx = 0; kx < window.kernel_w; ++kx) {
        const int iy = oy * window.stride_h + ky * window.dilation_h - window.pad_top, ix = ox * window.stride_w + kx * window.dilation_w - window.pad_left;
        if (iy < 0 || ix < 0 || iy >= image.h || ix >= image.w) continue;
        const std::uint8_t a = x[((n * image.h + iy) * image.w + ix) * image.c + group * depth + c];
        const std::uint8_t w = weights.bytes[((o * window.kernel_h + ky) * window.kernel_w + kx) * depth + c];
        const int av = in.type == ElementType::Int8 ? static_cast<std::int8_t>(a) : a;
        const int wv = weights.type == ElementType::Int8 ? static_cast<std::int8_t>(w) : w;
        sum += std::int64_t{av - in.zero_point} * (wv - weights.zero_point);
      }
    }
  }
  if (l.sum_bytes > 0) return static_cast<std::uint8_t>(sum >> 8 * byte_of_sum);
  const auto mode = static_cast<numerics::RequantMode>(l.requant.rounding);
  const std::int64_t y = std::int64_t{numerics::requantize(mode, static_cast<std::int32_t>(sum), l.requant.multiplier[o], l.requant.shift[o])} +
                         out.zero_point;
  const auto byte = static_cast<std::uint8_t>(std::clamp<std::int64_t>(y, l.clamp_min, l.clamp_max));
  return l.then_table ? (*l.then_table)[byte] : byte;
}

TEST(Ops, RandomConvolutionsEqualTheFormula) {
  test::Random random(test::random_seed());
  int layers = 0, sums = 0, grouped = 0, depthwise = 0, strided = 0, dilated = 0, batched = 0, roundings[3] = {};
  for (int i = 0; i < 400; ++i) {
    const Network network = test::random_network(random);
    for (const Layer& l : network.layers) {
      const Conv2d* conv = l.get<Conv2d>();
      if (conv == nullptr) continue;
      const Window& window = conv->window;
      const Tensor& in = network.tensors[l.inputs[0]];
      const Nhwc out = network.tensors[l.output].nhwc();
      const Bytes x = test::random_bytes(random, in.bytes());
      const Bytes y = ops::golden(network, l, {x.data()});
      std::size_t at = 0;
      for (int n = 0; n < out.n; ++n) {
        for (int oy = 0; oy < out.h; ++oy) {
          for (int ox = 0; ox < out.w; ++ox) {
            for (int o = 0; o < out.c; ++o, ++at) {
              ASSERT_EQ(y[at], conv_element(network, l, x, n, oy, ox, o))
                  << "network " << i << ", layer " << l.name << ", element " << n << "," << oy << "," << ox << "," << o << "\n"
                  << test::describe(network);
            }
          }
        }
      }
      ++layers;
      sums += l.sum_bytes > 0;
      grouped += conv->groups > 1;
      depthwise += conv->groups > 1 && conv->groups == in.nhwc().c;
      strided += window.stride_h > 1;
      dilated += window.dilation_h > 1 && window.kernel_h > 1;
      batched += out.n > 1;
      ++roundings[static_cast<int>(l.requant.rounding)];
    }
  }
  EXPECT_GT(layers, 500);
  for (const int count : {sums, grouped, depthwise, strided, dilated, batched, roundings[0], roundings[1], roundings[2]}) EXPECT_GT(count, 10);
}

// ---- Shape rules ---------------------------------------------------------------------------------------------------------------

TEST(Ops, EveryOperatorHasOneRow) {
  std::set<Op> seen;
  for (const ops::OpInfo& row : ops::table()) {
    EXPECT_TRUE(seen.insert(row.op).second) << row.name();
    EXPECT_EQ(&ops::info(row.op), &row);
  }
  EXPECT_EQ(seen.size(), OpCount);
  EXPECT_THROW(ops::info(static_cast<Op>(99)), InternalError);
}

TEST(Ops, ShapesOfWindows) {
  Conv2d conv;
  Window& window = conv.window;
  window.kernel_h = 7, window.kernel_w = 7, window.stride_h = 2, window.stride_w = 2;
  window.pad_top = 2, window.pad_left = 2, window.pad_bottom = 3, window.pad_right = 3;
  Layer l;
  l.attributes = conv;
  EXPECT_EQ(ops::output_shape(l, {{2, 224, 224, 3}}, {64}).shape, (Shape{2, 112, 112, 64}));
  conv = {};
  window.kernel_h = 3, window.kernel_w = 2, window.dilation_h = 4;
  l.attributes = conv;
  EXPECT_EQ(ops::output_shape(l, {{1, 9, 2, 3}}, {5}).shape, (Shape{1, 1, 1, 5}));
  l.attributes = GlobalAvgPool{};
  EXPECT_EQ(ops::output_shape(l, {{3, 9, 2, 4}}).shape, (Shape{3, 1, 1, 4}));
  l.attributes = Reshape{};
  EXPECT_EQ(ops::output_shape(l, {{1, 9, 2, 4}}, {1, 1, 1, 72}).shape, (Shape{1, 1, 1, 72}));
}

TEST(Ops, ShapeRulesSayWhatIsWrong) {
  Conv2d conv;
  conv.window.kernel_h = 3;
  Layer l;
  l.attributes = conv;
  EXPECT_EQ(ops::output_shape(l, {{1, 2, 5, 3}}, {4}).problem, "the kernel covers 3x1 pixels, but its padded input has 2x5");
  conv = {};
  conv.groups = 2;
  l.attributes = conv;
  EXPECT_EQ(ops::output_shape(l, {{1, 5, 5, 4}}, {3}).problem, "it makes 3 channels, which do not divide into 2 groups");
  l.attributes = Add{};
  EXPECT_EQ(ops::output_shape(l, {{1, 5, 5, 4}, {1, 5, 4, 4}}).problem,
            "its inputs have the shapes [1, 5, 5, 4] and [1, 5, 4, 4], but what is added must have one shape");
  EXPECT_EQ(ops::output_shape(l, {{1, 5, 5, 4}}).problem, "add takes 2 inputs, not 1");
  Window window;
  window.kernel_h = 2, window.kernel_w = 2, window.pad_bottom = 2;
  l.attributes = MaxPool{window};
  EXPECT_EQ(ops::output_shape(l, {{1, 5, 5, 4}}).problem, "the padding is as wide as the kernel, so a window would hold no pixel");
  window.pad_bottom = 0;
  l.attributes = MaxPool{window};
  EXPECT_EQ(ops::output_shape(l, {{1, 5, 1, 4}}).problem, "the kernel covers 2x2 pixels, but its padded input has 5x1");
  l.attributes = Reshape{};
  EXPECT_EQ(ops::output_shape(l, {{1, 5, 5, 4}}, {1, 1, 1, 99}).problem, "[1, 1, 1, 99] has 99 elements, but its input [1, 5, 5, 4] has 100");
}

TEST(Ops, WeightsThatAreMissingAreAnError) {
  NetworkBuilder b("timing");
  Layer& layer = b.layer(b.conv(b.input({1, 1, 1, 4}, {}), {}));
  layer.weights()->bytes.clear();
  const Network network = b.build();
  EXPECT_THROW(run_layer(network, 0, {Bytes(4)}), InternalError);
}

}  // namespace
}  // namespace gemel
