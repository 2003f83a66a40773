// SPDX-License-Identifier: Apache-2.0
// One random (machine, network) pair, and what has to hold for it: every layer equals golden in every engine; the
// engines give the same cycles, counters, instruction times, bytes of memory and result.json; no scratchpad fault; counters add up. A case is
// its seed: the same number gives the same pair everywhere. Every other network may have layers on the host.
#pragma once
#include <sstream>
#include <string>

#include "base/error.hpp"
#include "compiler/compile.hpp"
#include "isa/isa.hpp"
#include "ops/golden.hpp"
#include "regress/random_machine.hpp"
#include "sim/simulation.hpp"
#include "support/network_builder.hpp"
#include "support/same_result.hpp"
#include "support/same_run.hpp"

namespace gemel::test {

inline std::string describe_machine(const Machine& m) {
  std::ostringstream out;
  out << m.rows << "x" << m.columns << " lanes " << m.lanes << " bus " << m.bus_bytes << " burst " << m.burst_bytes
      << " outstanding " << m.load_outstanding << "/" << m.store_outstanding << " queue " << m.queue_depth << " prefetch "
      << m.prefetch_instructions << " latency " << m.read_latency_cycles << "/" << m.write_latency_cycles << " width "
      << m.memory_bytes_per_cycle << " Q " << m.memory_queue << " jitter " << m.jitter_cycles << "/" << m.jitter_seed
      << " stalls " << m.stall_percent.ar << "/" << m.stall_percent.r << "/" << m.stall_percent.aw << "/" << m.stall_percent.w << "/"
      << m.stall_percent.b << "/" << m.stall_seed
      << " buffers";
  for (int b = 0; b < BufferCount; ++b) {
    out << " " << m.words(static_cast<Buffer>(b)) << "w/" << m.buffer(static_cast<Buffer>(b)).banks;
  }
  return out.str();
}

struct CaseResult {
  bool refused = false;      // the machine truly cannot run the network (E06xx), said so
  std::string failure;       // empty: everything held
  std::string refusal;
  std::int64_t cycles = 0;
  int parts = 0;             // of the program
};

inline CaseResult run_case(std::uint64_t seed, RandomNetworkLimits limits = {}) {
  limits.host_steps = limits.host_steps || seed % 2 == 0;
  Random random(seed);
  const Machine machine = random_machine(random);
  const Network network = random_network(random, limits);
  CaseResult result;
  const std::string who = "seed " + std::to_string(seed) + "\n" + describe_machine(machine) + "\n" + describe(network);
  try {
    const Schedule schedule = compile(network, machine);
    for (std::size_t i = 0; i < schedule.program.size(); ++i) {
      if (const auto illegal = isa::check_claims(isa::decode(schedule.program[i]), machine)) {
        result.failure = who + "instruction " + std::to_string(i) + ": " + isa::to_string(*illegal);
        return result;
      }
    }
    result.parts = schedule.parts();
    const auto inputs = random_inputs(network, random);
    Golden golden(network);
    for (std::size_t i = 0; i < inputs.size(); ++i) golden.set_input(network.inputs[i], inputs[i]);
    SimulationOptions options;
    options.golden = [&](int tensor) { return &golden.tensor(tensor); };
    options.trace = true;
    options.keep_memory = true;
    options.max_cycles = 100'000'000;
    const SimulationOutput model = simulate(machine, schedule, inputs, options);
    options.engine = Engine::Plain;
    const SimulationOutput plain = simulate(machine, schedule, inputs, options);
    options.timing_only = true;  // load_dma decides its reads itself
    SimulationOutput timed = simulate(machine, schedule, inputs, options);
    timed.outputs = plain.outputs;
    timed.memory = plain.memory;
    options.timing_only = false;
    options.engine = Engine::Beat;
    const SimulationOutput beat = simulate(machine, schedule, inputs, options);
    result.cycles = model.result.cycles;
    std::ostringstream what;
    for (int u = 0; u < UnitCount; ++u) {
      std::int64_t sum = 0;
      for (int c = 0; c < CauseCount; ++c) sum += model.result.counters[u][c];
      if (sum != model.result.cycles) what << "counters of unit " << u << " add up to " << sum << "\n";
    }
    for (const SimulationOutput* other : {&plain, &beat}) {
      what << differences(model, *other) << differing_fields(model.result, other->result, machine);
    }
    if (const std::string differing = differences(model, timed); !differing.empty()) what << "without data: " << differing;
    for (const std::string& fault : beat.faults) what << "fault: " << fault << "\n";
    if (!what.str().empty()) result.failure = who + what.str();
  } catch (const UserError& error) {
    result.refusal = error.diagnostics().front().message;
    result.refused = error.diagnostics().front().code.substr(0, 3) == "E06";
    if (!result.refused) result.failure = who + error.what();
  } catch (const std::exception& error) {
    result.failure = who + error.what();
  }
  return result;
}

}  // namespace gemel::test
