// SPDX-License-Identifier: Apache-2.0
// Runs of cycles against a list of every cycle.
#include "base/cycle_queue.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "support/random_seed.hpp"

namespace gemel {
namespace {

TEST(CycleQueue, KeepsWhatFollowsAtEqualDistancesAsOneRun) {
  CycleQueue queue;
  queue.push(10);
  queue.push(14, 4, 3);
  queue.push(26);
  EXPECT_EQ(queue.run().count, 5);
  EXPECT_EQ(queue.run().period, 4);
  queue.pop(4);
  EXPECT_EQ(queue.front(), 26);
  queue.push(31, 0, 2);
  EXPECT_EQ(queue.run().count, 1);
  queue.pop();
  EXPECT_EQ(queue.front(), 31);
  queue.pop();
  EXPECT_EQ(queue.front(), 31);
  queue.pop();
  EXPECT_TRUE(queue.empty());
}

// The events one by one, as many as are steady, and what they leave in the queues.
TEST(CycleQueue, GivesTheSteadyEventsThatSingleOnesWouldBe) {
  std::mt19937_64 random(test::random_seed());
  std::int64_t long_ones = 0, cut = 0;
  for (int round = 0; round < 20000; ++round) {
    CycleQueue queues[2];
    std::deque<Cycle> lists[2];
    for (int q = 0; q < 2; ++q) {
      Cycle first = static_cast<Cycle>(random() % 30);
      for (std::uint64_t runs = random() % 4; runs > 0; --runs) {
        const Cycle period = static_cast<Cycle>(random() % 6);
        const auto count = static_cast<std::int64_t>(random() % 8);
        queues[q].push(first, period, count);
        for (std::int64_t i = 0; i < count; ++i) lists[q].push_back(first + i * period);
        first += count * period + static_cast<Cycle>(random() % 3);
      }
    }
    const Cycle at = static_cast<Cycle>(random() % 30), least = 1 + static_cast<Cycle>(random() % 4);
    const auto most = static_cast<std::int64_t>(random() % 20);
    const Cycle after[2] = {2, 1};
    Cycle before = at, period = 0;
    std::int64_t count = 0;
    while (count < most && !lists[0].empty() && !lists[1].empty()) {
      const Cycle next = std::max({before + least, lists[0].front() + after[0], lists[1].front() + after[1]});
      if (count == 0) period = next - before;
      if (next - before != period) {
        ++cut;
        break;
      }
      before = next;
      ++count;
      for (auto& list : lists) list.pop_front();
    }
    const Steady steady = take_steady<2>(at, least, most, {Wait{queues[0], after[0]}, Wait{queues[1], after[1]}});
    ASSERT_EQ(steady.count, count);
    if (count > 0) {
      ASSERT_EQ(steady.period, period);
    }
    for (int q = 0; q < 2; ++q) {
      for (; !lists[q].empty(); lists[q].pop_front(), queues[q].pop()) {
        ASSERT_FALSE(queues[q].empty());
        ASSERT_EQ(queues[q].front(), lists[q].front());
      }
      ASSERT_TRUE(queues[q].empty());
    }
    long_ones += count > 4;
  }
  EXPECT_GT(long_ones, 100);
  EXPECT_GT(cut, 100);
}

}  // namespace
}  // namespace gemel
