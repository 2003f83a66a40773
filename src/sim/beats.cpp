// SPDX-License-Identifier: Apache-2.0
// The engine `beat`: the beat models, and RTL in their place, stepped through every cycle. Slow and plain; the same cycles.
#include <algorithm>
#include <deque>
#include <map>
#include <optional>

#include "blocks/matrix_unit/matrix_unit_ports.hpp"
#include "blocks/vector_unit/vector_unit_model.hpp"
#include "sim/bench.hpp"
#include "sim/divergence.hpp"
#include "sim/engines.hpp"
#include "sim/locate.hpp"
#include "sim/recorder.hpp"

namespace gemel {
namespace {

constexpr Cycle Patience = 100'000;  // cycles without a beat before RTL is said never to answer

const char* unit_block(int unit) {
  static constexpr const char* Names[] = {"load_dma", "matrix_unit", "vector_unit", "store_dma"};
  return Names[unit];
}

// Cycles that the longest instruction computes without a beat on the AXI wires.
Cycle longest_instruction(const Schedule& schedule, const Machine& machine) {
  Cycle longest = 0;
  for (const isa::Word& word : schedule.program) {
    const isa::Instruction i = isa::decode(word);
    if (i.unit == isa::Unit::Matrix) {
      longest = std::max(longest, matrix_passes(i.matrix) * WeightStationary(machine).interval(matrix_pixels(i.matrix)));
    }
    if (i.unit == isa::Unit::Vector) longest = std::max(longest, vector_steps(vector_work(i.vector), machine));
  }
  return 2 * longest;  // one may wait for another
}

// Of the whole chip as RTL only the AXI ports are seen. Stores complete in program order: those whose bursts have all been answered.
class StoreWatch {
 public:
  StoreWatch(const Machine& machine, const Schedule& schedule) {
    for (std::uint32_t i = 0; i < schedule.program.size(); ++i) {
      const isa::Instruction instruction = isa::decode(schedule.program[i]);
      if (instruction.unit == isa::Unit::Store) waiting_.push_back({i, store_bursts(instruction.store, machine)});
    }
  }
  // One burst more; the store that is complete with it.
  std::optional<std::uint32_t> answered() {
    if (waiting_.empty() || --waiting_.front().bursts > 0) return {};
    const std::uint32_t index = waiting_.front().instruction;
    waiting_.pop_front();
    return index;
  }

 private:
  struct Waiting {
    std::uint32_t instruction;
    std::int64_t bursts;
  };
  std::deque<Waiting> waiting_;
};

class BeatRun {
 public:
  explicit BeatRun(const Run& run);
  SimulationOutput go();

 private:
  struct Stopped {};  // thrown out of a step by recorder_

  SwapOptions swap_options();
  void simulate();
  void run_again();
  StepperResult step_until(Cycle limit);
  void on_axi(const Beat& beat);
  void require_halt() const;
  [[noreturn]] void never_answers() const;
  void fill_result();
  void fill_layers();
  void fill_faults();

  const Run& run_;
  const SimulationOptions& options_;
  const Schedule& schedule_;
  Stopwatch watch_;
  SimulationOutput output_;
  std::map<std::string, std::int64_t> differences_;
  std::unique_ptr<Bench> bench_;
  std::unique_ptr<Recorder> recorder_;
  std::optional<StoreWatch> stores_;  // of a whole chip
  Cycle npu_watchdog_ = Never;
  StepperResult steps_;
};

BeatRun::BeatRun(const Run& run)
    : run_(run), options_(run.options), schedule_(run.schedule) {
  output_.result = new_result("beat", run);
  bench_ = std::make_unique<Bench>(run, swap_options(), options_.rtl_hangs);
  recorder_ = std::make_unique<Recorder>(run, output_.result, bench_->memory(), [] { throw Stopped{}; });
  Stepper& stepper = bench_->stepper();
  stepper.observe(options_.beats);
  stepper.interrupt_by(options_.interrupted);
  if (bench_->is_whole_chip()) {
    stores_.emplace(run.machine, schedule_);
    npu_watchdog_ = Patience + longest_instruction(schedule_, run.machine);
  }
  if (!options_.blocks.empty()) {
    const Machine& machine = run.machine;
    stepper.set_watchdog(Patience + 10 * (machine.read_latency_cycles + machine.write_latency_cycles + machine.jitter_cycles));
  }
}

SwapOptions BeatRun::swap_options() {
  SwapOptions swap;
  swap.coverage = options_.coverage;
  swap.waves = options_.waves;
  swap.display = options_.rtl_display;
  swap.build_seconds = &output_.result.build_rtl_seconds;
  swap.on_divergence = [this](const Divergence& d) {
    ++differences_[d.block];
    if (options_.keep_going) return;
    const Stepper& stepper = bench_->stepper();
    throw Diverged{d, stepper.sequencer().cycle(), difference_text(stepper, run_, d)};
  };
  return swap;
}

SimulationOutput BeatRun::go() {
  try {
    simulate();
  } catch (const Stopped&) {
    recorder_->rethrow();
  } catch (const Diverged& d) {
    report_divergence(run_, d);
  } catch (const InternalError& e) {  // what a model says of a neighbour that breaks its contract
    if (options_.blocks.empty()) throw;
    throw RunError("E0808", "a block that is RTL breaks its contract at cycle " + std::to_string(bench_->stepper().sequencer().cycle()) + ": " +
                                e.diagnostics().front().message + "\n  implemented by RTL: " + names_of(options_.blocks),
                   "compare it with its model: check instead of rtl");
  }
  require_halt();
  fill_result();
  return std::move(output_);
}

void BeatRun::simulate() {
  if (options_.reset_at >= 0) {
    step_until(options_.reset_at);
    bench_->restore_memory();
  }
  bench_->stepper().observe_program(recorder_.get(), &schedule_.program);
  steps_ = step_until(options_.max_cycles);
  if (steps_.end == StepperEnd::Halt) recorder_->halted_at(steps_.cycles);
  take_outputs(run_, bench_->memory(), output_);
  if (options_.again && !bench_->is_whole_chip() && (steps_.end == StepperEnd::Halt || steps_.end == StepperEnd::Error)) run_again();
}

void BeatRun::run_again() {
  bench_->restore_memory();
  bench_->stepper().observe_program(nullptr, nullptr);
  output_.cycles_again = bench_->step_again(options_.max_cycles).cycles;
}

StepperResult BeatRun::step_until(Cycle limit) {
  return bench_->step_until(limit, npu_watchdog_, [this](const Beat& beat) { on_axi(beat); });
}

// Of the whole chip as RTL.
void BeatRun::on_axi(const Beat& beat) {
  if (options_.beats) options_.beats(beat);
  if (options_.interrupted != nullptr && *options_.interrupted) {
    recorder_->interrupt(beat.cycle);
    throw Stopped{};
  }
  if (beat.port != Port::StoreResponse || options_.reset_at >= 0) return;  // a reset in the middle leaves only the outputs to compare
  const auto index = stores_->answered();
  if (!index) return;
  recorder_->stored(*index, beat.cycle + 1);
  if (options_.progress) {
    options_.progress({*index + 1, static_cast<std::int64_t>(schedule_.program.size()), beat.cycle,
                       isa::decode(schedule_.program[*index]).header().tag, static_cast<int>(schedule_.layers.size())});
  }
}

void BeatRun::require_halt() const {
  if (steps_.end == StepperEnd::Interrupted) {
    recorder_->interrupt(steps_.cycles);
    recorder_->rethrow();
  }
  if (!bench_->world().violation().empty()) throw overlap_error(bench_->world().violation());
  const bool own_rtl = !options_.blocks.empty();
  if (steps_.end == StepperEnd::Silent || (own_rtl && steps_.end == StepperEnd::Deadlock)) never_answers();
  if (steps_.end == StepperEnd::Deadlock) {
    throw RunError("E0802", "deadlock: nothing can happen any more, and the program has not ended",
                   "run the same with --engine plain to see who waits for what");
  }
  if (steps_.end == StepperEnd::CycleLimit) throw cycle_limit_error(options_);
}

void BeatRun::never_answers() const {
  std::string waiting;
  for (int u = 0; u < UnitCount; ++u) {
    const std::string text = in_flight_text(bench_->stepper(), schedule_, unit_block(u));
    if (!text.empty()) waiting += "\n  in flight on " + std::string(unit_block(u)) + ": " + text;
  }
  throw RunError("E0807", "nothing has moved on any port since about cycle " + std::to_string(steps_.cycles) +
                              " and the program has not ended; implemented by RTL: " + names_of(options_.blocks) + waiting,
                 "one of these blocks never answers; look at it with check instead of rtl");
}

void BeatRun::fill_result() {
  RunResult& result = output_.result;
  result.cycles = steps_.cycles;
  result.counters = steps_.counters;
  result.instructions = static_cast<std::int64_t>(schedule_.program.size());
  fill_layers();
  take_traffic(bench_->world().traffic(), result);
  output_.clocked = steps_.stepped;
  output_.differences.assign(differences_.begin(), differences_.end());
  output_.error_code = static_cast<std::uint32_t>(steps_.error_code);
  output_.error_cycle = steps_.error_cycle;
  output_.error_instruction = steps_.error_instruction;
  fill_faults();
  result.simulate_seconds = watch_.seconds() - result.build_rtl_seconds - result.golden_seconds;
  result.peak_memory_mib = peak_memory_mib();
}

void BeatRun::fill_layers() {
  RunResult& result = output_.result;
  if (bench_->is_whole_chip()) {
    add_whole_chip(schedule_, result);
  } else if (steps_.layer_counters.empty()) {
    result.layers_note = "cycles by cause are known for the whole run only: the sequencer's RTL has counted otherwise than its model";
  }
  add_layer_counters(steps_.layer_counters, result);
  for (const LayerResult& layer : result.layers) result.array_cycles += layer.array_cycles;
}

void BeatRun::fill_faults() {
  static constexpr const char* Kinds[] = {"", "read and write of one word", "two clients at one port", "outside the buffer",
                                          "read of a word never written"};
  for (const StepperFault& fault : steps_.faults) {
    output_.faults.push_back(std::string(Kinds[static_cast<int>(fault.fault)]) + ": " + to_string(fault.buffer) + " word " +
                             std::to_string(fault.address) + " at cycle " + std::to_string(fault.cycle));
  }
}

}  // namespace

SimulationOutput run_beats(const Run& run) { return BeatRun(run).go(); }

}  // namespace gemel
