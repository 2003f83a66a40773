// SPDX-License-Identifier: Apache-2.0
// Everything that can stop a machine, and resets: the fast model, the beat models, all blocks as RTL and the whole chip as RTL end
// with the same code, in the same cycle, naming the same instruction. What each error means: tests/system/machine_errors_test.cpp.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <sstream>

#include "base/error.hpp"
#include "compiler/compile.hpp"
#include "config/digest.hpp"
#include "regress/network_builder.hpp"
#include "support/platform.hpp"
#include "support/random_seed.hpp"

extern "C" int sc_main(int, char**) { return 0; }

namespace gemel {
namespace {

using isa::ErrorCode;
using testing::program_of;
using testing::small_machine;

struct Implementation {
  const char* name;
  Engine engine;
  const char* blocks;  // nullptr: models
};
constexpr Implementation Implementations[] = {{"fast models", Engine::Systemc, nullptr},
                                              {"fast models, plain", Engine::Plain, nullptr},
                                              {"beat models", Engine::Beat, nullptr},
                                              {"all blocks as RTL", Engine::Beat, "all=rtl"},
                                              {"the chip as RTL", Engine::Beat, "npu=rtl"}};

SimulationOutput run_on(const Implementation& who, const Machine& machine, const Schedule& schedule, SimulationOptions options = {},
                        const std::vector<std::vector<std::uint8_t>>& inputs = {}) {
  options.engine = who.engine;
  options.keep_memory = true;
  if (who.blocks != nullptr) options.blocks = resolve_choices({parse_block_choice(who.blocks)});
  return simulate_raw(machine, schedule, inputs, options);
}

// ---- programs that end in an error ----------------------------------------------------------------------------------------

struct Kind {
  std::string name;
  std::string program;
  ErrorCode code;
  std::uint32_t instruction;
  std::uint64_t poison_first = 1, poison_last = 0;
  std::string word, field;        // this line of the program, and the field in it that is spoilt after it was assembled
  std::int64_t value = 0;
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

constexpr const char* Matrix = "matrix act=[0..15] weight=[0..3] acc=[0..15] act_height=1 act_width=16 pixel_words=1 out_width=16";
constexpr const char* LongMatrix =
    "matrix act=[0..15] weight=[0..127] acc=[0..15] act_height=1 act_width=16 pixel_words=1 out_width=16 cin_blocks=1 "
    "kernel_h=32 origin_y=0";
constexpr const char* Pool = "pool_max src0=[0..15] dst=[128..143] blocks=1 src_height=1 src_width=16 pixel_words=1 out_width=16 dst_pixel_step=1";
constexpr const char* Requantize = "requantize param_shared src0=[0..15] dst=[128..143] param=[0..8] out_width=16 dst_pixel_step=1";
constexpr const char* Add =
    "add param_shared src0=[0..15] src1=[16..31] dst=[128..143] param=[0..26] src_height=1 src_width=16 pixel_words=1 out_width=16 "
    "dst_pixel_step=1";
constexpr const char* Depthwise =
    "depthwise src0=[0..15] dst=[128..143] param=[0..9] src_height=1 src_width=16 pixel_words=1 out_width=16 dst_pixel_step=1";
constexpr const char* Load = "load buffer=vector word=[0..15] address=256 run_bytes=64 group_bytes=4";
constexpr const char* Window =
    "load buffer=activation word=[0..6] address=256 run_bytes=16 window_count=7 window_bytes=4 window_step=2 window_offset=-1";
constexpr const char* LoadActivation = "load buffer=activation word=[0..63] address=256 run_bytes=256 group_bytes=4";
constexpr const char* Store = "store word=[0..15] address=4096 run_bytes=64 group_bytes=4";
constexpr std::uint64_t ProgramBase = 0x8000;

std::string lines(std::initializer_list<std::string> all) {
  std::string text;
  for (const std::string& line : all) text += line + "\n";
  return text + "halt\n";
}
std::string many(int count, const std::string& line) {
  std::string text;
  for (int i = 0; i < count; ++i) text += line + "\n";
  return text + "halt\n";
}

std::vector<Kind> kinds() {
  std::vector<Kind> k;
  const auto add = [&](const std::string& name, const std::string& program, ErrorCode code, std::uint32_t instruction) {
    k.push_back({name, program, code, instruction});
  };
  // Two units, one bank and direction.
  add("HazardOfTwoReadersThatStartTogether",
      lines({"load buffer=vector word=[0..3] address=256 run_bytes=16 group_bytes=4 post=12,8",
             "store wait=12 word=[0..1] address=4096 run_bytes=8 group_bytes=4",
             "pool_max wait=8 src0=[2..3] dst=[128..129] blocks=1 src_height=1 src_width=2 pixel_words=1 out_width=2 dst_pixel_step=1"}),
      ErrorCode::Hazard, 2);
  add("HazardOfAReaderAndOneInFlight", lines({Pool, "store word=[20..21] address=4096 run_bytes=8 group_bytes=4"}), ErrorCode::Hazard, 1);
  add("HazardOfTwoWritersOfABank",
      lines({"load buffer=vector word=[0..31] address=256 run_bytes=128 group_bytes=4",
             "pool_max src0=[128..129] dst=[40..41] blocks=1 src_height=1 src_width=2 pixel_words=1 out_width=2 dst_pixel_step=1"}),
      ErrorCode::Hazard, 1);
  // A written interval meets another, in each buffer.
  add("HazardOfAReadBehindAWrite", lines({Load, "store word=[8..9] address=4096 run_bytes=8 group_bytes=4"}), ErrorCode::Hazard, 1);
  add("HazardOfAWriteBehindARead", lines({Store, "load buffer=vector word=[8..9] address=256 run_bytes=8 group_bytes=4"}), ErrorCode::Hazard, 1);
  add("HazardOfAWriteBehindAWrite", lines({Pool, "load buffer=vector word=[140..150] address=256 run_bytes=44 group_bytes=4"}), ErrorCode::Hazard, 1);
  add("HazardOfActivationsBeingLoaded", lines({LoadActivation, Matrix}), ErrorCode::Hazard, 1);
  add("HazardOfWeightsBeingLoaded", lines({Matrix, "load buffer=weight word=[3..4] address=256 run_bytes=8 group_bytes=4"}), ErrorCode::Hazard, 1);
  add("HazardOfParametersBeingLoaded",
      lines({"load buffer=param word=[8..9] address=256 run_bytes=8 group_bytes=4", Requantize}), ErrorCode::Hazard, 1);
  add("HazardOfSumsBeingMade", lines({Matrix, Requantize}), ErrorCode::Hazard, 1);
  add("HazardOfAnInstructionWithItself",
      lines({"pool_max src0=[0..1] dst=[1..2] blocks=1 src_height=1 src_width=2 pixel_words=1 out_width=2 dst_pixel_step=1"}), ErrorCode::Hazard, 0);
  add("HazardWithAnAdditionsSecondSource",
      lines({"load buffer=vector word=[30..40] address=256 run_bytes=44 group_bytes=4", Add}), ErrorCode::Hazard, 1);
  // Load, matrix, vector and store start in one cycle; vector and store collide, and the others go on.
  add("HazardNamesTheFirstUnitOfThoseThatCollide",
      lines({"load buffer=param word=[0..0] address=256 run_bytes=4 group_bytes=4 post=4,8,12", std::string("matrix wait=4") + (Matrix + 6),
             "store wait=12 word=[0..1] address=4096 run_bytes=8 group_bytes=4", std::string("pool_max wait=8") + (Pool + 8)}),
      ErrorCode::Hazard, 3);
  add("HazardWhileAnotherUnitGoesOn", lines({LongMatrix, Load, Store}), ErrorCode::Hazard, 2);

  add("ChainOnOverlappingAccumulators",
      lines({std::string("matrix wait=4") + (Matrix + 6),
             "matrix chain act=[0..15] weight=[0..3] acc=[8..23] act_height=1 act_width=16 pixel_words=1 out_width=16",
             "load post=4 buffer=param word=[0..0] address=256 run_bytes=4 group_bytes=4"}),
      ErrorCode::IllegalChain, 1);

  add("SemaphoreOverflowByALoad", many(256, "load chain post=4 buffer=param word=[0..0] address=256 run_bytes=4 group_bytes=4"),
      ErrorCode::SemaphoreOverflow, 255);
  add("SemaphoreOverflowByTheMatrixUnit", many(256, "matrix chain post=9 act=[0..0] weight=[0..3] acc=[0..0] act_height=1 act_width=1 pixel_words=1"),
      ErrorCode::SemaphoreOverflow, 255);
  add("SemaphoreOverflowByTheVectorUnit",
      many(256, "pool_max post=14 src0=[0..0] dst=[128..128] blocks=1 src_height=1 src_width=1 pixel_words=1 out_width=1 dst_pixel_step=1"),
      ErrorCode::SemaphoreOverflow, 255);
  add("SemaphoreOverflowByAStore", many(256, "store chain post=3 word=[0..0] address=4096 run_bytes=4 group_bytes=4"),
      ErrorCode::SemaphoreOverflow, 255);
  add("SemaphoreThatIsTakenInTimeOverflowsLater",
      "store wait=12 word=[0..0] address=4096 run_bytes=4 group_bytes=4\n" +
          many(257, "load chain post=12 buffer=param word=[0..0] address=256 run_bytes=4 group_bytes=4"),
      ErrorCode::SemaphoreOverflow, 257);

  // Answers of memory.
  const auto poisoned = [&](const std::string& name, const std::string& program, ErrorCode code, std::uint32_t instruction, std::uint64_t address) {
    k.push_back({name, program, code, instruction, address, address});
  };
  poisoned("ReadErrorOfTheFirstBurst", lines({LoadActivation}), ErrorCode::ReadError, 0, 256);
  poisoned("ReadErrorOfTheLastBurst", lines({LoadActivation}), ErrorCode::ReadError, 0, 511);
  poisoned("ReadErrorOfTheSecondOfAChain",
      lines({LoadActivation, "load chain buffer=activation word=[64..127] address=1024 run_bytes=256 group_bytes=4"}), ErrorCode::ReadError, 1, 1100);
  poisoned("ReadErrorOfWindows", lines({Window}), ErrorCode::ReadError, 0, 260);
  add("ReadErrorPastTheEndOfMemory",
      lines({"load buffer=activation word=[0..63] address=65408 run_bytes=256 group_bytes=4"}), ErrorCode::ReadError, 0);
  add("ReadErrorFarBeyondMemory",
      lines({"load buffer=activation word=[0..63] address=1099511627520 run_bytes=256 group_bytes=4"}), ErrorCode::ReadError, 0);
  poisoned("WriteErrorOfTheFirstBurst", lines({Store}), ErrorCode::WriteError, 0, 4096);
  poisoned("WriteErrorOfTheLastBurst", lines({"store word=[0..63] address=4100 run_bytes=256 group_bytes=4"}), ErrorCode::WriteError, 0, 4355);
  add("WriteErrorPastTheEndOfMemory", lines({"store word=[0..15] address=65500 run_bytes=64 group_bytes=4"}), ErrorCode::WriteError, 0);
  poisoned("FetchErrorOfTheFirstInstruction", lines({LoadActivation}), ErrorCode::ReadError, 0, ProgramBase);
  poisoned("FetchErrorOfALaterInstruction", lines({LoadActivation, Load, Store}), ErrorCode::ReadError, 2, ProgramBase + 2 * 64 + 63);
  poisoned("FetchErrorWhileUnitsAreAtWork", lines({LongMatrix, Load, "store word=[200..201] address=4096 run_bytes=8 group_bytes=4", Load}),
           ErrorCode::ReadError, 3, ProgramBase + 3 * 64);
  // A fetch error behind an instruction that never fits into its queue is an error when it would be dispatched only.
  poisoned("FetchErrorBehindAHazard", lines({Load, Store, LoadActivation}), ErrorCode::Hazard, 1, ProgramBase + 3 * 64);

  // The program.
  add("EndOfProgram", std::string(LoadActivation) + "\n", ErrorCode::EndOfProgram, 1);
  add("EndOfAnEmptyProgram", "", ErrorCode::EndOfProgram, 0);
  add("UnknownOpcode", "word 0x77 0x0 0x0 0x0 0x0 0x0 0x0 0x0\nhalt\n", ErrorCode::IllegalInstruction, 0);
  add("UnknownOpcodeWhileUnitsAreAtWork", std::string(LongMatrix) + "\n" + Load + "\nword 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0\nhalt\n",
      ErrorCode::IllegalInstruction, 2);
  const auto spoilt = [&](const std::string& name, const std::string& line, const std::string& field, std::int64_t value,
                          ErrorCode code = ErrorCode::IllegalInstruction) {
    k.push_back({name, std::string(LoadActivation) + "\n" + line + "\nhalt\n", code, 1, 1, 0, line, field, value});
  };
  spoilt("LoadWithoutGroups", Load, "group_bytes", 0);
  spoilt("LoadOfNoBytes", Load, "run_bytes", 0);
  spoilt("LoadIntoTheAccumulator", Load, "buffer", 4);
  spoilt("LoadInRowsWithAWindow", Load, "window_bytes", 1);
  spoilt("LoadInRowsWithAWindowStep", Load, "window_step", 1);
  spoilt("LoadInRowsWithAWindowOffset", Load, "window_offset", -1);
  spoilt("LoadOfNoRuns", Load, "count1", 0);
  spoilt("LoadForAnotherMachine", Load, "machine", 12345, ErrorCode::WrongMachine);
  spoilt("LoadForAMachineOfAllOnes", Load, "machine", 0x7fffffff, ErrorCode::WrongMachine);
  spoilt("LoadForAMachineThatDiffersInABit", Load, "machine", machine_digest(small_machine()) ^ 1 << 30, ErrorCode::WrongMachine);
  spoilt("WindowWithGroups", Window, "group_bytes", 1);
  spoilt("WindowOfNoBytes", Window, "window_bytes", 0);
  spoilt("WindowThatStandsStill", Window, "window_step", 0);
  spoilt("WindowThatSkips", Window, "window_step", 5);
  spoilt("WindowBeforeTheRow", Window, "window_offset", -4);
  spoilt("MatrixZeroPointOfSignedActivations", Matrix, "act_zero", 128);
  spoilt("MatrixZeroPointOfSignedWeights", Matrix, "weight_zero", 255);
  spoilt("MatrixOfNoTaps", Matrix, "kernel_h", 0);
  spoilt("VectorChained", Pool, "chain", 1);
  spoilt("RequantizeWithAKernel", Requantize, "kernel_w", 2);
  spoilt("RequantizeWithASourceHeight", Requantize, "src_height", 1);
  spoilt("RequantizeWithASecondSource", Requantize, "src1_last", 1);
  spoilt("AddWithAKernel", Add, "kernel_h", 3);
  spoilt("AddWithParametersPerBlock", Add, "param_shared", 0);
  spoilt("DepthwiseWithSharedParameters", Depthwise, "param_shared", 1);
  spoilt("PoolOfNoSource", Pool, "src_width", 0);
  spoilt("PoolWithParameters", Pool, "param_last", 1);
  spoilt("VectorClampUpsideDown", Pool, "clamp_min", 255);
  spoilt("StoreWithoutGroups", Store, "group_bytes", 0);
  spoilt("StoreOfNoBytes", Store, "run_bytes", 0);
  spoilt("HaltThatWaits", "halt", "wait_mask", 1);
  spoilt("HaltThatPosts", "halt", "post_mask", 1);
  spoilt("HaltThatChains", "halt", "chain", 1);
  const auto outside = [&](const std::string& name, const std::string& line, const std::string& field, std::int64_t beyond) {
    spoilt(name + "BeyondItsBuffer", line, field + "_last", beyond, ErrorCode::AddressOutsideBuffer);
    spoilt(name + "BackToFront", line, field + "_base", beyond, ErrorCode::AddressOutsideBuffer);
  };
  outside("LoadWords", Load, "word", 256);
  outside("MatrixActivations", Matrix, "act", 256);
  outside("MatrixWeights", Matrix, "weight", 256);
  outside("MatrixSums", Matrix, "acc", 256);
  outside("VectorSource", Add, "src0", 256);
  outside("VectorSecondSource", Add, "src1", 256);
  outside("VectorDestination", Add, "dst", 256);
  outside("VectorParameters", Add, "param", 256);
  outside("VectorSums", Requantize, "src0", 256);
  outside("StoreWords", Store, "word", 262143);
  return k;
}

const isa::FieldInfo& field_of(const isa::FormatInfo& format, const std::string& name) {
  for (const isa::FieldInfo& f : isa::HeaderFields) {
    if (f.name == name) return f;
  }
  for (int i = 0; i < format.field_count; ++i) {
    if (format.fields[i].name == name) return format.fields[i];
  }
  throw InternalError("no field " + name);
}

Schedule schedule_of(const Kind& kind, const Machine& machine) {
  Schedule schedule = program_of(kind.program, machine);
  if (kind.field.empty()) return schedule;
  isa::Word& word = schedule.program[kind.instruction];
  EXPECT_EQ(word, isa::assemble(kind.word));
  isa::set_field(word, field_of(*isa::find(isa::opcode(word))->format, kind.field), kind.value);
  return schedule;
}

// The same code, cycle and instruction on all four.
void expect_error_everywhere(const Machine& machine, const Schedule& schedule, ErrorCode code, std::uint32_t instruction,
                             SimulationOptions options = {}) {
  std::int64_t cycle = -1;
  RunResult first;
  for (const Implementation& who : Implementations) {
    SCOPED_TRACE(who.name);
    const SimulationOutput out = run_on(who, machine, schedule, options);
    EXPECT_STREQ(isa::to_string(static_cast<ErrorCode>(out.error_code)), isa::to_string(code));
    EXPECT_EQ(out.error_instruction, instruction);
    if (cycle < 0) {
      cycle = out.error_cycle;
      first = out.result;
    }
    EXPECT_EQ(out.error_cycle, cycle);
    EXPECT_EQ(out.result.cycles, first.cycles);
    EXPECT_EQ(out.result.counters, first.counters);
    EXPECT_GE(out.result.cycles, out.error_cycle);  // what is in flight is finished
  }
}

class RtlMachineErrors : public ::testing::TestWithParam<Kind> {};

TEST_P(RtlMachineErrors, EqualEverywhere) {
  const Kind& kind = GetParam();
  const Machine machine = small_machine();
  SimulationOptions options;
  options.poison_first = kind.poison_first;
  options.poison_last = kind.poison_last;
  expect_error_everywhere(machine, schedule_of(kind, machine), kind.code, kind.instruction, options);
}

INSTANTIATE_TEST_SUITE_P(Kinds, RtlMachineErrors, ::testing::ValuesIn(kinds()),
                         [](const auto& kind) { return kind.param.name; });

// Each opcode's fields just outside of their ranges, and each group of reserved bits.
TEST(RtlErrors, EveryFieldOutOfItsRange) {
  const Machine machine = small_machine();
  int count = 0;
  for (const char* line : {Load, Matrix, Requantize, Add, Pool, Depthwise, Store, "halt"}) {
    const isa::Word good = isa::assemble(line);
    const isa::FormatInfo& format = *isa::find(isa::opcode(good))->format;
    const auto expect_illegal = [&](const isa::Word& bad, const std::string& what) {
      SCOPED_TRACE(std::string(line) + ": " + what);
      Schedule schedule = program_of("halt\n", machine);
      schedule.program.insert(schedule.program.begin(), bad);
      expect_error_everywhere(machine, schedule, ErrorCode::IllegalInstruction, 0);
      ++count;
    };
    for (int i = 0; i < format.field_count; ++i) {
      const isa::FieldInfo& f = format.fields[i];
      for (const std::int64_t value : {std::int64_t{f.min} - 1, std::int64_t{f.max} + 1}) {
        isa::Word bad = good;
        isa::set_field(bad, f, value);
        if (isa::get_field(bad, f) == value) expect_illegal(bad, std::string(f.name) + " = " + std::to_string(value));
      }
    }
    for (std::size_t q = 0; q < good.size(); ++q) {
      const std::uint64_t reserved = format.reserved[q];
      for (const std::uint64_t bit : {reserved & (~reserved + 1), reserved & ~(reserved >> 1)}) {  // lowest, and the upper ends
        if (bit == 0) continue;
        isa::Word bad = good;
        bad[q] |= bit;
        expect_illegal(bad, "reserved bits of word " + std::to_string(q));
      }
    }
    if (HasFailure()) return;
  }
  std::cout << count << " illegal instructions\n";
  EXPECT_GT(count, 100);
}

// What is wrong with an instruction besides: illegal and back to front come first, beyond its buffer behind.
TEST(RtlErrors, AnotherMachineAmongOtherErrors) {
  const Machine machine = small_machine();
  const struct {
    const char* field;
    std::int64_t value;
    ErrorCode code;
  } others[] = {{"group_bytes", 0, ErrorCode::IllegalInstruction},
                {"word_base", 16, ErrorCode::AddressOutsideBuffer},
                {"word_last", 256, ErrorCode::WrongMachine}};
  for (const auto& other : others) {
    SCOPED_TRACE(other.field);
    Schedule schedule = program_of(std::string(Load) + "\nhalt\n", machine);
    isa::set_field(schedule.program[0], field_of(isa::LoadFormat, "machine"), 7);
    isa::set_field(schedule.program[0], field_of(isa::LoadFormat, other.field), other.value);
    expect_error_everywhere(machine, schedule, other.code, 0);
  }
}

// A write that meets an outstanding read stops every run.
TEST(RtlErrors, StoreThatOvertakesALoad) {
  Machine machine = small_machine();
  machine.read_latency_cycles = 200;
  const Schedule schedule = program_of(
      "store word=[0..0] address=256 run_bytes=4 group_bytes=4\n"
      "load buffer=activation word=[0..63] address=256 run_bytes=256 group_bytes=4\n"
      "store word=[0..15] address=256 run_bytes=64 group_bytes=4\n"
      "halt\n", machine);
  for (const Implementation& who : Implementations) {
    SCOPED_TRACE(who.name);
    try {
      run_on(who, machine, schedule);
      ADD_FAILURE() << "no error";
    } catch (const RunError& error) {
      EXPECT_EQ(error.diagnostics().front().code, "E0805");
      EXPECT_NE(error.diagnostics().front().message.find("a write of [256, +64)"), std::string::npos) << error.what();
      EXPECT_NE(error.diagnostics().front().message.find("meets an outstanding read of [256..319] by load_dma"), std::string::npos) << error.what();
    }
  }
}

// ---- resets ---------------------------------------------------------------------------------------------------------------

struct Compiled {
  Schedule schedule;
  std::vector<std::vector<std::uint8_t>> inputs;
};

// A small network with convolutions, so that all units are at work.
Compiled random_compiled(const Machine& machine, regress::Random& random) {
  regress::RandomNetworkLimits limits;
  limits.min_layers = 3;
  limits.max_layers = 5;
  limits.max_channels = 12;
  limits.max_size = 7;
  limits.max_elements = 600;
  limits.max_macs = 30'000;
  limits.max_batch = 2;
  for (;;) {
    const Network network = regress::random_network(random, limits);
    try {
      Compiled c{compile(network, machine), regress::random_inputs(network, random)};
      const auto has_matrix = [](const isa::Word& word) { return isa::opcode(word) == isa::Opcode::Matrix; };
      if (std::any_of(c.schedule.program.begin(), c.schedule.program.end(), has_matrix)) return c;
    } catch (const UserError&) {  // too large for this machine
    }
  }
}

// A program compiled for one machine stops on another before it has done anything, even where nobody has compared machines before.
TEST(RtlErrors, ACompiledProgramKnowsItsMachine) {
  Machine machine = small_machine();
  machine.memory_bytes = 1 << 20;
  regress::Random random(test::random_seed() * 1069 + 7);
  Compiled c = random_compiled(machine, random);
  for (const auto& change : {+[](Machine& m) { m.rows = 8; }, +[](Machine& m) { m.lanes = 2; }, +[](Machine& m) { m.buffer(Buffer::Vector).banks = 2; }}) {
    Machine other = machine;
    change(other);
    Schedule schedule = c.schedule;
    schedule.machine_text = machine_text(other);
    SCOPED_TRACE(machine_differences(c.schedule.machine_text, schedule.machine_text));
    for (const Implementation& who : Implementations) {
      SCOPED_TRACE(who.name);
      const SimulationOutput out = run_on(who, other, schedule, {}, c.inputs);
      EXPECT_STREQ(isa::to_string(static_cast<ErrorCode>(out.error_code)), "wrong_machine");
      EXPECT_EQ(isa::opcode(schedule.program[out.error_instruction]), isa::Opcode::Load);
      EXPECT_EQ(out.error_instruction, 0u);
      EXPECT_EQ(out.result.store_bytes, 0);
    }
  }
  // Its speed may be another.
  machine.queue_depth = 2;
  machine.load_outstanding = 2;
  EXPECT_EQ(run_on(Implementations[0], machine, c.schedule, {}, c.inputs).error_code, 0u);
}

void expect_same_run(const SimulationOutput& must, const SimulationOutput& is) {
  EXPECT_EQ(is.error_code, 0u);
  EXPECT_EQ(is.result.cycles, must.result.cycles);
  EXPECT_EQ(is.result.counters, must.result.counters);
  EXPECT_EQ(is.memory, must.memory);
  EXPECT_EQ(is.faults, must.faults);
}

class RtlReset : public ::testing::TestWithParam<int> {};

// The reset pulled in the middle of a run leaves nothing behind: the run after it is as the first of all.
TEST_P(RtlReset, ARunAfterAResetInTheMiddleIsClean) {
  const Implementation& who = Implementations[GetParam()];
  Machine machine = small_machine();
  machine.memory_bytes = 1 << 20;
  machine.jitter_cycles = 9;  // begins anew, too
  regress::Random random(test::random_seed() * 1061 + 3);
  for (int network = 0; network < 3; ++network) {
    const Compiled c = random_compiled(machine, random);
    const SimulationOutput clean = run_on(Implementations[0], machine, c.schedule, {}, c.inputs);
    for (int run = 0; run < 6; ++run) {
      SimulationOptions options;
      options.reset_at = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(clean.result.cycles));
      SCOPED_TRACE("network " + std::to_string(network) + ", reset at cycle " + std::to_string(options.reset_at) + " of " +
                   std::to_string(clean.result.cycles));
      expect_same_run(clean, run_on(who, machine, c.schedule, options, c.inputs));
      if (HasFailure()) return;
    }
  }
}

std::string identifier(const ::testing::TestParamInfo<int>& info) {
  static const char* const Names[] = {"FastModel", "BeatModels", "AllBlocksRtl", "ChipRtl"};
  return Names[info.param];
}
INSTANTIATE_TEST_SUITE_P(Of, RtlReset, ::testing::Range(1, 4), identifier);

// The fast model has no reset of its own: a run that is given up leaves nothing to the next one in the process.
TEST(FastModel, ARunAfterOneGivenUpIsClean) {
  Machine machine = small_machine();
  machine.memory_bytes = 1 << 20;
  regress::Random random(test::random_seed() * 1063 + 5);
  const Compiled c = random_compiled(machine, random);
  const SimulationOutput clean = run_on(Implementations[0], machine, c.schedule, {}, c.inputs);
  for (int run = 0; run < 6; ++run) {
    SimulationOptions options;
    options.max_cycles = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(clean.result.cycles - 32));
    EXPECT_THROW(run_on(Implementations[0], machine, c.schedule, options, c.inputs), RunError);
    expect_same_run(clean, run_on(Implementations[0], machine, c.schedule, {}, c.inputs));
  }
}

}  // namespace
}  // namespace gemel
