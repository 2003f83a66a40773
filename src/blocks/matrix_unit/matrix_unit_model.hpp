// SPDX-License-Identifier: Apache-2.0
// matrix_unit, fast model: when in closed form (docs/reference/machine.md, 3), what in bulk (kernels/matrix_tile.hpp).
#pragma once
#include "base/agent.hpp"
#include "blocks/scratchpad/scratchpad.hpp"
#include "config/machine.hpp"

namespace gemel {

// Pixels P and passes of an instruction.
inline std::int64_t matrix_pixels(const isa::Matrix& m) {
  return std::int64_t{m.out_planes} * m.out_height * m.out_width;
}
inline std::int64_t matrix_passes(const isa::Matrix& m) {
  return std::int64_t{m.kernel_h} * m.kernel_w * m.cin_blocks * m.cout_blocks;
}

class MatrixUnitModel : public UnitModel {
 public:
  // Scratchpads may be null: timing only.
  MatrixUnitModel(const Machine& machine, CompletionSink& sequencer, Scratchpad* activation, Scratchpad* weight,
                  Scratchpad* accumulator)
      : machine_(machine), sequencer_(sequencer), activation_(activation), weight_(weight), accumulator_(accumulator) {}

  void start(const isa::Instruction& instruction, Cycle s) override;
  // Cycles in which a pixel row entered the array, over all instructions so far.
  std::int64_t array_cycles() const { return array_cycles_; }

 private:
  const Machine& machine_;
  CompletionSink& sequencer_;
  Scratchpad* activation_;
  Scratchpad* weight_;
  Scratchpad* accumulator_;
  Cycle last_pass_ = -1'000'000'000;  // a_last: first feed of the last pass so far
  std::int64_t last_pixels_ = 0;      // P_last
  std::int64_t array_cycles_ = 0;
};

}  // namespace gemel
