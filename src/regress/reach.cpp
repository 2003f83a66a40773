// SPDX-License-Identifier: Apache-2.0
#include "regress/reach.hpp"

#include <algorithm>
#include <cstring>

namespace gemel::regress {
namespace {

constexpr std::int64_t KiB64 = std::int64_t{1} << 16, GiB4 = std::int64_t{1} << 32;
constexpr std::uint64_t Faint = 4;  // beyond a half by less than so many of the lowest bit's units
constexpr int RequantizerAfterSum = 4;  // cycles from an accumulator word on the wires to the requantizer's input

bool overflows(std::int32_t a, std::int32_t b) {
  const std::int64_t sum = std::int64_t{a} + b;
  return sum != static_cast<std::int32_t>(sum);
}

std::vector<std::int32_t> words(const Beat& beat) {
  std::vector<std::int32_t> out(beat.bytes / sizeof(std::int32_t));
  std::memcpy(out.data(), beat.data, out.size() * sizeof(std::int32_t));
  return out;
}

std::int32_t minus(std::int32_t a, std::int32_t b) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) - static_cast<std::uint32_t>(b)); }

// Least significant bits of an even number, `below` of them cut off: more than a half, by bits below the first.
struct Cut {
  std::uint64_t kept = 0;
  bool tie = false, sticky = false, up = false;
  std::uint64_t beyond_half = 0;
};
Cut cut(std::uint64_t value, int below) {
  Cut c;
  c.kept = below >= 64 ? 0 : value >> below;
  if (below == 0 || below >= 64) return c;
  const std::uint64_t rest = value & ((std::uint64_t{1} << below) - 1), half = std::uint64_t{1} << (below - 1);
  c.tie = rest == half;
  c.sticky = rest > half && (c.kept & 1) == 0;
  c.up = rest > half || (c.tie && (c.kept & 1) != 0);
  c.beyond_half = rest > half ? rest - half : 0;
  return c;
}

}  // namespace

const char* to_string(Reach reach) {
  static constexpr const char* Names[ReachCount] = {
      "matrix: dilation from 4", "matrix: stride from 4", "matrix: window from 16", "matrix: fourth image", "matrix: more than 63 words per tap",
      "matrix: tile wider than 255",
      "vector: dilation from 4", "vector: stride from 4", "vector: window from 16", "vector: fourth image", "vector: tile wider than 255",
      "vector: more than 15 blocks", "vector: more than 255 taps with weights", "vector: third block of a source, from 256 words behind the second",
      "load: run from 64 KiB", "load: row of windows from 64 KiB", "load: inner stride from 64 KiB", "load: outer stride from 64 KiB",
      "load: more than 255 windows", "load: above 4 GiB", "load: burst of 4 KiB", "load: burst of 256 beats",
      "store: run from 64 KiB", "store: inner stride from 64 KiB", "store: outer stride from 64 KiB", "store: above 4 GiB", "store: burst of 4 KiB",
      "store: burst of 256 beats",
      "fetch: above 4 GiB", "fetch: a carry at 4 GiB", "fetch: more than 255 instructions", "run of more than 65,535 cycles",
      "claims: last word of a buffer", "claims: two units in neighbouring banks, up to the last word",
      "load: address outside of memory", "load: error in an early beat only", "load: error in an early burst only",
      "fetch: address outside of memory", "fetch: error in an early beat only", "store: address outside of memory",
      "store: error in an early burst only", "aborted",
      "semaphores: two posts to one in a cycle", "chain: credit that outlives the unit's work", "chain: credit that outlives the older instruction",
      "array: sum of more than 18 bits", "sums: accumulator wraps", "sums: bias wraps", "sums: add wraps",
      "float: value rounds up to a power of two", "float: value's sticky bit decides", "float: value's lowest bits decide",
      "float: product rounds up to a power of two", "float: product's sticky bit decides", "float: product's lowest bits decide",
      "float: result's sticky bit decides", "float: result's lowest bits decide", "float: half to even", "float: saturates by rounding",
      "fixed: half below zero", "fixed: lowest bits decide below zero",
      "payload that changes while nothing is valid"};
  return Names[static_cast<std::size_t>(reach)];
}

void add_case(const Reached& events, Reached& cases) {
  for (std::size_t i = 0; i < events.size(); ++i) cases[i] += events[i] > 0 ? 1 : 0;
}

ReachObserver::ReachObserver(const Machine& machine, Reached& reached) : machine_(machine), reached_(reached) {}

void ReachObserver::add(const Beat& beat) {
  switch (beat.port) {
    case Port::LoadCommand: case Port::MatrixCommand: case Port::VectorCommand: case Port::StoreCommand: {
      isa::Word word;
      std::memcpy(word.data(), beat.data, isa::InstructionBytes);
      const auto u = static_cast<std::size_t>(beat.port) - static_cast<std::size_t>(Port::LoadCommand);
      const isa::Instruction i = isa::decode(word);
      UnitState& unit = units_[u];
      if (!unit.flights.empty()) {
        count(Reach::CreditOutlivesUnit, unit.dropped);
        count(Reach::CreditOutlivesOlder, unit.credit_of_younger);
        unit.dropped = unit.credit_of_younger = false;
      }
      unit.credit = false;
      count(Reach::NextBank, begins_in_next_bank(i));
      unit.flights.push_back(i);
      instruction(i);
      break;
    }
    case Port::LoadCompletion: completion(beat, 0); break;
    case Port::MatrixCompletion: completion(beat, 1); break;
    case Port::VectorCompletion: completion(beat, 2); break;
    case Port::StoreCompletion: completion(beat, 3); break;
    case Port::FetchRequest:
      count(Reach::FetchHigh, beat.value >= GiB4 && !beat.held);
      count(Reach::FetchCarries, beat.value >= GiB4 && fetched_low_);
      fetched_low_ = beat.value < GiB4;
      request(beat, fetch_, Reach::Count, Reach::Count);
      break;
    case Port::LoadRequest:
      count(Reach::LoadHigh, beat.value >= GiB4 && !beat.held);
      request(beat, load_, Reach::LoadWholeBurst, Reach::LoadBeats);
      break;
    case Port::StoreRequest:
      count(Reach::StoreHigh, beat.value >= GiB4 && !beat.held);
      request(beat, store_, Reach::StoreWholeBurst, Reach::StoreBeats);
      break;
    case Port::FetchData:
      count(Reach::FetchOutside, (beat.value & 2) != 0 && !fetch_.bursts.empty() && fetch_.bursts.front().outside);
      data(beat, fetch_, Reach::FetchEarlyBeat);
      break;
    case Port::LoadData: data(beat, load_, Reach::LoadEarlyBeat); break;
    case Port::StoreResponse:
      if (store_.bursts.empty()) break;
      store_.last_failed = (beat.value & 2) != 0;
      store_.failed |= store_.last_failed;
      count(Reach::StoreOutside, store_.last_failed && store_.bursts.front().outside);
      store_.bursts.pop_front();
      break;
    case Port::ArraySums:
      sums_ = words(beat);
      sums_at_ = beat.cycle;
      count(Reach::SumOf19Bits, std::any_of(sums_.begin(), sums_.end(), [](std::int32_t sum) { return sum >= 1 << 18 || sum < -(1 << 18); }));
      break;
    case Port::MatrixAccumulatorWrite: {
      if (beat.cycle != sums_at_ + 1) break;
      const std::vector<std::int32_t> now = words(beat);
      bool wraps = false;
      for (std::size_t c = 0; c < now.size(); ++c) wraps |= overflows(minus(now[c], sums_[c]), sums_[c]);
      count(Reach::SumWraps, wraps);
      break;
    }
    case Port::VectorAccumulatorData: {
      const std::vector<std::int32_t> word = words(beat);
      const std::size_t lanes = static_cast<std::size_t>(machine_.lanes), slices = (word.size() + lanes - 1) / lanes;
      const std::size_t first = static_cast<std::size_t>(step_++) % slices * lanes;
      Sum sum{beat.cycle + RequantizerAfterSum, {}};
      for (std::size_t c = first; c < std::min(first + lanes, word.size()); ++c) sum.lanes.push_back(word[c]);
      sums_on_their_way_.push_back(std::move(sum));
      break;
    }
    case Port::RequantizerIn: requantizer_in(beat); break;
    case Port::RequantizerOut:
      outs_[1] = outs_[0];
      outs_at_[1] = outs_at_[0];
      outs_[0] = words(beat);
      outs_at_[0] = beat.cycle;
      break;
    default: break;
  }
}

void ReachObserver::ended(Cycle cycles, std::uint32_t error_code) {
  count(Reach::LongRun, cycles > 65'535);
  count(Reach::Aborted, error_code == static_cast<std::uint32_t>(isa::ErrorCode::Aborted));
}

// Beside what another unit reads, or writes, in the same buffer: up to the last word of a bank the one, from the next bank on the other.
bool ReachObserver::begins_in_next_bank(const isa::Instruction& instruction) const {
  for (std::size_t u = 0; u < units_.size(); ++u) {
    if (u == static_cast<std::size_t>(instruction.unit)) continue;
    for (const isa::Instruction& other : units_[u].flights) {
      for (const isa::Claim& a : isa::claims(instruction)) {
        for (const isa::Claim& b : isa::claims(other)) {
          if (a.buffer != b.buffer || a.write != b.write) continue;
          const std::int64_t bank = machine_.bank_words(a.buffer);
          const auto next = [bank](const isa::Claim& low, const isa::Claim& high) {
            return (low.last + 1) % bank == 0 && high.first / bank == (low.last + 1) / bank;
          };
          if (next(a, b) || next(b, a)) return true;
        }
      }
    }
  }
  return false;
}

void ReachObserver::instruction(const isa::Instruction& i) {
  count(Reach::LongProgram, ++commands_ == 256);
  bool last_word = false;
  for (const isa::Claim& claim : isa::claims(i)) last_word |= claim.last == machine_.words(claim.buffer) - 1;
  count(Reach::LastWord, last_word);
  const auto from = [](std::int64_t least, std::int64_t y, std::int64_t times_y, std::int64_t x, std::int64_t times_x) {
    return (y >= least && times_y > 1) || (x >= least && times_x > 1);
  };
  const auto beyond = [](int origin, int count, int stride, int kernel, int dilation, int size) {
    return size > 255 && origin < size && origin + std::int64_t{count - 1} * stride + std::int64_t{kernel - 1} * dilation > 255;
  };
  if (i.unit == isa::Unit::Load) {
    const isa::Load& l = i.load;
    count(Reach::LoadRun, l.window_count == 0 && l.run_bytes >= KiB64);
    count(Reach::LoadRowOfWindows, l.window_count > 0 && l.run_bytes >= KiB64);
    count(Reach::LoadStride1, l.count1 > 1 && l.stride1 >= KiB64);
    count(Reach::LoadStride2, l.count2 > 1 && l.stride2 >= KiB64);
    count(Reach::LoadManyWindows, l.window_count > 255);
  } else if (i.unit == isa::Unit::Store) {
    const isa::Store& s = i.store;
    count(Reach::StoreRun, s.run_bytes >= KiB64);
    count(Reach::StoreStride1, s.count1 > 1 && s.stride1 >= KiB64);
    count(Reach::StoreStride2, s.count2 > 1 && s.stride2 >= KiB64);
  } else if (i.unit == isa::Unit::Matrix) {
    const isa::Matrix& m = i.matrix;
    count(Reach::MatrixDilation, from(4, m.dilation_y, m.kernel_h, m.dilation_x, m.kernel_w));
    count(Reach::MatrixStride, from(4, m.stride_y, m.out_height, m.stride_x, m.out_width));
    count(Reach::MatrixWindow, m.kernel_h >= 16 || m.kernel_w >= 16);
    count(Reach::MatrixImages, m.out_planes >= 4);
    count(Reach::MatrixDepth, m.cin_blocks > 63);
    count(Reach::MatrixTile, beyond(m.origin_x, m.out_width, m.stride_x, m.kernel_w, m.dilation_x, m.act_width) ||
                                 beyond(m.origin_y, m.out_height, m.stride_y, m.kernel_h, m.dilation_y, m.act_height));
  } else if (i.unit == isa::Unit::Vector) {
    vector_ = i.vector;
    first_x_ = -1;
    step_ = 0;
    sums_on_their_way_.clear();
    const isa::Vector& v = i.vector;
    count(Reach::VectorDilation, from(4, v.dilation_y, v.kernel_h, v.dilation_x, v.kernel_w));
    count(Reach::VectorStride, v.opcode != isa::Opcode::Requantize && from(4, v.stride_y, v.out_height, v.stride_x, v.out_width));
    count(Reach::VectorWindow, v.kernel_h >= 16 || v.kernel_w >= 16);
    count(Reach::VectorImages, v.out_planes >= 4);
    count(Reach::VectorTile, beyond(v.origin_x, v.out_width, v.stride_x, v.kernel_w, v.dilation_x, v.src_width) ||
                                 beyond(v.origin_y, v.out_height, v.stride_y, v.kernel_h, v.dilation_y, v.src_height));
    count(Reach::VectorBlocks, v.blocks > 15);
    count(Reach::VectorTaps, v.opcode == isa::Opcode::Depthwise && v.kernel_h * v.kernel_w > 255);
    count(Reach::VectorFarBlocks, isa::reads(v.opcode).sources > 0 && v.blocks > 2 && v.block_step > 255);
  }
}

void ReachObserver::request(const Beat& beat, Reader& reader, Reach whole, Reach beats) {
  if (beat.held) return;
  std::uint32_t bytes = 0;
  std::memcpy(&bytes, beat.data, sizeof bytes);
  const auto bus = static_cast<std::uint64_t>(machine_.bus_bytes);
  if (whole != Reach::Count) {
    count(whole, bytes == 4096);
    count(beats, (beat.value % bus + bytes + bus - 1) / bus == 256);
  }
  Burst burst;
  burst.outside = beat.value + bytes > static_cast<std::uint64_t>(machine_.memory_bytes);
  reader.bursts.push_back(burst);
}

void ReachObserver::data(const Beat& beat, Reader& reader, Reach early_beat) {
  if (reader.bursts.empty()) return;
  Burst& burst = reader.bursts.front();
  const bool last = (beat.value & 1) != 0, error = (beat.value & 2) != 0;
  if (!last) {
    burst.early |= error;
    return;
  }
  count(early_beat, burst.early && !error);
  reader.last_failed = burst.early || error;
  reader.failed |= reader.last_failed;
  if (early_beat == Reach::LoadEarlyBeat) count(Reach::LoadOutside, reader.last_failed && burst.outside);
  reader.bursts.pop_front();
}

void ReachObserver::completion(const Beat& beat, int u) {
  UnitState& unit = units_[static_cast<std::size_t>(u)];
  if ((beat.value & 2) != 0) {
    unit.credit = true;
    unit.credit_of_younger = unit.flights.size() > 1;
  }
  if ((beat.value & 1) == 0) return;
  if (!unit.flights.empty()) {
    const int posts = unit.flights.front().header().post_mask;
    unit.flights.pop_front();
    if (posted_at_ != beat.cycle) posted_ = 0;
    posted_at_ = beat.cycle;
    count(Reach::PostsTogether, (posted_ & posts) != 0);
    posted_ |= posts;
  }
  if (unit.flights.empty()) {
    unit.dropped = unit.credit;
    unit.credit = unit.credit_of_younger = false;
  }
  const bool failed = (beat.value & 4) != 0;
  if (u == 0) {
    count(Reach::LoadEarlyBurst, failed && load_.failed && !load_.last_failed);
    load_.failed = false;
  } else if (u == 3) {
    count(Reach::StoreEarlyBurst, failed && store_.failed && !store_.last_failed);
    store_.failed = false;
  }
}

void ReachObserver::requantizer_in(const Beat& beat) {
  const auto part = beat.value & 0xff;
  const auto rounding = static_cast<int>(beat.value >> 8 & 3);
  if (part == 0) {
    x_ = words(beat);
    if (first_x_ < 0) first_x_ = beat.cycle;
    while (!sums_on_their_way_.empty() && sums_on_their_way_.front().due < beat.cycle) sums_on_their_way_.pop_front();
    if (!sums_on_their_way_.empty() && sums_on_their_way_.front().due == beat.cycle) {
      const std::vector<std::int32_t>& sums = sums_on_their_way_.front().lanes;
      bool wraps = false;
      for (std::size_t l = 0; l < sums.size(); ++l) wraps |= overflows(sums[l], minus(x_[l], sums[l]));
      count(Reach::BiasWraps, wraps);
    }
    if (vector_.opcode == isa::Opcode::Add && (beat.cycle - first_x_) % 3 == 2 && outs_at_[0] == beat.cycle - 1 && outs_at_[1] == beat.cycle - 2) {
      bool wraps = false;
      for (std::size_t l = 0; l < x_.size(); ++l) wraps |= overflows(outs_[0][l], outs_[1][l]);
      count(Reach::AddWraps, wraps);
    }
  } else if (part == 1) {
    multiplier_ = words(beat);
  } else {
    const std::vector<std::int32_t> shift = words(beat);
    for (std::size_t l = 0; l < x_.size(); ++l) {
      const auto scale = static_cast<std::uint32_t>(multiplier_[l]);
      if (rounding == static_cast<int>(isa::Rounding::Float)) {
        float_corners(static_cast<std::uint32_t>(x_[l]), scale);
      } else if (rounding == static_cast<int>(isa::Rounding::FixedSingle) && x_[l] < 0 && shift[l] < 31) {
        const auto magnitude = static_cast<std::uint64_t>(-std::int64_t{x_[l]}) * (scale & 0x7fffffffu);
        const Cut result = cut(magnitude, 31 - shift[l]);
        count(Reach::FixedNegativeHalf, result.tie);
        count(Reach::FixedFaint, result.beyond_half > 0 && result.beyond_half < Faint);
      } else if (rounding == static_cast<int>(isa::Rounding::FixedDouble) && x_[l] < 0 && shift[l] <= 0) {
        count(Reach::FixedNegativeHalf, cut(static_cast<std::uint64_t>(-std::int64_t{x_[l]}) * (scale & 0x7fffffffu), 31).tie);
      }
    }
  }
}

// As the requantizer computes it (docs/reference/arithmetic.md): the value to 24 bits, the product to 24 bits, the result to none behind the point.
void ReachObserver::float_corners(std::uint32_t x, std::uint32_t scale) {
  constexpr std::uint64_t Most = 0xffffff;
  const std::uint32_t magnitude = (x & 0x80000000u) != 0 ? ~x + 1 : x;
  const int exponent = static_cast<int>(scale >> 23 & 0xff);
  if (magnitude == 0 || exponent == 0) return;
  const int zeros = __builtin_clz(magnitude);
  const Cut value = cut(std::uint64_t{magnitude} << zeros, 8);
  const std::uint64_t product = (value.kept + (value.up ? 1 : 0)) * (std::uint64_t{1} << 23 | (scale & 0x7fffff));
  const bool high = (product >> 47) != 0;
  const Cut kept = cut(product, high ? 24 : 23);
  const std::uint64_t significant = kept.kept + (kept.up ? 1 : 0);
  const int right = 125 + zeros - exponent + (high ? 0 : 1);
  count(Reach::FloatValueCarries, value.up && value.kept == Most);
  count(Reach::FloatValueSticky, value.sticky);
  count(Reach::FloatValueFaint, value.sticky && value.beyond_half < Faint);
  count(Reach::FloatProductCarries, kept.up && kept.kept == Most);
  count(Reach::FloatProductSticky, kept.sticky);
  count(Reach::FloatProductFaint, kept.sticky && kept.beyond_half < Faint);
  count(Reach::FloatSaturatesByCarry, right == 0 && significant > Most);
  if (right < 0 || (right == 0 && significant > Most)) return;
  const Cut result = cut(significant << 7, right);
  count(Reach::FloatResultSticky, result.sticky && right > 8);
  count(Reach::FloatResultFaint, result.sticky && right > 8 && result.beyond_half < Faint << 7);
  count(Reach::FloatTies, value.tie || kept.tie || result.tie);
}

}  // namespace gemel::regress
