// SPDX-License-Identifier: Apache-2.0
// simulate() inside a program that simulates something itself: the caller's SystemC context, its time and its message settings stay.
#include <gtest/gtest.h>

#include <systemc>
#include <vector>

#include "sim/platform.hpp"
#include "support/platform.hpp"

extern "C" int sc_main(int, char**) { return 0; }

namespace gemel {
namespace {

using testing::run_program;
using testing::small_machine;

std::int64_t cycles_of_a_run() { return run_program("halt", small_machine()).result.cycles; }

// Counts nanoseconds, and runs the NPU by itself in the fifth of each process.
struct Host : sc_core::sc_module {
  SC_HAS_PROCESS(Host);
  explicit Host(sc_core::sc_module_name name) : sc_module(name) {
    SC_METHOD(method);
    SC_THREAD(thread);
  }
  void method() {
    if (++methods == 5) cycles.push_back(cycles_of_a_run());
    next_trigger(1, sc_core::SC_NS);
  }
  void thread() {
    for (;; wait(1, sc_core::SC_NS)) {
      if (++threads == 5) cycles.push_back(cycles_of_a_run());
    }
  }
  int methods = 0, threads = 0;
  std::vector<std::int64_t> cycles;
};

TEST(SystemcHost, RunsOnAsBeforeAroundAndThroughSimulations) {
  const SystemcContext of_the_host;
  sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_LOG);
  Host host("host");
  sc_core::sc_simcontext* const context = sc_core::sc_get_curr_simcontext();
  const std::int64_t alone = cycles_of_a_run();  // between elaboration and start
  EXPECT_GT(alone, 0);
  EXPECT_EQ(sc_core::sc_get_curr_simcontext(), context);

  sc_core::sc_start(10, sc_core::SC_NS);
  EXPECT_EQ(host.methods, 10);
  EXPECT_EQ(host.threads, 10);
  EXPECT_EQ(host.cycles, (std::vector<std::int64_t>{alone, alone}));

  EXPECT_EQ(cycles_of_a_run(), alone);  // while the host's simulation pauses
  EXPECT_EQ(sc_core::sc_time_stamp(), sc_core::sc_time(10, sc_core::SC_NS));
  sc_core::sc_start(10, sc_core::SC_NS);
  EXPECT_EQ(host.methods, 20);
  EXPECT_EQ(sc_core::sc_get_curr_simcontext(), context);
  EXPECT_EQ(sc_core::sc_get_status(), sc_core::SC_PAUSED);
  EXPECT_EQ(sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_LOG), sc_core::sc_actions(sc_core::SC_LOG));
}

TEST(SystemcHost, GetsItsContextBackAfterARunThatFails) {
  const SystemcContext of_the_host;
  Host host("host");
  sc_core::sc_simcontext* const context = sc_core::sc_get_curr_simcontext();
  SimulationOptions options;
  options.max_cycles = 5;
  EXPECT_THROW(run_program("halt", small_machine(), options), RunError);
  EXPECT_EQ(sc_core::sc_get_curr_simcontext(), context);
  sc_core::sc_start(3, sc_core::SC_NS);
  EXPECT_EQ(host.methods, 3);
}

}  // namespace
}  // namespace gemel
