// SPDX-License-Identifier: Apache-2.0
// gemel fpga: writes the chip's RTL for a machine; the flow that maps, places and routes it is in Python (python/gemel/_fpga_command.py), and this
// process becomes it.
#include <algorithm>
#include <iostream>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/options.hpp"
#include "cli/python.hpp"
#include "cli/signals.hpp"
#include "export/export.hpp"
#include "gemel/gemel.hpp"
#include "rtl_host/ports.hpp"

namespace gemel::cli {
namespace {

constexpr int MostTries = 100;

struct Options {
  std::vector<std::string> set, only;
  std::string machine = "edge16", out, device = "ecp5-85k";
  int mhz = 100, speed = 6, seed = 1, tries = 1;
  bool no_place = false, quiet = false;
};

struct Target {
  std::string name, module, parameters;  // "weight_buffer", "scratchpad", "WordBytes=8,Words=2048"
};

// The `pe` alone, every block, and the chip, in the order of the table.
std::vector<Target> targets_of(const Machine& machine) {
  std::vector<Target> targets = {{"pe", "pe", ""}};
  for (const BlockSpec& spec : block_specs()) {
    if (spec.name == std::string("npu_axi")) continue;  // the same chip
    const RtlParameters values = spec.parameters(machine_parameters(machine));
    std::string parameters;
    for (const auto& [parameter, expression] : spec.expressions) {
      parameters += (parameters.empty() ? "" : ",") + parameter + "=" + std::to_string(values.at(parameter));
    }
    targets.push_back({spec.name, spec.module, parameters});
  }
  return targets;
}

// Those that `only` names, all if it is empty.
std::vector<Target> chosen(const std::vector<Target>& all, const std::vector<std::string>& only) {
  std::string known;
  for (const Target& target : all) known += (known.empty() ? "" : ", ") + target.name;
  for (const std::string& name : only) {
    if (std::any_of(all.begin(), all.end(), [&](const Target& target) { return target.name == name; })) continue;
    throw UserError("E1001", "there is no block `" + name + "`", "blocks are: " + known);
  }
  std::vector<Target> targets;
  for (const Target& target : all) {
    if (only.empty() || std::find(only.begin(), only.end(), target.name) != only.end()) targets.push_back(target);
  }
  return targets;
}

std::vector<std::string> words(const Options& o, const Machine& machine, const std::vector<Target>& targets) {
  std::vector<std::string> words = {"--out=" + o.out, "--device=" + o.device, "--machine=" + machine.name, "--mhz=" + std::to_string(o.mhz),
                                    "--speed-grade=" + std::to_string(o.speed), "--seed=" + std::to_string(o.seed),
                                    "--tries=" + std::to_string(o.tries)};
  for (const Target& target : targets) words.push_back("--target=" + target.name + ":" + target.module + ":" + target.parameters);
  if (o.no_place) words.push_back("--no-place");
  if (o.quiet) words.push_back("--quiet");
  return words;
}

}  // namespace

void add_fpga(CLI::App& app) {
  auto* command = app.add_subcommand("fpga", "Place and route a machine's blocks and its chip on an FPGA, with free tools, and show what they take");
  auto o = std::make_shared<Options>();
  command->add_option("--machine,-m", o->machine, "Name (see `gemel machines`) or .yaml")->capture_default_str();
  add_repeated(*command, "--set", o->set, "Override a parameter of the machine: key=value");
  add_choice(*command, "--device", {"ecp5-12k", "ecp5-25k", "ecp5-45k", "ecp5-85k"}, "The FPGA, of Lattice's ECP5 family (default: ecp5-85k)",
             [o](const std::string& value) { o->device = value; });
  add_repeated(*command, "--only", o->only, "This block alone, `pe`, or `npu`, which is the whole chip (default: all of them)");
  add_integer(*command, "--mhz", o->mhz, 1, 1000, "What placement aims at (default: 100)");
  add_integer(*command, "--speed-grade", o->speed, 6, 8, "Of the device; 8 is the fastest (default: 6)");
  add_integer(*command, "--seed", o->seed, 0, std::numeric_limits<int>::max() - MostTries, "Of the placement (default: 1)");
  add_integer(*command, "--tries", o->tries, 1, MostTries, "Placements, with seeds from --seed on; the fastest is kept (default: 1)");
  command->add_flag("--no-place", o->no_place, "Map only: counts and netlists, no clock and no bitstream");
  command->add_option("--out,-o", o->out, "Folder to write to; it must be empty, or not be there")->required();
  command->add_flag("--quiet,-q", o->quiet, "No table and no progress");
  command->callback([o, command] {
    catch_signals();
    check_options(*command, {{"--no-place", Rule::Excludes, {"--mhz", "--speed-grade", "--seed", "--tries"}, "nothing is placed"}});
    constexpr char Who[] = "`gemel fpga`";
    const PythonProgram program = require_package("_fpga_command.py", Who);
    const Machine machine = load_machine(o->machine, o->set);
    for (const Diagnostic& warning : machine_warnings(machine)) std::cerr << to_string(warning) << "\n";
    const std::vector<Target> targets = chosen(targets_of(machine), o->only);
    require_empty_folder(o->out);
    export_chip(machine, nullptr, o->out + "/chip", [] { return stop_requested().load(); });
    become(program, "gemel._fpga_command", words(*o, machine, targets), Who);
  });
}

}  // namespace gemel::cli
