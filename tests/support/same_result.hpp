// SPDX-License-Identifier: Apache-2.0
// Holds the result.json of two runs equal, field by field: all but the engine, the settings, and what the host took for it.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "report/report.hpp"

namespace gemel::test {

// What is different, as a JSON patch; empty if nothing is.
inline std::string differing_fields(const RunResult& one, const RunResult& other, const Machine& machine) {
  const auto fields = [&](const RunResult& result) {
    nlohmann::json json = nlohmann::json::parse(result_json(result, machine));
    for (const char* field : {"engine", "settings", "compile_seconds", "build_rtl_seconds", "simulate_seconds", "golden_seconds", "peak_memory_mib"}) {
      if (json.erase(field) != 1) return nlohmann::json("no field " + std::string(field));
    }
    return json;
  };
  const nlohmann::json patch = nlohmann::json::diff(fields(one), fields(other));
  return patch.empty() ? "" : patch.dump(1);
}

}  // namespace gemel::test
