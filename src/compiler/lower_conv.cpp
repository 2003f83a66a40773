// SPDX-License-Identifier: Apache-2.0
// Lowering of convolutions on the array, with a residual addition behind them if there is one. Per tile and store group:
//   1. per accumulator group: parameters, then per chunk of the kernel its weights (the next chunk's before this one's
//      passes, where both fit) and the passes; then requantization into the output area (or, before an addition, a temporary);
//   2. the residual operand's tile, and the addition;
//   3. the store.
// Weights lie in memory in the order in which they are read: per accumulator group and chunk one contiguous run, without the tiles that are left out.
#include <cstring>

#include "base/error.hpp"
#include "compiler/conv_cost.hpp"
#include "compiler/lower.hpp"
#include "compiler/weight_parts.hpp"

namespace gemel::compiler {
namespace {

constexpr std::size_t MaxAhead = 3;  // items whose weights are loaded before their turn

std::vector<BlockRun> block_runs(const ConvShape& s, const ConvPlan& p, const Machine& m, int first, int count) {
  std::vector<BlockRun> runs;
  for (int n = first; n < first + count; ++n) {
    const int word = first_block(s, p, m, n);
    if (!runs.empty()) {
      BlockRun& r = runs.back();
      const int step = word - (r.first_word + (r.count - 1) * r.step);
      if (r.count == 1 ? step >= 0 : step == r.step) {
        r.step = step;
        ++r.count;
        continue;
      }
    }
    runs.push_back({n, 1, word, 0});
  }
  for (BlockRun& r : runs) {
    if (r.count == 1) r.step = 0;
  }
  return runs;
}

// dst[r*columns + c] = src(c)[r]: the rows of R bytes of C output channels, turned.
void turn(const std::uint8_t* const* rows, int channels, int columns, int length, std::uint8_t* dst) {
  int c = 0;
  for (; c + 8 <= channels; c += 8) {
    int r = 0;
    for (; r + 8 <= length; r += 8) {
      std::uint64_t x[8];
      for (int i = 0; i < 8; ++i) std::memcpy(&x[i], rows[c + i] + r, 8);
      // 8x8 bytes turned in three steps of exchanging halves: 4x4, 2x2, 1x1 (little endian).
      const auto exchange = [&x](int a, int b, int shift, std::uint64_t mask) {
        const std::uint64_t t = ((x[a] >> shift) ^ x[b]) & mask;
        x[b] ^= t;
        x[a] ^= t << shift;
      };
      for (int i = 0; i < 4; ++i) exchange(i, i + 4, 32, 0x00000000ffffffffULL);
      for (const int i : {0, 1, 4, 5}) exchange(i, i + 2, 16, 0x0000ffff0000ffffULL);
      for (const int i : {0, 2, 4, 6}) exchange(i, i + 1, 8, 0x00ff00ff00ff00ffULL);
      for (int i = 0; i < 8; ++i) std::memcpy(dst + std::int64_t{r + i} * columns + c, &x[i], 8);
    }
    for (; r < length; ++r) {
      for (int i = 0; i < 8; ++i) dst[std::int64_t{r} * columns + c + i] = rows[c + i][r];
    }
  }
  for (; c < channels; ++c) {
    for (int r = 0; r < length; ++r) dst[std::int64_t{r} * columns + c] = rows[c][r];
  }
}

void pack_weights(const Weights& weights, const ConvShape& s, const ConvPlan& p, const Machine& m, const std::vector<WeightPart>& parts,
                  std::uint8_t* dst) {
  const int rows = m.rows, columns = m.columns;
  const auto zero = static_cast<std::uint8_t>(weights.zero_point);
  const int gin = s.cin / s.groups, gout = s.cout / s.groups;
  const int row_length = p.window ? s.kernel_w * s.cin : s.cin;  // dense: operand bytes of one tap
  const int taps_w = p.window ? 1 : s.kernel_w;
  std::vector<const std::uint8_t*> source(static_cast<std::size_t>(columns));
  for (const auto& [run, k, accumulate] : parts) {
    for (int n = run.block; n < run.block + run.count; ++n) {
      const int channels = std::min(columns, s.cout - n * columns);
      for (int ky = k.ky; ky < k.ky + k.nky; ++ky) {
        for (int kx = k.kx; kx < k.kx + k.nkx; ++kx) {
          for (int cb = k.cb; cb < k.cb + k.ncb; ++cb, dst += std::int64_t{rows} * columns) {
            if (s.groups == 1) {
              const int length = std::min(rows, row_length - cb * rows);
              if (length < rows || channels < columns) std::memset(dst, zero, static_cast<std::size_t>(rows) * columns);
              for (int c = 0; c < channels; ++c) {
                const std::int64_t tap = (std::int64_t{n} * columns + c) * s.kernel_h + ky;
                source[c] = weights.bytes.data() + (tap * taps_w + kx) * row_length + std::int64_t{cb} * rows;
              }
              turn(source.data(), channels, columns, length, dst);
              continue;
            }
            std::memset(dst, zero, static_cast<std::size_t>(rows) * columns);
            const int first_in = (first_block(s, p, m, n) + cb) * rows;
            for (int c = 0; c < channels; ++c) {
              const int o = n * columns + c, group = o / gout;
              const int from = std::max(first_in, group * gin), to = std::min(first_in + rows, (group + 1) * gin);
              const std::uint8_t* src =
                  weights.bytes.data() + ((std::int64_t{o + s.first_channel} * s.kernel_h + ky) * s.kernel_w + kx) * gin - group * gin;
              for (int i = from; i < to; ++i) dst[std::int64_t{i - first_in} * columns + c] = src[i];
            }
          }
        }
      }
    }
  }
}

// For each of the bytes that pack_weights() writes: the element of the weights, or -1 behind their edges.
std::vector<std::int32_t> packed_elements(std::int64_t elements, const ConvShape& s, const ConvPlan& p, const Machine& m,
                                          const std::vector<WeightPart>& parts, std::int64_t bytes) {
  std::vector<std::int32_t> source(static_cast<std::size_t>(bytes), 0);
  std::vector<std::uint8_t> packed(source.size());
  Weights plane;  // one byte of the elements' numbers, counted from 1
  plane.bytes.resize(static_cast<std::size_t>(elements));
  for (int shift = 0; shift < 32; shift += 8) {
    for (std::int64_t e = 0; e < elements; ++e) plane.bytes[static_cast<std::size_t>(e)] = static_cast<std::uint8_t>((e + 1) >> shift);
    pack_weights(plane, s, p, m, parts, packed.data());
    for (std::size_t i = 0; i < source.size(); ++i) source[i] |= static_cast<std::int32_t>(packed[i]) << shift;
  }
  for (std::int32_t& e : source) --e;
  return source;
}

// Weights of the layer in the tiles of a part, without what fills the tiles up.
std::int64_t weights_of(const ConvShape& s, const ConvPlan& p, const Machine& m, const WeightPart& part) {
  const std::int64_t gin = s.cin / s.groups, gout = s.cout / s.groups;
  const std::int64_t length = p.window ? std::int64_t{s.kernel_w} * s.cin : gin;
  std::int64_t weights = 0;
  for (int n = part.run.block; n < part.run.block + part.run.count; ++n) {
    const std::int64_t first = std::int64_t{first_block(s, p, m, n) + part.kernel.cb} * m.rows, end = first + std::int64_t{part.kernel.ncb} * m.rows;
    for (std::int64_t o = std::int64_t{n} * m.columns; o < std::min<std::int64_t>(s.cout, std::int64_t{n + 1} * m.columns); ++o) {
      const std::int64_t group = o / gout * gin;
      weights += std::max<std::int64_t>(0, std::min(end, group + length) - std::max(first, group));
    }
  }
  return weights * part.kernel.nky * part.kernel.nkx;
}

}  // namespace

// Loads what the outputs of `tile` need of the part of the kernel and of the channel words given by it.
Lowerer::ActTile Lowerer::load_activations(int layer, const ConvShape& s, const ConvPlan& p, const Tile& tile, const Chunk& part,
                                           std::uint64_t address, int zero_point, std::int64_t slot) {
  ActTile a;
  const Span y = input_span(tile.y, tile.ny, s.stride_h, s.pad_top, part.ky, part.nky, s.dilation_h, s.h);
  a.z = tile.nz;
  a.y0 = y.first;
  a.height = y.count;
  a.first_word = part.cb;
  a.pixel_words = part.ncb;
  if (p.window) {
    a.x0 = tile.x;
    a.width = tile.nx;
  } else {
    const Span x = input_span(tile.x, tile.nx, s.stride_w, s.pad_left, part.kx, part.nkx, s.dilation_w, s.w);
    a.x0 = x.first;
    a.width = x.count;
  }
  a.words = std::int64_t{a.z} * a.height * a.width * a.pixel_words;
  a.base = activation_.take(std::max(a.words, slot));
  if (a.base < 0) throw InternalError("no room left in activation_buffer");

  if (p.window) {
    const std::int64_t begin = std::int64_t{tile.x} * s.stride_w - s.pad_left;  // first pixel of the first window
    const std::int64_t from = std::max<std::int64_t>(begin, 0);
    isa::Load l;
    l.buffer = static_cast<int>(Buffer::Activation);
    l.fill = zero_point & 0xff;
    l.address = address + static_cast<std::uint64_t>(tile.z * s.plane_bytes + y.first * s.row_bytes + from * s.cin);
    l.run_bytes = static_cast<int>((s.w - from) * s.cin);
    l.window_count = tile.nx;
    l.window_bytes = s.kernel_w * s.cin;
    l.window_step = s.stride_w * s.cin;
    l.window_offset = static_cast<int>((begin - from) * s.cin);
    l.count1 = a.height;
    l.stride1 = static_cast<std::uint32_t>(a.height > 1 ? s.row_bytes : 0);
    const std::int64_t plane = a.words / a.z;
    for (int z = 0; z < a.z; ++z) {
      l.word_base = static_cast<int>(a.base + z * plane);
      l.word_last = static_cast<int>(a.base + (z + 1) * plane - 1);
      Operation& op = emit(l, layer);
      op.words = plane;
      op.runs = a.height;
      op.memory_first = l.address;
      op.memory_end = l.address + static_cast<std::uint64_t>((a.height - 1) * s.row_bytes + l.run_bytes);
      l.address += static_cast<std::uint64_t>(s.plane_bytes);
    }
    return a;
  }
  const std::int64_t first = std::int64_t{part.cb} * machine_.rows;
  const std::int64_t bytes = std::min<std::int64_t>(s.cin, first + std::int64_t{part.ncb} * machine_.rows) - first;
  transfer(layer, false, Buffer::Activation, a.base,
           address + static_cast<std::uint64_t>(tile.z * s.plane_bytes + a.y0 * s.row_bytes + a.x0 * s.pixel_bytes + first), bytes, bytes,
           {{a.width, s.pixel_bytes}, {a.height, s.row_bytes}, {a.z, s.plane_bytes}}, true);
  return a;
}

// Emits one convolution. A job is one store group (`store_blocks` blocks out) of one tile.
class Lowerer::ConvEmitter {
 public:
  // `image`: of a layer with computed weights, which are lowered one after the other.
  ConvEmitter(Lowerer& lowerer, int group, int image);
  void run();

 private:
  // One chunk of the kernel for one accumulator group: blocks out [block, block + count).
  struct Item {
    int block, count;
    std::size_t chunk;
  };
  // Of an accumulator group: where its parameters and weights lie in memory and on the chip (-1: not there).
  struct GroupConstants {
    std::uint64_t sets = ~std::uint64_t{0};
    std::int64_t set_base = -1;
    std::vector<std::uint64_t> weights;  // per chunk, as the next ones
    std::vector<std::int64_t> weight_base;
    std::vector<std::vector<WeightPart>> parts;
  };

  std::vector<Tile> tiles() const;
  // First block out and number of blocks of each accumulator group of blocks [first, first + count), which are whole store groups.
  std::vector<std::pair<int, int>> accumulator_groups(int first, int count) const;
  std::vector<std::vector<WeightPart>> parts_of(int first, int count) const {
    return weight_parts(plan_, block_runs(shape_, plan_, low_.machine_, first, count), zeros_, part_cost_);
  }
  GroupConstants& constants_of(int first, int count);
  void job(int first, int count, const Tile& tile, bool last_of_tile);
  bool load_sets(const Item& item);
  bool load_weights(const Item& item);
  void look_ahead(const std::vector<Item>& items, std::size_t i);
  void load_constants(const std::vector<Item>& items, std::size_t i);
  void load_input(const Item& item, int first, int count, const Tile& tile);
  void emit_passes(const Item& item, const Tile& tile, std::int64_t accumulators);
  // `byte`: of the sums, where bytes of sums are stored.
  void emit_requantize(const Item& item, const Tile& tile, std::int64_t accumulators, std::int64_t to, int pixel_step, int byte);
  std::int64_t emit_addition(const Tile& tile, int count, std::int64_t requantized, std::uint64_t offset, std::int64_t bytes,
                             const std::vector<Dimension>& dimensions);
  void release_sets(std::int64_t& base) {
    low_.param_.release(base);
    base = -1;
  }
  bool has_add() const { return group_.add.layer >= 0; }
  // Tiles, chunks and groups of a layer differ a little in size, the last ones above all. In a scratchpad each takes as much room as the
  // largest, so that they follow each other in the same places: a small one would shift those behind it into words that are still in use.
  std::int64_t tile_slot(int blocks) const { return std::int64_t{plan_.tile_n} * plan_.tile_h * plan_.tile_w * blocks; }
  std::int64_t part_words(const std::vector<WeightPart>& parts) const {
    std::int64_t passes = 0;
    for (const WeightPart& p : parts) passes += p.passes();
    return passes * low_.machine_.rows;
  }

  Lowerer& low_;
  const int index_;
  const Group& group_;
  const ConvShape& shape_;
  const ConvPlan& plan_;
  const Layer& layer_;
  const Tensor& in_;
  const int image_;
  Weights computed_;  // if the network computes them: their type and zero point
  const Weights& weights_;
  const std::uint64_t in_address_, out_address_;
  Areas own_;     // of a plan that divides vector_buffer by itself
  Areas& areas_;
  const PartCost part_cost_;
  const ZeroTiles* const zeros_;           // nullptr: no tile is left out
  std::vector<GroupConstants> constants_;  // by the first block of an accumulator group
  std::uint64_t add_address_ = 0;
  std::int64_t add_base_ = -1, add_words_ = 0;
  ActTile act_;
  std::int64_t act_slot_ = 0, weight_slot_ = 0;
  bool act_loaded_ = false;
  bool first_job_ = true;
};

Lowerer::ConvEmitter::ConvEmitter(Lowerer& lowerer, int group, int image)
    : low_(lowerer),
      index_(group),
      group_(lowerer.graph_.groups[group]),
      shape_(lowerer.plan(group).conv_shape),
      plan_(lowerer.plan(group).conv),
      layer_(lowerer.network_.layers[group_.main.layer]),
      in_(lowerer.network_.input_of(layer_)),
      image_(image),
      weights_(layer_.has_computed_weights() ? computed_ : *layer_.weights()),
      in_address_(lowerer.memory_->address[layer_.inputs[0]] + static_cast<std::uint64_t>(shape_.first_channel + std::int64_t{image} * shape_.plane_bytes)),
      out_address_(lowerer.memory_->address[group_.output] +
                   static_cast<std::uint64_t>(shape_.first_channel + std::int64_t{image} * shape_.oh * shape_.ow * shape_.out_pixel_bytes)),
      areas_(plan_.free_vector ? own_ : has_add() ? lowerer.with_add_ : lowerer.plain_),
      part_cost_(part_cost(shape_, plan_, lowerer.machine_)),
      zeros_(lowerer.plan(group).leave_out_zeros ? &lowerer.zero_tiles(group, plan_.window) : nullptr),
      constants_(static_cast<std::size_t>(plan_.cout_blocks)) {
  if (layer_.has_computed_weights()) {
    const Tensor& matrices = low_.network_.input_of(layer_, 1);
    computed_.type = matrices.type;
    computed_.zero_point = matrices.zero_point;
  }
  if (shape_.groups == 1) act_slot_ = activation_words(shape_, plan_);
  if (!plan_.weights_outer) {
    for (const Chunk& k : plan_.chunks) weight_slot_ = std::max(weight_slot_, k.passes() * plan_.acc_blocks * lowerer.machine_.rows);
    if (zeros_ != nullptr) {
      weight_slot_ = 0;
      for (const auto& [first, count] : accumulator_groups(0, plan_.cout_blocks)) {
        for (const std::vector<WeightPart>& parts : parts_of(first, count)) weight_slot_ = std::max(weight_slot_, part_words(parts));
      }
    }
  }
  if (plan_.free_vector) {
    const std::int64_t tile_words = std::int64_t{plan_.tile_n} * plan_.tile_h * plan_.tile_w * plan_.store_blocks;
    const std::int64_t operand = has_add() ? tile_words : 0;
    const std::int64_t rest = low_.vector_words() - 2 * operand;
    own_ = {Ring(0, operand), Ring(operand, operand), Ring(2 * operand, std::min<std::int64_t>(tile_words * shape_.out_bytes() * 2, rest))};
  }
  if (has_add()) {
    const Requant& r = low_.network_.layers[group_.add.layer].requant;
    add_words_ = set_words(low_.machine_, 3, group_.add.has_table);
    add_address_ = low_.shared_sets(group_.add, r.multiplier, r.shift, r.bias);
  }
}

void Lowerer::ConvEmitter::run() {
  const std::vector<Tile> all = tiles();
  const auto blocks = [&](int first) { return std::min(plan_.store_blocks, plan_.cout_blocks - first); };
  if (!plan_.weights_outer) {
    for (const Tile& tile : all) {
      for (int first = 0; first < plan_.cout_blocks; first += plan_.store_blocks)
        job(first, blocks(first), tile, first + blocks(first) == plan_.cout_blocks);
    }
    return;
  }
  for (int first = 0; first < plan_.cout_blocks; first += plan_.store_blocks) {
    const int count = blocks(first);
    low_.weight_.prepare(std::int64_t{count} * low_.machine_.rows * shape_.kernel_h * (plan_.window ? 1 : shape_.kernel_w) * plan_.block_cin);
    for (const Tile& tile : all) job(first, count, tile, true);
    for (int n = first; n < first + count; ++n) {
      GroupConstants& c = constants_[static_cast<std::size_t>(n)];
      for (const std::int64_t base : c.weight_base) low_.weight_.release(base);
      if (!plan_.params_resident && c.set_base >= 0) release_sets(c.set_base);
    }
  }
}

std::vector<Tile> Lowerer::ConvEmitter::tiles() const {
  std::vector<Tile> tiles;
  for (int z = 0; z < shape_.n; z += plan_.tile_n) {
    for (int y = 0; y < shape_.oh; y += plan_.tile_h) {
      for (int x = 0; x < shape_.ow; x += plan_.tile_w) {
        tiles.push_back({z, std::min(plan_.tile_n, shape_.n - z), y, std::min(plan_.tile_h, shape_.oh - y), x,
                         std::min(plan_.tile_w, shape_.ow - x)});
      }
    }
  }
  return tiles;
}

std::vector<std::pair<int, int>> Lowerer::ConvEmitter::accumulator_groups(int first, int count) const {
  std::vector<std::pair<int, int>> groups;
  for (int store = first; store < first + count; store += plan_.store_blocks) {
    const int end = std::min(store + plan_.store_blocks, first + count);
    for (int n = store; n < end; n += plan_.acc_blocks) groups.emplace_back(n, std::min(plan_.acc_blocks, end - n));
  }
  return groups;
}

Lowerer::ConvEmitter::GroupConstants& Lowerer::ConvEmitter::constants_of(int first, int count) {
  GroupConstants& c = constants_[static_cast<std::size_t>(first)];
  if (!c.parts.empty()) return c;
  c.parts = parts_of(first, count);
  c.sets = shape_.sum_bytes > 0 ? low_.sum_sets(group_.main, first, count)
                                : low_.requantize_sets(group_.main, first + shape_.first_channel / low_.machine_.columns, count, false);
  c.weight_base.assign(plan_.chunks.size(), -1);
  std::int64_t passes = 0;
  for (const std::vector<WeightPart>& parts : c.parts) {
    const std::int64_t words = part_words(parts), bytes = words * low_.machine_.columns;
    passes += words / low_.machine_.rows;
    low_.weight_bytes[group_.main.layer] += bytes;
    std::function<void(std::uint8_t*)> fill;
    if (!weights_.bytes.empty()) {
      fill = [&](std::uint8_t* to) { pack_weights(weights_, shape_, plan_, low_.machine_, parts, to); };
    }
    c.weights.push_back(low_.constants_->add(bytes, fill));
    if (layer_.has_computed_weights() && low_.constants_->with_bytes()) {
      const std::int64_t elements = std::int64_t{shape_.cout} * (shape_.cin / shape_.groups);
      std::vector<std::int32_t> source = packed_elements(elements, shape_, plan_, low_.machine_, parts, bytes);
      for (std::int32_t& e : source) e = e < 0 ? e : static_cast<std::int32_t>(e + image_ * elements);
      low_.computed_weights.push_back({group_.main.layer, c.weights.back(), std::move(source)});
    }
  }
  const std::int64_t left_out = kernel_passes(shape_, plan_) * count - passes;
  if (left_out > 0) {
    const auto layer = static_cast<std::size_t>(group_.main.layer);
    low_.tiles_left_out[layer] += left_out;
    const std::int64_t columns = low_.machine_.columns, end = std::min<std::int64_t>(shape_.cout, (first + count) * columns);
    std::int64_t weights = (end - first * columns) * shape_.kernel_h * shape_.kernel_w * (shape_.cin / shape_.groups);
    for (const std::vector<WeightPart>& parts : c.parts) {
      for (const WeightPart& part : parts) weights -= weights_of(shape_, plan_, low_.machine_, part);
    }
    low_.macs_left_out[layer] += weights * shape_.full_pixels();
  }
  return c;
}

// False if there is no room at the moment, which may only be when loading ahead.
bool Lowerer::ConvEmitter::load_sets(const Item& item) {
  GroupConstants& c = constants_of(item.block, item.count);
  if (c.set_base < 0) {
    c.set_base = low_.load_constant(group_.main.layer, Buffer::Param, c.sets,
                                    set_words(low_.machine_, item.count * shape_.out_bytes(), group_.main.has_table));
  }
  return c.set_base >= 0;
}
bool Lowerer::ConvEmitter::load_weights(const Item& item) {
  GroupConstants& c = constants_of(item.block, item.count);
  std::int64_t& base = c.weight_base[item.chunk];
  const std::vector<WeightPart>& parts = c.parts[item.chunk];
  if (parts.empty()) return true;
  if (base < 0) base = low_.load_constant(group_.main.layer, Buffer::Weight, c.weights[item.chunk], part_words(parts), weight_slot_);
  return base >= 0;
}

// Issues the loads of the next items' weights, as many as fit, before this item's passes.
void Lowerer::ConvEmitter::look_ahead(const std::vector<Item>& items, std::size_t i) {
  for (std::size_t j = i + 1; j < items.size() && j <= i + MaxAhead; ++j) {
    if (!load_weights(items[j])) break;
    if (!plan_.params_resident && items[j].chunk == 0 && !load_sets(items[j])) break;
  }
}

void Lowerer::ConvEmitter::load_constants(const std::vector<Item>& items, std::size_t i) {
  const auto must = [](bool room) {
    if (!room) throw InternalError("no room left for constants");
  };
  must(load_sets(items[i]));
  must(load_weights(items[i]));
  if (first_job_ && i == 0 && index_ > 0) look_ahead(items, i);  // weights do not wait for the layer before, activations do
}

// Of the input: what the item needs (if activations are loaded chunk by chunk), or what the whole job needs.
void Lowerer::ConvEmitter::load_input(const Item& item, int first, int count, const Tile& tile) {
  Chunk part{0, shape_.kernel_h, 0, shape_.kernel_w, 0, plan_.cin_blocks};
  if (plan_.act_chunked) {
    part = plan_.chunks[item.chunk];
    part.cb += first_block(shape_, plan_, low_.machine_, item.block);
  } else if (act_loaded_) {
    return;
  } else if (shape_.groups > 1) {
    part.cb = first_block(shape_, plan_, low_.machine_, first);
    part.ncb = first_block(shape_, plan_, low_.machine_, first + count - 1) + plan_.block_cin - part.cb;
  }
  act_ = low_.load_activations(group_.main.layer, shape_, plan_, tile, part, in_address_, in_.zero_point, act_slot_);
  act_loaded_ = !plan_.act_chunked;
}

void Lowerer::ConvEmitter::emit_passes(const Item& item, const Tile& t, std::int64_t accumulators) {
  const GroupConstants& c = constants_[static_cast<std::size_t>(item.block)];
  const std::int64_t pixels = t.pixels();
  std::int64_t weights = c.weight_base[item.chunk];
  for (const WeightPart& part : c.parts[item.chunk]) {
    const auto& [run, k, accumulate] = part;
    isa::Matrix m;
    m.accumulate = accumulate;
    m.act_base = static_cast<int>(act_.base + run.first_word + k.cb - act_.first_word);
    m.act_last = static_cast<int>(act_.base + act_.words - 1);
    m.weight_base = static_cast<int>(weights);
    weights += part.passes() * low_.machine_.rows;
    m.weight_last = static_cast<int>(weights - 1);
    m.acc_base = static_cast<int>(accumulators + (run.block - item.block) * pixels);
    m.acc_last = static_cast<int>(m.acc_base + run.count * pixels - 1);
    m.act_height = act_.height;
    m.act_width = act_.width;
    m.pixel_words = act_.pixel_words;
    m.plane_words = act_.z > 1 ? static_cast<int>(act_.words / act_.z) : 0;
    m.act_block_step = run.step;
    m.out_planes = t.nz;
    m.out_height = t.ny;
    m.out_width = t.nx;
    m.kernel_h = k.nky;
    m.kernel_w = k.nkx;
    m.cin_blocks = k.ncb;
    m.cout_blocks = run.count;
    m.stride_y = shape_.stride_h;
    m.dilation_y = shape_.dilation_h;
    m.origin_y = t.y * shape_.stride_h - shape_.pad_top + k.ky * shape_.dilation_h - act_.y0;
    if (!plan_.window) {
      m.stride_x = shape_.stride_w;
      m.dilation_x = shape_.dilation_w;
      m.origin_x = t.x * shape_.stride_w - shape_.pad_left + k.kx * shape_.dilation_w - act_.x0;
    }
    m.act_zero = in_.zero_point;
    m.act_unsigned = in_.type == ElementType::UInt8;
    m.weight_zero = weights_.zero_point;
    m.weight_unsigned = weights_.type == ElementType::UInt8;
    low_.emit(m, group_.main.layer);
  }
}

void Lowerer::ConvEmitter::emit_requantize(const Item& item, const Tile& t, std::int64_t accumulators, std::int64_t to, int pixel_step,
                                           int byte) {
  const int set = set_words(low_.machine_, item.count, group_.main.has_table);
  const std::int64_t sets = constants_[static_cast<std::size_t>(item.block)].set_base + std::int64_t{byte} * set, pixels = t.pixels();
  isa::Vector v;
  v.opcode = isa::Opcode::Requantize;
  v.rounding = static_cast<int>(layer_.requant.rounding);
  v.table = group_.main.has_table;
  v.blocks = item.count;
  v.src0_base = static_cast<int>(accumulators);
  v.src0_last = static_cast<int>(accumulators + item.count * pixels - 1);
  v.dst_base = static_cast<int>(to);
  v.dst_last = static_cast<int>(to + (pixels - 1) * pixel_step + item.count - 1);
  v.dst_pixel_step = pixel_step;
  v.dst_block_step = 1;
  v.param_base = static_cast<int>(sets);
  v.param_last = static_cast<int>(sets + set - 1);
  v.out_planes = t.nz;
  v.out_height = t.ny;
  v.out_width = t.nx;
  v.dst_zero = low_.network_.output_of(layer_).zero_point;
  v.clamp_min = shape_.sum_bytes > 0 ? isa::VectorClampMinMin : layer_.clamp_min;  // bytes of sums are not cut: see sum_sets()
  v.clamp_max = shape_.sum_bytes > 0 ? isa::VectorClampMaxMax : layer_.clamp_max;
  low_.emit(v, group_.main.layer);
}

// Loads the residual operand's tile and adds; gives the first word of the sum, which is kept.
std::int64_t Lowerer::ConvEmitter::emit_addition(const Tile& t, int count, std::int64_t requantized, std::uint64_t offset, std::int64_t bytes,
                                                 const std::vector<Dimension>& dimensions) {
  const Layer& add = low_.network_.layers[group_.add.layer];
  const std::int64_t words = t.pixels() * count;
  const std::int64_t residual = areas_.source.take(tile_slot(plan_.store_blocks)), result = areas_.output.take(tile_slot(plan_.store_blocks));
  if (residual < 0 || result < 0) throw InternalError("no room left in vector_buffer");
  if (add_base_ < 0) add_base_ = low_.load_constant(group_.add.layer, Buffer::Param, add_address_, add_words_);
  if (add_base_ < 0) throw InternalError("no room left for constants");
  low_.transfer(group_.add.layer, false, Buffer::Vector, residual, low_.memory_->address[group_.residual] + offset, bytes, bytes, dimensions, true);
  const std::int64_t source0 = group_.main_is_second ? residual : requantized, source1 = group_.main_is_second ? requantized : residual;
  const Tensor &a = low_.network_.input_of(add, 0), &b = low_.network_.input_of(add, 1);
  isa::Vector v;
  v.opcode = isa::Opcode::Add;
  v.rounding = static_cast<int>(add.requant.rounding);
  v.param_shared = 1;
  v.table = group_.add.has_table;
  v.src0_unsigned = a.type == ElementType::UInt8;
  v.src1_unsigned = b.type == ElementType::UInt8;
  v.blocks = count;
  v.src0_base = static_cast<int>(source0);
  v.src0_last = static_cast<int>(source0 + words - 1);
  v.src1_base = static_cast<int>(source1);
  v.src1_last = static_cast<int>(source1 + words - 1);
  v.dst_base = static_cast<int>(result);
  v.dst_last = static_cast<int>(result + words - 1);
  v.dst_pixel_step = count;
  v.dst_block_step = 1;
  v.block_step = 1;
  v.pixel_words = count;
  v.plane_words = t.nz > 1 ? static_cast<int>(words / t.nz) : 0;
  v.src_height = t.ny;
  v.src_width = t.nx;
  v.out_planes = t.nz;
  v.out_height = t.ny;
  v.out_width = t.nx;
  v.param_base = static_cast<int>(add_base_);
  v.param_last = static_cast<int>(add_base_ + add_words_ - 1);
  v.src0_zero = a.zero_point;
  v.src1_zero = b.zero_point;
  v.dst_zero = low_.network_.output_of(add).zero_point;
  v.clamp_min = add.clamp_min;
  v.clamp_max = add.clamp_max;
  low_.emit(v, group_.add.layer);
  areas_.source.release(residual);
  areas_.temporary.release(requantized);
  if (!plan_.params_resident && !plan_.params_outer) release_sets(add_base_);
  return result;
}

void Lowerer::ConvEmitter::job(int first, int count, const Tile& t, bool last_of_tile) {
  low_.begin_job(index_, 0);
  // Where bytes of sums are stored, the tile's lowest bytes, then the next ones, each a slot.
  const std::int64_t slot = tile_slot(plan_.store_blocks);
  const std::int64_t requantized = (has_add() ? areas_.temporary : areas_.output).take(slot * shape_.out_bytes());
  if (requantized < 0) throw InternalError("no room left in vector_buffer");
  std::vector<Item> items;
  for (const auto& [block, blocks] : accumulator_groups(first, count)) {
    for (std::size_t k = 0; k < plan_.chunks.size(); ++k) items.push_back({block, blocks, k});
  }
  std::int64_t accumulators = -1;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Item& item = items[i];
    load_constants(items, i);
    GroupConstants& c = constants_[static_cast<std::size_t>(item.block)];
    const bool has_passes = !c.parts[item.chunk].empty();
    if (has_passes) load_input(item, first, count, t);
    look_ahead(items, i);
    if (item.chunk == 0) {
      accumulators = low_.accumulator_.take(tile_slot(plan_.acc_blocks));
      if (accumulators < 0) throw InternalError("no room left in accumulator_buffer");
    }
    emit_passes(item, t, accumulators);
    if (!plan_.weights_outer) {
      low_.weight_.release(c.weight_base[item.chunk]);
      c.weight_base[item.chunk] = -1;
    }
    if (plan_.act_chunked && has_passes) low_.activation_.release(act_.base);
    if (item.chunk + 1 < plan_.chunks.size()) continue;
    for (int b = 0; b < shape_.out_bytes(); ++b) emit_requantize(item, t, accumulators, requantized + b * slot + item.block - first, count, b);
    low_.accumulator_.release(accumulators);
    if (!plan_.params_resident && !plan_.params_outer) release_sets(c.set_base);
  }
  if (!plan_.act_chunked && (last_of_tile || shape_.groups > 1)) {
    low_.activation_.release(act_.base);
    act_loaded_ = false;
  }

  const std::int64_t channel = std::int64_t{first} * low_.machine_.columns;
  const std::int64_t bytes = std::min<std::int64_t>(shape_.cout, channel + std::int64_t{count} * low_.machine_.columns) - channel;
  const std::int64_t row = shape_.ow * shape_.out_pixel_bytes, plane = row * shape_.oh;
  const auto offset = static_cast<std::uint64_t>(t.z * plane + t.y * row + t.x * shape_.out_pixel_bytes + channel);
  const std::vector<Dimension> dimensions = {{t.nx, shape_.out_pixel_bytes}, {t.ny, row}, {t.nz, plane}};
  const std::int64_t result = has_add() ? emit_addition(t, count, requantized, offset, bytes, dimensions) : requantized;
  for (int b = 0; b < shape_.out_bytes(); ++b)
    low_.transfer(group_.last_layer, true, Buffer::Vector, result + b * slot, out_address_ + offset + static_cast<std::uint64_t>(b) * shape_.cout, bytes,
                  bytes, dimensions, true);
  areas_.output.release(result);
  first_job_ = false;
  low_.end_job();
}

void Lowerer::lower_conv(int index) {
  const Layer& layer = layer_of(index);
  const std::int64_t images = layer.has_computed_weights() ? network_.output_of(layer).shape.outermost() : 1;
  for (int image = 0; image < images; ++image) {
    if (image > 0) param_.release_all();  // what the image before kept
    ConvEmitter(*this, index, image).run();
  }
}

}  // namespace gemel::compiler
