// SPDX-License-Identifier: Apache-2.0
// trace.json, in Chrome's trace event format; docs/reference/result.md says what stands where.
#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "gemel/isa.gen.hpp"
#include "report/report.hpp"

namespace gemel {
namespace {

using Json = nlohmann::ordered_json;

// Groups of tracks. One microsecond of the viewer is one cycle: whole numbers, whatever the clock.
enum Process : int { Units = 1, Layers = 2, Memory = 3 };

class TraceWriter {
 public:
  explicit TraceWriter(const RunResult& result) : result_(result), slices_(trace_slices(result)) {}

  std::string text() {
    name_tracks();
    for (std::size_t i = 0; i < result_.trace.size(); ++i) instruction(result_.trace[i], slices_[i]);
    for (const TraceWait& wait : result_.trace_waits) waiting(wait);
    arrows();
    bandwidth(isa::Unit::Load, "read by load_dma");
    bandwidth(isa::Unit::Store, "written by store_dma");
    layers();
    Json json;
    json["displayTimeUnit"] = "ns";
    json["otherData"] = {{"network", result_.network},
                         {"machine", result_.machine},
                         {"cycles", result_.cycles},
                         {"time", "1 us is 1 cycle"},
                         {"version", result_.version}};
    json["traceEvents"] = std::move(events_);
    return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }

 private:
  void name_tracks() {
    const auto name = [&](const char* what, Process process, int thread, const std::string& text) {
      events_.push_back({{"ph", "M"}, {"name", what}, {"pid", process}, {"tid", thread}, {"args", {{"name", text}}}});
    };
    name("process_name", Units, 0, result_.network + " on " + result_.machine + " (1 us = 1 cycle)");
    name("process_name", Layers, 0, "layers");
    name("process_name", Memory, 0, "memory, bytes per cycle");
    for (int unit = 0; unit < UnitCount; ++unit) {
      name("thread_name", Units, unit + 1, std::string(unit_name(unit)));
      events_.push_back({{"ph", "M"}, {"name", "thread_sort_index"}, {"pid", Units}, {"tid", unit + 1}, {"args", {{"sort_index", unit}}}});
    }
  }

  std::string layer_name(int layer) const {
    const bool known = layer >= 0 && layer < static_cast<int>(result_.layers.size());
    return known ? result_.layers[static_cast<std::size_t>(layer)].name : std::string("(no layer)");
  }

  void instruction(const TraceEvent& event, TraceSlice slice) {
    Json args = {{"instruction", event.instruction}};
    const isa::OpcodeInfo* const info = isa::find(static_cast<isa::Opcode>(event.opcode));
    if (info != nullptr) args["opcode"] = info->name;
    args["first_cycle"] = event.start;
    args["last_cycle"] = event.end;
    if (event.bytes > 0) args["bytes"] = event.bytes;
    if (event.counted >= 0) {
      const auto add = [&](isa::Cause cause, std::int64_t cycles) {
        if (cycles > 0) args[std::string(cause_name(static_cast<int>(cause)))] = cycles;
      };
      add(isa::Cause::Busy, event.busy);
      add(isa::Cause::WaitRequest, event.wait_request);
      add(event.unit == static_cast<int>(isa::Unit::Load) ? isa::Cause::WaitData : isa::Cause::WaitWrite, event.wait_other);
    }
    slice_event(layer_name(event.layer), "instruction", event.unit, slice, std::move(args));
  }

  void waiting(const TraceWait& wait) {
    Json args = {{"layer", layer_name(wait.layer)}};
    if (const int semaphore = semaphore_of(wait); semaphore >= 0) args["semaphore"] = semaphore;
    slice_event(std::string(cause_name(wait.cause)), "wait", wait.unit, {wait.first, wait.first + wait.cycles}, std::move(args));
  }

  void slice_event(std::string name, const char* category, int unit, TraceSlice slice, Json args) {
    events_.push_back({{"ph", "X"},
                       {"name", std::move(name)},
                       {"cat", category},
                       {"pid", Units},
                       {"tid", unit + 1},
                       {"ts", slice.first},
                       {"dur", slice.end - slice.first},
                       {"args", std::move(args)}});
  }

  // -1: it does not wait for one.
  static int semaphore_of(const TraceWait& wait) {
    const int i = wait.cause - static_cast<int>(isa::Cause::WaitSemaphore0);
    return i >= 0 && i < 4 ? 4 * wait.unit + i : -1;
  }

  // From the instruction whose end posted to the semaphore to what the wait gave way to, which is the cycle after that end.
  void arrows() {
    std::map<std::pair<int, std::int64_t>, int> posted;  // (semaphore, cycle) -> unit
    for (const TraceEvent& event : result_.trace) {
      for (std::uint32_t mask = event.posts; mask != 0; mask &= mask - 1) posted[{__builtin_ctz(mask), event.end}] = event.unit;
    }
    int id = 0;
    for (const TraceWait& wait : result_.trace_waits) {
      const std::int64_t end = wait.first + wait.cycles;
      const auto post = posted.find({semaphore_of(wait), end - 1});
      if (post == posted.end()) continue;
      const auto arrow = [&](const char* phase, int unit, std::int64_t at) {
        Json event = {{"ph", phase}, {"name", "post"}, {"cat", "semaphore"}, {"id", id}, {"pid", Units}, {"tid", unit + 1}, {"ts", at}};
        if (*phase == 'f') event["bp"] = "e";
        events_.push_back(std::move(event));
      };
      arrow("s", post->second, end - 1);
      arrow("f", wait.unit, end);
      ++id;
    }
  }

  // The mean over each instruction: its bytes spread evenly over the cycles in which it is drawn.
  void bandwidth(isa::Unit unit, const char* name) {
    std::int64_t until = -1;  // where the last value ends
    const auto value = [&](std::int64_t at, double bytes) {
      events_.push_back({{"ph", "C"}, {"name", name}, {"pid", Memory}, {"tid", 0}, {"ts", at}, {"args", {{"bytes per cycle", bytes}}}});
    };
    for (std::size_t i = 0; i < slices_.size(); ++i) {
      const TraceEvent& event = result_.trace[i];
      const TraceSlice& slice = slices_[i];
      if (event.unit != static_cast<int>(unit) || slice.end <= slice.first) continue;
      if (until >= 0 && until < slice.first) value(until, 0);
      value(slice.first, static_cast<double>(event.bytes) / static_cast<double>(slice.end - slice.first));
      until = slice.end;
    }
    if (until >= 0) value(until, 0);
  }

  // Layers overlap freely: asynchronous slices.
  void layers() {
    for (std::size_t i = 0; i < result_.layers.size(); ++i) {
      const LayerResult& layer = result_.layers[i];
      if (layer.first_cycle < 0) continue;
      for (const bool begin : {true, false}) {
        events_.push_back({{"ph", begin ? "b" : "e"},
                           {"cat", "layer"},
                           {"name", layer.name},
                           {"id", i},
                           {"pid", Layers},
                           {"tid", 0},
                           {"ts", begin ? layer.first_cycle : layer.last_cycle + 1}});
      }
    }
  }

  const RunResult& result_;
  Json events_ = Json::array();
  std::vector<TraceSlice> slices_;
};

}  // namespace

// A chained instruction begins before the one ahead is done: it is drawn from there on. Events come per unit in order of start.
std::vector<TraceSlice> trace_slices(const RunResult& result) {
  std::vector<TraceSlice> slices;
  slices.reserve(result.trace.size());
  std::array<std::int64_t, UnitCount> shown_until{};
  for (const TraceEvent& event : result.trace) {
    std::int64_t& free = shown_until.at(static_cast<std::size_t>(event.unit));
    TraceSlice slice;
    slice.end = std::max(event.end + 1, event.start + 1);
    slice.first = event.counted >= 0 ? event.counted : std::min(std::max(event.start, free), slice.end);
    free = std::max(free, slice.end);
    slices.push_back(slice);
  }
  return slices;
}

std::string trace_json(const RunResult& result) { return TraceWriter(result).text(); }

}  // namespace gemel
