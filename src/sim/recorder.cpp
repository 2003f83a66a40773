// SPDX-License-Identifier: Apache-2.0
#include "sim/recorder.hpp"

#include <algorithm>
#include <cstring>

#include "sim/locate.hpp"

namespace gemel {
namespace {

// Throws RunError E0804 unless layer l's output in memory is golden; false if there is no golden for it.
bool compare_tensor(const Schedule& schedule, int l, Cycle at, const std::uint8_t* memory, const SimulationOptions& options) {
  const ScheduleLayer& layer = schedule.layers[static_cast<std::size_t>(l)];
  const ScheduleTensor& tensor = schedule.tensors[static_cast<std::size_t>(layer.output)];
  const std::vector<std::uint8_t>* expected = options.golden(layer.output);
  if (expected == nullptr) return false;
  const std::uint8_t* actual = memory + tensor.address;
  if (static_cast<std::int64_t>(expected->size()) != tensor.bytes) {
    throw InternalError("golden of tensor `" + tensor.name + "` has " + std::to_string(expected->size()) +
                        " bytes, the schedule says " + std::to_string(tensor.bytes));
  }
  if (std::memcmp(actual, expected->data(), expected->size()) == 0) return true;
  std::int64_t count = 0, first = -1;
  for (std::int64_t i = 0; i < tensor.bytes; ++i) {
    if (actual[i] == (*expected)[static_cast<std::size_t>(i)]) continue;
    if (first < 0) first = i;
    ++count;
  }
  const auto value = [&](std::uint8_t byte) {
    return std::to_string(tensor.type == ElementType::UInt8 ? int{byte} : int{static_cast<std::int8_t>(byte)});
  };
  throw RunError("E0804",
                 "layer `" + layer.name + "`: " + std::to_string(count) + " of " + std::to_string(tensor.bytes) +
                     " elements differ from golden; the first at " + element_text(tensor.shape, first) + ": is " +
                     value(actual[first]) + ", must be " + value((*expected)[static_cast<std::size_t>(first)]) +
                     " (complete at cycle " + std::to_string(at) + ")",
                 "this is a bug of Gemel or of a block of yours; please keep the command that shows it");
}

}  // namespace

Recorder::Recorder(const Run& run, RunResult& result, const std::uint8_t* memory, std::function<void()> stop)
    : schedule_(run.schedule), options_(run.options), result_(result), memory_(memory), stop_(std::move(stop)) {
  for (std::size_t l = 0; l < schedule_.layers.size(); ++l) {
    const int after = schedule_.layers[l].complete_after;
    if (after >= 0) complete_.emplace_back(after, static_cast<int>(l));
  }
  std::sort(complete_.begin(), complete_.end());
}

void Recorder::started(isa::Unit, std::uint32_t, const isa::Instruction& instruction, Cycle s) {
  ++started_;
  const int tag = instruction.header().tag;
  LayerResult& layer = layer_of(tag);
  if (layer.first_cycle < 0) layer.first_cycle = s - cycle0_;
  add_work(layer, instruction);
  if (options_.progress && (started_ & 63) == 0) {
    options_.progress({started_, static_cast<std::int64_t>(schedule_.program.size()), s - cycle0_, tag,
                       static_cast<int>(schedule_.layers.size())});
  }
  if (options_.interrupted != nullptr && *options_.interrupted && !interrupted_) {
    interrupt(s - cycle0_);
    stop_();
  }
}

void Recorder::finished(isa::Unit unit, std::uint32_t index, const isa::Instruction& instruction, Cycle s, Cycle p) {
  const int tag = instruction.header().tag;
  LayerResult& layer = layer_of(tag);
  layer.last_cycle = std::max(layer.last_cycle, p - cycle0_);
  if (options_.trace) {
    ended_[static_cast<std::size_t>(unit)] = static_cast<int>(result_.trace.size());
    result_.trace.push_back({static_cast<int>(unit), tag, s - cycle0_, p - cycle0_, index, static_cast<int>(instruction.opcode),
                             payload_bytes(instruction), static_cast<std::uint32_t>(instruction.header().post_mask)});
  }
  if (unit == isa::Unit::Store) stored(index, p);
}

void Recorder::stored(std::uint32_t index, Cycle p) {
  if ((!compares() && !options_.layer_complete) || failure_) return;
  auto it = std::lower_bound(complete_.begin(), complete_.end(), std::make_pair(static_cast<int>(index), -1));
  for (; it != complete_.end() && it->first == static_cast<int>(index) && !failure_; ++it) complete(it->second, p - cycle0_);
}

void Recorder::halted_at(Cycle at) {
  if (!compares()) return;
  for (const auto& [index, l] : complete_) {
    const std::size_t layer = static_cast<std::size_t>(l);
    const bool is_output = schedule_.tensors[static_cast<std::size_t>(schedule_.layers[layer].output)].is_output;
    if (is_output && result_.layers[layer].compared == "not compared" && !failure_) complete(l, at);
  }
}

void Recorder::interrupt(Cycle cycle) {
  interrupted_ = true;
  interrupted_at_ = cycle;
}

void Recorder::rethrow() const {
  if (failure_) std::rethrow_exception(failure_);
  if (interrupted_) {
    throw Interrupted("interrupted at cycle " + std::to_string(interrupted_at_) + ", after " +
                      std::to_string(started_) + " of " + std::to_string(schedule_.program.size()) + " instructions");
  }
}

void Recorder::trace_counted(isa::Unit unit, isa::Cause cause, int tag, Cycle first, Cycle cycles) {
  const auto u = static_cast<std::size_t>(unit);
  TraceEvent* const ended = ended_[u] < 0 ? nullptr : &result_.trace[static_cast<std::size_t>(ended_[u])];
  if (ended != nullptr && first <= ended->end) {
    if (ended->counted < 0) {
      // The cycle before a start that nothing else was at work in counts as busy.
      const bool decided = decided_[u] >= 0 && decided_[u] + 1 == first;
      ended->counted = decided ? decided_[u] : first;
      ended->busy = decided ? 1 : 0;
      decided_[u] = -1;
    }
    (cause == isa::Cause::Busy ? ended->busy : cause == isa::Cause::WaitRequest ? ended->wait_request : ended->wait_other) += cycles;
  } else if (cause == isa::Cause::Busy && cycles == 1) {
    decided_[u] = first;
  } else {
    result_.trace_waits.push_back({static_cast<int>(unit), tag, static_cast<int>(cause), first, cycles});
  }
}

LayerResult& Recorder::layer_of(int tag) {
  return result_.layers[static_cast<std::size_t>(std::clamp(tag, 0, static_cast<int>(result_.layers.size()) - 1))];
}

void Recorder::complete(int layer, Cycle at) {
  const Stopwatch watch;
  try {
    if (compares() && compare_tensor(schedule_, layer, at, memory_, options_)) {
      result_.layers[static_cast<std::size_t>(layer)].compared = "equal";
    }
  } catch (...) {
    failure_ = std::current_exception();
  }
  result_.golden_seconds += watch.seconds();
  if (failure_) stop_();
  else if (options_.layer_complete) options_.layer_complete(layer, at);
}

}  // namespace gemel
