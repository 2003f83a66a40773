// SPDX-License-Identifier: Apache-2.0
// Lowering of windows on the vector unit: pooling, means and depthwise convolution over tiles of vector_buffer. Average windows cut by
// the border divide by fewer taps: the output is cut into rectangles of equal count first, each with a multiplier of its own.
#include <algorithm>

#include "base/error.hpp"
#include "base/numerics.hpp"
#include "compiler/lower.hpp"
#include "compiler/tiles.hpp"

namespace gemel::compiler {
namespace {

// Runs of outputs with the same number of taps inside the image.
struct TapRun {
  int first = 0, count = 0, taps = 0;
};
std::vector<TapRun> tap_runs(int outputs, int stride, int pad, int kernel, int size, bool whole) {
  if (whole) return {{0, outputs, kernel}};
  std::vector<TapRun> runs;
  for (int o = 0; o < outputs; ++o) {
    const int first = o * stride - pad;
    const int taps = std::max(0, std::min(first + kernel, size) - std::max(first, 0));
    if (!runs.empty() && runs.back().taps == taps) {
      ++runs.back().count;
    } else {
      runs.push_back({o, 1, taps});
    }
  }
  return runs;
}

}  // namespace

std::vector<WindowPlan> Lowerer::window_plans(const WindowShape& w, const Capacity& c, bool free_vector) const {
  std::vector<WindowPlan> plans;
  if (w.kernel_h > isa::VectorKernelHMax || w.kernel_w > isa::VectorKernelWMax || w.stride_h > isa::VectorStrideYMax ||
      w.stride_w > isa::VectorStrideXMax || w.dilation_h > isa::VectorDilationYMax || w.dilation_w > isa::VectorDilationXMax) return plans;
  const int blocks = static_cast<int>(ceil_div(w.out.c - w.first_channel, machine_.columns));
  const std::int64_t taps = std::int64_t{w.kernel_h} * w.kernel_w;
  const bool depthwise = w.op == isa::Opcode::Depthwise;
  const int table = w.has_table ? table_words(machine_) : 0;
  const std::int64_t latency = planned_->read_latency_cycles + planned_->write_latency_cycles;
  const auto tiles = output_tiles(w.in.n, w.out.h, w.out.w, isa::VectorOutPlanesMax, isa::VectorOutWidthMax, w.kernel_h > 1);
  for (const int used : parts(blocks)) {
    if (used > isa::VectorBlocksMax) continue;
    const std::int64_t sets = table + (depthwise ? std::int64_t{used} * (SetWords + taps) : w.op == isa::Opcode::PoolSum ? SetWords : 0);
    if (sets > c.param) continue;
    const std::int64_t groups = ceil_div(blocks, used);
    const std::int64_t bytes = std::min<std::int64_t>(w.in.c - w.first_channel, std::int64_t{used} * machine_.columns);
    const bool all = bytes == w.in.c;
    for (const auto& [planes, rows, columns] : tiles) {
      const std::int64_t in_rows = std::min<std::int64_t>(w.in.h, std::int64_t{rows - 1} * w.stride_h + std::int64_t{w.kernel_h - 1} * w.dilation_h + 1);
      const std::int64_t in_columns = std::min<std::int64_t>(w.in.w, std::int64_t{columns - 1} * w.stride_w + std::int64_t{w.kernel_w - 1} * w.dilation_w + 1);
      const std::int64_t source = planes * in_rows * in_columns * used, out = std::int64_t{planes} * rows * columns * used;
      const bool fits = free_vector ? source + out <= c.vector : source <= c.source && out <= c.output;
      if (!fits || rows > isa::VectorOutHeightMax || in_rows > isa::VectorSrcHeightMax || in_columns > isa::VectorSrcWidthMax) continue;
      const bool twice = !free_vector && 2 * source <= c.source && 2 * out <= c.output;
      const std::int64_t tile_count = ceil_div(w.in.n, planes) * ceil_div(w.out.h, rows) * ceil_div(w.out.w, columns) * groups;
      // Of one plane: the pixels apart, the rows apart, or all in one run.
      const auto transfer = [&](std::int64_t tile_rows, std::int64_t tile_columns, int all_columns, bool write) {
        const std::int64_t words = tile_rows * tile_columns * used;
        if (!all) return transfer_cycles(*planned_, tile_rows * tile_columns, bytes, words, write);
        if (tile_columns < all_columns) return transfer_cycles(*planned_, tile_rows, tile_columns * bytes, words, write);
        return transfer_cycles(*planned_, 1, tile_rows * tile_columns * bytes, words, write);
      };
      const std::int64_t load = planes * transfer(in_rows, in_columns, w.in.w, false), store = planes * transfer(rows, columns, w.out.w, true);
      const VectorWork tile{w.op, std::int64_t{planes} * rows * columns, used, taps, w.has_table, w.op == isa::Opcode::PoolSum};
      const std::int64_t work = vector_cycles(tile, *planned_) + 4;
      WindowPlan p;
      p.feasible = true;
      p.free_vector = free_vector;
      p.tile_n = planes;
      p.tile_h = rows;
      p.tile_w = columns;
      p.blocks = used;
      p.source_words = source;
      p.params_resident = (depthwise ? groups : 1) * sets <= c.param / 2;
      p.vector_cycles = tile_count * work;
      p.load_cycles = tile_count * load;
      p.store_cycles = tile_count * store;
      p.cycles = (twice ? tile_count * std::max({work, load, store}) : tile_count * (work + load + store + latency)) + load + store + latency;
      if (columns < w.out.w) p.cycles += p.cycles / 64;  // memory is compared by hulls: such tiles wait for their neighbours
      plans.push_back(p);
    }
  }
  std::stable_sort(plans.begin(), plans.end(), [](const WindowPlan& a, const WindowPlan& b) { return a.cycles < b.cycles; });
  return plans;
}

WindowPlan Lowerer::plan_window(const WindowShape& w, const Capacity& c) const {
  for (const bool free_vector : {false, true}) {
    const std::vector<WindowPlan> plans = window_plans(w, c, free_vector);
    if (!plans.empty()) return plans.front();
  }
  return {};
}

// Emits one group of windows. A job is some blocks of channels of one tile.
class Lowerer::WindowEmitter {
 public:
  WindowEmitter(Lowerer& lowerer, int group);
  void run();

 private:
  struct Parameters {
    std::uint64_t address = 0;
    std::int64_t words = 0, base = -1;  // base -1: not in param_buffer
  };

  template <class Visit>
  void for_each_tile(Visit visit) const;
  int key_of(int taps, int first) const { return depthwise_ ? first : shape_.op == isa::Opcode::PoolSum ? taps : 0; }
  Parameters make_parameters(int key, int count);
  const Parameters& parameters(int key, int count);
  void release(Parameters& q) {
    if (q.base < 0) return;
    low_.param_.release(q.base);
    q.base = -1;
  }
  void job(const Tile& tile, int taps, int first);
  isa::Vector instruction(const Tile& tile, int count, const Span& y, const Span& x, const Parameters& q) const;

  Lowerer& low_;
  const int index_;
  const Group& group_;
  const GroupPlan& group_plan_;
  const WindowShape& shape_;
  const WindowPlan& plan_;
  const Layer& layer_;
  const Tensor &in_, &out_;
  const bool depthwise_, mean_, average_;
  const int blocks_;
  Areas own_;  // of a plan that divides vector_buffer by itself
  Areas& areas_;
  std::vector<TapRun> row_runs_, column_runs_;
  std::map<int, Parameters> parameters_;  // by key_of(): first block (depthwise) or number of taps (average)
  int last_key_ = -1;
};

Lowerer::WindowEmitter::WindowEmitter(Lowerer& lowerer, int group)
    : low_(lowerer),
      index_(group),
      group_(lowerer.graph_.groups[group]),
      group_plan_(lowerer.plan(group)),
      shape_(group_plan_.window_shape),
      plan_(group_plan_.window),
      layer_(lowerer.network_.layers[group_.main.layer]),
      in_(lowerer.network_.input_of(layer_)),
      out_(lowerer.network_.output_of(layer_)),
      depthwise_(shape_.op == isa::Opcode::Depthwise),
      mean_(layer_.op() == Op::GlobalAvgPool),
      average_(layer_.op() == Op::AvgPool),
      blocks_(static_cast<int>(ceil_div(shape_.out.c - shape_.first_channel, lowerer.machine_.columns))),
      areas_(plan_.free_vector ? own_ : lowerer.plain_),
      row_runs_(tap_runs(shape_.out.h, shape_.stride_h, shape_.pad_top, shape_.kernel_h, shape_.in.h, !average_)),
      column_runs_(tap_runs(shape_.out.w, shape_.stride_w, shape_.pad_left, shape_.kernel_w, shape_.in.w, !average_)) {
  if (!plan_.free_vector) return;
  const std::int64_t total = low_.vector_words();
  const std::int64_t rows = std::min<std::int64_t>(shape_.in.h, (plan_.tile_h - 1) * shape_.stride_h + (shape_.kernel_h - 1) * shape_.dilation_h + 1);
  const std::int64_t columns = std::min<std::int64_t>(shape_.in.w, (plan_.tile_w - 1) * shape_.stride_w + (shape_.kernel_w - 1) * shape_.dilation_w + 1);
  const std::int64_t source = rows * columns * plan_.blocks;
  own_ = {Ring(0, source), Ring(source, 0), Ring(source, total - source)};
}

void Lowerer::WindowEmitter::run() {
  // Beside the layer that makes the input, tiles come as that layer makes them; else parameters change as seldom as can be.
  if (group_plan_.beside && !group_plan_.split) {
    for_each_tile([&](const Tile& t, int taps) {
      for (int first = 0; first < blocks_; first += plan_.blocks) job(t, taps, first);
    });
    return;
  }
  for (int first = 0; first < blocks_; first += plan_.blocks) {
    for_each_tile([&](const Tile& t, int taps) { job(t, taps, first); });
    if (plan_.params_resident) continue;
    for (auto& entry : parameters_) release(entry.second);
  }
}

template <class Visit>
void Lowerer::WindowEmitter::for_each_tile(Visit visit) const {
  for (int z = 0; z < shape_.in.n; z += plan_.tile_n) {
    for (const TapRun& rows : row_runs_) {
      for (int y = rows.first; y < rows.first + rows.count; y += plan_.tile_h) {
        for (const TapRun& columns : column_runs_) {
          for (int x = columns.first; x < columns.first + columns.count; x += plan_.tile_w) {
            visit(Tile{z, std::min(plan_.tile_n, shape_.in.n - z), y, std::min(plan_.tile_h, rows.first + rows.count - y), x,
                       std::min(plan_.tile_w, columns.first + columns.count - x)},
                  rows.taps * columns.taps);
          }
        }
      }
    }
  }
}

Lowerer::WindowEmitter::Parameters Lowerer::WindowEmitter::make_parameters(int key, int count) {
  const int table = group_.main.has_table ? table_words(low_.machine_) : 0;
  Parameters q;
  if (depthwise_) {
    q.words = table + std::int64_t{count} * (SetWords + shape_.kernel_h * shape_.kernel_w);
    q.address = low_.requantize_sets(group_.main, key + shape_.first_channel / low_.machine_.columns, count, true);
  } else if (shape_.op == isa::Opcode::PoolSum) {
    q.words = table + SetWords;
    numerics::QuantizedMultiplier m;
    if (mean_) m = {layer_.requant.multiplier.at(0), layer_.requant.shift.at(0)};  // the division is in it
    else m = numerics::average_multiplier(std::max(1, key));
    q.address = low_.shared_sets(group_.main, {m.multiplier}, {m.shift});
  } else if (table > 0) {
    q.words = table;
    q.address = low_.shared_sets(group_.main, {}, {});
  }
  return q;
}

// In param_buffer, loaded if they are not there.
const Lowerer::WindowEmitter::Parameters& Lowerer::WindowEmitter::parameters(int key, int count) {
  if (!depthwise_ && key != last_key_) {  // one set at a time
    if (const auto old = parameters_.find(last_key_); old != parameters_.end()) release(old->second);
  }
  last_key_ = key;
  auto found = parameters_.find(key);
  if (found == parameters_.end()) found = parameters_.emplace(key, make_parameters(key, count)).first;
  Parameters& q = found->second;
  if (q.words > 0 && q.base < 0) q.base = low_.load_constant(group_.main.layer, Buffer::Param, q.address, q.words);
  if (q.words > 0 && q.base < 0) throw InternalError("no room left in param_buffer");
  return q;
}

// All but the places of source and result.
isa::Vector Lowerer::WindowEmitter::instruction(const Tile& t, int count, const Span& y, const Span& x, const Parameters& q) const {
  isa::Vector v;
  v.opcode = shape_.op;
  v.rounding = static_cast<int>(average_ ? isa::Rounding::Magnitude : static_cast<isa::Rounding>(layer_.requant.rounding));
  if (shape_.op == isa::Opcode::PoolMax) v.rounding = 0;
  v.param_shared = shape_.op == isa::Opcode::PoolSum;
  v.table = group_.main.has_table;
  v.src0_unsigned = in_.type == ElementType::UInt8;
  v.weight_unsigned = depthwise_ && layer_.weights()->type == ElementType::UInt8;
  v.blocks = count;
  v.dst_pixel_step = count;
  v.dst_block_step = 1;
  v.block_step = 1;
  v.pixel_words = count;
  v.plane_words = t.nz > 1 ? y.count * x.count * count : 0;
  v.src_height = y.count;
  v.src_width = x.count;
  v.out_planes = t.nz;
  v.out_height = t.ny;
  v.out_width = t.nx;
  v.kernel_h = shape_.kernel_h;
  v.kernel_w = shape_.kernel_w;
  v.stride_y = shape_.stride_h;
  v.stride_x = shape_.stride_w;
  v.dilation_y = shape_.dilation_h;
  v.dilation_x = shape_.dilation_w;
  v.origin_y = y.origin;
  v.origin_x = x.origin;
  v.param_base = q.words > 0 ? static_cast<int>(q.base) : 0;
  v.param_last = q.words > 0 ? static_cast<int>(q.base + q.words - 1) : 0;
  v.src0_zero = depthwise_ || mean_ ? in_.zero_point : 0;
  v.weight_zero = depthwise_ ? layer_.weights()->zero_point : 0;
  v.dst_zero = depthwise_ || mean_ ? out_.zero_point : 0;
  v.clamp_min = layer_.clamp_min;
  v.clamp_max = layer_.clamp_max;
  return v;
}

void Lowerer::WindowEmitter::job(const Tile& t, int taps, int first) {
  const int count = std::min(plan_.blocks, blocks_ - first), columns = low_.machine_.columns;
  low_.begin_job(index_, group_plan_.split ? 1 : 0);
  const int key = key_of(taps, first);
  const Parameters& q = parameters(key, count);
  const Span y = input_span(t.y, t.ny, shape_.stride_h, shape_.pad_top, 0, shape_.kernel_h, shape_.dilation_h, shape_.in.h);
  const Span x = input_span(t.x, t.nx, shape_.stride_w, shape_.pad_left, 0, shape_.kernel_w, shape_.dilation_w, shape_.in.w);
  const std::int64_t source_words = std::int64_t{y.count} * x.count * count * t.nz, result_words = t.pixels() * count;
  const std::int64_t source = areas_.source.take(source_words), result = areas_.output.take(result_words);
  if (source < 0 || result < 0) throw InternalError("no room left in vector_buffer");

  const std::int64_t channel = shape_.first_channel + std::int64_t{first} * columns;
  const std::int64_t bytes = std::min<std::int64_t>(shape_.in.c, channel + std::int64_t{count} * columns) - channel;
  const std::int64_t in_row = std::int64_t{shape_.in.w} * shape_.in.c, in_plane = in_row * shape_.in.h;
  const std::int64_t out_row = std::int64_t{shape_.out.w} * shape_.out.c, out_plane = out_row * shape_.out.h;
  const std::uint64_t in_address = low_.memory_->address[layer_.inputs[0]], out_address = low_.memory_->address[group_.output];
  low_.transfer(group_.main.layer, false, Buffer::Vector, source,
                in_address + static_cast<std::uint64_t>(t.z * in_plane + y.first * in_row + std::int64_t{x.first} * shape_.in.c + channel), bytes,
                bytes, {{x.count, shape_.in.c}, {y.count, in_row}, {t.nz, in_plane}}, true);
  isa::Vector v = instruction(t, count, y, x, q);
  v.src0_base = static_cast<int>(source);
  v.src0_last = static_cast<int>(source + source_words - 1);
  v.dst_base = static_cast<int>(result);
  v.dst_last = static_cast<int>(result + result_words - 1);
  low_.emit(v, group_.main.layer);
  low_.transfer(group_.last_layer, true, Buffer::Vector, result,
                out_address + static_cast<std::uint64_t>(t.z * out_plane + t.y * out_row + std::int64_t{t.x} * shape_.out.c + channel), bytes, bytes,
                {{t.nx, shape_.out.c}, {t.ny, out_row}, {t.nz, out_plane}}, true);
  areas_.source.release(source);
  areas_.output.release(result);
  if (group_plan_.beside && !plan_.params_resident) release(parameters_.at(key));
  low_.end_job();
}

void Lowerer::lower_window(int index) { WindowEmitter(*this, index).run(); }

}  // namespace gemel::compiler
