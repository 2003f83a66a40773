// SPDX-License-Identifier: Apache-2.0
// matrix_unit, fast model: when in closed form (docs/reference/machine.md, 3), what in bulk (kernels/matrix_tile.hpp).
// In front of a clocked pe_array (Verilated, or in lockstep) its sums are taken instead: matrix_unit_feeder.hpp.
#pragma once
#include <memory>

#include "base/agent.hpp"
#include "blocks/matrix_unit/matrix_unit_feeder.hpp"
#include "blocks/scratchpad/scratchpad.hpp"
#include "config/machine.hpp"
#include "isa/compute_timing.hpp"

namespace gemel {

class MatrixUnitModel : public UnitModel {
 public:
  // Scratchpads may be null: timing only.
  MatrixUnitModel(const Machine& machine, CompletionSink& sequencer, Scratchpad* activation, Scratchpad* weight,
                  Scratchpad* accumulator)
      : machine_(machine), sequencer_(sequencer), activation_(activation), weight_(weight), accumulator_(accumulator), dataflow_(machine) {}

  // From now on this array does the arithmetic, which needs the scratchpads; it has been reset, and its first clock is that of cycle `first`.
  void feed(Clocked<PeArrayIn, PeArrayOut>& array, Cycle first);
  // Whatever the array gives in the cycles up to `last` is in the accumulators. False: it does not keep its contract, and the run is void.
  bool settle(Cycle last) { return feeder_ == nullptr || feeder_->run_through(last); }

  void start(const isa::Instruction& instruction, Cycle s) override;
  // Cycles in which a pixel row entered the array, over all instructions so far.
  std::int64_t array_cycles() const { return array_cycles_; }

 private:
  const Machine& machine_;
  CompletionSink& sequencer_;
  Scratchpad* activation_;
  Scratchpad* weight_;
  Scratchpad* accumulator_;
  WeightStationary dataflow_;
  WeightStationary::Last last_;
  std::int64_t array_cycles_ = 0;
  std::unique_ptr<MatrixUnitFeeder> feeder_;
};

}  // namespace gemel
