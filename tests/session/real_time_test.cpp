// SPDX-License-Identifier: Apache-2.0
// Frames that arrive at a fixed rate: every latency by hand, and the backlog of a machine that is too slow.
#include "gemel/real_time.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gemel/error.hpp"

namespace gemel {
namespace {

using testing::HasSubstr;

RealTimeOptions options(std::int64_t cycles, double period_us, int frames) {
  RealTimeOptions o;
  o.run_cycles = cycles;
  o.clock_mhz = 1;  // so that cycles are microseconds
  o.period_seconds = period_us * 1e-6;
  o.frames = frames;
  return o;
}

TEST(RealTime, AMachineThatIsFastEnoughShowsEveryFrameTheLatencyOfASingleRun) {
  for (const double period : {100.0, 100.25, 200.0}) {  // 100: the next frame comes in the cycle in which the run is over
    const RealTime r = real_time(options(100, period, 50));
    for (const RealTime::Frame& f : r.frames) {
      EXPECT_EQ(f.latency(), 100);
      EXPECT_EQ(f.start, f.arrival);
      EXPECT_EQ(f.waiting, 0);
    }
    EXPECT_EQ(r.most_waiting, 0);
    EXPECT_DOUBLE_EQ(r.mean_latency, 100);
  }
}

TEST(RealTime, FramesThatComeTooFastWaitLongerByTheSameTimeEach) {
  RealTimeOptions o = options(100, 80, 11);
  o.deadline_seconds = 160e-6;
  const RealTime r = real_time(o);
  for (int k = 0; k < 11; ++k) {
    const RealTime::Frame& f = r.frames[static_cast<std::size_t>(k)];
    EXPECT_EQ(f.arrival, 80 * k);
    EXPECT_EQ(f.start, 100 * k);
    EXPECT_EQ(f.latency(), 100 + 20 * k);
    EXPECT_EQ(f.missed, k > 3) << k;  // 160 at k = 3: in time
  }
  EXPECT_EQ(r.missed, 7);
  EXPECT_EQ(r.worst_latency, 300);
  EXPECT_EQ(r.least_latency, 100);
  EXPECT_DOUBLE_EQ(r.mean_latency, 200);
  // Frame 10 comes in cycle 800, when frame 8 starts: frame 9 waits.
  EXPECT_EQ(r.frames[10].waiting, 1);
  EXPECT_EQ(r.most_waiting, 1);
  EXPECT_DOUBLE_EQ(r.busy_share, 1);
  EXPECT_DOUBLE_EQ(r.frames_per_second, 10000);
  EXPECT_THAT(real_time_text(r), HasSubstr("the backlog grows by a frame every 5.0 frames"));
  EXPECT_THAT(real_time_text(r), HasSubstr("7 of 11 frames miss it"));
}

TEST(RealTime, TheBacklogGrowsAsTheTwoRatesSay) {
  const RealTime r = real_time(options(1000, 400, 1001));
  // After n periods n + 1 frames have come and 0.4 n have started: those of the cycles 0, 1000, ... 400 n, one more.
  for (int n = 0; n <= 1000; ++n) EXPECT_EQ(r.frames[static_cast<std::size_t>(n)].waiting, n == 0 ? 0 : n - (400 * n / 1000 + 1)) << n;
  EXPECT_EQ(r.most_waiting, 599);
}

TEST(RealTime, APeriodNeedNotBeWholeCycles) {
  const RealTime r = real_time(options(2, 2.5, 5));
  for (int k = 0; k < 5; ++k) EXPECT_EQ(r.frames[static_cast<std::size_t>(k)].arrival, (5 * k + 1) / 2);  // seen with the next clock: 0, 3, 5, 8, 10
  RealTimeOptions o = options(1, 1, 1);
  o.clock_mhz = 1000;
  o.period_seconds = seconds_of("33.3 ms", "--period");
  o.frames = 1000;
  EXPECT_EQ(real_time(o).frames.back().arrival, 33'300'000LL * 999);
}

TEST(RealTime, ARowForEachFrame) {
  RealTimeOptions o = options(100, 80, 3);
  o.deadline_seconds = 130e-6;
  EXPECT_EQ(real_time_csv(real_time(o)),
            "frame,arrival_cycle,start_cycle,end_cycle,latency_cycles,latency_ms,waiting,missed\n"
            "0,0,0,100,100,0.1,0,0\n1,80,100,200,120,0.12,0,0\n2,160,200,300,140,0.14,0,1\n");
}

TEST(RealTime, TimesHaveUnits) {
  EXPECT_DOUBLE_EQ(seconds_of("33ms", "--period"), 0.033);
  EXPECT_DOUBLE_EQ(seconds_of("16.6 us", "--period"), 16.6e-6);
  EXPECT_DOUBLE_EQ(seconds_of("0.5s", "--period"), 0.5);
  EXPECT_DOUBLE_EQ(seconds_of("800ns", "--period"), 800e-9);
  for (const char* text : {"33", "ms", "", "-1ms", "0s", "1 minute", "1ms2", "inf s", "nan s", "1e999s"}) {
    EXPECT_THROW(seconds_of(text, "--period"), UserError) << text;
  }
  EXPECT_THROW(real_time(options(100, 0, 3)), UserError);
  EXPECT_THROW(real_time(options(100, 80, 0)), UserError);
  EXPECT_THROW(real_time(options(0, 80, 3)), UserError);
  EXPECT_THROW(real_time(options(std::int64_t{1} << 50, 80, 10)), UserError);
}

}  // namespace
}  // namespace gemel
