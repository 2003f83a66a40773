// SPDX-License-Identifier: Apache-2.0
// What the command line cannot bring about: a machine with another kind of memory. The rest of `gemel export`: export_tools_test.py.
#include "export/export.hpp"

#include <gtest/gtest.h>

#include "gemel/gemel.hpp"

extern "C" int sc_main(int, char**) { return 0; }  // SystemC's library refers to it

namespace gemel {
namespace {

TEST(Export, AMemoryThatTheTestbenchLacksIsRefused) {
  Machine machine = load_machine(GEMEL_SOURCE_DIR "/configs/tiny8.yaml");
  const Program program = compile(load_network(GEMEL_SOURCE_DIR "/workloads/digits.yaml"), machine);
  EXPECT_NO_THROW(require_exportable(program, machine));
  machine.memory_kind = static_cast<MemoryKind>(200);
  try {
    require_exportable(program, machine);
    FAIL() << "must be refused";
  } catch (const UserError& error) {
    EXPECT_EQ(to_string(error.diagnostics()),
              "error[E1303]: the testbench has an ideal memory, and machine `tiny8` another, so that a program would take other cycles\n"
              "hint: export with --set memory.kind=ideal, or without a workload");
  }
}

}  // namespace
}  // namespace gemel
