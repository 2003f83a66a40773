// SPDX-License-Identifier: Apache-2.0
// Where named machines (configs/), named workloads (workloads/) and Gemel's own Verilog (rtl/) are: the folder in the environment's
// GEMEL_HOME if it is set; else share/gemel of the installation that this code was loaded from, wherever that has been moved to; else the
// checkout, which build folders have a link to in the same place.
#pragma once
#include <string>
#include <vector>

namespace gemel {

// The folders that exist among them, best first. With GEMEL_HOME set: that one alone, or UserError E0917 if there is no `configs` in it.
std::vector<std::string> home_folders();

// Names (without extension, sorted, each once) of the files in `folder` ("configs") with `extension` (".yaml").
std::vector<std::string> list_named(const std::string& folder, const std::string& extension);

// The path of folder/name.extension in the first home that has it; "" if none has.
std::string find_named(const std::string& folder, const std::string& name, const std::string& extension);

}  // namespace gemel
