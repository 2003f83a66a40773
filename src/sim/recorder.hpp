// SPDX-License-Identifier: Apache-2.0
// Watches a program run, in every engine: collects figures by layer and compares a layer's output with golden as soon as it is
// complete in memory.
#pragma once
#include <array>
#include <exception>
#include <functional>
#include <utility>
#include <vector>

#include "blocks/sequencer/sequencer_model.hpp"
#include "sim/run.hpp"

namespace gemel {

class Recorder : public SequencerObserver {
 public:
  // `stop` ends the simulation when something is wrong; rethrow() then says what. `memory` is the machine's.
  Recorder(const Run& run, RunResult& result, const std::uint8_t* memory, std::function<void()> stop);

  void running_from(Cycle cycle0) override { cycle0_ = cycle0; }
  void started(isa::Unit unit, std::uint32_t index, const isa::Instruction& instruction, Cycle s) override;
  void finished(isa::Unit unit, std::uint32_t index, const isa::Instruction& instruction, Cycle s, Cycle p) override;
  void counted(isa::Unit unit, isa::Cause cause, int tag, Cycle first, Cycle cycles) override {
    layer_of(tag).counters[static_cast<std::size_t>(unit)][static_cast<std::size_t>(cause)] += cycles;
    if (options_.trace) trace_counted(unit, cause, tag, first - cycle0_, cycles);
  }

  // The store instruction is complete.
  void stored(std::uint32_t index, Cycle p);
  // The machine has halted: outputs of which no store was seen to complete are compared all the same.
  void halted_at(Cycle at);
  // The run ends at this cycle since its start, because somebody asked for it.
  void interrupt(Cycle cycle);
  // Throws what stopped the simulation: RunError E0804, Interrupted. Returns if nothing did.
  void rethrow() const;

 private:
  LayerResult& layer_of(int tag);
  void trace_counted(isa::Unit unit, isa::Cause cause, int tag, Cycle first, Cycle cycles);
  void complete(int layer, Cycle at);  // the layer's output is in memory
  bool compares() const { return options_.golden && !options_.timing_only; }

  const Schedule& schedule_;
  const SimulationOptions& options_;
  RunResult& result_;
  const std::uint8_t* memory_;
  std::function<void()> stop_;
  std::vector<std::pair<int, int>> complete_;  // (store instruction, layer)
  Cycle cycle0_ = 0;
  std::int64_t started_ = 0;
  bool interrupted_ = false;
  Cycle interrupted_at_ = 0;
  std::exception_ptr failure_;
  // Of a trace, per unit: its last instruction that has ended, -1: none; the cycle in which the start of the next was decided, -1: none was.
  std::array<int, UnitCount> ended_{-1, -1, -1, -1};
  std::array<Cycle, UnitCount> decided_{-1, -1, -1, -1};
};

}  // namespace gemel
