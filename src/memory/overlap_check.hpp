// SPDX-License-Identifier: Apache-2.0
// The rule that keeps data independent of time (docs/reference/machine.md, 7): no write may take effect on bytes of a read burst that is
// outstanding, that is, accepted in an earlier cycle and with its last beat in this cycle or later. It holds for any memory: a read
// is told when it is accepted, its last beat when the memory knows it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/cycle.hpp"
#include "base/ring.hpp"

namespace gemel {

class OverlapCheck {
 public:
  // A train of bursts.
  struct Read {
    std::uint64_t address = 0;
    std::uint32_t bytes = 0;                     // of a burst
    std::int64_t count = 1;                      // bursts
    std::uint64_t stride = 0;                    // between their addresses
    Cycle accepted = 0, accepted_period = 0;     // burst i: accepted + i * accepted_period
    Cycle last_beat = 0, last_beat_period = 0;   // Never: not known yet, of a single burst
    const char* who = nullptr;                   // reads, for the message

    std::uint64_t end() const { return address + static_cast<std::uint64_t>(count - 1) * stride + bytes; }
    Cycle over() const { return last_beat + (count - 1) * last_beat_period; }
  };

  // Its number.
  std::int64_t read(const Read& read) {
    while (!reads_.empty() && reads_.front().over() < read.accepted) drop_front();
    reads_.push() = read;
    lowest_ = std::min(lowest_, read.address);
    end_ = std::max(end_, read.end());
    return dropped_ + static_cast<std::int64_t>(reads_.size()) - 1;
  }
  void last_beat(std::int64_t read, Cycle cycle) { reads_[static_cast<std::size_t>(read - dropped_)].last_beat = cycle; }

  // Whether a write of [first, first + bytes) may break the rule; a false answer is certain.
  bool may_meet(std::uint64_t first, std::uint64_t bytes) const { return lowest_ < first + bytes && first < end_; }
  // A write takes effect in cycle `now`; cycles of reads and writes come in order.
  void write(std::uint64_t first, std::uint64_t bytes, Cycle now) {
    if (may_meet(first, bytes)) look(first, bytes, now);
  }
  // What the first write that broke the rule did; empty if none has.
  const std::string& violation() const { return violation_; }
  void reset() { *this = OverlapCheck(); }

 private:
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
