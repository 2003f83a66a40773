// SPDX-License-Identifier: Apache-2.0
// The table of operators.
#include "ops/ops.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "network/limits.hpp"

namespace gemel::ops {

// Each in its own file.
OpInfo conv2d();
OpInfo dense();
OpInfo matmul();
OpInfo add();
OpInfo sub();
OpInfo mul();
OpInfo max_pool();
OpInfo avg_pool();
OpInfo global_avg_pool();
OpInfo lookup_table();
OpInfo reshape();
OpInfo softmax();
OpInfo argmax();
OpInfo masked_softmax();
OpInfo layer_norm();
OpInfo transpose();
OpInfo batch_matmul();
OpInfo gather();
OpInfo add_constant();
OpInfo grouped_matmul();

const std::vector<OpInfo>& table() {
  static const std::vector<OpInfo> rows = {
      conv2d(), dense(), matmul(), add(), sub(), mul(), max_pool(), avg_pool(), global_avg_pool(), lookup_table(), reshape(), softmax(), argmax(),
      masked_softmax(), layer_norm(), transpose(), batch_matmul(), gather(), add_constant(), grouped_matmul(),
  };
  return rows;
}

const OpInfo& info(Op op) {
  const auto index = static_cast<std::size_t>(op);
  if (index >= table().size() || table()[index].op != op)
    throw InternalError("operator " + std::to_string(index) + " has no row in the table of operators");
  return table()[index];
}

const OpInfo* find(const std::string& name) {
  const auto& rows = table();
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const OpInfo& row) { return row.name() == name; });
  return found == rows.end() ? nullptr : &*found;
}

std::uint8_t element_of(float real, const Layer& layer, const Tensor& output) {
  constexpr float Most = 1e6f;  // beyond any element, and a whole number
  const float steps = std::clamp(std::nearbyint(real / static_cast<float>(output.scale)), -Most, Most);
  return finished(layer, static_cast<std::int32_t>(steps), output.zero_point);
}

ShapeRule same_shape(const std::vector<Shape>& inputs, const std::string& what) {
  if (inputs[0] == inputs[1]) return {inputs[0], {}, {}, "E0211", {}};
  return shape_problem("its inputs have the shapes " + to_string(inputs[0]) + " and " + to_string(inputs[1]) + ", but " + what +
                       " must have one shape");
}

std::string image_problem(const Shape& shape) {
  return shape.rank() == 4 ? "" : to_string(shape) + " is no image: that has 4 dimensions, [n, h, w, c]";
}

ShapeRule slide_window(const Window& window, const Shape& in, std::int64_t channels) {
  using limits::MostKernel;
  const std::int64_t kernel_h = (std::int64_t{window.kernel_h} - 1) * window.dilation_h + 1;
  const std::int64_t kernel_w = (std::int64_t{window.kernel_w} - 1) * window.dilation_w + 1;
  if (kernel_h > MostKernel || kernel_w > MostKernel)
    return too_large("the dilated kernel covers " + std::to_string(kernel_h) + "x" + std::to_string(kernel_w) + " pixels, which is too large",
                     "it may cover 2^20 in each direction");
  const std::int64_t h = in[1] + window.pad_top + window.pad_bottom, w = in[2] + window.pad_left + window.pad_right;
  if (kernel_h > h || kernel_w > w) {
    const bool dilated = window.dilation_h > 1 || window.dilation_w > 1;
    return shape_problem("the kernel covers " + std::to_string(kernel_h) + "x" + std::to_string(kernel_w) +
                         (dilated ? " pixels (dilated)" : " pixels") + ", but its padded input has " + std::to_string(h) + "x" +
                         std::to_string(w));
  }
  return {{in[0], slide(in[1], window.pad_top, window.pad_bottom, window.kernel_h, window.dilation_h, window.stride_h),
           slide(in[2], window.pad_left, window.pad_right, window.kernel_w, window.dilation_w, window.stride_w), channels},
          {}, {}, "E0211", {}};
}

ShapeRule output_shape(const Layer& layer, const std::vector<Shape>& inputs, const Shape& wanted) {
  const OpInfo& row = info(layer.op());
  if (inputs.size() != static_cast<std::size_t>(row.inputs))
    return shape_problem(std::string(row.name()) + " takes " + std::to_string(row.inputs) + " inputs, not " + std::to_string(inputs.size()));
  return row.shape(layer, inputs, wanted);
}

Bytes golden(const Network& network, const Layer& layer, const std::vector<const std::uint8_t*>& inputs) {
  std::vector<Operand> operands;
  for (std::size_t i = 0; i < inputs.size(); ++i) operands.push_back({network.tensors.at(layer.inputs.at(i)), inputs[i]});
  return golden(layer, operands, network.tensors.at(layer.output));
}

Bytes golden(const Layer& layer, const std::vector<Operand>& inputs, const Tensor& output) {
  Bytes out = info(layer.op()).golden(layer, inputs, output);
  if (layer.then_table) {
    for (std::uint8_t& byte : out) byte = (*layer.then_table)[byte];
  }
  return out;
}

std::vector<Bytes> finish_on_host(const Network& network, const std::vector<int>& known, std::vector<Bytes> bytes) {
  std::vector<const Bytes*> at(network.tensors.size(), nullptr);
  std::vector<Bytes> made(network.tensors.size());
  for (std::size_t i = 0; i < known.size(); ++i) at[static_cast<std::size_t>(known[i])] = &bytes[i];
  for (const Layer& layer : network.layers) {
    const auto out = static_cast<std::size_t>(layer.output);
    std::vector<const std::uint8_t*> inputs;
    for (const int t : layer.inputs) {
      if (at[static_cast<std::size_t>(t)] != nullptr) inputs.push_back(at[static_cast<std::size_t>(t)]->data());
    }
    if (at[out] != nullptr || inputs.size() != layer.inputs.size()) continue;  // there already; or a layer before those that are known
    if (!info(layer.op()).on_host && layer.op() != Op::Reshape) continue;
    made[out] = golden(network, layer, inputs);
    at[out] = &made[out];
  }
  std::vector<Bytes> outputs;
  for (const int t : network.outputs) {
    if (at[static_cast<std::size_t>(t)] == nullptr) throw InternalError("output `" + network.tensors[static_cast<std::size_t>(t)].name + "` was not computed");
    outputs.push_back(*at[static_cast<std::size_t>(t)]);
  }
  return outputs;
}

}  // namespace gemel::ops
