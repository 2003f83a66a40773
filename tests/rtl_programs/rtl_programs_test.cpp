// SPDX-License-Identifier: Apache-2.0
// Programs in which RTL once differed from the models, or which random programs meet too seldom: the fast models, the beat models and the
// RTL of every block must agree on every bit and every cycle.
#include <gtest/gtest.h>

#include "regress/regress.hpp"
#include "support/platform.hpp"

extern "C" int sc_main(int, char**) { return 0; }

namespace gemel::regress {
namespace {

Case case_of(const std::string& program, const Machine& machine, const char* block = "npu") {
  Case c;
  c.name = "hand-written";
  c.machine = machine;
  c.schedule = testing::program_of(program, machine);
  c.blocks = {{block, BlockKind::Rtl, {}}};
  c.reset_seed = 1;
  c.program_only = true;
  return c;
}

// A word that nobody has written reads as 0. At power-up the write enables and addresses of load_dma and vector_unit hold anything: if one
// clock comes before they are reset, a word of a buffer is written. A buffer of the greatest size makes that word one of the buffer's.
TEST(RtlPrograms, NothingIsWrittenAtPowerUp) {
  Machine m = testing::small_machine(1, 1);
  m.memory_bytes = 1 << 20;
  m.buffer(Buffer::Vector).size_bytes = 1 << 18;
  Case c = case_of("store word=[0..262143] address=0x40000 run_bytes=262144 group_bytes=262144\nhalt\n", m);
  c.repeats.resets = 7;
  const Outcome outcome = run(c);
  EXPECT_EQ(outcome.failure, "");
  EXPECT_EQ(outcome.tally.reset_runs, 7);
}

}  // namespace
}  // namespace gemel::regress
