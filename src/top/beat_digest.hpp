// SPDX-License-Identifier: Apache-2.0
// Rolling hashes of all beats on every connection: two runs are told apart by a single beat that is different, missing, or in
// another cycle. Whatever stands behind a block, its beats are hashed the same way.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "top/stepper.hpp"

namespace gemel {

class BeatDigest {
 public:
  void add(const Beat& beat) {
    One& one = ports_[static_cast<std::size_t>(beat.port)];
    // A request that waits counts when it appears and when it is taken: cycles in between may be skipped.
    const bool waits_on = beat.held && one.held;
    one.held = beat.held;
    if (waits_on) return;
    ++one.beats;
    one.times = mixed(mixed(one.times, static_cast<std::uint64_t>(beat.cycle)), beat.value);
    one.payloads = mixed(mixed(one.payloads, static_cast<std::uint64_t>(beat.cycle)), beat.value);
    const auto* bytes = static_cast<const std::uint8_t*>(beat.data);
    for (std::size_t at = 0; bytes != nullptr && at < beat.bytes; at += sizeof(std::uint64_t)) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes + at, std::min(sizeof word, beat.bytes - at));
      one.payloads = mixed(one.payloads, word);
    }
  }

  enum class What : std::uint8_t {
    Payloads,  // cycle, address and data
    Times,     // cycle and address
  };
  // "load_dma.ar of load_dma, ...": connections whose beats differ, with the blocks that drive them; empty if none does. Of the
  // chip as a whole (`outside`) only its AXI ports are known.
  std::string differences(const BeatDigest& other, What what, bool outside = false) const {
    std::string names;
    for (int p = 0; p < PortCount; ++p) {
      const auto port = static_cast<Port>(p);
      if (outside && (port < Port::FetchRequest || port > Port::StoreResponse)) continue;
      const One &a = ports_[static_cast<std::size_t>(p)], &b = other.ports_[static_cast<std::size_t>(p)];
      if (a.beats == b.beats && (what == What::Times ? a.times == b.times : a.payloads == b.payloads)) continue;
      names += std::string(names.empty() ? "" : ", ") + to_string(port) + " of " + driver(port);
    }
    return names;
  }
  std::int64_t beats() const {
    std::int64_t sum = 0;
    for (const One& one : ports_) sum += one.beats;
    return sum;
  }

 private:
  struct One {
    std::int64_t beats = 0;
    std::uint64_t times = 0, payloads = 0;
    bool held = false;
  };
  static std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {  // as splitmix64 does
    std::uint64_t z = (hash ^ value) + 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    return z ^ (z >> 27);
  }

  std::array<One, PortCount> ports_;
};

}  // namespace gemel
