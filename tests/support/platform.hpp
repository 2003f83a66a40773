// SPDX-License-Identifier: Apache-2.0
// For tests: a small machine with every figure in sight, and a run of a hand-written program on it.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "base/error.hpp"
#include "config/digest.hpp"
#include "isa/isa.hpp"
#include "sim/simulation.hpp"
#include "support/same_run.hpp"

namespace gemel::testing {

// R x C with one lane per column, a bus of 8 bytes, bursts of 64 bytes; buffers of 1 KiB in 4 banks; memory of 64 KiB with
// 10 cycles read latency, 6 cycles write latency and the bus's bandwidth.
inline Machine small_machine(int rows = 4, int columns = 4) {
  Machine m;
  m.name = "small";
  m.rows = rows;
  m.columns = columns;
  m.lanes = columns;
  m.buffers.fill({1024, 4});
  m.buffers[static_cast<int>(Buffer::Accumulator)] = {4096, 4};
  m.bus_bytes = 8;
  m.burst_bytes = 64;
  m.load_outstanding = 4;
  m.store_outstanding = 4;
  m.queue_depth = 4;
  m.prefetch_instructions = 4;
  m.read_latency_cycles = 10;
  m.write_latency_cycles = 6;
  m.memory_bytes_per_cycle = 8;
  m.memory_queue = 64;
  m.memory_bytes = 65536;
  return m;
}

// A schedule of nothing but a program (one instruction per line, isa.hpp) at address 0x8000.
inline Schedule program_of(const std::string& text, const Machine& machine) {
  Schedule s;
  s.network = "test";
  s.machine = machine.name;
  s.machine_text = machine_text(machine);
  s.program_base = 0x8000;
  s.program = isa::assemble_program(text);
  s.layers.resize(8);
  s.memory_bytes_used = machine.memory_bytes;
  return s;
}

// Of both engines of fast models, whose runs must be equal; or of the beat engine.
inline SimulationOutput run_program(const std::string& text, const Machine& machine, SimulationOptions options = {}) {
  options.trace = true;
  options.keep_memory = true;
  const Schedule schedule = program_of(text, machine);
  SimulationOutput output = simulate_raw(machine, schedule, {}, options);
  if (options.engine == Engine::Systemc) {
    options.engine = Engine::Plain;
    const SimulationOutput plain = simulate_raw(machine, schedule, {}, options);
    EXPECT_EQ(test::differences(output, plain), "");
    EXPECT_EQ(output.error_text, plain.error_text);
  }
  return output;
}

// The message of the RunError or Interrupted that simulate() throws, of either engine of fast models.
inline std::string message_of(const Machine& machine, const std::string& program, SimulationOptions options = {}) {
  const auto message = [&](Engine engine) -> std::string {
    options.engine = engine;
    try {
      simulate(machine, program_of(program, machine), {}, options);
    } catch (const Interrupted& interrupted) {
      return interrupted.what();
    } catch (const RunError& error) {
      return to_string(error.diagnostics().front());
    }
    return "no error";
  };
  const std::string systemc = message(Engine::Systemc);
  EXPECT_EQ(systemc, message(Engine::Plain));
  return systemc;
}

// Start and end of instruction `index`.
inline TraceEvent event(const SimulationOutput& output, std::uint32_t index) {
  for (const TraceEvent& e : output.result.trace) {
    if (e.instruction == index) return e;
  }
  return {-1, -1, -1, -1, index};
}

}  // namespace gemel::testing
