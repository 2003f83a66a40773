// SPDX-License-Identifier: Apache-2.0
// The machine made of beat models against the fast models under SystemC: two descriptions of one specification, made apart.
// Equal must be: every instruction's start and end, all counters, total cycles, errors with cycle and instruction, memory.
#include "top/stepper.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "base/error.hpp"
#include "config/digest.hpp"
#include "isa/schedule.hpp"
#include "sim/simulation.hpp"
#include "support/platform.hpp"
#include "support/random_program.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using testing::Random;
using testing::RandomProgram;

std::vector<std::uint8_t> random_memory(Random& random, const Machine& machine, const std::vector<isa::Word>& program) {
  std::vector<std::uint8_t> memory(static_cast<std::size_t>(machine.memory_bytes));
  for (auto& byte : memory) byte = random.byte();
  std::memcpy(memory.data() + testing::ProgramRegion, program.data(), program.size() * isa::InstructionBytes);
  return memory;
}

struct FastRun {
  bool violation = false;  // of memory: E0805
  SimulationOutput output;
};

// All of memory as one tensor, in and out.
FastRun run_fast(const Machine& machine, const std::vector<isa::Word>& program, const std::vector<std::uint8_t>& memory,
                 SimulationOptions options = {}) {
  Schedule s;
  s.network = "random";
  s.machine = machine.name;
  s.machine_text = machine_text(machine);
  s.program_base = testing::ProgramRegion;
  s.program = program;
  s.layers.resize(8);
  s.memory_bytes_used = machine.memory_bytes;
  ScheduleTensor tensor;
  tensor.name = "memory";
  tensor.shape = {1, 1, 1, static_cast<int>(memory.size())};
  tensor.bytes = static_cast<std::int64_t>(memory.size());
  tensor.is_input = tensor.is_output = true;
  s.tensors.push_back(tensor);
  options.trace = true;
  FastRun run;
  try {
    run.output = simulate_raw(machine, s, {memory}, options);
  } catch (const RunError& error) {
    if (error.diagnostics().front().code != "E0805") throw;
    run.violation = true;
  }
  return run;
}

std::string listing(const Machine& machine, const std::vector<isa::Word>& program) {
  std::string text = "R=" + std::to_string(machine.rows) + " C=" + std::to_string(machine.columns) +
                     " L=" + std::to_string(machine.lanes) + " bus=" + std::to_string(machine.bus_bytes) +
                     " burst=" + std::to_string(machine.burst_bytes) + " N=" + std::to_string(machine.load_outstanding) +
                     "/" + std::to_string(machine.store_outstanding) + " Q=" + std::to_string(machine.memory_queue) +
                     " latency=" + std::to_string(machine.read_latency_cycles) + "/" +
                     std::to_string(machine.write_latency_cycles) + " jitter=" + std::to_string(machine.jitter_cycles) + "/" +
                     std::to_string(machine.jitter_seed) + " stalls=" + std::to_string(machine.stall_percent.ar) + "/" +
                     std::to_string(machine.stall_percent.r) + "/" + std::to_string(machine.stall_percent.aw) + "/" +
                     std::to_string(machine.stall_percent.w) + "/" + std::to_string(machine.stall_percent.b) + "/" +
                     std::to_string(machine.stall_seed) +
                     " bytes_per_cycle=" + std::to_string(machine.memory_bytes_per_cycle) +
                     " queue=" + std::to_string(machine.queue_depth) +
                     " prefetch=" + std::to_string(machine.prefetch_instructions) + "\n";
  int index = 0;
  for (const isa::Word& word : program) text += std::to_string(index++) + ": " + isa::disassemble(word) + "\n";
  return text;
}

// Compares up to the end, or up to an error.
void expect_equal(const StepperResult& beat, const FastRun& fast, const std::vector<std::uint8_t>& beat_memory) {
  const SimulationOutput& model = fast.output;
  ASSERT_EQ(static_cast<int>(beat.error_code), static_cast<int>(model.error_code)) << model.error_text;
  const bool error = beat.error_code != isa::ErrorCode::None;
  if (error) {
    EXPECT_EQ(beat.error_cycle, model.error_cycle) << model.error_text;
    EXPECT_EQ(beat.error_instruction, model.error_instruction) << model.error_text;
  }
  for (const TraceEvent& event : model.result.trace) {
    if (error && event.end >= beat.error_cycle) continue;
    bool found = false;
    for (const StepperInstruction& i : beat.instructions) {
      if (i.index != event.instruction) continue;
      found = true;
      ASSERT_EQ(i.start, event.start) << "start of instruction " << i.index;
      ASSERT_EQ(i.done, event.end) << "end of instruction " << i.index;
    }
    ASSERT_TRUE(found) << "instruction " << event.instruction;
  }
  if (error) return;
  EXPECT_EQ(beat.cycles, model.result.cycles);
  for (std::size_t u = 0; u < isa::UnitCount; ++u) {
    for (std::size_t c = 0; c < isa::CauseCount; ++c) {
      EXPECT_EQ(beat.counters[u][c], model.result.counters[u][c])
          << isa::to_string(static_cast<isa::Unit>(u)) << ", " << isa::to_string(static_cast<isa::Cause>(c));
    }
  }
  ASSERT_EQ(model.outputs.size(), 1u);
  for (std::size_t a = 0; a < beat_memory.size(); ++a) {
    ASSERT_EQ(int{beat_memory[a]}, int{model.outputs[0][a]}) << "memory at " << a;
  }
}

struct Kinds {
  int careless_percent = 0;
  bool jitter = false;     // always, not only now and then
  std::uint64_t store_region = testing::StoreRegion;
  int largest_array = 12;
  regress::Meeting meeting = regress::Meeting::None;
  // Met on the way.
  int errors = 0, violations = 0;
};

void compare_random_runs(int runs, Kinds& kinds) {
  const std::uint64_t seed = test::random_seed();
  for (int run = 0; run < runs; ++run) {
    Random random(seed * 1000003 + static_cast<std::uint64_t>(run));
    Machine machine = testing::random_machine(random, kinds.largest_array);
    if (kinds.jitter && machine.jitter_cycles == 0) machine.jitter_cycles = random.range(1, 200);
    RandomProgram maker(random, machine);
    maker.careless_percent = kinds.careless_percent;
    maker.store_region = kinds.store_region;
    maker.meeting = kinds.meeting;
    const std::vector<isa::Word> program = maker.make(random.range(1, 40));
    const std::vector<std::uint8_t> memory = random_memory(random, machine, program);
    SCOPED_TRACE("run " + std::to_string(run) + "\n" + listing(machine, program));

    std::vector<std::uint8_t> beat_memory = memory;
    Stepper stepper(machine, beat_memory);
    const StepperResult beat = stepper.run(testing::ProgramRegion,
                                           static_cast<std::uint32_t>(program.size() * isa::InstructionBytes), 10'000'000);
    ASSERT_TRUE(beat.end == StepperEnd::Halt || beat.end == StepperEnd::Error) << static_cast<int>(beat.end);
    const FastRun fast = run_fast(machine, program, memory);
    const std::string& violation = stepper.ideal_memory()->violation();
    ASSERT_EQ(!violation.empty(), fast.violation) << violation;
    kinds.violations += fast.violation;
    if (fast.violation) continue;
    kinds.errors += beat.end == StepperEnd::Error;
    for (const StepperFault& fault : beat.faults) {
      ASSERT_TRUE(fault.fault == ScratchpadFault::NeverWritten)
          << to_string(fault.buffer) << " fault " << static_cast<int>(fault.fault) << " at cycle " << fault.cycle << " word "
          << fault.address;
    }
    expect_equal(beat, fast, beat_memory);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(Stepper, EqualsTheFastModelsOnRandomPrograms) {
  Kinds kinds;
  compare_random_runs(150, kinds);
  EXPECT_EQ(kinds.errors, 0);
  EXPECT_EQ(kinds.violations, 0);
}

// In these two the runs must have met what they are for.
TEST(Stepper, EqualsTheFastModelsWhenWaitsAreMissing) {
  Kinds kinds;
  kinds.careless_percent = 30;
  kinds.largest_array = 8;
  compare_random_runs(100, kinds);
  EXPECT_GT(kinds.errors, 20);
}

TEST(Stepper, EqualsTheFastModelsWhenWritesMeetReadsInMemory) {
  Kinds kinds;
  kinds.store_region = testing::LoadRegion;
  kinds.largest_array = 8;
  compare_random_runs(250, kinds);
  EXPECT_GT(kinds.violations, 3);
  EXPECT_LT(kinds.violations, 200);
}

// Every pair of claims: there must be hazards (or broken chains), and instructions that just do not meet.
TEST(Stepper, EqualsTheFastModelsWhereClaimsMeet) {
  constexpr int Runs = 40;
  for (int m = 0; m < regress::MeetingCount; ++m) {
    SCOPED_TRACE("meeting " + std::to_string(m));
    Kinds kinds;
    kinds.largest_array = 6;
    kinds.meeting = static_cast<regress::Meeting>(m);
    compare_random_runs(Runs, kinds);
    EXPECT_GE(kinds.errors, Runs / 10);
    EXPECT_LE(kinds.errors, Runs - Runs / 10);
  }
}

TEST(Stepper, EqualsTheFastModelsWhenMemoryHasJitter) {
  Kinds kinds;
  kinds.jitter = true;
  compare_random_runs(150, kinds);
  EXPECT_EQ(kinds.errors, 0);
}

// Known outputs of SplitMix64 for its seed 1234567.
TEST(Jitter, DrawsFromSplitMix64) {
  Machine machine;
  machine.jitter_cycles = 99999;
  machine.jitter_seed = 1234567 / 2;
  Jitter writes(machine, Jitter::Writes), reads(machine, Jitter::Reads);
  for (const std::uint64_t output : {6457827717110365317u, 3203168211198807973u, 9817491932198370423u, 4593380528125082431u}) {
    const auto expected = static_cast<Cycle>(output % 100000);
    EXPECT_EQ(writes.next(), expected);
    EXPECT_NE(reads.next(), expected);
  }
  machine.jitter_cycles = 0;
  Jitter none(machine, Jitter::Writes);
  for (int k = 0; k < 100; ++k) EXPECT_EQ(none.next(), 0);
  machine.jitter_cycles = 2;
  Jitter few(machine, Jitter::Writes);
  std::array<int, 3> drawn{};
  for (int k = 0; k < 300; ++k) ++drawn[static_cast<std::size_t>(few.next())];
  for (const int count : drawn) EXPECT_GT(count, 60);
}

TEST(Stepper, SkippingQuietCyclesChangesNothing) {
  Random random(test::random_seed());
  Machine machine = testing::random_machine(random, 6);
  machine.read_latency_cycles = machine.write_latency_cycles = 300;
  RandomProgram maker(random, machine);
  const std::vector<isa::Word> program = maker.make(30);
  const std::vector<std::uint8_t> memory = random_memory(random, machine, program);
  const auto bytes = static_cast<std::uint32_t>(program.size() * isa::InstructionBytes);
  std::vector<std::uint8_t> skipped_memory = memory, stepped_memory = memory;
  Stepper skipping(machine, skipped_memory), stepping(machine, stepped_memory);
  stepping.never_skip();
  const StepperResult a = skipping.run(testing::ProgramRegion, bytes, 10'000'000);
  const StepperResult b = stepping.run(testing::ProgramRegion, bytes, 10'000'000);
  EXPECT_EQ(b.stepped, b.cycles);
  EXPECT_LT(a.stepped, a.cycles);
  EXPECT_EQ(a.cycles, b.cycles);
  EXPECT_EQ(a.counters, b.counters);
  EXPECT_EQ(skipped_memory, stepped_memory);
}

TEST(Stepper, SaysDeadlockWhenASemaphoreIsNeverPosted) {
  const Machine machine = testing::small_machine();
  isa::Store store;
  store.wait_mask = 1;
  store.run_bytes = store.group_bytes = 4;
  const std::vector<isa::Word> program = {isa::encode(store), isa::encode(isa::Halt{})};
  std::vector<std::uint8_t> memory(static_cast<std::size_t>(machine.memory_bytes));
  std::memcpy(memory.data() + testing::ProgramRegion, program.data(), program.size() * isa::InstructionBytes);
  Stepper stepper(machine, memory);
  const StepperResult result = stepper.run(testing::ProgramRegion, 2 * isa::InstructionBytes, 100000);
  EXPECT_TRUE(result.end == StepperEnd::Deadlock);
  stepper.never_skip();
  EXPECT_TRUE(stepper.run(testing::ProgramRegion, 2 * isa::InstructionBytes, 1000).end == StepperEnd::CycleLimit);
}

// Cycles do not depend on data.
TEST(Stepper, TakesTheSameCyclesForZeros) {
  Random random(test::random_seed());
  const Machine machine = testing::random_machine(random);
  RandomProgram maker(random, machine);
  const std::vector<isa::Word> program = maker.make(40);
  std::vector<std::uint8_t> memory = random_memory(random, machine, program), zeros(memory.size());
  std::memcpy(zeros.data() + testing::ProgramRegion, program.data(), program.size() * isa::InstructionBytes);
  const auto bytes = static_cast<std::uint32_t>(program.size() * isa::InstructionBytes);
  Stepper one(machine, memory), other(machine, zeros);
  const StepperResult a = one.run(testing::ProgramRegion, bytes, 10'000'000);
  const StepperResult b = other.run(testing::ProgramRegion, bytes, 10'000'000);
  EXPECT_EQ(a.cycles, b.cycles);
  EXPECT_EQ(a.counters, b.counters);
}

}  // namespace
}  // namespace gemel

// The library wants one to exist; tests elaborate by themselves.
extern "C" int sc_main(int, char**) { return 1; }
