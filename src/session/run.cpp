// SPDX-License-Identifier: Apache-2.0
// gemel/run.hpp: (1) options that contradict each other, (2) inputs and reference of each round, (3) simulation, (4) sums.
#include "gemel/run.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <memory>
#include <set>
#include <utility>

#include "base/text.hpp"
#include "gemel/parameters.hpp"
#include "gemel/version.hpp"
#include "network/describe.hpp"
#include "network/synthetic.hpp"
#include "ops/golden.hpp"
#include "ops/ops.hpp"
#include "session/session.hpp"
#include "sim/run.hpp"
#include "sim/simulation.hpp"

namespace gemel {
namespace {

using Bytes = std::vector<std::uint8_t>;

[[noreturn]] void contradict(const std::string& what, const std::string& hint = "leave out one of them") { throw UserError("E0911", what, hint); }

bool any_is(const std::vector<BlockChoice>& blocks, BlockKind kind) {
  return std::any_of(blocks.begin(), blocks.end(), [kind](const BlockChoice& c) { return c.kind == kind; });
}

std::vector<BlockChoice> choices_of(const std::vector<std::string>& blocks) {
  std::vector<BlockChoice> choices;
  for (const std::string& text : blocks) choices.push_back(parse_block_choice(text));
  return resolve_choices(choices);
}

// "requantizer:400:600"
WaveWindow wave_window(const std::string& text, const std::string& folder) {
  const std::size_t second = text.rfind(':'), first = second == std::string::npos ? second : text.rfind(':', second - 1);
  WaveWindow window;
  const auto number = [&](std::size_t begin, std::size_t end, std::int64_t& value) {
    const char *from = text.data() + begin, *to = text.data() + end;
    const auto [stop, problem] = std::from_chars(from, to, value);
    return from != to && stop == to && problem == std::errc() && value >= 0;
  };
  if (first == std::string::npos || first == 0 || second == 0 || !number(first + 1, second, window.first) || !number(second + 1, text.size(), window.last) ||
      window.last < window.first) {
    throw UserError("E1023", "`--waves " + text + "` is not of the form BLOCK:FROM:TO, with clocks since the block's reset, FROM not beyond TO",
                    "for example --waves requantizer:400:600");
  }
  window.block = text.substr(0, first);
  window.file = folder + "/" + window.block + "_" + std::to_string(window.first) + "_" + std::to_string(window.last) + ".fst";
  return window;
}

void check_waves(const RunOptions& o, const std::vector<BlockChoice>& blocks) {
  std::set<std::string> seen;
  for (const std::string& text : o.waves) {
    const std::string block = wave_window(text, "").block;
    if (std::none_of(blocks.begin(), blocks.end(), [&](const BlockChoice& c) { return c.block == block; })) {
      contradict("`waves` are of blocks that are RTL, and `" + block + "` is none", "add `blocks` " + block + "=check");
    }
    if (!seen.insert(block).second) contradict("`waves` names `" + block + "` twice: a block has one window");
  }
  if (o.waves.empty()) return;
  if (o.waves_folder.empty()) contradict("`waves` writes files, but there is no folder for them", "add `waves_folder`");
  if (o.test_images) contradict("`test_images` runs the program again and again, `waves` has the clocks of one run");
}

void check(const RunOptions& o, const std::vector<BlockChoice>& blocks, bool timing_only) {
  check_waves(o, blocks);
  if (o.test_images && timing_only) contradict("`test_images` counts correct outputs, but `timing_only` computes none");
  if (o.test_images && !o.inputs.empty()) contradict("`test_images` takes the workload's test images, `inputs` another one");
  if (timing_only && !o.inputs.empty()) contradict("`inputs` gives data, but `timing_only` moves none");
  if (!o.keep_tensors.empty() && timing_only) contradict("`keep_tensors` takes tensors from the reference, but `timing_only` computes none");
  if (!o.keep_tensors.empty() && !o.compare) contradict("`keep_tensors` takes tensors from the reference, but `compare` is off", "leave `compare` on");
  if (o.keep_going && !any_is(blocks, BlockKind::Check)) {
    contradict("`keep_going` counts differences of checked blocks, but no block is checked", "add `blocks` NAME=check");
  }
  if (o.reset_seed && blocks.empty()) contradict("`reset_seed` is for registers of RTL, but no block is RTL", "add `blocks` NAME=rtl");
  const bool beat = o.engine.value_or(blocks.empty() ? Engine::Systemc : Engine::Beat) == Engine::Beat;
  if (o.no_skip && !beat) contradict("`no_skip` is for stepped blocks, but none is stepped", "add `engine` beat, or `blocks` NAME=rtl");
  const bool array_only = blocks.size() == 1 && (blocks.front().block == "pe_array" || blocks.front().block == "pe");
  if (o.engine && !beat && !blocks.empty() && !(array_only && !timing_only && !o.no_skip && o.waves.empty())) {
    contradict("`engine` is one of the fast models, and among these only `pe_array` can be RTL, and only with data",
               "leave out `engine`, or make it beat");
  }
  const bool whole_chip = blocks.size() == 1 && is_chip_rtl(blocks.front());
  if (o.trace && whole_chip) contradict("`trace` records when each instruction runs, which nobody sees inside the whole chip as RTL");
}

std::vector<int> tensors_with(const Schedule& schedule, bool ScheduleTensor::*flag) {
  std::vector<int> tensors;
  for (std::size_t t = 0; t < schedule.tensors.size(); ++t) {
    if (schedule.tensors[t].*flag) tensors.push_back(static_cast<int>(t));
  }
  return tensors;
}

// The bytes of every input, as RunOptions::inputs has it.
struct Inputs {
  std::vector<int> tensors;
  std::vector<Bytes> bytes;
  bool all_stored = true;  // they are those of the program's file
};

// `network`: nullptr if the program came from a file.
Inputs inputs_of(const Schedule& schedule, const Network* network, const std::vector<Bytes>& given, std::uint64_t seed, bool timing_only) {
  Inputs inputs;
  inputs.tensors = tensors_with(schedule, &ScheduleTensor::is_input);
  if (given.size() > inputs.tensors.size()) {
    throw UserError("E0510", std::to_string(given.size()) + " inputs are given, and the network `" + schedule.network + "` has " +
                                 std::to_string(inputs.tensors.size()));
  }
  for (std::size_t i = 0; i < inputs.tensors.size(); ++i) {
    const ScheduleTensor& tensor = schedule.tensors[static_cast<std::size_t>(inputs.tensors[i])];
    const auto stored = schedule.stored_inputs.find(inputs.tensors[i]);
    const bool is_given = i < given.size() && !given[i].empty();
    if (is_given && static_cast<std::int64_t>(given[i].size()) != tensor.bytes) {
      throw UserError("E0510", "input `" + tensor.name + "` must have " + std::to_string(tensor.bytes) + " bytes, but " +
                                   std::to_string(given[i].size()) + " are given");
    }
    if (is_given || stored == schedule.stored_inputs.end()) inputs.all_stored = false;
    if (timing_only) inputs.bytes.emplace_back();
    else if (is_given) inputs.bytes.push_back(given[i]);
    else if (stored != schedule.stored_inputs.end()) inputs.bytes.push_back(stored->second);
    else if (network != nullptr) inputs.bytes.push_back(synthetic_input(*network, inputs.tensors[i], seed + i));
    else inputs.bytes.push_back(synthetic_input(tensor_of(tensor), seed + i));
  }
  return inputs;
}

std::unique_ptr<Golden> golden_of(const Network& network, const Inputs& inputs) {
  auto golden = std::make_unique<Golden>(network);
  for (std::size_t i = 0; i < inputs.tensors.size(); ++i) golden->set_input(inputs.tensors[i], inputs.bytes[i]);
  return golden;
}

void store(Schedule& schedule, const Inputs& inputs) {
  for (std::size_t i = 0; i < inputs.tensors.size(); ++i) schedule.stored_inputs[inputs.tensors[i]] = inputs.bytes[i];
}

// What every layer must leave in memory.
void expect(Schedule& schedule, Golden& golden) {
  for (const ScheduleLayer& layer : schedule.layers) {
    if (layer.complete_after >= 0) schedule.expected[layer.output] = golden.tensor(layer.output);
  }
}

// The class that scores, or the output of argmax, say.
int class_of(const TensorData& scores, std::int64_t image, std::int64_t bytes) {
  const std::uint8_t* values = scores.data.data() + image * bytes;
  if (scores.type == "int32") {
    std::int32_t index;
    std::memcpy(&index, values, sizeof index);
    return index;
  }
  const bool is_signed = scores.type == "int8";
  const std::int64_t count = bytes;
  const auto value = [&](std::int64_t i) { return is_signed ? int{static_cast<std::int8_t>(values[i])} : int{values[i]}; };
  std::int64_t best = 0;
  for (std::int64_t i = 1; i < count; ++i) {
    if (value(i) > value(best)) best = i;
  }
  return static_cast<int>(best);
}

// Adds a further round. What is no sum (names, shapes, first and last cycles, the trace) stays that of the first.
void add_round(Result& sum, const Result& round) {
  ++sum.rounds;
  add_figures(sum, round);
  sum.macs += round.macs;
  for (std::size_t l = 0; l < sum.layers.size(); ++l) {
    LayerResult& layer = sum.layers[l];
    const LayerResult& other = round.layers[l];
    ++layer.rounds;
    layer.macs += other.macs;
    layer.predicted_cycles += other.predicted_cycles;
  }
  for (const auto& [block, cycles] : round.differences) {
    const auto found = std::find_if(sum.differences.begin(), sum.differences.end(), [&](const auto& d) { return d.first == block; });
    if (found == sum.differences.end()) sum.differences.emplace_back(block, cycles);
    else found->second += cycles;
  }
  sum.outputs = round.outputs;
  sum.tensors = round.tensors;
}

// One execution of the program after the other.
class Runner {
 public:
  Runner(const Program& program, const Machine& machine, const RunOptions& options)
      : compiled_(program.inside()), schedule_(compiled_.schedule), machine_(machine), options_(options) {
    timing_only_ = options.timing_only || program.timing_only();
    simulation_.blocks = choices_of(options.blocks);
    check(options, simulation_.blocks, timing_only_);
    if (!options.waves.empty() && schedule_.parts() > 1) {
      contradict("`waves` has the clocks of one start, and the NPU is started " + std::to_string(schedule_.parts()) + " times for `" + schedule_.network + "`",
                 "cut the network where it waits for layers on the host");
    }
    keep_ = tensors_to_keep();
    simulation_.engine = options.engine.value_or(Engine::Systemc);  // blocks make the beat engine of it, where they need it
    simulation_.timing_only = timing_only_;
    simulation_.trace = options.trace;
    simulation_.max_cycles = options.max_cycles;
    simulation_.interrupted = options.stop.flag();
    simulation_.keep_going = options.keep_going;
    simulation_.no_skip = options.no_skip;
    simulation_.reset_seed = options.reset_seed.value_or(-1);
    simulation_.waves_folder = options.waves_folder;
    for (const std::string& text : options.waves) simulation_.waves.push_back(wave_window(text, options.waves_folder));
    if (Observer* observer = options.observer) {
      simulation_.progress = [observer](const Progress& p) { observer->progress(p); };
      simulation_.rtl_progress = [observer](const std::string& line) { observer->log(line); };
      simulation_.rtl_notice = [observer](const Diagnostic& warning) { observer->warning(warning); };
      simulation_.rtl_display = [observer](const std::string& block, const char* text) { observer->rtl_displays(block, text); };
      simulation_.rtl_hangs = [observer](const UserError& error) { observer->rtl_hangs(error); };
      simulation_.layer_complete = [observer, layers = program.layers()](int layer, std::int64_t cycle) {
        observer->layer(layers[static_cast<std::size_t>(layer)], cycle);
      };
    }
  }

  // `inputs`: as RunOptions::inputs.
  Result round(const std::vector<Bytes>& given) {
    const Inputs inputs = inputs_of(schedule_, compiled_.network.get(), given, options_.seed, timing_only_);
    std::unique_ptr<Golden> golden;
    simulation_.golden = nullptr;
    if (options_.compare && !timing_only_) {
      if (compiled_.network) {
        golden = golden_of(*compiled_.network, inputs);
        simulation_.golden = [&](int tensor) { return &golden->tensor(tensor); };
      } else if (inputs.all_stored && !schedule_.expected.empty()) {
        simulation_.golden = [&](int tensor) {
          const auto expected = schedule_.expected.find(tensor);
          return expected == schedule_.expected.end() ? nullptr : &expected->second;
        };
      }
    }
    std::vector<TensorData> tensors;
    for (const int tensor : keep_) {
      const Bytes* bytes = simulation_.golden ? simulation_.golden(tensor) : nullptr;
      if (bytes == nullptr) {
        throw UserError("E0513", "what `" + schedule_.network + "` must compute in `" + info_of(tensor).name +
                                     "` is not known: the program came from a file", "compile the network itself");
      }
      tensors.push_back({info_of(tensor), *bytes});
    }
    SimulationOutput output;
    try {
      output = simulate(machine_, schedule_, inputs.bytes, simulation_);
    } catch (const RunError& error) {
      if (options_.case_file.empty() || timing_only_ || error.diagnostics().front().code == "E0803") throw;
      throw kept(error, inputs, golden.get());
    }
    Result result = std::move(output.result);
    if (!timing_only_) take_outputs(std::move(output.outputs), result);
    result.tensors = std::move(tensors);
    for (const BlockChoice& c : simulation_.blocks) {
      result.blocks.emplace_back(c.block, to_string(c.kind));
      if (c.kind != BlockKind::Check) continue;
      std::int64_t cycles = 0;
      for (const auto& [block, count] : output.differences) cycles += block == c.block ? count : 0;
      result.differences.emplace_back(c.block, cycles);
    }
    return result;
  }

 private:
  // Keeps the failing case, and says where in the error's text.
  RunError kept(const RunError& error, const Inputs& inputs, Golden* golden) const {
    std::vector<Diagnostic> diagnostics = error.diagnostics();
    try {
      Schedule schedule = schedule_;
      schedule.machine_file = to_yaml(machine_);
      store(schedule, inputs);
      if (golden != nullptr) expect(schedule, *golden);
      else if (!inputs.all_stored) schedule.expected.clear();
      schedule.save(options_.case_file);
      diagnostics.front().message += "\n  case: " + options_.case_file + ", which `gemel run` runs again with the same options for blocks";
    } catch (const UserError& failure) {
      diagnostics.front().message += "\n  case: could not be kept: " + failure.diagnostics().front().message;
    }
    return RunError(std::move(diagnostics));
  }

  TensorInfo info_of(int tensor) const {
    const auto t = static_cast<std::size_t>(tensor);
    return compiled_.network ? tensor_info(compiled_.network->tensors[t]) : schedule_tensor_info(schedule_.tensors[t]);
  }

  std::vector<int> tensors_to_keep() const {
    std::vector<std::string> names;
    const std::size_t count = compiled_.network ? compiled_.network->tensors.size() : schedule_.tensors.size();
    for (std::size_t t = 0; t < count; ++t) names.push_back(info_of(static_cast<int>(t)).name);
    std::set<int> keep;
    for (const std::string& name : options_.keep_tensors) {
      const auto found = std::find(names.begin(), names.end(), name);
      if (name == "*") {
        for (std::size_t t = 0; t < count; ++t) keep.insert(static_cast<int>(t));
      } else if (found != names.end()) {
        keep.insert(static_cast<int>(found - names.begin()));
      } else {
        throw UserError("E0514", "the network `" + schedule_.network + "` has no tensor `" + name + "`", did_you_mean(name, names));
      }
    }
    return {keep.begin(), keep.end()};
  }

  // `bytes`: what the program handed out.
  void take_outputs(std::vector<Bytes> bytes, Result& result) const {
    const std::vector<int> tensors = tensors_with(schedule_, &ScheduleTensor::is_output);
    const Network* network = compiled_.network.get();
    if (network != nullptr) bytes = ops::finish_on_host(*network, tensors, std::move(bytes));
    const std::vector<int>& outputs = network != nullptr ? network->outputs : tensors;
    for (std::size_t i = 0; i < outputs.size(); ++i) result.outputs.push_back({info_of(outputs[i]), std::move(bytes[i])});
  }

  const Compiled& compiled_;
  const Schedule& schedule_;
  const Machine& machine_;
  const RunOptions& options_;
  SimulationOptions simulation_;
  bool timing_only_ = false;
  std::vector<int> keep_;  // tensors, in order
};

Result run_test_images(Runner& runner, const Program& program) {
  const NetworkPtr& network = program.inside().network;
  const std::optional<TestImages> test = network ? test_images(network) : std::nullopt;
  if (!test) throw UserError("E0907", "workload `" + program.network() + "` has no test images", "leave out --test");
  const std::int64_t images = test->images.shape.front(), batch = program.batch();
  if (images % batch != 0) {
    throw UserError("E0908", "a batch of " + std::to_string(batch) + " does not divide the " + std::to_string(images) + " test images");
  }
  const std::int64_t round_bytes = test->images.bytes / images * batch;
  std::int64_t correct = 0;
  Result sum;
  for (std::int64_t round = 0; round < images / batch; ++round) {
    const auto first = test->data.begin() + static_cast<std::ptrdiff_t>(round * round_bytes);
    Result result = runner.round({Bytes(first, first + static_cast<std::ptrdiff_t>(round_bytes))});
    const TensorData& scores = result.outputs.front();
    const std::int64_t classes = scores.bytes / batch;  // or the bytes of one index
    for (std::int64_t i = 0; i < batch; ++i) {
      correct += class_of(scores, i, classes) == test->labels[static_cast<std::size_t>(round * batch + i)];
    }
    if (round == 0) sum = std::move(result);
    else add_round(sum, result);
  }
  sum.images = static_cast<int>(images);
  sum.accuracy = static_cast<double>(correct) / static_cast<double>(images);
  sum.float_accuracy = test->float_accuracy.value_or(-1);
  return sum;
}

}  // namespace

void check(const RunOptions& options) { check(options, choices_of(options.blocks), options.timing_only); }

Program Program::with_data(const std::vector<Bytes>& given, std::uint64_t seed, bool expected) const {
  auto compiled = std::make_shared<Compiled>(*inside_);
  const Inputs inputs = inputs_of(compiled->schedule, compiled->network.get(), given, seed, false);
  store(compiled->schedule, inputs);
  if (expected) {
    if (!compiled->network) {
      throw UserError("E0513", "what `" + network() + "` must compute is not known: the program came from a file", "compile the network itself");
    }
    expect(compiled->schedule, *golden_of(*compiled->network, inputs));
  }
  return Program(std::move(compiled));
}

void identify(const Program& program, const Machine& machine, Result& result) {
  result.version = version();
  result.commit = commit();
  result.machine_digest = parameters_digest(machine);
  if (const NetworkPtr& network = program.inside().network) result.network_digest = network_digest(*network);
  result.program_digest = program.digest();
}

Result run(const Program& program, const Machine& machine, const RunOptions& options) {
  Runner runner(program, machine, options);
  Result result = options.test_images ? run_test_images(runner, program) : runner.round(options.inputs);
  result.compile_seconds = program.inside().compile_seconds;
  identify(program, machine, result);
  result.seed = options.seed;
  return result;
}

}  // namespace gemel
