// SPDX-License-Identifier: Apache-2.0
// What crosses the edge of the chip: registers on one side, three AXI masters and the interrupt on the other.
#pragma once
#include "base/clocked.hpp"
#include "top/memory_beat.hpp"

namespace gemel {

struct NpuIn {
  bool csr_write = false, csr_read = false;
  std::uint32_t csr_write_offset = 0, csr_write_data = 0, csr_read_offset = 0;
  MemoryBeatOut memory;
};

struct NpuOut {
  MemoryBeatIn memory;
  bool running = false, interrupt = false, csr_written = false, csr_answered = false;
  std::uint32_t csr_data = 0;
};

class NpuBlock : public Clocked<NpuIn, NpuOut> {
 public:
  // But for its time nothing in it would change without a new input.
  virtual bool still() const = 0;
};

}  // namespace gemel
