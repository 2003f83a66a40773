// SPDX-License-Identifier: Apache-2.0
// A device for tests: accesses of 32 or 64 bytes, few places, one access begun per cycle in an order of its own, and random times.
#pragma once
#include <random>
#include <vector>

#include "memory/memory_device.hpp"

namespace gemel::test {

class ReorderingDevice : public MemoryDevice {
 public:
  struct Served { MemoryAccess access; Cycle arrived = 0, begun = 0, done = 0; };

  ReorderingDevice(std::uint32_t access_bytes, std::size_t places, std::uint64_t seed)
      : access_bytes_(access_bytes), places_(places), seed_(seed), random_(seed) {}

  std::uint32_t access_bytes() const override { return access_bytes_; }
  bool accepts(bool write) const override { return (write ? writes_ : reads_) < places_; }
  void request(const MemoryAccess& access, Cycle at) override {
    if (!accepts(access.write)) throw std::logic_error("no place");
    if (at <= now_ || (!waiting_.empty() && at < waiting_.back().arrived)) throw std::logic_error("a request of the past");
    ++(access.write ? writes_ : reads_);
    waiting_.push_back({access, at});
  }
  Cycle next_change() const override {
    Cycle next = Never;
    for (const Served& w : waiting_) next = std::min(next, std::max(now_ + 1, w.arrived));
    return next;
  }
  void advance(Cycle now, std::vector<MemoryAccessDone>& done) override {
    while (now_ < now) {
      const Cycle next = next_change();
      now_ = std::min(now, next);
      if (next > now) break;
      // Any of those that have arrived.
      std::vector<std::size_t> there;
      for (std::size_t i = 0; i < waiting_.size(); ++i) {
        if (waiting_[i].arrived <= now_) there.push_back(i);
      }
      const std::size_t chosen = there[random_() % there.size()];
      Served served = waiting_[chosen];
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(chosen));
      --(served.access.write ? writes_ : reads_);
      served.begun = now_;
      served.done = now + 1 + static_cast<Cycle>(random_() % 40);
      done.push_back({served.access.id, served.done});
      log.push_back(served);
    }
    now_ = now;
  }
  void reset() override {
    random_.seed(seed_);
    waiting_.clear();
    reads_ = writes_ = 0;
    now_ = -1;
  }

  std::vector<Served> log;

 private:
  std::uint32_t access_bytes_;
  std::size_t places_, reads_ = 0, writes_ = 0;
  std::uint64_t seed_;
  std::mt19937_64 random_;
  std::vector<Served> waiting_;
  Cycle now_ = -1;
};

}  // namespace gemel::test
