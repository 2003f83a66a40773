// SPDX-License-Identifier: Apache-2.0
// The address generator of both DMAs: walks the runs of an instruction (i2 outer, i1 inner) and cuts each run's bytes at
// multiples of the burst size. One burst per call, as a register that is renewed each time a request leaves. And, for those who take
// many bursts at once, how many of them are alike.
#pragma once
#include <algorithm>
#include <cstdint>

namespace gemel {

class BurstCutter {
 public:
  struct Burst {
    std::uint64_t address = 0;  // of its first byte
    std::uint32_t bytes = 0;
    bool last = false;          // of the instruction
  };

  explicit BurstCutter(int burst_bytes) : burst_bytes_(static_cast<std::uint64_t>(burst_bytes)) {}

  // `bytes` of each run are wanted, from its first on; at least 1.
  void start(std::uint64_t address, std::int64_t bytes, std::int64_t count1, std::uint64_t stride1, std::int64_t count2,
             std::uint64_t stride2) {
    row_ = run_ = at_ = address;
    bytes_ = static_cast<std::uint64_t>(bytes);
    count1_ = left1_ = count1;
    left2_ = count2;
    stride1_ = stride1;
    stride2_ = stride2;
    cut();
  }
  bool any() const { return left2_ > 0; }
  const Burst& next() const { return burst_; }

  void advance() {
    at_ += burst_.bytes;
    if (at_ == run_ + bytes_) {
      run_ += stride1_;
      if (--left1_ == 0) {
        left1_ = count1_;
        row_ += stride2_;
        run_ = row_;
        if (--left2_ == 0) return;
      }
      at_ = run_;
    }
    cut();
  }

 private:
  void cut() {
    const std::uint64_t end = run_ + bytes_;
    const std::uint64_t boundary = (at_ / burst_bytes_ + 1) * burst_bytes_;
    const std::uint64_t stop = std::min(end, boundary);
    burst_.address = at_;
    burst_.bytes = static_cast<std::uint32_t>(stop - at_);
    burst_.last = stop == end && left1_ == 1 && left2_ == 1;
  }

  std::uint64_t burst_bytes_;
  std::uint64_t row_ = 0, run_ = 0, at_ = 0, bytes_ = 0, stride1_ = 0, stride2_ = 0;
  std::int64_t count1_ = 0, left1_ = 0, left2_ = 0;
  Burst burst_;
};

// Behind a burst of `bytes` at `address`, at distances of `stride`: how many of the next `most` are whole bursts of as many bytes, as they cross no
// multiple of `burst_bytes` (a power of two). The first crosses none.
inline std::int64_t uncut_bursts(std::uint64_t address, std::uint32_t bytes, std::uint64_t stride, std::uint64_t burst_bytes, std::int64_t most) {
  const std::uint64_t mask = burst_bytes - 1, room = burst_bytes - bytes;  // behind a boundary, for where a burst begins
  if ((stride & mask) == 0) return most;  // all lie alike
  std::int64_t n = 0;
  while (n < most && ((address + static_cast<std::uint64_t>(n + 1) * stride) & mask) <= room) ++n;
  return n;
}

}  // namespace gemel
