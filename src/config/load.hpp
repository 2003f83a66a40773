// SPDX-License-Identifier: Apache-2.0
// Where machine files are, and everything that is generated from the table of parameters. Loading: gemel/machine.hpp.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "config/machine.hpp"

namespace gemel {

// The path of a machine: a path (with a slash or ending in .yaml or .yml) as it is, a name as configs/NAME.yaml in one of
// home_folders(). UserError if there is no machine of that name.
std::string find_machine(const std::string& name_or_path);

// What `gemel explain TOPIC` prints: "" or "machine" (all parameters), a group ("pe_array"), a parameter
// ("pe_array.rows"), a code ("E0103"). UserError for anything else.
std::string explain(const std::string& topic);

std::string machine_json_schema();         // of a machine file, JSON Schema 2020-12
std::string machine_reference();           // table of all parameters in Markdown, for docs/reference/machines.md

}  // namespace gemel
