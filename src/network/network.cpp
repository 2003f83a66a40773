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
