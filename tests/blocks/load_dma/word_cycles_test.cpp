// SPDX-License-Identifier: Apache-2.0
// Cycles in which words are written against a list of them all.
#include "blocks/load_dma/word_cycles.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "support/random_seed.hpp"

namespace gemel {
namespace {

TEST(WordCycles, WordsWaitForTheWordBeforeAndForTheirBeat) {
  WordCycles cycles;
  // Words of 24 bytes, from byte 0 on, on a bus of 16, the first beat in cycle 100: with beats 1, 2, 4 and 5. The port is free from 102 on.
  EXPECT_EQ(cycles.add(102, 4, {100, 23, 24, 4}), 105);
  std::vector<Cycle> seen;
  cycles.take_each(1000, [&](Cycle cycle) { seen.push_back(cycle); });
  EXPECT_EQ(seen, (std::vector<Cycle>{102, 103, 104, 105}));
  EXPECT_EQ(cycles.add(90, 4, {100, 23, 24, 4}), 105);
  EXPECT_EQ(cycles.take(102), 2);
  EXPECT_EQ(cycles.take(103), 0);
  EXPECT_EQ(cycles.take(104), 1);
  EXPECT_EQ(cycles.take(105), 1);
  EXPECT_TRUE(cycles.empty());
}

TEST(WordCycles, TakesWindowByWindowWhatWasWritten) {
  std::mt19937_64 random(test::random_seed());
  const auto draw = [&](std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most - least + 1));
  };
  for (int round = 0; round < 300; ++round) {
    WordCycles cycles;
    std::vector<Cycle> all;
    std::size_t taken = 0;
    Cycle next = 5;
    for (int step = 0; step < 40; ++step) {
      const std::int64_t kind = draw(0, 2), count = draw(1, 9);
      next += draw(0, 3) == 0 ? draw(1, 30) : 0;
      if (kind == 0) {
        cycles.add(next, count);
        for (std::int64_t i = 0; i < count; ++i) all.push_back(next++);
      } else if (kind == 1) {
        const int shift = static_cast<int>(draw(0, 4));
        const std::int64_t width = draw(std::int64_t{1} << shift, 40), byte = draw(0, 63);
        const WordCycles::Beats beats{next - (byte >> shift) + draw(-12, 9), byte, width, shift};
        for (std::int64_t i = 0; i < count; ++i) {  // one by one
          all.push_back(std::max(next, beats.base + ((byte + i * width) >> shift)));
          next = all.back() + 1;
        }
        const Cycle first = all[all.size() - static_cast<std::size_t>(count)];
        const Cycle due = first == beats.at(0) ? first - draw(0, 5) : first;  // it may have waited for its beat
        ASSERT_EQ(cycles.add(due, count, beats), all.back());
      } else {
        const std::int64_t bursts = draw(1, 5);
        const Cycle pace = draw(1, 4), period = (count - 1) * pace + draw(1, 9);
        cycles.add(next, count, pace, period, bursts);
        for (std::int64_t b = 0; b < bursts; ++b) {
          for (std::int64_t i = 0; i < count; ++i) all.push_back(next + b * period + i * pace);
        }
        next = all.back() + 1;
      }
      if (draw(0, 2) == 0) continue;
      const Cycle last = draw(next - 60, next + 5);
      std::int64_t wanted = 0;
      for (; taken < all.size() && all[taken] <= last; ++taken) ++wanted;
      if (draw(0, 1) == 0) {
        ASSERT_EQ(cycles.take(last), wanted);
      } else {
        std::int64_t seen = 0;
        cycles.take_each(last, [&](Cycle) { ++seen; });
        ASSERT_EQ(seen, wanted);
      }
    }
  }
}

}  // namespace
}  // namespace gemel
