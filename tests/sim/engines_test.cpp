// SPDX-License-Identifier: Apache-2.0
// The engines give the same cycles, counters, starts and ends of instructions, bytes and reports: every shipped workload on every shipped
// machine without data in `systemc` and `plain`, the small ones with data in all three. scripts/verify_engines does all of it with data.
#include <gtest/gtest.h>

#include <string>

#include "support/same_engines.hpp"

namespace gemel {
namespace {

using test::all_differences;
using test::ShippedCase;

class Engines : public testing::TestWithParam<std::string> {};

TEST_P(Engines, SameCyclesWithoutDataOnEveryMachine) {
  const auto machines = list_named("configs", ".yaml");
  EXPECT_GE(machines.size(), 5u);
  for (const std::string& machine : machines) {
    const ShippedCase c(GetParam(), machine, true);
    EXPECT_EQ(all_differences(c, c.run(Engine::Systemc), c.run(Engine::Plain)), "") << GetParam() << " on " << machine;
  }
}

INSTANTIATE_TEST_SUITE_P(Shipped, Engines, testing::ValuesIn(list_named("workloads", ".yaml")),
                         [](const testing::TestParamInfo<std::string>& one) { return one.param; });

class EnginesWithData : public testing::TestWithParam<std::string> {};

TEST_P(EnginesWithData, SameCyclesAndBytesOnEveryMachine) {
  for (const std::string& machine : list_named("configs", ".yaml")) {
    const ShippedCase c(GetParam(), machine, false);
    const SimulationOutput systemc = c.run(Engine::Systemc);
    EXPECT_FALSE(systemc.memory.empty());
    for (const Engine engine : {Engine::Plain, Engine::Beat}) {
      EXPECT_EQ(all_differences(c, systemc, c.run(engine)), "") << GetParam() << " on " << machine;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Small, EnginesWithData, testing::Values("digits", "resnet8", "dense_1000", "depthwise_112"),
                         [](const testing::TestParamInfo<std::string>& one) { return one.param; });

}  // namespace
}  // namespace gemel
