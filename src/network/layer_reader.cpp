// SPDX-License-Identifier: Apache-2.0
// Keys that several operators have; see layer_reader.hpp.
#include "network/layer_reader.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "network/limits.hpp"

namespace gemel {
namespace {

using namespace limits;
using quantization::Activation;

const std::vector<std::string> ActivationNames = {"none", "relu", "relu6", "relu_n1_to_1"};
const std::vector<std::string> TypeNames = {"int8", "uint8"}, InputTypeNames = {"int8", "uint8", "int32"};

int index_of(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<int>(std::find(names.begin(), names.end(), name) - names.begin());
}
ElementType type_named(const std::string& name) { return name == TypeNames[0] ? ElementType::Int8 : ElementType::UInt8; }

}  // namespace

const std::vector<std::string>& arithmetic_names() {
  static const std::vector<std::string> names = {to_string(Rounding::FixedDouble), to_string(Rounding::FixedSingle), to_string(Rounding::Float)};
  return names;
}

Shape read_shape(const YamlValue& value, bool& valid) {
  const auto items = value.as_list();
  std::vector<std::int64_t> lengths;
  if (items.empty() || items.size() > Shape::MaxRank) {
    if (value.is_list())
      value.complain("`" + value.path() + "` has " + std::to_string(items.size()) + " entries, but must have 1 to " +
                     std::to_string(Shape::MaxRank) + "; an image has 4: [n, h, w, c]");
    valid = false;
    return {};
  }
  for (const YamlValue& item : items) {
    const auto length = item.as_integer(1, MostLength);
    valid = valid && length;
    lengths.push_back(length.value_or(1));
  }
  return Shape(lengths);
}

bool read_quantization(YamlMap& map, Tensor& tensor, bool from_file, bool indices) {
  bool valid = true;
  const std::string type = map.choice("type", indices ? InputTypeNames : TypeNames, TypeNames[0]);
  if (type == to_string(ElementType::Int32)) {
    tensor.type = ElementType::Int32;
    for (const char* key : {"scale", "zero_point"}) {
      if (const YamlValue value = map.find(key); value.exists()) {
        value.complain(std::string("`") + key + "` is given for int32", {}, "elements of int32 are indices: leave it out", "E0212");
        valid = false;
      }
    }
    return valid;
  }
  tensor.type = type_named(type);
  tensor.scale = 0;
  const YamlValue scale = from_file ? map.require("scale") : map.find("scale");
  if (scale.exists()) {
    const auto value = scale.as_number(LeastScale, MostScale);
    tensor.scale = static_cast<float>(value.value_or(1.0));
    valid = valid && value;
  } else if (from_file) {
    valid = false;
  }
  const YamlValue zero = map.find("zero_point");
  if (zero.exists() && !scale.exists() && !from_file) {
    zero.complain("`zero_point` is given without `scale`", {}, "give both, or neither: then both are drawn", "E0212");
    valid = false;
  } else if (zero.exists()) {
    const auto value = zero.as_integer(min_value(tensor.type), max_value(tensor.type));
    tensor.zero_point = static_cast<int>(value.value_or(0));
    valid = valid && value;
  }
  return valid;
}

void LayerReader::fail(const YamlValue& where, const std::string& message, const char* code, const std::string& note, const std::string& hint) {
  where.complain(message, note, hint, code);
  valid = false;
}

YamlValue LayerReader::place(const std::string& key) {
  if (key.empty()) return map_.value();
  const YamlValue value = map_.find(key);
  return value.exists() ? value : map_.value();
}

LayerReader::Pair LayerReader::read_pair(const std::string& key, bool required) {
  const YamlValue value = required ? map_.require(key) : map_.find(key);
  Pair pair;
  if (!value.exists()) {
    valid = valid && !required;
    return pair;
  }
  const auto length = [&](const YamlValue& item) {
    const auto number = item.as_integer(1, MostKernel);
    valid = valid && number;
    return static_cast<int>(number.value_or(1));
  };
  if (!value.is_list()) {
    pair.h = pair.w = length(value);
    return pair;
  }
  const auto items = value.as_list();
  if (items.size() != 2) {
    fail(value, "`" + value.path() + "` has " + std::to_string(items.size()) + " entries, but must have 2: [h, w]", nullptr);
    return pair;
  }
  pair.h = length(items[0]);
  pair.w = length(items[1]);
  return pair;
}

void LayerReader::read_window(Window& window, bool dilations) {
  const Pair kernel = read_pair("kernel", true), stride = read_pair("stride", false);
  const Pair dilation = dilations ? read_pair("dilation", false) : Pair{};
  window.kernel_h = kernel.h, window.kernel_w = kernel.w;
  window.stride_h = stride.h, window.stride_w = stride.w;
  window.dilation_h = dilation.h, window.dilation_w = dilation.w;
  read_padding(window);
}

void LayerReader::read_padding(Window& window) {
  const YamlValue value = map_.find("padding");
  if (!value.exists()) return;
  if (value.is_list()) {
    const auto items = value.as_list();
    if (items.size() != 4) {
      fail(value, "`" + value.path() + "` has " + std::to_string(items.size()) + " entries, but must have 4: [top, left, bottom, right]", nullptr);
      return;
    }
    int* const sides[] = {&window.pad_top, &window.pad_left, &window.pad_bottom, &window.pad_right};
    for (int i = 0; i < 4; ++i) {
      const auto pixels = items[static_cast<std::size_t>(i)].as_integer(0, MostKernel);
      valid = valid && pixels;
      *sides[i] = static_cast<int>(pixels.value_or(0));
    }
    return;
  }
  if (value.as_choice({"same", "valid"}).value_or("valid") == "valid") return;
  const auto total = [](std::int64_t length, std::int64_t kernel, std::int64_t dilation, std::int64_t stride) {
    const std::int64_t span = (kernel - 1) * dilation + 1;
    return std::max<std::int64_t>(((length + stride - 1) / stride - 1) * stride + span - length, 0);
  };
  const Nhwc in = image();
  const std::int64_t h = total(in.h, window.kernel_h, window.dilation_h, window.stride_h);
  const std::int64_t w = total(in.w, window.kernel_w, window.dilation_w, window.stride_w);
  if (std::max(h, w) > MostKernel) return;  // the shape rule refuses such a kernel
  window.pad_top = static_cast<int>(h / 2);
  window.pad_left = static_cast<int>(w / 2);
  window.pad_bottom = static_cast<int>(h - h / 2);  // the odd pixel at the end
  window.pad_right = static_cast<int>(w - w / 2);
}

void LayerReader::read_weights(Weights& weights) {
  const YamlValue value = map_.find("weight");
  if (!value.exists()) return;
  YamlMap map = value.map();
  weights.type = type_named(map.choice("type", TypeNames, TypeNames[0]));
  weights.zero_point = static_cast<int>(map.integer("zero_point", min_value(weights.type), max_value(weights.type), 0));
  map.done();
}

std::int64_t LayerReader::read_channels(std::int64_t otherwise) {
  const YamlValue value = otherwise > 0 ? map_.find("out_channels") : map_.require("out_channels");
  if (!value.exists()) {
    valid = valid && otherwise > 0;
    return std::max<std::int64_t>(otherwise, 1);
  }
  const auto count = value.as_integer(1, MostChannels);
  valid = valid && count;
  return count.value_or(1);
}

void LayerReader::read_arithmetic() {
  const auto& names = arithmetic_names();
  layer.requant.rounding = static_cast<Rounding>(index_of(names, map_.choice("arithmetic", names, to_string(context_.rounding))));
}

void LayerReader::read_activation() {
  activation = static_cast<Activation>(index_of(ActivationNames, map_.choice("activation", ActivationNames, ActivationNames[0])));
  const YamlValue value = map_.find("clamp");
  if (!value.exists()) return;
  if (activation != Activation::None) {
    fail(value, "`clamp` and `activation` are both given", "E0212", {}, "an activation is a clamp: keep one of them");
    return;
  }
  const auto items = value.as_list();
  if (items.size() != 2) {
    if (value.is_list()) value.complain("`clamp` must have 2 entries: [min, max] in 8-bit values");
    valid = false;
    return;
  }
  const auto least = items[0].as_integer(-128, 255), most = items[1].as_integer(-128, 255);
  if (least && most) clamp = quantization::Clamp{static_cast<int>(*least), static_cast<int>(*most)};
  else valid = false;
}

void LayerReader::read_result() {
  const YamlValue value = map_.find("sum_bytes");
  if (!value.exists()) {
    read_arithmetic();
    read_activation();
    read_output();
    return;
  }
  const auto bytes = value.as_integer(1, MostSumBytes);
  valid = valid && bytes;
  layer.sum_bytes = static_cast<int>(bytes.value_or(1));
  output.type = ElementType::UInt8;
  output.scale = 1;
  if (wanted.rank() > 0) wanted[wanted.rank() - 1] *= layer.sum_bytes;
  for (const char* key : {"arithmetic", "activation", "clamp", "output"}) {
    if (const YamlValue other = map_.find(key); other.exists())
      fail(other, std::string("`") + key + "` and `sum_bytes` are both given", "E0212", {}, "bytes of sums are neither rounded nor clamped: leave it out");
  }
}

void LayerReader::read_output() {
  const YamlValue value = context_.from_file ? map_.require("output") : map_.find("output");
  output.scale = 0;
  if (!value.exists()) {
    valid = valid && !context_.from_file;
    return;
  }
  if (!value.is_map()) valid = false;
  YamlMap map = value.map();
  if (value.is_map()) valid = read_quantization(map, output, context_.from_file) && valid;
  map.done();
}

void LayerReader::read_kept_output() {
  const YamlValue value = map_.find("output");
  if (context_.inputs.empty()) {
    valid = false;
    return;
  }
  const Tensor& input = *context_.inputs[0];
  output.type = input.type;
  output.scale = input.scale;
  output.zero_point = input.zero_point;
  if (!value.exists()) return;
  YamlMap map = value.map();
  const ElementType type = type_named(map.choice("type", TypeNames, to_string(input.type)));
  const auto scale = static_cast<float>(map.number("scale", LeastScale, MostScale, input.scale));
  const std::int64_t zero = map.integer("zero_point", -128, 255, input.zero_point);
  map.done();
  if (valid && (type != input.type || scale != static_cast<float>(input.scale) || zero != input.zero_point))
    fail(value, std::string("`") + info_.name() + "` keeps its input's type, scale and zero point, but `output` differs", "E0212",
         "the input has type " + std::string(to_string(input.type)) + ", scale " + format_number(input.scale) + " and zero point " +
             std::to_string(input.zero_point),
         "leave `output` out, or requantize with `op: table, function: identity`");
}

Shape LayerReader::read_shape(const YamlValue& value) { return gemel::read_shape(value, valid); }

void LayerReader::read_view() {
  const YamlValue value = map_.require("shape");
  if (!value.exists()) {
    valid = false;
    return;
  }
  wanted = read_shape(value);
  if (!valid || context_.batch == 0) return;
  const std::int64_t n = wanted[0] * context_.batch;  // the shape is written for the file's own batch
  if (n % context_.file_batch != 0 || n / context_.file_batch > MostLength) {
    fail(value, "layer `" + layer.name + "`: the shape cannot be taken to a batch of " + std::to_string(context_.batch), "E0216");
    return;
  }
  wanted[0] = n / context_.file_batch;
}

}  // namespace gemel
