// SPDX-License-Identifier: Apache-2.0
#include "top/memory_beat.hpp"

#include <utility>

namespace gemel {

IdealMemoryBeat::IdealMemoryBeat(const Machine& machine, std::vector<std::uint8_t>& bytes, std::unique_ptr<MemoryDevice> device)
    : IdealMemoryBeat(machine, MemoryBytes(bytes.data(), bytes.size()), std::move(device)) {}

IdealMemoryBeat::IdealMemoryBeat(const Machine& machine, MemoryBytes bytes, std::unique_ptr<MemoryDevice> device)
    : AxiBridge(machine), timing_(machine, bytes, std::move(device)), plain_(timing_) {
  errors_in_one_beat();
  connect(plain_.fetch(), plain_.load(), plain_.store());
  plain_.connect(read_sink(false), read_sink(true), write_sink());
}

void IdealMemoryBeat::reset() {
  restart();
  timing_.reset();
}

}  // namespace gemel
