// SPDX-License-Identifier: Apache-2.0
// What the engines share: what is run on what, the memory image before a run and what is taken out of it afterwards, and the
// errors that mean the same in every engine.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "blocks/sequencer/sequencer_model.hpp"
#include "blocks/sequencer/sequencer_ports.hpp"
#include "sim/simulation.hpp"
#include "top/axi_bridge.hpp"

namespace gemel {

struct Run {
  const Machine& machine;
  const Schedule& schedule;
  const std::vector<std::vector<std::uint8_t>>& inputs;  // bytes of the tensors with is_input, in order
  const SimulationOptions& options;
  // All of memory before the start, [0, schedule.memory_bytes_used), in place of program, constants and inputs.
  const std::vector<std::uint8_t>* image = nullptr;

  // What the register program_bytes is told.
  std::uint32_t program_bytes() const {
    return static_cast<std::uint32_t>(schedule.program.size() * isa::InstructionBytes) + options.bytes_behind_program;
  }
};

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Names, shapes and settings; nothing has been counted. Throws UserError E0511.
RunResult new_result(const char* engine, const Run& run);
// Bytes that a load or a store moves between memory and buffers; 0 of any other instruction.
std::int64_t payload_bytes(const isa::Instruction& instruction);
// Adds what the instruction moves and computes, whenever it does.
void add_work(LayerResult& layer, const isa::Instruction& instruction);
void take_traffic(const MemoryTraffic& traffic, RunResult& result);
// Adds cycles, counters, traffic and times of a further run of the same network, also by layer; not what it told of the network or when.
void add_figures(RunResult& sum, const RunResult& other);
// Adds cycles by unit and cause; `counters[tag]` belongs to layer `tag`.
void add_layer_counters(const std::vector<SequencerCounters>& counters, RunResult& result);
// Adds the work of the whole program, of a chip that shows nothing else, and says so.
void add_whole_chip(const Schedule& schedule, RunResult& result);
// Writes the program, and unless timing_only constants and inputs, into memory, which is zero elsewhere; or Run::image. Throws UserError E0510.
void load_image(const Run& run, std::uint8_t* memory);
// Copies outputs, and with keep_memory everything. Not timing_only.
void take_outputs(const Run& run, const std::uint8_t* memory, SimulationOutput& output);
double peak_memory_mib();  // of this process so far

// "instruction 12 of layer `conv1`: load ..."
std::string instruction_text(const Schedule& schedule, std::size_t index);

RunError overlap_error(const std::string& violation);            // E0805
RunError deadlock_error(const SequencerModel& sequencer);         // E0802
RunError cycle_limit_error(const SimulationOptions& options);    // E0803

}  // namespace gemel
