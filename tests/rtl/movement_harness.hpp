// SPDX-License-Identifier: Apache-2.0
// What the lockstep tests of the blocks that move and control share, beside compute_harness.hpp.
#pragma once
#include <algorithm>

#include "base/cycle.hpp"
#include "base/wires.hpp"
#include "compute_harness.hpp"
#include "config/machine.hpp"

namespace gemel::rtl_test {

// Assertions sample what stands before the edge: inputs have to reach the logic behind them first.
template <class Top>
void clock(Rtl<Top>& rtl) {
  rtl->eval();
  rtl.clock();
}

// ARREADY and R of a port without a prefix. What is not valid is noise.
template <class Top>
void drive_read(Rtl<Top>& rtl, const ReadResponseWires& wires, const Machine& machine, Random& random) {
  rtl->arready_i = wires.request_ready;
  rtl->rvalid_i = wires.valid;
  rtl->rlast_i = wires.valid ? wires.last : random() & 1;
  rtl->rresp_i = static_cast<std::uint8_t>(wires.valid ? (wires.error ? 2 + random() % 2 : random() % 2) : random() % 4);
  if (wires.valid) {
    set_bytes(rtl->rdata_i, 8 * machine.bus_bytes, wires.data);
  } else {
    set_random(rtl->rdata_i, 32, random);
  }
}

// Stalls of the AXI channels, now and then.
inline void draw_stalls(Random& random, Machine& machine) {
  machine.stall_seed = between(random, 0, 1 << 30);
  StallPercent& p = machine.stall_percent;
  for (int* percent : {&p.ar, &p.r, &p.aw, &p.w, &p.b}) *percent = chance(random, 60) ? 0 : between(random, 1, chance(random, 20) ? 95 : 60);
}

// When the sequencer may send a DMA its next command: two cycles after a done, or behind one that has chained.
class CommandGate {
 public:
  // What is on the wires in this cycle.
  void see(const CompletionWires& wires) {
    ++now_;
    if (wires.done) {
      --inside_;
      free_at_ = std::max(free_at_, now_ + 2);
    }
    if (wires.chain) {
      chained_ = true;
      free_at_ = std::max(free_at_, now_ + 2);
    }
  }
  bool open() const { return now_ >= free_at_ && (inside_ == 0 || (inside_ == 1 && chained_)); }
  bool idle() const { return inside_ == 0; }
  void sent() {
    ++inside_;
    chained_ = false;
  }

 private:
  Cycle now_ = 0, free_at_ = 0;
  int inside_ = 0;
  bool chained_ = false;
};

}  // namespace gemel::rtl_test
