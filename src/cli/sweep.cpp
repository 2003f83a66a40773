// SPDX-License-Identifier: Apache-2.0
// gemel sweep: the program is in Python (python/gemel/_sweep_command.py), and this process becomes it.
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "cli/python.hpp"

namespace gemel::cli {
namespace {

struct Options {
  std::string space, out, csv, parquet, report, scheduler;
  int workers = 0;
  bool quiet = false;
};

std::vector<std::string> words(const Options& options) {
  std::vector<std::string> words = {options.space};
  add_word(words, "--out", options.out);
  add_word(words, "--csv", options.csv);
  add_word(words, "--parquet", options.parquet);
  add_word(words, "--report", options.report);
  add_word(words, "--scheduler", options.scheduler);
  if (options.workers > 0) add_word(words, "--workers", std::to_string(options.workers));
  if (options.quiet) words.push_back("--quiet");
  return words;
}

}  // namespace

void add_sweep(CLI::App& app) {
  auto* command = app.add_subcommand("sweep", "Go through a space of machines and networks, and show the best designs");
  auto o = std::make_shared<Options>();
  command->add_option("space", o->space, "File of the space, YAML (docs/reference/sweep.md)")->required();
  command->add_option("--out,-o", o->out, "Where points are recorded; the same command goes on where it ended (default: the space's name, .sqlite, here)");
  add_integer(*command, "--workers,-j", o->workers, 1, 1024, "Processes that compute (default: one for each processor)");
  command->add_option("--scheduler", o->scheduler,
                      "Of a Dask cluster that computes instead: its address, or its file NAME.json (needs the package's extra `cluster`)");
  command->add_option("--report", o->report, "Write a page with the front, parallel coordinates and the commands of all designs: one HTML file");
  command->add_option("--csv", o->csv, "Write the table of all points as CSV");
  command->add_option("--parquet", o->parquet, "Write the table of all points as Parquet (needs the package's extra `frames`)");
  command->add_flag("--quiet,-q", o->quiet, "No summary and no progress");
  command->callback([o, command] {
    static const std::vector<Rule> Rules = {{"--scheduler", Rule::Excludes, {"--workers"}, "a Dask cluster has workers of its own"}};
    check_options(*command, Rules);
    constexpr char Who[] = "`gemel sweep`";
    become(require_package("_sweep_command.py", Who), "gemel._sweep_command", words(*o), Who);
  });
}

}  // namespace gemel::cli
