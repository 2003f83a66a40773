// SPDX-License-Identifier: Apache-2.0
// gemel/parameters.hpp.
#include "gemel/parameters.hpp"

#include "base/hash.hpp"
#include "config/parameters.hpp"

namespace gemel {

std::vector<ParameterInfo> list_parameters() {
  std::vector<ParameterInfo> infos;
  for (const Parameter& p : parameters()) infos.push_back({p.key, to_string(p.type), p.unit, p.range(), p.sentence});
  return infos;
}

std::vector<std::pair<std::string, ParameterValue>> parameter_values(const Machine& machine) {
  std::vector<std::pair<std::string, ParameterValue>> values;
  for (const Parameter& p : parameters()) values.emplace_back(p.key, p.get(machine));
  return values;
}

std::string parameters_digest(const Machine& machine) {
  Hash hash;
  for (const Parameter& p : parameters()) {
    if (p.key != "name" && p.key != "description") hash.add(p.key + "=" + format_value(p, p.get(machine)));
  }
  return hash.text();
}

}  // namespace gemel
