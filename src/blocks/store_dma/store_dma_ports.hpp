// SPDX-License-Identifier: Apache-2.0
// store_dma, ports. Contract (s: command on the wires; docs/reference/machine.md, 6): word j is read at max(x[j-1]+1, s+2, wl[k-F]+2),
// k the last burst that receives a byte of it; AW of burst k, full at x+2 of its last word, at max(acc[k-1]+1, full+1, b[k-N]+2); its W beats from
// max(acc+1, wl[k-1]+1) on, each held until it is taken, the next in the cycle after (wl: the last is taken).
// `chain` one cycle after the last word was read, `done` one cycle after the last B.
// Bytes without strobe are 0. If memory answers a burst with an error, `done` comes with `error`.
#pragma once
#include "base/wires.hpp"

namespace gemel {

struct StoreDmaIn {
  CommandWires command;
  const std::uint8_t* vector = nullptr;  // read data of vector_buffer
  WriteResponseWires memory;
};

struct StoreDmaOut {
  CompletionWires completion;
  SramRead vector;
  WriteRequestWires memory;
};

}  // namespace gemel
