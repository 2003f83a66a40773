// SPDX-License-Identifier: Apache-2.0
// The seed of the randomized tests: GEMEL_SEED if set, else a new one; printed either way, so that a failure can be
// replayed.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

namespace gemel::kernels_test {

inline std::uint64_t seed_of_this_run() {
  const char* wanted = std::getenv("GEMEL_SEED");
  const std::uint64_t seed = wanted && *wanted ? std::strtoull(wanted, nullptr, 0) : std::random_device{}();
  std::cout << "GEMEL_SEED=" << seed << '\n';
  return seed;
}

// Uniform in [low, high].
inline int draw(std::mt19937_64& random, int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(random);
}

inline int bytes_or_extremes(std::mt19937_64& random, bool extremes) {
  static constexpr int Extremes[] = {0, 1, 127, 128, 129, 255};
  return extremes ? Extremes[draw(random, 0, 5)] : draw(random, 0, 255);
}

}  // namespace gemel::kernels_test
