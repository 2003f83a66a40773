// SPDX-License-Identifier: Apache-2.0
// gemel/real_time.hpp: a queue in order before one server, in whole cycles.
#include "gemel/real_time.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <sstream>

#include "base/text.hpp"
#include "gemel/error.hpp"

namespace gemel {
namespace {

constexpr double MostCycles = 9.0e15;  // that a double counts one by one

std::string milliseconds(double cycles, double clock_mhz) { return fixed(cycles / clock_mhz / 1000, 3) + " ms"; }

}  // namespace

double seconds_of(std::string_view text, const std::string& option) {
  struct Unit {
    std::string_view name;
    double seconds;
  };
  static constexpr std::array<Unit, 4> Units = {{{"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"s", 1}}};
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  const auto unit = std::find_if(Units.begin(), Units.end(), [&](const Unit& u) { return u.name == rest; });
  if (problem != std::errc() || unit == Units.end() || !(value > 0) || !std::isfinite(value)) {
    throw UserError("E0915", "`" + option + "` is " + quote(std::string(text)) + ", but must be a time above 0 with a unit: 33ms, 16.6us, 800ns, 0.5s");
  }
  return value * unit->seconds;
}

RealTime real_time(const RealTimeOptions& o) {
  const double period = o.period_seconds * o.clock_mhz * 1e6;  // in cycles, not always whole
  const auto refuse = [](const std::string& what) { throw UserError("E0915", what); };
  if (o.frames < 1) refuse("`frames` is " + std::to_string(o.frames) + ", but must be 1 or more");
  if (!(o.period_seconds > 0) || !std::isfinite(o.period_seconds)) refuse("`period` must be a time above 0");
  if (o.deadline_seconds && (!(*o.deadline_seconds > 0) || !std::isfinite(*o.deadline_seconds))) refuse("`deadline` must be a time above 0");
  if (o.run_cycles < 1) refuse("a run of no cycles has no latency");
  if (!((period + static_cast<double>(o.run_cycles)) * o.frames < MostCycles)) refuse("`period` and `frames` are more cycles than can be counted");
  RealTime result;
  result.options = o;
  std::size_t not_started = 0;  // the first frame that may be waiting
  std::int64_t free = 0;        // when the machine is
  double sum = 0;
  for (int k = 0; k < o.frames; ++k) {
    RealTime::Frame frame;
    frame.arrival = static_cast<std::int64_t>(std::ceil(period * k - 1e-6));  // 1e-6: of a period that is whole in decimals
    frame.start = std::max(frame.arrival, free);
    free = frame.end = frame.start + o.run_cycles;
    while (not_started < result.frames.size() && result.frames[not_started].start <= frame.arrival) ++not_started;
    frame.waiting = static_cast<int>(result.frames.size() - not_started);
    frame.missed = o.deadline_seconds && static_cast<double>(frame.latency()) > *o.deadline_seconds * o.clock_mhz * 1e6 * (1 + 1e-12);
    result.missed += frame.missed;
    result.most_waiting = std::max(result.most_waiting, frame.waiting);
    result.worst_latency = std::max(result.worst_latency, frame.latency());
    result.least_latency = k == 0 ? frame.latency() : std::min(result.least_latency, frame.latency());
    sum += static_cast<double>(frame.latency());
    result.frames.push_back(frame);
  }
  result.mean_latency = sum / o.frames;
  result.frames_per_second = o.frames / (static_cast<double>(free) / (o.clock_mhz * 1e6));
  result.busy_share = static_cast<double>(o.run_cycles) * o.frames / static_cast<double>(free);
  return result;
}

std::string real_time_text(const RealTime& r) {
  const RealTimeOptions& o = r.options;
  const double clock = o.clock_mhz, period = o.period_seconds * clock * 1e6, growth = static_cast<double>(o.run_cycles) - period;
  std::ostringstream out;
  const auto row = [&](const char* name, const std::string& text) {
    out << "  " << name << std::string(static_cast<std::size_t>(std::max(1, 12 - static_cast<int>(std::string_view(name).size()))), ' ') << text << "\n";
  };
  out << "\n" << with_commas(o.frames) << " frames, one every " << milliseconds(period, clock) << "\n";
  row("latency", "mean " + milliseconds(r.mean_latency, clock) + ", worst " + milliseconds(static_cast<double>(r.worst_latency), clock) + ", best " +
                     milliseconds(static_cast<double>(r.least_latency), clock));
  row("rate", fixed(r.frames_per_second, 1) + " frames a second of " + fixed(1 / o.period_seconds, 1) + "; busy " + fixed(100 * r.busy_share, 1) +
                  " % of the time");
  row("backlog", r.most_waiting == 0 ? "none" : "at most " + with_commas(r.most_waiting) + (r.most_waiting == 1 ? " frame waits" : " frames wait"));
  if (growth > 0) {
    row("", "a frame takes " + milliseconds(growth, clock) + " longer than the next one needs to come: the backlog grows by a frame every " +
                fixed(static_cast<double>(o.run_cycles) / growth, 1) + " frames");
  }
  if (o.deadline_seconds) {
    const std::string misses = r.missed == 0 ? "never missed" : with_commas(r.missed) + " of " + with_commas(o.frames) + " frames miss it";
    row("deadline", fixed(*o.deadline_seconds * 1000, 3) + " ms: " + misses);
  }
  return out.str();
}

std::string real_time_csv(const RealTime& r) {
  std::ostringstream out;
  out << "frame,arrival_cycle,start_cycle,end_cycle,latency_cycles,latency_ms,waiting,missed\n";
  for (std::size_t k = 0; k < r.frames.size(); ++k) {
    const RealTime::Frame& f = r.frames[k];
    out << k << "," << f.arrival << "," << f.start << "," << f.end << "," << f.latency() << ","
        << format_number(static_cast<double>(f.latency()) / r.options.clock_mhz / 1000) << "," << f.waiting << "," << f.missed << "\n";
  }
  return out.str();
}

}  // namespace gemel
