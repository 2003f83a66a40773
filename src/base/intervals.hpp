// SPDX-License-Identifier: Apache-2.0
// Sorted lists of cycle intervals, consumed window by window: how the DMA models turn their closed-form beat times into
// status counts without stepping. Intervals of one list are added in order and do not overlap; those at equal distances are kept as one run.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/cycle.hpp"
#include "base/ring.hpp"

namespace gemel {

class Intervals {
 public:
  struct Run {
    Cycle first, last;       // of the first interval
    Cycle period = 0;        // from one to the next
    std::int64_t count = 1;  // intervals

    Cycle end() const { return last + (count - 1) * period; }
    void drop(std::int64_t n) {  // the first n
      first += n * period;
      last += n * period;
      count -= n;
    }
  };

  void add(Cycle first, Cycle last) {
    if (last < first) return;
    if (!runs_.empty() && runs_.back().count == 1 && runs_.back().last + 1 == first) {
      runs_.back().last = last;
    } else {
      runs_.push_back({first, last});
    }
  }
  // `count` intervals, each `period` cycles behind the one before: at least as many as it is long.
  void add(Cycle first, Cycle last, Cycle period, std::int64_t count) {
    if (count == 1 || last - first + 1 == period) {
      add(first, last + (count - 1) * period);
    } else {
      runs_.push_back({first, last, period, count});
    }
  }
  const Ring<Run>& runs() const { return runs_; }
  bool empty() const { return runs_.empty(); }
  // Forgets everything up to and including cycle `last`.
  void drop_until(Cycle last) {
    while (!runs_.empty() && runs_.front().end() <= last) runs_.pop_front();
    if (runs_.empty()) return;
    Run& run = runs_.front();
    if (run.last <= last) run.drop((last - run.last) / run.period + 1);
    if (run.count == 1) run.first = std::max(run.first, last + 1);  // of a longer run what is past is left, and looked at by nobody
  }

 private:
  Ring<Run> runs_;
};

// Cycles within [first, last] that any of the lists covers.
template <std::size_t N>
Cycle covered(const std::array<const Intervals*, N>& lists, Cycle first, Cycle last) {
  struct Next {
    std::size_t index = 0;                      // of the run after this one
    Intervals::Run run = {Never, Never, 0, 1};  // what is left of it
  };
  std::array<Next, N> next;
  const auto take_run = [&](std::size_t l) {
    const Ring<Intervals::Run>& runs = lists[l]->runs();
    next[l].run = next[l].index < runs.size() ? runs[next[l].index++] : Intervals::Run{Never, Never, 0, 1};
  };
  for (std::size_t l = 0; l < N; ++l) take_run(l);
  Cycle sum = 0;
  for (;;) {  // the interval that begins first
    std::size_t l = 0;
    for (std::size_t i = 1; i < N; ++i) {
      if (next[i].run.first < next[l].run.first) l = i;
    }
    Intervals::Run& run = next[l].run;
    if (run.first > last) return sum;
    const Cycle from = std::max(run.first, first), to = std::min(run.last, last);
    if (from <= to) {
      sum += to - from + 1;
      first = to + 1;
    }
    if (run.count > 1) {
      run.drop(1);
    } else {
      take_run(l);
    }
  }
}

// Within [first, last]: cycles covered by a or b, and cycles covered by `stuck` but by neither of them.
struct Coverage { Cycle busy = 0, stuck = 0; };

inline Coverage coverage(const Intervals& a, const Intervals& b, const Intervals& stuck, Cycle first, Cycle last) {
  const Cycle busy = covered<2>({&a, &b}, first, last);
  return {busy, stuck.empty() ? 0 : covered<3>({&a, &b, &stuck}, first, last) - busy};
}

}  // namespace gemel
