// SPDX-License-Identifier: Apache-2.0
// Why a layer does not use the whole array. A DMA that moves data nearly all the time, and longer than the matrix unit works, is the
// bound. Else the matrix unit's cycles of the layer are split into what is lost to
//   1. places: the array runs, but not every row and column has work,
//   2. passes: the unit works, but no pixel row enters (weights, fill, drain),
//   3. waiting: the unit stands still.
// The largest loss is named. If it is waiting, the unit that is busiest meanwhile is.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "gemel/isa.gen.hpp"
#include "report/report.hpp"
#include "report/text.hpp"

namespace gemel {
namespace {

// A unit that works in this share of the cycles is taken for the bound.
constexpr double BoundShare = 0.7;

std::int64_t count(const LayerResult& layer, isa::Unit unit, isa::Cause cause) {
  return layer.counters[static_cast<int>(unit)][static_cast<int>(cause)];
}

std::string whole_percent(double share) { return percent(share, 0); }

// In which share of `cycles` the units beside the array work. A DMA counts as moving data while it moves words, or while the bus or the
// memory is full of its bytes, whichever takes longer.
struct Shares { double load, vector, store; };

Shares shares_of(const LayerResult& layer, const Machine& machine, std::int64_t cycles) {
  const auto share = [&](std::int64_t part) { return static_cast<double>(part) / static_cast<double>(cycles); };
  const auto moving = [&](std::int64_t bytes) { return 1000 * bytes / machine.millibytes_per_cycle(); };
  return {share(std::max(count(layer, isa::Unit::Load, isa::Cause::Busy), moving(layer.load_bytes))),
          share(count(layer, isa::Unit::Vector, isa::Cause::Busy)),
          share(std::max(count(layer, isa::Unit::Store, isa::Cause::Busy), moving(layer.store_bytes)))};
}

// Who holds the others up, in `cycles` cycles of waiting and working.
Diagnosis diagnose_waiting(const LayerResult& layer, const Machine& machine, std::int64_t cycles, const std::string& who_waits) {
  const auto share = [&](std::int64_t part) { return static_cast<double>(part) / static_cast<double>(cycles); };
  const auto [load, vector, store] = shares_of(layer, machine, cycles);
  const double latency = share(count(layer, isa::Unit::Load, isa::Cause::WaitData) +
                               count(layer, isa::Unit::Load, isa::Cause::WaitRequest));
  const double most = std::max({load, vector, store});
  if (most >= BoundShare) {
    // Parts of a layer's work may lie outside these cycles; more than all of them is all of them.
    const std::string of_cycles = whole_percent(std::min(most, 1.0)) + " of the cycles" + who_waits;
    if (most == load) return {Bottleneck::Load, "load bandwidth: load_dma moves data in " + of_cycles};
    if (most == vector) return {Bottleneck::Vector, "vector bound: vector_unit works in " + of_cycles};
    return {Bottleneck::Store, "store bandwidth: store_dma moves data in " + of_cycles};
  }
  // Waiting is latency only if the bus and the memory are idle meanwhile.
  const double idle = share(count(layer, isa::Unit::Load, isa::Cause::Busy)) + latency - load;
  if (idle > most && idle >= 0.25) {
    return {Bottleneck::MemoryLatency,
            "memory latency: load_dma waits for an idle memory in " + whole_percent(idle) + " of the cycles" + who_waits};
  }
  const std::string shares = "(load_dma busy " + whole_percent(load) + ", vector_unit " + whole_percent(vector) + ", store_dma " +
                             whole_percent(store) + ")";
  // A layer without array work whose units are all less busy costs little: others run at the same time.
  if (who_waits.empty()) return {Bottleneck::Dependency, "no bound of its own " + shares};
  return {Bottleneck::Dependency, "dependency: units wait for one another " + shares + who_waits};
}

std::string underfilled_text(const LayerResult& layer, const Machine& machine, double filled) {
  std::string text = "array underfilled: " + whole_percent(filled) + " of its places have work";
  const bool dense = layer.op == "dense", matmul = layer.op == "matmul";
  if ((layer.op != "conv2d" && !dense && !matmul) || layer.inputs.empty() || layer.output.empty()) return text;
  std::string why;
  const std::int64_t out_channels = layer.output.back();
  std::int64_t depth = layer.inputs.front().back();  // products of one output
  if (dense) depth = std::accumulate(layer.inputs.front().begin() + 1, layer.inputs.front().end(), std::int64_t{1}, std::multiplies<>());
  if (!dense && !matmul) depth = depth / layer.groups * layer.kernel[0] * layer.kernel[1];
  if (layer.groups > 1) {
    why = std::to_string(layer.groups) + " groups, each of " + std::to_string(out_channels / layer.groups) +
          (out_channels == layer.groups ? " channel" : " channels");
  } else {
    if (depth % machine.rows != 0) {
      why = "depth " + std::to_string(depth) + " is no multiple of " + std::to_string(machine.rows) + " rows";
    }
    if (out_channels % machine.columns != 0) {
      if (!why.empty()) why += ", ";
      why += std::to_string(out_channels) + (out_channels == 1 ? " output channel is" : " output channels are") +
             " no multiple of " + std::to_string(machine.columns) + " columns";
    }
  }
  return why.empty() ? text : text + " (" + why + ")";
}

}  // namespace

Diagnosis diagnose(const LayerResult& layer, const Machine& machine) {
  if (layer.compared == "host") return {Bottleneck::None, "runs on the host"};
  const LayerFigures figures = layer_figures(layer, machine);
  if (figures.span_cycles == 0) {
    return {Bottleneck::None, layer.fused_into.empty() ? "costs nothing" : "computed with " + layer.fused_into};
  }
  if (!is_attributed(layer)) return {Bottleneck::None, "not known: cycles by cause are known for the whole run only"};
  if (figures.utilization && *figures.utilization >= WellUsed) return {Bottleneck::Array, "array bound"};
  if (layer.array_cycles == 0) return diagnose_waiting(layer, machine, figures.span_cycles, "");

  const double total = static_cast<double>(figures.matrix_cycles);
  const std::int64_t busy = count(layer, isa::Unit::Matrix, isa::Cause::Busy);
  const double ideal = static_cast<double>(layer.macs) / (static_cast<double>(machine.rows) * machine.columns);
  const double places = static_cast<double>(layer.array_cycles) - ideal;
  const double passes = static_cast<double>(busy - layer.array_cycles);
  const double waiting = total - static_cast<double>(busy);
  const std::int64_t cycles = std::max(figures.matrix_cycles, figures.span_cycles);
  const std::string stands_still = "; matrix_unit stands still in " + whole_percent(waiting / total);
  const Shares shares = shares_of(layer, machine, cycles);
  const double moves = std::max(shares.load, shares.store);
  if (moves >= BoundShare && moves * static_cast<double>(cycles) > static_cast<double>(busy)) {
    return diagnose_waiting(layer, machine, cycles, stands_still);
  }
  if (places >= passes && places >= waiting) {
    return {Bottleneck::Underfilled, underfilled_text(layer, machine, ideal / static_cast<double>(layer.array_cycles))};
  }
  if (passes >= waiting) {
    return {Bottleneck::SmallTiles, "small tiles: loading weights, filling and draining take " +
                                        whole_percent(passes / total) + " of matrix_unit's cycles"};
  }
  return diagnose_waiting(layer, machine, cycles, stands_still);
}

Diagnosis diagnose(const RunResult& result, std::size_t index, const Machine& machine) {
  LayerResult layer = result.layers.at(index);
  if (layer.first_cycle < 0 || !is_attributed(layer)) return diagnose(layer, machine);
  // A unit that is busy for a layer beside this one is busy all the same (a fused addition, the next layer's depthwise
  // convolution): of each layer that ran meanwhile, the share of its span that lies in this one's is counted.
  std::size_t beside = index;  // that which shares most cycles with this one
  std::int64_t shared = 0;
  for (std::size_t i = 0; i < result.layers.size(); ++i) {
    const LayerResult& other = result.layers[i];
    if (i == index || other.first_cycle < 0) continue;
    const std::int64_t first = std::max(layer.first_cycle, other.first_cycle), last = std::min(layer.last_cycle, other.last_cycle);
    if (first > last) continue;
    if (last - first + 1 > shared) {
      shared = last - first + 1;
      beside = i;
    }
    const double part = static_cast<double>(last - first + 1) / static_cast<double>(other.last_cycle - other.first_cycle + 1);
    const auto add = [&](std::int64_t& to, std::int64_t from) { to += std::llround(part * static_cast<double>(from)); };
    for (const isa::Unit unit : {isa::Unit::Load, isa::Unit::Vector, isa::Unit::Store}) {
      auto& counters = layer.counters[static_cast<std::size_t>(unit)];
      for (int cause = 0; cause < CauseCount; ++cause) {
        add(counters[static_cast<std::size_t>(cause)], other.counters[static_cast<std::size_t>(unit)][static_cast<std::size_t>(cause)]);
      }
    }
    add(layer.load_bytes, other.load_bytes);
    add(layer.store_bytes, other.store_bytes);
  }
  Diagnosis diagnosis = diagnose(layer, machine);
  if (diagnosis.kind == Bottleneck::Dependency && layer.array_cycles == 0 && beside != index) {
    diagnosis.text += ": it runs beside " + result.layers[beside].name + " in " +
                      whole_percent(static_cast<double>(shared) / static_cast<double>(layer.last_cycle - layer.first_cycle + 1)) + " of its cycles";
  }
  return diagnosis;
}

std::string bottleneck(const RunResult& result, std::size_t index, const Machine& machine) {
  return diagnose(result, index, machine).text;
}

}  // namespace gemel
