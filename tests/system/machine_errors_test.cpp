// SPDX-License-Identifier: Apache-2.0
// Everything that can stop a machine: each error with its code, cycle, instruction and exact text.
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "config/digest.hpp"
#include "support/platform.hpp"

namespace gemel {
namespace {

using testing::event;
using testing::message_of;
using testing::program_of;
using testing::run_program;
using testing::small_machine;

void expect_error(const SimulationOutput& out, isa::ErrorCode code, std::uint32_t instruction, const std::string& text) {
  EXPECT_EQ(isa::to_string(static_cast<isa::ErrorCode>(out.error_code)), isa::to_string(code));
  EXPECT_EQ(out.error_instruction, instruction);
  EXPECT_EQ(out.error_text, text);
}

constexpr const char* LoadActivation = "load buffer=activation word=[0..63] address=256 run_bytes=256 group_bytes=4\n";

TEST(MachineErrors, TwoReadersOfABank) {
  const SimulationOutput out = run_program(
      "load buffer=vector word=[0..3] address=256 run_bytes=16 group_bytes=4 post=12,8\n"
      "store wait=12 word=[0..1] address=4096 run_bytes=8 group_bytes=4\n"
      "pool_max wait=8 src0=[2..3] dst=[128..129] blocks=1 src_height=1 src_width=2 pixel_words=1 out_width=2 dst_pixel_step=1\n"
      "halt\n", small_machine());
  expect_error(out, isa::ErrorCode::Hazard, 2,
               "both hold the read port of bank 0 of vector_buffer: instruction 2 on vector_unit (reading vector_buffer "
               "[2..3]) and instruction 1 on store_dma (reading vector_buffer [0..1])");
  EXPECT_EQ(out.error_cycle, event(out, 0).end + 2);  // both would have started then
}

TEST(MachineErrors, HazardOfAWrittenInterval) {
  const SimulationOutput out = run_program(
      "load buffer=vector word=[0..15] address=256 run_bytes=64 group_bytes=4\n"
      "store word=[8..9] address=4096 run_bytes=8 group_bytes=4\n"
      "halt\n", small_machine());
  expect_error(out, isa::ErrorCode::Hazard, 1,
               "a written interval meets another: instruction 1 on store_dma (reading vector_buffer [8..9]) and instruction 0 "
               "on load_dma (writing vector_buffer [0..15])");
}

TEST(MachineErrors, HazardOfAnInstructionWithItself) {
  const SimulationOutput out = run_program(
      "pool_max src0=[0..1] dst=[1..2] blocks=1 src_height=1 src_width=2 pixel_words=1 out_width=2 dst_pixel_step=1\n"
      "halt\n", small_machine());
  expect_error(out, isa::ErrorCode::Hazard, 0,
               "instruction 0 on vector_unit is writing vector_buffer [1..2] and reading vector_buffer [0..1]");
}

TEST(MachineErrors, TwoWritersOfABank) {
  const SimulationOutput out = run_program(
      "load buffer=vector word=[0..63] address=256 run_bytes=256 group_bytes=4\n"
      "pool_max src0=[128..129] dst=[64..65] blocks=1 src_height=1 src_width=2 pixel_words=1 out_width=2 dst_pixel_step=1\n"
      "halt\n", [] {
        Machine m = small_machine();
        m.buffers[static_cast<int>(Buffer::Vector)] = {1024, 2};  // 128 words a bank
        return m;
      }());
  expect_error(out, isa::ErrorCode::Hazard, 1,
               "both hold the write port of bank 0 of vector_buffer: instruction 1 on vector_unit (writing vector_buffer "
               "[64..65]) and instruction 0 on load_dma (writing vector_buffer [0..63])");
}

TEST(MachineErrors, AProgramForAnotherMachine) {
  const std::string load = "load buffer=activation word=[0..63] address=256 run_bytes=256 group_bytes=4";
  const std::string digest = std::to_string(machine_digest(small_machine()));
  EXPECT_EQ(run_program(load + " machine=" + digest + "\nhalt\n", small_machine()).error_code, 0u);
  const SimulationOutput out = run_program(load + "\n" + load + " machine=77\nhalt\n", small_machine());
  expect_error(out, isa::ErrorCode::WrongMachine, 1,
               "load.machine = 77: must be 0, for any machine, or " + digest + ", which is this one: the program was compiled for another");
}

// The fast models work on host memory: a claim that is too small must not lead beyond it.
TEST(MachineErrors, AnInstructionThatTouchesMoreThanItClaims) {
  EXPECT_EQ(message_of(small_machine(), "matrix act=[0..15] weight=[252..255] acc=[0..15] act_width=16 out_width=16 kernel_h=2\nhalt\n"),
            "error[E0811]: instruction 0 touches words that it does not claim: matrix.weight_last = 255: must be 259, the last word that is touched\n"
            "  instruction 0: matrix act=[0..15] weight=[252..255] acc=[0..15] act_width=16 out_width=16 kernel_h=2\n"
            "hint: hardware does not look, and would read and write beside them; correct the claim");
}

TEST(MachineErrors, ChainOnOverlappingAccumulators) {
  const std::string matrix = "act=[0..15] weight=[0..3] act_height=1 act_width=16 pixel_words=1 out_width=16 ";
  const SimulationOutput out = run_program("matrix wait=4 " + matrix + "acc=[0..15]\n" + "matrix chain " + matrix +
                                               "acc=[8..23]\n"
                                               "load post=4 buffer=param word=[0..0] address=256 run_bytes=4 group_bytes=4\n"
                                               "halt\n",
                                           small_machine());
  expect_error(out, isa::ErrorCode::IllegalChain, 1,
               "chained behind instruction 0 whose accumulator words overlap its own without being equal");
}

TEST(MachineErrors, SemaphoreOverflow) {
  std::string program;
  for (int i = 0; i < 256; ++i) {
    program += "load chain post=4 buffer=param word=[0..0] address=256 run_bytes=4 group_bytes=4\n";
  }
  const SimulationOutput out = run_program(program + "halt\n", small_machine());
  expect_error(out, isa::ErrorCode::SemaphoreOverflow, 255, "semaphore 4 (into matrix_unit) would exceed 255");
  EXPECT_EQ(out.error_cycle, event(out, 255).end);
}

TEST(MachineErrors, IllegalInstruction) {
  const SimulationOutput out = run_program("word 0x77 0x0 0x0 0x0 0x0 0x0 0x0 0x0\nhalt\n", small_machine());
  EXPECT_EQ(out.error_code, static_cast<std::uint32_t>(isa::ErrorCode::IllegalInstruction));
  EXPECT_EQ(out.error_instruction, 0u);
}

TEST(MachineErrors, AddressOutsideBuffer) {
  const SimulationOutput out =
      run_program("load buffer=activation word=[255..256] address=256 run_bytes=8 group_bytes=4\nhalt\n", small_machine());
  EXPECT_EQ(out.error_code, static_cast<std::uint32_t>(isa::ErrorCode::AddressOutsideBuffer));
}

TEST(MachineErrors, ReadAndWriteErrors) {
  SimulationOptions options;
  options.poison_first = options.poison_last = 300;
  expect_error(run_program(std::string(LoadActivation) + "halt\n", small_machine(), options), isa::ErrorCode::ReadError, 0,
               "memory answered load_dma with an error");
  expect_error(run_program("store word=[0..15] address=256 run_bytes=64 group_bytes=4\nhalt\n", small_machine(), options),
               isa::ErrorCode::WriteError, 0, "memory answered store_dma with an error");
  options.poison_first = options.poison_last = 0x8000 + 64;
  expect_error(run_program(std::string(LoadActivation) + "halt\n", small_machine(), options), isa::ErrorCode::ReadError, 1,
               "memory answered an instruction fetch with an error");
}

// One burst per instruction, of one beat, and 100 cycles of latency: burst k that is accepted in cycle t is there in t + 100 and can be dispatched in t + 102.
Machine slow_fetch(int prefetch, int queue) {
  Machine machine = small_machine();
  machine.bus_bytes = machine.memory_bytes_per_cycle = 64;
  machine.read_latency_cycles = 100;
  machine.prefetch_instructions = prefetch;
  machine.memory_queue = queue;
  return machine;
}

// `poisoned`: the instruction whose fetch memory answers with an error.
void expect_end(const Machine& machine, const std::string& program, std::uint32_t poisoned, Cycle error_cycle, Cycle cycles, std::int64_t fetched) {
  for (const Engine engine : {Engine::Systemc, Engine::Plain, Engine::Beat}) {
    SimulationOptions options;
    options.engine = engine;
    options.poison_first = options.poison_last = 0x8000 + std::uint64_t{poisoned} * isa::InstructionBytes;
    const SimulationOutput out = simulate_raw(machine, program_of(program, machine), {}, options);
    EXPECT_EQ(out.error_code, static_cast<std::uint32_t>(isa::ErrorCode::ReadError)) << out.result.engine;
    EXPECT_EQ(out.error_instruction, poisoned) << out.result.engine;
    EXPECT_EQ(out.error_cycle, error_cycle) << out.result.engine;
    EXPECT_EQ(out.result.cycles, cycles) << out.result.engine;
    EXPECT_EQ(out.result.fetch_bursts, fetched) << out.result.engine;
  }
}

std::string pools(int count) {
  std::string text;
  while (count-- > 0) {
    text += "pool_max src0=[128..129] dst=[64..65] blocks=1 src_height=1 src_width=2 pixel_words=1 out_width=2 dst_pixel_step=1\n";
  }
  return text;
}

// Instruction 5 leaves the FIFO in cycle 208, so burst 9 would be on the wires in 210. Instruction 6 fails in 209: it is not asked for, and the fifth burst of
// the load, which is accepted in 210, is there in 310. Its 16 words follow in 312 .. 327, those of the three bursts behind it without a gap until 375.
TEST(MachineErrors, NothingIsFetchedBehindAnError) {
  const std::string load = "load buffer=activation word=[0..127] address=256 run_bytes=512 group_bytes=4\n";
  expect_end(slow_fetch(4, 64), load + pools(20) + "halt\n", 6, 209, 378, 9);
}

// Memory's queue holds two: burst 4 is on the wires in 104, the cycle of the error, is accepted in 203, behind the answer to burst 2, and is there in 303.
TEST(MachineErrors, AFetchOnTheWiresIsAnsweredBehindAnError) {
  expect_end(slow_fetch(8, 2), pools(20) + "halt\n", 1, 104, 305, 5);
}

TEST(MachineErrors, BurstPastTheEndOfMemory) {
  expect_error(run_program("load buffer=activation word=[0..63] address=65408 run_bytes=256 group_bytes=4\nhalt\n", small_machine()),
               isa::ErrorCode::ReadError, 0, "memory answered load_dma with an error");
}

TEST(MachineErrors, EndOfProgram) {
  expect_error(run_program(LoadActivation, small_machine()), isa::ErrorCode::EndOfProgram, 1, "the program ended without halt");
}

TEST(MachineErrors, MessageNamesCycleAndInstruction) {
  EXPECT_EQ(message_of(small_machine(), LoadActivation),
            "error[E0801]: the machine stopped with error end_of_program at cycle 21: the program ended without halt");
}

TEST(MachineErrors, Deadlock) {
  EXPECT_EQ(message_of(small_machine(),
                       "matrix wait=4,5 act=[0..0] weight=[0..3] acc=[0..0] act_height=1 act_width=1 pixel_words=1\nhalt\n"),
            "error[E0802]: deadlock: nothing can happen any more, and the program has not ended\n"
            "load_dma: nothing to do\n"
            "matrix_unit: instruction 0 waits for semaphore 4 5\n"
            "vector_unit: nothing to do\n"
            "store_dma: nothing to do\n"
            "sequencer: 1 of 2 instructions dispatched\n"
            "hint: look for the semaphore that is never posted");
}

TEST(MachineErrors, CycleLimit) {
  SimulationOptions options;
  options.max_cycles = 30;
  EXPECT_EQ(message_of(small_machine(), std::string(LoadActivation) + "halt\n", options),
            "error[E0803]: the run did not end within 30 cycles\n"
            "hint: raise the limit with --max-cycles");
}

TEST(MachineErrors, CycleLimitIsTight) {
  const std::int64_t cycles = run_program(std::string(LoadActivation) + "halt\n", small_machine()).result.cycles;
  for (const Engine engine : {Engine::Systemc, Engine::Plain, Engine::Beat}) {
    SimulationOptions options;
    options.engine = engine;
    options.max_cycles = cycles;
    EXPECT_EQ(simulate(small_machine(), program_of(std::string(LoadActivation) + "halt\n", small_machine()), {}, options).result.cycles, cycles);
    options.max_cycles = cycles - 1;
    EXPECT_THROW(simulate(small_machine(), program_of(std::string(LoadActivation) + "halt\n", small_machine()), {}, options), RunError);
  }
}

TEST(MachineErrors, StoreThatOvertakesALoad) {
  Machine machine = small_machine();
  machine.read_latency_cycles = 200;
  const std::string message = message_of(
      machine,
      "store word=[0..0] address=256 run_bytes=4 group_bytes=4\n"
      "load buffer=activation word=[0..63] address=256 run_bytes=256 group_bytes=4\n"
      "store word=[0..15] address=256 run_bytes=64 group_bytes=4\n"
      "halt\n");
  EXPECT_EQ(message.substr(0, message.find(" at cycle")), "error[E0805]: a write of [256, +64)");
  EXPECT_NE(message.find("meets an outstanding read of [256..319] by load_dma"), std::string::npos) << message;
}

TEST(MachineErrors, Interrupted) {
  std::atomic<bool> interrupted{true};
  SimulationOptions options;
  options.interrupted = &interrupted;
  EXPECT_EQ(message_of(small_machine(), std::string(LoadActivation) + "halt\n", options),
            "interrupted at cycle 22, after 1 of 2 instructions");
}

// After each kind of end, the next run in this process is clean.
TEST(MachineErrors, TheNextRunIsClean) {
  const std::string good = std::string(LoadActivation) + "halt\n";
  const std::int64_t cycles = run_program(good, small_machine()).result.cycles;
  run_program(LoadActivation, small_machine());
  message_of(small_machine(), "matrix wait=4 act=[0..0] weight=[0..3] acc=[0..0] pixel_words=1\nhalt\n");
  EXPECT_EQ(run_program(good, small_machine()).result.cycles, cycles);
}

// The order in which SystemC runs processes does not matter.
TEST(MachineErrors, OrderOfProcessesDoesNotMatter) {
  const std::string program =
      "load buffer=vector word=[0..63] address=256 run_bytes=256 group_bytes=4 post=12\n"
      "store wait=12 word=[0..63] address=4096 run_bytes=256 group_bytes=4\n"
      "load chain buffer=activation word=[0..63] address=1024 run_bytes=256 group_bytes=4\n"
      "halt\n";
  std::array<int, 3> order = {0, 1, 2};
  const SimulationOutput first = run_program(program, small_machine());
  do {
    SimulationOptions options;
    options.process_order = order;
    const SimulationOutput out = run_program(program, small_machine(), options);
    EXPECT_EQ(out.result.cycles, first.result.cycles);
    EXPECT_EQ(out.result.counters, first.result.counters);
  } while (std::next_permutation(order.begin(), order.end()));
}

}  // namespace
}  // namespace gemel
