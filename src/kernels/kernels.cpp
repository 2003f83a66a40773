// SPDX-License-Identifier: Apache-2.0
// Which kernels run: asks the CPU once, and GEMEL_SIMD. Without x86 the scalar kernels are all there is.
#include "kernels/kernels.hpp"

#include <cstdlib>
#include <string>

#include "base/error.hpp"
#include "kernels/tables.hpp"

namespace gemel {
namespace {

// nullptr if this build or this CPU lacks the level.
const Kernels* find(SimdLevel level) {
  using namespace kernel_tables;
  if (level == SimdLevel::Scalar) return &Scalar;
#if GEMEL_KERNELS_X86
  const bool avx2 = __builtin_cpu_supports("avx2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (level == SimdLevel::Avx2 && avx2) return &Avx2;
  if (level == SimdLevel::Avx512 && avx512) return &Avx512;
  if (level == SimdLevel::Vnni && avx512 && __builtin_cpu_supports("avx512vnni")) return &Vnni;
#endif
  return nullptr;
}

constexpr SimdLevel AllLevels[] = {SimdLevel::Scalar, SimdLevel::Avx2, SimdLevel::Avx512, SimdLevel::Vnni};

std::string names_of_levels() {
  std::string names;
  for (const SimdLevel level : simd_levels()) names += (names.empty() ? "" : ", ") + std::string(to_string(level));
  return names;
}

const Kernels& choose() {
  const char* wanted = std::getenv("GEMEL_SIMD");
  return wanted && *wanted ? kernels(std::string(wanted)) : kernels(simd_levels().back());
}

}  // namespace

const char* to_string(SimdLevel level) {
  switch (level) {
    case SimdLevel::Scalar: return "scalar";
    case SimdLevel::Avx2: return "avx2";
    case SimdLevel::Avx512: return "avx512";
    case SimdLevel::Vnni: return "vnni";
  }
  return "?";
}

std::vector<SimdLevel> simd_levels() {
  std::vector<SimdLevel> levels;
  for (const SimdLevel level : AllLevels) {
    if (find(level)) levels.push_back(level);
  }
  return levels;
}

const Kernels& kernels(SimdLevel level) {
  if (const Kernels* found = find(level)) return *found;
  throw UserError("E0930", "this computer cannot run the `" + std::string(to_string(level)) + "` kernels",
                  "it has " + names_of_levels() + "; leave GEMEL_SIMD unset to use the fastest");
}

const Kernels& kernels(const std::string& name) {
  for (const SimdLevel level : AllLevels) {
    if (name == to_string(level)) return kernels(level);
  }
  throw UserError("E0930", "GEMEL_SIMD names no instruction set: `" + name + "`",
                  "this computer has " + names_of_levels() + "; leave GEMEL_SIMD unset to use the fastest");
}

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

void run_matrix_tile(const MatrixTile& tile) { kernels().matrix_tile(tile); }

void depthwise_sums(const VectorTile& tile, int block, const DepthwiseWeights& weights, std::int32_t* sums) {
  kernels().depthwise_sums(tile, block, weights, sums);
}

void window_sums(const VectorTile& tile, int block, std::int32_t* sums) { kernels().window_sums(tile, block, sums); }

void window_maxima(const VectorTile& tile, int block, std::int32_t* maxima) {
  kernels().window_maxima(tile, block, maxima);
}

}  // namespace gemel
