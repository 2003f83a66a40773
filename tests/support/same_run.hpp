// SPDX-License-Identifier: Apache-2.0
// Holds two runs of one program equal: cycles, counters, start and end of every instruction, bytes of outputs and memory, the machine's error.
#pragma once
#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "sim/simulation.hpp"

namespace gemel::test {

// The first instruction with another start or end; empty if there is none. Both runs with SimulationOptions::trace.
inline std::string differing_instruction(const RunResult& one, const RunResult& other) {
  const auto by_index = [](std::vector<TraceEvent> trace) {
    std::sort(trace.begin(), trace.end(), [](const TraceEvent& a, const TraceEvent& b) { return a.instruction < b.instruction; });
    return trace;
  };
  const auto a = by_index(one.trace), b = by_index(other.trace);
  std::ostringstream what;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i].instruction == b[i].instruction && a[i].start == b[i].start && a[i].end == b[i].end) continue;
    what << "instruction " << a[i].instruction << ": " << one.engine << " " << a[i].start << ".." << a[i].end << ", " << other.engine << " "
         << b[i].instruction << ": " << b[i].start << ".." << b[i].end << "\n";
    return what.str();
  }
  if (a.size() != b.size()) what << "instructions: " << one.engine << " " << a.size() << ", " << other.engine << " " << b.size() << "\n";
  return what.str();
}

// All differences, a line each; empty if there is none. Memory is compared with SimulationOptions::keep_memory.
inline std::string differences(const SimulationOutput& one, const SimulationOutput& other) {
  std::ostringstream what;
  const RunResult &a = one.result, &b = other.result;
  if (a.cycles != b.cycles) what << "cycles: " << a.engine << " " << a.cycles << ", " << b.engine << " " << b.cycles << "\n";
  for (std::size_t u = 0; u < a.counters.size(); ++u) {
    for (std::size_t c = 0; c < a.counters[u].size(); ++c) {
      if (a.counters[u][c] == b.counters[u][c]) continue;
      what << "counter " << u << "/" << c << ": " << a.engine << " " << a.counters[u][c] << ", " << b.engine << " " << b.counters[u][c] << "\n";
    }
  }
  what << differing_instruction(a, b);
  if (one.outputs != other.outputs) what << "outputs differ\n";
  if (one.memory != other.memory) what << "memory differs\n";
  if (one.error_code != other.error_code || one.error_cycle != other.error_cycle || one.error_instruction != other.error_instruction) {
    what << "errors differ: " << one.error_code << " at " << one.error_cycle << ", " << other.error_code << " at " << other.error_cycle << "\n";
  }
  return what.str();
}

}  // namespace gemel::test
