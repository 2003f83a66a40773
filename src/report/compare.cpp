// SPDX-License-Identifier: Apache-2.0
// Two runs beside each other, from their result.json; see gemel/report.hpp.
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

void print_head(std::ostream& out, const json& a, const json& b) {
  const auto named = [](const json& run) {
    return run.at("network").get<std::string>() + " on " + run.at("machine").at("name").get<std::string>() + ", batch " + shown(run.at("batch"));
  };
  const auto cycles_a = a.at("cycles").get<std::int64_t>(), cycles_b = b.at("cycles").get<std::int64_t>();
  out << "A  " << named(a) << ": " << with_commas(cycles_a) << " cycles\nB  " << named(b) << ": " << with_commas(cycles_b) << " cycles, ";
  if (cycles_a == cycles_b) {
    out << "as many\n";
  } else {
    const double ratio = static_cast<double>(cycles_a) / static_cast<double>(std::max<std::int64_t>(cycles_b, 1));
    out << change(static_cast<double>(cycles_a), static_cast<double>(cycles_b)) << ": " << fixed(ratio, 3) << " times as fast\n";
  }
  if (a.at("network_digest") != b.at("network_digest")) out << "The networks differ, or their batch.\n";
  for (const char* field : {"version", "engine"}) {
    if (a.at(field) != b.at(field)) out << "They differ in " << field << ": " << shown(a.at(field)) << ", " << shown(b.at(field)) << ".\n";
  }
}

void print_machines(std::ostream& out, const json& a, const json& b) {
  const json &p = a.at("machine").at("parameters"), &q = b.at("machine").at("parameters");
  Table table({"parameter", "A", "B"}, {true, false, false});
  bool any = false;
  const auto add = [&](const std::string& key) {
    const bool here = p.contains(key), there = q.contains(key);
    if (key == "description" || (here && there && p[key] == q[key])) return;
    table.add({key, here ? shown(p[key]) : "-", there ? shown(q[key]) : "-"});
    any = true;
  };
  for (const auto& [key, value] : p.items()) add(key);
  for (const auto& [key, value] : q.items()) {
    if (!p.contains(key)) add(key);
  }
  out << "\nmachines\n";
  if (any) {
    table.print(out);
  } else {
    out << "  equal in every parameter\n";
  }
}

void print_totals(std::ostream& out, const json& a, const json& b) {
  out << "\ntotals\n";
  Table table({"", "A", "B", "change"}, {true, false, false, false});
  const auto add = [&](const char* name, const char* key, std::string (*text)(double)) {
    const json &x = a.at(key), &y = b.at(key);
    if (x.is_null() || y.is_null()) return;
    table.add({name, text(x.get<double>()), text(y.get<double>()), change(x.get<double>(), y.get<double>())});
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
  table.print(out);
}

// Cycles of a unit by group of causes.
std::array<double, GroupCount> shares(const json& run, std::string_view unit) {
  std::array<double, GroupCount> found{};
  const double cycles = std::max(1.0, run.at("cycles").get<double>());
  const json& causes = run.at("units").at(std::string(unit));
  for (int cause = 0; cause < CauseCount; ++cause) {
    found[static_cast<std::size_t>(group_of(cause))] += causes.at(std::string(cause_name(cause))).get<double>() / cycles;
  }
  return found;
}

void print_units(std::ostream& out, const json& a, const json& b) {
  out << "\nwhere the cycles went, in shares of each run's own; what changed by a point or more\n";
  Table table({"unit", "", "A", "B"}, {true, true, false, false});
  bool any = false;
  for (int unit = 0; unit < UnitCount; ++unit) {
    const auto x = shares(a, unit_name(unit)), y = shares(b, unit_name(unit));
    for (std::size_t g = 0; g < x.size(); ++g) {
      if (std::abs(x[g] - y[g]) < LeastPoints) continue;
      table.add({std::string(unit_name(unit)), std::string(group_name(static_cast<Group>(g))), percent(x[g]), percent(y[g])});
      any = true;
    }
  }
  if (any) {
    table.print(out);
  } else {
    out << "  nothing\n";
  }
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
  print_head(out, a, b);
  print_machines(out, a, b);
  print_totals(out, a, b);
  print_units(out, a, b);
  print_layers(out, a, b, all_layers);
  return out.str();
}

}  // namespace

std::string compare_results(const std::string& a, const std::string& b, bool all_layers) {
  const Run first = read_run(a), second = read_run(b);
  // Each beside itself first: what is missing, or of another type, is told with the file in which it is so.
  for (const Run* run : {&first, &second}) {
    try {
      print_all(run->fields, run->fields, true);
    } catch (const json::exception& error) {
      throw no_result(run->path, std::string("is no whole result of a run: ") + error.what());
    }
  }
  return print_all(first.fields, second.fields, all_layers);
}

}  // namespace gemel
