// SPDX-License-Identifier: Apache-2.0
// The kernels of each instruction set, and the choice among them: made once, from what the CPU has. All levels give the
// same bits; none uses an instruction that saturates. GEMEL_SIMD=scalar|avx2|avx512|vnni overrules the choice.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/matrix_tile.hpp"
#include "kernels/vector_tile.hpp"

namespace gemel {

enum class SimdLevel {
  Scalar,  // plain C++, the reference
  Avx2,    // 16-bit multiplications in pairs, 8 columns at a time
  Avx512,  // the same, 16 columns at a time (F, BW, VL, DQ)
  Vnni,    // vpdpbusd: unsigned by signed bytes, four at a time, without saturation
};
const char* to_string(SimdLevel level);  // "scalar", "avx2", "avx512", "vnni"

struct Kernels {
  SimdLevel level;
  void (*matrix_tile)(const MatrixTile&);
  void (*depthwise_sums)(const VectorTile&, int block, const DepthwiseWeights&, std::int32_t* sums);
  void (*window_sums)(const VectorTile&, int block, std::int32_t* sums);
  void (*window_maxima)(const VectorTile&, int block, std::int32_t* maxima);
};

// The levels that this build and this CPU have, slowest first. Never empty.
std::vector<SimdLevel> simd_levels();

// The kernels of one level; UserError E0930 if this build or CPU lacks it.
const Kernels& kernels(SimdLevel level);

// The kernels of the level of that name; UserError E0930 also for a name that there is not.
const Kernels& kernels(const std::string& name);

// The kernels in use: those of GEMEL_SIMD, else of the last of simd_levels(). Decided at the first call.
const Kernels& kernels();

}  // namespace gemel
