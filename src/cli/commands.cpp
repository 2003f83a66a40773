// SPDX-License-Identifier: Apache-2.0
// The short commands, and the table of all.
#include "cli/commands.hpp"

#include <cstdio>
#include <iostream>
#include <memory>

#include "area/area.hpp"
#include "base/files.hpp"
#include "cli/signals.hpp"
#include "compiler/compile.hpp"
#include "config/load.hpp"
#include "isa/isa.hpp"
#include "isa/schedule.hpp"
#include "network/workload.hpp"
#include "rtl_host/contract.hpp"

namespace gemel::cli {

void add_commands(CLI::App& app) {
  add_run(app);
  add_compile(app);
  add_disasm(app);
  add_explain(app);
  add_regress(app);
  add_new_block(app);
  add_cache(app);
  add_lists(app);
}

void add_compile(CLI::App& app) {
  struct Options {
    std::string workload, machine = "edge16", out;
    std::vector<std::string> set;
    int batch = 0;
  };
  auto* command = app.add_subcommand("compile", "Compile a workload into a schedule (.gemel) for one machine");
  auto o = std::make_shared<Options>();
  command->add_option("workload", o->workload, "Name (see `gemel workloads`), .yaml or .csv")->required();
  command->add_option("--machine,-m", o->machine, "Name (see `gemel machines`) or .yaml")->capture_default_str();
  command->add_option("--set", o->set, "Override a parameter: key=value");
  command->add_option("--batch", o->batch, "Images")->check(CLI::Range(1, 65535));
  command->add_option("--out,-o", o->out, "File to write (default: NAME.gemel)");
  command->callback([o] {
    catch_signals();
    const Machine machine = load_machine(find_machine(o->machine), o->set);
    LoadOptions load;
    load.batch = o->batch;
    load.interrupted = &stop_requested();
    const Network network = load_workload(o->workload, load);
    CompileOptions options;
    options.interrupted = &stop_requested();
    const Schedule schedule = compile(network, machine, options);
    const std::string path = o->out.empty() ? network.name + ".gemel" : o->out;
    schedule.save(path);
    std::cout << path << ": " << schedule.program.size() << " instructions, " << schedule.layers.size() << " layers, "
              << schedule.memory_bytes_used << " bytes of memory\n";
  });
}

void add_disasm(CLI::App& app) {
  struct Options {
    std::string file;
    int first = 0, count = -1;
  };
  auto* command = app.add_subcommand("disasm", "Show the instructions of a schedule");
  auto o = std::make_shared<Options>();
  command->add_option("schedule", o->file, "File NAME.gemel")->required();
  command->add_option("--first", o->first, "First instruction")->check(CLI::NonNegativeNumber);
  command->add_option("--count", o->count, "How many (default: all)")->check(CLI::NonNegativeNumber);
  command->callback([o] {
    const Schedule schedule = Schedule::load(o->file);
    const std::size_t size = schedule.program.size();
    const std::size_t last =
        o->count < 0 ? size : std::min(size, static_cast<std::size_t>(o->first) + static_cast<std::size_t>(o->count));
    for (std::size_t i = static_cast<std::size_t>(o->first); i < last; ++i) {
      std::cout << i << "  " << isa::disassemble(schedule.program[i]) << "\n";
    }
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
  auto* topic = command->add_option("topic", o->topic, "E.g. pe_array, pe_array.rows, E0103; nothing: all parameters");
  auto* ports = command->add_option("--ports", o->ports, "A block: its contract, parameters and ports")->excludes(topic);
  auto* area = command->add_flag("--area", o->area, "Gates and memory bits of a machine, block by block")->excludes(topic)->excludes(ports);
  auto* machine = command->add_option("--machine,-m", o->machine, "With --ports or --area: whose")->capture_default_str();
  auto* set = command->add_option("--set", o->set, "With --ports or --area: override a parameter of the machine: key=value");
  command->callback([o, ports, area, machine, set] {
    for (const auto* option : {machine, set}) {
      if (*option && !*ports && !*area) throw CLI::RequiresError(option->get_name(), "--ports or --area");
    }
    if (o->area) {
      std::cout << explain_area(load_machine(find_machine(o->machine), o->set));
      return;
    }
    const std::string text = o->ports.empty() ? explain(o->topic) : explain_ports(o->ports, load_machine(find_machine(o->machine), o->set));
    std::cout << text << (text.empty() || text.back() == '\n' ? "" : "\n");
  });
}

void add_lists(CLI::App& app) {
  app.add_subcommand("machines", "List the machines that come with Gemel")->callback([] {
    for (const std::string& name : list_machines()) {
      const Machine m = load_machine(find_machine(name));
      char line[64];
      std::snprintf(line, sizeof line, "%-12s %4d x %-4d", name.c_str(), m.rows, m.columns);
      std::cout << line << " " << m.description << "\n";
    }
  });
  app.add_subcommand("workloads", "List the workloads that come with Gemel")->callback([] {
    for (const WorkloadInfo& info : list_workloads()) {
      char name[64];
      std::snprintf(name, sizeof name, "%-20s", info.name.c_str());
      std::cout << name << " " << info.description << "\n";
    }
  });
}

}  // namespace gemel::cli
