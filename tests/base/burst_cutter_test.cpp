// SPDX-License-Identifier: Apache-2.0
// The address generator of both DMAs against plain loops.
#include "base/burst_cutter.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "support/random_seed.hpp"

namespace gemel {
namespace {

struct Bursts {
  std::vector<std::uint64_t> address;
  std::vector<std::uint32_t> bytes;
};

// Runs it to its end; only the last burst may say that it is the last.
Bursts walk(BurstCutter& cutter) {
  Bursts bursts;
  bool last = false;
  while (cutter.any()) {
    EXPECT_FALSE(last) << "bursts after the last";
    bursts.address.push_back(cutter.next().address);
    bursts.bytes.push_back(cutter.next().bytes);
    last = cutter.next().last;
    cutter.advance();
  }
  EXPECT_TRUE(last);
  return bursts;
}

TEST(BurstCutter, HasNothingAtFirst) { EXPECT_FALSE(BurstCutter(64).any()); }

TEST(BurstCutter, CutsARunAtMultiples) {
  BurstCutter cutter(64);
  cutter.start(60, 140, 1, 0, 1, 0);
  const Bursts bursts = walk(cutter);
  EXPECT_EQ(bursts.address, (std::vector<std::uint64_t>{60, 64, 128, 192}));
  EXPECT_EQ(bursts.bytes, (std::vector<std::uint32_t>{4, 64, 64, 8}));
}

TEST(BurstCutter, OneByteIsOneBurst) {
  BurstCutter cutter(4096);
  cutter.start(4095, 1, 1, 0, 1, 0);
  const Bursts bursts = walk(cutter);
  EXPECT_EQ(bursts.address, (std::vector<std::uint64_t>{4095}));
  EXPECT_EQ(bursts.bytes, (std::vector<std::uint32_t>{1}));
}

TEST(BurstCutter, WalksInnerRunsBeforeOuterOnes) {
  BurstCutter cutter(64);
  cutter.start(0, 8, 3, 100, 2, 1000);
  EXPECT_EQ(walk(cutter).address, (std::vector<std::uint64_t>{0, 100, 200, 1000, 1100, 1200}));
}

TEST(BurstCutter, StandsStillWithoutStrides) {
  BurstCutter cutter(16);
  cutter.start(8, 16, 2, 0, 2, 0);
  EXPECT_EQ(walk(cutter).address, (std::vector<std::uint64_t>{8, 16, 8, 16, 8, 16, 8, 16}));
}

TEST(BurstCutter, EqualsPlainLoops) {
  std::mt19937_64 random(test::random_seed());
  BurstCutter cutter(4);
  for (int round = 0; round < 500; ++round) {
    const std::uint64_t burst = std::uint64_t{4} << random() % 11;
    cutter = BurstCutter(static_cast<int>(burst));
    for (int again = 0; again < 3; ++again) {  // started anew when it has come to its end
      const std::uint64_t address = random() % 2 == 0 ? random() % 10000 : (std::uint64_t{1} << 40) - 1 - random() % 10000;
      const auto bytes = static_cast<std::int64_t>(1 + random() % (random() % 2 == 0 ? 40 : 9000));
      const auto count1 = static_cast<std::int64_t>(1 + random() % 5), count2 = static_cast<std::int64_t>(1 + random() % 4);
      const std::uint64_t stride1 = random() % 3000, stride2 = random() % 100000;
      cutter.start(address, bytes, count1, stride1, count2, stride2);
      const Bursts bursts = walk(cutter);
      std::size_t k = 0;
      for (std::int64_t i2 = 0; i2 < count2; ++i2) {
        for (std::int64_t i1 = 0; i1 < count1; ++i1) {
          const std::uint64_t run = address + static_cast<std::uint64_t>(i2) * stride2 + static_cast<std::uint64_t>(i1) * stride1;
          for (std::uint64_t at = run; at < run + static_cast<std::uint64_t>(bytes); ++k) {
            ASSERT_LT(k, bursts.address.size());
            const std::uint64_t stop = std::min(run + static_cast<std::uint64_t>(bytes), at / burst * burst + burst);
            ASSERT_EQ(bursts.address[k], at);
            ASSERT_EQ(bursts.bytes[k], stop - at);
            at = stop;
          }
        }
      }
      ASSERT_EQ(k, bursts.address.size());
    }
  }
}

// Against the bursts that a cutter makes of each run.
TEST(BurstCutter, UncutBurstsAreThoseThatStayWhole) {
  std::mt19937_64 random(test::random_seed());
  int all = 0, some = 0;
  for (int round = 0; round < 20000; ++round) {
    const std::uint64_t burst = std::uint64_t{8} << random() % 6;
    const auto bytes = static_cast<std::uint32_t>(1 + random() % burst);
    const std::uint64_t first = random() % 4096 * burst + random() % (burst - bytes + 1), stride = random() % 3 == 0 ? random() % 8 * burst : random() % 1000;
    const auto most = static_cast<std::int64_t>(random() % 12);
    std::int64_t n = 0;
    for (; n < most; ++n) {
      BurstCutter cutter(static_cast<int>(burst));
      cutter.start(first + static_cast<std::uint64_t>(n + 1) * stride, bytes, 1, 0, 1, 0);
      if (cutter.next().bytes != bytes) break;
    }
    ASSERT_EQ(uncut_bursts(first, bytes, stride, burst, most), n) << first << " " << bytes << " " << stride << " " << burst;
    (n == most ? all : some) += 1;
  }
  EXPECT_GT(all, 100);
  EXPECT_GT(some, 100);
}

}  // namespace
}  // namespace gemel
