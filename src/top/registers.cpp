// SPDX-License-Identifier: Apache-2.0
// The control registers in front of models (docs/reference/isa.md, docs/reference/machine.md, 8). The chip as RTL has its own.
#include "base/error.hpp"
#include "top/engine.hpp"

namespace gemel {
namespace {

std::uint32_t half(std::uint64_t value, bool high) { return static_cast<std::uint32_t>(high ? value >> 32 : value); }

}  // namespace

void Npu::Engine::require_thread() {
  const sc_core::sc_curr_proc_kind kind = sc_core::sc_get_current_process_handle().proc_kind();
  if (kind == sc_core::SC_THREAD_PROC_ || kind == sc_core::SC_CTHREAD_PROC_) return;
  throw RunError("E1017", "a control register of the NPU is accessed from outside of any thread while a program runs",
                 "call b_transport from an SC_THREAD: the access waits for its answer");
}

void ModelledRegisters::access(Access& access) {
  access.answered = access.at + 2;
  if (running()) {  // half a period later all of the cycle before has been done, in whatever order
    require_thread();
    const std::int64_t resets = resets_;
    if (access.aborts()) abort(access.at);
    const auto until = static_cast<std::uint64_t>(access.at + 1) * period_.value() + period_.value() / 2;
    sc_core::wait(sc_core::sc_time::from_value(until) - sc_core::sc_time_stamp(), reset_);
    if (resets_ != resets) return;
  }
  if (access.write) {
    write(access.offset, access.value, access.at + 2);
  } else {
    access.value = read(access.offset, access.at + 1 >= level_from_ ? level_ : level_before_);
  }
}

bool ModelledRegisters::peek(std::uint32_t offset, std::uint32_t& value) {
  value = read(offset, level_);
  return true;
}

void ModelledRegisters::reset() {
  ++resets_;
  reset_.notify(sc_core::SC_ZERO_TIME);
  forget();
  program_base_ = 0;
  program_bytes_ = 0;
  interrupt_enable_ = done_ = cleared_ = false;
  level_ = level_before_ = false;
  level_from_ = 0;
}

void ModelledRegisters::halted(Cycle x) {
  done_ = true;
  update_interrupt(x + 1);
}

void ModelledRegisters::update_interrupt(Cycle at) {
  const bool level = interrupt_enable_ && done_;
  if (level == level_) return;
  if (at > level_from_) level_before_ = level_;
  level_from_ = at;
  level_ = level;
  if (interrupt) interrupt(level, at);
}

void ModelledRegisters::write(std::uint32_t offset, std::uint32_t value, Cycle settled) {
  if (offset == isa::csr::InterruptEnable) {
    interrupt_enable_ = (value & 1U) != 0;
    update_interrupt(settled);
  }
  if (running()) return;
  switch (offset) {
    case isa::csr::Control:
      if ((value & (ControlStart | ControlClear)) == 0) return;
      cleared_ = (value & ControlClear) != 0;
      done_ = false;
      update_interrupt(settled);
      if (value & ControlStart) {
        cleared_ = false;
        run(program_base_, program_bytes_, settled);
      }
      break;
    case isa::csr::ProgramBaseLow: program_base_ = (program_base_ & ~0xffffffffULL) | value; break;
    case isa::csr::ProgramBaseHigh: program_base_ = (program_base_ & 0xffffffffULL) | std::uint64_t{value} << 32; break;
    case isa::csr::ProgramBytes: program_bytes_ = value; break;
    default: break;
  }
}

std::uint32_t ModelledRegisters::read(std::uint32_t offset, bool interrupt_level) const {
  const MachineError failure = cleared_ ? MachineError{} : error();
  switch (offset) {
    case isa::csr::Status:
      return (running() ? 1U : 0U) | (done_ ? 2U : 0U) | (!running() && failure.code != isa::ErrorCode::None ? 4U : 0U) |
             (interrupt_level ? 8U : 0U);
    case isa::csr::ProgramBaseLow: return half(program_base_, false);
    case isa::csr::ProgramBaseHigh: return half(program_base_, true);
    case isa::csr::ProgramBytes: return program_bytes_;
    case isa::csr::InterruptEnable: return interrupt_enable_ ? 1 : 0;
    case isa::csr::ErrorCode: return static_cast<std::uint32_t>(failure.code);
    case isa::csr::ErrorInstruction: return failure.instruction;
    case isa::csr::ErrorCycleLow: return half(static_cast<std::uint64_t>(failure.cycle), false);
    case isa::csr::ErrorCycleHigh: return half(static_cast<std::uint64_t>(failure.cycle), true);
    case isa::csr::CyclesLow: return half(static_cast<std::uint64_t>(cycles()), false);
    case isa::csr::CyclesHigh: return half(static_cast<std::uint64_t>(cycles()), true);
    case isa::csr::Version: return isa::Version;
    default: break;
  }
  if (offset >= isa::csr::Counters && offset < isa::csr::Counters + 8 * UnitCount * CauseCount) {
    const std::uint32_t index = (offset - isa::csr::Counters) / 8;
    return half(static_cast<std::uint64_t>(counters()[index / CauseCount][index % CauseCount]), (offset & 4) != 0);
  }
  return 0;
}

}  // namespace gemel
