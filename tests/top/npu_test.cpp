// SPDX-License-Identifier: Apache-2.0
// npu as a module of somebody's platform, from models and beat models: what its surroundings may be like. With RTL inside: tests/rtl/platform.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.hpp"
#include "memory/ideal_memory.hpp"
#include "sim/platform.hpp"
#include "support/platform.hpp"
#include "top/engine.hpp"

namespace gemel {
namespace {

using testing::program_of;
using testing::small_machine;

constexpr const char* Copy =
    "load post=12 buffer=vector word=[0..15] address=256 run_bytes=64 group_bytes=4\n"
    "store wait=12 word=[0..15] address=4096 run_bytes=64 group_bytes=4\n"
    "halt\n";

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const UserError& error) {
    return to_string(error.diagnostics().front());
  }
  return "no error";
}

// Cycles of the program, with SystemC's time in units of so many seconds.
Cycle cycles_with(double resolution, sc_core::sc_time_unit unit, double clock_mhz) {
  const SystemcContext context;
  sc_core::sc_set_time_resolution(resolution, unit);
  NpuParts parts;
  parts.machine = small_machine();
  parts.machine.clock_mhz = clock_mhz;
  const Schedule schedule = program_of(Copy, parts.machine);
  Npu npu("npu", parts);
  IdealMemory memory("memory", parts.machine, clock_period(parts.machine));
  Driver driver("driver", schedule.program_base, static_cast<std::uint32_t>(schedule.program.size() * isa::InstructionBytes));
  sc_core::sc_signal<bool> interrupt("interrupt");
  std::memcpy(memory.data() + schedule.program_base, schedule.program.data(), schedule.program.size() * isa::InstructionBytes);
  driver.csr.bind(npu.csr);
  npu.fetch.bind(memory.fetch);
  npu.load.bind(memory.load);
  npu.store.bind(memory.store);
  npu.interrupt(interrupt);
  driver.interrupt(interrupt);
  sc_core::sc_start();
  EXPECT_TRUE(driver.done());
  return dynamic_cast<ModelEngine&>(npu.engine()).cycles();
}

TEST(Npu, NeedsAResolutionThatItsClockIsAnEvenMultipleOf) {
  const Cycle cycles = cycles_with(1, sc_core::SC_PS, 1000);
  EXPECT_GT(cycles, 50);
  EXPECT_EQ(cycles_with(1, sc_core::SC_FS, 1000), cycles);
  EXPECT_EQ(cycles_with(1, sc_core::SC_FS, 2999), cycles);
  EXPECT_EQ(cycles_with(100, sc_core::SC_PS, 500), cycles);
  EXPECT_EQ(cycles_with(1, sc_core::SC_NS, 500), cycles);
  const std::string hint =
      "\nhint: call sc_set_time_resolution(1, sc_core::SC_PS) before any other use of time, or choose another clock_mhz";
  EXPECT_EQ(error_of([] { cycles_with(1, sc_core::SC_NS, 3000); }),
            "error[E1022]: the clock of machine `small` (3000 MHz) has a period of 334 ps, which is no even multiple of SystemC's time "
            "resolution of 1000 ps" + hint);
  EXPECT_EQ(error_of([] { cycles_with(1, sc_core::SC_NS, 800); }),
            "error[E1022]: the clock of machine `small` (800 MHz) has a period of 1250 ps, which is no even multiple of SystemC's time "
            "resolution of 1000 ps" + hint);
  EXPECT_EQ(error_of([] { cycles_with(1, sc_core::SC_NS, 1000); }),  // a multiple, but not an even one
            "error[E1022]: the clock of machine `small` (1000 MHz) has a period of 1000 ps, which is no even multiple of SystemC's time "
            "resolution of 1000 ps" + hint);
}

}  // namespace
}  // namespace gemel
