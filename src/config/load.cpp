// SPDX-License-Identifier: Apache-2.0
// Machine files: read, override, validate; see load.hpp. A value is checked by itself first (type, range), then the machine
// as a whole (check_machine), as far as the values involved are sound.
#include "config/load.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "base/text.hpp"
#include "config/home.hpp"
#include "config/parameters.hpp"
#include "config/yaml_reader.hpp"

namespace gemel {
namespace {

bool is_power_of_two(std::int64_t value) { return value > 0 && (value & (value - 1)) == 0; }

bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= 64 && text[0] != '.' && text[0] != '-' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return c < 0x80 && (std::isalnum(c) || c == '_' || c == '-' || c == '.');
         });
}

// Reads one value into the machine; complaints go to the value's reader.
void read_value(const Parameter& p, const YamlValue& value, Machine& machine) {
  const auto least = static_cast<std::int64_t>(p.least);
  const auto most = static_cast<std::int64_t>(p.most);
  switch (p.type) {
    case ParameterType::Name:
      if (const auto text = value.as_text()) {
        if (is_name(*text)) p.set(machine, *text);
        else value.complain("`" + p.key + "` is `" + *text + "`, but must be " + p.range());
      }
      break;
    case ParameterType::Text:
      if (const auto text = value.as_text()) p.set(machine, *text);
      break;
    case ParameterType::Choice:
      if (const auto text = value.as_choice(p.choices)) p.set(machine, *text);
      break;
    case ParameterType::Number:
      if (const auto number = value.as_number(p.least, p.most)) {
        const double steps = p.step > 0 ? *number / p.step : 0;
        if (std::abs(steps - std::round(steps)) < 1e-6) p.set(machine, *number);
        else value.complain("`" + p.key + "` is " + value.scalar() + ", but must be " + p.range());
      }
      break;
    case ParameterType::SizeBytes:
      if (const auto bytes = value.as_size_bytes(least, most)) p.set(machine, *bytes);
      break;
    case ParameterType::Integer:
      if (p.power_of_two && value.is_integer()) {
        const std::int64_t whole = parse_integer(value.scalar()).value_or(0);
        if (whole < least || whole > most || !is_power_of_two(whole)) {
          value.complain("`" + p.key + "` is " + std::to_string(whole) + ", but must be " + p.range());
          break;
        }
      }
      if (const auto whole = value.as_integer(least, most)) p.set(machine, *whole);
      break;
  }
}

// "rows" is near to "pe_array.rows" for somebody who leaves out the group, and so is "rosw".
std::string suggest_key(const std::string& word) {
  std::vector<std::string> leaves;
  for (const auto& p : parameters()) {
    if (p.leaf() == word) return "did you mean `" + p.key + "`?";
    leaves.push_back(p.leaf());
  }
  const std::string whole = did_you_mean(word, parameter_keys());
  const std::string leaf = whole.empty() && word.find('.') == std::string::npos ? nearest(word, leaves) : std::string();
  for (const auto& p : parameters()) {
    if (!leaf.empty() && p.leaf() == leaf) return "did you mean `" + p.key + "`?";
  }
  return whole;
}

// Where each parameter got its value, to blame it in a contradiction.
struct Origin {
  YamlValue value;       // in the file
  std::string override;  // or on the command line; empty if not
};

void apply_override(const std::string& text, Machine& machine, std::map<std::string, Origin>& origins, YamlReader& reader) {
  const auto complain = [&](const char* code, std::string message, std::string note = {}, std::string hint = {}) {
    Diagnostic d;
    d.code = code;
    d.message = std::move(message);
    d.file = "--set " + text;
    d.note = std::move(note);
    d.hint = std::move(hint);
    reader.add(std::move(d));
  };
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    complain("E0110", "a setting must be key=value, not `" + text + "`", {}, "for example `--set pe_array.rows=32`");
    return;
  }
  const std::string key = text.substr(0, equals);
  const std::string value = text.substr(equals + 1);
  if (!origins[key].override.empty()) {
    complain("E0112", "`" + key + "` is set twice", "first by `--set " + origins[key].override + "`");
    return;
  }
  const Parameter* p = find_parameter(key);
  if (!p) {
    complain("E0103", "unknown key `" + key + "`", suggest_key(key), "`gemel explain machine` lists every parameter");
    return;
  }
  // Read by the same code as a file's value: as a document of its own, whose complaints are then told as the flag's.
  const bool text_type = p->type == ParameterType::Name || p->type == ParameterType::Text;
  Parameter quoted = *p;
  quoted.type = ParameterType::Text;
  try {
    const std::string document = "\"" + key + "\": " + (text_type ? format_value(quoted, value) : value);
    YamlReader own = YamlReader::from_text(document, "--set " + text, MachineYamlCodes);
    YamlMap top = own.root().map();
    read_value(*p, top.find(key), machine);
    own.finish();
    origins[key].override = text;
  } catch (const UserError& e) {
    for (const auto& d : e.diagnostics()) complain(d.code.c_str(), d.message, d.note, d.hint);
  }
}

Machine read_machine(YamlReader& reader, const std::string& file, const std::vector<std::string>& overrides, std::vector<std::string> above);

// The machine that a file's `base` names: one of the machines that come with Gemel, or a file, beside the one that names it. `above`: the files
// that are based on the one that names it, and it.
std::optional<Machine> read_base(const YamlValue& base, const std::vector<std::string>& above) {
  const auto name = base.as_text();
  if (!name) return std::nullopt;
  std::string path;
  try {
    path = find_machine(*name);
  } catch (const UserError& e) {
    for (const auto& d : e.diagnostics()) base.complain(d.message, d.note, d.hint, d.code.c_str());
    return std::nullopt;
  }
  if (path == *name) path = (std::filesystem::path(above.back()).parent_path() / path).lexically_normal().string();
  const auto same = [&](const std::string& other) {
    std::error_code none;
    return path == other || std::filesystem::equivalent(path, other, none);
  };
  if (std::any_of(above.begin(), above.end(), same)) {
    base.complain("`base` is `" + *name + "`, which is based on this file itself", {}, "name a machine whose file gives every parameter", "E0114");
    return std::nullopt;
  }
  YamlReader reader = YamlReader::from_file(path, MachineYamlCodes);
  return read_machine(reader, path, {}, above);
}

// `above`: the files that are based on this one.
Machine read_machine(YamlReader& reader, const std::string& file, const std::vector<std::string>& overrides, std::vector<std::string> above) {
  Machine machine;
  std::map<std::string, YamlMap> groups;
  std::map<std::string, Origin> origins;
  YamlMap top = reader.root().map();
  const YamlValue base = top.find("base");
  if (base.exists()) {
    above.push_back(file);
    if (const auto found = read_base(base, above)) machine = *found;
  }
  for (const auto& p : parameters()) {
    const std::string group = p.group();
    if (!group.empty() && !groups.count(group)) {
      if (base.exists() && !top.has(group)) continue;
      groups.emplace(group, top.map(group));
    }
    YamlMap& map = group.empty() ? top : groups.at(group);
    // A machine that is based on another has a name of its own.
    const YamlValue value = p.required && (!base.exists() || p.type == ParameterType::Name) ? map.require(p.leaf()) : map.find(p.leaf());
    origins[p.key].value = value;
    if (value.exists()) read_value(p, value, machine);
  }
  for (auto& [name, map] : groups) map.done("`gemel explain " + name + "` lists every parameter");
  top.done("`gemel explain machine` lists every parameter");
  for (const auto& text : overrides) apply_override(text, machine, origins, reader);
  if (reader.clean()) {
    for (const auto& [key, message] : check_machine(machine)) {
      const Origin& origin = origins[key];
      if (origin.override.empty()) {
        (base.exists() && !origin.value.exists() ? base : origin.value).complain(message, {}, {}, "E0108");
      } else {
        Diagnostic d;
        d.code = "E0108";
        d.message = message;
        d.file = "--set " + origin.override;
        reader.add(std::move(d));
      }
    }
  }
  reader.finish();
  return machine;
}

}  // namespace

Machine load_machine(const std::string& name_or_path, const std::vector<std::string>& overrides) {
  const std::string path = find_machine(name_or_path);
  YamlReader reader = YamlReader::from_file(path, MachineYamlCodes);
  return read_machine(reader, path, overrides, {});
}

Machine parse_machine(const std::string& text, const std::string& file, const std::vector<std::string>& overrides) {
  YamlReader reader = YamlReader::from_text(text, file, MachineYamlCodes);
  return read_machine(reader, file, overrides, {});
}

Machine change_machine(const Machine& machine, const std::vector<std::string>& overrides) {
  Machine changed = machine;
  std::map<std::string, Origin> origins;
  YamlReader reader = YamlReader::from_text("{}", machine.name, MachineYamlCodes);
  for (const auto& text : overrides) apply_override(text, changed, origins, reader);
  if (reader.clean() && check_machine(changed).empty()) return changed;
  return parse_machine(to_yaml(machine), machine.name, overrides);  // throws, and says where
}

std::string find_machine(const std::string& name_or_path) {
  const auto ends_with = [&](const std::string& end) {
    return name_or_path.size() > end.size() && name_or_path.compare(name_or_path.size() - end.size(), end.size(), end) == 0;
  };
  if (name_or_path.find('/') != std::string::npos || ends_with(".yaml") || ends_with(".yml")) return name_or_path;
  const std::string path = name_or_path.empty() ? std::string() : find_named("configs", name_or_path, ".yaml");
  if (!path.empty()) return path;
  const auto names = list_machines();
  Diagnostic d;
  d.code = "E0109";
  d.message = "there is no machine `" + name_or_path + "`";
  d.note = did_you_mean(name_or_path, names);
  d.hint = names.empty() ? "no machines were found at all; set GEMEL_HOME to the folder that has `configs`"
                         : "`gemel machines` lists them; a file of your own is given as a path, such as ./mine.yaml";
  throw UserError(std::vector<Diagnostic>{std::move(d)});
}

std::vector<std::string> list_machines() { return list_named("configs", ".yaml"); }

std::vector<Diagnostic> machine_warnings(const Machine& machine) {
  std::vector<Diagnostic> warnings;
  for (const auto& [key, message] : useless_parameters(machine)) {
    Diagnostic d;
    d.severity = Severity::Warning;
    d.code = "E0113";
    d.message = message;
    d.hint = "`gemel explain " + key + "` says what it does";
    warnings.push_back(std::move(d));
  }
  return warnings;
}

std::string to_yaml(const Machine& machine) {
  std::string text, group;
  for (const auto& p : parameters()) {
    if (p.group() != group) {
      group = p.group();
      text += group + ":\n";
    }
    text += (group.empty() ? "" : "  ") + p.leaf() + ": " + format_value(p, p.get(machine)) + "\n";
  }
  return text;
}

}  // namespace gemel
