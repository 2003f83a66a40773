// SPDX-License-Identifier: Apache-2.0
// Runs a schedule on a machine: builds the platform (npu, memory, a driver), starts it, compares tensors with golden as they
// become complete, and collects what happened. No SystemC in this header. Engines `plain` and `beat` without RTL: any number of runs at a time
// in threads of one process. Engine `systemc`: one at a time, any number one after another, also inside a program that simulates with SystemC.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <vector>

#include "config/machine.hpp"
#include "gemel/engine.hpp"
#include "gemel/observer.hpp"
#include "isa/schedule.hpp"
#include "sim/result.hpp"
#include "top/swap.hpp"

namespace gemel {

struct SimulationOptions {
  Engine engine = Engine::Systemc;
  bool timing_only = false;
  bool trace = false;                         // fill RunResult::trace
  std::int64_t max_cycles = std::int64_t{1} << 40;
  std::array<int, 3> process_order = {0, 1, 2};  // in which npu (0), memory (1), driver (2) are made; must not matter
  // Expected bytes of a tensor (index in schedule.tensors), or nullptr for "do not compare". Not asked in timing-only runs.
  std::function<const std::vector<std::uint8_t>*(int tensor)> golden;
  std::function<void(const Progress&)> progress;  // now and then
  std::function<void(int layer, std::int64_t cycle)> layer_complete;  // in memory and, if it is compared, equal
  // Blocks implemented by RTL (resolve_choices()). Any entry selects the beat engine, with one exception: pe_array (or pe) alone runs
  // between the fast models, and falls back to the beat engine when anything differs or an option is set that only that engine has.
  std::vector<BlockChoice> blocks;
  bool keep_going = false;                    // count differences of checked blocks instead of ending with the first
  bool no_skip = false;                       // clock every block in every cycle, also when all are quiet
  std::string waves_folder;                   // where the waves around the first difference go; empty: none
  std::vector<WaveWindow> waves;              // of blocks that are RTL, whatever they do; beat engine
  RtlProgress rtl_progress;                   // RtlHost (rtl_host/library.hpp)
  RtlNotice rtl_notice;                       // RtlHost
  RtlDisplay rtl_display;                     // told what the Verilog displays; of a run that is repeated to explain a difference: once
  // An evaluation of RTL does not end (E1016). Called in another thread; the run itself goes on hanging, so end the process. Empty: nobody
  // looks.
  RtlHangs rtl_hangs;
  int reset_seed = -1;                        // >= 0: RTL registers start with random bits, and payloads without valid are such
  std::string coverage;                       // folder for the counts of lines and toggles of RTL; empty: none
  const std::atomic<bool>* interrupted = nullptr;  // set by a signal handler: the run ends in Interrupted
  // Beat engine: run to this cycle first, pull the reset there, restore memory, and then run from the start; -1: no.
  std::int64_t reset_at = -1;
  // Engines `plain` and `beat`: control.abort counts in this cycle of the program, from 1 on; -1: nobody writes it.
  std::int64_t abort_at = -1;
  // Engines `plain` and `beat`: the program is said to be so many bytes longer than the schedule's, a multiple of 64. Fetch goes on behind
  // it, also beyond the memory.
  std::uint32_t bytes_behind_program = 0;
  // Beat engine, not npu=rtl: afterwards the same again on the same chip without a reset, with memory as it was before.
  bool again = false;
  bool use_registers = false;                 // beat engine, not npu=rtl: Stepper::use_registers()
  bool keep_memory = false;                   // fill SimulationOutput::memory
  BeatObserver beats;                         // beat engine: told every beat on every connection; of npu=rtl, on its AXI ports
  // Requests to these memory addresses are answered with an error; for tests. Empty: first > last.
  std::uint64_t poison_first = 1, poison_last = 0;
};

struct SimulationOutput {
  RunResult result;
  std::vector<std::vector<std::uint8_t>> outputs;  // bytes of the tensors with is_output, in order (not in timing-only runs)
  std::vector<std::uint8_t> memory;  // [0, schedule.memory_bytes_used) at the end, with keep_memory
  std::vector<std::pair<std::string, std::int64_t>> differences;  // with keep_going: block, cycles that differed
  std::int64_t clocked = 0;          // beat engine: cycles that were not skipped
  std::int64_t cycles_again = -1;    // of the second run, after SimulationOptions::again
  std::vector<std::string> faults;   // beat engine: scratchpad accesses that must not happen
  // The machine stopped by itself: error code, cycle, instruction of the machine's error registers. Thrown as RunError unless
  // `keep_machine_error` was asked for through simulate_raw().
  std::uint32_t error_code = 0;
  std::int64_t error_cycle = 0;
  std::uint32_t error_instruction = 0;
  std::string error_text;
};

// `inputs`: bytes of the tensors with is_input, in order. Throws
//   UserError E0505/E0510: another machine's schedule, inputs that do not fit
//   RunError  E0801 the machine's own error (hazard, overflow, illegal instruction, memory error), E0802 deadlock, E0803 cycle
//             limit, E0804 difference from golden, E0805 overlapping memory accesses, E0806 a checked block differs from its
//             model, E0807 RTL that never answers
//   Interrupted
SimulationOutput simulate(const Machine& machine, const Schedule& schedule,
                          const std::vector<std::vector<std::uint8_t>>& inputs, const SimulationOptions& options);
// The same, but a machine error is returned in the output instead of thrown.
SimulationOutput simulate_raw(const Machine& machine, const Schedule& schedule,
                              const std::vector<std::vector<std::uint8_t>>& inputs, const SimulationOptions& options);

}  // namespace gemel
