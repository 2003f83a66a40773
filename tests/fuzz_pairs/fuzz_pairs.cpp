// SPDX-License-Identifier: Apache-2.0
// gemel_fuzz [COUNT] [FIRST_SEED]: runs random (machine, network) pairs until COUNT of them have run (a machine that is too
// small for its network says so and does not count); see support/random_case.hpp for what must hold. Prints every failure with the
// seed that replays it (gemel_fuzz 1 SEED). Exit code 1 if anything failed.
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "support/random_case.hpp"

extern "C" int sc_main(int, char**) { return 0; }  // never called; libsystemc refers to it

int main(int argc, char** argv) {
  const long count = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 1000;
  std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  const bool terminal = isatty(STDERR_FILENO) != 0;
  long ran = 0, refused = 0, failed = 0;
  std::int64_t cycles = 0;
  std::cout << "first seed " << seed << "\n";
  for (; ran < count; ++seed) {
    const gemel::test::CaseResult r = gemel::test::run_case(seed);
    if (r.refused) {
      ++refused;
      if (argc > 2 && count == 1) {
        std::cout << "refused: " << r.refusal << "\n";
        break;
      }
      continue;
    }
    ++ran;
    cycles += r.cycles;
    if (!r.failure.empty()) {
      ++failed;
      std::cout << "FAILED " << r.failure << "\n" << std::flush;
    }
    if (terminal) std::cerr << "\r" << ran << "/" << count << ", " << failed << " failed" << std::flush;
  }
  if (terminal) std::cerr << "\n";
  std::cout << ran << " pairs, " << cycles << " cycles, " << failed << " failed, " << refused << " refused by the compiler\n";
  return failed == 0 ? 0 : 1;
}
