// SPDX-License-Identifier: Apache-2.0
// What the command line says about itself when it is used wrongly: unknown commands and options, values, and options that contradict or
// need each other. CLI11 parses; the words are ours, each with a code (E0911 to E0916).
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "gemel/error.hpp"

namespace gemel::cli {

inline constexpr std::int64_t Unlimited = std::numeric_limits<std::int64_t>::max();

// An option whose value is a whole number from `least` to `most` (Unlimited: below 2^63). E0915 for anything else.
CLI::Option* add_integer(CLI::App& command, const std::string& names, std::int64_t least, std::int64_t most, const std::string& help,
                         std::function<void(std::int64_t)> set);
template <class T>
CLI::Option* add_integer(CLI::App& command, const std::string& names, T& target, std::int64_t least, std::int64_t most,
                         const std::string& help) {
  return add_integer(command, names, least, most, help, [&target](std::int64_t value) { target = static_cast<T>(value); });
}

// An option whose values are among `choices`. E0915, with a suggestion, for anything else.
CLI::Option* add_choice(CLI::App& command, const std::string& names, const std::vector<std::string>& choices, const std::string& help,
                        std::function<void(const std::string&)> set);

// An option that may be given again, each time with one value: what follows the value is the next argument.
CLI::Option* add_repeated(CLI::App& command, const std::string& names, std::vector<std::string>& values, const std::string& help);

// With `option` given, none of `others` may be (Excludes), or one of them must be (Needs; "--out FOLDER" shows what it takes).
// `why` completes "`--a` and `--b` exclude each other: ", or is the message of Needs, whose hint names the others.
struct Rule {
  enum Kind { Excludes, Needs };
  std::string option;
  Kind kind;
  std::vector<std::string> others;
  std::string why;
};

// Throws UserError for every rule that is broken (E0911) and every value that is empty (E0915). First in a command's callback, and after its
// settings file was read.
void check_options(const CLI::App& command, const std::vector<Rule>& rules);

// Before parsing: throws UserError for a command or options that do not exist (E0912, E0913), each with a suggestion, and for an option that
// takes one value and is given twice (E0911).
void check_arguments(CLI::App& app, int argc, const char* const* argv);

// What CLI11 found wrong, as ours: E0915 a value, E0916 an argument that is missing or one too many.
UserError usage_error(CLI::App& app, const CLI::ParseError& error);

}  // namespace gemel::cli
