// SPDX-License-Identifier: Apache-2.0
// stepper: the whole machine from beat models, one rising edge after the other, without SystemC. Each cycle it takes what all
// blocks have on their wires, then clocks every block: so the order of blocks cannot matter. The reference for the fast
// models; RTL stands in it in place of any block. While every block is quiet it goes straight to memory's next event.
#pragma once
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "base/cycle.hpp"
#include "blocks/load_dma/load_dma_beat.hpp"
#include "blocks/matrix_unit/matrix_unit_beat.hpp"
#include "blocks/pe_array/pe_array_beat.hpp"
#include "blocks/requantizer/requantizer_beat.hpp"
#include "blocks/scratchpad/scratchpad_beat.hpp"
#include "base/clocked.hpp"
#include "blocks/sequencer/sequencer_beat.hpp"
#include "blocks/sequencer/sequencer_model.hpp"
#include "blocks/store_dma/store_dma_beat.hpp"
#include "blocks/vector_unit/vector_unit_beat.hpp"
#include "config/machine.hpp"
#include "rtl_host/block.hpp"
#include "top/connections.gen.hpp"
#include "top/npu_ports.hpp"

namespace gemel {

// What is on the wires of a port in a cycle. For requests and SRAM accesses `value` is the address; for completions bit 0 done,
// bit 1 chain, bit 2 error; for data bit 0 last, bit 1 error, and on store_dma.w the strobe in bits 8 (first) and 16 (end) and up.
// RequantizerIn: x, multiplier and shift follow each other in three calls with value 0, 1, 2, and the rounding in bits 8 and up.
struct Beat {
  Port port = Port::Count;
  Cycle cycle = 0;
  std::uint64_t value = 0;
  const void* data = nullptr;
  std::size_t bytes = 0;
  bool held = false;         // a request that is not taken in this cycle
};
using BeatObserver = std::function<void(const Beat&)>;

// The beats on the three AXI ports of the chip.
void tell_memory(const Machine& machine, const MemoryBeatIn& requests, const MemoryBeatOut& answers, Cycle now, const BeatObserver& observer);

// Whoever looks at the chip from outside: told of every reset, and in every cycle what is on the wires in it.
class PinObserver {
 public:
  virtual ~PinObserver() = default;
  virtual void reset() = 0;
  virtual void step(const NpuIn& in, const NpuOut& out) = 0;
};

// The unit whose instructions a block works on; None for the sequencer and the whole chip.
isa::Unit unit_of(const std::string& block);

struct StepperInstruction {
  std::uint32_t index = 0;   // in the program
  isa::Unit unit = isa::Unit::None;
  Cycle start = 0;           // s: command on the wires
  Cycle done = Never;        // p: done on the wires
};

struct StepperFault {
  Cycle cycle = 0;           // in which the access was on the wires
  Buffer buffer = Buffer::Activation;
  ScratchpadFault fault = ScratchpadFault::None;
  std::uint32_t address = 0;
};

enum class StepperEnd : std::uint8_t {
  Halt,
  Error,       // error_code and its companions
  Deadlock,    // nothing moves and nothing is expected from memory
  CycleLimit,
  Silent,      // the watchdog: not quiet, and yet no beat anywhere for a long time
  Interrupted, // the flag of interrupt_by()
};

struct StepperResult {
  StepperEnd end = StepperEnd::Halt;
  Cycle cycles = 0;                                       // start to halt
  SequencerBeat::Counters counters{};
  std::vector<SequencerBeat::Counters> layer_counters;    // by tag; empty: not known
  isa::ErrorCode error_code = isa::ErrorCode::None;
  Cycle error_cycle = 0;
  std::uint32_t error_instruction = 0;
  std::vector<StepperInstruction> instructions;           // in the order of their starts
  std::array<std::int64_t, PortCount> beats{};            // cycles with something on the wires; counted while observed
  std::vector<StepperFault> faults;                       // the first 100
  Cycle stepped = 0;                                      // cycles that were not skipped
};

// Who stands behind each block's ports; what is empty is the beat model.
struct StepperBlocks {
  std::unique_ptr<SequencerBlock> sequencer;
  std::unique_ptr<Clocked<LoadDmaIn, LoadDmaOut>> load_dma;
  std::unique_ptr<Clocked<MatrixUnitIn, MatrixUnitOut>> matrix_unit;
  std::unique_ptr<Clocked<PeArrayIn, PeArrayOut>> pe_array;
  std::unique_ptr<Clocked<VectorUnitIn, VectorUnitOut>> vector_unit;
  std::unique_ptr<Clocked<RequantizerIn, RequantizerOut>> requantizer;
  std::unique_ptr<Clocked<StoreDmaIn, StoreDmaOut>> store_dma;
  std::array<std::unique_ptr<Clocked<ScratchpadIn, ScratchpadOut>>, BufferCount> scratchpads;
};

class Stepper {
 public:
  // From the first step of run() to cycle 0: the registers' writes, and two cycles until the last of them counts.
  static constexpr Cycle CyclesToStart = 6;
  // `memory` is what a program and its data lie in, from address 0 on; used by an ideal memory of this machine.
  Stepper(const Machine& machine, std::vector<std::uint8_t>& memory, StepperBlocks blocks = {});
  // Or any bridge and memory.
  Stepper(const Machine& machine, MemoryBeat& memory, StepperBlocks blocks = {});

  // Resets the chip (not memory), starts it through its registers and steps until it has halted.
  StepperResult run(std::uint64_t program_base, std::uint32_t program_bytes, Cycle max_cycles);
  // The same without a reset: the chip is as the run before, which has ended, has left it.
  StepperResult run_again(std::uint64_t program_base, std::uint32_t program_bytes, Cycle max_cycles);

  void observe(BeatObserver observer) { observer_ = std::move(observer); }
  // Told of instructions that start and finish; may throw out of run(). The program is decoded for it.
  void observe_program(SequencerObserver* observer, const std::vector<isa::Word>* program) {
    program_observer_ = observer;
    program_ = program;
  }
  // The run ends in StepperEnd::Interrupted once the flag is set.
  void interrupt_by(const std::atomic<bool>* flag) { interrupted_ = flag; }
  // Software beside the running program: may write a register in the step that follows.
  void write_registers(std::function<void(SequencerIn&)> write) { write_registers_ = std::move(write); }
  // Asked when nothing moves and nothing is expected from memory: waits until software is about to do something, and tells in how many
  // cycles. Empty, or Never: the run ends in StepperEnd::Deadlock.
  void wait_for_software(std::function<Cycle()> wait) { wait_for_software_ = std::move(wait); }
  // Skips nothing then, enables the interrupt, and reads registers all the time, so that all pins move.
  void observe_pins(std::unique_ptr<PinObserver> observer) { pins_ = std::move(observer); }
  void never_skip() { skips_ = false; }
  // Reads registers that tell something while a program runs, writes those that it must not change then, and reads all when it has ended.
  void use_registers() { registers_ = true; }
  // The beat model of a scratchpad; it must not have been replaced.
  const ScratchpadBeat& scratchpad(Buffer buffer) const {
    return dynamic_cast<const ScratchpadBeat&>(*blocks_.scratchpads[static_cast<std::size_t>(buffer)]);
  }
  const SequencerBlock& sequencer() const { return *blocks_.sequencer; }
  // Instructions in flight on a unit, oldest first (indices in the program).
  std::vector<std::uint32_t> in_flight(isa::Unit unit) const;
  // Beats so far of each kind that can be traced to a tensor.
  const std::array<std::int64_t, static_cast<std::size_t>(Carries::Count)>& carried() const { return carried_; }
  // Without any beat on any port for so many cycles the run ends in StepperEnd::Silent; for RTL that never answers. 0: never.
  void set_watchdog(Cycle cycles) { watchdog_ = cycles; }
  IdealMemoryBeat* ideal_memory() { return ideal_.get(); }

 private:
  void complete();  // beat models for what is empty
  void count_by_layer();
  void reset();
  void forget();  // what is known of the run before
  [[gnu::hot]] void step(SequencerIn& control);
  [[gnu::hot]] void watch(const SequencerOut& sequencer, const std::array<CompletionWires, isa::UnitCount>& completion);
  void tell(const SequencerOut& sequencer, const LoadDmaOut& load, const MatrixUnitOut& matrix, const VectorUnitOut& vector,
            const StoreDmaOut& store, const PeArrayOut& array, const RequantizerOut& requantizer,
            const MemoryBeatOut& memory);
  bool quiet() const;
  bool skips() const { return skips_ && !pins_; }
  [[gnu::hot]] SequencerIn next_access();  // of the registers, in turn
  SequencerIn next_read();
  void read_registers();    // all of them

  const Machine& machine_;
  StepperBlocks blocks_;
  std::unique_ptr<IdealMemoryBeat> ideal_;
  MemoryBeat& memory_;

  bool skips_ = true;
  Cycle watchdog_ = 0;
  Cycle last_beat_ = 0;
  BeatObserver observer_;
  SequencerObserver* program_observer_ = nullptr;
  const std::vector<isa::Word>* program_ = nullptr;
  const std::atomic<bool>* interrupted_ = nullptr;
  std::function<void(SequencerIn&)> write_registers_;
  std::function<Cycle()> wait_for_software_;
  std::unique_ptr<SequencerBeat> shadow_;  // beside a sequencer that does not count by layer, with its inputs
  std::unique_ptr<PinObserver> pins_;
  int pause_ = 0;         // cycles until the next register is read
  std::size_t next_register_ = 0;
  bool registers_ = false;
  std::uint32_t accesses_ = 0;
  std::uint32_t reads_before_ = 0;  // bit i: data of port MatrixActivationData + i is on the wires in this cycle
  std::array<std::deque<std::size_t>, isa::UnitCount> in_flight_;  // indices into result_.instructions
  std::array<std::int64_t, static_cast<std::size_t>(Carries::Count)> carried_{};
  int busy_pads_ = 0;  // bit b: buffer b is not quiet
  StepperResult result_;
};

}  // namespace gemel
