// SPDX-License-Identifier: Apache-2.0
// A chip of beat models and RTL with its memory, ready to step: what a run of the beat engine and its repetitions after a difference share.
#pragma once
#include <cstdint>

#include "memory/memory_bytes.hpp"
#include "sim/run.hpp"
#include "top/npu_rtl.hpp"
#include "top/stepper.hpp"
#include "top/swap.hpp"

namespace gemel {

class Bench {
 public:
  // `swap`: what is particular about this bench; what the run's options say of all RTL is filled in.
  Bench(const Run& run, SwapOptions swap, const RtlHangs& hangs);

  Stepper& stepper() { return *stepper_; }
  IdealMemoryBeat& world() { return world_; }
  const std::uint8_t* memory() const { return memory_.data(); }
  bool is_whole_chip() const { return npu_ != nullptr; }  // npu=rtl

  // From reset. `on_axi`, `npu_watchdog`: of a whole chip.
  StepperResult step_until(Cycle limit, Cycle npu_watchdog = Never, const BeatObserver& on_axi = {});
  StepperResult step_again(Cycle limit);
  // Memory and what is under way in it as before the first run.
  void restore_memory();

 private:
  const Run& run_;
  RtlPulse pulse_;
  RtlPatience patience_;
  MappedBytes memory_;
  IdealMemoryBeat world_;
  std::unique_ptr<NpuBlock> npu_;
  std::unique_ptr<Stepper> stepper_;
};

}  // namespace gemel
