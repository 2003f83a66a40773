// SPDX-License-Identifier: Apache-2.0
#include "memory/overlap_check.hpp"

#include <algorithm>

namespace gemel {

// The bounds grow with each read; here they become tight again.
void OverlapCheck::look(std::uint64_t first, std::uint64_t bytes, Cycle now) {
  while (!reads_.empty() && reads_.front().over() < now) drop_front();
  lowest_ = ~std::uint64_t{0};
  end_ = 0;
  for (std::size_t i = 0; i < reads_.size(); ++i) {
    const Read& read = reads_[i];
    lowest_ = std::min(lowest_, read.address);
    end_ = std::max(end_, read.end());
    if (read.address >= first + bytes || first >= read.end()) continue;
    for (std::int64_t burst = 0; burst < read.count; ++burst) {
      const std::uint64_t address = read.address + static_cast<std::uint64_t>(burst) * read.stride;
      if (address >= first + bytes || first >= address + read.bytes) continue;
      // A read accepted in this very cycle has been sampled before the write takes effect.
      const bool outstanding = read.accepted + burst * read.accepted_period < now && now <= read.last_beat + burst * read.last_beat_period;
      if (!outstanding || !violation_.empty()) continue;
      violation_ = "a write of [" + std::to_string(first) + ", +" + std::to_string(bytes) + ") at cycle " + std::to_string(now) +
                   " meets an outstanding read of [" + std::to_string(address) + ".." + std::to_string(address + read.bytes - 1) + "] by " +
                   read.who;
    }
  }
}

}  // namespace gemel
