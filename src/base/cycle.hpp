// SPDX-License-Identifier: Apache-2.0
// Time, counted in clock cycles. "At t" means: on the wires during period t (docs/reference/machine.md).
#pragma once
#include <cstdint>
#include <limits>

namespace gemel {

using Cycle = std::int64_t;
inline constexpr Cycle Never = std::numeric_limits<Cycle>::max();

}  // namespace gemel
