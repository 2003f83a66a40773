// SPDX-License-Identifier: Apache-2.0
#include "regress/program_case.hpp"

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

// A sum and a float32 scale that meet a corner of the multiplication: a value or a product that rounds up to the next power of two, or lies
// half way between two, or just beside that.
void float_corner(Random& random, std::uint32_t& sum, std::uint32_t& scale) {
  std::uint32_t magnitude = 0, mantissa = static_cast<std::uint32_t>(random() % (1u << 23));
  switch (draw(random, 0, 4)) {
    case 0:  // 25 bits or more that are one: 2^24 after the first rounding
      magnitude = ((1u << draw(random, 25, 31)) - 1u) ^ (chance(random, 0.3) ? 1u << draw(random, 0, 7) : 0u);
      break;
    case 1: {  // 24 bits, and behind them a half, a bit more or less
      const int below = draw(random, 1, 7);
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
    case 3:  // few bits: the product lies half way between two now and then
      magnitude = static_cast<std::uint32_t>(draw(random, 1, 31)) << draw(random, 0, 26);
      mantissa = ((mantissa << draw(random, 0, 20)) & ((1u << 23) - 1)) | (chance(random, 0.5) ? 1u : 0u);
      break;
    default:  // a value that is exact, scaled by a power of two to a half
      magnitude = static_cast<std::uint32_t>(random() % (1u << 24));
      mantissa = chance(random, 0.5) ? 0 : 1u << draw(random, 0, 22);
  }
  sum = chance(random, 0.5) ? magnitude : ~magnitude + 1;
  // Results from nothing over some bits to beyond 2^31, or just about 2^31.
  const int zeros = magnitude == 0 ? 0 : __builtin_clz(magnitude);
  const int exponent = chance(random, 0.2) ? 126 + zeros + draw(random, -1, 1) : draw(random, 95, chance(random, 0.8) ? 135 : 160);
  scale = static_cast<std::uint32_t>(exponent) << 23 | mantissa;
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
    const std::size_t end = std::min(bytes.size(), at + static_cast<std::size_t>(draw(random, 8, 200)));
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
    const bool left = chance(random, 0.2), corners_of_float = chance(random, 0.3);
    for (std::size_t c = 0; c < columns; ++c) {
      std::uint32_t bias = corner_word(random), multiplier = random_multiplier(random);
      if (corners_of_float) float_corner(random, bias, multiplier);
      std::memcpy(bytes + 4 * c, &bias, 4);
      std::memcpy(bytes + 4 * columns + 4 * c, &multiplier, 4);
      bytes[8 * columns + c] = static_cast<std::uint8_t>(left ? draw(random, -32, 31) : draw(random, -20, 2));
    }
  }
  return memory;
}

// A small memory that is filled, or a great one with the parts of the case anywhere in it: behind 4 GiB, over such a boundary, at its end.
MemoryMap draw_memory_map(Random& random, Machine& machine) {
  MemoryMap map;
  machine.memory_bytes = SmallMemory;
  if (chance(random, 0.5)) return map;
  constexpr std::int64_t Greatest = isa::MemoryAddresses - (std::int64_t{1} << 32);  // no run reaches beyond the last address
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

// Changes one instruction so that the machine has something to complain of. Not one that is legal and claims what it does not
// touch: that nothing promises anything about.
void spoil(Random& random, const MemoryMap& map, std::vector<isa::Word>& program, Case& c) {
  const Machine& machine = c.machine;
  isa::Word& word = program[random() % program.size()];
  switch (draw(random, 0, 9)) {
    case 0: {  // any bit
      const isa::Word before = word;
      const auto bit = static_cast<std::size_t>(draw(random, 0, 511));
      word[bit / 64] ^= std::uint64_t{1} << (bit % 64);
      if (legal(word, machine) && isa::check_claims(isa::decode(word), machine)) word = before;
      break;
    }
    case 1: case 2: case 3: {  // an address outside of memory, or half outside
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
    case 4: {  // a load for another machine
      std::size_t at = random() % program.size();
      while (at > 0 && isa::opcode(program[at]) != isa::Opcode::Load) --at;
      isa::Instruction i = isa::decode(program[at]);
      if (i.unit != isa::Unit::Load) break;
      i.load.machine = chance(random, 0.5) ? machine_digest(machine) ^ 1 << draw(random, 0, 30) : draw(random, 1, 0x7fffffff);
      if (chance(random, 0.3)) i.load.word_last = chance(random, 0.5) ? std::max(i.load.word_base - 1, 0) : isa::WordAddresses - 1;
      program[at] = isa::encode(i);
      break;
    }
    case 5: case 6: {  // some bytes that cannot be accessed: an error in one burst of many, in one beat of it
      const std::uint64_t size = static_cast<std::uint64_t>(draw(random, 1, 64));
      std::uint64_t at = map.program + random() % (program.size() * isa::InstructionBytes);
      isa::Extent longest;
      for (int attempt = 0; attempt < 6 && chance(random, 0.9); ++attempt) {
        const isa::Extent bytes = isa::memory_bytes(isa::decode(program[random() % program.size()]));
        if (bytes.any && (!longest.any || bytes.last - bytes.first > longest.last - longest.first)) longest = bytes;
      }
      if (longest.any) {
        const std::int64_t span = longest.last - longest.first + 1;
        at = static_cast<std::uint64_t>(longest.first) + random() % static_cast<std::uint64_t>(chance(random, 0.5) ? span : std::min<std::int64_t>(span, 100));
      }
      c.poison_first = at;
      c.poison_last = std::min(at + size, static_cast<std::uint64_t>(machine.memory_bytes)) - 1;
      break;
    }
    case 7: {  // a field at or beyond an end of its range, or of what other fields leave it
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
    case 8:  // no halt
      if (program.size() > 1) program.pop_back();
      break;
    default: {  // one post too many
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

}  // namespace

void draw_memory_around(Random& random, Machine& m) {
  m.read_latency_cycles = draw(random, 1, chance(random, 0.5) ? 10 : 80);
  m.write_latency_cycles = draw(random, 1, chance(random, 0.5) ? 10 : 80);
  m.memory_bytes_per_cycle = chance(random, 0.5) ? m.bus_bytes : draw(random, 1, 2 * m.bus_bytes);
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
    Dice dice(random());
    RandomProgram maker(dice, c.machine);
    maker.load_region = map.load;
    maker.param_region = map.load + (ParamRegion - LoadRegion);
    maker.store_region = map.store;
    maker.corner_percent = draw(random, 20, 80);
    maker.careless_percent = chance(random, 0.15) ? 20 : 0;
    maker.together_percent = chance(random, 0.3) ? 15 : 0;
    maker.shared_percent = chance(random, 0.6) ? draw(random, 40, 95) : 0;
    maker.stretch_percent = draw(random, 0, 60);
    maker.allowed = [&map](const isa::Instruction& i) { return stores_beside(i, map); };
    const bool slow = std::max(c.machine.read_latency_cycles, c.machine.write_latency_cycles) > Patient;
    maker.wrapping_sums = !slow && chance(random, 0.03);
    std::vector<isa::Word> program = maker.make(slow ? draw(random, 2, 10) : draw(random, 8, 60));
    if (chance(random, 0.1)) {  // what stands behind halt is fetched and never runs
      for (int more = draw(random, 1, 20); more > 0; --more) program.push_back(program[random() % program.size()]);
      program.push_back(isa::encode(isa::Halt{}));
    }
    if (chance(random, 0.35)) spoil(random, map, program, c);
    const std::size_t most = MemoryMap::ProgramBytes / isa::InstructionBytes;
    if (program.size() > most) continue;
    const int most_skipped = static_cast<int>(std::min<std::size_t>(100, most - program.size()));
    const std::uint64_t skipped = isa::InstructionBytes * static_cast<std::uint64_t>(draw(random, 0, most_skipped));
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
      SimulationOptions options;
      options.engine = Engine::Plain;
      options.max_cycles = slow ? 5'000'000 : 200'000;
      options.poison_first = c.poison_first;
      options.poison_last = c.poison_last;
      simulate_raw(c.machine, c.schedule, c.inputs, options);
    } catch (const RunError&) {
      continue;
    }
    return;
  }
  throw InternalError("no random program for the machine of " + c.name);
}

}  // namespace gemel::regress
