// SPDX-License-Identifier: Apache-2.0
// A quantized network: tensors and layers, with every number resolved (multipliers, shifts, clamps, tables), as golden and
// the compiler see it. Tensors are dense NHWC. How it gets here: workload.hpp (YAML + safetensors), scalesim.hpp (CSV).
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gemel {

enum class ElementType : std::uint8_t { Int8, UInt8 };

// How an int32 sum becomes an 8-bit value; docs/reference/arithmetic.md.
enum class Rounding : std::uint8_t { FixedDouble, FixedSingle, Float };

struct Shape {  // NHWC
  int n = 1, h = 1, w = 1, c = 1;
  std::int64_t elements() const { return std::int64_t{n} * h * w * c; }
  bool operator==(const Shape& o) const { return n == o.n && h == o.h && w == o.w && c == o.c; }
};

struct Tensor {
  std::string name;
  Shape shape;
  ElementType type = ElementType::Int8;
  double scale = 1.0;
  int zero_point = 0;
};

enum class Op : std::uint8_t {
  Conv2d,       // any groups, depthwise included; a dense layer or GEMM is a 1x1 convolution over [1,1,M,K]
  Add,          // two inputs of one shape, each with its scale
  MaxPool,
  AvgPool,      // windows cut by the border divide by the taps inside
  GlobalAvgPool,  // TFLite MEAN over H and W (with rescaling)
  Table,        // any unary 8-bit function: 256 bytes
  Reshape,      // a view: same elements, NHWC order kept; costs nothing
};
const char* to_string(Op op);

// One entry per output channel (Conv2d), or per operand (Add: first input, second input, sum), or one (GlobalAvgPool).
struct Requant {
  Rounding rounding = Rounding::FixedDouble;
  std::vector<std::int32_t> multiplier;  // Fixed*: 31-bit multiplier. Float: the bits of the float32 scale S.
  std::vector<int> shift;                // Fixed*: -31..30 (left positive). Float: 0.
};

struct Layer {
  std::string name;
  Op op = Op::Conv2d;
  std::vector<int> inputs;  // indices into Network::tensors
  int output = -1;

  int kernel_h = 1, kernel_w = 1;      // Conv2d, pools
  int stride_h = 1, stride_w = 1;
  int dilation_h = 1, dilation_w = 1;  // Conv2d
  int pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  int groups = 1;                      // Conv2d

  std::vector<std::uint8_t> weights;   // Conv2d: O,KH,KW,I/groups, raw bytes of weight_type. Empty in a timing-only network.
  ElementType weight_type = ElementType::Int8;
  int weight_zero_point = 0;
  std::vector<std::int32_t> bias;      // Conv2d: per output channel, may be empty (zeros)

  Requant requant;                     // Conv2d, Add, GlobalAvgPool
  int clamp_min = -128, clamp_max = 127;  // in the output's 8-bit domain, after the zero point
  std::array<std::uint8_t, 256> table{};  // Table: indexed by the raw byte of the input. Also used when fused below.
  bool has_table = false;              // Conv2d/Add followed by a table in the same layer (applied after the clamp)

  int line = 0;                        // where it stands in the workload file, for messages
};

struct Network {
  std::string name;
  std::string description;
  std::string file;
  std::vector<Tensor> tensors;
  std::vector<Layer> layers;           // in execution order
  std::vector<int> inputs, outputs;    // tensor indices
  std::string tensors_file;            // the safetensors file it came with, or empty (synthetic)

  // Multiply-accumulates of Conv2d layers (padding taps counted), at the given batch.
  std::int64_t macs() const;
  std::int64_t macs(const Layer& layer) const;
  // Weights of Conv2d layers, biases not counted; from the shapes, so a timing-only network has them, too.
  std::int64_t weights() const;
  std::int64_t weights(const Layer& layer) const;
};

// Least and greatest value of an 8-bit type: -128..127 or 0..255.
inline int min_value(ElementType type) { return type == ElementType::Int8 ? -128 : 0; }
inline int max_value(ElementType type) { return type == ElementType::Int8 ? 127 : 255; }
const char* to_string(ElementType type);  // "int8", "uint8"
const char* to_string(Rounding rounding);  // "fixed_double", "fixed_single", "float"
std::string to_string(const Shape& shape);  // "[1, 56, 56, 64]"

// Why a text cannot serve as a name (of a network, tensor, layer), or "": names end in JSON, in tables and on terminals.
std::string name_problem(const std::string& name);

}  // namespace gemel
