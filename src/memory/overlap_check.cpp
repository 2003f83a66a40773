// SPDX-License-Identifier: Apache-2.0
#include "memory/overlap_check.hpp"

#include <algorithm>

namespace gemel {

// The bounds grow with each read; here they become tight again.
void OverlapCheck::look(std::uint64_t first, std::uint64_t bytes, Cycle now) {
  while (!reads_.empty() && reads_.front().last_beat < now) drop_front();
  lowest_ = ~std::uint64_t{0};
  end_ = 0;
  for (std::size_t i = 0; i < reads_.size(); ++i) {
    const Read& read = reads_[i];
    lowest_ = std::min(lowest_, read.first);
    end_ = std::max(end_, read.last + 1);
    if (read.first >= first + bytes || first > read.last) continue;
    // A read accepted in this very cycle has been sampled before the write takes effect.
    if (read.accepted < now && now <= read.last_beat && violation_.empty()) {
      violation_ = "a write of [" + std::to_string(first) + ", +" + std::to_string(bytes) + ") at cycle " + std::to_string(now) +
                   " meets an outstanding read of [" + std::to_string(read.first) + ".." + std::to_string(read.last) + "] by " + read.who;
    }
  }
}

}  // namespace gemel
