// SPDX-License-Identifier: Apache-2.0
// More of a resource must not cost cycles: the machines that have more of one thing than a given one, and the cycles of a network on a machine.
#pragma once
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/compile.hpp"
#include "config/load.hpp"
#include "config/parameters.hpp"
#include "sim/simulation.hpp"

namespace gemel::test {

inline constexpr double MostCost = 0.005;  // share of the cycles: what the order of events may cost by chance

struct Raised {
  std::string change;  // "weight_buffer.size_bytes=128KiB"
  Machine machine;
};

// Every machine that has more of one resource than `base`, and is otherwise equal. Rows and columns are left out: with them the words of all
// buffers grow, so that there are fewer of them.
inline std::vector<Raised> raise_each(const Machine& base) {
  std::vector<Raised> list;
  const auto scale = [&](const std::string& key, const std::vector<double>& factors) {
    const Parameter& parameter = *find_parameter(key);
    const ParameterValue before = parameter.get(base);
    for (const double factor : factors) {
      ParameterValue value = before;
      if (auto* whole = std::get_if<std::int64_t>(&value)) *whole = std::llround(static_cast<double>(*whole) * factor);
      else value = std::get<double>(before) * factor;
      const double number = value.index() == 0 ? static_cast<double>(std::get<std::int64_t>(value)) : std::get<double>(value);
      if (value == before || number < parameter.least || number > parameter.most) continue;
      Machine machine = base;
      parameter.set(machine, value);
      if (check_machine(machine).empty()) list.push_back({key + "=" + format_value(parameter, value), machine});
    }
  };
  for (int b = 0; b < BufferCount; ++b) {
    const std::string name = to_string(static_cast<Buffer>(b));
    scale(name + ".size_bytes", {1.25, 1.5, 2, 3, 4});
    scale(name + ".banks", {2});
  }
  scale("vector_unit.lanes", {1.25, 2, 3});
  scale("bus.bytes", {2, 4});
  scale("dma.burst_bytes", {2, 4});
  scale("load_dma.outstanding", {1.25, 2, 4});
  scale("store_dma.outstanding", {1.25, 2, 4});
  scale("sequencer.queue_depth", {1.25, 2, 4});
  scale("sequencer.prefetch_instructions", {1.25, 2, 4});
  scale("memory.read_latency_cycles", {0.9, 0.5});  // here less is more
  scale("memory.write_latency_cycles", {0.9, 0.5});
  scale("memory.bytes_per_cycle", {1.25, 2});
  scale("memory.queue", {1.25, 2});
  return list;
}

inline std::int64_t timing_cycles(const Network& network, const Machine& machine) {
  SimulationOptions options;
  options.engine = Engine::Plain;
  options.timing_only = true;
  return simulate(machine, compile(network, machine), {}, options).result.cycles;
}

}  // namespace gemel::test
