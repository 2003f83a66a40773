// SPDX-License-Identifier: Apache-2.0
// Inside the room: one table of kernels per instruction set, each defined by the file of that name. Those files are
// compiled for CPUs that this one may not be, so they use no inline function of the standard library: the linker keeps
// one copy of such a function for the whole program, and it could be theirs.
#pragma once
#include "kernels/kernels.hpp"

namespace gemel::kernel_tables {

extern const Kernels Scalar;
extern const Kernels Avx2;
extern const Kernels Avx512;
extern const Kernels Vnni;

// Scratch memory of this thread, aligned to 64 bytes and kept between calls, one piece per slot; contents are
// undefined.
enum class Slot { Staged, Panel, Pixels, Runs, Initial, Sums, Weights };
inline constexpr int SlotCount = 7;
void* scratch(Slot slot, std::int64_t bytes);

}  // namespace gemel::kernel_tables
