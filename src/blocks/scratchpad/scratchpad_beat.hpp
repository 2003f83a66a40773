// SPDX-License-Identifier: Apache-2.0
// scratchpad, beat model: storage, an output register per read client, and watchdogs over what claims should have prevented.
#pragma once
#include <vector>

#include "base/clocked.hpp"
#include "blocks/scratchpad/scratchpad_ports.hpp"
#include "config/machine.hpp"

namespace gemel {

class ScratchpadBeat : public Clocked<ScratchpadIn, ScratchpadOut> {
 public:
  ScratchpadBeat(const Machine& machine, Buffer buffer);

  void reset() override;
  const ScratchpadOut& out() const override { return out_; }
  [[gnu::hot]] void step(const ScratchpadIn& in) override;
  bool quiet() const override { return out_.fault == ScratchpadFault::None; }

  int word_bytes() const { return word_bytes_; }
  std::int64_t words() const { return words_; }
  const std::uint8_t* word(std::int64_t index) const { return bytes_.data() + index * word_bytes_; }
  // For tests and preloading: as if written in an earlier cycle.
  void poke(std::int64_t index, const std::uint8_t* data);

 private:
  void fault(ScratchpadFault kind, std::uint32_t address);
  [[gnu::hot]] void check_banks(const ScratchpadIn& in);

  int word_bytes_;
  std::int64_t words_, bank_words_;
  std::vector<std::uint8_t> bytes_;
  std::vector<bool> written_;
  // Two registers per client in turn, so that the one on the wires outlives the step.
  std::array<std::array<std::vector<std::uint8_t>, 2>, ScratchpadClients> registers_;
  std::array<int, ScratchpadClients> turn_{};
  ScratchpadOut out_;
};

}  // namespace gemel
