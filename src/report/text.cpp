// SPDX-License-Identifier: Apache-2.0
// Numbers as text; see text.hpp.
#include "report/text.hpp"

#include <array>
#include <cmath>

namespace gemel {
namespace {

struct Unit {
  double factor;
  const char* suffix;
};

// The value in the largest unit of which it holds at least one, with three digits or so.
template <std::size_t N>
std::string scaled(double value, const std::array<Unit, N>& units) {
  const Unit* chosen = &units.back();
  for (const Unit& unit : units) {
    // 999.95 would print as 1000.0 of the smaller unit.
    if (std::fabs(value) >= unit.factor * 0.99995) {
      chosen = &unit;
      break;
    }
  }
  const double shown = value / chosen->factor;
  const int decimals = std::fabs(shown) >= 99.95 ? 0 : std::fabs(shown) >= 9.995 ? 1 : 2;
  return fixed(shown, decimals) + chosen->suffix;
}

}  // namespace

std::string percent(double share, int decimals) { return fixed(100.0 * share, decimals) + " %"; }

std::string bytes_text(std::int64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  return scaled(static_cast<double>(bytes),
                std::array<Unit, 3>{{{1024.0 * 1024 * 1024, " GiB"}, {1024.0 * 1024, " MiB"}, {1024.0, " KiB"}}});
}

std::string seconds_text(double seconds) {
  if (seconds == 0) return "0 s";
  return scaled(seconds, std::array<Unit, 4>{{{1.0, " s"}, {1e-3, " ms"}, {1e-6, " us"}, {1e-9, " ns"}}});
}

std::string count_text(double value) {
  if (value == 0) return "0";
  return scaled(value, std::array<Unit, 5>{{{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}, {1.0, ""}}});
}

}  // namespace gemel
