// SPDX-License-Identifier: Apache-2.0
// Names and sizes of networks; see network.hpp.
#include "network/network.hpp"

#include "base/error.hpp"

namespace gemel {

const char* to_string(Op op) {
  switch (op) {
    case Op::Conv2d: return "conv2d";
    case Op::Add: return "add";
    case Op::MaxPool: return "max_pool";
    case Op::AvgPool: return "avg_pool";
    case Op::GlobalAvgPool: return "global_avg_pool";
    case Op::Table: return "table";
    case Op::Reshape: return "reshape";
  }
  throw InternalError("an Op without a name");
}

const char* to_string(ElementType type) { return type == ElementType::Int8 ? "int8" : "uint8"; }

const char* to_string(Rounding rounding) {
  switch (rounding) {
    case Rounding::FixedDouble: return "fixed_double";
    case Rounding::FixedSingle: return "fixed_single";
    case Rounding::Float: return "float";
  }
  throw InternalError("a Rounding without a name");
}

std::string to_string(const Shape& s) {
  return "[" + std::to_string(s.n) + ", " + std::to_string(s.h) + ", " + std::to_string(s.w) + ", " +
         std::to_string(s.c) + "]";
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

std::int64_t Network::weights(const Layer& layer) const {
  if (layer.op != Op::Conv2d) return 0;
  const std::int64_t in_channels = tensors[layer.inputs[0]].shape.c;
  return std::int64_t{tensors[layer.output].shape.c} * layer.kernel_h * layer.kernel_w * (in_channels / layer.groups);
}

std::int64_t Network::macs(const Layer& layer) const {
  const Shape& out = tensors[layer.output].shape;
  return weights(layer) * out.n * out.h * out.w;
}

std::int64_t Network::macs() const {
  std::int64_t sum = 0;
  for (const Layer& layer : layers) sum += macs(layer);
  return sum;
}

std::int64_t Network::weights() const {
  std::int64_t sum = 0;
  for (const Layer& layer : layers) sum += weights(layer);
  return sum;
}

}  // namespace gemel
