// SPDX-License-Identifier: Apache-2.0
// What a memory with banks, queues and a scheduler of its own implements (DRAM) to stand behind MemoryTiming. It knows time only: data has been
// moved, and outside, poisoned and overlapping accesses have been found, before it is asked. All cycles are the NPU's; a device with another
// clock converts them.
#pragma once
#include <cstdint>
#include <vector>

#include "base/cycle.hpp"

namespace gemel {

struct MemoryAccess {
  std::uint64_t address = 0;
  std::uint32_t bytes = 0;     // does not cross a multiple of access_bytes()
  bool write = false;
  std::uint64_t id = 0;        // handed back
};

struct MemoryAccessDone {
  std::uint64_t id = 0;
  Cycle at = 0;                // read: its data may be on the wires from this cycle on; write: as B
};

class MemoryDevice {
 public:
  virtual ~MemoryDevice() = default;
  virtual std::uint32_t access_bytes() const = 0;  // a power of two
  // Whether there is a free place for another read (write) now.
  virtual bool accepts(bool write) const = 0;
  // Arrives in cycle `at`, which is not before the last advance(), nor before the last request. accepts() holds.
  virtual void request(const MemoryAccess& access, Cycle at) = 0;
  // The first cycle in which something happens inside if no further request arrives: a place becomes free, or an answer becomes known. Later than
  // the last advance(); Never, if nothing is under way.
  virtual Cycle next_change() const = 0;
  // Lives through all cycles up to and including `now`; every request of these cycles has been made. Appends the answers that became known,
  // in any order; each lies after `now`.
  virtual void advance(Cycle now, std::vector<MemoryAccessDone>& done) = 0;
  virtual void reset() = 0;
};

}  // namespace gemel
