// SPDX-License-Identifier: Apache-2.0
// Lists of busy and waiting cycles against a count of every cycle.
#include "base/intervals.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "support/random_seed.hpp"

namespace gemel {
namespace {

TEST(Intervals, JoinsNeighboursAndLeavesOutWhatIsEmpty) {
  Intervals intervals;
  intervals.add(3, 5);
  intervals.add(6, 6);
  intervals.add(9, 8);
  intervals.add(8, 9);
  ASSERT_EQ(intervals.runs().size(), 2u);
  EXPECT_EQ(intervals.runs()[0].first, 3);
  EXPECT_EQ(intervals.runs()[0].last, 6);
  EXPECT_EQ(intervals.runs()[1].first, 8);
}

TEST(Intervals, KeepsThoseAtEqualDistancesAsOneRun) {
  Intervals intervals;
  intervals.add(3, 4, 2, 5);  // without gaps
  ASSERT_EQ(intervals.runs().size(), 1u);
  EXPECT_EQ(intervals.runs().front().count, 1);
  EXPECT_EQ(intervals.runs().front().last, 12);
  intervals.add(20, 21, 5, 1000);
  ASSERT_EQ(intervals.runs().size(), 2u);
  EXPECT_EQ(covered<1>({&intervals}, 0, 25), 10 + 3);
  EXPECT_EQ(covered<1>({&intervals}, 26, Never - 1), 1 + 2 * 998);
}

TEST(Intervals, ForgetsUpToACycle) {
  Intervals intervals;
  intervals.add(3, 5);
  intervals.add(8, 12);
  intervals.add(20, 22, 10, 4);
  intervals.drop_until(2);
  EXPECT_EQ(intervals.runs().front().first, 3);
  intervals.drop_until(5);
  EXPECT_EQ(intervals.runs().front().first, 8);
  intervals.drop_until(9);
  EXPECT_EQ(intervals.runs().front().first, 10);
  EXPECT_EQ(intervals.runs().front().last, 12);
  intervals.drop_until(31);
  EXPECT_EQ(intervals.runs().front().first, 30);  // and cycle 32 is to come
  EXPECT_EQ(intervals.runs().front().count, 3);
  intervals.drop_until(42);
  EXPECT_EQ(intervals.runs().front().first, 50);
  EXPECT_EQ(intervals.runs().front().count, 1);
  intervals.drop_until(52);
  EXPECT_TRUE(intervals.empty());
}

TEST(Coverage, CountsEveryCycleOnce) {
  std::mt19937_64 random(test::random_seed());
  constexpr Cycle End = 400;
  for (int round = 0; round < 300; ++round) {
    Intervals lists[3];
    std::vector<int> state(End);
    for (int l = 0; l < 3; ++l) {
      for (Cycle t = static_cast<Cycle>(random() % 9); t < End;) {  // one interval, or a run of them
        const Cycle length = 1 + static_cast<Cycle>(random() % 12), period = length + static_cast<Cycle>(random() % 8);
        std::int64_t count = random() % 2 == 0 ? 1 : 1 + static_cast<std::int64_t>(random() % 5);
        while (count > 1 && t + (count - 1) * period + length > End) --count;
        const Cycle last = std::min(End, t + length) - 1;
        if (count == 1) {
          lists[l].add(t, last);
        } else {
          lists[l].add(t, last, period, count);
        }
        for (std::int64_t i = 0; i < count; ++i) {
          for (Cycle c = t; c <= last; ++c) state[static_cast<std::size_t>(c + i * period)] |= 1 << l;
        }
        t += (count - 1) * period + length + static_cast<Cycle>(random() % 20);
      }
    }
    for (Cycle first = 0; first < End;) {  // window by window
      const Cycle last = std::min(End - 1, first + static_cast<Cycle>(random() % 60));
      Cycle busy = 0, stuck = 0;
      for (Cycle c = first; c <= last; ++c) {
        const int s = state[static_cast<std::size_t>(c)];
        busy += (s & 3) != 0;
        stuck += s == 4;
      }
      const Coverage covered = coverage(lists[0], lists[1], lists[2], first, last);
      ASSERT_EQ(covered.busy, busy);
      ASSERT_EQ(covered.stuck, stuck);
      if (random() % 2 == 0) {
        for (Intervals& list : lists) list.drop_until(last);
      }
      first = last + 1;
    }
  }
}

}  // namespace
}  // namespace gemel
