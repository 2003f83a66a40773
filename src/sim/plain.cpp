// SPDX-License-Identifier: Apache-2.0
// The engine `plain`: the fast models woken by an event queue. Nothing in it is shared with another run, so any number of them go on at
// the same time in threads of one process.
#include "base/event_queue.hpp"
#include "memory/plain_memory.hpp"
#include "sim/engines.hpp"
#include "sim/recorder.hpp"
#include "top/model_chip.hpp"

namespace gemel {
namespace {

class PlainPlatform : private ModelChip::Listener {
 public:
  PlainPlatform(const Run& run, Clocked<PeArrayIn, PeArrayOut>* array)
      : bytes_(static_cast<std::uint64_t>(run.machine.memory_bytes)),
        timing_(run.machine, MemoryBytes(bytes_.data(), bytes_.size())),
        memory_(timing_),
        chip_(run.machine, {memory_.fetch(), memory_.load(), memory_.store()}, wakes_, *this, run.options.timing_only, array) {
    timing_.bytes().poison(run.options.poison_first, run.options.poison_last);
    memory_.connect(&chip_.fetch_sink(), &chip_.load_sink(), &chip_.store_sink());
    queue_.wakes(wakes_, chip_.agent());
  }

  // The events up to `max_cycles` of the program.
  EventQueue::End go(const Run& run) {
    constexpr Cycle cycle0 = 10;  // after five writes of registers, as under SystemC: simulated time is the same in messages, too
    chip_.run(run.schedule.program_base, run.program_bytes(), cycle0);
    if (run.options.abort_at > 0) chip_.abort(cycle0 + run.options.abort_at);
    const Cycle limit = std::min<Cycle>(run.options.max_cycles, Never - cycle0 - 1);
    return queue_.run(*this, cycle0 + limit - 1);
  }

  ModelChip& chip() { return chip_; }
  EventQueue& queue() { return queue_; }
  std::uint8_t* memory() { return bytes_.data(); }
  const std::string& violation() const { return timing_.violation(); }
  bool has_array_failed() const { return array_failed_; }

  // For the queue.
  Cycle next_change() const { return memory_.next_change(); }
  void advance(Cycle now) {
    memory_.advance(now, [this] { return queue_.next_wake(); });
    if (!violation().empty()) queue_.stop();
  }

 private:
  void halted(Cycle) override { queue_.stop(); }
  void array_failed() override {
    array_failed_ = true;
    queue_.stop();
  }

  MappedBytes bytes_;
  MemoryTiming timing_;
  PlainMemory memory_;
  EventQueue queue_;
  WakeList& wakes_ = queue_.add();
  ModelChip chip_;
  bool array_failed_ = false;
};

}  // namespace

std::optional<SimulationOutput> run_plain(const Run& run, Clocked<PeArrayIn, PeArrayOut>* array) {
  SimulationOutput output;
  output.result = new_result("plain", run);
  RunResult& result = output.result;
  const Stopwatch watch;
  PlainPlatform platform(run, array);
  load_image(run, platform.memory());
  Recorder recorder(run, result, platform.memory(), [&] { platform.queue().stop(); });
  platform.chip().observe(&recorder);
  const EventQueue::End end = platform.go(run);
  if (platform.has_array_failed()) return {};
  recorder.rethrow();
  if (!platform.violation().empty()) throw overlap_error(platform.violation());
  const ModelChip& chip = platform.chip();
  if (end == EventQueue::End::Idle) throw deadlock_error(chip.sequencer());
  if (end == EventQueue::End::Limit) throw cycle_limit_error(run.options);
  take_figures(chip, output);
  take_outputs(run, platform.memory(), output);
  result.simulate_seconds = watch.seconds() - result.golden_seconds;
  result.peak_memory_mib = peak_memory_mib();
  return output;
}

}  // namespace gemel
