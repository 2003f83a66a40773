// SPDX-License-Identifier: Apache-2.0
// load_dma, beat model.
//   requester  cuts runs into bursts; a burst leaves when fewer than N are unanswered and its place in the ring is free
//   ring       F places of burst_bytes; the byte at memory address A of burst k lies at place k mod F, offset A mod burst_bytes,
//              so words are realigned by addressing alone
//   writer     walks the words of the instruction; a word leaves when the last of its memory bytes has arrived; places are
//              freed (drained) when no later word needs a byte of them
// Two instructions at most are inside: the requester may be one ahead of the writer.
#pragma once
#include <array>
#include <deque>
#include <vector>

#include "base/clocked.hpp"
#include "base/burst_cutter.hpp"
#include "blocks/load_dma/load_dma_ports.hpp"

namespace gemel {

class LoadDmaBeat : public Clocked<LoadDmaIn, LoadDmaOut> {
 public:
  explicit LoadDmaBeat(const Machine& machine);

  void reset() override;
  const LoadDmaOut& out() const override { return out_; }
  [[gnu::hot]] void step(const LoadDmaIn& in) override;
  bool quiet() const override { return !changed_; }

 private:
  struct Job {
    isa::Load load;
    bool window_mode = false;
    int word_bytes = 0;
    std::int64_t run_bytes = 0;  // memory bytes of a run that are wanted, from its first on
    int parity = 0;
  };
  struct Unanswered {
    std::uint64_t address = 0;
    std::uint32_t bytes = 0;
    int parity = 0;
  };
  // Bytes of the next word within its run: [first, end) of the word's bytes, of which [first, end) cut to [0, row end) are memory.
  struct WordSpan {
    std::int64_t first = 0, end = 0;
  };

  [[gnu::hot]] void request(const LoadDmaIn& in);
  [[gnu::hot]] void receive(const LoadDmaIn& in);
  [[gnu::hot]] void write_word();
  void begin_writing();
  void accept_command(const CommandWires& command);
  WordSpan next_word() const;
  [[gnu::hot]] bool arrived(std::int64_t run_offset) const;
  std::int64_t burst_of(std::int64_t run_offset) const;
  [[gnu::hot]] void copy_from_ring(std::int64_t first, std::int64_t end, std::uint8_t* to) const;
  void next_group();
  void next_run();
  void begin_run();

  const Machine& machine_;
  std::uint64_t burst_bytes_, bus_bytes_;  // powers of two
  int burst_shift_ = 0;
  std::int64_t places_;                // F

  // requester
  BurstCutter cutter_;
  Job request_job_;
  bool request_last_ = false;          // the AR on the wires is the instruction's last
  std::int64_t issued_ = 0;            // bursts whose AR has been on the wires
  std::int64_t answered_ = 0;          // bursts whose last beat has come
  std::int64_t drained_ = 0;           // bursts whose place is free again
  int next_parity_ = 0;
  int inside_ = 0;                     // instructions

  // ring
  std::vector<std::uint8_t> ring_;
  std::deque<Unanswered> unanswered_;
  std::uint64_t beat_at_ = 0;          // offset of the next beat in its place; 0 and up once the burst has begun
  bool in_burst_ = false;
  std::uint64_t received_to_ = 0;      // bytes of place answered_ that have arrived: offsets below this
  std::array<bool, 2> failed_{};       // by parity

  // writer
  std::deque<Job> waiting_;
  bool writing_ = false;
  Job job_;
  std::int64_t run1_left_ = 0, run2_left_ = 0;
  std::uint64_t row_address_ = 0, run_address_ = 0;
  std::int64_t run_first_burst_ = 0;   // number of the run's first burst
  std::int64_t group_ = 0;             // group or window of the run
  std::int64_t group_first_ = 0, group_end_ = 0;  // its bytes within the run; a window's may lie outside
  std::int64_t at_ = 0;                // first byte of the next word
  std::uint32_t word_address_ = 0;
  bool done_next_ = false, done_failed_ = false;

  std::array<std::vector<std::uint8_t>, 2> word_;
  int turn_ = 0;
  bool changed_ = false;
  LoadDmaOut out_;
};

}  // namespace gemel
