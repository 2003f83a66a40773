// SPDX-License-Identifier: Apache-2.0
// trace.json of whole runs: what is drawn on a unit's track covers every cycle of the run once, and adds up to the unit's counters.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "compiler/compile.hpp"
#include "config/load.hpp"
#include "network/workload.hpp"
#include "report/report.hpp"
#include "sim/simulation.hpp"

namespace gemel {
namespace {

using nlohmann::json;

RunResult traced(const char* workload, const char* machine_name, Engine engine) {
  const Machine machine = load_machine(find_machine(machine_name));
  LoadOptions bare;
  bare.timing_only = true;
  const Network network = load_workload(workload, bare);
  const Schedule schedule = compile(network, machine);
  SimulationOptions options;
  options.timing_only = true;
  options.trace = true;
  options.engine = engine;
  return simulate(machine, schedule, {}, options).result;
}

struct Drawn {
  std::map<std::string, std::int64_t> cycles;  // by cause
  std::int64_t until = 0, bytes = 0, instructions = 0;
};

// Of each unit; checks on the way that slices follow each other without a gap.
std::array<Drawn, UnitCount> read_tracks(const json& trace) {
  std::array<std::map<std::int64_t, json>, UnitCount> tracks;
  for (const json& event : trace["traceEvents"]) {
    if (event["ph"] != "X" || event["dur"] == 0) continue;
    const bool is_new = tracks.at(event["tid"].get<std::size_t>() - 1).emplace(event["ts"], event).second;
    EXPECT_TRUE(is_new) << "two slices at " << event;
  }
  std::array<Drawn, UnitCount> drawn;
  for (std::size_t unit = 0; unit < tracks.size(); ++unit) {
    Drawn& sum = drawn[unit];
    for (const auto& [first, event] : tracks[unit]) {
      EXPECT_EQ(first, sum.until) << event;
      const auto cycles = event["dur"].get<std::int64_t>();
      sum.until = first + cycles;
      if (event["cat"] == "wait") {
        sum.cycles[event["name"]] += cycles;
        continue;
      }
      ++sum.instructions;
      sum.bytes += event["args"].value("bytes", std::int64_t{0});
      std::int64_t counted = 0;
      for (int cause = 0; cause < CauseCount; ++cause) {
        const std::string name(cause_name(cause));
        const auto part = event["args"].value(name, std::int64_t{0});
        sum.cycles[name] += part;
        counted += part;
      }
      EXPECT_EQ(counted, cycles) << event;
    }
  }
  return drawn;
}

void expect_the_counters(const RunResult& result) {
  const json trace = json::parse(trace_json(result));
  const std::array<Drawn, UnitCount> drawn = read_tracks(trace);
  std::int64_t instructions = 0;
  for (int unit = 0; unit < UnitCount; ++unit) {
    const Drawn& track = drawn.at(static_cast<std::size_t>(unit));
    EXPECT_EQ(track.until, result.cycles) << unit_name(unit);
    instructions += track.instructions;
    for (int cause = 0; cause < CauseCount; ++cause) {
      const auto found = track.cycles.find(std::string(cause_name(cause)));
      EXPECT_EQ(found == track.cycles.end() ? 0 : found->second, result.counters.at(static_cast<std::size_t>(unit)).at(static_cast<std::size_t>(cause)))
          << unit_name(unit) << ", " << cause_name(cause);
    }
  }
  EXPECT_EQ(instructions + 1, result.instructions);  // halt runs on no unit
  EXPECT_EQ(drawn[0].bytes, result.load_bytes);
  EXPECT_EQ(drawn[3].bytes, result.store_bytes);
}

TEST(Trace, TracksCoverEveryCycleAndAddUpToTheCounters) {
  for (const Engine engine : {Engine::Systemc, Engine::Plain}) {
    for (const char* machine : {"edge16", "tiny8", "odd7x13"}) {
      SCOPED_TRACE(machine);
      expect_the_counters(traced("resnet8", machine, engine));
    }
  }
  expect_the_counters(traced("resnet50", "edge16", Engine::Plain));
}

// Every wait for a semaphore that ends has an arrow: from a slice of the unit that posted to the slice behind the wait.
TEST(Trace, ArrowsLeadFromThePostToWhatWaitedForIt) {
  const RunResult result = traced("resnet8", "edge16", Engine::Plain);
  const json trace = json::parse(trace_json(result));
  std::set<std::pair<int, std::int64_t>> begins;      // (track, cycle) of instructions and waits
  std::set<std::pair<int, std::int64_t>> last_cycles;  // of instructions
  std::size_t waits = 0;
  for (const json& event : trace["traceEvents"]) {
    if (event["ph"] != "X") continue;
    begins.emplace(event["tid"], event["ts"]);
    if (event["cat"] == "instruction") last_cycles.emplace(event["tid"], event["ts"].get<std::int64_t>() + event["dur"].get<std::int64_t>() - 1);
    else waits += event["args"].contains("semaphore");
  }
  std::size_t posts = 0, arrivals = 0;
  std::map<int, std::int64_t> posted;
  for (const json& event : trace["traceEvents"]) {
    if (event["ph"] == "s") {
      ++posts;
      EXPECT_TRUE(last_cycles.count({event["tid"], event["ts"]})) << event;
      posted[event["id"]] = event["ts"];
    } else if (event["ph"] == "f") {
      ++arrivals;
      EXPECT_TRUE(begins.count({event["tid"], event["ts"]})) << event;
      EXPECT_EQ(event["ts"], posted.at(event["id"]) + 1) << event;
    }
  }
  EXPECT_GT(waits, 10U);
  EXPECT_EQ(posts, waits);
  EXPECT_EQ(arrivals, waits);
}

// The area under a counter is what was moved.
TEST(Trace, BandwidthAddsUpToTheTraffic) {
  const RunResult result = traced("resnet8", "edge16", Engine::Plain);
  std::map<std::string, double> bytes, value;
  std::map<std::string, std::int64_t> since;
  const json trace = json::parse(trace_json(result));
  for (const json& event : trace["traceEvents"]) {
    if (event["ph"] != "C") continue;
    const std::string name = event["name"];
    const std::int64_t at = event["ts"];
    ASSERT_GE(at, since[name]) << event;
    bytes[name] += value[name] * static_cast<double>(at - since[name]);
    value[name] = event["args"]["bytes per cycle"];
    since[name] = at;
  }
  EXPECT_NEAR(bytes["read by load_dma"], static_cast<double>(result.load_bytes), 1.0);
  EXPECT_NEAR(bytes["written by store_dma"], static_cast<double>(result.store_bytes), 1.0);
}

// The beat engine counts by layer only: instructions are drawn from start to end, and nothing else.
TEST(Trace, OfTheBeatEngineHasInstructionsAlone) {
  const RunResult result = traced("digits", "tiny8", Engine::Beat);
  std::int64_t slices = 0;
  const json trace = json::parse(trace_json(result));
  for (const json& event : trace["traceEvents"]) {
    if (event["ph"] != "X") continue;
    ++slices;
    EXPECT_EQ(event["cat"], "instruction");
    EXPECT_FALSE(event["args"].contains("busy"));
  }
  EXPECT_EQ(slices + 1, result.instructions);
}

}  // namespace
}  // namespace gemel
