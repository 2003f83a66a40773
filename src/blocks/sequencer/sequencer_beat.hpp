// SPDX-License-Identifier: Apache-2.0
// sequencer, beat model.
//   csr       registers; an access is taken in one cycle and done in the next
//   fetch     requests bursts while the instruction FIFO has places for all their instructions; beats pass one register
//   dispatch  one instruction per cycle from the FIFO's head to its unit's queue, or an error; halt waits here
//   start     one decision per unit and cycle: semaphores, in flight, chain credit, hazards
//   done      in flight and semaphores; the first error is kept
//   counters  one of ten per unit and cycle
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/cycle.hpp"
#include "blocks/sequencer/sequencer_ports.hpp"
#include "config/machine.hpp"
#include "isa/isa.hpp"

namespace gemel {

class SequencerBeat : public SequencerBlock {
 public:
  using Counters = SequencerCounters;
  using Failure = SequencerFailure;

  explicit SequencerBeat(const Machine& machine);

  void reset() override;
  const SequencerOut& out() const override { return out_; }
  [[gnu::hot]] void step(const SequencerIn& in) override;
  // Besides the cycle counter and the performance counters, which skip() moves.
  bool quiet() const override { return !changed_; }
  // As `cycles` steps with the inputs of the last one; only while everything is quiet.
  void skip(Cycle cycles) override;

  // What the CSRs tell, without the wires.
  Cycle cycle() const override { return cycle_; }               // of the period that out() belongs to; total cycles after the run
  Counters counters() override { return counters_; }
  const std::vector<Counters>* layer_counters() const override { return &layer_counters_; }
  Failure failure() override { return failure_; }
  // Index in the program of the instruction whose command is on the wires, and of the one that finishes next.
  std::uint32_t started_index(int unit) const override { return unit_[static_cast<std::size_t>(unit)].started_index; }
  std::uint32_t finishing_index(int unit) const { return unit_[static_cast<std::size_t>(unit)].in_flight.front().index; }
  std::uint64_t dispatched() const { return dispatched_; }

 private:
  struct Entry {
    std::uint32_t index = 0;
    isa::Word word{};
    isa::Header header;
    isa::Claims claims;
  };
  struct Fetched {
    isa::Word word{};
    bool error = false;
  };
  struct Unit {
    std::deque<Entry> queue;
    std::deque<Entry> in_flight;                 // two at most
    bool credit = false;
    std::array<isa::Word, 2> command{};          // on the wires, in turn
    int turn = 0;
    std::uint32_t started_index = 0;
    int last_tag = 0;                            // of the instruction last started
  };
  struct Counted {
    isa::Cause cause;
    int tag;
  };
  // What the start decision of a cycle comes to.
  struct Starts {
    std::array<bool, isa::UnitCount> starts{};
    Failure failure;
  };

  [[gnu::hot]] void clock_csr(const SequencerIn& in);
  void write_csr(std::uint32_t offset, std::uint32_t value);
  std::uint32_t read_csr(std::uint32_t offset) const;
  void begin_run();
  [[gnu::hot]] void clock_run(const SequencerIn& in);
  [[gnu::hot]] void fetch(const SequencerIn& in);
  void unpack_beat();
  [[gnu::hot]] Failure decode_head(bool& dispatchable) const;
  void dispatch();
  [[gnu::hot]] Starts decide() const;
  [[gnu::hot]] bool wants_to_start(const Unit& unit, int index) const;
  bool hazard(int unit, const std::array<bool, isa::UnitCount>& candidates) const;
  bool conflict(const Entry& a, const Entry& b) const;
  bool self_conflict(const Entry& a) const;
  [[gnu::hot]] void start(const Starts& decision);
  [[gnu::hot]] Failure finish(const SequencerIn& in) const;
  [[gnu::hot]] void count(const SequencerIn& in, const Starts& decision, Cycle cycles);
  [[gnu::hot]] Counted cause_of(int unit, const SequencerIn& in, const Starts& decision) const;
  [[gnu::hot]] bool nothing_to_do() const;

  const Machine& machine_;
  const std::int32_t digest_;  // of the machine
  std::uint64_t fetch_burst_bytes_;

  // csr
  bool write_pending_ = false, read_pending_ = false;
  std::uint32_t write_offset_ = 0, write_data_ = 0, read_offset_ = 0;
  std::uint64_t program_base_ = 0;
  std::uint32_t program_bytes_ = 0;
  bool interrupt_enable_ = false, done_ = false;

  // run
  Cycle cycle_ = 0;
  Counters counters_{};
  std::vector<Counters> layer_counters_;         // by tag
  Failure failure_;
  Failure start_failure_;                        // decided in the cycle before, an error in this one

  // fetch
  std::uint64_t fetch_at_ = 0, program_end_ = 0;
  std::int64_t requested_ = 0;                   // instructions asked for
  std::int64_t bursts_requested_ = 0, bursts_answered_ = 0;
  bool beat_valid_ = false, beat_error_ = false;
  std::vector<std::uint8_t> beat_;
  std::uint64_t unpack_at_ = 0;                  // address of the next byte to unpack
  isa::Word partial_{};
  bool partial_error_ = false;
  std::deque<Fetched> fifo_;
  mutable bool head_checked_ = false;            // found legal in an earlier cycle

  // dispatch
  std::int64_t dispatched_ = 0;
  std::array<Unit, isa::UnitCount> unit_;
  std::array<int, 16> semaphore_{};

  SequencerIn last_in_;
  bool changed_ = false;
  SequencerOut out_;
};

}  // namespace gemel
