// SPDX-License-Identifier: Apache-2.0
// Sorted lists of cycle intervals, consumed window by window: how the DMA models turn their closed-form beat times into
// status counts without stepping. Intervals of one list are added in order and do not overlap.
#pragma once
#include <algorithm>
#include <cstddef>

#include "base/cycle.hpp"
#include "base/ring.hpp"

namespace gemel {

class Intervals {
 public:
  struct Interval { Cycle first, last; };

  void add(Cycle first, Cycle last) {
    if (last < first) return;
    if (!list_.empty() && list_.back().last + 1 == first) {
      list_.back().last = last;
    } else {
      list_.push_back({first, last});
    }
  }
  const Ring<Interval>& list() const { return list_; }
  // Forgets everything up to and including cycle `last`.
  void drop_until(Cycle last) {
    while (!list_.empty() && list_.front().last <= last) list_.pop_front();
    if (!list_.empty() && list_.front().first <= last) list_.front().first = last + 1;
  }
  // Cycles covered within [first, last]; forgets everything up to `last`, as drop_until() does.
  Cycle take(Cycle first, Cycle last) {
    Cycle covered = 0;
    while (!list_.empty()) {
      Interval& next = list_.front();
      if (next.first > last) break;
      const Cycle from = std::max(next.first, first);
      if (next.last > last) {
        covered += last - from + 1;
        next.first = last + 1;
        break;
      }
      if (next.last >= from) covered += next.last - from + 1;
      list_.pop_front();
    }
    return covered;
  }

 private:
  Ring<Interval> list_;
};

// Within [first, last]: cycles covered by a or b, and cycles covered by `stuck` but by neither of them.
struct Coverage { Cycle busy = 0, stuck = 0; };

inline Coverage coverage(const Intervals& a, const Intervals& b, const Intervals& stuck, Cycle first, Cycle last) {
  Coverage result;
  std::size_t ia = 0, ib = 0, is = 0;
  // Sweep: at t, find the state and how long it lasts.
  for (Cycle t = first; t <= last;) {
    Cycle until = last;
    bool busy = false, waiting = false;
    const auto look = [&](std::size_t& i, const Intervals& intervals, bool& inside) {
      const auto& list = intervals.list();
      while (i < list.size() && list[i].last < t) ++i;
      if (i == list.size()) return;
      if (list[i].first <= t) {
        inside = true;
        until = std::min(until, list[i].last);
      } else {
        until = std::min(until, list[i].first - 1);
      }
    };
    look(ia, a, busy);
    look(ib, b, busy);
    look(is, stuck, waiting);
    const Cycle span = until - t + 1;
    if (busy) {
      result.busy += span;
    } else if (waiting) {
      result.stuck += span;
    }
    t = until + 1;
  }
  return result;
}

}  // namespace gemel
