// SPDX-License-Identifier: Apache-2.0
// Two runs beside each other, from their result.json, as text and as a page; see gemel/report.hpp. What stands in both is found once.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <system_error>

#include "base/error.hpp"
#include "base/markup.hpp"
#include "report/page.hpp"
#include "report/report.hpp"
#include "report/table.hpp"
#include "report/text.hpp"

namespace gemel {
namespace {

using nlohmann::json;

constexpr int ResultVersion = 2;
constexpr std::uintmax_t MostBytes = std::uintmax_t{1} << 30;
constexpr std::size_t MostLayers = 10;
constexpr double LeastPoints = 0.01;  // share of the cycles by which a cause must have changed to be listed

UserError no_result(const std::string& path, const std::string& why) {
  return UserError("E0918", path + ": " + why, "`gemel run ... --out FOLDER` writes result.json there; name the folder or the file");
}

struct Run {
  std::string path;
  json fields;
};

Run read_run(const std::string& given) {
  namespace fs = std::filesystem;
  std::error_code error;
  const std::string path = fs::is_directory(given, error) ? (fs::path(given) / "result.json").string() : given;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) throw no_result(path, "cannot be read: " + error.message());
  if (size > MostBytes) throw no_result(path, "is larger than 1 GiB");
  std::ifstream in(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (!in) throw no_result(path, "cannot be read");
  Run run{path, json::parse(text, nullptr, false)};
  if (run.fields.is_discarded()) throw no_result(path, "is no JSON");
  const json* version = run.fields.is_object() && run.fields.contains("gemel_result") ? &run.fields["gemel_result"] : nullptr;
  if (version == nullptr || !version->is_number_integer()) throw no_result(path, "is no result of a run: it has no number `gemel_result`");
  if (*version != ResultVersion) {
    throw no_result(path, "has form " + version->dump() + " of results, and this Gemel reads form " + std::to_string(ResultVersion));
  }
  return run;
}

std::string shown(const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::string change(double before, double after) {
  if (before == after) return "the same";
  if (before == 0) return "-";
  const double percents = 100 * (after - before) / before;
  return (percents > 0 ? "+" : "") + fixed(percents, std::abs(percents) < 1 ? 2 : 1) + " %";
}

std::string signed_count(std::int64_t value) { return (value > 0 ? "+" : "") + with_commas(value); }

std::string named(const json& run) {
  return run.at("network").get<std::string>() + " on " + run.at("machine").at("name").get<std::string>() + ", batch " + shown(run.at("batch"));
}
std::int64_t cycles_of(const json& run) { return run.at("cycles").get<std::int64_t>(); }

// "+3.0 %: 0.971 times as fast", or "as many".
std::string speed_text(const json& a, const json& b) {
  const std::int64_t before = cycles_of(a), after = cycles_of(b);
  if (before == after) return "as many";
  return change(static_cast<double>(before), static_cast<double>(after)) + ": " +
         fixed(static_cast<double>(before) / static_cast<double>(std::max<std::int64_t>(after, 1)), 3) + " times as fast";
}

// Sentences on what makes the runs hard to compare.
std::vector<std::string> warnings(const json& a, const json& b) {
  std::vector<std::string> found;
  if (a.at("network_digest") != b.at("network_digest")) found.emplace_back("The networks differ, or their batch.");
  for (const char* field : {"version", "engine"}) {
    if (a.at(field) != b.at(field)) found.push_back(std::string("They differ in ") + field + ": " + shown(a.at(field)) + ", " + shown(b.at(field)) + ".");
  }
  return found;
}

using Row = std::vector<std::string>;

// Parameter, in A, in B: those that differ.
std::vector<Row> machine_rows(const json& a, const json& b) {
  const json &p = a.at("machine").at("parameters"), &q = b.at("machine").at("parameters");
  std::vector<Row> rows;
  const auto add = [&](const std::string& key) {
    const bool here = p.contains(key), there = q.contains(key);
    if (key == "description" || (here && there && p[key] == q[key])) return;
    rows.push_back({key, here ? shown(p[key]) : "-", there ? shown(q[key]) : "-"});
  };
  for (const auto& [key, value] : p.items()) add(key);
  for (const auto& [key, value] : q.items()) {
    if (!p.contains(key)) add(key);
  }
  return rows;
}

// What, in A, in B, its change.
std::vector<Row> total_rows(const json& a, const json& b) {
  std::vector<Row> rows;
  const auto add = [&](const char* name, const char* key, std::string (*text)(double)) {
    const json &x = a.at(key), &y = b.at(key);
    if (x.is_null() || y.is_null()) return;
    rows.push_back({name, text(x.get<double>()), text(y.get<double>()), change(x.get<double>(), y.get<double>())});
  };
  const auto whole = [](double v) { return with_commas(static_cast<std::int64_t>(v)); };
  const auto bytes = [](double v) { return bytes_text(static_cast<std::int64_t>(v)); };
  add("cycles", "cycles", whole);
  add("time at the clock", "seconds_at_clock", [](double v) { return seconds_text(v); });
  add("MACs", "macs", whole);
  add("utilization", "utilization", [](double v) { return percent(v); });
  add("loaded", "load_bytes", bytes);
  add("stored", "store_bytes", bytes);
  add("bursts loaded", "load_bursts", whole);
  add("bursts stored", "store_bursts", whole);
  add("instructions", "instructions", whole);
  add("accuracy", "accuracy", [](double v) { return percent(v, 2); });
  return rows;
}

std::array<std::int64_t, CauseCount> causes_of(const json& run, std::string_view unit) {
  const json& causes = run.at("units").at(std::string(unit));
  std::array<std::int64_t, CauseCount> found{};
  for (int cause = 0; cause < CauseCount; ++cause) found[static_cast<std::size_t>(cause)] = causes.at(std::string(cause_name(cause))).get<std::int64_t>();
  return found;
}

// Unit, group of causes, its share in A, in B: those that changed.
std::vector<Row> unit_rows(const json& a, const json& b) {
  std::vector<Row> rows;
  for (int unit = 0; unit < UnitCount; ++unit) {
    const auto x = grouped(causes_of(a, unit_name(unit))), y = grouped(causes_of(b, unit_name(unit)));
    for (std::size_t g = 0; g < x.size(); ++g) {
      const double before = share_of(x[g], cycles_of(a)), after = share_of(y[g], cycles_of(b));
      if (std::abs(before - after) < LeastPoints) continue;
      rows.push_back({std::string(unit_name(unit)), std::string(group_name(static_cast<Group>(g))), percent(before), percent(after)});
    }
  }
  return rows;
}

struct Layer {
  std::string name, op, bottleneck;
  std::optional<std::int64_t> a, b;
  std::int64_t changed() const { return a && b ? *b - *a : 0; }
};

// The matrix unit's cycles that belong to each layer: they add up to the run. Layers of both runs in their order, then those that only B has.
std::vector<Layer> layers_of(const json& a, const json& b) {
  std::vector<Layer> found;
  std::map<std::string, std::size_t> index;
  const auto cycles = [](const json& layer) -> std::optional<std::int64_t> {
    return layer.at("matrix_cycles").is_null() ? std::nullopt : std::optional(layer.at("matrix_cycles").get<std::int64_t>());
  };
  for (const json& layer : a.at("layers")) {
    index[layer.at("name").get<std::string>()] = found.size();
    found.push_back({layer.at("name").get<std::string>(), layer.at("op").get<std::string>(), {}, cycles(layer), std::nullopt});
  }
  for (const json& layer : b.at("layers")) {
    const auto name = layer.at("name").get<std::string>();
    auto at = index.find(name);
    if (at == index.end()) {
      at = index.emplace(name, found.size()).first;
      found.push_back({name, layer.at("op").get<std::string>(), {}, std::nullopt, std::nullopt});
    }
    found[at->second].b = cycles(layer);
    found[at->second].bottleneck = shown(layer.at("bottleneck"));
  }
  return found;
}

void print_rows(std::ostream& out, const Row& head, const std::vector<bool>& left, const std::vector<Row>& rows, const char* none) {
  if (rows.empty()) {
    out << none;
    return;
  }
  Table table(head, left);
  for (const Row& row : rows) table.add(row);
  table.print(out);
}

void print_layers(std::ostream& out, const json& a, const json& b, bool all) {
  std::vector<Layer> layers = layers_of(a, b);
  const std::size_t only_one = static_cast<std::size_t>(
      std::count_if(layers.begin(), layers.end(), [](const Layer& l) { return l.a.has_value() != l.b.has_value(); }));
  if (!all) {
    layers.erase(std::remove_if(layers.begin(), layers.end(), [](const Layer& l) { return l.changed() == 0; }), layers.end());
    std::stable_sort(layers.begin(), layers.end(), [](const Layer& x, const Layer& y) { return std::abs(x.changed()) > std::abs(y.changed()); });
  }
  const std::size_t changed = layers.size();
  if (!all && layers.size() > MostLayers) layers.resize(MostLayers);
  out << (all ? "\nlayers\n" : "\nlayers that changed most\n");
  if (layers.empty()) {
    out << "  none changed\n";
  } else {
    Table table({"layer", "op", "A", "B", "change", "", "bound in B"}, {true, true, false, false, false, false, true});
    for (const Layer& l : layers) {
      const bool both = l.a && l.b;
      table.add({shortened(l.name), l.op, l.a ? with_commas(*l.a) : "-", l.b ? with_commas(*l.b) : "-", both ? signed_count(l.changed()) : "-",
                 both ? change(static_cast<double>(*l.a), static_cast<double>(*l.b)) : "-", l.bottleneck});
    }
    table.print(out);
    out << "  cycles of the matrix unit that belong to the layer, waiting included: they add up to the run.\n";
  }
  if (!all && changed > layers.size()) out << "  " << changed - layers.size() << " more layers changed; --all lists every layer.\n";
  if (!all && only_one > 0) out << "  " << only_one << (only_one == 1 ? " layer has" : " layers have") << " cycles in one of the runs only.\n";
}

std::string print_all(const json& a, const json& b, bool all_layers) {
  std::ostringstream out;
  out << "A  " << named(a) << ": " << with_commas(cycles_of(a)) << " cycles\nB  " << named(b) << ": " << with_commas(cycles_of(b)) << " cycles, "
      << speed_text(a, b) << "\n";
  for (const std::string& warning : warnings(a, b)) out << warning << "\n";
  out << "\nmachines\n";
  print_rows(out, {"parameter", "A", "B"}, {true, false, false}, machine_rows(a, b), "  equal in every parameter\n");
  out << "\ntotals\n";
  print_rows(out, {"", "A", "B", "change"}, {true, false, false, false}, total_rows(a, b), "");
  out << "\nwhere the cycles went, in shares of each run's own; what changed by a point or more\n";
  print_rows(out, {"unit", "", "A", "B"}, {true, true, false, false}, unit_rows(a, b), "  nothing\n");
  print_layers(out, a, b, all_layers);
  return out.str();
}

// ---- the page

void page_table(std::ostream& out, const std::string& label, const Row& head, std::size_t texts, const std::vector<Row>& rows) {
  out << scroll(label) << "<table>\n<thead><tr>";
  for (std::size_t c = 0; c < head.size(); ++c) out << "<th scope=\"col\"" << (c < texts ? " class=\"left\">" : ">") << markup_escape(head[c]) << "</th>";
  out << "</tr></thead>\n<tbody>\n";
  for (const Row& row : rows) {
    out << "<tr>";
    for (std::size_t c = 0; c < row.size(); ++c) {
      out << (c == 0 ? "<th scope=\"row\" class=\"left\">" : c < texts ? "<td class=\"left\">" : "<td>") << markup_escape(row[c])
          << (c == 0 ? "</th>" : "</td>");
    }
    out << "</tr>\n";
  }
  out << "</tbody></table></div>\n";
}

// Bars as long as the runs, so that what became shorter is seen.
void page_units(std::ostream& out, const json& a, const json& b) {
  const double longest = static_cast<double>(std::max<std::int64_t>({cycles_of(a), cycles_of(b), 1}));
  UnitCounters first{}, second{};
  for (int unit = 0; unit < UnitCount; ++unit) {
    first[static_cast<std::size_t>(unit)] = causes_of(a, unit_name(unit));
    second[static_cast<std::size_t>(unit)] = causes_of(b, unit_name(unit));
  }
  out << "<h2>Where the cycles went</h2>\n<p class=\"soft\">Each unit, each cycle: the first that is true. The bars are as long as the runs.</p>\n";
  add_group_legend(out, {&first, &second});
  out << "<div class=\"bars\">\n";
  for (int unit = 0; unit < UnitCount; ++unit) {
    for (const auto& [name, run, counters] : {std::tuple("A", &a, &first), std::tuple("B", &b, &second)}) {
      const std::string title = std::string(unit_name(unit)) + ", " + name;
      add_bar_row(out, title, group_bar(title, (*counters)[static_cast<std::size_t>(unit)], static_cast<double>(cycles_of(*run)) / longest));
    }
  }
  out << "</div>\n";
  std::vector<Row> rows;
  for (int unit = 0; unit < UnitCount; ++unit) {
    const auto x = grouped(first[static_cast<std::size_t>(unit)]), y = grouped(second[static_cast<std::size_t>(unit)]);
    for (std::size_t g = 0; g < x.size(); ++g) {
      if (x[g] == 0 && y[g] == 0) continue;
      rows.push_back({std::string(unit_name(unit)), std::string(group_name(static_cast<Group>(g))), with_commas(x[g]), with_commas(y[g]),
                      signed_count(y[g] - x[g])});
    }
  }
  out << "<details><summary>The same in cycles</summary>";
  page_table(out, "cycles by cause", {"unit", "cause", "A", "B", "change"}, 2, rows);
  out << "</details>\n";
}

void page_layers(std::ostream& out, const json& a, const json& b) {
  std::vector<Layer> layers = layers_of(a, b);
  std::stable_sort(layers.begin(), layers.end(), [](const Layer& x, const Layer& y) { return std::abs(x.changed()) > std::abs(y.changed()); });
  const double most = static_cast<double>(std::max<std::int64_t>(layers.empty() ? 1 : std::abs(layers.front().changed()), 1));
  out << "<h2>Layers</h2>\n<p class=\"soft\">Cycles of the matrix unit that belong to the layer, waiting included: they add up to the run. Those that changed "
         "most come first.</p>\n"
      << scroll("layers") << "<table id=\"layers\" class=\"sortable\">\n<thead><tr>";
  for (const char* text : {"layer", "op"}) out << table_head(text, Column::SortedText);
  for (const char* text : {"A", "B", "change", "share"}) out << table_head(text, Column::SortedNumber);
  out << table_head("faster | slower", Column::Text) << table_head("bound in B", Column::SortedText) << "</tr></thead>\n<tbody>\n";
  const auto count = [](const std::optional<std::int64_t>& value) {
    return value ? sorted_cell(static_cast<double>(*value), with_commas(*value)) : sorted_cell(nullptr, "-");
  };
  for (const Layer& l : layers) {
    const bool both = l.a && l.b;
    const double half = 50.0 * static_cast<double>(std::abs(l.changed())) / most;
    out << "<tr><td class=\"left\">" << markup_escape(l.name) << "</td><td class=\"left\">" << markup_escape(l.op) << "</td>" << count(l.a) << count(l.b)
        << (both ? sorted_cell(static_cast<double>(l.changed()), signed_count(l.changed())) : sorted_cell(nullptr, "-"))
        << (both && *l.a > 0
                ? sorted_cell(static_cast<double>(l.changed()) / static_cast<double>(*l.a), change(static_cast<double>(*l.a), static_cast<double>(*l.b)))
                : sorted_cell(nullptr, both && l.changed() == 0 ? "the same" : "-"))
        << "<td class=\"left\"><span class=\"bar change\">";
    if (l.changed() != 0) {
      out << "<i class=\"" << (l.changed() < 0 ? "faster" : "slower") << "\" style=\"left:" << fixed(l.changed() < 0 ? 50 - half : 50, 2)
          << "%;width:" << fixed(half, 2) << "%\"></i>";
    }
    out << "</span></td><td class=\"why\">" << markup_escape(l.bottleneck) << "</td></tr>\n";
  }
  out << "</tbody></table></div>\n";
}

std::string page_of(const json& a, const json& b) {
  std::ostringstream out;
  begin_page(out, "A: " + named(a) + "; B: " + named(b));
  const auto time = [](const json& run) { return seconds_text(run.at("seconds_at_clock").get<double>()); };
  out << "<p><b>B takes " << time(b) << ", A " << time(a) << ".</b> In cycles: " << markup_escape(speed_text(a, b)) << ".";
  for (const std::string& warning : warnings(a, b)) out << " " << markup_escape(warning);
  out << "</p>\n<div class=\"tiles\">\n";
  add_tile(out, with_commas(cycles_of(a)), "cycles of A");
  add_tile(out, with_commas(cycles_of(b)), "cycles of B");
  add_tile(out, signed_count(cycles_of(b) - cycles_of(a)), "cycles from A to B");
  for (const auto& [name, run] : {std::pair("A", &a), std::pair("B", &b)}) {
    add_tile(out, percent(run->at("utilization").get<double>()), std::string("of the array's MAC slots used by ") + name);
  }
  out << "</div>\n<h2>Machines</h2>\n";
  if (const auto rows = machine_rows(a, b); rows.empty()) {
    out << "<p>Equal in every parameter.</p>\n";
  } else {
    page_table(out, "machines", {"parameter", "A", "B"}, 1, rows);
  }
  out << "<h2>Totals</h2>\n";
  page_table(out, "totals", {"total", "A", "B", "change"}, 1, total_rows(a, b));
  page_units(out, a, b);
  page_layers(out, a, b);
  out << "<h2>The runs</h2>\n";
  std::vector<Row> rows;
  for (const char* key : {"version", "commit", "engine", "network_digest", "program_digest"}) rows.push_back({key, shown(a.at(key)), shown(b.at(key))});
  rows.push_back({"machine digest", shown(a.at("machine").at("digest")), shown(b.at("machine").at("digest"))});
  std::map<std::string, std::pair<std::string, std::string>> settings;
  for (const auto& [key, value] : a.at("settings").items()) settings[key].first = shown(value);
  for (const auto& [key, value] : b.at("settings").items()) settings[key].second = shown(value);
  for (const auto& [key, values] : settings) rows.push_back({key, values.first, values.second});
  page_table(out, "the runs", {"of the run", "A", "B"}, 3, rows);
  end_page(out, "", {});
  return out.str();
}

// Each beside itself first: what is missing, or of another type, is told with the file in which it is so.
template <typename Show>
std::string shown_together(const std::string& a, const std::string& b, const Show& show) {
  const Run first = read_run(a), second = read_run(b);
  for (const Run* run : {&first, &second}) {
    try {
      show(run->fields, run->fields);
    } catch (const json::exception& error) {
      throw no_result(run->path, std::string("is no whole result of a run: ") + error.what());
    }
  }
  return show(first.fields, second.fields);
}

}  // namespace

std::string compare_results(const std::string& a, const std::string& b, bool all_layers) {
  return shown_together(a, b, [all_layers](const json& x, const json& y) { return print_all(x, y, all_layers); });
}

std::string comparison_html(const std::string& a, const std::string& b) { return shown_together(a, b, page_of); }

std::string comparison_html(const Result& a, const Machine& machine_a, const Result& b, const Machine& machine_b) {
  return page_of(json::parse(result_json(a, machine_a)), json::parse(result_json(b, machine_b)));
}

}  // namespace gemel
