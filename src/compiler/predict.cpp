// SPDX-License-Identifier: Apache-2.0
// The event-level estimate; see predict.hpp. Names follow docs/reference/machine.md.
#include "compiler/predict.hpp"

#include "compiler/timing.hpp"

namespace gemel::compiler {
namespace {

template <typename Transfer>
Runs runs_of(const Operation& op, const Transfer& t) {
  const std::int64_t strides = (t.count1 > 1 ? std::int64_t{t.stride1} : 0) | (t.count2 > 1 ? std::int64_t{t.stride2} : 0);
  return {op.runs, t.run_bytes, alignment(static_cast<std::int64_t>(t.address) | strides | (std::int64_t{1} << 40))};
}

}  // namespace

Predictor::Predictor(const Machine& machine, Order order)
    : machine_(machine),
      order_(order),
      dataflow_(machine),
      millibytes_(machine.millibytes_per_cycle()),
      per_burst_(std::max(1, machine.burst_bytes / isa::InstructionBytes)),
      dispatches_(static_cast<std::size_t>(machine.prefetch_instructions + per_burst_ + 1)) {}

void Predictor::next(Operation& op, const Places& producers) {
  Unit& unit = units_[op.unit()];
  fetch();
  op.start = std::max<std::int64_t>(order_ == Order::Program ? dispatch(unit) + 2 : machine_.read_latency_cycles + 8,
                                    op.header().chain != 0 ? unit.chain + 2 : unit.done + 2);
  if (unit.count >= 2) op.start = std::max(op.start, unit.dones[unit.count - 2] + 2);  // two are in flight at most
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
  unit.dones[unit.count] = unit.done;
  unit.starts[unit.count++] = op.start;
  end_ = std::max(end_, op.done);
}

// An instruction on its way takes the read channel from the loads.
void Predictor::fetch() {
  fetched_millibytes_ += std::int64_t{1000} * isa::InstructionBytes;
  read_free_ += fetched_millibytes_ / millibytes_;
  fetched_millibytes_ %= millibytes_;
}

// The cycle in which the next instruction goes to its unit.
std::int64_t Predictor::dispatch(const Unit& unit) {
  if (index_ % per_burst_ == 0) {
    // The burst is requested when the FIFO has room for it, and its beats come behind those of the loads' bursts that are under way.
    const int freed = index_ + per_burst_ - 1 - machine_.prefetch_instructions;
    asked_ = std::max(asked_ + 1, freed >= 0 ? dispatches_[freed] + 2 : 1);
    const Unit& loads = units_[static_cast<int>(isa::Unit::Load)];
    int last = loads.count - 1;  // the load that is asking for its bursts then
    while (last >= 0 && last > loads.count - KeptStarts && loads.starts[last] + 2 > asked_) --last;
    std::int64_t first = std::max(asked_ + machine_.read_latency_cycles, fetched_ + 1);
    if (last >= 0 && loads.starts[last] + 2 <= asked_) {
      const std::int64_t under_way = std::int64_t{1000} * machine_.load_outstanding * machine_.burst_bytes / millibytes_;
      first = std::max(first, std::min(loads.dones[last], asked_ + under_way));
    }
    fetched_ = first + 1000 * std::max<std::int64_t>(machine_.burst_bytes, isa::InstructionBytes) / millibytes_ - 1;
  }
  const std::int64_t left = std::int64_t{per_burst_ - 1 - index_ % per_burst_} * 1000 * isa::InstructionBytes / millibytes_;  // beats behind it
  dispatched_ = std::max(dispatched_ + 1, fetched_ - left + 2);
  if (unit.count >= machine_.queue_depth) dispatched_ = std::max(dispatched_, unit.starts[unit.count - machine_.queue_depth]);
  dispatches_[index_++] = dispatched_;
  return dispatched_;
}

void Predictor::load(Operation& op, Unit& unit) {
  const Runs runs = runs_of(op, op.instruction.load);
  const double bursts = runs.units(machine_.burst_bytes);
  const std::int64_t cycles = transfer_cycles(machine_, bursts, runs.units(machine_.bus_bytes), op.words, false);
  const double most = std::min(machine_.load_outstanding, machine_.memory_queue);
  const std::int64_t before = read_free_;
  const std::int64_t begin = std::max(op.start + 2 + machine_.read_latency_cycles, before);
  read_free_ = begin + cycles;
  unit.done = read_free_ + 3;
  // The last burst is asked for when all but the last `most` have arrived, those of the loads before among them.
  const double apart = bursts > most ? most : most - bursts;
  const std::int64_t arrived = (bursts > most ? read_free_ : before) - static_cast<std::int64_t>(apart / bursts * static_cast<double>(cycles));
  unit.chain = std::max(op.start + 2 + static_cast<std::int64_t>(bursts), arrived);
}

void Predictor::store(Operation& op, Unit& unit) {
  const Runs runs = runs_of(op, op.instruction.store);
  const std::int64_t cycles = transfer_cycles(machine_, runs.units(machine_.burst_bytes), runs.units(machine_.bus_bytes), op.words, true);
  const std::int64_t begin = std::max({op.start + 2, store_words_, write_free_ - machine_.burst_bytes / machine_.bus_bytes});
  store_words_ = begin + cycles;
  write_free_ = begin + cycles + 8;
  unit.done = write_free_ + machine_.write_latency_cycles + 1;
  unit.chain = store_words_;
}

}  // namespace gemel::compiler
