// SPDX-License-Identifier: Apache-2.0
// Random programs (src/regress/random_program.hpp) by the names of tests, and random machines for them.
#pragma once
#include "regress/random_program.hpp"

namespace gemel::testing {

using regress::LoadRegion, regress::ProgramRegion, regress::RandomProgram, regress::RegionBytes, regress::StoreRegion;
using Random = regress::Dice;

inline Machine random_machine(Random& random, int largest_array = 12) {
  Machine m;
  m.name = "random";
  m.rows = random.range(1, largest_array);
  m.columns = random.range(1, largest_array);
  m.lanes = random.range(1, m.columns);
  for (auto& b : m.buffers) b = {1 << random.range(10, 12), random.range(1, 4)};
  m.buffers[static_cast<int>(Buffer::Accumulator)].size_bytes *= 4;
  m.bus_bytes = 1 << random.range(2, 7);
  m.burst_bytes = std::max(m.bus_bytes, 1 << random.range(2, 9));
  m.load_outstanding = random.skewed(1, 16);
  m.store_outstanding = random.skewed(1, 16);
  m.queue_depth = random.range(1, 4);
  m.prefetch_instructions = std::max(1, m.burst_bytes / 64) + random.range(0, 6);
  m.read_latency_cycles = random.skewed(1, 60);
  m.write_latency_cycles = random.skewed(1, 60);
  m.memory_bytes_per_cycle = random.chance(50) ? m.bus_bytes : random.range(250, 2000 * m.bus_bytes) / 1000.0;
  m.memory_queue = random.skewed(1, 20);
  if (random.chance(50)) {
    m.jitter_cycles = random.skewed(1, 60);
    m.jitter_seed = random.range(0, 1 << 30);
  }
  if (random.chance(50)) {
    m.stall_seed = random.range(0, 1 << 30);
    for (int* percent : {&m.stall_percent.ar, &m.stall_percent.r, &m.stall_percent.aw, &m.stall_percent.w, &m.stall_percent.b}) {
      if (random.chance(60)) *percent = random.chance(20) ? 95 : random.skewed(1, 70);
    }
  }
  m.memory_bytes = 1 << 16;
  return m;
}

}  // namespace gemel::testing
