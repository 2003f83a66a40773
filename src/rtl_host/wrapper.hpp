// SPDX-License-Identifier: Apache-2.0
// The C++ that is compiled with the Verilated code of a block: wrapper/block.cpp, and what it is compiled with.
#pragma once
#include <string>
#include <vector>

#include "rtl_host/library.hpp"
#include "rtl_host/toolchain.hpp"

namespace gemel {

struct Wrapper {
  std::string text;                  // of wrapper/block.cpp
  std::string ports;                 // of ports.inc
  std::vector<std::string> defines;  // "-DGEMEL_WAVES=1"
};
Wrapper wrapper_of(const RtlRequest& request, const VerilatorVersion& version);

// The ports that a block's module must have: those of the contract, clock, reset and quiet_o.
std::vector<PortSpec> expected_ports(const RtlRequest& request);

}  // namespace gemel
