// SPDX-License-Identifier: Apache-2.0
// What a run tells its reader: result.json (docs/reference/result.md), trace.json (Chrome trace format), report.html (one
// page, nothing fetched; page.hpp has its parts), and a summary as text. Every function only turns a Result into text; write_reports() and
// prepare_reports() alone touch the disk.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/machine.hpp"
#include "gemel/report.hpp"
#include "sim/result.hpp"

namespace gemel {

// --- figures (figures.cpp) ---


// The causes as a person groups them. The semaphores are one: who waits for whom is the compiler's business.
enum class Group : int { Busy, OtherUnit, Request, Data, Write, Empty, Error };
inline constexpr int GroupCount = 7;
Group group_of(int cause);
std::string_view group_name(Group group);  // "busy", "waits for another unit", ...

// Cycles of one unit by group.
std::array<std::int64_t, GroupCount> grouped(const std::array<std::int64_t, CauseCount>& causes);

// Whether the layer's cycles are known by unit and cause. The beat engine leaves that to the totals.
bool is_attributed(const LayerResult& layer);

// What the host does, and how often the NPU waits for it, in one line; empty: nothing.
std::string host_text(const Result& result);
// "8 of 11 left out, of 12 tiles of weights"; empty if none is zero.
std::string zero_tiles_text(const WeightTiles& tiles);
WeightTiles all_weight_tiles(const Result& result);  // of all layers

struct LayerFigures {
  // From the start of its first instruction to the end of its last. Layers overlap, so these add up to more than the run.
  std::int64_t span_cycles = 0;
  // The matrix unit's cycles that belong to this layer, waiting included. These do add up to the run.
  std::int64_t matrix_cycles = 0;
  // Share of the array's MAC slots used: in matrix_cycles where the layer uses the array, else (depthwise convolutions on the
  // vector unit) in span_cycles. None for layers without multiplications, or on the array and not attributed.
  std::optional<double> utilization;
  // Of matrix_cycles, those that the layer's multiplications on the array would not take if all its MAC slots were used.
  std::int64_t lost_cycles = 0;
};
LayerFigures layer_figures(const LayerResult& layer, const Machine& machine);

// Layers first .. first + length * times - 1 are `times` times the same `length` layers: operators and shapes are equal.
struct RepeatedBlock {
  std::size_t first = 0, length = 0, times = 0;
};
// Those that repeat directly behind each other, at least four layers in all; in order, without overlap.
std::vector<RepeatedBlock> repeated_blocks(const std::vector<LayerResult>& layers);

// --- trace (trace.cpp) ---

// Where the cycles of an instruction or of a wait are drawn: first .. end - 1. Those of a unit do not overlap.
struct TraceSlice {
  std::int64_t first = 0, end = 0;
};
// Of each of the run's `trace`, in its order.
std::vector<TraceSlice> trace_slices(const RunResult& result);

// --- reasons (bottleneck.cpp) ---

enum class Bottleneck {
  None,           // no instruction of its own (computed with another layer, or a view), or not attributed
  Array,          // the array is well used (70 % or more)
  Underfilled,    // rows or columns of the array without work
  SmallTiles,     // weights are loaded and the array is filled and drained with too few pixels in between
  Load,           // load_dma moves data most of the time
  Vector,         // vector_unit works most of the time
  Store,          // store_dma moves data most of the time
  MemoryLatency,  // load_dma waits for memory rather than moving data
  Dependency,     // units wait for one another, none is the bound
};
struct Diagnosis {
  Bottleneck kind = Bottleneck::None;
  std::string text;  // "load bandwidth: load_dma moves data in 93 % of the cycles, ..."
};
Diagnosis diagnose(const LayerResult& layer, const Machine& machine);
// The same for a layer of a run, with what the units did for other layers at the same time.
Diagnosis diagnose(const RunResult& result, std::size_t index, const Machine& machine);
std::string bottleneck(const RunResult& result, std::size_t index, const Machine& machine);  // the text alone
inline constexpr double WellUsed = 0.7;  // layers below this utilization get a reason in the reports

}  // namespace gemel
