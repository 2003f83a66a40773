// SPDX-License-Identifier: Apache-2.0
#include "sim/bench.hpp"

namespace gemel {

Bench::Bench(const Run& run, SwapOptions swap, const RtlHangs& hangs)
    : run_(run),
      patience_(pulse_, run.options.blocks.empty() ? RtlHangs() : hangs),
      memory_(static_cast<std::uint64_t>(run.machine.memory_bytes)),
      world_(run.machine, MemoryBytes(memory_.data(), memory_.size())) {
  const SimulationOptions& options = run.options;
  load_image(run, memory_.data());
  world_.poison(options.poison_first, options.poison_last);
  swap.progress = options.rtl_progress;
  swap.notice = options.rtl_notice;
  swap.interrupted = options.interrupted;
  swap.reset_seed = options.reset_seed;
  swap.no_skip = options.no_skip;
  swap.pulse = &pulse_;
  const bool whole_chip = options.blocks.size() == 1 && is_chip_rtl(options.blocks.front());
  if (whole_chip) npu_ = make_npu(run.machine, options.blocks, swap);
  stepper_ = std::make_unique<Stepper>(run.machine, world_, make_blocks(run.machine, options.blocks, run.schedule.program, swap));
  check_npu(*stepper_, run.machine, options.blocks, swap);
  if (options.no_skip) stepper_->never_skip();
  if (options.use_registers) stepper_->use_registers();
  if (options.abort_at > 0) {
    stepper_->never_skip();
    stepper_->write_registers([this](SequencerIn& control) {
      const SequencerBlock& sequencer = stepper_->sequencer();
      if (!sequencer.out().running || sequencer.cycle() + 1 != run_.options.abort_at) return;
      control.csr_write = true;
      control.csr_write_offset = isa::csr::Control;
      control.csr_write_data = ControlAbort;
    });
  }
}

StepperResult Bench::step_until(Cycle limit, Cycle npu_watchdog, const BeatObserver& on_axi) {
  const std::uint64_t base = run_.schedule.program_base;
  return npu_ ? run_npu_rtl(run_.machine, *npu_, world_, base, run_.program_bytes(), limit, npu_watchdog, on_axi, run_.options.abort_at)
              : stepper_->run(base, run_.program_bytes(), limit);
}

StepperResult Bench::step_again(Cycle limit) { return stepper_->run_again(run_.schedule.program_base, run_.program_bytes(), limit); }

void Bench::restore_memory() {
  world_.reset();
  memory_.clear();
  load_image(run_, memory_.data());
}

}  // namespace gemel
