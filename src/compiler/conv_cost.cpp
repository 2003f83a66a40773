// SPDX-License-Identifier: Apache-2.0
#include "compiler/conv_cost.hpp"

#include <algorithm>

namespace gemel::compiler {
namespace {

constexpr std::int64_t NoBuffer = std::int64_t{1} << 40;  // words that no buffer has
constexpr std::int64_t NextVector = 4;                    // from one instruction of the vector unit to the next
constexpr std::int64_t MostWorth = 22;                    // cycles that an instruction less is worth, and the layer's cycles for each of them
constexpr std::int64_t WorthOfLayer = 8500;
constexpr std::int64_t ChunkedLoss = 3;                   // per cent of the passes: loads of chunks that come a little late, as measured

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

// Two instructions of a unit are in flight at most: from one to the next it takes at least half of what one takes from its start to its done.
std::int64_t paced(std::int64_t cycles, std::int64_t latency) { return std::max(cycles, (cycles + latency) / 2); }

bool same_size(const Chunk& a, const Chunk& b) { return a.nky == b.nky && a.nkx == b.nkx && a.ncb == b.ncb; }

// Blocks in that the blocks out which are stored together need; a whole pixel in a dense layer.
std::int64_t group_blocks(const ConvShape& s, const ConvPlan& p) {
  if (s.groups == 1) return p.cin_blocks;
  return std::min<std::int64_t>(p.cin_blocks, ceil_div(std::int64_t{p.store_blocks} * p.cin_blocks, p.cout_blocks) + p.block_cin);
}

// Activation words of the largest tile for a part of the kernel.
std::int64_t chunk_words(const ConvShape& s, const ConvPlan& p, const Chunk& k) {
  const std::int64_t rows = std::min<std::int64_t>(s.h, std::int64_t{p.tile_h - 1} * s.stride_h + std::int64_t{k.nky - 1} * s.dilation_h + 1);
  const std::int64_t columns =
      p.window ? p.tile_w : std::min<std::int64_t>(s.w, std::int64_t{p.tile_w - 1} * s.stride_w + std::int64_t{k.nkx - 1} * s.dilation_w + 1);
  if (rows > isa::MatrixActHeightMax || columns > isa::MatrixActWidthMax) return NoBuffer;
  return p.tile_n * rows * columns * k.ncb;
}

std::int64_t whole_words(const ConvShape& s, const ConvPlan& p) {
  return chunk_words(s, p, {0, s.kernel_h, 0, taps_w(s, p), 0, static_cast<int>(group_blocks(s, p))});
}

}  // namespace

std::int64_t instruction_worth(std::int64_t layer_cycles) {
  return std::min<std::int64_t>(MostWorth, layer_cycles / WorthOfLayer);
}

KernelCut::KernelCut(std::vector<Chunk> list) : chunks(std::move(list)) {
  for (const Chunk& k : chunks) {
    const auto kind = std::find_if(kinds_.begin(), kinds_.end(), [&](const Kind& other) { return same_size(other.chunk, k); });
    if (kind != kinds_.end()) {
      ++kind->count;
    } else {
      kinds_.push_back({k, 1});
    }
    most_passes_ = std::max(most_passes_, k.passes());
  }
}

std::int64_t activation_words(const ConvShape& shape, const ConvPlan& plan) {
  if (!plan.act_chunked) return whole_words(shape, plan);
  std::int64_t words = 0;
  for (std::size_t i = 0; i < plan.chunks.size(); ++i) {
    if (i == 0 || !same_size(plan.chunks[i], plan.chunks[i - 1])) words = std::max(words, chunk_words(shape, plan, plan.chunks[i]));
  }
  return words;
}

void ConvCost::set_blocks(const ConvPlan& p, const std::vector<KernelCut>& cuts) {
  cuts_ = &cuts;
  loads_.clear();
  first_cut_ = 0;
  for (const KernelCut& cut : cuts) {
    const std::int64_t words = cut.most_passes() * p.acc_blocks * m_.rows;
    CutLoad l;
    l.depth = c_.weight / words;
    if (l.depth > 0) {
      l.load = paced(transfer_cycles(m_, {1, words * m_.columns, m_.burst_bytes}, words, false), load_latency());
      // Chunk after chunk through a ring that holds `depth` of them.
      l.wait = l.depth < 2 ? 0 : ceil_div(l.load + m_.read_latency_cycles + 20, std::min<std::int64_t>(l.depth - 1, 3));
    }
    loads_.push_back(l);
    if (l.depth == 0) first_cut_ = loads_.size();
  }
  acc_sets_ = set_words(m_, p.acc_blocks * s_.out_bytes(), s_.has_table);
  const std::int64_t weight_words = kernel_passes(s_, p) * m_.rows * p.cout_blocks;
  weight_transfer_ = transfer_cycles(m_, {1, weight_words * m_.columns, m_.burst_bytes}, weight_words, false);
}

std::int64_t ConvCost::set_tile(const ConvPlan& p) {
  sizes_.clear();
  tiles_ = least_passes_ = 0;
  const std::int64_t passes = kernel_passes(s_, p) * p.cout_blocks;
  for (const auto& n : Parts(s_.n, p.tile_n)) {
    for (const auto& h : Parts(s_.oh, p.tile_h)) {
      for (const auto& w : Parts(s_.ow, p.tile_w)) {
        Size size{n.size, h.size, w.size, std::int64_t{n.count} * h.count * w.count, std::int64_t{n.size} * h.size * w.size};
        size.passes = passes * dataflow_.interval(size.pixels);
        tiles_ += size.count;
        least_passes_ += size.count * size.passes;
        sizes_.push_back(size);
      }
    }
  }
  tile_pixels_ = std::int64_t{p.tile_n} * p.tile_h * p.tile_w;
  const std::int64_t acc_words = tile_pixels_ * p.acc_blocks;
  acc_fits_ = acc_words <= c_.accumulator;
  acc_depth_ = c_.accumulator_banks / std::max<std::int64_t>(1, ceil_div(acc_words, c_.accumulator_bank));
  // At least passes and requantization for each accumulator group.
  return least_passes_ + tiles_ * (2 + 2 * ceil_div(p.cout_blocks, p.acc_blocks)) * instruction_worth(least_passes_);
}

std::int64_t ConvCost::set_store(const ConvPlan& p) {
  store_groups_ = ceil_div(p.cout_blocks, p.store_blocks);
  acc_groups_ = p.cout_blocks / p.store_blocks * ceil_div(p.store_blocks, p.acc_blocks) + ceil_div(p.cout_blocks % p.store_blocks, p.acc_blocks);
  const std::int64_t out_words = tile_pixels_ * p.store_blocks * s_.out_bytes();
  out_twice_ = !p.free_vector && 2 * out_words <= c_.output && (!s_.has_add || 2 * out_words <= c_.source);
  const std::int64_t channels = std::min<std::int64_t>(s_.cout, std::int64_t{p.store_blocks} * m_.columns);
  const std::int64_t begin = vector_cycles({isa::Opcode::Requantize, 0, 0, 1, s_.has_table}, m_) + NextVector;
  vector_ = store_ = 0;
  for (Size& size : sizes_) {
    size.requantize = s_.out_bytes() * (vector_cycles({isa::Opcode::Requantize, size.pixels, p.acc_blocks, 1, s_.has_table}, m_) + NextVector);
    size.vector = s_.out_bytes() * (vector_cycles({isa::Opcode::Requantize, size.pixels, p.cout_blocks, 1, s_.has_table}, m_) + NextVector +
                                    (acc_groups_ - 1) * begin);
    size.store = s_.out_bytes() * store_groups_ * paced(channel_transfer(size, channels, true), m_.write_latency_cycles + 12);
    if (s_.has_add) {
      size.vector += store_groups_ * (vector_cycles({isa::Opcode::Add, size.pixels, p.store_blocks, 1, s_.add_table}, m_) + NextVector);
      size.residual = store_groups_ * paced(channel_transfer(size, channels, false), load_latency());
    }
    vector_ += size.count * size.vector;
    store_ += size.count * size.store;
  }
  const std::int64_t least = std::max({least_passes_, vector_, store_});
  return least + tiles_ * (2 * acc_groups_ + store_groups_ * (s_.has_add ? 3 : 1)) * instruction_worth(least);
}

bool ConvCost::set_weights(const ConvPlan& p) {
  params_kept_ = p.params_resident || p.params_outer;
  const std::int64_t add_sets = s_.has_add ? set_words(m_, isa::AddSets, s_.add_table) : 0;
  params_twice_ = params_kept_ || 2 * acc_sets_ + add_sets <= c_.param;
  if (!acc_fits_) return false;
  if (p.act_chunked) return true;
  const std::int64_t words = whole_words(s_, p);
  if (words > c_.activation || p.cin_blocks > MaxPixelWords) return false;
  act_twice_ = 2 * words <= c_.activation;
  const auto blocks = static_cast<int>(group_blocks(s_, p));
  for (Size& size : sizes_) {
    size.act = paced(act_load(p, size, {0, s_.kernel_h, 0, taps_w(s_, p), 0, blocks}, blocks == p.cin_blocks), load_latency());
  }
  return true;
}

std::int64_t ConvCost::least(const ConvPlan& p, std::size_t cut) const {
  const std::int64_t chunks = acc_groups_ * (*cuts_)[cut].count();
  const std::int64_t loads = (p.weights_outer ? 1 : tiles_) * std::max(weight_transfer_, chunks * paced(0, load_latency()));
  const std::int64_t least = std::max({least_passes_, vector_, store_, loads});
  return least + instructions(p, chunks) * instruction_worth(least);
}

bool ConvCost::evaluate(ConvPlan& p, std::size_t index, std::int64_t limit, Cost& cost) const {
  const CutLoad& cut_load = loads_[index];
  if (cut_load.depth < 1) return false;
  const KernelCut& cut = (*cuts_)[index];
  const std::int64_t chunks = acc_groups_ * cut.count();  // of a tile
  const std::int64_t act_loads = this->act_loads(p, chunks);
  std::int64_t instructions = this->instructions(p, chunks);
  const std::int64_t weight_load = std::max(weight_transfer_, chunks * paced(0, load_latency()));
  bool act_twice = act_twice_;
  if (p.act_chunked) {
    std::int64_t words = 0;
    for (const KernelCut::Kind& k : cut.kinds()) words = std::max(words, chunk_words(s_, p, k.chunk));
    if (words > c_.activation) return false;
    act_twice = 2 * words <= c_.activation;
  }
  const std::int64_t all_passes = kernel_passes(s_, p);
  const bool weights_twice = p.weights_outer ? 2 * std::int64_t{p.store_blocks} * all_passes * m_.rows <= c_.weight || store_groups_ == 1 : cut_load.depth >= 2;
  const std::int64_t fill = chunks * fill_cycles(m_);
  const std::int64_t params = params_kept_ ? 0 : acc_groups_ * paced(acc_sets_, load_latency());

  std::int64_t matrix = 0, load = 0, serial = 0, first_load = 0, last_out = 0;
  for (const Size& size : sizes_) {
    std::int64_t busy = size.passes;
    if (busy < fill) busy = (busy + fill) / 2;
    if (!p.weights_outer) busy = std::max(busy, chunks * cut_load.wait);
    std::int64_t act = size.act * act_loads;
    if (p.act_chunked) {
      act = 0;
      for (const KernelCut::Kind& k : cut.kinds()) act += k.count * paced(act_load(p, size, k.chunk, k.chunk.ncb == p.cin_blocks), load_latency());
      act *= acc_groups_;
      // Each chunk's activations come behind its weights, and those when the passes before the last are over.
      busy = std::max(busy, act + chunks * (cut_load.load + 2 * m_.read_latency_cycles)) + act / chunks;
      busy += busy * ChunkedLoss / 100;
    }
    if (s_.has_add) {
      // While the vector unit adds what is stored together, the array fills the accumulators that are free; what then is left of the passes
      // comes behind, and two requantizations with it.
      const std::int64_t stored = ceil_div(p.store_blocks, p.acc_blocks), passes = busy / acc_groups_;
      const std::int64_t adding = size.vector / store_groups_ - stored * size.requantize;
      if (stored > acc_depth_) busy = std::max(busy, store_groups_ * (adding + 2 * size.requantize + (stored - acc_depth_) * passes));
    }
    matrix += size.count * busy;
    load += size.count * (act + size.residual + params + (p.weights_outer ? 0 : weight_load));

    // Without a second buffer one thing waits for the other.
    std::int64_t waits = 0;
    if (!act_twice) {
      waits += act + m_.read_latency_cycles;
    } else if (!p.weights_outer && !p.act_chunked) {
      // The next tile's activations come between two chunks of weights, for which there must be time while the passes of those on the chip go on.
      waits += std::max<std::int64_t>(0, act + cut_load.load + m_.read_latency_cycles - busy / chunks * (cut_load.depth - 1));
    }
    if (!weights_twice && !p.weights_outer) waits += weight_load + chunks * m_.read_latency_cycles;
    if (!params_twice_) waits += acc_groups_ * (size.requantize + acc_sets_ + m_.read_latency_cycles);
    if (acc_depth_ < 2) waits += acc_groups_ * (size.requantize + std::int64_t{m_.rows} * 2 + m_.columns);
    if (!out_twice_) waits += std::min(size.store + store_groups_ * m_.write_latency_cycles, busy);
    serial += size.count * waits;

    if (first_load == 0) first_load = act / act_loads + m_.read_latency_cycles;
    const std::int64_t addition = s_.has_add ? size.vector / store_groups_ - size.requantize : 0;
    last_out = size.requantize + addition + size.store / store_groups_ + m_.write_latency_cycles;  // of the last tile at last
  }
  if (!act_twice && !p.act_chunked) serial -= first_load;  // the first tile's is counted as the way in
  if (p.weights_outer) {
    load += weight_load;
    if (!weights_twice) serial += weight_load + store_groups_ * m_.read_latency_cycles;
    instructions += acc_groups_;
  }
  first_load += cut_load.load;  // the first weights on their way in
  load += instructions * isa::InstructionBytes * 1000 / m_.millibytes_per_cycle();
  const std::int64_t fetch = instructions * (m_.read_latency_cycles + 40) / m_.prefetch_instructions;
  p.instructions = instructions;
  p.matrix_cycles = matrix;
  p.vector_cycles = vector_;
  p.load_cycles = load;
  p.store_cycles = store_;
  // Behind the last load its passes follow; what the other units do begins behind the first one.
  const std::int64_t last_passes = cut.chunks.back().passes() * p.acc_blocks * dataflow_.interval(tile_pixels_);
  // Parameters that are loaded anew for each accumulator group come behind the requantization before, for which the vector unit waits.
  const std::int64_t vector =
      vector_ + (params_kept_ ? 0 : tiles_ * (acc_groups_ + (s_.has_add ? store_groups_ : 0)) * (acc_sets_ + load_latency() + 10));
  p.cycles = std::max(std::max({matrix + serial, vector, store_, fetch}) + first_load, load + last_passes) + last_out +
             2 * std::int64_t{m_.rows} + m_.columns;
  p.feasible = true;
  cost = {p.cycles, instructions * instruction_worth(p.cycles)};
  if (!hosts(s_, p)) cost.tie += s_.follower_cycles;
  // Tiles that cut rows make all others of their rows wait for each other's neighbours: memory is compared by hulls.
  if (p.tile_w < s_.ow && s_.oh > 1) cost.tie += p.cycles / 64;
  return cost.total() < limit;
}

// The load of a tile's activations for a part of the kernel; `whole`: all channel words of a pixel.
std::int64_t ConvCost::act_load(const ConvPlan& p, const Size& size, const Chunk& k, bool whole) const {
  const std::int64_t nz = size.nz;
  const std::int64_t rows = std::min<std::int64_t>(s_.h, std::int64_t{size.ny - 1} * s_.stride_h + std::int64_t{k.nky - 1} * s_.dilation_h + 1);
  if (p.window) {
    const std::int64_t bytes = std::min<std::int64_t>(s_.w, std::int64_t{size.nx - 1} * s_.stride_w + s_.kernel_w) * s_.cin;
    return transfer_cycles(m_, {nz * rows, bytes, alignment(s_.row_bytes)}, nz * rows * size.nx * k.ncb, false);
  }
  const std::int64_t columns = std::min<std::int64_t>(s_.w, std::int64_t{size.nx - 1} * s_.stride_w + std::int64_t{k.nkx - 1} * s_.dilation_w + 1);
  const std::int64_t words = nz * rows * columns * k.ncb;
  if (!whole || s_.pixel_bytes != s_.cin) {
    const std::int64_t bytes = std::min<std::int64_t>(std::int64_t{k.ncb} * m_.rows, s_.cin);
    return transfer_cycles(m_, {nz * rows * columns, bytes, alignment(s_.pixel_bytes | (whole ? 0 : bytes))}, words, false);
  }
  if (columns * s_.cin != s_.row_bytes) return transfer_cycles(m_, {nz * rows, columns * s_.cin, alignment(s_.cin)}, words, false);
  return transfer_cycles(m_, {nz, rows * s_.row_bytes, alignment(s_.row_bytes)}, words, false);
}

// A tile of a dense NHWC tensor of the output's shape, of which `part` channels are moved.
std::int64_t ConvCost::channel_transfer(const Size& size, std::int64_t part, bool write) const {
  const std::int64_t channels = s_.out_pixel_bytes;
  const std::int64_t words = size.pixels * ceil_div(part, m_.columns);
  if (part < channels) return transfer_cycles(m_, {size.pixels, part, alignment(channels | part)}, words, write);
  if (size.nx < s_.ow) return transfer_cycles(m_, {std::int64_t{size.nz} * size.ny, size.nx * channels, alignment(channels)}, words, write);
  return transfer_cycles(m_, {size.nz, std::int64_t{size.ny} * size.nx * channels, alignment(size.nx * channels)}, words, write);
}

}  // namespace gemel::compiler
