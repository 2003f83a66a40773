// SPDX-License-Identifier: Apache-2.0
// gemel run: the library's load, compile and run, and the reports.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <optional>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/import.hpp"
#include "cli/options.hpp"
#include "cli/python.hpp"
#include "cli/settings.hpp"
#include "cli/signals.hpp"
#include "gemel/gemel.hpp"

namespace gemel::cli {
namespace {

struct Options {
  std::string workload, out, tensors, settings, data, period, deadline;
  int frames = 100;
  std::vector<std::string> inputs, beside;
  std::optional<std::string> machine;
  std::vector<std::string> set, blocks, waves;
  std::optional<std::string> engine;
  std::optional<int> reset_seed;
  std::optional<std::uint64_t> seed;
  int batch = 0, images = 0;
  std::int64_t max_cycles = std::int64_t{1} << 40;
  bool timing_only = false, trace = false, no_golden = false, test = false, quiet = false, keep_going = false, no_skip = false, advise = false;
};

constexpr char DefaultMachine[] = "edge16";

// One line on a terminal, rewritten; nothing at all in a pipe. Warnings are always told.
class ProgressLine : public Observer {
 public:
  explicit ProgressLine(bool enabled) : enabled_(enabled && ::isatty(STDERR_FILENO) != 0) {}
  ~ProgressLine() override { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void name_layers(const std::vector<LayerInfo>& layers) { layers_ = layers; }
  void log(const std::string& text) override {
    if (enabled_) show(text);
  }
  void progress(const Progress& p) override {
    if (!enabled_) return;
    const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    if (elapsed - shown_ < 0.1) return;
    shown_ = elapsed;
    const double share = static_cast<double>(p.instructions) / static_cast<double>(std::max<std::int64_t>(1, p.total_instructions));
    const std::string& name = layers_.at(static_cast<std::size_t>(std::min(p.layer, p.layers - 1))).name;
    char line[200];
    std::snprintf(line, sizeof line, "layer %d/%d %.60s: %.2f M cycles, %.1f M cycles/s, %.0f s left", p.layer + 1, p.layers, name.c_str(),
                  static_cast<double>(p.cycles) / 1e6, static_cast<double>(p.cycles) / 1e6 / std::max(elapsed, 1e-3),
                  share > 0 ? elapsed * (1 - share) / share : 0.0);
    show(line);
  }
  void warning(const Diagnostic& warning) override {
    clear();
    std::cerr << to_string(warning) << "\n";
  }
  void rtl_displays(const std::string&, const std::string& text) override {
    clear();
    std::cerr << text;
  }
  void rtl_hangs(const UserError& error) override {  // the thread that hangs cannot be reached any more
    clear();
    end_at_once(error);
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
  std::vector<LayerInfo> layers_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

bool is_program(const std::string& workload) {
  constexpr std::string_view End = ".gemel";
  return workload.size() > End.size() && std::string_view(workload).substr(workload.size() - End.size()) == End;
}

// What the library calls options are flags here.
UserError in_flags(const UserError& error) {
  static const std::vector<std::pair<std::string, std::string>> Names = {
      {"`test_images`", "--test"},      {"`timing_only`", "--timing-only"}, {"`inputs`", "--input"},
      {"`keep_going`", "--keep-going"}, {"`reset_seed`", "--reset-seed"},   {"`no_skip`", "--no-skip"},
      {"`engine`", "--engine"},         {"`blocks`", "--block"},            {"`trace`", "--trace"},
      {"`keep_tensors`", "--save-tensors"}, {"`waves_folder`", "--out FOLDER"}, {"`waves`", "--waves"}};
  std::vector<Diagnostic> diagnostics = error.diagnostics();
  for (Diagnostic& d : diagnostics) {
    if (d.code != "E0911") continue;
    for (const auto& [option, flag] : Names) {
      for (std::string* text : {&d.message, &d.hint}) {
        const std::size_t at = text->find(option);
        if (at != std::string::npos) text->replace(at, option.size(), flag);
      }
    }
  }
  return UserError(std::move(diagnostics));
}

gemel::RunOptions run_options(const Options& o, Observer* observer) {
  gemel::RunOptions options;
  options.blocks = o.blocks;
  if (o.engine) options.engine = *o.engine == "beat" ? Engine::Beat : *o.engine == "plain" ? Engine::Plain : Engine::Systemc;
  options.seed = o.seed.value_or(options.seed);
  options.test_images = o.test;
  options.compare = !o.no_golden;
  options.timing_only = o.timing_only;
  options.trace = o.trace;
  if (!o.tensors.empty()) options.keep_tensors = {"*"};
  options.max_cycles = o.max_cycles;
  options.keep_going = o.keep_going;
  options.no_skip = o.no_skip;
  options.reset_seed = o.reset_seed;
  options.waves_folder = o.out;
  options.waves = o.waves;
  if (!o.out.empty()) options.case_file = o.out + "/failing_case.gemel";
  options.observer = observer;
  options.stop = stop_token();
  for (std::size_t i = 0; i < o.inputs.size(); ++i) options.inputs.push_back({0});  // their bytes come later: the program says how many
  return options;
}

// --data: many runs, which are in Python.
[[noreturn]] void run_on_data(const Options& o) {
  constexpr char Who[] = "`--data`";
  std::vector<std::string> words = {"--data=" + o.data, "--machine=" + o.machine.value_or(DefaultMachine)};
  for (const std::string& setting : o.set) words.push_back("--set=" + setting);
  for (const std::string& model : o.beside) words.push_back("--beside=" + model);
  if (o.images > 0) words.push_back("--images=" + std::to_string(o.images));
  if (o.batch > 0) words.push_back("--batch=" + std::to_string(o.batch));
  if (o.no_golden) words.push_back("--no-golden");
  if (o.quiet) words.push_back("--quiet");
  words.insert(words.end(), {"--", o.workload});
  become(require_package("_accuracy_command.py", Who), "gemel._accuracy_command", words, Who);
}

void run(const Options& o, const std::vector<std::pair<std::string, std::string>>& arguments) {
  ProgressLine progress(!o.quiet);
  gemel::RunOptions options = run_options(o, &progress);
  check(options);
  RealTimeOptions arriving;
  if (!o.period.empty()) arriving.period_seconds = seconds_of(o.period, "--period");
  if (!o.deadline.empty()) arriving.deadline_seconds = seconds_of(o.deadline, "--deadline");
  constexpr char Adviser[] = "`--advise`";
  std::optional<PythonProgram> adviser;
  if (o.advise) adviser = require_package("_advise_command.py", Adviser);
  std::optional<Program> program;
  Machine machine;
  if (is_program(o.workload)) {
    progress.log("reading " + o.workload);
    program = Program::load(o.workload);
    machine = o.machine ? load_machine(*o.machine, o.set) : program->compiled_for(o.set);
    if (o.seed && program->stores_inputs()) {
      throw UserError("E0911", "`--seed` and `" + o.workload + "`: the program stores its inputs, so that none are drawn");
    }
  } else {
    machine = load_machine(o.machine.value_or(DefaultMachine), o.set);
  }
  for (const Diagnostic& warning : machine_warnings(machine)) progress.warning(warning);
  if (!o.out.empty()) prepare_reports(o.out, o.trace);
  if (!o.tensors.empty()) require_writable(o.tensors);
  if (!program) {
    progress.log((is_model(o.workload) ? "importing " : "reading ") + o.workload);
    const ImportedModel model(o.workload);
    progress.clear();
    for (const std::string& note : model.notes()) std::cerr << note << "\n";
    NetworkOptions load;
    load.batch = o.batch;
    load.timing_only = o.timing_only;
    load.seed = o.seed;
    load.stop = stop_token();
    NetworkPtr network = load_network(model.workload(), load);
    if (o.test && o.batch == 0) {
      const std::optional<TestImages> test = test_images(network);
      if (!test) throw UserError("E0907", "workload `" + describe(network).name + "` has no test images", "leave out --test");
      load.batch = static_cast<int>(test->images.shape.front());
      network = load_network(model.workload(), load);
    }
    progress.log("compiling for " + machine.name);
    ProgramOptions compiling;
    compiling.stop = stop_token();
    program = compile(network, machine, compiling);
  }
  progress.name_layers(program->layers());
  options.inputs = read_inputs(o.inputs, program->inputs());
  Result result = gemel::run(*program, machine, options);
  result.settings.insert(result.settings.end(), arguments.begin(), arguments.end());

  // Files first: whoever reads the summary may leave before its end, and take this process along.
  std::vector<std::string> written = o.out.empty() ? std::vector<std::string>{} : write_reports(o.out, result, machine);
  for (std::string window : o.waves) {
    std::replace(window.begin(), window.end(), ':', '_');
    written.push_back(o.out + "/" + window + ".fst");
  }
  std::optional<RealTime> frames;
  if (!o.period.empty()) {
    arriving.run_cycles = result.cycles / result.rounds;
    arriving.clock_mhz = result.clock_mhz;
    arriving.frames = o.frames;
    frames = real_time(arriving);
    if (!o.out.empty()) {
      written.push_back(o.out + "/frames.csv");
      write_file_atomically(written.back(), real_time_csv(*frames));
    }
  }
  if (!o.tensors.empty()) {
    write_tensors(o.tensors, result);
    written.push_back(o.tensors);
  }
  progress.clear();
  std::cout << summary_text(result, machine);
  for (const auto& [block, kind] : result.blocks) {
    std::cout << "block " << block << ": " << kind;
    for (const auto& [checked, cycles] : result.differences) {
      if (checked == block) std::cout << ", " << cycles << " cycles differ";
    }
    std::cout << "\n";
  }
  if (frames) std::cout << real_time_text(*frames);
  for (const std::string& path : written) std::cout << "wrote " << path << "\n";
  if (frames && frames->missed > 0) {
    throw RunError("E0830", with_commas(frames->missed) + " of " + with_commas(o.frames) + " frames missed the deadline of " + o.deadline);
  }
  if (!adviser) return;
  std::cout << "\n";
  std::vector<std::string> words = {"--batch=" + std::to_string(result.batch), "--machine=" + o.machine.value_or(DefaultMachine)};
  for (const std::string& set : o.set) words.push_back("--set=" + set);
  if (!o.out.empty()) words.push_back("--report=" + o.out + "/report.html");
  words.insert(words.end(), {"--", o.workload});
  become(*adviser, "gemel._advise_command", words, Adviser);
}

// Those that the library does not know; check() has the others.
const std::vector<Rule>& rules() {
  static const std::vector<Rule> Rules = {
      {"--save-tensors", Rule::Excludes, {"--no-golden"}, "what is saved is what memory was compared with"},
      {"--frames", Rule::Needs, {"--period TIME"}, "--frames counts frames that arrive, but none do"},
      {"--deadline", Rule::Needs, {"--period TIME"}, "--deadline is for frames that arrive, but none do"},
      {"--deadline", Rule::Excludes, {"--advise"}, "a missed deadline is the exit status of the run, advice has one of its own"},
      {"--trace", Rule::Needs, {"--out FOLDER"}, "--trace writes trace.json, but there is no folder for it"},
      {"--seed", Rule::Excludes, {"--test"}, "test images are not drawn, and neither are the weights of their network"},
      {"--seed", Rule::Excludes, {"--timing-only"}, "without data no numbers are drawn"},
      {"--data", Rule::Excludes,
       {"--input", "--test", "--timing-only", "--seed", "--out", "--trace", "--save-tensors", "--advise", "--block", "--engine", "--waves", "--keep-going",
        "--no-skip", "--reset-seed", "--max-cycles", "--period"},
       "--data runs image after image and counts, the other is of a single run"},
      {"--beside", Rule::Needs, {"--data FILE"}, "--beside runs another model on the same images, and there are none"},
      {"--images", Rule::Needs, {"--data FILE"}, "--images counts images, and there are none"},
  };
  return Rules;
}

// A program that is compiled already.
const std::vector<Rule>& program_rules() {
  static const std::vector<Rule> Rules = {
      {"workload", Rule::Excludes, {"--batch"}, "a compiled program has its batch"},
      {"workload", Rule::Excludes, {"--advise"}, "what is compiled for one machine cannot be tried on others"},
      {"workload", Rule::Excludes, {"--data"}, "a compiled program does not know how its images lie: give the model or the workload"},
      {"workload", Rule::Excludes, {"--test"}, "a compiled program comes without its network's test images"},
  };
  return Rules;
}

// Of a pipe or a device, which may have no end, no more than needed is read.
std::vector<std::uint8_t> read_input(const std::string& path, const TensorInfo& tensor) {
  const auto refuse = [&](const std::string& size) {
    throw UserError("E0906",
                    "the input `" + path + "` has " + size + " bytes, but tensor `" + tensor.name + "` takes " + std::to_string(tensor.bytes),
                    "give raw bytes, dense NHWC");
  };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  int reason = file < 0 ? errno : 0;
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(tensor.bytes) + 1);
  std::size_t size = 0;
  struct ::stat status {};
  while (reason == 0 && size < bytes.size()) {
    const ssize_t got = ::read(file, bytes.data() + size, bytes.size() - size);
    if (got == 0) break;
    if (got > 0) size += static_cast<std::size_t>(got);
    else if (errno != EINTR || stop_requested()) reason = errno;
  }
  const bool regular = reason == 0 && ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
  if (file >= 0) ::close(file);
  if (reason == EINTR) throw Interrupted("interrupted while reading the input `" + path + "`");
  if (reason != 0) throw UserError("E0905", "cannot read the input `" + path + "`: " + std::strerror(reason));
  if (size == bytes.size()) refuse(regular ? std::to_string(status.st_size) : "more than " + std::to_string(tensor.bytes));
  if (size + 1 < bytes.size()) refuse(std::to_string(size));
  bytes.pop_back();
  return bytes;
}

}  // namespace

std::vector<std::vector<std::uint8_t>> read_inputs(const std::vector<std::string>& paths, const std::vector<TensorInfo>& tensors) {
  if (paths.size() > tensors.size()) {
    throw UserError("E0510", "`--input` gives " + std::to_string(paths.size()) + " files, and the network has " + std::to_string(tensors.size()) +
                                 (tensors.size() == 1 ? " input" : " inputs"));
  }
  std::vector<std::vector<std::uint8_t>> inputs;
  for (std::size_t i = 0; i < paths.size(); ++i) inputs.push_back(read_input(paths[i], tensors[i]));
  return inputs;
}

void add_inputs(CLI::App& command, std::vector<std::string>& paths) {
  add_repeated(command, "--input", paths, "Raw bytes of the first input, dense NHWC; given again: of the next one (default: synthetic)");
}

void add_run(CLI::App& app) {
  auto* command = app.add_subcommand("run", "Run a workload on a machine and compare every layer with golden");
  auto o = std::make_shared<Options>();
  command->add_option("workload", o->workload, "Name (see `gemel workloads`), .yaml or .csv; a model (.onnx, .tflite); a program (.gemel) of `gemel compile`")
      ->required();
  command->add_option("--machine,-m", o->machine, "Name (see `gemel machines`) or .yaml (default: edge16; of a program: the one it was compiled for)");
  add_repeated(*command, "--set", o->set, "Override a parameter of the machine: key=value");
  add_integer(*command, "--batch", o->batch, 1, 65535, "Images per run");
  add_inputs(*command, o->inputs);
  add_integer(*command, "--seed", 0, Unlimited, "Seed of synthetic tensors and inputs", [o](std::int64_t seed) { o->seed = static_cast<std::uint64_t>(seed); });
  command->add_option("--out,-o", o->out, "Folder for result.json, report.html, trace.json, and for the case if the run fails");
  add_choice(*command, "--engine", {"systemc", "plain", "beat", "model"},
             "systemc (or model): fast models under SystemC; plain: without it; beat: every cycle stepped (default: what --block needs)",
             [o](const std::string& name) { o->engine = name; })
      ->expected(1);
  add_integer(*command, "--max-cycles", o->max_cycles, 1, Unlimited, "Stop with an error after so many cycles");
  add_repeated(*command, "--block", o->blocks, "NAME=model|rtl|check[:FILE.sv,...]: who stands behind a block's ports (NAME: a block, all, npu, npu_axi)");
  add_repeated(*command, "--waves", o->waves, "BLOCK:FROM:TO: waves of a block that is RTL, in these clocks since its reset, as --out/BLOCK_FROM_TO.fst");
  command->add_flag("--keep-going", o->keep_going, "Count differences of checked blocks instead of ending with the first");
  command->add_flag("--no-skip", o->no_skip, "Clock RTL and beat models in every cycle, also when all are quiet");
  add_integer(*command, "--reset-seed", 0, 2147483647, "Registers of RTL start with random bits of this seed",
              [o](std::int64_t seed) { o->reset_seed = static_cast<int>(seed); });
  command->add_option("--save-tensors", o->tensors, "File for all tensors: the reference's, which memory was compared with; .safetensors");
  command->add_flag("--timing-only", o->timing_only, "Cycles without data");
  command->add_flag("--trace", o->trace, "Write trace.json (opens in Perfetto)");
  command->add_flag("--advise", o->advise, "Try each resource of the machine doubled, halved and ideal, and say what it gains and costs");
  command->add_option("--period", o->period, "Frames arrive so often (33ms, 16.6us), each a run: latencies, backlog; with --out as frames.csv")
      ->type_name("TIME");
  add_integer(*command, "--frames", o->frames, 1, 10'000'000, "With --period: how many (default: 100)");
  command->add_option("--deadline", o->deadline, "With --period: from a frame's arrival to its result; a frame that misses it is an error (exit 4)")
      ->type_name("TIME");
  command->add_flag("--no-golden", o->no_golden, "Do not compare with golden");
  command->add_flag("--test", o->test, "Run all test images of the workload and count the correct ones");
  command->add_option("--data", o->data, "Run the network on these images (NAME.npz, NAME.npy) and count the right answers, if `labels` are among them");
  add_repeated(*command, "--beside", o->beside, "With --data: an ONNX model, or a float .tflite, that ONNX Runtime runs on the same images");
  add_integer(*command, "--images", o->images, 1, Unlimited, "With --data: the first so many images (default: all)");
  command->add_flag("--quiet,-q", o->quiet, "No progress on the terminal");
  command->add_option("--settings", o->settings, "Options from a YAML file, by the names of the flags; the command line wins");
  command->callback([o, command] {
    catch_signals();
    if (command->get_option("--settings")->count() > 0) apply_settings(o->settings, *command);
    check_options(*command, rules());
    if (is_program(o->workload)) check_options(*command, program_rules());
    if (!o->data.empty()) run_on_data(*o);
    std::vector<std::pair<std::string, std::string>> arguments;
    for (const CLI::Option* option : command->get_options()) {
      if (option->count() == 0) continue;
      std::string text;
      for (const std::string& value : option->results()) text += (text.empty() ? "" : " ") + value;
      arguments.emplace_back(option->get_single_name(), text);
    }
    try {
      run(*o, arguments);
    } catch (const UserError& error) {
      throw in_flags(error);
    }
  });
}

}  // namespace gemel::cli
