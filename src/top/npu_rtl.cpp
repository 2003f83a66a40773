// SPDX-License-Identifier: Apache-2.0
#include "top/npu_rtl.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace gemel {

void NpuRtl::drive(const NpuIn& in) {
  set_bits(csr_write_, in.csr_write);
  set_bits(csr_write_offset_, in.csr_write_offset);
  set_bits(csr_write_data_, in.csr_write_data);
  set_bits(csr_read_, in.csr_read);
  set_bits(csr_read_offset_, in.csr_read_offset);
  note(fetch_.drive(in.memory.fetch));
  note(load_.drive(in.memory.load));
  note(store_.drive(in.memory.store));
}

void NpuRtl::sample(NpuOut& out, int flip) {
  out.memory.fetch = fetch_.sample();
  out.memory.load = load_.sample();
  out.memory.store = store_.sample(flip);
  out.running = get_bits(running_) != 0;
  out.interrupt = get_bits(interrupt_) != 0;
  out.csr_written = get_bits(csr_written_) != 0;
  out.csr_answered = get_bits(csr_answered_) != 0;
  out.csr_data = static_cast<std::uint32_t>(get_bits(csr_data_));
}

namespace {

constexpr int CsrPatience = 16;  // cycles; the contract says two

NpuIn write_of(std::uint32_t offset, std::uint32_t value) {
  NpuIn in;
  in.csr_write = true;
  in.csr_write_offset = offset;
  in.csr_write_data = value;
  return in;
}

class Chip {
 public:
  using Npu = Clocked<NpuIn, NpuOut>;
  Chip(const Machine& machine, Npu& npu, MemoryBeat& memory) : machine_(machine), npu_(npu), memory_(memory) {}

  // Whether anything moved on the AXI wires.
  bool step(NpuIn in, Cycle now = 0, const BeatObserver* observer = nullptr) {
    const NpuOut out = npu_.out();
    in.memory = memory_.out();
    if (out.running && observer != nullptr && *observer) tell_memory(machine_, out.memory, in.memory, now, *observer);
    npu_.step(in);
    step_memory(memory_, out.memory, now, "npu");
    return out.memory.fetch.valid || out.memory.load.valid || out.memory.store.valid || out.memory.store.data_valid ||
           in.memory.fetch.valid || in.memory.load.valid || in.memory.store.valid;
  }
  void write(std::uint32_t offset, std::uint32_t value) { step(write_of(offset, value)); }
  std::uint32_t read(std::uint32_t offset) {
    NpuIn in;
    in.csr_read = true;
    in.csr_read_offset = offset;
    step(in);
    for (int i = 0; i < CsrPatience; ++i) {
      if (npu_.out().csr_answered) return npu_.out().csr_data;
      step({});
    }
    throw UserError("E1008", "block `npu` did not answer a read of register " + std::to_string(offset) + " within " +
                                 std::to_string(CsrPatience) + " cycles",
                    "csr_answered_o must follow csr_read_i by two cycles");
  }
  std::int64_t read64(std::uint32_t offset) {
    const std::uint64_t low = read(offset);
    return static_cast<std::int64_t>(low | std::uint64_t{read(offset + 4)} << 32);
  }

 private:
  const Machine& machine_;
  Npu& npu_;
  MemoryBeat& memory_;
};

}  // namespace

StepperResult run_npu_rtl(const Machine& machine, Clocked<NpuIn, NpuOut>& npu, MemoryBeat& memory, std::uint64_t program_base,
                          std::uint32_t program_bytes, Cycle max_cycles, Cycle watchdog, const BeatObserver& observer, Cycle abort_at) {
  Chip chip(machine, npu, memory);
  npu.reset();
  chip.write(isa::csr::ProgramBaseLow, static_cast<std::uint32_t>(program_base));
  chip.write(isa::csr::ProgramBaseHigh, static_cast<std::uint32_t>(program_base >> 32));
  chip.write(isa::csr::ProgramBytes, program_bytes);
  chip.write(isa::csr::Control, ControlStart);
  StepperResult result;
  for (Cycle waited = 0; !npu.out().running; ++waited) {
    if (waited > CsrPatience) {
      result.end = StepperEnd::Silent;
      return result;
    }
    chip.step({});
  }
  Cycle last_beat = 0;
  while (npu.out().running) {
    if (result.cycles >= max_cycles) {
      result.end = StepperEnd::CycleLimit;
      return result;
    }
    if (result.cycles - last_beat > watchdog) {
      result.end = StepperEnd::Silent;
      return result;
    }
    const bool aborts = abort_at > 0 && result.cycles == abort_at - 1;
    if (chip.step(aborts ? write_of(isa::csr::Control, ControlAbort) : NpuIn{}, result.cycles, &observer)) last_beat = result.cycles;
    ++result.cycles;
  }
  result.stepped = result.cycles;
  for (std::uint32_t u = 0; u < isa::UnitCount; ++u) {
    for (std::uint32_t c = 0; c < isa::CauseCount; ++c) {
      result.counters[u][c] = chip.read64(isa::csr::Counters + 8 * (isa::CauseCount * u + c));
    }
  }
  result.error_code = static_cast<isa::ErrorCode>(chip.read(isa::csr::ErrorCode));
  result.error_instruction = chip.read(isa::csr::ErrorInstruction);
  result.error_cycle = chip.read64(isa::csr::ErrorCycleLow);
  if (result.error_code != isa::ErrorCode::None) result.end = StepperEnd::Error;
  return result;
}

}  // namespace gemel
