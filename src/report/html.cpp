// SPDX-License-Identifier: Apache-2.0
// report.html: one page that a person reads, with its style and pictures (SVG) inside and no script; see report.hpp.
#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "base/markup.hpp"
#include "report/report.hpp"
#include "report/text.hpp"

namespace gemel {
namespace {

constexpr const char* Style = R"(
:root { --back: #ffffff; --text: #1d2430; --soft: #5c6675; --line: #d9dee5; --panel: #f5f7f9;
  --busy: #2b7a78; --other: #e0a030; --request: #8e4fa8; --data: #c8553d; --write: #7a86d1; --empty: #cfd6de; --error: #a00020;
  --array: #2b7a78; --vector: #7a86d1; --move: #e0a030; }
@media (prefers-color-scheme: dark) { :root { --back: #14181d; --text: #e4e8ed; --soft: #9aa5b3; --line: #333b45; --panel: #1d232a;
  --busy: #45a8a4; --other: #e0ac4c; --request: #b57acd; --data: #dd7a63; --write: #949fe6; --empty: #414b57; --error: #ff5572;
  --array: #45a8a4; --vector: #949fe6; --move: #e0ac4c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1200px; padding: 24px; background: var(--back); color: var(--text);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 32px 0 8px; }
p { margin: 4px 0 12px; } .soft { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: 10px; margin: 18px 0; }
.tile { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 10px 12px; }
.tile b { display: block; font-size: 21px; } .tile span { color: var(--soft); font-size: 13px; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--text); font-size: 12px; } svg .soft { fill: var(--soft); }
svg .grid { stroke: var(--line); stroke-width: 1; } svg .roof { stroke: var(--text); stroke-width: 1.5; fill: none; }
.busy { fill: var(--busy); } .other { fill: var(--other); } .request { fill: var(--request); } .data { fill: var(--data); }
.write { fill: var(--write); } .empty { fill: var(--empty); } .error { fill: var(--error); }
.array { fill: var(--array); } .vector { fill: var(--vector); } .move { fill: var(--move); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; margin: 8px 0; }
.legend svg { display: inline-block; width: 12px; height: 12px; vertical-align: -1px; margin-right: 5px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { text-align: right; padding: 3px 8px; border-bottom: 1px solid var(--line); white-space: nowrap; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 600; position: sticky; top: 0; background: var(--back); }
th.left, td.left { text-align: left; } td.why { text-align: left; white-space: normal; min-width: 260px; }
.bar { display: inline-block; width: 80px; height: 9px; background: var(--empty); margin-right: 6px; }
.bar i { display: block; height: 100%; background: var(--busy); } .bar i.low { background: var(--data); }
.picture { overflow-x: auto; } .picture > svg { min-width: 1060px; }
details { margin: 8px 0; } summary { cursor: pointer; color: var(--soft); }
)";

constexpr std::array<const char*, GroupCount> GroupClass = {"busy", "other", "request", "data", "write", "empty", "error"};

std::string number(double value) { return fixed(value, 2); }

double share_of(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

// What a layer mostly is, for colours: on the array, on the vector unit, or neither.
const char* layer_class(const LayerResult& layer) {
  if (layer.array_cycles > 0) return "array";
  return layer.counters[2][0] > 0 ? "vector" : "move";
}

std::string rect(double x, double y, double width, double height, const std::string& css, const std::string& title) {
  return "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(width) + "\" height=\"" + number(height) +
         "\" class=\"" + css + "\"><title>" + markup_escape(title) + "</title></rect>\n";
}

std::string text_at(double x, double y, const std::string& anchor, const std::string& text, const std::string& css = "") {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\"" +
         (css.empty() ? "" : " class=\"" + css + "\"") + ">" + markup_escape(text) + "</text>\n";
}

void legend(std::ostream& out, const std::vector<std::pair<std::string, std::string>>& entries) {
  out << "<div class=\"legend\">";
  for (const auto& [css, name] : entries) {
    out << "<span><svg viewBox=\"0 0 12 12\" aria-hidden=\"true\"><rect width=\"12\" height=\"12\" class=\"" << css << "\"/></svg>" << markup_escape(name)
        << "</span>";
  }
  out << "</div>\n";
}

void tile(std::ostream& out, const std::string& value, const std::string& what) {
  out << "<div class=\"tile\"><b>" << markup_escape(value) << "</b><span>" << markup_escape(what) << "</span></div>\n";
}

// Nothing for runs in which no burst was counted.
std::string bursts_text(std::int64_t bursts) { return bursts > 0 ? ", in " + with_commas(bursts) + " bursts" : ""; }

void tiles(std::ostream& out, const RunResult& result) {
  const double seconds = static_cast<double>(result.cycles) / (result.clock_mhz * 1e6);
  out << "<div class=\"tiles\">\n";
  tile(out, with_commas(result.cycles), "cycles from start to halt");
  tile(out, seconds_text(seconds), "at " + fixed(result.clock_mhz, 0) + " MHz");
  tile(out, percent(result.utilization()), "of the array's MAC slots used");
  tile(out, count_text(static_cast<double>(result.macs)), "multiply-accumulates");
  tile(out, bytes_text(result.load_bytes), "loaded" + bursts_text(result.load_bursts));
  tile(out, bytes_text(result.store_bytes), "stored" + bursts_text(result.store_bursts));
  if (result.accuracy >= 0) {
    tile(out, percent(result.accuracy, 2),
         "int8 accuracy on " + with_commas(result.images) + " images" +
             (result.float_accuracy >= 0 ? "; float: " + percent(result.float_accuracy, 2) : ""));
  }
  std::int64_t equal = 0;
  for (const LayerResult& layer : result.layers) equal += layer.compared == "equal";
  tile(out, equal > 0 ? with_commas(equal) : "no", equal > 0 ? "layers compared with golden, all equal" : "comparison with golden");
  out << "</div>\n";
}

// One bar per unit, its cycles by group. They add up, so all bars are equally long.
void where(std::ostream& out, const RunResult& result) {
  constexpr double Left = 110, Width = 1000, Row = 34;
  out << "<h2>Where the cycles went</h2>\n<p class=\"soft\">Each unit, each cycle: the first that is true. The bars add up to "
      << with_commas(result.cycles) << " cycles.</p>\n";
  std::vector<std::pair<std::string, std::string>> entries;
  for (int g = 0; g < GroupCount; ++g) {
    for (int unit = 0; unit < UnitCount; ++unit) {
      if (grouped(result.counters[unit])[g] == 0) continue;
      entries.emplace_back(GroupClass[g], group_name(static_cast<Group>(g)));
      break;
    }
  }
  legend(out, entries);
  out << "<div class=\"picture\" tabindex=\"0\"><svg viewBox=\"0 0 " << number(Left + Width) << " " << number(Row * UnitCount)
      << "\" role=\"img\" aria-label=\"Cycles of each unit by cause; the table below has them in numbers\">\n";
  for (int unit = 0; unit < UnitCount; ++unit) {
    const double y = Row * unit;
    out << text_at(Left - 10, y + 20, "end", std::string(unit_name(unit)));
    double x = Left;
    const auto cycles = grouped(result.counters[unit]);
    for (int g = 0; g < GroupCount; ++g) {
      const double share = share_of(cycles[g], result.cycles);
      if (cycles[g] == 0) continue;
      out << rect(x, y + 4, Width * share, Row - 10, GroupClass[g],
                  std::string(unit_name(unit)) + ": " + std::string(group_name(static_cast<Group>(g))) + ", " +
                      with_commas(cycles[g]) + " cycles (" + percent(share) + ")");
      if (share > 0.06) {
        out << "<text x=\"" << number(x + Width * share / 2) << "\" y=\"" << number(y + 20)
            << "\" text-anchor=\"middle\" style=\"fill:var("
            << (static_cast<Group>(g) == Group::Empty ? "--text" : "--back") << ")\">" << percent(share, 0) << "</text>\n";
      }
      x += Width * share;
    }
  }
  out << "</svg></div>\n<details><summary>Every cause, in cycles</summary><div class=\"scroll\" tabindex=\"0\"><table><tr><th class=\"left\">unit</th>";
  for (int cause = 0; cause < CauseCount; ++cause) out << "<th>" << cause_name(cause) << "</th>";
  out << "</tr>\n";
  for (int unit = 0; unit < UnitCount; ++unit) {
    out << "<tr><td class=\"left\">" << unit_name(unit) << "</td>";
    for (int cause = 0; cause < CauseCount; ++cause) out << "<td>" << with_commas(result.counters[unit][cause]) << "</td>";
    out << "</tr>\n";
  }
  out << "</table></div></details>\n";
}

void timeline(std::ostream& out, const RunResult& result) {
  constexpr double Left = 190, Width = 920, Row = 15, Head = 22;
  std::vector<const LayerResult*> shown;
  for (const LayerResult& layer : result.layers) {
    if (layer.first_cycle >= 0) shown.push_back(&layer);
  }
  if (shown.empty() || result.cycles <= 0) return;
  out << "<h2>When each layer ran</h2>\n<p class=\"soft\">From a layer's first instruction to the end of its last. Point at a bar "
         "for its figures.</p>\n";
  legend(out, {{"array", "uses the array"}, {"vector", "vector unit"}, {"move", "moves data only"}});
  const double height = Head + Row * static_cast<double>(shown.size());
  out << "<div class=\"picture\" tabindex=\"0\"><svg viewBox=\"0 0 " << number(Left + Width + 10) << " " << number(height + 4)
      << "\" role=\"img\" aria-label=\"When each layer ran, from its first to its last cycle\">\n";
  for (int tick = 0; tick <= 10; ++tick) {
    const double x = Left + Width * tick / 10;
    out << "<line class=\"grid\" x1=\"" << number(x) << "\" x2=\"" << number(x) << "\" y1=\"" << number(Head - 4) << "\" y2=\""
        << number(height) << "\"/>\n";
    if (tick % 2 == 0) {
      out << text_at(x, 12, tick == 0 ? "start" : tick == 10 ? "end" : "middle",
                     count_text(static_cast<double>(result.cycles) * tick / 10) + (tick == 0 ? " cycles" : ""), "soft");
    }
  }
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const LayerResult& layer = *shown[i];
    const double y = Head + Row * static_cast<double>(i);
    const double from = share_of(layer.first_cycle, result.cycles);
    const double span = share_of(layer.last_cycle - layer.first_cycle + 1, result.cycles);
    std::string name = layer.name;
    if (name.size() > 28) name = name.substr(0, 25) + "...";
    out << text_at(Left - 8, y + 11, "end", name);
    out << rect(Left + Width * from, y + 2, std::max(Width * span, 1.0), Row - 4, layer_class(layer),
                layer.name + " (" + layer.op + "): cycles " + with_commas(layer.first_cycle) + " to " +
                    with_commas(layer.last_cycle) + ", " + with_commas(layer.last_cycle - layer.first_cycle + 1));
  }
  out << "</svg></div>\n";
}

void layer_table(std::ostream& out, const RunResult& result, const Machine& machine) {
  out << "<h2>Layers</h2>\n<p class=\"soft\">Cycles: from a layer's first instruction to the end of its last; layers overlap. Array "
         "cycles: those of matrix_unit that belong to the layer, waiting included; they add up to the run. Use: of the array's MAC "
         "slots. The reason is given below 70 %.</p>\n<div class=\"scroll\" tabindex=\"0\"><table>\n<tr><th class=\"left\">layer</th><th "
         "class=\"left\">op</th><th>cycles</th><th>array cycles</th><th>MACs</th><th class=\"left\">use</th><th>loaded</th>"
         "<th>stored</th><th class=\"left\">golden</th><th class=\"left\">why</th></tr>\n";
  for (std::size_t i = 0; i < result.layers.size(); ++i) {
    const LayerResult& layer = result.layers[i];
    const LayerFigures figures = layer_figures(layer, machine);
    out << "<tr><td class=\"left\">" << markup_escape(layer.name) << "</td><td class=\"left\">" << markup_escape(layer.op) << "</td>";
    if (figures.span_cycles == 0) {
      out << "<td>-</td><td>-</td><td>-</td><td class=\"left\">-</td><td>-</td><td>-</td>";
    } else {
      out << "<td>" << with_commas(figures.span_cycles) << "</td><td>"
          << (is_attributed(layer) ? with_commas(figures.matrix_cycles) : "-") << "</td><td>"
          << (layer.macs > 0 ? count_text(static_cast<double>(layer.macs)) : "-") << "</td><td class=\"left\">";
      if (figures.utilization) {
        const double share = std::clamp(*figures.utilization, 0.0, 1.0);
        out << "<span class=\"bar\"><i" << (share < WellUsed ? " class=\"low\"" : "") << " style=\"width:" << number(100 * share)
            << "%\"></i></span>" << percent(*figures.utilization);
      } else {
        out << "-";
      }
      out << "</td><td>" << bytes_text(layer.load_bytes) << "</td><td>" << bytes_text(layer.store_bytes) << "</td>";
    }
    const bool well_used = figures.utilization && *figures.utilization >= WellUsed;
    out << "<td class=\"left\">" << markup_escape(layer.compared) << "</td><td class=\"why\">"
        << (well_used ? "" : markup_escape(bottleneck(result, i, machine))) << "</td></tr>\n";
  }
  out << "</table></div>\n";
}

// MACs per cycle over MACs per byte moved, both logarithmic; the roofs are the array and the memory's bandwidth.
void roofline(std::ostream& out, const RunResult& result, const Machine& machine) {
  struct Dot {
    const LayerResult* layer;
    double intensity, speed;
  };
  std::vector<Dot> dots;
  for (const LayerResult& layer : result.layers) {
    const LayerFigures figures = layer_figures(layer, machine);
    const std::int64_t cycles = layer.array_cycles > 0 ? figures.matrix_cycles : figures.span_cycles;
    const std::int64_t bytes = layer.load_bytes + layer.store_bytes;
    if (layer.macs <= 0 || bytes <= 0 || cycles <= 0) continue;
    dots.push_back({&layer, static_cast<double>(layer.macs) / static_cast<double>(bytes),
                    static_cast<double>(layer.macs) / static_cast<double>(cycles)});
  }
  if (dots.empty()) return;
  const double peak = static_cast<double>(machine.rows) * machine.columns;
  const double bandwidth = 2.0 * std::min(machine.bus_bytes, machine.memory_bytes_per_cycle);  // both ways at once
  const double ridge = peak / bandwidth;
  double x_min = ridge, x_max = ridge, y_min = peak;
  for (const Dot& dot : dots) {
    x_min = std::min(x_min, dot.intensity);
    x_max = std::max(x_max, dot.intensity);
    y_min = std::min(y_min, dot.speed);
  }
  const double lx = std::floor(std::log10(x_min)), hx = std::ceil(std::log10(x_max) + 0.01);
  const double ly = std::floor(std::log10(y_min)), hy = std::ceil(std::log10(peak) + 0.01);
  constexpr double Left = 60, Top = 10, Width = 700, Height = 300;
  const auto px = [&](double v) { return Left + Width * (std::log10(v) - lx) / (hx - lx); };
  const auto py = [&](double v) { return Top + Height * (1 - (std::log10(v) - ly) / (hy - ly)); };
  out << "<h2>Roofline</h2>\n<p class=\"soft\">Each dot is a layer: MACs a cycle over MACs a byte moved. The sloped roof is "
      << fixed(bandwidth, 0) << " bytes a cycle (read and write together), the flat one " << fixed(peak, 0)
      << " MACs a cycle.</p>\n<div class=\"picture\" tabindex=\"0\"><svg viewBox=\"0 0 1000 " << number(Top + Height + 40)
      << "\" role=\"img\" aria-label=\"MACs a cycle of each layer over its MACs a byte, below the roofs of array and memory\">\n";
  for (double e = lx; e <= hx; ++e) {
    const double x = px(std::pow(10, e));
    out << "<line class=\"grid\" x1=\"" << number(x) << "\" x2=\"" << number(x) << "\" y1=\"" << number(Top) << "\" y2=\""
        << number(Top + Height) << "\"/>\n" << text_at(x, Top + Height + 16, "middle", count_text(std::pow(10, e)), "soft");
  }
  for (double e = ly; e <= hy; ++e) {
    const double y = py(std::pow(10, e));
    out << "<line class=\"grid\" x1=\"" << number(Left) << "\" x2=\"" << number(Left + Width) << "\" y1=\"" << number(y) << "\" y2=\""
        << number(y) << "\"/>\n" << text_at(Left - 6, y + 4, "end", count_text(std::pow(10, e)), "soft");
  }
  // The slope leaves the picture at the bottom or on the left, whichever comes first.
  const double foot_x = std::max(std::pow(10, lx), std::pow(10, ly) / bandwidth);
  out << "<polyline class=\"roof\" points=\"" << number(px(foot_x)) << "," << number(py(foot_x * bandwidth)) << " "
      << number(px(ridge)) << "," << number(py(peak)) << " " << number(Left + Width) << "," << number(py(peak)) << "\"/>\n";
  for (const Dot& dot : dots) {
    out << "<circle cx=\"" << number(px(dot.intensity)) << "\" cy=\"" << number(py(dot.speed)) << "\" r=\"4\" fill-opacity=\"0.75\" class=\""
        << layer_class(*dot.layer) << "\"><title>"
        << markup_escape(dot.layer->name + ": " + fixed(dot.speed, 1) + " MACs a cycle, " + fixed(dot.intensity, 1) + " MACs a byte")
        << "</title></circle>\n";
  }
  out << text_at(Left + Width / 2, Top + Height + 34, "middle", "MACs per byte", "soft") << "</svg></div>\n";
}

void run_table(std::ostream& out, const RunResult& result) {
  out << "<h2>The run</h2>\n<div class=\"scroll\" tabindex=\"0\"><table>\n";
  const auto row = [&](const std::string& key, const std::string& value) {
    out << "<tr><td class=\"left\">" << markup_escape(key) << "</td><td class=\"why\">" << markup_escape(value) << "</td></tr>\n";
  };
  row("instructions", with_commas(result.instructions) + " (" + bytes_text(result.fetch_bytes) + " fetched" +
                          bursts_text(result.fetch_bursts) + ")");
  row("compile", seconds_text(result.compile_seconds));
  if (result.build_rtl_seconds > 0) row("build RTL", seconds_text(result.build_rtl_seconds));
  row("simulate", seconds_text(result.simulate_seconds));
  if (result.golden_seconds > 0) row("golden", seconds_text(result.golden_seconds));
  if (result.peak_memory_mib > 0) row("peak memory", fixed(result.peak_memory_mib, 0) + " MiB");
  for (const auto& [key, value] : result.settings) row(key, value);
  out << "</table></div>\n";
}

}  // namespace

std::string report_style() { return Style; }

std::string report_html(const RunResult& result, const Machine& machine) {
  std::ostringstream out;
  const std::string title = result.network + " on " + result.machine;
  out << "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
         "content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>"
      << markup_escape(title) << "</title>\n<style>" << Style << "</style>\n</head>\n<body>\n<main>\n<h1>" << markup_escape(title)
      << "</h1>\n<p class=\"soft\">" << result.rows << " x " << result.columns << " array, " << fixed(result.clock_mhz, 0)
      << " MHz, batch " << result.batch << ", engine " << markup_escape(result.engine)
      << (result.timing_only ? ", timing only (no data)" : "") << ". Gemel " << markup_escape(result.version) << ".</p>\n"
      << "<!-- advice -->\n";  // where python/gemel/_advise.py puts it
  tiles(out, result);
  where(out, result);
  timeline(out, result);
  layer_table(out, result, machine);
  roofline(out, result, machine);
  run_table(out, result);
  out << "</main>\n</body>\n</html>\n";
  return out.str();
}

}  // namespace gemel
