// SPDX-License-Identifier: Apache-2.0
// Figures that more than one writer needs; see report.hpp.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "gemel/isa.gen.hpp"
#include "report/report.hpp"
#include "report/text.hpp"

namespace gemel {

static_assert(UnitCount == isa::UnitCount && CauseCount == isa::CauseCount, "result.hpp and isa.toml must agree");

std::string_view unit_name(int unit) {
  switch (static_cast<isa::Unit>(unit)) {
    case isa::Unit::Load: return "load_dma";
    case isa::Unit::Matrix: return "matrix_unit";
    case isa::Unit::Vector: return "vector_unit";
    case isa::Unit::Store: return "store_dma";
    case isa::Unit::None: break;
  }
  return "sequencer";
}

std::string_view cause_name(int cause) { return isa::to_string(static_cast<isa::Cause>(cause)); }

Group group_of(int cause) {
  switch (static_cast<isa::Cause>(cause)) {
    case isa::Cause::Busy: return Group::Busy;
    case isa::Cause::Error: return Group::Error;
    case isa::Cause::WaitSemaphore0:
    case isa::Cause::WaitSemaphore1:
    case isa::Cause::WaitSemaphore2:
    case isa::Cause::WaitSemaphore3: return Group::OtherUnit;
    case isa::Cause::WaitRequest: return Group::Request;
    case isa::Cause::WaitData: return Group::Data;
    case isa::Cause::WaitWrite: return Group::Write;
    case isa::Cause::QueueEmpty: return Group::Empty;
  }
  return Group::Error;
}

std::string_view group_name(Group group) {
  switch (group) {
    case Group::Busy: return "busy";
    case Group::OtherUnit: return "waits for another unit";
    case Group::Request: return "memory takes no request";
    case Group::Data: return "waits for memory data";
    case Group::Write: return "waits for memory writes";
    case Group::Empty: return "nothing to do";
    case Group::Error: return "stopped by an error";
  }
  return "?";
}

std::array<std::int64_t, GroupCount> grouped(const std::array<std::int64_t, CauseCount>& causes) {
  std::array<std::int64_t, GroupCount> groups{};
  for (int cause = 0; cause < CauseCount; ++cause) groups[static_cast<int>(group_of(cause))] += causes[cause];
  return groups;
}

bool is_attributed(const LayerResult& layer) { return layer.counters != UnitCounters{}; }

LayerFigures layer_figures(const LayerResult& layer, const Machine& machine) {
  LayerFigures figures;
  if (layer.first_cycle >= 0) figures.span_cycles = layer.rounds * (layer.last_cycle - layer.first_cycle + 1);
  const auto& matrix = layer.counters[static_cast<int>(isa::Unit::Matrix)];
  figures.matrix_cycles = std::accumulate(matrix.begin(), matrix.end(), std::int64_t{0});
  const std::int64_t cycles = layer.array_cycles > 0 ? figures.matrix_cycles : figures.span_cycles;
  if (layer.macs > 0 && cycles > 0) {
    figures.utilization =
        static_cast<double>(layer.macs) / (static_cast<double>(cycles) * machine.rows * machine.columns);
  }
  const double slots = static_cast<double>(machine.rows) * machine.columns;
  const double needed = layer.array_cycles > 0 ? static_cast<double>(layer.macs) / slots : 0.0;
  figures.lost_cycles = std::max<std::int64_t>(0, figures.matrix_cycles - std::llround(needed));
  return figures;
}

WeightTiles all_weight_tiles(const Result& result) {
  WeightTiles all;
  for (const LayerResult& layer : result.layers) {
    all.count += layer.weight_tiles.count;
    all.zero += layer.weight_tiles.zero;
    all.left_out += layer.weight_tiles.left_out;
  }
  return all;
}

std::string zero_tiles_text(const WeightTiles& tiles) {
  if (tiles.zero == 0) return "";
  return with_commas(tiles.left_out) + " of " + with_commas(tiles.zero) + " left out, of " + with_commas(tiles.count) + " tiles of weights";
}

std::string host_text(const Result& result) {
  const Result::HostSteps steps = result.host_steps();
  if (steps.operators.empty()) return "";
  std::vector<std::pair<std::string, int>> counts;  // in the order in which they are met first
  for (const std::string& name : steps.operators) {
    const auto known = std::find_if(counts.begin(), counts.end(), [&](const auto& one) { return one.first == name; });
    if (known == counts.end()) counts.emplace_back(name, 1);
    else ++known->second;
  }
  std::string names;
  for (const auto& [name, count] : counts) names += (names.empty() ? "" : ", ") + (count > 1 ? std::to_string(count) + " " : "") + name;
  return std::to_string(steps.operators.size()) + (steps.operators.size() == 1 ? " operator (" : " operators (") + names + "), " +
         percent(steps.elements_share, 2) + " of the elements, " + bytes_text(result.host_bytes) + " to and fro" +
         (result.starts > 1 ? "; the NPU is started " + with_commas(result.starts) + " times, and waits in between" : "");
}

std::vector<RepeatedBlock> repeated_blocks(const std::vector<LayerResult>& layers) {
  constexpr std::size_t LeastLayers = 4, LongestBlock = 64;
  const auto same = [&](std::size_t i, std::size_t j) {
    const LayerResult &a = layers[i], &b = layers[j];
    return a.op == b.op && a.inputs == b.inputs && a.output == b.output && a.kernel == b.kernel && a.stride == b.stride && a.dilation == b.dilation &&
           a.padding == b.padding && a.groups == b.groups && a.fused_into.empty() == b.fused_into.empty();
  };
  std::vector<RepeatedBlock> blocks;
  for (std::size_t i = 0; i < layers.size();) {
    RepeatedBlock best;
    for (std::size_t length = 1; length <= LongestBlock && i + 2 * length <= layers.size(); ++length) {
      std::size_t equal = 0;
      while (i + equal + length < layers.size() && same(i + equal, i + equal + length)) ++equal;
      const std::size_t times = equal / length + 1;
      if (times < 2 || times * length < LeastLayers || times * length <= best.times * best.length) continue;
      // What repeats may begin anywhere in a block. Networks change their shapes where a block begins, so the last one ends where equality does.
      best = {i + equal + length - times * length, length, times};
    }
    if (best.times > 0) blocks.push_back(best);
    i = best.times > 0 ? best.first + best.length * best.times : i + 1;
  }
  return blocks;
}

}  // namespace gemel
