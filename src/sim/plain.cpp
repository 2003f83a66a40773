// SPDX-License-Identifier: Apache-2.0
// The engine `plain`: the fast models woken by an event queue. Nothing in it is shared with another run, so any number of them go on at
// the same time in threads of one process. Without data, and where memory is regular, load_dma decides its reads itself; should a run then show anything that
// memory would have had to look at (an error, a store beside a load of the same bytes), it is done again the other way.
#include "base/event_queue.hpp"
#include "memory/plain_memory.hpp"
#include "sim/engines.hpp"
#include "sim/recorder.hpp"
#include "top/model_chip.hpp"

namespace gemel {
namespace {

class PlainPlatform : private ModelChip::Listener {
 public:
  // `is_direct`: load_dma reads directly, where it can.
  PlainPlatform(const Run& run, Clocked<PeArrayIn, PeArrayOut>* array, bool is_direct)
      : bytes_(static_cast<std::uint64_t>(run.machine.memory_bytes)),
        timing_(run.machine, MemoryBytes(bytes_.data(), bytes_.size())),
        memory_(timing_),
        chip_(run.machine, {memory_.fetch(), memory_.load(), memory_.store()}, wakes_, *this, run.options.timing_only, array) {
    timing_.bytes().poison(run.options.poison_first, run.options.poison_last);
    memory_.connect(&chip_.fetch_sink(), &chip_.load_sink(), &chip_.store_sink());
    queue_.wakes(wakes_, chip_.agent());
    if (is_direct) read_directly(run);
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

  // load_dma has read directly, and what this found must not be told: the same run may end otherwise where it does not.
  bool is_doubtful() const {
    return doubtful_ || (direct_ && (!violation().empty() || chip_.sequencer().error().code != isa::ErrorCode::None));
  }

  // For the queue.
  Cycle next_change() {
    if (direct_) read_ahead();
    return memory_.next_change();
  }
  void advance(Cycle now) {
    // A read of fetch waits for those of load_dma before it, which are decided in next_change().
    memory_.advance(now, [this, now] { return direct_ && memory_.next_fetch() != Never ? now + 1 : queue_.next_wake(); });
    if (!violation().empty()) queue_.stop();
  }

 private:
  void halted(Cycle) override { queue_.stop(); }
  void array_failed() override {
    array_failed_ = true;
    queue_.stop();
  }
  void doubtful() override {
    doubtful_ = true;
    queue_.stop();
  }

  void read_directly(const Run& run) {
    if (!run.options.timing_only || run.options.poison_first <= run.options.poison_last || run.options.bytes_behind_program > 0) return;
    ReadChannel* const channel = memory_.share_reads();
    direct_ = channel != nullptr && chip_.read_directly(*channel, timing_.bytes().size());
  }

  // Until the next event no reads are asked for that are accepted before load_dma's: these are decided, and between them those of fetch, whose answers
  // may bring the next event nearer.
  void read_ahead() {
    LoadDmaModel& load_dma = chip_.load_dma();
    for (;;) {
      const Cycle last = std::min(queue_.next_wake(), memory_.next_change()), fetch = memory_.next_fetch(), next = load_dma.next_read();
      if (next == Never || next > last) return;
      if (fetch <= next) {
        memory_.decide_fetch();
      } else {
        load_dma.read_until(std::min(last, fetch - 1));
      }
    }
  }

  MappedBytes bytes_;
  MemoryTiming timing_;
  PlainMemory memory_;
  EventQueue queue_;
  WakeList& wakes_ = queue_.add();
  ModelChip chip_;
  bool array_failed_ = false, direct_ = false, doubtful_ = false;
};

// Nothing if the array has failed, or what has been found is doubtful.
std::optional<SimulationOutput> run_once(const Run& run, Clocked<PeArrayIn, PeArrayOut>* array, bool is_direct) {
  SimulationOutput output;
  output.result = new_result("plain", run);
  RunResult& result = output.result;
  const Stopwatch watch;
  PlainPlatform platform(run, array, is_direct);
  load_image(run, platform.memory());
  Recorder recorder(run, result, platform.memory(), [&] { platform.queue().stop(); });
  platform.chip().observe(&recorder);
  const EventQueue::End end = platform.go(run);
  if (platform.has_array_failed() || platform.is_doubtful()) return {};
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

}  // namespace

std::optional<SimulationOutput> run_plain(const Run& run, Clocked<PeArrayIn, PeArrayOut>* array) {
  if (!run.options.timing_only) return run_once(run, array, false);
  // Until a doubt both runs are alike: what somebody has been told in the first is not told again in the second.
  SimulationOptions options = run.options;
  std::array<std::int64_t, 2> told{}, now{};
  const auto anew = [&](std::size_t what) { return now[what]++ == told[what] && ++told[what] > 0; };
  if (run.options.progress) {
    options.progress = [&](const Progress& progress) {
      if (anew(0)) run.options.progress(progress);
    };
  }
  if (run.options.layer_complete) {
    options.layer_complete = [&](int layer, std::int64_t cycle) {
      if (anew(1)) run.options.layer_complete(layer, cycle);
    };
  }
  const Run once{run.machine, run.schedule, run.inputs, options, run.image};
  if (auto output = run_once(once, array, true)) return output;
  now = {};
  return run_once(once, array, false);
}

}  // namespace gemel
