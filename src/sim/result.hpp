// SPDX-License-Identifier: Apache-2.0
// What a run leaves: cycles, counters, bytes, per layer and in total. The writers in src/report make result.json,
// trace.json and report.html of it.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/counters.hpp"

namespace gemel {

struct LayerResult {
  std::string name;
  std::string op;                  // "conv2d", ...
  std::string fused_into;          // name of the layer whose schedule computes it as well, or empty
  std::int64_t macs = 0;
  std::int64_t first_cycle = -1;   // start of its first instruction
  std::int64_t last_cycle = -1;    // done of its last instruction
  std::int64_t array_cycles = 0;   // cycles in which a pixel row entered the array for this layer
  std::int64_t load_bytes = 0, store_bytes = 0;  // payload bytes moved
  std::int64_t predicted_cycles = 0;
  // Cycles by unit and cause attributed to this layer: busy to the instruction's layer, waiting to the layer of the instruction
  // that waits, queue_empty to the layer last started in that unit. Sums over layers equal the totals.
  UnitCounters counters{};
  // Shape of the work, for explanations; 0: not known. reduction: products per output (kernel taps * input channels / groups).
  std::int64_t reduction = 0, out_channels = 0, groups = 0;
  std::string compared;            // "equal", "fused", "not compared", "view"
};

struct TraceEvent {  // one instruction on one unit
  int unit = 0;
  int layer = 0;
  std::int64_t start = 0, end = 0;  // command on the wires .. done on the wires
  std::uint32_t instruction = 0;
};

struct RunResult {
  std::string network, machine;
  int batch = 1;
  double clock_mhz = 1000;
  int rows = 0, columns = 0;
  bool timing_only = false;
  std::string engine;              // "systemc", "plain" or "beat"
  std::int64_t cycles = 0;         // start to halt
  UnitCounters counters{};
  std::int64_t macs = 0, array_cycles = 0;
  std::int64_t load_bytes = 0, store_bytes = 0, fetch_bytes = 0;
  std::int64_t load_bursts = 0, store_bursts = 0, fetch_bursts = 0;
  std::int64_t instructions = 0;
  std::vector<LayerResult> layers;
  // Why the layers' `counters` are not known (and first and last cycle where they are -1); empty: they are.
  std::string layers_note;
  std::vector<TraceEvent> trace;   // only with tracing on
  // Host time. RTL: compiling and loading it; not part of simulate_seconds.
  double compile_seconds = 0, build_rtl_seconds = 0, simulate_seconds = 0, golden_seconds = 0, peak_memory_mib = 0;
  // Test images, where the workload has them (digits).
  int images = 0;
  double accuracy = -1, float_accuracy = -1;  // shares 0..1; -1: none
  std::vector<std::pair<std::string, std::string>> settings;  // what the run was called with
  std::string version;

  // Share of the array's MAC slots used over the whole run: macs / (cycles * R * C).
  double utilization() const {
    return cycles > 0 ? static_cast<double>(macs) / (static_cast<double>(cycles) * rows * columns) : 0.0;
  }
};

}  // namespace gemel
