// SPDX-License-Identifier: Apache-2.0
// How well the compiler maps: predicted cycles of the shipped networks (tests/system/recorded_test.cpp holds them to the simulated
// ones), the choices it makes, and what it must not depend on.
#include <gtest/gtest.h>

#include <thread>

#include "base/error.hpp"
#include "compiler/compile.hpp"
#include "compiler/lower.hpp"
#include "config/load.hpp"
#include "network/workload.hpp"
#include "support/network_builder.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

Machine shipped(const std::string& name) { return load_machine(std::string(GEMEL_SOURCE_DIR) + "/configs/" + name + ".yaml"); }

Network workload(const std::string& name) {
  LoadOptions options;
  options.timing_only = true;
  return load_workload(std::string(GEMEL_SOURCE_DIR) + "/workloads/" + name + ".yaml", options);
}

std::int64_t predicted(const Schedule& schedule) {
  std::int64_t sum = 0;
  for (const ScheduleLayer& l : schedule.layers) sum += l.predicted_cycles;
  return sum;
}

TEST(Mapping, KeepsItsPromisesOnEdge16) {
  // Peak of the array for ResNet-50 is 15.97 million; 18.0 and 3.0 are the project's limits.
  EXPECT_LT(predicted(compile(workload("resnet50"), shipped("edge16"))), 16'650'000);
  EXPECT_LT(predicted(compile(workload("mobilenet_v2"), shipped("edge16"))), 2'400'000);
}

TEST(Mapping, RunsEveryShippedNetworkOnEveryShippedMachine) {
  int compiled = 0;
  for (const char* machine_name : {"tiny8", "edge16", "wide16x64", "odd7x13", "server128"}) {
    const Machine machine = shipped(machine_name);
    for (const char* name : {"resnet50", "mobilenet_v1", "mobilenet_v2", "resnet18", "bert_base_encoder", "digits"}) {
      SCOPED_TRACE(std::string(name) + " on " + machine_name);
      const Schedule s = compile(workload(name), machine);
      EXPECT_EQ(isa::opcode(s.program.back()), isa::Opcode::Halt);
      for (const isa::Word& word : s.program) {
        const auto bad = isa::check(word);
        const auto claim = isa::check_claims(isa::decode(word), machine);
        ASSERT_FALSE(bad) << isa::to_string(*bad);
        ASSERT_FALSE(claim) << isa::to_string(*claim);
      }
      ++compiled;
    }
  }
  EXPECT_EQ(compiled, 30);
}

TEST(Mapping, PacksWindowsWhereChannelsAreFew) {
  const Network network = workload("resnet50");
  const Machine machine = shipped("edge16");
  const compiler::Graph graph = compiler::make_graph(network, true);
  compiler::Lowerer lowerer(network, machine, graph);
  const compiler::GroupPlan& first = lowerer.plan(0);
  ASSERT_TRUE(first.on_array);
  EXPECT_TRUE(first.conv.window);
  EXPECT_EQ(first.conv.cin_blocks, 2);  // 7 pixels of 3 channels: 21 bytes in two words
  EXPECT_EQ(first.conv.matrix_cycles, 7 * 2 /*passes*/ * 4 /*blocks out*/ * 112 * 112);
}

TEST(Mapping, DividesDepthwiseLayersWhereThatIsFaster) {
  // 28 x 28 pixels of 192 channels: either unit alone needs 9 cycles per pixel and block of 16.
  test::NetworkBuilder b("depthwise");
  test::NetworkBuilder::Conv c;
  c.out_channels = c.groups = 192;
  c.window.kernel = {3, 3};
  c.window.padding = {1, 1, 1, 1};
  b.conv(b.input({1, 28, 28, 192}, {}), c);
  const Schedule schedule = compile(b.build(), shipped("edge16"));
  const std::int64_t alone = 9 * 12 * 28 * 28;
  EXPECT_LT(predicted(schedule), alone * 3 / 4);
  int on_array = 0, on_vector_unit = 0;
  for (const isa::Word& word : schedule.program) {
    on_array += isa::opcode(word) == isa::Opcode::Matrix;
    on_vector_unit += isa::opcode(word) == isa::Opcode::Depthwise;
  }
  EXPECT_GT(on_array, 0);
  EXPECT_GT(on_vector_unit, 0);
}

TEST(Mapping, HidesPoolingBehindTheLayerBefore) {
  const Network network = workload("resnet50");
  CompileOptions apart;
  apart.overlap_layers = false;
  const std::int64_t one_by_one = predicted(compile(network, shipped("edge16"), apart));
  const std::int64_t beside = predicted(compile(network, shipped("edge16")));
  EXPECT_LT(beside, one_by_one - 80'000);  // pool1: 9 taps * 4 blocks * 56 * 56 = 112,896 cycles of the vector unit
}

TEST(Mapping, FusesResidualAdditions) {
  const Network network = workload("resnet50");
  const Schedule schedule = compile(network, shipped("edge16"));
  int fused = 0;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    if (network.layers[l].op() != Op::Add) continue;
    EXPECT_GE(schedule.layers[l].complete_after, 0);
    for (const int input : network.layers[l].inputs) fused += !schedule.tensors[input].in_memory;
  }
  EXPECT_EQ(fused, 16);
  CompileOptions apart;
  apart.fuse = false;
  for (const ScheduleTensor& t : compile(network, shipped("edge16"), apart).tensors) EXPECT_TRUE(t.in_memory);
}

TEST(Mapping, UsesTheMemoryOfDeadTensorsAgain) {
  const Network network = workload("resnet50");
  const Schedule schedule = compile(network, shipped("edge16"));
  std::int64_t all = 0, end = 0, largest = 0;
  for (const ScheduleTensor& t : schedule.tensors) {
    all += t.bytes;
    largest = std::max(largest, t.bytes);
    end = std::max(end, static_cast<std::int64_t>(t.address) + t.bytes);
    EXPECT_EQ(t.address % 256, 0u) << t.name;
  }
  EXPECT_LT(end, all / 3);
  EXPECT_LE(end, 4 * largest);
}

TEST(Mapping, WeightsDecideNothingAndTimingOnlyCarriesNone) {
  const std::string file = std::string(GEMEL_SOURCE_DIR) + "/workloads/resnet8.yaml";
  LoadOptions timing;
  timing.timing_only = true;
  const Schedule with = compile(load_workload(file), shipped("edge16"));
  const Schedule without = compile(load_workload(file, timing), shipped("edge16"));
  EXPECT_EQ(with.program, without.program);
  EXPECT_FALSE(with.constants.empty());
  EXPECT_TRUE(without.constants.empty());
}

TEST(Mapping, IsTheSameEveryTimeAndInEveryThread) {
  test::Random random(test::random_seed());
  const Network network = test::random_network(random, {});
  const Machine machine = shipped("odd7x13");
  const std::string once = compile(network, machine).bytes();
  std::string results[4];
  std::vector<std::thread> threads;
  for (auto& result : results) threads.emplace_back([&] { result = compile(network, machine).bytes(); });
  for (std::thread& t : threads) t.join();
  for (const auto& result : results) EXPECT_EQ(result, once);
}

TEST(Mapping, LayersAreCoveredByTheirInstructions) {
  const Schedule s = compile(workload("resnet18"), shipped("edge16"));
  for (std::size_t i = 0; i + 1 < s.program.size(); ++i) {
    const isa::Instruction instruction = isa::decode(s.program[i]);
    const int tag = instruction.unit == isa::Unit::Load     ? instruction.load.tag
                    : instruction.unit == isa::Unit::Matrix ? instruction.matrix.tag
                    : instruction.unit == isa::Unit::Vector ? instruction.vector.tag
                                                            : instruction.store.tag;
    ASSERT_LE(s.layers[tag].first_instruction, static_cast<int>(i));
    ASSERT_GE(s.layers[tag].last_instruction, static_cast<int>(i));
  }
}

std::int64_t product(const std::array<std::int64_t, 4>& shape) { return shape[0] * shape[1] * shape[2] * shape[3]; }

std::int64_t tiles(const LayerMapping& m) {
  std::int64_t count = 1;
  for (std::size_t i = 0; i < 3; ++i) count *= (m.output[i] + m.tile[i] - 1) / m.tile[i];
  return count;
}

// Instructions of matrix_unit for all channels of a tile, if none adds up only a part.
std::int64_t instructions_of_a_tile(const LayerMapping& m) {
  std::int64_t count = 0;
  for (std::int64_t c = 0; c < m.output[3]; c += m.tile[3]) {
    const std::int64_t channels = std::min(m.tile[3], m.output[3] - c);
    count += (channels + m.accumulated_channels - 1) / m.accumulated_channels;
  }
  return count;
}

// What a layer's mapping says is what its instructions do: as many of them, on these units, for all of its channels.
void expect_mapping_is_the_programs(const Network& network, const Schedule& s) {
  std::vector<std::array<std::int64_t, isa::UnitCount>> counts(s.layers.size());
  for (const isa::Word& word : s.program) {
    const isa::Instruction i = isa::decode(word);
    if (i.unit == isa::Unit::Matrix) ++counts[static_cast<std::size_t>(i.matrix.tag)][static_cast<std::size_t>(i.unit)];
    if (i.unit == isa::Unit::Vector) ++counts[static_cast<std::size_t>(i.vector.tag)][static_cast<std::size_t>(i.unit)];
  }
  for (std::size_t l = 0; l < s.layers.size(); ++l) {
    const ScheduleLayer& layer = s.layers[l];
    SCOPED_TRACE(layer.name);
    const int out_bytes = network.layers[l].out_bytes();  // a mapping counts sums
    const std::int64_t on_array = counts[l][static_cast<std::size_t>(isa::Unit::Matrix)];
    int channels = 0, array_parts = 0;
    for (const LayerMapping& m : layer.mapping) {
      EXPECT_EQ(m.first_channel, channels);
      channels += m.channels;
      for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_GE(m.tile[i], 1);
        EXPECT_LE(m.tile[i], m.output[i]);
      }
      const bool loops_over_tiles = std::count(m.loops.begin(), m.loops.end(), "tiles") == 1;
      EXPECT_EQ(loops_over_tiles, tiles(m) > 1);
      if (m.unit != static_cast<int>(isa::Unit::Matrix)) continue;
      ++array_parts;
      const std::int64_t least = tiles(m) * instructions_of_a_tile(m);
      const bool in_parts = std::count(m.loops.begin(), m.loops.end(), "reduction") == 1;
      if (layer.weight_tiles.left_out > 0) continue;  // fewer instructions, or more, as the tiles lie
      EXPECT_GE(on_array, least);
      if (layer.shape.groups == 1) EXPECT_EQ(on_array % least, 0) << on_array << " instructions, at least " << least;
      if (layer.shape.groups == 1 && !in_parts) EXPECT_EQ(on_array, least);
      if (layer.shape.groups == 1) EXPECT_EQ(product(m.output) * out_bytes, network.tensors[static_cast<std::size_t>(layer.output)].shape.elements());
    }
    EXPECT_EQ(array_parts > 0, on_array > 0);
    // An addition or a table behind a layer of the array has instructions, too, within that one's tiles.
    if (!layer.mapping.empty()) EXPECT_GT(counts[l][static_cast<std::size_t>(isa::Unit::Vector)], 0);
    if (layer.complete_after >= 0 && layer.op == Op::Conv2d && layer.first_instruction >= 0) EXPECT_FALSE(layer.mapping.empty());
    if (!layer.mapping.empty()) EXPECT_EQ(channels * out_bytes, layer.shape.output.back());
  }
}

TEST(Mapping, OfALayerIsWhatItsInstructionsDo) {
  test::Random random(test::random_seed());
  for (const char* machine_name : {"tiny8", "edge16", "wide16x64", "odd7x13", "server128"}) {
    const Machine machine = shipped(machine_name);
    for (const char* name : {"resnet18", "mobilenet_v1", "bert_base_encoder", "digits"}) {
      SCOPED_TRACE(std::string(name) + " on " + machine_name);
      const Network network = workload(name);
      expect_mapping_is_the_programs(network, compile(network, machine));
    }
    for (int i = 0; i < 20; ++i) {
      SCOPED_TRACE("random network " + std::to_string(i) + " on " + machine_name);
      const Network network = test::random_network(random, {});
      expect_mapping_is_the_programs(network, compile(network, machine));
    }
  }
}

std::string message(const Network& network, const Machine& machine) {
  try {
    compile(network, machine);
  } catch (const UserError& e) {
    return to_string(e.diagnostics().at(0));
  }
  return "compiled";
}

TEST(Refusals, NameLayerNeedAndLimit) {
  test::NetworkBuilder b("small");
  test::NetworkBuilder::Conv c;
  c.out_channels = 8;
  b.conv(b.input({1, 4, 4, 8}, {}), c);
  const Network network = b.build();
  Machine m = shipped("tiny8");
  m.buffers[static_cast<int>(Buffer::Weight)] = {7 * 8, 1};
  EXPECT_EQ(message(network, m),
            "error[E0601]: layer `conv0` needs 8 words of weight_buffer for the weights of one pass, and the machine `tiny8` has 7\n"
            "hint: give the machine a larger weight_buffer");
  m = shipped("tiny8");
  m.buffers[static_cast<int>(Buffer::Param)] = {8 * 8, 1};
  EXPECT_EQ(message(network, m),
            "error[E0601]: layer `conv0` needs 9 words of param_buffer for one block's parameters, and the machine `tiny8` has 8\n"
            "hint: give the machine a larger param_buffer");
  m = shipped("tiny8");
  m.memory_bytes = 100;
  EXPECT_NE(message(network, m).find("error[E0603]: network `small` needs "), std::string::npos) << message(network, m);
}

TEST(Refusals, TensorsThatExceedTheMemoryAreToldBeforeAProgramIsMade) {
  test::NetworkBuilder b("vast");
  const int x = b.input({1, 4096, 4096, 64}, {});
  b.max_pool(x, {});
  EXPECT_EQ(message(b.build(), shipped("edge16")),
            "error[E0603]: network `vast` needs 2147483648 bytes of memory for its tensors alone, and the machine `edge16` has 1073741824\n"
            "hint: raise memory.size_bytes, or lower the batch");
}

TEST(Refusals, OneImageThatAMeanCannotHold) {
  test::NetworkBuilder b("mean");
  b.global_avg_pool(b.input({1, 100, 100, 8}, {}), {});
  EXPECT_EQ(message(b.build(), shipped("tiny8")),
            "error[E0601]: layer `mean0` needs 10001 words of vector_buffer for one window of one channel block and its result, and the "
            "machine `tiny8` has 4096\nhint: give the machine a larger vector_buffer");
}

TEST(Refusals, MoreStrideThanAnInstructionCanSay) {
  test::NetworkBuilder b("strides");
  test::NetworkBuilder::Conv c;
  c.out_channels = 8;
  c.window.kernel = {3, 3};
  c.window.stride = {300, 1};
  b.conv(b.input({1, 700, 8, 1}, {}), c);
  EXPECT_EQ(message(b.build(), shipped("tiny8")),
            "error[E0602]: layer `conv0` has a stride of 300, and an instruction can say at most 255");
}

}  // namespace
}  // namespace gemel
