// SPDX-License-Identifier: Apache-2.0
// matrix_unit, fast model in front of a clocked pe_array: everything that the unit puts on the array's ports, and when, is known when an
// instruction starts (matrix_unit_ports.hpp). So the array is clocked through a whole instruction at once, late, but before anybody may
// read what comes out; cycles in which it rests are left out. Scratchpads are read and written directly.
#pragma once
#include <deque>
#include <vector>

#include "base/clocked.hpp"
#include "base/cycle.hpp"
#include "base/ring.hpp"
#include "blocks/matrix_unit/matrix_unit_ports.hpp"
#include "blocks/scratchpad/scratchpad.hpp"
#include "config/machine.hpp"

namespace gemel {

class MatrixUnitFeeder {
 public:
  MatrixUnitFeeder(const Machine& machine, Clocked<PeArrayIn, PeArrayOut>& array, Scratchpad& activation, Scratchpad& weight,
                   Scratchpad& accumulator);

  // Resets the array; the first clock is that of cycle `first`.
  void reset(Cycle first);
  // One instruction more, behind the others: wf[1], a[1] and the distance of passes of matrix_unit_ports.hpp.
  void enqueue(const isa::Matrix& m, Cycle first_weight, Cycle first_pass, Cycle interval);
  // Clocks the array in all cycles up to `last` that have not been clocked yet. False, from then on, if sums have not come when they
  // must, or if the array has thrown: then nothing is clocked any more, and accumulators hold anything.
  [[gnu::hot]] bool run_through(Cycle last);

 private:
  struct Job {
    isa::Matrix m;
    std::int64_t pixels = 0, passes = 0;
    Cycle first_weight = 0, first_pass = 0, interval = 0;
  };
  // What becomes of a row's sums.
  struct Due {
    Cycle at = 0;  // on the wires
    std::uint32_t accumulator = 0;
    bool overwrite = false;
  };

  [[gnu::hot]] void clock_through(Cycle last);
  void begin_load();
  void begin_pass();
  [[gnu::hot]] void put_weights(PeArrayIn& in);
  [[gnu::hot]] void put_activations(PeArrayIn& in);
  [[gnu::hot]] void take_sums(const PeArrayOut& out);

  Clocked<PeArrayIn, PeArrayOut>& array_;
  Scratchpad &activation_, &weight_;
  std::int32_t* accumulator_;
  int rows_, columns_;
  Cycle now_ = 0;                      // not clocked yet
  bool failed_ = false;

  std::deque<Job> jobs_;               // from the one whose activations enter
  std::size_t load_job_ = 0;           // in jobs_: whose weights enter
  std::int64_t load_ = 0;              // pass of it
  int load_row_ = 0;                   // the next one, from the last to the first
  Cycle load_at_ = Never;              // when it enters the array

  std::int64_t pass_ = 0;              // of jobs_.front()
  int ky_ = 0, kx_ = 0, cb_ = 0, n_ = 0;
  int z_ = 0, oy_ = 0, ox_ = 0;
  std::int64_t row_ = 0;               // pixel of the pass: the next one
  std::uint32_t row_accumulator_ = 0;
  Cycle row_at_ = Never;               // when it enters the array

  Ring<Due> due_;
  std::vector<std::int16_t> weights_, activations_;
};

}  // namespace gemel
