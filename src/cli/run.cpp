// SPDX-License-Identifier: Apache-2.0
// gemel run: workload -> compile -> simulate -> compare with golden -> report.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "base/error.hpp"
#include "base/files.hpp"
#include "cli/commands.hpp"
#include "cli/settings.hpp"
#include "cli/signals.hpp"
#include "compiler/compile.hpp"
#include "config/load.hpp"
#include "network/synthetic.hpp"
#include "network/workload.hpp"
#include "ops/golden.hpp"
#include "report/report.hpp"
#include "sim/simulation.hpp"

namespace gemel::cli {
namespace {

struct RunOptions {
  std::string workload, machine = "edge16", input, out, engine = "systemc", settings;
  std::vector<std::string> set, blocks;
  int reset_seed = -1;
  bool keep_going = false, no_skip = false;
  int batch = 0;
  std::int64_t seed = -1;
  std::int64_t max_cycles = std::int64_t{1} << 40;
  bool timing_only = false, trace = false, no_golden = false, test = false, quiet = false;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// One line on a terminal, rewritten; nothing at all in a pipe.
class ProgressLine {
 public:
  explicit ProgressLine(bool enabled) : enabled_(enabled && ::isatty(STDERR_FILENO) != 0) {}
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void stage(const std::string& text) {
    if (enabled_) show(text);
  }
  void update(const Progress& p, const std::vector<ScheduleLayer>& layers) {
    if (!enabled_) return;
    const double elapsed = seconds_since(start_);
    if (elapsed - shown_ < 0.1) return;
    shown_ = elapsed;
    const double share = static_cast<double>(p.instructions) / static_cast<double>(std::max<std::int64_t>(1, p.total_instructions));
    char line[200];
    std::snprintf(line, sizeof line, "layer %d/%d %s: %.2f M cycles, %.1f M cycles/s, %.0f s left", p.layer + 1, p.layers,
                  layers[static_cast<std::size_t>(std::min(p.layer, p.layers - 1))].name.c_str(),
                  static_cast<double>(p.cycles) / 1e6, static_cast<double>(p.cycles) / 1e6 / std::max(elapsed, 1e-3),
                  share > 0 ? elapsed * (1 - share) / share : 0.0);
    show(line);
  }
  void clear() {
    if (enabled_ && dirty_) std::cerr << "\r\x1b[K" << std::flush;
    dirty_ = false;
  }

 private:
  void show(const std::string& text) {
    std::cerr << "\r\x1b[K" << text << std::flush;
    dirty_ = true;
  }
  bool enabled_, dirty_ = false;
  double shown_ = -1;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::vector<std::uint8_t> read_input(const std::string& path, const Tensor& tensor) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw UserError("E0905", "cannot read the input `" + path + "`");
  std::vector<std::uint8_t> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (static_cast<std::int64_t>(bytes.size()) != tensor.shape.elements()) {
    throw UserError("E0906",
                    "the input `" + path + "` has " + std::to_string(bytes.size()) + " bytes, but tensor `" + tensor.name +
                        "` takes " + std::to_string(tensor.shape.elements()),
                    "give raw bytes, dense NHWC");
  }
  return bytes;
}

int argmax(const std::uint8_t* values, int count, ElementType type) {
  int best = 0;
  const auto value = [&](int i) { return type == ElementType::UInt8 ? int{values[i]} : int{static_cast<std::int8_t>(values[i])}; };
  for (int i = 1; i < count; ++i) {
    if (value(i) > value(best)) best = i;
  }
  return best;
}

// UserError E0911 for options of which one would be ignored, or of which one takes away what another one needs.
void require_consistent(const RunOptions& o, bool out_given) {
  const auto refuse = [](const std::string& what, const std::string& hint) { throw UserError("E0911", what, hint); };
  if (o.test && o.timing_only) refuse("--test counts correct outputs, but --timing-only computes none", "leave out one of them");
  if (o.test && !o.input.empty()) refuse("--test takes the workload's test images, --input another one", "leave out one of them");
  if (o.timing_only && !o.input.empty()) refuse("--input gives data, but --timing-only moves none", "leave out one of them");
  if (out_given && o.out.empty()) refuse("--out is empty, so nothing would be written", "name a folder, or leave it out");
  if (o.trace && o.out.empty()) refuse("--trace writes trace.json, but there is no folder for it", "add --out FOLDER");
  if (o.blocks.empty() && o.keep_going) {
    refuse("--keep-going counts differences of checked blocks, but no block is checked", "add --block NAME=check");
  }
  if (o.blocks.empty() && o.reset_seed >= 0) refuse("--reset-seed is for registers of RTL, but no block is RTL", "add --block NAME=rtl");
  if (o.blocks.empty() && o.no_skip && o.engine != "beat") {
    refuse("--no-skip is for stepped blocks, but none is stepped", "add --engine beat, or --block NAME=rtl");
  }
}

void run(const RunOptions& o, const std::vector<std::pair<std::string, std::string>>& arguments) {
  ProgressLine progress(!o.quiet);
  const Machine machine = load_machine(find_machine(o.machine), o.set);
  if (!o.out.empty()) make_output_folder(o.out);
  progress.stage("reading " + o.workload);
  LoadOptions load;
  load.batch = o.batch;
  load.timing_only = o.timing_only;
  load.interrupted = &stop_requested();
  if (o.seed >= 0) load.seed = static_cast<std::uint64_t>(o.seed);
  Network network = load_workload(o.workload, load);
  std::optional<TestSet> test;
  if (o.test) {
    test = load_test_set(network);
    if (!test) throw UserError("E0907", "workload `" + network.name + "` has no test images", "leave out --test");
    if (o.batch == 0) {
      load.batch = static_cast<int>(test->shape.outermost());
      network = load_workload(o.workload, load);
    } else if (test->shape.outermost() % o.batch != 0) {
      throw UserError("E0908", "--batch " + std::to_string(o.batch) + " does not divide the " +
                                   std::to_string(test->shape.outermost()) + " test images");
    }
  }

  progress.stage("compiling for " + machine.name);
  const auto compile_start = std::chrono::steady_clock::now();
  CompileOptions compile_options;
  compile_options.interrupted = &stop_requested();
  const Schedule schedule = compile(network, machine, compile_options);
  const double compile_seconds = seconds_since(compile_start);

  SimulationOptions options;
  options.engine = o.engine == "beat" ? Engine::Beat : o.engine == "plain" ? Engine::Plain : Engine::Systemc;
  options.timing_only = o.timing_only;
  options.trace = o.trace;
  options.max_cycles = o.max_cycles;
  options.interrupted = &stop_requested();
  std::vector<BlockChoice> choices;
  for (const std::string& text : o.blocks) choices.push_back(parse_block_choice(text));
  options.blocks = resolve_choices(choices);
  options.keep_going = o.keep_going;
  options.no_skip = o.no_skip;
  options.reset_seed = o.reset_seed;
  options.waves_folder = o.out;
  options.rtl_progress = [&](const std::string& text) { progress.stage(text); };
  options.rtl_notice = [&](const Diagnostic& warning) {
    progress.clear();
    std::cerr << to_string(warning) << "\n";
  };
  options.rtl_display = [&](const std::string&, const char* text) {
    progress.clear();
    std::cerr << text;
  };
  options.rtl_hangs = [&](const UserError& error) {  // its thread cannot be reached any more
    progress.clear();
    end_at_once(error);
  };
  options.progress = [&](const Progress& p) { progress.update(p, schedule.layers); };

  const std::uint64_t seed = o.seed >= 0 ? static_cast<std::uint64_t>(o.seed) : 1;
  const int batch = schedule.batch;
  const int rounds = test ? static_cast<int>(test->shape.outermost()) / batch : 1;
  std::int64_t correct = 0;
  SimulationOutput output;
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::vector<std::uint8_t>> inputs;
    for (std::size_t i = 0; i < network.inputs.size(); ++i) {
      const Tensor& tensor = network.tensors[static_cast<std::size_t>(network.inputs[i])];
      const std::int64_t bytes = tensor.shape.elements();
      if (o.timing_only) {
        inputs.emplace_back();
      } else if (test && i == 0) {
        const auto first = test->images.begin() + static_cast<std::ptrdiff_t>(round * bytes);
        inputs.emplace_back(first, first + static_cast<std::ptrdiff_t>(bytes));
      } else if (!o.input.empty() && i == 0) {
        inputs.push_back(read_input(o.input, tensor));
      } else {
        inputs.push_back(synthetic_input(tensor, seed + i));
      }
    }
    std::unique_ptr<Golden> golden;
    if (!o.no_golden && !o.timing_only) {
      golden = std::make_unique<Golden>(network);
      for (std::size_t i = 0; i < inputs.size(); ++i) golden->set_input(network.inputs[i], inputs[i]);
      options.golden = [&](int tensor) { return &golden->tensor(tensor); };
    }
    output = simulate(machine, schedule, inputs, options);
    if (test) {
      const Tensor& scores = network.tensors[static_cast<std::size_t>(network.outputs.front())];
      const int classes = static_cast<int>(scores.shape.elements() / batch);
      for (int i = 0; i < batch; ++i) {
        correct += argmax(output.outputs.front().data() + std::int64_t{i} * classes, classes, scores.type) ==
                   test->labels[static_cast<std::size_t>(round * batch + i)];
      }
    }
  }
  RunResult& result = output.result;
  result.compile_seconds = compile_seconds;
  result.version = GEMEL_VERSION;
  if (test) {
    result.images = static_cast<int>(test->shape.outermost());
    result.accuracy = static_cast<double>(correct) / result.images;
    result.float_accuracy = test->float_accuracy.value_or(-1);
  }
  for (const auto& [name, value] : arguments) result.settings.emplace_back(name, value);

  progress.clear();
  std::cout << summary_text(result, machine);
  for (const BlockChoice& c : options.blocks) {
    std::int64_t cycles_that_differ = 0;
    for (const auto& [block, count] : output.differences) cycles_that_differ += block == c.block ? count : 0;
    std::cout << "block " << c.block << ": " << to_string(c.kind);
    if (c.kind == BlockKind::Check) std::cout << ", " << cycles_that_differ << " cycles differ";
    std::cout << "\n";
  }
  if (!o.out.empty()) {
    for (const std::string& path : write_reports(o.out, result, machine)) std::cout << "wrote " << path << "\n";
  }
}

}  // namespace

void add_run(CLI::App& app) {
  auto* command = app.add_subcommand("run", "Run a workload on a machine and compare every layer with golden");
  auto o = std::make_shared<RunOptions>();
  command->add_option("workload", o->workload, "Name (see `gemel workloads`), .yaml or .csv")->required();
  command->add_option("--machine,-m", o->machine, "Name (see `gemel machines`) or .yaml")->capture_default_str();
  command->add_option("--set", o->set, "Override a parameter of the machine: key=value");
  command->add_option("--batch", o->batch, "Images per run")->check(CLI::Range(1, 65535));
  command->add_option("--input", o->input, "Raw bytes of the first input, dense NHWC (default: synthetic)");
  command->add_option("--seed", o->seed, "Seed of synthetic tensors and inputs")->check(CLI::NonNegativeNumber);
  command->add_option("--out,-o", o->out, "Folder for result.json, report.html, trace.json");
  command->add_option("--engine", o->engine, "systemc (or model): fast models under SystemC; plain: without it; beat: every cycle stepped")
      ->check(CLI::IsMember({"systemc", "plain", "beat", "model"}))
      ->capture_default_str();
  command->add_option("--max-cycles", o->max_cycles, "Stop with an error after so many cycles")->check(CLI::PositiveNumber);
  command->add_option("--block", o->blocks, "NAME=model|rtl|check[:FILE.sv,...]: who stands behind a block's ports (NAME: a block, all, npu)");
  command->add_flag("--keep-going", o->keep_going, "Count differences of checked blocks instead of ending with the first");
  command->add_flag("--no-skip", o->no_skip, "Clock RTL and beat models in every cycle, also when all are quiet");
  command->add_option("--reset-seed", o->reset_seed, "Registers of RTL start with random bits of this seed")->check(CLI::NonNegativeNumber);
  command->add_flag("--timing-only", o->timing_only, "Cycles without data");
  command->add_flag("--trace", o->trace, "Write trace.json (opens in Perfetto)");
  command->add_flag("--no-golden", o->no_golden, "Do not compare with golden");
  command->add_flag("--test", o->test, "Run all test images of the workload and count the correct ones");
  command->add_flag("--quiet,-q", o->quiet, "No progress on the terminal");
  command->add_option("--settings", o->settings, "Options from a YAML file, by the names of the flags; the command line wins");
  command->callback([o, command] {
    if (!o->settings.empty()) apply_settings(o->settings, *command);
    catch_signals();
    std::vector<std::pair<std::string, std::string>> arguments;
    for (const CLI::Option* option : command->get_options()) {
      if (option->count() == 0) continue;
      std::string text;
      for (const std::string& value : option->results()) text += (text.empty() ? "" : " ") + value;
      arguments.emplace_back(option->get_single_name(), text);
    }
    require_consistent(*o, command->get_option("--out")->count() > 0);
    run(*o, arguments);
  });
}

}  // namespace gemel::cli
