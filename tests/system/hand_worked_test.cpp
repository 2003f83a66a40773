// SPDX-License-Identifier: Apache-2.0
// Cycles derived on paper from docs/reference/machine.md, term by term, on the machine of support/platform.hpp:
// R = C = 4, bus 8 bytes, bursts of 64 bytes (one instruction each), read latency 10, write latency 6.
#include <gtest/gtest.h>

#include "support/platform.hpp"

namespace gemel {
namespace {

using testing::event;
using testing::run_program;
using testing::small_machine;

constexpr int FirstAr = 1, ReadLatency = 10, WriteLatency = 6;
constexpr int InstructionBeats = 8;  // 64 bytes over 8
constexpr int Decode = 2;            // last beat to dispatch
constexpr int Decide = 1, Start = 1; // dispatch to decision, decision to command
constexpr int R = 4, C = 4;

// The i-th instruction's dispatch, if nothing else uses the read channel before: beats follow each other without a gap.
constexpr std::int64_t dispatch(int i) { return FirstAr + ReadLatency + (i + 1) * InstructionBeats - 1 + Decode; }
// Command of the i-th instruction if nothing holds it back.
constexpr std::int64_t command(int i) { return dispatch(i) + Decide + Start; }
// Total cycles of a run whose last done pulse is at p: in flight is clear at p+1, which is the last cycle.
constexpr std::int64_t total_after(std::int64_t p) { return p + 2; }

std::int64_t counter(const SimulationOutput& out, isa::Unit unit, isa::Cause cause) {
  return out.result.counters[static_cast<std::size_t>(unit)][static_cast<std::size_t>(cause)];
}

void expect_complete(const SimulationOutput& out) {
  EXPECT_EQ(out.error_code, 0u) << out.error_text;
  for (const auto& unit : out.result.counters) {
    std::int64_t sum = 0;
    for (const std::int64_t cycles : unit) sum += cycles;
    EXPECT_EQ(sum, out.result.cycles);
  }
}

TEST(HandWorked, HaltAlone) {
  const SimulationOutput out = run_program("halt", small_machine());
  expect_complete(out);
  EXPECT_EQ(out.result.cycles, dispatch(0) + 1);
  EXPECT_EQ(counter(out, isa::Unit::Matrix, isa::Cause::QueueEmpty), out.result.cycles);
}

TEST(HandWorked, OneLoad) {
  const SimulationOutput out = run_program(
      "load buffer=activation word=[0..3] address=256 run_bytes=16 group_bytes=4\n"
      "halt\n", small_machine());
  expect_complete(out);
  const std::int64_t s = command(0);
  EXPECT_EQ(event(out, 0).start, s);
  const std::int64_t first_beat = s + 2 /*AR*/ + ReadLatency;
  const std::int64_t done = first_beat + 2 /*first word*/ + 3 /*more words, one a cycle*/ + 1;
  EXPECT_EQ(event(out, 0).end, done);
  EXPECT_EQ(out.result.cycles, total_after(done));
  EXPECT_EQ(counter(out, isa::Unit::Load, isa::Cause::Busy), 4 /*words*/ + 1 /*decision*/);
  EXPECT_EQ(counter(out, isa::Unit::Load, isa::Cause::WaitData), (done - s + 1) - 4);
  EXPECT_EQ(counter(out, isa::Unit::Load, isa::Cause::QueueEmpty), out.result.cycles - (done - s + 1) - 1);
}

// 128 bytes = 2 bursts of 8 beats; W = 4, so a beat makes two words and the words are the bound: 32 words.
TEST(HandWorked, LoadWithFourOutstanding) {
  const SimulationOutput out = run_program(
      "load buffer=activation word=[0..31] address=256 run_bytes=128 group_bytes=4\n"
      "halt\n", small_machine());
  expect_complete(out);
  const std::int64_t first_beat = command(0) + 2 + ReadLatency;
  EXPECT_EQ(event(out, 0).end, first_beat + 2 + 31 + 1);
}

// With one outstanding burst, AR 1 waits for the last beat of burst 0 (+2) and the latency is paid again. The last word of
// burst 0 comes at first_beat + 2 + 15, long before burst 1's first beat.
TEST(HandWorked, LoadWithOneOutstanding) {
  Machine machine = small_machine();
  machine.load_outstanding = 1;
  const SimulationOutput out = run_program(
      "load buffer=activation word=[0..31] address=256 run_bytes=128 group_bytes=4\n"
      "halt\n", machine);
  expect_complete(out);
  const std::int64_t first_beat = command(0) + 2 + ReadLatency;
  const std::int64_t second_ar = first_beat + 7 /*last beat*/ + 2;
  const std::int64_t second_beat = second_ar + ReadLatency;
  EXPECT_EQ(event(out, 0).end, second_beat + 2 + 15 + 1);
  EXPECT_EQ(counter(out, isa::Unit::Load, isa::Cause::Busy), 32 + 1);
}

// A memory queue of 1 refuses AR 1 until burst 0 is complete: wait_request. Outstanding allows four.
TEST(HandWorked, StallByRequest) {
  Machine machine = small_machine();
  machine.memory_queue = 1;
  const SimulationOutput out = run_program(
      "load buffer=activation word=[0..31] address=256 run_bytes=128 group_bytes=4\n"
      "halt\n", machine);
  expect_complete(out);
  // With one fetch burst at a time, the second instruction is fetched after the first.
  const std::int64_t ar = command(0) + 2;
  const std::int64_t fetch_first = FirstAr + ReadLatency + InstructionBeats /*AR of halt at rl+1*/ + ReadLatency;
  const std::int64_t read_free = fetch_first + InstructionBeats;
  const std::int64_t first_beat = std::max(ar + ReadLatency, read_free);
  const std::int64_t refused_until = first_beat + 7 + 1;  // accepted the cycle after the last beat
  const std::int64_t second_beat = refused_until + ReadLatency;
  EXPECT_EQ(event(out, 0).end, second_beat + 2 + 15 + 1);
  // AR 1 is on the wires at ar+1; stuck from ar+2 to its acceptance, but a cycle in which a word is written counts as busy:
  // words of burst 0 are written from first_beat+2 on, until acceptance there are (7 + 1) - 2 + 1 such cycles.
  EXPECT_EQ(counter(out, isa::Unit::Load, isa::Cause::WaitRequest), (refused_until - (ar + 2) + 1) - 7);
}

// Words wider than the bus wait for the beat of their own last byte, the short one at the end of a run, too, however long its group might be.
TEST(HandWorked, ShortLastWordOfARunThatEndsWithinItsGroup) {
  Machine machine = small_machine();
  machine.columns = 7;
  machine.bus_bytes = 4;
  const SimulationOutput out = run_program("load buffer=weight word=[0..1] address=256 run_bytes=9 group_bytes=64\nhalt\n", machine);
  expect_complete(out);
  const std::int64_t fetched = FirstAr + ReadLatency + 2 * 64 / 4;  // load and halt
  const std::int64_t first_beat = std::max(event(out, 0).start + 2 + ReadLatency, fetched);
  EXPECT_EQ(event(out, 0).end, first_beat + 8 / 4 /*the beat of byte 8*/ + 2 + 1);
}

// One tile: 4x4 weights, two pixels of 4 channels, requantized with the identity (multiplier 2^30, shift 1), stored.
constexpr const char* OneTile =
    "load buffer=activation word=[0..1] address=256 run_bytes=8 group_bytes=4\n"
    "load chain post=4 buffer=weight word=[0..3] address=512 run_bytes=16 group_bytes=4\n"
    "matrix wait=4 post=8 act=[0..1] weight=[0..3] acc=[0..1] act_height=1 act_width=2 pixel_words=1 out_width=2\n"
    "load chain post=9 buffer=param word=[0..8] address=768 run_bytes=36 group_bytes=36\n"
    "requantize wait=8,9 post=12 src0=[0..1] dst=[0..1] param=[0..8] blocks=1 out_width=2 dst_pixel_step=1 clamp_min=-128 clamp_max=127\n"
    "store wait=12 word=[0..1] address=1024 run_bytes=8 group_bytes=4\n"
    "halt\n";

TEST(HandWorked, OneTile) {
  const SimulationOutput out = run_program(OneTile, small_machine());
  expect_complete(out);
  // Matrix: from its command on, nothing else matters.
  const TraceEvent matrix = event(out, 2);
  EXPECT_EQ(matrix.end - matrix.start, 2 /*first weight read*/ + R /*weights*/ + (2 - 1) /*pixels*/ + R + C + 3);
  // It waited for the weights' load: done at p, semaphore visible p+1, command p+2.
  EXPECT_EQ(matrix.start, event(out, 1).end + 2);
  const TraceEvent vector = event(out, 4);
  EXPECT_EQ(vector.start, std::max({matrix.end, event(out, 3).end}) + 2);
  EXPECT_EQ(vector.end - vector.start, 2 + 9 /*parameters*/ + (2 - 1) /*steps*/ + 14 /*latency*/ + 1);
  const TraceEvent store = event(out, 5);
  EXPECT_EQ(store.start, vector.end + 2);
  EXPECT_EQ(store.end - store.start, 2 + 1 /*second word*/ + 2 /*in the ring*/ + 1 /*AW*/ + 1 /*W*/ + WriteLatency + 1);
  EXPECT_EQ(out.result.cycles, total_after(store.end));
  EXPECT_EQ(counter(out, isa::Unit::Store, isa::Cause::Busy), 2 /*words*/ + 1 /*beat*/ + 1 /*decision*/);
  EXPECT_EQ(counter(out, isa::Unit::Store, isa::Cause::WaitWrite), (store.end - store.start + 1) - 3);
}

// Two tiles, the second chained: the second instruction's weights load while the first streams, no cycle is lost.
TEST(HandWorked, TwoTilesChained) {
  const std::string loads =
      "load buffer=activation word=[0..15] address=256 run_bytes=64 group_bytes=4\n"
      "load chain post=4 buffer=weight word=[0..7] address=512 run_bytes=32 group_bytes=4\n";
  const auto matrix = [](int weight, int acc, const char* flags) {
    return std::string("matrix ") + flags + " act=[0..15] weight=[" + std::to_string(weight) + ".." +
           std::to_string(weight + 3) + "] acc=[" + std::to_string(acc) + ".." + std::to_string(acc + 15) +
           "] act_height=1 act_width=16 pixel_words=1 out_width=16\n";
  };
  // The first waits until both are in the queue: it needs semaphore 5, which a late load posts.
  const std::string late = "load post=5 buffer=param word=[0..8] address=768 run_bytes=36 group_bytes=36\n";
  const SimulationOutput out =
      run_program(loads + matrix(0, 0, "wait=4,5") + matrix(4, 16, "chain") + late + "halt\n", small_machine());
  expect_complete(out);
  const TraceEvent first = event(out, 2), second = event(out, 3);
  EXPECT_EQ(first.start, event(out, 4).end + 2);
  EXPECT_EQ(first.end - first.start, 2 + R + 15 + R + C + 3);
  EXPECT_EQ(second.start, first.start + 2 /*first weight read*/ + 1 /*chain pulse*/ + 2 /*visible, decided*/);
  EXPECT_EQ(second.end, first.end + 16);  // its pixels follow without a gap
}

// Seed 1 and J = 7 draw 6, 2, 7, 4 for reads and 5, 1 for writes. The first AR is on the wires at 1, so beats of the three
// fetches are 17..24 (1 + 10 + 6), 25..32 and 33..40: the second would be early, but comes in order. The load's AR at 30 is
// read 3: its beat comes at 44, its words at 46 and 47. The store's W beats are at 56 and 57; the first write is done 5 later, at
// 61, and the second, which would be done at 57 + 1, after it at 62. B 6 later.
TEST(HandWorked, JitterOfMemory) {
  Machine machine = small_machine();
  machine.jitter_cycles = 7;
  machine.jitter_seed = 1;
  const std::string program =
      "load post=12 buffer=vector word=[0..1] address=256 run_bytes=8 group_bytes=4\n"
      "store wait=12 word=[0..1] address=1084 run_bytes=8 group_bytes=4\n"
      "halt\n";
  const SimulationOutput out = run_program(program, machine);
  expect_complete(out);
  EXPECT_EQ(event(out, 0).start, 24 + Decode + Decide + Start);
  EXPECT_EQ(event(out, 0).end, 47 + 1);
  EXPECT_EQ(event(out, 1).start, 50);
  EXPECT_EQ(event(out, 1).end, 62 + WriteLatency + 1);
  EXPECT_EQ(out.result.cycles, total_after(69));
  machine.jitter_seed = 2;
  EXPECT_NE(run_program(program, machine).result.cycles, out.result.cycles);
  machine.jitter_cycles = 0;
  EXPECT_EQ(run_program(program, machine).result.cycles, run_program(program, small_machine()).result.cycles);
}

TEST(HandWorked, WaitsCountForTheLowestMissingSemaphore) {
  const SimulationOutput out = run_program(
      "store wait=12,13 word=[0..0] address=1024 run_bytes=4 group_bytes=4\n"
      "load post=13 buffer=activation word=[0..0] address=256 run_bytes=4 group_bytes=4\n"
      "load post=12 buffer=activation word=[1..1] address=260 run_bytes=4 group_bytes=4\n"
      "halt\n", small_machine());
  expect_complete(out);
  // Both missing, then only 12: always the lowest.
  const std::int64_t visible = dispatch(0) + 1;
  EXPECT_EQ(counter(out, isa::Unit::Store, isa::Cause::WaitSemaphore0), event(out, 2).end - visible + 1);
  EXPECT_EQ(counter(out, isa::Unit::Store, isa::Cause::WaitSemaphore1), 0);
  EXPECT_EQ(event(out, 0).start, event(out, 2).end + 2);
}

// The first counter is the lowest missing one, so a later arrival of the lower number moves the rest to the higher.
TEST(HandWorked, WaitsForTheHigherSemaphoreWhenTheLowerIsThere) {
  const SimulationOutput out = run_program(
      "store wait=12,13 word=[0..0] address=1024 run_bytes=4 group_bytes=4\n"
      "load post=12 buffer=activation word=[0..0] address=256 run_bytes=4 group_bytes=4\n"
      "load post=13 buffer=activation word=[1..1] address=260 run_bytes=4 group_bytes=4\n"
      "halt\n", small_machine());
  expect_complete(out);
  const std::int64_t visible = dispatch(0) + 1;
  EXPECT_EQ(counter(out, isa::Unit::Store, isa::Cause::WaitSemaphore0), event(out, 1).end - visible + 1);
  EXPECT_EQ(counter(out, isa::Unit::Store, isa::Cause::WaitSemaphore1), event(out, 2).end - event(out, 1).end);
}

}  // namespace
}  // namespace gemel
