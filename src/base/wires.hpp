// SPDX-License-Identifier: Apache-2.0
// The wires between blocks, as the beat models and adapters see them (docs/reference/machine.md, 1). Every field is an
// output register of the block that drives it. Pointers lead to the driver's registers: valid under the enable or valid
// beside them, during the cycle in which they are on the wires and while all blocks are clocked at its end.
#pragma once
#include <cstdint>

#include "gemel/isa.gen.hpp"

namespace gemel {

struct SramRead {
  bool enable = false;
  std::uint32_t address = 0;  // word
};

struct SramWrite {
  bool enable = false;
  std::uint32_t address = 0;             // word
  const std::uint8_t* data = nullptr;    // one whole word
};

struct CommandWires {
  bool valid = false;                    // for one cycle, never refused
  const isa::Word* word = nullptr;
};

// What a unit with an instruction in flight does, for the counters.
enum class UnitStatus : std::uint8_t { Busy = 0, WaitRequest = 1, WaitData = 2, WaitWrite = 3 };

struct CompletionWires {
  bool done = false;                     // pulse
  bool chain = false;                    // pulse
  bool error = false;                    // with done: memory answered one of the instruction's bursts with an error
  UnitStatus status = UnitStatus::Busy;
};

// AR. `address` is the first byte that is wanted and `bytes` how many: beats are full width, from the address aligned down
// to the bus to the last byte. On AXI: araddr and arlen; `bytes` travels beside them for the check of overlapping accesses.
struct ReadRequestWires {
  bool valid = false;
  std::uint64_t address = 0;
  std::uint32_t bytes = 0;
};

// ARREADY and R. RREADY is constantly 1; beats of a burst may come with gaps.
struct ReadResponseWires {
  bool request_ready = false;
  bool valid = false;
  bool last = false;
  bool error = false;                    // RRESP is SLVERR, or DECERR if `outside`
  bool outside = false;                  // memory has no such address
  const std::uint8_t* data = nullptr;    // one beat: bus.bytes
};

// AW and W, each of which stays as it is until it is taken. BREADY is constantly 1. The strobe of a beat is one run of ones: bytes
// [first, end) of the beat.
struct WriteRequestWires {
  bool valid = false;                    // AW
  std::uint64_t address = 0;             // first byte that is written
  std::uint32_t bytes = 0;
  bool data_valid = false;               // W
  bool data_last = false;
  std::uint8_t strobe_first = 0;
  std::uint8_t strobe_end = 0;
  const std::uint8_t* data = nullptr;    // one beat; bytes without strobe are 0
};

// AWREADY, WREADY and B.
struct WriteResponseWires {
  bool request_ready = false;
  bool data_ready = false;
  bool valid = false;
  bool error = false;                    // as for R
  bool outside = false;
};

}  // namespace gemel
