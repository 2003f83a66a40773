// SPDX-License-Identifier: Apache-2.0
// Lowering of what needs the vector unit alone: pooling, means and depthwise convolution over tiles of vector_buffer, and
// elementwise layers, which see their tensors as plain rows of words. Average windows cut by the border divide by fewer
// taps: the output is cut into rectangles of equal count first, each with a multiplier of its own.
#include "base/error.hpp"
#include "base/numerics.hpp"
#include "compiler/lower.hpp"

namespace gemel::compiler {
namespace {

int even_part(int n, std::int64_t most) {
  return static_cast<int>(ceil_div(n, ceil_div(n, std::max<std::int64_t>(1, most))));
}

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

WindowPlan Lowerer::plan_window_in(const WindowShape& w, const Capacity& c, bool free_vector) const {
  WindowPlan best;
  if (w.kernel_h > isa::VectorKernelHMax || w.kernel_w > isa::VectorKernelWMax || w.stride_h > isa::VectorStrideYMax ||
      w.stride_w > isa::VectorStrideXMax || w.dilation_h > isa::VectorDilationYMax || w.dilation_w > isa::VectorDilationXMax) return best;
  const int blocks = static_cast<int>(ceil_div(w.out.c - w.first_channel, machine_.columns));
  const std::int64_t taps = std::int64_t{w.kernel_h} * w.kernel_w;
  const bool depthwise = w.op == isa::Opcode::Depthwise;
  const int table = w.has_table ? table_words(machine_) : 0;
  int previous = 0;
  for (int divide = 1; divide <= blocks; divide = divide < 16 ? divide + 1 : divide * 2) {
    const int nb = std::min(isa::VectorBlocksMax, static_cast<int>(ceil_div(blocks, divide)));
    const int next = divide < 16 ? divide + 1 : divide * 2;
    const int used = next > blocks ? 1 : nb;  // at last one block
    if (used == previous) continue;
    previous = used;
    const std::int64_t sets = table + (depthwise ? std::int64_t{used} * (SetWords + taps) : w.op == isa::Opcode::PoolSum ? SetWords : 0);
    if (sets > c.param) continue;
    const std::int64_t groups = ceil_div(blocks, used);
    for (int rows = w.out.h, last_rows = 0;; rows = rows / 2) {
      if (rows < 1) break;
      rows = even_part(w.out.h, rows);
      if (rows == last_rows) continue;
      last_rows = rows;
      for (int columns = w.out.w, last_columns = 0; columns >= 1; columns = columns / 2) {
        columns = even_part(w.out.w, columns);
        if (columns == last_columns) continue;
        last_columns = columns;
        const std::int64_t in_rows = std::min<std::int64_t>(w.in.h, (rows - 1) * w.stride_h + (w.kernel_h - 1) * w.dilation_h + 1);
        const std::int64_t in_columns = std::min<std::int64_t>(w.in.w, (columns - 1) * w.stride_w + (w.kernel_w - 1) * w.dilation_w + 1);
        const std::int64_t source = in_rows * in_columns * used, out = std::int64_t{rows} * columns * used;
        const bool fits = free_vector ? source + out <= c.vector : source <= c.source && out <= c.output;
        if (!fits || rows > isa::VectorOutHeightMax || columns > isa::VectorOutWidthMax || in_rows > isa::VectorSrcHeightMax ||
            in_columns > isa::VectorSrcWidthMax) continue;
        int planes = 1;
        if (rows == w.out.h && columns == w.out.w && !free_vector) {
          planes = even_part(w.in.n, std::max<std::int64_t>(1, std::min<std::int64_t>({isa::VectorOutPlanesMax, c.source / 2 / source, c.output / 2 / out})));
        }
        const bool twice = !free_vector && 2 * source * planes <= c.source && 2 * out * planes <= c.output;
        const std::int64_t tiles = ceil_div(w.in.n, planes) * ceil_div(w.out.h, rows) * ceil_div(w.out.w, columns) * groups;
        const std::int64_t bytes = std::min<std::int64_t>(w.in.c - w.first_channel, std::int64_t{used} * machine_.columns);
        const bool all = bytes == w.in.c;
        const std::int64_t load =
            planes * (!all ? transfer_cycles(machine_, in_rows * in_columns, bytes, source, false)
                      : in_columns < w.in.w ? transfer_cycles(machine_, in_rows, in_columns * bytes, source, false)
                                            : transfer_cycles(machine_, 1, in_rows * in_columns * bytes, source, false));
        const std::int64_t store =
            planes * (!all ? transfer_cycles(machine_, std::int64_t{rows} * columns, bytes, out, true)
                      : columns < w.out.w ? transfer_cycles(machine_, rows, columns * bytes, out, true)
                                          : transfer_cycles(machine_, 1, rows * columns * bytes, out, true));
        const VectorWork tile{w.op, std::int64_t{planes} * rows * columns, used, taps, w.has_table, w.op == isa::Opcode::PoolSum};
        const std::int64_t work = vector_cycles(tile, machine_) + 4;
        const std::int64_t latency = machine_.read_latency_cycles + machine_.write_latency_cycles;
        WindowPlan p;
        p.feasible = true;
        p.free_vector = free_vector;
        p.tile_n = planes;
        p.tile_h = rows;
        p.tile_w = columns;
        p.blocks = used;
        p.params_resident = (depthwise ? groups : 1) * sets <= c.param / 2;
        p.vector_cycles = tiles * work;
        p.load_cycles = tiles * load;
        p.store_cycles = tiles * store;
        p.cycles = (twice ? tiles * std::max({work, load, store}) : tiles * (work + load + store + latency)) + load + store + latency;
        if (columns < w.out.w) p.cycles += p.cycles / 64;  // memory is compared by hulls: such tiles wait for their neighbours
        if (!best.feasible || p.cycles < best.cycles) best = p;
      }
    }
  }
  return best;
}

WindowPlan Lowerer::plan_window(const WindowShape& w, const Capacity& c) const {
  const WindowPlan p = plan_window_in(w, c, false);
  return p.feasible ? p : plan_window_in(w, c, true);
}

void Lowerer::lower_window(int index) {
  const Group& g = graph_.groups[index];
  const GroupPlan& gp = plan(index);
  const WindowShape& w = gp.window_shape;
  const WindowPlan& p = gp.window;
  const Layer& layer = network_.layers[g.main.layer];
  const Tensor& in = network_.tensors[layer.inputs[0]];
  const Tensor& out = network_.tensors[layer.output];
  const int columns = machine_.columns, tag = g.main.layer;
  const int blocks = static_cast<int>(ceil_div(w.out.c - w.first_channel, columns)), table = g.main.has_table ? table_words(machine_) : 0;
  const bool depthwise = w.op == isa::Opcode::Depthwise, mean = layer.op() == Op::GlobalAvgPool;
  const std::uint64_t in_address = memory_->address[layer.inputs[0]], out_address = memory_->address[g.output];
  const std::int64_t in_row = std::int64_t{w.in.w} * w.in.c, in_plane = in_row * w.in.h;
  const std::int64_t out_row = std::int64_t{w.out.w} * w.out.c, out_plane = out_row * w.out.h;
  Areas own;
  if (p.free_vector) {
    const std::int64_t total = capacity(false).vector;
    const std::int64_t rows = std::min<std::int64_t>(w.in.h, (p.tile_h - 1) * w.stride_h + (w.kernel_h - 1) * w.dilation_h + 1);
    const std::int64_t cols = std::min<std::int64_t>(w.in.w, (p.tile_w - 1) * w.stride_w + (w.kernel_w - 1) * w.dilation_w + 1);
    const std::int64_t source = rows * cols * p.blocks;
    own = {Ring(0, source), Ring(source, 0), Ring(source, total - source)};
  }
  Areas& areas = p.free_vector ? own : plain_;

  // Parameters by key: first block (depthwise) or number of taps (average).
  struct Parameters {
    std::uint64_t address = 0;
    std::int64_t words = 0, base = -1;
  };
  std::map<int, Parameters> parameters;
  const auto parameters_of = [&](int key, int count) -> Parameters& {
    const auto found = parameters.find(key);
    if (found != parameters.end()) return found->second;
    Parameters q;
    if (depthwise) {
      q.words = table + std::int64_t{count} * (SetWords + w.kernel_h * w.kernel_w);
      q.address = requantize_sets(g.main, key + w.first_channel / columns, count, true);
    } else if (w.op == isa::Opcode::PoolSum) {
      q.words = table + SetWords;
      numerics::QuantizedMultiplier m;
      if (mean) {
        m = {layer.requant.multiplier.at(0), layer.requant.shift.at(0)};  // the division is in it
      } else {
        m = numerics::average_multiplier(std::max(1, key));
      }
      q.address = shared_sets(g.main, {m.multiplier}, {m.shift});
    } else if (table > 0) {
      q.words = table;
      q.address = shared_sets(g.main, {}, {});
    }
    return parameters.emplace(key, q).first->second;
  };

  int last_key = -1;
  const bool counts = layer.op() == Op::AvgPool;
  const std::vector<TapRun> row_runs = tap_runs(w.out.h, w.stride_h, w.pad_top, w.kernel_h, w.in.h, !counts);
  const std::vector<TapRun> column_runs = tap_runs(w.out.w, w.stride_w, w.pad_left, w.kernel_w, w.in.w, !counts);
  const auto job = [&](const Tile& t, int taps, int first) {
      const int count = std::min(p.blocks, blocks - first);
      const std::int64_t channel = w.first_channel + std::int64_t{first} * columns;
      const std::int64_t bytes = std::min<std::int64_t>(w.in.c, channel + std::int64_t{count} * columns) - channel;
      begin_job(index, gp.split ? 1 : 0);
      const int key = depthwise ? first : w.op == isa::Opcode::PoolSum ? taps : 0;
      if (!depthwise && key != last_key && parameters.count(last_key) > 0) {  // one set at a time
        Parameters& old = parameters.at(last_key);
        param_.release(old.base);
        old.base = -1;
      }
      last_key = key;
      Parameters& q = parameters_of(key, count);
      if (q.words > 0 && q.base < 0) q.base = load_constant(tag, Buffer::Param, q.address, q.words);
      if (q.words > 0 && q.base < 0) throw InternalError("no room left in param_buffer");
      const Span y = input_span(t.y, t.ny, w.stride_h, w.pad_top, 0, w.kernel_h, w.dilation_h, w.in.h);
      const Span x = input_span(t.x, t.nx, w.stride_w, w.pad_left, 0, w.kernel_w, w.dilation_w, w.in.w);
      const std::int64_t plane = std::int64_t{y.count} * x.count * count, source_words = plane * t.nz;
      const std::int64_t result_words = t.pixels() * count;
      const std::int64_t source = areas.source.take(source_words), result = areas.output.take(result_words);
      if (source < 0 || result < 0) throw InternalError("no room left in vector_buffer");
      transfer(tag, false, Buffer::Vector, source,
               in_address + static_cast<std::uint64_t>(t.z * in_plane + y.first * in_row + std::int64_t{x.first} * w.in.c + channel), bytes,
               bytes, {{x.count, w.in.c}, {y.count, in_row}, {t.nz, in_plane}}, true);
      isa::Vector v;
      v.opcode = w.op;
      v.rounding = static_cast<int>(counts ? isa::Rounding::Magnitude : static_cast<isa::Rounding>(layer.requant.rounding));
      if (w.op == isa::Opcode::PoolMax) v.rounding = 0;
      v.param_shared = w.op == isa::Opcode::PoolSum;
      v.table = g.main.has_table;
      v.src0_unsigned = in.type == ElementType::UInt8;
      v.weight_unsigned = depthwise && layer.weights()->type == ElementType::UInt8;
      v.blocks = count;
      v.src0_base = static_cast<int>(source);
      v.src0_last = static_cast<int>(source + source_words - 1);
      v.dst_base = static_cast<int>(result);
      v.dst_last = static_cast<int>(result + result_words - 1);
      v.dst_pixel_step = count;
      v.dst_block_step = 1;
      v.block_step = 1;
      v.pixel_words = count;
      v.plane_words = t.nz > 1 ? static_cast<int>(plane) : 0;
      v.src_height = y.count;
      v.src_width = x.count;
      v.out_planes = t.nz;
      v.out_height = t.ny;
      v.out_width = t.nx;
      v.kernel_h = w.kernel_h;
      v.kernel_w = w.kernel_w;
      v.stride_y = w.stride_h;
      v.stride_x = w.stride_w;
      v.dilation_y = w.dilation_h;
      v.dilation_x = w.dilation_w;
      v.origin_y = y.origin;
      v.origin_x = x.origin;
      v.param_base = q.words > 0 ? static_cast<int>(q.base) : 0;
      v.param_last = q.words > 0 ? static_cast<int>(q.base + q.words - 1) : 0;
      v.src0_zero = depthwise || mean ? in.zero_point : 0;
      v.weight_zero = depthwise ? layer.weights()->zero_point : 0;
      v.dst_zero = depthwise || mean ? out.zero_point : 0;
      v.clamp_min = layer.clamp_min;
      v.clamp_max = layer.clamp_max;
      emit(v, tag);
      transfer(g.last_layer, true, Buffer::Vector, result,
               out_address + static_cast<std::uint64_t>(t.z * out_plane + t.y * out_row + std::int64_t{t.x} * w.out.c + channel), bytes,
               bytes, {{t.nx, w.out.c}, {t.ny, out_row}, {t.nz, out_plane}}, true);
      areas.source.release(source);
      areas.output.release(result);
      if (gp.beside && !p.params_resident && q.base >= 0) {
        param_.release(q.base);
        q.base = -1;
      }
      end_job();
    };
  const auto all_tiles = [&](auto visit) {
    for (int z = 0; z < w.in.n; z += p.tile_n) {
      for (const TapRun& rows : row_runs) {
        for (int y = rows.first; y < rows.first + rows.count; y += p.tile_h) {
          for (const TapRun& cols : column_runs) {
            for (int x = cols.first; x < cols.first + cols.count; x += p.tile_w) {
              visit(Tile{z, std::min(p.tile_n, w.in.n - z), y, std::min(p.tile_h, rows.first + rows.count - y), x,
                         std::min(p.tile_w, cols.first + cols.count - x)},
                    rows.taps * cols.taps);
            }
          }
        }
      }
    }
  };
  // Beside the layer that makes the input, tiles come as that layer makes them; else parameters change as seldom as can be.
  if (gp.beside && !gp.split) {
    all_tiles([&](const Tile& t, int taps) {
      for (int first = 0; first < blocks; first += p.blocks) job(t, taps, first);
    });
  } else {
    for (int first = 0; first < blocks; first += p.blocks) {
      all_tiles([&](const Tile& t, int taps) { job(t, taps, first); });
      for (auto& entry : parameters) {
        if (p.params_resident || entry.second.base < 0) continue;
        param_.release(entry.second.base);
        entry.second.base = -1;
      }
    }
  }
}

void Lowerer::lower_elementwise(int index) {
  const Group& g = graph_.groups[index];
  const Layer& layer = network_.layers[g.main.layer];
  const bool is_add = layer.op() == Op::Add;
  const Tensor& a = network_.tensors[layer.inputs[0]];
  const Tensor& b = network_.tensors[layer.inputs[is_add ? 1 : 0]];
  const Tensor& out = network_.tensors[layer.output];
  const int tag = g.main.layer, columns = machine_.columns, operands = is_add ? 2 : 1;
  const std::int64_t bytes = a.bytes(), words = ceil_div(bytes, columns);
  constexpr std::int64_t MaxRow = std::min(isa::VectorSrcWidthMax, isa::VectorOutWidthMax);
  const Capacity c = capacity(false);
  Areas own;
  std::int64_t most = std::min({c.source / operands / 2, c.output / 2, MaxRow});
  if (most < 1) {
    most = std::min(c.vector / (operands + 1), MaxRow);
    own = {Ring(0, most * operands), Ring(most * operands, 0), Ring(most * operands, most)};
  }
  Areas& areas = own.output.size() > 0 ? own : plain_;
  // Enough tiles to overlap, none so small that starting costs more than working.
  most = std::min(most, std::max<std::int64_t>(256, ceil_div(words, 8)));
  const std::int64_t tile = ceil_div(words, ceil_div(words, most));

  std::vector<std::int32_t> multiplier = layer.requant.multiplier;
  std::vector<int> shift = layer.requant.shift;
  if (!is_add) {  // x unchanged: 2^30/2^31 * 2^1
    multiplier = {1 << 30};
    shift = {1};
  }
  multiplier.resize(is_add ? 3 : 1, 0);
  shift.resize(is_add ? 3 : 1, 0);
  const std::int64_t set_count = (g.main.has_table ? table_words(machine_) : 0) + SetWords * static_cast<std::int64_t>(multiplier.size());
  const std::uint64_t sets = shared_sets(g.main, multiplier, shift);
  param_.prepare(set_count);
  const std::int64_t base = load_constant(tag, Buffer::Param, sets, set_count);
  if (base < 0) throw InternalError("no room left in param_buffer");
  const auto move = [&](bool write, std::int64_t word, std::uint64_t address, std::int64_t first, std::int64_t count) {
    const std::int64_t from = first * columns, to = std::min(bytes, (first + count) * columns);
    const std::int64_t whole = (to - from) / columns * columns;
    const auto at = address + static_cast<std::uint64_t>(from);
    const int layer_tag = write ? g.last_layer : tag;
    if (whole > 0) transfer(layer_tag, write, Buffer::Vector, word, at, whole, columns, {}, true);
    if (from + whole < to) {
      const std::int64_t rest = to - from - whole;
      transfer(layer_tag, write, Buffer::Vector, word + whole / columns, at + static_cast<std::uint64_t>(whole), rest, rest, {}, true);
    }
  };
  for (std::int64_t first = 0; first < words; first += tile) {
    begin_job(index, 0);
    if (first == 0) --jobs.back().first;  // the parameters' load belongs to the first job
    const std::int64_t count = std::min(tile, words - first);
    std::int64_t source[2] = {0, 0};
    for (int i = 0; i < operands; ++i) {
      source[i] = areas.source.take(count);
      if (source[i] < 0) throw InternalError("no room left in vector_buffer");
      move(false, source[i], memory_->address[layer.inputs[static_cast<std::size_t>(i)]], first, count);
    }
    const std::int64_t result = areas.output.take(count);
    if (result < 0) throw InternalError("no room left in vector_buffer");
    isa::Vector v;
    v.opcode = is_add ? isa::Opcode::Add : isa::Opcode::PoolSum;
    v.rounding = is_add ? static_cast<int>(layer.requant.rounding) : 0;
    v.param_shared = 1;
    v.table = g.main.has_table;
    v.src0_unsigned = a.type == ElementType::UInt8;
    v.src1_unsigned = is_add && b.type == ElementType::UInt8;
    v.blocks = 1;
    v.src0_base = static_cast<int>(source[0]);
    v.src0_last = static_cast<int>(source[0] + count - 1);
    if (is_add) {
      v.src1_base = static_cast<int>(source[1]);
      v.src1_last = static_cast<int>(source[1] + count - 1);
    }
    v.dst_base = static_cast<int>(result);
    v.dst_last = static_cast<int>(result + count - 1);
    v.dst_pixel_step = 1;
    v.pixel_words = 1;
    v.src_height = 1;
    v.src_width = static_cast<int>(count);
    v.out_width = static_cast<int>(count);
    v.param_base = static_cast<int>(base);
    v.param_last = static_cast<int>(base + set_count - 1);
    if (is_add) {
      v.src0_zero = a.zero_point;
      v.src1_zero = b.zero_point;
      v.dst_zero = out.zero_point;
      v.clamp_min = layer.clamp_min;
      v.clamp_max = layer.clamp_max;
    } else {
      v.clamp_min = min_value(a.type);
      v.clamp_max = max_value(a.type);
    }
    emit(v, tag);
    move(true, result, memory_->address[g.output], first, count);
    for (int i = 0; i < operands; ++i) areas.source.release(source[i]);
    areas.output.release(result);
    end_job();
  }
}

}  // namespace gemel::compiler
