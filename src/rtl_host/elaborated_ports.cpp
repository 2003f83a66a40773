// SPDX-License-Identifier: Apache-2.0
#include "rtl_host/elaborated_ports.hpp"

#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "base/error.hpp"

namespace gemel {
namespace {

using nlohmann::json;

std::string text_of(const json& node, const char* key) {
  const auto it = node.find(key);
  return it != node.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// Bits of a basic type: `range` is "31:0"; without it the keyword decides.
int basic_width(const json& type) {
  const std::string range = text_of(type, "range");
  if (const std::size_t colon = range.find(':'); colon != std::string::npos) {
    int left = 0, right = 0;
    std::from_chars(range.data(), range.data() + colon, left);
    std::from_chars(range.data() + colon + 1, range.data() + range.size(), right);
    return std::abs(left - right) + 1;
  }
  static const std::map<std::string, int> widths = {{"logic", 1}, {"bit", 1},      {"byte", 8},     {"shortint", 16},
                                                    {"int", 32},  {"integer", 32}, {"longint", 64}, {"time", 64}};
  const auto it = widths.find(text_of(type, "keyword"));
  return it == widths.end() ? -1 : it->second;
}

// Calls `visit` for every node in the lists of this node.
template <class Visit>
void for_each_child(const json& node, Visit visit) {
  for (const auto& [key, value] : node.items()) {
    if (!value.is_array()) continue;
    for (const json& child : value) {
      if (child.is_object()) visit(child);
    }
  }
}

}  // namespace

ElaboratedPorts ports_from_json(std::string_view text, const std::string& module) {
  const json tree = json::parse(text, nullptr, false);
  if (!tree.is_object() || text_of(tree, "type") != "NETLIST" || !tree.contains("modulesp")) {
    throw InternalError("what Verilator's --json-only writes is not a tree of modules");
  }
  std::map<std::string, int> widths;  // of types, by address
  for (const json& misc : tree.value("miscsp", json::array())) {
    if (text_of(misc, "type") != "TYPETABLE") continue;
    for_each_child(misc, [&](const json& type) {
      widths[text_of(type, "addr")] = text_of(type, "type") == "BASICDTYPE" ? basic_width(type) : -1;
    });
  }
  ElaboratedPorts ports;
  for (const json& candidate : tree["modulesp"]) {
    if (text_of(candidate, "origName") != module) continue;
    for_each_child(candidate, [&](const json& node) {  // arguments of functions lie deeper
      const std::string direction = text_of(node, "direction");
      if (text_of(node, "type") != "VAR" || text_of(node, "varType") != "PORT" || direction == "NONE") return;
      const auto width = widths.find(text_of(node, "dtypep"));
      ports.emplace(text_of(node, "origName"),
                    ElaboratedPort{direction == "INPUT", width == widths.end() ? -1 : width->second});
    });
    return ports;
  }
  throw InternalError("what Verilator's --json-only writes has no module `" + module + "`");
}

ElaboratedPorts ports_from_xml(const std::string& xml) {
  std::map<std::string, int> widths;  // of types, by id
  const std::regex type("<(basicdtype|packarraydtype|enumdtype|refdtype|structdtype)[^>]*id=\"([0-9]+)\"[^>]*>");
  const std::regex range("left=\"(-?[0-9]+)\" right=\"(-?[0-9]+)\"");
  for (std::sregex_iterator i(xml.begin(), xml.end(), type), end; i != end; ++i) {
    const std::string element = (*i)[0];
    std::smatch m;
    widths[(*i)[2]] = (*i)[1] == "basicdtype"
                          ? (std::regex_search(element, m, range) ? std::abs(std::stoi(m[1]) - std::stoi(m[2])) + 1 : 1)
                          : -1;
  }
  ElaboratedPorts ports;
  const std::regex port(  // arguments of functions have no pinIndex
      "<var [^>]*name=\"([A-Za-z0-9_]+)\"[^>]*dtype_id=\"([0-9]+)\" dir=\"(input|output|inout)\" pinIndex=[^>]*>");
  const std::size_t top = xml.find("topModule=\"1\"");
  const std::size_t last = top == std::string::npos ? top : xml.find("</module>", top);
  const std::string body = top == std::string::npos ? xml : xml.substr(top, last - top);
  for (std::sregex_iterator i(body.begin(), body.end(), port), end; i != end; ++i) {
    const auto width = widths.find((*i)[2]);
    ports.emplace((*i)[1], ElaboratedPort{(*i)[3] == "input", width == widths.end() ? -1 : width->second});
  }
  return ports;
}

void check_ports(const ElaboratedPorts& found, const std::vector<PortSpec>& contract, const std::string& block,
                 const std::string& module) {
  std::vector<Diagnostic> wrong;
  const auto complain = [&](const std::string& text) {
    Diagnostic d;
    d.code = "E1005";
    d.message = "module `" + module + "`: " + text;
    wrong.push_back(d);
  };
  std::set<std::string> known;
  for (const PortSpec& spec : contract) {
    known.insert(spec.name);
    const auto it = found.find(spec.name);
    const std::string what = std::string(spec.input ? "input" : "output") + " of " + std::to_string(spec.width) +
                             (spec.width == 1 ? " bit" : " bits");
    if (it == found.end()) {
      complain("port `" + spec.name + "` is missing; it must be an " + what);
    } else if (it->second.input != spec.input) {
      complain("port `" + spec.name + "` is an " + (it->second.input ? "input" : "output") + "; it must be an " + what);
    } else if (it->second.width != spec.width) {
      complain("port `" + spec.name + "` has " +
               (it->second.width < 0 ? std::string("a structured type") : std::to_string(it->second.width) + " bits") +
               "; it must be an " + what + " (a flat packed vector)");
    }
  }
  for (const auto& [name, port] : found) {
    if (known.count(name) == 0) complain("port `" + name + "` is not part of the contract");
  }
  if (wrong.empty()) return;
  wrong.back().hint = "`gemel explain --ports " + block + "` prints the contract";
  throw UserError(wrong);
}

}  // namespace gemel
