// SPDX-License-Identifier: Apache-2.0
// What is generated from the table of parameters for people and tools: `gemel explain`, the reference page, the JSON schema.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/error_codes.hpp"
#include "base/text.hpp"
#include "config/load.hpp"
#include "config/parameters.hpp"

namespace gemel {
namespace {

std::string explain_parameter(const Parameter& p) {
  std::string text = p.key + "\n  " + p.sentence + "\n  type: " + to_string(p.type);
  if (!p.unit.empty() && p.unit != "bytes") text += ", in " + p.unit;
  if (p.unit == "bytes") text += ", in bytes" + std::string(p.type == ParameterType::SizeBytes ? " (4096, 64KiB, 1MiB)" : "");
  if (!p.range().empty()) text += "\n  allowed: " + p.range();
  const std::string usual = default_value(p);
  if (!usual.empty() && usual != "\"\"") text += "\n  edge16 has: " + usual;
  if (!p.required) text += "\n  may be left out";
  return text + "\n";
}

std::vector<std::string> groups() {
  std::vector<std::string> names;
  for (const auto& p : parameters()) {
    if (!p.group().empty() && (names.empty() || names.back() != p.group())) names.push_back(p.group());
  }
  return names;
}

}  // namespace

std::string explain(const std::string& topic) {
  if (topic.empty() || topic == "machine") {
    std::size_t width = 0;
    for (const auto& p : parameters()) width = std::max(width, p.key.size());
    std::string text = "Parameters of a machine file; `gemel explain KEY` says more about one.\n\n";
    for (const auto& p : parameters()) text += "  " + p.key + std::string(width + 2 - p.key.size(), ' ') + p.sentence + "\n";
    return text;
  }
  if (const Parameter* p = find_parameter(topic)) return explain_parameter(*p);
  std::string text;
  for (const auto& p : parameters()) {
    if (p.group() == topic) text += (text.empty() ? "" : "\n") + explain_parameter(p);
  }
  if (!text.empty()) return text;
  if (const ErrorCode* code = find_error_code(topic)) {
    return std::string(code->code) + "\n  " + std::string(code->sentence) + "\n  exit code " +
           std::to_string(static_cast<int>(code->exit_class)) + "; docs/reference/errors.md says more\n";
  }
  auto topics = parameter_keys();
  for (const auto& name : groups()) topics.push_back(name);
  topics.push_back("machine");
  for (const auto& row : error_codes()) topics.emplace_back(row.code);
  for (const auto& p : parameters()) {
    if (p.leaf() == topic) topics = {p.key};  // "rows": surely "pe_array.rows"
    if (p.leaf() == topic) break;
  }
  Diagnostic d;
  d.code = "E0111";
  d.message = "there is nothing to explain about `" + topic + "`";
  d.note = topics.size() == 1 ? "did you mean `" + topics[0] + "`?" : did_you_mean(topic, topics);
  d.hint = "`gemel explain machine` lists every parameter; a code such as E0103 is explained, too";
  throw UserError(std::vector<Diagnostic>{std::move(d)});
}

std::string machine_reference() {
  std::string text = "| key | type | unit | allowed | edge16 | what it is |\n|---|---|---|---|---|---|\n";
  for (const auto& p : parameters()) {
    const std::string usual = default_value(p);
    text += "| `" + p.key + "` | " + to_string(p.type) + " | " + p.unit + " | " + p.range() + " | " +
            (usual.empty() || usual == "\"\"" ? "" : "`" + usual + "`") + " | " + p.sentence + " |\n";
  }
  return text;
}

std::string machine_json_schema() {
  using json = nlohmann::ordered_json;
  json schema;
  schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  schema["title"] = "Gemel machine";
  schema["type"] = "object";
  schema["additionalProperties"] = false;
  schema["required"] = json::array();
  schema["properties"] = json::object();
  schema["properties"]["base"] = {
      {"description", "Another machine, by name or by a path from this file: what this file leaves out is as there."}, {"type", "string"}};
  // What only a machine without a base must have.
  json whole = {{"required", json::array()}, {"properties", json::object()}};
  for (const auto& p : parameters()) {
    json* map = &schema;
    if (!p.group().empty()) {
      if (!schema["properties"].contains(p.group())) {
        whole["required"].push_back(p.group());
        whole["properties"][p.group()] = {{"required", json::array()}};
        schema["properties"][p.group()] = {{"type", "object"}, {"additionalProperties", false}, {"properties", json::object()}};
      }
      map = &schema["properties"][p.group()];
    }
    json type;
    type["description"] = p.sentence;
    const auto least = static_cast<std::int64_t>(p.least);
    const auto most = static_cast<std::int64_t>(p.most);
    switch (p.type) {
      case ParameterType::Name:
        type["type"] = "string";
        type["pattern"] = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$";
        break;
      case ParameterType::Text: type["type"] = "string"; break;
      case ParameterType::Choice: type["enum"] = p.choices; break;
      case ParameterType::Number:
        type["type"] = "number";
        type["minimum"] = p.least;
        type["maximum"] = p.most;
        break;
      case ParameterType::Integer:
        if (p.power_of_two) {
          json values = json::array();
          for (std::int64_t value = least; value <= most; value *= 2) values.push_back(value);
          type["enum"] = values;
        } else {
          type["type"] = "integer";
          type["minimum"] = least;
          type["maximum"] = most;
        }
        break;
      case ParameterType::SizeBytes:
        type["anyOf"] = json::array({{{"type", "integer"}, {"minimum", least}, {"maximum", most}},
                                     {{"type", "string"}, {"pattern", "^[0-9]+ ?(KiB|MiB|GiB)$"}}});
        break;
    }
    (*map)["properties"][p.leaf()] = type;
    if (!p.required) continue;
    if (!p.group().empty()) whole["properties"][p.group()]["required"].push_back(p.leaf());
    else if (p.type == ParameterType::Name) schema["required"].push_back(p.leaf());
    else whole["required"].push_back(p.leaf());
  }
  schema["if"] = {{"not", {{"required", {"base"}}}}};
  schema["then"] = whole;
  return schema.dump(2) + "\n";
}

}  // namespace gemel
