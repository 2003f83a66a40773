// SPDX-License-Identifier: Apache-2.0
// Cycles that events of a chain wait for, first in, first out, and kept as runs at equal distances: what the fast models know of many bursts
// at once costs no more than what they know of one. A place that becomes free again is such a cycle; places that are free from the start
// are cycles LongAgo.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/cycle.hpp"
#include "base/ring.hpp"

namespace gemel {

inline constexpr Cycle LongAgo = -1'000'000'000;  // before everything; a distance may be added to it

class CycleQueue {
 public:
  struct Run {
    Cycle first = 0, period = 0;  // of cycle i: first + i * period
    std::int64_t count = 0;
  };

  void push(Cycle first, Cycle period = 0, std::int64_t count = 1) {
    if (count == 0) return;
    if (!runs_.empty()) {
      Run& back = runs_.back();
      const Cycle distance = first - (back.first + (back.count - 1) * back.period);
      if ((back.count == 1 || back.period == distance) && (count == 1 || period == distance)) {
        back.period = distance;
        back.count += count;
        return;
      }
    }
    runs_.push_back({first, period, count});
  }
  bool empty() const { return runs_.empty(); }
  Cycle front() const { return runs_.front().first; }
  // The front, and what follows at equal distances.
  const Run& run() const { return runs_.front(); }
  // At most run().count.
  void pop(std::int64_t count = 1) {
    Run& run = runs_.front();
    if ((run.count -= count) == 0) {
      runs_.pop_front();
    } else {
      run.first += count * run.period;
    }
  }

 private:
  Ring<Run> runs_;
};

// An event happens `after` cycles behind the front of the queue at the earliest, which then leaves it.
struct Wait {
  CycleQueue& queue;
  Cycle after;
};

struct Steady {
  Cycle period = 0;
  std::int64_t count = 0;
};

// An event happens in cycle `at`. Each that follows happens as soon as its waits allow, and at least `least` (1 or more) cycles behind the one
// before. As many of these, at most `most`, as are known and keep one distance: they leave the queues.
template <std::size_t N>
Steady take_steady(Cycle at, Cycle least, std::int64_t most, const std::array<Wait, N>& waits) {
  Steady steady;
  while (steady.count < most) {
    std::int64_t n = most - steady.count;
    for (const Wait& wait : waits) {
      if (wait.queue.empty()) return steady;
      n = std::min(n, wait.queue.run().count);
    }
    if (steady.count == 0) {
      Cycle next = at + least;
      for (const Wait& wait : waits) next = std::max(next, wait.queue.front() + wait.after);
      steady.period = next - at;
    }
    // Of the next n, each wait is regular: for none may it end behind the event's turn, and for the event not to be early, one must end with it.
    const Cycle next = at + (steady.count + 1) * steady.period;
    bool in_time = steady.period == least, all_in_time = in_time;
    for (const Wait& wait : waits) {
      const Cycle slack = next - (wait.queue.front() + wait.after), gain = steady.period - wait.queue.run().period;
      if (slack < 0) return steady;
      if (gain < 0) n = std::min(n, slack / -gain + 1);
      in_time |= slack == 0;
      all_in_time |= slack == 0 && gain == 0;
    }
    if (!in_time) return steady;
    if (!all_in_time) n = 1;
    for (const Wait& wait : waits) wait.queue.pop(n);
    steady.count += n;
  }
  return steady;
}

}  // namespace gemel
