// SPDX-License-Identifier: Apache-2.0
// The engines behind simulate(): what each of them does with a run (docs/explanation/architecture.md).
#pragma once
#include <optional>

#include "base/clocked.hpp"
#include "blocks/pe_array/pe_array_ports.hpp"
#include "sim/run.hpp"
#include "top/model_chip.hpp"

namespace gemel {

// The fast models, woken by SystemC, or by an event queue of their own (any number at a time, in threads).
// `array`: does the arithmetic of pe_array between the models, clocked; nullptr: the models do it. Nothing is returned if it does
// not keep its contract.
std::optional<SimulationOutput> run_systemc(const Run& run, Clocked<PeArrayIn, PeArrayOut>* array = nullptr);
std::optional<SimulationOutput> run_plain(const Run& run, Clocked<PeArrayIn, PeArrayOut>* array = nullptr);

// One of these with `pe_array` of the run's blocks between the models, which is possible because models know beforehand what they will
// put on its ports. Nothing is returned if anything at all is wrong: the beat engine says what, from the same start. `build_seconds`: what
// building RTL took is added.
std::optional<SimulationOutput> run_with_array(const Run& run, double& build_seconds);

// The beat models and RTL, stepped: every cycle of every block.
SimulationOutput run_beats(const Run& run);

// What the fast models have counted, and the machine's error.
void take_figures(const ModelChip& chip, SimulationOutput& output);

}  // namespace gemel
