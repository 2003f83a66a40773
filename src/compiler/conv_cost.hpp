// SPDX-License-Identifier: Apache-2.0
// What a tiling of a convolution costs, by the formulas of timing.hpp: the cycles of the busiest unit, plus what cannot overlap. That is
// the way in of the first tile, the way out of the last one, and loads, requantization or stores for which there is no second buffer.
#pragma once
#include "compiler/conv.hpp"

namespace gemel::compiler {

class ConvCost {
 public:
  ConvCost(const ConvShape& shape, const Machine& machine, const Capacity& capacity)
      : s_(shape), m_(machine), c_(capacity), dataflow_(machine) {}

  // Activation words of the largest tile for the whole kernel; more than any buffer has if an instruction cannot say its size.
  std::int64_t tile_words(const ConvPlan& p) const;

  // Cycles that decide between candidates. `cycles` are those predicted; of two equally long candidates the one that keeps the units
  // less busy is better, which `tie` adds.
  struct Cost {
    std::int64_t cycles = 0, tie = 0;
    std::int64_t total() const { return cycles + tie; }
  };
  // Costs a candidate, and fills the cycles in it. False, and the candidate is of no use, if it does not fit into the buffers, or if its
  // total is not below `limit`.
  bool evaluate(ConvPlan& p, std::int64_t limit, Cost& cost) const;

 private:
  // A candidate in the buffers.
  struct Fit {
    std::int64_t tile_pixels = 0;
    std::int64_t store_groups = 0, acc_groups = 0;  // of a tile
    std::int64_t group_cin = 0;                     // blocks in that a store group needs; a whole pixel in a dense layer
    std::int64_t chunk_count = 0, chunk_weights = 0;
    std::int64_t acc_sets = 0;                      // parameter words of an accumulator group
    bool params_kept = false;
    bool act_twice = false, weights_twice = false, acc_twice = false, out_twice = false, params_twice = false;
    std::int64_t chunk_load = 0, chunk_wait = 0;    // cycles of a chunk's weights; at least so many from one chunk to the next
    std::int64_t weight_load = 0;                   // all weights once
  };
  // Cycles of one tile, unit by unit.
  struct Tile {
    std::int64_t matrix = 0, vector = 0, requantize = 0;  // requantize: of one accumulator group
    std::int64_t act = 0, act_loads = 1, residual = 0, params = 0, store = 0;
  };
  // Sums over all tiles.
  struct Totals {
    std::int64_t matrix = 0, vector = 0, load = 0, store = 0, serial = 0, instructions = 0;
    std::int64_t first_load = 0, last_out = 0;
  };

  bool fit(const ConvPlan& p, Fit& f) const;
  std::int64_t least_matrix_cycles(const ConvPlan& p) const;
  Tile tile(const ConvPlan& p, const Fit& f, int nz, int ny, int nx) const;
  void add(const ConvPlan& p, const Fit& f, const Tile& tile, std::int64_t count, Totals& sum) const;
  Cost finish(ConvPlan& p, const Fit& f, Totals& sum) const;

  std::int64_t chunk_words(const ConvPlan& p, const Chunk& k) const;
  std::int64_t act_load(const ConvPlan& p, int nz, int ny, int nx, const Chunk& k, bool whole) const;
  std::int64_t channel_transfer(int nz, int ny, int nx, std::int64_t part, bool write) const;

  const ConvShape& s_;
  const Machine& m_;
  const Capacity& c_;
  WeightStationary dataflow_;
};

}  // namespace gemel::compiler
