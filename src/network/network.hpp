// SPDX-License-Identifier: Apache-2.0
// A quantized network: tensors and layers, with every number resolved (multipliers, shifts, clamps, tables), as golden and
// the compiler see it. Tensors are dense, row-major; images are NHWC. How it gets here: workload.hpp (YAML + safetensors),
// scalesim.hpp (CSV). What an operator does: src/ops.
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace gemel {

// ---- Tensors ------------------------------------------------------------------------------------------------------------

enum class ElementType : std::uint8_t { Int4, Int8, UInt8, Int16, Int32, Float32 };

struct ElementTraits {
  const char* name;          // as files spell it
  int bits;                  // in memory
  std::int64_t least, most;  // integers: the range; Float32: 0, 0
};
const ElementTraits& traits(ElementType type);
const std::vector<ElementType>& element_types();

inline int min_value(ElementType type) { return static_cast<int>(traits(type).least); }
inline int max_value(ElementType type) { return static_cast<int>(traits(type).most); }
inline const char* to_string(ElementType type) { return traits(type).name; }

// A shape seen as a stack of images, n the outermost. Lengths that a network has passed NetworkBuilder's checks with lie below 2^24.
struct Nhwc {
  int n = 1, h = 1, w = 1, c = 1;
  std::int64_t elements() const { return std::int64_t{n} * h * w * c; }
  bool operator==(const Nhwc& o) const { return n == o.n && h == o.h && w == o.w && c == o.c; }
};

// Lengths of up to six dimensions, the innermost last. No dimension: a single element.
class Shape {
 public:
  static constexpr int MaxRank = 6;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> lengths);       // InternalError beyond MaxRank
  explicit Shape(const std::vector<std::int64_t>& lengths);  // the same
  Shape(const Nhwc& image) : Shape({image.n, image.h, image.w, image.c}) {}

  int rank() const { return rank_; }
  std::int64_t operator[](int dimension) const { return lengths_[static_cast<std::size_t>(dimension)]; }
  std::int64_t& operator[](int dimension) { return lengths_[static_cast<std::size_t>(dimension)]; }
  const std::int64_t* begin() const { return lengths_.data(); }
  const std::int64_t* end() const { return lengths_.data() + rank_; }
  bool operator==(const Shape& o) const;
  bool operator!=(const Shape& o) const { return !(*this == o); }

  std::int64_t elements() const;    // of a shape that checked_elements() knows
  std::int64_t outermost() const { return rank_ > 0 ? lengths_[0] : 1; }  // of a batch: the images
  std::int64_t innermost() const { return rank_ > 0 ? lengths_[static_cast<std::size_t>(rank_ - 1)] : 1; }
  // Elements, or -1 if there are more than `most` (which may be 2^62 at most). Every length must be at least 0.
  std::int64_t checked_elements(std::int64_t most) const;
  // Missing dimensions are put in front, with length 1; of five or six dimensions the outer ones are one: n.
  Nhwc nhwc() const;

 private:
  int rank_ = 0;
  std::array<std::int64_t, MaxRank> lengths_{};
};
std::string to_string(const Shape& shape);  // "[1, 56, 56, 64]"

struct Tensor {
  std::string name;
  Shape shape;
  ElementType type = ElementType::Int8;
  double scale = 1.0;
  int zero_point = 0;

  // In memory: rows (along the innermost dimension) follow each other, each from a whole byte on.
  std::int64_t row_bytes() const { return (shape.innermost() * traits(type).bits + 7) / 8; }
  std::int64_t bytes() const { return shape.innermost() > 0 ? shape.elements() / shape.innermost() * row_bytes() : 0; }
  Nhwc nhwc() const { return shape.nhwc(); }
};

// ---- Operators' attributes ------------------------------------------------------------------------------------------------

// A window that slides over height and width.
struct Window {
  int kernel_h = 1, kernel_w = 1;
  int stride_h = 1, stride_w = 1;
  int dilation_h = 1, dilation_w = 1;
  int pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
};

// Constant operand of a convolution or a product of matrices.
struct Weights {
  std::vector<std::uint8_t> bytes;    // output channels outermost, raw bytes of `type`. Empty in a timing-only network.
  ElementType type = ElementType::Int8;
  int zero_point = 0;
  std::vector<std::int32_t> bias;     // per output channel; empty: zeros
  // A bit for each weight, set where it is the zero point and so adds nothing to any sum: of weight i, bit i % 64 of zeros[i / 64]. A timing-only network
  // has them, too, so that it takes the same cycles. Empty: no weight is zero, or nobody knows, as of weights that are drawn from a seed.
  std::vector<std::uint64_t> zeros;
};
// Fills weights.zeros from `bytes`, all of the weights, whose type and zero point are set.
void mark_zeros(Weights& weights, const std::uint8_t* bytes, std::size_t count);

enum class Op : std::uint8_t {
  Conv2d, Dense, MatMul, Add, Sub, Mul, MaxPool, AvgPool, GlobalAvgPool, Table, Reshape, Softmax, ArgMax, MaskedSoftmax, LayerNorm, Transpose,
  BatchMatMul, Gather, AddConstant, GroupedMatMul
};

struct Conv2d {  // any groups, depthwise included
  static constexpr Op op = Op::Conv2d;
  static constexpr const char* name = "conv2d";
  Window window;
  int groups = 1;
  Weights weights;  // O, KH, KW, I/groups
};
struct Dense {  // one row per image: all elements of it times O, I weights
  static constexpr Op op = Op::Dense;
  static constexpr const char* name = "dense";
  Weights weights;
};
struct MatMul {  // rows along the innermost dimension, each times O, I weights
  static constexpr Op op = Op::MatMul;
  static constexpr const char* name = "matmul";
  Weights weights;
};
struct Add {  // two inputs of one shape, each with its scale
  static constexpr Op op = Op::Add;
  static constexpr const char* name = "add";
};
struct Sub {  // two inputs of one shape, each with its scale; the first less the second
  static constexpr Op op = Op::Sub;
  static constexpr const char* name = "sub";
};
struct Mul {  // two inputs of one shape, each with its scale
  static constexpr Op op = Op::Mul;
  static constexpr const char* name = "mul";
};
struct MaxPool {
  static constexpr Op op = Op::MaxPool;
  static constexpr const char* name = "max_pool";
  Window window;
};
struct AvgPool {  // windows cut by the border divide by the taps inside
  static constexpr Op op = Op::AvgPool;
  static constexpr const char* name = "avg_pool";
  Window window;
};
struct GlobalAvgPool {  // TFLite's MEAN over height and width (with rescaling)
  static constexpr Op op = Op::GlobalAvgPool;
  static constexpr const char* name = "global_avg_pool";
};
using TableEntries = std::array<std::uint8_t, 256>;  // indexed by the raw byte of the input
struct Table {  // any function of one 8-bit value
  static constexpr int NoFunction = -1;
  static constexpr Op op = Op::Table;
  static constexpr const char* name = "table";
  TableEntries entries{};
  int function = NoFunction;  // quantization::TableFunction that the entries are filled from
};
struct Reshape {  // a view: the same elements in the same order; costs nothing
  static constexpr Op op = Op::Reshape;
  static constexpr const char* name = "reshape";
};

struct Softmax {  // over the innermost dimension
  static constexpr Op op = Op::Softmax;
  static constexpr const char* name = "softmax";
  bool qlinear = false;  // in float arithmetic: as ONNX Runtime's QLinearSoftmax, in place of its Softmax of dequantized values
};
struct ArgMax {  // index of the first largest value of the innermost dimension, which goes; int32
  static constexpr Op op = Op::ArgMax;
  static constexpr const char* name = "argmax";
};
struct MaskedSoftmax {  // over the innermost dimension; the second input says which elements of a row count
  static constexpr Op op = Op::MaskedSoftmax;
  static constexpr const char* name = "masked_softmax";
  float penalty = -std::numeric_limits<float>::max();  // real number that is added to elements whose mask is 0
};
struct LayerNorm {  // over the innermost dimension: (x - mean) / sqrt(variance + epsilon) * gamma + beta, x times factor
  static constexpr Op op = Op::LayerNorm;
  static constexpr const char* name = "layer_norm";
  float epsilon = 1e-5f;
  std::vector<float> gamma, beta, factor;  // per element of the dimension; beta may be empty: zeros, and factor: ones
};
struct Transpose {
  static constexpr Op op = Op::Transpose;
  static constexpr const char* name = "transpose";
  std::vector<int> order;  // dimension i of the output is dimension order[i] of the input
};
struct BatchMatMul {  // [..., M, K] times [..., K, N], both computed: one product of matrices for each index of the outer dimensions
  static constexpr Op op = Op::BatchMatMul;
  static constexpr const char* name = "batch_matmul";
};
struct Gather {  // rows of a constant table, by int32 indices
  static constexpr Op op = Op::Gather;
  static constexpr const char* name = "gather";
  std::int64_t rows = 1, channels = 1;
  std::vector<std::uint8_t> table;  // rows, channels; raw bytes of the output's type. Empty in a timing-only network.
};
struct AddConstant {  // real numbers added to the innermost dimensions
  static constexpr Op op = Op::AddConstant;
  static constexpr const char* name = "add_constant";
  std::vector<std::int64_t> shape;  // the innermost dimensions of the input
  std::vector<float> addend;
};
struct GroupedMatMul {  // rows, group by group times matrices of the second input, which lie as weights do
  static constexpr Op op = Op::GroupedMatMul;
  static constexpr const char* name = "grouped_matmul";
  int groups = 1;
  Weights weights;  // of one image: type and zero point are those of the second input, and the bytes always empty
};

// In the order of Op.
using Attributes = std::variant<Conv2d, Dense, MatMul, Add, Sub, Mul, MaxPool, AvgPool, GlobalAvgPool, Table, Reshape, Softmax, ArgMax, MaskedSoftmax,
                                LayerNorm, Transpose, BatchMatMul, Gather, AddConstant, GroupedMatMul>;
const char* to_string(Op op);
inline constexpr std::size_t OpCount = std::variant_size_v<Attributes>;

// ---- Layers ---------------------------------------------------------------------------------------------------------------

// How an int32 sum becomes an 8-bit value; docs/reference/arithmetic.md.
enum class Rounding : std::uint8_t { FixedDouble, FixedSingle, Float };
const char* to_string(Rounding rounding);  // "fixed_double", "fixed_single", "float"

// One entry per output channel (operators with weights), or per operand (Add, Sub: first input, second input, sum), or one
// (Mul, BatchMatMul, GlobalAvgPool; Softmax: of the differences to the largest value).
struct Requant {
  Rounding rounding = Rounding::FixedDouble;
  std::vector<std::int32_t> multiplier;  // Fixed*: 31-bit multiplier. Float: the bits of the float32 scale S.
  std::vector<int> shift;                // Fixed*: -31..30 (left positive). Float: 0.
  std::int32_t bias = 0;                 // Add, Sub: joins the sum, wrapping, before that is rounded
};

struct Layer {
  std::string name;
  Attributes attributes;
  std::vector<int> inputs;  // indices into Network::tensors
  int output = -1;
  Requant requant;
  // Of operators with weights. 0: sums are requantized. 1 to 4: the output is so many bytes of each sum, two's complement, lowest first: of N sums of a
  // pixel, byte b of sum n is element b*N + n. Then requant, clamp and table are not used.
  int sum_bytes = 0;
  int clamp_min = -128, clamp_max = 127;  // in the output's 8-bit domain, after the zero point
  std::shared_ptr<const TableEntries> then_table;  // a table in the same layer, applied after the clamp; nullptr: none
  int line = 0;             // where it stands in its file, for messages

  Op op() const {
    return std::visit([](const auto& a) { return a.op; }, attributes);
  }
  // The attributes of that kind, or nullptr.
  template <class Kind> const Kind* get() const { return std::get_if<Kind>(&attributes); }
  template <class Kind> Kind* get() { return std::get_if<Kind>(&attributes); }
  // Those parts that several kinds have, or nullptr.
  const Weights* weights() const;
  Weights* weights();
  const Window* window() const;
  int out_bytes() const { return sum_bytes > 0 ? sum_bytes : 1; }  // of a sum
  bool has_computed_weights() const { return op() == Op::GroupedMatMul; }
};

struct Network {
  std::string name;
  std::string description;
  std::string file;
  std::vector<Tensor> tensors;
  std::vector<Layer> layers;           // in execution order
  std::vector<int> inputs, outputs;    // tensor indices
  std::string tensors_file;            // the safetensors file it came with, or empty (synthetic)

  const Tensor& input_of(const Layer& layer, int i = 0) const { return tensors[static_cast<std::size_t>(layer.inputs[static_cast<std::size_t>(i)])]; }
  const Tensor& output_of(const Layer& layer) const { return tensors[static_cast<std::size_t>(layer.output)]; }

  // Multiply-accumulates of layers with weights (padding taps counted), at the given batch.
  std::int64_t macs() const;
  std::int64_t macs(const Layer& layer) const;
  // Weights, biases not counted; from the shapes, so a timing-only network has them, too. The sum is of constant ones.
  std::int64_t weights() const;
  std::int64_t weights(const Layer& layer) const;
};

// Why a text cannot serve as a name (of a network, tensor, layer), or "": names end in JSON, in tables and on terminals.
std::string name_problem(const std::string& name);

// ---- Operators with weights, seen as a convolution --------------------------------------------------------------------------

// Golden and the compiler see dense layers and products of matrices as 1x1 convolutions over these shapes.
struct Convolution {
  Nhwc in, out;
  Window window;
  int groups = 1;
  int out_bytes = 1;  // of a sum; out.c counts sums
  const Weights* weights = nullptr;
  int taps() const { return window.kernel_h * window.kernel_w; }
};
Convolution as_convolution(const Network& network, const Layer& layer);  // InternalError if it has no weights
Convolution as_convolution(const Layer& layer, const Shape& in, const Shape& out);

}  // namespace gemel
