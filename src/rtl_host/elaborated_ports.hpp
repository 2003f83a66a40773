// SPDX-License-Identifier: Apache-2.0
// The ports of a module after elaboration, as Verilator tells them, against those of the contract.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "rtl_host/ports.hpp"

namespace gemel {

struct ElaboratedPort {
  bool input = false;
  int width = -1;  // bits; -1: not a flat packed vector
};
using ElaboratedPorts = std::map<std::string, ElaboratedPort>;

ElaboratedPorts ports_from_json(
    std::string_view text, const std::string& module);    // of `verilator --json-only`; InternalError: another format
ElaboratedPorts ports_from_xml(const std::string& text);  // of `verilator --xml-only`, in versions that have no JSON

// UserError E1005 with every port that is missing, not of the contract, or of another width or direction.
void check_ports(const ElaboratedPorts& found, const std::vector<PortSpec>& contract, const std::string& block,
                 const std::string& module);

}  // namespace gemel
