// SPDX-License-Identifier: Apache-2.0
// pe_array, beat model, against a plain matrix product and against its contract.
#include "blocks/pe_array/pe_array_beat.hpp"

#include <gtest/gtest.h>

#include <map>

#include "base/error.hpp"
#include "support/random_program.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using testing::Random;

Machine machine_of(int rows, int columns) {
  Machine m;
  m.rows = rows;
  m.columns = columns;
  return m;
}

std::vector<std::int16_t> random_row(Random& random, int n) {
  std::vector<std::int16_t> row(static_cast<std::size_t>(n));
  for (auto& v : row) v = static_cast<std::int16_t>(random.chance(20) ? (random.chance(50) ? -256 : 255) : random.range(-256, 255));
  return row;
}

// Random passes, weights of the next entering as early as the contract allows or later, rows with gaps between them.
TEST(PeArray, MultipliesMatricesAndKeepsItsLatency) {
  const std::uint64_t seed = test::random_seed();
  std::int64_t rows_seen = 0;
  for (int run = 0; run < 60; ++run) {
    Random random(seed * 7919 + static_cast<std::uint64_t>(run));
    const int R = random.range(1, 20), C = random.range(1, 20);
    const Machine machine = machine_of(R, C);
    PeArrayBeat array(machine);
    array.reset();

    // What happens when: weight rows (last first) and activation rows by cycle.
    struct Entry {
      std::vector<std::int16_t> weight, activation;
      bool is_switch = false;
      std::vector<std::int32_t> sums;
    };
    std::map<int, Entry> entries;
    int weights_from = 0, rows_end = 0, pass_begin = 0;
    for (int pass = 0; pass < 6; ++pass) {
      std::vector<std::vector<std::int16_t>> weight;
      for (int r = 0; r < R; ++r) weight.push_back(random_row(random, C));
      weights_from = std::max(weights_from, pass_begin) + random.skewed(0, 5);
      for (int r = 0; r < R; ++r) entries[weights_from + r].weight = weight[static_cast<std::size_t>(R - 1 - r)];
      weights_from += R;
      pass_begin = std::max(weights_from, rows_end) + random.skewed(0, 3);
      int t = pass_begin;
      const int pixels = random.range(1, 30);
      for (int p = 0; p < pixels; ++p) {
        Entry& entry = entries[t];
        entry.activation = random_row(random, R);
        entry.is_switch = p == 0;
        entry.sums.assign(static_cast<std::size_t>(C), 0);
        for (int c = 0; c < C; ++c) {
          for (int r = 0; r < R; ++r) {
            entry.sums[static_cast<std::size_t>(c)] +=
                std::int32_t{entry.activation[static_cast<std::size_t>(r)]} *
                weight[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)];
          }
        }
        ++rows_seen;
        rows_end = t + 1;
        t += 1 + (random.chance(80) ? 0 : random.range(1, 40));
      }
    }
    const int latency = R + C - 1;
    for (int t = 0; t < rows_end + latency + 2; ++t) {
      const auto leaving = entries.find(t - latency);
      const bool expected = leaving != entries.end() && !leaving->second.activation.empty();
      ASSERT_EQ(array.out().valid, expected) << "cycle " << t << ", R=" << R << " C=" << C << " run " << run;
      if (expected) {
        for (int c = 0; c < C; ++c) {
          ASSERT_EQ(array.out().sums[c], leaving->second.sums[static_cast<std::size_t>(c)]) << "column " << c;
        }
      }
      PeArrayIn in;
      const auto now = entries.find(t);
      if (now != entries.end()) {
        in.weight_valid = !now->second.weight.empty();
        in.weight = now->second.weight.data();
        in.activation_valid = !now->second.activation.empty();
        in.activation = now->second.activation.data();
        in.activation_switch = now->second.is_switch;
      }
      array.step(in);
    }
    EXPECT_FALSE(array.out().valid);
    array.step({});
    EXPECT_TRUE(array.quiet());
  }
  EXPECT_GT(rows_seen, 1000);
}

class PeArrayContract : public ::testing::Test {
 protected:
  PeArrayContract() : machine_(machine_of(3, 2)), array_(machine_) { array_.reset(); }
  void weight() {
    PeArrayIn in;
    in.weight_valid = true;
    in.weight = values_;
    array_.step(in);
  }
  void row(bool is_switch, bool with_weight = false) {
    PeArrayIn in;
    in.activation_valid = true;
    in.activation_switch = is_switch;
    in.activation = values_;
    in.weight_valid = with_weight;
    in.weight = values_;
    array_.step(in);
  }
  std::int16_t values_[3] = {1, 2, 3};
  Machine machine_;
  PeArrayBeat array_;
};

TEST_F(PeArrayContract, ASwitchNeedsAllWeightRows) {
  weight();
  weight();
  EXPECT_THROW(row(true), InternalError);
}

TEST_F(PeArrayContract, TheFirstWeightRowOfTheNextPassMayComeWithTheSwitch) {
  for (int r = 0; r < 3; ++r) weight();
  EXPECT_NO_THROW(row(true, true));
  weight();
  weight();
  EXPECT_NO_THROW(row(true));
}

TEST_F(PeArrayContract, TheFirstWeightRowOfTheNextPassMayNotComeBeforeTheSwitch) {
  for (int r = 0; r < 3; ++r) weight();
  EXPECT_THROW(weight(), InternalError);
}

TEST_F(PeArrayContract, WeightRowsComeWithoutAGap) {
  weight();
  EXPECT_THROW(row(false), InternalError);
}

TEST_F(PeArrayContract, NoRowComesBeforeTheFirstSwitch) { EXPECT_THROW(row(false), InternalError); }

}  // namespace
}  // namespace gemel
