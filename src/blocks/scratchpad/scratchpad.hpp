// SPDX-License-Identifier: Apache-2.0
// scratchpad: a banked, software-managed SRAM; five instances (enum Buffer).
// Contract: word w lives in bank w / bank_words. Per bank one read and one write per cycle; read data one cycle later; never
// refused. A read and a write of one word in one cycle is an error. Starts as zero. Who may use a port is decided by claims
// in the sequencer, not here.
// Scratchpad is the storage itself, with direct access for the fast models (TLM's DMI, inside the chip).
#pragma once
#include <cstdint>
#include <vector>

#include "config/machine.hpp"

namespace gemel {

class Scratchpad {
 public:
  Scratchpad(const Machine& machine, Buffer buffer)
      : word_bytes_(machine.word_bytes(buffer)),
        words_(machine.words(buffer)),
        bytes_(static_cast<std::size_t>(words_) * static_cast<std::size_t>(word_bytes_) + 64) {}  // 64: vector over-reads

  int word_bytes() const { return word_bytes_; }
  std::int64_t words() const { return words_; }
  std::uint8_t* word(std::int64_t index) { return bytes_.data() + index * word_bytes_; }
  const std::uint8_t* word(std::int64_t index) const { return bytes_.data() + index * word_bytes_; }
  std::uint8_t* data() { return bytes_.data(); }

 private:
  int word_bytes_;
  std::int64_t words_;
  std::vector<std::uint8_t> bytes_;
};

}  // namespace gemel
