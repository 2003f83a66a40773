// SPDX-License-Identifier: Apache-2.0
// pe alone over all its operands, and pe_array in lockstep with its beat model on random legal traffic.
#include <gtest/gtest.h>

#include "Pe.h"
#include "PeArray1x1.h"
#include "PeArray4x4.h"
#include "PeArray5x3.h"
#include "PeSynthesized.h"
#include "blocks/pe_array/pe_array_beat.hpp"
#include "compute_harness.hpp"
#include "support/random_seed.hpp"

namespace gemel::rtl_test {
namespace {

template <class Verilated>
class RtlPe : public ::testing::Test {};
// Verilator gets another text of the product than synthesis does: both are the same product.
using Texts = ::testing::Types<Pe, PeSynthesized>;
TYPED_TEST_SUITE(RtlPe, Texts);

TYPED_TEST(RtlPe, MultipliesEveryPairOfOperandsAndAddsToAnySum) {
  Random random(test::random_seed());
  VerilatedContext context;
  TypeParam pe(&context);
  const auto clock = [&pe] {
    pe.clk_i = 1;
    pe.eval();
    pe.clk_i = 0;
    pe.eval();
  };
  pe.clk_i = 0;
  pe.eval();
  std::int64_t pairs = 0;
  for (int weight = -256; weight < 256; ++weight) {
    pe.load_i = 1;
    pe.weight_i = static_cast<std::uint16_t>(weight & 511);
    pe.switch_i = 0;
    clock();
    pe.load_i = 0;
    for (int a = -256; a < 256; ++a, ++pairs) {
      // With the first row the shadow is loaded anew in the same cycle: the switch still takes the old one.
      pe.switch_i = a == -256;
      pe.load_i = a == -256;
      pe.weight_i = static_cast<std::uint16_t>(random() & 511);
      const auto sum = static_cast<std::uint32_t>(random());
      pe.sum_i = sum;
      pe.activation_i = static_cast<std::uint16_t>(a & 511);
      clock();
      ASSERT_EQ(pe.sum_o, sum + static_cast<std::uint32_t>(a * weight)) << a << " * " << weight;
    }
  }
  EXPECT_EQ(pairs, 512 * 512);
}

// Rows of weights and activations as the contract allows them, as tight as it allows them now and then.
class Traffic {
 public:
  Traffic(Random& random, int rows, int columns)
      : random_(random), rows_(rows), columns_(columns),
        weight_(static_cast<std::size_t>(columns)), activation_(static_cast<std::size_t>(rows)) {}

  PeArrayIn next() {
    if (left_ == 0) {  // another habit for a while
      busy_percent_ = std::array{3, 50, 90, 100}[random_() % 4];
      left_ = between(random_, 20, 200);
    }
    --left_;
    PeArrayIn in;
    const bool loaded = loaded_ == rows_;
    in.activation_valid = (loaded || switched_) && chance(random_, busy_percent_);
    in.activation_switch = in.activation_valid && loaded && (!switched_ || chance(random_, busy_percent_));
    if (in.activation_switch) {
      loaded_ = 0;
      switched_ = true;
    }
    in.weight_valid = loaded_ > 0 ? loaded_ < rows_ : chance(random_, busy_percent_);
    if (in.weight_valid) ++loaded_;
    for (auto& w : weight_) w = value();
    for (auto& a : activation_) a = value();
    in.weight = weight_.data();
    in.activation = activation_.data();
    return in;
  }
  void reset() {
    loaded_ = 0;
    switched_ = false;
  }

 private:
  std::int16_t value() {
    constexpr std::array<int, 6> Corners = {-256, -255, -1, 0, 1, 255};
    return static_cast<std::int16_t>(chance(random_, 30) ? Corners[random_() % Corners.size()] : between(random_, -256, 255));
  }

  Random& random_;
  int rows_, columns_;
  std::vector<std::int16_t> weight_, activation_;
  int loaded_ = 0, busy_percent_ = 100, left_ = 0;
  bool switched_ = false;
};

template <class Top>
void run_pe_array(int rows, int columns) {
  Random random(test::random_seed() * 1009 + static_cast<std::uint64_t>(rows * 256 + columns));
  Machine machine;
  machine.rows = rows;
  machine.columns = columns;
  PeArrayBeat beat(machine);
  beat.reset();
  Rtl<Top> rtl(random());
  Traffic traffic(random, rows, columns);
  std::int64_t sums = 0, skipped = 0;
  for (int cycle = 0; cycle < 100000; ++cycle) {
    if (random() % 5000 == 0) {
      beat.reset();
      rtl.reset();
      traffic.reset();
    }
    const PeArrayOut& out = beat.out();
    ASSERT_EQ(rtl->sums_valid_o != 0, out.valid) << "cycle " << cycle;
    ASSERT_EQ(rtl->quiet_o != 0, beat.quiet()) << "cycle " << cycle;
    if (out.valid) {
      ++sums;
      ASSERT_TRUE(equal_bytes(rtl->sums_o, 32 * columns, out.sums)) << "cycle " << cycle;
    }
    const PeArrayIn in = traffic.next();
    if (beat.quiet() && !in.weight_valid && !in.activation_valid && chance(random, 50)) {
      ++skipped;  // a clock that changes nothing may be left out
      continue;
    }
    rtl->weight_valid_i = in.weight_valid;
    rtl->activation_valid_i = in.activation_valid;
    rtl->activation_switch_i = in.activation_valid ? in.activation_switch : random() & 1;
    for (int c = 0; c < columns; ++c) set(rtl->weight_i, 9 * c, 9, in.weight[c]);
    for (int r = 0; r < rows; ++r) set(rtl->activation_i, 9 * r, 9, in.activation[r]);
    rtl.clock();
    beat.step(in);
  }
  EXPECT_GT(sums, 10000);
  EXPECT_GT(skipped, 100);
}

TEST(RtlPeArray, IsInLockstepAt1x1) { run_pe_array<PeArray1x1>(1, 1); }
TEST(RtlPeArray, IsInLockstepAt4x4) { run_pe_array<PeArray4x4>(4, 4); }
TEST(RtlPeArray, IsInLockstepAt5x3) { run_pe_array<PeArray5x3>(5, 3); }

}  // namespace
}  // namespace gemel::rtl_test
