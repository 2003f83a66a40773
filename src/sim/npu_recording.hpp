// SPDX-License-Identifier: Apache-2.0
// What a program does on an Npu inside somebody's platform, as the same tree of figures that simulate() gives.
#pragma once
#include <memory>
#include <vector>

#include "gemel/npu.hpp"
#include "isa/schedule.hpp"
#include "sim/recorder.hpp"

namespace gemel {

class NpuRecording : private SequencerObserver {
 public:
  // Each run of the schedule's program from the next start on; at its address, so that other programs may run between. `npu` and `schedule`
  // outlive the recording. UserError E0505, as Npu::require().
  NpuRecording(Npu& npu, const Schedule& schedule, bool trace);
  ~NpuRecording() override;
  NpuRecording(const NpuRecording&) = delete;
  NpuRecording& operator=(const NpuRecording&) = delete;

  // Of the last run.
  RunResult result() const;

 private:
  void running_from(Cycle cycle0) override;
  void started(isa::Unit unit, std::uint32_t index, const isa::Instruction& instruction, Cycle s) override;
  void finished(isa::Unit unit, std::uint32_t index, const isa::Instruction& instruction, Cycle s, Cycle p) override;
  void counted(isa::Unit unit, isa::Cause cause, int tag, Cycle first, Cycle cycles) override;

  Npu& npu_;
  const Schedule& schedule_;
  SimulationOptions options_;
  std::vector<std::vector<std::uint8_t>> no_inputs_;
  Run run_;
  RunResult result_;
  std::unique_ptr<Recorder> recorder_;
};

}  // namespace gemel
