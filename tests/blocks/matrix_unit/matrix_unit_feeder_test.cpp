// SPDX-License-Identifier: Apache-2.0
// matrix_unit's fast model in front of a clocked pe_array: the accumulators of the bulk kernels, the same completions, no clock too many;
// and a run that is void as soon as the array does not keep its contract.
#include "blocks/matrix_unit/matrix_unit_feeder.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <stdexcept>

#include "blocks/matrix_unit/matrix_unit_model.hpp"
#include "blocks/matrix_unit/random_matrix.hpp"
#include "blocks/pe_array/pe_array_beat.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using testing::Random;

constexpr int Words = 4096;

Machine machine_of(int rows, int columns) {
  Machine m;
  m.rows = rows;
  m.columns = columns;
  for (int b = 0; b < BufferCount; ++b) {
    auto& buffer = m.buffers[static_cast<std::size_t>(b)];
    buffer.banks = 1;
    buffer.size_bytes = Words * m.word_bytes(static_cast<Buffer>(b));
  }
  return m;
}

// A pe_array that counts its clocks and may be wrong.
class Array : public Clocked<PeArrayIn, PeArrayOut> {
 public:
  enum class Wrong { Nothing, Early, Never, Throws };
  Array(const Machine& machine, Wrong wrong, bool rests) : inner_(machine), wrong_(wrong), rests_(rests) {}
  void reset() override { inner_.reset(); }
  const PeArrayOut& out() const override { return out_; }
  void step(const PeArrayIn& in) override {
    inner_.step(in);
    ++clocks;
    out_ = inner_.out();
    if (out_.valid && wrong_ == Wrong::Throws) throw std::runtime_error("differs");
    if (wrong_ == Wrong::Never) out_.valid = false;
    if (wrong_ == Wrong::Early && in.activation_valid) out_ = {true, nullptr};
  }
  bool quiet() const override { return rests_ && inner_.quiet(); }
  Cycle clocks = 0;

 private:
  PeArrayBeat inner_;
  Wrong wrong_;
  bool rests_;
  PeArrayOut out_;
};

// A matrix unit with buffers of its own.
struct Bench : CompletionSink {
  explicit Bench(const Machine& machine)
      : activation(machine, Buffer::Activation),
        weight(machine, Buffer::Weight),
        accumulator(machine, Buffer::Accumulator),
        unit(machine, *this, &activation, &weight, &accumulator) {}
  void fill(Random& random) {
    for (Scratchpad* pad : {&activation, &weight, &accumulator}) {
      for (std::int64_t i = 0; i < pad->words() * pad->word_bytes(); ++i) pad->data()[i] = random.byte();
    }
  }
  void copy(Bench& other) {
    for (auto [to, from] : {std::pair{&activation, &other.activation}, {&weight, &other.weight}, {&accumulator, &other.accumulator}}) {
      std::memcpy(to->data(), from->data(), static_cast<std::size_t>(to->words() * to->word_bytes()));
    }
  }
  bool same_sums(Bench& other) {
    const auto bytes = static_cast<std::size_t>(accumulator.words() * accumulator.word_bytes());
    return std::memcmp(accumulator.data(), other.accumulator.data(), bytes) == 0;
  }
  void chain(isa::Unit, Cycle c) override { chain_at = c; }
  void done(isa::Unit, Cycle p, isa::ErrorCode) override { done_at = p; }

  Scratchpad activation, weight, accumulator;
  MatrixUnitModel unit;
  Cycle chain_at = 0, done_at = 0;
};

isa::Instruction instruction_of(const isa::Matrix& m) { return isa::decode(isa::encode(m)); }

TEST(MatrixUnitFeeder, GivesWhatTheKernelsGive) {
  const std::uint64_t seed = test::random_seed();
  int chained = 0, alone = 0;
  for (int run = 0; run < 150; ++run) {
    Random random(seed * 15485863 + static_cast<std::uint64_t>(run));
    const Machine machine = machine_of(random.range(1, 9), random.range(1, 9));
    SCOPED_TRACE("run " + std::to_string(run) + " R=" + std::to_string(machine.rows) + " C=" + std::to_string(machine.columns));
    Array array(machine, Array::Wrong::Nothing, random.chance(80));
    Bench kernels(machine), fed(machine);
    kernels.fill(random);
    fed.copy(kernels);
    fed.unit.feed(array, 0);
    Cycle s = 10, done_before = -100;
    for (int i = 0; i < 6; ++i) {
      isa::Matrix m = testing::random_matrix(random);
      m.acc_base += 1000 * (i % 3);  // of two in flight: disjoint
      kernels.unit.start(instruction_of(m), s);
      fed.unit.start(instruction_of(m), s);
      ASSERT_TRUE(fed.unit.settle(done_before));  // while the next one is in flight
      ASSERT_EQ(fed.done_at, kernels.done_at);
      ASSERT_EQ(fed.chain_at, kernels.chain_at);
      const Cycle chain_from = std::max(fed.chain_at, done_before) + 2;
      done_before = fed.done_at;
      if (random.chance(60) && chain_from < fed.done_at) {
        s = chain_from + random.skewed(0, 5);
        ++chained;
        continue;
      }
      ++alone;
      s = fed.done_at + 1 + random.skewed(0, 100);
      ASSERT_TRUE(fed.unit.settle(fed.done_at));
      ASSERT_TRUE(fed.same_sums(kernels));
    }
    ASSERT_TRUE(fed.unit.settle(done_before));
    ASSERT_TRUE(fed.same_sums(kernels));
  }
  EXPECT_GT(chained, 100);
  EXPECT_GT(alone, 100);
}

// One pixel, one pass: done at s + 2R + C + 5.
isa::Instruction small(Random& random) {
  isa::Matrix m = testing::random_matrix(random);
  m.out_planes = m.out_height = m.out_width = m.kernel_h = m.kernel_w = m.cin_blocks = m.cout_blocks = 1;
  return instruction_of(m);
}

TEST(MatrixUnitFeeder, LeavesOutCyclesInWhichTheArrayRests) {
  const Machine machine = machine_of(4, 3);
  for (const bool rests : {true, false}) {
    Random random(1);
    Array array(machine, Array::Wrong::Nothing, rests);
    Bench bench(machine);
    bench.unit.feed(array, 0);
    bench.unit.start(small(random), 100'000);
    ASSERT_TRUE(bench.unit.settle(bench.done_at));
    EXPECT_EQ(bench.done_at, 100'000 + 2 * 4 + 3 + 5);
    ASSERT_TRUE(bench.unit.settle(200'000));
    if (rests) {
      EXPECT_LT(array.clocks, 30);
    } else {
      EXPECT_EQ(array.clocks, 200'001);
    }
  }
}

TEST(MatrixUnitFeeder, IsVoidWhenTheArrayBreaksItsContract) {
  const Machine machine = machine_of(4, 3);
  for (const Array::Wrong wrong : {Array::Wrong::Early, Array::Wrong::Never, Array::Wrong::Throws}) {
    SCOPED_TRACE(static_cast<int>(wrong));
    Random random(1);
    Array array(machine, wrong, true);
    Bench bench(machine);
    bench.unit.feed(array, 0);
    ASSERT_TRUE(bench.unit.settle(10));
    bench.unit.start(small(random), 10);
    EXPECT_FALSE(bench.unit.settle(bench.done_at));
    const Cycle clocks = array.clocks;
    EXPECT_FALSE(bench.unit.settle(bench.done_at + 1000));
    EXPECT_EQ(array.clocks, clocks);
  }
}

}  // namespace
}  // namespace gemel
