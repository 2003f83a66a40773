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

// --input, for each input in turn.
void add_inputs(CLI::App& command, std::vector<std::string>& paths);
// Its files of raw bytes, for the first of the tensors. UserError E0510, E0905, E0906.
std::vector<std::vector<std::uint8_t>> read_inputs(const std::vector<std::string>& paths, const std::vector<TensorInfo>& tensors);

void add_commands(CLI::App& app);

void add_run(CLI::App& app);
void add_import(CLI::App& app);
void add_quantize(CLI::App& app);
void add_compress(CLI::App& app);
void add_recover(CLI::App& app);
void add_sweep(CLI::App& app);
void add_compile(CLI::App& app);
void add_disasm(CLI::App& app);
void add_compare(CLI::App& app);
void add_explain(CLI::App& app);
void add_export(CLI::App& app);
void add_fpga(CLI::App& app);
void add_regress(CLI::App& app);
void add_cache(CLI::App& app);
void add_new_block(CLI::App& app);
void add_lists(CLI::App& app);  // machines, workloads

}  // namespace gemel::cli
