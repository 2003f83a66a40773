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

// The largest power of two that divides all of these distances.
inline std::int64_t alignment(std::int64_t distances) { return distances & -distances; }

// Contiguous runs of memory that begin at multiples of `align`, a power of two.
struct Runs {
  std::int64_t count = 1, bytes = 1, align = 1;
  // Aligned units of that many bytes that the runs meet, on average: a run of n bytes that begins anywhere meets 1 + (n-1)/unit.
  double units(std::int64_t unit) const {
    if (align >= unit) return static_cast<double>(count) * static_cast<double>(ceil_div(bytes, unit));
    return static_cast<double>(count) * (1.0 + static_cast<double>((bytes - 1) & -align) / static_cast<double>(unit));
  }
};

// What a strided transfer takes once it is under way: the busiest of bus, outstanding bursts and buffer port.
inline std::int64_t transfer_cycles(const Machine& m, double bursts, double beats, std::int64_t words, bool write) {
  const double beat_cycles = std::max(1.0, static_cast<double>(m.bus_bytes) / m.memory_bytes_per_cycle);
  const double latency = write ? m.write_latency_cycles + 4 : m.read_latency_cycles + 3;
  const double outstanding = std::min(write ? m.store_outstanding : m.load_outstanding, m.memory_queue);
  const double per_burst = (latency + beats * beat_cycles / bursts) / outstanding;
  const double cycles = std::max({beats * beat_cycles, bursts * per_burst, bursts, static_cast<double>(words)});
  return static_cast<std::int64_t>(cycles) + 1;
}

inline std::int64_t transfer_cycles(const Machine& m, const Runs& runs, std::int64_t words, bool write) {
  return transfer_cycles(m, runs.units(m.burst_bytes), runs.units(m.bus_bytes), words, write);
}

// The same where a planner knows only how long the runs are: each begins anywhere, or where bursts do if it is made of whole ones.
inline std::int64_t transfer_cycles(const Machine& m, std::int64_t runs, std::int64_t run_bytes, std::int64_t words, bool write) {
  const auto units = [&](std::int64_t unit) { return Runs{runs, run_bytes, run_bytes % unit == 0 ? unit : 1}.units(unit); };
  return transfer_cycles(m, units(m.burst_bytes), units(m.bus_bytes), words, write);
}

}  // namespace gemel::compiler
