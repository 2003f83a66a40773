// SPDX-License-Identifier: Apache-2.0
// What tensors and layers are, as plain values: parts of a network, of a compiled program and of a result.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace gemel {

// A tensor. In memory it is dense; images are NHWC.
struct TensorInfo {
  std::string name;
  std::vector<std::int64_t> shape;
  std::string type;         // of an element: "int8", "uint8"
  double scale = 1.0;       // real value = scale * (element - zero_point)
  int zero_point = 0;
  std::int64_t bytes = 0;
};

// The shape of a layer's work.
struct LayerShape {
  std::vector<std::vector<std::int64_t>> inputs;  // shapes
  std::vector<std::int64_t> output;               // shape
  // Of convolutions and pools (height, width); elsewhere 1, and no padding.
  std::array<int, 2> kernel = {1, 1}, stride = {1, 1}, dilation = {1, 1};
  std::array<int, 4> padding = {0, 0, 0, 0};      // top, left, bottom, right
  int groups = 1;
};

struct LayerInfo : LayerShape {
  std::string name;
  std::string op;                 // "conv2d", ...
  std::int64_t macs = 0;          // multiply-accumulates of the whole batch, taps in the padding included
  std::int64_t weight_bytes = 0;  // in memory, as the array wants them
};

}  // namespace gemel
