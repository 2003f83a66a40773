// SPDX-License-Identifier: Apache-2.0
// What somebody who writes a block of their own needs: its contract as a page of text, and a file to begin with.
#pragma once
#include <string>

#include "config/machine.hpp"

namespace gemel {

// The contract in words, parameters with their values on the machine, and every port. UserError E1001: no such block.
std::string explain_ports(const std::string& block, const Machine& machine);

// "requantizer.sv": the module's name.
std::string skeleton_file_name(const std::string& block);
// SystemVerilog that compiles and has the right parameters (defaults: the machine's) and ports. Its outputs are registers that
// stay 0: no output is ever valid, so a run with it ends in an error, never in wrong numbers.
std::string skeleton(const std::string& block, const Machine& machine);

}  // namespace gemel
