// SPDX-License-Identifier: Apache-2.0
#include "sim/npu_recording.hpp"

#include "top/engine.hpp"

namespace gemel {

NpuRecording::NpuRecording(Npu& npu, const Schedule& schedule, bool trace)
    : npu_(npu), schedule_(schedule), run_{npu.machine(), schedule_, no_inputs_, options_} {
  require_machine(schedule.network, schedule.machine, schedule.machine_text, npu.machine());
  options_.trace = trace;
  options_.timing_only = npu.parts().timing_only;
  options_.blocks = npu.parts().choices;
  running_from(0);
  npu.engine().observe(this, schedule.program_base, &schedule.program);
}

NpuRecording::~NpuRecording() { npu_.engine().observe(nullptr, 0, nullptr); }

void NpuRecording::running_from(Cycle cycle0) {
  result_ = new_result(npu_.engine().name(), run_);
  recorder_ = std::make_unique<Recorder>(run_, result_, nullptr, [] {});
  recorder_->running_from(cycle0);
}

void NpuRecording::started(isa::Unit unit, std::uint32_t index, const isa::Instruction& instruction, Cycle s) {
  ++result_.instructions;
  recorder_->started(unit, index, instruction, s);
}

void NpuRecording::finished(isa::Unit unit, std::uint32_t index, const isa::Instruction& instruction, Cycle s, Cycle p) {
  recorder_->finished(unit, index, instruction, s, p);
}

void NpuRecording::counted(isa::Unit unit, isa::Cause cause, int tag, Cycle first, Cycle cycles) {
  recorder_->counted(unit, cause, tag, first, cycles);
}

RunResult NpuRecording::result() const {
  RunResult result = result_;
  const Npu::Engine::Figures figures = npu_.engine().observed_figures();
  result.cycles = figures.cycles;
  result.counters = figures.counters;
  if (figures.error == isa::ErrorCode::None) result.instructions = static_cast<std::int64_t>(schedule_.program.size());
  take_traffic(figures.traffic, result);
  if (npu_.engine().sees_instructions()) {
    add_layer_counters(figures.layer_counters, result);
  } else {
    add_whole_chip(schedule_, result);
  }
  for (const LayerResult& layer : result.layers) result.array_cycles += layer.array_cycles;
  return result;
}

}  // namespace gemel
