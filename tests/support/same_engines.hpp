// SPDX-License-Identifier: Apache-2.0
// A shipped workload on a shipped machine, in one engine after the other: what differs between them.
#pragma once
#include <string>
#include <vector>

#include "compiler/compile.hpp"
#include "config/home.hpp"
#include "config/load.hpp"
#include "network/synthetic.hpp"
#include "network/workload.hpp"
#include "ops/golden.hpp"
#include "support/same_result.hpp"
#include "support/same_run.hpp"

namespace gemel::test {

// Everything that a run needs, read and compiled.
struct ShippedCase {
  ShippedCase(const std::string& workload, const std::string& machine_name, bool timing_only_in, int batch = 1)
      : timing_only(timing_only_in), machine(load_machine(find_named("configs", machine_name, ".yaml"))) {
    LoadOptions load;
    load.timing_only = timing_only;
    load.batch = batch;
    network = load_workload(workload, load);
    schedule = compile(network, machine);
    for (std::size_t i = 0; i < network.inputs.size(); ++i) {
      inputs.push_back(timing_only ? std::vector<std::uint8_t>()
                                   : synthetic_input(network, network.inputs[i], 1 + i));
    }
  }
  // With data every layer is compared with golden, too: simulate() throws on a difference.
  SimulationOutput run(Engine engine) const {
    SimulationOptions options;
    options.engine = engine;
    options.timing_only = timing_only;
    options.trace = true;
    options.keep_memory = !timing_only;
    Golden golden(network);
    if (!timing_only) {
      for (std::size_t i = 0; i < inputs.size(); ++i) golden.set_input(network.inputs[i], inputs[i]);
      options.golden = [&](int tensor) { return &golden.tensor(tensor); };
    }
    return simulate(machine, schedule, inputs, options);
  }

  bool timing_only;
  Machine machine;
  Network network;
  Schedule schedule;
  std::vector<std::vector<std::uint8_t>> inputs;
};

// All differences between two runs of a case: lines, empty if there is none.
inline std::string all_differences(const ShippedCase& c, const SimulationOutput& one, const SimulationOutput& other) {
  return differences(one, other) + differing_fields(one.result, other.result, c.machine);
}

}  // namespace gemel::test
