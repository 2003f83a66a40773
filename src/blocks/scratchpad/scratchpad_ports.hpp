// SPDX-License-Identifier: Apache-2.0
// scratchpad, ports. Contract: word w lives in bank w / bank_words; per bank one read and one write port, held by at most one
// client each (claims see to that). Never refused. What is read at t is on the wires at t+1; in a cycle behind one
// without a read nobody looks. A read and a write of one word in one cycle is an error. Two read and two write clients at most:
//   activation, weight: read 0 matrix_unit, write 0 load_dma        accumulator: read 0 matrix_unit, 1 vector_unit, write 0 matrix_unit
//   vector: read 0 vector_unit, 1 store_dma, write 0 load_dma, 1 vector_unit         param: read 0 vector_unit, write 0 load_dma
#pragma once
#include <array>

#include "base/wires.hpp"

namespace gemel {

inline constexpr int ScratchpadClients = 2;

struct ScratchpadIn {
  std::array<SramRead, ScratchpadClients> read;
  std::array<SramWrite, ScratchpadClients> write;
};

enum class ScratchpadFault : std::uint8_t {
  None,
  ReadWriteConflict,  // a read and a write of one word in one cycle
  PortConflict,       // two clients at one bank in one direction
  OutsideBuffer,      // an address beyond the last word
  NeverWritten,       // a word is read that nobody has written; it holds zeros
};

struct ScratchpadOut {
  std::array<const std::uint8_t*, ScratchpadClients> data{};  // read data; nullptr before the first read
  // What went wrong in the cycle before, and where. Simulation only: hardware has assertions instead.
  ScratchpadFault fault = ScratchpadFault::None;
  std::uint32_t fault_address = 0;
};

}  // namespace gemel
