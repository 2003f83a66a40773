// SPDX-License-Identifier: Apache-2.0
// Choosing a convolution's tiling: candidates are made loop by loop (blocks out per instruction, tile, blocks out per store, order of
// the loops, parts of the kernel), each is costed (conv_cost.hpp), and the least is taken.
#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "compiler/conv_cost.hpp"

namespace gemel::compiler {
namespace {

// Blocks out are counted by matrix instructions and by those of the vector unit.
constexpr int MaxBlocks = std::min(isa::MatrixCoutBlocksMax, isa::VectorBlocksMax);
// A tile of outputs, too.
constexpr int MaxTileWidth = std::min(isa::MatrixOutWidthMax, isa::VectorOutWidthMax);
constexpr int MaxTilePlanes = std::min(isa::MatrixOutPlanesMax, isa::VectorOutPlanesMax);
constexpr std::int64_t MaxTilePixels = isa::WordAddresses / 2;  // more make no difference to anything
constexpr std::int64_t NoLimit = std::numeric_limits<std::int64_t>::max();

// n cut into ceil(n/most) parts as even as can be: the size of the largest.
int even_part(int n, int most) { return static_cast<int>(ceil_div(n, ceil_div(n, std::max(1, most)))); }

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
  Planner(const ConvShape& shape, const Machine& machine, const Capacity& capacity)
      : s_(shape), m_(machine), c_(capacity), cost_(shape, machine, capacity) {}

  ConvPlan run() {
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
    kernel_passes_ = kernel_passes(s_, p_);

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
    if (!best_.feasible) {
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
        split_kernel(s_.kernel_h, taps_w(s_, p_), p_.block_cin, passes, p_.chunks);
        p_.act_chunked = false;
        try_candidate();
      }
    }
    // Activations chunk by chunk, for what is too large in one piece.
    if (cost_.tile_words(p_) > c_.activation / 2 || p_.cin_blocks > MaxPixelWords) {
      if (s_.groups > 1 && p_.acc_blocks > 1) return;
      p_.weights_outer = p_.params_outer = false;
      p_.act_chunked = true;
      std::int64_t most = std::min(c_.weight / 2, c_.weight) / (std::int64_t{p_.acc_blocks} * m_.rows);
      if (most < 1) most = c_.weight / (std::int64_t{p_.acc_blocks} * m_.rows);
      for (most = std::min(most, kernel_passes_); most >= 1; most /= 2) {
        split_kernel(s_.kernel_h, taps_w(s_, p_), p_.block_cin, most, p_.chunks);
        if (p_.window && p_.chunks.front().ncb < p_.cin_blocks) break;  // a window is loaded whole
        try_candidate();
      }
    }
  }

  void try_candidate() {
    ConvCost::Cost cost;
    if (!cost_.evaluate(p_, least_, cost)) return;
    best_ = p_;
    least_ = cost.total();
  }

  const ConvShape& s_;
  const Machine& m_;
  const Capacity& c_;
  const ConvCost cost_;
  ConvPlan p_, best_;
  std::int64_t least_ = NoLimit;           // total of the best
  std::vector<std::array<int, 3>> tried_;  // n, h and w of tiles with the present acc_blocks
  std::int64_t kernel_passes_ = 1;
};

}  // namespace

ConvPlan plan_conv(const ConvShape& shape, const Machine& machine, const Capacity& capacity) {
  return Planner(shape, machine, capacity).run();
}

}  // namespace gemel::compiler
