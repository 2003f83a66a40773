// SPDX-License-Identifier: Apache-2.0
#include "sim/simulation.hpp"

#include "base/error.hpp"
#include "sim/engines.hpp"
#include "sim/parts.hpp"

namespace gemel {
namespace {

// Of these blocks only the array stands between models, and nobody wants to see what only the beat engine shows.
bool swaps_array_only(const SimulationOptions& options) {
  return options.engine != Engine::Beat && options.blocks.size() == 1 &&
         (options.blocks.front().block == "pe_array" || options.blocks.front().block == "pe") && !options.timing_only && !options.no_skip &&
         !options.beats && !options.again && options.reset_at < 0 && options.coverage.empty() && options.waves.empty();
}

SimulationOutput run_once(const Run& run) {
  const SimulationOptions& options = run.options;
  if (options.engine == Engine::Systemc && options.blocks.empty()) return *run_systemc(run);
  if (options.engine == Engine::Plain && options.blocks.empty()) return *run_plain(run);
  double build_seconds = 0;
  std::optional<SimulationOutput> output;
  if (swaps_array_only(options)) output = run_with_array(run, build_seconds);
  if (!output) output = run_beats(run);
  output->result.build_rtl_seconds += build_seconds;
  return *std::move(output);
}

}  // namespace

SimulationOutput simulate_raw(const Machine& machine, const Schedule& schedule,
                              const std::vector<std::vector<std::uint8_t>>& inputs, const SimulationOptions& options) {
  require_machine(schedule, machine);
  if (options.engine == Engine::Systemc && (options.abort_at > 0 || options.bytes_behind_program > 0)) {
    throw InternalError("aborts and programs that are longer than their schedule are for the engines plain and beat");
  }
  const Run run{machine, schedule, inputs, options};
  return schedule.host_steps.empty() ? run_once(run) : run_parts(run, run_once);
}

SimulationOutput simulate(const Machine& machine, const Schedule& schedule,
                          const std::vector<std::vector<std::uint8_t>>& inputs, const SimulationOptions& options) {
  SimulationOutput output = simulate_raw(machine, schedule, inputs, options);
  if (output.error_code != 0) {
    const std::string where = output.error_instruction < schedule.program.size()
                                  ? "\n  instruction " + std::to_string(output.error_instruction) + ": " +
                                        isa::disassemble(schedule.program[output.error_instruction])
                                  : "";
    throw RunError("E0801",
                   std::string("the machine stopped with error ") +
                       isa::to_string(static_cast<isa::ErrorCode>(output.error_code)) + " at cycle " +
                       std::to_string(output.error_cycle) + ": " + output.error_text + where);
  }
  return output;
}

}  // namespace gemel
