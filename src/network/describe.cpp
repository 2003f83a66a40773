// SPDX-License-Identifier: Apache-2.0
#include "network/describe.hpp"

#include "base/hash.hpp"

namespace gemel {
namespace {

std::vector<std::int64_t> lengths(const Shape& s) { return {s.begin(), s.end()}; }

}  // namespace

TensorInfo tensor_info(const Tensor& tensor) {
  TensorInfo info;
  info.name = tensor.name;
  info.shape = lengths(tensor.shape);
  info.type = to_string(tensor.type);
  info.scale = tensor.scale;
  info.zero_point = tensor.zero_point;
  info.bytes = tensor.bytes();
  return info;
}

LayerShape layer_shape(const Network& network, const Layer& layer) {
  LayerShape s;
  for (std::size_t i = 0; i < layer.inputs.size(); ++i) s.inputs.push_back(lengths(network.input_of(layer, static_cast<int>(i)).shape));
  s.output = lengths(network.output_of(layer).shape);
  if (const Window* w = layer.window()) {
    s.kernel = {w->kernel_h, w->kernel_w};
    s.stride = {w->stride_h, w->stride_w};
    s.dilation = {w->dilation_h, w->dilation_w};
    s.padding = {w->pad_top, w->pad_left, w->pad_bottom, w->pad_right};
  }
  if (const auto* conv = layer.get<Conv2d>()) s.groups = conv->groups;
  if (const auto* grouped = layer.get<GroupedMatMul>()) s.groups = grouped->groups;
  return s;
}

LayerInfo layer_info(const Network& network, const Layer& layer) {
  LayerInfo info;
  static_cast<LayerShape&>(info) = layer_shape(network, layer);
  info.name = layer.name;
  info.op = to_string(layer.op());
  info.macs = network.macs(layer);
  return info;
}

std::string attribute_digest(const Layer& layer) {
  Hash hash;
  const auto add = [&hash](const auto& value) { hash.add(&value, sizeof value); };
  const auto add_all = [&](const auto& values) {
    add(values.size());
    hash.add(values.data(), values.size() * sizeof *values.data());
  };
  if (const auto* softmax = layer.get<Softmax>(); softmax != nullptr && softmax->qlinear) {
    hash.add("qlinear");
  } else if (const auto* masked = layer.get<MaskedSoftmax>()) {
    add(masked->penalty);
  } else if (const auto* norm = layer.get<LayerNorm>()) {
    add(norm->epsilon);
    add_all(norm->gamma);
    add_all(norm->beta);
    add_all(norm->factor);
  } else if (const auto* transpose = layer.get<Transpose>()) {
    add_all(transpose->order);
  } else if (const auto* gather = layer.get<Gather>()) {
    add(gather->rows);
    add_all(gather->table);
  } else if (const auto* constant = layer.get<AddConstant>()) {
    add_all(constant->shape);
    add_all(constant->addend);
  } else {
    return {};
  }
  return hash.text();
}

std::string network_digest(const Network& network) {
  Hash hash;
  const auto add = [&hash](const auto& value) { hash.add(&value, sizeof value); };
  const auto add_all = [&hash](const auto& values) { hash.add(values.data(), values.size() * sizeof *values.data()); };
  for (const Tensor& tensor : network.tensors) {
    hash.add(tensor.name + to_string(tensor.shape) + to_string(tensor.type));
    add(tensor.scale);
    add(tensor.zero_point);
  }
  add_all(network.inputs);
  add_all(network.outputs);
  for (const Layer& layer : network.layers) {
    hash.add(layer.name + " " + to_string(layer.op()));
    add_all(layer.inputs);
    add(layer.output);
    const LayerShape shape = layer_shape(network, layer);
    add(shape.kernel);
    add(shape.stride);
    add(shape.dilation);
    add(shape.padding);
    add(shape.groups);
    if (const Weights* weights = layer.weights()) {
      hash.add(to_string(weights->type));
      add(weights->zero_point);
      add_all(weights->bytes);
      add_all(weights->bias);
    }
    hash.add(to_string(layer.requant.rounding));
    add_all(layer.requant.multiplier);
    add_all(layer.requant.shift);
    if (layer.requant.bias != 0) add(layer.requant.bias);
    if (layer.sum_bytes != 0) add(layer.sum_bytes);
    add(layer.clamp_min);
    add(layer.clamp_max);
    if (const auto* table = layer.get<Table>()) add(table->entries);
    hash.add(attribute_digest(layer));
    if (layer.then_table) add(*layer.then_table);
  }
  return hash.text();
}

}  // namespace gemel
