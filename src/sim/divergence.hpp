// SPDX-License-Identifier: Apache-2.0
// Tells where a checked block has left its model: cycle, port, instruction, element of a tensor, waves around it, and the processing
// element. What only a closer look shows comes from running the same thing again.
#pragma once
#include <string>

#include "sim/run.hpp"
#include "top/stepper.hpp"
#include "top/swap.hpp"

namespace gemel {

struct Diverged {  // thrown out of a step
  Divergence divergence;
  Cycle cycle;
  std::string where;  // lines
};

// What was under way in `stepper` where a block differs: lines with the instruction, and the element that the beat belongs to.
std::string difference_text(const Stepper& stepper, const Run& run, const Divergence& divergence);
// The instruction that a block is working on, with its layer; empty if there is none.
std::string in_flight_text(const Stepper& stepper, const Schedule& schedule, const std::string& block);
std::string names_of(const std::vector<BlockChoice>& choices);  // "`requantizer`, `load_dma`"

// Throws RunError E0806.
[[noreturn]] void report_divergence(const Run& run, const Diverged& diverged);

}  // namespace gemel
