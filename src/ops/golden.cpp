// SPDX-License-Identifier: Apache-2.0
// A whole network through the operators' goldens; see golden.hpp.
#include "ops/golden.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "ops/ops.hpp"

namespace gemel {

Golden::Golden(const Network& network)
    : network_(network),
      producer_(network.tensors.size(), -1),
      last_reader_(network.tensors.size(), -1),
      bytes_(network.tensors.size()) {
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    std::vector<Shape> shapes;
    for (const int input : layer.inputs) {
      shapes.push_back(network.tensors.at(input).shape);
      last_reader_[input] = static_cast<int>(i);
    }
    producer_.at(layer.output) = static_cast<int>(i);
    const Shape& declared = network.tensors[layer.output].shape;
    const ops::ShapeRule rule = ops::output_shape(layer, shapes, declared);
    if (!rule.ok()) throw InternalError("golden: layer " + layer.name + ": " + rule.problem);
    if (!(rule.shape == declared)) throw InternalError("golden: layer " + layer.name + ": its output tensor has another shape");
  }
}

void Golden::set_input(int tensor, std::vector<std::uint8_t> bytes) {
  const auto& inputs = network_.inputs;
  if (std::find(inputs.begin(), inputs.end(), tensor) == inputs.end()) {
    throw InternalError("golden: tensor " + std::to_string(tensor) + " is no input");
  }
  const Tensor& t = network_.tensors[tensor];
  if (static_cast<std::int64_t>(bytes.size()) != t.bytes()) {
    throw InternalError("golden: input " + t.name + " has " + std::to_string(t.bytes()) + " bytes, not " +
                        std::to_string(bytes.size()));
  }
  for (std::size_t i = 0; i < bytes_.size(); ++i) release(static_cast<int>(i));
  bytes_[tensor] = std::move(bytes);
}

const std::vector<std::uint8_t>& Golden::tensor(int index) {
  // Depth first without recursion, since networks may be deep: what is missing is put on top of what needs it.
  std::vector<int> wanted = {index};
  while (!wanted.empty()) {
    const int current = wanted.back();
    if (bytes_.at(current)) {
      wanted.pop_back();
      continue;
    }
    if (producer_[current] < 0) throw InternalError("golden: input " + network_.tensors[current].name + " was not set");
    const Layer& layer = network_.layers[producer_[current]];
    const std::size_t before = wanted.size();
    std::vector<const std::uint8_t*> inputs;
    for (const int input : layer.inputs) {
      if (bytes_[input]) inputs.push_back(bytes_[input]->data());
      else wanted.push_back(input);
    }
    if (wanted.size() == before) bytes_[current] = ops::golden(network_, layer, inputs);
  }
  return *bytes_[index];
}

void Golden::release(int index) {
  if (producer_.at(index) >= 0) bytes_[index].reset();
}

void Golden::run(const std::function<void(const Layer&, const std::vector<std::uint8_t>&)>& visit) {
  for (std::size_t i = 0; i < network_.layers.size(); ++i) {
    const Layer& layer = network_.layers[i];
    visit(layer, tensor(layer.output));
    const auto forget = [&](int t) {
      const bool is_output = std::find(network_.outputs.begin(), network_.outputs.end(), t) != network_.outputs.end();
      if (!is_output && last_reader_[t] <= static_cast<int>(i)) release(t);
    };
    for (const int input : layer.inputs) forget(input);
    forget(layer.output);  // read by nobody
  }
}

}  // namespace gemel
