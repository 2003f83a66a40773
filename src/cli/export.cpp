// SPDX-License-Identifier: Apache-2.0
// gemel export: the chip, and a workload with what it must make of it, as a folder for other people's tools.
#include <iostream>
#include <memory>
#include <optional>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/import.hpp"
#include "cli/options.hpp"
#include "cli/signals.hpp"
#include "export/export.hpp"
#include "gemel/gemel.hpp"

namespace gemel::cli {
namespace {

struct Options {
  std::string workload, machine = "edge16", out;
  std::vector<std::string> set, inputs;
  std::optional<std::uint64_t> seed;
  int batch = 0;
};

Program compiled(const Options& o, const Machine& machine) {
  NetworkOptions load;
  load.batch = o.batch;
  load.seed = o.seed;
  load.stop = stop_token();
  const ImportedModel model(o.workload);
  for (const std::string& note : model.notes()) std::cerr << note << "\n";
  ProgramOptions compiling;
  compiling.stop = stop_token();
  const Program program = compile(load_network(model.workload(), load), machine, compiling);
  require_exportable(program, machine);
  return program.with_data(read_inputs(o.inputs, program.inputs()), o.seed.value_or(1), false);
}

void export_to(const Options& o, const std::string& arguments) {
  const Machine machine = load_machine(o.machine, o.set);
  for (const Diagnostic& warning : machine_warnings(machine)) std::cerr << to_string(warning) << "\n";
  require_empty_folder(o.out);
  const auto stop = [] { return stop_requested().load(); };
  std::vector<std::string> files;
  std::string cycles;
  if (o.workload.empty()) {
    files = export_chip(machine, nullptr, o.out, stop);
  } else {
    const Program program = compiled(o, machine);
    RunOptions options;
    options.engine = Engine::Plain;
    options.stop = stop_token();
    const Result result = run(program, machine, options);
    const ExportedRun run{program, result, arguments};
    files = export_chip(machine, &run, o.out, stop);
    cycles = ", with `" + program.network() + "` in " + with_commas(result.cycles) + " cycles";
  }
  std::cout << o.out << ": " << files.size() << " files of the chip of machine `" << machine.name << "`" << cycles << "; README.md says how to use them\n";
}

}  // namespace

void add_export(CLI::App& app) {
  auto* command = app.add_subcommand("export", "Write the chip of a machine, and a workload with a testbench, as a folder for other tools");
  auto o = std::make_shared<Options>();
  command->add_option("workload", o->workload, "Name (see `gemel workloads`), .yaml, .csv or a model (.onnx, .tflite); without one there is no testbench");
  command->add_option("--machine,-m", o->machine, "Name (see `gemel machines`) or .yaml")->capture_default_str();
  add_repeated(*command, "--set", o->set, "Override a parameter of the machine: key=value");
  add_integer(*command, "--batch", o->batch, 1, 65535, "Images");
  add_integer(*command, "--seed", 0, Unlimited, "Seed of synthetic tensors and of inputs",
              [o](std::int64_t seed) { o->seed = static_cast<std::uint64_t>(seed); });
  add_inputs(*command, o->inputs);
  command->add_option("--out,-o", o->out, "Folder to write to; it must be empty, or not be there")->required();
  command->callback([o, command] {
    constexpr const char* Why = "this is for a workload, and none is given";
    static const std::vector<Rule> Rules = {{"--batch", Rule::Needs, {"workload"}, std::string("`--batch`: ") + Why},
                                            {"--seed", Rule::Needs, {"workload"}, std::string("`--seed`: ") + Why},
                                            {"--input", Rule::Needs, {"workload"}, std::string("`--input`: ") + Why}};
    catch_signals();
    check_options(*command, Rules);
    std::string arguments = o->workload;
    for (const CLI::Option* option : command->get_options()) {
      if (option->count() == 0 || option->get_positional() || option->check_name("--out")) continue;
      for (const std::string& value : option->results()) arguments += " --" + option->get_single_name() + " " + value;
    }
    export_to(*o, arguments);
  });
}

}  // namespace gemel::cli
