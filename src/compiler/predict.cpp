// SPDX-License-Identifier: Apache-2.0
// The event-level estimate; see predict.hpp. Names follow docs/reference/machine.md.
#include "compiler/predict.hpp"

#include "compiler/timing.hpp"

namespace gemel::compiler {

void Predictor::next(Operation& op, const Places& producers) {
  Unit& unit = units_[op.unit()];
  // The first instructions are on their way for about one read.
  op.start = std::max<std::int64_t>(machine_.read_latency_cycles + 8, op.header().chain != 0 ? unit.chain + 2 : unit.done + 2);
  for (int u = 0; u < Units; ++u) {
    if (producers[u] >= 0) op.start = std::max(op.start, units_[u].dones[producers[u]] + 2);
  }
  switch (op.instruction.unit) {
    case isa::Unit::Matrix: {
      const isa::Matrix& m = op.instruction.matrix;
      const WeightStationary::Times t = dataflow_.times(op.start, matrix_pixels(m), matrix_passes(m), last_);
      last_ = t.last;
      unit.chain = t.chain;
      unit.done = t.done;
      break;
    }
    case isa::Unit::Vector: unit.done = op.start + vector_cycles(vector_work(op.instruction.vector), machine_); break;
    case isa::Unit::Load: load(op, unit); break;
    case isa::Unit::Store: store(op, unit); break;
    case isa::Unit::None: break;
  }
  op.done = unit.done;
  unit.dones.push(unit.done);
  end_ = std::max(end_, op.done);
}

void Predictor::load(Operation& op, Unit& unit) {
  const std::int64_t cycles = transfer_cycles(machine_, op.runs, op.instruction.load.run_bytes, op.words, false);
  const std::int64_t begin = std::max(op.start + 2 + machine_.read_latency_cycles, read_free_);
  read_free_ = begin + cycles;
  unit.done = read_free_ + 3;
  // The last burst's request is out when all but the last N bursts have arrived.
  unit.chain = std::max(op.start + 3, read_free_ - machine_.read_latency_cycles - 2);
}

void Predictor::store(Operation& op, Unit& unit) {
  const std::int64_t cycles = transfer_cycles(machine_, op.runs, op.instruction.store.run_bytes, op.words, true);
  const std::int64_t begin = std::max({op.start + 2, store_words_, write_free_ - machine_.burst_bytes / machine_.bus_bytes});
  store_words_ = begin + cycles;
  write_free_ = begin + cycles + 8;
  unit.done = write_free_ + machine_.write_latency_cycles + 1;
  unit.chain = store_words_;
}

}  // namespace gemel::compiler
