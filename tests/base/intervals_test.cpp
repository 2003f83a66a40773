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
  ASSERT_EQ(intervals.list().size(), 2u);
  EXPECT_EQ(intervals.list()[0].first, 3);
  EXPECT_EQ(intervals.list()[0].last, 6);
  EXPECT_EQ(intervals.list()[1].first, 8);
}

TEST(Intervals, ForgetsUpToACycle) {
  Intervals intervals;
  intervals.add(3, 5);
  intervals.add(8, 12);
  intervals.drop_until(2);
  EXPECT_EQ(intervals.list().front().first, 3);
  intervals.drop_until(5);
  EXPECT_EQ(intervals.list().front().first, 8);
  intervals.drop_until(9);
  EXPECT_EQ(intervals.list().front().first, 10);
  EXPECT_EQ(intervals.list().front().last, 12);
  intervals.drop_until(12);
  EXPECT_TRUE(intervals.list().empty());
}

TEST(Intervals, TakesWindowByWindowWhatTheyCover) {
  std::mt19937_64 random(test::random_seed());
  constexpr Cycle End = 400;
  for (int round = 0; round < 300; ++round) {
    Intervals intervals;
    std::vector<bool> covered(End);
    Cycle added = static_cast<Cycle>(random() % 9);
    for (Cycle first = 0; first < End;) {
      const Cycle last = std::min(End - 1, first + static_cast<Cycle>(random() % 60));
      while (added < End && (added <= last || random() % 3 == 0)) {  // some lie behind the window
        const Cycle until = std::min(End - 1, added + static_cast<Cycle>(random() % 12));
        intervals.add(added, until);
        for (Cycle c = added; c <= until; ++c) covered[static_cast<std::size_t>(c)] = true;
        added = until + 1 + static_cast<Cycle>(random() % 20);
      }
      first += static_cast<Cycle>(random() % 3);  // what lies before it is forgotten
      Cycle wanted = 0;
      for (Cycle c = first; c <= last; ++c) wanted += covered[static_cast<std::size_t>(c)];
      ASSERT_EQ(first > last ? 0 : intervals.take(first, last), wanted);
      if (first > last) intervals.drop_until(last);
      ASSERT_TRUE(intervals.list().empty() || intervals.list().front().first > last);
      first = last + 1;
    }
  }
}

TEST(Coverage, CountsEveryCycleOnce) {
  std::mt19937_64 random(test::random_seed());
  constexpr Cycle End = 400;
  for (int round = 0; round < 300; ++round) {
    Intervals lists[3];
    std::vector<int> state(End);
    for (int l = 0; l < 3; ++l) {
      for (Cycle t = static_cast<Cycle>(random() % 9); t < End;) {
        const Cycle last = std::min(End - 1, t + static_cast<Cycle>(random() % 12));
        lists[l].add(t, last);
        for (Cycle c = t; c <= last; ++c) state[static_cast<std::size_t>(c)] |= 1 << l;
        t = last + 1 + static_cast<Cycle>(random() % 20);
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
