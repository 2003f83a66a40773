// SPDX-License-Identifier: Apache-2.0
// A settings file: a command's options as YAML, by the names of their flags.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

namespace gemel::cli {

// Gives the command the file's values for options that the command line has not set. Keys are the long flags without dashes in
// front; `block` may be a map from names to kinds. UserError E0910: the file cannot be read, or a key or value is wrong.
void apply_settings(const std::string& path, CLI::App& command);

}  // namespace gemel::cli
