// SPDX-License-Identifier: Apache-2.0
#include "config/digest.hpp"

#include <map>

#include "base/hash.hpp"
#include "config/parameters.hpp"

namespace gemel {
namespace {

std::map<std::string, std::string> parse(const std::string& text) {
  std::map<std::string, std::string> values;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) values[line.substr(0, equals)] = line.substr(equals + 1);
    at = end + 1;
  }
  return values;
}

}  // namespace

std::string machine_text(const Machine& machine) {
  std::string text;
  for (const Parameter& p : parameters()) {
    if (p.in_digest) text += p.key + "=" + format_value(p, p.get(machine)) + "\n";
  }
  return text;
}

std::int32_t digest_of_machine_text(const std::string& text) {
  const std::uint64_t hash = add_to_name_hash(NameHashStart, text);
  const auto folded = static_cast<std::int32_t>((hash ^ hash >> 31 ^ hash >> 62) & 0x7fffffff);
  return folded == 0 ? 1 : folded;
}

std::int32_t machine_digest(const Machine& machine) { return digest_of_machine_text(machine_text(machine)); }

std::string machine_differences(const std::string& there, const std::string& here) {
  if (there == here) return {};
  const auto theirs = parse(there), ours = parse(here);
  const auto value_in = [](const std::map<std::string, std::string>& values, const std::string& key) {
    const auto found = values.find(key);
    return found == values.end() ? std::string("(not said)") : found->second;
  };
  std::string differences;
  int count = 0;
  constexpr int Shown = 4;
  const auto compare = [&](const std::string& key) {
    const std::string a = value_in(theirs, key), b = value_in(ours, key);
    if (a == b || ++count > Shown) return;
    differences += (differences.empty() ? "" : ", ") + key + " " + a + " there and " + b + " here";
  };
  for (const Parameter& p : parameters()) {
    if (p.in_digest) compare(p.key);
  }
  for (const auto& [key, value] : theirs) {
    if (find_parameter(key) == nullptr) compare(key);  // of another version
  }
  if (count > Shown) differences += ", and " + std::to_string(count - Shown) + " more";
  return differences.empty() ? "other parameters" : differences;
}

}  // namespace gemel
