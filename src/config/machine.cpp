// SPDX-License-Identifier: Apache-2.0
// What follows from a machine's parameters; see machine.hpp.
#include "config/machine.hpp"

#include <algorithm>
#include <cmath>

namespace gemel {

const char* to_string(Buffer buffer) {
  switch (buffer) {
    case Buffer::Activation: return "activation_buffer";
    case Buffer::Weight: return "weight_buffer";
    case Buffer::Vector: return "vector_buffer";
    case Buffer::Param: return "param_buffer";
    case Buffer::Accumulator: return "accumulator_buffer";
  }
  return "?";
}

const char* to_string(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::Ideal: return "ideal";
  }
  return "?";
}

int Machine::word_bytes(Buffer b) const {
  switch (b) {
    case Buffer::Activation: return rows;
    case Buffer::Accumulator: return 4 * columns;
    case Buffer::Weight:
    case Buffer::Vector:
    case Buffer::Param: return columns;
  }
  return columns;
}

std::int64_t Machine::millibytes_per_cycle() const {
  return std::min<std::int64_t>(std::int64_t{1000} * bus_bytes, std::llround(1000 * memory_bytes_per_cycle));
}

std::int64_t Machine::bank_words(Buffer b) const {
  return buffer(b).size_bytes / word_bytes(b) / buffer(b).banks;
}

std::int64_t Machine::words(Buffer b) const { return bank_words(b) * buffer(b).banks; }

}  // namespace gemel
