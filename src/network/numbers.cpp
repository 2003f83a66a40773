// SPDX-License-Identifier: Apache-2.0
// Numbers from a file or a seed; see numbers.hpp.
#include "network/numbers.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "network/builder.hpp"
#include "network/limits.hpp"
#include "ops/ops.hpp"

namespace gemel {

using namespace limits;
using quantization::Activation;
using safetensors::Dtype;
using synthetic::Statistics;

namespace {

constexpr std::int32_t LeastNormal = 0x00800000, GreatestFloat = 0x7f7fffff;

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t length : shape) text += (text.empty() ? "[" : ", ") + std::to_string(length);
  return text + "]";
}

Dtype dtype_of(ElementType type) { return type == ElementType::Int8 ? Dtype::I8 : Dtype::U8; }

}  // namespace

// ---- From a file ------------------------------------------------------------------------------------------------------------

// The tensors of one layer.
struct FileNumbers::Reader {
  FileNumbers& numbers;
  const std::string& layer;
  const Complain& complain;
  bool valid = true;

  std::string name(const std::string& suffix) const { return layer + "." + suffix; }
  void fail(const std::string& message, const char* code, const std::string& note = {}) {
    complain(message, note, code);
    valid = false;
  }
  bool has(const std::string& suffix) const { return numbers.file_.find(name(suffix)) != nullptr; }
  void ignore(const std::string& suffix) { numbers.used_.insert(name(suffix)); }

  const safetensors::View* tensor(const std::string& suffix, Dtype dtype, bool required) {
    const std::string full = name(suffix);
    const safetensors::View* view = numbers.file_.find(full);
    numbers.used_.insert(full);
    if (view == nullptr) {
      if (!required) return nullptr;
      std::vector<std::string> names;
      for (const auto& t : numbers.file_.tensors()) names.push_back(t.name);
      fail("tensor `" + full + "` is missing in " + numbers.file_.path(), "E0304", did_you_mean(full, names));
    } else if (view->dtype != dtype) {
      fail("tensor `" + full + "` is " + safetensors::to_string(view->dtype) + ", but must be " + safetensors::to_string(dtype), "E0305");
      return nullptr;
    }
    return view;
  }

  // A tensor of one dimension; empty if it is not there or wrong (then it has been said).
  template <class T>
  std::vector<T> values(const std::string& suffix, Dtype dtype, std::size_t count, bool one_will_do) {
    const safetensors::View* view = tensor(suffix, dtype, false);
    if (view == nullptr) return {};
    const bool fits = view->shape.size() == 1 && (view->elements() == static_cast<std::int64_t>(count) || (one_will_do && view->elements() == 1));
    if (!fits) {
      fail("tensor `" + view->name + "` has the shape " + view->shape_text() + ", but must have [" + std::to_string(count) + "]" +
               (one_will_do && count != 1 ? " or [1]" : ""), "E0306");
      return {};
    }
    return numbers.file_.read<T>(view->name);
  }

  // Multiplier and shift, if they are there. True if they were (right or wrong): no scales are needed then.
  bool requant(Requant& requant, std::size_t count) {
    if (!has("multiplier") && !has("shift")) return false;
    // Both are asked for before either's contents are looked at, so that a missing one is told.
    const bool both = tensor("multiplier", Dtype::I32, true) != nullptr && tensor("shift", Dtype::I32, true) != nullptr;
    if (!both) return true;
    const auto multiplier = values<std::int32_t>("multiplier", Dtype::I32, count, false);
    const auto shift = values<std::int32_t>("shift", Dtype::I32, count, false);
    if (multiplier.empty() || shift.empty()) return true;
    const bool real = requant.rounding == Rounding::Float;  // then a multiplier is the bits of a float32
    for (std::size_t i = 0; i < count; ++i) {
      if (real && (multiplier[i] < LeastNormal || multiplier[i] > GreatestFloat || shift[i] != 0)) {
        fail("tensor `" + name("multiplier") + "`: entry " + std::to_string(i) + " is " + std::to_string(multiplier[i]) + " with shift " +
                 std::to_string(shift[i]) + ", but in `float` must be the bits of a normal positive float32, with shift 0", "E0307");
        break;
      }
      if (multiplier[i] < 0) {
        fail("tensor `" + name("multiplier") + "`: entry " + std::to_string(i) + " is " + std::to_string(multiplier[i]) +
                 ", but must be 0 to 2147483647", "E0307");
        break;
      }
      if (shift[i] < LeastShift || shift[i] > MostShift) {
        fail("tensor `" + name("shift") + "`: entry " + std::to_string(i) + " is " + std::to_string(shift[i]) + ", but must be " +
                 std::to_string(LeastShift) + " to " + std::to_string(MostShift), "E0307");
        break;
      }
    }
    requant.multiplier = multiplier;
    requant.shift.assign(shift.begin(), shift.end());
    return true;
  }

  void weights(Layer& l, const Convolution& conv, std::vector<float>& scales) {
    Weights& w = *l.weights();
    const std::int64_t channels = conv.out.c, depth = conv.in.c / conv.groups;
    if (const safetensors::View* view = tensor("weight", dtype_of(w.type), true)) {
      const std::vector<std::int64_t> full = {channels, conv.window.kernel_h, conv.window.kernel_w, depth}, flat = {channels, depth};
      const bool flat_allowed = l.op() != Op::Conv2d;
      if (view->shape != full && !(flat_allowed && view->shape == flat)) {
        fail("tensor `" + view->name + "` has the shape " + view->shape_text() + ", but must have " + shape_text(flat_allowed ? flat : full), "E0306");
      } else {
        mark_zeros(w, view->data, view->bytes);
        if (!numbers.timing_only_) w.bytes.assign(view->data, view->data + view->bytes);
      }
    }
    w.bias = values<std::int32_t>("bias", Dtype::I32, static_cast<std::size_t>(channels), false);
    if (l.sum_bytes > 0) return;
    if (requant(l.requant, static_cast<std::size_t>(channels))) {
      ignore("weight_scale");
      return;
    }
    if (tensor("weight_scale", Dtype::F32, true) == nullptr) return;
    scales = values<float>("weight_scale", Dtype::F32, static_cast<std::size_t>(channels), true);
    for (std::size_t i = 0; i < scales.size(); ++i)
      if (!(scales[i] >= LeastScale && scales[i] <= MostScale)) {
        fail("tensor `" + name("weight_scale") + "`: entry " + std::to_string(i) + " is " + format_number(scales[i]) +
                 ", but scales must be 1e-12 to 1e+12", "E0307");
        break;
      }
  }
};

// What of an operator's constants is there; real numbers must be finite.
bool FileNumbers::constants(Layer& layer, const Tensor& input, const Tensor& output, Reader& reader) {
  for (const ops::ConstantTensor& wanted : ops::info(layer.op()).constants(layer, input, output)) {
    auto* const* reals = std::get_if<std::vector<float>*>(&wanted.values);
    const safetensors::View* view = reader.tensor(wanted.suffix, reals != nullptr ? Dtype::F32 : dtype_of(output.type), wanted.required);
    if (view == nullptr) continue;
    if (view->shape != wanted.shape) {
      reader.fail("tensor `" + view->name + "` has the shape " + view->shape_text() + ", but must have " + shape_text(wanted.shape), "E0306");
    } else if (reals == nullptr) {
      if (!timing_only_) std::get<std::vector<std::uint8_t>*>(wanted.values)->assign(view->data, view->data + view->bytes);
    } else {
      **reals = file_.read<float>(view->name);
      const auto wrong = std::find_if((*reals)->begin(), (*reals)->end(), [](float v) { return !std::isfinite(v); });
      if (wrong != (*reals)->end())
        reader.fail("tensor `" + view->name + "`: entry " + std::to_string(wrong - (*reals)->begin()) + " is not finite", "E0307");
    }
  }
  return reader.valid;
}

bool FileNumbers::fill(Layer& layer, const Tensor* input, const Tensor& output, bool wants_table, std::vector<float>& weight_scales,
                       const Complain& complain) {
  Reader reader{*this, layer.name, complain};
  const ops::OpInfo& info = ops::info(layer.op());
  if (layer.weights() != nullptr && !layer.has_computed_weights()) {
    reader.weights(layer, as_convolution(layer, input->shape, output.shape), weight_scales);
  } else if (info.requant_entries > 0) {
    reader.requant(layer.requant, static_cast<std::size_t>(info.requant_entries));
    if (layer.op() == Op::Add || layer.op() == Op::Sub) {
      const auto bias = reader.values<std::int32_t>("bias", Dtype::I32, 1, false);
      if (!bias.empty()) layer.requant.bias = bias[0];
    }
  }
  if (info.constants != nullptr) return constants(layer, *input, output, reader);
  if (wants_table) {
    const safetensors::View* table = reader.tensor("table", Dtype::U8, true);
    if (table != nullptr && table->shape != std::vector<std::int64_t>{256})
      reader.fail("tensor `" + table->name + "` has the shape " + table->shape_text() + ", but must have [256]", "E0306");
    else if (table != nullptr)
      std::copy(table->data, table->data + 256, layer.get<Table>()->entries.begin());
  }
  return reader.valid;
}

// ---- From a seed ------------------------------------------------------------------------------------------------------------

Statistics SyntheticNumbers::input(Tensor& tensor) const {
  if (tensor.type == ElementType::Int32) return {};
  if (tensor.scale == 0) synthetic::choose_output(tensor, {0.0, 1.0}, synthetic::stream(seed_, tensor.name, "scale"));
  return synthetic::of_input(tensor);
}

void SyntheticNumbers::draw_constants(Layer& layer, const Tensor& input, const Tensor& output) {
  for (const ops::ConstantTensor& wanted : ops::info(layer.op()).constants(layer, input, output)) {
    const std::int64_t count = Shape(wanted.shape).checked_elements(MostWeights);
    weights_ = count < 0 || count > MostWeights - weights_ ? MostWeights + 1 : weights_ + count;
    if (timing_only_) continue;
    if (weights_ > MostWeights) {
      weights_ = 0;
      throw BuildError("E0214", "layer `" + layer.name + "`: the network's synthetic weights exceed 8 GiB", {}, "try it with `--timing-only`");
    }
    std::vector<std::int8_t> bell(static_cast<std::size_t>(count));
    synthetic::fill_bell(bell.data(), bell.size(), synthetic::stream(seed_, layer.name, wanted.suffix));
    if (auto* const* bytes = std::get_if<std::vector<std::uint8_t>*>(&wanted.values)) {
      (*bytes)->resize(bell.size());
      const int centre = min_value(output.type) + 128;
      std::transform(bell.begin(), bell.end(), (*bytes)->begin(), [&](int v) { return static_cast<std::uint8_t>(v + centre); });
    } else {
      std::vector<float>& reals = *std::get<std::vector<float>*>(wanted.values);
      reals.resize(bell.size());
      const double unit = synthetic::ConstantDeviation / synthetic::BellDeviation;
      std::transform(bell.begin(), bell.end(), reals.begin(), [&](int v) { return static_cast<float>(wanted.around + unit * v); });
    }
  }
}

Statistics SyntheticNumbers::fill(Layer& layer, const std::vector<const Tensor*>& inputs, const std::vector<Statistics>& values, Tensor& output,
                                  Activation activation, std::vector<float>& weight_scales) {
  const ops::OpInfo& info = ops::info(layer.op());
  if (info.constants != nullptr) draw_constants(layer, *inputs[0], output);
  const auto choose = [&](const Statistics& range) {
    if (output.scale == 0) synthetic::choose_output(output, range, synthetic::stream(seed_, layer.name, "scale"));
  };
  if (info.expected != nullptr) {
    const ops::Expectation e = info.expected(layer, inputs, values);
    if (info.keeps_quantization || e.range) {
      if (e.range) choose(*e.range);
      return e.values;
    }
    choose(synthetic::range_after(activation, e.values));
    return synthetic::after_activation(activation, e.values);
  }

  const Convolution conv = as_convolution(layer, inputs[0]->shape, output.shape);
  const std::int64_t depth = conv.in.c / conv.groups;
  std::int64_t count = 0;
  const bool countable = !__builtin_mul_overflow(std::int64_t{conv.window.kernel_h} * conv.window.kernel_w, depth, &count) &&
                         !__builtin_mul_overflow(count, std::int64_t{conv.out.c}, &count);
  if (!countable) throw BuildError("E0214", "layer `" + layer.name + "`: it has more weights than can be counted");
  weights_ = count > MostWeights - weights_ ? MostWeights + 1 : weights_ + count;
  if (weights_ > MostWeights && !timing_only_) {
    weights_ = 0;
    throw BuildError("E0214", "layer `" + layer.name + "`: the network's synthetic weights exceed 8 GiB", {}, "try it with `--timing-only`");
  }
  // Real values get the deviation 1, relu6 fills its range, and a given output scale decides by itself.
  double deviation = activation == Activation::Relu6 ? 2.5 : activation == Activation::ReluN1To1 ? 0.7 : 1.0;
  if (output.scale > 0) deviation = output.scale * (activation == Activation::None ? 40.0 : 64.0);
  weight_scales = synthetic::fill_weights(*layer.weights(), layer.name, conv.out.c, count / conv.out.c, {*inputs[0], values[0]}, deviation, seed_,
                                          timing_only_);
  if (layer.sum_bytes > 0) return {127.5, 74};  // as of uniform bytes
  const Statistics sum{0.0, 1.05 * deviation};
  choose(synthetic::range_after(activation, sum));
  return synthetic::after_activation(activation, sum);
}

}  // namespace gemel
