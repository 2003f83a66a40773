// SPDX-License-Identifier: Apache-2.0
// Multipliers, clamps and tables; see quantization.hpp.
#include "network/quantization.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "base/numerics.hpp"

namespace gemel::quantization {
namespace {

void append(Requant& requant, const numerics::QuantizedMultiplier& q) {
  requant.multiplier.push_back(q.multiplier);
  requant.shift.push_back(q.shift);
}

std::int32_t bits(float value) {
  std::int32_t out;
  std::memcpy(&out, &value, sizeof out);
  return out;
}

}  // namespace

Clamp activation_clamp(Activation activation, const Tensor& output) {
  Clamp clamp{min_value(output.type), max_value(output.type)};
  const auto scale = static_cast<float>(output.scale);
  const auto quantized = [&](float bound) {
    // A tiny scale gives a bound far outside int; it is cut to the type's range below either way.
    const double value = output.zero_point + static_cast<double>(std::round(bound / scale));
    return static_cast<int>(std::clamp(value, -1e6, 1e6));
  };
  const auto raise = [&](float bound) { clamp.min = std::clamp(quantized(bound), clamp.min, clamp.max); };
  const auto lower = [&](float bound) { clamp.max = std::clamp(quantized(bound), clamp.min, clamp.max); };
  switch (activation) {
    case Activation::None: break;
    case Activation::Relu: raise(0.0f); break;
    case Activation::Relu6: raise(0.0f), lower(6.0f); break;
    case Activation::ReluN1To1: raise(-1.0f), lower(1.0f); break;
  }
  return clamp;
}

Requant conv_requant(Rounding rounding, double input_scale, const std::vector<float>& weight_scales, double output_scale,
                     int channels) {
  if (weight_scales.size() != 1 && weight_scales.size() != static_cast<std::size_t>(channels))
    throw InternalError("conv_requant: " + std::to_string(weight_scales.size()) + " scales for " + std::to_string(channels) +
                        " channels");
  Requant requant;
  requant.rounding = rounding;
  const auto input_f = static_cast<float>(input_scale);
  for (int o = 0; o < channels; ++o) {
    if (weight_scales.size() == 1 && o > 0) {
      requant.multiplier.push_back(requant.multiplier[0]);
      requant.shift.push_back(requant.shift[0]);
      continue;
    }
    const float weight_f = weight_scales[o];
    if (rounding == Rounding::Float) {
      const float product = input_f * weight_f;
      requant.multiplier.push_back(bits(product / static_cast<float>(output_scale)));
      requant.shift.push_back(0);
    } else {
      append(requant, numerics::quantize_multiplier(input_scale * static_cast<double>(weight_f) / output_scale));
    }
  }
  return requant;
}

Requant add_requant(Rounding rounding, double scale_a, double scale_b, double output_scale) {
  Requant requant;
  requant.rounding = rounding;
  if (rounding == Rounding::Float) {
    const float a = static_cast<float>(scale_a), b = static_cast<float>(scale_b), twice = 2 * std::max(a, b);
    const float sum = twice / (static_cast<float>(output_scale) * (1 << numerics::AddLeftShift));
    return {rounding, {bits(a / twice), bits(b / twice), bits(sum)}, {0, 0, 0}};
  }
  const auto q = numerics::add_requant(scale_a, scale_b, output_scale);
  for (const auto& part : {q.first, q.second, q.sum}) append(requant, part);
  return requant;
}

Requant softmax_requant(Rounding rounding, double input_scale) {
  if (rounding == Rounding::Float) return {rounding, {numerics::float_bits(static_cast<float>(input_scale))}, {0}};
  const auto m = numerics::quantize_multiplier(std::min(input_scale * 0x1p26, 0x1p31 - 1.0));
  return {rounding, {m.multiplier}, {m.shift}};
}

Requant mean_requant(Rounding rounding, double input_scale, double output_scale, std::int64_t count) {
  Requant requant;
  requant.rounding = rounding;
  if (rounding == Rounding::Float) {
    const float taps = static_cast<float>(output_scale) * static_cast<float>(count);
    return {rounding, {bits(static_cast<float>(input_scale) / taps)}, {0}};
  }
  const auto rescale = numerics::quantize_multiplier(input_scale / output_scale);
  append(requant, numerics::mean_requant(rescale.multiplier, rescale.shift, count));
  return requant;
}

const std::vector<std::string>& table_function_names() {
  static const std::vector<std::string> names = {"identity",     "relu",       "sigmoid", "tanh",
                                                 "hard_sigmoid", "hard_swish", "gelu",    "exp", "silu"};
  return names;
}

double evaluate(TableFunction function, double x) {
  const auto hard_sigmoid = [](double v) { return std::clamp(v / 6.0 + 0.5, 0.0, 1.0); };
  switch (function) {
    case TableFunction::Identity: return x;
    case TableFunction::Relu: return std::max(x, 0.0);
    case TableFunction::Sigmoid: return 1.0 / (1.0 + std::exp(-x));
    case TableFunction::Tanh: return std::tanh(x);
    case TableFunction::HardSigmoid: return hard_sigmoid(x);
    case TableFunction::HardSwish: return x * hard_sigmoid(x);
    case TableFunction::Gelu: return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));  // the exact one, not its tanh fit
    case TableFunction::Exp: return std::exp(x);
    case TableFunction::Silu: return x / (1.0 + std::exp(-x));
  }
  throw InternalError("a TableFunction without a definition");
}

TableEntries fill_table(TableFunction function, const Tensor& input, const Tensor& output) {
  TableEntries table{};
  const int low = min_value(output.type), high = max_value(output.type);
  for (int q = min_value(input.type); q <= max_value(input.type); ++q) {
    const double y = std::round(evaluate(function, input.scale * (q - input.zero_point)) / output.scale) + output.zero_point;
    const int value = static_cast<int>(std::clamp<double>(y, low, high));  // infinities end at the range
    table[static_cast<std::uint8_t>(q)] = static_cast<std::uint8_t>(value);
  }
  return table;
}

}  // namespace gemel::quantization
