// SPDX-License-Identifier: Apache-2.0
// Bursts of the chip and accesses of a memory device differ in size: a splitter cuts bursts at multiples of the device's access size, a collector
// puts the answers together again. Store and forward: a burst's beats follow each other when its last piece is there. Bursts of a port are
// answered in order, and their beats do not overlap.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/cycle.hpp"
#include "base/ring.hpp"

namespace gemel {

// The pieces of [address, address + bytes): none crosses a multiple of `access_bytes`, a power of two. Neither number is 0.
class PieceSplitter {
 public:
  struct Piece { std::uint64_t address = 0; std::uint32_t bytes = 0; };

  PieceSplitter(std::uint64_t address, std::uint32_t bytes, std::uint32_t access_bytes)
      : at_(address), end_(address + bytes), access_(access_bytes) {}

  std::uint32_t count() const { return static_cast<std::uint32_t>((end_ - 1) / access_ - at_ / access_) + 1; }  // still to come
  bool any() const { return at_ < end_; }
  Piece next() {
    const std::uint64_t stop = std::min(end_, (at_ / access_ + 1) * access_);
    const Piece piece{at_, static_cast<std::uint32_t>(stop - at_)};
    at_ = stop;
    return piece;
  }

 private:
  std::uint64_t at_, end_, access_;
};

// The bursts of one port that a device has not completed, oldest first. T: what belongs to a burst besides.
template <class T>
class BurstCollector {
 public:
  struct Answer { Cycle first = 0, last = 0; T burst; };  // first and last beat

  // A burst of so many pieces (0: nothing to wait for but `from`), which answers in `beats` beats, none of them before cycle `from`; its number.
  std::int64_t open(std::uint32_t pieces, std::int64_t beats, Cycle from, T burst) {
    bursts_.push_back({pieces, beats, from, std::move(burst)});
    return first_ + static_cast<std::int64_t>(bursts_.size()) - 1;
  }
  // A piece of that burst is there in cycle `at`: its data may be on the wires then.
  void piece(std::int64_t burst, Cycle at) {
    Open& open = bursts_[static_cast<std::size_t>(burst - first_)];
    --open.missing;
    open.ready = std::max(open.ready, at);
  }
  // The oldest burst is complete.
  bool complete() const { return !bursts_.empty() && bursts_.front().missing == 0; }
  // Takes it. Its beats come after those of the burst before.
  Answer take() {
    Open& open = bursts_.front();
    Answer answer{std::max(open.ready, free_), 0, std::move(open.burst)};
    free_ = answer.first + open.beats;
    answer.last = free_ - 1;
    bursts_.pop_front();
    ++first_;
    return answer;
  }
  bool empty() const { return bursts_.empty(); }

 private:
  struct Open { std::uint32_t missing = 0; std::int64_t beats = 0; Cycle ready = 0; T burst; };

  Ring<Open> bursts_;
  std::int64_t first_ = 0;  // number of bursts_.front()
  Cycle free_ = 0;          // first cycle without a beat of what has been taken
};

}  // namespace gemel
