// SPDX-License-Identifier: Apache-2.0
// Sorted lists of cycle intervals, consumed window by window: how the DMA models turn their closed-form beat times into
// status counts without stepping. Intervals of one list are added in order and do not overlap.
#pragma once
#include <algorithm>
#include <deque>

#include "base/cycle.hpp"

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
  const std::deque<Interval>& list() const { return list_; }
  // Forgets everything up to and including cycle `last`.
  void drop_until(Cycle last) {
    while (!list_.empty() && list_.front().last <= last) list_.pop_front();
    if (!list_.empty() && list_.front().first <= last) list_.front().first = last + 1;
  }

 private:
  std::deque<Interval> list_;
};

// Within [first, last]: cycles covered by a or b, and cycles covered by `stuck` but by neither of them.
struct Coverage { Cycle busy = 0, stuck = 0; };

inline Coverage coverage(const Intervals& a, const Intervals& b, const Intervals& stuck, Cycle first, Cycle last) {
  Coverage result;
  auto ia = a.list().begin();
  auto ib = b.list().begin();
  auto is = stuck.list().begin();
  // Sweep: at t, find the state and how long it lasts.
  for (Cycle t = first; t <= last;) {
    Cycle until = last;
    bool busy = false, waiting = false;
    const auto look = [&](auto& it, const Intervals& list, bool& inside) {
      while (it != list.list().end() && it->last < t) ++it;
      if (it == list.list().end()) return;
      if (it->first <= t) {
        inside = true;
        until = std::min(until, it->last);
      } else {
        until = std::min(until, it->first - 1);
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
