// SPDX-License-Identifier: Apache-2.0
// sequencer, ports. Contract: docs/reference/machine.md, 2. CSR accesses (offsets: gemel::isa::csr) take effect, and are answered, two
// cycles after they were on the wires; so `running` is 1 two cycles after a write of control.start. That is cycle 0. AR of the
// first fetch burst at 1; an instruction whose last beat comes at b is dispatched at b+2 at the earliest; a command follows its decision by one
// cycle; `running` falls one cycle after the halt was decided.
#pragma once
#include <array>
#include <vector>

#include "base/clocked.hpp"
#include "base/cycle.hpp"
#include "base/wires.hpp"

namespace gemel {

struct SequencerIn {
  bool csr_write = false;               // AW and W together
  std::uint32_t csr_write_offset = 0;
  std::uint32_t csr_write_data = 0;
  bool csr_read = false;                // AR
  std::uint32_t csr_read_offset = 0;
  ReadResponseWires memory;             // fetch
  std::array<CompletionWires, isa::UnitCount> unit;
};

struct SequencerOut {
  std::array<CommandWires, isa::UnitCount> command;
  ReadRequestWires memory;              // fetch
  bool running = false;
  bool interrupt = false;
  bool csr_written = false;             // B
  bool csr_answered = false;            // R
  std::uint32_t csr_data = 0;
};

using SequencerCounters = std::array<std::array<std::int64_t, isa::CauseCount>, isa::UnitCount>;

struct SequencerFailure {
  isa::ErrorCode code = isa::ErrorCode::None;
  Cycle cycle = 0;
  std::uint32_t instruction = 0;
};

// A sequencer also tells what its registers hold, so that whoever runs it needs no bus for it.
class SequencerBlock : public Clocked<SequencerIn, SequencerOut> {
 public:
  // As `cycles` steps with the inputs of the last one; only while everything is quiet (the counters go on).
  virtual void skip(Cycle cycles) = 0;
  virtual Cycle cycle() const = 0;  // of the period that out() belongs to; total cycles after the run
  virtual SequencerCounters counters() = 0;
  virtual SequencerFailure failure() = 0;
  // The counters by layer (an instruction's tag): busy and waiting for memory to the layer of the instruction at work, waiting to the
  // layer of the instruction that waits, the rest to the layer last started. They add up to counters(). nullptr: not known.
  virtual const std::vector<SequencerCounters>* layer_counters() const { return nullptr; }
  // Index in the program of the instruction whose command is on the wires.
  virtual std::uint32_t started_index(int unit) const = 0;
};

}  // namespace gemel
