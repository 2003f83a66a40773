// SPDX-License-Identifier: Apache-2.0
// vector_unit, fast model: when in closed form (docs/reference/machine.md, 4), what in bulk.
#pragma once
#include <vector>

#include "base/agent.hpp"
#include "blocks/scratchpad/scratchpad.hpp"
#include "config/machine.hpp"

namespace gemel {

// Cycles from the first parameter read to the last step, both included.
std::int64_t vector_step_cycles(const isa::Vector& v, isa::Opcode opcode, const Machine& machine);
// Step of a result's last slice to the write of its word on the wires.
inline constexpr int VectorLatency = 14;
inline constexpr int VectorAddLatency = 20;

class VectorUnitModel : public UnitModel {
 public:
  VectorUnitModel(const Machine& machine, CompletionSink& sequencer, Scratchpad* accumulator, Scratchpad* vector,
                  Scratchpad* param)
      : machine_(machine), sequencer_(sequencer), accumulator_(accumulator), vector_(vector), param_(param) {}

  void start(const isa::Instruction& instruction, Cycle s) override;

 private:
  void execute(isa::Opcode opcode, const isa::Vector& v);

  const Machine& machine_;
  CompletionSink& sequencer_;
  Scratchpad* accumulator_;
  Scratchpad* vector_;
  Scratchpad* param_;
  std::vector<std::int32_t> sums_;  // scratch: [P][C]
};

}  // namespace gemel
