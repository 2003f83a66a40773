// SPDX-License-Identifier: Apache-2.0
// Networks compiled for machines and executed by the interpreter: every tensor that reaches memory equals golden, in program
// order and in any order that the semaphores permit.
#include "compiler/compile.hpp"

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <ctime>
#include <functional>
#include <limits>
#include <thread>
#include <tuple>
#include <utility>

#include "base/error.hpp"
#include "compiler/interpreter.hpp"
#include "config/load.hpp"
#include "network/workload.hpp"
#include "ops/golden.hpp"
#include "support/network_builder.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using test::Interpreter;
using test::Random;

Machine shipped(const std::string& name) { return load_machine(std::string(GEMEL_SOURCE_DIR) + "/configs/" + name + ".yaml"); }

std::string run(const Network& network, const Machine& machine, const Schedule& schedule, Random& random, bool at_random) {
  Golden golden(network);
  Interpreter interpreter(schedule, machine);
  for (const int t : network.inputs) {
    std::vector<std::uint8_t> bytes = test::random_bytes(random, network.tensors[t].shape.elements());
    interpreter.set_input(t, bytes);
    golden.set_input(t, std::move(bytes));
  }
  std::vector<std::vector<int>> completes(schedule.program.size());
  for (std::size_t l = 0; l < schedule.layers.size(); ++l) {
    if (schedule.layers[l].complete_after >= 0) completes[schedule.layers[l].complete_after].push_back(schedule.layers[l].output);
  }
  std::string difference;
  std::size_t compared = 0, expected = 0;
  for (const auto& c : completes) expected += c.size();
  const auto compare = [&](int instruction) {
    for (const int t : completes[instruction]) {
      ++compared;
      const auto got = interpreter.tensor(t);
      const auto& want = golden.tensor(t);
      if (got == want || !difference.empty()) continue;
      std::size_t at = 0;
      while (got[at] == want[at]) ++at;
      difference = "tensor " + network.tensors[t].name + " differs first in byte " + std::to_string(at) + ": " +
                   std::to_string(got[at]) + ", not " + std::to_string(want[at]);
    }
  };
  const std::string problem = at_random ? interpreter.run_at_random(random, compare) : interpreter.run_in_order(compare);
  if (!problem.empty()) return problem;
  if (!difference.empty()) return difference;
  if (compared != expected || (expected == 0 && schedule.program.size() > 1)) return "not every tensor was completed";
  for (const int t : network.outputs) {
    if (schedule.tensors[t].in_memory && interpreter.tensor(t) != golden.tensor(t)) return "output " + network.tensors[t].name + " was spoilt";
  }
  return "";
}

void expect_correct(const Network& network, const Machine& machine, Random& random, int random_orders) {
  Schedule schedule;
  try {
    schedule = compile(network, machine);
  } catch (const InternalError& e) {
    FAIL() << e.what() << "\n" << test::describe(network) << to_yaml(machine);
  }
  for (int i = 0; i <= random_orders; ++i) {
    const std::string problem = run(network, machine, schedule, random, i > 0);
    ASSERT_EQ(problem, "") << (i > 0 ? "in random order\n" : "in program order\n") << test::describe(network) << to_yaml(machine);
  }
}

// From barely enough up; rows and columns unequal and odd. `starved`: perhaps not even enough.
Machine random_machine(Random& random, bool starved = false) {
  using test::draw;
  Machine m;
  m.name = "random";
  m.rows = draw(random, 1, 24);
  m.columns = draw(random, 1, 24);
  m.lanes = draw(random, 1, m.columns);
  const int tightness = starved ? 0 : draw(random, 0, 3);  // 0: barely enough
  const auto size = [&](Buffer b, std::int64_t least, std::int64_t most) {
    auto& s = m.buffers[static_cast<int>(b)];
    const std::int64_t high = tightness == 0 ? least + least / 4 : tightness == 1 ? std::min(most, least * 3) : most;
    std::int64_t words = draw(random, static_cast<int>(least), static_cast<int>(std::max(high, least)));
    s.banks = draw(random, 1, static_cast<int>(std::min<std::int64_t>(words, 8)));
    words = (words + s.banks - 1) / s.banks * s.banks;
    s.size_bytes = words * m.word_bytes(b);
  };
  const int table = (256 + m.columns - 1) / m.columns;
  size(Buffer::Activation, 1, 4000);
  size(Buffer::Weight, m.rows, 2000);
  size(Buffer::Accumulator, 1, 1000);
  size(Buffer::Vector, starved ? draw(random, 1, 60) : 260, 6000);  // a whole image for a mean
  size(Buffer::Param, starved ? draw(random, 1, 2 * table + 36) : 2 * table + 9 + 27, 600);
  m.bus_bytes = 4 << draw(random, 0, 4);
  m.burst_bytes = m.bus_bytes << draw(random, 0, 4);
  m.queue_depth = draw(random, 1, 12);
  m.prefetch_instructions = std::max(1, m.burst_bytes / 64) + draw(random, 0, 16);
  m.memory_bytes_per_cycle = m.bus_bytes;
  return m;
}

TEST(Compile, RunsOneConvolutionOnEveryShippedMachine) {
  Random random(test::random_seed());
  test::NetworkBuilder b("conv");
  const int x = b.input({1, 12, 12, 20}, {});
  test::NetworkBuilder::Conv c;
  c.out_channels = 37;
  c.window.kernel = {3, 3};
  c.window.padding = {1, 1, 1, 1};
  b.conv(x, c);
  const Network network = b.build();
  for (const char* name : {"tiny8", "edge16", "wide16x64", "odd7x13", "server128"}) {
    SCOPED_TRACE(name);
    expect_correct(network, shipped(name), random, 2);
  }
}

// Sums that are biases alone, so that each byte meets the values next to where it rounds and where it wraps, and those at the ends of 32 bits.
TEST(Compile, BytesOfSumsAreExactWhereverTheyWrap) {
  std::vector<std::int32_t> sums = {0, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
  for (int bit = 0; bit < 31; ++bit) {
    for (const std::int32_t around : {-2, -1, 0, 1}) {
      sums.push_back((std::int32_t{1} << bit) + around);
      sums.push_back(-(std::int32_t{1} << bit) + around + 1);
    }
  }
  Random random(test::random_seed());
  while (sums.size() < 600) sums.push_back(static_cast<std::int32_t>(random()));
  for (int bytes = 1; bytes <= 4; ++bytes) {
    test::NetworkBuilder b("sums");
    const int x = b.input({1, 1, 3, 5}, {});
    test::NetworkBuilder::Conv c;
    c.out_channels = static_cast<int>(sums.size());
    c.sum_bytes = bytes;
    const int y = b.matmul(x, c);
    Weights& weights = *b.layer(y).weights();
    std::fill(weights.bytes.begin(), weights.bytes.end(), std::uint8_t{0});
    weights.bias = sums;
    const Network network = b.build();
    Golden golden(network);
    golden.set_input(x, std::vector<std::uint8_t>(15, 7));
    const std::vector<std::uint8_t>& made = golden.tensor(y);
    ASSERT_EQ(made.size(), 3 * sums.size() * static_cast<std::size_t>(bytes));
    for (std::size_t i = 0; i < made.size(); ++i) {
      const std::size_t byte = i / sums.size() % static_cast<std::size_t>(bytes);
      ASSERT_EQ(made[i], static_cast<std::uint8_t>(static_cast<std::uint32_t>(sums[i % sums.size()]) >> 8 * byte)) << i;
    }
    for (const char* name : {"tiny8", "edge16", "wide16x64", "odd7x13", "server128"}) {
      SCOPED_TRACE(name);
      expect_correct(network, shipped(name), random, 1);
    }
  }
}

// One instruction of the matrix unit serves all bytes (its layer has one block in, so none adds up only a part). Neither a table nor an addition joins
// such a layer.
TEST(Compile, BytesOfSumsAreReadFromTheSameSums) {
  const auto program_of = [](const std::string& result) {
    const Network network = load_workload_text("gemel_workload: 1\nname: sums\nsynthetic: {seed: 1}\ninputs: [{name: x, shape: [1, 8, 8, 16]}]\nlayers:\n"
                                               "  - {name: y, op: matmul, out_channels: 48" + result + "}\n", "sums.yaml");
    std::array<int, 2> units{};
    for (const isa::Word& word : compile(network, shipped("edge16")).program) {
      const isa::Unit unit = isa::decode(word).unit;
      units[0] += unit == isa::Unit::Matrix;
      units[1] += unit == isa::Unit::Vector;
    }
    return units;
  };
  const std::array<int, 2> one = program_of(""), three = program_of(", sum_bytes: 3");
  EXPECT_EQ(one[1], one[0]);
  EXPECT_EQ(three[1], 3 * three[0]);
  Random random(test::random_seed());
  test::NetworkBuilder b("followed");
  const int x = b.input({1, 6, 6, 8}, {});
  test::NetworkBuilder::Conv c;
  c.out_channels = 4;
  c.sum_bytes = 2;
  const int sums = b.conv(x, c);
  const int turned = b.table(sums, test::random_table(random), {ElementType::Int8, 0.1, 3});
  b.add(sums, turned, {});
  const Network network = b.build();
  for (const char* name : {"tiny8", "odd7x13"}) expect_correct(network, shipped(name), random, 2);
}

// What was found out about two groups is not taken for the answer about other two, or about the other of them.
TEST(Compile, LayersThatAreNearlyAlikeHavePlansOfTheirOwn) {
  Random random(test::random_seed());
  for (const char* name : {"tiny8", "edge16", "wide16x64", "odd7x13", "server128"}) {
    SCOPED_TRACE(name);
    test::NetworkBuilder two("two");
    const int x = two.input({1, 5, 10, 3}, {});
    for (const int width : {8, 4}) {  // the first two groups of the network are its last two
      test::NetworkBuilder::Conv c;
      c.out_channels = c.groups = 3;
      c.window.kernel = {1, width};
      two.conv(x, c);
    }
    expect_correct(two.build(), shipped(name), random, 1);
    test::NetworkBuilder pools("pools");
    int y = pools.input({1, 12, 12, 20}, {});
    for (int i = 0; i < 6; ++i) {  // pools that differ only in which side of the image has a border
      test::NetworkBuilder::Window w;
      w.kernel = {3, 3};
      w.padding = i % 2 == 0 ? std::array<int, 4>{0, 0, 2, 2} : std::array<int, 4>{2, 2, 0, 0};
      y = pools.max_pool(y, w);
      test::NetworkBuilder::Conv c;
      c.out_channels = c.groups = 20;
      c.window.kernel = {3, 3};
      c.window.padding = {1, 1, 1, 1};
      y = pools.conv(y, c);
    }
    expect_correct(pools.build(), shipped(name), random, 1);
  }
}

TEST(Compile, RandomNetworksOnShippedMachinesEqualGolden) {
  Random random(test::random_seed());
  for (int i = 0; i < 40; ++i) {
    const Network network = test::random_network(random, {});
    const char* names[] = {"tiny8", "edge16", "wide16x64", "odd7x13"};
    SCOPED_TRACE(i);
    expect_correct(network, shipped(names[i % 4]), random, 1);
    if (HasFatalFailure()) return;
  }
}

TEST(Compile, RandomNetworksOnRandomMachinesEqualGolden) {
  const std::uint64_t seed = test::random_seed();
  int compiled = 0, refused = 0;
  const char* count = std::getenv("GEMEL_FUZZ_PAIRS");
  for (int i = 0; i < (count != nullptr ? std::atoi(count) : 150); ++i) {
    Random random(seed * 1000003 + static_cast<std::uint64_t>(i));
    const Network network = test::random_network(random, {});
    const Machine machine = random_machine(random);
    SCOPED_TRACE("pair " + std::to_string(i));
    try {
      expect_correct(network, machine, random, 1);
      ++compiled;
    } catch (const UserError& e) {
      const std::string code = e.diagnostics().at(0).code;
      ASSERT_TRUE(code == "E0601" || code == "E0602" || code == "E0604") << e.what();
      ++refused;
    }
    if (HasFatalFailure()) return;
  }
  std::cout << compiled << " compiled, " << refused << " refused\n";
  EXPECT_GT(compiled, 10 * refused);
}

// ---- Zero tiles ----------------------------------------------------------------------------------------------------------

// A layer alone, whose tiles are made zero one by one.
struct Sparse {
  const char* name;
  bool dense;
  Shape in;
  int out_channels;
  std::array<int, 2> kernel, stride, dilation;
  std::array<int, 4> padding;
  int groups;
  ElementType weight_type;
  int weight_zero_point;
};

const Sparse SparseLayers[] = {
    {"1x1", false, {1, 9, 9, 48}, 64, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1, ElementType::Int8, 0},
    {"1x1 of odd sizes", false, {2, 5, 7, 37}, 41, {1, 1}, {2, 2}, {1, 1}, {0, 0, 0, 0}, 1, ElementType::Int8, 0},
    {"3x3", false, {1, 8, 8, 32}, 48, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1, ElementType::Int8, 0},
    {"3x3 with stride", false, {1, 11, 9, 35}, 30, {3, 3}, {2, 2}, {1, 1}, {0, 1, 1, 0}, 1, ElementType::UInt8, 131},
    {"5x3 with dilation", false, {1, 14, 10, 24}, 33, {5, 3}, {1, 1}, {2, 3}, {4, 3, 4, 3}, 1, ElementType::Int8, -7},
    {"windows", false, {1, 20, 20, 3}, 40, {7, 7}, {2, 2}, {1, 1}, {3, 3, 3, 3}, 1, ElementType::Int8, 0},
    {"groups", false, {1, 7, 7, 60}, 48, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 3, ElementType::Int8, 0},
    {"one channel a group", false, {1, 9, 9, 52}, 104, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 52, ElementType::Int8, 0},
    {"depthwise", false, {1, 9, 9, 50}, 50, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 50, ElementType::Int8, 0},
    {"dense", true, {1, 4, 4, 40}, 70, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1, ElementType::Int8, 0},
    {"dense with images", true, {5, 3, 3, 33}, 50, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1, ElementType::UInt8, 128},
};

Network sparse_network(const Sparse& s, const Machine& machine, const std::function<bool(std::int64_t tile, std::int64_t tiles)>& is_zero,
                       std::uint64_t seed) {
  test::NetworkBuilder b(s.name, seed);
  const int x = b.input(s.in, {});
  test::NetworkBuilder::Conv c;
  c.out_channels = s.out_channels;
  c.window = {s.kernel, s.stride, s.dilation, s.padding};
  c.groups = s.groups;
  c.weight_type = s.weight_type;
  c.weight_zero_point = s.weight_zero_point;
  const int y = s.dense ? b.dense(x, c) : b.conv(x, c);
  Layer& layer = b.layer(y);
  const Convolution conv = as_convolution(b.peek(), layer);
  Weights& w = *layer.weights();
  const std::int64_t depth = conv.in.c / conv.groups, blocks_in = (depth + machine.rows - 1) / machine.rows;
  const std::int64_t tiles = (conv.out.c + machine.columns - 1) / machine.columns * conv.taps() * blocks_in;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(w.bytes.size()); ++i) {
    const std::int64_t tile = (i / (conv.taps() * depth) / machine.columns * conv.taps() + i / depth % conv.taps()) * blocks_in + i % depth / machine.rows;
    std::uint8_t& byte = w.bytes[static_cast<std::size_t>(i)];
    const auto zero = static_cast<std::uint8_t>(w.zero_point);
    if (is_zero(tile, tiles)) byte = zero;
    else if (byte == zero) ++byte;
  }
  return b.build();
}

std::int64_t predicted(const Schedule& schedule) { return schedule.layers.front().predicted_cycles; }

TEST(ZeroTiles, LeaveTheScheduleWhereverTheyLie) {
  const std::uint64_t seed = test::random_seed();
  Random random(seed);
  using Pattern = std::function<bool(std::int64_t, std::int64_t)>;
  const std::vector<std::pair<const char*, Pattern>> patterns = {
      {"none", [](std::int64_t, std::int64_t) { return false; }},
      {"the first", [](std::int64_t tile, std::int64_t) { return tile == 0; }},
      {"at the start", [](std::int64_t tile, std::int64_t tiles) { return tile < tiles / 3; }},
      {"in the middle", [](std::int64_t tile, std::int64_t tiles) { return tile >= tiles / 3 && tile < tiles * 2 / 3; }},
      {"at the end", [](std::int64_t tile, std::int64_t tiles) { return tile >= tiles * 2 / 3; }},
      {"every other", [](std::int64_t tile, std::int64_t) { return tile % 2 == 0; }},
      {"all but one", [](std::int64_t tile, std::int64_t tiles) { return tile != tiles / 2; }},
      {"all", [](std::int64_t, std::int64_t) { return true; }},
      {"some", [seed](std::int64_t tile, std::int64_t) { return Random(seed + static_cast<std::uint64_t>(tile))() % 3 != 0; }},
  };
  std::int64_t left_out = 0, zero = 0;
  for (const char* name : {"tiny8", "edge16", "odd7x13"}) {
    const Machine machine = shipped(name);
    for (const Sparse& layer : SparseLayers) {
      for (const auto& [where, is_zero] : patterns) {
        SCOPED_TRACE(std::string(layer.name) + " on " + name + ", zero: " + where);
        Network network = sparse_network(layer, machine, is_zero, seed);
        const Schedule schedule = compile(network, machine);
        for (const bool at_random : {false, true}) ASSERT_EQ(run(network, machine, schedule, random, at_random), "");
        const WeightTiles tiles = schedule.layers.front().weight_tiles;
        left_out += tiles.left_out;
        zero += tiles.zero;
        // Blocks in that a tile of these patterns is whole in; groups and windows are packed otherwise.
        const bool window = layer.kernel[1] > 1 && layer.in.innermost() % machine.rows != 0;
        if (layer.groups == 1 && !window) {
          const std::int64_t count = tiles.count;
          std::int64_t expected = 0;
          for (std::int64_t t = 0; t < count; ++t) expected += is_zero(t, count) ? 1 : 0;
          EXPECT_EQ(tiles.zero, expected);
        }
        EXPECT_LE(tiles.left_out, tiles.zero);
        if (layer.groups == 1) EXPECT_EQ(schedule.layers.front().weight_bytes, (tiles.count - tiles.left_out) * machine.rows * machine.columns);
        if (layer.groups == 1 && std::string(where) == "all") {
          EXPECT_EQ(tiles.count - tiles.left_out, (layer.out_channels + machine.columns - 1) / machine.columns);  // one of each block out
        }

        // Without data it is the same program; and where no zero is known, a longer one.
        const Weights& values = *network.layers.front().weights();
        const auto weights = static_cast<std::int64_t>(values.bytes.size());
        const std::int64_t kept = weights - std::count(values.bytes.begin(), values.bytes.end(), static_cast<std::uint8_t>(values.zero_point));
        for (Layer& l : network.layers) l.weights()->bytes.clear();
        EXPECT_EQ(compile(network, machine).program, schedule.program);
        for (Layer& l : network.layers) l.weights()->zeros.clear();
        const Schedule whole = compile(network, machine);
        EXPECT_EQ(whole.layers.front().weight_tiles.zero, 0);
        EXPECT_LE(predicted(schedule), predicted(whole));
        const std::int64_t run_macs = schedule.layers.front().macs, macs = whole.layers.front().macs;
        EXPECT_EQ(macs, network.macs(network.layers.front()));
        EXPECT_LE(run_macs, macs);
        EXPECT_GE(run_macs, kept * (macs / weights));
        if (layer.groups == 1 && !window && tiles.left_out == tiles.zero) EXPECT_EQ(run_macs, kept * (macs / weights));
        if (tiles.left_out == 0) EXPECT_EQ(whole.program, schedule.program);
      }
    }
  }
  EXPECT_GT(left_out, zero * 3 / 4) << "of " << zero;
}

TEST(Compile, AMeanOverMorePixelsThanAWindowHasIsRefused) {
  for (const auto& [h, w, pixels] : {std::tuple(65536, 65536, "4294967296"), std::tuple(60000, 70000, "4200000000")}) {
    test::NetworkBuilder b("large");
    b.global_avg_pool(b.input({1, h, w, 1}, {}), {});
    try {
      compile(b.build(), shipped("edge16"));
      FAIL() << "was accepted";
    } catch (const UserError& e) {
      EXPECT_EQ(std::string(e.what()), "error[E0604]: layer `mean0` averages " + std::string(pixels) +
                                           " pixels, and a window has at most 255 by 255\nhint: average in two steps");
    }
  }
}

// A table of layers that do not feed each other keeps all its tensors alive: 20,000 and more at a time.
TEST(Compile, TakesTimeLinearInLayersThatDoNotMeet) {
  const auto seconds = [](int count) {
    test::NetworkBuilder b("many");
    test::NetworkBuilder::Conv c;
    c.out_channels = 4;
    for (int i = 0; i < count; ++i) b.conv(b.input({1, 1, 4, 4}, {}), c);
    const Network network = b.build();
    const Machine machine = shipped("edge16");
    double least = 1e9;
    for (int i = 0; i < 3; ++i) {
      const std::clock_t start = std::clock();  // processor time: a busy machine does not matter
      compile(network, machine);
      least = std::min(least, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    }
    return least;
  };
  EXPECT_LT(seconds(16000), 10 * seconds(4000));
}

// One convolution of many instructions: `rows` tiles at least.
Network long_network(int rows) {
  test::NetworkBuilder b("long");
  test::NetworkBuilder::Conv c;
  c.out_channels = 4;
  c.window.kernel = {3, 3};
  b.conv(b.input({1, rows + 2, 2000, 1}, {}), c);
  return b.build();
}
Machine machine_of_small_tiles() {
  Machine m = shipped("tiny8");
  m.buffers[static_cast<int>(Buffer::Accumulator)].size_bytes = 2 * 4 * 8 * 4;  // two banks of 8 / 2 sums
  m.memory_bytes = std::int64_t{1} << 40;
  return m;
}

TEST(Compile, RefusesMoreInstructionsThanAProgramCanHave) {
  CompileOptions options;
  options.most_instructions = 500;
  const auto message = [&](const Network& network, const Machine& machine) {
    try {
      compile(network, machine, options);
    } catch (const UserError& e) {
      return std::string(e.what());
    }
    return std::string("was accepted");
  };
  const std::string expected =
      "error[E0605]: network `long` needs more than 500 instructions on the machine `tiny8`, and a program cannot have more\n"
      "hint: give the machine larger buffers, lower the batch, or run the layers in parts";
  EXPECT_EQ(message(long_network(100), machine_of_small_tiles()), expected);
  // Pooling has no bound that is known before; the program is written up to the limit.
  test::NetworkBuilder b("long");
  test::NetworkBuilder::Window w;
  w.kernel = {3, 3};
  b.max_pool(b.input({1, 300, 3000, 8}, {}), w);
  Machine small = machine_of_small_tiles();
  small.buffers[static_cast<int>(Buffer::Vector)].size_bytes = 4096;
  EXPECT_EQ(message(b.build(), small), expected);
  // As many as there are, halt included, are no mistake.
  const std::size_t all = compile(long_network(3), machine_of_small_tiles()).program.size();
  options.most_instructions = static_cast<std::int64_t>(all);
  EXPECT_EQ(compile(long_network(3), machine_of_small_tiles(), options).program.size(), all);
  options.most_instructions = static_cast<std::int64_t>(all) - 1;
  EXPECT_NE(message(long_network(3), machine_of_small_tiles()), "was accepted");
}

TEST(Compile, EndsWhenItIsInterrupted) {
  std::atomic<bool> stop = true;
  CompileOptions options;
  options.interrupted = &stop;
  try {
    compile(long_network(3), shipped("tiny8"), options);
    FAIL() << "was not interrupted";
  } catch (const Interrupted& e) {
    EXPECT_STREQ(e.what(), "interrupted while compiling layer `conv0`");
  }
  // In the middle of one layer of millions of instructions.
  stop = false;
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stop = true;
  });
  EXPECT_THROW(compile(long_network(16000), machine_of_small_tiles(), options), Interrupted);
  later.join();
}

TEST(Compile, NeedsMemoryForTheProgramAlone) {
  const Network network = long_network(700);
  const Machine machine = machine_of_small_tiles();
  compile(long_network(20), machine);
  const auto peak = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return std::int64_t{usage.ru_maxrss} * 1024;
  };
  const std::int64_t before = peak();
  const Schedule schedule = compile(network, machine);
  const std::int64_t program = static_cast<std::int64_t>(schedule.program.size()) * isa::InstructionBytes;
  EXPECT_GT(program, std::int64_t{30} << 20);
  EXPECT_LT(peak() - before, 4 * program) << "operations are kept, not only what they become";
}

TEST(Compile, StarvedMachinesAreRefusedWithAReasonOrRunCorrectly) {
  const std::uint64_t seed = test::random_seed();
  int compiled = 0, refused = 0;
  const char* count = std::getenv("GEMEL_FUZZ_PAIRS");
  test::RandomNetworkLimits limits;
  limits.max_layers = 3;
  for (int i = 0; i < (count != nullptr ? std::atoi(count) : 150); ++i) {
    Random random(seed * 1000033 + static_cast<std::uint64_t>(i));
    const Network network = test::random_network(random, limits);
    const Machine machine = random_machine(random, true);
    SCOPED_TRACE("pair " + std::to_string(i));
    try {
      expect_correct(network, machine, random, 1);
      ++compiled;
    } catch (const UserError& e) {
      const Diagnostic& d = e.diagnostics().at(0);
      ASSERT_EQ(d.code, "E0601") << e.what();
      ASSERT_NE(d.message.find(" words of "), std::string::npos) << d.message << "\n" << test::describe(network) << to_yaml(machine);
      ++refused;
    }
    if (HasFatalFailure()) return;
  }
  std::cout << compiled << " compiled, " << refused << " refused\n";
  EXPECT_GT(compiled, 0);
  EXPECT_GT(refused, 0);
}

// ---- Host steps -------------------------------------------------------------------------------------------------------------

TEST(HostSteps, StandBehindTheProgram) {
  const Network network = load_workload_text(
      "gemel_workload: 1\nname: tail\nsynthetic: {seed: 1}\ninputs: [{name: x, shape: [3, 8]}]\nlayers:\n"
      "  - {name: fc, op: dense, out_channels: 10}\n  - {name: act, op: table, function: sigmoid}\n  - {name: shares, op: softmax}\n"
      "  - {name: view, op: reshape, shape: [3, 2, 5]}\n  - {name: class, op: argmax, input: act}\noutputs: [class, view]\n", "tail.yaml");
  const Schedule schedule = compile(network, shipped("tiny8"));
  EXPECT_EQ(schedule.host_bytes, 30);  // `act`, read by both
  std::vector<std::string> handed_out, on_host;
  for (const ScheduleTensor& t : schedule.tensors) {
    if (t.is_output) handed_out.push_back(t.name);
  }
  for (const ScheduleLayer& layer : schedule.layers) {
    if (layer.on_host) on_host.push_back(layer.name);
  }
  EXPECT_EQ(handed_out, std::vector<std::string>{"act"});
  EXPECT_EQ(on_host, (std::vector<std::string>{"shares", "view", "class"}));
  try {
    schedule.bytes();
    ADD_FAILURE() << "was written";
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(), "error[E0508]: layer `shares` (`softmax`) runs on the host, and a program file cannot hold it\n"
                           "hint: run the workload with `gemel run`, or leave the layer out of it");
  }
}

std::string host_steps_of(const std::string& layers) {
  const Network network = load_workload_text("gemel_workload: 1\nname: parts\nsynthetic: {seed: 1}\ninputs: [{name: x, shape: [3, 8]}]\nlayers:\n" + layers,
                                             "parts.yaml");
  const Schedule schedule = compile(network, shipped("tiny8"));
  std::string text;
  for (int part = 0; part < schedule.parts(); ++part) {
    for (const HostStep& step : schedule.host_steps) {
      if (step.before == part) text += "(" + step.what.name + ") ";
    }
    const std::size_t first = part == 0 ? 0 : schedule.further_parts.at(static_cast<std::size_t>(part - 1));
    const std::size_t end = part + 1 < schedule.parts() ? schedule.further_parts.at(static_cast<std::size_t>(part)) : schedule.program.size();
    EXPECT_EQ(isa::opcode(schedule.program.at(end - 1)), isa::Opcode::Halt);
    for (std::size_t i = first; i + 1 < end; ++i) EXPECT_NE(isa::opcode(schedule.program[i]), isa::Opcode::Halt);
    for (const ScheduleLayer& layer : schedule.layers) {
      if (layer.first_instruction < static_cast<int>(first) || layer.first_instruction >= static_cast<int>(end)) continue;
      EXPECT_LT(layer.last_instruction, static_cast<int>(end)) << layer.name;
      text += layer.name + " ";
    }
    text += "| ";
  }
  return text;
}

TEST(HostSteps, CutTheProgramIntoParts) {
  const std::string fc = ", op: dense, out_channels: 10";
  EXPECT_EQ(host_steps_of("  - {name: a" + fc + "}\n  - {name: s, op: softmax}\n  - {name: b" + fc + "}\n"), "a | (s) b | ");
  // Views in between; an input that only the host reads; a step at the end.
  EXPECT_EQ(host_steps_of("  - {name: s, op: softmax}\n  - {name: v, op: reshape, shape: [3, 4, 2]}\n  - {name: b" + fc +
                          "}\n  - {name: e, op: softmax}\n"),
            "(s) b | ");
  // Steps that do not wait for one another share a gap; one that waits for a step alone does, too. What needs no step comes before the first.
  EXPECT_EQ(host_steps_of("  - {name: a" + fc + "}\n  - {name: s, op: softmax}\n  - {name: ss, op: softmax}\n  - {name: b" + fc +
                          "}\n  - {name: c" + fc + ", input: x}\n  - {name: t, op: softmax, input: c}\n  - {name: d" + fc +
                          "}\n  - {name: sum, op: add, inputs: [b, d]}\n"),
            "a c | (s) (ss) (t) b d sum | ");
  // An addition whose other operand comes from the host runs, with the layer in front of it, behind that step.
  EXPECT_EQ(host_steps_of("  - {name: a" + fc + "}\n  - {name: s, op: softmax}\n  - {name: b" + fc + ", input: x}\n  - {name: sum, op: add, inputs: [s, b]}\n"),
            "a | (s) b sum | ");
}

// Weights that the network computes: the step that makes them puts each element where the array looks for it, and the rest is their zero point.
TEST(HostSteps, PutComputedWeightsIntoTheirOrder) {
  const std::string text = "gemel_workload: 1\nname: heads\nsynthetic: {seed: 1}\ninputs: [{name: x, shape: [2, 5, 6]}]\nlayers:\n"
                           "  - {name: cut, op: reshape, shape: [2, 5, 2, 3]}\n  - {name: t, op: transpose, order: [0, 2, 1, 3]}\n"
                           "  - {name: y, op: grouped_matmul, groups: 2, inputs: [x, t]}\n";
  const Network network = load_workload_text(text, "heads.yaml");
  const Schedule schedule = compile(network, shipped("tiny8"));
  ASSERT_EQ(schedule.host_steps.size(), 1u);
  std::vector<int> stands(60, 0);
  for (const HostStep::Weights& weights : schedule.host_steps[0].weights) {
    const ConstantSegment& segment = schedule.constants.at(0);
    EXPECT_GE(weights.address, segment.address);
    EXPECT_LE(weights.address + weights.source.size(), schedule.program_base);
    for (const std::int32_t element : weights.source) {
      if (element >= 0) ++stands.at(static_cast<std::size_t>(element));
    }
  }
  EXPECT_EQ(stands, std::vector<int>(60, 1));
  EXPECT_EQ(host_steps_of("  - {name: cut, op: reshape, shape: [1, 3, 2, 4]}\n  - {name: t, op: transpose, order: [0, 2, 1, 3]}\n"
                          "  - {name: rows, op: reshape, input: x, shape: [1, 3, 8]}\n  - {name: y, op: grouped_matmul, groups: 2, inputs: [rows, t]}\n"),
            "(t) y | ");
  LoadOptions options;
  options.timing_only = true;
  EXPECT_EQ(compile(load_workload_text(text, "heads.yaml", options), shipped("tiny8")).program, schedule.program);
}

TEST(HostSteps, MustMakeComputedWeights) {
  const Network network = load_workload_text(
      "gemel_workload: 1\nname: heads\nsynthetic: {seed: 1}\ninputs: [{name: x, shape: [1, 4, 8]}]\nlayers:\n"
      "  - {name: w, op: matmul, out_channels: 8}\n  - {name: v, op: reshape, shape: [1, 2, 4, 4]}\n"
      "  - {name: y, op: grouped_matmul, groups: 2, inputs: [x, v]}\n", "heads.yaml");
  try {
    compile(network, shipped("tiny8"));
    FAIL() << "was accepted";
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(), "error[E0608]: layer `y`: its weights, `v`, are not made by a layer of the host, which puts them into their order\n"
                           "hint: put a layer of the host before it, such as a `transpose`");
  }
}

// A layer whose result nobody reads is compared, too: nothing else is put where it lies, not even by the store behind its own.
TEST(Memory, OfResultsThatNobodyReadsIsTheirsAlone) {
  const Network network = load_workload_text(R"(gemel_workload: 1
name: unread
arithmetic: fixed_double
synthetic: {seed: 5}
inputs:
  - {name: image, shape: [1, 12, 7, 4], type: int8, scale: 0.05, zero_point: -3}
outputs: [last]
layers:
  - {name: a, op: conv2d, input: image, out_channels: 4, groups: 4, kernel: 3, padding: same}
  - {name: b, op: conv2d, input: image, out_channels: 4, kernel: 3, padding: same}
  - {name: c, op: conv2d, input: image, out_channels: 4, kernel: 3, padding: same}
  - {name: last, op: max_pool, input: c, kernel: 2, stride: 2}
)",
                                             "unread.yaml");
  const Schedule schedule = compile(network, shipped("edge16"));
  std::vector<std::pair<std::uint64_t, std::uint64_t>> places;
  for (const ScheduleTensor& t : schedule.tensors) places.emplace_back(t.address, t.address + static_cast<std::uint64_t>(t.bytes));
  ASSERT_EQ(places.size(), 5u);
  for (const std::size_t unread : {1u, 2u}) {
    for (std::size_t other = 0; other < places.size(); ++other) {
      if (other == unread) continue;
      EXPECT_TRUE(places[unread].second <= places[other].first || places[other].second <= places[unread].first) << unread << " and " << other;
    }
  }
}

// While the host works, all that it reads and writes and all that later parts read lies in memory, apart.
TEST(HostSteps, ShareNoMemory) {
  Random random(test::random_seed());
  test::RandomNetworkLimits limits;
  limits.host_steps = true;
  limits.min_layers = 4;
  int steps = 0;
  for (int i = 0; i < 150; ++i) {
    const Network network = test::random_network(random, limits);
    const Schedule schedule = compile(network, shipped("edge16"));
    const auto root = [&](int t) {
      for (bool is_view = true; is_view;) {
        is_view = false;
        for (const Layer& layer : network.layers) {
          if (layer.output == t && layer.op() == Op::Reshape) t = layer.inputs[0], is_view = true;
        }
      }
      return t;
    };
    for (const HostStep& step : schedule.host_steps) {
      ++steps;
      std::vector<int> alive = {step.what.output, root(step.what.inputs[0])};
      for (const Layer& layer : network.layers) {
        const ScheduleLayer& later = schedule.layers[static_cast<std::size_t>(&layer - network.layers.data())];
        const int gap = step.before == 0 ? 0 : static_cast<int>(schedule.further_parts[static_cast<std::size_t>(step.before - 1)]);
        if (later.first_instruction < gap) continue;
        for (const int t : layer.inputs) {
          const int maker = schedule.tensors[static_cast<std::size_t>(root(t))].layer;
          const bool there = maker < 0 || (schedule.layers[static_cast<std::size_t>(maker)].complete_after >= 0 &&
                                           schedule.layers[static_cast<std::size_t>(maker)].complete_after < gap);
          if (there) alive.push_back(root(t));
        }
      }
      std::sort(alive.begin(), alive.end());
      alive.erase(std::unique(alive.begin(), alive.end()), alive.end());
      for (const int a : alive) {
        for (const int b : alive) {
          const ScheduleTensor &one = schedule.tensors[static_cast<std::size_t>(a)], &other = schedule.tensors[static_cast<std::size_t>(b)];
          ASSERT_TRUE(one.in_memory) << one.name << "\n" << test::describe(network);
          if (a == b) continue;
          const auto end = [](const ScheduleTensor& t) { return t.address + static_cast<std::uint64_t>(t.bytes); };
          ASSERT_TRUE(end(one) <= other.address || end(other) <= one.address)
              << one.name << " and " << other.name << " before part " << step.before << "\n" << test::describe(network);
        }
      }
    }
  }
  EXPECT_GT(steps, 50);
}

}  // namespace
}  // namespace gemel
