// SPDX-License-Identifier: Apache-2.0
// Lowering of convolutions on the array, with a residual addition behind them if there is one. Per tile and store group:
//   1. per accumulator group: parameters, then per chunk of the kernel its weights (the next chunk's before this one's
//      passes, where both fit) and the passes; then requantization into the output area (or, before an addition, a temporary);
//   2. the residual operand's tile, and the addition;
//   3. the store.
// Weights lie in memory in the order in which they are read: per accumulator group and chunk one contiguous run.
#include <cstring>

#include "base/error.hpp"
#include "compiler/lower.hpp"

namespace gemel::compiler {
namespace {

constexpr std::size_t MaxAhead = 3;  // items whose weights are loaded before their turn

// Blocks out of one instruction: their blocks in begin `step` words apart.
struct BlockRun {
  int block = 0, count = 1, first_word = 0, step = 0;
};

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

void pack_weights(const Weights& weights, const ConvShape& s, const ConvPlan& p, const Machine& m, const std::vector<BlockRun>& runs,
                  const Chunk& k, std::uint8_t* dst) {
  const int rows = m.rows, columns = m.columns;
  const auto zero = static_cast<std::uint8_t>(weights.zero_point);
  const int gin = s.cin / s.groups, gout = s.cout / s.groups;
  const int row_length = p.window ? s.kernel_w * s.cin : s.cin;  // dense: operand bytes of one tap
  const int taps_w = p.window ? 1 : s.kernel_w;
  std::vector<const std::uint8_t*> source(static_cast<std::size_t>(columns));
  for (const BlockRun& run : runs) {
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

}  // namespace

// Loads what the outputs of `tile` need of the part of the kernel and of the channel words given by it.
Lowerer::ActTile Lowerer::load_activations(int layer, const ConvShape& s, const ConvPlan& p, const Tile& tile, const Chunk& part,
                                           std::uint64_t address, int zero_point) {
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
  a.base = activation_.take(a.words);
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

void Lowerer::lower_conv(int index) {
  const Group& g = graph_.groups[index];
  const ConvShape& s = plan(index).conv_shape;
  const ConvPlan& p = plan(index).conv;
  const Layer& layer = network_.layers[g.main.layer];
  const Weights& weights = *layer.weights();
  const Tensor& in = network_.tensors[layer.inputs[0]];
  const Tensor& middle = network_.tensors[layer.output];
  const std::uint64_t in_address = memory_->address[layer.inputs[0]] + static_cast<std::uint64_t>(s.first_channel);
  const std::uint64_t out_address = memory_->address[g.output] + static_cast<std::uint64_t>(s.first_channel);
  const bool has_add = g.add.layer >= 0;
  const int columns = machine_.columns;
  const int main_tag = g.main.layer, last_tag = g.last_layer;
  const std::int64_t tile_words = std::int64_t{p.tile_n} * p.tile_h * p.tile_w * p.store_blocks;
  Areas own;
  if (p.free_vector) {
    const std::int64_t operand = has_add ? tile_words : 0;
    own = {Ring(0, operand), Ring(operand, operand), Ring(2 * operand, std::min<std::int64_t>(tile_words * 2, capacity(has_add).vector - 2 * operand))};
  }
  Areas& areas = p.free_vector ? own : has_add ? with_add_ : plain_;

  std::vector<Tile> tiles;
  for (int z = 0; z < s.n; z += p.tile_n) {
    for (int y = 0; y < s.oh; y += p.tile_h) {
      for (int x = 0; x < s.ow; x += p.tile_w) {
        tiles.push_back({z, std::min(p.tile_n, s.n - z), y, std::min(p.tile_h, s.oh - y), x, std::min(p.tile_w, s.ow - x)});
      }
    }
  }

  // Per block that begins an accumulator group: where its parameters and weights lie in memory and on the chip.
  struct GroupConstants {
    std::uint64_t sets = ~std::uint64_t{0};
    std::int64_t set_base = -1;
    std::vector<std::uint64_t> weights;
    std::vector<std::int64_t> weight_base;
    std::vector<BlockRun> runs;
  };
  std::vector<GroupConstants> constants(static_cast<std::size_t>(p.cout_blocks));
  const std::size_t chunks = p.chunks.size();
  const auto constants_of = [&](int first, int count) -> GroupConstants& {
    GroupConstants& c = constants[static_cast<std::size_t>(first)];
    if (c.runs.empty()) {
      c.runs = block_runs(s, p, machine_, first, count);
      c.sets = requantize_sets(g.main, first + s.first_channel / columns, count, false);
      c.weight_base.assign(chunks, -1);
      for (const Chunk& k : p.chunks) {
        const std::int64_t bytes = k.passes() * count * machine_.rows * columns;
        weight_bytes[g.main.layer] += bytes;
        std::function<void(std::uint8_t*)> fill;
        if (!weights.bytes.empty()) {
          fill = [&](std::uint8_t* dst) { pack_weights(weights, s, p, machine_, c.runs, k, dst); };
        }
        c.weights.push_back(constants_->add(bytes, fill));
      }
    }
    return c;
  };
  std::uint64_t add_address = 0;
  std::int64_t add_base = -1;
  const std::int64_t add_words = has_add ? set_words(machine_, 3, g.add.has_table) : 0;
  if (has_add) {
    const Requant& r = network_.layers[g.add.layer].requant;
    add_address = shared_sets(g.add, r.multiplier, r.shift);
  }

  ActTile act;
  bool act_loaded = false;
  bool first_job = true;
  // One store group of one tile.
  const auto job = [&](int first, int count, const Tile& t, bool last_of_tile) {
    begin_job(index, 0);
    const std::int64_t pixels = t.pixels();
    const std::int64_t words = pixels * count;
    const std::int64_t requantized = (has_add ? areas.temporary : areas.output).take(words);
    if (requantized < 0) throw InternalError("no room left in vector_buffer");

    struct Item {
      int block, count;
      std::size_t chunk;
    };
    std::vector<Item> items;
    for (int n = first; n < first + count; n += p.acc_blocks) {
      for (std::size_t k = 0; k < chunks; ++k) items.push_back({n, std::min(p.acc_blocks, first + count - n), k});
    }
    const auto item_words = [&](const Item& i) { return p.chunks[i.chunk].passes() * i.count * machine_.rows; };
    // False if there is no room at the moment, which may only be when loading ahead.
    const auto load_sets = [&](const Item& i) {
      GroupConstants& c = constants_of(i.block, i.count);
      if (c.set_base < 0) c.set_base = load_constant(main_tag, Buffer::Param, c.sets, set_words(machine_, i.count, g.main.has_table));
      return c.set_base >= 0;
    };
    const auto load_weights = [&](const Item& i) {
      GroupConstants& c = constants_of(i.block, i.count);
      std::int64_t& base = c.weight_base[i.chunk];
      if (base < 0) base = load_constant(main_tag, Buffer::Weight, c.weights[i.chunk], item_words(i));
      return base >= 0;
    };
    // Issues the loads of the next items' weights, as many as fit, before this item's passes.
    const auto look_ahead = [&](std::size_t i) {
      for (std::size_t j = i + 1; j < items.size() && j <= i + MaxAhead; ++j) {
        if (!load_weights(items[j])) break;
        if (!p.params_resident && items[j].chunk == 0 && !load_sets(items[j])) break;
      }
    };
    const auto must = [](bool room) {
      if (!room) throw InternalError("no room left for constants");
    };
    std::int64_t acc = -1;
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Item& item = items[i];
      must(load_sets(item));
      must(load_weights(item));
      if (p.weights_outer) {
        for (const Item& other : items) must(load_weights(other));
      } else if (first_job) {
        look_ahead(i);  // weights do not wait for the layer before, activations do
      }
      GroupConstants& c = constants[static_cast<std::size_t>(item.block)];
      const Chunk& k = p.chunks[item.chunk];
      if (p.act_chunked) {
        Chunk part = k;
        part.cb += c.runs.front().first_word;
        act = load_activations(main_tag, s, p, t, part, in_address, in.zero_point);
      } else if (!act_loaded) {
        Chunk part{0, s.kernel_h, 0, s.kernel_w, 0, p.cin_blocks};
        if (s.groups > 1) {
          part.cb = first_block(s, p, machine_, first);
          part.ncb = first_block(s, p, machine_, first + count - 1) + p.block_cin - part.cb;
        }
        act = load_activations(main_tag, s, p, t, part, in_address, in.zero_point);
        act_loaded = true;
      }
      if (!p.weights_outer) look_ahead(i);
      if (item.chunk == 0) {
        acc = accumulator_.take(pixels * item.count);
        if (acc < 0) throw InternalError("no room left in accumulator_buffer");
      }
      std::int64_t weights = c.weight_base[item.chunk];
      for (const BlockRun& run : c.runs) {
        isa::Matrix m;
        m.accumulate = item.chunk > 0;
        m.act_base = static_cast<int>(act.base + run.first_word + k.cb - act.first_word);
        m.act_last = static_cast<int>(act.base + act.words - 1);
        m.weight_base = static_cast<int>(weights);
        weights += k.passes() * run.count * machine_.rows;
        m.weight_last = static_cast<int>(weights - 1);
        m.acc_base = static_cast<int>(acc + (run.block - item.block) * pixels);
        m.acc_last = static_cast<int>(m.acc_base + run.count * pixels - 1);
        m.act_height = act.height;
        m.act_width = act.width;
        m.pixel_words = act.pixel_words;
        m.plane_words = act.z > 1 ? static_cast<int>(act.words / act.z) : 0;
        m.act_block_step = run.step;
        m.out_planes = t.nz;
        m.out_height = t.ny;
        m.out_width = t.nx;
        m.kernel_h = k.nky;
        m.kernel_w = k.nkx;
        m.cin_blocks = k.ncb;
        m.cout_blocks = run.count;
        m.stride_y = s.stride_h;
        m.dilation_y = s.dilation_h;
        m.origin_y = t.y * s.stride_h - s.pad_top + k.ky * s.dilation_h - act.y0;
        if (!p.window) {
          m.stride_x = s.stride_w;
          m.dilation_x = s.dilation_w;
          m.origin_x = t.x * s.stride_w - s.pad_left + k.kx * s.dilation_w - act.x0;
        }
        m.act_zero = in.zero_point;
        m.act_unsigned = in.type == ElementType::UInt8;
        m.weight_zero = layer.weights()->zero_point;
        m.weight_unsigned = layer.weights()->type == ElementType::UInt8;
        emit(m, main_tag);
      }
      if (!p.weights_outer) {
        weight_.release(c.weight_base[item.chunk]);
        c.weight_base[item.chunk] = -1;
      }
      if (p.act_chunked) activation_.release(act.base);
      if (item.chunk + 1 < chunks) continue;

      isa::Vector v;
      v.opcode = isa::Opcode::Requantize;
      v.rounding = static_cast<int>(layer.requant.rounding);
      v.table = g.main.has_table;
      v.blocks = item.count;
      v.src0_base = static_cast<int>(acc);
      v.src0_last = static_cast<int>(acc + item.count * pixels - 1);
      v.dst_base = static_cast<int>(requantized + item.block - first);
      v.dst_last = static_cast<int>(v.dst_base + (pixels - 1) * count + item.count - 1);
      v.dst_pixel_step = count;
      v.dst_block_step = 1;
      v.param_base = static_cast<int>(c.set_base);
      v.param_last = static_cast<int>(c.set_base + set_words(machine_, item.count, g.main.has_table) - 1);
      v.out_planes = t.nz;
      v.out_height = t.ny;
      v.out_width = t.nx;
      v.dst_zero = middle.zero_point;
      v.clamp_min = layer.clamp_min;
      v.clamp_max = layer.clamp_max;
      emit(v, main_tag);
      accumulator_.release(acc);
      if (!p.params_resident && !p.params_outer) {
        param_.release(c.set_base);
        c.set_base = -1;
      }
    }
    if (!p.act_chunked && (last_of_tile || s.groups > 1)) {
      activation_.release(act.base);
      act_loaded = false;
    }

    const std::int64_t channel = std::int64_t{first} * columns;
    const std::int64_t bytes = std::min<std::int64_t>(s.cout, channel + std::int64_t{count} * columns) - channel;
    const std::int64_t row = s.ow * s.out_pixel_bytes, plane = row * s.oh;
    const auto offset = static_cast<std::uint64_t>(t.z * plane + t.y * row + t.x * s.out_pixel_bytes + channel);
    const std::vector<Dimension> dims = {{t.nx, s.out_pixel_bytes}, {t.ny, row}, {t.nz, plane}};
    std::int64_t result = requantized;
    if (has_add) {
      const Layer& add = network_.layers[g.add.layer];
      const std::int64_t residual = areas.source.take(words);
      result = areas.output.take(words);
      if (residual < 0 || result < 0) throw InternalError("no room left in vector_buffer");
      if (add_base < 0) add_base = load_constant(g.add.layer, Buffer::Param, add_address, add_words);
      must(add_base >= 0);
      transfer(g.add.layer, false, Buffer::Vector, residual, memory_->address[g.residual] + offset, bytes, bytes, dims, true);
      const std::int64_t source0 = g.main_is_second ? residual : requantized, source1 = g.main_is_second ? requantized : residual;
      const Tensor& a = network_.tensors[add.inputs[0]];
      const Tensor& b = network_.tensors[add.inputs[1]];
      isa::Vector v;
      v.opcode = isa::Opcode::Add;
      v.rounding = static_cast<int>(add.requant.rounding);
      v.param_shared = 1;
      v.table = g.add.has_table;
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
      v.param_base = static_cast<int>(add_base);
      v.param_last = static_cast<int>(add_base + add_words - 1);
      v.src0_zero = a.zero_point;
      v.src1_zero = b.zero_point;
      v.dst_zero = network_.tensors[add.output].zero_point;
      v.clamp_min = add.clamp_min;
      v.clamp_max = add.clamp_max;
      emit(v, g.add.layer);
      areas.source.release(residual);
      areas.temporary.release(requantized);
      if (!p.params_resident && !p.params_outer) {
        param_.release(add_base);
        add_base = -1;
      }
    }
    transfer(last_tag, true, Buffer::Vector, result, out_address + offset, bytes, bytes, dims, true);
    areas.output.release(result);
    first_job = false;
    end_job();
  };

  if (p.weights_outer) {
    for (int first = 0; first < p.cout_blocks; first += p.store_blocks) {
      const int count = std::min(p.store_blocks, p.cout_blocks - first);
      weight_.prepare(std::int64_t{count} * machine_.rows * s.kernel_h * (p.window ? 1 : s.kernel_w) * p.block_cin);
      for (const Tile& t : tiles) job(first, count, t, true);
      for (int n = first; n < first + count; ++n) {
        GroupConstants& c = constants[static_cast<std::size_t>(n)];
        for (std::int64_t& base : c.weight_base) weight_.release(base);
        if (!p.params_resident && c.set_base >= 0) {
          param_.release(c.set_base);
          c.set_base = -1;
        }
      }
    }
  } else {
    for (const Tile& t : tiles) {
      for (int first = 0; first < p.cout_blocks; first += p.store_blocks) {
        const int count = std::min(p.store_blocks, p.cout_blocks - first);
        job(first, count, t, first + count == p.cout_blocks);
      }
    }
  }
}

}  // namespace gemel::compiler
