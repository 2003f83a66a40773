// SPDX-License-Identifier: Apache-2.0
// What must hold for every run: cycles that do not depend on data, on the order of SystemC's processes, nor on whether data
// is moved at all; counters that add up; and the shipped digits network, right in every element.
#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/compile.hpp"
#include "config/load.hpp"
#include "network/synthetic.hpp"
#include "network/workload.hpp"
#include "ops/golden.hpp"
#include "sim/simulation.hpp"
#include "support/same_result.hpp"

namespace gemel {
namespace {

using Inputs = std::vector<std::vector<std::uint8_t>>;

Inputs zeros(const Network& network) {
  Inputs inputs;
  for (const int t : network.inputs) {
    inputs.emplace_back(static_cast<std::size_t>(network.tensors[static_cast<std::size_t>(t)].bytes()), std::uint8_t{0});
  }
  return inputs;
}
Inputs random_ones(const Network& network, std::uint64_t seed) {
  Inputs inputs;
  for (const int t : network.inputs) inputs.push_back(synthetic_input(network.tensors[static_cast<std::size_t>(t)], seed++));
  return inputs;
}

class OnMachine : public ::testing::TestWithParam<const char*> {};

TEST_P(OnMachine, CyclesDoNotDependOnData) {
  const Machine machine = load_machine(find_machine(GetParam()));
  Network network = load_workload("resnet8");
  const Schedule schedule = compile(network, machine);
  const RunResult random = simulate(machine, schedule, random_ones(network, 7), {}).result;
  const RunResult zero = simulate(machine, schedule, zeros(network), {}).result;
  EXPECT_EQ(random.cycles, zero.cycles);
  EXPECT_EQ(random.counters, zero.counters);
  for (Layer& layer : network.layers) {
    Weights* weights = layer.weights();
    if (weights == nullptr) continue;
    std::fill(weights->bytes.begin(), weights->bytes.end(), std::uint8_t{0});
    std::fill(weights->bias.begin(), weights->bias.end(), 0);
  }
  const RunResult blank = simulate(machine, compile(network, machine), zeros(network), {}).result;
  EXPECT_EQ(random.cycles, blank.cycles);
  EXPECT_EQ(random.counters, blank.counters);
}

TEST_P(OnMachine, TimingOnlyGivesTheSameCycles) {
  const Machine machine = load_machine(find_machine(GetParam()));
  const Network network = load_workload("resnet8");
  LoadOptions bare;
  bare.timing_only = true;
  const Network shapes = load_workload("resnet8", bare);
  SimulationOptions options;
  options.timing_only = true;
  const RunResult timing = simulate(machine, compile(shapes, machine), Inputs(shapes.inputs.size()), options).result;
  const RunResult full = simulate(machine, compile(network, machine), random_ones(network, 3), {}).result;
  EXPECT_EQ(timing.cycles, full.cycles);
  EXPECT_EQ(timing.counters, full.counters);
}

TEST_P(OnMachine, BothEnginesLeaveTheSameResult) {
  const Machine machine = load_machine(find_machine(GetParam()));
  LoadOptions two;
  two.batch = 2;
  const Network network = load_workload("digits", two);
  const Schedule schedule = compile(network, machine);
  const Inputs inputs = random_ones(network, 5);
  Golden golden(network);
  golden.set_input(network.inputs.front(), inputs.front());
  SimulationOptions options;
  options.golden = [&](int tensor) { return &golden.tensor(tensor); };
  const RunResult model = simulate(machine, schedule, inputs, options).result;
  options.engine = Engine::Beat;
  const RunResult beat = simulate(machine, schedule, inputs, options).result;
  EXPECT_EQ(test::differing_fields(model, beat, machine), "");
  EXPECT_EQ(beat.engine, "beat");
  EXPECT_EQ(std::count_if(beat.layers.begin(), beat.layers.end(), [](const LayerResult& layer) { return layer.compared == "equal"; }), 10);
  EXPECT_GT(beat.load_bursts, 0);
  for (std::size_t u = 0; u < beat.counters.size(); ++u) {
    for (std::size_t c = 0; c < beat.counters[u].size(); ++c) {
      std::int64_t sum = 0;
      for (const LayerResult& layer : beat.layers) sum += layer.counters[u][c];
      EXPECT_EQ(sum, beat.counters[u][c]) << "unit " << u << ", cause " << c;
    }
  }
}

TEST_P(OnMachine, OrderOfProcessesDoesNotMatter) {
  const Machine machine = load_machine(find_machine(GetParam()));
  const Network network = load_workload("digits");
  const Schedule schedule = compile(network, machine);
  std::array<int, 3> order = {0, 1, 2};
  const SimulationOutput first = simulate(machine, schedule, random_ones(network, 1), {});
  while (std::next_permutation(order.begin(), order.end())) {
    SimulationOptions options;
    options.process_order = order;
    const SimulationOutput other = simulate(machine, schedule, random_ones(network, 1), options);
    EXPECT_EQ(other.result.cycles, first.result.cycles);
    EXPECT_EQ(other.result.counters, first.result.counters);
    EXPECT_EQ(other.outputs, first.outputs);
  }
}

TEST_P(OnMachine, CountersAddUpInTotalAndOverLayers) {
  const Machine machine = load_machine(find_machine(GetParam()));
  for (const char* name : {"digits", "resnet8", "depthwise_112", "dense_1000"}) {
    const Network network = load_workload(name);
    const RunResult result = simulate(machine, compile(network, machine), random_ones(network, 2), {}).result;
    for (std::size_t u = 0; u < UnitCount; ++u) {
      std::int64_t sum = 0;
      for (std::size_t c = 0; c < CauseCount; ++c) {
        sum += result.counters[u][c];
        std::int64_t layers = 0;
        for (const LayerResult& layer : result.layers) layers += layer.counters[u][c];
        EXPECT_EQ(layers, result.counters[u][c]) << name << " unit " << u << " cause " << c;
      }
      EXPECT_EQ(sum, result.cycles) << name << " unit " << u;
    }
  }
}

TEST_P(OnMachine, DigitsIsRightInEveryElement) {
  const Machine machine = load_machine(find_machine(GetParam()));
  LoadOptions load;
  const auto test = load_test_set(load_workload("digits"));
  ASSERT_TRUE(test.has_value());
  const auto images = static_cast<std::size_t>(test->shape.outermost());
  load.batch = static_cast<int>(images);
  const Network network = load_workload("digits", load);
  Golden golden(network);
  golden.set_input(network.inputs[0], test->images);
  SimulationOptions options;
  int compared = 0;
  options.golden = [&](int tensor) {
    ++compared;
    return &golden.tensor(tensor);
  };
  const SimulationOutput out = simulate(machine, compile(network, machine), {test->images}, options);  // throws on a difference
  EXPECT_GE(compared, 5);
  int correct = 0;
  const std::size_t classes = out.outputs[0].size() / images;
  for (std::size_t i = 0; i < images; ++i) {
    const auto* scores = reinterpret_cast<const std::int8_t*>(out.outputs[0].data()) + i * classes;
    correct += std::max_element(scores, scores + classes) - scores == test->labels[i];
  }
  const double accuracy = static_cast<double>(correct) / static_cast<double>(images);
  EXPECT_GE(accuracy, 0.97);
  EXPECT_NEAR(accuracy, test->float_accuracy.value(), 0.005);
}

INSTANTIATE_TEST_SUITE_P(Shipped, OnMachine, ::testing::Values("tiny8", "edge16", "wide16x64", "odd7x13", "server128"));

}  // namespace
}  // namespace gemel
