// SPDX-License-Identifier: Apache-2.0
// Convolution with any kernel, stride, dilation, padding and groups; dense layers and matrix products are 1x1 convolutions.
//   y[o] = requantize(bias[o] + sum over the taps and the group's input channels of (x - x_zero) * (w - w_zero))
// Padding contributes nothing. As computed here: (1) both zero points are removed, to 16-bit numbers; (2) for each output
// pixel and group the inputs under the kernel are gathered into a patch; (3) each output channel is the inner product of
// the patch with its filter, in 32-bit two's complement.
#include <algorithm>

#include "base/error.hpp"
#include "network/layer_reader.hpp"
#include "network/limits.hpp"
#include "ops/weighted.hpp"

namespace gemel::ops {
namespace {

using Numbers = std::vector<std::int16_t>;

Numbers without_zero_point(const std::uint8_t* raw, std::size_t count, ElementType type, int zero_point) {
  Numbers numbers(count);
  for (std::size_t i = 0; i < count; ++i) numbers[i] = static_cast<std::int16_t>(value_of(raw[i], type) - zero_point);
  return numbers;
}

// Wraps like hardware. A part of 2^15 products of 9-bit numbers stays below 2^31, so that no sum of a part overflows.
__attribute__((always_inline)) inline std::int32_t inner_product(const std::int16_t* a, const std::int16_t* b, std::size_t count) {
  constexpr std::size_t Part = std::size_t{1} << 15;
  std::int32_t total = 0;
  for (std::size_t start = 0; start < count; start += Part) {
    const std::size_t end = std::min(start + Part, count);
    std::int32_t sum = 0;
    for (std::size_t i = start; i < end; ++i) sum += std::int32_t{a[i]} * std::int32_t{b[i]};
    total = numerics::wrap_add(total, sum);
  }
  return total;
}

// sums[o]: of the patch with filter o, each `size` long.
__attribute__((always_inline)) inline void inner_products_inline(const std::int16_t* patch, const std::int16_t* filters, std::size_t size,
                                                                 std::vector<std::int32_t>& sums) {
  for (std::size_t o = 0; o < sums.size(); ++o) sums[o] = inner_product(patch, filters + o * size, size);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void inner_products_avx2(const std::int16_t* patch, const std::int16_t* filters, std::size_t size,
                                                         std::vector<std::int32_t>& sums) {
  inner_products_inline(patch, filters, size, sums);
}
#endif

void inner_products(const std::int16_t* patch, const std::int16_t* filters, std::size_t size, std::vector<std::int32_t>& sums) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return inner_products_avx2(patch, filters, size, sums);  // the same numbers, sooner
#endif
  inner_products_inline(patch, filters, size, sums);
}

ShapeRule conv2d_shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape& wanted) {
  const Shape& in = inputs[0];
  const Conv2d& conv = *layer.get<Conv2d>();
  if (const std::string problem = image_problem(in); !problem.empty()) return shape_problem(problem);
  const std::int64_t channels = wanted.innermost();
  if (const ShapeRule rule = check_channels(channels); !rule.ok()) return rule;
  if (conv.groups < 1 || in[3] % conv.groups != 0 || channels % conv.groups != 0) {
    const bool by_input = conv.groups < 1 || in[3] % conv.groups != 0;
    return shape_problem((by_input ? "its input has " : "it makes ") + std::to_string(by_input ? in[3] : channels) +
                             " channels, which do not divide into " + std::to_string(conv.groups) + " groups", "groups");
  }
  return slide_window(conv.window, in, channels);
}

void read_conv2d(LayerReader& r) {
  Conv2d conv;
  r.read_window(conv.window, true);
  const YamlValue groups = r.map().find("groups");
  bool depthwise = false;
  if (groups.exists()) {
    if (groups.is_scalar() && !groups.is_integer()) {
      depthwise = groups.as_choice({"depthwise"}).has_value();
      r.valid = r.valid && depthwise;
    } else {
      const auto count = groups.as_integer(1, limits::MostLength);
      r.valid = r.valid && count;
      conv.groups = static_cast<int>(count.value_or(1));
    }
  }
  if (depthwise) conv.groups = r.image().c;
  r.wanted = {r.read_channels(depthwise ? conv.groups : 0)};
  r.read_weights(conv.weights);
  r.read_result();
  r.layer.attributes = std::move(conv);
}

}  // namespace

void resolve_weighted(Layer& layer, const std::vector<const Tensor*>& inputs, const Tensor& output, const std::vector<float>& weight_scales) {
  layer.requant = quantization::conv_requant(layer.requant.rounding, inputs[0]->scale, weight_scales, output.scale,
                                             static_cast<int>(output.shape.innermost()));
}

ShapeRule check_channels(std::int64_t channels) {
  if (channels <= limits::MostChannels) return {};
  return too_large("it makes " + std::to_string(channels) + " channels, which are too many", "the most is 2^20", "out_channels");
}

Bytes weighted_golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  const Convolution conv = as_convolution(layer, inputs[0].tensor.shape, output.shape);
  const Nhwc &in = conv.in, &out = conv.out;
  const Window& window = conv.window;
  const Weights& weights = *conv.weights;
  const int in_per_group = in.c / conv.groups, out_per_group = out.c / conv.groups;
  const std::size_t filter = static_cast<std::size_t>(window.kernel_h) * window.kernel_w * in_per_group;
  if (weights.bytes.size() != filter * out.c) {
    throw InternalError("golden: layer " + layer.name + " has " + std::to_string(weights.bytes.size()) + " weights instead of " +
                        std::to_string(filter * out.c) + (weights.bytes.empty() ? " (a timing-only network?)" : ""));
  }

  const Numbers x = without_zero_point(inputs[0].data, static_cast<std::size_t>(in.elements()), inputs[0].tensor.type,
                                       inputs[0].tensor.zero_point);
  const Numbers w = without_zero_point(weights.bytes.data(), weights.bytes.size(), weights.type, weights.zero_point);
  Numbers patch(filter);
  std::vector<std::int32_t> sums(static_cast<std::size_t>(out_per_group));
  Bytes y(static_cast<std::size_t>(out.elements() * conv.out_bytes));
  std::uint8_t* pixel = y.data();

  for (int n = 0; n < out.n; ++n) {
    for (int oy = 0; oy < out.h; ++oy) {
      for (int ox = 0; ox < out.w; ++ox, pixel += out.c * conv.out_bytes) {
        for (int group = 0; group < conv.groups; ++group) {
          auto to = patch.begin();
          for (int ky = 0; ky < window.kernel_h; ++ky) {
            for (int kx = 0; kx < window.kernel_w; ++kx, to += in_per_group) {
              const int iy = oy * window.stride_h - window.pad_top + ky * window.dilation_h;
              const int ix = ox * window.stride_w - window.pad_left + kx * window.dilation_w;
              if (iy < 0 || iy >= in.h || ix < 0 || ix >= in.w) {
                std::fill_n(to, in_per_group, std::int16_t{0});
              } else {
                const auto from = ((std::int64_t{n} * in.h + iy) * in.w + ix) * in.c + group * in_per_group;
                std::copy_n(x.begin() + from, in_per_group, to);
              }
            }
          }
          const int first = group * out_per_group;
          inner_products(patch.data(), w.data() + first * filter, filter, sums);
          for (int i = 0; i < out_per_group; ++i) {
            const int o = first + i;
            const std::int32_t bias = weights.bias.empty() ? 0 : weights.bias[o];
            const std::int32_t sum = numerics::wrap_add(sums[static_cast<std::size_t>(i)], bias);
            if (layer.sum_bytes == 0) pixel[o] = finished(layer, rounded(layer, o, sum), output.zero_point);
            for (int b = 0; b < layer.sum_bytes; ++b) pixel[b * out.c + o] = static_cast<std::uint8_t>(sum >> (8 * b));
          }
        }
      }
    }
  }
  return y;
}

OpInfo conv2d() {
  OpInfo row;
  row.op = Op::Conv2d;
  row.summary = "convolution with any kernel, stride, dilation, padding and groups; `groups: depthwise` says so of one group per channel";
  row.keys = {"out_channels", "kernel", "stride", "dilation", "padding", "groups", "activation", "clamp", "output", "weight", "arithmetic", "sum_bytes"};
  row.arithmetic = {Rounding::FixedDouble, Rounding::FixedSingle, Rounding::Float};
  row.requant_entries = PerChannel;
  row.shape = conv2d_shape;
  row.golden = weighted_golden;
  row.resolve = resolve_weighted;
  row.read = read_conv2d;
  return row;
}

}  // namespace gemel::ops
