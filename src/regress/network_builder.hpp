// SPDX-License-Identifier: Apache-2.0
// Small networks for tests and regressions, without files: NetworkBuilder puts layers together by hand, with shapes worked out and
// multipliers that use the 8-bit range; random_network() draws whole networks from a generator; describe() says in one line
// per layer what was drawn, for failure messages.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/numerics.hpp"
#include "network/builder.hpp"
#include "network/limits.hpp"
#include "network/network.hpp"
#include "ops/ops.hpp"

namespace gemel::regress {

using Random = std::mt19937_64;

inline int draw(Random& random, int low, int high) {  // both included
  return low + static_cast<int>(random() % static_cast<std::uint64_t>(high - low + 1));
}
inline bool chance(Random& random, double probability) {
  return static_cast<double>(random() >> 11) * 0x1p-53 < probability;
}
inline std::vector<std::uint8_t> random_bytes(Random& random, std::int64_t count) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count));
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}
inline int least(ElementType type) { return type == ElementType::Int8 ? -128 : 0; }

// Bytes for every input of a network, in the order of Network::inputs.
inline std::vector<std::vector<std::uint8_t>> random_inputs(const Network& network, Random& random) {
  std::vector<std::vector<std::uint8_t>> inputs;
  for (const int input : network.inputs) inputs.push_back(random_bytes(random, network.tensors[input].bytes()));
  return inputs;
}

class NetworkBuilder {
 public:
  struct Quantization {
    ElementType type = ElementType::Int8;
    double scale = 0.05;
    int zero_point = 0;
  };
  struct Window {
    std::array<int, 2> kernel = {1, 1};  // height, width; the same for the next two
    std::array<int, 2> stride = {1, 1};
    std::array<int, 2> dilation = {1, 1};
    std::array<int, 4> padding = {0, 0, 0, 0};  // top, left, bottom, right
  };
  struct Conv {
    int out_channels = 1;
    Window window;
    int groups = 1;
    ElementType weight_type = ElementType::Int8;
    int weight_zero_point = 0;
    bool bias = true;
    Rounding rounding = Rounding::FixedDouble;
    Quantization output;
    int sum_bytes = 0;    // more than 0: the output is bytes of sums, and rounding, output and spread are of no use
    double spread = 1.0;  // of the results over the 8-bit range; 1: few are cut
  };

  explicit NetworkBuilder(std::string name, std::uint64_t seed = 1) : builder_(name, name + " (built by a test)"), random_(seed) {}

  const Tensor& tensor(int index) const { return builder_.tensor(index); }
  Layer& layer(int output) {
    for (Layer& l : builder_.network().layers) {
      if (l.output == output) return l;
    }
    throw std::logic_error("no layer makes this tensor");
  }

  int input(const Shape& shape, const Quantization& q) {
    return builder_.input({"input" + std::to_string(peek().inputs.size()), shape, q.type, q.scale, q.zero_point});
  }

  // Random weights, bias and multipliers; change them through layer().
  int conv(int from, const Conv& c) {
    const Shape in = tensor(from).shape;
    Conv2d attributes;
    attributes.window = window_of(c.window);
    attributes.groups = c.groups;
    return weighted("conv", from, attributes, c, c.window.kernel[0] * c.window.kernel[1] * (in.nhwc().c / c.groups));
  }
  // A dense layer: the input as one row per image.
  int dense(int from, const Conv& c) {
    const Shape in = tensor(from).shape;
    return weighted("dense", from, Dense{}, c, static_cast<int>(in.elements() / in.outermost()));
  }
  // Rows along the innermost dimension, multiplied.
  int matmul(int from, const Conv& c) { return weighted("matmul", from, MatMul{}, c, static_cast<int>(tensor(from).shape.innermost())); }
  template <class Kind>
  int weighted(const char* name, int from, Kind attributes, const Conv& c, int depth) {
    Layer l = make(name, {}, {from}, c.output.type);
    Weights& w = attributes.weights;
    w.type = c.weight_type;
    w.zero_point = c.weight_zero_point;
    w.bytes = random_bytes(random_, std::int64_t{depth} * c.out_channels);
    // As if inputs were uniform bytes (deviation 74): the deviation of a sum of `depth` products, and a bias that takes out
    // the mean, as trained networks have. Without a bias many sums end at the clamp: that, too, is worth a test.
    const double mean_x = least(tensor(from).type) + 127.5 - tensor(from).zero_point;
    const double mean_w = least(c.weight_type) + 127.5 - c.weight_zero_point;
    const double deviation = 74.0 * std::sqrt((74.0 * 74.0 + mean_w * mean_w) * depth);
    if (c.bias) {
      for (int o = 0; o < c.out_channels; ++o) {
        double sum = 0;
        for (int i = 0; i < depth; ++i) {
          sum += ops::value_of(w.bytes[static_cast<std::size_t>(o) * depth + i], c.weight_type) - c.weight_zero_point;
        }
        const double offset = deviation * (2.0 * static_cast<double>(random_() >> 11) * 0x1p-53 - 1.0);
        w.bias.push_back(static_cast<std::int32_t>(offset - mean_x * sum));
      }
    }
    if (c.sum_bytes > 0) {
      l.attributes = std::move(attributes);
      return finish_sums(l, {c.out_channels}, c.sum_bytes);
    }
    l.requant.rounding = c.rounding;
    for (int o = 0; o < c.out_channels; ++o) {
      const double real = c.spread * 50.0 / deviation * std::exp2(2.0 * static_cast<double>(random_() >> 11) * 0x1p-53 - 1.0);
      append(l.requant, real);
    }
    l.attributes = std::move(attributes);
    return finish(l, {c.out_channels}, c.output);
  }
  int add(int a, int b, const Quantization& output, Rounding rounding = Rounding::FixedDouble) { return pair(Add{}, a, b, output, rounding); }
  int sub(int a, int b, const Quantization& output, Rounding rounding = Rounding::FixedDouble) { return pair(Sub{}, a, b, output, rounding); }
  int mul(int a, int b, const Quantization& output, Rounding rounding = Rounding::FixedDouble) { return pair(Mul{}, a, b, output, rounding); }
  int max_pool(int from, const Window& window) { return pool("max_pool", MaxPool{window_of(window)}, from); }
  int avg_pool(int from, const Window& window) { return pool("avg_pool", AvgPool{window_of(window)}, from); }
  int global_avg_pool(int from, const Quantization& output, Rounding rounding = Rounding::FixedDouble) {
    Layer l = make("mean", GlobalAvgPool{}, {from}, output.type);
    l.requant.rounding = rounding;
    return finish(l, {}, output);
  }
  int table(int from, const TableEntries& entries, const Quantization& output) {
    Layer l = make("table", Table{entries}, {from}, output.type);
    return finish(l, {}, output);
  }
  int reshape(int from, const Shape& shape) {
    const Tensor in = tensor(from);
    Layer l = make("view", Reshape{}, {from}, in.type);
    return finish(l, shape, {in.type, in.scale, in.zero_point});
  }

  // On the host, with the output's scale and zero point as fixed arithmetic wants them.
  int softmax(int from, ElementType type, Rounding rounding = Rounding::FixedDouble) {
    Layer l = make("softmax", Softmax{}, {from}, type);
    l.requant.rounding = rounding;
    return finish(l, {}, {type, 1.0 / 256, least(type)});
  }

  // Others of the host.
  int layer_norm(int from, const Quantization& output) {
    LayerNorm norm;
    for (std::int64_t i = 0; i < tensor(from).shape.innermost(); ++i) {
      norm.gamma.push_back(static_cast<float>(0.25 + 0.01 * draw(random_, 0, 150)));
      norm.beta.push_back(static_cast<float>(0.01 * draw(random_, -50, 50)));
    }
    Layer l = make("norm", std::move(norm), {from}, output.type);
    return finish(l, {}, output);
  }
  int masked_softmax(int from, int mask, ElementType type) {
    Layer l = make("masked", MaskedSoftmax{}, {from, mask}, type);
    return finish(l, {}, {type, 1.0 / 256, least(type)});
  }
  int transpose(int from, std::vector<int> order) {
    const Tensor in = tensor(from);
    Layer l = make("transposed", Transpose{std::move(order)}, {from}, in.type);
    return finish(l, {}, {in.type, in.scale, in.zero_point});
  }
  int batch_matmul(int a, int b, const Quantization& output, Rounding rounding = Rounding::FixedDouble) {
    return pair(BatchMatMul{}, a, b, output, rounding);
  }
  // Rows [n, rows, groups*K], and matrices [n, groups, N, K] that a step of the host makes.
  int grouped_matmul(int from, int matrices, const Quantization& output, Rounding rounding = Rounding::FixedDouble, int sum_bytes = 0) {
    Layer l = make("heads", GroupedMatMul{static_cast<int>(tensor(matrices).shape[1]), {}}, {from, matrices}, output.type);
    if (sum_bytes > 0) return finish_sums(l, {}, sum_bytes);
    l.requant.rounding = rounding;
    return finish(l, {}, output);
  }
  int argmax(int from) {
    Layer l = make("argmax", ArgMax{}, {from}, ElementType::Int8);
    return finish(l, {}, {ElementType::Int32, 1, 0});
  }
  int gather(int from, int rows, int channels, const Quantization& output) {
    Layer l = make("gather", Gather{rows, channels, random_bytes(random_, std::int64_t{rows} * channels)}, {from}, output.type);
    return finish(l, {}, output);
  }
  int add_constant(int from, int dimensions, const Quantization& output) {  // to so many of the innermost dimensions
    const Shape in = tensor(from).shape;
    AddConstant add;
    for (int d = in.rank() - dimensions; d < in.rank(); ++d) add.shape.push_back(in[d]);
    for (std::int64_t i = 0; i < Shape(add.shape).elements(); ++i) add.addend.push_back(static_cast<float>(output.scale * draw(random_, -400, 400) / 7));
    Layer l = make("constant", std::move(add), {from}, output.type);
    return finish(l, {}, output);
  }

  // What no layer reads becomes an output.
  Network build() {
    builder_.find_outputs();
    Network network = builder_.network();
    for (Layer& l : network.layers) {
      if (Weights* w = l.weights(); w != nullptr && !l.has_computed_weights()) mark_zeros(*w, w->bytes.data(), w->bytes.size());
    }
    return network;
  }
  const Network& peek() const { return builder_.network(); }

 private:
  Layer make(const char* name, Attributes attributes, std::vector<int> inputs, ElementType output) const {
    Layer l;
    l.name = name + std::to_string(peek().layers.size());
    l.attributes = std::move(attributes);
    l.inputs = std::move(inputs);
    l.clamp_min = least(output);
    l.clamp_max = least(output) + 255;
    return l;
  }
  static gemel::Window window_of(const Window& w) {
    return {w.kernel[0],  w.kernel[1],  w.stride[0],  w.stride[1],  w.dilation[0],
            w.dilation[1], w.padding[0], w.padding[1], w.padding[2], w.padding[3]};
  }
  static void append(Requant& requant, double real) {
    if (requant.rounding == Rounding::Float) {
      requant.multiplier.push_back(numerics::float_bits(static_cast<float>(real)));
      requant.shift.push_back(0);
    } else {
      const auto q = numerics::quantize_multiplier(real);
      requant.multiplier.push_back(q.multiplier);
      requant.shift.push_back(q.shift);
    }
  }
  template <class Kind>
  int pair(Kind kind, int a, int b, const Quantization& output, Rounding rounding) {
    Layer l = make(Kind::name, kind, {a, b}, output.type);
    l.requant.rounding = rounding;
    return finish(l, {}, output);
  }
  int pool(const char* name, Attributes attributes, int from) {
    const Tensor in = tensor(from);
    Layer l = make(name, std::move(attributes), {from}, in.type);
    return finish(l, {}, {in.type, in.scale, in.zero_point});
  }
  int finish_sums(Layer& l, Shape wanted, int sum_bytes) {
    l.sum_bytes = sum_bytes;
    if (wanted.rank() > 0) wanted[wanted.rank() - 1] *= sum_bytes;
    return finish(l, wanted, {ElementType::UInt8, 1, 0});
  }
  int finish(Layer& l, const Shape& wanted, const Quantization& q) {
    const Tensor output{l.name, builder_.shape_of(l, wanted), q.type, q.scale, q.zero_point};
    builder_.quantize(l, output, {}, quantization::Activation::None);
    return builder_.add(std::move(l), output);
  }

  gemel::NetworkBuilder builder_;
  Random random_;
};

// ---- Random networks -----------------------------------------------------------------------------------------------------

struct RandomNetworkLimits {
  int min_layers = 1, max_layers = 8;
  int max_channels = 70;
  int max_size = 16;                // height and width of an input
  int max_kernel = 7;
  int max_stride = 3, max_dilation = 3;
  int max_batch = 3;
  std::int64_t max_elements = 6000;  // of one tensor
  std::int64_t max_macs = 600'000;   // of one layer
  bool groups = true, residuals = true, pools = true, tables = true, dense = true, dilations = true;
  bool unsigned_types = true, weight_zero_points = true, float_rounding = true;
  bool sums = true;         // layers of the array that give bytes of their sums
  bool host_steps = false;  // operators that run on the host, anywhere in the network
  bool holes = true;        // boxes of weights that are zero, so that tiles of the array are
};

inline NetworkBuilder::Quantization random_quantization(Random& random, const RandomNetworkLimits& limits) {
  NetworkBuilder::Quantization q;
  if (limits.unsigned_types && chance(random, 0.35)) q.type = ElementType::UInt8;
  const int low = least(q.type);
  switch (draw(random, 0, 5)) {
    case 0: q.zero_point = low; break;
    case 1: q.zero_point = low + 255; break;
    case 2: q.zero_point = low + 128; break;
    default: q.zero_point = draw(random, low, low + 255);
  }
  q.scale = std::exp2(draw(random, -80, -10) / 10.0);
  return q;
}

inline Rounding random_rounding(Random& random, bool with_float) {
  const int r = draw(random, 0, with_float ? 9 : 7);
  return r < 5 ? Rounding::FixedDouble : r < 8 ? Rounding::FixedSingle : Rounding::Float;
}

// Sometimes a narrower clamp, and sometimes one value.
inline void random_clamp(Random& random, Layer& layer) {
  const int low = layer.clamp_min, high = layer.clamp_max;
  if (chance(random, 0.7)) return;
  layer.clamp_min = chance(random, 0.8) ? draw(random, low, low + 128) : draw(random, low, high);
  layer.clamp_max = chance(random, 0.5) ? high : draw(random, layer.clamp_min, high);
}

inline TableEntries random_table(Random& random) {
  TableEntries table;
  for (std::uint8_t& entry : table) entry = static_cast<std::uint8_t>(random());
  return table;
}

// A window that fits the image, at least one output pixel. Pools: padding smaller than the window, no dilation.
inline NetworkBuilder::Window random_window(Random& random, const Nhwc& in, const RandomNetworkLimits& limits, bool pool) {
  NetworkBuilder::Window w;
  const std::array<int, 2> size = {in.h, in.w};
  const bool square = chance(random, 0.6);
  const bool point = !pool && chance(random, 0.3);
  for (int d = 0; d < 2; ++d) {
    if (d == 1 && square && in.h == in.w) {
      w.kernel[1] = w.kernel[0], w.stride[1] = w.stride[0], w.dilation[1] = w.dilation[0];
      w.padding[1] = w.padding[0], w.padding[3] = w.padding[2];
      continue;
    }
    int& kernel = w.kernel[d];
    kernel = point ? 1 : draw(random, 1, limits.max_kernel);
    w.stride[d] = chance(random, 0.55) ? 1 : draw(random, 1, limits.max_stride);
    w.dilation[d] = pool || !limits.dilations || chance(random, 0.7) ? 1 : draw(random, 1, limits.max_dilation);
    int& before = w.padding[d];
    int& after = w.padding[d + 2];
    const int extent = (kernel - 1) * w.dilation[d] + 1;
    switch (draw(random, 0, 2)) {
      case 0: break;  // valid
      case 1: {       // same: the odd pixel at the end
        const int outputs = (size[d] + w.stride[d] - 1) / w.stride[d];
        const int total = std::max(0, (outputs - 1) * w.stride[d] + extent - size[d]);
        before = total / 2, after = total - total / 2;
        break;
      }
      default: before = draw(random, 0, extent - 1), after = draw(random, 0, extent - 1);
    }
    if (pool) before = std::min(before, kernel - 1), after = std::min(after, kernel - 1);
    while (size[d] + before + after < (kernel - 1) * w.dilation[d] + 1) {  // it must fit
      if (w.dilation[d] > 1) --w.dilation[d];
      else --kernel;
      if (pool) before = std::min(before, kernel - 1), after = std::min(after, kernel - 1);
    }
  }
  return w;
}

inline int random_sum_bytes(Random& random, const RandomNetworkLimits& limits) {
  return limits.sums && chance(random, 0.1) ? draw(random, 1, gemel::limits::MostSumBytes) : 0;
}

inline NetworkBuilder::Conv random_conv(Random& random, const RandomNetworkLimits& limits) {
  NetworkBuilder::Conv c;
  c.output = random_quantization(random, limits);
  c.rounding = random_rounding(random, limits.float_rounding);
  if (limits.unsigned_types && chance(random, 0.25)) c.weight_type = ElementType::UInt8, c.weight_zero_point = 128;
  if (limits.weight_zero_points && chance(random, 0.3)) {
    c.weight_zero_point = draw(random, least(c.weight_type), least(c.weight_type) + 255);
  }
  c.bias = chance(random, 0.8);
  c.spread = std::exp2(draw(random, -2, 2));
  c.sum_bytes = random_sum_bytes(random, limits);
  return c;
}

// Makes boxes of a layer's weights zero: of some or all channels out, taps and channels in. What it is a part of must be built anew, or marked.
inline void make_holes(Random& random, Weights& weights, const Convolution& conv) {
  const auto some = [&](int n) {
    if (chance(random, 0.4)) return std::pair(0, n);
    const int first = draw(random, 0, n - 1);
    return std::pair(first, draw(random, first + 1, n));
  };
  const int kh = conv.window.kernel_h, kw = conv.window.kernel_w, depth = conv.in.c / conv.groups;
  for (int holes = draw(random, 1, 4); holes > 0; --holes) {
    const auto [o, o_end] = some(conv.out.c);
    const auto [y, y_end] = some(kh);
    const auto [x, x_end] = some(kw);
    const auto [c, c_end] = some(depth);
    for (int i = o * kh + y; i < o_end * kh; ++i) {
      if (i % kh < y || i % kh >= y_end) continue;
      for (int k = x; k < x_end; ++k) {
        const auto row = weights.bytes.begin() + (std::int64_t{i} * kw + k) * depth;
        std::fill(row + c, row + c_end, static_cast<std::uint8_t>(weights.zero_point));
      }
    }
  }
}

// A step of the host that makes an image of bytes of `from`.
inline int random_host_step(Random& random, NetworkBuilder& b, int from, const RandomNetworkLimits& limits) {
  const Nhwc in = b.tensor(from).nhwc();
  const ElementType type = limits.unsigned_types && chance(random, 0.35) ? ElementType::UInt8 : ElementType::Int8;
  auto q = random_quantization(random, limits);
  switch (draw(random, 0, 7)) {
    case 0: q.scale = std::exp2(draw(random, -70, -40) / 10.0); return b.layer_norm(from, q);
    case 1: {  // the image in another order, as many dimensions
      std::vector<int> order = {0, 1, 2, 3};
      std::shuffle(order.begin() + (chance(random, 0.5) ? 1 : 0), order.end(), random);
      return b.transpose(from, order);
    }
    case 2: {  // a line of pixels with each other
      const int other = b.transpose(from, {0, 1, 3, 2});
      q.scale = 64 * b.tensor(from).scale * b.tensor(from).scale * std::sqrt(in.c) * std::exp2(draw(random, -10, 10) / 10.0);
      return b.batch_matmul(from, other, q, random_rounding(random, limits.float_rounding));
    }
    case 3: return b.gather(b.argmax(from), in.c, in.c, q);
    case 4: q.scale = b.tensor(from).scale; return b.add_constant(from, draw(random, 1, 4), q);
    case 5: return b.masked_softmax(from, chance(random, 0.5) ? from : b.reshape(from, Shape{in.elements() / in.c, in.c}), type);
    case 6: {  // the pixels of an image with each other, group by group, on the array
      const int pixels = in.h * in.w;
      int groups = draw(random, 1, in.c);
      while (in.c % groups != 0) --groups;
      const std::int64_t made = std::int64_t{in.n} * pixels * pixels * groups;
      if (made > limits.max_elements || made * (in.c / groups) > limits.max_macs) break;
      const int matrices = b.transpose(b.reshape(from, Shape{in.n, pixels, groups, in.c / groups}), {0, 2, 1, 3});
      q.scale = 64 * b.tensor(from).scale * b.tensor(from).scale * std::sqrt(in.c / groups) * std::exp2(draw(random, -10, 10) / 10.0);
      const int rows = b.reshape(from, Shape{in.n, pixels, in.c});
      const int bytes = random_sum_bytes(random, limits);
      return b.reshape(b.grouped_matmul(rows, matrices, q, random_rounding(random, limits.float_rounding), bytes),
                       Shape{in.n, 1, pixels, std::max(1, bytes) * groups * pixels});
    }
    default: break;
  }
  // In fixed arithmetic a scale of 16 or more is refused (E0212): products of products get there.
  if (b.tensor(from).scale >= 16) return b.masked_softmax(from, from, type);
  return b.softmax(from, type, random_rounding(random, limits.float_rounding));
}

// One network. Channels, kernels, strides, dilations, paddings, groups, residual additions, pools, tables, 8-bit types, zero
// points, roundings, batch and clamps are drawn within the limits; the same generator state gives the same network.
inline Network random_network(Random& random, const RandomNetworkLimits& limits = {}) {
  const std::uint64_t seed = random();
  NetworkBuilder b("random", seed);
  Random holes(seed);  // of its own: the rest of a network does not depend on it
  const bool has_holes = limits.holes && chance(holes, 0.4);
  const auto channels = [&] {  // small ones and powers of two more often
    switch (draw(random, 0, 3)) {
      case 0: return draw(random, 1, std::min(4, limits.max_channels));
      case 1: return std::min(limits.max_channels, 1 << draw(random, 0, 6));
      default: return draw(random, 1, limits.max_channels);
    }
  };
  Nhwc first;
  first.n = chance(random, 0.6) ? 1 : draw(random, 1, limits.max_batch);
  do {
    first.h = chance(random, 0.1) ? 1 : draw(random, 1, limits.max_size);
    first.w = chance(random, 0.6) ? first.h : draw(random, 1, limits.max_size);
    first.c = channels();
  } while (first.elements() > limits.max_elements);

  std::vector<int> made = {b.input(first, random_quantization(random, limits))};
  const int target = draw(random, limits.min_layers, limits.max_layers);
  for (int attempt = 0; attempt < 40 * target && static_cast<int>(b.peek().layers.size()) < target; ++attempt) {
    const int from = chance(random, 0.8) ? made.back() : made[draw(random, 0, static_cast<int>(made.size()) - 1)];
    const Nhwc in = b.tensor(from).nhwc();
    const bool on_host = limits.host_steps && chance(random, 0.25);
    const int kind = on_host ? -1 : draw(random, 0, 19);
    int out = -1;
    if (on_host) {
      out = random_host_step(random, b, from, limits);
    } else if (kind < 9) {  // convolution: full, depthwise, grouped, or with a depth multiplier
      NetworkBuilder::Conv c = random_conv(random, limits);
      c.window = random_window(random, in, limits, false);
      c.out_channels = channels();
      const int style = limits.groups ? draw(random, 0, 6) : 0;
      if (style == 4) c.groups = in.c, c.out_channels = in.c;
      if (style == 5) c.groups = in.c, c.out_channels = std::min(limits.max_channels / in.c, draw(random, 1, 3)) * in.c;
      if (style == 6) {
        const int divisor = draw(random, 1, in.c);
        if (in.c % divisor == 0 && divisor <= limits.max_channels)
          c.groups = divisor, c.out_channels = draw(random, 1, limits.max_channels / divisor) * divisor;
      }
      const auto& k = c.window.kernel;
      const std::int64_t h = ops::slide(in.h, c.window.padding[0], c.window.padding[2], k[0], c.window.dilation[0], c.window.stride[0]);
      const std::int64_t w = ops::slide(in.w, c.window.padding[1], c.window.padding[3], k[1], c.window.dilation[1], c.window.stride[1]);
      const std::int64_t pixels = std::int64_t{in.n} * h * w;
      const std::int64_t macs = pixels * c.out_channels * k[0] * k[1] * (in.c / c.groups);
      if (c.out_channels < 1 || pixels * c.out_channels * std::max(1, c.sum_bytes) > limits.max_elements || macs > limits.max_macs) continue;
      out = b.conv(from, c);
    } else if (kind < 11) {  // dense or a product of matrices
      if (!limits.dense) continue;
      NetworkBuilder::Conv c = random_conv(random, limits);
      c.out_channels = channels();
      if (in.elements() * c.out_channels > limits.max_macs) continue;
      if (in.n > 1 || chance(random, 0.5)) {
        out = b.dense(from, c);
      } else {
        out = b.matmul(from, c);
      }
    } else if (kind < 15) {  // sum, difference or product: of two tensors of one shape, or around a convolution that keeps the shape
      if (!limits.residuals) continue;
      std::vector<int> same;
      for (const int t : made) {
        if (b.tensor(t).nhwc() == in) same.push_back(t);
      }
      int other = same[draw(random, 0, static_cast<int>(same.size()) - 1)];
      if (other == from && chance(random, 0.9)) {  // a tensor with itself stays possible
        NetworkBuilder::Conv c = random_conv(random, limits);
        const int reach = draw(random, 0, std::min(1, (limits.max_kernel - 1) / 2));
        c.window.kernel = {2 * reach + 1, 2 * reach + 1};
        c.window.padding = {reach, reach, reach, reach};
        c.out_channels = in.c;
        c.sum_bytes = 0;
        if (in.elements() * in.c * c.window.kernel[0] * c.window.kernel[1] > limits.max_macs) continue;
        other = b.conv(from, c);
        random_clamp(random, b.layer(other));
      }
      auto q = random_quantization(random, limits);
      const double scale = b.tensor(from).scale, scale_of_other = b.tensor(other).scale, spread = std::exp2(draw(random, -10, 20) / 10.0);
      const int left = chance(random, 0.5) ? from : other, right = left == from ? other : from;
      if (chance(random, 0.4)) {
        q.scale = 64 * scale * scale_of_other * spread;
        out = b.mul(left, right, q, random_rounding(random, false));
      } else {
        q.scale = std::max(scale, scale_of_other) * spread;
        out = chance(random, 0.7) ? b.add(left, right, q, random_rounding(random, false)) : b.sub(left, right, q, random_rounding(random, false));
      }
    } else if (kind < 18) {
      if (!limits.pools) continue;
      if (chance(random, 0.25)) {
        auto q = random_quantization(random, limits);
        q.scale = b.tensor(from).scale * std::exp2(draw(random, -10, 10) / 10.0);
        out = b.global_avg_pool(from, q, random_rounding(random, false));
      } else {
        const auto window = random_window(random, in, limits, true);
        const std::int64_t h = ops::slide(in.h, window.padding[0], window.padding[2], window.kernel[0], 1, window.stride[0]);
        const std::int64_t w = ops::slide(in.w, window.padding[1], window.padding[3], window.kernel[1], 1, window.stride[1]);
        if (std::int64_t{in.n} * h * w * in.c > limits.max_elements) continue;
        out = chance(random, 0.5) ? b.max_pool(from, window) : b.avg_pool(from, window);
      }
    } else if (kind < 19) {
      if (!limits.tables) continue;
      out = b.table(from, random_table(random), random_quantization(random, limits));
    } else {
      // A view: rows and columns folded, or (one image) spread again.
      out = b.reshape(from, in.n == 1 && chance(random, 0.5) ? Nhwc{1, in.w, in.h, in.c} : Nhwc{in.n, 1, in.h * in.w, in.c});
    }
    Layer& made_layer = b.layer(out);
    const bool rounds = made_layer.sum_bytes == 0 && made_layer.op() != Op::Table && made_layer.op() != Op::Reshape;
    if (rounds) random_clamp(random, made_layer);
    if (limits.tables && made_layer.sum_bytes == 0 && (made_layer.weights() != nullptr || made_layer.inputs.size() == 2) && chance(random, 0.15)) {
      made_layer.then_table = std::make_shared<TableEntries>(random_table(random));
    }
    made.push_back(out);
  }
  if (b.peek().layers.empty()) made.push_back(b.reshape(made.back(), first));
  for (std::size_t l = 0; has_holes && l < b.peek().layers.size(); ++l) {
    Layer& layer = b.layer(b.peek().layers[l].output);
    if (layer.weights() == nullptr || layer.has_computed_weights() || chance(holes, 0.3)) continue;
    make_holes(holes, *layer.weights(), as_convolution(b.peek(), layer));
  }
  Network network = b.build();
  if (network.outputs.size() > 1 && chance(random, 0.5)) {  // what is made and of no use
    network.outputs.erase(network.outputs.begin() + draw(random, 0, static_cast<int>(network.outputs.size()) - 1));
  }
  return network;
}

inline std::string describe(const Network& network) {
  std::ostringstream out;
  const auto tensor = [&](int t) {
    const Tensor& x = network.tensors[t];
    out << x.name << to_string(x.shape) << " " << to_string(x.type) << " z=" << x.zero_point;
  };
  for (const Layer& l : network.layers) {
    out << l.name << ": ";
    for (const int t : l.inputs) tensor(t), out << " ";
    out << "-> ";
    tensor(l.output);
    if (const Window* w = l.window()) {
      out << " kernel " << w->kernel_h << "x" << w->kernel_w << " stride " << w->stride_h << "," << w->stride_w << " dilation "
          << w->dilation_h << "," << w->dilation_w << " padding " << w->pad_top << "," << w->pad_left << "," << w->pad_bottom << ","
          << w->pad_right;
    }
    if (const Conv2d* conv = l.get<Conv2d>()) out << " groups " << conv->groups;
    if (const Weights* w = l.weights()) {
      out << " weights " << to_string(w->type) << " zw=" << w->zero_point << (w->bias.empty() ? " no bias" : "");
      std::int64_t zeros = 0;
      for (const std::uint64_t bits : w->zeros) zeros += __builtin_popcountll(bits);
      if (zeros > 0) out << ", " << zeros << " of " << w->bytes.size() << " zero";
    }
    if (l.sum_bytes > 0) out << " " << l.sum_bytes << " bytes of sums";
    if (!l.requant.multiplier.empty()) out << " rounding " << static_cast<int>(l.requant.rounding);
    out << " clamp " << l.clamp_min << ".." << l.clamp_max << (l.then_table ? " table" : "") << "\n";
  }
  return out.str();
}

}  // namespace gemel::regress
