// SPDX-License-Identifier: Apache-2.0
// requantizer, beat model: six cycles, in order, the values of numerics.
#include "blocks/requantizer/requantizer_beat.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "base/numerics.hpp"
#include "support/random_program.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using testing::Random;

TEST(Requantizer, AnswersSixCyclesLaterWithTheScalarFunctions) {
  Random random(test::random_seed());
  Machine machine;
  machine.lanes = 5;
  RequantizerBeat requantizer(machine);
  requantizer.reset();
  struct Row {
    bool valid = false;
    std::int32_t x[5], multiplier[5], shift[5];
    isa::Rounding rounding = isa::Rounding::FixedDouble;
  };
  std::deque<Row> rows;  // of the last cycles, newest at the back
  int answers = 0;
  for (int t = 0; t < 20000; ++t) {
    const bool expected = rows.size() >= 6 && rows[rows.size() - 6].valid;
    ASSERT_EQ(requantizer.out().valid, expected) << "cycle " << t;
    if (expected) {
      const Row& row = rows[rows.size() - 6];
      for (int lane = 0; lane < 5; ++lane) {
        ASSERT_EQ(requantizer.out().y[lane],
                  numerics::requantize(static_cast<numerics::RequantMode>(row.rounding), row.x[lane], row.multiplier[lane],
                                       row.shift[lane]));
      }
      ++answers;
    }
    Row row;
    row.valid = random.chance(t % 100 < 50 ? 100 : 30);
    row.rounding = static_cast<isa::Rounding>(random.range(0, 3));
    for (int lane = 0; lane < 5; ++lane) {
      row.x[lane] = static_cast<std::int32_t>(random.bits());
      row.multiplier[lane] = static_cast<std::int32_t>(random.bits() & 0x7fffffff);
      row.shift[lane] = random.range(-32, 31);
    }
    rows.push_back(row);
    if (rows.size() > 8) rows.pop_front();
    const Row& in = rows.back();
    requantizer.step({in.valid, in.rounding, in.x, in.multiplier, in.shift});
  }
  EXPECT_GT(answers, 5000);
}

TEST(Requantizer, IsQuietWhenNothingIsInside) {
  Machine machine;
  machine.lanes = 1;
  RequantizerBeat requantizer(machine);
  requantizer.reset();
  requantizer.step({});
  EXPECT_TRUE(requantizer.quiet());
  const std::int32_t value = 1;
  requantizer.step({true, isa::Rounding::FixedDouble, &value, &value, &value});
  for (int t = 1; t <= 6; ++t) {
    EXPECT_FALSE(requantizer.quiet()) << t;
    requantizer.step({});
  }
  requantizer.step({});
  EXPECT_TRUE(requantizer.quiet());
}

}  // namespace
}  // namespace gemel
