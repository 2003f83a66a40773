// SPDX-License-Identifier: Apache-2.0
#include "cli/options.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "base/text.hpp"

namespace gemel::cli {
namespace {

Diagnostic diagnostic(const char* code, std::string message, std::string note = {}, std::string hint = {}) {
  Diagnostic d;
  d.code = code;
  d.message = std::move(message);
  d.note = std::move(note);
  d.hint = std::move(hint);
  return d;
}

// "--batch" of "--batch,-b"; "workload" of a positional argument.
std::string shown(const CLI::Option& option) { return option.get_name(); }

// "gemel cache list"
std::string full_name(const CLI::App& command) {
  return command.get_parent() == nullptr ? "gemel" : full_name(*command.get_parent()) + " " + command.get_name();
}

std::string help_of(const CLI::App& command) { return "`" + full_name(command) + " --help` lists them"; }

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string range(std::int64_t least, std::int64_t most) {
  if (most != Unlimited) return "from " + std::to_string(least) + " to " + std::to_string(most);
  return std::to_string(least) + " or more, below 2^63";
}

// "--block" of "--block=pe=rtl", "-m" of "-mtiny8"; "" if the argument is no option (a lone dash, a negative number).
std::string option_in(const std::string& argument) {
  if (argument.size() < 2 || argument[0] != '-') return {};
  if (argument[1] == '-') return argument.substr(0, argument.find('='));
  const bool letter = (argument[1] >= 'a' && argument[1] <= 'z') || (argument[1] >= 'A' && argument[1] <= 'Z');
  return letter ? argument.substr(0, 2) : std::string();
}

}  // namespace

CLI::Option* add_integer(CLI::App& command, const std::string& names, std::int64_t least, std::int64_t most, const std::string& help,
                         std::function<void(std::int64_t)> set) {
  const std::string name = names.substr(0, names.find(','));
  const auto read = [name, least, most, set = std::move(set)](const std::string& text) {
    std::int64_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || problem != std::errc() || end != text.data() + text.size() || value < least || value > most) {
      throw UserError("E0915", "`" + name + "` is " + (text.empty() ? "empty" : "`" + text + "`") + ", but must be a whole number " + range(least, most));
    }
    set(value);
  };
  return command.add_option_function<std::string>(names, read, help)->type_name("N");
}

CLI::Option* add_choice(CLI::App& command, const std::string& names, const std::vector<std::string>& choices, const std::string& help,
                        std::function<void(const std::string&)> set) {
  const std::string name = names.substr(0, names.find(','));
  std::vector<std::string> quoted;
  std::string type;
  for (const std::string& choice : choices) {
    quoted.push_back("`" + choice + "`");
    type += (type.empty() ? "" : "|") + choice;
  }
  const auto read = [name, choices, quoted, set = std::move(set)](const std::vector<std::string>& values) {
    for (const std::string& text : values) {
      if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
        throw UserError({diagnostic("E0915", "`" + name + "` is " + quote(text) + ", but must be " + join_or(quoted), did_you_mean(text, choices))});
      }
      set(text);
    }
  };
  return command.add_option_function<std::vector<std::string>>(names, read, help)->type_name(type);
}

CLI::Option* add_repeated(CLI::App& command, const std::string& names, std::vector<std::string>& values, const std::string& help) {
  return command.add_option(names, values, help)->allow_extra_args(false);
}

void check_options(const CLI::App& command, const std::vector<Rule>& rules) {
  std::vector<Diagnostic> wrong;
  for (const CLI::Option* option : command.get_options()) {
    const bool flag = option->get_expected_max() == 0;
    const auto& values = option->results();
    if (!flag && std::find(values.begin(), values.end(), "") != values.end()) {
      wrong.push_back(diagnostic("E0915", "`" + shown(*option) + "` is empty", {}, "give it a value, or leave it out"));
    }
  }
  const auto given = [&](const std::string& name) { return command.get_option(name)->count() > 0; };
  for (const Rule& rule : rules) {
    if (!given(rule.option)) continue;
    if (rule.kind == Rule::Excludes) {
      for (const std::string& other : rule.others) {
        if (!given(other)) continue;
        wrong.push_back(diagnostic("E0911", "`" + rule.option + "` and `" + other + "` exclude each other: " + rule.why, {}, "leave out one of them"));
      }
    } else if (std::none_of(rule.others.begin(), rule.others.end(), [&](const std::string& o) { return given(o.substr(0, o.find(' '))); })) {
      wrong.push_back(diagnostic("E0911", rule.why, {}, "add " + join_or(rule.others)));
    }
  }
  if (!wrong.empty()) throw UserError(std::move(wrong));
}

void check_arguments(CLI::App& app, int argc, const char* const* argv) {
  CLI::App* command = &app;
  std::vector<Diagnostic> wrong;
  std::map<const CLI::Option*, int> times;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--") break;
    const std::string name = option_in(argument);
    if (!name.empty()) {
      const CLI::Option* option = command->get_option_no_throw(name);
      if (option == nullptr) {
        wrong.push_back(diagnostic("E0913", "`" + full_name(*command) + "` has no option " + quote(name),
                                   name.size() > 2 ? did_you_mean(name, option_names(*command)) : std::string(), help_of(*command)));
      } else if (option->get_expected_max() == 1 && ++times[option] == 2) {
        wrong.push_back(diagnostic("E0911", "`" + shown(*option) + "` is given twice, and takes one value"));
      }
      // Its value is no command. (A value that looks like an option is one.)
      if (option != nullptr && option->get_expected_min() > 0 && argument.size() == name.size() && i + 1 < argc && option_in(argv[i + 1]).empty()) ++i;
      continue;
    }
    const std::vector<std::string> names = command_names(*command);
    if (names.empty()) continue;
    if (std::find(names.begin(), names.end(), argument) == names.end()) {
      throw UserError({diagnostic("E0912", "there is no command `" + full_name(*command) + " " + argument + "`",
                                  did_you_mean(argument, names), help_of(*command))});
    }
    command = command->get_subcommand(argument);
  }
  if (!wrong.empty()) throw UserError(std::move(wrong));
}

UserError usage_error(CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  const std::string name = "`" + full_name(*command) + "`", text = error.what();
  const std::string hint = "`" + full_name(*command) + " --help` says what it takes";
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    const std::string what = text.substr(0, text.find(" is required"));
    const bool is_command = command->get_option_no_throw(what) == nullptr;
    return UserError("E0916", name + (is_command ? " needs a command" : " needs the argument `" + what + "`"), hint);
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    std::string extra;
    for (const std::string& argument : app.remaining(true)) extra += (extra.empty() ? "" : ", ") + quote(argument);
    return UserError("E0916", name + " takes no further argument: " + extra, hint);
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr && text.find(':') != std::string::npos) {
    return UserError("E0915", "`" + text.substr(0, text.find(':')) + "` needs a value", hint);
  }
  return UserError("E0915", text, hint);
}

}  // namespace gemel::cli
