// SPDX-License-Identifier: Apache-2.0
// The Verilog of a block: which files it takes, where `include looks, and the text that all of it comes to.
#pragma once
#include <string>
#include <vector>

#include "rtl_host/library.hpp"

namespace gemel {

// SystemVerilog module of a block of ports.toml, or of the whole chip.
std::string module_of(const std::string& block);

struct RtlSources {
  std::vector<std::string> files;            // absolute; packages first
  std::vector<std::string> include_folders;  // beside the given sources, then beside Gemel's own
};

// Gemel's own files for the module (packages, its own file, those of all modules that it names, directly or not), or
// the request's sources beside Gemel's packages. UserError E1003.
RtlSources sources_of(const RtlRequest& request);

// Every source with all that it includes, each file once: what the hash of a compiled block is made of. UserError
// E1003.
std::string text_of(const RtlSources& sources);

}  // namespace gemel
