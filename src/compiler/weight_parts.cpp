// SPDX-License-Identifier: Apache-2.0
#include "compiler/weight_parts.hpp"

#include <algorithm>

#include "compiler/conv_cost.hpp"

namespace gemel::compiler {
namespace {

// Bits [first, first + count) are all set.
bool all_set(const std::vector<std::uint64_t>& bits, std::int64_t first, std::int64_t count) {
  while (count > 0) {
    const std::int64_t at = first % 64, here = std::min<std::int64_t>(64 - at, count);
    const std::uint64_t mask = (here == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << here) - 1) << at;
    if ((bits[static_cast<std::size_t>(first / 64)] & mask) != mask) return false;
    first += here;
    count -= here;
  }
  return true;
}

bool equal(const Chunk& a, const Chunk& b) {
  return a.ky == b.ky && a.nky == b.nky && a.kx == b.kx && a.nkx == b.nkx && a.cb == b.cb && a.ncb == b.ncb;
}

// How much of a chunk is left out: nothing, every zero tile, or those that are worth an instruction of their own on their other side.
enum class LeaveOut { Nothing, All, Worth };

// Cuts the kernel of one block out into boxes of tiles.
class Cutter {
 public:
  Cutter(const ZeroTiles& zeros, const PartCost& cost, LeaveOut how) : zeros_(zeros), cost_(cost), how_(how) {}

  std::vector<Chunk> boxes(int n, int first_word, const Chunk& k) const {
    if (how_ == LeaveOut::Nothing) return {k};
    std::vector<Chunk> boxes;
    std::size_t row_before = 0;  // first box of the row before
    for (int ky = k.ky; ky < k.ky + k.nky; ++ky) {
      std::vector<Chunk> row;
      std::size_t tap_before = 0;
      for (int kx = k.kx; kx < k.kx + k.nkx; ++kx) append(row, tap_before, tap(n, first_word, ky, kx, k), &Chunk::nkx);
      append(boxes, row_before, row, &Chunk::nky);
    }
    return boxes;
  }

 private:
  // The blocks in of one tap, from the chunk's first one on.
  std::vector<Chunk> tap(int n, int first_word, int ky, int kx, const Chunk& k) const {
    std::vector<Chunk> boxes;
    for (int cb = k.cb; cb < k.cb + k.ncb; ++cb) {
      if (zeros_.zero(n, ky, kx, first_word + cb)) continue;
      if (!boxes.empty()) {
        Chunk& last = boxes.back();
        const int gap = cb - (last.cb + last.ncb);
        if (gap == 0 || (how_ == LeaveOut::Worth && cost_.array(last.ncb + gap + 1) <= cost_.array(last.ncb) + cost_.array(1))) {
          last.ncb += gap + 1;
          continue;
        }
      }
      boxes.push_back({ky, 1, kx, 1, cb, 1});
    }
    return boxes;
  }

  // Appends the next tap's boxes (or row's), or makes those of the one before longer by one if they are the same. `before`: where those begin.
  static void append(std::vector<Chunk>& list, std::size_t& before, const std::vector<Chunk>& next, int Chunk::*length) {
    const bool same = !next.empty() && list.size() - before == next.size() &&
                      std::equal(next.begin(), next.end(), list.begin() + static_cast<std::ptrdiff_t>(before), [&](Chunk a, Chunk b) {
                        const bool follows = length == &Chunk::nkx ? a.kx == b.kx + b.nkx : a.ky == b.ky + b.nky;
                        if (length == &Chunk::nkx) b.kx = a.kx, b.nkx = a.nkx;
                        else b.ky = a.ky, b.nky = a.nky;
                        return follows && equal(a, b);
                      });
    if (same) {
      for (std::size_t i = before; i < list.size(); ++i) ++(list[i].*length);
      return;
    }
    before = list.size();
    list.insert(list.end(), next.begin(), next.end());
  }

  const ZeroTiles& zeros_;
  const PartCost& cost_;
  const LeaveOut how_;
};

// The parts of chunk `k`. `begun`: by block out, from the first run's first one on, whether its sums have begun.
std::vector<WeightPart> parts_of(const Cutter& cutter, const std::vector<BlockRun>& runs, const Chunk& k, bool last_chunk, const std::vector<char>& begun) {
  std::vector<WeightPart> parts;
  for (const BlockRun& run : runs) {
    std::vector<Chunk> before;
    std::size_t first = 0;  // part of the blocks before
    bool before_begun = false;
    for (int i = 0; i < run.count; ++i) {
      const int n = run.block + i;
      const bool has_begun = begun[static_cast<std::size_t>(n - runs.front().block)] != 0;
      std::vector<Chunk> boxes = cutter.boxes(n, run.first_word + i * run.step, k);
      if (boxes.empty() && last_chunk && !has_begun) boxes.push_back({k.ky, 1, k.kx, 1, k.cb, 1});
      if (i > 0 && has_begun == before_begun && std::equal(boxes.begin(), boxes.end(), before.begin(), before.end(), equal)) {
        for (std::size_t p = first; p < parts.size(); ++p) ++parts[p].run.count;
        continue;
      }
      first = parts.size();
      for (const Chunk& box : boxes) parts.push_back({{n, 1, run.first_word + i * run.step, run.step}, box, has_begun || parts.size() > first});
      before = std::move(boxes);
      before_begun = has_begun;
    }
  }
  for (WeightPart& p : parts) {
    if (p.run.count == 1) p.run.step = 0;
  }
  return parts;
}

// Of the busier unit first, then of both.
std::pair<std::int64_t, std::int64_t> work(const std::vector<WeightPart>& parts, const PartCost& cost) {
  std::int64_t array = 0, load = 0;
  for (const WeightPart& p : parts) {
    array += cost.array(p.passes());
    load += p.passes() * cost.tile_load + cost.instruction_load;
  }
  return {std::max(array, load), array + load};
}

}  // namespace

ZeroTiles::ZeroTiles(const Weights& weights, const Convolution& conv, bool window, const Machine& machine) {
  if (weights.zeros.empty()) return;
  const int rows = machine.rows, columns = machine.columns, cin = conv.in.c, cout = conv.out.c;
  const int gin = cin / conv.groups, gout = cout / conv.groups;
  kernel_h_ = conv.window.kernel_h;
  taps_w_ = window ? 1 : conv.window.kernel_w;
  const std::int64_t length = window ? std::int64_t{conv.window.kernel_w} * cin : gin;  // weights of an output channel and a tap
  const auto blocks = static_cast<std::size_t>(ceil_div(cout, columns));
  for (std::size_t n = 0; n < blocks; ++n) {
    const auto from = static_cast<std::int64_t>(n) * columns;
    const std::int64_t first = from / gout * gin, last = (std::min<std::int64_t>(from + columns, cout) - 1) / gout * gin + length - 1;
    first_.push_back(static_cast<int>(first / rows));
    width_ = std::max(width_, static_cast<int>(last / rows - first / rows + 1));
  }
  kept_.assign(blocks * static_cast<std::size_t>(kernel_h_) * static_cast<std::size_t>(taps_w_) * static_cast<std::size_t>(width_), 0);
  for (std::int64_t o = 0, bit = 0; o < cout; ++o) {
    const std::int64_t n = o / columns, begin = o / gout * gin;
    for (std::int64_t tap = 0; tap < std::int64_t{kernel_h_} * taps_w_; ++tap) {
      const std::int64_t tiles = (n * kernel_h_ * taps_w_ + tap) * width_ - first_[static_cast<std::size_t>(n)];
      for (std::int64_t at = begin; at < begin + length;) {
        const std::int64_t end = std::min((at / rows + 1) * rows, begin + length);
        if (!all_set(weights.zeros, bit, end - at)) kept_[static_cast<std::size_t>(tiles + at / rows)] = 1;
        bit += end - at;
        at = end;
      }
    }
  }
}

bool ZeroTiles::zero(int n, int ky, int kx, int block_in) const {
  if (kept_.empty()) return false;
  const int at = block_in - first_[static_cast<std::size_t>(n)];
  if (at < 0 || at >= width_) return true;
  return kept_[((static_cast<std::size_t>(n) * static_cast<std::size_t>(kernel_h_) + static_cast<std::size_t>(ky)) * static_cast<std::size_t>(taps_w_) +
                static_cast<std::size_t>(kx)) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(at)] == 0;
}

PartCost part_cost(const ConvShape& s, const ConvPlan& p, const Machine& m) {
  constexpr std::int64_t Millicycles = 1000;
  const WeightStationary dataflow(m);
  const std::int64_t tiles = ceil_div(s.n, p.tile_n) * ceil_div(s.oh, p.tile_h) * ceil_div(s.ow, p.tile_w);
  const std::int64_t bytes = std::int64_t{m.rows} * m.columns;
  // A tile's bytes and its words, whichever take longer.
  const std::int64_t load = std::max(bytes * Millicycles * Millicycles / m.millibytes_per_cycle(), m.rows * Millicycles);
  PartCost c;
  c.pass = dataflow.interval(std::int64_t{p.tile_n} * p.tile_h * p.tile_w) * Millicycles;
  c.fill = fill_cycles(m) * Millicycles;
  c.tile_load = p.weights_outer ? load / tiles : load;
  c.instruction_load = std::int64_t{isa::InstructionBytes} * Millicycles * Millicycles / m.millibytes_per_cycle();
  return c;
}

std::vector<std::vector<WeightPart>> weight_parts(const ConvPlan& plan, const std::vector<BlockRun>& runs, const ZeroTiles* zeros, const PartCost& cost) {
  std::vector<std::vector<WeightPart>> all;
  if (zeros == nullptr || !zeros->known()) {
    for (const Chunk& k : plan.chunks) {
      std::vector<WeightPart>& parts = all.emplace_back();
      for (const BlockRun& run : runs) parts.push_back({run, k, all.size() > 1});
    }
    return all;
  }
  std::vector<char> begun(static_cast<std::size_t>(runs.back().block + runs.back().count - runs.front().block), 0);
  for (const Chunk& k : plan.chunks) {
    const bool last = all.size() + 1 == plan.chunks.size();
    std::vector<WeightPart> best = parts_of(Cutter(*zeros, cost, LeaveOut::Nothing), runs, k, last, begun);
    for (const LeaveOut how : {LeaveOut::All, LeaveOut::Worth}) {
      std::vector<WeightPart> parts = parts_of(Cutter(*zeros, cost, how), runs, k, last, begun);
      if (work(parts, cost) < work(best, cost)) best = std::move(parts);
    }
    for (const WeightPart& p : best) {
      const auto first = begun.begin() + (p.run.block - runs.front().block);
      std::fill(first, first + p.run.count, char{1});
    }
    all.push_back(std::move(best));
  }
  return all;
}

}  // namespace gemel::compiler
