// SPDX-License-Identifier: Apache-2.0
// The engine `systemc`: the fast models in a platform of NPU, memory and driver.
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

  const ModelEngine& engine() const { return *engine_; }
  IdealMemory& memory() { return *memory_; }
  void observe(SequencerObserver* observer) { engine_->observe(observer); }
  void run_for(Cycle cycles) { sc_core::sc_start(static_cast<double>(cycles) * npu_->period()); }
  bool ended() const { return driver_->done() || !engine_->sequencer().running(); }

 private:
  SystemcContext context_;
  std::unique_ptr<Npu> npu_;
  std::unique_ptr<IdealMemory> memory_;
  std::unique_ptr<Driver> driver_;
  std::unique_ptr<sc_core::sc_signal<bool>> interrupt_;
  ModelEngine* engine_ = nullptr;
};

Platform::Platform(const Run& run, Clocked<PeArrayIn, PeArrayOut>* array) {
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

// What the machine has counted, and its error.
void take_figures(const ModelEngine& engine, SimulationOutput& output) {
  RunResult& result = output.result;
  const SequencerModel& sequencer = engine.sequencer();
  result.cycles = sequencer.cycles();
  result.counters = sequencer.counters();
  result.array_cycles = engine.matrix_unit().array_cycles();
  result.load_bytes = engine.load_dma().bytes();
  result.load_bursts = engine.load_dma().bursts();
  result.store_bytes = engine.store_dma().bytes();
  result.store_bursts = engine.store_dma().bursts();
  result.fetch_bytes = sequencer.fetch_bytes();
  result.fetch_bursts = sequencer.fetch_bursts();
  result.instructions = sequencer.dispatched();
  const MachineError& error = sequencer.error();
  output.error_code = static_cast<std::uint32_t>(error.code);
  output.error_cycle = error.cycle;
  output.error_instruction = error.instruction;
  output.error_text = error.text;
}

// Somebody's own array: looked at in every cycle, whatever it says.
class Restless : public Clocked<PeArrayIn, PeArrayOut> {
 public:
  explicit Restless(Clocked<PeArrayIn, PeArrayOut>& array) : array_(array) {}
  void reset() override { array_.reset(); }
  const PeArrayOut& out() const override { return array_.out(); }
  void step(const PeArrayIn& in) override { array_.step(in); }
  bool quiet() const override { return false; }

 private:
  Clocked<PeArrayIn, PeArrayOut>& array_;
};

}  // namespace

std::optional<SimulationOutput> run_models(const Run& run, Clocked<PeArrayIn, PeArrayOut>* array) {
  SimulationOutput output;
  output.result = new_result("model", run);
  RunResult& result = output.result;
  const Stopwatch watch;
  Platform platform(run, array);
  IdealMemory& memory = platform.memory();
  memory.poison(run.options.poison_first, run.options.poison_last);
  load_image(run, memory.data());
  Recorder recorder(run, result, memory.data(), [] { sc_core::sc_stop(); });
  platform.observe(&recorder);
  try {
    platform.run_for(std::min<std::int64_t>(run.options.max_cycles, std::int64_t{1} << 52) + 16);
  } catch (const sc_core::sc_report& report) {
    recorder.rethrow();
    platform.engine().rethrow();
    throw InternalError(std::string("SystemC: ") + report.what());
  }
  if (platform.engine().array_failed()) return {};
  recorder.rethrow();
  if (!memory.violation().empty()) throw overlap_error(memory.violation());
  if (!platform.ended()) {
    if (sc_core::sc_pending_activity()) throw cycle_limit_error(run.options);
    throw deadlock_error(platform.engine().sequencer());
  }
  take_figures(platform.engine(), output);
  take_outputs(run, memory.data(), output);
  result.simulate_seconds = watch.seconds() - result.golden_seconds;
  result.peak_memory_mib = peak_memory_mib();
  return output;
}

std::optional<SimulationOutput> run_models_with_array(const Run& run, double& build_seconds) {
  const SimulationOptions& options = run.options;
  SwapOptions swap;
  swap.progress = options.rtl_progress;
  swap.interrupted = options.interrupted;
  swap.reset_seed = options.reset_seed;
  swap.build_seconds = &build_seconds;
  RtlPulse pulse;
  swap.pulse = &pulse;
  const RtlPatience patience(pulse, options.rtl_hangs);
  struct Differs {};
  swap.on_divergence = [](const Divergence&) { throw Differs{}; };
  const StepperBlocks blocks = make_blocks(run.machine, options.blocks, run.schedule.program, swap);
  Restless restless(*blocks.pe_array);
  const bool own = !options.blocks.front().sources.empty();
  try {
    auto output = run_models(run, own ? &restless : blocks.pe_array.get());
    if (!output || output->error_code != 0) return {};
    return output;
  } catch (const RunError&) {
    return {};
  }
}

}  // namespace gemel
