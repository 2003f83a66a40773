// SPDX-License-Identifier: Apache-2.0
// What the engines of fast models have in common.
#include "sim/engines.hpp"
#include "top/swap.hpp"

namespace gemel {
namespace {

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

void take_figures(const ModelChip& chip, SimulationOutput& output) {
  RunResult& result = output.result;
  const SequencerModel& sequencer = chip.sequencer();
  result.cycles = sequencer.cycles();
  result.counters = sequencer.counters();
  result.array_cycles = chip.matrix_unit().array_cycles();
  result.load_bytes = chip.load_dma().bytes();
  result.load_bursts = chip.load_dma().bursts();
  result.store_bytes = chip.store_dma().bytes();
  result.store_bursts = chip.store_dma().bursts();
  result.fetch_bytes = sequencer.fetch_bytes();
  result.fetch_bursts = sequencer.fetch_bursts();
  result.instructions = sequencer.dispatched();
  const MachineError& error = sequencer.error();
  output.error_code = static_cast<std::uint32_t>(error.code);
  output.error_cycle = error.cycle;
  output.error_instruction = error.instruction;
  output.error_text = error.text;
}

std::optional<SimulationOutput> run_with_array(const Run& run, double& build_seconds) {
  const SimulationOptions& options = run.options;
  SwapOptions swap;
  swap.progress = options.rtl_progress;
  swap.notice = options.rtl_notice;
  swap.display = options.rtl_display;
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
    Clocked<PeArrayIn, PeArrayOut>* const array = own ? &restless : blocks.pe_array.get();
    auto output = options.engine == Engine::Plain ? run_plain(run, array) : run_systemc(run, array);
    if (!output || output->error_code != 0) return {};
    return output;
  } catch (const RunError&) {
    return {};
  }
}

}  // namespace gemel
