// SPDX-License-Identifier: Apache-2.0
// Choosing a convolution's tiling: candidates are made loop by loop (blocks out per instruction, tile, blocks out per store, order of
// the loops, parts of the kernel), each is costed (conv_cost.hpp), and the least is taken.
#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "compiler/conv_cost.hpp"
#include "compiler/tiles.hpp"

namespace gemel::compiler {
namespace {

// Blocks out are counted by matrix instructions and by those of the vector unit.
constexpr int MaxBlocks = std::min(isa::MatrixCoutBlocksMax, isa::VectorBlocksMax);
// A tile of outputs, too.
constexpr int MaxTileWidth = std::min(isa::MatrixOutWidthMax, isa::VectorOutWidthMax);
constexpr int MaxTilePlanes = std::min(isa::MatrixOutPlanesMax, isa::VectorOutPlanesMax);
constexpr std::int64_t MaxTilePixels = isa::WordAddresses / 2;  // more make no difference to anything
constexpr std::int64_t NoLimit = std::numeric_limits<std::int64_t>::max();

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
  Planner(const ConvShape& shape, const Machine& machine, const Capacity& capacity, std::size_t finalists, int per_mille)
      : s_(shape), m_(machine), c_(capacity), most_(finalists), near_(per_mille), cost_(shape, machine, capacity),
        tiles_(output_tiles(shape.n, shape.oh, shape.ow, MaxTilePlanes, MaxTileWidth, shape.kernel_h > 1)) {}

  std::vector<ConvPlan> run() {
    try_mode(false);
    const bool windowable = s_.groups == 1 && s_.dilation_w == 1 && s_.kernel_w > 1 && s_.pixel_bytes == s_.cin &&
                            std::int64_t{s_.kernel_w} * s_.cin <= std::min(isa::LoadWindowBytesMax, m_.burst_bytes) && s_.stride_w <= s_.kernel_w &&
                            s_.pad_left < s_.kernel_w && std::int64_t{s_.ow - 1} * s_.stride_w - s_.pad_left < s_.w &&
                            std::int64_t{s_.cin} * s_.kernel_w < ceil_div(s_.cin, m_.rows) * m_.rows * s_.kernel_w;
    if (windowable) try_mode(true);
    return finalists();
  }

 private:
  struct Candidate {
    std::int64_t total;
    std::size_t cut;
    ConvPlan plan;  // without its chunks
  };

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
    make_cuts(cuts_[window]);
    int previous = 0;
    for (const int divide : {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 1 << 20}) {
      // Blocks per matrix instruction: all, and fewer.
      const int acc_blocks = std::min(MaxBlocks, static_cast<int>(ceil_div(p_.cout_blocks, divide)));
      if (acc_blocks == previous) continue;
      previous = acc_blocks;
      p_.acc_blocks = acc_blocks;
      cost_.set_blocks(p_, cuts_[window]);
      for (const auto& [n, h, w] : tiles_) {
        const std::int64_t pixels = std::int64_t{n} * h * w;
        if (pixels > MaxTilePixels || pixels * acc_blocks > c_.accumulator) continue;
        p_.tile_n = n;
        p_.tile_h = h;
        p_.tile_w = w;
        if (cost_.set_tile(p_) < limit()) try_stores();
      }
    }
  }

  // The kernel of a block out in one piece, and in more and more.
  void make_cuts(std::vector<KernelCut>& cuts) {
    std::vector<Chunk> chunks;
    for (const int passes : parts(static_cast<int>(kernel_passes_))) {
      split_kernel(s_.kernel_h, taps_w(s_, p_), p_.block_cin, passes, chunks);
      if (cuts.empty() || cuts.back().chunks.size() != chunks.size()) cuts.emplace_back(chunks);
    }
  }

  void try_stores() {
    const std::int64_t pixels = std::int64_t{p_.tile_n} * p_.tile_h * p_.tile_w;
    int previous = 0;
    for (const int groups : {1, 2, 4, 8, 1 << 20}) {
      const int wanted = static_cast<int>(ceil_div(p_.cout_blocks, groups));
      const int blocks = std::min(MaxBlocks, std::max(1, wanted / p_.acc_blocks) * p_.acc_blocks);
      if (blocks == previous) continue;
      previous = blocks;
      p_.store_blocks = std::min(blocks, p_.cout_blocks);
      const std::int64_t words = pixels * p_.store_blocks * s_.out_bytes();
      if (words >= isa::WordAddresses) continue;
      p_.free_vector = false;
      if (words > c_.output || (s_.has_add && (words > c_.source || words > c_.temporary))) {
        if (!c_.free_vector || words * (s_.has_add ? 3 : 1) > c_.vector) continue;
        p_.free_vector = true;
      }
      if (cost_.set_store(p_) < limit()) try_weights();
    }
  }

  void try_weights() {
    const std::int64_t acc_sets = set_words(m_, p_.acc_blocks * s_.out_bytes(), s_.has_table);
    const std::int64_t add_sets = s_.has_add ? set_words(m_, isa::AddSets, s_.add_table) : 0;
    const std::int64_t groups = ceil_div(p_.cout_blocks, p_.store_blocks) * ceil_div(p_.store_blocks, p_.acc_blocks);
    p_.params_resident = groups * acc_sets + add_sets <= c_.param / 2;
    if (!p_.params_resident && acc_sets + add_sets > c_.param) return;

    const std::vector<KernelCut>& cuts = cuts_[p_.window];
    const std::int64_t group_weights = std::int64_t{p_.store_blocks} * kernel_passes_ * m_.rows;
    p_.act_chunked = false;
    for (const bool outer : {false, true}) {
      p_.weights_outer = outer;
      if (outer && group_weights > c_.weight) continue;
      p_.params_outer = outer && !p_.params_resident &&
                        ceil_div(p_.store_blocks, p_.acc_blocks) * acc_sets + add_sets <= c_.param / 2;
      if (!cost_.set_weights(p_)) continue;
      for (std::size_t i = outer ? 0 : cost_.first_cut(); i < (outer ? 1 : cuts.size()) && cost_.least(p_, i) < limit(); ++i) try_candidate(i);
    }
    // Activations chunk by chunk, for what is too large in one piece.
    if (s_.groups > 1 && p_.acc_blocks > 1) return;
    p_.weights_outer = p_.params_outer = false;
    if (activation_words(s_, p_) <= c_.activation / 2 && p_.cin_blocks <= MaxPixelWords) return;
    p_.act_chunked = true;
    if (!cost_.set_weights(p_)) return;
    for (std::size_t i = cost_.first_cut(); i < cuts.size() && cost_.least(p_, i) < limit(); ++i) {
      if (p_.window && cuts[i].chunks.front().ncb < p_.cin_blocks) break;  // a window is loaded whole
      try_candidate(i);
    }
  }

  void try_candidate(std::size_t cut) {
    ConvCost::Cost cost;
    if (!cost_.evaluate(p_, cut, limit(), cost)) return;
    candidates_.push_back({cost.total(), cut, p_});
    least_ = std::min(least_, cost.total());
  }

  // Of candidates with much the same tile only the best is worth a trial.
  std::vector<ConvPlan> finalists() {
    std::vector<const Candidate*> near;
    for (const Candidate& c : candidates_) {
      if (c.total <= limit()) near.push_back(&c);
    }
    std::stable_sort(near.begin(), near.end(), [](const Candidate* a, const Candidate* b) {
      return a->total != b->total ? a->total < b->total : a->plan.instructions < b->plan.instructions;
    });
    std::vector<ConvPlan> plans;
    for (const Candidate* c : near) {
      if (plans.size() == most_) break;
      const ConvPlan& p = c->plan;
      const bool known = std::any_of(plans.begin(), plans.end(), [&](const ConvPlan& o) {
        return o.acc_blocks == p.acc_blocks && o.act_chunked == p.act_chunked && o.window == p.window && o.tile_n == p.tile_n &&
               o.tile_h == p.tile_h && o.tile_w == p.tile_w && (o.chunks.size() == cuts_[p.window][c->cut].chunks.size());
      });
      if (known) continue;
      plans.push_back(p);
      plans.back().chunks = cuts_[p.window][c->cut].chunks;
    }
    return plans;
  }

  // Candidates above are of no use.
  std::int64_t limit() const { return least_ == NoLimit ? least_ : least_ + least_ / 1000 * near_; }

  const ConvShape& s_;
  const Machine& m_;
  const Capacity& c_;
  const std::size_t most_;                 // finalists
  const int near_;                         // per mille of the best one's total
  ConvCost cost_;
  ConvPlan p_;
  std::vector<Candidate> candidates_;
  std::int64_t least_ = NoLimit;           // total of the best
  const std::vector<std::array<int, 3>> tiles_;
  std::vector<KernelCut> cuts_[2];         // without windows, and with
  std::int64_t kernel_passes_ = 1;
};

}  // namespace

std::vector<ConvPlan> plan_conv(const ConvShape& shape, const Machine& machine, const Capacity& capacity, std::size_t finalists, int per_mille) {
  return Planner(shape, machine, capacity, finalists, per_mille).run();
}

}  // namespace gemel::compiler
