// SPDX-License-Identifier: Apache-2.0
// Coverage: bins from hand-written programs, and the merging of Verilator's counts.
#include "regress/coverage.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.hpp"
#include "sim/simulation.hpp"
#include "support/platform.hpp"

extern "C" int sc_main(int, char**) { return 0; }

namespace gemel::regress {
namespace {

FunctionalCoverage covered(const std::string& program) {
  const Machine machine = testing::small_machine();
  Case c;
  c.machine = machine;
  c.schedule = testing::program_of(program, machine);
  FunctionalCoverage coverage(machine);
  coverage.add(c);
  return coverage;
}

std::int64_t hits(const FunctionalCoverage& coverage, const std::string& group, const std::string& bin) {
  for (const auto& g : coverage.groups()) {
    if (g.name != group) continue;
    for (const auto& b : g.bins) {
      if (b.name == bin) return b.hits;
    }
  }
  ADD_FAILURE() << "no bin " << group << ": " << bin;
  return -1;
}

bool is_hole(const FunctionalCoverage& coverage, const std::string& name) {
  const std::vector<std::string> holes = coverage.holes();
  return std::find(holes.begin(), holes.end(), name) != holes.end();
}

TEST(FunctionalCoverage, NothingRunIsAllHoles) {
  const FunctionalCoverage coverage(testing::small_machine());
  EXPECT_EQ(coverage.hit(), 0);
  EXPECT_EQ(static_cast<std::int64_t>(coverage.holes().size()), coverage.bins());
  EXPECT_TRUE(is_hole(coverage, "opcodes: depthwise"));
}

TEST(FunctionalCoverage, CountsWhatHasRun) {
  const FunctionalCoverage coverage = covered(
      "load post=12 buffer=vector word=[0..3] address=260 run_bytes=16 group_bytes=4\n"
      "store wait=12 word=[0..3] address=4096 run_bytes=16 group_bytes=4\n"
      "halt\n");
  EXPECT_EQ(hits(coverage, "opcodes", "load"), 1);
  EXPECT_EQ(hits(coverage, "opcodes", "halt"), 1);
  EXPECT_EQ(hits(coverage, "load.address", "off a beat"), 1);
  EXPECT_EQ(hits(coverage, "store.address", "on a beat"), 1);
  EXPECT_EQ(hits(coverage, "load.buffer", "vector_buffer"), 1);
  EXPECT_EQ(hits(coverage, "bytes loaded into vector_buffer", "0x00"), 1);
  EXPECT_EQ(hits(coverage, "semaphores posted", "12"), 1);
  EXPECT_EQ(hits(coverage, "semaphore counts", "1"), 1);
  EXPECT_EQ(hits(coverage, "cycles of store_dma", "wait_semaphore_0"), 1);
  EXPECT_EQ(hits(coverage, "cycles of matrix_unit", "queue_empty"), 1);
  EXPECT_TRUE(is_hole(coverage, "opcodes: matrix"));
  EXPECT_TRUE(is_hole(coverage, "load.address: on a beat"));
  EXPECT_TRUE(is_hole(coverage, "errors: hazard"));
}

const std::string SmallLoad = "buffer=param word=[0..0] address=256 run_bytes=4 group_bytes=4\n";

const std::string LongLoad = "buffer=activation word=[0..255] address=1024 run_bytes=1024 group_bytes=4\n";

TEST(FunctionalCoverage, CountsFullQueues) {
  const std::string four = "load " + SmallLoad + "load " + SmallLoad + "load " + SmallLoad + "load " + SmallLoad;
  const FunctionalCoverage coverage = covered(
      "load " + LongLoad + four +
      "store word=[0..0] address=4096 run_bytes=4 group_bytes=4\n"
      "halt\n");
  EXPECT_EQ(hits(coverage, "queue of load_dma seen with", "4 instructions: full"), 1);  // when the store starts
  EXPECT_TRUE(is_hole(coverage, "queue of store_dma seen with: 4 instructions: full"));
}

TEST(FunctionalCoverage, CountsChains) {
  const FunctionalCoverage coverage = covered("load " + LongLoad + "load chain " + LongLoad + "load chain " + LongLoad + "halt\n");
  EXPECT_EQ(hits(coverage, "chained on load_dma", "behind one in flight"), 2);
  EXPECT_TRUE(is_hole(coverage, "chained on load_dma: behind nothing"));
}

TEST(FunctionalCoverage, CountsErrorsAndKindsOfHazard) {
  const FunctionalCoverage coverage = covered(
      "load buffer=vector word=[0..15] address=256 run_bytes=64 group_bytes=4\n"
      "store word=[8..9] address=4096 run_bytes=8 group_bytes=4\n"
      "halt\n");
  EXPECT_EQ(hits(coverage, "errors", "hazard"), 1);
  EXPECT_EQ(hits(coverage, "hazards: a written interval meets another in", "vector_buffer"), 1);
  EXPECT_EQ(hits(coverage, "opcodes", "load"), 1);
  EXPECT_EQ(hits(coverage, "opcodes", "halt"), 0);
  EXPECT_TRUE(is_hole(coverage, "opcodes: store"));
}

std::string point(const std::string& file, int line, const std::string& page, const std::string& what, const std::string& lines, int count) {
  return "C '\001f\002/somewhere/rtl/" + file + "\001l\002" + std::to_string(line) + "\001n\0023\001page\002" + page + "/x__W4\001o\002" + what +
         (lines.empty() ? "" : "\001S\002" + lines) + "\001h\002TOP.x' " + std::to_string(count) + "\n";
}
constexpr const char* Head = "# SystemC::Coverage-3\n";

TEST(RtlCoverage, AddsUpOverInstancesAndCases) {
  const std::string first = Head + point("a/a.sv", 10, "v_line", "block", "10-12,14", 3) + point("a/a.sv", 20, "v_branch", "if", "20-21", 0) +
                            point("a/a.sv", 20, "v_branch", "else", "20,22", 1) + point("a/a.sv", 5, "v_toggle", "x[0]", "", 0) +
                            point("a/a.sv", 5, "v_toggle", "x[1]", "", 4);
  RtlCoverage coverage;
  coverage.add_text(first, "first.dat");
  RtlFileCoverage a = coverage.files().at("a/a.sv");
  EXPECT_EQ(a.lines.all, 7);
  EXPECT_EQ(a.lines.hit, 6);
  EXPECT_EQ(a.missed_lines, std::vector<int>{21});
  EXPECT_EQ(a.partly_lines, std::vector<int>{20});
  EXPECT_EQ(a.branches.hit, 1);
  EXPECT_EQ(a.branches.all, 2);
  EXPECT_EQ(a.still_signals, std::vector<std::string>{"x[0]"});

  coverage.add_text(Head + point("a/a.sv", 20, "v_branch", "if", "20-21", 2) + point("b/b.sv", 1, "v_line", "block", "1", 0), "second.dat");
  a = coverage.files().at("a/a.sv");
  EXPECT_EQ(a.lines.hit, 7);
  EXPECT_TRUE(a.missed_lines.empty());
  EXPECT_TRUE(a.partly_lines.empty());
  EXPECT_EQ(coverage.total().lines.all, 8);
  EXPECT_EQ(coverage.total().lines.hit, 7);
  EXPECT_EQ(coverage.inputs(), 2);
}

TEST(RtlCoverage, RefusesWhatIsNoCoverage) {
  RtlCoverage coverage;
  try {
    coverage.add_text("", "empty.dat");
    FAIL();
  } catch (const RunError& error) {
    EXPECT_EQ(to_string(error.diagnostics().front()), "error[E0810]: `empty.dat` holds no coverage of Verilator's\nhint: is the disk full?");
  }
}

TEST(CoveragePage, ListsHolesAndSaysHowItWasMade) {
  CoverageRun run;
  run.command = "gemel regress --coverage <here> --count 1 --seed 9";
  run.seed = 9;
  RtlCoverage rtl;
  rtl.add_text(Head + point("load_dma/load_dma.sv", 1, "v_line", "block", "1", 0), "a.dat");
  const std::string page = coverage_page(run, covered("halt\n"), rtl, std::string(GEMEL_SOURCE_DIR) + "/rtl");
  EXPECT_NE(page.find("<code>gemel regress --coverage &lt;here&gt; --count 1 --seed 9</code>"), std::string::npos);
  EXPECT_NE(page.find("<li class=\"hole\">opcodes: matrix</li>"), std::string::npos);
  EXPECT_EQ(page.find("<li class=\"hole\">opcodes: halt</li>"), std::string::npos);
  EXPECT_NE(page.find("1: // SPDX-License-Identifier: Apache-2.0"), std::string::npos);  // the line that was never run
}

}  // namespace
}  // namespace gemel::regress
