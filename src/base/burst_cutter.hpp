// SPDX-License-Identifier: Apache-2.0
// The address generator of both DMAs: walks the runs of an instruction (i2 outer, i1 inner) and cuts each run's bytes at
// multiples of the burst size. One burst per call, as a register that is renewed each time a request leaves.
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

}  // namespace gemel
