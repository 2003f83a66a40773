// SPDX-License-Identifier: Apache-2.0
// A convolution as the array sees it, and the choice of its tiling. Channels in and out are counted in blocks (R in, C out);
// a pass is one block in times one block out for one tap. Depthwise and grouped layers are block-diagonal: a block out needs
// only some blocks in, from first_block(n) on. With few input channels a window of kernel_w pixels takes a pixel's place
// (`window`), which fills the array's rows.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "compiler/timing.hpp"
#include "network/network.hpp"

namespace gemel::compiler {

struct ConvShape {
  int n = 1, h = 1, w = 1, cin = 1;          // input, as it is read (after subsampling and folding)
  std::int64_t pixel_bytes = 0, row_bytes = 0, plane_bytes = 0;  // distances in memory
  int oh = 1, ow = 1, cout = 1;
  int kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  int pad_top = 0, pad_left = 0;
  int groups = 1;
  int first_channel = 0;                     // a slice of a depthwise layer: channels [first_channel, + cout)
  std::int64_t out_pixel_bytes = 0;          // distance of pixels in the output
  int sum_bytes = 0;                         // of each sum that are stored; 0: sums are requantized
  bool has_table = false;                    // on the requantized result
  bool has_add = false, add_table = false;
  std::int64_t follower_cycles = 0;          // of the group behind, if it can run on the vector unit beside this one

  int out_bytes() const { return std::max(1, sum_bytes); }  // of a sum
  std::int64_t full_pixels() const { return std::int64_t{n} * oh * ow; }
};

// Views that give more freedom: a 1x1 kernel with stride reads only what it needs; one without is a plain list of pixels.
ConvShape conv_shape(const Convolution& conv);

// The first `channels` channels of a depthwise layer.
ConvShape depthwise_slice(const ConvShape& shape, int channels);

// Words that a tile may take in each scratchpad. vector_buffer is split into source (residual operands, windows), temporary
// and output areas on banks of their own, or, if that is too little, freely.
struct Capacity {
  std::int64_t activation = 0, weight = 0, accumulator = 0, accumulator_bank = 0, param = 0;
  int accumulator_banks = 1;
  std::int64_t source = 0, temporary = 0, output = 0;
  bool free_vector = false;  // source + temporary + output together may take `vector`
  std::int64_t vector = 0;
};

struct Tile {
  int z = 0, nz = 1, y = 0, ny = 1, x = 0, nx = 1;
  std::int64_t pixels() const { return std::int64_t{nz} * ny * nx; }
};

// A part of the kernel that one matrix instruction takes: rows, columns and blocks of it.
struct Chunk {
  int ky = 0, nky = 1, kx = 0, nkx = 1, cb = 0, ncb = 1;
  std::int64_t passes() const { return std::int64_t{nky} * nkx * ncb; }
};

struct ConvPlan {
  bool feasible = false;
  bool window = false;
  int cin_blocks = 1;       // words of a pixel (window: of a window)
  int block_cin = 1;        // of these, how many a block out needs
  int cout_blocks = 1;
  int tile_n = 1, tile_h = 1, tile_w = 1;  // output tile
  int store_blocks = 1;     // blocks out that are stored together
  int acc_blocks = 1;       // blocks out in one matrix instruction
  bool weights_outer = false;  // blocks out in the outer loop, their weights loaded once; else tiles outside
  bool act_chunked = false;    // activations are loaded chunk by chunk
  bool params_resident = false;  // parameters are loaded once and kept
  bool params_outer = false;     // with weights_outer: kept as long as the weights
  bool free_vector = false;
  std::vector<Chunk> chunks;   // of one block out
  std::int64_t instructions = 0;  // at least
  std::int64_t cycles = 0;     // predicted
  // The same, unit by unit, for `explain` and the tests.
  std::int64_t matrix_cycles = 0, vector_cycles = 0, load_cycles = 0, store_cycles = 0;
};

// Whether groups on the vector unit may run beside: its areas of vector_buffer are theirs too, and it leaves half of the parameters.
inline bool hosts(const ConvShape& s, const ConvPlan& p) {
  return !s.has_add && !p.free_vector && p.params_resident && (!p.weights_outer || p.store_blocks == p.cout_blocks);
}

// Columns of the kernel that are taps of their own, and passes of one block out.
inline int taps_w(const ConvShape& s, const ConvPlan& p) { return p.window ? 1 : s.kernel_w; }
inline std::int64_t kernel_passes(const ConvShape& s, const ConvPlan& p) {
  return std::int64_t{s.kernel_h} * taps_w(s, p) * p.block_cin;
}

// Words of a pixel in a tile of activations, at most.
inline constexpr int MaxPixelWords = std::min(isa::MatrixPixelWordsMax, isa::MatrixCinBlocksMax);

// First block in that block out `n` needs.
int first_block(const ConvShape& s, const ConvPlan& p, const Machine& m, int n);

// Rows or columns [first, first+count) of the input under `count_out` outputs from `out` on, cut to the image (at least one).
struct Span {
  int first = 0, count = 1;
  int origin = 0;  // of the first tap of the first output, relative to `first`
};
Span input_span(int out, int count_out, int stride, int pad, int tap, int taps, int dilation, int size);

// The `finalists` tilings with the least predicted cycles, best first, none of them more than `per_mille` above the best; none if none fits.
std::vector<ConvPlan> plan_conv(const ConvShape& shape, const Machine& machine, const Capacity& capacity, std::size_t finalists, int per_mille);

// Words of parameters for one accumulator group, and for the addition.
inline int set_words(const Machine& m, int blocks, bool table) { return (table ? table_words(m) : 0) + SetWords * blocks; }

}  // namespace gemel::compiler
