// SPDX-License-Identifier: Apache-2.0
// scratchpad, beat model, against a plain array and against its contract.
#include "blocks/scratchpad/scratchpad_beat.hpp"

#include <gtest/gtest.h>

#include <map>

#include "support/random_program.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using testing::Random;

Machine machine_with_vector_buffer(std::int64_t bytes, int banks) {
  Machine m;
  m.rows = m.columns = m.lanes = 4;
  m.buffers.fill({1024, 1});
  m.buffers[static_cast<int>(Buffer::Vector)] = {bytes, banks};
  return m;
}

struct Bench {
  explicit Bench(const Machine& machine) : pad(machine, Buffer::Vector) { pad.reset(); }
  ScratchpadIn in;
  ScratchpadBeat pad;
  std::uint8_t word[4] = {1, 2, 3, 4};
  void read(int client, std::uint32_t address) { in.read[static_cast<std::size_t>(client)] = {true, address}; }
  void write(int client, std::uint32_t address) { in.write[static_cast<std::size_t>(client)] = {true, address, word}; }
  void clock() {
    pad.step(in);
    in = {};
  }
};

TEST(Scratchpad, ShowsAWordOneCycleAfterTheReadAndKeepsItUntilTheNext) {
  const Machine machine = machine_with_vector_buffer(1024, 4);
  Bench bench(machine);
  bench.write(0, 7);
  bench.clock();
  bench.read(0, 7);
  bench.clock();
  ASSERT_NE(bench.pad.out().data[0], nullptr);
  EXPECT_EQ(int{bench.pad.out().data[0][2]}, 3);
  EXPECT_EQ(bench.pad.out().fault, ScratchpadFault::None);
  bench.word[2] = 99;
  bench.write(0, 7);  // must not be seen through the register
  bench.clock();
  bench.clock();
  EXPECT_EQ(int{bench.pad.out().data[0][2]}, 3);
}

TEST(Scratchpad, TheWordOnTheWiresOutlivesTheStepThatReplacesIt) {
  const Machine machine = machine_with_vector_buffer(1024, 4);
  Bench bench(machine);
  bench.write(0, 0);
  bench.clock();
  bench.word[0] = 50;
  bench.write(0, 1);
  bench.clock();
  bench.read(0, 0);
  bench.clock();
  const std::uint8_t* on_the_wires = bench.pad.out().data[0];
  bench.read(0, 1);
  bench.clock();
  EXPECT_EQ(int{on_the_wires[0]}, 1);
  EXPECT_EQ(int{bench.pad.out().data[0][0]}, 50);
}

TEST(Scratchpad, ReportsAReadAndAWriteOfOneWord) {
  const Machine machine = machine_with_vector_buffer(1024, 4);
  Bench bench(machine);
  bench.write(0, 5);
  bench.clock();
  bench.write(0, 6);
  bench.read(0, 5);
  bench.clock();
  EXPECT_EQ(bench.pad.out().fault, ScratchpadFault::None);  // another word of the same bank is legal
  bench.write(0, 5);
  bench.read(0, 5);
  bench.clock();
  EXPECT_EQ(bench.pad.out().fault, ScratchpadFault::ReadWriteConflict);
  EXPECT_EQ(bench.pad.out().fault_address, 5u);
  EXPECT_FALSE(bench.pad.quiet());
  bench.clock();
  EXPECT_EQ(bench.pad.out().fault, ScratchpadFault::None);
  EXPECT_TRUE(bench.pad.quiet());
}

TEST(Scratchpad, ReportsTwoClientsOfOneDirectionInABankAndNotInTwo) {
  const Machine machine = machine_with_vector_buffer(1024, 4);  // 64 words a bank
  Bench bench(machine);
  for (const std::uint32_t second : {63u, 64u}) {
    bench.write(0, 0);
    bench.write(1, second);
    bench.clock();
    EXPECT_EQ(bench.pad.out().fault, second == 63 ? ScratchpadFault::PortConflict : ScratchpadFault::None);
    bench.read(0, 0);
    bench.read(1, second);
    bench.clock();
    EXPECT_EQ(bench.pad.out().fault, second == 63 ? ScratchpadFault::PortConflict : ScratchpadFault::None);
  }
}

TEST(Scratchpad, ReportsWordsNeverWrittenAndAddressesOutside) {
  const Machine machine = machine_with_vector_buffer(1024, 3);  // 256 words, of which 255 in whole banks
  Bench bench(machine);
  ASSERT_EQ(bench.pad.words(), 255);
  bench.read(0, 254);
  bench.clock();
  EXPECT_EQ(bench.pad.out().fault, ScratchpadFault::NeverWritten);
  EXPECT_EQ(int{bench.pad.out().data[0][0]}, 0);
  bench.read(0, 255);
  bench.clock();
  EXPECT_EQ(bench.pad.out().fault, ScratchpadFault::OutsideBuffer);
  bench.write(0, 255);
  bench.clock();
  EXPECT_EQ(bench.pad.out().fault, ScratchpadFault::OutsideBuffer);
}

TEST(Scratchpad, IsAPlainArrayUnderRandomAccesses) {
  Random random(test::random_seed());
  const Machine machine = machine_with_vector_buffer(512, 2);
  Bench bench(machine);
  std::map<std::uint32_t, std::uint8_t> expected;
  const auto words = static_cast<int>(bench.pad.words());
  int compared = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto w = static_cast<std::uint32_t>(random.range(0, words - 1)), r = static_cast<std::uint32_t>(random.range(0, words - 1));
    const bool writes = random.chance(60), reads = random.chance(60) && !(writes && w == r);
    bench.word[0] = random.byte();
    if (writes) bench.write(0, w);
    if (reads) bench.read(1, r);
    bench.clock();
    if (reads) {
      ASSERT_EQ(int{bench.pad.out().data[1][0]}, int{expected.count(r) ? expected[r] : std::uint8_t{0}});
      ++compared;
    }
    if (writes) expected[w] = bench.word[0];
  }
  EXPECT_GT(compared, 1000);
}

}  // namespace
}  // namespace gemel
