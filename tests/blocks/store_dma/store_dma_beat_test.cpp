// SPDX-License-Identifier: Apache-2.0
// store_dma, beat model, before a memory that accepts, takes beats and answers at random times. Every read, AW, W beat, pulse and status
// against the recurrences of docs/reference/machine.md, 6, fed with what memory did; memory against plain loops over bytes.
#include "blocks/store_dma/store_dma_beat.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/cycle.hpp"
#include "support/random_program.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using testing::Random;

constexpr Cycle LongAgo = -1000000;
constexpr int MemoryBytes = 1 << 14, Words = 1 << 14;

isa::Store random_store(Random& random) {
  isa::Store i;
  i.word_base = random.range(0, 200);
  i.address = static_cast<std::uint64_t>(random.range(0, 3000));
  i.group_bytes = random.skewed(1, 90);
  i.run_bytes = i.group_bytes * random.skewed(1, 8);
  if (random.chance(40)) i.run_bytes -= random.range(0, i.group_bytes - 1);  // the last group is short
  i.count1 = random.skewed(1, 6);
  i.count2 = random.skewed(1, 3);
  i.stride1 = static_cast<std::uint32_t>(random.range(0, 900));
  i.stride2 = static_cast<std::uint32_t>(random.range(0, 1000));
  i.word_last = i.word_base;  // the claim is not looked at here
  return i;
}

struct Burst {
  std::uint64_t address;
  std::uint32_t bytes;
  std::size_t last_word = 0;  // that brings a byte of it
};
struct Expected {
  std::vector<std::size_t> word_burst;             // the last burst that receives a byte of the word
  std::vector<int> word_address;
  std::vector<Burst> bursts;
  std::vector<std::size_t> words_end, bursts_end;  // per instruction
};

void expect_store(const isa::Store& i, const Machine& machine, const std::vector<std::uint8_t>& buffer,
                  std::vector<std::uint8_t>& memory, Expected& e) {
  const int C = machine.columns;
  const auto BB = static_cast<std::uint64_t>(machine.burst_bytes);
  int word = i.word_base;
  for (int i2 = 0; i2 < i.count2; ++i2) {
    for (int i1 = 0; i1 < i.count1; ++i1) {
      const std::uint64_t run = i.address + static_cast<std::uint64_t>(i2) * i.stride2 + static_cast<std::uint64_t>(i1) * i.stride1;
      const std::uint64_t end = run + static_cast<std::uint64_t>(i.run_bytes);
      const std::size_t first_burst = e.bursts.size();
      for (std::uint64_t a = run; a < end; a = a / BB * BB + BB) {
        e.bursts.push_back({a, static_cast<std::uint32_t>(std::min(end, a / BB * BB + BB) - a)});
      }
      for (int group = 0; group < i.run_bytes; group += i.group_bytes) {
        const int group_end = std::min(group + i.group_bytes, i.run_bytes);
        for (int at = group; at < group_end; at += C, ++word) {
          for (int o = at; o < std::min(at + C, group_end); ++o) {
            const std::uint64_t address = run + static_cast<std::uint64_t>(o);
            memory[address] = buffer[static_cast<std::size_t>(word * C + o - at)];
            const std::size_t burst = first_burst + static_cast<std::size_t>(address / BB - run / BB);
            e.bursts[burst].last_word = e.word_burst.size();
            if (o + 1 == std::min(at + C, group_end)) {
              e.word_burst.push_back(burst);
              e.word_address.push_back(word);
            }
          }
        }
      }
    }
  }
  e.words_end.push_back(e.word_burst.size());
  e.bursts_end.push_back(e.bursts.size());
}

void run_random(std::uint64_t seed, int* words_seen, int* stuck_seen, int* held_seen) {
  Random random(seed);
  Machine machine = testing::random_machine(random, 20);
  machine.burst_bytes = std::max(machine.burst_bytes, 8);
  machine.bus_bytes = std::min(machine.bus_bytes, machine.burst_bytes);
  std::vector<std::uint8_t> buffer(static_cast<std::size_t>(Words * machine.columns)), memory(MemoryBytes);
  for (auto& b : buffer) b = random.byte();
  std::vector<std::uint8_t> expected_memory = memory;
  StoreDmaBeat dma(machine);
  dma.reset();

  constexpr int Instructions = 5;
  std::vector<isa::Word> program;
  Expected e;
  for (int n = 0; n < Instructions; ++n) {
    const isa::Store i = random_store(random);
    program.push_back(isa::encode(i));
    expect_store(i, machine, buffer, expected_memory, e);
  }

  std::vector<Cycle> x, aw, acc, wf, wl, b, s(Instructions, Never), chain, done;
  const auto bus = static_cast<std::uint64_t>(machine.bus_bytes);
  const int accept_percent = random.range(5, 100), latency = random.skewed(1, 40);
  const int take_percent = random.chance(50) ? 100 : random.range(5, 100);
  std::vector<std::uint8_t> word_data(static_cast<std::size_t>(machine.columns));
  std::uint64_t beat_address = 0;
  std::size_t started = 0;
  Cycle wanted = 1;
  bool aw_before = false, sending = false;
  WriteRequestWires waiting;  // a W beat that was not taken in the cycle before
  std::vector<std::uint8_t> waiting_data;
  for (Cycle t = 0; done.size() < Instructions; ++t) {
    ASSERT_LT(t, 200000) << "it does not end";
    const StoreDmaOut out = dma.out();
    StoreDmaIn in;
    in.vector = word_data.data();
    in.memory.request_ready = random.chance(accept_percent);
    in.memory.data_ready = random.chance(take_percent);
    if (b.size() < wl.size() && t >= wl[b.size()] + latency && random.chance(40)) {
      in.memory.valid = true;
      b.push_back(t);
    }
    if (out.memory.valid && !aw_before) aw.push_back(t);
    if (out.memory.valid) {
      ASSERT_EQ(aw.size(), acc.size() + 1);
      ASSERT_EQ(out.memory.address, e.bursts.at(acc.size()).address);
      ASSERT_EQ(out.memory.bytes, e.bursts[acc.size()].bytes);
    }
    const bool waited = waiting.data_valid;
    waiting.data_valid = false;
    if (waited) {  // it stays as it is
      ASSERT_TRUE(out.memory.data_valid);
      ASSERT_EQ(out.memory.data_last, waiting.data_last);
      ASSERT_EQ(out.memory.strobe_first, waiting.strobe_first);
      ASSERT_EQ(out.memory.strobe_end, waiting.strobe_end);
      ASSERT_EQ(std::vector<std::uint8_t>(out.memory.data, out.memory.data + bus), waiting_data);
      ++*held_seen;
    }
    if (out.memory.data_valid) {
      ASSERT_LT(wl.size(), acc.size()) << "data before its request";
      const Burst& burst = e.bursts[wl.size()];
      if (!sending) {
        beat_address = burst.address / bus * bus;
        if (!waited) wf.push_back(t);
      }
      const bool last = beat_address + bus >= burst.address + burst.bytes;
      ASSERT_EQ(out.memory.data_last, last);
      for (std::uint64_t i = 0; i < bus; ++i) {
        const std::uint64_t address = beat_address + i;
        const bool strobe = i >= out.memory.strobe_first && i < out.memory.strobe_end;
        ASSERT_EQ(strobe, address >= burst.address && address < burst.address + burst.bytes) << "cycle " << t << " lane " << i;
        if (strobe) memory[address] = out.memory.data[i];
        if (!strobe) {
          ASSERT_EQ(int{out.memory.data[i]}, 0);
        }
      }
      if (in.memory.data_ready) {
        beat_address += bus;
        sending = !last;
        if (last) wl.push_back(t);
      } else {
        waiting = out.memory;
        waiting_data.assign(out.memory.data, out.memory.data + bus);
      }
    } else {
      ASSERT_FALSE(sending) << "a gap within a burst";
    }
    if (started > done.size() && t > s[done.size()]) {
      const bool stuck = out.memory.valid && aw_before;
      const UnitStatus expected = out.vector.enable || (out.memory.data_valid && !waited) ? UnitStatus::Busy
                                  : stuck                                    ? UnitStatus::WaitRequest
                                                                             : UnitStatus::WaitWrite;
      ASSERT_EQ(static_cast<int>(out.completion.status), static_cast<int>(expected)) << "cycle " << t;
      *stuck_seen += stuck;
    }
    if (out.vector.enable) {
      ASSERT_EQ(static_cast<int>(out.vector.address), e.word_address.at(x.size()));
      x.push_back(t);
      ++*words_seen;
    }
    if (out.completion.chain) chain.push_back(t);
    if (out.completion.done) done.push_back(t);
    const bool accepted = out.memory.valid && in.memory.request_ready;
    if (accepted) acc.push_back(t);
    aw_before = out.memory.valid && !accepted;
    if (started < Instructions && t >= wanted) {
      const bool free = done.size() == started && (done.empty() || t >= done.back() + 2);
      const bool chained = started > 0 && chain.size() == started && t >= chain.back() + 2 &&
                           (started == 1 || (done.size() + 1 >= started && t >= done[started - 2] + 2));
      if (free || chained) {
        in.command = {true, &program[started]};
        s[started++] = t;
        wanted = t + random.skewed(0, 60);
      }
    }
    dma.step(in);
    if (out.vector.enable) {
      std::copy_n(buffer.begin() + static_cast<std::ptrdiff_t>(out.vector.address) * machine.columns, machine.columns,
                  word_data.begin());
    }
  }
  ASSERT_EQ(memory, expected_memory);
  ASSERT_EQ(x.size(), e.word_burst.size());
  ASSERT_EQ(wl.size(), e.bursts.size());

  const auto N = static_cast<std::size_t>(machine.store_outstanding);
  const std::size_t F = N + static_cast<std::size_t>((machine.columns + machine.burst_bytes - 1) / machine.burst_bytes);
  for (std::size_t n = 0, k = 0; n < Instructions; ++n) {
    for (std::size_t j = n == 0 ? 0 : e.words_end[n - 1]; j < e.words_end[n]; ++j) {
      Cycle expected = std::max(s[n] + 2, j > 0 ? x[j - 1] + 1 : LongAgo);
      if (e.word_burst[j] >= F) expected = std::max(expected, wl[e.word_burst[j] - F] + 2);
      ASSERT_EQ(x[j], expected) << "word " << j << " of instruction " << n;
    }
    ASSERT_EQ(chain[n], x[e.words_end[n] - 1] + 1);
    for (; k < e.bursts_end[n]; ++k) {
      const Cycle full = x[e.bursts[k].last_word] + 2;
      Cycle expected = std::max(full + 1, k > 0 ? acc[k - 1] + 1 : LongAgo);
      if (k >= N) expected = std::max(expected, b[k - N] + 2);
      ASSERT_EQ(aw[k], expected) << "AW " << k << " of instruction " << n;
      ASSERT_EQ(wf[k], std::max(acc[k] + 1, k > 0 ? wl[k - 1] + 1 : LongAgo)) << "W " << k;
    }
    ASSERT_EQ(done[n], b[k - 1] + 1);
  }
  dma.step({});
  dma.step({});
  EXPECT_TRUE(dma.quiet());
}

TEST(StoreDma, KeepsItsRecurrencesAndRealignsBytes) {
  const std::uint64_t seed = test::random_seed();
  int words = 0, stuck = 0, held = 0;
  for (int run = 0; run < 250; ++run) {
    SCOPED_TRACE("run " + std::to_string(run));
    run_random(seed * 49979687 + static_cast<std::uint64_t>(run), &words, &stuck, &held);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(words, 20000);
  EXPECT_GT(stuck, 1000);
  EXPECT_GT(held, 1000);
}

TEST(StoreDma, ReportsARefusedWriteAtTheEndOfItsInstruction) {
  Machine machine;
  machine.rows = machine.columns = 4;
  machine.bus_bytes = 4;
  machine.burst_bytes = 8;
  StoreDmaBeat dma(machine);
  dma.reset();
  isa::Store i;
  i.run_bytes = i.group_bytes = 16;  // two bursts; the first is refused
  i.word_last = 3;
  const isa::Word word = isa::encode(i);
  const std::uint8_t data[4] = {};
  int bursts = 0;
  bool done = false;
  Cycle answer = Never;
  for (Cycle t = 0; t < 60 && !done; ++t) {
    const StoreDmaOut out = dma.out();
    StoreDmaIn in;
    in.command = {t == 0, &word};
    in.vector = data;
    in.memory.request_ready = in.memory.data_ready = true;
    in.memory.valid = t == answer;
    in.memory.error = in.memory.valid && bursts == 1;
    if (out.memory.data_valid && out.memory.data_last) {
      ++bursts;
      answer = t + 1;
    }
    done = out.completion.done;
    EXPECT_EQ(out.completion.error, done);
    dma.step(in);
  }
  EXPECT_TRUE(done);
  EXPECT_EQ(bursts, 2);
}

}  // namespace
}  // namespace gemel
