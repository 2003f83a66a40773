// SPDX-License-Identifier: Apache-2.0
// The library as its users see it: include/gemel alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <set>
#include <thread>

#include <unistd.h>

#include "gemel/gemel.hpp"

extern "C" int sc_main(int, char**) { return 0; }

namespace gemel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The text of the error that `action` ends in; "" if it ends well.
template <class Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

NetworkOptions timing_only() {
  NetworkOptions options;
  options.timing_only = true;
  return options;
}

TEST(Library, LoadsCompilesPredictsAndRuns) {
  const Machine machine = load_machine("edge16", {"pe_array.rows=32", "activation_buffer.size_bytes=256KiB"});
  const NetworkPtr network = load_network("digits");
  const Program program = compile(network, machine);
  const Estimate guess = estimate(program, machine);
  const Result result = run(program, machine);
  EXPECT_EQ(machine.rows, 32);
  EXPECT_EQ(program.network(), "digits");
  EXPECT_EQ(program.machine(), "edge16");
  EXPECT_NEAR(static_cast<double>(guess.cycles), static_cast<double>(result.cycles), guess.error_share * static_cast<double>(result.cycles));
  ASSERT_EQ(result.outputs.size(), 1U);
  EXPECT_EQ(result.outputs[0].bytes, static_cast<std::int64_t>(result.outputs[0].data.size()));
  for (const LayerResult& layer : result.layers) EXPECT_NE(layer.compared, "not compared") << layer.name;
}

TEST(Library, ShowsTheParametersOfMachines) {
  const Machine machine = load_machine("edge16"), wider = load_machine("edge16", {"pe_array.columns=32"});
  const std::vector<ParameterInfo> infos = list_parameters();
  const auto values = parameter_values(machine), of_wider = parameter_values(wider);
  ASSERT_EQ(values.size(), infos.size());
  std::set<std::string> different;
  for (std::size_t i = 0; i < infos.size(); ++i) {
    EXPECT_EQ(values[i].first, infos[i].key);
    EXPECT_FALSE(infos[i].sentence.empty()) << infos[i].key;
    if (values[i] != of_wider[i]) different.insert(infos[i].key);
    if (infos[i].key == "pe_array.columns") {
      EXPECT_EQ(values[i].second, ParameterValue{std::int64_t{16}});
      EXPECT_EQ(of_wider[i].second, ParameterValue{std::int64_t{32}});
      EXPECT_EQ(infos[i].type, "integer");
      EXPECT_EQ(infos[i].range, "1 to 256");
    }
  }
  EXPECT_EQ(different, std::set<std::string>{"pe_array.columns"});
  EXPECT_NE(parameters_digest(machine), parameters_digest(wider));
  EXPECT_EQ(parameters_digest(machine).size(), 16U);
  EXPECT_EQ(parameters_digest(machine), parameters_digest(load_machine("edge16", {"description=other words"})));
  EXPECT_NE(parameters_digest(machine), parameters_digest(load_machine("edge16", {"clock_mhz=900"})));
  EXPECT_EQ(parameters_digest(machine), run(compile(load_network("resnet8", timing_only()), machine), machine).machine_digest);
}

TEST(Library, KeepsTheTensorsThatAreAskedFor) {
  const Machine machine = load_machine("tiny8");
  const Program program = compile(load_network("digits"), machine);
  RunOptions options;
  options.engine = Engine::Plain;
  options.keep_tensors = {"*"};
  const Result all = run(program, machine, options);
  ASSERT_EQ(all.tensors.size(), all.layers.size() + 1);  // and the input
  EXPECT_EQ(all.tensors.front().name, "image");
  for (std::size_t i = 0; i < all.layers.size(); ++i) {
    EXPECT_EQ(all.tensors[i + 1].name, all.layers[i].name);
    EXPECT_EQ(all.tensors[i + 1].bytes, static_cast<std::int64_t>(all.tensors[i + 1].data.size()));
  }
  EXPECT_EQ(all.tensors.back().data, all.outputs.back().data);
  options.keep_tensors = {"dense", "conv1", "dense"};
  const Result two = run(program, machine, options);
  ASSERT_EQ(two.tensors.size(), 2U);
  EXPECT_EQ(two.tensors[0].data, all.tensors[1].data);
  EXPECT_EQ(two.tensors[1].name, "dense");
  EXPECT_TRUE(run(program, machine).tensors.empty());

  options.keep_tensors = {"conv11"};
  EXPECT_EQ(error_of([&] { run(program, machine, options); }),
            "error[E0514]: the network `digits` has no tensor `conv11`\nhint: did you mean `conv1`?");
  options.keep_tensors = {"conv1"};
  options.compare = false;
  EXPECT_THAT(error_of([&] { run(program, machine, options); }), HasSubstr("error[E0911]: `keep_tensors` takes tensors from the reference"));
  options.compare = options.timing_only = true;
  EXPECT_THAT(error_of([&] { run(program, machine, options); }), HasSubstr("error[E0911]: `keep_tensors` takes tensors from the reference"));

  // A program from a file knows what it was stored with.
  const std::string path = testing::TempDir() + "/gemel_keep_" + std::to_string(::getpid()) + ".gemel";
  options.timing_only = false;
  program.save(path);
  EXPECT_THAT(error_of([&] { run(Program::load(path), machine, options); }), HasSubstr("error[E0513]: what `digits` must compute in `conv1` is not known"));
  program.with_data({}, 1, true).save(path);
  EXPECT_EQ(run(Program::load(path), machine, options).tensors.at(0).data, all.tensors[1].data);
  std::remove(path.c_str());
}

TEST(Library, SaysWhatIsInANetworkAndInAProgram) {
  const NetworkInfo network = describe(load_network("resnet50", timing_only()));
  EXPECT_TRUE(network.timing_only);
  EXPECT_EQ(network.inputs.size(), 1U);
  EXPECT_THAT(network.inputs[0].shape, ElementsAre(1, 224, 224, 3));
  EXPECT_EQ(network.inputs[0].type, "int8");
  const LayerInfo& first = network.layers.front();
  EXPECT_EQ(first.op, "conv2d");
  EXPECT_THAT(first.kernel, ElementsAre(7, 7));
  EXPECT_THAT(first.stride, ElementsAre(2, 2));
  EXPECT_THAT(first.padding, ElementsAre(3, 3, 3, 3));
  EXPECT_THAT(first.output, ElementsAre(1, 112, 112, 64));
  EXPECT_EQ(first.macs, std::int64_t{112} * 112 * 64 * 7 * 7 * 3);
  const Program program = compile(load_network("resnet50", timing_only()), load_machine("edge16"));
  ASSERT_EQ(program.layers().size(), network.layers.size());
  EXPECT_THAT(program.layers().front().kernel, ElementsAre(7, 7));
  EXPECT_GT(program.layers().front().weight_bytes, 7 * 7 * 3 * 64);  // words of the array are whole
  EXPECT_TRUE(program.timing_only());
}

TEST(Library, RunsProgramsThatWaitForTheHost) {
  const Machine machine = load_machine("edge16");
  const NetworkPtr network = parse_network("gemel_workload: 1\nname: parts\nsynthetic: {seed: 1}\ninputs: [{name: x, shape: [2, 7, 7, 6]}]\nlayers:\n"
                                           "  - {name: a, op: conv2d, out_channels: 9, kernel: 3}\n  - {name: shares, op: softmax}\n"
                                           "  - {name: b, op: conv2d, out_channels: 7, kernel: 2}\n  - {name: class, op: argmax}\n",
                                           "parts.yaml");
  const Program program = compile(network, machine);
  RunOptions options;
  options.keep_tensors = {"b", "class"};
  for (const Engine engine : {Engine::Systemc, Engine::Plain, Engine::Beat}) {
    options.engine = engine;
    const Result result = run(program, machine, options);
    EXPECT_EQ(result.starts, 2);
    EXPECT_EQ(result.host_bytes, 2 * (5 * 5 * 9 + 5 * 5 * 9 + 4 * 4 * 7));  // a, shares, b
    EXPECT_EQ(result.outputs.at(0).data, result.tensors.at(1).data);
    EXPECT_THAT(result.host_steps().operators, ElementsAre("softmax", "argmax"));
    EXPECT_NEAR(static_cast<double>(estimate(program, machine).cycles), static_cast<double>(result.cycles), 0.1 * static_cast<double>(result.cycles));
  }
  const std::string refusal = "error[E0515]: no single start runs the program of `parts`: the NPU waits for layers on the host: `shares` (`softmax`)\n"
                              "hint: run it with `gemel run` or gemel::run(), or cut the network at these layers";
  EXPECT_EQ(error_of([&] { program.image(); }), refusal);
  options.blocks = {"requantizer=rtl"};
  options.engine.reset();
  options.waves = {"requantizer:1:2"};
  options.waves_folder = "/tmp";
  EXPECT_EQ(error_of([&] { run(program, machine, options); }),
            "error[E0911]: `waves` has the clocks of one start, and the NPU is started 2 times for `parts`\n"
            "hint: cut the network where it waits for layers on the host");
}

TEST(Library, CompilesForAnyBaseOfMemory) {
  const Machine machine = load_machine("tiny8");
  const NetworkPtr network = load_network("digits");
  const Program low = compile(network, machine);
  const Result must = run(low, machine);
  EXPECT_EQ(low.memory_base(), 0U);
  const std::string file = "/tmp/gemel-base-" + std::to_string(::getpid()) + ".gemel";
  for (const std::uint64_t base : {std::uint64_t{4096}, std::uint64_t{123} << 20}) {
    ProgramOptions options;
    options.memory_base = base;
    const Program program = compile(network, machine, options);
    EXPECT_EQ(program.memory_base(), base);
    EXPECT_EQ(program.memory_bytes(), low.memory_bytes() + static_cast<std::int64_t>(base));
    const ProgramImage image = program.image();
    EXPECT_EQ(image.memory_base, base);
    EXPECT_EQ(image.base, low.image().base + base);
    for (const auto& segment : image.segments) EXPECT_GE(segment.address, base);
    EXPECT_EQ(image.inputs.at(0).address, low.image().inputs.at(0).address + base);
    program.save(file);
    const Program loaded = Program::load(file);
    EXPECT_EQ(loaded.memory_base(), base);
    for (const Engine engine : {Engine::Plain, Engine::Beat}) {
      RunOptions run_options;
      run_options.engine = engine;
      const Result is = run(loaded, machine, run_options);
      EXPECT_EQ(is.cycles, must.cycles);
      EXPECT_EQ(is.outputs.at(0).data, must.outputs.at(0).data);
      EXPECT_EQ(is.load_bytes, must.load_bytes);
    }
  }
  std::filesystem::remove(file);
  const auto error = [&](std::uint64_t base) {
    ProgramOptions options;
    options.memory_base = base;
    return error_of([&] { compile(network, machine, options); });
  };
  const std::string hint = " of memory\nhint: a base is a multiple of 4096 below 1099511627776";
  EXPECT_EQ(error(100), "error[E0606]: programs cannot begin at address 100" + hint);
  EXPECT_EQ(error(std::uint64_t{1} << 40), "error[E0606]: programs cannot begin at address 1099511627776" + hint);
  EXPECT_EQ(error(1 << 30), "error[E0603]: network `digits` needs " + std::to_string(low.memory_bytes()) +
                                " bytes of memory from address 1073741824 on, and the machine `tiny8` has 1073741824\n"
                                "hint: raise memory.size_bytes, or lower the batch");
}

TEST(Library, EstimatesWithinTheBoundThatItStates) {
  double worst = 0;
  std::string where;
  int pairs = 0;
  for (const NetworkName& network : list_networks()) {
    const NetworkPtr loaded = load_network(network.name, timing_only());
    for (const std::string& name : list_machines()) {
      const Machine machine = load_machine(name);
      std::optional<Program> program;
      try {
        program = compile(loaded, machine);
      } catch (const UserError&) {
        continue;  // this machine cannot run this network
      }
      const Estimate guess = estimate(*program, machine);
      const auto cycles = static_cast<double>(run(*program, machine).cycles);
      const double error = std::abs(static_cast<double>(guess.cycles) - cycles) / cycles;
      EXPECT_LE(error, guess.error_share) << network.name << " on " << name;
      if (error > worst) {
        worst = error;
        where = network.name + " on " + name;
      }
      ++pairs;
    }
  }
  EXPECT_GE(pairs, 50);
  std::cout << "worst of " << pairs << " predictions: " << 100 * worst << " %, " << where << "\n";
}

TEST(Library, PredictsOnlyForTheMachineItCompiledFor) {
  const Machine machine = load_machine("tiny8"), slow = load_machine("tiny8", {"memory.read_latency_cycles=500"});
  const Program program = compile(load_network("digits"), machine);
  EXPECT_EQ(error_of([&] { estimate(program, slow); }),
            "error[E0512]: the prediction for `digits` was made for a machine with another `memory.read_latency_cycles`: 100 there and 500 here\n"
            "hint: compile the network for this machine, or run the program, which needs no prediction");
  EXPECT_GT(run(program, slow).cycles, run(program, machine).cycles);  // running is another matter
  EXPECT_THAT(error_of([&] { estimate(program, load_machine("edge16")); }), HasSubstr("error[E0505]: "));
}

TEST(Library, WarnsOfWhatHasNoEffect) {
  EXPECT_TRUE(machine_warnings(load_machine("edge16")).empty());
  const auto warnings = machine_warnings(load_machine("edge16", {"memory.bytes_per_cycle=32"}));
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(to_string(warnings[0]),
            "warning[E0113]: `memory.bytes_per_cycle` is 32, and `bus.bytes` of 16 lets no more through in each direction\n"
            "hint: `gemel explain memory.bytes_per_cycle` says what it does");
}

TEST(Library, RefusesAParameterThatIsSetTwice) {
  EXPECT_EQ(error_of([] { load_machine("edge16", {"pe_array.rows=8", "pe_array.rows=32"}); }),
            "error[E0112]: `pe_array.rows` is set twice\n"
            "  --set pe_array.rows=32\n"
            "  first by `--set pe_array.rows=8`");
}

TEST(Library, ProgramsComeBackFromFiles) {
  const auto folder = std::filesystem::temp_directory_path() / ("gemel-session-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = (folder / "digits.gemel").string();
  const Machine machine = load_machine("tiny8", {"memory.read_latency_cycles=70"});
  const Program program = compile(load_network("digits"), machine);
  program.save(path);
  const Program loaded = Program::load(path);
  EXPECT_EQ(to_yaml(loaded.compiled_for()), to_yaml(machine));
  EXPECT_EQ(loaded.layers().size(), program.layers().size());
  const Result before = run(program, machine), after = run(loaded, loaded.compiled_for());
  EXPECT_EQ(after.cycles, before.cycles);
  EXPECT_EQ(after.outputs[0].data, before.outputs[0].data);  // inputs are drawn alike
  EXPECT_EQ(before.layers[0].compared, "equal");
  EXPECT_EQ(after.layers[0].compared, "not compared");  // nothing is known of what must come out
  EXPECT_EQ(error_of([&] { (void)loaded.with_data({}, 1, true); }),
            "error[E0513]: what `digits` must compute is not known: the program came from a file\nhint: compile the network itself");
  std::filesystem::remove_all(folder);
}

TEST(Library, OptionsThatContradictEachOtherAreRefused) {
  const Machine machine = load_machine("tiny8");
  const Program program = compile(load_network("digits"), machine);
  const auto refused = [&](auto&& set) {
    RunOptions options;
    set(options);
    return error_of([&] { run(program, machine, options); });
  };
  EXPECT_EQ(refused([](RunOptions& o) { o.test_images = o.timing_only = true; }),
            "error[E0911]: `test_images` counts correct outputs, but `timing_only` computes none\nhint: leave out one of them");
  EXPECT_EQ(refused([](RunOptions& o) { o.test_images = true, o.inputs = {{1}}; }),
            "error[E0911]: `test_images` takes the workload's test images, `inputs` another one\nhint: leave out one of them");
  EXPECT_EQ(refused([](RunOptions& o) { o.timing_only = true, o.inputs = {{1}}; }),
            "error[E0911]: `inputs` gives data, but `timing_only` moves none\nhint: leave out one of them");
  EXPECT_EQ(refused([](RunOptions& o) { o.keep_going = true, o.blocks = {"pe_array=rtl"}; }),
            "error[E0911]: `keep_going` counts differences of checked blocks, but no block is checked\nhint: add `blocks` NAME=check");
  EXPECT_EQ(refused([](RunOptions& o) { o.reset_seed = 1; }),
            "error[E0911]: `reset_seed` is for registers of RTL, but no block is RTL\nhint: add `blocks` NAME=rtl");
  EXPECT_EQ(refused([](RunOptions& o) { o.no_skip = true; }),
            "error[E0911]: `no_skip` is for stepped blocks, but none is stepped\nhint: add `engine` beat, or `blocks` NAME=rtl");
  EXPECT_EQ(refused([](RunOptions& o) { o.engine = Engine::Plain, o.blocks = {"requantizer=rtl"}; }),
            "error[E0911]: `engine` is one of the fast models, and among these only `pe_array` can be RTL, and only with data\n"
            "hint: leave out `engine`, or make it beat");
  EXPECT_EQ(refused([](RunOptions& o) { o.trace = true, o.blocks = {"npu=rtl"}; }),
            "error[E0911]: `trace` records when each instruction runs, which nobody sees inside the whole chip as RTL\nhint: leave out one of them");
}

TEST(Library, SumsOverAllRoundsOfTestImages) {
  const Machine machine = load_machine("edge16");
  NetworkOptions four;
  four.batch = 4;
  const Program program = compile(load_network("digits", four), machine);
  RunOptions test;
  test.test_images = true;
  const Result one = run(program, machine), all = run(program, machine, test);
  EXPECT_EQ(all.rounds, 90);  // 360 images
  EXPECT_EQ(all.images, 360);
  EXPECT_EQ(all.cycles, 90 * one.cycles);
  EXPECT_EQ(all.macs, 90 * one.macs);
  EXPECT_EQ(all.load_bytes, 90 * one.load_bytes);
  EXPECT_EQ(all.store_bursts, 90 * one.store_bursts);
  EXPECT_EQ(all.instructions, 90 * one.instructions);
  EXPECT_DOUBLE_EQ(all.utilization(), one.utilization());
  for (int u = 0; u < UnitCount; ++u) {
    std::int64_t sum = 0;
    for (int c = 0; c < CauseCount; ++c) {
      EXPECT_EQ(all.counters[u][c], 90 * one.counters[u][c]);
      sum += all.counters[u][c];
    }
    EXPECT_EQ(sum, all.cycles);
  }
  for (std::size_t l = 0; l < one.layers.size(); ++l) {
    EXPECT_EQ(all.layers[l].macs, 90 * one.layers[l].macs);
    EXPECT_EQ(all.layers[l].load_bytes, 90 * one.layers[l].load_bytes);
    EXPECT_EQ(all.layers[l].array_cycles, 90 * one.layers[l].array_cycles);
  }
  EXPECT_NEAR(all.accuracy, 0.9917, 0.0001);
}

TEST(Library, StopsWhereItIsAskedTo) {
  const Machine machine = load_machine("edge16");
  const Program program = compile(load_network("digits"), machine);
  RunOptions options;
  options.stop.request_stop();  // before the first instruction
  EXPECT_THROW(run(program, machine, options), Interrupted);
  const StopToken copy = options.stop;
  EXPECT_TRUE(copy.stop_requested());
  EXPECT_FALSE(StopToken().stop_requested());
}

TEST(Library, TellsAnObserverOfLayersAsTheyAreComplete) {
  struct Seen : Observer {
    std::vector<std::string> layers;
    std::int64_t last = 0;
    void layer(const LayerInfo& layer, std::int64_t cycle) override {
      layers.push_back(layer.name);
      EXPECT_GE(cycle, last);
      last = cycle;
    }
  } seen;
  const Machine machine = load_machine("tiny8");
  const Program program = compile(load_network("digits", timing_only()), machine);
  RunOptions options;
  options.observer = &seen;
  const Result result = run(program, machine, options);
  std::vector<std::string> expected;
  for (const LayerResult& layer : result.layers) {
    if (layer.compared == "not compared") expected.push_back(layer.name);
  }
  EXPECT_THAT(seen.layers, ::testing::UnorderedElementsAreArray(expected));
  EXPECT_LE(seen.last, result.cycles);
}

TEST(Library, CompilesInManyThreadsAtATime) {
  const NetworkPtr network = load_network("mobilenet_v2", timing_only());
  std::vector<std::thread> threads;
  std::vector<std::int64_t> cycles(4);
  for (std::size_t i = 0; i < cycles.size(); ++i) {
    threads.emplace_back([&, i] {
      const Machine machine = load_machine("edge16");
      cycles[i] = estimate(compile(network, machine), machine).cycles;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(cycles, ::testing::Each(cycles[0]));
}

}  // namespace
}  // namespace gemel
