// SPDX-License-Identifier: Apache-2.0
// The bridge between the chip's AXI wires and memory: when it takes and answers, and what it says of masters that break a rule.
#include "top/axi_bridge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.hpp"
#include "top/memory_beat.hpp"

namespace gemel {
namespace {

using ::testing::HasSubstr;

class AxiBridgeTest : public testing::Test {
 protected:
  AxiBridgeTest() : bytes_(1 << 16) {
    machine_.bus_bytes = 8;
    machine_.memory_bytes_per_cycle = 8;
    machine_.read_latency_cycles = 10;
    machine_.write_latency_cycles = 20;
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<std::uint8_t>(i * 7);
  }
  IdealMemoryBeat& memory() {
    if (!memory_) memory_ = std::make_unique<IdealMemoryBeat>(machine_, bytes_);
    return *memory_;
  }
  static ReadRequestWires ar(std::uint64_t address, std::uint32_t bytes) { return {true, address, bytes}; }
  static WriteRequestWires aw(std::uint64_t address, std::uint32_t bytes) {
    WriteRequestWires wires;
    wires.valid = true;
    wires.address = address;
    wires.bytes = bytes;
    return wires;
  }
  WriteRequestWires w(int first, int end, bool last) const {
    WriteRequestWires wires;
    wires.data_valid = true;
    wires.strobe_first = static_cast<std::uint8_t>(first);
    wires.strobe_end = static_cast<std::uint8_t>(end);
    wires.data_last = last;
    wires.data = beat_.data();
    return wires;
  }
  // The cycles' wires one after the other; what the error says, "" if there is none.
  std::string error_of(const std::vector<MemoryBeatIn>& cycles) {
    Cycle cycle = 0;
    try {
      for (const MemoryBeatIn& in : cycles) step_memory(memory(), in, cycle++);
    } catch (const RunError& error) {
      EXPECT_EQ(error.diagnostics().front().code, "E0820");
      return error.diagnostics().front().message;
    }
    return {};
  }
  std::string store_error(const std::vector<WriteRequestWires>& cycles) {
    std::vector<MemoryBeatIn> in;
    for (const WriteRequestWires& wires : cycles) in.push_back({{}, {}, wires});
    return error_of(in);
  }

  Machine machine_;
  std::vector<std::uint8_t> bytes_;
  std::array<std::uint8_t, 8> beat_{1, 2, 3, 4, 5, 6, 7, 8};
  std::unique_ptr<IdealMemoryBeat> memory_;
};

TEST_F(AxiBridgeTest, ReadBeatsComeInTheirCycles) {
  std::vector<Cycle> valid;
  for (Cycle t = 0; t < 40; ++t) {
    const MemoryBeatOut out = memory().out();
    if (out.load.valid) {
      valid.push_back(t);
      EXPECT_EQ(out.load.last, t == 14);
      EXPECT_EQ(out.load.error, false);
    }
    if (t == 12) {  // the beat with the first byte that was asked for
      EXPECT_EQ(out.load.data[6], bytes_[102]);
      EXPECT_EQ(out.load.data[7], bytes_[103]);
    }
    if (t == 13) {
      for (int i = 0; i < 8; ++i) EXPECT_EQ(out.load.data[i], bytes_[static_cast<std::size_t>(104 + i)]);
    }
    memory().step({{}, t == 2 ? ar(102, 12) : ReadRequestWires{}, {}});
  }
  EXPECT_EQ(valid, (std::vector<Cycle>{2 + 10, 13, 14}));
  EXPECT_EQ(memory().traffic().load.bursts, 1);
  EXPECT_EQ(memory().traffic().load.bytes, 12);
  EXPECT_EQ(memory().traffic().fetch.bursts, 0);
}

TEST_F(AxiBridgeTest, WrittenBytesTakeEffectAndAreAnswered) {
  std::vector<Cycle> answers;
  for (Cycle t = 0; t < 60; ++t) {
    if (memory().out().store.valid) answers.push_back(t);
    WriteRequestWires wires = t == 3 ? w(5, 8, false) : t == 5 ? w(0, 2, true) : WriteRequestWires{};
    if (t == 2) wires = aw(205, 5);
    memory().step({{}, {}, wires});
    if (t == 4) {
      EXPECT_EQ(bytes_[205], static_cast<std::uint8_t>(205 * 7));  // not before the last beat
    }
  }
  EXPECT_EQ(answers, (std::vector<Cycle>{5 + 20}));
  EXPECT_EQ(std::vector<int>(bytes_.begin() + 204, bytes_.begin() + 211),
            (std::vector<int>{static_cast<std::uint8_t>(204 * 7), 6, 7, 8, 1, 2, static_cast<std::uint8_t>(210 * 7)}));
}

TEST_F(AxiBridgeTest, AcceptsQBurstsUntilTheFirstIsComplete) {
  machine_.memory_queue = 2;
  std::vector<Cycle> accepted;
  std::uint64_t next = 0;
  for (Cycle t = 0; t < 40; ++t) {
    if (memory().out().fetch.request_ready) accepted.push_back(t);
    const bool ready = memory().out().fetch.request_ready;
    memory().step({ar(next, 16), {}, {}});
    if (ready) next += 16;
  }
  EXPECT_EQ(std::vector<Cycle>(accepted.begin(), accepted.begin() + 4), (std::vector<Cycle>{0, 1, 12, 14}));  // last beats at 11, 13
}

TEST_F(AxiBridgeTest, ErrorsAreAnsweredAndReadNothing) {
  memory().poison(100, 100);
  bool error = false;
  for (Cycle t = 0; t < 30; ++t) {
    if (memory().out().load.valid) {
      error = memory().out().load.error;
      EXPECT_NE(memory().out().load.data[4], bytes_[100]);
    }
    memory().step({{}, t == 0 ? ar(100, 1) : ReadRequestWires{}, {}});
  }
  EXPECT_TRUE(error);
}

TEST_F(AxiBridgeTest, SkippedCyclesAreAsStepped) {
  memory().step({{}, ar(0, 8), {}});
  memory().step({});
  ASSERT_TRUE(memory().quiet());
  ASSERT_EQ(memory().until_change(), 10 - 2);
  memory().skip(7);
  EXPECT_FALSE(memory().out().load.valid);
  memory().step({});
  EXPECT_TRUE(memory().out().load.valid);
}

TEST_F(AxiBridgeTest, ResetForgetsWhatIsUnderWay) {
  memory().step({{}, ar(0, 8), aw(64, 8)});
  memory().reset();
  for (int t = 0; t < 40; ++t) {
    EXPECT_FALSE(memory().out().load.valid);
    memory().step({});
  }
  EXPECT_EQ(memory().traffic().load.bursts, 0);
}

// ---- masters that break a rule -------------------------------------------------------------------------------------------

TEST_F(AxiBridgeTest, DataBeforeItsRequest) {
  EXPECT_EQ(store_error({w(0, 8, true)}),
            "block `store_dma` breaks AXI at cycle 0: a W beat belongs to no burst: the AW of its burst must have been accepted in an earlier cycle");
}

TEST_F(AxiBridgeTest, DataInTheCycleOfItsRequest) {
  WriteRequestWires both = aw(64, 8);
  const WriteRequestWires data = w(0, 8, true);
  both.data_valid = true;
  both.data_last = true;
  both.strobe_end = 8;
  both.data = data.data;
  EXPECT_THAT(store_error({both}), HasSubstr("a W beat belongs to no burst"));
}

TEST_F(AxiBridgeTest, TooManyBeats) {
  EXPECT_EQ(store_error({aw(64, 16), w(0, 8, false), w(0, 8, false), w(0, 8, true)}),
            "block `store_dma` breaks AXI at cycle 2: W beat 2 of the burst [64, +16) is not marked as its last: wlast belongs to beat 2");
}

TEST_F(AxiBridgeTest, TooFewBeats) {
  EXPECT_EQ(store_error({aw(64, 24), w(0, 8, false), w(0, 8, true)}),
            "block `store_dma` breaks AXI at cycle 2: W beat 2 of the burst [64, +24) is marked as its last: wlast belongs to beat 3");
}

TEST_F(AxiBridgeTest, BeatsAfterTheLast) {
  EXPECT_THAT(store_error({aw(64, 8), w(0, 8, true), w(0, 8, true)}), HasSubstr("at cycle 2: a W beat belongs to no burst"));
}

TEST_F(AxiBridgeTest, WrongStrobe) {
  EXPECT_EQ(store_error({aw(66, 8), w(0, 8, false)}),
            "block `store_dma` breaks AXI at cycle 1: W beat 1 of the burst [66, +8) writes bytes 0 to 7 of the bus: its strobe must select 2 to 7");
  memory_.reset();
  EXPECT_THAT(store_error({aw(66, 8), w(2, 8, false), w(0, 8, true)}),
              HasSubstr("beat 2 of the burst [66, +8) writes bytes 0 to 7 of the bus: its strobe must select 0 to 1"));
  memory_.reset();
  EXPECT_EQ(store_error({aw(66, 8), w(2, 8, false), w(0, 2, true)}), "");
}

TEST_F(AxiBridgeTest, BurstOverABoundary) {
  EXPECT_EQ(error_of({{{}, ar(4090, 8), {}}}),
            "block `load_dma` breaks AXI at cycle 0: AR of [4090, +8) crosses a multiple of 4096: a burst may not");
  memory_.reset();
  EXPECT_EQ(error_of({{ar(4088, 8), {}, {}}}), "");
  EXPECT_THAT(store_error({aw(8191, 2)}), HasSubstr("AW of [8191, +2) crosses a multiple of 4096"));
}

TEST_F(AxiBridgeTest, BurstOfMoreThan256Beats) {
  EXPECT_EQ(error_of({{ar(0, 2049), {}, {}}}),
            "block `sequencer` breaks AXI at cycle 0: AR of [0, +2049) has 257 beats: a burst has at most 256");
  memory_.reset();
  EXPECT_EQ(error_of({{ar(0, 2048), {}, {}}}), "");
}

TEST_F(AxiBridgeTest, BurstOfNothing) { EXPECT_THAT(store_error({aw(64, 0)}), HasSubstr("AW of [64, +0) names no bytes")); }

TEST_F(AxiBridgeTest, RequestThatDoesNotStay) {
  machine_.memory_queue = 1;
  const auto changed = [&](const ReadRequestWires& then) {
    memory_.reset();
    return error_of({{{}, ar(0, 8), {}}, {{}, ar(64, 8), {}}, {{}, then, {}}});
  };
  EXPECT_EQ(changed(ar(64, 8)), "");
  EXPECT_EQ(changed(ar(72, 8)),
            "block `load_dma` breaks AXI at cycle 2: AR of [64, +8) has changed to [72, +8) before it was accepted: it must stay until arready");
  EXPECT_THAT(changed(ar(64, 16)), HasSubstr("has changed to [64, +16)"));
  EXPECT_THAT(changed({}), HasSubstr("AR of [64, +8) has been taken back before it was accepted"));
  memory_.reset();
  EXPECT_THAT(store_error({aw(0, 8), aw(64, 8), {}}), HasSubstr("AW of [64, +8) has been taken back before it was accepted: it must stay until awready"));
}

TEST_F(AxiBridgeTest, TheWholeChipIsNamedWhereAllMastersAreItsOwn) {
  try {
    step_memory(memory(), {{}, {}, w(0, 8, true)}, 77, "npu");
    FAIL();
  } catch (const RunError& error) {
    EXPECT_STREQ(error.what(),
                 "error[E0820]: block `npu` breaks AXI at cycle 77: a W beat belongs to no burst: the AW of its burst must have been "
                 "accepted in an earlier cycle\n"
                 "hint: compare it with its model: --block npu=check; `gemel explain --ports npu` has the rules");
  }
}

}  // namespace
}  // namespace gemel
