// SPDX-License-Identifier: Apache-2.0
// Figures that more than one writer needs; see report.hpp.
#include <numeric>

#include "gemel/isa.gen.hpp"
#include "report/report.hpp"

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
  return figures;
}

}  // namespace gemel
