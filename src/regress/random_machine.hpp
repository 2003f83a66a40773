// SPDX-License-Identifier: Apache-2.0
// Random machines, for regressions and tests.
#pragma once
#include <algorithm>

#include "config/machine.hpp"
#include "regress/network_builder.hpp"

namespace gemel::regress {

// Stalls of the AXI channels, often none. `random` is a copy: what is drawn next does not depend on them.
inline void draw_stalls(Random random, Machine& m) {
  random.discard(100);
  m.stall_percent = {};
  if (chance(random, 0.5)) return;
  m.stall_seed = draw(random, 0, 1 << 30);
  for (int* percent : {&m.stall_percent.ar, &m.stall_percent.r, &m.stall_percent.aw, &m.stall_percent.w, &m.stall_percent.b}) {
    if (chance(random, 0.6)) *percent = chance(random, 0.1) ? 99 : draw(random, 1, chance(random, 0.5) ? 30 : 80);
  }
}

// Bytes per cycle: the bus's, whole ones, or a fraction. Not below 1/4: a burst would take longer than the rest of a program.
inline double random_bandwidth(Random& random, int bus_bytes, int most) {
  if (chance(random, 0.5)) return bus_bytes;
  const int millibytes = draw(random, 1, 1000 * most);
  return millibytes % 2 == 0 ? (millibytes + 999) / 1000 : std::max(250, millibytes) / 1000.0;
}

// Rows and columns 1..side, every parameter within its range, buffers from a few words up.
inline Machine random_machine(Random& random, int side = 24) {
  Machine m;
  m.name = "random";
  m.rows = draw(random, 1, side);
  m.columns = chance(random, 0.3) ? m.rows : draw(random, 1, side);
  m.lanes = chance(random, 0.4) ? m.columns : draw(random, 1, m.columns);
  m.bus_bytes = 4 << draw(random, 0, 4);
  m.burst_bytes = m.bus_bytes << draw(random, 0, 4);
  m.load_outstanding = draw(random, 1, 16);
  m.store_outstanding = draw(random, 1, 16);
  m.queue_depth = draw(random, 1, 10);
  m.prefetch_instructions = std::max(1, m.burst_bytes / 64) * draw(random, 1, 6);
  m.read_latency_cycles = draw(random, 1, chance(random, 0.5) ? 20 : 200);
  m.write_latency_cycles = draw(random, 1, chance(random, 0.5) ? 20 : 200);
  m.memory_bytes_per_cycle = random_bandwidth(random, m.bus_bytes, 64);
  m.memory_queue = chance(random, 0.7) ? 64 : draw(random, 1, 16);
  if (chance(random, 0.5)) {
    m.jitter_cycles = draw(random, 1, chance(random, 0.5) ? 10 : 200);
    m.jitter_seed = draw(random, 0, 1 << 30);
  }
  draw_stalls(random, m);
  m.memory_bytes = 16 << 20;
  const int barely = chance(random, 0.4) ? 1 : 0;
  for (int b = 0; b < BufferCount; ++b) {
    ScratchpadParams& s = m.buffers[static_cast<std::size_t>(b)];
    s.banks = 1 << draw(random, 0, 3);
    const int low[] = {6, 8, 6, 7, 4};  // log2 of words: what a small layer needs
    const int exponent = low[b] + draw(random, 0, barely ? 2 : 6);
    const std::int64_t words = (std::int64_t{1} << exponent) + draw(random, 0, 7);
    s.size_bytes = std::max<std::int64_t>(words, s.banks) * m.word_bytes(static_cast<Buffer>(b));
  }
  return m;
}

}  // namespace gemel::regress
