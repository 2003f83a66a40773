// SPDX-License-Identifier: Apache-2.0
// The parameters of machines as a table, for programs that change, compare or show machines without knowing each parameter.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gemel/export.hpp"
#include "gemel/machine.hpp"

namespace gemel {

// Whole numbers and sizes in bytes | other numbers | names, texts and choices.
using ParameterValue = std::variant<std::int64_t, double, std::string>;

struct ParameterInfo {
  std::string key;       // in machine files: "pe_array.rows"
  std::string type;      // "integer", "size", "number", "choice", "name", "text"
  std::string unit;      // "rows", "bytes"; empty where there is none
  std::string range;     // "1 to 256"; empty: anything
  std::string sentence;  // what it is
};

// All of them, in the order of machine files.
GEMEL_API std::vector<ParameterInfo> list_parameters();
// Every parameter's value in this machine, by key, in the same order.
GEMEL_API std::vector<std::pair<std::string, ParameterValue>> parameter_values(const Machine& machine);
// 16 hexadecimal digits over all parameters but name and description: equal machines take equal cycles.
GEMEL_API std::string parameters_digest(const Machine& machine);

}  // namespace gemel
