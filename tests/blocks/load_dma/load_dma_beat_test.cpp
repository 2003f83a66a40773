// SPDX-License-Identifier: Apache-2.0
// load_dma, beat model, before a memory that accepts and answers at random times. Every AR, word, pulse and status against the
// recurrences of docs/reference/machine.md, 5, fed with what memory did; words against plain loops over bytes.
#include "blocks/load_dma/load_dma_beat.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/cycle.hpp"
#include "support/random_program.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using testing::Random;

constexpr Cycle LongAgo = -1000000;
constexpr int MemoryBytes = 1 << 14;

isa::Load random_load(Random& random, const Machine& machine) {
  isa::Load i;
  i.buffer = random.range(0, 3);
  i.fill = random.byte();
  i.word_base = random.range(0, 1000);
  i.address = static_cast<std::uint64_t>(random.range(0, 3000));
  i.count1 = random.skewed(1, 6);
  i.count2 = random.skewed(1, 3);
  i.stride1 = static_cast<std::uint32_t>(random.range(0, 300));
  i.stride2 = static_cast<std::uint32_t>(random.range(0, 1000));
  if (random.chance(50)) {
    i.group_bytes = random.skewed(1, 90);
    i.run_bytes = i.group_bytes * random.skewed(1, 8);
    if (random.chance(40)) i.run_bytes -= random.range(0, i.group_bytes - 1);  // the last group is short
  } else {
    i.run_bytes = random.range(1, 120);
    i.window_count = random.range(1, 30);
    i.window_bytes = random.range(1, std::min(60, machine.burst_bytes));
    i.window_step = random.range(1, i.window_bytes);
    i.window_offset = -random.range(0, i.window_bytes - 1);
  }
  i.word_last = i.word_base;  // the claim is not looked at here
  return i;
}

// What the instruction must do, without times.
struct Word {
  std::vector<std::uint8_t> bytes;   // without the lanes behind the word
  std::int64_t last_address = -1;    // memory address of its last byte from memory, -1: none
  std::size_t last_burst = 0;        // that brings it
};
struct Burst {
  std::uint64_t address;
  std::uint32_t bytes;
  std::size_t last_word = 0;         // the last word that needs a byte of it, over all instructions
};
struct Expected {
  std::vector<Word> words;
  std::vector<Burst> bursts;
  std::vector<std::size_t> words_end, bursts_end;  // per instruction
};

void expect_load(const isa::Load& l, const Machine& machine, const std::vector<std::uint8_t>& memory, Expected& e) {
  const int W = machine.word_bytes(static_cast<Buffer>(l.buffer));
  const auto BB = static_cast<std::uint64_t>(machine.burst_bytes);
  for (int i2 = 0; i2 < l.count2; ++i2) {
    for (int i1 = 0; i1 < l.count1; ++i1) {
      const std::uint64_t run = l.address + static_cast<std::uint64_t>(i2) * l.stride2 + static_cast<std::uint64_t>(i1) * l.stride1;
      // Groups or windows: [first, end) within the run.
      std::vector<std::pair<int, int>> groups;
      if (l.window_count == 0) {
        for (int g = 0; g < l.run_bytes; g += l.group_bytes) groups.emplace_back(g, std::min(g + l.group_bytes, l.run_bytes));
      } else {
        for (int g = 0; g < l.window_count; ++g) {
          groups.emplace_back(l.window_offset + g * l.window_step, l.window_offset + g * l.window_step + l.window_bytes);
        }
      }
      const int covered = std::min(l.run_bytes, groups.back().second);
      const std::size_t first_burst = e.bursts.size();
      for (std::uint64_t a = run; a < run + static_cast<std::uint64_t>(covered);) {
        const std::uint64_t stop = std::min(run + static_cast<std::uint64_t>(covered), a / BB * BB + BB);
        e.bursts.push_back({a, static_cast<std::uint32_t>(stop - a)});
        a = stop;
      }
      const auto burst_of = [&](int offset) {
        return first_burst + static_cast<std::size_t>((run + static_cast<std::uint64_t>(offset)) / BB - run / BB);
      };
      for (const auto& [first, end] : groups) {
        const std::size_t words_before = e.words.size();
        for (int w = first; w < end; w += W) {
          Word word;
          for (int o = w; o < std::min(w + W, end); ++o) {
            const bool inside = o >= 0 && o < l.run_bytes;
            word.bytes.push_back(inside ? memory[run + static_cast<std::uint64_t>(o)] : static_cast<std::uint8_t>(l.fill));
            if (!inside) continue;
            word.last_address = static_cast<std::int64_t>(run) + o;
            word.last_burst = burst_of(o);
            if (l.window_count == 0) e.bursts[burst_of(o)].last_word = e.words.size();
          }
          word.bytes.resize(static_cast<std::size_t>(W));  // unused lanes are 0
          e.words.push_back(word);
        }
        // A window's bytes stay needed until its last word is out.
        for (int o = std::max(first, 0); l.window_count > 0 && o < std::min(end, l.run_bytes); ++o) {
          e.bursts[burst_of(o)].last_word = e.words.size() - 1;
        }
        ASSERT_GT(e.words.size(), words_before);
      }
    }
  }
  e.words_end.push_back(e.words.size());
  e.bursts_end.push_back(e.bursts.size());
}

void run_random(std::uint64_t seed, int* words_seen, int* stuck_seen) {
  Random random(seed);
  Machine machine = testing::random_machine(random, 20);
  machine.burst_bytes = std::max(machine.burst_bytes, 16);
  std::vector<std::uint8_t> memory(MemoryBytes);
  for (auto& b : memory) b = random.byte();
  LoadDmaBeat dma(machine);
  dma.reset();

  constexpr int Instructions = 5;
  std::vector<isa::Word> program;
  Expected e;
  for (int n = 0; n < Instructions; ++n) {
    const isa::Load l = random_load(random, machine);
    program.push_back(isa::encode(l));
    expect_load(l, machine, memory, e);
  }

  // Observations.
  std::vector<Cycle> ar, acc, rl, w, s(Instructions, Never), chain, done;
  std::map<std::pair<std::size_t, std::uint64_t>, Cycle> beat_at;  // (burst, aligned address): on the wires
  std::size_t answered = 0;
  std::uint64_t beat_address = 0;
  Cycle next_beat = 0;
  std::vector<std::uint8_t> beat(static_cast<std::size_t>(machine.bus_bytes));
  const auto bus = static_cast<std::uint64_t>(machine.bus_bytes);
  const int accept_percent = random.range(5, 100), latency = random.skewed(1, 40);
  std::size_t started = 0;
  Cycle wanted = 1;
  bool ar_before = false;
  for (Cycle t = 0; done.size() < Instructions; ++t) {
    ASSERT_LT(t, 200000) << "it does not end";
    const LoadDmaOut out = dma.out();
    LoadDmaIn in;
    // Memory: in order, contiguous beats.
    in.memory.request_ready = random.chance(accept_percent);
    if (out.memory.valid && !ar_before) ar.push_back(t);
    const bool accepted = out.memory.valid && in.memory.request_ready;
    if (out.memory.valid) {
      ASSERT_EQ(ar.size(), acc.size() + 1);
      const Burst& burst = e.bursts.at(acc.size());
      ASSERT_EQ(out.memory.address, burst.address) << "burst " << acc.size();
      ASSERT_EQ(out.memory.bytes, burst.bytes);
    }
    if (answered < acc.size()) {
      const Burst& burst = e.bursts[answered];
      if (beat_address == 0 && next_beat <= t) next_beat = std::max(t, acc[answered] + latency) + random.skewed(0, 10);
      if (beat_address == 0 && next_beat == t) beat_address = burst.address / bus * bus + 1;  // +1: begun
      if (beat_address != 0) {
        const std::uint64_t address = beat_address - 1;
        for (std::uint64_t i = 0; i < bus; ++i) beat[i] = address + i < memory.size() ? memory[address + i] : 0;
        in.memory.valid = true;
        in.memory.data = beat.data();
        in.memory.last = address + bus >= burst.address + burst.bytes;
        beat_at[{answered, address}] = t;
        beat_address += bus;
        if (in.memory.last) {
          rl.push_back(t);
          ++answered;
          beat_address = 0;
          next_beat = t + 1;
        }
      }
    }
    // Status of this cycle, while something is in flight.
    const bool in_flight = started > done.size();
    if (in_flight && t > s[done.size()]) {
      const bool stuck = out.memory.valid && ar_before;
      const UnitStatus expected = out.write.enable ? UnitStatus::Busy : stuck ? UnitStatus::WaitRequest : UnitStatus::WaitData;
      ASSERT_EQ(static_cast<int>(out.completion.status), static_cast<int>(expected)) << "cycle " << t;
      *stuck_seen += stuck;
    }
    if (out.write.enable) {
      const std::size_t j = w.size();
      ASSERT_LT(j, e.words.size());
      std::size_t n = 0;
      while (j >= e.words_end[n]) ++n;
      const isa::Load l = isa::decode_load(program[n]);
      ASSERT_EQ(static_cast<int>(out.buffer), l.buffer);
      ASSERT_EQ(out.write.address, static_cast<std::uint32_t>(l.word_base) + (j - (n == 0 ? 0 : e.words_end[n - 1])));
      const std::vector<std::uint8_t> data(out.write.data, out.write.data + machine.word_bytes(out.buffer));
      ASSERT_EQ(data, e.words[j].bytes) << "word " << j;
      w.push_back(t);
      ++*words_seen;
    }
    if (out.completion.chain) chain.push_back(t);
    if (out.completion.done) done.push_back(t);
    if (accepted) acc.push_back(t);
    ar_before = out.memory.valid && !accepted;

    // The sequencer: a chained start behind the chain pulse with one instruction in flight, or any start behind done.
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
  }
  ASSERT_EQ(w.size(), e.words.size());
  ASSERT_EQ(acc.size(), e.bursts.size());

  // The recurrences.
  const auto N = static_cast<std::size_t>(machine.load_outstanding);
  const std::size_t F = N + static_cast<std::size_t>((std::max(machine.rows, machine.columns) + machine.burst_bytes - 1) / machine.burst_bytes);
  for (std::size_t n = 0, k = 0; n < Instructions; ++n) {
    for (; k < e.bursts_end[n]; ++k) {
      Cycle expected = std::max(s[n] + 2, k > 0 ? acc[k - 1] + 1 : LongAgo);
      if (k >= N) expected = std::max(expected, rl[k - N] + 2);
      if (k >= F) expected = std::max(expected, w[e.bursts[k - F].last_word] + 1);
      ASSERT_EQ(ar[k], expected) << "AR " << k << " of instruction " << n;
    }
    ASSERT_EQ(chain[n], acc[k - 1] + 1);
    for (std::size_t j = n == 0 ? 0 : e.words_end[n - 1]; j < e.words_end[n]; ++j) {
      Cycle expected = std::max(s[n] + 3, j > 0 ? w[j - 1] + 1 : LongAgo);
      const Word& word = e.words[j];
      if (word.last_address >= 0) {
        const auto beat_start = static_cast<std::uint64_t>(word.last_address) / bus * bus;
        expected = std::max(expected, beat_at.at({word.last_burst, beat_start}) + 2);
      }
      ASSERT_EQ(w[j], expected) << "word " << j << " of instruction " << n;
    }
    ASSERT_EQ(done[n], w[e.words_end[n] - 1] + 1);
  }
  dma.step({});
  dma.step({});
  EXPECT_TRUE(dma.quiet());
}

TEST(LoadDma, KeepsItsRecurrencesAndRealignsBytes) {
  const std::uint64_t seed = test::random_seed();
  int words = 0, stuck = 0;
  for (int run = 0; run < 250; ++run) {
    SCOPED_TRACE("run " + std::to_string(run));
    run_random(seed * 32452843 + static_cast<std::uint64_t>(run), &words, &stuck);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(words, 20000);
  EXPECT_GT(stuck, 1000);
}

TEST(LoadDma, ReplacesRefusedBeatsByZerosAndSaysSoAtTheEnd) {
  Machine machine;
  machine.rows = machine.columns = 4;
  machine.bus_bytes = 4;
  machine.burst_bytes = 16;
  LoadDmaBeat dma(machine);
  dma.reset();
  isa::Load l;
  l.run_bytes = l.group_bytes = 8;
  l.word_last = 1;
  const isa::Word word = isa::encode(l);
  const std::uint8_t beat[4] = {1, 2, 3, 4};
  bool done = false;
  for (Cycle t = 0; t < 20 && !done; ++t) {
    LoadDmaIn in;
    in.command = {t == 0, &word};
    in.memory.request_ready = true;
    in.memory.valid = t == 5 || t == 6;
    in.memory.last = t == 6;
    in.memory.error = t == 6;
    in.memory.data = beat;
    const LoadDmaOut out = dma.out();
    if (out.write.enable) {
      EXPECT_EQ(int{out.write.data[1]}, out.write.address == 0 ? 2 : 0);
    }
    done = out.completion.done;
    EXPECT_EQ(out.completion.error, done);
    dma.step(in);
  }
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace gemel
