// SPDX-License-Identifier: Apache-2.0
// Predicted starts and ends of operations: each unit in order, edges, chaining and the formulas of timing.hpp. Fetch and
// queues are taken as never in the way. Operation after operation, with constant work for each.
#pragma once
#include "compiler/sync.hpp"
#include "isa/compute_timing.hpp"

namespace gemel::compiler {

class Predictor {
 public:
  explicit Predictor(const Machine& machine) : machine_(machine), dataflow_(machine) {}

  // Fills start and done of the operation that follows all so far, and waits for `producers`.
  void next(Operation& op, const Places& producers);
  // The cycle after the last done.
  std::int64_t end() const { return end_ + 2; }

 private:
  struct Unit {
    std::int64_t done = 0;   // of the last operation
    std::int64_t chain = 0;  // cycle of its chain pulse
    History<std::int64_t> dones;
  };

  void load(Operation& op, Unit& unit);
  void store(Operation& op, Unit& unit);

  const Machine& machine_;
  WeightStationary dataflow_;
  std::array<Unit, Units> units_;
  WeightStationary::Last last_;                               // of the matrix unit
  std::int64_t read_free_ = 0, write_free_ = 0;               // the memory's channels
  std::int64_t store_words_ = 0;                              // when store_dma has read its words
  std::int64_t end_ = 0;
};

}  // namespace gemel::compiler
