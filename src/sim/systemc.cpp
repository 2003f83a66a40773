// SPDX-License-Identifier: Apache-2.0
// The engine `systemc`: the fast models in a platform of NPU, memory and driver.
#include <algorithm>
#include <memory>

#include "memory/ideal_memory.hpp"
#include "sim/engines.hpp"
#include "sim/platform.hpp"
#include "sim/recorder.hpp"
#include "top/engine.hpp"

namespace gemel {
namespace {

class Platform {
 public:
  Platform(const Run& run, Clocked<PeArrayIn, PeArrayOut>* array);

  const ModelChip& chip() const { return engine_->chip(); }
  void rethrow() const { engine_->rethrow(); }
  bool has_array_failed() const { return engine_->has_array_failed(); }
  IdealMemory& memory() { return *memory_; }
  void observe(SequencerObserver* observer) { engine_->observe(observer, schedule_.program_base, &schedule_.program); }
  void run_until(Cycle last) { sc_core::sc_start(static_cast<double>(last) * npu_->period()); }
  bool ended() const { return driver_->done() || !chip().sequencer().running(); }

 private:
  const Schedule& schedule_;
  SystemcContext context_;
  std::unique_ptr<Npu> npu_;
  std::unique_ptr<IdealMemory> memory_;
  std::unique_ptr<Driver> driver_;
  std::unique_ptr<sc_core::sc_signal<bool>> interrupt_;
  ModelEngine* engine_ = nullptr;
};

Platform::Platform(const Run& run, Clocked<PeArrayIn, PeArrayOut>* array) : schedule_(run.schedule) {
  NpuParts parts;
  parts.machine = run.machine;
  parts.timing_only = run.options.timing_only;
  parts.array = array;
  // In any order: SystemC runs processes in an order that depends on when they were made.
  for (const int part : run.options.process_order) {
    if (part == 0) npu_ = std::make_unique<Npu>("npu", parts);
    if (part == 1) memory_ = std::make_unique<IdealMemory>("memory", run.machine, clock_period(run.machine));
    if (part == 2) driver_ = std::make_unique<Driver>("driver", run.schedule.program_base, run.program_bytes());
  }
  interrupt_ = std::make_unique<sc_core::sc_signal<bool>>("interrupt");
  engine_ = &dynamic_cast<ModelEngine&>(npu_->engine());
  driver_->csr.bind(npu_->csr);
  npu_->fetch.bind(memory_->fetch);
  npu_->load.bind(memory_->load);
  npu_->store.bind(memory_->store);
  npu_->interrupt(*interrupt_);
  driver_->interrupt(*interrupt_);
}

}  // namespace

std::optional<SimulationOutput> run_systemc(const Run& run, Clocked<PeArrayIn, PeArrayOut>* array) {
  SimulationOutput output;
  output.result = new_result("systemc", run);
  RunResult& result = output.result;
  const Stopwatch watch;
  Platform platform(run, array);
  IdealMemory& memory = platform.memory();
  memory.poison(run.options.poison_first, run.options.poison_last);
  load_image(run, memory.data());
  Recorder recorder(run, result, memory.data(), [] { sc_core::sc_stop(); });
  platform.observe(&recorder);
  try {
    platform.run_until(std::min<std::int64_t>(run.options.max_cycles, std::int64_t{1} << 52) + 16);
  } catch (const sc_core::sc_report& report) {
    recorder.rethrow();
    platform.rethrow();
    throw InternalError(std::string("SystemC: ") + report.what());
  }
  if (platform.has_array_failed()) return {};
  recorder.rethrow();
  if (!memory.violation().empty()) throw overlap_error(memory.violation());
  if (!platform.ended()) {
    if (sc_core::sc_pending_activity()) throw cycle_limit_error(run.options);
    throw deadlock_error(platform.chip().sequencer());
  }
  if (platform.chip().sequencer().cycles() > run.options.max_cycles) throw cycle_limit_error(run.options);
  take_figures(platform.chip(), output);
  take_outputs(run, memory.data(), output);
  result.simulate_seconds = watch.seconds() - result.golden_seconds;
  result.peak_memory_mib = peak_memory_mib();
  return output;
}

}  // namespace gemel
