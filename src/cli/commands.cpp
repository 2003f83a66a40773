// SPDX-License-Identifier: Apache-2.0
// The short commands, and the table of all.
#include "cli/commands.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>

#include "area/area.hpp"
#include "base/files.hpp"
#include "cli/import.hpp"
#include "cli/options.hpp"
#include "cli/signals.hpp"
#include "config/load.hpp"
#include "config/yaml_reader.hpp"
#include "gemel/gemel.hpp"
#include "rtl_host/contract.hpp"

namespace gemel::cli {

void add_commands(CLI::App& app) {
  add_run(app);
  add_import(app);
  add_quantize(app);
  add_compress(app);
  add_recover(app);
  add_sweep(app);
  add_compile(app);
  add_disasm(app);
  add_compare(app);
  add_explain(app);
  add_export(app);
  add_fpga(app);
  add_regress(app);
  add_new_block(app);
  add_cache(app);
  add_lists(app);
}

void add_compile(CLI::App& app) {
  struct Options {
    std::string workload, machine = "edge16", base = "0", out;
    std::vector<std::string> set, inputs;
    std::optional<std::uint64_t> seed;
    int batch = 0;
    bool with_inputs = false, with_expected = false;
  };
  auto* command = app.add_subcommand("compile", "Compile a workload into a program (.gemel) for one machine");
  auto o = std::make_shared<Options>();
  command->add_option("workload", o->workload, "Name (see `gemel workloads`), .yaml or .csv")->required();
  command->add_option("--machine,-m", o->machine, "Name (see `gemel machines`) or .yaml")->capture_default_str();
  add_repeated(*command, "--set", o->set, "Override a parameter: key=value");
  add_integer(*command, "--batch", o->batch, 1, 65535, "Images");
  add_integer(*command, "--seed", 0, Unlimited, "Seed of synthetic tensors and of inputs",
              [o](std::int64_t seed) { o->seed = static_cast<std::uint64_t>(seed); });
  command->add_flag("--with-inputs", o->with_inputs, "Store inputs in the program, for `gemel run` to use");
  command->add_flag("--with-expected", o->with_expected, "Store inputs and what each layer must make of them, for `gemel run` to compare with");
  add_inputs(*command, o->inputs);
  command->add_option("--base", o->base, "First address of memory to use, a multiple of 4KiB (1MiB, 0x100000)")->capture_default_str();
  command->add_option("--out,-o", o->out, "File to write (default: NAME.gemel)");
  command->callback([o, command] {
    static const std::vector<Rule> Rules = {{"--input", Rule::Needs, {"--with-inputs", "--with-expected"}, "--input gives data, but the program stores none"}};
    catch_signals();
    check_options(*command, Rules);
    const auto base = parse_size_bytes(o->base);
    if (!base || *base < 0) throw UserError("E0606", "`--base " + o->base + "` is no address", "such as 4096, 1MiB or 0x100000");
    const Machine machine = load_machine(o->machine, o->set);
    for (const Diagnostic& warning : machine_warnings(machine)) std::cerr << to_string(warning) << "\n";
    if (!o->out.empty()) require_writable(o->out);
    NetworkOptions load;
    load.batch = o->batch;
    load.seed = o->seed;
    load.stop = stop_token();
    const ImportedModel model(o->workload);
    for (const std::string& note : model.notes()) std::cerr << note << "\n";
    const NetworkPtr network = load_network(model.workload(), load);
    const std::string path = o->out.empty() ? describe(network).name + ".gemel" : o->out;
    if (o->out.empty()) require_writable(path);
    ProgramOptions compiling;
    compiling.stop = stop_token();
    compiling.memory_base = static_cast<std::uint64_t>(*base);
    Program program = compile(network, machine, compiling);
    if (o->with_inputs || o->with_expected) {
      program = program.with_data(read_inputs(o->inputs, program.inputs()), o->seed.value_or(1), o->with_expected);
    }
    program.save(path);
    std::cout << path << ": " << program.instructions() << " instructions, " << program.layers().size() << " layers, "
              << program.memory_bytes() - *base << " bytes of memory" << (*base > 0 ? " from address " + std::to_string(*base) + " on" : "")
              << (o->with_expected ? ", with inputs and expected results" : o->with_inputs ? ", with inputs" : "") << "\n";
  });
}

void add_disasm(CLI::App& app) {
  struct Options {
    std::string file;
    std::int64_t first = 0, count = -1;
  };
  auto* command = app.add_subcommand("disasm", "Show the instructions of a program");
  auto o = std::make_shared<Options>();
  command->add_option("program", o->file, "File NAME.gemel")->required();
  add_integer(*command, "--first", o->first, 0, Unlimited, "First instruction");
  add_integer(*command, "--count", o->count, 1, Unlimited, "How many (default: all)");
  command->callback([o, command] {
    check_options(*command, {});
    const Program program = Program::load(o->file);
    const std::int64_t size = program.instructions();
    if (o->first >= size) {
      throw UserError("E0915", "`--first` is " + std::to_string(o->first) + ", and the program has " + std::to_string(size) + " instructions");
    }
    const std::int64_t count = o->count < 0 ? size - o->first : std::min(size - o->first, o->count);
    for (std::int64_t i = o->first; i < o->first + count; ++i) std::cout << i << "  " << program.disassemble(i) << "\n";
  });
}

void add_compare(CLI::App& app) {
  struct Options {
    std::string a, b, report;
    bool all = false;
  };
  auto* command = app.add_subcommand("compare", "Compare two runs: cycles, machines, units and layers");
  auto o = std::make_shared<Options>();
  command->add_option("a", o->a, "Folder of a run (--out), or its result.json")->required();
  command->add_option("b", o->b, "The run to compare with it")->required();
  command->add_flag("--all", o->all, "Every layer, in their order");
  command->add_option("--report", o->report, "Write a page, with all layers: one HTML file");
  command->callback([o, command] {
    check_options(*command, {});
    const std::string text = compare_results(o->a, o->b, o->all);
    if (!o->report.empty()) write_file_atomically(o->report, comparison_html(o->a, o->b));
    std::cout << text;
    if (!o->report.empty()) std::cout << "wrote " << o->report << "\n";
  });
}

void add_explain(CLI::App& app) {
  struct Options {
    std::string topic, ports, machine = "edge16";
    std::vector<std::string> set;
    bool area = false;
  };
  auto* command = app.add_subcommand("explain", "Explain a parameter, a group of parameters, an error code, a block's ports, or a machine's area");
  auto o = std::make_shared<Options>();
  command->add_option("topic", o->topic, "E.g. pe_array, pe_array.rows, E0103; nothing: all parameters");
  command->add_option("--ports", o->ports, "A block: its contract, parameters and ports");
  command->add_flag("--area", o->area, "Gates and memory bits of a machine, block by block");
  command->add_option("--machine,-m", o->machine, "With --ports or --area: whose")->capture_default_str();
  add_repeated(*command, "--set", o->set, "With --ports or --area: override a parameter of the machine: key=value");
  command->callback([o, command] {
    static const std::vector<Rule> Rules = {
        {"topic", Rule::Excludes, {"--ports", "--area"}, "one thing is explained at a time"},
        {"--ports", Rule::Excludes, {"--area"}, "one thing is explained at a time"},
        {"--machine", Rule::Needs, {"--ports BLOCK", "--area"}, "--machine is for what depends on a machine, and no such thing is asked for"},
        {"--set", Rule::Needs, {"--ports BLOCK", "--area"}, "--set is for what depends on a machine, and no such thing is asked for"},
    };
    check_options(*command, Rules);
    if (o->area) {
      std::cout << explain_area(load_machine(o->machine, o->set));
      return;
    }
    const std::string text = o->ports.empty() ? explain(o->topic) : explain_ports(o->ports, load_machine(o->machine, o->set));
    std::cout << text << (text.empty() || text.back() == '\n' ? "" : "\n");
  });
}

void add_lists(CLI::App& app) {
  app.add_subcommand("machines", "List the machines that come with Gemel")->callback([] {
    const std::vector<std::string> names = list_machines();
    if (names.empty()) throw UserError("E0109", "no machines were found at all", "set GEMEL_HOME to the folder that has `configs`");
    for (const std::string& name : names) {
      const Machine m = load_machine(name);
      char line[64];
      std::snprintf(line, sizeof line, "%-12s %4d x %-4d", name.c_str(), m.rows, m.columns);
      std::cout << line << " " << m.description << "\n";
    }
  });
  app.add_subcommand("workloads", "List the workloads that come with Gemel")->callback([] {
    const std::vector<NetworkName> networks = list_networks();
    if (networks.empty()) throw UserError("E0208", "no workloads were found at all", "set GEMEL_HOME to the folder that has `workloads`");
    for (const NetworkName& network : networks) {
      char name[64];
      std::snprintf(name, sizeof name, "%-20s", network.name.c_str());
      std::cout << name << " " << network.description << "\n";
    }
  });
}

}  // namespace gemel::cli
