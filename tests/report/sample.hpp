// SPDX-License-Identifier: Apache-2.0
// A small run made up by hand: a convolution that uses the array well, a poor one, an addition fused into it, a view, and a
// pooling layer. The counters of each unit add up to the 1,000 cycles, and those of the layers to the units'.
#pragma once
#include "gemel/isa.gen.hpp"
#include "config/machine.hpp"
#include "sim/result.hpp"

namespace gemel::report_test {

inline std::int64_t& cell(UnitCounters& counters, isa::Unit unit, isa::Cause cause) {
  return counters[static_cast<int>(unit)][static_cast<int>(cause)];
}

inline Machine sample_machine() {
  Machine machine;
  machine.name = "sample4";
  machine.rows = 4;
  machine.columns = 4;
  machine.lanes = 4;
  return machine;
}

inline RunResult sample_run() {
  using isa::Cause;
  using isa::Unit;
  RunResult r;
  r.network = "net & <co>";  // characters that HTML must escape
  r.machine = "sample4";
  r.engine = "systemc";
  r.rows = r.columns = 4;
  r.version = "0.1.0";
  r.cycles = 1000;
  r.instructions = 7;
  r.load_bytes = 3000;
  r.store_bytes = 1500;
  r.fetch_bytes = 448;
  r.load_bursts = 12;
  r.store_bursts = 6;
  r.fetch_bursts = 2;
  r.compile_seconds = 0.01;
  r.simulate_seconds = 0.002;
  r.golden_seconds = 0.001;
  r.peak_memory_mib = 42;
  r.settings = {{"machine", "sample4"}, {"batch", "1"}};

  LayerResult good;
  good.name = "good";
  good.op = "conv2d";
  good.macs = 16 * 360;
  good.array_cycles = 380;
  good.first_cycle = 1;
  good.last_cycle = 420;
  good.load_bytes = 2000;
  good.store_bytes = 1000;
  good.predicted_cycles = 410;
  good.compared = "equal";
  cell(good.counters, Unit::Matrix, Cause::Busy) = 390;
  cell(good.counters, Unit::Matrix, Cause::WaitSemaphore0) = 10;
  cell(good.counters, Unit::Load, Cause::Busy) = 300;
  cell(good.counters, Unit::Load, Cause::WaitData) = 100;
  cell(good.counters, Unit::Vector, Cause::Busy) = 100;
  cell(good.counters, Unit::Vector, Cause::WaitSemaphore2) = 300;
  cell(good.counters, Unit::Store, Cause::Busy) = 100;
  cell(good.counters, Unit::Store, Cause::WaitWrite) = 50;
  cell(good.counters, Unit::Store, Cause::QueueEmpty) = 250;

  LayerResult poor;
  poor.name = "poor";
  poor.op = "conv2d";
  poor.macs = 16 * 100;
  poor.inputs = {{1, 10, 10, 1}};
  poor.output = {1, 8, 8, 3};
  poor.kernel = {3, 3};
  LayerMapping mapping;
  mapping.unit = static_cast<int>(Unit::Matrix);
  mapping.channels = 3;
  mapping.output = {1, 8, 8, 3};
  mapping.tile = {1, 4, 8, 3};
  mapping.reduction = {3, 3, 1};
  mapping.accumulated_channels = 3;
  mapping.loops = {"tiles"};
  mapping.resident = {"weights", "activations"};
  poor.mapping = {mapping};
  poor.array_cycles = 120;
  poor.first_cycle = 350;
  poor.last_cycle = 950;
  poor.load_bytes = 1000;
  poor.store_bytes = 250;
  poor.compared = "equal";
  cell(poor.counters, Unit::Matrix, Cause::Busy) = 150;
  cell(poor.counters, Unit::Matrix, Cause::WaitSemaphore1) = 300;
  cell(poor.counters, Unit::Matrix, Cause::QueueEmpty) = 150;
  cell(poor.counters, Unit::Load, Cause::Busy) = 480;
  cell(poor.counters, Unit::Load, Cause::WaitRequest) = 20;
  cell(poor.counters, Unit::Load, Cause::QueueEmpty) = 100;
  cell(poor.counters, Unit::Vector, Cause::Busy) = 100;
  cell(poor.counters, Unit::Vector, Cause::QueueEmpty) = 400;
  cell(poor.counters, Unit::Store, Cause::QueueEmpty) = 500;

  LayerResult sum;
  sum.name = "sum";
  sum.op = "add";
  sum.fused_into = "poor";
  sum.compared = "fused";

  LayerResult view;
  view.name = "flat";
  view.op = "reshape";
  view.compared = "view";

  LayerResult pool;
  pool.name = "pool";
  pool.op = "max_pool";
  pool.first_cycle = 900;
  pool.last_cycle = 998;
  pool.store_bytes = 250;
  pool.compared = "equal";
  cell(pool.counters, Unit::Vector, Cause::Busy) = 80;
  cell(pool.counters, Unit::Vector, Cause::QueueEmpty) = 20;
  cell(pool.counters, Unit::Store, Cause::Busy) = 20;
  cell(pool.counters, Unit::Store, Cause::WaitWrite) = 60;
  cell(pool.counters, Unit::Store, Cause::QueueEmpty) = 20;

  r.layers = {good, poor, sum, view, pool};
  for (const LayerResult& layer : r.layers) {
    for (int u = 0; u < UnitCount; ++u) {
      for (int c = 0; c < CauseCount; ++c) r.counters[u][c] += layer.counters[u][c];
    }
    r.macs += layer.macs;
    r.array_cycles += layer.array_cycles;
  }
  r.trace = {{0, 0, 1, 100, 0}, {1, 0, 50, 300, 1}, {1, 1, 280, 420, 2}, {2, 1, 400, 500, 3}, {3, 4, 900, 998, 6}};
  return r;
}

}  // namespace gemel::report_test
