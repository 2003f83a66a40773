// SPDX-License-Identifier: Apache-2.0
// Names and sizes of networks; see network.hpp.
#include "network/network.hpp"

#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/error.hpp"

namespace gemel {

namespace {

template <std::size_t... I>
constexpr std::array<const char*, sizeof...(I)> op_names(std::index_sequence<I...>) {
  static_assert(((std::variant_alternative_t<I, Attributes>::op == static_cast<Op>(I)) && ...), "Attributes and Op differ in order");
  return {std::variant_alternative_t<I, Attributes>::name...};
}

}  // namespace

const char* to_string(Op op) {
  static constexpr auto names = op_names(std::make_index_sequence<OpCount>());
  return names.at(static_cast<std::size_t>(op));
}

const ElementTraits& traits(ElementType type) {
  static const ElementTraits rows[] = {
      {"int4", 4, -8, 7},          {"int8", 8, -128, 127},
      {"uint8", 8, 0, 255},        {"int16", 16, -32768, 32767},
      {"int32", 32, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()},
      {"float32", 32, 0, 0},
  };
  return rows[static_cast<std::size_t>(type)];
}

void mark_zeros(Weights& weights, const std::uint8_t* bytes, std::size_t count) {
  const auto zero = static_cast<std::uint8_t>(weights.zero_point);
  weights.zeros.assign((count + 63) / 64, 0);
  std::uint64_t any = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto bit = static_cast<std::uint64_t>(bytes[i] == zero) << (i % 64);
    weights.zeros[i / 64] |= bit;
    any |= bit;
  }
  if (any == 0) weights.zeros.clear();
}

const std::vector<ElementType>& element_types() {
  static const std::vector<ElementType> all = {ElementType::Int4,  ElementType::Int8,  ElementType::UInt8,
                                               ElementType::Int16, ElementType::Int32, ElementType::Float32};
  return all;
}

// ---- Shape ------------------------------------------------------------------------------------------------------------------

Shape::Shape(std::initializer_list<std::int64_t> lengths) : Shape(std::vector<std::int64_t>(lengths)) {}

Shape::Shape(const std::vector<std::int64_t>& lengths) : rank_(static_cast<int>(lengths.size())) {
  if (rank_ > MaxRank) throw InternalError("a shape of " + std::to_string(rank_) + " dimensions");
  std::copy(lengths.begin(), lengths.end(), lengths_.begin());
}

bool Shape::operator==(const Shape& o) const { return rank_ == o.rank_ && std::equal(begin(), end(), o.begin()); }

std::int64_t Shape::elements() const {
  std::int64_t product = 1;
  for (const std::int64_t length : *this) product *= length;
  return product;
}

std::int64_t Shape::checked_elements(std::int64_t most) const {
  std::int64_t product = 1;
  if (std::find(begin(), end(), 0) != end()) return 0;
  for (const std::int64_t length : *this)
    if (__builtin_mul_overflow(product, length, &product) || product > most) return -1;
  return product;
}

Nhwc Shape::nhwc() const {
  std::int64_t lengths[4] = {1, 1, 1, 1};
  for (int i = 0; i < rank_; ++i) lengths[std::max(0, 4 - rank_ + i)] *= (*this)[i];
  return {static_cast<int>(lengths[0]), static_cast<int>(lengths[1]), static_cast<int>(lengths[2]), static_cast<int>(lengths[3])};
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.rank(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

// ---- Layers -----------------------------------------------------------------------------------------------------------------

const char* to_string(Rounding rounding) {
  switch (rounding) {
    case Rounding::FixedDouble: return "fixed_double";
    case Rounding::FixedSingle: return "fixed_single";
    case Rounding::Float: return "float";
  }
  throw InternalError("a Rounding without a name");
}

namespace {

// Pointers to the members that some of the attributes have.
template <class A, class = void> struct HasWeights : std::false_type {};
template <class A> struct HasWeights<A, std::void_t<decltype(std::declval<A&>().weights)>> : std::true_type {};
template <class A, class = void> struct HasWindow : std::false_type {};
template <class A> struct HasWindow<A, std::void_t<decltype(std::declval<A&>().window)>> : std::true_type {};

}  // namespace

const Weights* Layer::weights() const {
  return std::visit(
      [](const auto& a) -> const Weights* {
        if constexpr (HasWeights<std::decay_t<decltype(a)>>::value) return &a.weights;
        else return nullptr;
      },
      attributes);
}

Weights* Layer::weights() { return const_cast<Weights*>(static_cast<const Layer*>(this)->weights()); }

const Window* Layer::window() const {
  return std::visit(
      [](const auto& a) -> const Window* {
        if constexpr (HasWindow<std::decay_t<decltype(a)>>::value) return &a.window;
        else return nullptr;
      },
      attributes);
}

std::string name_problem(const std::string& name) {
  constexpr std::size_t Longest = 200;
  if (name.empty()) return "is empty";
  if (name.size() > Longest) return "is longer than " + std::to_string(Longest) + " bytes";
  for (std::size_t i = 0; i < name.size();) {
    const auto byte = [&](std::size_t k) { return k < name.size() ? static_cast<unsigned char>(name[k]) : 0u; };
    const unsigned first = byte(i);
    if (first < 0x20 || first == 0x7F) return "has a control character";
    // UTF-8: how many bytes follow, and the least code point that may be written so.
    const int more = first < 0x80 ? 0 : first < 0xC2 ? -1 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : first < 0xF5 ? 3 : -1;
    unsigned code = more == 1 ? first & 0x1F : more == 2 ? first & 0x0F : more == 3 ? first & 0x07 : first;
    bool valid = more >= 0;
    for (int k = 1; k <= more; ++k) {
      valid = valid && (byte(i + k) & 0xC0) == 0x80;
      code = code << 6 | (byte(i + k) & 0x3F);
    }
    if (!valid || (more == 2 && code < 0x800) || (more == 3 && (code < 0x10000 || code > 0x10FFFF)) ||
        (code >= 0xD800 && code <= 0xDFFF))
      return "is not UTF-8";
    i += static_cast<std::size_t>(more) + 1;
  }
  return {};
}

Convolution as_convolution(const Layer& layer, const Shape& in, const Shape& out) {
  Convolution c;
  c.weights = layer.weights();
  if (c.weights == nullptr) throw InternalError("layer " + layer.name + " has no weights");
  c.in = in.nhwc();
  c.out = out.nhwc();
  if (const Conv2d* conv = layer.get<Conv2d>()) {
    c.window = conv->window;
    c.groups = conv->groups;
  } else if (const GroupedMatMul* grouped = layer.get<GroupedMatMul>()) {
    c.groups = grouped->groups;
  } else if (layer.op() == Op::Dense) {
    const std::int64_t rows = in.outermost();
    c.in = Shape{rows, 1, 1, in.elements() / std::max<std::int64_t>(1, rows)}.nhwc();
    c.out = Shape{rows, 1, 1, out.innermost()}.nhwc();
  }
  c.out_bytes = layer.out_bytes();
  c.out.c /= c.out_bytes;
  return c;
}

Convolution as_convolution(const Network& network, const Layer& layer) {
  return as_convolution(layer, network.input_of(layer).shape, network.output_of(layer).shape);
}

std::int64_t Network::weights(const Layer& layer) const {
  if (layer.weights() == nullptr) return 0;
  const Convolution c = as_convolution(*this, layer);
  return std::int64_t{c.out.c} * c.taps() * (c.in.c / c.groups);
}

std::int64_t Network::macs(const Layer& layer) const {
  if (layer.weights() == nullptr) return 0;
  const Nhwc out = as_convolution(*this, layer).out;
  return weights(layer) * out.n * out.h * out.w;
}

std::int64_t Network::macs() const {
  std::int64_t sum = 0;
  for (const Layer& layer : layers) sum += macs(layer);
  return sum;
}

std::int64_t Network::weights() const {
  std::int64_t sum = 0;
  for (const Layer& layer : layers) sum += layer.has_computed_weights() ? 0 : weights(layer);
  return sum;
}

}  // namespace gemel
