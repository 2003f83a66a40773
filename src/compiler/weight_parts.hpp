// SPDX-License-Identifier: Apache-2.0
// How the weights of a convolution are cut into what matrix instructions take, and which tiles of them are left out. A tile is what the array holds in a
// pass: R rows (input channels of a tap, or of a window) of C output channels. One whose weights are all zero adds nothing to any sum: it need neither be
// loaded nor be run. But an instruction takes a box of tiles, so that what is left out in the middle makes two instructions of one.
#pragma once
#include <cstdint>
#include <vector>

#include "compiler/conv.hpp"

namespace gemel::compiler {

// Which tiles of a layer's weights are zero.
class ZeroTiles {
 public:
  ZeroTiles() = default;  // no tile is known to be
  // `window`: as ConvPlan::window.
  ZeroTiles(const Weights& weights, const Convolution& conv, bool window, const Machine& machine);

  // Of block out `n`, at a tap, and of the block in with that index among those of all channels.
  bool zero(int n, int ky, int kx, int block_in) const;
  bool known() const { return !kept_.empty(); }

 private:
  int kernel_h_ = 1, taps_w_ = 1;
  int width_ = 0;            // blocks in of a block out, at most
  std::vector<int> first_;   // of a block out, its first block in
  std::vector<char> kept_;   // by block out, tap and block in: some weight is not zero
};

// Blocks out of one instruction: their blocks in begin `step` words apart.
struct BlockRun {
  int block = 0, count = 1, first_word = 0, step = 0;
};

// What one matrix instruction takes: a part of the kernel, of each block out of a run.
struct WeightPart {
  BlockRun run;
  Chunk kernel;
  bool accumulate = false;  // onto the sums that are there; else it begins them

  std::int64_t passes() const { return kernel.passes() * run.count; }
};

// What an instruction and its tiles cost the two units that they keep busy, in thousandths of cycles.
struct PartCost {
  std::int64_t pass = 0;              // of the array, without waiting
  std::int64_t fill = 0;              // of the array, from a command to the done behind its last pixel
  std::int64_t tile_load = 0;         // of load_dma
  std::int64_t instruction_load = 0;  // of the channel that loads and instructions come through

  // Of the array for one instruction: two are in flight at most, so a short one takes half of what it takes from its start to its done.
  std::int64_t array(std::int64_t passes) const { return std::max(passes * pass, (passes * pass + fill) / 2); }
};
PartCost part_cost(const ConvShape& shape, const ConvPlan& plan, const Machine& machine);

// Of the blocks out of `runs`, the parts of each of the plan's chunks, in the order in which they are run. With `zeros` zero tiles are left out of a chunk
// where that makes the busier unit's work less. Of a block out without any other tile, one zero tile is kept: it makes the sums zero.
std::vector<std::vector<WeightPart>> weight_parts(const ConvPlan& plan, const std::vector<BlockRun>& runs, const ZeroTiles* zeros, const PartCost& cost);

}  // namespace gemel::compiler
