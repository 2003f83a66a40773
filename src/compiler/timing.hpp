// SPDX-License-Identifier: Apache-2.0
// What the compiler's planners and its prediction have in common. Matrix and vector unit: exact (isa/compute_timing.hpp). DMA: from the
// number and length of runs, as if each began anywhere; good to a few percent, which is all that choosing and ordering need.
#pragma once
#include <algorithm>
#include <cstdint>

#include "config/machine.hpp"
#include "isa/compute_timing.hpp"

namespace gemel::compiler {

inline constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
using isa::SetWords;

inline std::int64_t slices(const Machine& m) { return ceil_div(m.columns, m.lanes); }

// What a strided transfer takes once it is under way: the busiest of bus, outstanding bursts and buffer port.
inline std::int64_t transfer_cycles(const Machine& m, std::int64_t runs, std::int64_t run_bytes, std::int64_t words, bool write) {
  const bool whole = run_bytes % m.burst_bytes == 0;
  // A run of n bytes that begins anywhere meets 1 + (n-1)/unit units on average.
  const double bursts = static_cast<double>(runs) *
                        (whole ? static_cast<double>(run_bytes) / m.burst_bytes
                               : 1.0 + static_cast<double>(run_bytes - 1) / m.burst_bytes);
  const double beats = static_cast<double>(runs) *
                       (run_bytes % m.bus_bytes == 0 ? static_cast<double>(run_bytes) / m.bus_bytes
                                                     : 1.0 + static_cast<double>(run_bytes - 1) / m.bus_bytes);
  const double beat_cycles = std::max(1.0, static_cast<double>(m.bus_bytes) / m.memory_bytes_per_cycle);
  const double latency = write ? m.write_latency_cycles + 4 : m.read_latency_cycles + 3;
  const double outstanding = std::min(write ? m.store_outstanding : m.load_outstanding, m.memory_queue);
  const double per_burst = (latency + beats * beat_cycles / bursts) / outstanding;
  const double cycles = std::max({beats * beat_cycles, bursts * per_burst, bursts, static_cast<double>(words)});
  return static_cast<std::int64_t>(cycles) + 1;
}

}  // namespace gemel::compiler
