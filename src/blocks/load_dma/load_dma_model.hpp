// SPDX-License-Identifier: Apache-2.0
// load_dma, fast model: bursts are requested as soon as their cycles are known, and those at equal distances together; words in closed form
// between them (docs/reference/machine.md, 5).
// Zero copy: where a run's bytes lie in the buffer as they lie in memory, memory writes into the scratchpad itself, at the time of its own
// choice; not where a load before it still writes the same words.
// Without data, and beside an ideal memory that shares its channel, the bursts are decided here, one after the other, with no request and no answer.
#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include "base/agent.hpp"
#include "base/cycle_queue.hpp"
#include "base/outstanding.hpp"
#include "base/intervals.hpp"
#include "base/read_channel.hpp"
#include "base/ring.hpp"
#include "base/stalls.hpp"
#include "blocks/load_dma/word_cycles.hpp"
#include "blocks/scratchpad/scratchpad.hpp"
#include "config/machine.hpp"

namespace gemel {

class LoadDmaModel : public UnitModel, public ReadSink {
 public:
  // buffers[b] may be null (timing only): indexed by enum buffer, activation .. param. `stalls`: of its AR and R; they outlive the model.
  LoadDmaModel(const Machine& machine, CompletionSink& sequencer, ReadPort& memory, const ReadStalls& stalls,
               std::array<Scratchpad*, 4> buffers);

  void start(const isa::Instruction& instruction, Cycle s) override;
  // Where bursts are read directly: only behind the last word of an instruction, not beyond the first of the next.
  StatusCounts status(Cycle first, Cycle last) override;
  void read_response(Cycle first_beat, bool error) override {
    read_responses({first_beat, 0, 1, error});
    request();
  }
  void read_responses(const AnswerTrain& answer) override;
  void no_more_read_responses() override { request(); }

  // From now on, before the first instruction, bursts are not requested but decided on this channel, by read_until(). Nobody checks whether what is read is
  // there. False, and nothing has been done, where there are data, stalls, or a queue of memory's that is shorter than `outstanding`.
  bool read_directly(ReadChannel& channel);
  // Then: when the next burst is accepted; Never: there is none.
  Cycle next_read() const { return next_read_; }
  // Decides the bursts of the instruction under way that are accepted up to and including cycle `last`.
  void read_until(Cycle last);

  std::int64_t bytes() const { return bytes_; }
  std::int64_t bursts() const { return issued_; }

 private:
  struct Burst {  // issued or about to be; `count` of them: each is a run of its own, or they are parts of one run
    std::uint64_t address = 0;
    std::uint32_t bytes = 0;
    std::uint32_t count = 1;
    std::uint64_t stride = 0;  // between their addresses
    std::int64_t run = 0;
    std::int64_t offset = 0;   // of its first byte within the run
    bool runs = false;         // each is a run

    void drop(std::uint32_t n) {  // the first n
      address += n * stride;
      count -= n;
      if (runs) {
        run += n;
      } else {
        offset += std::int64_t{n} * bytes;
      }
    }
  };
  struct Job {  // an instruction in flight
    const isa::Load* load = nullptr;
    Cycle s = 0;
    int word_bytes = 0;
    std::int64_t runs = 0;
    std::int64_t run_bytes = 0;        // bytes of a run that are read, from its start
    std::int64_t groups = 0;           // groups or windows of a run
    std::int64_t words_per_group = 0;
    std::int64_t next_run = 0, next_offset = 0;  // burst generator
    std::int64_t word_run = 0, word = 0;         // next word: its run, its index within the run
    std::int64_t words = 0;                      // of a run
    std::uint64_t run_address = 0, row_address = 0;  // of next_run; of the first run with its i2
    std::int64_t left_in_row = 0;
    std::vector<std::uint8_t> staging;           // runs back to back; empty if direct
    std::uint8_t* direct = nullptr;
    bool whole_words = false;                    // every byte belongs to a word that is wholly of memory bytes
    bool has_words = false;                      // read directly: the first has been written
    // Read directly: number_of_cut(); so many bytes further on in a run words lie alike again, but never behind its end; and how far the next burst lies
    // behind such a place.
    std::uint32_t cut = 0;
    std::int64_t period = 0;
    std::uint32_t phase = 0;
    static constexpr std::uint32_t Led = 1u << 24;  // in place of 0: words of fill at the head of the run have been written
    bool failed = false;

    bool windowed() const { return load->window_count > 0; }
    void begin_run(std::int64_t n = 1) {  // the n-th from next_run, at most left_in_row
      next_run += n;
      next_offset = 0;
      run_address += static_cast<std::uint64_t>(n) * load->stride1;
      if ((left_in_row -= n) > 0) return;
      left_in_row = load->count1;
      run_address = row_address += load->stride2;
    }
    std::int64_t last_byte(std::int64_t index) const;      // last memory byte of a word, within the run; -1: only fill
    // The same of the part-th word of the window that begins there.
    std::int64_t last_of_window(std::int64_t window, std::int64_t part) const {
      const std::int64_t first = window + part * word_bytes;
      const std::int64_t last = std::min({first + word_bytes, window + load->window_bytes, std::int64_t{load->run_bytes}}) - 1;
      return last >= std::max<std::int64_t>(first, 0) ? last : -1;
    }
    std::int64_t words_within(std::int64_t bytes) const;   // of a run: words that its first bytes make whole
    std::int64_t draining_word(std::int64_t byte) const;   // last word for which a byte must stay in the ring
  };
  struct Undrained {
    std::int64_t run = 0, word = 0;  // the word that drains it
  };

  void request();
  void find_next_read();
  // What decides how a run is cut into words.
  struct WordCut {
    std::int64_t word_bytes = 0, period = 0;
    std::int64_t run_bytes = 0, group_bytes = 0;  // where it has windows or its last group is short, else 0
    std::int64_t window_count = 0, window_bytes = 0, window_step = 0, window_offset = 0;

    bool operator==(const WordCut& o) const {
      return word_bytes == o.word_bytes && period == o.period && run_bytes == o.run_bytes && group_bytes == o.group_bytes &&
             window_count == o.window_count && window_bytes == o.window_bytes && window_step == o.window_step && window_offset == o.window_offset;
    }
  };
  // Bursts of which everything is alike but the cycle: they lie alike within a burst's boundaries, and their words within them.
  class Likeness {
   public:
    Likeness() = default;
    // `within`: from the boundary before.
    Likeness(std::uint32_t cut, std::uint64_t within, std::uint32_t bytes, std::uint32_t phase)
        : lies_(std::uint64_t{phase} << 32 | std::uint64_t{bytes} << 16 | within), cut_(cut) {}
    std::uint32_t phase() const { return static_cast<std::uint32_t>(lies_ >> 32); }
    bool operator==(const Likeness& other) const { return lies_ == other.lies_ && cut_ == other.cut_; }
    std::size_t place() const {  // in a table of them
      return static_cast<std::size_t>((lies_ + (std::uint64_t{cut_} << 5)) * 0x9E3779B97F4A7C15u >> (64 - AlikeLog2));
    }

   private:
    std::uint64_t lies_ = 0;  // no burst has 0 bytes
    std::uint32_t cut_ = 0;
  };
  // The last of `words` words is written so many behind the word that is the last before the burst, or later: `at` cycles behind the burst's last beat.
  struct WordAt {
    std::int64_t words = 0;
    Cycle at = LongAgo;
  };
  // What they have in common.
  struct Alike {
    Likeness likeness;
    std::uint32_t next_phase = 0;  // of the burst behind
    Cycle occupied = 0;            // the channel
    Cycle first = LongAgo;         // as WordAt::at, of the first word that the burst completes
    WordAt last;                   // of all of them
    std::vector<WordAt> drained;   // words that drain this burst or those before
    std::size_t behind = 0;        // place of what came behind such a burst: probably comes again, and is found without waiting for next_phase
  };
  using Series = Recent<Cycle>::Series;
  std::uint32_t number_of_cut(const Job& job);
  void learn(const Job& job, const Likeness& likeness, std::int64_t offset, std::int64_t bytes);
  void begin_words(Job& job, Cycle first) {
    if (job.has_words) return;
    job.has_words = true;
    written_.push_back({first, Never, job.runs * job.words});
  }
  std::int64_t take_words(Cycle last);
  bool next_train(ReadTrain& train);
  void lengthen(ReadTrain& train, std::uint64_t stride, std::int64_t most);
  bool emit_train(Job& job, const Burst& bursts, std::uint32_t count, Cycle first_beat, Cycle period);
  void finish_job();
  void emit_leading_fill(Job& job);
  void emit(Job& job, const Burst& burst, Cycle first_beat);
  void emit_one_by_one(Job& job, const Burst& burst, Cycle first_beat);
  void emit_windows(Job& job, const Burst& burst, Cycle first_beat);
  void emitted(Job& job, std::int64_t count, Cycle first);
  void emitted(Job& job, std::int64_t count, Cycle first, const WordCycles::Beats& beats);
  void place(Job& job);
  std::uint8_t* destination(Job& job, const Burst& burst);
  // The beat of a burst that brings its byte `offset`.
  Cycle beat_of(const Burst& burst, std::int64_t offset) const {
    return static_cast<Cycle>((burst.address + static_cast<std::uint64_t>(offset)) >> bus_log2_) -
           static_cast<Cycle>(burst.address >> bus_log2_);
  }

  const Machine& machine_;
  CompletionSink& sequencer_;
  ReadPort& memory_;
  const ReadStalls& stalls_;
  std::array<Scratchpad*, 4> buffers_;
  int bus_log2_;
  int burst_log2_;
  std::uint64_t burst_mask_;

  const std::int64_t bus_bytes_;  // of the machine

  Ring<Job> jobs_;               // words come from the front
  std::size_t request_job_ = 0;  // requests come from here
  bool requesting_ = false;      // within request(): an answer that comes at once leaves further requests to it
  Cycle burst_ar_ = Never;       // the next AR on the wires, if that is known and only its acceptance is not
  std::vector<std::uint8_t> spare_staging_;

  Ring<Burst> outstanding_;                  // requested and unanswered
  Outstanding bursts_;                       // a burst is answered with its last beat
  CycleQueue drained_;                       // the word that freed a burst's place in the ring: the next AR waits for it, too
  std::int64_t issued_ = 0;
  Cycle acc_ = LongAgo, word_ = LongAgo;     // of the burst, the word before
  Ring<Undrained> undrained_;                // answered and undrained bursts
  std::vector<Cycle> beats_;                 // of the burst that was answered last, where R stalls: its beats on the wires
  Cycle beat_ = LongAgo;                     // the last beat of all
  WordCycles words_;
  Intervals busy_, stuck_, none_;            // busy_: words, where they are looked at one by one
  std::int64_t bytes_ = 0;

  // Read directly: by number of the burst, as far back as one that follows can wait for.
  ReadChannel* channel_ = nullptr;
  Cycle next_read_ = Never;
  std::int64_t ring_;                        // F
  Recent<Cycle> answered_at_, drained_at_;
  std::vector<WordCut> cuts_;                // that there have been
  static constexpr int AlikeLog2 = 7;
  std::array<Alike, 1 << AlikeLog2> alike_;  // bursts that there have been: of those with the same place() the last
  Alike* known_ = &alike_[0];                // of the last burst
  std::int64_t drained_count_ = 0;
  struct Written {
    Cycle first, last;                       // the cycles of its first word and, when that is known, of its last
    std::int64_t count;
  };
  Ring<Written> written_;                    // words of instructions, which status() has not counted; it is asked when an instruction is done
};

}  // namespace gemel
