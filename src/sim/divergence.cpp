// SPDX-License-Identifier: Apache-2.0
#include "sim/divergence.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>

#include "sim/bench.hpp"
#include "sim/locate.hpp"

namespace gemel {
namespace {

// The instruction in flight that waits for this word of a scratchpad; the client numbers are scratchpad_ports.hpp's.
std::optional<std::uint32_t> reader_of(const Stepper& stepper, const Schedule& schedule, Buffer buffer, const CarriedBeat& beat) {
  isa::Unit unit = isa::Unit::Matrix;
  if (buffer == Buffer::Vector) unit = beat.client == 0 ? isa::Unit::Vector : isa::Unit::Store;
  if (buffer == Buffer::Param || (buffer == Buffer::Accumulator && beat.client == 1)) unit = isa::Unit::Vector;
  for (const std::uint32_t index : stepper.in_flight(unit)) {
    for (const isa::Claim& claim : isa::claims(isa::decode(schedule.program[index]))) {
      const auto word = static_cast<std::int64_t>(beat.address);
      if (claim.buffer == buffer && !claim.write && claim.first <= word && word <= claim.last) return index;
    }
  }
  return {};
}

constexpr std::int64_t WaveClocksBefore = 200, WaveClocksAfter = 20;

struct Enough {};  // thrown out of a repetition that has shown what it was made for

void repeat(const Run& run, const SwapOptions& swap, const RtlHangs& hangs) {
  Bench bench(run, swap, hangs);
  try {
    bench.step_until(run.options.max_cycles);
  } catch (const Enough&) {
  }
}

// Runs the same thing again with waves of the block around the difference; the path, or empty if there are none.
std::string record_waves(const Run& run, const Divergence& first) {
  const std::string& folder = run.options.waves_folder;
  if (folder.empty()) return {};
  const std::string path = folder + "/" + first.block + ".fst";
  const std::int64_t last = first.clock + WaveClocksAfter;
  SwapOptions swap;
  swap.waves = {{first.block, path, std::max<std::int64_t>(0, first.clock - WaveClocksBefore), last}};
  swap.on_divergence = [&](const Divergence& d) {
    if (d.block == first.block && d.clock > last) throw Enough{};
  };
  RtlHangs hangs;
  if (run.options.rtl_hangs) {
    hangs = [&](const UserError& error) {
      std::remove(path.c_str());  // a part of it
      run.options.rtl_hangs(error);
    };
  }
  repeat(run, swap, hangs);
  return path;
}

// The first place of the array, from the top, in the column of the wrong sum: where it went wrong on its way down. The same thing is run
// again with a probe beside every `pe`. Empty if no place is wrong by itself.
std::string wrong_pe(const Run& run, const Divergence& first) {
  if (first.block != "pe" || first.difference.port.rfind("sums_o[", 0) != 0) return {};
  const Machine& machine = run.machine;
  const int column = static_cast<int>(first.difference.byte / 4);
  const std::int64_t bottom = first.clock - (machine.columns - 1 - column);  // clock in which the sum left the last row
  SwapOptions swap;
  swap.on_divergence = [](const Divergence&) { throw Enough{}; };
  int found = -1;
  swap.pe_probe = [&](const char* places, std::int64_t clock) {
    const std::int64_t row = machine.rows - 1 - (bottom - clock);
    if (found >= 0 || row < 0 || row >= machine.rows) return;
    const std::string place = "gen_row[" + std::to_string(row) + "].gen_column[" + std::to_string(column) + "].";
    if (std::strstr(places, place.c_str()) != nullptr) found = static_cast<int>(row);
  };
  repeat(run, swap, run.options.rtl_hangs);
  if (found < 0) return {};
  return "\n  first wrong `pe`: row " + std::to_string(found) + ", column " + std::to_string(column);
}

}  // namespace

std::string in_flight_text(const Stepper& stepper, const Schedule& schedule, const std::string& block) {
  const isa::Unit unit = unit_of(block);
  if (unit == isa::Unit::None) return {};
  const std::vector<std::uint32_t> indices = stepper.in_flight(unit);
  return indices.empty() ? "" : instruction_text(schedule, indices.front());
}

std::string difference_text(const Stepper& stepper, const Run& run, const Divergence& d) {
  const Schedule& schedule = run.schedule;
  const CarriedBeat& beat = d.difference.beat;
  const Locator locator(run.machine, schedule);
  Location location;
  if (beat.carries == Carries::ReadWord) {
    for (int b = 0; b < BufferCount; ++b) {
      const auto buffer = static_cast<Buffer>(b);
      if (d.block != to_string(buffer)) continue;
      if (const auto reader = reader_of(stepper, schedule, buffer, beat)) location = locator.of_read(buffer, beat.address, d.difference.byte, *reader);
    }
  } else {
    location = locator.of_beat(beat, d.difference.byte, stepper.carried()[static_cast<std::size_t>(beat.carries)]);
  }
  std::string text = location.instruction >= 0 ? instruction_text(schedule, static_cast<std::size_t>(location.instruction))
                                               : in_flight_text(stepper, schedule, d.block);
  if (!text.empty()) text = "\n  " + text;
  if (location.element) text += "\n  " + to_string(*location.element, schedule);
  return text;
}

std::string names_of(const std::vector<BlockChoice>& choices) {
  std::string names;
  for (const BlockChoice& c : choices) names += (names.empty() ? "`" : ", `") + c.block + "`";
  return names;
}

void report_divergence(const Run& run, const Diverged& d) {
  const std::string waves = record_waves(run, d.divergence);
  const Difference& difference = d.divergence.difference;
  std::string text = "block `" + d.divergence.block + "` differs from its model at cycle " + std::to_string(d.cycle) + ", port `" +
                     difference.port + "`: is " + difference.actual + ", must be " + difference.expected + d.where +
                     wrong_pe(run, d.divergence);
  if (!waves.empty()) {
    text += "\n  waves: " + waves + ", clocks " + std::to_string(std::max<std::int64_t>(0, d.divergence.clock - WaveClocksBefore)) +
            " to " + std::to_string(d.divergence.clock + WaveClocksAfter) + "; the difference is at clock " +
            std::to_string(d.divergence.clock);
  }
  throw RunError("E0806", text);
}

}  // namespace gemel
