// SPDX-License-Identifier: Apache-2.0
// Choosing a convolution's tiling: every candidate is costed by the formulas of timing.hpp and the least is taken. The cost
// of a layer is what its busiest unit does, plus what cannot overlap: the first tile's load and the last tile's way out, and
// loads, requantization or stores for which there is no second buffer.
#include "compiler/conv.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

namespace gemel::compiler {
namespace {

// Blocks out are counted by matrix instructions and by those of the vector unit.
constexpr int MaxBlocks = std::min(isa::MatrixCoutBlocksMax, isa::VectorBlocksMax);
// A tile of outputs, too.
constexpr int MaxTileWidth = std::min(isa::MatrixOutWidthMax, isa::VectorOutWidthMax);
constexpr int MaxTilePlanes = std::min(isa::MatrixOutPlanesMax, isa::VectorOutPlanesMax);
// Channel words of a pixel: of the whole tile, and of one tap.
constexpr int MaxPixelWords = std::min(isa::MatrixPixelWordsMax, isa::MatrixCinBlocksMax);
constexpr std::int64_t Never = std::int64_t{1} << 40;  // words that no buffer has
constexpr std::int64_t MaxTilePixels = isa::WordAddresses / 2;  // more make no difference to anything

// n cut into ceil(n/most) parts as even as can be: the size of the largest.
int even_part(int n, int most) { return static_cast<int>(ceil_div(n, ceil_div(n, std::max(1, most)))); }

struct Part {
  int first, size, count;  // first: where the first of these parts begins
};
// The distinct sizes of the parts of n, most of them equal to `part`.
std::vector<Part> parts(int n, int part) {
  std::vector<Part> list;
  if (n / part > 0) list.push_back({0, part, n / part});
  if (n % part > 0) list.push_back({n / part * part, n % part, 1});
  return list;
}

void split_kernel(int kernel_h, int kernel_w, int blocks, std::int64_t most, std::vector<Chunk>& list) {
  list.clear();
  most = std::max<std::int64_t>(1, most);
  if (std::int64_t{kernel_w} * blocks <= most) {
    const int rows = even_part(kernel_h, static_cast<int>(std::min<std::int64_t>(isa::MatrixKernelHMax, most / (std::int64_t{kernel_w} * blocks))));
    if (kernel_w <= isa::MatrixKernelWMax) {
      for (int ky = 0; ky < kernel_h; ky += rows) list.push_back({ky, std::min(rows, kernel_h - ky), 0, kernel_w, 0, blocks});
      return;
    }
  }
  if (blocks <= most) {
    const int columns = even_part(kernel_w, static_cast<int>(std::min<std::int64_t>(isa::MatrixKernelWMax, most / blocks)));
    for (int ky = 0; ky < kernel_h; ++ky) {
      for (int kx = 0; kx < kernel_w; kx += columns) {
        list.push_back({ky, 1, kx, std::min(columns, kernel_w - kx), 0, blocks});
      }
    }
    return;
  }
  const int part = even_part(blocks, static_cast<int>(most));
  for (int ky = 0; ky < kernel_h; ++ky) {
    for (int kx = 0; kx < kernel_w; ++kx) {
      for (int cb = 0; cb < blocks; cb += part) list.push_back({ky, 1, kx, 1, cb, std::min(part, blocks - cb)});
    }
  }
}

class Planner {
 public:
  Planner(const ConvShape& shape, const Machine& machine, const Capacity& capacity) : s_(shape), m_(machine), c_(capacity) {}

  ConvPlan run() {
    best_.cycles = std::numeric_limits<std::int64_t>::max();
    try_mode(false);
    const bool windowable = s_.groups == 1 && s_.dilation_w == 1 && s_.kernel_w > 1 && s_.pixel_bytes == s_.cin &&
                            std::int64_t{s_.kernel_w} * s_.cin <= std::min(isa::LoadWindowBytesMax, m_.burst_bytes) && s_.stride_w <= s_.kernel_w &&
                            s_.pad_left < s_.kernel_w && std::int64_t{s_.ow - 1} * s_.stride_w - s_.pad_left < s_.w &&
                            std::int64_t{s_.cin} * s_.kernel_w < ceil_div(s_.cin, m_.rows) * m_.rows * s_.kernel_w;
    if (windowable) try_mode(true);
    return best_;
  }

 private:
  void try_mode(bool window) {
    p_ = ConvPlan{};
    p_.window = window;
    p_.cin_blocks = static_cast<int>(ceil_div(window ? std::int64_t{s_.kernel_w} * s_.cin : s_.cin, m_.rows));
    p_.cout_blocks = static_cast<int>(ceil_div(s_.cout, m_.columns));
    p_.block_cin = p_.cin_blocks;
    if (s_.groups > 1) {
      const int gin = s_.cin / s_.groups, gout = s_.cout / s_.groups;
      p_.block_cin = 1;
      for (int n = 0; n < p_.cout_blocks; ++n) {
        const int from = n * m_.columns / gout * gin;
        const int to = (std::min((n + 1) * m_.columns, s_.cout) - 1) / gout * gin + gin - 1;
        p_.block_cin = std::max(p_.block_cin, to / m_.rows - from / m_.rows + 1);
      }
    }
    taps_w_ = window ? 1 : s_.kernel_w;
    kernel_passes_ = std::int64_t{s_.kernel_h} * taps_w_ * p_.block_cin;

    const std::int64_t half = c_.accumulator_banks > 1 ? c_.accumulator_banks / 2 * c_.accumulator_bank : c_.accumulator / 2;
    const std::int64_t budgets[] = {half, c_.accumulator_bank, half / 2, half / 4, c_.accumulator};
    int previous = 0;
    for (const int divide : {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 1 << 20}) {
      // Blocks per matrix instruction: all, and fewer.
      const int acc_blocks = std::min(MaxBlocks, static_cast<int>(ceil_div(p_.cout_blocks, divide)));
      if (acc_blocks == previous) continue;
      previous = acc_blocks;
      p_.acc_blocks = acc_blocks;
      tried_.clear();
      for (const std::int64_t budget : budgets) try_pixels(std::min<std::int64_t>(budget, c_.accumulator) / acc_blocks);
    }
    if (best_.cycles == std::numeric_limits<std::int64_t>::max()) {
      p_.acc_blocks = 1;
      tried_.clear();
      for (const std::int64_t pixels : {64, 16, 4, 1}) try_pixels(pixels);
    }
  }

  void try_pixels(std::int64_t most) {
    if (most < 1) return;
    most = std::min(most, MaxTilePixels);
    const int ow = s_.ow;
    if (std::int64_t{s_.oh} * ow <= most) {
      p_.tile_h = s_.oh;
      p_.tile_w = std::min(ow, MaxTileWidth);
      p_.tile_n = p_.tile_w == ow ? even_part(s_.n, static_cast<int>(std::min<std::int64_t>(MaxTilePlanes, most / (std::int64_t{s_.oh} * ow)))) : 1;
    } else if (ow <= most && ow <= MaxTileWidth) {
      p_.tile_n = 1;
      p_.tile_w = ow;
      p_.tile_h = even_part(s_.oh, static_cast<int>(most / ow));
    } else {
      p_.tile_n = p_.tile_h = 1;
      p_.tile_w = even_part(ow, static_cast<int>(std::min<std::int64_t>(most, MaxTileWidth)));
      try_stores();
      // A squarer tile reads fewer border rows again.
      int side = 1;
      while (std::int64_t{side + 1} * (side + 1) <= most) ++side;
      if (s_.kernel_h > 1 && side > 1) {
        p_.tile_w = even_part(ow, static_cast<int>(most / side));
        p_.tile_h = even_part(s_.oh, std::max(1, static_cast<int>(most / p_.tile_w)));
        try_stores();
      }
      return;
    }
    try_stores();
  }

  void try_stores() {
    // Budgets often give the same tile.
    const std::array<int, 3> tile = {p_.tile_n, p_.tile_h, p_.tile_w};
    if (std::find(tried_.begin(), tried_.end(), tile) != tried_.end()) return;
    tried_.push_back(tile);
    const std::int64_t pixels = std::int64_t{p_.tile_n} * p_.tile_h * p_.tile_w;
    int previous = 0;
    for (const int groups : {1, 2, 4, 8, 1 << 20}) {
      const int wanted = static_cast<int>(ceil_div(p_.cout_blocks, groups));
      const int blocks = std::min(MaxBlocks, std::max(1, wanted / p_.acc_blocks) * p_.acc_blocks);
      if (blocks == previous) continue;
      previous = blocks;
      p_.store_blocks = std::min(blocks, p_.cout_blocks);
      const std::int64_t words = pixels * p_.store_blocks;
      if (words >= isa::WordAddresses) continue;
      p_.free_vector = false;
      if (words > c_.output || (s_.has_add && (words > c_.source || words > c_.temporary))) {
        if (!c_.free_vector || words * (s_.has_add ? 3 : 1) > c_.vector) continue;
        p_.free_vector = true;
      }
      try_weights();
    }
  }

  void try_weights() {
    const std::int64_t acc_sets = set_words(m_, p_.acc_blocks, s_.has_table);
    const std::int64_t add_sets = s_.has_add ? set_words(m_, 3, s_.add_table) : 0;
    const std::int64_t groups = ceil_div(p_.cout_blocks, p_.store_blocks) * ceil_div(p_.store_blocks, p_.acc_blocks);
    p_.params_resident = groups * acc_sets + add_sets <= c_.param / 2;
    if (!p_.params_resident && acc_sets + add_sets > c_.param) return;

    const std::int64_t group_weights = std::int64_t{p_.store_blocks} * kernel_passes_ * m_.rows;
    for (const bool outer : {false, true}) {
      p_.weights_outer = outer;
      if (outer && group_weights > c_.weight) continue;
      p_.params_outer = outer && !p_.params_resident &&
                        ceil_div(p_.store_blocks, p_.acc_blocks) * acc_sets + add_sets <= c_.param / 2;
      std::int64_t last = 0;
      for (const std::int64_t share : {c_.weight / 2, c_.weight / 4, c_.weight}) {
        if (outer && share != c_.weight / 2) continue;
        const std::int64_t most = outer ? kernel_passes_ : share / (std::int64_t{p_.acc_blocks} * m_.rows);
        const std::int64_t passes = std::min(most, kernel_passes_);
        if (passes < 1 || passes == last) continue;
        last = passes;
        split_kernel(s_.kernel_h, taps_w_, p_.block_cin, passes, p_.chunks);
        p_.act_chunked = false;
        cost();
      }
    }
    // Activations chunk by chunk, for what is too large in one piece.
    if (tile_words(false) > c_.activation / 2 || p_.cin_blocks > MaxPixelWords) {
      if (s_.groups > 1 && p_.acc_blocks > 1) return;
      p_.weights_outer = p_.params_outer = false;
      p_.act_chunked = true;
      std::int64_t most = std::min(c_.weight / 2, c_.weight) / (std::int64_t{p_.acc_blocks} * m_.rows);
      if (most < 1) most = c_.weight / (std::int64_t{p_.acc_blocks} * m_.rows);
      for (most = std::min(most, kernel_passes_); most >= 1; most /= 2) {
        split_kernel(s_.kernel_h, taps_w_, p_.block_cin, most, p_.chunks);
        if (p_.window && p_.chunks.front().ncb < p_.cin_blocks) break;  // a window is loaded whole
        cost();
      }
    }
  }

  // Activation words of the largest tile: of the whole kernel, or of its largest chunk.
  std::int64_t tile_words(bool chunk) const {
    const Chunk whole{0, s_.kernel_h, 0, taps_w_, 0, p_.cin_blocks};
    std::int64_t most = 0;
    const auto one = [&](const Chunk& k) {
      const std::int64_t rows = std::min<std::int64_t>(s_.h, (p_.tile_h - 1) * s_.stride_h + (k.nky - 1) * s_.dilation_h + 1);
      const std::int64_t columns =
          p_.window ? p_.tile_w : std::min<std::int64_t>(s_.w, (p_.tile_w - 1) * s_.stride_w + (k.nkx - 1) * s_.dilation_w + 1);
      if (rows > isa::MatrixActHeightMax || columns > isa::MatrixActWidthMax) return Never;
      return p_.tile_n * rows * columns * k.ncb;
    };
    if (!chunk) return one(whole);
    for (const Chunk& k : p_.chunks) most = std::max(most, one(k));
    return most;
  }

  void cost() {
    // Blocks in that a store group needs; a whole pixel in a dense layer.
    const std::int64_t group_cin =
        s_.groups == 1 ? p_.cin_blocks
                       : std::min<std::int64_t>(p_.cin_blocks,
                                                ceil_div(std::int64_t{p_.store_blocks} * p_.cin_blocks, p_.cout_blocks) + p_.block_cin);
    const std::int64_t act_words =
        p_.act_chunked ? tile_words(true) : tile_words(false) / p_.cin_blocks * std::max<std::int64_t>(1, group_cin);
    if (act_words > c_.activation) return;
    if (!p_.act_chunked && p_.cin_blocks > MaxPixelWords) return;
    const std::int64_t chunk_passes = p_.chunks.front().passes();
    const std::int64_t chunk_weights = chunk_passes * p_.acc_blocks * m_.rows;
    if (chunk_weights > c_.weight) return;
    const std::int64_t tile_pixels = std::int64_t{p_.tile_n} * p_.tile_h * p_.tile_w;
    const std::int64_t acc_words = tile_pixels * p_.acc_blocks;
    if (acc_words > c_.accumulator) return;

    const std::int64_t store_groups = ceil_div(p_.cout_blocks, p_.store_blocks);
    const std::int64_t acc_groups = ceil_div(p_.store_blocks, p_.acc_blocks) * store_groups;
    const bool act_twice = 2 * act_words <= c_.activation;
    const bool weights_twice =
        p_.weights_outer ? 2 * std::int64_t{p_.store_blocks} * kernel_passes_ * m_.rows <= c_.weight || store_groups == 1
                         : 2 * chunk_weights <= c_.weight;
    const std::int64_t acc_banks = ceil_div(acc_words, c_.accumulator_bank);
    const bool acc_twice = 2 * acc_banks <= c_.accumulator_banks;
    const std::int64_t out_words = tile_pixels * p_.store_blocks;
    const bool out_twice = !p_.free_vector && 2 * out_words <= c_.output && (!s_.has_add || 2 * out_words <= c_.source);

    const std::int64_t acc_sets = set_words(m_, p_.acc_blocks, s_.has_table), add_sets = s_.has_add ? set_words(m_, 3, s_.add_table) : 0;
    const bool params_twice = p_.params_resident || p_.params_outer || 2 * acc_sets + add_sets <= c_.param;
    // Streamed weights: chunk after chunk through a ring that holds `depth` of them.
    const std::int64_t depth = c_.weight / chunk_weights, chunk_count = static_cast<std::int64_t>(p_.chunks.size());
    const std::int64_t chunk_load = transfer_cycles(m_, 1, chunk_weights * m_.columns, chunk_weights, false);
    const std::int64_t chunk_wait = depth < 2 ? 0 : ceil_div(chunk_load + m_.read_latency_cycles + 20, std::min<std::int64_t>(depth - 1, 3));

    std::int64_t matrix = 0, vector = 0, load = 0, store = 0, serial = 0, instructions = 0;
    std::int64_t first_load = 0, last_out = 0, tiles = 0;
    const std::int64_t kernel_bytes = kernel_passes_ * m_.rows * m_.columns;
    const std::int64_t weight_load = transfer_cycles(m_, 1, kernel_bytes * p_.cout_blocks, kernel_bytes / m_.columns * p_.cout_blocks, false);
    for (const Part& pn : parts(s_.n, p_.tile_n)) {
      for (const Part& py : parts(s_.oh, p_.tile_h)) {
        for (const Part& px : parts(s_.ow, p_.tile_w)) {
          const std::int64_t count = std::int64_t{pn.count} * py.count * px.count;
          const std::int64_t pixels = std::int64_t{pn.size} * py.size * px.size;
          tiles += count;
          std::int64_t t_matrix = kernel_passes_ * p_.cout_blocks * dataflow_.interval(pixels);
          if (!p_.weights_outer) t_matrix = std::max(t_matrix, acc_groups * chunk_count * chunk_wait);
          const std::int64_t t_requant =
              vector_cycles({isa::Opcode::Requantize, pixels, p_.acc_blocks, 1, s_.has_table}, m_) + 4;  // and the way from one instruction to the next
          std::int64_t t_vector = acc_groups * t_requant;
          const std::int64_t last_channels = std::min<std::int64_t>(s_.cout, std::int64_t{p_.store_blocks} * m_.columns);
          const std::int64_t t_store = store_groups * channel_transfer(pn.size, py.size, px.size, last_channels, true);
          std::int64_t t_residual = 0;
          if (s_.has_add) {
            t_vector += store_groups * (vector_cycles({isa::Opcode::Add, pixels, p_.store_blocks, 1, s_.add_table}, m_) + 4);
            t_residual = store_groups * channel_transfer(pn.size, py.size, px.size, last_channels, false);
          }
          std::int64_t t_act = 0, loads_act = 1;
          if (p_.act_chunked) {
            for (const Chunk& k : p_.chunks) t_act += act_load(pn.size, py.size, px.size, k, k.ncb == p_.cin_blocks);
            loads_act = acc_groups * static_cast<std::int64_t>(p_.chunks.size());
            t_act *= acc_groups;
          } else {
            const Chunk whole{0, s_.kernel_h, 0, taps_w_, 0, static_cast<int>(group_cin)};
            t_act = act_load(pn.size, py.size, px.size, whole, group_cin == p_.cin_blocks);
            if (p_.weights_outer || s_.groups > 1) {
              t_act *= store_groups;
              loads_act = store_groups;
            }
          }
          const std::int64_t t_params = p_.params_resident || p_.params_outer ? 0 : acc_groups * (acc_sets + 8);
          vector += count * t_vector;
          store += count * t_store;
          load += count * (t_act + t_residual + t_params + (p_.weights_outer ? 0 : weight_load));
          instructions += count * (loads_act + acc_groups * (1 + static_cast<std::int64_t>(p_.chunks.size()) * (p_.weights_outer ? 1 : 2) +
                                                             (p_.params_resident || p_.params_outer ? 0 : 1)) +
                                   store_groups * (s_.has_add ? 3 : 1));
          if (!act_twice) serial += count * (t_act + m_.read_latency_cycles);
          if (p_.act_chunked) {
            // Each chunk's activations come behind its weights, and those when the passes before the last are over.
            t_matrix = std::max(t_matrix, t_act + acc_groups * chunk_count * (chunk_load + 2 * m_.read_latency_cycles)) +
                       t_act / loads_act;
          }
          matrix += count * t_matrix;
          if (!weights_twice && !p_.weights_outer) {
            serial += count * (weight_load + acc_groups * static_cast<std::int64_t>(p_.chunks.size()) * m_.read_latency_cycles);
          }
          if (!params_twice) serial += count * acc_groups * (t_requant + acc_sets + m_.read_latency_cycles);
          if (!acc_twice) serial += count * acc_groups * (t_requant + m_.rows * 2 + m_.columns);
          if (!out_twice) serial += count * std::min(t_store + store_groups * m_.write_latency_cycles, t_matrix);
          first_load = std::max(first_load, t_act / (p_.act_chunked ? loads_act : 1) + m_.read_latency_cycles);
          last_out = std::max(last_out, t_requant + (s_.has_add ? t_vector / store_groups - t_requant : 0) +
                                            t_store / store_groups + m_.write_latency_cycles);
        }
      }
    }
    if (!act_twice && !p_.act_chunked) serial -= first_load;  // the first tile's is counted as the way in
    if (p_.weights_outer) {
      load += weight_load;
      if (!weights_twice) serial += weight_load + store_groups * m_.read_latency_cycles;
      instructions += acc_groups;
    }
    const std::int64_t fetch = instructions * (m_.read_latency_cycles + 40) / m_.prefetch_instructions;
    p_.matrix_cycles = matrix;
    p_.vector_cycles = vector;
    p_.load_cycles = load;
    p_.store_cycles = store;
    p_.cycles = std::max({matrix + serial, vector, load, store, fetch}) + first_load + last_out + 2 * m_.rows + m_.columns;
    // Of two equally long ones, the one that keeps the units less busy.
    std::int64_t tie = (vector + load + store) / 64 + instructions * 8;
    // Tiles that cut rows make all others of their rows wait for each other's neighbours: memory is compared by hulls.
    if (p_.tile_w < s_.ow && s_.oh > 1) tie += p_.cycles / 64;
    p_.feasible = true;
    if (!best_.feasible || p_.cycles + tie < best_.cycles + best_tie_) {
      best_ = p_;
      best_tie_ = tie;
    }
  }

  std::int64_t act_load(int nz, int ny, int nx, const Chunk& k, bool whole) const {
    const std::int64_t rows = std::min<std::int64_t>(s_.h, (ny - 1) * s_.stride_h + (k.nky - 1) * s_.dilation_h + 1);
    if (p_.window) {
      const std::int64_t bytes = std::min<std::int64_t>(s_.w, (nx - 1) * s_.stride_w + s_.kernel_w) * s_.cin;
      return transfer_cycles(m_, nz * rows, bytes, nz * rows * nx * k.ncb, false);
    }
    const std::int64_t columns = std::min<std::int64_t>(s_.w, (nx - 1) * s_.stride_w + (k.nkx - 1) * s_.dilation_w + 1);
    const std::int64_t words = nz * rows * columns * k.ncb;
    if (!whole || s_.pixel_bytes != s_.cin) {
      const std::int64_t bytes = std::min<std::int64_t>(std::int64_t{k.ncb} * m_.rows, s_.cin);
      return transfer_cycles(m_, nz * rows * columns, bytes, words, false);
    }
    if (columns * s_.cin != s_.row_bytes) return transfer_cycles(m_, nz * rows, columns * s_.cin, words, false);
    return transfer_cycles(m_, nz, rows * s_.row_bytes, words, false);
  }

  // A tile of a dense NHWC tensor of the output's shape, of which `part` channels are moved.
  std::int64_t channel_transfer(int nz, int ny, int nx, std::int64_t part, bool write) const {
    const std::int64_t channels = s_.out_pixel_bytes;
    const int width = s_.ow;
    const std::int64_t words = std::int64_t{nz} * ny * nx * ceil_div(part, m_.columns);
    if (part < channels) return transfer_cycles(m_, std::int64_t{nz} * ny * nx, part, words, write);
    if (nx < width) return transfer_cycles(m_, std::int64_t{nz} * ny, std::int64_t{nx} * channels, words, write);
    return transfer_cycles(m_, nz, std::int64_t{ny} * nx * channels, words, write);
  }

  const ConvShape& s_;
  const Machine& m_;
  const Capacity& c_;
  const WeightStationary dataflow_{m_};
  ConvPlan p_, best_;
  std::int64_t best_tie_ = 0;
  std::vector<std::array<int, 3>> tried_;  // n, h and w of tiles with the present acc_blocks
  int taps_w_ = 1;
  std::int64_t kernel_passes_ = 1;
};

}  // namespace

ConvShape conv_shape(const Layer& layer, const Shape& in, const Shape& out) {
  ConvShape s;
  s.n = in.n;
  s.h = in.h;
  s.w = in.w;
  s.cin = in.c;
  s.oh = out.h;
  s.ow = out.w;
  s.cout = out.c;
  s.out_pixel_bytes = out.c;
  s.pixel_bytes = in.c;
  s.row_bytes = std::int64_t{in.w} * in.c;
  s.plane_bytes = s.row_bytes * in.h;
  s.kernel_h = layer.kernel_h;
  s.kernel_w = layer.kernel_w;
  s.stride_h = layer.stride_h;
  s.stride_w = layer.stride_w;
  s.dilation_h = layer.kernel_h > 1 ? layer.dilation_h : 1;
  s.dilation_w = layer.kernel_w > 1 ? layer.dilation_w : 1;
  s.pad_top = layer.pad_top;
  s.pad_left = layer.pad_left;
  s.groups = layer.groups;
  const bool padded = layer.pad_top || layer.pad_left || layer.pad_bottom || layer.pad_right;
  if (s.oh == 1) s.stride_h = 1;  // a stride that is never taken
  if (s.ow == 1) s.stride_w = 1;
  if (layer.kernel_h == 1 && layer.kernel_w == 1 && !padded) {
    // Only every stride-th pixel is read.
    s.h = s.oh;
    s.w = s.ow;
    s.pixel_bytes *= s.stride_w;
    s.row_bytes *= s.stride_h;
    s.stride_h = s.stride_w = 1;
    if (s.w == 1) s.pixel_bytes = s.cin;
    if (s.pixel_bytes == s.cin && (s.h == 1 || s.row_bytes == s.w * s.pixel_bytes) &&
        (s.n == 1 || s.plane_bytes == std::int64_t{s.h} * s.w * s.cin)) {
      s.w = s.ow = s.n * s.h * s.w;
      s.n = s.h = s.oh = 1;
      s.row_bytes = s.plane_bytes = std::int64_t{s.w} * s.cin;
    }
  }
  return s;
}

ConvShape depthwise_slice(const ConvShape& shape, int channels) {
  ConvShape s = shape;
  s.cin = s.cout = s.groups = channels;
  return s;
}

int first_block(const ConvShape& s, const ConvPlan& p, const Machine& m, int n) {
  if (s.groups == 1) return 0;
  const int from = n * m.columns / (s.cout / s.groups) * (s.cin / s.groups) / m.rows;
  return std::min(from, p.cin_blocks - p.block_cin);
}

Span input_span(int out, int count_out, int stride, int pad, int tap, int taps, int dilation, int size) {
  const int first = out * stride - pad + tap * dilation;
  const int last = first + (count_out - 1) * stride + (taps - 1) * dilation;
  Span s;
  s.first = std::min(std::max(first, 0), size - 1);
  s.count = std::max(1, std::min(last, size - 1) - s.first + 1);
  s.origin = first - s.first;
  return s;
}

ConvPlan plan_conv(const ConvShape& shape, const Machine& machine, const Capacity& capacity) {
  return Planner(shape, machine, capacity).run();
}

}  // namespace gemel::compiler
