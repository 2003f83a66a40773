// SPDX-License-Identifier: Apache-2.0
// Random programs for a machine that end with halt, never deadlock and (unless asked for) meet no hazard: each instruction waits
// for the last instruction of every other unit that its claims conflict with. Semaphore 4*u + v carries the tokens from unit v
// to unit u, so they come and are taken in the same order.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "config/digest.hpp"
#include "isa/isa.hpp"
#include "regress/stretch.hpp"

namespace gemel::regress {

// Where programs load from, store to and stand, unless they are told otherwise.
inline constexpr std::uint64_t LoadRegion = 0, ParamRegion = 0x3000, StoreRegion = 0x4000, RegionBytes = 0x3000, ProgramRegion = 0x8000;
inline constexpr int ParamRegionBytes = 0x1000;  // whole parameter sets, one behind the other

// Where instructions of two units, or two chained ones of the matrix unit, may meet: which claim of the first and which of the second.
enum class Meeting {
  LoadActivation, LoadWeight, LoadSource, LoadSecondSource, LoadResult, LoadSets, LoadTable, LoadStore, Sums, SourceStore, SecondSourceStore,
  ResultStore, Chain, None
};
inline constexpr int MeetingCount = static_cast<int>(Meeting::None);

class RandomProgram {
 public:
  RandomProgram(Dice& random, const Machine& machine) : random_(random), machine_(machine) {}

  int careless_percent = 0;                    // chance of leaving a wait out, and of an operand that overlaps the result
  int together_percent = 0;                    // chance that an instruction has all units begin at once when it is done
  std::uint64_t load_region = LoadRegion, param_region = ParamRegion;
  std::uint64_t store_region = StoreRegion;    // that of loads: writes meet reads in memory
  // Chance that fields of an instruction are ends of their ranges, powers of two or the like, anywhere in memory where it may touch what it
  // touches.
  int stretch_percent = 0;
  std::function<bool(const isa::Instruction&)> allowed = [](const isa::Instruction&) { return true; };
  // Chance that an instruction posts to semaphore `unit` of a unit (4 * unit + unit), to which all may post, and that it waits for its own.
  int shared_percent = 0;
  // Ends with two instructions that meet there, or just do not, and do not wait for each other; None: with nothing of that kind.
  Meeting meeting = Meeting::None;
  bool small = false;                          // instructions of a few cycles
  int requantize_percent = 0;                  // chance that parameter sets are loaded and used where hardly anything is added to their biases
  bool wrapping_sums = false;                  // begins with as many accumulations as it takes until 32 bits are too few, if they are in reach
  // Chance that a value is an end of its range, and that an operand is what an instruction before has made.
  int corner_percent = 0;

  std::vector<isa::Word> make(int instructions) {
    if (wrapping_sums) add_wrapping_sums();
    for (int i = 0; i < instructions;) {
      isa::Instruction instruction;
      if (!draw(instruction)) continue;
      add(instruction);
      ++i;
      if (random_.chance(together_percent)) i += add_together();
      if (random_.chance(requantize_percent)) i += add_requantization();
    }
    std::vector<isa::Word> words;
    if (random_.chance(shared_percent)) take_shared();
    if (meeting != Meeting::None) add_meeting();
    for (const isa::Instruction& i : program_) words.push_back(isa::encode(i));
    words.push_back(isa::encode(isa::Halt{}));
    return words;
  }

 private:
  static isa::Header& header(isa::Instruction& i) {
    switch (i.unit) {
      case isa::Unit::Load: return i.load;
      case isa::Unit::Matrix: return i.matrix;
      case isa::Unit::Vector: return i.vector;
      case isa::Unit::Store: return i.store;
      case isa::Unit::None: break;
    }
    return i.halt;
  }
  // Often where something was just written: its first word, its last, or the one behind it.
  int base(Buffer b) {
    const isa::Extent& known = recent_[static_cast<std::size_t>(b)];
    if (!known.any || !random_.chance(corner_percent)) return anywhere(b);
    if (random_.chance(60)) return static_cast<int>(known.first);
    return static_cast<int>(std::min<std::int64_t>(known.last + random_.range(0, 1), words(b) - 1));
  }
  int zero(int least, int greatest) {
    if (random_.chance(corner_percent)) return random_.chance(50) ? least : greatest;
    return random_.range(least, greatest);
  }
  // Now and then just where a bank ends.
  int anywhere(Buffer b) {
    if (!random_.chance(corner_percent / 4)) return random_.range(0, words(b) - 1);
    const int bank = static_cast<int>(machine_.bank_words(b)), word = bank * random_.range(1, words(b) / bank) - random_.range(-1, 6);
    return std::clamp(word, 0, words(b) - 1);
  }
  // Moves an operand now and then so that it ends just before a bank does, with it, or one word behind.
  void move_to_bank(int& first, int& last, Buffer b) {
    if (first > last || !random_.chance(corner_percent / 2)) return;
    const int bank = static_cast<int>(machine_.bank_words(b)), end = bank * random_.range(1, words(b) / bank), size = last - first + 1;
    const int begin = random_.chance(50) ? end - size : random_.chance(60) ? end : end - size + (random_.chance(50) ? 1 : -1);
    if (begin < 0 || begin + size > words(b)) return;
    first = begin;
    last = begin + size - 1;
  }
  int size(int least, int greatest) { return small ? random_.range(least, std::min(greatest, least + 1)) : random_.skewed(least, greatest); }
  int words(Buffer b) const { return static_cast<int>(machine_.words(b)); }
  // The last word of operand `item`, or its base if nothing is touched; -1 if it lies outside.
  int last(const isa::Touched& touched, int item, int first, Buffer buffer) const {
    const isa::Extent& e = touched.items[static_cast<std::size_t>(item)];
    if (!e.any) return first;
    return e.first < first || e.last >= words(buffer) ? -1 : static_cast<int>(e.last);
  }

  bool draw(isa::Instruction& out) {
    if (!draw_any(out)) return false;
    if (stretch_percent > 0 && random_.chance(stretch_percent)) stretch(out);
    return true;
  }
  bool draw_any(isa::Instruction& out) {
    switch (random_.range(0, 10)) {
      case 0: case 1: case 2: return random_.chance(corner_percent / 3) ? draw_parameters(out) : draw_load(out);
      case 3: case 4: case 5: return draw_matrix(out);
      case 6: case 7: case 8: return draw_vector(out);
      default: return draw_store(out);
    }
  }
  void stretch(isa::Instruction& out) {
    std::int64_t& left = stretch_cycles_[static_cast<std::size_t>(out.unit)];
    for (int attempt = 0; attempt < 5; ++attempt) {
      const std::int64_t most = random_.chance(50) ? 1'500 : random_.chance(60) ? 6'000 : 25'000;
      Stretch fields(random_, machine_, std::min(left, most), left, careless_percent, allowed);
      if (!fields(out)) continue;
      left -= rough_cycles(out, machine_);
      if (out.unit == isa::Unit::Matrix) keep_chain_rule(out.matrix);
      return;
    }
  }
  // Chained matrix instructions: equal or disjoint accumulators.
  void keep_chain_rule(isa::Matrix& i) {
    if (!i.chain || last_matrix_ < 0 || random_.chance(careless_percent)) return;
    const isa::Matrix& before = program_[static_cast<std::size_t>(last_matrix_)].matrix;
    const bool equal = before.acc_base == i.acc_base && before.acc_last == i.acc_last;
    const bool disjoint = before.acc_last < i.acc_base || i.acc_last < before.acc_base;
    i.chain = equal || disjoint;
  }

  // The greatest products there are, added up until the sums wrap around. Words of one value come from windows behind the end of their row.
  void add_wrapping_sums() {
    constexpr int Product = 255 * 255, Fewest = 2, MostInstructions = 400;
    constexpr std::int64_t MostCycles = 50'000;
    const int rows = machine_.rows, blocks = std::min({words(Buffer::Weight) / rows, words(Buffer::Activation) - 2, 16'000});
    if (blocks < 1 || std::max(rows, machine_.columns) > machine_.burst_bytes) return;
    const std::int64_t each = std::int64_t{Product} * rows * blocks, instructions = (std::int64_t{1} << 31) / each + Fewest;
    if (instructions > MostInstructions || instructions * blocks * std::max(rows, 3) > MostCycles) return;
    const auto fill = [&](Buffer buffer, int count, std::uint8_t value) {
      isa::Load i;
      i.buffer = static_cast<int>(buffer);
      i.fill = value;
      i.word_last = count - 1;
      i.address = load_region;
      i.run_bytes = i.count1 = i.count2 = i.window_step = 1;
      i.window_count = count;
      i.window_bytes = machine_.word_bytes(buffer);
      isa::Instruction load = i;
      add(load);
    };
    isa::Matrix i;
    i.out_width = random_.range(1, std::min({3, words(Buffer::Accumulator)}));
    const bool down = random_.chance(50);
    fill(Buffer::Activation, blocks + i.out_width - 1, 0x7f);
    fill(Buffer::Weight, blocks * rows, down ? 0x80 : 0x7f);
    i.act_zero = -128;
    i.weight_zero = down ? 127 : -128;
    i.act_height = i.pixel_words = i.out_planes = i.out_height = i.kernel_h = i.kernel_w = i.cout_blocks = 1;
    i.stride_y = i.stride_x = i.dilation_y = i.dilation_x = 1;
    i.act_width = i.out_width;
    i.cin_blocks = blocks;
    i.act_last = blocks + i.out_width - 2;
    i.weight_last = blocks * rows - 1;
    i.acc_last = i.out_width - 1;
    for (int n = 0; n < instructions; ++n) {
      i.accumulate = i.chain = n > 0;
      isa::Instruction matrix = i;
      if (isa::check_claims(matrix, machine_)) return;
      add(matrix);
    }
    if (random_.chance(50)) add_requantization();
  }

  // Parameter sets, and a sum of nothing or of a few values that is requantized with them. Returns how many instructions.
  int add_requantization() {
    isa::Instruction sets, sums;
    if (!draw_parameters(sets)) return 0;
    isa::Vector i;
    const bool accumulators = random_.chance(30);
    i.opcode = accumulators ? isa::Opcode::Requantize : isa::Opcode::PoolSum;
    i.rounding = random_.range(0, 3);
    i.blocks = (sets.load.word_last - sets.load.word_base + 1) / isa::SetWords;
    i.param_base = sets.load.word_base;
    i.param_last = sets.load.word_last;
    i.src_height = i.src_width = i.pixel_words = accumulators ? 0 : 1;
    i.out_planes = i.out_height = i.out_width = i.kernel_h = i.kernel_w = 1;
    i.stride_y = i.stride_x = i.dilation_y = i.dilation_x = i.dst_pixel_step = i.dst_block_step = 1;
    i.origin_y = random_.range(0, 1);  // 1: below the source
    i.src0_unsigned = random_.range(0, 1);
    i.src0_zero = zero(-128, 255);
    i.dst_zero = zero(-128, 255);
    i.clamp_min = -128;
    i.clamp_max = 255;
    if (words(Buffer::Vector) <= i.blocks) return 0;
    i.dst_base = random_.range(0, words(Buffer::Vector) - i.blocks - 1);
    i.dst_last = i.dst_base + i.blocks - 1;
    i.src0_base = i.src0_last = i.dst_last + 1;
    if (accumulators) {
      i.origin_y = 0;
      i.src0_base = std::min(base(Buffer::Accumulator), words(Buffer::Accumulator) - i.blocks);
      if (i.src0_base < 0) return 0;
      i.src0_last = i.src0_base + i.blocks - 1;
    }
    sums = i;
    if (isa::check_claims(sums, machine_)) return 0;
    add(sets);
    add(sums);
    return 2;
  }

  // One instruction of each other unit that waits for the last one, and one more of its unit. Returns how many.
  int add_together() {
    const int from = static_cast<int>(program_.size()) - 1, v = static_cast<int>(program_.back().unit);
    std::array<bool, isa::UnitCount> has{};
    int added = 0;
    for (int attempt = 0; attempt < 100 && added < isa::UnitCount; ++attempt) {
      isa::Instruction instruction;
      if (!draw(instruction)) continue;
      const auto u = static_cast<std::size_t>(instruction.unit);
      if (has[u] || (static_cast<int>(u) == v && added + 1 < isa::UnitCount)) continue;
      has[u] = true;
      ++added;
      add(instruction, static_cast<int>(u) == v ? -1 : from);
    }
    return added;
  }

  // Which claim of an instruction the meeting is about; -1: none. `second`: of the unit that comes last in the meeting's name.
  int claim_that_meets(const isa::Instruction& i, bool second) const {
    const auto loads = [&i](Buffer b) { return i.unit == isa::Unit::Load && static_cast<Buffer>(i.load.buffer) == b ? 0 : -1; };
    const auto stores = [&i] { return i.unit == isa::Unit::Store ? 0 : -1; };
    const bool is_matrix = i.unit == isa::Unit::Matrix, is_vector = i.unit == isa::Unit::Vector;
    const isa::VectorReads reads = is_vector ? isa::reads(i.vector.opcode) : isa::VectorReads{};
    const int source = is_vector && reads.sources > 0 ? 0 : -1, second_source = is_vector && reads.sources == 2 ? 1 : -1;
    const int param = reads.sources == 2 ? 2 : 1, result = is_vector ? isa::claims(i).count - 1 : -1;
    switch (meeting) {
      case Meeting::LoadActivation: return second ? (is_matrix ? 0 : -1) : loads(Buffer::Activation);
      case Meeting::LoadWeight: return second ? (is_matrix ? 1 : -1) : loads(Buffer::Weight);
      case Meeting::LoadSource: return second ? source : loads(Buffer::Vector);
      case Meeting::LoadSecondSource: return second ? second_source : loads(Buffer::Vector);
      case Meeting::LoadResult: return second ? result : loads(Buffer::Vector);
      case Meeting::LoadSets: return second ? (is_vector && reads.sets > 0 ? param : -1) : loads(Buffer::Param);
      case Meeting::LoadTable: return second ? (is_vector && reads.sets == 0 && i.vector.table ? param : -1) : loads(Buffer::Param);
      case Meeting::LoadStore: return second ? stores() : loads(Buffer::Vector);
      case Meeting::Sums: return second ? (is_vector && reads.sources == 0 ? 0 : -1) : is_matrix ? 2 : -1;
      case Meeting::SourceStore: return second ? stores() : source;
      case Meeting::SecondSourceStore: return second ? stores() : second_source;
      case Meeting::ResultStore: return second ? stores() : result;
      case Meeting::Chain: return is_matrix ? 2 : -1;
      case Meeting::None: break;
    }
    return -1;
  }
  // Base and last word of a claim, as fields of the instruction.
  static std::pair<int*, int*> interval(isa::Instruction& i, int claim) {
    if (i.unit == isa::Unit::Load) return {&i.load.word_base, &i.load.word_last};
    if (i.unit == isa::Unit::Store) return {&i.store.word_base, &i.store.word_last};
    if (i.unit == isa::Unit::Matrix) {
      isa::Matrix& m = i.matrix;
      if (claim == 0) return {&m.act_base, &m.act_last};
      if (claim == 1) return {&m.weight_base, &m.weight_last};
      return {&m.acc_base, &m.acc_last};
    }
    isa::Vector& v = i.vector;
    if (claim == 0) return {&v.src0_base, &v.src0_last};
    if (claim == isa::claims(i).count - 1) return {&v.dst_base, &v.dst_last};
    if (claim == 1 && isa::reads(v.opcode).sources == 2) return {&v.src1_base, &v.src1_last};
    return {&v.param_base, &v.param_last};
  }
  // Moves a claim to where the other one is: the last word of one is the first of the other, or the one before it; both begin or end
  // together; or one begins with the bank in which the other ends, or with the next.
  bool move_beside(isa::Instruction& moved, int claim, const isa::Claim& other) {
    const auto [first, last] = interval(moved, claim);
    const int size = *last - *first + 1, bank = static_cast<int>(machine_.bank_words(other.buffer)), apart = random_.chance(30) ? 1 : 0;
    int to = 0;
    switch (random_.range(0, 5)) {
      case 0: to = other.last + apart; break;
      case 1: to = other.first - size + 1 - apart; break;
      case 2: to = other.first; break;
      case 3: to = other.last - size + 1; break;
      case 4: to = (other.last / bank + apart) * bank; break;
      default: to = (other.first / bank + 1 - apart) * bank - size;
    }
    *first = to;
    *last = to + size - 1;
    return to >= 0 && !isa::check_claims(moved, machine_) && !meets_itself(moved);
  }
  static bool meets_itself(const isa::Instruction& i) {
    if (i.unit != isa::Unit::Vector) return false;
    const isa::Claims c = isa::claims(i);
    const isa::Claim& result = c.items[static_cast<std::size_t>(c.count - 1)];
    return std::any_of(c.begin(), c.end() - 1, [&result](const isa::Claim& p) {
      return p.buffer == result.buffer && p.first <= result.last && result.first <= p.last;
    });
  }
  // Whether they conflict in any claims but these two.
  bool others_conflict(const isa::Instruction& a, int claim_of_a, const isa::Instruction& b, int claim_of_b) const {
    const isa::Claims p = isa::claims(a), q = isa::claims(b);
    for (int n = 0; n < p.count; ++n) {
      for (int m = 0; m < q.count; ++m) {
        if (n == claim_of_a && m == claim_of_b) continue;
        if (conflict(p.items[static_cast<std::size_t>(n)], q.items[static_cast<std::size_t>(m)])) return true;
      }
    }
    return false;
  }
  bool apart(const isa::Instruction& a, const isa::Instruction& b) const {
    return a.unit == b.unit || !conflict(isa::claims(a), isa::claims(b));
  }

  // The two that meet begin when all before them is done: both at once, one of them behind a short one of its unit, or one of them chained
  // to a short one, so that it is the younger in flight.
  void add_meeting() {
    constexpr int Attempts = 2'000, AttemptsAlone = 300;
    const bool chain = meeting == Meeting::Chain;
    isa::Instruction two[2];
    bool found = false;
    // Mostly nothing but these claims meet: otherwise one hazard hides the other.
    for (int attempt = 0, alone = random_.chance(80) ? AttemptsAlone : 0; attempt < Attempts && !found; ++attempt) {
      const int moved = random_.range(0, 1);
      if (!draw_any(two[1 - moved])) continue;
      const int fixed = claim_that_meets(two[1 - moved], moved == 0);
      if (fixed < 0) continue;
      int claim = -1;
      for (int n = 0; n < Attempts && claim < 0; ++n) {
        if (draw_any(two[moved])) claim = claim_that_meets(two[moved], moved == 1);
      }
      if (claim < 0) continue;
      const isa::Claims others = isa::claims(two[1 - moved]);
      if (!move_beside(two[moved], claim, others.items[static_cast<std::size_t>(fixed)])) continue;
      found = alone-- <= 0 || chain || !others_conflict(two[moved], claim, two[1 - moved], fixed);
    }
    if (!found) return;
    shared_percent = 0;  // neither waits for what the other posts
    if (chain) {
      two[0].matrix.chain = 0;
      two[1].matrix.chain = 1;
      const int first = static_cast<int>(program_.size());
      add(two[0], EachUnit);
      add(two[1], -1, first);
      return;
    }
    // What begins before one of them, of the same unit: it meets nothing. Sometimes so that the later of the two begins when the earlier is the
    // younger of two in flight: behind a short one that ends first, and the earlier chained to a long one.
    const int earlier = random_.range(0, 1);
    const bool younger = random_.chance(40);
    const bool was_small = small;
    isa::Instruction before[2];
    bool has[2] = {younger || random_.chance(50), younger || random_.chance(50)};
    for (int n = 0; n < 2; ++n) {
      bool fits = false;
      small = !younger || n != earlier;
      for (int attempt = 0; has[n] && attempt < Attempts && !fits; ++attempt) {
        fits = draw_any(before[n]) && before[n].unit == two[n].unit && !meets_itself(before[n]) && apart(before[n], two[1 - n]) &&
                (n == 0 || !has[0] || apart(before[1], before[0]));
      }
      has[n] = fits;
      if (fits && two[n].unit == isa::Unit::Matrix) {  // the rule of chains is another meeting's
        const auto [a, b] = interval(before[n], 2);
        const auto [c, d] = interval(two[n], 2);
        if (*a <= *d && *c <= *b) has[n] = false;
      }
      if (two[n].unit != isa::Unit::Vector) header(two[n]).chain = has[n] && (younger ? n == earlier : random_.chance(70)) ? 1 : 0;
    }
    small = was_small;
    const int first = static_cast<int>(program_.size());
    for (const int n : {earlier, 1 - earlier}) {
      if (has[n]) {
        if (before[n].unit == isa::Unit::Matrix) before[n].matrix.chain = 0;
        add(before[n], EachUnit, first);
      }
    }
    for (const int n : {earlier, 1 - earlier}) add(two[n], EachUnit, first);
  }

  // Takes what is left of posts: one too few is seen.
  void take_shared() {
    const int percent = shared_percent;
    shared_percent = 0;
    for (int u = 0; u < isa::UnitCount; ++u) {
      isa::Instruction taker;
      for (int attempt = 0; attempt < 200 && shared_[static_cast<std::size_t>(u)] > 0; ++attempt) {
        if (!draw_any(taker) || static_cast<int>(taker.unit) != u) continue;
        add(taker);
        header(program_.back()).wait_mask |= 1 << u;
        --shared_[static_cast<std::size_t>(u)];
      }
    }
    shared_percent = percent;
  }

  // Parameter sets, as the vector unit wants them.
  bool draw_parameters(isa::Instruction& out) {
    isa::Load i;
    const int set_bytes = 9 * machine_.columns, sets = std::min(size(1, 5), words(Buffer::Param) / 9);
    if (sets == 0) return false;
    i.buffer = static_cast<int>(Buffer::Param);
    i.word_base = random_.range(0, words(Buffer::Param) - 9 * sets);
    i.word_last = i.word_base + 9 * sets - 1;
    i.address = param_region + static_cast<std::uint64_t>(random_.range(0, ParamRegionBytes / set_bytes - sets) * set_bytes);
    i.group_bytes = i.run_bytes = set_bytes * sets;
    i.count1 = i.count2 = 1;
    i.chain = random_.chance(60);
    out = i;
    return !isa::check_claims(out, machine_);
  }

  bool draw_load(isa::Instruction& out) {
    isa::Load i;
    i.machine = random_.chance(50) ? digest_ : 0;
    i.buffer = random_.range(0, 3);
    i.fill = random_.byte();
    i.word_base = base(static_cast<Buffer>(i.buffer));
    i.address = load_region + static_cast<std::uint64_t>(random_.range(0, 2000));
    i.count1 = size(1, 6);
    i.count2 = size(1, 3);
    i.stride1 = static_cast<std::uint32_t>(random_.range(0, 300));
    i.stride2 = static_cast<std::uint32_t>(random_.range(0, 1000));
    if (random_.chance(60)) {
      i.group_bytes = size(1, 60);
      i.run_bytes = i.group_bytes * size(1, 8);
      if (random_.chance(30)) i.run_bytes -= random_.range(0, i.group_bytes - 1);  // the last group is short
    } else {
      i.run_bytes = random_.range(1, 80);
      i.window_count = random_.range(1, 24);
      i.window_bytes = random_.range(1, std::min(40, machine_.burst_bytes));
      i.window_step = random_.range(1, i.window_bytes);
      i.window_offset = -random_.range(0, i.window_bytes - 1);
    }
    i.chain = random_.chance(60);
    const isa::Extent e = isa::touched(i, machine_).items[0];
    if (e.last >= words(static_cast<Buffer>(i.buffer))) return false;
    i.word_last = static_cast<int>(e.last);
    move_to_bank(i.word_base, i.word_last, static_cast<Buffer>(i.buffer));
    out = i;
    return !isa::check_claims(out, machine_);
  }

  bool draw_matrix(isa::Instruction& out) {
    isa::Matrix i;
    i.accumulate = random_.chance(30);
    i.act_base = base(Buffer::Activation);
    i.weight_base = base(Buffer::Weight);
    i.acc_base = base(Buffer::Accumulator);
    i.act_height = size(1, 8);
    i.act_width = size(1, 8);
    i.pixel_words = size(1, 3);
    i.plane_words = random_.range(0, 40);
    i.act_block_step = random_.chance(70) ? 0 : random_.range(0, 5);
    i.out_planes = size(1, 3);
    i.out_height = size(1, 6);
    i.out_width = size(1, 6);
    i.kernel_h = size(1, 3);
    i.kernel_w = size(1, 3);
    i.cin_blocks = size(1, 2);
    i.cout_blocks = size(1, 2);
    i.stride_y = random_.range(1, 2);
    i.stride_x = random_.range(1, 2);
    i.dilation_y = random_.range(1, 2);
    i.dilation_x = random_.range(1, 2);
    i.origin_y = -random_.range(0, 2);
    i.origin_x = -random_.range(0, 2);
    i.act_unsigned = random_.range(0, 1);
    i.act_zero = i.act_unsigned ? zero(0, 255) : zero(-128, 127);
    i.weight_unsigned = random_.range(0, 1);
    i.weight_zero = i.weight_unsigned ? zero(0, 255) : zero(-128, 127);
    i.chain = random_.chance(70);
    if (i.chain && last_matrix_ >= 0) {  // equal or disjoint accumulators
      const isa::Matrix& before = program_[static_cast<std::size_t>(last_matrix_)].matrix;
      if (random_.chance(50)) {
        i.acc_base = before.acc_base;
        i.out_planes = before.out_planes;
        i.out_height = before.out_height;
        i.out_width = before.out_width;
        i.cout_blocks = before.cout_blocks;
      }
    }
    const isa::Touched t = isa::touched(i, machine_);
    i.act_last = last(t, 0, i.act_base, Buffer::Activation);
    i.weight_last = last(t, 1, i.weight_base, Buffer::Weight);
    i.acc_last = last(t, 2, i.acc_base, Buffer::Accumulator);
    if (i.act_last < 0 || i.weight_last < 0 || i.acc_last < 0) return false;
    const bool same_sums = i.chain && last_matrix_ >= 0 && program_[static_cast<std::size_t>(last_matrix_)].matrix.acc_base == i.acc_base;
    move_to_bank(i.act_base, i.act_last, Buffer::Activation);
    move_to_bank(i.weight_base, i.weight_last, Buffer::Weight);
    if (!same_sums) move_to_bank(i.acc_base, i.acc_last, Buffer::Accumulator);
    keep_chain_rule(i);
    out = i;
    return !isa::check_claims(out, machine_);
  }

  bool draw_vector(isa::Instruction& out) {
    isa::Vector i;
    const isa::VectorReads& reads = isa::VectorOpcodes[random_.range(0, isa::VectorOpcodeCount - 1)];
    i.opcode = reads.opcode;
    const bool sums = reads.sources == 0, pair = reads.sources == 2;
    i.rounding = random_.range(0, 3);
    i.param_shared = reads.shared == isa::Sharing::Must || (reads.shared == isa::Sharing::May && random_.chance(40));
    i.table = random_.chance(40);
    i.src0_unsigned = random_.range(0, 1);
    i.src1_unsigned = random_.range(0, 1);
    i.weight_unsigned = random_.range(0, 1);
    i.blocks = size(1, 3);
    i.src0_base = base(sums ? Buffer::Accumulator : Buffer::Vector);
    i.src1_base = pair ? base(Buffer::Vector) : 0;
    i.dst_base = base(Buffer::Vector);
    i.param_base = base(Buffer::Param);
    i.out_planes = size(1, 3);
    i.out_height = size(1, 4);
    i.out_width = size(1, 4);
    i.dst_pixel_step = random_.range(1, 3);
    i.dst_block_step = i.dst_pixel_step == 1 ? i.out_planes * i.out_height * i.out_width : 1;
    if (i.blocks > i.dst_pixel_step && i.dst_block_step == 1) i.blocks = i.dst_pixel_step;
    if (!sums) {
      i.block_step = random_.range(0, 20);
      i.pixel_words = random_.range(1, 3);
      i.plane_words = random_.range(0, 20);
      i.src_height = random_.range(1, 6);
      i.src_width = random_.range(1, 6);
      i.origin_y = -random_.range(0, 2);
      i.origin_x = -random_.range(0, 2);
      i.stride_y = random_.range(1, 2);
      i.stride_x = random_.range(1, 2);
      if (reads.steps == 0) {
        i.kernel_h = size(1, 3);
        i.kernel_w = size(1, 3);
        i.dilation_y = random_.range(1, 2);
        i.dilation_x = random_.range(1, 2);
      }
      // What a stretched field alone seldom brings about: taps far apart, some of them in a high tile; more taps than 8 bits count; blocks of
      // the source further apart than they tell.
      if (reads.steps == 0 && random_.chance(corner_percent / 4)) {
        i.dilation_y = random_.range(3, 20);
        i.kernel_h = random_.range(2, 3);
        i.src_height = random_.range(1, 2 * i.dilation_y + 2);
        i.src_width = random_.range(1, 2);
        i.pixel_words = 1;
      }
      if (i.opcode == isa::Opcode::Depthwise && !small && random_.chance(corner_percent / 4)) {
        i.kernel_h = random_.range(16, 24);
        i.kernel_w = random_.range(16, 20);
        i.blocks = std::min(i.blocks, 2);
        i.out_planes = i.out_height = i.out_width = 1;
        if (i.blocks > 1 && i.dst_block_step == 1 && i.dst_pixel_step == 1) i.dst_pixel_step = i.blocks;
      }
      if (words(Buffer::Vector) > 900 && random_.chance(corner_percent / 8)) {
        i.blocks = 3;  // from the third on a block's place is the sum of what was added before
        i.block_step = random_.range(256, (words(Buffer::Vector) - 300) / 2);
        if (i.dst_block_step == 1 && i.dst_pixel_step < i.blocks) i.dst_pixel_step = i.blocks;
        i.src0_base = random_.range(0, words(Buffer::Vector) - 2 * i.block_step - 1);
        if (pair) i.src1_base = random_.range(0, words(Buffer::Vector) - 2 * i.block_step - 1);
      }
    }
    i.src0_zero = zero(-128, 255);
    i.src1_zero = zero(-128, 255);
    i.weight_zero = zero(-128, 255);
    i.dst_zero = zero(-128, 255);
    i.clamp_min = zero(-128, 100);
    i.clamp_max = zero(i.clamp_min, 255);
    const isa::Touched t = isa::touched(i, machine_);
    int item = 0;
    i.src0_last = last(t, item++, i.src0_base, sums ? Buffer::Accumulator : Buffer::Vector);
    i.src1_last = pair ? last(t, item++, i.src1_base, Buffer::Vector) : 0;
    const bool reads_param = isa::param_words(i, machine_.columns) > 0;
    i.param_last = reads_param ? last(t, item++, i.param_base, Buffer::Param) : i.param_base;
    i.dst_last = last(t, item++, i.dst_base, Buffer::Vector);
    if (i.src0_last < 0 || i.src1_last < 0 || i.param_last < 0 || i.dst_last < 0) return false;
    move_to_bank(i.src0_base, i.src0_last, sums ? Buffer::Accumulator : Buffer::Vector);
    if (pair) move_to_bank(i.src1_base, i.src1_last, Buffer::Vector);
    if (reads_param) move_to_bank(i.param_base, i.param_last, Buffer::Param);
    move_to_bank(i.dst_base, i.dst_last, Buffer::Vector);
    const bool overlaps = (i.src0_last >= i.dst_base && i.dst_last >= i.src0_base && !sums) || (pair && i.src1_last >= i.dst_base && i.dst_last >= i.src1_base);
    if (overlaps && !random_.chance(careless_percent)) return false;
    out = i;
    return !isa::check_claims(out, machine_);
  }

  bool draw_store(isa::Instruction& out) {
    isa::Store i;
    i.word_base = base(Buffer::Vector);
    i.address = store_region + static_cast<std::uint64_t>(random_.range(0, 2000));
    i.group_bytes = size(1, 60);
    i.run_bytes = i.group_bytes * size(1, 8);
    if (random_.chance(30)) i.run_bytes -= random_.range(0, i.group_bytes - 1);  // the last group is short
    i.count1 = size(1, 6);
    i.count2 = size(1, 3);
    i.stride1 = static_cast<std::uint32_t>(random_.range(0, 300));
    i.stride2 = static_cast<std::uint32_t>(random_.range(0, 1000));
    i.chain = random_.chance(60);
    const isa::Extent e = isa::touched(i, machine_).items[0];
    if (e.last >= words(Buffer::Vector)) return false;
    i.word_last = static_cast<int>(e.last);
    move_to_bank(i.word_base, i.word_last, Buffer::Vector);
    out = i;
    return !isa::check_claims(out, machine_);
  }

  bool conflict(const isa::Claims& a, const isa::Claims& b) const {
    return std::any_of(a.begin(), a.end(), [&](const isa::Claim& p) {
      return std::any_of(b.begin(), b.end(), [&](const isa::Claim& q) { return conflict(p, q); });
    });
  }
  bool conflict(const isa::Claim& p, const isa::Claim& q) const {
    if (p.buffer != q.buffer) return false;
    if ((p.write || q.write) && p.first <= q.last && q.first <= p.last) return true;
    const std::int64_t bank = machine_.bank_words(p.buffer);
    return p.write == q.write && p.first / bank <= q.last / bank && q.first / bank <= p.last / bank;
  }

  // `after`: waits for this instruction of another unit in any case, EachUnit: for the last of each other unit, -1: for none. Only
  // instructions before `before` are waited for, -1: all.
  void add(isa::Instruction& instruction, int after = -1, int before = -1) {
    const auto u = static_cast<std::size_t>(instruction.unit);
    const isa::Claims mine = isa::claims(instruction);
    int wait_mask = 0;
    for (int v = 0; v < isa::UnitCount; ++v) {
      if (v == static_cast<int>(u)) continue;
      // The latest instruction of unit v that conflicts; earlier ones of v are done before it.
      for (int j = before < 0 ? static_cast<int>(program_.size()) - 1 : before - 1; j > waited_[u][static_cast<std::size_t>(v)]; --j) {
        isa::Instruction& other = program_[static_cast<std::size_t>(j)];
        const bool asked_for = j == after || after == EachUnit;
        if (static_cast<int>(other.unit) != v || (!asked_for && !conflict(mine, isa::claims(other)))) continue;
        if (!asked_for && random_.chance(careless_percent)) break;
        header(other).post_mask |= 1 << (4 * static_cast<int>(u) + v);
        wait_mask |= 1 << v;
        waited_[u][static_cast<std::size_t>(v)] = j;
        break;
      }
    }
    // Earlier instructions have posted as often as that: nobody waits for ever.
    int& own = shared_[u];
    if (own > 0 && random_.chance(shared_percent)) {
      wait_mask |= 1 << u;
      --own;
    }
    // Small ones post where they begin at once: they end in one cycle now and then.
    const int post_percent = shared_percent == 0 ? 0 : !small ? shared_percent : after >= 0 ? 100 : 0;
    for (int v = 0; v < isa::UnitCount; ++v) {
      if (shared_[static_cast<std::size_t>(v)] > MostShared || !random_.chance(post_percent)) continue;
      header(instruction).post_mask |= 1 << (4 * v + v);
      ++shared_[static_cast<std::size_t>(v)];
    }
    header(instruction).wait_mask = wait_mask;
    header(instruction).tag = static_cast<int>(program_.size()) % 8;
    if (instruction.unit == isa::Unit::Matrix) last_matrix_ = static_cast<int>(program_.size());
    for (const isa::Claim& claim : mine) {
      if (claim.write) recent_[static_cast<std::size_t>(claim.buffer)] = {true, claim.first, claim.last};
    }
    program_.push_back(instruction);
  }

  static constexpr int EachUnit = -2;
  Dice& random_;
  const Machine& machine_;
  const std::int32_t digest_ = machine_digest(machine_);
  std::vector<isa::Instruction> program_;
  std::array<std::array<int, isa::UnitCount>, isa::UnitCount> waited_{{{-1, -1, -1, -1}, {-1, -1, -1, -1},
                                                                       {-1, -1, -1, -1}, {-1, -1, -1, -1}}};
  std::array<std::int64_t, isa::UnitCount> stretch_cycles_{60'000, 30'000, 30'000, 60'000};  // that stretched instructions of a unit still may take
  static constexpr int MostShared = 8;
  std::array<int, isa::UnitCount> shared_{};  // posts that nobody has waited for yet
  int last_matrix_ = -1;
  std::array<isa::Extent, BufferCount> recent_{};  // written last
};

}  // namespace gemel::regress
