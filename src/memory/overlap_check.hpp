// SPDX-License-Identifier: Apache-2.0
// The rule that keeps data independent of time (docs/reference/machine.md, 7): no write may take effect on bytes of a read burst that is
// outstanding, that is, accepted in an earlier cycle and with its last beat in this cycle or later. It holds for any memory: a read
// is told when it is accepted, its last beat when the memory knows it.
#pragma once
#include <cstdint>
#include <string>

#include "base/cycle.hpp"
#include "base/ring.hpp"

namespace gemel {

class OverlapCheck {
 public:
  // A read of [first, last]; its number. `last_beat`: Never, if it is not known yet. `who` reads, for the message.
  std::int64_t read(std::uint64_t first, std::uint64_t last, Cycle accepted, Cycle last_beat, const char* who) {
    while (!reads_.empty() && reads_.front().last_beat < accepted) drop_front();
    reads_.push_back({first, last, accepted, last_beat, who});
    if (first < lowest_) lowest_ = first;
    if (last >= end_) end_ = last + 1;
    return dropped_ + static_cast<std::int64_t>(reads_.size()) - 1;
  }
  void last_beat(std::int64_t read, Cycle cycle) { reads_[static_cast<std::size_t>(read - dropped_)].last_beat = cycle; }

  // A write takes effect in cycle `now`; cycles of reads and writes come in order.
  void write(std::uint64_t first, std::uint64_t bytes, Cycle now) {
    if (lowest_ < first + bytes && first < end_) look(first, bytes, now);
  }
  // What the first write that broke the rule did; empty if none has.
  const std::string& violation() const { return violation_; }
  void reset() { *this = OverlapCheck(); }

 private:
  struct Read { std::uint64_t first = 0, last = 0; Cycle accepted = 0, last_beat = 0; const char* who = nullptr; };

  void look(std::uint64_t first, std::uint64_t bytes, Cycle now);
  void drop_front() {
    reads_.pop_front();
    ++dropped_;
  }

  Ring<Read> reads_;  // in the order in which they were accepted; those that are over leave from the front
  std::int64_t dropped_ = 0;
  std::uint64_t lowest_ = ~std::uint64_t{0}, end_ = 0;  // bounds of their addresses, at least
  std::string violation_;
};

}  // namespace gemel
