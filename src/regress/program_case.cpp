// SPDX-License-Identifier: Apache-2.0
#include "regress/program_case.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string_view>

#include "base/error.hpp"
#include "config/digest.hpp"
#include "isa/isa.hpp"
#include "regress/random_machine.hpp"
#include "regress/random_program.hpp"
#include "sim/simulation.hpp"

namespace gemel::regress {
namespace {

constexpr std::uint64_t SmallMemory = 1 << 16;
constexpr int Patient = 1'000;  // cycles of latency; behind it programs are short
constexpr int MostSkipped = 100;  // instructions before a program

// Where the parts of a case are in memory: what is loaded, with parameter sets at its end; where stores go; the program.
struct MemoryMap {
  std::uint64_t load = LoadRegion, store = StoreRegion, program = ProgramRegion;
  static constexpr std::uint64_t LoadBytes = StoreRegion - LoadRegion, StoreBytes = ProgramRegion - StoreRegion, ProgramBytes = SmallMemory - ProgramRegion;
};

bool overlap(std::uint64_t a, std::uint64_t a_bytes, std::uint64_t b, std::uint64_t b_bytes) { return a < b + b_bytes && b < a + a_bytes; }

template <class T, std::size_t N>
T one_of(Random& random, const T (&values)[N]) {
  return values[random() % N];
}

std::uint32_t corner_word(Random& random) {
  constexpr std::uint32_t Corners[] = {0, 1, 2, 0xffffffff, 0x7fffffff, 0x80000000, 0x80000001, 0x7ffffffe, 0x40000000, 0xc0000000, 0x01000000, 0x00ffffff};
  if (chance(random, 0.5)) return one_of(random, Corners);
  const auto value = static_cast<std::uint32_t>(random()) >> draw(random, 0, 31);
  return chance(random, 0.5) ? value : ~value + 1;
}

// b with a * b = 1 modulo 2^64; `a` is odd. Each step of Newton's doubles the bits that are right.
std::uint64_t inverse(std::uint64_t a) {
  std::uint64_t b = a;
  for (int bits = 3; bits < 64; bits *= 2) b *= 2 - a * b;
  return b;
}

// Two factors of 24 bits whose product lies half way between two numbers of 24 bits, or just beside that.
void product_beside_half(Random& random, std::uint32_t& value, std::uint32_t& mantissa) {
  constexpr std::uint64_t Top = 1u << 23;
  for (int attempt = 0; attempt < 64; ++attempt) {
    const int below = draw(random, 23, 24);  // bits of the product that are rounded: it has 47 or 48
    const std::uint64_t a = Top | (random() & (Top - 1)) | 1, mask = (std::uint64_t{1} << below) - 1;
    const std::uint64_t rest = (mask / 2 + 1 + static_cast<std::uint64_t>(draw(random, -1, 3))) & mask;
    const std::uint64_t b = (inverse(a) * rest & mask) | Top;  // b = rest / a; its top bit is lost if 23 bits are cut
    const std::uint64_t product = a * b;
    if ((product & mask) != rest || (product >> (below + 24)) != 0 || (product >> (below + 23)) == 0) continue;
    value = static_cast<std::uint32_t>(a);
    mantissa = static_cast<std::uint32_t>(b & (Top - 1));
    return;
  }
}

// Two factors of 24 bits whose product lies half way between two numbers of 24 bits, and the lower of these half way between two results,
// (2 n + 1) / 2: whether the product is rounded to even decides the result. Returns the scale's exponent, 0: nothing was found.
int product_beside_half_of_result(Random& random, std::uint32_t& value, std::uint32_t& mantissa) {
  for (int attempt = 0; attempt < 64; ++attempt) {
    const int below = draw(random, 23, 24);  // bits of the product that are rounded: it has 47 or 48
    const auto twice = static_cast<std::uint32_t>(2 * draw(random, 0, 127) + 1);
    const int width = 32 - __builtin_clz(twice);
    const std::uint32_t odd = (twice << (25 - width)) + 1;  // the product is odd * 2^(below - 1), and odd has 25 bits
    for (std::uint32_t p = 3; p * p <= odd; p += 2) {
      if (odd % p != 0) continue;
      const std::uint32_t q = odd / p;
      const int p_shift = 24 - (32 - __builtin_clz(p)), q_shift = 24 - (32 - __builtin_clz(q));
      if (p_shift + q_shift != below - 1 || chance(random, 0.3)) continue;
      value = p << p_shift;
      mantissa = q << q_shift & ((1u << 23) - 1);
      return 125 + width - below;
    }
  }
  return 0;
}

// A sum and a float32 scale that meet a corner of the multiplication: a value or a product that rounds up to the next power of two, or a value,
// a product or a result that lies half way between two, or just beside that.
void float_corner(Random& random, std::uint32_t& sum, std::uint32_t& scale) {
  std::uint32_t magnitude = 0, mantissa = static_cast<std::uint32_t>(random() % (1u << 23));
  int exponent = 0;
  switch (draw(random, 0, 5)) {
    case 0:  // 25 bits or more that are one: 2^24 after the first rounding
      magnitude = ((1u << draw(random, 25, 31)) - 1u) ^ (chance(random, 0.3) ? 1u << draw(random, 0, 7) : 0u);
      break;
    case 1: {  // 24 bits, and behind them a half, a bit more or less
      const int below = chance(random, 0.5) ? 7 : draw(random, 1, 7);
      const std::uint32_t kept = 1u << 23 | static_cast<std::uint32_t>(random() % (1u << 23)), half = 1u << (below - 1);
      magnitude = kept << below | (half + static_cast<std::uint32_t>(draw(random, -1, 1)) * (below > 1 ? 1u : 0u));
      break;
    }
    case 2: {  // (2^23 + b) * (2^24 - 2b) is just below a power of two: the product's rounding carries
      const auto b = static_cast<std::uint32_t>(draw(random, 1, 1400));
      magnitude = ((1u << 23) + b) << draw(random, 0, 7);
      mantissa = (1u << 24) - 2 * b - (1u << 23);
      break;
    }
    case 3:
      product_beside_half(random, magnitude, mantissa);
      magnitude <<= draw(random, 0, 7);
      break;
    case 4: {
      const int shift = draw(random, 0, 7);
      exponent = product_beside_half_of_result(random, magnitude, mantissa);
      magnitude <<= shift;
      exponent = exponent == 0 ? 0 : exponent - shift;
      break;
    }
    default: {  // a value that is exact, scaled by a power of two: some bits, a half, and none or one behind it
      const int below = draw(random, 1, 20);
      magnitude = static_cast<std::uint32_t>(draw(random, 0, (1 << (24 - below)) - 1)) << below | 1u << (below - 1);
      if (below > 1 && chance(random, 0.7)) magnitude |= 1u << (chance(random, 0.5) ? 0 : draw(random, 0, below - 2));
      mantissa = 0;
      exponent = 127 - below;
    }
  }
  sum = chance(random, 0.5) ? magnitude : ~magnitude + 1;
  // Results from nothing over some bits to beyond 2^31, or just about 2^31.
  const int zeros = magnitude == 0 ? 0 : __builtin_clz(magnitude);
  if (exponent == 0) exponent = chance(random, 0.35) ? 126 + zeros + draw(random, -1, 1) : draw(random, 95, chance(random, 0.8) ? 135 : 160);
  scale = static_cast<std::uint32_t>(exponent) << 23 | mantissa;
}

// A sum, a multiplier of 31 bits and a shift whose product lies half way between two results, or just beside that.
void fixed_corner(Random& random, std::uint32_t& sum, std::uint32_t& multiplier, int& shift) {
  const int right = chance(random, 0.5) ? 0 : draw(random, 0, 20), beside = draw(random, -1, 1);
  std::uint64_t magnitude = 0;
  shift = -right;
  if (chance(random, 0.6)) {  // odd * 2^right; the sum makes the bits below the point what they are to be
    const std::uint64_t odd = (random() & ((std::uint64_t{1} << (31 - right)) - 1)) | 1;
    multiplier = static_cast<std::uint32_t>(odd << right);
    magnitude = inverse(odd) * ((std::uint64_t{1} << 30) + static_cast<std::uint64_t>(beside)) & 0x7fffffffu;
  } else {  // times a half: the second rounding of two
    multiplier = 1u << 30;
    magnitude = (static_cast<std::uint64_t>(draw(random, 0, 500)) << (right + 1) | std::uint64_t{1} << right) + static_cast<std::uint64_t>(beside);
  }
  sum = static_cast<std::uint32_t>(chance(random, 0.3) ? magnitude : ~magnitude + 1);
}

std::uint32_t random_multiplier(Random& random) {
  switch (draw(random, 0, 3)) {
    case 0: return 0x40000000u + static_cast<std::uint32_t>(random() % 0x40000000u);  // as compilers make them
    case 1: return corner_word(random);
    // A float32: mostly of an exponent that leaves something; then subnormals, infinity and the like.
    case 2: return static_cast<std::uint32_t>(draw(random, 95, 160)) << 23 | static_cast<std::uint32_t>(random() % (1u << 23));
    default: {
      constexpr std::uint32_t Exponents[] = {0, 1, 126, 127, 128, 157, 158, 159, 254, 255};
      constexpr std::uint32_t Mantissas[] = {0, 1, 0x400000, 0x7fffff, 0x7ffffe};
      return one_of(random, Exponents) << 23 | one_of(random, Mantissas) | static_cast<std::uint32_t>(random() & 1) << 31;
    }
  }
}

// What is loaded: bytes in stretches of one kind each, then parameter sets.
std::vector<std::uint8_t> random_bytes(Random& random, std::uint64_t count) {
  constexpr std::uint8_t Corners[] = {0, 1, 0x7f, 0x80, 0x81, 0xff};
  std::vector<std::uint8_t> bytes(count);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t end = std::min(bytes.size(), at + static_cast<std::size_t>(draw(random, 8, chance(random, 0.2) ? 2'000 : 200)));
    const int kind = draw(random, 0, 3);
    const std::uint8_t same = one_of(random, Corners);
    for (; at < end; ++at) {
      bytes[at] = kind == 0 ? same : kind == 1 ? one_of(random, Corners) : static_cast<std::uint8_t>(random());
    }
  }
  return bytes;
}

std::vector<std::uint8_t> random_data(Random& random, const Machine& machine) {
  std::vector<std::uint8_t> memory = random_bytes(random, MemoryMap::LoadBytes);
  const auto columns = static_cast<std::size_t>(machine.columns);
  for (std::size_t set = 0; (set + 1) * 9 * columns <= ParamRegionBytes; ++set) {
    std::uint8_t* bytes = memory.data() + ParamRegion - LoadRegion + set * 9 * columns;
    const bool left = chance(random, 0.2);
    const int corners = draw(random, 0, 2);  // of float32, of fixed point, any
    for (std::size_t c = 0; c < columns; ++c) {
      std::uint32_t bias = corner_word(random), multiplier = random_multiplier(random);
      int shift = left ? draw(random, -32, 31) : draw(random, -20, 2);
      if (corners == 0) float_corner(random, bias, multiplier);
      if (corners == 1) fixed_corner(random, bias, multiplier, shift);
      std::memcpy(bytes + 4 * c, &bias, 4);
      std::memcpy(bytes + 4 * columns + 4 * c, &multiplier, 4);
      bytes[8 * columns + c] = static_cast<std::uint8_t>(shift);
    }
  }
  return memory;
}

// A small memory that is filled, or a great one with the parts of the case anywhere in it: behind 4 GiB, over such a boundary, at its end.
MemoryMap draw_memory_map(Random& random, Machine& machine) {
  MemoryMap map;
  machine.memory_bytes = SmallMemory;
  if (chance(random, 0.4)) return map;
  constexpr std::int64_t Carry = std::int64_t{1} << 32, Greatest = isa::MemoryAddresses - Carry;  // no run reaches beyond the last address
  const std::int64_t sizes[] = {1 << 20, std::int64_t{1} << 33, std::int64_t{1} << 36, Greatest};
  machine.memory_bytes = one_of(random, sizes);
  Dice dice(random());
  for (;;) {
    const auto place = [&](std::uint64_t bytes, std::uint64_t multiple) {
      const std::int64_t last = machine.memory_bytes - static_cast<std::int64_t>(bytes);
      const std::int64_t near = dice.stretched(0, last) - dice.range(0, 1) * dice.range(0, static_cast<int>(bytes));
      return static_cast<std::uint64_t>(std::clamp<std::int64_t>(near, 0, last)) / multiple * multiple;
    };
    map.load = place(MemoryMap::LoadBytes, 1);
    map.store = place(MemoryMap::StoreBytes, 1);
    map.program = place(MemoryMap::ProgramBytes, isa::InstructionBytes);
    if (machine.memory_bytes > Carry && dice.range(0, 7) == 0) {  // a carry out of 32 bits in the midst of what is fetched
      map.program = Carry - isa::InstructionBytes * static_cast<std::uint64_t>(dice.range(1, MostSkipped + 20));
    }
    if (!overlap(map.load, MemoryMap::LoadBytes, map.store, MemoryMap::StoreBytes) &&
        !overlap(map.load, MemoryMap::LoadBytes, map.program, MemoryMap::ProgramBytes) &&
        !overlap(map.store, MemoryMap::StoreBytes, map.program, MemoryMap::ProgramBytes)) {
      return map;
    }
  }
}

// Loads may read anything; stores leave alone what is loaded and the program.
bool stores_beside(const isa::Instruction& i, const MemoryMap& map) {
  if (i.unit != isa::Unit::Store) return true;
  const isa::Store& s = i.store;
  for (std::int64_t i2 = 0; i2 < s.count2; ++i2) {
    for (std::int64_t i1 = 0; i1 < s.count1; ++i1) {
      const std::uint64_t address = s.address + static_cast<std::uint64_t>(i1 * s.stride1 + i2 * s.stride2);
      const auto bytes = static_cast<std::uint64_t>(s.run_bytes);
      if (overlap(address, bytes, map.load, MemoryMap::LoadBytes) || overlap(address, bytes, map.program, MemoryMap::ProgramBytes)) return false;
    }
  }
  return true;
}

bool legal(const isa::Word& word, const Machine& machine) {
  return !isa::check(word) && !isa::check_at_decode(isa::decode(word), machine, machine_digest(machine));
}

// What a load or store touches in memory first.
isa::Extent first_run(const isa::Instruction& i) {
  isa::Extent bytes = isa::memory_bytes(i);
  const int length = i.unit == isa::Unit::Load ? i.load.run_bytes : i.store.run_bytes;
  if (bytes.any) bytes.last = std::min(bytes.last, bytes.first + length - 1);
  return bytes;
}

// Changes one instruction so that the machine has something to complain of. Not one that is legal and claims what it does not
// touch: that nothing promises anything about.
void spoil(Random& random, const MemoryMap& map, std::uint64_t program_at, std::vector<isa::Word>& program, Case& c) {
  const Machine& machine = c.machine;
  isa::Word& word = program[random() % program.size()];
  enum Mistake { AnyBit, Outside, OtherMachine, Reversed, Poison, Field, NoHalt, Overflow };
  constexpr Mistake Mistakes[] = {AnyBit, Outside, Outside, Outside, OtherMachine, OtherMachine, Reversed, Poison, Poison, Poison,
                                  Poison, Poison,  Poison,  Poison,  Field,        Field,        NoHalt,   Overflow, Overflow};
  const Mistake mistake = one_of(random, Mistakes);
  switch (mistake) {
    case AnyBit: {
      const isa::Word before = word;
      const auto bit = static_cast<std::size_t>(draw(random, 0, 511));
      word[bit / 64] ^= std::uint64_t{1} << (bit % 64);
      if (legal(word, machine) && isa::check_claims(isa::decode(word), machine)) word = before;
      break;
    }
    case Outside: {  // an address outside of memory, or half outside
      std::size_t at = random() % program.size();
      const auto moves = [&] { return isa::decode(program[at]).unit == isa::Unit::Load || isa::decode(program[at]).unit == isa::Unit::Store; };
      while (at > 0 && !moves()) --at;
      isa::Instruction i = isa::decode(program[at]);
      const auto end = static_cast<std::uint64_t>(machine.memory_bytes);
      const std::uint64_t address = chance(random, 0.5) ? random() & 0xffffffffffu : end - static_cast<std::uint64_t>(draw(random, 0, 100));
      if (i.unit == isa::Unit::Load) i.load.address = address;
      if (i.unit == isa::Unit::Store) i.store.address = address;
      if (!isa::check_claims(i, machine) && isa::memory_bytes(i).last < isa::MemoryAddresses) program[at] = isa::encode(i);
      break;
    }
    case OtherMachine:  // a load for another machine
    case Reversed: {    // and its interval is back to front: which of the two is told?
      std::size_t at = random() % program.size();
      while (at > 0 && isa::opcode(program[at]) != isa::Opcode::Load) --at;
      isa::Instruction i = isa::decode(program[at]);
      if (i.unit != isa::Unit::Load) break;
      i.load.machine = chance(random, 0.5) ? machine_digest(machine) ^ 1 << draw(random, 0, 30) : draw(random, 1, 0x7fffffff);
      if (mistake == Reversed) {
        i.load.word_base = std::max(i.load.word_base, 1);
        i.load.word_last = i.load.word_base - 1;
      } else if (chance(random, 0.3)) {  // or it ends beyond the buffer
        i.load.word_last = isa::WordAddresses - 1;
      }
      program[at] = isa::encode(i);
      break;
    }
    case Poison: {  // some bytes that cannot be accessed: an error in one burst of many, in one beat of it
      const std::uint64_t size = chance(random, 0.6) ? 1 : static_cast<std::uint64_t>(draw(random, 1, 64));
      std::uint64_t at = program_at + random() % (program.size() * isa::InstructionBytes);
      if (chance(random, 0.8)) {
        // The longest of some runs: its beginning, so that what follows has no error, or anywhere.
        isa::Extent longest;
        for (int attempt = 0; attempt < 6; ++attempt) {
          const isa::Extent bytes = first_run(isa::decode(program[random() % program.size()]));
          if (bytes.any && (!longest.any || bytes.last - bytes.first > longest.last - longest.first)) longest = bytes;
        }
        if (longest.any) {
          const std::int64_t span = longest.last - longest.first + 1;
          at = static_cast<std::uint64_t>(longest.first) + random() % static_cast<std::uint64_t>(chance(random, 0.3) ? span : std::min<std::int64_t>(span, 16));
        }
      }
      c.poison_first = at;
      c.poison_last = std::min(at + size, static_cast<std::uint64_t>(machine.memory_bytes)) - 1;
      break;
    }
    case Field: {  // at or beyond an end of its range, or of what other fields leave it
      const isa::Word before = word;
      const isa::OpcodeInfo* info = isa::find(isa::opcode(word));
      if (info == nullptr || info->format->field_count == 0) break;
      const isa::FieldInfo& field = info->format->fields[draw(random, 0, info->format->field_count - 1)];
      const std::int64_t span = std::int64_t{1} << field.width, value = isa::get_field(word, field);
      const auto any = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(span));
      const std::int64_t choices[] = {field.min - 1, field.min, field.max, field.max + 1, value - 1, value + 1, any};
      isa::set_field(word, field, one_of(random, choices));
      // One word beyond a buffer, or an interval of which nothing is left.
      const isa::Claims claims = isa::claims(isa::decode(before));
      const std::string_view name = field.name;
      if (name.size() > 5 && name.substr(name.size() - 5) == "_last" && claims.count > 0) {
        const isa::Claim& claim = claims.items[static_cast<std::size_t>(draw(random, 0, claims.count - 1))];
        isa::set_field(word, field, chance(random, 0.5) ? machine.words(claim.buffer) - draw(random, 0, 1) : claim.first - 1);
      }
      if (legal(word, machine) && isa::check_claims(isa::decode(word), machine)) word = before;
      const bool too_far = legal(word, machine) && isa::memory_bytes(isa::decode(word)).last >= machine.memory_bytes;
      if (too_far) word = before;
      break;
    }
    case NoHalt:
      if (program.size() > 1) program.pop_back();
      break;
    case Overflow: {  // one post too many
      isa::Store small;
      small.address = map.store;
      small.run_bytes = small.group_bytes = small.count1 = small.count2 = 1;
      small.post_mask = 1 << draw(random, 0, 15);
      small.chain = 1;
      if (isa::check_claims(isa::Instruction(small), machine)) break;
      program.insert(program.end() - 1, 256, isa::encode(small));
    }
  }
}

// Of a program in which a load and a store are done in one cycle: both go outside of memory, at the same distances from boundaries as before.
// So both fail at once, if addresses decide nothing else. The load's error is the one to be told. Returns whether anything is changed.
bool fail_two_at_once(Random& random, const MemoryMap& map, const SimulationOutput& output, Case& c) {
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (const TraceEvent& load : output.result.trace) {
    if (load.unit != static_cast<int>(isa::Unit::Load)) continue;
    for (const TraceEvent& store : output.result.trace) {
      if (store.unit == static_cast<int>(isa::Unit::Store) && store.end == load.end) pairs.emplace_back(load.instruction, store.instruction);
    }
  }
  if (pairs.empty()) return false;
  const auto [load_at, store_at] = pairs[random() % pairs.size()];
  constexpr std::uint64_t Boundary = 4096;
  const std::uint64_t outside = (static_cast<std::uint64_t>(c.machine.memory_bytes) + Boundary - 1) / Boundary * Boundary;
  std::vector<std::uint8_t>& bytes = c.inputs.back();  // the program's
  const std::size_t skipped = static_cast<std::size_t>(c.schedule.program_base - map.program);
  bool changed = false;
  for (const std::size_t at : {load_at, store_at}) {
    isa::Word& word = c.schedule.program[at];
    isa::Instruction i = isa::decode(word);
    std::uint64_t& address = i.unit == isa::Unit::Load ? i.load.address : i.store.address;
    address = outside + address % Boundary;
    if (isa::check_claims(i, c.machine) || isa::memory_bytes(i).last >= isa::MemoryAddresses) break;
    word = isa::encode(i);
    std::memcpy(bytes.data() + skipped + at * isa::InstructionBytes, word.data(), isa::InstructionBytes);
    changed = true;
  }
  return changed;
}

// A cycle for an abort in a run of `ends` cycles: any; about the last, where a halt is, too; or about a start, of an instruction that has the
// machine to itself if there is one, for only then nothing else keeps the run from its end.
std::int64_t draw_abort(Random& random, const std::vector<TraceEvent>& trace, std::int64_t ends) {
  const int moment = draw(random, 0, 2);
  if (moment == 0 || (moment == 2 && trace.empty())) return 1 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(ends + 4));
  if (moment == 1) return std::max<std::int64_t>(1, ends + draw(random, -3, 3));
  std::vector<std::int64_t> starts;
  for (const TraceEvent& one : trace) {
    const bool alone = std::none_of(trace.begin(), trace.end(), [&](const TraceEvent& other) {
      return &other != &one && other.start <= one.start && other.end >= one.start - 1;
    });
    if (alone) starts.push_back(one.start);
  }
  if (starts.empty()) starts.push_back(trace[random() % trace.size()].start);
  return std::max<std::int64_t>(1, starts[random() % starts.size()] + draw(random, -2, 1));
}

}  // namespace

void draw_memory_around(Random& random, Machine& m) {
  m.read_latency_cycles = draw(random, 1, chance(random, 0.5) ? 10 : 80);
  m.write_latency_cycles = draw(random, 1, chance(random, 0.5) ? 10 : 80);
  m.memory_bytes_per_cycle = random_bandwidth(random, m.bus_bytes, 2 * m.bus_bytes);
  m.memory_queue = chance(random, 0.5) ? 64 : draw(random, 1, 6);
  if (chance(random, 0.02)) {  // more cycles than 16 bits count
    m.read_latency_cycles = draw(random, 20'000, 100'000);
    m.write_latency_cycles = draw(random, 1, 100'000);
  }
  m.jitter_cycles = chance(random, 0.5) ? 0 : draw(random, 1, chance(random, 0.5) ? 10 : 100);
  m.jitter_seed = draw(random, 0, 1 << 30);
  draw_stalls(random, m);
}

void draw_random_program(Random& random, Case& c) {
  for (int attempt = 0; attempt < 200; ++attempt) {
    const MemoryMap map = draw_memory_map(random, c.machine);
    c.poison_first = 1;
    c.poison_last = 0;
    c.abort_at = -1;
    c.bytes_behind_program = 0;
    Dice dice(random());
    RandomProgram maker(dice, c.machine);
    maker.load_region = map.load;
    maker.param_region = map.load + (ParamRegion - LoadRegion);
    maker.store_region = map.store;
    maker.corner_percent = draw(random, 20, 80);
    maker.careless_percent = chance(random, 0.12) ? draw(random, 5, 25) : 0;
    maker.together_percent = chance(random, 0.3) ? 15 : 0;
    maker.shared_percent = chance(random, 0.6) ? draw(random, 40, 95) : 0;
    maker.stretch_percent = chance(random, 0.2) ? 0 : draw(random, 20, 80);
    maker.allowed = [&map](const isa::Instruction& i) { return stores_beside(i, map); };
    const bool slow = std::max(c.machine.read_latency_cycles, c.machine.write_latency_cycles) > Patient;
    maker.wrapping_sums = !slow && chance(random, 0.08);
    const bool many = !slow && chance(random, 0.15);  // small ones, of which many are at work and end at once
    if (many) {
      maker.small = true;
      maker.stretch_percent = 0;
      maker.together_percent = 20;
      maker.shared_percent = draw(random, 60, 95);
    }
    if (chance(random, 0.35)) maker.meeting = static_cast<Meeting>(draw(random, 0, MeetingCount - 1));
    maker.requantize_percent = chance(random, 0.5) ? 10 : 0;
    std::vector<isa::Word> program = maker.make(slow ? draw(random, 2, 10) : many ? draw(random, 60, 200) : draw(random, 8, 60));
    if (chance(random, 0.1)) {  // what stands behind halt is fetched and never runs
      for (int more = draw(random, 1, 20); more > 0; --more) program.push_back(program[random() % program.size()]);
      program.push_back(isa::encode(isa::Halt{}));
    }
    constexpr std::size_t Most = MemoryMap::ProgramBytes / isa::InstructionBytes, MostAdded = 256;
    if (program.size() + MostAdded > Most) continue;
    // Where memory ends, now and then, and there fetch goes on behind its end.
    const bool spoiled = chance(random, 0.45);
    const bool at_end = map.program + MemoryMap::ProgramBytes == static_cast<std::uint64_t>(c.machine.memory_bytes) && chance(random, 0.15);
    std::size_t skipped = static_cast<std::size_t>(draw(random, 0, static_cast<int>(std::min<std::size_t>(MostSkipped, Most - MostAdded - program.size()))));
    if (at_end) {
      skipped = Most - program.size();
      c.bytes_behind_program = isa::InstructionBytes * static_cast<std::uint32_t>(draw(random, 1, 40));
      if (chance(random, 0.5)) program.back() = program.front();  // no halt before it
    } else if (spoiled) {
      spoil(random, map, map.program + skipped * isa::InstructionBytes, program, c);
    }
    skipped *= isa::InstructionBytes;
    std::vector<std::uint8_t> program_bytes(MemoryMap::ProgramBytes);
    std::memcpy(program_bytes.data() + skipped, program.data(), program.size() * isa::InstructionBytes);

    Schedule s;
    s.network = "random program";
    s.machine = c.machine.name;
    s.machine_text = machine_text(c.machine);
    s.program_base = map.program + skipped;
    // A schedule holds legal instructions only and ends with halt: what is otherwise comes with memory, whose parts are tensors.
    s.program = program;
    for (isa::Word& word : s.program) {
      if (!legal(word, c.machine)) word = isa::encode(isa::Halt{});
    }
    s.program.back() = isa::encode(isa::Halt{});
    s.layers.resize(8);  // what tags count up to
    for (std::size_t l = 0; l < s.layers.size(); ++l) s.layers[l].name = "tag" + std::to_string(l);
    c.inputs.clear();
    const auto add = [&](const char* name, std::uint64_t address, std::vector<std::uint8_t> bytes) {
      ScheduleTensor tensor;
      tensor.name = name;
      tensor.shape = {1, 1, 1, static_cast<int>(bytes.size())};
      tensor.address = address;
      tensor.bytes = static_cast<std::int64_t>(bytes.size());
      tensor.is_input = tensor.is_output = true;
      s.memory_bytes_used = std::max(s.memory_bytes_used, static_cast<std::int64_t>(address) + tensor.bytes);
      s.tensors.push_back(tensor);
      c.inputs.push_back(std::move(bytes));
    };
    add("loaded", map.load, random_data(random, c.machine));
    add("stored", map.store, random_bytes(random, MemoryMap::StoreBytes));
    add("program", map.program, std::move(program_bytes));
    c.schedule = std::move(s);
    c.program_only = true;
    try {  // it must come to an end; a store may not overtake a load
      SimulationOptions options = options_of(c);
      options.engine = Engine::Plain;
      options.max_cycles = slow ? 5'000'000 : 200'000;
      options.trace = true;
      const auto run = [&] { return simulate_raw(c.machine, c.schedule, c.inputs, options); };
      SimulationOutput output = run();
      // What is changed comes to its end otherwise, and beyond the end of memory a store may overtake a load, too.
      if (output.error_code == 0 && !at_end && !spoiled && chance(random, 0.5) && fail_two_at_once(random, map, output, c)) output = run();
      const std::int64_t ends = output.error_code != 0 ? output.error_cycle : output.result.cycles;
      if (chance(random, 0.1)) c.abort_at = draw_abort(random, output.result.trace, ends);
    } catch (const RunError&) {
      continue;
    }
    return;
  }
  throw InternalError("no random program for the machine of " + c.name);
}

}  // namespace gemel::regress
