// SPDX-License-Identifier: Apache-2.0
// What regressions draw, without RTL.
#include "regress/regress.hpp"

#include <gtest/gtest.h>

#include <iostream>
#include <set>
#include <tuple>

#include "config/digest.hpp"
#include "regress/stretch.hpp"
#include "support/random_seed.hpp"
#include "support/same_run.hpp"

namespace gemel {
namespace {

TEST(Regress, MachinesOfTheLongRunAreSpreadOut) {
  EXPECT_EQ(regress::describe_machines(1, 24),
            "24 machines: rows 1..8, columns 1..32, 18 with rows != columns, 12 with an odd side, lanes 1..6, outstanding 1..16, bus 4..128 bytes, "
            "queues 1..24");
}

TEST(Regress, SixteenMachinesHaveEveryNumberOfOutstandingBursts) {
  std::set<int> loads, stores;
  for (int i = 0; i < 16; ++i) {
    loads.insert(regress::random_machine_of(7, i).load_outstanding);
    stores.insert(regress::random_machine_of(7, i).store_outstanding);
  }
  EXPECT_EQ(loads.size(), 16u);
  EXPECT_EQ(stores.size(), 16u);
}

// 73 million cycles, most of them spent waiting for one burst after the other.
TEST(Regress, CasesWithVerySlowMemoriesComeToTheirEnd) {
  const regress::Case c = regress::random_case(20331, 495, 8, {"pe_array=model"});
  ASSERT_GT(c.machine.read_latency_cycles, 90'000);
  SimulationOptions options = regress::options_of(c);
  options.engine = Engine::Plain;
  EXPECT_GT(simulate_raw(c.machine, c.schedule, c.inputs, options).result.cycles, 20'000'000);
}

// Without data, where memory is regular, the engine `plain` lets load_dma decide its reads itself: same cycles, counters, starts, ends and errors as under
// SystemC, where each is a request. Returns whether case `i` has such a memory and comes to its end.
bool reads_take_the_same_cycles(std::uint64_t seed, int i) {
  const std::vector<std::string> blocks = {"pe_array=model"};
  regress::Case c = i % 3 == 0 ? regress::random_case(seed, i, 24, blocks) : regress::random_program_case(seed, i, 24, nullptr, blocks);
  if (i % 4 != 0) {
    c.machine.jitter_cycles = 0;
    c.machine.stall_percent = {};
    c.machine.memory_queue = std::max(c.machine.memory_queue, std::max(c.machine.load_outstanding, c.machine.store_outstanding));
  }
  const auto run = [&](Engine engine, std::string& error) {
    SimulationOptions options = regress::options_of(c);
    options.engine = engine;
    options.timing_only = true;
    options.keep_memory = false;
    options.max_cycles = 1'000'000;
    options.abort_at = -1;  // not of the engine `systemc`
    options.bytes_behind_program = 0;
    std::string told;
    options.progress = [&](const Progress& progress) { told += std::to_string(progress.cycles) + " "; };
    options.layer_complete = [&](int layer, std::int64_t cycle) { told += std::to_string(layer) + "@" + std::to_string(cycle) + " "; };
    SimulationOutput output;
    try {
      output = simulate_raw(c.machine, c.schedule, c.inputs, options);
    } catch (const Error& thrown) {
      error = thrown.what();
    }
    error += output.error_text + told;
    return output;
  };
  std::string error, other_error;
  const SimulationOutput systemc = run(Engine::Systemc, error), plain = run(Engine::Plain, other_error);
  EXPECT_EQ(test::differences(systemc, plain), "") << "case " << i;
  EXPECT_EQ(systemc.error_cycle, plain.error_cycle) << "case " << i;
  EXPECT_EQ(error, other_error) << "case " << i;
  return i % 4 != 0 && plain.error_code == 0 && plain.result.cycles > 0;
}

// GEMEL_CASES=N for more.
TEST(Regress, ReadsThatLoadDmaDecidesTakeTheSameCycles) {
  const std::uint64_t seed = test::random_seed(5);  // its case 18: memory's queue holds back fetch, not load_dma
  const char* const more = std::getenv("GEMEL_CASES");
  const int cases = more != nullptr ? std::atoi(more) : 300;
  int regular = 0;
  for (int i = 0; i < cases; ++i) {
    regular += reads_take_the_same_cycles(seed, i) ? 1 : 0;
    if (HasFailure()) return;
  }
  EXPECT_GE(regular, cases / 2);
}

// With every unit idle, a halt waits for instructions behind it that are still being fetched; nothing else wakes the sequencer then.
TEST(Regress, AHaltIsWokenByTheLastInstructionBehindIt) { reads_take_the_same_cycles(78, 2111); }

// Two loads whose runs are as long and end with a short group, of groups of other lengths, are cut into words otherwise.
TEST(Regress, RunsAsLongMayBeCutOtherwise) { reads_take_the_same_cycles(77, 587); }

// A program that fails: no engine asks for instructions, or forgets some, that another does not. Cycles, counters, error registers, starts and ends, memory and
// traffic are equal behind errors of every kind, aborts among them. More of fetch is spoilt here than in the cases of regressions. GEMEL_CASES=N for more.
TEST(Regress, EnginesEndAlikeBehindAnError) {
  const std::uint64_t seed = test::random_seed(8);
  const char* const more = std::getenv("GEMEL_CASES");
  const int cases = more != nullptr ? std::atoi(more) : 400;
  int fetch_errors = 0, other_errors = 0, aborts = 0;
  for (int i = 0; i < cases; ++i) {
    regress::Case c = regress::random_program_case(seed, i, 24, nullptr, {"pe_array=model"});
    regress::Dice dice(seed + static_cast<std::uint64_t>(i));
    SimulationOptions options = regress::options_of(c);
    options.max_cycles = 5'000'000;
    const auto instructions = static_cast<std::int64_t>(c.schedule.program.size());
    if (i % 2 == 1 && options.poison_first > options.poison_last) {
      const auto poisoned = static_cast<std::uint64_t>(dice.range(0, static_cast<int>(instructions) - 1));
      options.poison_first = options.poison_last = c.schedule.program_base + poisoned * isa::InstructionBytes;
    }
    if (i % 4 == 3) c.machine.memory_queue = dice.range(1, 4);  // requests for instructions wait on the wires
    c.schedule.machine_text = machine_text(c.machine);
    const auto run = [&](Engine engine) {
      options.engine = engine;
      return simulate_raw(c.machine, c.schedule, c.inputs, options);
    };
    const auto expect_equal = [&](const SimulationOutput& one, const SimulationOutput& other) {
      const auto traffic = [](const RunResult& r) {
        return std::vector<std::int64_t>{r.fetch_bursts, r.fetch_bytes, r.load_bursts, r.load_bytes, r.store_bursts, r.store_bytes};
      };
      EXPECT_EQ(test::differences(one, other), "") << "case " << i << ": " << one.error_text << other.error_text;
      EXPECT_EQ(traffic(one.result), traffic(other.result)) << "case " << i << ": " << one.error_text << other.error_text;
    };
    try {
      const SimulationOutput plain = run(Engine::Plain);
      if (plain.error_code == 0) continue;
      expect_equal(plain, run(Engine::Beat));
      (plain.error_text.find("instruction fetch") != std::string::npos ? fetch_errors : other_errors) += 1;
      if (plain.error_code == static_cast<std::uint32_t>(isa::ErrorCode::Aborted)) ++aborts;
      if (options.abort_at > 0 || options.bytes_behind_program > 0) continue;  // not of the engine `systemc`
      expect_equal(run(Engine::Systemc), plain);
    } catch (const RunError&) {  // poisoned, it may wait for ever, or a store overtake a load
    }
  }
  std::cout << fetch_errors << " errors of fetch, " << other_errors << " others, " << aborts << " of them aborts, of " << cases << " programs\n";
  EXPECT_GE(fetch_errors, cases / 5);
  EXPECT_GE(other_errors, cases / 10);
  EXPECT_GE(aborts, cases / 50);
}

TEST(Regress, CasesOfOneMachineHaveItsChipAndAnotherMemory) {
  const regress::Case a = regress::random_case(1, 3, 24, {"npu=rtl"}), b = regress::random_case(1, 27, 24, {"npu=rtl"});
  EXPECT_EQ(machine_text(a.machine), machine_text(b.machine));
  EXPECT_EQ(a.machine.load_outstanding, b.machine.load_outstanding);
  const auto memory = [](const Machine& m) {
    return std::make_tuple(m.read_latency_cycles, m.write_latency_cycles, m.memory_bytes_per_cycle, m.memory_queue, m.jitter_cycles, m.jitter_seed);
  };
  EXPECT_NE(memory(a.machine), memory(b.machine));
}

// Whatever a generator was made for is met, often enough for a regression of a few hundred programs. One that no longer makes it fails here,
// not by a mistake in RTL that nobody finds.
TEST(Regress, RandomProgramsMeetEveryRareCase) {
  constexpr int Cases = 400, Machines = 24;
  regress::Reached reached{};
  for (int i = 0; i < Cases; ++i) regress::count_reached(regress::random_program_case(1, i, Machines, nullptr, {"pe_array=model"}), reached);
  for (int r = 0; r < regress::ReachCount; ++r) {
    const auto reach = static_cast<regress::Reach>(r);
    if (reach == regress::Reach::Noise) continue;  // needs RTL
    EXPECT_GE(reached[static_cast<std::size_t>(r)], Cases / 100) << to_string(reach);
  }
}

// Its load and its store are moved beyond the end of memory, so that both fail at once: the store must not overtake the load there, as it once did.
TEST(Regress, BeyondTheEndOfMemoryAStoreDoesNotOvertakeALoad) {
  const regress::Case c = regress::random_program_case(2, 606, 4, nullptr, {"pe_array=model"});
  EXPECT_NO_THROW(simulate_raw(c.machine, c.schedule, c.inputs, regress::options_of(c)));
}

TEST(Regress, MixturesAreOfAProgramWithEveryInstructionForAnySeed) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) EXPECT_FALSE(regress::mixtures(seed).empty()) << seed;
}

TEST(Regress, MixturesAreAllDifferentAndLeaveNoneOut) {
  std::set<std::string> blocks;
  for (const regress::Case& c : regress::mixtures(1)) blocks.insert(regress::describe(c.blocks));
  EXPECT_EQ(blocks.size(), 1024u /*of ten blocks*/ + 3u /*leaves*/ + 1u /*all of them*/ + 1u /*the chip*/);
  for (const char* one : {"models only", "pe_array=rtl", "requantizer=rtl", "npu=rtl"}) EXPECT_EQ(blocks.count(one), 1u) << one;
}

}  // namespace
}  // namespace gemel
