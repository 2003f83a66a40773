// SPDX-License-Identifier: Apache-2.0
// Frames that arrive at a fixed rate, each a run of one program: latencies, backlog, missed deadlines.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gemel/export.hpp"

namespace gemel {

// Frame k arrives `period_seconds` after frame k-1, the first at 0; the machine sees it with its next clock. One program runs at a time: a frame's run
// starts when the frame is there and the run of the frame before has halted, in that very cycle, with the machine and the memory as after a reset, so that
// each takes `run_cycles`. Frames wait in order, and none is dropped.
struct RealTimeOptions {
  std::int64_t run_cycles = 0;  // of one frame (of a batch: as many images arrive together), 1 or more
  double clock_mhz = 0;
  double period_seconds = 0;
  int frames = 0;               // 1 or more
  std::optional<double> deadline_seconds;  // from a frame's arrival to the end of its run
};

struct RealTime {
  struct Frame {
    std::int64_t arrival = 0, start = 0, end = 0;  // cycles; end: the first cycle behind the run
    int waiting = 0;                               // frames that were there and had not started when this one came, itself not among them
    bool missed = false;                           // its deadline
    std::int64_t latency() const { return end - arrival; }
  };
  RealTimeOptions options;
  std::vector<Frame> frames;
  int missed = 0;
  int most_waiting = 0;
  std::int64_t worst_latency = 0, least_latency = 0;  // cycles
  double mean_latency = 0;
  double frames_per_second = 0;  // that the machine ends, from the first arrival to the last end
  double busy_share = 0;         // of that time
};

// UserError E0915 for a period, a deadline or a number of frames that are none, or too large to count in cycles.
GEMEL_API RealTime real_time(const RealTimeOptions& options);

// "33ms", "16.6 us", "0.5s", "800ns" in seconds. UserError E0915, which names `option`.
GEMEL_API double seconds_of(std::string_view text, const std::string& option);

// For a terminal: rates, latencies, backlog, deadlines.
GEMEL_API std::string real_time_text(const RealTime& result);
// A row for each frame: frame, arrival_cycle, start_cycle, end_cycle, latency_cycles, latency_ms, waiting, missed.
GEMEL_API std::string real_time_csv(const RealTime& result);

}  // namespace gemel
