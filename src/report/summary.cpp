// SPDX-License-Identifier: Apache-2.0
// The summary on stdout, and the folder of results; see report.hpp.
#include <algorithm>
#include <filesystem>
#include <ostream>
#include <sstream>

#include "base/error.hpp"
#include "base/files.hpp"
#include "report/report.hpp"
#include "report/table.hpp"
#include "report/text.hpp"

namespace gemel {
namespace {

void print_layers(std::ostream& out, const RunResult& result, const Machine& machine) {
  Table table({"layer", "op", "cycles", "array cycles", "MACs", "use", "load", "store", "why below 70 %"},
              {true, true, false, false, false, false, false, false, true});
  for (std::size_t i = 0; i < result.layers.size(); ++i) {
    const LayerResult& layer = result.layers[i];
    const LayerFigures figures = layer_figures(layer, machine);
    if (figures.span_cycles == 0) {
      table.add({shortened(layer.name), layer.op, "-", "-", "-", "-", "-", "-", bottleneck(result, i, machine)});
      continue;
    }
    const bool well_used = figures.utilization && *figures.utilization >= WellUsed;
    table.add({shortened(layer.name), layer.op, with_commas(figures.span_cycles),
               is_attributed(layer) ? with_commas(figures.matrix_cycles) : "-",
               layer.macs > 0 ? count_text(static_cast<double>(layer.macs)) : "-",
               figures.utilization ? percent(*figures.utilization) : "-", bytes_text(layer.load_bytes),
               bytes_text(layer.store_bytes), well_used ? "" : bottleneck(result, i, machine)});
  }
  table.print(out);
  out << "  cycles: from a layer's first instruction to the end of its last (layers overlap). array cycles: those of\n"
         "  matrix_unit that belong to the layer, waiting included (they add up to the run). use: of the array's MAC slots.\n";
}

void print_where(std::ostream& out, const RunResult& result) {
  out << "\nwhere the " << with_commas(result.cycles) << " cycles went\n";
  std::vector<Group> groups;
  for (int g = 0; g < GroupCount; ++g) {
    const bool seen = std::any_of(result.counters.begin(), result.counters.end(),
                                  [&](const auto& causes) { return grouped(causes)[g] != 0; });
    if (seen) groups.push_back(static_cast<Group>(g));
  }
  std::vector<std::string> head = {"unit"};
  std::vector<bool> left = {true};
  for (const Group group : groups) {
    head.emplace_back(group_name(group));
    left.push_back(false);
  }
  Table table(head, left);
  for (int unit = 0; unit < UnitCount; ++unit) {
    std::vector<std::string> row = {std::string(unit_name(unit))};
    const auto cycles = grouped(result.counters[unit]);
    for (const Group group : groups) {
      const double share = result.cycles > 0 ? static_cast<double>(cycles[static_cast<int>(group)]) /
                                                   static_cast<double>(result.cycles)
                                             : 0.0;
      row.push_back(percent(share));
    }
    table.add(std::move(row));
  }
  table.print(out);
}

// How the layers compared with golden, in one sentence.
std::string comparison_text(const RunResult& result) {
  std::int64_t equal = 0, compared = 0;
  for (const LayerResult& layer : result.layers) {
    equal += layer.compared == "equal";
    compared += layer.compared != "fused" && layer.compared != "view" && layer.compared != "host";
  }
  if (equal == 0) return "not compared with golden";
  if (equal == compared) return "every layer equal to golden (" + std::to_string(equal) + " compared)";
  return std::to_string(equal) + " of " + std::to_string(compared) + " layers equal to golden, the others not compared";
}

}  // namespace

std::string summary_text(const Result& result, const Machine& machine) {
  std::ostringstream out;
  out << result.network << " on " << result.machine << " (" << result.rows << "x" << result.columns << ", "
      << fixed(result.clock_mhz, 0) << " MHz), batch " << result.batch;
  if (result.rounds > 1) out << ", " << with_commas(result.rounds) << " times";
  out << ", engine " << result.engine
      << (result.timing_only ? ", timing only" : "") << "\n\n";
  print_layers(out, result, machine);
  print_where(out, result);

  const double seconds = static_cast<double>(result.cycles) / (result.clock_mhz * 1e6);
  const double simulated = result.simulate_seconds;
  Table total({}, {true, true});
  out << "\ntotals\n";
  total.add({"cycles", with_commas(result.cycles) + " (" + seconds_text(seconds) + " at " + fixed(result.clock_mhz, 0) + " MHz)"});
  total.add({"MACs", with_commas(result.macs)});
  total.add({"utilization", percent(result.utilization()) + " of the array's MAC slots"});
  total.add({"loaded", bytes_text(result.load_bytes) + " in " + with_commas(result.load_bursts) + " bursts"});
  total.add({"stored", bytes_text(result.store_bytes) + " in " + with_commas(result.store_bursts) + " bursts"});
  total.add({"instructions", with_commas(result.instructions) + " (" + bytes_text(result.fetch_bytes) + ")"});
  if (const std::string text = zero_tiles_text(all_weight_tiles(result)); !text.empty()) total.add({"zero tiles", text});
  if (const std::string text = host_text(result); !text.empty()) total.add({"on the host", text});
  total.add({"result", comparison_text(result)});
  if (result.accuracy >= 0) {
    std::string text = percent(result.accuracy, 2) + " of " + with_commas(result.images) + " images (int8)";
    if (result.float_accuracy >= 0) text += ", " + percent(result.float_accuracy, 2) + " in float";
    total.add({"accuracy", text});
  }
  std::string host = "compile " + seconds_text(result.compile_seconds);
  if (result.build_rtl_seconds > 0) host += ", RTL built in " + seconds_text(result.build_rtl_seconds);
  host += ", simulate " + seconds_text(simulated);
  if (result.golden_seconds > 0) host += ", golden " + seconds_text(result.golden_seconds);
  if (simulated > 0) {
    host += " (" + count_text(static_cast<double>(result.macs) / simulated) + "MAC/s, " +
            count_text(static_cast<double>(result.cycles) / simulated) + "cycles/s)";
  }
  if (result.peak_memory_mib > 0) host += ", " + fixed(result.peak_memory_mib, 0) + " MiB";
  total.add({"host", host});
  total.print(out);
  return out.str();
}

void prepare_reports(const std::string& folder, bool trace) {
  make_output_folder(folder);
  for (const char* name : {"result.json", "report.html", "trace.json"}) {
    if (trace || std::string(name) != "trace.json") require_writable((std::filesystem::path(folder) / name).string());
  }
}

std::vector<std::string> write_reports(const std::string& folder, const RunResult& result, const Machine& machine) {
  prepare_reports(folder, !result.trace.empty());
  const auto in_folder = [&](const char* name) { return (std::filesystem::path(folder) / name).string(); };
  std::vector<std::string> written;
  const auto write = [&](const char* name, const std::string& text) {
    write_file_atomically(in_folder(name), text);
    written.push_back(in_folder(name));
  };
  write("result.json", result_json(result, machine));
  write("report.html", report_html(result, machine));
  if (result.trace.empty()) {
    std::error_code ignored;  // usually there is none
    std::filesystem::remove(in_folder("trace.json"), ignored);
  } else {
    write("trace.json", trace_json(result));
  }
  return written;
}

}  // namespace gemel
