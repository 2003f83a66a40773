// SPDX-License-Identifier: Apache-2.0
// The event-level estimate; see predict.hpp. Names follow docs/reference/machine.md.
#include "compiler/predict.hpp"

#include "compiler/timing.hpp"

namespace gemel::compiler {
namespace {

struct UnitState {
  std::int64_t done = 0;   // of the last operation
  std::int64_t chain = 0;  // cycle of its chain pulse
};

}  // namespace

std::int64_t predict(std::vector<Operation>& operations, const std::vector<Edge>& edges, const Machine& machine) {
  UnitState units[Units];
  const WeightStationary dataflow(machine);
  WeightStationary::Last last;  // of the matrix unit
  std::int64_t read_free = 0, write_free = 0, store_words = 0;
  std::int64_t end = 0;
  std::size_t edge = 0;
  for (int i = 0; i < static_cast<int>(operations.size()); ++i) {
    Operation& op = operations[i];
    UnitState& unit = units[op.unit()];
    const bool chained = op.header().chain != 0;
    // The first instructions are on their way for about one read.
    std::int64_t s = std::max<std::int64_t>(machine.read_latency_cycles + 8, chained ? unit.chain + 2 : unit.done + 2);
    for (; edge < edges.size() && edges[edge].consumer == i; ++edge) {
      s = std::max(s, operations[edges[edge].producer].done + 2);
    }
    op.start = s;
    switch (op.instruction.unit) {
      case isa::Unit::Matrix: {
        const isa::Matrix& m = op.instruction.matrix;
        const WeightStationary::Times t = dataflow.times(s, matrix_pixels(m), matrix_passes(m), last);
        last = t.last;
        unit.chain = t.chain;
        unit.done = t.done;
        break;
      }
      case isa::Unit::Vector: unit.done = s + vector_cycles(vector_work(op.instruction.vector), machine); break;
      case isa::Unit::Load: {
        const isa::Load& l = op.instruction.load;
        const std::int64_t bytes = l.run_bytes;
        const std::int64_t cycles = transfer_cycles(machine, op.runs, bytes, op.words, false);
        const std::int64_t begin = std::max(s + 2 + machine.read_latency_cycles, read_free);
        read_free = begin + cycles;
        unit.done = read_free + 3;
        // The last burst's request is out when all but the last N bursts have arrived.
        unit.chain = std::max(s + 3, read_free - machine.read_latency_cycles - 2);
        break;
      }
      case isa::Unit::Store: {
        const isa::Store& t = op.instruction.store;
        const std::int64_t cycles = transfer_cycles(machine, op.runs, t.run_bytes, op.words, true);
        const std::int64_t begin = std::max({s + 2, store_words, write_free - machine.burst_bytes / machine.bus_bytes});
        store_words = begin + cycles;
        write_free = begin + cycles + 8;
        unit.done = write_free + machine.write_latency_cycles + 1;
        unit.chain = store_words;
        break;
      }
      case isa::Unit::None: break;
    }
    op.done = unit.done;
    end = std::max(end, op.done);
  }
  return end + 2;
}

}  // namespace gemel::compiler
