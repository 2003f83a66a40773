// SPDX-License-Identifier: Apache-2.0
#include "compiler/conv_cost.hpp"

#include <algorithm>

namespace gemel::compiler {
namespace {

constexpr std::int64_t NoBuffer = std::int64_t{1} << 40;  // words that no buffer has
constexpr std::int64_t NextVector = 4;                    // from one instruction of the vector unit to the next

// The distinct sizes of the parts of n, nearly all of them equal to `part`.
struct Parts {
  struct Part {
    int size, count;
  };
  Parts(int n, int part) {
    if (n / part > 0) list[count++] = {part, n / part};
    if (n % part > 0) list[count++] = {n % part, 1};
  }
  const Part* begin() const { return list; }
  const Part* end() const { return list + count; }
  Part list[2];
  int count = 0;
};

bool same_size(const Chunk& a, const Chunk& b) { return a.nky == b.nky && a.nkx == b.nkx && a.ncb == b.ncb; }

}  // namespace

std::int64_t ConvCost::tile_words(const ConvPlan& p) const { return chunk_words(p, {0, s_.kernel_h, 0, taps_w(s_, p), 0, p.cin_blocks}); }

// Activation words of the largest tile for a part of the kernel.
std::int64_t ConvCost::chunk_words(const ConvPlan& p, const Chunk& k) const {
  const std::int64_t rows = std::min<std::int64_t>(s_.h, std::int64_t{p.tile_h - 1} * s_.stride_h + std::int64_t{k.nky - 1} * s_.dilation_h + 1);
  const std::int64_t columns =
      p.window ? p.tile_w : std::min<std::int64_t>(s_.w, std::int64_t{p.tile_w - 1} * s_.stride_w + std::int64_t{k.nkx - 1} * s_.dilation_w + 1);
  if (rows > isa::MatrixActHeightMax || columns > isa::MatrixActWidthMax) return NoBuffer;
  return p.tile_n * rows * columns * k.ncb;
}

bool ConvCost::evaluate(ConvPlan& p, std::int64_t limit, Cost& cost) const {
  if (least_matrix_cycles(p) >= limit) return false;
  Fit f;
  if (!fit(p, f)) return false;
  Totals sum;
  for (const auto& n : Parts(s_.n, p.tile_n)) {
    for (const auto& h : Parts(s_.oh, p.tile_h)) {
      for (const auto& w : Parts(s_.ow, p.tile_w)) {
        add(p, f, tile(p, f, n.size, h.size, w.size), std::int64_t{n.count} * h.count * w.count, sum);
      }
    }
  }
  cost = finish(p, f, sum);
  return cost.total() < limit;
}

// Passes alone: no candidate with these tiles takes less, whatever else it does.
std::int64_t ConvCost::least_matrix_cycles(const ConvPlan& p) const {
  std::int64_t cycles = 0;
  for (const auto& n : Parts(s_.n, p.tile_n)) {
    for (const auto& h : Parts(s_.oh, p.tile_h)) {
      for (const auto& w : Parts(s_.ow, p.tile_w)) {
        cycles += std::int64_t{n.count} * h.count * w.count * dataflow_.interval(std::int64_t{n.size} * h.size * w.size);
      }
    }
  }
  return cycles * kernel_passes(s_, p) * p.cout_blocks;
}

bool ConvCost::fit(const ConvPlan& p, Fit& f) const {
  f.group_cin = s_.groups == 1 ? p.cin_blocks
                               : std::min<std::int64_t>(p.cin_blocks, ceil_div(std::int64_t{p.store_blocks} * p.cin_blocks, p.cout_blocks) + p.block_cin);
  std::int64_t act_words = 0;
  if (p.act_chunked) {
    for (std::size_t i = 0; i < p.chunks.size(); ++i) {
      if (i == 0 || !same_size(p.chunks[i], p.chunks[i - 1])) act_words = std::max(act_words, chunk_words(p, p.chunks[i]));
    }
  } else {
    act_words = tile_words(p) / p.cin_blocks * std::max<std::int64_t>(1, f.group_cin);
  }
  if (act_words > c_.activation || (!p.act_chunked && p.cin_blocks > MaxPixelWords)) return false;
  f.chunk_count = static_cast<std::int64_t>(p.chunks.size());
  f.chunk_weights = p.chunks.front().passes() * p.acc_blocks * m_.rows;
  if (f.chunk_weights > c_.weight) return false;
  f.tile_pixels = std::int64_t{p.tile_n} * p.tile_h * p.tile_w;
  const std::int64_t acc_words = f.tile_pixels * p.acc_blocks;
  if (acc_words > c_.accumulator) return false;

  f.store_groups = ceil_div(p.cout_blocks, p.store_blocks);
  f.acc_groups = ceil_div(p.store_blocks, p.acc_blocks) * f.store_groups;
  f.acc_sets = set_words(m_, p.acc_blocks, s_.has_table);
  f.params_kept = p.params_resident || p.params_outer;
  f.act_twice = 2 * act_words <= c_.activation;
  const std::int64_t passes = kernel_passes(s_, p);
  f.weights_twice = p.weights_outer ? 2 * std::int64_t{p.store_blocks} * passes * m_.rows <= c_.weight || f.store_groups == 1
                                    : 2 * f.chunk_weights <= c_.weight;
  f.acc_twice = 2 * ceil_div(acc_words, c_.accumulator_bank) <= c_.accumulator_banks;
  const std::int64_t out_words = f.tile_pixels * p.store_blocks;
  f.out_twice = !p.free_vector && 2 * out_words <= c_.output && (!s_.has_add || 2 * out_words <= c_.source);
  const std::int64_t add_sets = s_.has_add ? set_words(m_, isa::AddSets, s_.add_table) : 0;
  f.params_twice = f.params_kept || 2 * f.acc_sets + add_sets <= c_.param;

  // Streamed weights: chunk after chunk through a ring that holds `depth` of them.
  const std::int64_t depth = c_.weight / f.chunk_weights;
  f.chunk_load = transfer_cycles(m_, 1, f.chunk_weights * m_.columns, f.chunk_weights, false);
  f.chunk_wait = depth < 2 ? 0 : ceil_div(f.chunk_load + m_.read_latency_cycles + 20, std::min<std::int64_t>(depth - 1, 3));
  const std::int64_t weight_words = passes * m_.rows * p.cout_blocks;
  f.weight_load = transfer_cycles(m_, 1, weight_words * m_.columns, weight_words, false);
  return true;
}

ConvCost::Tile ConvCost::tile(const ConvPlan& p, const Fit& f, int nz, int ny, int nx) const {
  Tile t;
  const std::int64_t pixels = std::int64_t{nz} * ny * nx;
  t.matrix = kernel_passes(s_, p) * p.cout_blocks * dataflow_.interval(pixels);
  if (!p.weights_outer) t.matrix = std::max(t.matrix, f.acc_groups * f.chunk_count * f.chunk_wait);
  t.requantize = vector_cycles({isa::Opcode::Requantize, pixels, p.acc_blocks, 1, s_.has_table}, m_) + NextVector;
  t.vector = f.acc_groups * t.requantize;
  const std::int64_t channels = std::min<std::int64_t>(s_.cout, std::int64_t{p.store_blocks} * m_.columns);
  t.store = f.store_groups * channel_transfer(nz, ny, nx, channels, true);
  if (s_.has_add) {
    t.vector += f.store_groups * (vector_cycles({isa::Opcode::Add, pixels, p.store_blocks, 1, s_.add_table}, m_) + NextVector);
    t.residual = f.store_groups * channel_transfer(nz, ny, nx, channels, false);
  }
  if (p.act_chunked) {
    std::int64_t load = 0;
    for (std::size_t i = 0; i < p.chunks.size(); ++i) {
      const Chunk& k = p.chunks[i];
      if (i == 0 || !same_size(k, p.chunks[i - 1])) load = act_load(p, nz, ny, nx, k, k.ncb == p.cin_blocks);
      t.act += load;
    }
    t.act_loads = f.acc_groups * f.chunk_count;
    t.act *= f.acc_groups;
    // Each chunk's activations come behind its weights, and those when the passes before the last are over.
    t.matrix = std::max(t.matrix, t.act + f.acc_groups * f.chunk_count * (f.chunk_load + 2 * m_.read_latency_cycles)) + t.act / t.act_loads;
  } else {
    t.act = act_load(p, nz, ny, nx, {0, s_.kernel_h, 0, taps_w(s_, p), 0, static_cast<int>(f.group_cin)}, f.group_cin == p.cin_blocks);
    if (p.weights_outer || s_.groups > 1) {
      t.act *= f.store_groups;
      t.act_loads = f.store_groups;
    }
  }
  t.params = f.params_kept ? 0 : f.acc_groups * (f.acc_sets + 8);
  return t;
}

// `count` tiles of one size.
void ConvCost::add(const ConvPlan& p, const Fit& f, const Tile& t, std::int64_t count, Totals& sum) const {
  sum.matrix += count * t.matrix;
  sum.vector += count * t.vector;
  sum.store += count * t.store;
  sum.load += count * (t.act + t.residual + t.params + (p.weights_outer ? 0 : f.weight_load));
  const std::int64_t per_group = 1 + f.chunk_count * (p.weights_outer ? 1 : 2) + (f.params_kept ? 0 : 1);
  sum.instructions += count * (t.act_loads + f.acc_groups * per_group + f.store_groups * (s_.has_add ? 3 : 1));

  // Without a second buffer one thing waits for the other.
  std::int64_t serial = 0;
  if (!f.act_twice) serial += t.act + m_.read_latency_cycles;
  if (!f.weights_twice && !p.weights_outer) serial += f.weight_load + f.acc_groups * f.chunk_count * m_.read_latency_cycles;
  if (!f.params_twice) serial += f.acc_groups * (t.requantize + f.acc_sets + m_.read_latency_cycles);
  if (!f.acc_twice) serial += f.acc_groups * (t.requantize + std::int64_t{m_.rows} * 2 + m_.columns);
  if (!f.out_twice) serial += std::min(t.store + f.store_groups * m_.write_latency_cycles, t.matrix);
  sum.serial += count * serial;

  sum.first_load = std::max(sum.first_load, t.act / (p.act_chunked ? t.act_loads : 1) + m_.read_latency_cycles);
  const std::int64_t addition = s_.has_add ? t.vector / f.store_groups - t.requantize : 0;
  sum.last_out = std::max(sum.last_out, t.requantize + addition + t.store / f.store_groups + m_.write_latency_cycles);
}

ConvCost::Cost ConvCost::finish(ConvPlan& p, const Fit& f, Totals& sum) const {
  if (!f.act_twice && !p.act_chunked) sum.serial -= sum.first_load;  // the first tile's is counted as the way in
  if (p.weights_outer) {
    sum.load += f.weight_load;
    if (!f.weights_twice) sum.serial += f.weight_load + f.store_groups * m_.read_latency_cycles;
    sum.instructions += f.acc_groups;
  }
  const std::int64_t fetch = sum.instructions * (m_.read_latency_cycles + 40) / m_.prefetch_instructions;
  p.instructions = sum.instructions;
  p.matrix_cycles = sum.matrix;
  p.vector_cycles = sum.vector;
  p.load_cycles = sum.load;
  p.store_cycles = sum.store;
  p.cycles = std::max({sum.matrix + sum.serial, sum.vector, sum.load, sum.store, fetch}) + sum.first_load + sum.last_out +
             2 * std::int64_t{m_.rows} + m_.columns;
  p.feasible = true;
  Cost cost{p.cycles, (sum.vector + sum.load + sum.store) / 64 + sum.instructions * 8};
  // Tiles that cut rows make all others of their rows wait for each other's neighbours: memory is compared by hulls.
  if (p.tile_w < s_.ow && s_.oh > 1) cost.tie += p.cycles / 64;
  return cost;
}

// The load of a tile's activations for a part of the kernel; `whole`: all channel words of a pixel.
std::int64_t ConvCost::act_load(const ConvPlan& p, int nz, int ny, int nx, const Chunk& k, bool whole) const {
  const std::int64_t rows = std::min<std::int64_t>(s_.h, std::int64_t{ny - 1} * s_.stride_h + std::int64_t{k.nky - 1} * s_.dilation_h + 1);
  if (p.window) {
    const std::int64_t bytes = std::min<std::int64_t>(s_.w, std::int64_t{nx - 1} * s_.stride_w + s_.kernel_w) * s_.cin;
    return transfer_cycles(m_, nz * rows, bytes, nz * rows * nx * k.ncb, false);
  }
  const std::int64_t columns = std::min<std::int64_t>(s_.w, std::int64_t{nx - 1} * s_.stride_w + std::int64_t{k.nkx - 1} * s_.dilation_w + 1);
  const std::int64_t words = nz * rows * columns * k.ncb;
  if (!whole || s_.pixel_bytes != s_.cin) {
    const std::int64_t bytes = std::min<std::int64_t>(std::int64_t{k.ncb} * m_.rows, s_.cin);
    return transfer_cycles(m_, nz * rows * columns, bytes, words, false);
  }
  if (columns * s_.cin != s_.row_bytes) return transfer_cycles(m_, nz * rows, columns * s_.cin, words, false);
  return transfer_cycles(m_, nz, rows * s_.row_bytes, words, false);
}

// A tile of a dense NHWC tensor of the output's shape, of which `part` channels are moved.
std::int64_t ConvCost::channel_transfer(int nz, int ny, int nx, std::int64_t part, bool write) const {
  const std::int64_t channels = s_.out_pixel_bytes;
  const std::int64_t words = std::int64_t{nz} * ny * nx * ceil_div(part, m_.columns);
  if (part < channels) return transfer_cycles(m_, std::int64_t{nz} * ny * nx, part, words, write);
  if (nx < s_.ow) return transfer_cycles(m_, std::int64_t{nz} * ny, std::int64_t{nx} * channels, words, write);
  return transfer_cycles(m_, nz, std::int64_t{ny} * nx * channels, words, write);
}

}  // namespace gemel::compiler
