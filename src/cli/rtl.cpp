// SPDX-License-Identifier: Apache-2.0
// gemel cache, gemel new-block: for those who bring Verilog of their own.
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>

#include "base/files.hpp"
#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "gemel/error.hpp"
#include "gemel/machine.hpp"
#include "rtl_host/contract.hpp"
#include "rtl_host/library.hpp"

namespace gemel::cli {

void add_cache(CLI::App& app) {
  auto* command = app.add_subcommand("cache", "Compiled RTL in the cache folder");
  command->require_subcommand(1);
  command->add_subcommand("list", "List what is in it")->callback([] {
    std::int64_t bytes = 0;
    const auto entries = list_rtl_cache();
    std::size_t compiled = 0;
    for (const RtlCacheEntry& e : entries) {
      compiled += e.state == RtlCacheEntry::State::Whole ? 1 : 0;
      char line[64];
      std::snprintf(line, sizeof line, "%.12s %8.1f KiB  ", e.hash.c_str(), static_cast<double>(e.bytes) / 1024.0);
      std::cout << line << e.description << "\n";
      bytes += e.bytes;
    }
    std::cout << rtl_cache_folder() << ": " << compiled << " compiled blocks, " << bytes / 1024 << " KiB\n";
  });
  command->add_subcommand("clear", "Remove everything in it")->callback([] {
    const std::int64_t bytes = clear_rtl_cache();
    std::cout << rtl_cache_folder() << ": " << bytes / 1024 << " KiB removed\n";
  });
}

void add_new_block(CLI::App& app) {
  struct Options {
    std::string block, machine = "edge16", out = ".";
    std::vector<std::string> set;
  };
  auto* command = app.add_subcommand("new-block", "Write a SystemVerilog file with the parameters and ports of a block");
  auto o = std::make_shared<Options>();
  command->add_option("block", o->block, "Name, e.g. requantizer (`gemel explain --ports requantizer` prints its contract)")->required();
  command->add_option("--machine,-m", o->machine, "Whose values the parameters have as defaults")->capture_default_str();
  add_repeated(*command, "--set", o->set, "Override a parameter of the machine: key=value");
  command->add_option("--out,-o", o->out, "Folder to write to")->capture_default_str();
  command->callback([o, command] {
    check_options(*command, {});
    const Machine machine = load_machine(o->machine, o->set);
    const std::string text = skeleton(o->block, machine);
    make_output_folder(o->out);
    const std::string path = (std::filesystem::path(o->out) / skeleton_file_name(o->block)).lexically_normal();
    if (std::filesystem::exists(path)) {
      throw UserError("E0909", "`" + path + "` exists already", "remove it, or choose another folder with --out");
    }
    write_file_atomically(path, text);
    std::cout << path << ": try it with --block " << o->block << "=check:" << path << "\n";
  });
}

}  // namespace gemel::cli
