// SPDX-License-Identifier: Apache-2.0
// vector_unit, fast model: when in closed form (docs/reference/machine.md, 4), what in bulk.
#pragma once
#include <vector>

#include "base/agent.hpp"
#include "blocks/scratchpad/scratchpad.hpp"
#include "config/machine.hpp"

namespace gemel {

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
  std::vector<std::int32_t> sums_, factors_;  // scratch: [P][C]
};

}  // namespace gemel
