// SPDX-License-Identifier: Apache-2.0
#include "rtl_host/wrapper.hpp"

#include <wrapper_text.gen.hpp>  // made by CMake of wrapper/block.cpp

namespace gemel {

std::vector<PortSpec> expected_ports(const RtlRequest& request) {
  std::vector<PortSpec> ports = block_spec(request.block).ports(request.parameters);
  ports.push_back({"clk_i", true, 1, "", 0});
  ports.push_back({"rst_ni", true, 1, "", 0});
  ports.push_back({"quiet_o", false, 1, "", 0});
  return ports;
}

Wrapper wrapper_of(const RtlRequest& request, const VerilatorVersion& version) {
  using Clocking = RtlRequest::Clocking;
  const bool plain = request.sources.empty() && !request.trace;
  const bool wanted = request.clocking == Clocking::Short ||
                      (request.clocking == Clocking::ByVersion && has_proven_short_clock(version));
  Wrapper wrapper;
  wrapper.text = WrapperText;
  for (const PortSpec& port : expected_ports(request)) wrapper.ports += "GEMEL_PORT(" + port.name + ")\n";
  const auto define = [&](const char* name, int value) {
    wrapper.defines.push_back(std::string("-D") + name + "=" + std::to_string(value));
  };
  define("GEMEL_RANDOM_RESET", request.random_reset ? 2 : 0);
  define("GEMEL_ASSERTIONS", request.sources.empty() ? 0 : 1);
  define("GEMEL_SHORT_CLOCK", plain && wanted ? 1 : 0);
  define("GEMEL_WAVES", request.trace ? 1 : 0);
  define("GEMEL_COVERAGE", request.coverage.empty() ? 0 : 1);
  return wrapper;
}

}  // namespace gemel
