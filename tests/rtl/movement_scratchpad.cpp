// SPDX-License-Identifier: Apache-2.0
// scratchpad in lockstep with its beat model on random legal accesses: two clients each way, in different banks.
#include <gtest/gtest.h>

#include "ScratchpadOneWord.h"
#include "ScratchpadOneBank.h"
#include "ScratchpadThreeBanks.h"
#include "blocks/scratchpad/scratchpad_beat.hpp"
#include "movement_harness.hpp"
#include "support/random_seed.hpp"

namespace gemel::rtl_test {
namespace {

struct Shape {
  int word_bytes, words, banks, readers, writers;
};

template <class Top>
void run_scratchpad(const Shape& shape) {
  Random random(test::random_seed() * 1013 + static_cast<std::uint64_t>(shape.words));
  Machine machine;
  machine.columns = shape.word_bytes;
  machine.buffer(Buffer::Vector) = {std::int64_t{shape.words} * shape.word_bytes, shape.banks};
  ASSERT_EQ(machine.words(Buffer::Vector), shape.words);
  ScratchpadBeat beat(machine, Buffer::Vector);
  beat.reset();
  Rtl<Top> rtl(random());
  const int bank_words = shape.words / shape.banks;
  std::vector<std::uint8_t> data[2];
  for (auto& d : data) d.resize(static_cast<std::size_t>(shape.word_bytes));
  std::int64_t reads = 0, conflicts = 0;
  for (int cycle = 0; cycle < 60000; ++cycle) {
    ScratchpadIn in;
    const auto draw = [&](auto& accesses, int clients) {
      for (int k = 0; k < clients; ++k) {
        auto& a = accesses[static_cast<std::size_t>(k)];
        a.enable = chance(random, 60);
        a.address = static_cast<std::uint32_t>(random() % static_cast<std::uint64_t>(shape.words));
      }
      if (clients == 2 && accesses[0].address / bank_words == accesses[1].address / bank_words) accesses[1].enable &= !accesses[0].enable;
    };
    draw(in.read, shape.readers);
    draw(in.write, shape.writers);
    for (auto& write : in.write) {
      for (const auto& read : in.read) {
        if (read.enable && write.enable && read.address == write.address) {
          write.enable = false;
          ++conflicts;
        }
      }
    }
    for (std::size_t k = 0; k < 2; ++k) {
      for (auto& byte : data[k]) byte = static_cast<std::uint8_t>(random());
      in.write[k].data = data[k].data();
    }
    set_random(rtl->write_data_i, 8 * shape.word_bytes * shape.writers, random);
    for (int k = 0; k < shape.readers; ++k) {
      set(rtl->read_i, k, 1, in.read[static_cast<std::size_t>(k)].enable);
      set(rtl->read_address_i, 18 * k, 18, in.read[static_cast<std::size_t>(k)].address);
    }
    for (int k = 0; k < shape.writers; ++k) {
      const SramWrite& w = in.write[static_cast<std::size_t>(k)];
      set(rtl->write_i, k, 1, w.enable);
      set(rtl->write_address_i, 18 * k, 18, w.address);
      for (int b = 0; w.enable && b < shape.word_bytes; ++b) {
        set(rtl->write_data_i, 8 * (k * shape.word_bytes + b), 8, w.data[b]);
      }
    }
    clock(rtl);
    beat.step(in);
    ASSERT_TRUE(beat.out().fault == ScratchpadFault::None || beat.out().fault == ScratchpadFault::NeverWritten);
    ASSERT_EQ(rtl->quiet_o, 1);
    for (int k = 0; k < shape.readers; ++k) {
      if (!in.read[static_cast<std::size_t>(k)].enable) continue;
      ++reads;
      for (int b = 0; b < shape.word_bytes; ++b) {
        ASSERT_EQ(get(rtl->read_data_o, 8 * (k * shape.word_bytes + b), 8), beat.out().data[static_cast<std::size_t>(k)][b])
            << "cycle " << cycle << ", client " << k << ", byte " << b;
      }
    }
  }
  EXPECT_GT(reads, 20000);
  EXPECT_GT(conflicts, 100);  // or the rule about one word read and written would not have been met
}

TEST(RtlScratchpad, IsInLockstepWithOneWord) { run_scratchpad<ScratchpadOneWord>({1, 1, 1, 1, 1}); }
TEST(RtlScratchpad, IsInLockstepWithOneBank) { run_scratchpad<ScratchpadOneBank>({16, 64, 1, 2, 1}); }
TEST(RtlScratchpad, IsInLockstepWithThreeBanks) { run_scratchpad<ScratchpadThreeBanks>({5, 39, 3, 2, 2}); }

TEST(RtlScratchpad, ShowsZeroBeforeTheFirstRead) {
  Random random(test::random_seed());
  for (int run = 0; run < 20; ++run) {
    Rtl<ScratchpadThreeBanks> rtl(random());
    for (int bit = 0; bit < 2 * 40; bit += 8) ASSERT_EQ(get(rtl->read_data_o, bit, 8), 0u);
  }
}

}  // namespace
}  // namespace gemel::rtl_test
