// SPDX-License-Identifier: Apache-2.0
// A program of several parts: each is a run of its own, of any engine, on memory as the parts and host steps before have left it.
#pragma once
#include <functional>

#include "sim/run.hpp"

namespace gemel {

// `run_part`: what an engine does with one run. Cycles, instructions and what is told on the way count from the start of the first part, without the time
// that the host takes; what an error says counts from the start of its part, and its text names that.
SimulationOutput run_parts(const Run& run, const std::function<SimulationOutput(const Run&)>& run_part);

}  // namespace gemel
