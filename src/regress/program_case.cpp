// SPDX-License-Identifier: Apache-2.0
#include "regress/program_case.hpp"

#include <cstring>
#include <iterator>

#include "base/error.hpp"
#include "config/digest.hpp"
#include "isa/isa.hpp"
#include "regress/random_program.hpp"
#include "sim/simulation.hpp"

namespace gemel::regress {
namespace {

constexpr int MemoryBytes = 1 << 16;

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

// Bytes in stretches of one kind each, then parameter sets.
std::vector<std::uint8_t> random_memory(Random& random, const Machine& machine) {
  constexpr std::uint8_t Corners[] = {0, 1, 0x7f, 0x80, 0x81, 0xff};
  std::vector<std::uint8_t> memory(MemoryBytes);
  for (std::size_t at = 0; at < memory.size();) {
    const std::size_t end = std::min(memory.size(), at + static_cast<std::size_t>(draw(random, 8, 200)));
    const int kind = draw(random, 0, 3);
    const std::uint8_t same = one_of(random, Corners);
    for (; at < end; ++at) {
      memory[at] = kind == 0 ? same : kind == 1 ? one_of(random, Corners) : static_cast<std::uint8_t>(random());
    }
  }
  const auto columns = static_cast<std::size_t>(machine.columns);
  for (std::size_t set = 0; (set + 1) * 9 * columns <= ParamRegionBytes; ++set) {
    std::uint8_t* bytes = memory.data() + ParamRegion + set * 9 * columns;
    const bool left = chance(random, 0.2);
    for (std::size_t c = 0; c < columns; ++c) {
      const std::uint32_t bias = corner_word(random), multiplier = random_multiplier(random);
      std::memcpy(bytes + 4 * c, &bias, 4);
      std::memcpy(bytes + 4 * columns + 4 * c, &multiplier, 4);
      bytes[8 * columns + c] = static_cast<std::uint8_t>(left ? draw(random, -32, 31) : draw(random, -20, 2));
    }
  }
  return memory;
}

bool legal(const isa::Word& word, const Machine& machine) {
  return !isa::check(word) && !isa::check_at_decode(isa::decode(word), machine, machine_digest(machine));
}

// Changes one instruction so that the machine has something to complain of. Not one that is legal and claims what it does not
// touch: that nothing promises anything about.
void spoil(Random& random, const Machine& machine, std::vector<isa::Word>& program) {
  isa::Word& word = program[random() % program.size()];
  switch (draw(random, 0, 6)) {
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
      const std::uint64_t address = chance(random, 0.5) ? random() & 0xffffffffffu : MemoryBytes - static_cast<std::uint64_t>(draw(random, 0, 100));
      if (i.unit == isa::Unit::Load) i.load.address = address;
      if (i.unit == isa::Unit::Store) i.store.address = address;
      if (!isa::check_claims(i, machine)) program[at] = isa::encode(i);
      break;
    }
    case 4: {  // a load for another machine
      std::size_t at = random() % program.size();
      while (at > 0 && isa::opcode(program[at]) != isa::Opcode::Load) --at;
      isa::Instruction i = isa::decode(program[at]);
      if (i.unit != isa::Unit::Load) break;
      i.load.machine = chance(random, 0.5) ? machine_digest(machine) ^ 1 << draw(random, 0, 30) : draw(random, 1, 0x7fffffff);
      program[at] = isa::encode(i);
      break;
    }
    case 5:  // no halt
      if (program.size() > 1) program.pop_back();
      break;
    default: {  // one post too many
      isa::Store small;
      small.address = StoreRegion;
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
  m.jitter_cycles = chance(random, 0.5) ? 0 : draw(random, 1, chance(random, 0.5) ? 10 : 100);
  m.jitter_seed = draw(random, 0, 1 << 30);
}

void draw_random_program(Random& random, Case& c) {
  c.machine.memory_bytes = MemoryBytes;
  for (int attempt = 0; attempt < 200; ++attempt) {
    Dice dice(random());
    RandomProgram maker(dice, c.machine);
    maker.corner_percent = draw(random, 20, 80);
    maker.careless_percent = chance(random, 0.15) ? 20 : 0;
    maker.together_percent = chance(random, 0.3) ? 15 : 0;
    std::vector<isa::Word> program = maker.make(draw(random, 8, 60));
    if (chance(random, 0.3)) spoil(random, c.machine, program);
    std::vector<std::uint8_t> memory = random_memory(random, c.machine);
    const std::uint64_t base = ProgramRegion + isa::InstructionBytes * static_cast<std::uint64_t>(draw(random, 0, 100));
    std::memcpy(memory.data() + base, program.data(), program.size() * isa::InstructionBytes);

    Schedule s;
    s.network = "random program";
    s.machine = c.machine.name;
    s.machine_text = machine_text(c.machine);
    s.program_base = base;
    // A schedule holds legal instructions only and ends with halt: what is otherwise comes with memory, which is one tensor.
    s.program = program;
    for (isa::Word& word : s.program) {
      if (!legal(word, c.machine)) word = isa::encode(isa::Halt{});
    }
    s.program.back() = isa::encode(isa::Halt{});
    s.layers.resize(8);  // what tags count up to
    for (std::size_t l = 0; l < s.layers.size(); ++l) s.layers[l].name = "tag" + std::to_string(l);
    s.memory_bytes_used = MemoryBytes;
    ScheduleTensor tensor;
    tensor.name = "memory";
    tensor.shape = {1, 1, 1, MemoryBytes};
    tensor.bytes = MemoryBytes;
    tensor.is_input = tensor.is_output = true;
    s.tensors.push_back(tensor);
    c.schedule = std::move(s);
    c.inputs = {std::move(memory)};
    c.program_only = true;
    try {  // it must come to an end; a store may not overtake a load
      SimulationOptions options;
      options.max_cycles = 200'000;
      simulate_raw(c.machine, c.schedule, c.inputs, options);
    } catch (const RunError&) {
      continue;
    }
    return;
  }
  throw InternalError("no random program for the machine of " + c.name);
}

}  // namespace gemel::regress
