// SPDX-License-Identifier: Apache-2.0
// The timing core: the ideal memory's cycles term by term; and what holds for any memory, shown with a device that reorders.
#include "memory/memory_timing.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <numeric>
#include <random>
#include <tuple>

#include "base/error.hpp"
#include "support/random_seed.hpp"
#include "test_device.hpp"

namespace gemel {
namespace {

Machine machine_of(int read_latency, int write_latency, int bus, double bytes_per_cycle) {
  Machine m;
  m.read_latency_cycles = read_latency;
  m.write_latency_cycles = write_latency;
  m.bus_bytes = bus;
  m.memory_bytes_per_cycle = bytes_per_cycle;
  return m;
}

class MemoryTimingTest : public testing::Test {
 protected:
  MemoryTimingTest() : bytes_(1 << 16) { std::iota(bytes_.begin(), bytes_.end(), std::uint8_t{0}); }

  MemoryTiming ideal(const Machine& m) { return MemoryTiming(m, MemoryBytes(bytes_.data(), bytes_.size())); }
  static MemoryRequest read(MemoryPort port, std::uint64_t address, std::uint32_t bytes, Cycle at, std::uint8_t* data = nullptr) {
    return {port, false, bytes, address, data, at};
  }
  static MemoryRequest write(std::uint64_t address, std::uint32_t bytes, Cycle at, std::uint8_t* data = nullptr) {
    return {MemoryPort::Store, true, bytes, address, data, at};
  }
  // Everything, in the order of answers.
  static std::vector<MemoryAnswer> drain(MemoryTiming& memory) {
    std::vector<MemoryAnswer> answers;
    while (memory.next_change() != Never) {
      const Cycle now = memory.next_change();
      memory.advance(now, [&](const MemoryAnswer& a) {
        EXPECT_GT(a.at, now);
        answers.push_back(a);
      });
    }
    return answers;
  }

  std::vector<std::uint8_t> bytes_;
};

TEST_F(MemoryTimingTest, IdealReadTakesItsLatency) {
  MemoryTiming memory = ideal(machine_of(10, 20, 8, 8));
  memory.request(read(MemoryPort::Load, 0, 32, 5));
  EXPECT_EQ(memory.next_change(), 14);  // the cycle before its first beat
  const auto answers = drain(memory);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].at, 15);  // 5 + 10
  EXPECT_EQ(answers[0].fault, MemoryFault::None);
}

TEST_F(MemoryTimingTest, RequestsThatAreNotDueCanBeTakenBack) {
  Machine machine = machine_of(10, 20, 8, 8);
  machine.jitter_cycles = 50;
  std::vector<std::vector<Cycle>> answers(2);
  for (const bool takes_back : {false, true}) {
    MemoryTiming memory = ideal(machine);
    memory.request(read(MemoryPort::Load, 0, 32, 5));
    memory.request(read(MemoryPort::Fetch, 64, 64, 6));
    if (takes_back) {
      memory.request(read(MemoryPort::Fetch, 128, 64, 7));
      memory.request(read(MemoryPort::Fetch, 192, 64, 8));
      memory.take_back(MemoryPort::Fetch, 2);
    }
    memory.request(read(MemoryPort::Load, 32, 32, 9));
    for (const MemoryAnswer& a : drain(memory)) answers[takes_back ? 1 : 0].push_back(a.at);
    EXPECT_THROW(memory.take_back(MemoryPort::Load, 1), InternalError);  // decided
  }
  EXPECT_EQ(answers[0].size(), 3u);
  EXPECT_EQ(answers[1], answers[0]);
}

TEST_F(MemoryTimingTest, IdealReadsShareOneChannelInOrderOfCyclesThenPorts) {
  MemoryTiming memory = ideal(machine_of(10, 20, 8, 8));
  memory.request(read(MemoryPort::Load, 0, 32, 5));   // 4 beats
  memory.request(read(MemoryPort::Load, 32, 8, 6));   // 1 beat
  memory.request(read(MemoryPort::Fetch, 64, 16, 6)); // 2 beats; fetch goes first in a cycle
  const auto answers = drain(memory);
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].at, 15);
  EXPECT_EQ(answers[1].port, MemoryPort::Fetch);
  EXPECT_EQ(answers[1].at, 19);  // 15 + 4
  EXPECT_EQ(answers[2].at, 21);  // 19 + 2
}

TEST_F(MemoryTimingTest, IdealNarrowMemorySendsItsBeatsLast) {
  MemoryTiming memory = ideal(machine_of(10, 20, 8, 2));
  memory.request(read(MemoryPort::Load, 0, 32, 0));  // 4 beats, 16 cycles of the channel
  memory.request(read(MemoryPort::Load, 32, 8, 1));  // 1 beat, 4 cycles
  memory.request(write(512, 12, 0));                 // 2 beats, 8 cycles
  memory.request(write(524, 4, 1));                  // 1 beat, 4 cycles
  std::map<void*, Cycle> at;
  const auto answers = drain(memory);
  ASSERT_EQ(answers.size(), 4u);
  std::vector<Cycle> reads, writes;
  for (const MemoryAnswer& a : answers) (a.port == MemoryPort::Store ? writes : reads).push_back(a.at);
  EXPECT_EQ(reads, (std::vector<Cycle>{10 + 16 - 4, 10 + 16 + 4 - 1}));
  EXPECT_EQ(writes, (std::vector<Cycle>{0 + 20, 0 + 4 + 20}));  // the first write finds the channel free
}

TEST_F(MemoryTimingTest, IdealMemoryOfAFractionRoundsEachBurstUp) {
  MemoryTiming memory = ideal(machine_of(10, 20, 8, 6.4));
  memory.request(read(MemoryPort::Load, 0, 32, 0));   // 4 beats of 8 bytes: 5 cycles of the channel, exactly
  memory.request(read(MemoryPort::Load, 32, 8, 1));   // 1 beat: 2 cycles
  memory.request(read(MemoryPort::Load, 64, 24, 2));  // 3 beats: 4 cycles
  const auto answers = drain(memory);
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].at, 10 + 5 - 4);
  EXPECT_EQ(answers[1].at, 10 + 5 + 2 - 1);
  EXPECT_EQ(answers[2].at, 10 + 5 + 2 + 4 - 3);
}

TEST_F(MemoryTimingTest, IdealMemoryAtTheEndsOfItsRange) {
  for (const auto& [bytes_per_cycle, occupied] : {std::pair{0.001, 32'000}, {4096.0, 4}, {7.999, 5}, {8.001, 4}}) {
    MemoryTiming memory = ideal(machine_of(10, 20, 8, bytes_per_cycle));
    memory.request(read(MemoryPort::Load, 0, 32, 0));
    memory.request(read(MemoryPort::Load, 32, 32, 1));
    const auto answers = drain(memory);
    ASSERT_EQ(answers.size(), 2u);
    EXPECT_EQ(answers[1].at - answers[0].at, occupied) << bytes_per_cycle;
  }
}

TEST_F(MemoryTimingTest, IdealWritesFollowEachOther) {
  MemoryTiming memory = ideal(machine_of(10, 20, 8, 8));
  memory.request(write(0, 32, 7));   // 4 beats
  memory.request(write(32, 32, 9));
  const auto answers = drain(memory);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].at, 7 + 20);
  EXPECT_EQ(answers[1].at, 7 + 4 + 20);
}

TEST_F(MemoryTimingTest, RequestsMadeOutOfOrderAreDecidedInOrder) {
  MemoryTiming memory = ideal(machine_of(10, 20, 8, 8));
  memory.request(read(MemoryPort::Load, 0, 64, 30));
  memory.request(read(MemoryPort::Load, 64, 8, 8));
  const auto answers = drain(memory);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].at, 18);
  EXPECT_EQ(answers[1].at, 40);
}

// Whatever comes as trains is answered as if its bursts came one by one: cycles, faults, data, and the overlap that is noted.
TEST_F(MemoryTimingTest, TrainsAreAsTheirBurstsOneByOne) {
  std::mt19937_64 random(test::random_seed());
  std::size_t longest = 0;
  for (int round = 0; round < 400; ++round) {
    const double bandwidth = random() % 2 == 0 ? 1 << (random() % 5) : static_cast<double>(250 + random() % 16'000) / 1000;
    Machine m = machine_of(1 + static_cast<int>(random() % 40), 1 + static_cast<int>(random() % 40), 8, bandwidth);
    m.jitter_cycles = random() % 4 == 0 ? 3 : 0;
    std::vector<MemoryRequest> requests;
    std::array<Cycle, MemoryPortCount> at{};
    for (int i = 0; i < 12; ++i) {
      const auto port = static_cast<MemoryPort>(random() % MemoryPortCount);
      MemoryRequest r{port, port == MemoryPort::Store, static_cast<std::uint32_t>(8 * (1 + random() % 8)), 8 * (random() % 6000), nullptr, 0};
      if (random() % 8 == 0) r.address += random() % 8;
      r.count = static_cast<std::uint32_t>(random() % 3 == 0 ? 1 : 2 + random() % 15);
      r.period = random() % 3 == 0 ? r.bytes / 8 : static_cast<Cycle>(random() % 20);  // often as fast as the channel
      r.stride = random() % 2 == 0 ? r.bytes : random() % 4 == 0 ? random() % 300 : 8 * (random() % 40);  // also over one another
      if (r.count == 1) r.period = 0;
      r.at = at[static_cast<std::size_t>(port)] += static_cast<Cycle>(random() % 60);
      at[static_cast<std::size_t>(port)] = r.at + (r.count - 1) * r.period;
      requests.push_back(r);
    }
    struct Seen {
      std::vector<std::tuple<MemoryPort, Cycle, MemoryFault>> answers;
      std::vector<std::uint8_t> memory, data;
      std::string violation;
    };
    const auto play = [&](bool trains) {
      std::iota(bytes_.begin(), bytes_.end(), std::uint8_t{0});
      Seen seen;
      seen.data.resize(12 * 16 * 64, 77);
      MemoryTiming memory = ideal(m);
      memory.bytes().poison(20000, 20007);
      std::vector<MemoryRequest> all;
      for (std::size_t i = 0; i < requests.size(); ++i) {
        MemoryRequest r = requests[i];
        r.data = seen.data.data() + i * 16 * 64;
        if (trains) {
          all.push_back(r);
          continue;
        }
        for (std::uint32_t b = 0; b < r.count; ++b) {
          all.push_back({r.port, r.write, r.bytes, r.address + b * r.stride, r.data + std::size_t{b} * r.bytes, r.at + b * r.period});
        }
      }
      for (const MemoryRequest& r : all) memory.request(r);
      for (const MemoryAnswer& a : drain(memory)) {
        longest = std::max<std::size_t>(longest, a.count);
        for (std::uint32_t b = 0; b < a.count; ++b) seen.answers.emplace_back(a.port, a.at + b * a.period, a.fault);
      }
      seen.memory = bytes_;
      seen.violation = memory.violation();
      return seen;
    };
    const Seen one = play(false), train = play(true);
    ASSERT_EQ(one.answers, train.answers) << "round " << round;
    ASSERT_EQ(one.memory, train.memory) << "round " << round;
    ASSERT_EQ(one.data, train.data) << "round " << round;
    ASSERT_EQ(one.violation, train.violation) << "round " << round;
  }
  EXPECT_GT(longest, 8u) << "trains were decided as such";
}

// The cycles of requests that one advance to cycle 14 answers, if nobody asks for more up to cycle 30.
TEST_F(MemoryTimingTest, WhatOnePortAsksForIsDecidedAhead) {
  const auto answered = [&](const std::vector<MemoryRequest>& requests, Cycle ahead_behind_an_answer) {
    MemoryTiming memory = ideal(machine_of(10, 20, 8, 8));
    for (const MemoryRequest& r : requests) memory.request(r);
    Cycle ahead = 30;
    std::vector<Cycle> at;
    memory.advance(14, [&] { return ahead; }, [&](const MemoryAnswer& a) {
      at.push_back(a.at - 10);
      ahead = ahead_behind_an_answer;
    });
    return at;
  };
  const MemoryRequest first = read(MemoryPort::Load, 0, 8, 5), second = read(MemoryPort::Load, 64, 8, 30), third = read(MemoryPort::Load, 128, 8, 31);
  EXPECT_EQ(answered({first, second, third}, 30), (std::vector<Cycle>{5, 30}));
  EXPECT_EQ(answered({first, second, third}, 29), (std::vector<Cycle>{5}));  // an answer makes somebody ask earlier
  const MemoryRequest fetch = read(MemoryPort::Fetch, 256, 8, 20);
  EXPECT_EQ(answered({first, second, fetch}, 30), (std::vector<Cycle>{5}));  // two ports wait
  EXPECT_EQ(answered({first, fetch}, 30), (std::vector<Cycle>{5}));          // load may ask for more when it knows that there are no more answers
}

// Of two chained loads that write the same words, the first may have staged its own until it is complete.
TEST_F(MemoryTimingTest, AnAnswerComesBeforeTheNextBurstMovesData) {
  MemoryTiming memory = ideal(machine_of(10, 20, 8, 8));
  std::uint8_t first[8] = {}, second[8] = {};
  memory.request(read(MemoryPort::Load, 8, 8, 0, first));
  memory.request(read(MemoryPort::Load, 16, 8, 1, second));
  int answers = 0;
  memory.advance(9, [&](const MemoryAnswer& answer) {
    EXPECT_EQ(answer.count, 1u);
    EXPECT_EQ(first[0], 8);
    EXPECT_EQ(second[0], answers == 0 ? 0 : 16);
    ++answers;
  });
  EXPECT_EQ(answers, 2);
}

TEST_F(MemoryTimingTest, DataIsMovedInOrderOfCycles) {
  MemoryTiming memory = ideal(machine_of(10, 20, 8, 8));
  std::uint8_t before[4], same[4], after[4], fresh[4] = {200, 201, 202, 203};
  memory.request(read(MemoryPort::Load, 100, 4, 9, before));
  memory.request(write(100, 4, 40, fresh));
  memory.request(read(MemoryPort::Fetch, 100, 4, 40, same));   // sampled before the write of its cycle takes effect
  memory.request(read(MemoryPort::Load, 100, 4, 41, after));
  drain(memory);
  EXPECT_EQ(before[0], 100);
  EXPECT_EQ(same[0], 100);
  EXPECT_EQ(after[0], 200);
  EXPECT_EQ(after[3], 203);
  EXPECT_EQ(memory.violation(), "");
}

TEST_F(MemoryTimingTest, OutsideAndPoisonedAreAnsweredWithAnErrorAtTheUsualTime) {
  MemoryTiming memory = ideal(machine_of(10, 20, 8, 8));
  memory.bytes().poison(100, 103);
  std::uint8_t data[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  memory.request(read(MemoryPort::Load, 1 << 16, 1, 0, data));
  memory.request(read(MemoryPort::Load, (1 << 16) - 1, 2, 1, data));
  memory.request(read(MemoryPort::Load, 103, 1, 2, data));
  memory.request(read(MemoryPort::Load, 104, 1, 3, data));
  memory.request(read(MemoryPort::Load, 92, 8, 4, data + 0));
  memory.request(write(99, 2, 5, data));
  std::vector<MemoryFault> faults;
  std::vector<Cycle> at;
  for (const MemoryAnswer& a : drain(memory)) {
    faults.push_back(a.fault);
    at.push_back(a.at);
  }
  const auto o = MemoryFault::Outside, p = MemoryFault::Poisoned, n = MemoryFault::None;
  EXPECT_EQ(faults, (std::vector<MemoryFault>{o, o, p, n, n, p}));
  EXPECT_EQ(at, (std::vector<Cycle>{10, 11, 11 + 2 /*beats*/, 14, 15, 5 + 20}));
  EXPECT_EQ(bytes_[99], 99);  // not written
}

TEST_F(MemoryTimingTest, WriteOverAnOutstandingReadIsNoted) {
  const Machine m = machine_of(10, 20, 8, 8);
  const auto violation = [&](Cycle wl, std::uint64_t address) {
    MemoryTiming memory = ideal(m);
    memory.request(read(MemoryPort::Load, 64, 32, 5));  // beats 15..18
    memory.request(write(address, 4, wl));
    drain(memory);
    return memory.violation();
  };
  EXPECT_EQ(violation(5, 64), "");   // sampled in the same cycle, before
  EXPECT_EQ(violation(6, 64), "a write of [64, +4) at cycle 6 meets an outstanding read of [64..95] by load_dma");
  EXPECT_NE(violation(18, 92), "");  // its last beat
  EXPECT_EQ(violation(19, 92), "");
  EXPECT_EQ(violation(10, 60), "");  // ends before it
  EXPECT_EQ(violation(10, 96), "");  // begins after it
  EXPECT_NE(violation(10, 61), "");
}

TEST_F(MemoryTimingTest, JitterIsDrawnPerBurstAndChannel) {
  Machine m = machine_of(10, 20, 8, 8);
  m.jitter_cycles = 50;
  m.jitter_seed = 3;
  Jitter reads(m, Jitter::Reads), writes(m, Jitter::Writes);
  MemoryTiming memory = ideal(m);
  Cycle read_free = 0;
  for (int i = 0; i < 20; ++i) {
    memory.request(read(MemoryPort::Load, 0, 8, 100 * i));
    memory.request(write(512, 8, 100 * i));
  }
  std::vector<Cycle> r, w, expected_r, expected_w;
  for (const MemoryAnswer& a : drain(memory)) (a.port == MemoryPort::Store ? w : r).push_back(a.at);
  for (int i = 0; i < 20; ++i) {
    expected_r.push_back(std::max(100 * i + 10 + reads.next(), read_free));
    read_free = expected_r.back() + 1;
    expected_w.push_back(100 * i + writes.next() + 20);
  }
  EXPECT_EQ(r, expected_r);
  EXPECT_EQ(w, expected_w);
}

TEST_F(MemoryTimingTest, ResetBeginsAnew) {
  Machine m = machine_of(10, 20, 8, 8);
  m.jitter_cycles = 7;
  MemoryTiming memory = ideal(m);
  const auto play = [&] {
    memory.request(read(MemoryPort::Load, 0, 64, 5));
    memory.request(write(0, 64, 6));
    std::vector<Cycle> at;
    for (const MemoryAnswer& a : drain(memory)) at.push_back(a.at);
    return at;
  };
  const auto first = play();
  EXPECT_NE(memory.violation(), "");
  memory.request(read(MemoryPort::Load, 0, 64, 1000));
  memory.reset();
  EXPECT_EQ(memory.violation(), "");
  EXPECT_EQ(memory.next_change(), Never);
  EXPECT_EQ(play(), first);
}

TEST(Jitter, StaysWithinItsSpanAndReachesItsEnds) {
  Machine m;
  m.jitter_cycles = 3;
  m.jitter_seed = 11;
  Jitter jitter(m, Jitter::Reads);
  std::map<Cycle, int> seen;
  for (int i = 0; i < 1000; ++i) ++seen[jitter.next()];
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen.begin()->first, 0);
  EXPECT_EQ(seen.rbegin()->first, 3);
  for (const auto& [value, count] : seen) EXPECT_GT(count, 150) << value;
}

TEST(Jitter, FollowsTheSpecification) {
  Machine m;
  m.jitter_cycles = 99;
  m.jitter_seed = 5;
  Jitter jitter(m, Jitter::Writes);
  for (std::uint64_t k = 0; k < 10; ++k) {  // docs/reference/machine.md, 7
    std::uint64_t z = 2 * 5 + 1 + (k + 1) * 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    EXPECT_EQ(jitter.next(), static_cast<Cycle>((z ^ z >> 31) % 100));
  }
  jitter.restart();
  Jitter fresh(m, Jitter::Writes);
  EXPECT_EQ(jitter.next(), fresh.next());
}

// ---- any device ----------------------------------------------------------------------------------------------------------

class DeviceTest : public MemoryTimingTest {
 protected:
  MemoryTiming with_device(const Machine& m, std::uint32_t access_bytes, std::size_t places, std::uint64_t seed) {
    auto device = std::make_unique<test::ReorderingDevice>(access_bytes, places, seed);
    device_ = device.get();
    return MemoryTiming(m, MemoryBytes(bytes_.data(), bytes_.size()), std::move(device));
  }
  test::ReorderingDevice* device_ = nullptr;
};

TEST_F(DeviceTest, BurstsArriveInPiecesAndAreAnsweredInOrder) {
  const std::uint64_t seed = test::random_seed();
  std::mt19937_64 random(seed);
  for (int round = 0; round < 50; ++round) {
    const Machine m = machine_of(1, 1, 8, 8);
    const std::uint32_t access = random() % 2 == 0 ? 32 : 64;
    MemoryTiming memory = with_device(m, access, 1 + random() % 8, random());
    std::array<std::deque<MemoryRequest>, MemoryPortCount> sent;
    std::array<Cycle, MemoryPortCount> at{};
    std::uint64_t pieces = 0;
    for (int i = 0; i < 60; ++i) {
      const auto p = random() % MemoryPortCount;
      at[p] += 1 + static_cast<Cycle>(random() % 30);
      MemoryRequest r;
      r.port = static_cast<MemoryPort>(p);
      r.write = r.port == MemoryPort::Store;
      r.address = (r.write ? 32768 : 0) + random() % 16384;
      r.bytes = 1 + static_cast<std::uint32_t>(random() % 256);
      r.at = at[p];
      pieces += PieceSplitter(r.address, r.bytes, access).count();
      sent[p].push_back(r);
      memory.request(r);
    }
    std::array<Cycle, MemoryPortCount> free{};
    std::size_t answered = 0;
    for (const MemoryAnswer& a : drain(memory)) {
      const auto p = static_cast<std::size_t>(a.port);
      ASSERT_FALSE(sent[p].empty());
      const MemoryRequest r = sent[p].front();
      sent[p].pop_front();
      ++answered;
      // Store and forward: not before its last piece, and not among the beats of the burst before.
      Cycle last_piece = 0;
      std::uint64_t found = 0;
      for (const auto& served : device_->log) {
        EXPECT_EQ(served.access.address / access, (served.access.address + served.access.bytes - 1) / access);
        EXPECT_GE(served.begun, served.arrived);
        if (served.access.id % MemoryPortCount != p || served.access.address < r.address ||
            served.access.address >= r.address + r.bytes || served.arrived < r.at) {
          continue;
        }
        last_piece = std::max(last_piece, served.done);
        found += served.access.bytes;
      }
      EXPECT_GE(found, r.bytes);
      EXPECT_GE(a.at, free[p]);
      EXPECT_GT(a.at, r.at);
      if (found == r.bytes) {  // no later burst of this port covers these bytes, too
        EXPECT_EQ(a.at, std::max(last_piece, free[p]));
      }
      free[p] = a.at + (r.write ? 1 : static_cast<Cycle>((r.address + r.bytes - 1) / 8 - r.address / 8) + 1);
    }
    EXPECT_EQ(answered, 60u);
    EXPECT_EQ(device_->log.size(), pieces);
    EXPECT_EQ(memory.violation(), "");
  }
}

TEST_F(DeviceTest, DataDoesNotDependOnTheOrderOfTheDevice) {
  MemoryTiming memory = with_device(machine_of(1, 1, 8, 8), 32, 4, 9);
  std::vector<std::uint8_t> got(256), fresh(256, 77);
  memory.request(read(MemoryPort::Load, 1000, 256, 0, got.data()));
  memory.request(write(5000, 256, 1, fresh.data()));
  drain(memory);
  for (std::size_t i = 0; i < 256; ++i) EXPECT_EQ(got[i], static_cast<std::uint8_t>(1000 + i));
  EXPECT_EQ(bytes_[5000], 77);
  EXPECT_EQ(bytes_[5255], 77);
}

TEST_F(DeviceTest, WhatHoldsForIdealHoldsForAnyMemory) {
  MemoryTiming memory = with_device(machine_of(1, 1, 8, 8), 32, 1, 9);
  memory.bytes().poison(5000, 5000);
  memory.request(read(MemoryPort::Load, 0, 256, 0));       // many pieces and one place: certainly outstanding at 2
  memory.request(write(255, 1, 2));
  memory.request(read(MemoryPort::Load, 1 << 16, 4, 3));   // outside, answered after the older one
  memory.request(write(4999, 2, 4));
  Cycle load_free = 0;
  std::vector<MemoryFault> loads, stores;
  for (const MemoryAnswer& a : drain(memory)) {
    if (a.port == MemoryPort::Store) {
      stores.push_back(a.fault);
    } else {
      EXPECT_GE(a.at, load_free);
      load_free = a.at + (loads.empty() ? 32 : 1);
      loads.push_back(a.fault);
    }
  }
  EXPECT_EQ(loads, (std::vector<MemoryFault>{MemoryFault::None, MemoryFault::Outside}));
  EXPECT_EQ(stores, (std::vector<MemoryFault>{MemoryFault::None, MemoryFault::Poisoned}));
  EXPECT_EQ(memory.violation(), "a write of [255, +1) at cycle 2 meets an outstanding read of [0..255] by load_dma");
}

TEST_F(DeviceTest, CalledInEveryCycleOrInJumpsItAnswersTheSame) {
  const auto play = [&](bool every_cycle) {
    MemoryTiming memory = with_device(machine_of(1, 1, 8, 8), 32, 3, 21);
    std::vector<Cycle> at;
    Cycle now = 0;
    const auto sink = [&](const MemoryAnswer& a) { at.push_back(a.at); };
    for (Cycle t = 0; t < 300; t += 30) {
      memory.request(read(MemoryPort::Load, static_cast<std::uint64_t>(t) * 40, 200, t));
      memory.request(read(MemoryPort::Fetch, static_cast<std::uint64_t>(t) * 40, 64, t + 7));
    }
    if (every_cycle) {
      for (; now < 5000; ++now) memory.advance(now, sink);
    } else {
      while (memory.next_change() != Never) memory.advance(memory.next_change(), sink);
    }
    return at;
  };
  const auto jumps = play(false);
  EXPECT_EQ(jumps.size(), 20u);
  EXPECT_EQ(play(true), jumps);
}

}  // namespace
}  // namespace gemel
