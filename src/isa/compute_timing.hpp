// SPDX-License-Identifier: Apache-2.0
// Durations of instructions of matrix_unit and vector_unit in closed form (docs/reference/machine.md, 3 and 4): one place for the fast
// models, the compiler's planner and its prediction. The beat models and the RTL count on their own, and tests hold them to this.
#pragma once
#include <algorithm>
#include <cstdint>

#include "config/machine.hpp"
#include "gemel/isa.gen.hpp"

namespace gemel {

// Output pixels P and passes of a matrix instruction.
inline std::int64_t matrix_pixels(const isa::Matrix& m) { return std::int64_t{m.out_planes} * m.out_height * m.out_width; }
inline std::int64_t matrix_passes(const isa::Matrix& m) {
  return std::int64_t{m.kernel_h} * m.kernel_w * m.cin_blocks * m.cout_blocks;
}

// The dataflow of the array. A pass holds R rows of one operand (stationary: the weights) in the array, and streams rows of the other
// (moving: the activations, one per pixel) past them. The next pass's stationary rows enter while this pass's moving rows stream.
class WeightStationary {
 public:
  explicit WeightStationary(const Machine& machine) : rows_(machine.rows), columns_(machine.columns) {}

  // Cycles from a pass's first moving row to the next pass's, within an instruction.
  std::int64_t interval(std::int64_t moving_rows) const { return std::max({moving_rows, rows_, ReuseDistance}); }

  // What an instruction leaves to the one behind it.
  struct Last {
    std::int64_t pass = -1'000'000'000;  // cycle of the first moving row of the last pass: a_last
    std::int64_t moving_rows = 0;        // P_last
  };
  // An instruction's cycles. All are cycles on the wires.
  struct Times {
    std::int64_t first_stationary = 0;  // first row of the first pass: wf[1]
    std::int64_t first_moving = 0;      // first row of the first pass: a[1]
    std::int64_t interval = 0;
    Last last;
    std::int64_t chain = 0, done = 0;
  };
  Times times(std::int64_t command, std::int64_t moving_rows, std::int64_t passes, const Last& before) const {
    Times t;
    t.interval = interval(moving_rows);
    t.first_stationary = std::max(command + 2, before.pass);
    t.first_moving = std::max(t.first_stationary + rows_, before.pass + std::max(before.moving_rows, ReuseDistance));
    t.last = {t.first_moving + (passes - 1) * t.interval, moving_rows};
    const std::int64_t last_stationary = passes == 1 ? t.first_stationary : t.last.pass - t.interval;
    t.chain = last_stationary + 1;
    t.done = t.last.pass + moving_rows - 1 + rows_ + columns_ + 3;
    return t;
  }

 private:
  static constexpr std::int64_t ReuseDistance = 3;  // a sum is read at t, arrives at t+1, is written at t+2, so it can be read again at t+3
  std::int64_t rows_, columns_;
};

// Words of param_buffer that a table takes.
inline int table_words(const Machine& machine) { return (isa::TableBytes + machine.columns - 1) / machine.columns; }

// What decides how long an instruction of the vector unit takes.
struct VectorWork {
  isa::Opcode opcode = isa::Opcode::Requantize;
  std::int64_t pixels = 1, blocks = 1;
  std::int64_t taps = 1;      // of a window
  bool table = false;
  bool shared = false;        // where it may be: one parameter set for all blocks
};
inline VectorWork vector_work(const isa::Vector& v) {
  return {v.opcode, std::int64_t{v.out_planes} * v.out_height * v.out_width, v.blocks, std::int64_t{v.kernel_h} * v.kernel_w, v.table != 0,
          v.param_shared != 0};
}

// Cycles from the first parameter read to the last step, both included.
inline std::int64_t vector_steps(const VectorWork& w, const Machine& machine) {
  const std::int64_t slices = (machine.columns + machine.lanes - 1) / machine.lanes;
  const isa::VectorReads& reads = isa::reads(w.opcode);
  const std::int64_t steps = reads.steps > 0 ? reads.steps : w.taps;  // of a pixel's slice
  std::int64_t prologue = w.table ? table_words(machine) : 0;
  std::int64_t per_block = 0;                                 // parameter words
  (w.shared || reads.shared == isa::Sharing::Must ? prologue : per_block) += reads.sets * isa::SetWords;
  return prologue + w.blocks * (per_block + w.pixels * slices * steps);
}

// Cycles from the command on the wires to done.
inline std::int64_t vector_cycles(const VectorWork& w, const Machine& machine) {
  constexpr std::int64_t Latency = 14, AddLatency = 20;  // from the step of a result's last slice to the write of its word
  return 2 + vector_steps(w, machine) + (isa::reads(w.opcode).twice() ? AddLatency : Latency);
}

}  // namespace gemel
