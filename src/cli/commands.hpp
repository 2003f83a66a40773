// SPDX-License-Identifier: Apache-2.0
// The commands of `gemel`, one file per command.
#pragma once
#include <CLI/CLI.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "gemel/error.hpp"
#include "gemel/layer.hpp"

namespace gemel::cli {

// For a thread that cannot throw to main(): says what is wrong and ends the process, as main() would.
[[noreturn]] void end_at_once(const UserError& error);

// The bytes of an input tensor from a file of raw bytes. UserError E0905, E0906.
std::vector<std::uint8_t> read_input(const std::string& path, const TensorInfo& tensor);

void add_commands(CLI::App& app);

void add_run(CLI::App& app);
void add_compile(CLI::App& app);
void add_disasm(CLI::App& app);
void add_explain(CLI::App& app);
void add_regress(CLI::App& app);
void add_cache(CLI::App& app);
void add_new_block(CLI::App& app);
void add_lists(CLI::App& app);  // machines, workloads

}  // namespace gemel::cli
