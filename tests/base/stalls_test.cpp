// SPDX-License-Identifier: Apache-2.0
// Random stalls of a channel: docs/reference/machine.md, 7.
#include "base/stalls.hpp"

#include <gtest/gtest.h>

namespace gemel {
namespace {

TEST(StallPattern, DoesNotStallByItself) {
  const StallPattern none;
  EXPECT_FALSE(none.any());
  for (Cycle t = -5; t < 100; ++t) {
    EXPECT_TRUE(none.open(t));
    EXPECT_EQ(none.next_open(t), t);
  }
}

TEST(StallPattern, IsOpenUpToItsOrigin) {
  StallPattern pattern(1, 0, 99);
  for (Cycle t = 0; t < 1000; ++t) ASSERT_TRUE(pattern.open(t));  // not begun
  pattern.set_origin(500);
  for (Cycle t = 0; t <= 500; ++t) ASSERT_TRUE(pattern.open(t));
  int open = 0;
  for (Cycle t = 501; t < 1501; ++t) open += pattern.open(t);
  EXPECT_LT(open, 40);
}

TEST(StallPattern, FollowsTheSpecification) {
  StallPattern pattern(7, 5, 35);
  pattern.set_origin(20);
  for (std::uint64_t k = 1; k < 200; ++k) {
    std::uint64_t z = 8 * 7 + 5 + k * 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    ASSERT_EQ(pattern.open(20 + static_cast<Cycle>(k)), (z ^ z >> 31) % 100 >= 35) << k;
  }
}

TEST(StallPattern, NextOpenIsTheFirstOpenCycle) {
  StallPattern pattern(3, 2, 90);
  pattern.set_origin(0);
  for (Cycle t = 1; t < 500; ++t) {
    const Cycle next = pattern.next_open(t);
    EXPECT_TRUE(pattern.open(next));
    for (Cycle c = t; c < next; ++c) EXPECT_FALSE(pattern.open(c));
  }
}

TEST(StallPattern, StallsAsOftenAsItSaysAndChannelsDiffer) {
  int equal = 0, stalled = 0;
  StallPattern a(1, 0, 30), b(1, 1, 30);
  a.set_origin(0);
  b.set_origin(0);
  for (Cycle t = 1; t <= 10000; ++t) {
    stalled += !a.open(t);
    equal += !a.open(t) && !b.open(t);
  }
  EXPECT_NEAR(stalled, 3000, 200);
  EXPECT_NEAR(equal, 900, 150);  // 30 % of 30 %
}

TEST(AxiStalls, BeginOnceUntilTheyAreRestarted) {
  AxiStalls stalls;
  stalls.store.data = StallPattern(1, 5, 99);
  stalls.begin(100);
  stalls.begin(900);
  int open = 0;
  for (Cycle t = 101; t < 900; ++t) open += stalls.store.data.open(t);
  EXPECT_LT(open, 40);
  stalls.restart();
  EXPECT_TRUE(stalls.store.data.open(500));
  stalls.begin(900);
  EXPECT_TRUE(stalls.store.data.open(900));
  open = 0;
  for (Cycle t = 901; t < 1700; ++t) open += stalls.store.data.open(t);
  EXPECT_LT(open, 40);
}

}  // namespace
}  // namespace gemel
