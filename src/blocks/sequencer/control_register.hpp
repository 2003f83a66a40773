// SPDX-License-Identifier: Apache-2.0
// Bits of the register `control` (isa::csr::Control; docs/reference/machine.md, section 1).
#pragma once
#include <cstdint>

namespace gemel {

inline constexpr std::uint32_t ControlStart = 1, ControlClear = 2, ControlAbort = 4;

}  // namespace gemel
