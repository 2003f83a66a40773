// SPDX-License-Identifier: Apache-2.0
// The operators. One file per operator has everything about it: its shape rule, its golden (a plain function from bytes to bytes
// with no clock and no tiling), how multipliers come from scales, what synthetic values look like, and how a workload file says
// it; ops.cpp is the table of them. How the machine runs an operator: src/compiler/lowering.cpp. Tensors are dense, row-major, raw bytes of the
// tensor's type; images are NHWC. Arithmetic: docs/reference/arithmetic.md.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/numerics.hpp"
#include "network/network.hpp"
#include "network/synthetic.hpp"

namespace gemel {

class LayerReader;

namespace ops {

using Bytes = std::vector<std::uint8_t>;

// What a layer makes of its input shapes, or why it cannot.
struct ShapeRule {
  Shape shape;
  std::string problem;  // empty: fine. Else a clause without capital or full stop: "the kernel covers 3x3 pixels, but ..."
  std::string about;    // the key that is to blame, as workload files call it; empty: the layer as a whole
  const char* code = "E0211";
  std::string hint;
  bool ok() const { return problem.empty(); }
};
inline ShapeRule shape_problem(std::string problem, std::string about = {}) { return {{}, std::move(problem), std::move(about), "E0211", {}}; }
inline ShapeRule too_large(std::string problem, std::string hint, std::string about = {}) {
  return {{}, std::move(problem), std::move(about), "E0214", std::move(hint)};
}

// An input of a layer: its shape, type, zero point and bytes.
struct Operand {
  const Tensor& tensor;
  const std::uint8_t* data;
};

// What the values of a synthetic layer are expected to look like before its activation.
struct Expectation {
  synthetic::Statistics values;
  std::optional<synthetic::Statistics> range;  // what scale and zero point are chosen for, if not for `values` after the activation
};

inline constexpr int PerChannel = -1;

// A tensor of constants that an operator without weights has: NAME.`suffix` of a tensors file.
struct ConstantTensor {
  const char* suffix;
  std::vector<std::int64_t> shape;
  std::variant<std::vector<float>*, std::vector<std::uint8_t>*> values;  // where it belongs; bytes are of the output's type
  bool required = true;
  double around = 0;  // mean of synthetic real numbers
};

// Everything about an operator but its lowering.
struct OpInfo {
  Op op = Op::Conv2d;
  int inputs = 1;
  const char* summary = "";             // what it does, in one line of docs/reference/operators.md
  std::vector<std::string> keys;        // of a workload file, beside name, op, input or inputs
  std::vector<Rounding> arithmetic;     // in which modes it rounds; empty: it rounds in one way only, or not at all
  int requant_entries = 0;              // of Layer::requant: so many, or PerChannel
  std::optional<ElementType> input_type, output_type;  // nothing: int8 or uint8
  bool on_host = false;                 // the machine has no way to run it
  bool keeps_quantization = false;      // type, scale and zero point of the output are the input's

  // `wanted` is the output as far as the layer does not decide it: the innermost length (channels) where it has weights, all of
  // a reshape.
  ShapeRule (*shape)(const Layer& layer, const std::vector<Shape>& inputs, const Shape& wanted) = nullptr;
  Bytes (*golden)(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) = nullptr;
  // What follows from scales: multipliers, or the entries of a table; nullptr if nothing does. `weight_scales`: one, or one per
  // output channel.
  void (*resolve)(Layer& layer, const std::vector<const Tensor*>& inputs, const Tensor& output,
                  const std::vector<float>& weight_scales) = nullptr;
  // nullptr if there are none. `input`: the first; its shape and the output's are known.
  std::vector<ConstantTensor> (*constants)(Layer& layer, const Tensor& input, const Tensor& output) = nullptr;
  // nullptr for operators with weights, whose statistics are chosen.
  Expectation (*expected)(const Layer& layer, const std::vector<const Tensor*>& inputs, const std::vector<synthetic::Statistics>& values) = nullptr;
  void (*read)(LayerReader& reader) = nullptr;

  const char* name() const { return to_string(op); }
};
const OpInfo& info(Op op);
const std::vector<OpInfo>& table();  // in the order of Op
const OpInfo* find(const std::string& name);  // by name, or nullptr

ShapeRule output_shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape& wanted = {});

// The output tensor of one layer, the table fused into it included. The network must obey the shape rules.
Bytes golden(const Network& network, const Layer& layer, const std::vector<const std::uint8_t*>& inputs);
Bytes golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output);

// What is left for the host when the program has halted. `known` are tensors with their `bytes`: what the program handed out. Gives the
// bytes of the network's outputs, in their order.
std::vector<Bytes> finish_on_host(const Network& network, const std::vector<int>& known, std::vector<Bytes> bytes);

// ---- Common to the operators ------------------------------------------------------------------------------------------

inline int value_of(std::uint8_t raw, ElementType type) {
  return type == ElementType::Int8 ? static_cast<int>(static_cast<std::int8_t>(raw)) : static_cast<int>(raw);
}
inline numerics::RequantMode requant_mode(Rounding rounding) {
  return rounding == Rounding::FixedDouble   ? numerics::RequantMode::FixedDouble
         : rounding == Rounding::FixedSingle ? numerics::RequantMode::FixedSingle
                                             : numerics::RequantMode::Float;
}
// x through entry `i` of the layer's requantization, without zero point and clamp.
inline std::int32_t rounded(const Layer& layer, std::size_t i, std::int32_t x) {
  return numerics::requantize(requant_mode(layer.requant.rounding), x, layer.requant.multiplier[i], layer.requant.shift[i]);
}
inline std::uint8_t finished(const Layer& layer, std::int32_t y, int zero_point) {
  return static_cast<std::uint8_t>(numerics::finish(y, zero_point, layer.clamp_min, layer.clamp_max));
}

// The real number that an element stands for, and the element that stands for a real number: ONNX Runtime's DequantizeLinear and QuantizeLinear of
// 8 bits, both in float32. A number far out of the range is cut.
inline float real_of(std::uint8_t raw, const Tensor& t) {
  return static_cast<float>(t.scale) * static_cast<float>(value_of(raw, t.type) - t.zero_point);
}
std::uint8_t element_of(float real, const Layer& layer, const Tensor& output);

// Of two inputs that are taken element by element. `what`: "what is added".
ShapeRule same_shape(const std::vector<Shape>& inputs, const std::string& what);

// Why a shape is no image, or "".
std::string image_problem(const Shape& shape);

// Output length of a window that slides over one dimension; below 1: the window does not fit.
inline std::int64_t slide(std::int64_t length, std::int64_t pad_before, std::int64_t pad_after, std::int64_t kernel, std::int64_t dilation,
                          std::int64_t stride) {
  const std::int64_t room = length + pad_before + pad_after - ((kernel - 1) * dilation + 1);
  return room < 0 ? 0 : room / stride + 1;
}

// Of a whole window, for both dimensions: the output's height and width in `out`, or what is wrong.
ShapeRule slide_window(const Window& window, const Shape& in, std::int64_t channels);

}  // namespace ops
}  // namespace gemel
