// SPDX-License-Identifier: Apache-2.0
// The matrix tile for any vector instruction set, as a product of P pixels x (rows of all passes) x (columns of all
// cout blocks that read the same input); included once by each file that defines an instruction set.
// 1. Rows go in groups of 4 bytes: four 8-bit or two 16-bit values. A pixel's group is broadcast and meets a vector
// with
//    the group's weights of `Lanes` columns: one instruction, 4 (or 2) products per column.
// 2. A group's address is pixel offset + pass offset. Where padding, odd rows or 16-bit values forbid to read the
//    scratchpad in place, the input is first staged: copied once, the padding written out.
// 3. Weights of up to MaxVectors vectors are packed into a panel that stays in the caches for all pixels.
// 4. A register block of up to MaxPixels x MaxVectors sums runs over the panel and is added to the accumulators.
// Bytes are not operands: with u = a + zu, v = w + zv (zu and zv as if u were unsigned, v signed),
// sum a*w = sum u*v - zu*sum v - zv*sum u + count*zu*zv, exact since all of it wraps. 16-bit values have zu = zv = 0.
#pragma once
#include <cstring>

#include "kernels/tables.hpp"

namespace gemel {
namespace {  // each including file has its own copy, compiled for its own instruction set

using kernel_tables::scratch;
using kernel_tables::Slot;

#define GEMEL_INLINE inline __attribute__((always_inline))

template <class T>
GEMEL_INLINE constexpr T least(T a, T b) {
  return a < b ? a : b;
}
GEMEL_INLINE std::int64_t round_up_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Consecutive groups of one pixel's input: bytes [offset, offset + 4*groups) after the pixel's own address.
struct Run {
  std::int64_t offset;
  std::int64_t groups;
};

// The columns of one cout block in a vector: lanes [lane, lane + count) are columns column.. of block n.
struct Segment {
  int lane, count;
  int column;
  std::int64_t n;
};

template <int Lanes>
struct VectorColumns {
  int segments = 0;
  bool whole = false;  // one segment with all lanes
  Segment segment[Lanes];
};

// Addresses of the input, in bytes, as the register block reads it.
struct Input {
  const std::uint8_t* base = nullptr;           // of the first cout block
  std::int64_t plane = 0, row = 0, column = 0;  // from one output plane, row or column to the next
  std::int64_t tap_row = 0, tap_column = 0, word = 0;
  bool in_place = false;
  bool flip = false;  // bytes are signed: change the top bit to make them u
};

// What is staged of one image dimension. A kernel of one tap reads only every stride-th position; only those are kept.
struct Span {
  int first, step, count;  // image coordinates first + i*step
  int out_step, tap_step;  // positions from one output or tap to the next
  // Positions [inside, outside) reach from the first tap inside of the image to the last; equal if there is none. Of the
  // image nothing else is read: an instruction claims no more.
  int inside = 0, outside = 0;
};

GEMEL_INLINE Span span_of(int out, int kernel, int stride, int dilation, int origin, int size) {
  Span span = kernel == 1 ? Span{origin, stride, out, 1, 0}
                          : Span{origin, 1, (out - 1) * stride + (kernel - 1) * dilation + 1, stride, dilation};
  bool any = false;
  for (int o = 0; o < out; ++o) {
    for (int k = 0; k < kernel; ++k) {
      const int position = o * span.out_step + k * span.tap_step, at = span.first + position * span.step;
      if (at < 0 || at >= size) continue;
      span.inside = any && span.inside < position ? span.inside : position;
      span.outside = any && span.outside > position ? span.outside : position + 1;
      any = true;
    }
  }
  return span;
}

// One register block, as the microkernel sees it.
template <class Isa>
struct Block {
  const std::int64_t* pixel_offset;  // of the block's pixels
  const std::uint8_t* input;
  const Run* runs;
  std::int64_t run_count;
  const std::uint8_t* panel;                 // [group][vector][Lanes] of 4 bytes
  const std::int32_t* initial;               // [vector][Lanes]: the corrections per column
  const std::int32_t* pixel_correction;      // per pixel, or nullptr
  const VectorColumns<Isa::Lanes>* columns;  // per vector
  std::int32_t* accumulator;                 // of the block's first pixel in cout block 0
  std::int64_t block_sums;                   // int32 from one cout block to the next
  std::int64_t pixel_sums;                   // int32 from one pixel to the next (C)
  bool accumulate;
};

template <class Isa, int Pixels, int Vectors, bool Flip>
void multiply(const Block<Isa>& b) {
  using Vec = typename Isa::Vec;
  Vec sum[Pixels][Vectors];
#pragma GCC unroll 8
  for (int m = 0; m < Pixels; ++m) {
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) sum[m][v] = Isa::load(b.initial + v * Isa::Lanes);
  }
  const std::uint8_t* panel = b.panel;
  for (const Run *run = b.runs, *end = b.runs + b.run_count; run != end; ++run) {
    const std::uint8_t* x[Pixels];
#pragma GCC unroll 8
    for (int m = 0; m < Pixels; ++m) x[m] = b.input + b.pixel_offset[m] + run->offset;
    const std::int64_t bytes = 4 * run->groups;
    for (std::int64_t i = 0; i < bytes; i += 4) {
      Vec w[Vectors];
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) w[v] = Isa::load(panel + v * Isa::VectorBytes);
      panel += Vectors * Isa::VectorBytes;
#pragma GCC unroll 8
      for (int m = 0; m < Pixels; ++m) {
        const Vec a = Isa::template broadcast<Flip>(x[m] + i);
#pragma GCC unroll 8
        for (int v = 0; v < Vectors; ++v) sum[m][v] = Isa::dot(sum[m][v], a, w[v]);
      }
    }
  }
  if (b.pixel_correction) {
#pragma GCC unroll 8
    for (int m = 0; m < Pixels; ++m) {
      const Vec correction = Isa::splat(b.pixel_correction[m]);
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) sum[m][v] = Isa::add(sum[m][v], correction);
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v) {
    const VectorColumns<Isa::Lanes>& columns = b.columns[v];
    if (columns.whole) {
      std::int32_t* out = b.accumulator + columns.segment[0].n * b.block_sums + columns.segment[0].column;
      if (b.accumulate) {
#pragma GCC unroll 8
        for (int m = 0; m < Pixels; ++m, out += b.pixel_sums) Isa::store(out, Isa::add(Isa::load(out), sum[m][v]));
      } else {
#pragma GCC unroll 8
        for (int m = 0; m < Pixels; ++m, out += b.pixel_sums) Isa::store(out, sum[m][v]);
      }
      continue;
    }
    for (int s = 0; s < columns.segments; ++s) {
      const Segment& segment = columns.segment[s];
      std::int32_t* out = b.accumulator + segment.n * b.block_sums + segment.column;
#pragma GCC unroll 8
      for (int m = 0; m < Pixels; ++m, out += b.pixel_sums) {
        Isa::store_lanes(out, sum[m][v], segment.lane, segment.count, b.accumulate);
      }
    }
  }
}

template <class Isa>
using Microkernel = void (*)(const Block<Isa>&);

template <class Isa, bool Flip>
GEMEL_INLINE Microkernel<Isa> microkernel(int pixels, int vectors) {
#define GEMEL_ROW(V)                                                                                            \
  {                                                                                                             \
    multiply<Isa, 1, V, Flip>, multiply<Isa, 2, V, Flip>, multiply<Isa, 3, V, Flip>, multiply<Isa, 4, V, Flip>, \
        multiply<Isa, least(5, Isa::MaxPixels), V, Flip>, multiply<Isa, least(6, Isa::MaxPixels), V, Flip>,     \
        multiply<Isa, least(7, Isa::MaxPixels), V, Flip>, multiply<Isa, least(8, Isa::MaxPixels), V, Flip>      \
  }
  static constexpr Microkernel<Isa> table[3][8] = {GEMEL_ROW(1), GEMEL_ROW(2), GEMEL_ROW(least(3, Isa::MaxVectors))};
#undef GEMEL_ROW
  return table[vectors - 1][pixels - 1];
}

template <class Isa>
class MatrixTileRun {
 public:
  explicit MatrixTileRun(const MatrixTile& tile)
      : t_(tile),
        pixels_(std::int64_t{tile.out_planes} * tile.out_height * tile.out_width),
        passes_(std::int64_t{tile.kernel_h} * tile.kernel_w * tile.cin_blocks),
        groups_per_word_(round_up_div(tile.rows, Isa::RowsPerGroup)),
        input_zero_(Isa::input_zero(tile)),
        weight_zero_(Isa::weight_zero(tile)) {}

  void run() {
    const std::int64_t shared = t_.act_block_step == 0 ? t_.cout_blocks : 1;  // cout blocks with the same input
    for (std::int64_t n = 0; n < t_.cout_blocks; n += shared) {
      const bool first = n == 0;
      if (first) place_input();
      if (!in_.in_place) {
        stage(n);
      } else {
        in_.base = t_.activation + (t_.act_base + n * t_.act_block_step) * t_.rows;
      }
      if (first) list_pixels();
      run_blocks(n, shared);
    }
  }

 private:
  // Decides between reading the scratchpad and staging, and fixes the strides.
  void place_input() {
    y_ = span_of(t_.out_height, t_.kernel_h, t_.stride_y, t_.dilation_y, t_.origin_y, t_.act_height);
    x_ = span_of(t_.out_width, t_.kernel_w, t_.stride_x, t_.dilation_x, t_.origin_x, t_.act_width);
    const bool padding = y_.first < 0 || y_.first + (y_.count - 1) * y_.step >= t_.act_height || x_.first < 0 ||
                         x_.first + (x_.count - 1) * x_.step >= t_.act_width;
    if (Isa::ReadsInPlace && !padding && t_.rows % Isa::RowsPerGroup == 0) {
      const std::int64_t pixel = std::int64_t{t_.pixel_words} * t_.rows;
      in_.in_place = true;
      in_.flip = !t_.act_unsigned;
      in_.word = t_.rows;
      in_.plane = t_.plane_words * t_.rows;
      in_.row = pixel * t_.act_width * t_.stride_y;
      in_.column = pixel * t_.stride_x;
      in_.tap_row = pixel * t_.act_width * t_.dilation_y;
      in_.tap_column = pixel * t_.dilation_x;
      origin_offset_ = (std::int64_t{t_.origin_y} * t_.act_width + t_.origin_x) * pixel;
      return;
    }
    in_.word = 4 * groups_per_word_;
    const std::int64_t pixel = in_.word * t_.cin_blocks;
    in_.plane = pixel * x_.count * y_.count;
    in_.row = pixel * x_.count * y_.out_step;
    in_.column = pixel * x_.out_step;
    in_.tap_row = pixel * x_.count * y_.tap_step;
    in_.tap_column = pixel * x_.tap_step;
  }

  void stage(std::int64_t n) {
    const std::int64_t pixel = in_.word * t_.cin_blocks;
    auto* out = static_cast<std::uint8_t*>(scratch(Slot::Staged, in_.plane * t_.out_planes));
    in_.base = out;
    const int left = x_.inside, right = x_.outside;
    for (std::int64_t z = 0; z < t_.out_planes; ++z) {
      for (int i = 0; i < y_.count; ++i) {
        const int y = y_.first + i * y_.step;
        if (i < y_.inside || i >= y_.outside || left == right) {
          pad(out, std::int64_t{x_.count} * t_.cin_blocks);
          out += pixel * x_.count;
          continue;
        }
        pad(out, std::int64_t{left} * t_.cin_blocks);
        out += pixel * left;
        const std::int64_t x = x_.first + std::int64_t{left} * x_.step;
        const std::int64_t word = t_.act_base + z * t_.plane_words +
                                  (std::int64_t{y} * t_.act_width + x) * t_.pixel_words + n * t_.act_block_step;
        const std::uint8_t* source = t_.activation + word * t_.rows;
        if (x_.step * std::int64_t{t_.pixel_words} == t_.cin_blocks) {
          Isa::stage_words(out, source, std::int64_t{right - left} * t_.cin_blocks, t_);
          out += pixel * (right - left);
        } else {
          const std::int64_t step = std::int64_t{x_.step} * t_.pixel_words * t_.rows;
          for (int j = left; j < right; ++j, out += pixel, source += step)
            Isa::stage_words(out, source, t_.cin_blocks, t_);
        }
        pad(out, std::int64_t{x_.count - right} * t_.cin_blocks);
        out += pixel * (x_.count - right);
      }
    }
  }

  // Words of padding: every operand 0, so every value the zero point; rows beyond R stay 0.
  void pad(std::uint8_t* out, std::int64_t words) {
    if (words == 0) return;
    const int value = static_cast<int>(input_zero_);  // 0 for 16-bit values, else a byte
    if (value == 0 || t_.rows % Isa::RowsPerGroup == 0) {
      std::memset(out, value, static_cast<std::size_t>(words * in_.word));
      return;
    }
    for (std::int64_t i = 0; i < words; ++i, out += in_.word) {
      std::memset(out, value, static_cast<std::size_t>(t_.rows));
      std::memset(out + t_.rows, 0, static_cast<std::size_t>(in_.word - t_.rows));
    }
  }

  void list_pixels() {
    offsets_ = static_cast<std::int64_t*>(scratch(Slot::Pixels, pixels_ * std::int64_t{sizeof(std::int64_t)}));
    std::int64_t* out = offsets_;
    for (int z = 0; z < t_.out_planes; ++z) {
      for (int oy = 0; oy < t_.out_height; ++oy) {
        std::int64_t offset = origin_offset_ + z * in_.plane + oy * in_.row;
        for (int ox = 0; ox < t_.out_width; ++ox, offset += in_.column) *out++ = offset;
      }
    }
  }

  // Fills runs_ for passes [first, last), joining what lies one behind the other.
  void list_runs(std::int64_t first, std::int64_t last) {
    runs_ = static_cast<Run*>(scratch(Slot::Runs, (last - first) * std::int64_t{sizeof(Run)}));
    run_count_ = 0;
    std::int64_t k = first;
    while (k < last) {
      const std::int64_t tap = k / t_.cin_blocks, cb = k % t_.cin_blocks;
      const std::int64_t words = least<std::int64_t>(t_.cin_blocks - cb, last - k);
      const std::int64_t offset = tap / t_.kernel_w * in_.tap_row + tap % t_.kernel_w * in_.tap_column + cb * in_.word;
      const std::int64_t groups = words * groups_per_word_;
      if (run_count_ > 0 && runs_[run_count_ - 1].offset + 4 * runs_[run_count_ - 1].groups == offset) {
        runs_[run_count_ - 1].groups += groups;
      } else {
        runs_[run_count_++] = {offset, groups};
      }
      k += words;
    }
  }

  // Cuts the columns of cout blocks [n, n + blocks) into vectors; a vector may hold several small blocks, whole.
  // At most `limit` vectors; n and column are where the next ones start. Returns how many.
  static int fill_columns(VectorColumns<Isa::Lanes>* vectors, int limit, int C, std::int64_t last, std::int64_t& n,
                          int& column) {
    int count = 0;
    while (n < last && count < limit) {
      VectorColumns<Isa::Lanes>& vector = vectors[count++];
      vector.segments = 0;
      if (C > Isa::Lanes / 2) {
        const int width = least<int>(Isa::Lanes, C - column);
        vector.segment[vector.segments++] = {0, width, column, n};
        column += width;
        if (column == C) {
          column = 0;
          ++n;
        }
      } else {
        for (int lane = 0; lane + C <= Isa::Lanes && n < last; lane += C, ++n) {
          vector.segment[vector.segments++] = {lane, C, 0, n};
        }
      }
      vector.whole = vector.segments == 1 && vector.segment[0].count == Isa::Lanes;
    }
    return count;
  }

  void run_blocks(std::int64_t n, std::int64_t blocks) {
    const int C = t_.columns;
    const std::int64_t last = n + blocks;
    const std::int64_t vectors =
        C > Isa::Lanes / 2 ? round_up_div(C, Isa::Lanes) * blocks : round_up_div(blocks, Isa::Lanes / C);
    // A panel that only few pixels use is best still in the first-level cache when they do.
    const std::int64_t panel_bytes = pixels_ <= Isa::MaxPixels ? 16 * 1024 : 192 * 1024;
    const std::int64_t rounds = round_up_div(vectors, Isa::MaxVectors);
    const std::int64_t width = round_up_div(vectors, rounds);
    const std::int64_t pass_bytes = groups_per_word_ * Isa::VectorBytes * width;
    const std::int64_t chunk = panel_bytes > pass_bytes ? panel_bytes / pass_bytes : 1;
    const std::int64_t chunks = round_up_div(passes_, chunk);
    const std::int64_t even_chunk = round_up_div(passes_, chunks);
    auto* panel = static_cast<std::uint8_t*>(scratch(Slot::Panel, even_chunk * pass_bytes));
    for (std::int64_t k = 0; k < passes_; k += even_chunk) {
      const std::int64_t end = least(passes_, k + even_chunk);
      list_runs(k, end);
      const std::int32_t* pixel_correction = sum_pixels();
      std::int64_t block = n, left = vectors;
      int column = 0;
      for (std::int64_t round = rounds; round > 0; --round) {
        const int wanted = static_cast<int>(round_up_div(left, round));
        VectorColumns<Isa::Lanes> columns[Isa::MaxVectors];
        const int count = fill_columns(columns, wanted, C, last, block, column);
        left -= count;
        alignas(64) std::int32_t initial[Isa::MaxVectors * Isa::Lanes];
        for (int v = 0; v < count; ++v)
          pack(columns[v], k, end, panel + v * Isa::VectorBytes, count, initial + v * Isa::Lanes);
        run_panel(panel, initial, pixel_correction, columns, count, k > 0 || t_.accumulate);
      }
    }
  }

  // Packs the weights of passes [k, end) into the panel, and leaves the correction of each column in `initial`.
  void pack(const VectorColumns<Isa::Lanes>& columns, std::int64_t k, std::int64_t end, std::uint8_t* out, int vectors,
            std::int32_t* initial) {
    const std::int64_t C = t_.columns, R = t_.rows, step = std::int64_t{vectors} * Isa::VectorBytes;
    const std::uint8_t* source[Isa::Lanes];
    for (int s = 0; s < columns.segments; ++s) {
      const Segment& segment = columns.segment[s];
      source[s] = t_.weight + (t_.weight_base + (segment.n * passes_ + k) * R) * C + segment.column;
    }
    typename Isa::Packer packer(t_, columns.segments, columns.segment);
    if (R % Isa::RowsPerGroup == 0) {
      packer.pack(source, C, (end - k) * R, out, step);
    } else {
      for (std::int64_t i = k; i < end; ++i) {
        packer.pack(source, C, R, out, step);
        out += groups_per_word_ * step;
        for (int s = 0; s < columns.segments; ++s) source[s] += R * C;
      }
    }
    // Wraps like the hardware, hence unsigned.
    const std::uint32_t constant = static_cast<std::uint32_t>((end - k) * R) * input_zero_ * weight_zero_;
    packer.corrections(initial, input_zero_, constant);
  }

  // -weight zero point times the sum of each pixel's values over the runs; nullptr where that is nothing.
  const std::int32_t* sum_pixels() {
    if constexpr (Isa::HasZeroPoints) {
      if (weight_zero_ == 0) return nullptr;
      auto* out = static_cast<std::int32_t*>(scratch(Slot::Sums, pixels_ * std::int64_t{sizeof(std::int32_t)}));
      for (std::int64_t p = 0; p < pixels_; ++p) {
        std::uint32_t sum = 0;
        for (std::int64_t i = 0; i < run_count_; ++i) {
          sum += Isa::sum_values(in_.base + offsets_[p] + runs_[i].offset, 4 * runs_[i].groups, in_.flip);
        }
        out[p] = static_cast<std::int32_t>(0u - weight_zero_ * sum);
      }
      return out;
    }
    return nullptr;
  }

  void run_panel(const std::uint8_t* panel, const std::int32_t* initial, const std::int32_t* pixel_correction,
                 const VectorColumns<Isa::Lanes>* columns, int vectors, bool accumulate) {
    Block<Isa> block;
    block.input = in_.base;
    block.runs = runs_;
    block.run_count = run_count_;
    block.panel = panel;
    block.initial = initial;
    block.columns = columns;
    block.block_sums = pixels_ * t_.columns;
    block.pixel_sums = t_.columns;
    block.accumulate = accumulate;
    const std::int64_t rounds = round_up_div(pixels_, Isa::MaxPixels);
    std::int64_t p = 0;
    for (std::int64_t round = rounds; round > 0; --round) {
      const int count = static_cast<int>(round_up_div(pixels_ - p, round));  // even blocks: 49 pixels are 7 times 7
      block.pixel_offset = offsets_ + p;
      block.pixel_correction = pixel_correction ? pixel_correction + p : nullptr;
      block.accumulator = t_.accumulator + (t_.acc_base + p) * t_.columns;
      if (Isa::ReadsInPlace && in_.flip) {
        microkernel<Isa, Isa::ReadsInPlace>(count, vectors)(block);
      } else {
        microkernel<Isa, false>(count, vectors)(block);
      }
      p += count;
    }
  }

  const MatrixTile& t_;
  const std::int64_t pixels_, passes_, groups_per_word_;
  const std::uint32_t input_zero_, weight_zero_;
  Span y_{}, x_{};
  Input in_;
  std::int64_t origin_offset_ = 0;  // of output (0, 0) from the base, where the input is read in place
  std::int64_t* offsets_ = nullptr;
  Run* runs_ = nullptr;
  std::int64_t run_count_ = 0;
};

template <class Isa>
void matrix_tile_with(const MatrixTile& tile) {
  // Zero points that no value of the type can have (a signed input with zero point 200) do not fit the byte tricks.
  if (!Isa::can_run(tile)) return kernel_tables::Scalar.matrix_tile(tile);
  MatrixTileRun<Isa>(tile).run();
}

}  // namespace
}  // namespace gemel
