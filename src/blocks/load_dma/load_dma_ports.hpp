// SPDX-License-Identifier: Apache-2.0
// load_dma, ports. Contract (s: command on the wires; docs/reference/machine.md, 5): AR of burst k at max(s+2, acc[k-1]+1, rl[k-N]+2,
// drain[k-F]+1), held until accepted; a word is written two cycles after the last of its bytes was on the wires at the earliest, at most
// one per cycle, not before s+3. `chain` one cycle after the last AR was accepted, `done` one cycle after the last write.
// Beats answered with an error count as zeros; `done` then comes with `error`.
#pragma once
#include "base/wires.hpp"
#include "config/machine.hpp"

namespace gemel {

struct LoadDmaIn {
  CommandWires command;
  ReadResponseWires memory;
};

struct LoadDmaOut {
  CompletionWires completion;
  ReadRequestWires memory;
  SramWrite write;                      // unused lanes are 0
  Buffer buffer = Buffer::Activation;   // whose enable is set: activation, weight, vector or param
};

}  // namespace gemel
