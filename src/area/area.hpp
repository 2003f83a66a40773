// SPDX-License-Identifier: Apache-2.0
// Area of a machine, block by block, from models that are fitted to synthesis: what a sweep compares, not a floor plan.
// Units and error: docs/reference/area.md.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "config/machine.hpp"

namespace gemel {

struct BlockArea {
  std::string block;               // "vector_buffer"
  double nand2 = 0;                // NAND2 equivalents of its gates
  std::int64_t memory_bits = 0;    // apart from the gates
  double error_percent = 0;        // of nand2, within the sizes that were synthesized
  int least_depth = 0, greatest_depth = 0;
  std::vector<std::string> outside;  // "Rows 128 (synthesized: 1 to 16)": parameters for which the model extrapolates
};

// Every block of the chip once, in the order of `gemel explain --ports`.
std::vector<BlockArea> area(const Machine& machine);

// The same as a table with its totals: `gemel explain --area`.
std::string explain_area(const Machine& machine);

}  // namespace gemel
