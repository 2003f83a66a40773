// SPDX-License-Identifier: Apache-2.0
// vector_unit, ports. Contract (s: command on the wires; docs/reference/machine.md, 4): the first parameter word is read at s+2; then
// one parameter read or one step in every cycle, without gaps: [table] [shared set(s)] and per block [set] and pixels x slices x taps
// steps. A step reads the source word of its tap (none outside the source) and, depthwise, the tap's weight word (always).
// The result word of a pixel is written 14 cycles (add: 20) after the last step of its last slice; `done` one cycle after the last write.
#pragma once
#include "base/wires.hpp"
#include "blocks/requantizer/requantizer_ports.hpp"

namespace gemel {

struct VectorUnitIn {
  CommandWires command;
  const std::uint8_t* accumulator = nullptr;  // read data of the three buffers
  const std::uint8_t* vector = nullptr;
  const std::uint8_t* param = nullptr;
  RequantizerOut requantizer;
};

struct VectorUnitOut {
  CompletionWires completion;
  SramRead accumulator;
  SramRead vector_read;
  SramRead param;
  SramWrite vector_write;
  RequantizerIn requantizer;
};

}  // namespace gemel
