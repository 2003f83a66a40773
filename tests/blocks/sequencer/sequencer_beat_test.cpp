// SPDX-License-Identifier: Apache-2.0
// sequencer, beat model, between a memory and four stand-ins for units that take random times. Fetch, dispatch, starts and halt
// against the recurrences of docs/reference/machine.md, 2; then errors, registers and counters one by one.
#include "blocks/sequencer/sequencer_beat.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <numeric>

#include "support/random_program.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using testing::Random;

constexpr Cycle LongAgo = -1000000;

Machine small_machine() {
  Machine m;
  m.rows = m.columns = m.lanes = 4;
  m.buffers.fill({1024, 4});  // 256 words of 4 bytes, 64 a bank
  m.buffers[static_cast<int>(Buffer::Accumulator)] = {4096, 4};
  m.bus_bytes = 16;
  m.burst_bytes = 64;
  m.queue_depth = 2;
  m.prefetch_instructions = 4;
  return m;
}

// One instruction per unit that shares no bank in one direction, and no word, with those of the others.
isa::Load load() {
  isa::Load i;
  i.word_base = i.word_last = 64;
  i.run_bytes = i.group_bytes = 4;
  return i;
}
isa::Matrix matrix() {
  isa::Matrix i;
  i.weight_last = 3;
  return i;
}
isa::Vector pool() {
  isa::Vector i;
  i.opcode = isa::Opcode::PoolMax;
  i.src_height = i.src_width = 1;
  i.dst_base = i.dst_last = 64;
  return i;
}
isa::Store store() {
  isa::Store i;
  i.word_base = i.word_last = 128;
  i.run_bytes = i.group_bytes = 4;
  return i;
}
isa::Instruction of(isa::Unit unit) {
  switch (unit) {
    case isa::Unit::Load: return load();
    case isa::Unit::Matrix: return matrix();
    case isa::Unit::Vector: return pool();
    default: return store();
  }
}
isa::Header& header(isa::Instruction& i) {
  switch (i.unit) {
    case isa::Unit::Load: return i.load;
    case isa::Unit::Matrix: return i.matrix;
    case isa::Unit::Vector: return i.vector;
    default: return i.store;
  }
}

// Clocks a sequencer; memory answers each burst `latency` cycles after it was accepted, as soon as the one before is through.
class Bench {
 public:
  explicit Bench(const Machine& m) : machine(m), sequencer(machine), beat_(static_cast<std::size_t>(m.bus_bytes)) {
    sequencer.reset();
  }

  void start(const std::vector<isa::Word>& program, std::uint32_t base = 0x1000) {
    base_ = base;
    bytes_.assign(program.size() * isa::InstructionBytes, 0);
    if (!program.empty()) std::memcpy(bytes_.data(), program.data(), bytes_.size());
    write_register(isa::csr::ProgramBaseLow, base);
    write_register(isa::csr::ProgramBytes, static_cast<std::uint32_t>(bytes_.size()));
    write_register(isa::csr::InterruptEnable, 1);
    write_register(isa::csr::Control, 1);
    EXPECT_FALSE(sequencer.out().running);
    clock();
    EXPECT_TRUE(sequencer.out().running);  // two cycles after the write was on the wires
  }
  void write_register(std::uint32_t offset, std::uint32_t data) {
    in.csr_write = true;
    in.csr_write_offset = offset;
    in.csr_write_data = data;
    clock();
  }
  std::uint32_t read_register(std::uint32_t offset) {
    in.csr_read = true;
    in.csr_read_offset = offset;
    clock();
    clock();
    EXPECT_TRUE(sequencer.out().csr_answered);
    return sequencer.out().csr_data;
  }
  // Uses what stands in `in`, then clears it.
  void clock() {
    const SequencerOut out = sequencer.out();
    const Cycle t = sequencer.cycle();
    in.memory.request_ready = accept(t);
    if (out.running && out.memory.valid) {
      if (!requested_before_) ar.push_back(t);
      requested_before_ = true;
      if (in.memory.request_ready) {
        requested_before_ = false;
        acc.push_back(t);
        bursts_.push_back({out.memory.address, out.memory.bytes});
        requests.push_back({out.memory.address, out.memory.bytes});
      }
    }
    in.memory.valid = false;
    if (!bursts_.empty() && out.running) {
      const auto [address, bytes] = bursts_.front();
      if (next_ == 0 && t >= acc[rl.size()] + latency) next_ = address;
      if (next_ != 0) {
        const auto bus = static_cast<std::uint64_t>(machine.bus_bytes);
        const std::uint64_t beat = next_ / bus * bus;
        for (std::uint64_t i = 0; i < bus; ++i) {
          const std::uint64_t offset = beat + i - base_;
          beat_[i] = offset < bytes_.size() ? bytes_[offset] : std::uint8_t{0xee};
        }
        in.memory.valid = true;
        in.memory.data = beat_.data();
        next_ = beat + bus;
        in.memory.last = next_ >= address + bytes;
        in.memory.error = refused_address >= beat && refused_address < beat + bus;
        for (std::uint64_t i = 0; i < bytes_.size() / isa::InstructionBytes; ++i) {
          const std::uint64_t end = base_ + (i + 1) * isa::InstructionBytes - 1;
          if (end >= beat && end < next_) last_beat.push_back(t);
        }
        if (in.memory.last) {
          rl.push_back(t);
          bursts_.pop_front();
          next_ = 0;
        }
      }
    }
    sequencer.step(in);
    in = {};
  }

  Machine machine;
  SequencerBeat sequencer;
  SequencerIn in;
  std::function<bool(Cycle)> accept = [](Cycle) { return true; };
  Cycle latency = 5;
  std::uint64_t refused_address = ~std::uint64_t{0};
  std::vector<Cycle> ar, acc, rl, last_beat;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> requests;

 private:
  std::uint64_t base_ = 0, next_ = 0;
  std::vector<std::uint8_t> bytes_, beat_;
  std::deque<std::pair<std::uint64_t, std::uint32_t>> bursts_;
  bool requested_before_ = false;
};

// ---- Random programs against the recurrences ----

void run_random(std::uint64_t seed) {
  Random random(seed);
  Machine machine = small_machine();
  machine.bus_bytes = 1 << random.range(2, 7);
  machine.burst_bytes = std::max(machine.bus_bytes, 1 << random.range(4, 9));
  machine.queue_depth = random.range(1, 4);
  machine.prefetch_instructions = std::max(1, machine.burst_bytes / 64) + random.range(0, 6);

  // Semaphore 4*u+v carries tokens from unit v to unit u; a wait is only made for a post that stands before it.
  const int count = random.range(1, 60);
  std::vector<isa::Instruction> program;
  int available[4][4] = {};  // tokens of posts so far, minus waits: [u][v]
  for (int n = 0; n < count; ++n) {
    isa::Instruction i = of(static_cast<isa::Unit>(random.range(0, 3)));
    const int u = static_cast<int>(i.unit);
    isa::Header& h = header(i);
    h.chain = u != 2 && random.chance(50);
    for (int v = 0; v < 4; ++v) {
      if (available[u][v] > 0 && random.chance(60)) {
        h.wait_mask |= 1 << v;
        --available[u][v];
      }
    }
    for (int to = 0; to < 4; ++to) {
      if (to != u && available[to][u] < 200 && random.chance(40)) {
        h.post_mask |= 1 << (4 * to + u);
        ++available[to][u];
      }
    }
    program.push_back(i);
  }
  std::vector<isa::Word> words;
  for (const auto& i : program) words.push_back(isa::encode(i));
  words.push_back(isa::encode(isa::Halt{}));
  for (int extra = random.range(0, 5); extra > 0; --extra) words.push_back({});  // nobody may look behind halt

  Bench bench(machine);
  const int percent = random.range(20, 100);
  bench.accept = [&random, percent](Cycle) { return random.chance(percent); };
  bench.latency = random.skewed(1, 30);
  bench.start(words, 64u * static_cast<std::uint32_t>(random.range(1, 40)));

  // Stand-ins for the units: done some time after the start, chain pulse somewhere between.
  std::vector<Cycle> d, s(program.size(), Never), p(program.size(), Never), c(program.size(), Never);
  std::array<std::vector<std::size_t>, 4> of_unit;
  for (std::size_t i = 0; i < program.size(); ++i) of_unit[static_cast<std::size_t>(program[i].unit)].push_back(i);
  std::array<std::size_t, 4> started{}, finished{};
  SequencerBeat::Counters expected_counters{};
  while (bench.sequencer.out().running) {
    const Cycle t = bench.sequencer.cycle();
    ASSERT_LT(t, 100000);
    const SequencerOut out = bench.sequencer.out();
    for (std::size_t u = 0; u < 4; ++u) {
      if (out.command[u].valid) {
        ASSERT_LT(started[u], of_unit[u].size());
        const std::size_t i = of_unit[u][started[u]++];
        ASSERT_EQ(*out.command[u].word, words[i]);
        s[i] = t;
        const Cycle before = started[u] >= 2 ? p[of_unit[u][started[u] - 2]] : LongAgo;
        p[i] = std::max(t + random.skewed(1, 40), before + 1);
        c[i] = random.chance(80) ? random.range(static_cast<int>(t), static_cast<int>(p[i])) : Never;
        // Chain pulses of one unit are pulses of one wire: not two in a cycle.
        if (started[u] >= 2 && c[i] == c[of_unit[u][started[u] - 2]]) c[i] = Never;
      }
      CompletionWires& wires = bench.in.unit[u];
      const bool in_flight = finished[u] < started[u];
      if (in_flight) {
        wires.status = static_cast<UnitStatus>(random.range(0, 3));
        const int cause[] = {0, 6, 7, 8};
        ++expected_counters[u][static_cast<std::size_t>(cause[static_cast<std::size_t>(wires.status)])];
        for (std::size_t k = finished[u]; k < started[u]; ++k) wires.chain = wires.chain || c[of_unit[u][k]] == t;
        if (p[of_unit[u][finished[u]]] == t) {
          wires.done = true;
          ++finished[u];
        }
      }
    }
    const auto dispatched = bench.sequencer.dispatched();
    bench.clock();
    if (bench.sequencer.dispatched() != dispatched) d.push_back(t);
  }
  const Cycle total = bench.sequencer.cycle();
  ASSERT_EQ(bench.sequencer.failure().code, isa::ErrorCode::None);
  ASSERT_EQ(d.size(), program.size());

  // Fetch.
  const std::uint64_t FB = static_cast<std::uint64_t>(std::max(machine.burst_bytes, 64));
  std::int64_t places_needed = 0;
  for (std::size_t k = 0; k < bench.ar.size(); ++k) {
    const auto [address, bytes] = bench.requests[k];
    ASSERT_EQ(address / FB, (address + bytes - 1) / FB);
    if (k > 0) {
      ASSERT_EQ(address, bench.requests[k - 1].first + bench.requests[k - 1].second);
    }
    places_needed += bytes / 64;
    Cycle expected = k == 0 ? 1 : bench.acc[k - 1] + 1;
    const std::int64_t freed = places_needed - machine.prefetch_instructions;  // dispatches that must have been
    if (freed > 0) expected = std::max(expected, d[static_cast<std::size_t>(freed - 1)] + 2);
    ASSERT_EQ(bench.ar[k], expected) << "AR " << k;
  }
  // Dispatch.
  std::array<std::size_t, 4> nth{};
  std::vector<Cycle> x(program.size());
  for (std::size_t i = 0; i < program.size(); ++i) x[i] = s[i] - 1;
  for (std::size_t i = 0; i < program.size(); ++i) {
    const auto u = static_cast<std::size_t>(program[i].unit);
    Cycle expected = std::max(i > 0 ? d[i - 1] + 1 : LongAgo, bench.last_beat[i] + 2);
    if (nth[u] >= static_cast<std::size_t>(machine.queue_depth)) {
      expected = std::max(expected, x[of_unit[u][nth[u] - static_cast<std::size_t>(machine.queue_depth)]] + 1);
    }
    ASSERT_EQ(d[i], expected) << "dispatch of " << i;
    ++nth[u];
  }
  // Starts. The n-th taker of a semaphore needs its n-th post.
  std::array<std::vector<Cycle>, 16> posts;
  for (std::size_t i = 0; i < program.size(); ++i) {
    for (std::size_t m = 0; m < 16; ++m) {
      if (program[i].header().post_mask >> m & 1) posts[m].push_back(p[i]);
    }
  }
  for (auto& list : posts) std::sort(list.begin(), list.end());
  for (std::size_t u = 0; u < 4; ++u) {
    std::array<std::size_t, 4> taken{};
    for (std::size_t n = 0; n < of_unit[u].size(); ++n) {
      const std::size_t i = of_unit[u][n];
      const isa::Header& h = program[i].header();
      Cycle ready = d[i] + 1;
      for (std::size_t v = 0; v < 4; ++v) {
        if (h.wait_mask >> v & 1) ready = std::max(ready, posts[4 * u + v][taken[v]++] + 1);
      }
      Cycle expected = ready;
      if (n > 0) {
        const std::size_t before = of_unit[u][n - 1];
        expected = std::max(ready, p[before] + 1);
        if (h.chain && c[before] != Never) {
          Cycle chained = std::max(ready, c[before] + 1);
          if (n > 1) chained = std::max(chained, p[of_unit[u][n - 2]] + 1);
          if (chained <= p[before]) expected = chained;  // behind that it is an ordinary start
        }
      }
      ASSERT_EQ(x[i], expected) << "decision of " << i << ", " << isa::to_string(program[i].unit);
    }
  }
  // Halt: decoded, queues empty, nothing in flight, no fetch outstanding.
  Cycle halt = std::max(bench.last_beat[program.size()] + 2, d.empty() ? LongAgo : d.back() + 1);
  for (const Cycle done : p) halt = std::max(halt, done + 1);
  ASSERT_FALSE(bench.rl.empty());
  halt = std::max(halt, bench.rl.back() + 1);
  ASSERT_EQ(total, halt + 1);
  // Counters: in flight as the statuses said; they add up.
  const SequencerBeat::Counters counters = bench.sequencer.counters();
  for (std::size_t u = 0; u < 4; ++u) {
    ASSERT_EQ(std::accumulate(counters[u].begin(), counters[u].end(), std::int64_t{0}), total) << u;
    for (std::size_t cause = 6; cause <= 8; ++cause) ASSERT_EQ(counters[u][cause], expected_counters[u][cause]) << u;
  }
}

TEST(Sequencer, KeepsItsRecurrences) {
  const std::uint64_t seed = test::random_seed();
  for (int run = 0; run < 300; ++run) {
    SCOPED_TRACE("run " + std::to_string(run));
    run_random(seed * 67867967 + static_cast<std::uint64_t>(run));
    if (HasFatalFailure()) return;
  }
}

// ---- Errors ----

// Runs `program` with units that are done `duration` cycles after their start.
struct Outcome {
  SequencerBeat::Failure failure;
  Cycle cycles = 0;
  std::vector<std::pair<int, Cycle>> starts;  // unit, s
};
Outcome run(Bench& bench, const std::vector<isa::Instruction>& program, const std::array<Cycle, 4>& duration,
        const std::array<bool, 4>& memory_error = {}) {
  std::vector<isa::Word> words;
  for (const auto& i : program) words.push_back(isa::encode(i));
  bench.start(words);
  Outcome result;
  std::array<std::deque<Cycle>, 4> done;
  while (bench.sequencer.out().running && bench.sequencer.cycle() < 3000) {
    const Cycle t = bench.sequencer.cycle();
    for (std::size_t u = 0; u < 4; ++u) {
      if (bench.sequencer.out().command[u].valid) {
        result.starts.emplace_back(static_cast<int>(u), t);
        done[u].push_back(t + duration[u]);
      }
      if (!done[u].empty() && done[u].front() == t) {
        done[u].pop_front();
        bench.in.unit[u].done = true;
        bench.in.unit[u].error = memory_error[u];
      }
    }
    bench.clock();
  }
  result.failure = bench.sequencer.failure();
  result.cycles = bench.sequencer.cycle();
  return result;
}

void expect_failure(const Outcome& run, isa::ErrorCode code, Cycle cycle, std::uint32_t instruction) {
  EXPECT_STREQ(isa::to_string(run.failure.code), isa::to_string(code));
  EXPECT_EQ(run.failure.cycle, cycle);
  EXPECT_EQ(run.failure.instruction, instruction);
}

constexpr Cycle FirstDispatch = 1 /*AR*/ + 5 /*latency*/ + 3 /*last of 4 beats*/ + 2;

TEST(SequencerErrors, IllegalInstructionAtItsDispatchEvenIfAQueueIsFull) {
  Bench bench(small_machine());
  isa::Word bad = isa::encode(load());
  bad[7] |= std::uint64_t{1} << 63;  // a reserved bit
  bench.start({bad});
  while (bench.sequencer.out().running && bench.sequencer.cycle() < 100) bench.clock();
  EXPECT_EQ(bench.sequencer.failure().code, isa::ErrorCode::IllegalInstruction);
  EXPECT_EQ(bench.sequencer.failure().cycle, FirstDispatch);
  EXPECT_EQ(bench.sequencer.cycle(), FirstDispatch + 2);  // nothing was under way
}

TEST(SequencerErrors, ClaimBeyondItsBuffer) {
  Bench bench(small_machine());
  isa::Load i = load();
  i.word_base = i.word_last = 256;
  expect_failure(run(bench, {i}, {1, 1, 1, 1}), isa::ErrorCode::AddressOutsideBuffer, FirstDispatch, 0);
}

TEST(SequencerErrors, ProgramWithoutHalt) {
  Bench bench(small_machine());
  expect_failure(run(bench, {load()}, {50, 1, 1, 1}), isa::ErrorCode::EndOfProgram, FirstDispatch + 1, 1);
}

TEST(SequencerErrors, RefusedFetchNamesTheInstruction) {
  Bench bench(small_machine());
  bench.refused_address = 0x1000 + 64 + 20;
  const Outcome result = run(bench, {load(), load(), isa::Halt{}}, {1, 1, 1, 1});
  EXPECT_STREQ(isa::to_string(result.failure.code), "read_error");
  EXPECT_EQ(result.failure.instruction, 1u);
  EXPECT_EQ(result.failure.cycle, bench.last_beat[1] + 2);
}

TEST(SequencerErrors, HazardStartsTheEarlierUnitsOnly) {
  Bench bench(small_machine());
  // Store and vector read one bank; all three wait for a load, and start together.
  isa::Load first = load();
  first.post_mask = 1 << 4 | 1 << 8 | 1 << 12;
  isa::Matrix m = matrix();
  isa::Vector v = pool();
  isa::Store s = store();
  m.wait_mask = v.wait_mask = s.wait_mask = 1;
  s.word_base = s.word_last = 1;
  const Outcome result = run(bench, {first, m, v, s, isa::Halt{}}, {100, 5, 5, 5});
  const Cycle done = result.starts.at(0).second + 100;
  expect_failure(result, isa::ErrorCode::Hazard, done + 2, 2);
  ASSERT_EQ(result.starts.size(), 2u);
  EXPECT_EQ(result.starts[1].first, 1);  // the matrix unit
  EXPECT_EQ(result.starts[1].second, done + 2);
  EXPECT_GE(result.cycles, done + 2 + 5);  // what is in flight finishes
}

TEST(SequencerErrors, AWrittenIntervalThatMeetsAnInstructionInFlight) {
  Bench bench(small_machine());
  isa::Load i = load();
  i.word_base = i.word_last = 0;  // the matrix instruction reads it
  const Outcome result = run(bench, {matrix(), i, isa::Halt{}}, {5, 100, 5, 5});
  EXPECT_STREQ(isa::to_string(result.failure.code), "hazard");
  EXPECT_EQ(result.failure.instruction, 1u);
}

TEST(SequencerErrors, MemoryErrorAtDoneComesBeforeTheHazardOfTheSameCycle) {
  isa::Load first = load();
  first.post_mask = 1 << 8;
  isa::Vector v = pool();
  v.wait_mask = 1;
  isa::Store s = store();
  s.word_base = s.word_last = 1;  // in the bank that `v` reads
  // `v` would start while the store is in flight; the store is done, with an error, in the cycle of the hazard's error.
  for (const Cycle store_duration : {60, 61, 62, 63}) {
    Bench one(small_machine());
    const Outcome result = run(one, {s, first, v, isa::Halt{}}, {20, 5, 5, store_duration}, {false, false, false, true});
    const Cycle hazard = result.starts[1].second + 20 + 2, done = result.starts[0].second + store_duration;
    if (done <= hazard) {
      expect_failure(result, isa::ErrorCode::WriteError, done, 0);
    } else {
      expect_failure(result, isa::ErrorCode::Hazard, hazard, 2);
    }
  }
}

TEST(SequencerErrors, ErrorsOfOneCycleAreDecidedByUnit) {
  // Load and store are done in one cycle, both with an error: load comes first.
  Bench bench(small_machine());
  const Outcome probe = run(bench, {load(), store(), isa::Halt{}}, {40, 5, 5, 5});
  const Cycle apart = probe.starts.at(1).second - probe.starts.at(0).second;
  Bench second(small_machine());
  const Outcome result = run(second, {load(), store(), isa::Halt{}}, {40, 5, 5, 40 - apart}, {true, false, false, true});
  expect_failure(result, isa::ErrorCode::ReadError, probe.starts[0].second + 40, 0);
}

TEST(SequencerErrors, ChainedMatrixInstructionsOnOverlappingAccumulators) {
  Machine machine = small_machine();
  for (const int second_base : {0, 1, 2}) {
    Bench bench(machine);
    isa::Matrix a = matrix();
    a.out_width = 2;
    a.act_width = 2;
    a.acc_last = 1;
    isa::Matrix b = a;
    b.chain = 1;
    b.acc_base = second_base;
    b.acc_last = second_base + 1;
    std::vector<isa::Word> words = {isa::encode(a), isa::encode(b), isa::encode(isa::Halt{})};
    bench.start(words);
    Cycle first = Never, last = Never;
    while (bench.sequencer.out().running && bench.sequencer.cycle() < 300) {
      const Cycle t = bench.sequencer.cycle();
      if (bench.sequencer.out().command[1].valid) (first == Never ? first : last) = t;
      bench.in.unit[1].chain = first != Never && t == first + 20;
      bench.in.unit[1].done = first != Never && (t == first + 50 || t == first + 60) && (t == first + 50 || last != Never);
      bench.clock();
    }
    if (second_base == 1) {
      EXPECT_STREQ(isa::to_string(bench.sequencer.failure().code), "illegal_chain");
      EXPECT_EQ(bench.sequencer.failure().cycle, first + 20 + 2);
      EXPECT_EQ(bench.sequencer.failure().instruction, 1u);
    } else {
      EXPECT_STREQ(isa::to_string(bench.sequencer.failure().code), "none");
      EXPECT_EQ(last, first + 20 + 2);
    }
  }
}

// 255 tokens are legal, the 256th is an error, if one is taken in the very cycle, too; not if one was taken in the cycle before.
TEST(SequencerErrors, SemaphoreOverflowAtTheDoneThatMakesIt) {
  for (const int taken_before : {-1, 0, 1}) {  // cycles between the take and the done; -1: it is not taken
    Machine machine = small_machine();
    machine.queue_depth = 64;
    Bench bench(machine);
    std::vector<isa::Instruction> program;
    for (int n = 0; n < 256; ++n) {
      isa::Load i = load();
      i.post_mask = 1 << 12;
      program.push_back(i);
    }
    // The store is free to start, and to take a token, when the vector unit posts: at its done, plus one.
    isa::Vector v = pool();
    v.post_mask = 1 << 13;
    isa::Store s = store();
    s.wait_mask = 3;
    program.insert(program.begin(), {v, s});
    program.push_back(isa::Halt{});
    std::vector<isa::Word> words;
    for (const auto& i : program) words.push_back(isa::encode(i));
    bench.start(words);
    Cycle loads_done = 0, vector_done = Never, load_done = Never, store_done = Never, last_load_start = Never;
    while (bench.sequencer.out().running && bench.sequencer.cycle() < 20000) {
      const Cycle t = bench.sequencer.cycle();
      const SequencerOut& out = bench.sequencer.out();
      if (out.command[0].valid) {
        load_done = t + 5;
        if (loads_done == 255) {
          last_load_start = t;
          if (taken_before >= 0) vector_done = t + 4 - taken_before;  // the store's decision comes one cycle later
        }
      }
      if (out.command[3].valid) store_done = t + 3;
      bench.in.unit[0].done = load_done == t;
      loads_done += load_done == t;
      bench.in.unit[2].done = vector_done == t;
      bench.in.unit[3].done = store_done == t;
      bench.clock();
      if (vector_done == Never && loads_done >= 256 && bench.sequencer.failure().code == isa::ErrorCode::None) vector_done = t + 5;
      if (bench.sequencer.failure().code != isa::ErrorCode::None) break;
    }
    if (taken_before == 1) {
      EXPECT_STREQ(isa::to_string(bench.sequencer.failure().code), "none");
    } else {
      EXPECT_STREQ(isa::to_string(bench.sequencer.failure().code), "semaphore_overflow");
      EXPECT_EQ(bench.sequencer.failure().cycle, last_load_start + 5);
      EXPECT_EQ(bench.sequencer.failure().instruction, 257u);
    }
  }
}

// ---- Registers ----

TEST(SequencerRegisters, TellTheRun) {
  Bench bench(small_machine());
  const Outcome result = run(bench, {load(), isa::Halt{}}, {30, 1, 1, 1});
  EXPECT_EQ(result.failure.code, isa::ErrorCode::None);
  EXPECT_EQ(bench.read_register(isa::csr::Status), 2u /*done*/ | 8u /*interrupt*/);
  EXPECT_TRUE(bench.sequencer.out().interrupt);
  EXPECT_EQ(bench.read_register(isa::csr::CyclesLow), static_cast<std::uint32_t>(result.cycles));
  EXPECT_EQ(bench.read_register(isa::csr::Version), isa::Version);
  EXPECT_EQ(bench.read_register(isa::csr::ErrorCode), 0u);
  std::int64_t sum = 0;
  for (std::uint32_t cause = 0; cause < isa::CauseCount; ++cause) sum += bench.read_register(isa::csr::Counters + 8 * cause);
  EXPECT_EQ(sum, result.cycles);
  EXPECT_EQ(bench.read_register(isa::csr::Counters), 31u /*s..p*/ + 1u /*decision*/);  // load, busy
  bench.write_register(isa::csr::Control, 2);
  bench.clock();
  bench.clock();
  EXPECT_EQ(bench.read_register(isa::csr::Status), 0u);
  EXPECT_FALSE(bench.sequencer.out().interrupt);
}

TEST(SequencerRegisters, ASecondRunIsLikeTheFirst) {
  Bench bench(small_machine());
  const Outcome first = run(bench, {load(), isa::Halt{}}, {30, 1, 1, 1});
  const auto counters = bench.sequencer.counters();
  bench.ar.clear();
  bench.acc.clear();
  bench.rl.clear();
  const Outcome second = run(bench, {load(), isa::Halt{}}, {30, 1, 1, 1});
  EXPECT_EQ(first.cycles, second.cycles);
  EXPECT_EQ(counters, bench.sequencer.counters());
}

}  // namespace
}  // namespace gemel
