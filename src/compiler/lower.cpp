// SPDX-License-Identifier: Apache-2.0
// What all groups share: capacities, constants, transfers, choice between array and vector unit; see lower.hpp.
#include "compiler/lower.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "base/numerics.hpp"

namespace gemel::compiler {
namespace {

// Of the tilings that a trial is to judge: how many at most, and how far from the best by the planner's cost, per mille. For one layer among
// its neighbours; for a variant of a plan; for a layer divided between array and vector unit, whose parts want tiles of one shape.
constexpr std::size_t Finalists = 32, Variants = 2, SplitFinalists = 24;
constexpr int Near = 40, SplitNear = 200;
// Tiles of sources in vector_buffer from which on the loads of a divided layer's two parts do not hold up each other.
constexpr int DeepBuffer = 4;
// Of a strided transfer, either way.
constexpr std::int64_t MaxRunBytes = std::min(isa::LoadRunBytesMax, isa::StoreRunBytesMax);
constexpr std::int64_t MaxCount = std::min(isa::LoadCount2Max, isa::StoreCount2Max);
constexpr std::int64_t MaxStride = std::min(isa::LoadStride2Max, isa::StoreStride2Max);
static_assert(isa::LoadCount1Max == isa::LoadCount2Max && isa::LoadStride1Max == isa::LoadStride2Max, "both dimensions alike");

// A convolution's kernel and padding: the first tap of a tile lies at most half of what `origin` can say before or behind it, and the
// kernel may be cut anywhere.
constexpr int MaxConvKernel = std::min(isa::MatrixOriginYMax, isa::MatrixOriginXMax) / 2;
constexpr int MaxConvStep = std::min({isa::MatrixStrideYMax, isa::MatrixStrideXMax, isa::MatrixDilationYMax, isa::MatrixDilationXMax});
constexpr int MaxWindow = std::min(isa::VectorKernelHMax, isa::VectorKernelWMax);

// Words of a buffer that instructions can name.
std::int64_t addressed_words(const Machine& machine, Buffer b) { return std::min<std::int64_t>(isa::WordAddresses, machine.words(b)); }

bool depthwise(const Convolution& c) { return c.groups > 1 && c.groups == c.in.c && c.in.c == c.out.c; }

// The window that a layer slides over its input; a single pixel if it has none.
Window window_of(const Layer& layer) { return layer.window() != nullptr ? *layer.window() : Window{}; }

bool hosts(const GroupPlan& plan) { return plan.on_array && !plan.split && compiler::hosts(plan.conv_shape, plan.conv); }

}  // namespace

std::uint64_t Constants::add(std::int64_t bytes, const std::function<void(std::uint8_t*)>& fill) {
  const std::uint64_t at = end_;
  end_ = (end_ + static_cast<std::uint64_t>(bytes) + align_ - 1) / align_ * align_;
  if (fill && with_bytes_) {
    data_.resize(end_ - base_);
    fill(data_.data() + (at - base_));
  }
  return at;
}

Lowerer::Lowerer(const Network& network, const Machine& machine, const Graph& graph, const std::atomic<bool>* interrupted)
    : network_(network), machine_(machine), planned_(&machine), graph_(graph), interrupted_(interrupted) {
  weight_bytes.assign(network.layers.size(), 0);
  tiles_left_out = macs_left_out = weight_bytes;
  plans_.resize(graph.groups.size());
  alternatives_.resize(graph.groups.size());
  activation_ = Ring(0, addressed_words(machine, Buffer::Activation));
  weight_ = Ring(0, addressed_words(machine, Buffer::Weight));
  param_ = Ring(0, addressed_words(machine, Buffer::Param));
  const auto& acc = machine.buffer(Buffer::Accumulator);
  // Each job on banks of its own, so that requantization of one may overlap with the passes of the next.
  accumulator_ = Ring(0, addressed_words(machine, Buffer::Accumulator), acc.banks > 1 ? machine.bank_words(Buffer::Accumulator) : 1);

  plain_ = areas(machine, false);
  with_add_ = areas(machine, true);
}

// vector_buffer: who may read or write which bank. Load and vector unit never write into one bank, nor do vector unit
// and store read from one: sources, temporaries and outputs have banks of their own as far as there are enough.
Lowerer::Areas Lowerer::areas(const Machine& machine, bool with_add) {
  const std::int64_t total = addressed_words(machine, Buffer::Vector), banks = machine.buffer(Buffer::Vector).banks;
  const std::int64_t bank = machine.bank_words(Buffer::Vector);
  if (!with_add) {
    const std::int64_t half = banks >= 2 ? banks / 2 * bank : total / 2;
    return {Ring(0, half), Ring(half, 0), Ring(half, total - half)};
  }
  std::int64_t source = total * 3 / 8, temporary = total / 4;
  if (banks >= 3) {
    source = std::max<std::int64_t>(1, banks * 3 / 8) * bank;
    temporary = std::max<std::int64_t>(1, banks / 4) * bank;
  }
  return {Ring(0, source), Ring(source, temporary), Ring(source + temporary, total - source - temporary)};
}

std::int64_t Lowerer::vector_words() const { return addressed_words(machine_, Buffer::Vector); }

Capacity Lowerer::capacity(bool with_add) const {
  const Machine& machine = *planned_;
  Capacity c;
  c.activation = addressed_words(machine, Buffer::Activation);
  c.weight = addressed_words(machine, Buffer::Weight);
  c.accumulator = addressed_words(machine, Buffer::Accumulator);
  c.accumulator_banks = machine.buffer(Buffer::Accumulator).banks;
  c.accumulator_bank = machine.bank_words(Buffer::Accumulator);
  c.param = addressed_words(machine, Buffer::Param);
  const Areas areas = Lowerer::areas(machine, with_add);
  c.source = areas.source.size();
  c.temporary = areas.temporary.size();
  c.output = areas.output.size();
  c.vector = addressed_words(machine, Buffer::Vector);
  return c;
}

bool Lowerer::plan_for(const Machine& machine) {
  planned_ = &machine;
  cache_.clear();
  for (std::unique_ptr<GroupPlan>& plan : plans_) plan.reset();
  for (std::vector<GroupPlan>& list : alternatives_) list.clear();
  try {
    for (int g = 0; g < groups(); ++g) plan(g);
  } catch (const UserError&) {
    if (&machine == &machine_) throw;
    return false;
  }
  return true;
}

std::vector<std::int64_t> Lowerer::key(const ConvShape& s) {
  return {s.n, s.h, s.w, s.cin, s.pixel_bytes, s.row_bytes, s.plane_bytes, s.oh, s.ow, s.cout, s.kernel_h, s.kernel_w, s.stride_h,
          s.stride_w, s.dilation_h, s.dilation_w, s.pad_top, s.pad_left, s.out_pixel_bytes, s.groups, s.has_table, s.has_add, s.add_table, s.follower_cycles,
          s.sum_bytes};
}

std::vector<std::int64_t> Lowerer::signature(int index) {
  const GroupPlan& p = plan(index);
  const Layer& layer = network_.layers[graph_.groups[index].main.layer];
  const Nhwc in = network_.input_of(layer).nhwc();
  const Window window = window_of(layer);
  std::vector<std::int64_t> k = key(p.conv_shape);
  const WindowShape& w = p.window_shape;
  for (const std::int64_t x : {std::int64_t{static_cast<int>(w.op)}, std::int64_t{w.out.n}, std::int64_t{w.out.h}, std::int64_t{w.out.w}, std::int64_t{w.out.c},
                               std::int64_t{w.dilation_h}, std::int64_t{w.dilation_w}, std::int64_t{w.pad_top}, std::int64_t{w.pad_left},
                               std::int64_t{w.has_table}}) {
    k.push_back(x);
  }
  for (const std::int64_t x : {std::int64_t{static_cast<int>(layer.op())}, std::int64_t{in.n}, std::int64_t{in.h}, std::int64_t{in.w},
                               std::int64_t{in.c}, std::int64_t{window.kernel_h}, std::int64_t{window.kernel_w}, std::int64_t{window.stride_h},
                               std::int64_t{window.stride_w}, std::int64_t{p.on_array}, std::int64_t{p.split}, std::int64_t{p.halves},
                               std::int64_t{p.window_shape.first_channel}, std::int64_t{p.window.tile_n}, std::int64_t{p.window.tile_h},
                               std::int64_t{p.window.tile_w}, std::int64_t{p.window.blocks},
                               std::int64_t{p.conv.window}, std::int64_t{p.conv.tile_n}, std::int64_t{p.conv.tile_h}, std::int64_t{p.conv.tile_w},
                               std::int64_t{p.conv.store_blocks}, std::int64_t{p.conv.acc_blocks}, std::int64_t{p.conv.weights_outer},
                               std::int64_t{p.conv.act_chunked}, static_cast<std::int64_t>(p.conv.chunks.size()),
                               std::int64_t{p.conv.params_resident}, std::int64_t{p.conv.params_outer}, std::int64_t{p.conv.free_vector},
                               std::int64_t{p.window.params_resident}, std::int64_t{p.window.free_vector},
                               std::int64_t{p.leave_out_zeros ? index + 1 : 0}}) {
    k.push_back(x);
  }
  return k;
}

ConvPlan Lowerer::plan_conv_cached(const ConvShape& s, const Capacity& preferred) {
  std::vector<std::int64_t> key = Lowerer::key(s);
  key.push_back(preferred.param);
  const auto found = cache_.find(key);
  if (found != cache_.end()) return found->second;
  std::vector<ConvPlan> p = plan_conv(s, *planned_, preferred, 1, 0);
  if (p.empty()) {
    Capacity free = preferred;
    free.free_vector = true;
    p = plan_conv(s, *planned_, free, 1, 0);
  }
  return cache_.emplace(key, p.empty() ? ConvPlan{} : p.front()).first->second;
}

const GroupPlan& Lowerer::plan(int index) {
  if (plans_[index]) return *plans_[index];
  const Layer& layer = layer_of(index);
  heed_interrupt(layer);
  auto plan = std::make_unique<GroupPlan>();
  (this->*lowering(layer.op()).plan)(index, *plan);
  plans_[index] = std::move(plan);
  return *plans_[index];
}

WindowShape Lowerer::window_shape(int index) const {
  const Group& g = graph_.groups[index];
  const Layer& layer = layer_of(index);
  const Window slides = window_of(layer);
  WindowShape w;
  w.op = lowering(layer.op()).opcode;
  w.in = network_.input_of(layer).nhwc();
  w.out = network_.output_of(layer).nhwc();
  w.kernel_h = slides.kernel_h;
  w.kernel_w = slides.kernel_w;
  w.stride_h = w.out.h > 1 ? slides.stride_h : 1;
  w.stride_w = w.out.w > 1 ? slides.stride_w : 1;
  w.dilation_h = slides.kernel_h > 1 ? slides.dilation_h : 1;
  w.dilation_w = slides.kernel_w > 1 ? slides.dilation_w : 1;
  w.pad_top = slides.pad_top;
  w.pad_left = slides.pad_left;
  w.has_table = g.main.has_table;
  return w;
}

void Lowerer::plan_weighted(int index, GroupPlan& plan) {
  const Group& g = graph_.groups[index];
  const Layer& layer = layer_of(index);
  Convolution conv = as_convolution(network_, layer);
  const int images = layer.has_computed_weights() ? conv.in.h : 1;  // each has weights of its own, and is a convolution of its own
  if (images > 1) conv.in.h = conv.out.h = 1;
  plan.conv_shape = conv_shape(conv);
  plan.conv_shape.has_table = g.main.has_table;
  plan.conv_shape.sum_bytes = layer.sum_bytes;
  plan.conv_shape.has_add = g.add.layer >= 0;
  plan.conv_shape.add_table = g.add.has_table;
  if (last_near(index) > index) {
    const Layer& next = layer_of(index + 1);
    if (next.weights() == nullptr) plan.conv_shape.follower_cycles = this->plan(index + 1).cycles;
  }
  // Fields of an instruction; what the planner does not see because it never changes them.
  const ConvShape& shape = plan.conv_shape;
  if (std::max({shape.stride_h, shape.stride_w, shape.dilation_h, shape.dilation_w}) > MaxConvStep ||
      std::max({shape.kernel_h, shape.kernel_w, shape.pad_top, shape.pad_left}) > MaxConvKernel) {
    refuse(layer, plan);
  }
  plan.conv = plan_conv_cached(plan.conv_shape, capacity(g.add.layer >= 0));
  plan.on_array = plan.conv.feasible;
  plan.cycles = plan.conv.cycles * images;
  if (depthwise(conv) && g.add.layer < 0 && !layer.has_computed_weights() && layer.sum_bytes == 0) {
    plan.window_shape = window_shape(index);
    plan.window = plan_window(plan.window_shape, capacity(false));
    if (plan.window.feasible && (!plan.on_array || plan.window.cycles < plan.conv.cycles)) {
      plan.on_array = false;
      plan.cycles = plan.window.cycles;
    }
    if (plan.conv.feasible && plan.window.feasible) add_alternatives(index, plan);
  }
  if (!plan.on_array && !plan.window.feasible) refuse(layer, plan);
}

const ZeroTiles& Lowerer::zero_tiles(int index, bool window) {
  const auto [found, is_new] = zero_tiles_.try_emplace({index, window});
  const Layer& layer = layer_of(index);
  if (is_new) found->second = ZeroTiles(*layer.weights(), as_convolution(network_, layer), window, machine_);
  return found->second;
}

WeightTiles Lowerer::weight_tiles(int index) {
  const GroupPlan& p = plan(index);
  WeightTiles tiles;
  if (!p.on_array || layer_of(index).has_computed_weights()) return tiles;
  const ZeroTiles& zeros = zero_tiles(index, p.conv.window);
  for (int n = 0; zeros.known() && n < p.conv.cout_blocks; ++n) {
    const int first = first_block(p.conv_shape, p.conv, machine_, n);
    for (int ky = 0; ky < p.conv_shape.kernel_h; ++ky) {
      for (int kx = 0; kx < taps_w(p.conv_shape, p.conv); ++kx) {
        for (int cb = 0; cb < p.conv.block_cin; ++cb) tiles.zero += zeros.zero(n, ky, kx, first + cb) ? 1 : 0;
      }
    }
  }
  tiles.count = kernel_passes(p.conv_shape, p.conv) * p.conv.cout_blocks;
  tiles.left_out = tiles_left_out[static_cast<std::size_t>(graph_.groups[static_cast<std::size_t>(index)].main.layer)];
  return tiles;
}

std::vector<GroupPlan> Lowerer::finalists(int index, std::size_t most) const {
  std::vector<GroupPlan> list;
  const GroupPlan& present = *plans_[static_cast<std::size_t>(index)];
  if (!present.on_array || present.split) return list;
  for (ConvPlan& c : plan_conv(present.conv_shape, *planned_, capacity(present.conv_shape.has_add), std::min(most, Finalists), Near)) {
    list.push_back(present);
    list.back().cycles = c.cycles;
    list.back().conv = std::move(c);
  }
  return list;
}

std::vector<GroupPlan> Lowerer::variants(const GroupPlan& present, bool wide) const {
  std::vector<GroupPlan> list;
  const Capacity full = capacity(present.conv_shape.has_add);
  Capacity half = full;
  half.param /= 2;
  if (present.split) {
    list = split_plans(present, wide ? 2 * Variants : Variants);
    for (ConvPlan& c : plan_conv(present.conv_shape, *planned_, present.halves ? half : full, Variants, Near)) {
      if (c.free_vector || (!present.halves && !c.params_resident)) continue;
      list.push_back(present);
      list.back().conv = std::move(c);
    }
  } else if (present.on_array) {
    for (ConvPlan& c : plan_conv(present.conv_shape, *planned_, full, Variants, Near)) {
      list.push_back(present);
      list.back().conv = std::move(c);
    }
  }
  if (!present.on_array || present.split) {
    std::vector<WindowPlan> plans = window_plans(present.window_shape, half, false);
    for (const int depth : {1, DeepBuffer}) {
      std::size_t taken = 0;
      for (WindowPlan& w : plans) {
        if (taken == Variants || (depth > 1 && !wide)) break;
        if (!w.feasible || depth * w.source_words > half.source) continue;
        list.push_back(present);
        list.back().window = w;
        w.feasible = false;  // once
        ++taken;
      }
    }
  }
  return list;
}

std::vector<GroupPlan> Lowerer::split_plans(const GroupPlan& present, std::size_t most) const {
  Capacity half = capacity(false);
  half.param /= 2;
  const std::vector<WindowPlan> windows = window_plans(present.window_shape, half, false);
  std::vector<GroupPlan> list;
  for (ConvPlan& c : plan_conv(present.conv_shape, *planned_, present.halves ? half : capacity(false), SplitFinalists, SplitNear)) {
    if (c.free_vector || (!present.halves && !c.params_resident)) continue;
    const auto window = std::find_if(windows.begin(), windows.end(), [&](const WindowPlan& w) {
      return w.tile_n == c.tile_n && w.tile_h == c.tile_h && w.tile_w == c.tile_w;
    });
    if (window == windows.end()) continue;
    list.push_back(present);
    list.back().conv = std::move(c);
    list.back().window = *window;
    list.back().cycles = split_cycles(list.back());
  }
  // Loads of both parts go through one queue: where little is buffered ahead, the loads of one part stand before those of the other and wait
  // for a buffer. The planners do not see that; so the best with deep buffers is wanted, too.
  std::stable_sort(list.begin(), list.end(), [](const GroupPlan& a, const GroupPlan& b) { return a.cycles < b.cycles; });
  std::vector<GroupPlan> best;
  for (const int depth : {1, DeepBuffer}) {
    std::size_t taken = 0;
    for (GroupPlan& p : list) {
      if (taken == most) break;
      if (p.cycles == 0 || depth * p.window.source_words > half.source) continue;
      best.push_back(p);
      p.cycles = 0;  // once
      ++taken;
    }
  }
  return best;
}

std::int64_t Lowerer::split_cycles(const GroupPlan& p) {
  return std::max({p.conv.cycles, p.conv.vector_cycles + p.window.cycles, p.conv.load_cycles + p.window.load_cycles,
                   p.conv.store_cycles + p.window.store_cycles});
}

void Lowerer::plan_pool(int index, GroupPlan& plan) {
  plan.window_shape = window_shape(index);
  plan.window = plan_window(plan.window_shape, capacity(false));
  if (!plan.window.feasible) refuse(layer_of(index), plan);
  plan.cycles = plan.window.cycles;
}

// The image is one run of pixels, so any two factors of their number do as a window.
void Lowerer::plan_mean(int index, GroupPlan& plan) {
  const Layer& layer = layer_of(index);
  WindowShape w = window_shape(index);
  const std::int64_t pixels = std::int64_t{w.in.h} * w.in.w;
  int rows = w.in.h, columns = w.in.w;
  if (rows > MaxWindow || columns > MaxWindow) {
    rows = 0;
    for (int k = 1; k <= MaxWindow && rows == 0; ++k) {
      if (pixels % k == 0 && pixels / k <= MaxWindow) rows = k;
    }
    if (rows == 0) {
      throw UserError("E0604", "layer `" + layer.name + "` averages " + std::to_string(pixels) + " pixels, and a window has at most " +
                                   std::to_string(MaxWindow) + " by " + std::to_string(MaxWindow),
                      "average in two steps");
    }
    columns = static_cast<int>(pixels / rows);
  }
  w.in.h = w.kernel_h = rows;
  w.in.w = w.kernel_w = columns;
  w.out.h = w.out.w = w.stride_h = w.stride_w = w.dilation_h = w.dilation_w = 1;
  w.pad_top = w.pad_left = 0;
  plan.window_shape = w;
  plan.window = plan_window(w, capacity(false));
  if (!plan.window.feasible) refuse(layer, plan);
  plan.cycles = plan.window.cycles;
}

void Lowerer::plan_elementwise(int index, GroupPlan& plan) {
  const Group& g = graph_.groups[index];
  const Layer& layer = layer_of(index);
  const OpLowering& row = lowering(layer.op());
  const std::int64_t operands = static_cast<std::int64_t>(layer.inputs.size());
  const Capacity c = capacity(false);
  const std::int64_t sets = row.shared_sets() * SetWords + (g.main.has_table ? table_words(machine_) : 0);
  if (c.vector < operands + 1 || c.param < sets) refuse(layer, plan);
  constexpr std::int64_t MaxRow = std::min(isa::VectorSrcWidthMax, isa::VectorOutWidthMax);
  const std::int64_t words = ceil_div(network_.input_of(layer).bytes(), machine_.columns);
  std::int64_t most = std::min({c.source / operands / 2, c.output / 2, MaxRow});
  plan.window.feasible = true;
  plan.window.free_vector = most < 1;
  if (plan.window.free_vector) most = std::min(c.vector / (operands + 1), MaxRow);
  // Enough tiles to overlap, none so small that starting costs more than working.
  most = std::min(most, std::max<std::int64_t>(256, ceil_div(words, 8)));
  plan.window.tile_w = static_cast<int>(ceil_div(words, ceil_div(words, most)));
  plan.cycles = words * slices(machine_) * row.shared_sets();
}

// Ways to run a depthwise layer: on the array, on the vector unit (alone, or beside the layer before with half of the
// parameters), or divided between both by blocks of channels. What the array does is requantized by the vector unit, so
// that has the smaller share.
void Lowerer::add_alternatives(int index, const GroupPlan& plan) {
  std::vector<GroupPlan>& list = alternatives_[index];
  GroupPlan p = plan;
  p.on_array = true;
  p.cycles = p.conv.cycles;
  list.push_back(p);
  p.on_array = false;
  p.cycles = p.window.cycles;
  list.push_back(p);
  const Capacity full = capacity(false);
  Capacity half = full;
  half.param /= 2;
  const auto beside = [&](const WindowShape& shape) {
    const std::vector<WindowPlan> plans = window_plans(shape, half, false);
    return plans.empty() ? WindowPlan{} : plans.front();
  };
  p.window = beside(plan.window_shape);
  if (p.window.feasible) list.push_back(p);

  const int blocks = plan.conv.cout_blocks;
  const double array = static_cast<double>(plan.conv.matrix_cycles), requantize = static_cast<double>(plan.conv.vector_cycles);
  const double vector = static_cast<double>(plan.window.vector_cycles);
  const int share = static_cast<int>(blocks * vector / (array + vector - requantize));
  for (const bool halves : {false, true}) {
    for (const int n : {share - 1, share, share + 1, share + 2}) {
      if (n < 1 || n >= blocks) continue;
      p = plan;
      p.on_array = p.split = true;
      p.halves = halves;
      p.conv_shape = depthwise_slice(plan.conv_shape, n * machine_.columns);
      p.conv = plan_conv_cached(p.conv_shape, full);
      if (halves && p.conv.feasible && !p.conv.free_vector && p.conv.params_resident) continue;  // its few parameters stay without that
      if (halves) p.conv = plan_conv_cached(p.conv_shape, half);
      p.window_shape.first_channel = n * machine_.columns;
      p.window = beside(p.window_shape);
      if (!p.conv.feasible || !p.window.feasible || p.conv.free_vector || (!halves && !p.conv.params_resident)) continue;
      p.cycles = split_cycles(p);
      list.push_back(p);
      for (GroupPlan& pair : split_plans(p, 1)) list.push_back(std::move(pair));
    }
  }
}

void Lowerer::settle(int index) {
  GroupPlan& plan = *plans_[static_cast<std::size_t>(index)];
  plan.beside = plan.param_varies = false;
  plan.param_words = 0;
  if (plan.on_array || plan.window.free_vector || first_near(index) == index) return;
  const Group& g = graph_.groups[index];
  const Layer& layer = network_.layers[g.main.layer];
  const GroupPlan& before = *plans_[static_cast<std::size_t>(index - 1)];
  const std::int64_t table = g.main.has_table ? table_words(machine_) : 0;
  const std::int64_t blocks = ceil_div(network_.output_of(layer).shape.innermost(), machine_.columns);
  if (layer.weights() != nullptr) {
    const std::int64_t block = SetWords + as_convolution(network_, layer).taps();
    const std::int64_t sets = plan.window.params_resident ? ceil_div(blocks, plan.window.blocks) : 1;
    plan.param_words = sets * (table + plan.window.blocks * block);
  } else {
    plan.param_words = table + SetWords * std::max(1, lowering(layer.op()).shared_sets());
  }
  plan.param_varies = layer.op() == Op::AvgPool || (layer.weights() != nullptr && !plan.window.params_resident);
  if (before.beside) plan.param_words += before.param_words;
  plan.beside = plan.param_words <= param_.size() / 2 &&
                (hosts(before) || (before.beside && !before.param_varies && !plan.param_varies));
}

void Lowerer::reset() {
  weight_bytes.assign(network_.layers.size(), 0);
  tiles_left_out = macs_left_out = weight_bytes;
  computed_weights.clear();
  begin_part();
}

void Lowerer::begin_part() {
  operations.clear();
  jobs.clear();
  for (Ring* ring : {&activation_, &weight_, &accumulator_, &param_}) ring->reset();
  for (Areas* areas : {&plain_, &with_add_}) {
    areas->source.reset();
    areas->temporary.reset();
    areas->output.reset();
  }
}

void Lowerer::refuse(const Layer& layer, const GroupPlan& plan) const {
  const Capacity c = capacity(false);
  const Window window = window_of(layer);
  const auto need = [&](std::int64_t words, Buffer buffer, std::int64_t limit, const std::string& what) {
    if (words <= limit) return;
    throw UserError("E0601",
                    "layer `" + layer.name + "` needs " + std::to_string(words) + " words of " + to_string(buffer) + " for " +
                        what + ", and the machine `" + machine_.name + "` has " + std::to_string(limit),
                    "give the machine a larger " + std::string(to_string(buffer)));
  };
  const auto field = [&](const char* what, std::int64_t value, std::int64_t limit) {
    if (value <= limit) return;
    throw UserError("E0602", "layer `" + layer.name + "` has " + what + " " + std::to_string(value) +
                                 ", and an instruction can say at most " + std::to_string(limit));
  };
  field("a kernel height of", window.kernel_h, layer.weights() != nullptr ? MaxConvKernel : MaxWindow);
  field("a kernel width of", window.kernel_w, layer.weights() != nullptr ? MaxConvKernel : MaxWindow);
  field("a padding of", std::max(window.pad_top, window.pad_left), MaxConvKernel);
  field("a stride of", std::max(window.stride_h, window.stride_w), MaxConvStep);
  field("a dilation of", std::max(window.dilation_h, window.dilation_w), MaxConvStep);
  const bool table = layer.then_table != nullptr || layer.op() == Op::Table;
  const OpLowering& row = lowering(layer.op());
  if (row.lower == &Lowerer::lower_weighted) {
    need(machine_.rows, Buffer::Weight, c.weight, "the weights of one pass");
    need(1, Buffer::Accumulator, c.accumulator, "one pixel");
    const ConvShape& s = plan.conv_shape;
    need(set_words(machine_, s.out_bytes(), s.has_table) + (s.has_add ? set_words(machine_, 3, s.add_table) : 0), Buffer::Param, c.param,
         "one block's parameters");
    need(s.has_add ? 3 : s.out_bytes(), Buffer::Vector, c.vector, "one pixel");
  } else if (row.lower == &Lowerer::lower_elementwise) {
    need(static_cast<std::int64_t>(layer.inputs.size()) + 1, Buffer::Vector, c.vector, "one word of each operand and the result");
    need(row.shared_sets() * SetWords + (table ? table_words(machine_) : 0), Buffer::Param, c.param, "its parameters");
  } else {
    const WindowShape& w = plan.window_shape;
    const std::int64_t rows = std::min<std::int64_t>(w.in.h, (w.kernel_h - 1) * w.dilation_h + 1);
    const std::int64_t columns = std::min<std::int64_t>(w.in.w, (w.kernel_w - 1) * w.dilation_w + 1);
    need(rows * columns + 1, Buffer::Vector, c.vector, "one window of one channel block and its result");
    need(SetWords + (table || w.has_table ? table_words(machine_) : 0), Buffer::Param, c.param, "its parameters");
  }
  throw UserError("E0601", "layer `" + layer.name + "` does not fit into the buffers of the machine `" + machine_.name + "` in any tiling",
                  "give the machine larger buffers");
}

void Lowerer::heed_interrupt(const Layer& layer) const {
  if (interrupted_ != nullptr && *interrupted_) throw Interrupted("interrupted while compiling layer `" + layer.name + "`");
}

void Lowerer::begin_job(int group, int part) {
  heed_interrupt(network_.layers[static_cast<std::size_t>(graph_.groups[static_cast<std::size_t>(group)].main.layer)]);
  jobs.push_back({static_cast<int>(operations.size()), 0, group, part});
}
void Lowerer::end_job() {
  jobs.back().end = static_cast<int>(operations.size());
  if (at_end_of_job) at_end_of_job();
}

Operation& Lowerer::emit(const isa::Instruction& instruction, int layer) {
  operations.emplace_back();
  Operation& op = operations.back();
  op.instruction = instruction;
  op.layer = layer;
  op.header().tag = layer & isa::HeaderTagMax;
  return op;
}

// A strided transfer as few instructions as can be. Dimensions: inner first. Words follow each other in the buffer.
void Lowerer::transfer(int layer, bool write, Buffer buffer, std::int64_t word, std::uint64_t address, std::int64_t run,
                       std::int64_t group, std::vector<Dimension> dims, bool tracked) {
  const std::int64_t group_words = ceil_div(group, machine_.word_bytes(buffer));
  // Fold: what is contiguous becomes one run, what is evenly spaced one dimension.
  std::vector<Dimension> d;
  for (const Dimension& x : dims) {
    if (x.count == 1) continue;
    if (d.empty() && x.stride == run && run * x.count <= MaxRunBytes) {
      run *= x.count;
    } else if (!d.empty() && x.stride == d.back().stride * d.back().count && d.back().count * x.count <= MaxCount) {
      d.back().count *= x.count;
    } else {
      d.push_back(x);
    }
  }
  if (run > MaxRunBytes) {  // never more than a buffer holds, but a buffer may be large
    const std::int64_t piece = MaxRunBytes / group * group;
    if (!d.empty() || piece == 0) {
      const Dimension outer = d.empty() ? Dimension{1, 0} : d.back();
      if (d.empty()) throw InternalError("a run of one group is too long");
      d.pop_back();
      const std::int64_t inner = [&] {
        std::int64_t n = run / group * group_words;
        for (const Dimension& x : d) n *= x.count;
        return n;
      }();
      for (std::int64_t i = 0; i < outer.count; ++i) {
        transfer(layer, write, buffer, word + i * inner, address + static_cast<std::uint64_t>(i * outer.stride), run, group, d, tracked);
      }
      return;
    }
    for (std::int64_t at = 0; at < run; at += piece) {
      transfer(layer, write, buffer, word + at / group * group_words, address + static_cast<std::uint64_t>(at), std::min(piece, run - at),
               group, {}, tracked);
    }
    return;
  }
  std::int64_t runs = 1, span = run;
  for (const Dimension& x : d) {
    runs *= x.count;
    span += (x.count - 1) * x.stride;
  }
  const std::int64_t words = runs * (run / group) * group_words;
  const bool too_large = !d.empty() && (d.back().count > MaxCount || d.back().stride > MaxStride);
  if (d.size() > 2 || too_large) {
    const Dimension outer = d.back();
    d.pop_back();
    const std::int64_t most = too_large && outer.stride <= MaxStride && d.size() < 2 ? MaxCount : 1;
    for (std::int64_t i = 0; i < outer.count; i += most) {
      std::vector<Dimension> part = d;
      part.push_back({std::min(most, outer.count - i), outer.stride});
      transfer(layer, write, buffer, word + i * (words / outer.count), address + static_cast<std::uint64_t>(i * outer.stride), run, group,
               part, tracked);
    }
    return;
  }
  d.resize(2, {1, 0});
  if (write) {
    isa::Store s;
    s.word_base = static_cast<int>(word);
    s.word_last = static_cast<int>(word + words - 1);
    s.address = address;
    s.run_bytes = static_cast<int>(run);
    s.group_bytes = static_cast<int>(group);
    s.count1 = static_cast<int>(d[0].count);
    s.stride1 = static_cast<std::uint32_t>(d[0].stride);
    s.count2 = static_cast<int>(d[1].count);
    s.stride2 = static_cast<std::uint32_t>(d[1].stride);
    emit(s, layer);
  } else {
    isa::Load l;
    l.buffer = static_cast<int>(buffer);
    l.word_base = static_cast<int>(word);
    l.word_last = static_cast<int>(word + words - 1);
    l.address = address;
    l.run_bytes = static_cast<int>(run);
    l.group_bytes = static_cast<int>(group);
    l.count1 = static_cast<int>(d[0].count);
    l.stride1 = static_cast<std::uint32_t>(d[0].stride);
    l.count2 = static_cast<int>(d[1].count);
    l.stride2 = static_cast<std::uint32_t>(d[1].stride);
    emit(l, layer);
  }
  Operation& op = operations.back();
  op.words = words;
  op.runs = runs;
  if (tracked) {
    op.memory_first = address;
    op.memory_end = address + static_cast<std::uint64_t>(span);
  }
}

// One contiguous constant of whole words into a ring's next place, which the ring keeps; -1 if there is no room.
std::int64_t Lowerer::load_constant(int layer, Buffer buffer, std::uint64_t address, std::int64_t words, std::int64_t slot) {
  Ring& ring = buffer == Buffer::Weight ? weight_ : param_;
  const std::int64_t base = ring.take(std::max(words, slot));
  if (base < 0) return -1;
  const std::int64_t bytes = machine_.columns;
  transfer(layer, false, buffer, base, address, words * bytes, bytes, {}, false);
  return base;
}

void Lowerer::begin_step() {
  weight_.release_all();
  activation_.release_all();
  // What a step's first group keeps lies in one half of param_buffer, so that the other is whole for groups beside it.
  param_.release_all();
  param_.other_half();
}

void Lowerer::lower(int index, const MemoryMap& memory, Constants& constants) {
  memory_ = &memory;
  constants_ = &constants;
  plan(index);
  (this->*lowering(layer_of(index).op()).lower)(index);
}

// On the array, on the vector unit, or on both.
void Lowerer::lower_weighted(int index) {
  const GroupPlan& p = plan(index);
  if (!p.on_array) {
    lower_window(index);
    return;
  }
  if (!p.split) {
    lower_conv(index);
    return;
  }
  // Two parts that run beside each other keep their parameters in halves of their own.
  const Ring whole = param_;
  const std::int64_t half = whole.size() / 2;
  if (p.halves) param_ = Ring(0, half);
  lower_conv(index);
  if (p.halves) param_ = Ring(half, whole.size() - half);
  lower_window(index);
  if (p.halves) param_ = whole;
}

// ---- Parameter sets -----------------------------------------------------------------------------------------------------

namespace {

void put32(std::uint8_t* at, std::int32_t value) {
  const auto v = static_cast<std::uint32_t>(value);
  for (int i = 0; i < 4; ++i) at[i] = static_cast<std::uint8_t>(v >> (8 * i));
}

void put_set(std::uint8_t* at, int columns, int lane, std::int32_t bias, std::int32_t multiplier, int shift) {
  put32(at + 4 * lane, bias);
  put32(at + 4 * (columns + lane), multiplier);
  at[8 * columns + lane] = static_cast<std::uint8_t>(shift);
}

}  // namespace

// A table, if the stage has one, and then what fill_sets writes; `words` in all.
std::uint64_t Lowerer::add_sets(const Stage& stage, const std::function<void(std::uint8_t*)>& fill_sets, std::int64_t words) {
  return constants_->add(words * machine_.columns, [&](std::uint8_t* at) {
    if (stage.has_table) {
      std::memcpy(at, stage.table.data(), stage.table.size());
      at += std::int64_t{table_words(machine_)} * machine_.columns;
    }
    fill_sets(at);
  });
}

// Parameters with which `fixed_double` gives the bytes of sums, one after the other: for each byte the sets of all blocks. Shifted left by 24 - 8b bits the sum
// S loses what is above byte b, and byte b comes to the top. The multiplier 2^7 divides by 2^24 and rounds half up; that the bytes below do not round,
// 2^(8b-1) is taken off before, where they are. What comes out is floor(S / 2^(8b)) but for multiples of 256, at least -128 and at most 128, of which the
// instruction without a clamp keeps the low byte.
std::uint64_t Lowerer::sum_sets(const Stage& stage, int first_block, int blocks) {
  constexpr std::int32_t Multiplier = 1 << 7;
  constexpr int Byte = 8, Top = 24;
  const Layer& layer = network_.layers[stage.layer];
  const std::vector<std::int32_t>& bias = layer.weights()->bias;
  const int channels = network_.output_of(layer).nhwc().c / layer.sum_bytes, c = machine_.columns;
  return add_sets(stage, [&](std::uint8_t* at) {
    for (int b = 0; b < layer.sum_bytes; ++b) {
      const std::int32_t half = b == 0 ? 0 : std::int32_t{1} << (Byte * b - 1);
      for (int block = first_block; block < first_block + blocks; ++block, at += std::int64_t{SetWords} * c) {
        for (int lane = 0; lane < c; ++lane) {
          const int channel = block * c + lane;
          if (channel >= channels) continue;
          const std::int32_t added = bias.empty() ? 0 : bias[static_cast<std::size_t>(channel)];
          put_set(at, c, lane, numerics::wrap_add(added, -half), Multiplier, Top - Byte * b);
        }
      }
    }
  }, std::int64_t{SetWords} * blocks * layer.sum_bytes);
}

std::uint64_t Lowerer::requantize_sets(const Stage& stage, int first_block, int blocks, bool with_weights) {
  const Layer& layer = network_.layers[stage.layer];
  const Weights& weights = *layer.weights();
  const int channels = network_.output_of(layer).nhwc().c, c = machine_.columns;
  const int taps = with_weights ? as_convolution(network_, layer).taps() : 0;
  const std::int64_t words = (stage.has_table ? table_words(machine_) : 0) + std::int64_t{blocks} * (SetWords + taps);
  weight_bytes[stage.layer] += std::int64_t{blocks} * taps * c;
  return add_sets(stage, [&](std::uint8_t* at) {
    for (int b = 0; b < blocks; ++b) {
      for (int lane = 0; lane < c; ++lane) {
        const int channel = (first_block + b) * c + lane;
        if (channel >= channels) continue;
        const std::size_t i = static_cast<std::size_t>(channel);
        const auto& multiplier = layer.requant.multiplier;
        const auto& shift = layer.requant.shift;
        put_set(at, c, lane, weights.bias.empty() ? 0 : weights.bias[i],
                multiplier.empty() ? 0 : multiplier[multiplier.size() == 1 ? 0 : i],
                shift.empty() ? 0 : shift[shift.size() == 1 ? 0 : i]);
      }
      at += std::int64_t{SetWords} * c;
      for (int t = 0; t < taps; ++t, at += c) {
        for (int lane = 0; lane < c && !weights.bytes.empty(); ++lane) {
          const int channel = (first_block + b) * c + lane;
          at[lane] = channel < channels ? weights.bytes[static_cast<std::size_t>(channel) * taps + t]
                                        : static_cast<std::uint8_t>(weights.zero_point);
        }
      }
    }
  }, words);
}

std::uint64_t Lowerer::shared_sets(const Stage& stage, const std::vector<std::int32_t>& multiplier, const std::vector<int>& shift,
                                   std::int32_t bias) {
  const int c = machine_.columns;
  const std::int64_t words = (stage.has_table ? table_words(machine_) : 0) + static_cast<std::int64_t>(multiplier.size()) * SetWords;
  return add_sets(stage, [&](std::uint8_t* at) {
    for (std::size_t s = 0; s < multiplier.size(); ++s, at += std::int64_t{SetWords} * c) {
      for (int lane = 0; lane < c; ++lane) put_set(at, c, lane, s + 1 == multiplier.size() ? bias : 0, multiplier[s], shift[s]);
    }
  }, words);
}

}  // namespace gemel::compiler
