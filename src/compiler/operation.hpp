// SPDX-License-Identifier: Apache-2.0
// What lowering leaves behind: the instructions in sequential order (each may use what those before it have done), with
// what synchronization and prediction need to know of them; and the rings that hand out words of a scratchpad.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "isa/isa.hpp"

namespace gemel::compiler {

inline constexpr int Units = isa::UnitCount;

struct Operation {
  isa::Instruction instruction;
  int layer = 0;
  // Memory that the instruction reads (load) or writes (store): a hull, first byte and one past the last. Empty for
  // constants, which nothing writes.
  std::uint64_t memory_first = 0, memory_end = 0;
  std::int64_t words = 0;  // load, store: buffer words moved
  std::int64_t runs = 0;   // load, store: contiguous runs in memory
  // Filled by predict(): cycle in which the command is on the wires, and done.
  std::int64_t start = 0, done = 0;

  int unit() const { return static_cast<int>(instruction.unit); }
  isa::Header& header() {
    switch (instruction.unit) {
      case isa::Unit::Load: return instruction.load;
      case isa::Unit::Matrix: return instruction.matrix;
      case isa::Unit::Vector: return instruction.vector;
      case isa::Unit::Store: return instruction.store;
      case isa::Unit::None: break;
    }
    return instruction.halt;
  }
};

// Hands out intervals of words from [first, first + size), each behind the one before, wrapping round. Intervals that
// are kept are stepped over; all others may be handed out again at once: the sequential order makes that correct, and
// synchronization makes the units wait where they have to.
class Ring {
 public:
  Ring() = default;
  Ring(std::int64_t first, std::int64_t size, std::int64_t align = 1)
      : first_(first), end_(first + size), align_(std::max<std::int64_t>(1, align)), head_(first) {}

  std::int64_t size() const { return end_ - first_; }

  // First word of an interval of `words` words that meets nothing that is kept; -1 if there is none. It is kept.
  std::int64_t take(std::int64_t words) {
    const std::int64_t from = find(head_, words);
    const std::int64_t at = from >= 0 ? from : find(first_, words);
    if (at < 0) return -1;
    kept_.push_back({at, at + words});
    head_ = at + words;
    return at;
  }
  // Makes sure that `words` can be taken piece by piece without a gap: begins anew at the front if the end is too near.
  void prepare(std::int64_t words) {
    if (kept_.empty() && head_ + words > end_) head_ = first_;
  }
  void release(std::int64_t base) {
    kept_.erase(std::remove_if(kept_.begin(), kept_.end(), [&](const Interval& k) { return k.first == base; }), kept_.end());
  }
  void release_all() { kept_.clear(); }
  void reset() {
    kept_.clear();
    head_ = first_;
  }
  // Goes on in the half in which it is not.
  void other_half() {
    const std::int64_t middle = first_ + (end_ - first_) / 2;
    head_ = head_ > middle || head_ == first_ ? first_ : middle;
  }

 private:
  struct Interval {
    std::int64_t first, end;
  };
  std::int64_t round_up(std::int64_t at) const { return first_ + (at - first_ + align_ - 1) / align_ * align_; }
  std::int64_t find(std::int64_t from, std::int64_t words) const {
    std::int64_t at = round_up(from);
    for (bool moved = true; moved;) {
      moved = false;
      if (at + words > end_) return -1;
      for (const Interval& k : kept_) {
        if (at < k.end && k.first < at + words) {
          at = round_up(k.end);
          moved = true;
        }
      }
    }
    return at;
  }

  std::int64_t first_ = 0, end_ = 0, align_ = 1, head_ = 0;
  std::vector<Interval> kept_;
};

}  // namespace gemel::compiler
