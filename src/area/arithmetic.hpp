// SPDX-License-Identifier: Apache-2.0
// What the generated formulas use besides + and *: the same functions as in scripts/area.py, where they are explained.
#pragma once
#include <algorithm>
#include <cstdint>

namespace gemel {

inline std::int64_t larger(std::int64_t a, std::int64_t b) { return std::max(a, b); }

inline std::int64_t over(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

inline std::int64_t log2_up(std::int64_t a) {
  std::int64_t bits = 0;
  while ((std::int64_t{1} << bits) < a) ++bits;
  return bits;
}

inline std::int64_t uneven(std::int64_t words, std::int64_t banks) {
  return std::int64_t{1} << log2_up(words / banks) == words / banks ? 0 : 1;
}

inline std::int64_t row_bytes(std::int64_t word_bytes, std::int64_t bus_bytes) {
  return (std::int64_t{1} << log2_up(over(word_bytes + bus_bytes - 1, bus_bytes))) * bus_bytes;
}

inline std::int64_t places(std::int64_t outstanding, std::int64_t word_bytes, std::int64_t bus_bytes, std::int64_t burst_bytes) {
  const std::int64_t group = larger(1, over(row_bytes(word_bytes, bus_bytes), burst_bytes));
  return over(outstanding + over(word_bytes, burst_bytes), group) * group;
}

}  // namespace gemel
