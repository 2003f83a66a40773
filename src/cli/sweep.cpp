// SPDX-License-Identifier: Apache-2.0
// gemel sweep: the program is in Python (python/gemel/_sweep_command.py), and this process becomes it.
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "cli/python.hpp"

namespace gemel::cli {
namespace {

struct Options {
  std::string space, out, csv, parquet;
  int workers = 0;
  bool quiet = false;
};

[[noreturn]] void become(const Options& options) {
  const PythonProgram found = find_python_program("_sweep_command.py", true);
  const std::string install = "`pip install .` in the checkout installs it together with this command";
  if (found.folder.empty()) {
    std::string folders;
    for (const std::string& folder : found.looked) folders += (folders.empty() ? "`" : ", `") + folder + "`";
    throw UserError("E1212", "`gemel sweep` needs the Python package `gemel` with its library, which is in none of " + folders, install);
  }
  std::vector<std::string> words = {found.python, "-B", "-m", "gemel._sweep_command", options.space};
  const auto add = [&words](const char* name, const std::string& value) {
    if (!value.empty()) words.push_back(std::string(name) + "=" + value);
  };
  add("--out", options.out);
  add("--csv", options.csv);
  add("--parquet", options.parquet);
  if (options.workers > 0) add("--workers", std::to_string(options.workers));
  if (options.quiet) words.push_back("--quiet");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::setenv("PYTHONPATH", python_path(found.folder).c_str(), 1);
  std::cout.flush();
  ::execvp(arguments[0], arguments.data());
  throw UserError("E1212", "`gemel sweep` needs Python, and `" + found.python + "` cannot be started: " + std::strerror(errno),
                  "install python3, or let GEMEL_PYTHON name a Python of at least 3.11");
}

}  // namespace

void add_sweep(CLI::App& app) {
  auto* command = app.add_subcommand("sweep", "Go through a space of machines and networks, and show the best designs");
  auto o = std::make_shared<Options>();
  command->add_option("space", o->space, "File of the space, YAML (docs/reference/sweep.md)")->required();
  command->add_option("--out,-o", o->out, "Where points are recorded; the same command goes on where it ended (default: the space's name, .sqlite, here)");
  add_integer(*command, "--workers,-j", o->workers, 1, 1024, "Processes that compute (default: one for each processor)");
  command->add_option("--csv", o->csv, "Write the table of all points as CSV");
  command->add_option("--parquet", o->parquet, "Write the table of all points as Parquet (needs the package's extra `frames`)");
  command->add_flag("--quiet,-q", o->quiet, "No summary and no progress");
  command->callback([o, command] {
    check_options(*command, {});
    become(*o);
  });
}

}  // namespace gemel::cli
