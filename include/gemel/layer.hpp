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

// How the compiler runs a layer, or some of its channels, on one unit.
struct LayerMapping {
  int unit = 0;                            // unit_name() (gemel/report.hpp): matrix_unit, whose results the vector unit finishes, or vector_unit
  bool beside = false;                     // on the vector unit at the same time as the layer before it
  int first_channel = 0, channels = 0;     // of the output: those that are computed here
  // Images, rows, columns, channels: of the output as the mapping sees it, and of its largest tile. Where no pixel has neighbours (1x1 kernels
  // without stride, dense and elementwise layers), pixels are one row; elementwise, a pixel is a word of the vector buffer.
  std::array<std::int64_t, 4> output = {1, 1, 1, 1}, tile = {1, 1, 1, 1};
  // matrix_unit: rows and columns of the kernel and input channels that one instruction adds up, and the channels out that it does so for,
  // both at most. On the vector unit an instruction takes all of a tile: zeros.
  std::array<std::int64_t, 3> reduction = {0, 0, 0};
  std::int64_t accumulated_channels = 0;
  std::vector<std::string> loops;          // outermost first, of those that run more than once: "tiles", "channels", "reduction"
  std::vector<std::string> resident;       // loaded once, and kept: "weights" (of the channels at work), "activations" (of a tile), "parameters"
};

// The weights of a layer in tiles as the array holds them: rows x columns.
struct WeightTiles {
  std::int64_t count = 0;     // 0: it has no constant weights, or they are not on the array
  std::int64_t zero = 0;      // of these, with zeros only; of weights that are drawn from a seed, none is known to be
  std::int64_t left_out = 0;  // of these, neither loaded nor run
};

struct LayerInfo : LayerShape {
  std::string name;
  std::string op;                 // "conv2d", ...
  std::int64_t macs = 0;          // multiply-accumulates of the whole batch, taps in the padding included; in programs and results without tiles left out
  std::int64_t weight_bytes = 0;  // in memory, as the array wants them
  WeightTiles weight_tiles;       // in programs and results
  // In programs and results. Empty: no instructions of its own (computed by another layer's, a view, or on the host).
  std::vector<LayerMapping> mapping;
};

}  // namespace gemel
