// SPDX-License-Identifier: Apache-2.0
// store_dma in lockstep with its beat model: random legal stores, chained or not, of words that change with every read, into an
// ideal memory of random latency, bandwidth and queue, with bursts that fail now and then.
#include <gtest/gtest.h>

#include "StoreDmaLeast.h"
#include "StoreDmaOdd.h"
#include "StoreDmaManyBeats.h"
#include "StoreDmaUsual.h"
#include "StoreDmaWholeBursts.h"
#include "StoreDmaWide.h"
#include "blocks/store_dma/store_dma_beat.hpp"
#include "isa/isa.hpp"
#include "movement_harness.hpp"
#include "support/random_seed.hpp"
#include "top/memory_beat.hpp"

namespace gemel::rtl_test {
namespace {

constexpr std::uint64_t MemoryBytes = 1 << 17;

isa::Store random_store(Random& random, const Machine& machine) {
  const auto skewed = [&](int least, int greatest) {
    return between(random, least, chance(random, 70) ? std::min(greatest, least + 3) : greatest);
  };
  for (;;) {
    isa::Store i;
    i.tag = between(random, 0, 65535);
    i.word_base = between(random, 0, 1 << 17);
    i.address = random() % (MemoryBytes / 2);
    i.group_bytes = skewed(1, chance(random, 30) ? 300 : 50);
    if (chance(random, 10)) i.group_bytes = between(random, 1, 2 * machine.burst_bytes);  // whole bursts
    i.run_bytes = i.group_bytes * skewed(1, 12);
    if (chance(random, 40)) i.run_bytes -= between(random, 0, i.group_bytes - 1);  // the last group is short
    i.count1 = skewed(1, 9);
    i.count2 = skewed(1, 4);
    i.stride1 = static_cast<std::uint32_t>(chance(random, 50) ? between(random, 0, 40) : between(random, 0, 1000));
    i.stride2 = static_cast<std::uint32_t>(between(random, 0, 2000));
    const isa::Touched touched = isa::touched(i, machine);
    if (touched.items[0].last - touched.items[0].first > 2000) continue;
    i.word_last = static_cast<int>(touched.items[0].last);
    if (isa::memory_bytes(i).last >= static_cast<std::int64_t>(MemoryBytes)) continue;
    EXPECT_FALSE(isa::check(isa::encode(i)));
    return i;
  }
}

template <class Top>
void run_store_dma(int columns, int bus, int burst, int outstanding, int runs) {
  Random random(test::random_seed() * 1033 + static_cast<std::uint64_t>(columns));
  Machine machine;
  machine.columns = columns;
  machine.bus_bytes = bus;
  machine.burst_bytes = burst;
  machine.store_outstanding = outstanding;
  machine.buffer(Buffer::Vector).size_bytes = std::int64_t{1 << 18} * columns;
  std::int64_t commands = 0, beats = 0, chains = 0, errors = 0, both = 0;
  for (int run = 0; run < runs; ++run) {
    SCOPED_TRACE("run " + std::to_string(run));
    machine.write_latency_cycles = between(random, 1, chance(random, 50) ? 4 : 60);
    machine.memory_queue = chance(random, 50) ? 64 : between(random, 1, 4);
    machine.memory_bytes_per_cycle = chance(random, 50) ? bus : between(random, 1, 2 * bus);
    machine.jitter_cycles = chance(random, 50) ? 0 : between(random, 1, 40);
    machine.jitter_seed = between(random, 0, 1 << 30);
    draw_stalls(random, machine);
    std::vector<std::uint8_t> memory(MemoryBytes);
    IdealMemoryBeat ideal(machine, memory);
    if (chance(random, 20)) {
      const std::uint64_t first = random() % (MemoryBytes / 2);
      ideal.poison(first, first + random() % (MemoryBytes / 8));
    }
    StoreDmaBeat beat(machine);
    beat.reset();
    Rtl<Top> rtl(random());
    CommandGate gate;
    isa::Word word{};
    std::vector<std::uint8_t> data(static_cast<std::size_t>(columns));
    const int eagerness = std::array{5, 50, 100}[random() % 3];
    int left = between(random, 1, 12), inside = 0;
    for (int cycle = 0, quiet = 0; quiet < 10; ++cycle) {
      ASSERT_LT(cycle, 1000000);
      const StoreDmaOut& out = beat.out();
      ASSERT_EQ(rtl->done_o, out.completion.done) << "cycle " << cycle;
      ASSERT_EQ(rtl->chain_o, out.completion.chain) << "cycle " << cycle;
      if (out.completion.done) {
        ASSERT_EQ(rtl->error_o, out.completion.error) << "cycle " << cycle;
        errors += out.completion.error;
        --inside;
      }
      ASSERT_EQ(rtl->status_o, static_cast<int>(out.completion.status)) << "cycle " << cycle;
      ASSERT_EQ(rtl->vector_read_o, out.vector.enable) << "cycle " << cycle;
      if (out.vector.enable) {
        ASSERT_EQ(rtl->vector_address_o, out.vector.address) << "cycle " << cycle;
      }
      ASSERT_EQ(rtl->awvalid_o, out.memory.valid) << "cycle " << cycle;
      if (out.memory.valid) {
        ASSERT_EQ(rtl->awaddr_o, out.memory.address) << "cycle " << cycle;
        ASSERT_EQ(rtl->aw_bytes_o, out.memory.bytes) << "cycle " << cycle;
        const auto width = static_cast<std::uint64_t>(bus);
        ASSERT_EQ(rtl->awlen_o, (out.memory.address + out.memory.bytes - 1) / width - out.memory.address / width);
      }
      ASSERT_EQ(rtl->wvalid_o, out.memory.data_valid) << "cycle " << cycle;
      if (out.memory.data_valid) {
        ++beats;
        ASSERT_EQ(rtl->wlast_o, out.memory.data_last) << "cycle " << cycle;
        for (int b = 0; b < bus; ++b) {
          const bool strobe = b >= out.memory.strobe_first && b < out.memory.strobe_end;
          ASSERT_EQ(get(rtl->wstrb_o, b, 1), strobe) << "cycle " << cycle << ", byte " << b;
          ASSERT_EQ(get(rtl->wdata_o, 8 * b, 8), out.memory.data[b])
              << "cycle " << cycle << ", byte " << b << ": " << isa::disassemble(word);
        }
      }
      ASSERT_EQ(rtl->quiet_o, beat.quiet()) << "cycle " << cycle;
      quiet = left == 0 && gate.idle() ? quiet + 1 : 0;

      gate.see(out.completion);
      chains += out.completion.chain;
      StoreDmaIn in;
      in.memory = ideal.out().store;
      const bool send = left > 0 && gate.open() && chance(random, eagerness);
      if (send) {
        word = isa::encode(random_store(random, machine));
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
      for (auto& byte : data) byte = static_cast<std::uint8_t>(random());
      in.vector = data.data();
      set_bytes(rtl->vector_data_i, 8 * columns, data.data());
      rtl->awready_i = in.memory.request_ready;
      rtl->wready_i = in.memory.data_ready;
      rtl->bvalid_i = in.memory.valid;
      rtl->bresp_i = static_cast<std::uint8_t>(in.memory.valid ? (in.memory.error ? 2 + random() % 2 : random() % 2) : random() % 4);
      MemoryBeatIn requests;
      requests.store = out.memory;
      std::vector<std::uint8_t> beat_data;  // the model's own may be gone after its step
      if (out.memory.data_valid) {
        beat_data.assign(out.memory.data, out.memory.data + bus);
        requests.store.data = beat_data.data();
      }
      clock(rtl);
      beat.step(in);
      ideal.step(requests);
      ASSERT_EQ(ideal.violation(), "");
    }
    if (::testing::Test::HasFatalFailure()) return;
  }
  std::cout << commands << " commands, " << both << " behind another, " << beats << " beats, " << errors << " errors\n";
  EXPECT_EQ(chains, commands);
  EXPECT_GT(both, runs / 5);
  EXPECT_GT(errors, runs / 50);
}

TEST(RtlStoreDma, IsInLockstepWith8Columns) { run_store_dma<StoreDmaUsual>(8, 8, 64, 4, 200); }
TEST(RtlStoreDma, IsInLockstepWithOneByteWords) { run_store_dma<StoreDmaLeast>(1, 4, 4, 1, 100); }
TEST(RtlStoreDma, IsInLockstepWith13Columns) { run_store_dma<StoreDmaOdd>(13, 16, 32, 3, 200); }
TEST(RtlStoreDma, IsInLockstepWithBurstsOf4KiB) { run_store_dma<StoreDmaWholeBursts>(24, 128, 4096, 2, 100); }
TEST(RtlStoreDma, IsInLockstepWithBurstsOf256Beats) { run_store_dma<StoreDmaManyBeats>(5, 4, 1024, 3, 100); }
TEST(RtlStoreDma, IsInLockstepWithWordsOfManyBursts) { run_store_dma<StoreDmaWide>(40, 4, 8, 2, 200); }

}  // namespace
}  // namespace gemel::rtl_test
