// SPDX-License-Identifier: Apache-2.0
// store_dma, fast model: bursts are requested as soon as their cycles are known, and those at equal distances together; words and beats
// in closed form between them (docs/reference/machine.md, 6).
#pragma once
#include <vector>

#include "base/agent.hpp"
#include "base/intervals.hpp"
#include "base/ring.hpp"
#include "base/stalls.hpp"
#include "blocks/scratchpad/scratchpad.hpp"
#include "config/machine.hpp"

namespace gemel {

class StoreDmaModel : public UnitModel, public WriteSink {
 public:
  // vector may be null: timing only. `stalls`: of its AW, W and B; they outlive the model.
  StoreDmaModel(const Machine& machine, CompletionSink& sequencer, WritePort& memory, const WriteStalls& stalls, Scratchpad* vector);

  void start(const isa::Instruction& instruction, Cycle s) override;
  StatusCounts status(Cycle first, Cycle last) override;
  void write_response(Cycle b, bool error) override {
    write_responses({b, 0, 1, error});
    advance();
  }
  void write_responses(const AnswerTrain& answer) override;
  void no_more_write_responses() override { advance(); }

  std::int64_t bytes() const { return bytes_; }
  std::int64_t bursts() const { return bursts_; }

 private:
  static constexpr Cycle Past = -1'000'000'000;
  struct Job {  // an instruction in flight
    const isa::Store* store = nullptr;
    Cycle s = 0;
    std::int64_t runs = 0, words_per_group = 0;
    std::int64_t run = 0, offset = 0;       // burst generator
    std::int64_t word = 0;                  // words of the current run whose bytes are all in earlier bursts
    std::int64_t unanswered = 0;            // bursts made and not answered
    bool generated = false;
    bool failed = false;
    std::uint64_t run_address = 0, row_address = 0;  // of `run`; of the first run with its i2
    std::int64_t left_in_row = 0;
    std::vector<std::uint8_t> staging;      // runs back to back, unless direct
    const std::uint8_t* data = nullptr;

    void begin_run() {
      ++run;
      offset = word = 0;
      run_address += store->stride1;
      if (--left_in_row > 0) return;
      left_in_row = store->count1;
      run_address = row_address += store->stride2;
    }
  };
  struct Burst {
    std::uint64_t address = 0;
    std::uint32_t bytes = 0;
    const std::uint8_t* data = nullptr;
    bool ends_in_word = false;  // its last byte lies inside a word that a later burst completes
    bool last = false;          // of its instruction
    Cycle full = Never;         // all bytes there; Never: not known yet
  };

  void advance();
  bool read_next_burst();
  bool request_next_train();
  Cycle send_beats(Cycle first, Cycle more);

  const Machine& machine_;
  CompletionSink& sequencer_;
  WritePort& memory_;
  const WriteStalls& stalls_;
  Scratchpad* vector_;
  int slots_;                       // F
  const std::int64_t outstanding_bursts_, memory_queue_;  // of the machine
  int bus_log2_;
  std::uint64_t burst_mask_;

  bool advancing_ = false;          // within advance(): an answer that comes at once leaves what follows from it to it
  Ring<Job> jobs_;                  // front: oldest whose bursts are not all answered
  std::size_t read_job_ = 0;        // the reader's
  std::vector<std::uint8_t> spare_staging_;
  Ring<Burst> bursts_in_flight_;    // burst first_burst_ .. : read and unanswered
  std::int64_t first_burst_ = 0;    // index k of bursts_in_flight_.front()
  std::int64_t read_ = 0, requested_ = 0, answered_ = 0;  // bursts so far
  Cycle word_ = Past;               // x of the word before
  Cycle request_ = Past;            // acceptance of the AW before
  Cycle beat_ = Past;               // wl of the burst before
  Cycle response_ = Past;           // B of the burst before
  Cycle waiting_aw_ = Never;        // an AW on the wires whose acceptance is not known yet
  Recent<Cycle> last_write_, answer_;  // of burst k
  Intervals reads_, beats_, stuck_;
  std::int64_t bytes_ = 0, bursts_ = 0;
};

}  // namespace gemel
