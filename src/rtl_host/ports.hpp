// SPDX-License-Identifier: Apache-2.0
// Blocks as RTL sees them: parameters and ports (src/isa/ports.toml), resolved for a machine.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "config/machine.hpp"

namespace gemel {

using RtlParameters = std::map<std::string, std::int64_t>;

struct PortSpec {
  std::string name;        // "weight_i"; inputs end in _i, outputs in _o
  bool input = false;
  int width = 1;           // bits
  std::string valid;       // the port under which the payload counts; empty: always
  int delay = 0;           // it counts so many cycles after `valid`
  std::string width_text;  // "9*Columns"
  std::string meaning;     // a few words
  bool clock = false;      // an input that goes on by one in every clock; that is no change of the inputs
};

struct BlockSpec {
  const char* name;        // "vector_buffer"
  const char* module;      // "scratchpad": SystemVerilog module and folder under rtl/
  RtlParameters (*parameters)(const RtlParameters& machine);
  std::vector<PortSpec> (*ports)(const RtlParameters& block);  // without clk_i, rst_ni, quiet_o
  std::vector<std::pair<std::string, std::string>> expressions;  // parameter -> expression in the machine's parameters, in order
  const char* contract;    // in words: latency, duties, what may never happen
};

const std::vector<BlockSpec>& block_specs();                // in the order of ports.toml
const BlockSpec& block_spec(const std::string& name);       // UserError E1001: no such block
RtlParameters machine_parameters(const Machine& machine);   // the names that ports.toml's expressions use

}  // namespace gemel
