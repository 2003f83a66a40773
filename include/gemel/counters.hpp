// SPDX-License-Identifier: Apache-2.0
// The shape of the performance counters: per unit and cycle the first cause that is true, so each unit's causes add up to
// the cycles of the run. Meanings and names: isa.toml, enums unit and cause.
#pragma once
#include <array>
#include <cstdint>

namespace gemel {

inline constexpr int UnitCount = 4;    // load, matrix, vector, store
inline constexpr int CauseCount = 10;
using UnitCounters = std::array<std::array<std::int64_t, CauseCount>, UnitCount>;  // [unit][cause], cycles

}  // namespace gemel
