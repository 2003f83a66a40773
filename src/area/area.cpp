// SPDX-License-Identifier: Apache-2.0
#include "area/area.hpp"

#include <cstdio>

#include "area/models.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace gemel {
namespace {

const AreaModel& model_of(const std::string& module) {
  for (const AreaModel& model : area_models()) {
    if (model.module == module) return model;
  }
  throw InternalError("no area model of the module `" + module + "`");
}

std::string row(const std::string& block, const std::string& gates, const std::string& error, const std::string& bits,
                const std::string& depth) {
  char line[160];
  std::snprintf(line, sizeof line, "  %-20s %10s %14s %14s %9s", block.c_str(), gates.c_str(), error.c_str(), bits.c_str(),
                depth.c_str());
  std::string text = line;
  return text.erase(text.find_last_not_of(' ') + 1) + "\n";
}

}  // namespace

std::vector<BlockArea> area(const Machine& machine) {
  const RtlParameters values = machine_parameters(machine);
  std::vector<BlockArea> blocks;
  for (const BlockSpec& spec : block_specs()) {
    if (spec.name == std::string("npu") || spec.name == std::string("npu_axi")) continue;  // all the others
    const AreaModel& model = model_of(spec.module);
    const RtlParameters p = spec.parameters(values);
    BlockArea b{spec.name, model.nand2(p), model.memory_bits(p), model.error_percent, model.least_depth, model.greatest_depth, {}};
    for (const AreaModel::Range& r : model.ranges) {
      const std::int64_t value = p.at(r.parameter);
      if (value >= r.least && value <= r.most) continue;
      b.outside.push_back(std::string(r.parameter) + " " + std::to_string(value) + " (synthesized: " + std::to_string(r.least) +
                          (r.most > r.least ? " to " + std::to_string(r.most) : "") + ")");
    }
    blocks.push_back(std::move(b));
  }
  return blocks;
}

std::string explain_area(const Machine& machine) {
  std::string text = "Area of machine `" + machine.name + "`, from models fitted to synthesis (docs/reference/area.md):\n\n";
  text += row("block", "kGE", "error", "memory bits", "depth");
  double nand2 = 0, doubt = 0;
  std::int64_t bits = 0;
  std::string outside;
  for (const BlockArea& b : area(machine)) {
    const std::string error = b.outside.empty() ? "+-" + fixed(b.error_percent, 1) + " %" : "extrapolated";
    const std::string least = b.least_depth < b.greatest_depth ? std::to_string(b.least_depth) + ".." : "";
    text += row(b.block, fixed(b.nand2 / 1000, 1), error, b.memory_bits == 0 ? "" : with_commas(b.memory_bits),
                least + std::to_string(b.greatest_depth));
    nand2 += b.nand2;
    doubt += b.nand2 * b.error_percent / 100;
    bits += b.memory_bits;
    for (const std::string& parameter : b.outside) outside += "  " + b.block + ": " + parameter + "\n";
  }
  text += row("total", fixed(nand2 / 1000, 1), outside.empty() ? "+-" + fixed(100 * doubt / nand2, 1) + " %" : "unknown",
              with_commas(bits), "");
  text += "\nkGE: 1,000 NAND2 equivalents, memories not counted. error: the worst of any synthesized size, predicted from the others.\n"
          "depth: gates between registers, in the sizes that were synthesized, mapped for area and not for time.\n";
  if (!outside.empty()) text += "\nExtrapolated, error unknown, beyond the sizes that were synthesized:\n" + outside;
  return text;
}

}  // namespace gemel
