// SPDX-License-Identifier: Apache-2.0
// The seed of a randomized test: GEMEL_SEED from the environment to replay, else `fallback`. It is printed either way.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <iostream>

namespace gemel::test {

inline std::uint64_t random_seed(std::uint64_t fallback = 1) {
  const char* text = std::getenv("GEMEL_SEED");
  const std::uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 0) : fallback;
  std::cout << "seed " << seed << " (GEMEL_SEED=" << seed << " replays)\n";
  return seed;
}

}  // namespace gemel::test
