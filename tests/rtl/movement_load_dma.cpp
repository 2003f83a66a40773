// SPDX-License-Identifier: Apache-2.0
// load_dma in lockstep with its beat model: random legal loads in both modes, chained or not, from an ideal memory of random
// latency, bandwidth and queue, with bursts that fail now and then.
#include <gtest/gtest.h>

#include "LoadDmaLeast.h"
#include "LoadDmaManyBeats.h"
#include "LoadDmaOdd.h"
#include "LoadDmaSlim.h"
#include "LoadDmaSynthesizedOdd.h"
#include "LoadDmaSynthesizedUsual.h"
#include "LoadDmaSynthesizedWholeBursts.h"
#include "LoadDmaUsual.h"
#include "LoadDmaWholeBursts.h"
#include "blocks/load_dma/load_dma_beat.hpp"
#include "isa/isa.hpp"
#include "movement_harness.hpp"
#include "support/random_seed.hpp"
#include "top/memory_beat.hpp"

namespace gemel::rtl_test {
namespace {

constexpr std::uint64_t MemoryBytes = 1 << 17;

isa::Load random_load(Random& random, const Machine& machine) {
  const auto skewed = [&](int least, int greatest) {
    return between(random, least, chance(random, 70) ? std::min(greatest, least + 3) : greatest);
  };
  for (;;) {
    isa::Load i;
    i.tag = between(random, 0, 65535);
    i.post_mask = between(random, 0, 65535);
    i.buffer = between(random, 0, 3);
    i.fill = between(random, 0, 255);
    i.word_base = between(random, 0, 1 << 17);
    i.address = random() % (MemoryBytes / 2);
    i.count1 = skewed(1, 9);
    i.count2 = skewed(1, 4);
    i.stride1 = static_cast<std::uint32_t>(chance(random, 50) ? between(random, 0, 40) : between(random, 0, 1000));
    i.stride2 = static_cast<std::uint32_t>(between(random, 0, 2000));
    if (chance(random, 55)) {
      i.group_bytes = skewed(1, chance(random, 30) ? 300 : 50);
      if (chance(random, 10)) i.group_bytes = between(random, 1, 2 * machine.burst_bytes);  // whole bursts
      i.run_bytes = i.group_bytes * skewed(1, 12);
      if (chance(random, 40)) i.run_bytes -= between(random, 0, i.group_bytes - 1);  // the last group is short
    } else {
      i.run_bytes = between(random, 1, chance(random, 50) ? 30 : 200);
      i.window_count = skewed(1, 40);
      i.window_bytes = between(random, 1, std::min(4095, machine.burst_bytes));
      i.window_step = between(random, 1, i.window_bytes);
      i.window_offset = -between(random, 0, i.window_bytes - 1);
    }
    const isa::Touched touched = isa::touched(i, machine);
    if (touched.items[0].last >= 1 << 18) continue;
    if (touched.items[0].last - touched.items[0].first > 2000) continue;
    i.word_last = static_cast<int>(touched.items[0].last);
    if (isa::memory_bytes(i).last >= static_cast<std::int64_t>(MemoryBytes)) continue;
    EXPECT_FALSE(isa::check(isa::encode(i)));
    return i;
  }
}

template <class Top>
void run_load_dma(int rows, int columns, int bus, int burst, int outstanding, int runs) {
  Random random(test::random_seed() * 1031 + static_cast<std::uint64_t>(rows * 256 + columns));
  Machine machine;
  machine.rows = rows;
  machine.columns = columns;
  machine.bus_bytes = bus;
  machine.burst_bytes = burst;
  machine.load_outstanding = outstanding;
  for (int b = 0; b < BufferCount; ++b) {
    const auto buffer = static_cast<Buffer>(b);
    machine.buffer(buffer).size_bytes = std::int64_t{1 << 18} * machine.word_bytes(buffer);
  }
  std::vector<std::uint8_t> memory(MemoryBytes);
  for (auto& byte : memory) byte = static_cast<std::uint8_t>(random());
  std::int64_t commands = 0, words = 0, chains = 0, errors = 0, both = 0;
  for (int run = 0; run < runs; ++run) {
    SCOPED_TRACE("run " + std::to_string(run));
    machine.read_latency_cycles = between(random, 1, chance(random, 50) ? 4 : 60);
    machine.memory_queue = chance(random, 50) ? 64 : between(random, 1, 4);
    machine.memory_bytes_per_cycle = chance(random, 50) ? bus : between(random, 1, 2 * bus);
    machine.jitter_cycles = chance(random, 50) ? 0 : between(random, 1, 40);
    machine.jitter_seed = between(random, 0, 1 << 30);
    draw_stalls(random, machine);
    IdealMemoryBeat ideal(machine, memory);
    if (chance(random, 20)) {
      const std::uint64_t first = random() % (MemoryBytes / 2);
      ideal.poison(first, first + random() % (MemoryBytes / 8));
    }
    LoadDmaBeat beat(machine);
    beat.reset();
    Rtl<Top> rtl(random());
    CommandGate gate;
    isa::Word word{};
    const int eagerness = std::array{5, 50, 100}[random() % 3];
    int left = between(random, 1, 12), inside = 0;
    for (int cycle = 0, quiet = 0; quiet < 10; ++cycle) {
      ASSERT_LT(cycle, 1000000);
      const LoadDmaOut& out = beat.out();
      ASSERT_EQ(rtl->done_o, out.completion.done) << "cycle " << cycle;
      ASSERT_EQ(rtl->chain_o, out.completion.chain) << "cycle " << cycle;
      if (out.completion.done) {
        ASSERT_EQ(rtl->error_o, out.completion.error) << "cycle " << cycle;
        errors += out.completion.error;
        --inside;
      }
      ASSERT_EQ(rtl->status_o, static_cast<int>(out.completion.status)) << "cycle " << cycle;
      ASSERT_EQ(rtl->arvalid_o, out.memory.valid) << "cycle " << cycle;
      if (out.memory.valid) {
        ASSERT_EQ(rtl->araddr_o, out.memory.address) << "cycle " << cycle;
        ASSERT_EQ(rtl->ar_bytes_o, out.memory.bytes) << "cycle " << cycle;
        const auto width = static_cast<std::uint64_t>(bus);
        ASSERT_EQ(rtl->arlen_o, (out.memory.address + out.memory.bytes - 1) / width - out.memory.address / width);
      }
      ASSERT_EQ(rtl->write_o, out.write.enable ? 1 << static_cast<int>(out.buffer) : 0) << "cycle " << cycle;
      if (out.write.enable) {
        ++words;
        ASSERT_EQ(rtl->write_address_o, out.write.address) << "cycle " << cycle;
        for (int b = 0; b < std::max(rows, columns); ++b) {
          ASSERT_EQ(get(rtl->write_data_o, 8 * b, 8), out.write.data[b])
              << "cycle " << cycle << ", byte " << b << ", word " << out.write.address << ": " << isa::disassemble(word);
        }
      }
      ASSERT_EQ(rtl->quiet_o, beat.quiet()) << "cycle " << cycle;
      quiet = left == 0 && gate.idle() ? quiet + 1 : 0;

      gate.see(out.completion);
      chains += out.completion.chain;
      LoadDmaIn in;
      in.memory = ideal.out().load;
      const bool send = left > 0 && gate.open() && chance(random, eagerness);
      if (send) {
        word = isa::encode(random_load(random, machine));
        --left;
        ++commands;
        both += ++inside == 2;
        gate.sent();
        set_bytes(rtl->command_i, 512, word.data());
      } else {
        set_random(rtl->command_i, 512, random);
      }
      in.command = {send, &word};
      rtl->command_valid_i = send;
      drive_read(rtl, in.memory, machine, random);
      MemoryBeatIn requests;
      requests.load = out.memory;
      clock(rtl);
      beat.step(in);
      ideal.step(requests);
    }
    if (::testing::Test::HasFatalFailure()) return;
  }
  std::cout << commands << " commands, " << both << " behind another, " << words << " words, " << errors << " errors\n";
  EXPECT_EQ(chains, commands);
  EXPECT_GT(both, runs / 5);
  EXPECT_GT(errors, runs / 50);
}

TEST(RtlLoadDma, IsInLockstepAt8x8) { run_load_dma<LoadDmaUsual>(8, 8, 8, 64, 4, 200); }
TEST(RtlLoadDma, IsInLockstepWithOneByteWords) { run_load_dma<LoadDmaLeast>(1, 1, 4, 4, 1, 100); }
TEST(RtlLoadDma, IsInLockstepAt5x13) { run_load_dma<LoadDmaOdd>(5, 13, 16, 32, 3, 200); }
TEST(RtlLoadDma, IsInLockstepWithBurstsOf4KiB) { run_load_dma<LoadDmaWholeBursts>(24, 3, 128, 4096, 2, 100); }
TEST(RtlLoadDma, IsInLockstepWithBurstsOf256Beats) { run_load_dma<LoadDmaManyBeats>(3, 5, 4, 1024, 3, 100); }
TEST(RtlLoadDma, IsInLockstepWithWordsOfManyBursts) { run_load_dma<LoadDmaSlim>(40, 3, 4, 8, 2, 200); }
// The text that synthesis gets.
TEST(RtlLoadDma, IsInLockstepAsSynthesizedAt8x8) { run_load_dma<LoadDmaSynthesizedUsual>(8, 8, 8, 64, 4, 200); }
TEST(RtlLoadDma, IsInLockstepAsSynthesizedAt5x13) { run_load_dma<LoadDmaSynthesizedOdd>(5, 13, 16, 32, 3, 200); }
TEST(RtlLoadDma, IsInLockstepAsSynthesizedWithBurstsOf4KiB) { run_load_dma<LoadDmaSynthesizedWholeBursts>(24, 3, 128, 4096, 2, 100); }

}  // namespace
}  // namespace gemel::rtl_test
