// SPDX-License-Identifier: Apache-2.0
// store_dma, beat model.
//   reader     walks the words of the instruction, reads each as soon as the places of the ring that it needs are free
//   ring       F places of burst_bytes; the byte for memory address A of burst k lies at place k mod F, offset A mod burst_bytes
//   requester  cuts the same runs into bursts again; sends AW when a burst is whole and fewer than N are unanswered
//   sender     puts accepted bursts on W, beat after beat, each until it is taken; the last beat frees the place
//   answers    counts B; the last of an instruction makes `done`
// Two instructions at most are inside: the reader may be one ahead of the others.
#pragma once
#include <array>
#include <deque>
#include <vector>

#include "base/clocked.hpp"
#include "base/burst_cutter.hpp"
#include "blocks/store_dma/store_dma_ports.hpp"
#include "config/machine.hpp"

namespace gemel {

class StoreDmaBeat : public Clocked<StoreDmaIn, StoreDmaOut> {
 public:
  explicit StoreDmaBeat(const Machine& machine);

  void reset() override;
  const StoreDmaOut& out() const override { return out_; }
  [[gnu::hot]] void step(const StoreDmaIn& in) override;
  bool quiet() const override { return !changed_; }

 private:
  // A word on its way from the buffer into the ring.
  struct WordTag {
    bool valid = false;
    std::uint64_t address = 0;         // memory address of its first byte
    std::int64_t burst = 0;            // that receives it
    int bytes = 0;
    std::int64_t whole_after = 0;      // bursts that are whole once the word is in the ring
  };
  struct Accepted {
    std::uint64_t address = 0;
    std::uint32_t bytes = 0;
  };

  [[gnu::hot]] void answer(const WriteResponseWires& memory);
  [[gnu::hot]] void request(const WriteResponseWires& memory);
  [[gnu::hot]] void send();
  [[gnu::hot]] void fill_ring(const std::uint8_t* data);
  [[gnu::hot]] void read_word();
  void begin_reading();
  void accept_command(const CommandWires& command);
  bool idle() const { return inside_ == 0; }

  const Machine& machine_;
  std::uint64_t burst_bytes_, bus_bytes_;  // powers of two
  int burst_shift_ = 0;
  std::int64_t places_;                    // F
  int inside_ = 0;                         // instructions
  std::vector<std::uint8_t> ring_;

  // reader
  bool reading_ = false;
  isa::Store job_;
  std::int64_t run1_left_ = 0, run2_left_ = 0;
  std::uint64_t row_address_ = 0, run_address_ = 0;
  std::int64_t run_first_burst_ = 0;
  std::int64_t at_ = 0, group_end_ = 0;    // bytes within the run
  std::uint32_t word_address_ = 0;
  bool chain_next_ = false;
  std::array<WordTag, 2> tags_;            // read on the wires; data on the wires
  std::int64_t whole_ = 0;                 // bursts that are whole in the ring
  std::int64_t freed_ = 0;                 // bursts whose last beat has been sent

  // requester
  std::deque<isa::Store> waiting_;
  BurstCutter cutter_;
  bool request_last_ = false;              // the AW on the wires is the instruction's last
  std::int64_t requested_ = 0;             // bursts whose AW has been on the wires
  std::int64_t answered_ = 0;              // bursts whose B has come

  // sender
  std::deque<Accepted> accepted_;
  bool sending_ = false;
  Accepted sent_;
  std::int64_t sent_burst_ = -1;           // number of the burst on W
  std::uint64_t beat_at_ = 0;              // offset of the next beat in the place
  std::array<std::vector<std::uint8_t>, 2> beat_;
  int turn_ = 0;

  // answers
  std::deque<bool> unanswered_;            // per burst: the instruction's last
  bool failed_ = false;
  bool changed_ = false;
  StoreDmaOut out_;
};

}  // namespace gemel
