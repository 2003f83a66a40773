// SPDX-License-Identifier: Apache-2.0
// Rings, semaphores and program order on operations made by hand.
#include "compiler/sync.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/error.hpp"
#include "compiler/order.hpp"
#include "compiler/predict.hpp"
#include "compiler/timing.hpp"
#include "support/random_seed.hpp"

namespace gemel::compiler {
namespace {

Machine machine() {
  Machine m;
  m.rows = m.columns = m.lanes = 16;
  for (int b = 0; b < BufferCount; ++b) m.buffers[b] = {1024 * m.word_bytes(static_cast<Buffer>(b)), 4};  // 4 banks of 256 words
  return m;
}

Operation load(Buffer buffer, int first, int last, std::uint64_t address = 0, int bytes = 0) {
  isa::Load l;
  l.buffer = static_cast<int>(buffer);
  l.word_base = first;
  l.word_last = last;
  Operation op;
  op.instruction = l;
  op.words = last - first + 1;
  op.runs = 1;
  op.memory_first = address;
  op.memory_end = address + static_cast<std::uint64_t>(bytes);
  return op;
}

Operation matrix(int act, int weight, int acc, int pixels = 16) {
  isa::Matrix m;
  m.act_base = act;
  m.act_last = act + pixels - 1;
  m.weight_base = weight;
  m.weight_last = weight + 15;
  m.acc_base = acc;
  m.acc_last = acc + pixels - 1;
  m.out_width = pixels;
  Operation op;
  op.instruction = m;
  return op;
}

Operation requantize(int acc, int param, int dst, int pixels = 16) {
  isa::Vector v;
  v.src0_base = acc;
  v.src0_last = acc + pixels - 1;
  v.param_base = param;
  v.param_last = param + 8;
  v.dst_base = dst;
  v.dst_last = dst + pixels - 1;
  v.out_width = pixels;
  Operation op;
  op.instruction = v;
  return op;
}

Operation store(int first, int last, std::uint64_t address = 0) {
  isa::Store s;
  s.word_base = first;
  s.word_last = last;
  s.run_bytes = s.group_bytes = (last - first + 1) * 16;
  s.group_bytes = 16;
  Operation op;
  op.instruction = s;
  op.words = last - first + 1;
  op.runs = 1;
  op.memory_first = address;
  op.memory_end = address + static_cast<std::uint64_t>(s.run_bytes);
  return op;
}

struct Edge {
  int producer = 0, consumer = 0;  // indices of operations
};

// All edges into the operations, by consumer, for one consumer the youngest producer first; and all operations' predicted times.
std::vector<Edge> derive_edges(std::vector<Operation>& operations) {
  const Machine m = machine();
  Chains chains;
  Synchronizer synchronizer(m);
  Predictor predictor(m);
  std::array<std::vector<int>, Units> index;  // of each unit's operations
  std::vector<Edge> edges;
  for (int i = 0; i < static_cast<int>(operations.size()); ++i) {
    Operation& op = operations[static_cast<std::size_t>(i)];
    chains.set(op);
    const Places producers = synchronizer.next(op);
    predictor.next(op, producers);
    std::vector<int> list;
    for (int u = 0; u < Units; ++u) {
      if (producers[u] >= 0) list.push_back(index[u][static_cast<std::size_t>(producers[u])]);
    }
    std::sort(list.rbegin(), list.rend());
    for (const int producer : list) edges.push_back({producer, i});
    index[op.unit()].push_back(i);
  }
  return edges;
}

// The operations in program order, as indices; their wait and post masks are checked against the edges.
std::vector<int> order_program(std::vector<Operation>& operations, int queue_depth) {
  const Machine m = machine();
  Synchronizer synchronizer(m);
  std::vector<int> order;
  std::array<std::vector<int>, Units> index;
  std::array<std::size_t, Units> emitted{};
  int posted = 0, waited = 0, tokens = 0;
  ProgramOrder program(queue_depth, [&](const Operation& op, const Places&) {
    const auto u = static_cast<std::size_t>(op.unit());
    order.push_back(index[u][emitted[u]++]);
    for (int s = 0; s < 16; ++s) posted += op.instruction.header().post_mask >> s & 1;
    for (int s = 0; s < 4; ++s) waited += op.instruction.header().wait_mask >> s & 1;
  });
  for (int i = 0; i < static_cast<int>(operations.size()); ++i) {
    const Operation& op = operations[static_cast<std::size_t>(i)];
    index[op.unit()].push_back(i);
    const Places producers = synchronizer.next(op);
    for (const int p : producers) tokens += p >= 0;
    program.add(op, producers);
  }
  program.finish();
  EXPECT_EQ(waited, tokens);
  EXPECT_EQ(posted, tokens);
  return order;
}

std::vector<std::pair<int, int>> pairs(std::vector<Operation> operations) {
  std::vector<std::pair<int, int>> list;
  for (const Edge& e : derive_edges(operations)) list.push_back({e.producer, e.consumer});
  return list;
}
using Pairs = std::vector<std::pair<int, int>>;

TEST(Ring, HandsOutOneIntervalBehindTheOtherAndWraps) {
  Ring ring(100, 10);
  EXPECT_EQ(ring.take(4), 100);
  ring.release(100);
  EXPECT_EQ(ring.take(4), 104);
  ring.release(104);
  EXPECT_EQ(ring.take(4), 100);  // 108 + 4 is beyond the end
}

TEST(Ring, StepsOverWhatIsKeptAndRefusesWhatDoesNotFit) {
  Ring ring(0, 10);
  EXPECT_EQ(ring.take(3), 0);
  EXPECT_EQ(ring.take(3), 3);
  EXPECT_EQ(ring.take(5), -1);
  EXPECT_EQ(ring.take(4), 6);
  ring.release(3);
  EXPECT_EQ(ring.take(3), 3);
  EXPECT_EQ(ring.take(1), -1);
}

TEST(Ring, BeginsOnBanks) {
  Ring ring(0, 1024, 256);
  EXPECT_EQ(ring.take(10), 0);
  EXPECT_EQ(ring.take(300), 256);
  EXPECT_EQ(ring.take(10), 768);
}

TEST(Edges, ConsumerWaitsForItsProducerAndNotForWhatThatImplies) {
  // activations, weights, passes, parameters, requantization, store
  const std::vector<Operation> operations = {load(Buffer::Activation, 0, 15), load(Buffer::Weight, 0, 15), matrix(0, 0, 0),
                                             load(Buffer::Param, 0, 8),       requantize(0, 0, 0),         store(0, 15)};
  // Passes wait for the second load, which follows the first; the store needs only what the vector unit has done.
  EXPECT_EQ(pairs(operations), (Pairs{{1, 2}, {3, 4}, {2, 4}, {4, 5}}));
}

TEST(Edges, OverwritingWaitsForTheLastReader) {
  const std::vector<Operation> operations = {load(Buffer::Activation, 0, 15), load(Buffer::Weight, 0, 15), matrix(0, 0, 0),
                                             load(Buffer::Activation, 8, 20), load(Buffer::Activation, 16, 30)};
  EXPECT_EQ(pairs(operations), (Pairs{{1, 2}, {2, 3}}));
}

TEST(Edges, DisjointWordsOfOneBankAreFreeUnlessTheyShareAPort) {
  // Load writes words 100.. of vector_buffer while the vector unit writes 0..15 of the same bank: one write port.
  EXPECT_EQ(pairs({load(Buffer::Param, 0, 8), load(Buffer::Vector, 100, 110), requantize(0, 0, 0), load(Buffer::Vector, 120, 130)}),
            (Pairs{{1, 2}, {2, 3}}));
  // In a bank of their own the loads go free.
  EXPECT_EQ(pairs({load(Buffer::Param, 0, 8), load(Buffer::Vector, 300, 310), requantize(0, 0, 0), load(Buffer::Vector, 320, 330)}),
            (Pairs{{0, 2}}));
  // A store reads what the vector unit wrote before; writing beside it goes on.
  EXPECT_EQ(pairs({load(Buffer::Param, 0, 8), requantize(0, 0, 0), store(0, 15), requantize(16, 0, 16)}), (Pairs{{0, 1}, {1, 2}}));
}

TEST(Edges, MemoryIsComparedByBytes) {
  const std::vector<Operation> operations = {load(Buffer::Param, 0, 8),
                                             requantize(0, 0, 0),
                                             store(0, 15, 1000),                            // bytes 1000..1255
                                             load(Buffer::Activation, 0, 15, 744, 256),     // ends just before
                                             load(Buffer::Activation, 16, 31, 1255, 256)};  // its last byte
  EXPECT_EQ(pairs(operations), (Pairs{{0, 1}, {1, 2}, {2, 4}}));
}

TEST(Edges, NoTokenIsOlderThanTheLookBack) {
  // Many stores first, then as many loads that each need one of them.
  std::vector<Operation> operations = {load(Buffer::Param, 0, 8), requantize(0, 0, 0)};
  const int count = 1000;
  for (int i = 0; i < count; ++i) operations.push_back(store(0, 0, static_cast<std::uint64_t>(i) * 16));
  for (int i = 0; i < count; ++i) operations.push_back(load(Buffer::Activation, i, i, static_cast<std::uint64_t>(i) * 16, 16));
  const std::vector<Edge> edges = derive_edges(operations);
  int last = -1, tokens = 0;
  std::size_t e = 0;
  for (int i = 2 + count; i < 2 + 2 * count; ++i) {
    for (; e < edges.size() && edges[e].consumer <= i; ++e) {
      if (operations[edges[e].producer].instruction.unit != isa::Unit::Store) continue;
      EXPECT_GT(edges[e].producer, last) << "tokens of one pair rise";
      last = edges[e].producer;
      ++tokens;
    }
    EXPECT_GE(last, i - count) << "load " << i << " begins before its store";
  }
  EXPECT_LE(tokens, 130);
  EXPECT_EQ(order_program(operations, 8).size(), operations.size());
}

TEST(Chains, FollowOnlyEqualOrDisjointAccumulators) {
  std::vector<Operation> operations = {matrix(0, 0, 0), matrix(0, 0, 0), matrix(0, 0, 16), matrix(0, 0, 24), requantize(0, 0, 0)};
  derive_edges(operations);
  EXPECT_EQ(operations[0].header().chain, 0);  // the first has nothing to follow
  EXPECT_EQ(operations[1].header().chain, 1);  // equal
  EXPECT_EQ(operations[2].header().chain, 1);  // disjoint
  EXPECT_EQ(operations[3].header().chain, 0);  // 24..39 overlaps 16..31
  EXPECT_EQ(operations[4].header().chain, 0);  // never in the vector unit
}

TEST(Predict, ChainedPassesFollowWithoutAGap) {
  std::vector<Operation> operations = {matrix(0, 0, 0, 40), matrix(0, 0, 256, 40)};
  derive_edges(operations);
  const std::int64_t a1 = operations[0].start + 2 + 16 /*weights*/;
  EXPECT_EQ(operations[0].done, a1 + 40 - 1 + 16 + 16 + 3);
  EXPECT_EQ(operations[1].done, operations[0].done + 40);
}

TEST(Predict, RequantizationTakesParametersPixelsAndThePipeline) {
  std::vector<Operation> operations = {requantize(0, 0, 0, 40)};
  derive_edges(operations);
  EXPECT_EQ(operations[0].done - operations[0].start, 2 /*T0*/ + 9 /*set*/ + 40 /*pixels*/ + 14 /*VL, less one, and done*/);
}

TEST(Order, KeepsUnitsInOrderAndProducersFirst) {
  std::mt19937_64 random(test::random_seed());
  std::vector<Operation> operations;
  for (int i = 0; i < 2000; ++i) {
    const int at = static_cast<int>(random() % 900), memory = static_cast<int>(random() % 4000);
    switch (random() % 6) {
      case 0: operations.push_back(load(Buffer::Activation, at, at + 15, static_cast<std::uint64_t>(memory), 256)); break;
      case 1: operations.push_back(load(Buffer::Weight, at, at + 15)); break;
      case 2: operations.push_back(load(Buffer::Param, at, at + 8)); break;
      case 3: operations.push_back(matrix(at, at, static_cast<int>(random() % 900))); break;
      case 4: operations.push_back(requantize(at, at, static_cast<int>(random() % 900))); break;
      default: operations.push_back(store(at, at + 15, static_cast<std::uint64_t>(memory)));
    }
  }
  const std::vector<Edge> edges = derive_edges(operations);
  ASSERT_FALSE(edges.empty());
  const std::vector<int> order = order_program(operations, 8);
  ASSERT_EQ(order.size(), operations.size());
  std::vector<int> place(operations.size(), -1);
  for (std::size_t i = 0; i < order.size(); ++i) place[order[i]] = static_cast<int>(i);
  for (const Edge& e : edges) {
    EXPECT_LT(place[e.producer], place[e.consumer]);
    EXPECT_GE(operations[e.consumer].start, operations[e.producer].done + 2);
  }
  int last[Units] = {-1, -1, -1, -1};
  for (const int i : order) {
    EXPECT_GT(i, last[operations[i].unit()]);
    last[operations[i].unit()] = i;
  }
}

// An operation leaves once every unit has more than MaxBehind operations waiting: none that comes later can stand before it or wait for it.
TEST(Order, HoldsNoMoreThanItMust) {
  const int rounds = 2000;
  int emitted = 0, most = 0;
  const Machine m = machine();
  Synchronizer synchronizer(m);
  Predictor predictor(m);
  ProgramOrder program(8, [&](const Operation&, const Places&) { ++emitted; });
  for (int i = 0; i < rounds; ++i) {
    const int at = i % 50 * 16;
    int k = 0;
    for (Operation op : {load(Buffer::Activation, at, at + 15), load(Buffer::Weight, at, at + 15), matrix(at, at, at), load(Buffer::Param, 0, 8),
                         requantize(at, 0, at), store(at, at + 15, static_cast<std::uint64_t>(i) * 256)}) {
      const Places producers = synchronizer.next(op);
      predictor.next(op, producers);
      program.add(op, producers);
      most = std::max(most, i * 6 + ++k - emitted);
    }
  }
  EXPECT_LE(most, 2 * 6 * MaxBehind);
  program.finish();
  EXPECT_EQ(emitted, rounds * 6);
}

}  // namespace
}  // namespace gemel::compiler
