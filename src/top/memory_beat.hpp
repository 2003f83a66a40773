// SPDX-License-Identifier: Apache-2.0
// Bridge and memory over a vector of bytes, for stepping without SystemC: the timing core's face cycle by cycle.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "memory/plain_memory.hpp"
#include "top/axi_bridge.hpp"

namespace gemel {

class IdealMemoryBeat : public AxiBridge {
 public:
  // The bytes stay where they are, and so many.
  IdealMemoryBeat(const Machine& machine, MemoryBytes bytes, std::unique_ptr<MemoryDevice> device = nullptr);
  IdealMemoryBeat(const Machine& machine, std::vector<std::uint8_t>& bytes, std::unique_ptr<MemoryDevice> device = nullptr);

  // Forgets every request and answer under way, as when the chip and its interconnect are reset. Bytes and poison stay.
  void reset();
  // Bursts that touch [first, last] are answered with an error, for tests.
  void poison(std::uint64_t first, std::uint64_t last) { timing_.bytes().poison(first, last); }
  // A write met bytes of an outstanding read burst of another port; empty if none did.
  const std::string& violation() const { return timing_.violation(); }

 protected:
  void end_of_cycle() override { plain_.advance(now() - 1); }
  Cycle next_answer() const override { return timing_.next_change(); }

 private:
  MemoryTiming timing_;
  PlainMemory plain_;
};

}  // namespace gemel
