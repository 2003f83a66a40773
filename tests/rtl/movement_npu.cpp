// SPDX-License-Identifier: Apache-2.0
// The whole chip as RTL against the stepper of beat models, each with an ideal memory of its own: random programs, careless
// ones, and compiled random networks. Cycles, counters, errors, every request and every written beat with its cycle, and all
// bytes of memory must be equal.
#include <gtest/gtest.h>

#include "NpuOdd.h"
#include "NpuSquare.h"
#include "NpuSynthesizedUneven.h"
#include "NpuUneven.h"
#include "base/error.hpp"
#include "compiler/compile.hpp"
#include "isa/isa.hpp"
#include "movement_harness.hpp"
#include "support/network_builder.hpp"
#include "support/random_program.hpp"
#include "support/random_seed.hpp"
#include "top/stepper.hpp"

namespace gemel::rtl_test {
namespace {

// Everything that the chip asks of memory: cycle, port, address or last, bytes or a hash of the beat.
using Traffic = std::vector<std::array<std::uint64_t, 4>>;

std::uint64_t hash_bytes(const void* data, std::size_t count) {
  std::uint64_t h = 14695981039346656037u;  // FNV-1a
  for (std::size_t i = 0; i < count; ++i) h = (h ^ static_cast<const std::uint8_t*>(data)[i]) * 1099511628211u;
  return h;
}
std::array<std::uint64_t, 4> traffic_entry(Cycle cycle, Port port, std::uint64_t value, std::uint64_t more) {
  return {static_cast<std::uint64_t>(cycle), static_cast<std::uint64_t>(port), value, more};
}

struct NpuRun {
  bool halted = false;
  Cycle cycles = 0;
  SequencerCounters counters{};
  std::uint32_t error_code = 0, error_instruction = 0;
  std::uint64_t error_cycle = 0;
  Traffic traffic;
};

// The chip, a memory, and what a driver does.
template <class Top>
class Chip {
 public:
  Chip(const Machine& machine, Random& random) : machine_(machine), random_(random), rtl_(random()) {}

  void reset() { rtl_.reset(); }

  // Starts the program; `give_up` clocks later at the latest it returns, the chip running still.
  NpuRun run(std::vector<std::uint8_t>& memory, std::uint64_t base, std::uint32_t bytes, Cycle give_up) {
    IdealMemoryBeat ideal(machine_, memory);
    NpuRun run;
    const std::pair<std::uint32_t, std::uint32_t> writes[] = {
        {isa::csr::ProgramBaseLow, static_cast<std::uint32_t>(base)},
        {isa::csr::ProgramBaseHigh, static_cast<std::uint32_t>(base >> 32)},
        {isa::csr::ProgramBytes, bytes},
        {isa::csr::InterruptEnable, 1},
        {isa::csr::Control, 1}};
    for (const auto& [offset, value] : writes) {
      rtl_->csr_write_i = 1;
      rtl_->csr_write_offset_i = static_cast<std::uint16_t>(offset);
      rtl_->csr_write_data_i = value;
      step(ideal, run, -1);
      rtl_->csr_write_i = 0;
    }
    for (int wait = 0; !rtl_->running_o && wait < 5; ++wait) step(ideal, run, -1);
    EXPECT_EQ(rtl_->running_o, 1);
    Cycle cycle = 0;
    while (rtl_->running_o && cycle < give_up) {
      EXPECT_EQ(rtl_->interrupt_o, 0);
      step(ideal, run, cycle++);
    }
    EXPECT_EQ(ideal.violation(), "");
    run.halted = !rtl_->running_o;
    if (!run.halted) return run;
    step(ideal, run, -1);
    EXPECT_EQ(rtl_->interrupt_o, 1);
    const auto read64 = [&](std::uint32_t offset) {
      return read(ideal, run, offset) | std::uint64_t{read(ideal, run, offset + 4)} << 32;
    };
    run.cycles = static_cast<Cycle>(read64(isa::csr::CyclesLow));
    EXPECT_EQ(run.cycles, cycle);
    for (std::uint32_t u = 0; u < isa::UnitCount; ++u) {
      for (std::uint32_t c = 0; c < isa::CauseCount; ++c) {
        run.counters[u][c] = static_cast<std::int64_t>(read64(isa::csr::Counters + 8 * (isa::CauseCount * u + c)));
      }
    }
    run.error_code = read(ideal, run, isa::csr::ErrorCode);
    run.error_instruction = read(ideal, run, isa::csr::ErrorInstruction);
    run.error_cycle = read64(isa::csr::ErrorCycleLow);
    EXPECT_EQ(read(ideal, run, isa::csr::Version), isa::Version);
    return run;
  }

 private:
  std::uint32_t read(IdealMemoryBeat& ideal, NpuRun& run, std::uint32_t offset) {
    rtl_->csr_read_i = 1;
    rtl_->csr_read_offset_i = static_cast<std::uint16_t>(offset);
    step(ideal, run, -1);
    rtl_->csr_read_i = 0;
    step(ideal, run, -1);
    EXPECT_EQ(rtl_->csr_answered_o, 1);
    return rtl_->csr_data_o;
  }

  void step(IdealMemoryBeat& ideal, NpuRun& run, Cycle cycle) {
    const auto bus = static_cast<std::uint64_t>(machine_.bus_bytes);
    MemoryBeatIn in;
    in.fetch = {rtl_->fetch_arvalid_o != 0, rtl_->fetch_araddr_o, rtl_->fetch_ar_bytes_o};
    in.load = {rtl_->load_arvalid_o != 0, rtl_->load_araddr_o, rtl_->load_ar_bytes_o};
    in.store.valid = rtl_->store_awvalid_o != 0;
    in.store.address = rtl_->store_awaddr_o;
    in.store.bytes = rtl_->store_aw_bytes_o;
    in.store.data_valid = rtl_->store_wvalid_o != 0;
    in.store.data_last = rtl_->store_wlast_o != 0;
    std::vector<std::uint8_t> data(bus);
    if (in.store.data_valid) {
      std::memcpy(data.data(), &rtl_->store_wdata_o, bus);
      in.store.data = data.data();
      int first = 0, end = static_cast<int>(bus);
      while (first < end && get(rtl_->store_wstrb_o, first, 1) == 0) ++first;
      while (end > first && get(rtl_->store_wstrb_o, end - 1, 1) == 0) --end;
      for (int b = first; b < end; ++b) EXPECT_EQ(get(rtl_->store_wstrb_o, b, 1), 1u);
      in.store.strobe_first = static_cast<std::uint8_t>(first);
      in.store.strobe_end = static_cast<std::uint8_t>(end);
    }
    if (cycle >= 0) {
      const auto request = [&](Port port, bool valid, std::uint64_t address, std::uint32_t bytes, int length) {
        if (!valid) return;
        run.traffic.push_back(traffic_entry(cycle, port, address, bytes));
        EXPECT_EQ(static_cast<std::uint64_t>(length), (address + bytes - 1) / bus - address / bus);
      };
      request(Port::FetchRequest, in.fetch.valid, in.fetch.address, in.fetch.bytes, rtl_->fetch_arlen_o);
      request(Port::LoadRequest, in.load.valid, in.load.address, in.load.bytes, rtl_->load_arlen_o);
      request(Port::StoreRequest, in.store.valid, in.store.address, in.store.bytes, rtl_->store_awlen_o);
      if (in.store.data_valid) {
        run.traffic.push_back(traffic_entry(cycle, Port::StoreData,
                                            (in.store.data_last ? 1u : 0u) | std::uint32_t{in.store.strobe_first} << 8 |
                                                std::uint32_t{in.store.strobe_end} << 16,
                                            hash_bytes(data.data(), data.size())));
      }
    } else {
      EXPECT_EQ(in.load.valid || in.store.valid || in.store.data_valid, false);
    }

    const MemoryBeatOut& out = ideal.out();
    const auto answer = [&](const ReadResponseWires& wires, auto& ready, auto& valid, auto& last, auto& response, auto& beat) {
      ready = wires.request_ready;
      valid = wires.valid;
      last = wires.valid ? wires.last : random_() & 1;
      response = static_cast<std::uint8_t>(wires.valid ? (wires.error ? 2 : 0) : random_() & 3);
      if (wires.valid) set_bytes(beat, 8 * machine_.bus_bytes, wires.data);
    };
    answer(out.fetch, rtl_->fetch_arready_i, rtl_->fetch_rvalid_i, rtl_->fetch_rlast_i, rtl_->fetch_rresp_i, rtl_->fetch_rdata_i);
    answer(out.load, rtl_->load_arready_i, rtl_->load_rvalid_i, rtl_->load_rlast_i, rtl_->load_rresp_i, rtl_->load_rdata_i);
    rtl_->store_awready_i = out.store.request_ready;
    rtl_->store_wready_i = out.store.data_ready;
    rtl_->store_bvalid_i = out.store.valid;
    rtl_->store_bresp_i = static_cast<std::uint8_t>(out.store.valid ? (out.store.error ? 2 : 0) : random_() & 3);
    clock(rtl_);
    ideal.step(in);
  }

  const Machine& machine_;
  Random& random_;
  Rtl<Top> rtl_;
};

struct Expected {
  StepperResult result;
  Traffic traffic;
};

Expected step_models(const Machine& machine, std::vector<std::uint8_t>& memory, std::uint64_t base, std::uint32_t bytes, Cycle limit) {
  Expected e;
  Stepper stepper(machine, memory);
  stepper.never_skip();  // or a request that waits would not be seen in every cycle
  stepper.observe([&e](const Beat& beat) {
    switch (beat.port) {
      case Port::FetchRequest:
      case Port::LoadRequest:
      case Port::StoreRequest: {
        std::uint32_t count = 0;
        std::memcpy(&count, beat.data, sizeof count);
        e.traffic.push_back(traffic_entry(beat.cycle, beat.port, beat.value, count));
        break;
      }
      case Port::StoreData: e.traffic.push_back(traffic_entry(beat.cycle, beat.port, beat.value, hash_bytes(beat.data, beat.bytes))); break;
      default: break;
    }
  });
  e.result = stepper.run(base, bytes, limit);
  return e;
}

void expect_equal(const Expected& expected, const NpuRun& actual) {
  const StepperResult& r = expected.result;
  for (std::size_t i = 0; i < std::min(expected.traffic.size(), actual.traffic.size()); ++i) {
    ASSERT_EQ(actual.traffic[i], expected.traffic[i]) << "transfer " << i << ", " << to_string(static_cast<Port>(expected.traffic[i][1]));
  }
  ASSERT_EQ(actual.traffic.size(), expected.traffic.size());
  ASSERT_TRUE(actual.halted);
  EXPECT_EQ(actual.cycles, r.cycles);
  EXPECT_EQ(actual.error_code, static_cast<std::uint32_t>(r.error_code));
  if (r.error_code != isa::ErrorCode::None) {
    EXPECT_EQ(actual.error_cycle, static_cast<std::uint64_t>(r.error_cycle));
    EXPECT_EQ(actual.error_instruction, r.error_instruction);
  }
  for (std::size_t u = 0; u < isa::UnitCount; ++u) {
    for (std::size_t c = 0; c < isa::CauseCount; ++c) {
      EXPECT_EQ(actual.counters[u][c], r.counters[u][c])
          << isa::to_string(static_cast<isa::Unit>(u)) << ", " << isa::to_string(static_cast<isa::Cause>(c));
    }
  }
}

// What RTL does not depend on: the world outside.
void draw_memory(Machine& m, Random& random) {
  m.read_latency_cycles = between(random, 1, chance(random, 50) ? 10 : 80);
  m.write_latency_cycles = between(random, 1, chance(random, 50) ? 10 : 80);
  m.memory_bytes_per_cycle = chance(random, 50) ? m.bus_bytes : between(random, 1, 2 * m.bus_bytes);
  m.memory_queue = chance(random, 50) ? 64 : between(random, 1, 6);
  m.jitter_cycles = chance(random, 50) ? 0 : between(random, 1, 60);
  m.jitter_seed = between(random, 0, 1 << 30);
}

// The chips of this test are Verilated before a machine's digest is known: their programs are for any machine.
std::vector<isa::Word> for_any_machine(std::vector<isa::Word> program) {
  for (isa::Word& word : program) {
    if (isa::opcode(word) == isa::Opcode::Load) isa::set_field(word, isa::LoadFields[isa::LoadFormat.field_count - 1], 0);
  }
  return program;
}

template <class Top>
void run_programs(Machine machine, int runs, int careless_percent) {
  const std::uint64_t seed = test::random_seed();
  Random random(seed * 1039 + static_cast<std::uint64_t>(machine.rows * 256 + machine.columns + careless_percent));
  machine.memory_bytes = 1 << 16;
  std::int64_t cycles = 0, instructions = 0;
  int errors = 0, compared = 0;
  for (int run = 0; run < runs; ++run) {
    SCOPED_TRACE("run " + std::to_string(run));
    draw_memory(machine, random);
    testing::Random program_random(random());
    testing::RandomProgram maker(program_random, machine);
    maker.careless_percent = careless_percent;
    const std::vector<isa::Word> program = for_any_machine(maker.make(between(random, 1, 40)));
    std::vector<std::uint8_t> memory(static_cast<std::size_t>(machine.memory_bytes));
    for (auto& byte : memory) byte = static_cast<std::uint8_t>(random());
    std::memcpy(memory.data() + testing::ProgramRegion, program.data(), program.size() * isa::InstructionBytes);
    const auto bytes = static_cast<std::uint32_t>(program.size() * isa::InstructionBytes);
    std::vector<std::uint8_t> model_memory = memory;
    const Expected expected = step_models(machine, model_memory, testing::ProgramRegion, bytes, 1000000);
    if (expected.result.end != StepperEnd::Halt && expected.result.end != StepperEnd::Error) continue;
    Chip<Top> chip(machine, random);
    const NpuRun actual = chip.run(memory, testing::ProgramRegion, bytes, expected.result.cycles + 1000);
    expect_equal(expected, actual);
    if (::testing::Test::HasFailure()) return;
    ASSERT_EQ(memory, model_memory);
    ++compared;
    cycles += expected.result.cycles;
    instructions += static_cast<std::int64_t>(expected.result.instructions.size());
    errors += expected.result.end == StepperEnd::Error;
  }
  std::cout << compared << " programs, " << instructions << " instructions, " << cycles << " cycles, " << errors << " errors\n";
  EXPECT_GT(compared, runs * 9 / 10);
  if (careless_percent > 0) {
    EXPECT_GT(errors, runs / 20);
  }
}

std::vector<std::uint8_t> memory_image(const Machine& machine, const Schedule& schedule, const Network& network, Random& random) {
  std::vector<std::uint8_t> memory(static_cast<std::size_t>(machine.memory_bytes));
  std::memcpy(memory.data() + schedule.program_base, schedule.program.data(), schedule.program.size() * isa::InstructionBytes);
  for (const ConstantSegment& segment : schedule.constants) {
    std::copy(segment.bytes.begin(), segment.bytes.end(), memory.begin() + static_cast<std::ptrdiff_t>(segment.address));
  }
  const auto inputs = test::random_inputs(network, random);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const ScheduleTensor& tensor = schedule.tensors[static_cast<std::size_t>(network.inputs[i])];
    std::copy(inputs[i].begin(), inputs[i].end(), memory.begin() + static_cast<std::ptrdiff_t>(tensor.address));
  }
  return memory;
}

// Every second chip is reset in the middle of a run first, with the run's memory and all.
template <class Top>
void run_networks(Machine machine, int runs) {
  Random random(test::random_seed() * 1049 + static_cast<std::uint64_t>(machine.rows * 256 + machine.columns));
  machine.memory_bytes = 1 << 20;
  std::int64_t cycles = 0, layers = 0;
  int compared = 0;
  for (int tried = 0; compared < runs && tried < 20 * runs; ++tried) {
    SCOPED_TRACE("network " + std::to_string(tried));
    draw_memory(machine, random);
    test::RandomNetworkLimits limits;
    const Network network = test::random_network(random, limits);
    Schedule schedule;
    try {
      schedule = compile(network, machine);
      schedule.program = for_any_machine(schedule.program);
    } catch (const UserError&) {
      continue;  // too large for this machine
    }
    const std::vector<std::uint8_t> image = memory_image(machine, schedule, network, random);
    const auto bytes = static_cast<std::uint32_t>(schedule.program.size() * isa::InstructionBytes);
    std::vector<std::uint8_t> model_memory = image;
    const Expected expected = step_models(machine, model_memory, schedule.program_base, bytes, 60000);
    if (expected.result.end == StepperEnd::CycleLimit) continue;  // long ones are for others
    ASSERT_EQ(expected.result.end, StepperEnd::Halt);
    Chip<Top> chip(machine, random);
    if (compared % 2 == 1) {
      std::vector<std::uint8_t> spoiled = image;
      chip.run(spoiled, schedule.program_base, bytes, static_cast<Cycle>(random() % static_cast<std::uint64_t>(expected.result.cycles)));
      chip.reset();
    }
    std::vector<std::uint8_t> memory = image;
    const NpuRun actual = chip.run(memory, schedule.program_base, bytes, expected.result.cycles + 1000);
    expect_equal(expected, actual);
    if (::testing::Test::HasFailure()) return;
    ASSERT_EQ(memory, model_memory);
    ++compared;
    cycles += expected.result.cycles;
    layers += static_cast<std::int64_t>(schedule.layers.size());
  }
  std::cout << compared << " networks, " << layers << " layers, " << cycles << " cycles\n";
  EXPECT_EQ(compared, runs);
}

// As movement.cmake has them.
Machine npu_machine(int rows, int columns, int lanes, int bus, int burst, int loads, int stores, int queue, int prefetch,
                    std::array<int, BufferCount> words, std::array<int, BufferCount> banks) {
  Machine m;
  m.rows = rows;
  m.columns = columns;
  m.lanes = lanes;
  m.bus_bytes = bus;
  m.burst_bytes = burst;
  m.load_outstanding = loads;
  m.store_outstanding = stores;
  m.queue_depth = queue;
  m.prefetch_instructions = prefetch;
  for (std::size_t b = 0; b < words.size(); ++b) {
    const auto buffer = static_cast<Buffer>(b);
    m.buffer(buffer) = {std::int64_t{words[b]} * m.word_bytes(buffer), banks[b]};
    EXPECT_EQ(m.words(buffer), words[b]);
  }
  return m;
}
Machine square() { return npu_machine(4, 4, 4, 8, 64, 2, 2, 4, 4, {256, 256, 256, 256, 128}, {2, 2, 2, 2, 2}); }
Machine uneven() { return npu_machine(2, 6, 2, 16, 128, 4, 1, 2, 8, {300, 240, 330, 130, 96}, {4, 3, 3, 2, 4}); }
Machine odd() { return npu_machine(5, 3, 1, 4, 16, 3, 5, 1, 1, {257, 255, 401, 211, 105}, {1, 5, 1, 1, 7}); }

TEST(RtlNpu, EqualsTheModelsOnRandomProgramsAt4x4) { run_programs<NpuSquare>(square(), 300, 0); }
TEST(RtlNpu, EqualsTheModelsOnRandomProgramsAt2x6) { run_programs<NpuUneven>(uneven(), 300, 0); }
TEST(RtlNpu, EqualsTheModelsOnRandomProgramsAt5x3) { run_programs<NpuOdd>(odd(), 300, 0); }
TEST(RtlNpu, EqualsTheModelsOnCarelessProgramsAt4x4) { run_programs<NpuSquare>(square(), 200, 30); }
TEST(RtlNpu, EqualsTheModelsOnCarelessProgramsAt2x6) { run_programs<NpuUneven>(uneven(), 200, 30); }
TEST(RtlNpu, EqualsTheModelsOnCarelessProgramsAsSynthesized) { run_programs<NpuSynthesizedUneven>(uneven(), 200, 30); }
TEST(RtlNpu, EqualsTheModelsOnCarelessProgramsAt5x3) { run_programs<NpuOdd>(odd(), 200, 30); }
TEST(RtlNpu, EqualsTheModelsOnNetworksAt4x4) { run_networks<NpuSquare>(square(), 40); }
TEST(RtlNpu, EqualsTheModelsOnNetworksAt2x6) { run_networks<NpuUneven>(uneven(), 40); }
TEST(RtlNpu, EqualsTheModelsOnNetworksAsSynthesized) { run_networks<NpuSynthesizedUneven>(uneven(), 40); }
TEST(RtlNpu, EqualsTheModelsOnNetworksAt5x3) { run_networks<NpuOdd>(odd(), 40); }

}  // namespace
}  // namespace gemel::rtl_test
