// SPDX-License-Identifier: Apache-2.0
// sequencer, fast model: evaluates a cycle exactly as the registers would, but only cycles in which something can change
// (docs/reference/machine.md, 2). In between all its state is constant, and the counters are added up in one step.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "base/agent.hpp"
#include "base/counters.hpp"
#include "base/ring.hpp"
#include "base/stalls.hpp"
#include "config/machine.hpp"
#include "isa/isa.hpp"

namespace gemel {

// What the sequencer tells whoever watches: reports, traces, comparison with golden. Called at simulated time.
class SequencerObserver {
 public:
  virtual ~SequencerObserver() = default;
  virtual void running_from(Cycle /*cycle0*/) {}
  virtual void started(isa::Unit /*unit*/, std::uint32_t /*index*/, const isa::Instruction&, Cycle /*s*/) {}
  virtual void finished(isa::Unit /*unit*/, std::uint32_t /*index*/, const isa::Instruction&, Cycle /*s*/, Cycle /*p*/) {}
  // `cycles` of `cause` in `unit` belong to layer `tag`. What an instruction in flight did is told behind finished(), its causes in cycles that
  // may alternate, `first` being the first of all; other cycles follow one another from `first` on.
  virtual void counted(isa::Unit /*unit*/, isa::Cause /*cause*/, int /*tag*/, Cycle /*first*/, Cycle /*cycles*/) {}
  virtual void halted(Cycle /*x*/) {}  // running is 0 from x+1
};

struct MachineError {
  isa::ErrorCode code = isa::ErrorCode::None;
  Cycle cycle = 0;                 // counted from cycle 0
  std::uint32_t instruction = 0;   // index in the program
  std::string text;                // for people: what exactly
};

class SequencerModel : public Agent, public CompletionSink, public ReadSink {
 public:
  // `stalls`: of its AR and R; they outlive the model.
  SequencerModel(const Machine& machine, RevocableReadPort& memory, const ReadStalls& stalls);
  void connect(std::array<UnitModel*, 4> units) { units_ = units; }
  void observe(SequencerObserver* observer) { observer_ = observer; }

  // control.abort counts in cycle `at`, which has not been evaluated yet. Nothing happens if no program runs then.
  void abort(Cycle at);

  // `running` is 1 from cycle0 on.
  void run(std::uint64_t program_base, std::uint32_t program_bytes, Cycle cycle0);

  void wake(Cycle now) override;
  void chain(isa::Unit unit, Cycle c) override;
  void done(isa::Unit unit, Cycle p, isa::ErrorCode error) override;
  void read_response(Cycle first_beat, bool error) override;

  bool running() const { return running_; }
  Cycle cycles() const { return cycles_; }               // total, when no longer running
  const MachineError& error() const { return error_; }
  const UnitCounters& counters() const { return counters_; }
  std::int64_t fetch_bytes() const { return fetch_bytes_; }
  std::int64_t fetch_bursts() const { return fetch_bursts_; }
  std::int64_t dispatched() const { return dispatched_; }
  // Who waits for what, for a machine that does nothing any more: one line per unit.
  std::string waiting() const;

 private:
  struct Entry {
    isa::Instruction instruction;
    std::uint32_t index = 0;
    isa::Claims claims;
    Cycle s = 0;
  };
  struct Done { Cycle p = 0; isa::ErrorCode error = isa::ErrorCode::None; };
  struct Unit {
    Ring<Entry> entries;         // in flight (the first `in_flight`), then started-to-be: the queue
    int in_flight = 0;           // visible
    int queued = 0;              // visible in the queue
    int credit = 0;              // chain credit, visible when the unit has last changed
    bool needs_credit = false;   // and nothing else, for its next to start
    Ring<Done> dones;            // announced
    Ring<Cycle> chains;          // announced, and not yet in `credit`
    Cycle window = 0;            // first cycle of in-flight time not yet counted
    int last_tag = 0;
    // Registers' next values, visible next cycle.
    int push = 0, started = 0, finished = 0, credit_take = 0;
    // Class of the cycles from idle_from on, not yet counted (unless in flight).
    isa::Cause idle_cause = isa::Cause::QueueEmpty;
    int idle_tag = 0;
    bool idle = true;
    Cycle idle_from = 0;
  };

  void apply_staged(Cycle now);
  void stage(int unit) { staged_ |= 1u << unit; }
  void count_idle(int u, Cycle end);
  void count_work(Cycle now);
  void count(int unit, isa::Cause cause, int tag, Cycle first, Cycle cycles);
  void take_dones(Cycle now);
  void take_done(int u, Cycle now);
  void dispatch(Cycle now);
  bool wants_to_start(int u);
  void expect_credit(Cycle at);
  void start(Cycle now);
  void classify(Cycle now);
  void schedule_fetch();
  void take_back_fetch();
  void fail(isa::ErrorCode code, Cycle cycle, std::uint32_t instruction, std::string text);
  void stop(Cycle now);
  bool clash(const isa::Claim& a, const isa::Claim& b) const;
  std::string conflict(int unit, const Entry& entry, const std::array<bool, 4>& starting) const;

  const Machine& machine_;
  const std::int32_t digest_;  // of the machine
  std::array<std::int64_t, BufferCount> bank_words_{};
  RevocableReadPort& memory_;
  const ReadStalls& stalls_;
  std::array<UnitModel*, 4> units_{};
  SequencerObserver* observer_ = nullptr;

  bool running_ = false;
  Cycle cycle0_ = 0, last_eval_ = -1, cycles_ = 0;
  std::array<Unit, 4> unit_;
  std::array<int, 16> semaphore_{}, semaphore_next_{};
  // Sets of units, bit u for unit u. Whose registers, or semaphores, have next values; and whose have changed since the last evaluation: only
  // these may now start, or wait for something else than before.
  std::uint32_t staged_ = 0, changed_ = 0;
  Cycle next_pulse_ = Never;   // the first done that has been announced and not taken
  Cycle next_credit_ = Never;  // the first that a unit needs, as far as it is announced
  MachineError error_;
  Cycle error_at_ = Never;
  Cycle abort_at_ = Never;
  bool start_failed_ = false;  // the error is a start's
  UnitCounters counters_{};

  // Fetch
  struct Fetch {
    std::uint32_t instructions = 0;
    std::uint64_t address = 0;
    std::uint32_t bytes = 0;
    std::vector<isa::Word> words;
    Cycle on_wires = 0;                       // its AR, which may have to wait there
  };
  std::uint64_t base_ = 0;
  std::uint32_t program_bytes_ = 0;
  int fetch_burst_ = 64;
  std::uint64_t fetch_offset_ = 0;          // next byte to request
  std::int64_t requested_ = 0;              // instructions
  Ring<Fetch> fetches_;                     // unanswered
  Cycle fetch_last_acc_ = 0;
  Cycle fetch_beat_ = -1;                   // the last beat on the wires so far
  std::int64_t fetch_issued_ = 0, fetch_answered_ = 0;
  std::vector<Cycle> fetch_last_beat_;      // rl of burst k at k modulo the size
  Recent<Cycle> dispatch_times_;            // by number of the dispatch
  struct Ready { isa::Word word{}; Cycle at = 0; bool error = false; };  // at: b + 2
  Ring<Ready> fifo_;
  Entry head_;                              // the decoded front of the FIFO
  bool head_legal_ = false;                 // it has been decoded and checked
  std::int64_t dispatched_ = 0;
  Cycle last_dispatch_ = -1;
  std::int64_t fetch_bytes_ = 0, fetch_bursts_ = 0;
};

}  // namespace gemel
