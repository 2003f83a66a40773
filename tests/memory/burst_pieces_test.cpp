// SPDX-License-Identifier: Apache-2.0
// Bursts cut into a device's accesses, and put together again.
#include "memory/burst_pieces.hpp"

#include <gtest/gtest.h>

namespace gemel {
namespace {

std::vector<std::pair<std::uint64_t, std::uint32_t>> pieces_of(std::uint64_t address, std::uint32_t bytes, std::uint32_t access) {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> pieces;
  PieceSplitter splitter(address, bytes, access);
  const std::uint32_t count = splitter.count();
  while (splitter.any()) {
    const auto piece = splitter.next();
    pieces.emplace_back(piece.address, piece.bytes);
  }
  EXPECT_EQ(pieces.size(), count);
  return pieces;
}

using Pieces = std::vector<std::pair<std::uint64_t, std::uint32_t>>;

TEST(PieceSplitter, CutsAtMultiplesOfTheAccessSize) {
  EXPECT_EQ(pieces_of(0, 128, 64), (Pieces{{0, 64}, {64, 64}}));
  EXPECT_EQ(pieces_of(60, 8, 64), (Pieces{{60, 4}, {64, 4}}));
  EXPECT_EQ(pieces_of(63, 66, 32), (Pieces{{63, 1}, {64, 32}, {96, 32}, {128, 1}}));
}

TEST(PieceSplitter, LeavesWhatFitsWhole) {
  EXPECT_EQ(pieces_of(5, 1, 64), (Pieces{{5, 1}}));
  EXPECT_EQ(pieces_of(0x1000, 4096, 4096), (Pieces{{0x1000, 4096}}));
}

TEST(PieceSplitter, ReachesTheEndOfTheAddressSpace) {
  constexpr std::uint64_t Top = std::uint64_t{1} << 40;
  EXPECT_EQ(pieces_of(Top - 33, 33, 32), (Pieces{{Top - 33, 1}, {Top - 32, 32}}));
}

TEST(BurstCollector, AnswersWhenTheLastPieceIsThere) {
  BurstCollector<int> bursts;
  const auto a = bursts.open(3, 4, 0, 7);
  bursts.piece(a, 20);
  bursts.piece(a, 50);  // the last to be there, though not the last to be told
  EXPECT_FALSE(bursts.complete());
  bursts.piece(a, 30);
  ASSERT_TRUE(bursts.complete());
  const auto answer = bursts.take();
  EXPECT_EQ(answer.first, 50);
  EXPECT_EQ(answer.last, 53);
  EXPECT_EQ(answer.burst, 7);
  EXPECT_TRUE(bursts.empty());
}

TEST(BurstCollector, KeepsTheOrderOfThePort) {
  BurstCollector<char> bursts;
  const auto a = bursts.open(1, 8, 0, 'a');
  const auto b = bursts.open(1, 2, 0, 'b');
  bursts.piece(b, 10);
  EXPECT_FALSE(bursts.complete());  // a is older
  bursts.piece(a, 30);
  ASSERT_TRUE(bursts.complete());
  EXPECT_EQ(bursts.take().last, 37);
  ASSERT_TRUE(bursts.complete());
  const auto answer = bursts.take();
  EXPECT_EQ(answer.burst, 'b');
  EXPECT_EQ(answer.first, 38);  // a's beats come first
}

TEST(BurstCollector, WaitsNoLongerThanItMust) {
  BurstCollector<char> bursts;
  bursts.piece(bursts.open(1, 4, 0, 'a'), 10);
  EXPECT_EQ(bursts.take().last, 13);
  bursts.piece(bursts.open(1, 4, 0, 'b'), 14);
  EXPECT_EQ(bursts.take().first, 14);
  bursts.open(0, 1, 19, 'c');  // nothing to wait for
  ASSERT_TRUE(bursts.complete());
  EXPECT_EQ(bursts.take().first, 19);
}

TEST(BurstCollector, NumbersGoOnOverManyBursts) {
  BurstCollector<int> bursts;
  for (int i = 0; i < 100; ++i) {
    const auto first = bursts.open(1, 1, 0, i);
    const auto second = bursts.open(1, 1, 0, -i);
    bursts.piece(second, 0);
    bursts.piece(first, 0);
    EXPECT_EQ(bursts.take().burst, i);
    EXPECT_EQ(bursts.take().burst, -i);
  }
}

}  // namespace
}  // namespace gemel
