// SPDX-License-Identifier: Apache-2.0
// Ports as Verilator tells them, in both formats, and every way in which they may differ from a contract.
#include "rtl_host/elaborated_ports.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace gemel {
namespace {

const std::vector<PortSpec> Contract = {
    {"clk_i", true, 1, "", 0}, {"data_i", true, 36, "", 0}, {"sum_o", false, 32, "", 0}};

// What Verilator 5.032 writes, less what nobody reads. Its types are a table; a structure is none of the basic ones.
std::string json_of(const std::string& ports) {
  return R"json({"type":"NETLIST","name":"$root","modulesp":[
    {"type":"PACKAGE","name":"types_pkg","origName":"types_pkg","stmtsp":[
      {"type":"VAR","origName":"clk_i","direction":"INPUT","varType":"PORT","dtypep":"(S)"}]},
    {"type":"MODULE","name":"adder","origName":"adder","inlinesp":[],"stmtsp":[
      {"type":"VAR","origName":"Width","direction":"NONE","varType":"GPARAM","dtypep":"(I)"},
      {"type":"FUNC","name":"f","stmtsp":[{"type":"VAR","origName":"argument","direction":"INPUT","varType":"PORT","dtypep":"(B)"}]},
      )json" +
         ports + R"json(
      {"type":"VAR","origName":"inner","direction":"NONE","varType":"VAR","dtypep":"(B)"}]}],
    "miscsp":[{"type":"TYPETABLE","typesp":[
      {"type":"BASICDTYPE","addr":"(B)","keyword":"logic"},
      {"type":"BASICDTYPE","addr":"(W)","keyword":"logic","range":"35:0"},
      {"type":"BASICDTYPE","addr":"(U)","keyword":"logic","range":"0:31"},
      {"type":"BASICDTYPE","addr":"(I)","keyword":"int"},
      {"type":"STRUCTDTYPE","addr":"(S)"}]}]})json";
}
std::string port(const std::string& name, const std::string& direction, const std::string& type) {
  return R"({"type":"VAR","origName":")" + name + R"(","direction":")" + direction +
         R"(","varType":"PORT","dtypep":")" + type + R"("},)";
}
const std::string Good =
    port("clk_i", "INPUT", "(B)") + port("data_i", "INPUT", "(W)") + port("sum_o", "OUTPUT", "(U)");

std::string complaints(const ElaboratedPorts& ports) {
  try {
    check_ports(ports, Contract, "adder_block", "adder");
  } catch (const UserError& error) {
    std::string text;
    for (const Diagnostic& d : error.diagnostics()) {
      EXPECT_EQ(d.code, "E1005");
      text += d.message + "\n";
    }
    EXPECT_EQ(error.diagnostics().back().hint, "`gemel explain --ports adder_block` prints the contract");
    return text;
  }
  return "";
}
std::string complaints(const std::string& ports) { return complaints(ports_from_json(json_of(ports), "adder")); }

TEST(ElaboratedPorts, OfJson) {
  const ElaboratedPorts ports =
      ports_from_json(json_of(Good + port("all_i", "INPUT", "(S)") + port("count_o", "OUTPUT", "(I)")), "adder");
  ASSERT_EQ(ports.size(), 5u) << "no parameters, no inner signals, no arguments of functions, no other module's";
  EXPECT_TRUE(ports.at("clk_i").input);
  EXPECT_EQ(ports.at("clk_i").width, 1);
  EXPECT_EQ(ports.at("data_i").width, 36);
  EXPECT_FALSE(ports.at("sum_o").input);
  EXPECT_EQ(ports.at("sum_o").width, 32) << "either end may be the left one";
  EXPECT_EQ(ports.at("all_i").width, -1) << "a structure";
  EXPECT_EQ(ports.at("count_o").width, 32);
}

TEST(ElaboratedPorts, OfJsonInAnotherFormat) {
  EXPECT_THROW(ports_from_json("", "adder"), InternalError);
  EXPECT_THROW(ports_from_json("{\"type\":\"NETLIST\"", "adder"), InternalError);
  EXPECT_THROW(ports_from_json("[]", "adder"), InternalError);
  EXPECT_THROW(ports_from_json("{\"type\":\"NETLIST\"}", "adder"), InternalError);
  EXPECT_THROW(ports_from_json(json_of(Good), "subtractor"), InternalError);
}

TEST(ElaboratedPorts, OfXml) {  // Verilator 5.006's
  const ElaboratedPorts ports = ports_from_xml(R"(<netlist><module loc="c" name="adder" origName="adder" topModule="1">
    <var loc="d" name="Width" dtype_id="4" vartype="int" origName="Width" param="true">
    <var loc="e" name="clk_i" dtype_id="1" dir="input" pinIndex="1" vartype="logic" origName="clk_i"/>
    <var loc="e" name="data_i" dtype_id="2" dir="input" pinIndex="2" vartype="logic" origName="data_i"/>
    <var loc="e" name="sum_o" dtype_id="3" dir="output" pinIndex="3" vartype="logic" origName="sum_o"/>
    <func name="f"><var loc="f" name="argument" dtype_id="1" dir="input" vartype="logic" origName="argument"/></func>
    </module><module name="other"><var loc="e" name="strange_i" dtype_id="1" dir="input" pinIndex="1" vartype="logic" origName="strange_i"/></module>
    <typetable><basicdtype loc="d" id="1" name="logic"/><basicdtype loc="d" id="2" name="logic" left="35" right="0"/>
    <basicdtype loc="d" id="3" name="logic" left="0" right="31"/><structdtype loc="d" id="4"/></typetable></netlist>)");
  ASSERT_EQ(ports.size(), 3u);
  EXPECT_EQ(complaints(ports), "");
}

TEST(ElaboratedPorts, NothingToComplainAbout) { EXPECT_EQ(complaints(Good), ""); }

TEST(ElaboratedPorts, EveryDifferenceIsNamed) {
  EXPECT_EQ(
      complaints(port("clk_i", "OUTPUT", "(B)") + port("data_i", "INPUT", "(S)") + port("sum_o", "OUTPUT", "(W)") +
                 port("more_o", "OUTPUT", "(B)")),
      "module `adder`: port `clk_i` is an output; it must be an input of 1 bit\n"
      "module `adder`: port `data_i` has a structured type; it must be an input of 36 bits (a flat packed vector)\n"
      "module `adder`: port `sum_o` has 36 bits; it must be an output of 32 bits (a flat packed vector)\n"
      "module `adder`: port `more_o` is not part of the contract\n");
  EXPECT_EQ(complaints(port("clk_i", "INPUT", "(B)") + port("sum_o", "OUTPUT", "(U)")),
            "module `adder`: port `data_i` is missing; it must be an input of 36 bits\n");
}

}  // namespace
}  // namespace gemel
