// SPDX-License-Identifier: Apache-2.0
// (1) Read the whole file and collect all that is wrong with it; (2) give the options their values.
#include "cli/settings.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "config/yaml_reader.hpp"

namespace gemel::cli {
namespace {

constexpr YamlCodes SettingsYamlCodes = {"settings file", "E0910", "E0910", "E0910", "E0910", "E0910", "E0910", "E0910"};

struct Setting {
  CLI::Option* option;
  YamlValue where;
  std::vector<std::string> values;  // of a flag: empty, or "true"
};

// Texts of a value, or of a list of them.
std::vector<std::string> texts_of(const YamlValue& value) {
  std::vector<std::string> texts;
  if (value.is_list()) {
    for (const YamlValue& item : value.as_list()) {
      if (item.is_scalar()) texts.push_back(item.scalar());
      else item.complain("`" + item.path() + "` must be a value");
    }
  } else if (value.is_scalar()) {
    texts.push_back(value.scalar());
  } else {
    value.complain("`" + value.path() + "` must be a value or a list of values");
  }
  return texts;
}

std::vector<std::string> values_of(const YamlValue& value, const std::string& key, const CLI::Option& option) {
  if (option.get_expected_max() == 0) {  // a flag
    const std::optional<bool> on = value.as_boolean();
    return on.value_or(false) ? std::vector<std::string>{"true"} : std::vector<std::string>{};
  }
  if (option.get_expected_max() == 1) {
    if (value.is_scalar()) return {value.scalar()};
    value.complain("`" + key + "` takes one value");
    return {};
  }
  if (!value.is_map() || (key != "block" && key != "set")) return texts_of(value);
  std::vector<std::string> values;  // {pe_array: rtl} is pe_array=rtl
  YamlMap map = value.map();
  for (const std::string& name : map.keys()) {
    const YamlValue item = map.find(name);
    if (item.is_scalar()) values.push_back(name + "=" + item.scalar());
    else item.complain("`" + item.path() + "` must be a value");
  }
  return values;
}

}  // namespace

void apply_settings(const std::string& path, CLI::App& command) {
  YamlReader reader = YamlReader::from_file(path, SettingsYamlCodes);
  YamlMap top = reader.root().map();
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options()) {
    for (std::string name : option->get_lnames()) {
      if (name == "help" || name == "help-all" || name == "settings") continue;
      known.push_back(name);
    }
  }
  top.also_known(known);
  std::vector<Setting> settings;
  for (const std::string& key : top.keys()) {
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', '-');
    if (std::find(known.begin(), known.end(), name) == known.end()) continue;  // done() complains
    const YamlValue value = top.find(key);
    CLI::Option* option = command.get_option("--" + name);
    const auto same = std::find_if(settings.begin(), settings.end(), [&](const Setting& s) { return s.option == option; });
    if (same != settings.end()) value.complain("`" + key + "` is given twice", "first in line " + std::to_string(same->where.line()));
    else settings.push_back({option, value, values_of(value, name, *option)});
  }
  top.done("`gemel " + command.get_name() + " --help` lists the options");
  reader.finish();
  for (const Setting& setting : settings) {
    if (setting.option->count() > 0 || setting.values.empty()) continue;  // the command line wins
    for (const std::string& value : setting.values) setting.option->add_result(value);
    try {
      setting.option->run_callback();
    } catch (const UserError& error) {
      for (const Diagnostic& d : error.diagnostics()) setting.where.complain(d.message, d.note, d.hint);
    } catch (const CLI::Error& error) {
      setting.where.complain(error.what());
    }
  }
  reader.finish();
}

}  // namespace gemel::cli
