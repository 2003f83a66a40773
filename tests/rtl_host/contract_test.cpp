// SPDX-License-Identifier: Apache-2.0
// What somebody who writes a block is given, against the table of ports: the page of text, and the file to begin with.
#include "rtl_host/contract.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "rtl_host/ports.hpp"

namespace gemel {
namespace {

Machine odd_machine() {
  Machine machine;
  machine.name = "odd";
  machine.rows = 3;
  machine.columns = 5;
  machine.lanes = 2;
  return machine;
}

struct Found {
  std::string direction, range, name;
};

std::vector<Found> ports_in(const std::string& verilog) {
  std::vector<Found> found;
  const std::regex port(R"(^  (input|output) *logic +(?:\[([^\]]*)\] +)?(\w+),?(?:  //.*)?$)");
  std::istringstream in(verilog);
  for (std::string line; std::getline(in, line);) {
    std::smatch m;
    if (std::regex_match(line, m, port)) found.push_back({m[1], m[2], m[3]});
  }
  return found;
}

TEST(Contract, EveryPortAndParameterIsExplained) {
  const Machine machine = odd_machine();
  for (const BlockSpec& spec : block_specs()) {
    const std::string text = explain_ports(spec.name, machine);
    const RtlParameters values = spec.parameters(machine_parameters(machine));
    std::istringstream in(text);
    std::vector<std::string> rows;
    for (std::string line; std::getline(in, line);) rows.push_back(line);
    const auto has_row = [&](const std::string& name, const std::string& number) {
      const std::regex row("  " + name + " +" + number + " .*");
      return std::any_of(rows.begin(), rows.end(), [&](const std::string& line) { return std::regex_match(line, row); });
    };
    for (const auto& [name, value] : values) EXPECT_TRUE(has_row(name, std::to_string(value))) << spec.name << " " << name << "\n" << text;
    for (const PortSpec& port : spec.ports(values)) {
      EXPECT_TRUE(has_row(port.name, std::to_string(port.width))) << spec.name << " " << port.name << "\n" << text;
    }
    EXPECT_NE(text.find(spec.contract), std::string::npos) << spec.name;
  }
}

TEST(Contract, ASkeletonHasThePortsAndParametersOfTheTable) {
  const Machine machine = odd_machine();
  for (const BlockSpec& spec : block_specs()) {
    SCOPED_TRACE(spec.name);
    const std::string text = skeleton(spec.name, machine);
    const RtlParameters values = spec.parameters(machine_parameters(machine));
    EXPECT_NE(text.find("module " + std::string(spec.module) + " #("), std::string::npos);
    for (const auto& [name, value] : values) {
      EXPECT_NE(text.find("parameter int " + name + " = " + std::to_string(value)), std::string::npos) << name;
    }
    std::vector<PortSpec> expected = spec.ports(values);
    expected.insert(expected.begin(), {{"clk_i", true, 1, "", 0, "1"}, {"rst_ni", true, 1, "", 0, "1"}});
    expected.push_back({"quiet_o", false, 1, "", 0, "1"});
    const std::vector<Found> found = ports_in(text);
    ASSERT_EQ(found.size(), expected.size()) << text;
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].name, expected[i].name);
      EXPECT_EQ(found[i].direction, expected[i].input ? "input" : "output") << found[i].name;
      EXPECT_EQ(found[i].range.empty(), expected[i].width_text == "1") << found[i].name << " [" << found[i].range << "]";
    }
  }
}

TEST(Contract, ThePeIsADatapath) {
  const Machine machine = odd_machine();
  EXPECT_EQ(skeleton_file_name("pe"), "pe.sv");
  EXPECT_EQ(skeleton_file_name("vector_buffer"), "scratchpad.sv");
  EXPECT_EQ(ports_in(skeleton("pe", machine)).size(), 7u);
  EXPECT_EQ(skeleton("pe", machine).find("rst_ni"), std::string::npos);
  EXPECT_EQ(explain_ports("pe", machine).find("quiet_o"), std::string::npos);
}

TEST(Contract, NoSuchBlock) {
  EXPECT_THROW(explain_ports("requantiser", odd_machine()), UserError);
  EXPECT_THROW(skeleton("requantiser", odd_machine()), UserError);
  EXPECT_THROW(skeleton_file_name("requantiser"), UserError);
}

}  // namespace
}  // namespace gemel
