// SPDX-License-Identifier: Apache-2.0
// The queues of the fast models.
#include "base/ring.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>

#include "support/random_seed.hpp"

namespace gemel {
namespace {

TEST(Ring, IsEmptyAtFirst) {
  Ring<int> ring;
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(ring.size(), 0u);
}

TEST(Ring, IsADeque) {
  std::mt19937_64 random(test::random_seed());
  Ring<int> ring;
  std::deque<int> deque;
  std::size_t longest = 0;
  for (int i = 0; i < 20000; ++i) {
    // Now it grows, now it shrinks.
    if (deque.empty() || random() % 100 < (i / 2000 % 2 == 0 ? 60u : 40u)) {
      ring.push_back(i);
      deque.push_back(i);
    } else {
      ring.pop_front();
      deque.pop_front();
    }
    ASSERT_EQ(ring.size(), deque.size());
    ASSERT_EQ(ring.empty(), deque.empty());
    if (deque.empty()) continue;
    ASSERT_EQ(ring.front(), deque.front());
    ASSERT_EQ(ring.back(), deque.back());
    const std::size_t at = random() % deque.size();
    ASSERT_EQ(ring[at], deque[at]);
    longest = std::max(longest, deque.size());
  }
  EXPECT_GT(longest, 100u);  // it has grown more than once
}

TEST(Ring, KeepsItsElementsInOrderWhenItGrowsFromTheMiddle) {
  Ring<std::unique_ptr<int>> ring;
  for (int i = 0; i < 10; ++i) ring.push_back(std::make_unique<int>(i));
  for (int i = 0; i < 10; ++i) ring.pop_front();
  for (int i = 0; i < 40; ++i) ring.push_back(std::make_unique<int>(i));  // begins at place 10 of 16
  ASSERT_EQ(ring.size(), 40u);
  for (std::size_t i = 0; i < 40; ++i) ASSERT_EQ(*ring[i], static_cast<int>(i));
}

TEST(Recent, RemembersAsFarBackAsItSays) {
  for (std::size_t depth = 1; depth < 20; ++depth) {
    Recent<std::int64_t> recent(depth);
    for (std::int64_t k = 0; k < 100; ++k) {
      recent[k] = 3 * k;
      for (std::int64_t back = 0; back < static_cast<std::int64_t>(depth) && back <= k; ++back) {
        ASSERT_EQ(recent[k - back], 3 * (k - back)) << "depth " << depth;
      }
    }
  }
}

TEST(Log2, OfPowersOfTwo) {
  for (int i = 0; i < 64; ++i) EXPECT_EQ(log2_of(std::uint64_t{1} << i), i);
}

}  // namespace
}  // namespace gemel
