// SPDX-License-Identifier: Apache-2.0
// report.html: one page that a person reads, with its style, pictures and script (report.js) inside. It reads without the script, too; see report.hpp.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "base/markup.hpp"
#include "gemel/isa.gen.hpp"
#include "report/page.hpp"
#include "report/report.hpp"
#include "report/text.hpp"

namespace gemel {
namespace {

// So many slices of the trace (instructions and waits) go into a page: some 20 bytes each.
constexpr std::size_t MostSlices = 60000;
constexpr std::size_t MostLosing = 10;  // layers

std::string number(double value) { return fixed(value, 2); }

// What a layer mostly is, for colours: on the array, on the vector unit, or neither.
const char* layer_class(const LayerResult& layer) {
  if (layer.array_cycles > 0) return "array";
  return layer.counters[2][0] > 0 ? "vector" : "move";
}

std::string text_at(double x, double y, const std::string& anchor, const std::string& text, const std::string& css = "") {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\"" +
         (css.empty() ? "" : " class=\"" + css + "\"") + ">" + markup_escape(text) + "</text>\n";
}

// Nothing for runs in which no burst was counted.
std::string bursts_text(std::int64_t bursts) { return bursts > 0 ? ", in " + with_commas(bursts) + " bursts" : ""; }

// What a reader wants first.
void sentence(std::ostream& out, const RunResult& result) {
  if (result.cycles <= 0) return;
  out << "<p><b>" << markup_escape(result.network) << " takes " << seconds_text(static_cast<double>(result.cycles) / (result.clock_mhz * 1e6)) << " on "
      << markup_escape(result.machine) << " and uses " << percent(result.utilization()) << " of the array's MAC slots.</b> ";
  const auto matrix = grouped(result.counters[static_cast<int>(isa::Unit::Matrix)]);
  std::size_t most = 1;  // behind Busy
  for (std::size_t g = 2; g < matrix.size(); ++g) {
    if (matrix[g] > matrix[most]) most = g;
  }
  const double idle = 1.0 - share_of(matrix[0], result.cycles);
  if (idle < 0.01) {
    out << "The array's unit hardly ever waits.";
  } else {
    out << "The array's unit stands still in " << percent(idle) << " of the cycles, mostly: " << group_name(static_cast<Group>(most)) << " ("
        << percent(share_of(matrix[most], result.cycles)) << ").";
  }
  out << "</p>\n";
}

void tiles(std::ostream& out, const RunResult& result) {
  const double seconds = static_cast<double>(result.cycles) / (result.clock_mhz * 1e6);
  out << "<div class=\"tiles\">\n";
  add_tile(out, with_commas(result.cycles), "cycles from start to halt");
  add_tile(out, seconds_text(seconds), "at " + fixed(result.clock_mhz, 0) + " MHz");
  add_tile(out, percent(result.utilization()), "of the array's MAC slots used");
  add_tile(out, count_text(static_cast<double>(result.macs)), "multiply-accumulates");
  add_tile(out, bytes_text(result.load_bytes), "loaded" + bursts_text(result.load_bursts));
  add_tile(out, bytes_text(result.store_bytes), "stored" + bursts_text(result.store_bursts));
  if (result.accuracy >= 0) {
    add_tile(out, percent(result.accuracy, 2),
         "int8 accuracy on " + with_commas(result.images) + " images" +
             (result.float_accuracy >= 0 ? "; float: " + percent(result.float_accuracy, 2) : ""));
  }
  std::int64_t equal = 0;
  for (const LayerResult& layer : result.layers) equal += layer.compared == "equal";
  add_tile(out, equal > 0 ? with_commas(equal) : "no", equal > 0 ? "layers compared with golden, all equal" : "comparison with golden");
  out << "</div>\n";
}

// One bar per unit, its cycles by group. They add up, so all bars are equally long.
void where(std::ostream& out, const RunResult& result) {
  out << "<h2>Where the cycles went</h2>\n<p class=\"soft\">Each unit, each cycle: the first that is true. The bars add up to "
      << with_commas(result.cycles) << " cycles.</p>\n";
  add_group_legend(out, {&result.counters});
  out << "<div class=\"bars\">\n";
  for (int unit = 0; unit < UnitCount; ++unit) {
    add_bar_row(out, std::string(unit_name(unit)), group_bar(std::string(unit_name(unit)), result.counters[static_cast<std::size_t>(unit)]));
  }
  out << "</div>\n<details><summary>Every cause, in cycles</summary>" << scroll("cycles by cause") << "<table>\n"
         "<tr>"
      << table_head("unit", Column::Text);
  for (int cause = 0; cause < CauseCount; ++cause) out << "<th scope=\"col\">" << cause_name(cause) << "</th>";
  out << "</tr>\n";
  for (int unit = 0; unit < UnitCount; ++unit) {
    out << "<tr><th scope=\"row\" class=\"left\">" << unit_name(unit) << "</th>";
    for (int cause = 0; cause < CauseCount; ++cause) out << "<td>" << with_commas(result.counters[unit][cause]) << "</td>";
    out << "</tr>\n";
  }
  out << "</table></div></details>\n";
}

bool has_time(const LayerResult& layer) { return layer.first_cycle >= 0; }

// Numbers of seven bits each, the least first, the top bit set in all but the last; then base64.
class Packer {
 public:
  void add(std::int64_t value) {
    auto rest = static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0));
    for (; rest > 127; rest >>= 7) bytes_.push_back(static_cast<std::uint8_t>(rest | 128));
    bytes_.push_back(static_cast<std::uint8_t>(rest));
  }
  std::string base64() const {
    static constexpr char Digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes_.size(); i += 3) {
      const std::size_t left = std::min<std::size_t>(3, bytes_.size() - i);
      std::uint32_t three = 0;
      for (std::size_t k = 0; k < 3; ++k) three = three << 8 | (k < left ? bytes_[i + k] : 0);
      for (std::size_t k = 0; k < 4; ++k) text += k <= left ? Digits[three >> (18 - 6 * k) & 63] : '=';
    }
    return text;
  }

 private:
  std::vector<std::uint8_t> bytes_;
};

// The trace, as report.js unpacks it. Of each unit: how many slices, and of each, in order of time: cycles since the one before, cycles, what it is
// (twice the opcode of an instruction, or twice the cause of a wait plus 1), 1 + layer, and of an instruction its bytes, and how many of its cycles the
// unit was busy and waited for a request to be taken. Nothing if there are none, or too many.
std::string packed_trace(const RunResult& result) {
  if (result.trace.empty() || result.trace.size() + result.trace_waits.size() > MostSlices) return "";
  struct Entry {
    TraceSlice slice;
    const TraceEvent* event;
    const TraceWait* wait;
  };
  std::array<std::vector<Entry>, UnitCount> units;
  const std::vector<TraceSlice> slices = trace_slices(result);
  for (std::size_t i = 0; i < slices.size(); ++i) {
    units.at(static_cast<std::size_t>(result.trace[i].unit)).push_back({slices[i], &result.trace[i], nullptr});
  }
  for (const TraceWait& wait : result.trace_waits) {
    units.at(static_cast<std::size_t>(wait.unit)).push_back({{wait.first, wait.first + wait.cycles}, nullptr, &wait});
  }
  Packer packer;
  for (auto& entries : units) {
    std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.slice.first < b.slice.first; });
    packer.add(static_cast<std::int64_t>(entries.size()));
    std::int64_t end = 0;
    for (const Entry& entry : entries) {
      const std::int64_t length = entry.slice.end - entry.slice.first;
      packer.add(entry.slice.first - end);
      packer.add(length);
      end = entry.slice.end;
      if (entry.wait != nullptr) {
        packer.add(2 * entry.wait->cause + 1);
        packer.add(entry.wait->layer + 1);
        continue;
      }
      const TraceEvent& event = *entry.event;
      packer.add(2 * event.opcode);
      packer.add(event.layer + 1);
      packer.add(event.bytes);
      packer.add(event.counted >= 0 ? event.busy : length);
      packer.add(event.counted >= 0 ? event.wait_request : 0);
    }
  }
  return packer.base64();
}

// Bars of layers; what each unit did, instruction by instruction, comes above them with the script.
void timeline(std::ostream& out, const RunResult& result) {
  const auto shown = std::count_if(result.layers.begin(), result.layers.end(), has_time);
  if (shown == 0 || result.cycles <= 0) return;
  const std::string packed = packed_trace(result);
  out << "<h2>When each layer ran</h2>\n<p class=\"soft\">From a layer's first instruction to the end of its last.";
  if (result.trace.empty()) {
    out << " A run with <code>--trace</code> has every instruction here, too.";
  } else if (packed.empty()) {
    out << " The trace has " << with_commas(static_cast<std::int64_t>(result.trace.size() + result.trace_waits.size()))
        << " instructions and waits, more than this page takes: they are in trace.json.";
  }
  out << "<span class=\"scripted\">Drag across a part to see it larger, or press a bar; keys: + and - zoom, arrows move, 0 shows everything."
         "</span></p>\n";
  add_legend(out, {{"array", "uses the array"}, {"vector", "vector unit"}, {"move", "moves data only"}});
  if (!packed.empty()) {
    out << "<div class=\"traced\">";
    add_group_legend(out, {&result.counters});
    out << "</div>\n";
  }
  out << "<div class=\"scripted controls\">";
  for (const auto& [id, text] : {std::pair("zoom-in", "zoom in"), std::pair("zoom-out", "zoom out"), std::pair("earlier", "earlier"),
                                 std::pair("later", "later"), std::pair("whole", "all")}) {
    out << "<button type=\"button\" id=\"" << id << "\">" << text << "</button> ";
  }
  out << "<span id=\"window\" aria-live=\"polite\"></span></div>\n"
         "<div class=\"bars thin\" id=\"timeline\" role=\"group\" aria-label=\"When each layer ran\">\n<div class=\"ticks\">";
  constexpr int Ticks = 5;
  for (int tick = 0; tick < Ticks; ++tick) {
    out << "<span style=\"left:" << 100 * tick / (Ticks - 1) << "%\">" << with_commas(result.cycles * tick / (Ticks - 1)) << "</span>";
  }
  out << "</div>\n";
  for (std::size_t i = 0; i < result.layers.size(); ++i) {
    const LayerResult& layer = result.layers[i];
    if (!has_time(layer)) continue;
    const std::string when = "cycles " + with_commas(layer.first_cycle) + " to " + with_commas(layer.last_cycle);
    add_bar_row(out,
                "<a href=\"#layer-" + std::to_string(i) + "\" aria-label=\"" + markup_escape(layer.name + ": " + when) + "\">" +
                    markup_escape(layer.name) + "</a>",
                bar_part(share_of(layer.first_cycle, result.cycles), share_of(layer.last_cycle - layer.first_cycle + 1, result.cycles), layer_class(layer),
                         layer.name + " (" + layer.op + "): " + when + ", " + with_commas(layer.last_cycle - layer.first_cycle + 1)),
                " data-i=\"" + std::to_string(i) + "\"");
  }
  out << "</div>\n<p class=\"soft scripted\" id=\"readout\"></p>\n";
  if (!packed.empty()) out << "<script type=\"text/plain\" id=\"trace\">" << packed << "</script>\n";
}

std::string use_cell(const std::optional<double>& utilization) {
  if (!utilization) return "<td data-v=\"\">-</td>";
  const double share = std::clamp(*utilization, 0.0, 1.0);
  return "<td data-v=\"" + fixed(*utilization, 4) + "\"><span class=\"bar\"><i" + (share < WellUsed ? " class=\"low\"" : "") +
         " style=\"width:" + number(100 * share) + "%\"></i></span>" + percent(*utilization) + "</td>";
}

// Sums over the layers of a block that repeats.
void block_row(std::ostream& out, const RunResult& result, const Machine& machine, const RepeatedBlock& block) {
  const std::size_t count = block.length * block.times;
  std::int64_t first = -1, last = -1, matrix = 0, lost = 0, macs = 0, load = 0, store = 0;
  for (std::size_t i = block.first; i < block.first + count; ++i) {
    const LayerResult& layer = result.layers[i];
    const LayerFigures figures = layer_figures(layer, machine);
    if (has_time(layer)) first = first < 0 ? layer.first_cycle : std::min(first, layer.first_cycle);
    last = std::max(last, layer.last_cycle);
    matrix += figures.matrix_cycles;
    lost += figures.lost_cycles;
    macs += layer.macs;
    load += layer.load_bytes;
    store += layer.store_bytes;
  }
  const std::int64_t span = first < 0 ? 0 : result.rounds * (last - first + 1);
  std::optional<double> use;
  if (macs > 0 && matrix > 0) use = static_cast<double>(macs) / (static_cast<double>(matrix) * machine.rows * machine.columns);
  out << "<tr class=\"block\" data-first=\"" << block.first << "\" data-count=\"" << count << "\"><td class=\"left\">"
      << markup_escape(result.layers[block.first].name + " … " + result.layers[block.first + count - 1].name) << "</td><td class=\"left\">" << block.times
      << " × " << block.length << " layers</td><td>" << with_commas(span) << "</td><td>" << with_commas(matrix) << "</td><td>" << with_commas(lost)
      << "</td><td>" << count_text(static_cast<double>(macs)) << "</td>" << use_cell(use) << "<td>" << bytes_text(load) << "</td><td>" << bytes_text(store)
      << "</td><td></td><td class=\"why\"></td></tr>\n";
}

void layer_row(std::ostream& out, const RunResult& result, const Machine& machine, std::size_t i) {
  const LayerResult& layer = result.layers[i];
  const LayerFigures figures = layer_figures(layer, machine);
  const bool known = is_attributed(layer);
  const auto whole = [](bool there, std::int64_t value, const std::string& text) {
    return there ? sorted_cell(static_cast<double>(value), text) : sorted_cell(nullptr, "-");
  };
  out << "<tr id=\"layer-" << i << "\"><td class=\"left\">" << markup_escape(layer.name) << "</td><td class=\"left\">" << markup_escape(layer.op) << "</td>";
  const bool any = figures.span_cycles > 0;
  out << whole(any, figures.span_cycles, with_commas(figures.span_cycles)) << whole(any && known, figures.matrix_cycles, with_commas(figures.matrix_cycles))
      << whole(any && known, figures.lost_cycles, with_commas(figures.lost_cycles))
      << whole(any && layer.macs > 0, layer.macs, count_text(static_cast<double>(layer.macs))) << use_cell(any ? figures.utilization : std::nullopt)
      << whole(any, layer.load_bytes, bytes_text(layer.load_bytes)) << whole(any, layer.store_bytes, bytes_text(layer.store_bytes));
  const bool well_used = figures.utilization && *figures.utilization >= WellUsed;
  out << "<td class=\"left\">" << markup_escape(layer.compared) << "</td><td class=\"why\">" << (well_used ? "" : markup_escape(bottleneck(result, i, machine)))
      << "</td></tr>\n";
}

void layer_table(std::ostream& out, const RunResult& result, const Machine& machine) {
  out << "<h2>Layers</h2>\n<p class=\"soft\">Cycles: from a layer's first instruction to the end of its last; layers overlap. Array "
         "cycles: those of matrix_unit that belong to the layer, waiting included; they add up to the run. Lost: array cycles that its "
         "multiplications would not take with all MAC slots used. Use: of the array's MAC slots. The reason is given below 70 %.</p>\n"
         "<div class=\"scripted controls\"><label>only with <input id=\"filter\" type=\"search\" placeholder=\"name, operator, reason\"></label> "
         "<button type=\"button\" id=\"fold\">unfold all</button> <span id=\"count\" aria-live=\"polite\"></span></div>\n"
      << scroll("layers") << "<table id=\"layers\">\n<thead><tr>";
  for (const char* text : {"layer", "op"}) out << table_head(text, Column::SortedText);
  for (const char* text : {"cycles", "array cycles", "lost", "MACs", "use", "loaded", "stored"}) out << table_head(text, Column::SortedNumber);
  for (const char* text : {"golden", "why"}) out << table_head(text, Column::SortedText);
  out << "</tr></thead>\n<tbody>\n";
  const std::vector<RepeatedBlock> blocks = repeated_blocks(result.layers);
  auto block = blocks.begin();
  for (std::size_t i = 0; i < result.layers.size(); ++i) {
    if (block != blocks.end() && block->first == i) block_row(out, result, machine, *block++);
    layer_row(out, result, machine, i);
  }
  out << "</tbody></table></div>\n";
}

// The layers on which the array loses most of its time.
void losing(std::ostream& out, const RunResult& result, const Machine& machine) {
  std::vector<std::pair<std::int64_t, std::size_t>> found;
  std::int64_t all = 0;
  for (std::size_t i = 0; i < result.layers.size(); ++i) {
    const std::int64_t lost = layer_figures(result.layers[i], machine).lost_cycles;
    if (lost > 0) found.emplace_back(lost, i);
    all += lost;
  }
  if (found.empty()) return;
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  if (found.size() > MostLosing) found.resize(MostLosing);
  std::int64_t these = 0;
  for (const auto& [lost, i] : found) these += lost;
  out << "<h2>What loses most</h2>\n<p class=\"soft\">" << with_commas(all) << " array cycles (" << percent(share_of(all, result.cycles))
      << ") do not multiply at full width; " << percent(share_of(these, all), 0) << " of them in "
      << (found.size() == 1 ? "this layer" : "these " + std::to_string(found.size()) + " layers")
      << ".</p>\n" << scroll("what loses most") << "<table>\n<thead><tr>" << table_head("layer", Column::Text)
      << "<th scope=\"col\">lost cycles</th>" << table_head("of the run", Column::Text) << table_head("why", Column::Text) << "</tr></thead>\n<tbody>\n";
  for (const auto& [lost, i] : found) {
    const double share = share_of(lost, result.cycles), of_most = share_of(lost, found.front().first);
    out << "<tr><td class=\"left\"><a href=\"#layer-" << i << "\">" << markup_escape(result.layers[i].name) << "</a></td><td>" << with_commas(lost)
        << "</td><td class=\"left\"><span class=\"bar\"><i class=\"low\" style=\"width:" << number(100 * of_most) << "%\"></i></span>" << percent(share)
        << "</td><td class=\"why\">" << markup_escape(bottleneck(result, i, machine)) << "</td></tr>\n";
  }
  out << "</tbody></table></div>\n";
}

// MACs per cycle over MACs per byte moved, both logarithmic; the roofs are the array and the memory's bandwidth.
void roofline(std::ostream& out, const RunResult& result, const Machine& machine) {
  struct Dot {
    std::size_t layer;
    double intensity, speed, cycles;
  };
  std::vector<Dot> dots;
  for (std::size_t i = 0; i < result.layers.size(); ++i) {
    const LayerResult& layer = result.layers[i];
    const LayerFigures figures = layer_figures(layer, machine);
    const std::int64_t cycles = layer.array_cycles > 0 ? figures.matrix_cycles : figures.span_cycles;
    const std::int64_t bytes = layer.load_bytes + layer.store_bytes;
    if (layer.macs <= 0 || bytes <= 0 || cycles <= 0) continue;
    dots.push_back({i, static_cast<double>(layer.macs) / static_cast<double>(bytes), static_cast<double>(layer.macs) / static_cast<double>(cycles),
                    static_cast<double>(cycles)});
  }
  if (dots.empty()) return;
  const double peak = static_cast<double>(machine.rows) * machine.columns;
  const double bandwidth = 2.0 * static_cast<double>(machine.millibytes_per_cycle()) / 1000;  // both ways at once
  const double ridge = peak / bandwidth;
  double x_min = ridge, x_max = ridge, y_min = peak;
  for (const Dot& dot : dots) {
    x_min = std::min(x_min, dot.intensity);
    x_max = std::max(x_max, dot.intensity);
    y_min = std::min(y_min, dot.speed);
  }
  const double lx = std::floor(std::log10(x_min)), hx = std::ceil(std::log10(x_max) + 0.01);
  const double ly = std::floor(std::log10(y_min)), hy = std::ceil(std::log10(peak) + 0.01);
  constexpr double Left = 60, Top = 10, Width = 620, Height = 300;
  const auto px = [&](double v) { return Left + Width * (std::log10(v) - lx) / (hx - lx); };
  const auto py = [&](double v) { return Top + Height * (1 - (std::log10(v) - ly) / (hy - ly)); };
  out << "<h2>Roofline</h2>\n<p class=\"soft\">Each dot is a layer: MACs a cycle over MACs a byte moved; its area grows with its cycles. The sloped roof is "
      << fixed(bandwidth, 0) << " bytes a cycle (read and write together), the flat one " << fixed(peak, 0)
      << " MACs a cycle.</p>\n<div class=\"picture\" tabindex=\"0\" role=\"region\" aria-label=\"roofline\"><div><svg viewBox=\"0 0 700 "
      << number(Top + Height + 40)
      << "\" role=\"group\" aria-label=\"MACs a cycle of each layer over its MACs a byte, below the roofs of array and memory\">\n";
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
  double longest = 1;
  for (const Dot& dot : dots) longest = std::max(longest, dot.cycles);
  std::stable_sort(dots.begin(), dots.end(), [](const Dot& a, const Dot& b) { return a.cycles > b.cycles; });  // small ones above large ones
  for (const Dot& dot : dots) {
    const LayerResult& layer = result.layers[dot.layer];
    const std::string text = markup_escape(layer.name + ": " + fixed(dot.speed, 1) + " MACs a cycle, " + fixed(dot.intensity, 1) + " MACs a byte");
    out << "<a href=\"#layer-" << dot.layer << "\" aria-label=\"" << text << "\"><circle cx=\"" << number(px(dot.intensity)) << "\" cy=\""
        << number(py(dot.speed)) << "\" r=\"" << number(3.0 + 6.0 * std::sqrt(dot.cycles / longest)) << "\" fill-opacity=\"0.75\" class=\""
        << layer_class(layer) << "\"><title>" << text << "</title></circle></a>\n";
  }
  out << text_at(Left + Width / 2, Top + Height + 34, "middle", "MACs per byte", "soft") << "</svg></div></div>\n";
}

template <typename Lengths>
std::string shape_text(const Lengths& lengths) {
  std::string text;
  for (const auto length : lengths) text += (text.empty() ? "" : " × ") + std::to_string(length);
  return text;
}

// "matrix_unit: tiles of 1 × 7 × 7 × 80 in 1 × 28 × 28 × 80; loops over channels, then tiles; loaded once: weights".
std::string mapping_text(const LayerMapping& part) {
  std::string text(unit_name(part.unit));
  if (part.beside) text += ", beside the layer before";
  text += part.tile == part.output ? ": all at once, " + shape_text(part.tile) : ": tiles of " + shape_text(part.tile) + " in " + shape_text(part.output);
  for (const std::string& loop : part.loops) text += (&loop == &part.loops.front() ? "; loops over " : ", then ") + loop;
  for (const std::string& what : part.resident) text += (&what == &part.resident.front() ? "; loaded once: " : ", ") + what;
  return text;
}

// What report.js needs beside what it reads in the page.
std::string page_data(const RunResult& result, const Machine& machine) {
  using Json = nlohmann::ordered_json;
  Json data = {{"cycles", result.cycles}, {"clock_hz", result.clock_mhz * 1e6}, {"bus", machine.bus_bytes}};
  data["units"] = data["causes"] = data["group_of"] = data["classes"] = data["layers"] = Json::array();
  for (int unit = 0; unit < UnitCount; ++unit) data["units"].push_back(unit_name(unit));
  for (int cause = 0; cause < CauseCount; ++cause) {
    data["causes"].push_back(cause_name(cause));
    data["group_of"].push_back(static_cast<int>(group_of(cause)));
  }
  for (int group = 0; group < GroupCount; ++group) data["classes"].push_back(group_class(group));
  for (const auto& [name, group] : {std::pair("busy", Group::Busy), std::pair("wait_request", Group::Request), std::pair("wait_data", Group::Data),
                                    std::pair("wait_write", Group::Write)}) {
    data[name] = static_cast<int>(group);
  }
  data["opcodes"] = Json::object();
  for (const TraceEvent& event : result.trace) {
    const isa::OpcodeInfo* const info = isa::find(static_cast<isa::Opcode>(event.opcode));
    if (info != nullptr) data["opcodes"][std::to_string(event.opcode)] = info->name;
  }
  for (const LayerResult& layer : result.layers) {
    Json about = Json::array();
    std::string shapes = layer.op + ": ";
    for (std::size_t i = 0; i < layer.inputs.size(); ++i) shapes += (i > 0 ? " and " : "") + shape_text(layer.inputs[i]);
    shapes += " to " + shape_text(layer.output);
    if (layer.kernel != std::array<int, 2>{1, 1}) shapes += ", kernel " + shape_text(layer.kernel);
    if (layer.stride != std::array<int, 2>{1, 1}) shapes += ", stride " + shape_text(layer.stride);
    if (layer.groups > 1) shapes += ", " + std::to_string(layer.groups) + " groups";
    if (layer.weight_bytes > 0) shapes += ", " + bytes_text(layer.weight_bytes) + " of weights";
    about.push_back(shapes);
    if (const std::string text = zero_tiles_text(layer.weight_tiles); !text.empty()) about.push_back("zero tiles: " + text);
    for (const LayerMapping& part : layer.mapping) about.push_back(mapping_text(part));
    if (!layer.fused_into.empty()) about.push_back("computed with " + layer.fused_into);
    if (has_time(layer)) {
      about.push_back("cycles " + with_commas(layer.first_cycle) + " to " + with_commas(layer.last_cycle) +
                      "; predicted: " + with_commas(layer.predicted_cycles));
    }
    data["layers"].push_back({{"name", layer.name}, {"about", about}, {"first", layer.first_cycle}, {"last", layer.last_cycle},
                              {"units", is_attributed(layer) ? Json(layer.counters) : Json()}});
  }
  return data.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void run_table(std::ostream& out, const RunResult& result) {
  out << "<h2>The run</h2>\n" << scroll("the run") << "<table>\n";
  const auto row = [&](const std::string& key, const std::string& value) {
    out << "<tr><th scope=\"row\" class=\"left\">" << markup_escape(key) << "</th><td class=\"why\">" << markup_escape(value) << "</td></tr>\n";
  };
  row("instructions", with_commas(result.instructions) + " (" + bytes_text(result.fetch_bytes) + " fetched" +
                          bursts_text(result.fetch_bursts) + ")");
  if (const std::string text = zero_tiles_text(all_weight_tiles(result)); !text.empty()) row("zero tiles", text);
  if (const std::string text = host_text(result); !text.empty()) row("on the host", text);
  row("compile", seconds_text(result.compile_seconds));
  if (result.build_rtl_seconds > 0) row("build RTL", seconds_text(result.build_rtl_seconds));
  row("simulate", seconds_text(result.simulate_seconds));
  if (result.golden_seconds > 0) row("golden", seconds_text(result.golden_seconds));
  if (result.peak_memory_mib > 0) row("peak memory", fixed(result.peak_memory_mib, 0) + " MiB");
  for (const auto& [key, value] : result.settings) row(key, value);
  row("Gemel", result.version + (result.commit.empty() ? "" : ", commit " + result.commit));
  for (const auto& [key, value] : {std::pair("machine digest", &result.machine_digest), std::pair("network digest", &result.network_digest),
                                   std::pair("program digest", &result.program_digest)}) {
    if (!value->empty()) row(key, *value);
  }
  out << "</table></div>\n";
}

}  // namespace

std::string report_html(const RunResult& result, const Machine& machine) {
  std::ostringstream out;
  begin_page(out, result.network + " on " + result.machine);
  out << "<p class=\"soft\">" << result.rows << " x " << result.columns << " array, " << fixed(result.clock_mhz, 0)
      << " MHz, batch " << result.batch << ", engine " << markup_escape(result.engine)
      << (result.timing_only ? ", timing only (no data)" : "") << ". Gemel " << markup_escape(result.version) << ".</p>\n";
  sentence(out, result);
  out << "<!-- advice -->\n";  // where python/gemel/_advise.py puts it
  tiles(out, result);
  where(out, result);
  losing(out, result, machine);
  timeline(out, result);
  layer_table(out, result, machine);
  roofline(out, result, machine);
  run_table(out, result);
  end_page(out, page_data(result, machine), {report_js});
  return out.str();
}

}  // namespace gemel
