// SPDX-License-Identifier: Apache-2.0
// One model per SystemVerilog module, fitted by scripts/area.py to docs/reference/area.csv (models.gen.cpp).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "rtl_host/ports.hpp"

namespace gemel {

struct AreaModel {
  struct Range {
    const char* parameter;
    std::int64_t least, most;  // that were synthesized
  };
  const char* module;  // "scratchpad"
  double (*nand2)(const RtlParameters& block);
  std::int64_t (*memory_bits)(const RtlParameters& block);
  double error_percent;             // the worst of a synthesized size that the fit was not shown
  int least_depth, greatest_depth;  // gates between registers, over all sizes that were synthesized
  std::vector<Range> ranges;
};

const std::vector<AreaModel>& area_models();

}  // namespace gemel
