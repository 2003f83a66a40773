// SPDX-License-Identifier: Apache-2.0
// What a tiling of a convolution costs, by the formulas of timing.hpp: the cycles of the busiest unit, plus what cannot overlap. That is
// the way in of the first tile, the way out of the last one, and loads, requantization or stores for which there is no second buffer.
//
// A planner goes through tilings loop by loop. What an outer loop has chosen is costed once: set_blocks, set_tile, set_store, set_weights,
// each behind the one before it, and at last evaluate for each way to cut the kernel.
#pragma once
#include <array>
#include <vector>

#include "compiler/conv.hpp"

namespace gemel::compiler {

// Of the array, from an instruction's command to the done behind its last pixel, without its passes.
inline std::int64_t fill_cycles(const Machine& m) { return 2 * std::int64_t{m.rows} + m.columns + 8; }

// Cycles that one instruction less is worth: a program of half as many is simulated in half the time.
std::int64_t instruction_worth(std::int64_t layer_cycles);

// A kernel cut into chunks, in the order in which they are passed.
struct KernelCut {
  explicit KernelCut(std::vector<Chunk> list);

  std::vector<Chunk> chunks;
  std::int64_t count() const { return static_cast<std::int64_t>(chunks.size()); }
  std::int64_t most_passes() const { return most_passes_; }
  // Chunks of equal size; at most two sizes differ.
  struct Kind {
    Chunk chunk;
    std::int64_t count = 0;
  };
  const std::vector<Kind>& kinds() const { return kinds_; }

 private:
  std::vector<Kind> kinds_;
  std::int64_t most_passes_ = 0;
};

// Activation words that the largest tile of a plan loads at a time: a chunk's, or what the blocks out that are stored together need. More
// than any buffer has if an instruction cannot say the tile's size.
std::int64_t activation_words(const ConvShape& shape, const ConvPlan& plan);

class ConvCost {
 public:
  ConvCost(const ConvShape& shape, const Machine& machine, const Capacity& capacity)
      : s_(shape), m_(machine), c_(capacity), dataflow_(machine) {}

  // Cycles that decide between candidates. `cycles` are those predicted; of two equally long candidates the one with fewer instructions
  // is better, which `tie` adds.
  struct Cost {
    std::int64_t cycles = 0, tie = 0;
    std::int64_t total() const { return cycles + tie; }
  };

  // Blocks out in one instruction, and the ways to cut the kernel.
  void set_blocks(const ConvPlan& p, const std::vector<KernelCut>& cuts);
  // The tile; gives a total that no candidate with it is below.
  std::int64_t set_tile(const ConvPlan& p);
  // Blocks out that are stored together, and the areas of vector_buffer; as before.
  std::int64_t set_store(const ConvPlan& p);
  // The order of the loops, and what is kept or loaded whole. False if that does not fit into the buffers.
  bool set_weights(const ConvPlan& p);
  // The first cut whose chunks fit into weight_buffer, and a total that no candidate with a cut or with a finer one is below.
  std::size_t first_cut() const { return first_cut_; }
  std::int64_t least(const ConvPlan& p, std::size_t cut) const;
  // Costs a candidate, and fills the cycles in it. False, and the candidate is of no use, if it does not fit into the buffers, or if its
  // total is not below `limit`.
  bool evaluate(ConvPlan& p, std::size_t cut, std::int64_t limit, Cost& cost) const;

 private:
  // The tiles of one size.
  struct Size {
    int nz, ny, nx;
    std::int64_t count, pixels;
    std::int64_t passes = 0;      // cycles of the array, if it need not wait
    std::int64_t requantize = 0;  // one accumulator group
    std::int64_t vector = 0, store = 0, residual = 0;
    std::int64_t act = 0;         // loaded whole
  };
  // A chunk's weights in weight_buffer, for the present blocks.
  struct CutLoad {
    std::int64_t depth = 0;       // so many fit
    std::int64_t load = 0;        // cycles of one
    std::int64_t wait = 0;        // at least so many cycles from one to the next
  };

  std::int64_t act_loads(const ConvPlan& p, std::int64_t chunks) const { return p.act_chunked ? chunks : p.weights_outer || s_.groups > 1 ? store_groups_ : 1; }
  std::int64_t instructions(const ConvPlan& p, std::int64_t chunks) const {
    const std::int64_t results = acc_groups_ * (s_.out_bytes() + (params_kept_ ? 0 : 1)) + store_groups_ * (s_.has_add ? 3 : s_.out_bytes());
    return tiles_ * (act_loads(p, chunks) + chunks * (p.weights_outer ? 1 : 2) + results);
  }
  std::int64_t load_latency() const { return m_.read_latency_cycles + 10; }  // from the end of a load's command to its done, without its words
  std::int64_t act_load(const ConvPlan& p, const Size& size, const Chunk& k, bool whole) const;
  std::int64_t channel_transfer(const Size& size, std::int64_t part, bool write) const;

  const ConvShape& s_;
  const Machine& m_;
  const Capacity c_;
  const WeightStationary dataflow_;

  // Of the blocks.
  const std::vector<KernelCut>* cuts_ = nullptr;
  std::vector<CutLoad> loads_;
  std::size_t first_cut_ = 0;
  std::int64_t acc_sets_ = 0;                      // parameter words of an accumulator group
  std::int64_t weight_transfer_ = 0;               // all weights once
  // Of the tile.
  std::vector<Size> sizes_;
  std::int64_t tiles_ = 0, tile_pixels_ = 0;
  bool acc_fits_ = false;
  std::int64_t acc_depth_ = 0;                     // accumulator groups that have banks of their own
  std::int64_t least_passes_ = 0;                  // of all tiles
  // Of the store.
  std::int64_t store_groups_ = 0, acc_groups_ = 0;  // of a tile
  bool out_twice_ = false;
  std::int64_t vector_ = 0, store_ = 0;            // of all tiles
  // Of the weights.
  bool params_kept_ = false, params_twice_ = false, act_twice_ = false;
};

}  // namespace gemel::compiler
