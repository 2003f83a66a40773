// SPDX-License-Identifier: Apache-2.0
// Programs of several parts, with steps on the host between them, in every engine.
#include <gtest/gtest.h>

#include <tuple>

#include "base/error.hpp"
#include "compiler/compile.hpp"
#include "config/home.hpp"
#include "config/load.hpp"
#include "network/workload.hpp"
#include "ops/golden.hpp"
#include "support/network_builder.hpp"
#include "support/random_seed.hpp"
#include "support/same_result.hpp"
#include "support/same_run.hpp"

namespace gemel::test {
namespace {

constexpr Engine Engines[] = {Engine::Systemc, Engine::Plain, Engine::Beat};

// conv, softmax, conv, softmax, conv; the tensor around the first softmax stays in memory for the addition behind it.
Network attention_like(const std::string& arithmetic) {
  return load_workload_text("gemel_workload: 1\nname: parts\nsynthetic: {seed: 3}\narithmetic: " + arithmetic +
                                "\ninputs: [{name: x, shape: [2, 7, 6, 5]}]\nlayers:\n"
                                "  - {name: a, op: conv2d, out_channels: 21, kernel: [3, 3], padding: same}\n"
                                "  - {name: s, op: softmax}\n"
                                "  - {name: b, op: conv2d, out_channels: 21, kernel: 1}\n"
                                "  - {name: sum, op: add, inputs: [b, a], arithmetic: fixed_double}\n"
                                "  - {name: t, op: softmax}\n"
                                "  - {name: c, op: conv2d, out_channels: 9, kernel: [2, 3]}\n",
                            "parts.yaml");
}

struct PartsCase {
  PartsCase(const std::string& machine_name, const std::string& arithmetic)
      : machine(load_machine(find_named("configs", machine_name, ".yaml"))),
        network(attention_like(arithmetic)),
        schedule(compile(network, machine)),
        golden(network) {
    Random random(random_seed());
    inputs = random_inputs(network, random);
    golden.set_input(network.inputs[0], inputs[0]);
    options.golden = [this](int tensor) { return &golden.tensor(tensor); };
    options.trace = true;
    options.keep_memory = true;
  }
  SimulationOutput run(Engine engine) {
    options.engine = engine;
    return simulate(machine, schedule, inputs, options);
  }
  std::string error(Engine engine) {
    try {
      run(engine);
    } catch (const RunError& e) {
      return e.what();
    }
    return "none";
  }

  Machine machine;
  Network network;
  Schedule schedule;
  Golden golden;
  std::vector<std::vector<std::uint8_t>> inputs;
  SimulationOptions options;
};

class Parts : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(Parts, RunOneAfterTheOtherInEveryEngine) {
  const auto [machine, arithmetic] = GetParam();
  PartsCase c(machine, arithmetic);
  ASSERT_EQ(c.schedule.parts(), 3);
  const SimulationOutput first = c.run(Engine::Systemc);  // throws on a difference from golden
  ASSERT_EQ(first.outputs.size(), 1u);
  EXPECT_EQ(first.outputs[0], c.golden.tensor(c.network.outputs[0]));
  for (const Engine engine : Engines) {
    const SimulationOutput other = c.run(engine);
    EXPECT_EQ(differences(first, other) + differing_fields(first.result, other.result, c.machine), "");
    EXPECT_TRUE(other.faults.empty());
  }
  const RunResult& r = first.result;
  EXPECT_EQ(r.starts, 3);
  std::string compared;
  for (const LayerResult& layer : r.layers) compared += layer.compared + " ";
  EXPECT_EQ(compared, "equal host fused equal host equal ");
  // One axis: each part's layers begin when those of the part before have ended; counters add up to the whole.
  EXPECT_GE(r.layers[2].first_cycle, r.layers[0].last_cycle);
  EXPECT_GE(r.layers[5].first_cycle, r.layers[3].last_cycle);
  EXPECT_LE(r.layers[5].last_cycle, r.cycles);
  for (const auto& unit : r.counters) {
    std::int64_t sum = 0;
    for (const std::int64_t cycles : unit) sum += cycles;
    EXPECT_EQ(sum, r.cycles);
  }
  // As many instructions in the trace as have a unit, each once, each within the run.
  std::vector<int> seen(c.schedule.program.size(), 0);
  for (const TraceEvent& event : r.trace) {
    ++seen.at(event.instruction);
    EXPECT_EQ(event.layer, isa::decode(c.schedule.program[event.instruction]).header().tag);
    EXPECT_LE(event.end, r.cycles);
  }
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i], isa::unit(isa::opcode(c.schedule.program[i])) == isa::Unit::None ? 0 : 1) << i;
  }
  // Without data the same cycles.
  c.options.timing_only = true;
  c.options.keep_memory = false;
  for (const Engine engine : Engines) EXPECT_EQ(c.run(engine).result.cycles, r.cycles);
}

INSTANTIATE_TEST_SUITE_P(Machines, Parts,
                         testing::Combine(testing::Values("edge16", "odd7x13", "tiny8"), testing::Values("fixed_double", "fixed_single", "float")),
                         [](const auto& of) { return std::string(std::get<0>(of.param)) + "_" + std::get<1>(of.param); });

// The parts of a program are runs of their own: a chip that is started again without a reset takes the cycles that a new one takes.
TEST(PartsOfAProgram, TakeTheSameCyclesOnAChipThatHasRun) {
  PartsCase c("edge16", "fixed_double");
  c.options.again = true;
  const SimulationOutput output = c.run(Engine::Beat);
  EXPECT_EQ(output.cycles_again, output.result.cycles);
}

TEST(PartsOfAProgram, AreNamedInErrors) {
  for (const Engine engine : Engines) {
    PartsCase c("edge16", "fixed_double");
    std::vector<std::uint8_t> other = c.golden.tensor(c.schedule.layers[5].output);
    other[7] ^= 1;
    c.options.golden = [&](int tensor) { return tensor == c.schedule.layers[5].output ? &other : &c.golden.tensor(tensor); };
    const std::string text = c.error(engine);
    EXPECT_EQ(text.substr(0, text.find(" differ from")), "error[E0804]: layer `c`: 1 of 432 elements") << text;
    EXPECT_NE(text.find("\n  in part 3 of 3 of the program, from whose start cycles and instructions are counted here"), std::string::npos) << text;
  }
}

TEST(PartsOfAProgram, HaveOneLimitOfCycles) {
  for (const Engine engine : Engines) {
    PartsCase c("edge16", "fixed_double");
    const std::int64_t cycles = c.run(engine).result.cycles;
    c.options.max_cycles = cycles;
    EXPECT_EQ(c.error(engine), "none");
    c.options.max_cycles = cycles - 1;
    EXPECT_EQ(c.error(engine).substr(0, 12), "error[E0803]");
  }
}

TEST(PartsOfAProgram, StopWithTheMachinesError) {
  for (const Engine engine : Engines) {
    PartsCase c("edge16", "fixed_double");
    const SimulationOutput whole = c.run(engine);
    for (int i = c.schedule.layers[5].first_instruction; i <= c.schedule.layers[5].last_instruction; ++i) {
      const isa::Instruction instruction = isa::decode(c.schedule.program[static_cast<std::size_t>(i)]);
      if (instruction.unit != isa::Unit::Load || static_cast<std::uint64_t>(instruction.load.address) < c.schedule.constants.at(0).address) continue;
      c.options.poison_first = c.options.poison_last = static_cast<std::uint64_t>(instruction.load.address);  // of constants that nobody else reads
    }
    const SimulationOutput stopped = simulate_raw(c.machine, c.schedule, c.inputs, c.options);
    EXPECT_EQ(stopped.error_code, static_cast<std::uint32_t>(isa::ErrorCode::ReadError));
    EXPECT_EQ(isa::decode(c.schedule.program.at(stopped.error_instruction)).header().tag, 5);
    EXPECT_GT(stopped.error_cycle, whole.result.layers[3].last_cycle);
  }
}

// Progress and layers are told on the axis of the whole.
TEST(PartsOfAProgram, AreToldOnOneAxis) {
  PartsCase c("odd7x13", "fixed_double");
  std::int64_t last = -1, instructions = 0;
  std::vector<int> layers;
  c.options.layer_complete = [&](int layer, std::int64_t cycle) {
    EXPECT_GE(cycle, last);
    last = cycle;
    layers.push_back(layer);
  };
  c.options.progress = [&](const Progress& p) {
    EXPECT_EQ(p.total_instructions, static_cast<std::int64_t>(c.schedule.program.size()));
    EXPECT_GE(p.instructions, instructions);
    instructions = p.instructions;
  };
  const SimulationOutput output = c.run(Engine::Plain);
  EXPECT_EQ(layers, (std::vector<int>{0, 3, 5}));
  EXPECT_LE(last, output.result.cycles);
  EXPECT_GT(last, output.result.layers[3].last_cycle);
}

}  // namespace
}  // namespace gemel::test
