// SPDX-License-Identifier: Apache-2.0
// A bounded part of the fuzz of (machine, network) pairs; `gemel_fuzz` runs the whole. GEMEL_SEED replays one case.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "support/random_case.hpp"

extern "C" int sc_main(int, char**) { return 0; }  // never called; libsystemc refers to it

namespace gemel::test {
namespace {

TEST(Fuzz, ModelEqualsGoldenAndBeats) {
  std::uint64_t first = 1;
  int count = 60;
  if (const char* seed = std::getenv("GEMEL_SEED")) {
    first = std::strtoull(seed, nullptr, 10);
    count = 1;
  }
  int ran = 0, with_parts = 0;
  for (int i = 0; i < count; ++i) {
    const CaseResult r = run_case(first + static_cast<std::uint64_t>(i));
    EXPECT_EQ(r.failure, "");
    ran += r.refused ? 0 : 1;
    with_parts += r.parts > 1;
  }
  std::cout << ran << " of " << count << " pairs ran, " << with_parts << " of them with host steps between parts of the program, seeds from " << first << "\n";
  EXPECT_GE(ran, count / 2);
  if (count > 1) {
    EXPECT_GE(with_parts, 3);
  }
}

}  // namespace
}  // namespace gemel::test
