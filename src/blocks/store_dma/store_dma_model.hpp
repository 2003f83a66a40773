// SPDX-License-Identifier: Apache-2.0
// store_dma, fast model: bursts are requested as soon as their cycles are known, and those at equal distances together; words and beats
// in closed form between them (docs/reference/machine.md, 6).
#pragma once
#include <vector>

#include "base/agent.hpp"
#include "base/cycle_queue.hpp"
#include "base/outstanding.hpp"
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

    void begin_run(std::int64_t n = 1) {  // the n-th from `run`, at most left_in_row
      run += n;
      offset = word = 0;
      run_address += static_cast<std::uint64_t>(n) * store->stride1;
      if ((left_in_row -= n) > 0) return;
      left_in_row = store->count1;
      run_address = row_address += store->stride2;
    }
  };
  struct Bursts {  // read, and not requested yet: `count` of one job, equal and at equal distances
    const isa::Store* store = nullptr;
    std::uint64_t address = 0;
    std::uint32_t bytes = 0;    // of each
    std::uint32_t count = 1;
    std::uint64_t stride = 0;   // between their addresses
    const std::uint8_t* data = nullptr;

    void drop(std::uint32_t n) {  // the first n
      address += n * stride;
      if (data != nullptr) data += std::size_t{n} * bytes;
      count -= n;
    }
  };

  void advance();
  bool read_next_bursts();
  Steady lengthen(Bursts& bursts, Cycle first, std::int64_t words, std::int64_t most);
  bool request_next_bursts();
  Cycle send_beats(Cycle first, Cycle more);

  const Machine& machine_;
  CompletionSink& sequencer_;
  WritePort& memory_;
  const WriteStalls& stalls_;
  Scratchpad* vector_;
  std::uint64_t burst_mask_;

  bool advancing_ = false;          // within advance(): an answer that comes at once leaves what follows from it to it
  Ring<Job> jobs_;                  // front: oldest whose bursts are not all answered
  std::size_t read_job_ = 0;        // the reader's
  std::vector<std::uint8_t> spare_staging_;
  Ring<Bursts> waiting_;            // for their AW
  Outstanding outstanding_;         // a burst is answered with its B
  // What events wait for. Words: the last W beat of the burst that had their slot. AW, beside the answers: all bytes of its burst.
  CycleQueue sent_, full_;
  std::int64_t cut_ = 0;            // bursts at the end of waiting_ that end in a word which a later burst completes: not full yet
  Cycle word_ = LongAgo;            // x of the word before
  Cycle request_ = LongAgo;         // acceptance of the AW before
  Cycle beat_ = LongAgo;            // wl of the burst before
  Cycle response_ = LongAgo;        // B of the burst before
  Cycle waiting_aw_ = Never;        // an AW on the wires whose acceptance is not known yet
  Intervals reads_, beats_, stuck_;
  std::int64_t bytes_ = 0, bursts_ = 0;
};

}  // namespace gemel
