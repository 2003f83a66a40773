// SPDX-License-Identifier: Apache-2.0
#include "network/describe.hpp"

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

}  // namespace gemel
