// SPDX-License-Identifier: Apache-2.0
// The checks and rules that all networks go through; see builder.hpp.
#include "network/builder.hpp"

#include <algorithm>
#include <climits>
#include <utility>

#include "base/text.hpp"
#include "network/limits.hpp"
#include "ops/ops.hpp"

namespace gemel {
namespace {

using namespace limits;

Diagnostic diagnostic(const char* code, std::string message, std::string hint, std::string note) {
  Diagnostic d;
  d.code = code;
  d.message = std::move(message);
  d.hint = std::move(hint);
  d.note = std::move(note);
  return d;
}

std::string of_layer(const Layer& layer) { return "layer `" + layer.name + "`: "; }

std::size_t requant_entries(const Layer& layer, const ops::OpInfo& info, const Tensor& output) {
  if (layer.sum_bytes > 0) return 0;
  return info.requant_entries == ops::PerChannel ? static_cast<std::size_t>(output.shape.innermost())
                                                 : static_cast<std::size_t>(info.requant_entries);
}

void check_arithmetic(const Layer& layer, const ops::OpInfo& info) {
  const auto& known = info.arithmetic;
  if (known.empty() || std::find(known.begin(), known.end(), layer.requant.rounding) != known.end()) return;
  throw BuildError("E0213", of_layer(layer) + "`" + info.name() + "` has no `" + to_string(layer.requant.rounding) + "` arithmetic",
                   "arithmetic", "give this layer `arithmetic: " + std::string(to_string(known.front())) + "`");
}

void check_types(const Layer& layer, const ops::OpInfo& info, const std::vector<const Tensor*>& inputs, const Tensor& output) {
  const auto eight_bits = [](ElementType type) { return type == ElementType::Int8 || type == ElementType::UInt8; };
  for (const Tensor* t : inputs)
    if (info.input_type ? t->type != *info.input_type : !eight_bits(t->type))
      throw BuildError("E0212", of_layer(layer) + "`" + t->name + "` is " + to_string(t->type) + ", and `" + info.name() + "` reads " +
                                    (info.input_type ? to_string(*info.input_type) : "int8 or uint8"), "inputs");
  if (layer.sum_bytes > 0 && (output.type != ElementType::UInt8 || output.scale != 1 || output.zero_point != 0))
    throw BuildError("E0212", of_layer(layer) + "bytes of sums are uint8 with scale 1 and zero point 0", "output");
  const bool fits = info.output_type ? output.type == *info.output_type : eight_bits(output.type);
  if (!fits)
    throw BuildError("E0212", of_layer(layer) + "`" + info.name() + "` makes " +
                                  (info.output_type ? std::string(to_string(*info.output_type)) : "int8 or uint8") + ", not " +
                                  to_string(output.type), "output");
}

// Constants of operators without weights; in a timing-only network they are left out.
void check_constants(Layer layer, const ops::OpInfo& info, const Tensor& input, const Tensor& output) {
  for (const ops::ConstantTensor& constant : info.constants(layer, input, output)) {
    const auto count = std::visit([](const auto* values) { return static_cast<std::int64_t>(values->size()); }, constant.values);
    const std::int64_t wanted = Shape(constant.shape).elements();
    if (count != 0 && count != wanted)
      throw BuildError("E0306", of_layer(layer) + "its `" + constant.suffix + "` has " + std::to_string(count) + " entries, and must have " +
                                    std::to_string(wanted));
  }
}

void check_numbers(const Layer& layer, const ops::OpInfo& info, const Convolution* conv, const Tensor& output) {
  const Requant& r = layer.requant;
  const std::size_t entries = requant_entries(layer, info, output);
  if (r.multiplier.size() != entries || r.shift.size() != entries)
    throw BuildError("E0306", of_layer(layer) + "it has " + std::to_string(r.multiplier.size()) + " multipliers and " +
                                  std::to_string(r.shift.size()) + " shifts, and needs " + std::to_string(entries));
  for (std::size_t i = 0; i < entries; ++i) {
    if (r.rounding == Rounding::Float) continue;
    if (r.multiplier[i] < 0 || r.shift[i] < LeastShift || r.shift[i] > MostShift)
      throw BuildError("E0307", of_layer(layer) + "multiplier " + std::to_string(r.multiplier[i]) + " with shift " + std::to_string(r.shift[i]) +
                                    " is outside of 0 to 2147483647 and " + std::to_string(LeastShift) + " to " + std::to_string(MostShift));
  }
  if (conv != nullptr) {
    const Weights& w = *conv->weights;
    const std::int64_t count = std::int64_t{conv->taps()} * (conv->in.c / conv->groups) * conv->out.c;
    if (!w.bytes.empty() && static_cast<std::int64_t>(w.bytes.size()) != count)
      throw BuildError("E0306", of_layer(layer) + "it has " + std::to_string(w.bytes.size()) + " weights, and needs " + std::to_string(count));
    if (!w.bias.empty() && static_cast<std::int64_t>(w.bias.size()) != conv->out.c)
      throw BuildError("E0306", of_layer(layer) + "its bias has " + std::to_string(w.bias.size()) + " entries, and must have " +
                                    std::to_string(conv->out.c));
    if (w.zero_point < min_value(w.type) || w.zero_point > max_value(w.type))
      throw BuildError("E0212", of_layer(layer) + "the zero point of its weights is no " + to_string(w.type), "weight");
  }
  const bool clamps = traits(output.type).bits == 8;
  if (clamps && (layer.clamp_min > layer.clamp_max || layer.clamp_min < min_value(output.type) || layer.clamp_max > max_value(output.type)))
    throw BuildError("E0212", of_layer(layer) + "`clamp` is [" + std::to_string(layer.clamp_min) + ", " + std::to_string(layer.clamp_max) +
                                  "], but must lie in order between " + std::to_string(min_value(output.type)) + " and " +
                                  std::to_string(max_value(output.type)), "clamp");
}

}  // namespace

BuildError::BuildError(const char* code, std::string message, std::string about, std::string hint, std::string note)
    : UserError(std::vector<Diagnostic>{diagnostic(code, std::move(message), std::move(hint), std::move(note))}), about_(std::move(about)) {}

NetworkBuilder::NetworkBuilder(std::string name, std::string file) {
  network_.name = std::move(name);
  network_.file = std::move(file);
}

int NetworkBuilder::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? -1 : found->second;
}

std::string NetworkBuilder::suggestion(const std::string& name) const {
  std::vector<std::string> names;
  for (const Tensor& t : network_.tensors) names.push_back(t.name);
  return did_you_mean(name, names);
}

void NetworkBuilder::check_name(const std::string& name) const {
  if (const std::string problem = name_problem(name); !problem.empty()) throw BuildError("E0207", "a name cannot be: it " + problem, "name");
  if (by_name_.count(name))
    throw BuildError("E0209", "the name `" + name + "` is taken: every input and layer needs its own", "name");
}

void NetworkBuilder::check_size(const std::string& what, const Shape& shape) {
  bool fits = shape.checked_elements(MostElements) >= 0;
  for (const std::int64_t length : shape) fits = fits && length >= 1 && length <= MostLength;
  // Five and more dimensions are images whose outer dimensions are one.
  if (fits && shape.rank() > 4) {
    std::int64_t outer = 1;
    for (int i = 0; i + 3 < shape.rank(); ++i) outer *= shape[i];
    fits = outer <= MostLength;
  }
  if (!fits)
    throw BuildError("E0214", what + " has the shape " + to_string(shape) + ", which is too large", {},
                     "a dimension may be 2^24 long, and a tensor may have 2^40 elements");
}

int NetworkBuilder::append(Tensor tensor) {
  const int index = static_cast<int>(network_.tensors.size());
  by_name_.emplace(tensor.name, index);
  network_.tensors.push_back(std::move(tensor));
  return index;
}

int NetworkBuilder::input(Tensor tensor) {
  check_name(tensor.name);
  check_size("input `" + tensor.name + "`", tensor.shape);
  return placeholder_input(std::move(tensor));
}

std::vector<const Tensor*> NetworkBuilder::inputs_of(const Layer& layer) const {
  const ops::OpInfo& info = ops::info(layer.op());
  if (layer.inputs.size() != static_cast<std::size_t>(info.inputs))
    throw BuildError("E0210", of_layer(layer) + "`" + info.name() + "` takes " + std::to_string(info.inputs) + " inputs, not " +
                                  std::to_string(layer.inputs.size()), "inputs");
  std::vector<const Tensor*> inputs;
  for (const int i : layer.inputs) {
    if (i < 0 || static_cast<std::size_t>(i) >= network_.tensors.size())
      throw BuildError("E0210", of_layer(layer) + "it reads a tensor that does not exist", "inputs");
    inputs.push_back(&tensor(i));
  }
  return inputs;
}

Shape NetworkBuilder::shape_of(const Layer& layer, const Shape& wanted) const {
  std::vector<Shape> shapes;
  for (const Tensor* t : inputs_of(layer)) shapes.push_back(t->shape);
  if (layer.sum_bytes != 0 && (layer.weights() == nullptr || layer.then_table || layer.sum_bytes < 0 || layer.sum_bytes > MostSumBytes))
    throw BuildError("E0211", of_layer(layer) + "it cannot give " + std::to_string(layer.sum_bytes) + " bytes of its sums", "sum_bytes",
                     "1 to 4, of an operator with weights and without a table");
  if (!layer.has_computed_weights() && layer.weights() != nullptr && wanted.innermost() % layer.out_bytes() != 0)
    throw BuildError("E0211", of_layer(layer) + std::to_string(wanted.innermost()) + " output channels are not " + std::to_string(layer.out_bytes()) +
                                  " bytes of each sum", "out_channels");
  const ops::ShapeRule rule = ops::output_shape(layer, shapes, wanted);
  if (!rule.ok()) throw BuildError(rule.code, of_layer(layer) + rule.problem, rule.about, rule.hint);
  check_size("the output of layer `" + layer.name + "`", rule.shape);
  return rule.shape;
}

void NetworkBuilder::quantize(Layer& layer, const Tensor& output, const std::vector<float>& weight_scales,
                              quantization::Activation activation) const {
  const ops::OpInfo& info = ops::info(layer.op());
  check_arithmetic(layer, info);
  if (layer.sum_bytes == 0 && layer.requant.multiplier.empty() && info.resolve != nullptr) info.resolve(layer, inputs_of(layer), output, weight_scales);
  // A quotient of scales beyond what multiplier and shift can say is an error of the scales (TFLite would saturate).
  const Requant& r = layer.requant;
  for (std::size_t i = 0; i < r.shift.size(); ++i)
    if (r.rounding != Rounding::Float && r.shift[i] >= MostShift && r.multiplier[i] == INT32_MAX)
      throw BuildError("E0212", of_layer(layer) + "its scales ask for a multiplication by 2^30 or more", {},
                       "the scale of the output is too small for those of the inputs and weights");
  if (traits(output.type).bits == 8) {
    const auto clamp = quantization::activation_clamp(activation, output);
    layer.clamp_min = clamp.min;
    layer.clamp_max = clamp.max;
  }
}

void NetworkBuilder::narrow_clamp(Layer& layer, int least, int most) {
  if (least > most || least < layer.clamp_min || most > layer.clamp_max)
    throw BuildError("E0212", of_layer(layer) + "`clamp` is [" + std::to_string(least) + ", " + std::to_string(most) +
                                  "], but must lie in order between " + std::to_string(layer.clamp_min) + " and " +
                                  std::to_string(layer.clamp_max), "clamp");
  layer.clamp_min = least;
  layer.clamp_max = most;
}

int NetworkBuilder::add(Layer layer, Tensor output) {
  check_name(layer.name);
  const ops::OpInfo& info = ops::info(layer.op());
  const auto inputs = inputs_of(layer);
  output.name = layer.name;
  output.shape = shape_of(layer, output.shape);
  check_types(layer, info, inputs, output);
  check_arithmetic(layer, info);
  if (info.constants != nullptr) check_constants(layer, info, *inputs[0], output);
  if (layer.weights() != nullptr) {
    const Convolution conv = as_convolution(layer, inputs[0]->shape, output.shape);
    check_numbers(layer, info, &conv, output);
  } else {
    check_numbers(layer, info, nullptr, output);
  }
  return placeholder(std::move(layer), std::move(output));
}

int NetworkBuilder::placeholder_input(Tensor tensor) {
  const int index = append(std::move(tensor));
  network_.inputs.push_back(index);
  return index;
}

int NetworkBuilder::placeholder(Layer layer, Tensor output) {
  layer.output = append(std::move(output));
  network_.layers.push_back(std::move(layer));
  return network_.layers.back().output;
}

void NetworkBuilder::find_outputs() {
  std::vector<bool> read(network_.tensors.size(), false);
  for (const Layer& l : network_.layers)
    for (const int i : l.inputs) read[static_cast<std::size_t>(i)] = true;
  network_.outputs.clear();
  for (const Layer& l : network_.layers)
    if (!read[static_cast<std::size_t>(l.output)]) network_.outputs.push_back(l.output);
}

}  // namespace gemel
