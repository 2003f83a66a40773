// SPDX-License-Identifier: Apache-2.0
// result.json; see report.hpp. Its form is published: docs/reference/result.schema.json.
#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "config/parameters.hpp"
#include "report/report.hpp"

namespace gemel {
namespace {

using Json = nlohmann::ordered_json;
constexpr int FormatVersion = 2;

// {"load_dma": {"busy": 12, ...}, ...}
Json counters_json(const UnitCounters& counters) {
  Json units = Json::object();
  for (int unit = 0; unit < UnitCount; ++unit) {
    Json& causes = units[std::string(unit_name(unit))] = Json::object();
    for (int cause = 0; cause < CauseCount; ++cause) causes[std::string(cause_name(cause))] = counters[unit][cause];
  }
  return units;
}

Json mapping_json(const LayerMapping& part) {
  Json json;
  json["unit"] = unit_name(part.unit);
  json["beside"] = part.beside;
  json["first_channel"] = part.first_channel;
  json["channels"] = part.channels;
  json["output"] = part.output;
  json["tile"] = part.tile;
  json["reduction"] = part.accumulated_channels > 0 ? Json(part.reduction) : Json(nullptr);
  json["accumulated_channels"] = part.accumulated_channels > 0 ? Json(part.accumulated_channels) : Json(nullptr);
  json["loops"] = part.loops;
  json["resident"] = part.resident;
  return json;
}

Json layer_json(const RunResult& result, std::size_t index, const Machine& machine) {
  const LayerResult& layer = result.layers[index];
  const LayerFigures figures = layer_figures(layer, machine);
  Json json;
  json["name"] = layer.name;
  json["op"] = layer.op;
  json["fused_into"] = layer.fused_into.empty() ? Json(nullptr) : Json(layer.fused_into);
  json["compared"] = layer.compared;
  json["inputs"] = layer.inputs;
  json["output"] = layer.output;
  json["kernel"] = layer.kernel;
  json["stride"] = layer.stride;
  json["dilation"] = layer.dilation;
  json["padding"] = layer.padding;
  json["groups"] = layer.groups;
  json["weight_bytes"] = layer.weight_bytes;
  json["weight_tiles"] = {{"count", layer.weight_tiles.count}, {"zero", layer.weight_tiles.zero}, {"left_out", layer.weight_tiles.left_out}};
  json["macs"] = layer.macs;
  json["mapping"] = Json::array();
  for (const LayerMapping& part : layer.mapping) json["mapping"].push_back(mapping_json(part));
  const bool known = result.layers_note.empty();
  const bool placed = layer.first_cycle >= 0;
  json["first_cycle"] = placed ? Json(layer.first_cycle) : Json(nullptr);
  json["last_cycle"] = placed ? Json(layer.last_cycle) : Json(nullptr);
  json["span_cycles"] = known || placed ? Json(figures.span_cycles) : Json(nullptr);
  json["matrix_cycles"] = known ? Json(figures.matrix_cycles) : Json(nullptr);
  json["array_cycles"] = layer.array_cycles;
  json["predicted_cycles"] = layer.predicted_cycles;
  json["utilization"] = figures.utilization ? Json(*figures.utilization) : Json(nullptr);
  json["bottleneck"] = bottleneck(result, index, machine);
  json["load_bytes"] = layer.load_bytes;
  json["store_bytes"] = layer.store_bytes;
  json["units"] = known ? counters_json(layer.counters) : Json(nullptr);
  return json;
}

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

// With every parameter, by its key in machine files.
Json machine_json(const Result& result, const Machine& machine) {
  Json json;
  json["name"] = result.machine;
  json["digest"] = text_or_null(result.machine_digest);
  json["parameters"] = Json::object();
  for (const Parameter& p : parameters()) {
    if (p.key != "name") std::visit([&](const auto& value) { json["parameters"][p.key] = value; }, p.get(machine));
  }
  return json;
}

// Text of a document. Names may come from files in any encoding: what is no UTF-8 is replaced, not thrown at the user.
std::string dump(const Json& json) {
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string result_json(const RunResult& result, const Machine& machine) {
  Json json;
  json["gemel_result"] = FormatVersion;
  json["version"] = result.version;
  json["commit"] = text_or_null(result.commit);
  json["network"] = result.network;
  json["network_digest"] = text_or_null(result.network_digest);
  json["program_digest"] = text_or_null(result.program_digest);
  json["machine"] = machine_json(result, machine);
  json["settings"] = Json::object();
  for (const auto& [key, value] : result.settings) json["settings"][key] = value;
  json["seed"] = result.seed;
  json["batch"] = result.batch;
  json["rounds"] = result.rounds;
  json["starts"] = result.starts;
  json["engine"] = result.engine;
  json["timing_only"] = result.timing_only;

  json["cycles"] = result.cycles;
  json["seconds_at_clock"] = static_cast<double>(result.cycles) / (result.clock_mhz * 1e6);
  json["macs"] = result.macs;
  json["array_cycles"] = result.array_cycles;
  json["utilization"] = result.utilization();
  json["instructions"] = result.instructions;
  json["load_bytes"] = result.load_bytes;
  json["store_bytes"] = result.store_bytes;
  json["fetch_bytes"] = result.fetch_bytes;
  json["load_bursts"] = result.load_bursts;
  json["store_bursts"] = result.store_bursts;
  json["fetch_bursts"] = result.fetch_bursts;
  const auto host = result.host_steps();
  json["host_steps"] = {{"operators", host.operators}, {"elements_share", host.elements_share}, {"bytes", result.host_bytes}};
  json["units"] = counters_json(result.counters);

  json["compile_seconds"] = result.compile_seconds;
  json["build_rtl_seconds"] = result.build_rtl_seconds;
  json["simulate_seconds"] = result.simulate_seconds;
  json["golden_seconds"] = result.golden_seconds;
  json["peak_memory_mib"] = result.peak_memory_mib;

  json["images"] = result.images;
  json["accuracy"] = result.accuracy >= 0 ? Json(result.accuracy) : Json(nullptr);
  json["float_accuracy"] = result.float_accuracy >= 0 ? Json(result.float_accuracy) : Json(nullptr);

  json["layers_note"] = result.layers_note.empty() ? Json(nullptr) : Json(result.layers_note);
  json["layers"] = Json::array();
  for (std::size_t i = 0; i < result.layers.size(); ++i) json["layers"].push_back(layer_json(result, i, machine));
  return dump(json);
}

}  // namespace gemel
