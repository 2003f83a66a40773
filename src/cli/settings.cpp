// SPDX-License-Identifier: Apache-2.0
#include "cli/settings.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "base/error.hpp"

namespace gemel::cli {
namespace {

[[noreturn]] void refuse(const std::string& path, int line, const std::string& text, const std::string& hint = {}) {
  Diagnostic d;
  d.code = "E0910";
  d.message = text;
  d.file = path;
  d.line = line;
  d.hint = hint;
  throw UserError({d});
}

std::vector<std::string> values_of(const std::string& path, const std::string& key, const YAML::Node& node) {
  const auto scalar = [&](const YAML::Node& n) {
    if (!n.IsScalar()) refuse(path, n.Mark().line + 1, "`" + key + "` must be a value or a list of values");
    return n.Scalar();
  };
  std::vector<std::string> values;
  if (node.IsSequence()) {
    for (const YAML::Node& n : node) values.push_back(scalar(n));
  } else if (node.IsMap()) {  // {pe_array: rtl} is pe_array=rtl
    if (key != "block" && key != "set") refuse(path, node.Mark().line + 1, "`" + key + "` must be a value or a list of values");
    for (const auto& entry : node) values.push_back(entry.first.Scalar() + "=" + scalar(entry.second));
  } else {
    values.push_back(scalar(node));
  }
  return values;
}

}  // namespace

void apply_settings(const std::string& path, CLI::App& command) {
  YAML::Node root;
  try {
    root = YAML::LoadFile(path);
  } catch (const YAML::BadFile&) {
    refuse(path, 0, "cannot read the settings file");
  } catch (const YAML::Exception& e) {
    refuse(path, e.mark.line + 1, "not valid YAML: " + e.msg);
  }
  if (!root.IsMap()) refuse(path, 1, "a settings file is a map from options to values");
  for (const auto& entry : root) {
    const int line = entry.first.Mark().line + 1;
    if (!entry.first.IsScalar()) refuse(path, line, "a settings file is a map from options to values");
    std::string key = entry.first.Scalar();
    std::replace(key.begin(), key.end(), '_', '-');
    CLI::Option* option = key == "help" || key == "help-all" || key == "settings" ? nullptr : command.get_option_no_throw("--" + key);
    if (option == nullptr) {
      refuse(path, line, "there is no option `" + key + "`", "`gemel " + command.get_name() + " --help` lists them");
    }
    if (option->count() > 0) continue;  // the command line wins
    try {
      for (const std::string& value : values_of(path, key, entry.second)) {
        const bool flag = option->get_expected_min() == 0;
        if (flag && value == "false") continue;
        if (flag && value != "true") refuse(path, line, "`" + key + "` must be true or false, not `" + value + "`");
        option->add_result(value);
      }
      if (option->count() > 0) option->run_callback();
    } catch (const CLI::Error& e) {
      refuse(path, line, "`" + key + "`: " + e.what());
    }
  }
}

}  // namespace gemel::cli
