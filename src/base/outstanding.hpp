// SPDX-License-Identifier: Apache-2.0
// Requests to memory under way, as a DMA's fast model knows them: N at most are unanswered, and memory's queue holds Q at most. A request
// needs the answer of the one N before it to be made, and, where Q < N, the answer of the one Q before it to be accepted.
#pragma once
#include <algorithm>
#include <cstdint>

#include "base/cycle_queue.hpp"

namespace gemel {

class Outstanding {
 public:
  Outstanding(std::int64_t most, std::int64_t places) : most_(most), queue_is_short_(places < most) {
    answered_.push(LongAgo, 0, most);
    if (queue_is_short_) left_queue_.push(LongAgo, 0, places);
  }

  std::int64_t most() const { return most_; }
  // Else a request is accepted as soon as it is made.
  bool queue_is_short() const { return queue_is_short_; }
  // So many requests, in their order.
  void answered(Cycle first, Cycle period, std::int64_t count) {
    answered_.push(first, period, count);
    if (queue_is_short_) left_queue_.push(first, period, count);
  }
  // The answers that the next requests wait for.
  CycleQueue& answers() { return answered_; }
  // Moves the cycle in which a request is on the wires to the one in which memory's queue has a place for it; false: that is not known yet.
  bool accept(Cycle& at) {
    if (!queue_is_short_) return true;
    if (left_queue_.empty()) return false;
    at = std::max(at, left_queue_.front() + 1);
    left_queue_.pop();
    return true;
  }

 private:
  const std::int64_t most_;
  const bool queue_is_short_;
  CycleQueue answered_, left_queue_;
};

}  // namespace gemel
