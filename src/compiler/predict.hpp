// SPDX-License-Identifier: Apache-2.0
// Predicted starts and ends of operations: each unit in order, edges, chaining and the formulas of timing.hpp. Operation after operation,
// with constant work for each. In sequential order, fetch and queues are taken as never in the way; in program order they are counted, too.
#pragma once
#include "compiler/sync.hpp"
#include "isa/compute_timing.hpp"

namespace gemel::compiler {

class Predictor {
 public:
  enum class Order { Sequential, Program };
  explicit Predictor(const Machine& machine, Order order = Order::Sequential);

  // Fills start and done of the operation that follows all so far, and waits for `producers`.
  void next(Operation& op, const Places& producers);
  // The cycle after the last done.
  std::int64_t end() const { return end_ + 2; }

 private:
  // What is looked up. In program order a producer may stand further behind than MaxBehind; beyond KeptDones a younger one's done is
  // taken for its own, so that the prediction comes out late.
  static constexpr int KeptDones = 2 * (MaxBehind + isa::SemaphoreMax), KeptStarts = 64;  // starts: the deepest queue
  struct Unit {
    std::int64_t done = 0;   // of the last operation
    std::int64_t chain = 0;  // cycle of its chain pulse
    int count = 0;           // operations so far
    Recent<std::int64_t> dones{KeptDones}, starts{KeptStarts + 1};
  };

  void fetch();
  std::int64_t dispatch(const Unit& unit);
  void load(Operation& op, Unit& unit);
  void store(Operation& op, Unit& unit);

  const Machine& machine_;
  const Order order_;
  WeightStationary dataflow_;
  std::array<Unit, Units> units_;
  WeightStationary::Last last_;                               // of the matrix unit
  std::int64_t read_free_ = 0, write_free_ = 0;               // the memory's channels
  std::int64_t store_words_ = 0;                              // when store_dma has read its words
  std::int64_t end_ = 0;
  // Fetch of instructions, burst by burst.
  const std::int64_t millibytes_;                             // that one direction moves per cycle
  const int per_burst_;                                       // instructions
  int index_ = 0;                                             // of the next instruction
  std::int64_t fetched_ = 0, asked_ = 0;                      // last beat of the last burst, and its request
  std::int64_t fetched_millibytes_ = 0;                       // of instructions, not yet a cycle of the read channel
  std::int64_t dispatched_ = 0;                               // the last instruction
  Recent<std::int64_t> dispatches_;
};

}  // namespace gemel::compiler
