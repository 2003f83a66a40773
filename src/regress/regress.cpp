// SPDX-License-Identifier: Apache-2.0
#include "regress/regress.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <sstream>

#include "base/error.hpp"
#include "base/files.hpp"
#include "compiler/compile.hpp"
#include "config/load.hpp"
#include "config/parameters.hpp"
#include "regress/program_case.hpp"
#include "regress/random_machine.hpp"
#include "regress/stretch.hpp"
#include "sim/simulation.hpp"
#include "top/beat_digest.hpp"

namespace gemel::regress {
namespace fs = std::filesystem;
namespace {

constexpr int Side = 8;  // of arrays: seconds to Verilate
constexpr int MostOutstanding = 16;
constexpr const char* TopBlocks[] = {"sequencer", "load_dma", "store_dma", "matrix_unit", "vector_unit", "activation_buffer",
                                     "weight_buffer", "vector_buffer", "param_buffer", "accumulator_buffer"};
constexpr const char* Leaves[] = {"pe_array", "requantizer"};
constexpr int TopCount = 10;
constexpr int Alone = 5;  // the leaves, `pe`, all blocks, the whole chip

std::uint64_t mixed(std::uint64_t a, std::uint64_t b) {  // splitmix64: neighbouring seeds have nothing in common
  std::uint64_t z = a * 0x9e3779b97f4a7c15u + b + 0x632be59bd9b4e019u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

RandomNetworkLimits small_networks() {
  RandomNetworkLimits limits;
  limits.max_layers = 5;
  limits.max_channels = 24;
  limits.max_size = 9;
  limits.max_elements = 1200;
  limits.max_macs = 60'000;
  limits.max_batch = 2;
  return limits;
}

std::vector<BlockChoice> random_set(Random& random) {
  std::vector<BlockChoice> choices;
  const int style = draw(random, 0, 3);
  if (style == 0) return resolve_choices({{"all", BlockKind::Rtl, {}}});
  if (style == 1) return resolve_choices({{"all", BlockKind::Check, {}}});
  const auto any = [&](const char* block) {
    const int kind = draw(random, 0, 2);
    if (kind > 0) choices.push_back({block, kind == 1 ? BlockKind::Rtl : BlockKind::Check, {}});
  };
  for (const char* block : TopBlocks) any(block);
  for (const char* block : Leaves) any(block);
  if (choices.empty()) choices.push_back({"pe_array", BlockKind::Check, {}});
  return choices;
}

// A network that the machine can run, compiled, with random inputs. Some machines are too small for most networks.
void draw_program(Random& random, const RandomNetworkLimits& limits, Case& c) {
  for (int attempt = 0; attempt < 200; ++attempt) {
    const Network network = random_network(random, limits);
    try {
      c.schedule = compile(network, c.machine);
    } catch (const UserError&) {
      continue;
    }
    c.inputs = random_inputs(network, random);
    return;
  }
  throw InternalError("no random network fits the machine of " + c.name);
}

bool is_chip(const std::vector<BlockChoice>& blocks) { return blocks.size() == 1 && is_chip_rtl(blocks.front()); }

// Zeros or other random numbers for what the program loads. The program stays, and random numbers leave alone what goes to param_buffer:
// multipliers and shifts of any value are no contract.
void replace_data(Case& c, bool zeros) {
  std::map<std::uint64_t, std::uint64_t> kept;  // first address -> address behind the last, apart from each other
  const auto keep = [&kept](std::uint64_t first, std::uint64_t bytes) {
    std::uint64_t end = first + bytes;
    auto next = kept.upper_bound(first);
    if (next != kept.begin() && std::prev(next)->second >= first) --next;
    while (next != kept.end() && next->first <= end) {
      first = std::min(first, next->first);
      end = std::max(end, next->second);
      next = kept.erase(next);
    }
    kept[first] = end;
  };
  const auto is_kept = [&kept](std::uint64_t address) {
    const auto next = kept.upper_bound(address);
    return next != kept.begin() && address < std::prev(next)->second;
  };
  keep(c.schedule.program_base, c.schedule.program.size() * isa::InstructionBytes);
  for (const isa::Word& word : c.schedule.program) {
    const isa::Instruction i = isa::decode(word);
    if (zeros || i.unit != isa::Unit::Load || i.load.buffer != static_cast<int>(Buffer::Param)) continue;
    for (int outer = 0; outer < i.load.count2; ++outer) {
      for (int inner = 0; inner < i.load.count1; ++inner) {
        keep(i.load.address + std::uint64_t{i.load.stride2} * static_cast<std::uint64_t>(outer) +
                 std::uint64_t{i.load.stride1} * static_cast<std::uint64_t>(inner),
             static_cast<std::uint64_t>(i.load.run_bytes));
      }
    }
  }
  Random random(mixed(c.schedule.program.size(), static_cast<std::uint64_t>(c.machine.memory_bytes)));
  const auto replace = [&](std::uint64_t address, std::vector<std::uint8_t>& bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (!is_kept(address + i)) bytes[i] = zeros ? 0 : static_cast<std::uint8_t>(random());
    }
  };
  for (ConstantSegment& segment : c.schedule.constants) replace(segment.address, segment.bytes);
  std::size_t input = 0;
  for (const ScheduleTensor& tensor : c.schedule.tensors) {
    if (tensor.is_input) replace(tensor.address, c.inputs.at(input++));
  }
}

// Brings a machine back to where it can be built, and its array to where it is Verilated in seconds.
void make_buildable(Machine& m) {
  constexpr int MostElements = Side * Side, FewestWords = 256, MostBeats = 256;
  m.rows = std::min(m.rows, MostElements);
  m.columns = std::min(m.columns, MostElements / m.rows);
  m.lanes = std::min(m.lanes, m.columns);
  m.burst_bytes = std::clamp(m.burst_bytes, m.bus_bytes, std::min(4096, MostBeats * m.bus_bytes));
  m.prefetch_instructions = std::max(m.prefetch_instructions, m.burst_bytes / isa::InstructionBytes);
  for (int b = 0; b < BufferCount; ++b) {  // enough for small networks: what starves is tested by fuzzing
    const auto buffer = static_cast<Buffer>(b);
    m.buffer(buffer).size_bytes = std::clamp<std::int64_t>(m.buffer(buffer).size_bytes, FewestWords * m.word_bytes(buffer),
                                                           std::int64_t{isa::WordAddresses} * m.word_bytes(buffer));
  }
}

// One to three parameters of a machine at the ends of their ranges, at powers of two or the like.
void stretch_machine(Dice& dice, Machine& m) {
  std::vector<const Parameter*> rows;
  for (const Parameter& p : parameters()) {
    if (p.in_digest && (p.type == ParameterType::Integer || p.type == ParameterType::SizeBytes)) rows.push_back(&p);
    if (p.key == "load_dma.outstanding" || p.key == "store_dma.outstanding" || p.group() == "sequencer") rows.push_back(&p);
  }
  for (int n = dice.range(1, 3); n > 0; --n) {
    const Parameter& p = *rows[static_cast<std::size_t>(dice.range(0, static_cast<int>(rows.size()) - 1))];
    std::int64_t value = dice.stretched(static_cast<std::int64_t>(p.least), static_cast<std::int64_t>(p.most));
    if (p.power_of_two) {
      while ((value & (value - 1)) != 0) value &= value - 1;
    }
    p.set(m, value);
  }
}

std::vector<std::uint8_t> read_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw UserError("E0905", "cannot read the input `" + path.string() + "`");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

Machine random_machine_of(std::uint64_t seed, int index) {
  Random random(mixed(seed, static_cast<std::uint64_t>(index)));
  Machine m = random_machine(random, Side);
  m.name = "random" + std::to_string(index);
  m.description = "Random machine " + std::to_string(index) + " of seed " + std::to_string(seed);
  // Of four in a row one has the longest bursts on a narrow bus, one the longest of all on a wide bus, one is stretched; all three have buffers
  // for large tiles, the first two for long runs, too, and rows enough for sums that need more bits than one product. Of the others every
  // second one has rows so few that a pass takes longer than they do.
  Dice dice(random());
  const int kind = (index + 1) % 4;
  if (kind != 0) {
    for (int b = 0; b < BufferCount; ++b) {
      const auto buffer = static_cast<Buffer>(b);
      const std::int64_t words = (std::int64_t{1} << dice.range(9, dice.chance(30) ? 15 : 12)) + dice.range(0, 1) * dice.range(0, 100);
      m.buffer(buffer).size_bytes = m.word_bytes(buffer) * words;
    }
  }
  if (kind == 1) m.bus_bytes = 4, m.burst_bytes = 1024;
  if (kind == 2) m.bus_bytes = dice.chance(50) ? 64 : 128, m.burst_bytes = 4096;
  if (kind == 1 || kind == 2) {
    m.rows = std::max(m.rows, 6);
    m.columns = std::max(m.columns, kind == 1 ? 7 : 4);
    if (kind == 1) m.lanes = m.columns == 7 ? dice.range(2, 3) : 3;  // three slices or more, the last of which is not full
    for (const Buffer buffer : {Buffer::Activation, Buffer::Vector}) m.buffer(buffer).size_bytes = (1 << 17) + dice.range(0, 1000);
  }
  if (kind == 3) stretch_machine(dice, m);
  if (kind == 0 && index % 8 == 3) m.rows = dice.range(1, 2);
  if (kind != 3 || index < MostOutstanding) {
    m.load_outstanding = 1 + index % MostOutstanding;
    m.store_outstanding = 1 + 5 * index % MostOutstanding;
  }
  make_buildable(m);
  return m;
}

std::string describe_machines(std::uint64_t seed, int machines) {
  struct Range {
    std::int64_t least = std::numeric_limits<std::int64_t>::max(), most = 0;
    void add(std::int64_t value) { least = std::min(least, value), most = std::max(most, value); }
    std::string text() const { return std::to_string(least) + ".." + std::to_string(most); }
  } rows, columns, lanes, outstanding, bus, queue;
  int uneven = 0, odd = 0;
  for (int i = 0; i < machines; ++i) {
    const Machine m = random_machine_of(seed, i);
    rows.add(m.rows), columns.add(m.columns), lanes.add(m.lanes), bus.add(m.bus_bytes), queue.add(m.queue_depth);
    outstanding.add(m.load_outstanding), outstanding.add(m.store_outstanding);
    uneven += m.rows != m.columns ? 1 : 0;
    odd += (m.rows | m.columns) % 2 != 0 ? 1 : 0;
  }
  const std::string count = std::to_string(machines) + (machines == 1 ? " machine: " : " machines: ");
  return count + "rows " + rows.text() + ", columns " + columns.text() + ", " + std::to_string(uneven) +
         " with rows != columns, " + std::to_string(odd) + " with an odd side, lanes " + lanes.text() + ", outstanding " + outstanding.text() +
         ", bus " + bus.text() + " bytes, queues " + queue.text();
}

std::vector<BlockChoice> parse_set(const std::string& text) {
  std::vector<BlockChoice> choices;
  std::istringstream in(text);
  std::vector<std::string> texts;
  for (std::string one; std::getline(in, one, ',');) {
    if (one.find('=') == std::string::npos && !texts.empty()) {
      texts.back() += "," + one;  // another source of the block before
    } else {
      texts.push_back(one);
    }
  }
  for (const std::string& one : texts) choices.push_back(parse_block_choice(one));
  return resolve_choices(choices);
}

Case random_case(std::uint64_t seed, int index, int machines, const std::vector<std::string>& block_sets) {
  Case c;
  c.name = "case " + std::to_string(index) + " of seed " + std::to_string(seed);
  c.machine = random_machine_of(seed, index % machines);
  Random random(mixed(seed + 1, static_cast<std::uint64_t>(index)));
  draw_memory_around(random, c.machine);
  draw_program(random, small_networks(), c);
  c.blocks = block_sets.empty() ? random_set(random) : parse_set(block_sets[static_cast<std::size_t>(index) % block_sets.size()]);
  c.no_skip = chance(random, 0.1);
  c.reset_seed = index;
  return c;
}

Case random_program_case(std::uint64_t seed, int index, int machines, const Machine* fixed, const std::vector<std::string>& block_sets) {
  Case c;
  c.name = "program " + std::to_string(index) + " of seed " + std::to_string(seed);
  c.machine = fixed != nullptr ? *fixed : random_machine_of(seed, index % machines);
  Random random(mixed(seed + 2, static_cast<std::uint64_t>(index)));
  draw_memory_around(random, c.machine);
  draw_random_program(random, c);
  c.blocks = block_sets.empty() ? random_set(random) : parse_set(block_sets[static_cast<std::size_t>(index) % block_sets.size()]);
  c.no_skip = chance(random, 0.1);
  c.reset_seed = index;
  c.again = !is_chip(c.blocks) && chance(random, 0.3);
  return c;
}

int mixture_count() { return (1 << TopCount) + Alone; }

std::vector<Case> mixtures(std::uint64_t seed) {
  Case base;
  base.name = "mixture";
  Random random(mixed(seed, 77));
  Machine& m = base.machine;
  m.name = "mixtures";
  m.rows = m.columns = 4;  // R = C: the vector unit may write activation_buffer
  m.lanes = 2;
  m.bus_bytes = 8;
  m.burst_bytes = 64;
  m.load_outstanding = 2;
  m.store_outstanding = 2;
  m.queue_depth = 3;
  m.prefetch_instructions = 4;
  m.memory_bytes_per_cycle = 3;  // memory that stalls
  m.jitter_cycles = 9;
  m.stall_percent = {20, 30, 20, 40, 25};
  m.memory_queue = 2;
  m.memory_bytes = 16 << 20;
  for (int b = 0; b < BufferCount; ++b) {
    m.buffers[static_cast<std::size_t>(b)].banks = 4;
    m.buffers[static_cast<std::size_t>(b)].size_bytes = 512 * m.word_bytes(static_cast<Buffer>(b));
  }
  RandomNetworkLimits limits = small_networks();
  limits.min_layers = 8;
  limits.max_layers = 12;
  for (int attempt = 0;; ++attempt) {  // until every instruction is there
    if (attempt == 50'000) throw InternalError("no program with every instruction was found");
    draw_program(random, limits, base);
    std::set<isa::Opcode> opcodes;
    for (const isa::Word& word : base.schedule.program) opcodes.insert(isa::opcode(word));
    if (opcodes.size() == isa::OpcodeCount && base.schedule.program.size() < 160) break;
  }
  std::vector<Case> cases;
  const auto add = [&](std::vector<BlockChoice> blocks) {
    Case c = base;
    c.name = "mixture " + std::to_string(cases.size());
    c.blocks = std::move(blocks);
    cases.push_back(std::move(c));
  };
  for (int mask = 0; mask < 1 << TopCount; ++mask) {
    std::vector<BlockChoice> blocks;
    for (int i = 0; i < TopCount; ++i) {
      if ((mask >> i & 1) != 0) blocks.push_back({TopBlocks[i], BlockKind::Rtl, {}});
    }
    add(std::move(blocks));
  }
  for (const char* leaf : Leaves) add({{leaf, BlockKind::Rtl, {}}});
  add({{"pe", BlockKind::Rtl, {own_rtl_folder() + "/pe/pe.sv"}}});
  add(resolve_choices({{"all", BlockKind::Rtl, {}}}));
  add({{"npu", BlockKind::Rtl, {}}});
  return cases;
}

Machine coverage_machine() {
  Machine m;
  m.name = "coverage";
  m.description = "For counting what a regression covers";
  m.rows = 2;
  m.columns = 3;
  m.lanes = 2;
  m.bus_bytes = 8;
  m.burst_bytes = 64;
  m.load_outstanding = 2;
  m.store_outstanding = 2;
  m.queue_depth = 2;
  m.prefetch_instructions = 3;
  m.memory_bytes = 1 << 20;
  for (int b = 0; b < BufferCount; ++b) {
    m.buffers[static_cast<std::size_t>(b)].banks = 2;
    m.buffers[static_cast<std::size_t>(b)].size_bytes = 256 * m.word_bytes(static_cast<Buffer>(b));
  }
  return m;
}

namespace {

// Every unit posts to every other one and itself, and waits for it; which no compiler would do.
std::vector<isa::Word> every_semaphore(const Machine& machine) {
  const std::string rows = std::to_string(machine.rows - 1);
  const std::string words[] = {"load buffer=param word=[0..0] address=256 run_bytes=1 group_bytes=1",
                               "matrix act=[0..0] weight=[0.." + rows + "] acc=[0..0]",
                               "pool_max src0=[0..0] dst=[200..200] src_height=1 src_width=1 pixel_words=1 dst_pixel_step=1",
                               "store word=[150..150] address=20480 run_bytes=1 group_bytes=1"};
  std::string program;
  for (int s = 0; s < 16; ++s) {
    program += words[s % 4] + " post=" + std::to_string(s) + "\n" + words[s / 4] + " wait=" + std::to_string(s) + "\n";
  }
  return isa::assemble_program(program + "halt\n");
}

}  // namespace

Case coverage_case(std::uint64_t seed, int index, const Machine& machine, const std::vector<std::string>& block_sets) {
  if (index == 1) {
    Case c = random_program_case(seed, index, 1, &machine, block_sets);
    c.name = "every semaphore";
    c.schedule.program = every_semaphore(machine);
    std::uint8_t* const program = c.inputs.back().data() + (c.schedule.program_base - c.schedule.tensors.back().address);
    std::memcpy(program, c.schedule.program.data(), c.schedule.program.size() * isa::InstructionBytes);
    return c;
  }
  if (index % 2 == 1) return random_program_case(seed, index, 1, &machine, block_sets);
  Case c;
  c.name = "network " + std::to_string(index) + " of seed " + std::to_string(seed);
  c.machine = machine;
  Random random(mixed(seed + 3, static_cast<std::uint64_t>(index)));
  draw_memory_around(random, c.machine);
  RandomNetworkLimits limits = small_networks();
  limits.max_channels = 8;
  limits.max_size = 6;
  limits.max_elements = 200;
  limits.max_macs = 8'000;
  draw_program(random, limits, c);
  c.blocks = parse_set(block_sets[static_cast<std::size_t>(index) % block_sets.size()]);
  return c;
}

Tally operator+(const Tally& a, const Tally& b) {
  Tally t = a;
  t.cycles += b.cycles, t.instructions += b.instructions, t.bytes += b.bytes, t.beats += b.beats, t.errors += b.errors;
  t.no_skip_runs += b.no_skip_runs, t.skipped += b.skipped, t.skippable += b.skippable;
  t.reset_runs += b.reset_runs, t.data_runs += b.data_runs, t.data_beats += b.data_beats;
  t.between_fast_models += b.between_fast_models;
  t.least_latency = t.most_latency == 0 ? b.least_latency : std::min(t.least_latency, b.least_latency);
  t.most_latency = std::max(t.most_latency, b.most_latency);
  t.stalling += b.stalling;
  for (std::size_t i = 0; i < t.reached.size(); ++i) t.reached[i] += b.reached[i];
  return t;
}

SimulationOptions options_of(const Case& c) {
  constexpr std::int64_t MostKept = 32 << 20;
  SimulationOptions options;
  options.trace = true;
  options.keep_memory = c.schedule.memory_bytes_used <= MostKept;
  options.poison_first = c.poison_first;
  options.poison_last = c.poison_last;
  options.abort_at = c.abort_at;
  options.bytes_behind_program = c.bytes_behind_program;
  if (c.abort_at > 0 || c.bytes_behind_program > 0) options.engine = Engine::Plain;
  // Against hangs. Some memories that are drawn take 100,000 cycles for a burst; no case waits for 5,000 bursts one after the other.
  options.max_cycles = std::max<std::int64_t>(20'000'000, std::int64_t{5'000} * (c.machine.read_latency_cycles + c.machine.write_latency_cycles));
  return options;
}

namespace {

struct Run {
  SimulationOutput output;
  BeatDigest beats;
};

Run simulate(const Case& c, SimulationOptions options, ReachObserver* reach = nullptr) {
  Run run;
  options.beats = [&run, reach](const Beat& beat) {
    run.beats.add(beat);
    if (reach != nullptr) reach->add(beat);
  };
  run.output = simulate_raw(c.machine, c.schedule, c.inputs, options);
  return run;
}

// One case: differences go to `what`, and what was compared to `tally`.
class Runner {
 public:
  Runner(const Case& c, const RunOptions& options) : case_(c) {
    options_ = options_of(c);
    options_.rtl_notice = options.notice;
    options_.rtl_display = options.display;
    options_.rtl_hangs = options.hangs;
    options_.coverage = options.coverage;
    options_.interrupted = options.interrupted;
    if (case_.repeats.resets > 0) case_.reset_seed = std::max(case_.reset_seed, 0);  // the same RTL in every run
    const Machine& m = case_.machine;
    tally_.least_latency = std::min(m.read_latency_cycles, m.write_latency_cycles);
    tally_.most_latency = std::max(m.read_latency_cycles, m.write_latency_cycles);
    const StallPercent& stalls = m.stall_percent;
    tally_.stalling = m.jitter_cycles > 0 || stalls.ar + stalls.r + stalls.aw + stalls.w + stalls.b > 0 ? 1 : 0;
    const bool any_rtl = std::any_of(case_.blocks.begin(), case_.blocks.end(), [](const BlockChoice& b) { return b.kind != BlockKind::Model; });
    tally_.reached[static_cast<std::size_t>(Reach::Noise)] = any_rtl && case_.reset_seed >= 0 ? 1 : 0;
  }

  void run() {
    const Run first = compare_with_models(case_, "");
    if (first.output.error_code != 0) return;
    const std::int64_t clocks = first.output.result.cycles;
    if (case_.repeats.no_skip) {
      Case other = case_;
      other.no_skip = !other.no_skip;
      const Run again = rtl(other);
      same(first, again, BeatDigest::What::Payloads, "with every block clocked in every cycle: ");
      ++tally_.no_skip_runs;
      tally_.skipped += clocks - std::min(first.output.clocked, again.output.clocked);
      tally_.skippable += clocks;
    }
    for (int i = 1; i <= case_.repeats.resets; ++i) {
      Case other = case_;
      other.reset_seed += i;
      same(first, rtl(other), BeatDigest::What::Payloads, "with registers that start otherwise, seed " + std::to_string(other.reset_seed) + ": ");
      ++tally_.reset_runs;
    }
    if (!case_.repeats.data) return;
    for (const bool zeros : {true, false}) {
      Case other = case_;
      replace_data(other, zeros);
      const std::string name = zeros ? "with zeros for data: " : "with other data: ";
      const Run again = compare_with_models(other, name);
      same(first, again, BeatDigest::What::Times, name);
      ++tally_.data_runs;
      tally_.data_beats += again.beats.beats();
    }
  }
  Outcome outcome() const { return {what_.str(), tally_}; }
  std::ostream& what() { return what_; }

 private:
  Run rtl(const Case& c) const {
    SimulationOptions options = options_;
    options.engine = Engine::Beat;
    options.again = c.again;
    options.blocks = c.blocks;
    options.no_skip = c.no_skip;
    options.reset_seed = c.reset_seed;
    options.use_registers = c.reset_seed >= 0 && c.program_only;
    return simulate(c, options);
  }

  void expect(const std::string& name, std::int64_t must, std::int64_t is) {
    if (must != is) what_ << name << ": is " << is << ", must be " << must << "\n";
  }
  void expect_counters(const std::string& when, const UnitCounters& must, const UnitCounters& is) {
    for (std::size_t u = 0; u < must.size(); ++u) {
      for (std::size_t k = 0; k < must[u].size(); ++k) {
        expect(when + "counter " + std::to_string(u) + "/" + std::to_string(k), must[u][k], is[u][k]);
      }
    }
  }

  void expect_memory(const std::string& when, const SimulationOutput& must, const SimulationOutput& is) {
    if (options_.keep_memory) return expect_memory(when, "", 0, must.memory, is.memory);
    std::size_t i = 0;
    for (const ScheduleTensor& part : case_.schedule.tensors) {
      if (!part.is_output) continue;
      expect_memory(when, "`" + part.name + "`: ", part.address, must.outputs.at(i), is.outputs.at(i));
      ++i;
    }
  }
  void expect_memory(const std::string& when, const std::string& part, std::uint64_t address, const std::vector<std::uint8_t>& must,
                     const std::vector<std::uint8_t>& is) {
    if (must == is) return;
    std::size_t first = std::min(must.size(), is.size());
    std::int64_t differ = static_cast<std::int64_t>(std::max(must.size(), is.size()) - first);
    for (std::size_t at = std::min(must.size(), is.size()); at-- > 0;) {
      if (must[at] == is[at]) continue;
      first = at;
      ++differ;
    }
    what_ << when << part << "memory differs: " << differ << (differ == 1 ? " byte" : " bytes") << ", the first at " << address + first;
    if (first < std::min(must.size(), is.size())) what_ << ": is " << int{is[first]} << ", must be " << int{must[first]};
    what_ << "\n";
  }

  Run compare_with_models(const Case& c, const std::string& when) {
    const SimulationOutput model = simulate(c, options_).output;
    SimulationOptions options = options_;
    options.engine = Engine::Beat;
    options.again = c.again;
    Reached events{};
    ReachObserver reach(c.machine, events);
    const Run beat = simulate(c, options, &reach);
    reach.ended(beat.output.result.cycles, beat.output.error_code);
    add_case(events, tally_.reached);
    Run run = rtl(c);
    const SimulationOutput& rtl = run.output;
    // After an error only its code, cycle and instruction are the same in all models (machine.md, section 2); RTL is held to the beat models.
    const SimulationOutput& like = model.error_code == 0 ? model : beat.output;
    expect(when + "cycles", like.result.cycles, rtl.result.cycles);
    expect(when + "error code", model.error_code, rtl.error_code);
    if (c.again) expect(when + "cycles of the second run without a reset between", rtl.result.cycles, rtl.cycles_again);
    expect_counters(when, like.result.counters, rtl.result.counters);
    if (model.error_code != 0) {
      expect(when + "error cycle", model.error_cycle, rtl.error_cycle);
      expect(when + "error instruction", model.error_instruction, rtl.error_instruction);
      ++tally_.errors;
      return run;
    }
    const bool chip = is_chip(c.blocks);
    if (!chip) compare_instructions(c, when, model.result.trace, rtl.result.trace);  // they cannot be seen from outside of the chip
    expect_memory(when, model, rtl);
    const std::string beats = run.beats.differences(beat.beats, BeatDigest::What::Payloads, chip);
    if (!beats.empty()) what_ << when << "beats differ: " << beats << "\n";
    for (const std::string& fault : rtl.faults) {
      if (!c.program_only || fault.rfind("read of a word never written", 0) != 0) what_ << when << "fault: " << fault << "\n";
    }
    compare_between_fast_models(c, when, model);
    tally_.cycles += model.result.cycles;
    tally_.instructions += chip ? 0 : static_cast<std::int64_t>(rtl.result.trace.size());
    tally_.bytes += static_cast<std::int64_t>(model.memory.size());
    for (const std::vector<std::uint8_t>& part : model.outputs) tally_.bytes += options_.keep_memory ? 0 : static_cast<std::int64_t>(part.size());
    tally_.beats += run.beats.beats();
    return run;
  }

  // pe_array alone runs between the fast models, too, if nobody looks at beats.
  void compare_between_fast_models(const Case& c, const std::string& when, const SimulationOutput& model) {
    if (c.blocks.size() != 1 || c.blocks.front().block != "pe_array" || !options_.coverage.empty()) return;
    if (options_.engine != Engine::Systemc) return;
    SimulationOptions options = options_;
    options.blocks = c.blocks;
    options.reset_seed = c.reset_seed;
    const SimulationOutput rtl = simulate_raw(c.machine, c.schedule, c.inputs, options);
    const std::string here = when + "between the fast models: ";
    if (rtl.result.engine != "systemc") what_ << here << "it does not keep its contract\n";
    expect(here + "cycles", model.result.cycles, rtl.result.cycles);
    expect_counters(here, model.result.counters, rtl.result.counters);
    compare_instructions(c, here, model.result.trace, rtl.result.trace);
    expect_memory(here, model, rtl);
    ++tally_.between_fast_models;
  }

  void compare_instructions(const Case& c, const std::string& when, std::vector<TraceEvent> must, std::vector<TraceEvent> is) {
    for (auto* trace : {&must, &is}) {
      std::sort(trace->begin(), trace->end(), [](const TraceEvent& a, const TraceEvent& b) { return a.instruction < b.instruction; });
    }
    expect(when + "instructions", static_cast<std::int64_t>(must.size()), static_cast<std::int64_t>(is.size()));
    for (std::size_t i = 0; i < std::min(must.size(), is.size()); ++i) {
      if (must[i].start == is[i].start && must[i].end == is[i].end) continue;
      what_ << when << "instruction " << must[i].instruction << ": is at " << is[i].start << ".." << is[i].end << ", must be at "
            << must[i].start << ".." << must[i].end << ": " << isa::disassemble(c.schedule.program[must[i].instruction]) << "\n";
      break;
    }
  }

  // Two runs of the same RTL.
  void same(const Run& must, const Run& is, BeatDigest::What beats, const std::string& when) {
    expect(when + "cycles", must.output.result.cycles, is.output.result.cycles);
    expect(when + "error code", must.output.error_code, is.output.error_code);
    expect_counters(when, must.output.result.counters, is.output.result.counters);
    if (beats == BeatDigest::What::Payloads) expect_memory(when, must.output, is.output);
    const std::string differences = is.beats.differences(must.beats, beats);
    if (!differences.empty()) what_ << when << (beats == BeatDigest::What::Times ? "times of beats differ: " : "beats differ: ") << differences << "\n";
  }

  Case case_;
  SimulationOptions options_;
  Tally tally_;
  std::ostringstream what_;
};

}  // namespace

void count_reached(const Case& c, Reached& reached) {
  Reached events{};
  ReachObserver reach(c.machine, events);
  SimulationOptions options = options_of(c);
  options.engine = Engine::Beat;
  options.beats = [&reach](const Beat& beat) { reach.add(beat); };
  const SimulationOutput output = simulate_raw(c.machine, c.schedule, c.inputs, options);
  reach.ended(output.result.cycles, output.error_code);
  add_case(events, reached);
}

Outcome run(const Case& c, const RunOptions& options) {
  Runner runner(c, options);
  try {
    runner.run();
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    for (const Diagnostic& d : error.diagnostics()) runner.what() << to_string(d) << "\n";
  } catch (const std::exception& error) {
    runner.what() << error.what() << "\n";
  }
  return runner.outcome();
}

std::string describe(const std::vector<BlockChoice>& blocks) {
  std::string text;
  for (const BlockChoice& c : blocks) {
    text += (text.empty() ? "" : ", ") + c.block + "=" + to_string(c.kind);
    for (const std::string& source : c.sources) text += (&source == &c.sources.front() ? ":" : "+") + source;
  }
  return text.empty() ? "models only" : text;
}

void save(const Case& c, const std::string& folder) {
  make_output_folder(folder + "/inputs");
  write_file_atomically(folder + "/machine.yaml", to_yaml(c.machine));
  c.schedule.save(folder + "/schedule.gemel");
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    write_file_atomically(folder + "/inputs/" + std::to_string(i) + ".bin",
                          std::string_view(reinterpret_cast<const char*>(c.inputs[i].data()), c.inputs[i].size()));
  }
  std::string settings = "# " + c.name + "\n";
  for (const BlockChoice& b : c.blocks) {
    settings += "block " + b.block + "=" + to_string(b.kind);
    for (const std::string& source : b.sources) settings += (&source == &b.sources.front() ? ":" : ",") + fs::absolute(source).string();
    settings += "\n";
  }
  settings += "no_skip " + std::to_string(c.no_skip ? 1 : 0);
  settings += "\nagain " + std::to_string(c.again ? 1 : 0) + "\nreset_seed " + std::to_string(c.reset_seed) + "\nprogram_only " +
              std::to_string(c.program_only ? 1 : 0) + "\n";
  settings += "poison_first " + std::to_string(c.poison_first) + "\npoison_last " + std::to_string(c.poison_last) + "\n";
  settings += "abort_at " + std::to_string(c.abort_at) + "\nbytes_behind_program " + std::to_string(c.bytes_behind_program) + "\n";
  settings += "repeat_no_skip " + std::to_string(c.repeats.no_skip ? 1 : 0) + "\nrepeat_resets " + std::to_string(c.repeats.resets) +
              "\nrepeat_data " + std::to_string(c.repeats.data ? 1 : 0) + "\n";
  write_file_atomically(folder + "/settings.txt", settings);
}

Case load(const std::string& folder) {
  Case c;
  c.name = folder;
  c.machine = load_machine(folder + "/machine.yaml");
  c.schedule = Schedule::load(folder + "/schedule.gemel");
  for (int i = 0; fs::exists(folder + "/inputs/" + std::to_string(i) + ".bin"); ++i) {
    c.inputs.push_back(read_bytes(folder + "/inputs/" + std::to_string(i) + ".bin"));
  }
  std::ifstream file(folder + "/settings.txt");
  for (std::string key, value; file >> key;) {
    if (key == "#") {
      std::getline(file, value);
      continue;
    }
    file >> value;
    if (key == "block") c.blocks.push_back(parse_block_choice(value));
    if (key == "poison_first") c.poison_first = std::stoull(value);
    if (key == "poison_last") c.poison_last = std::stoull(value);
    if (key == "abort_at") c.abort_at = std::stoll(value);
    if (key == "bytes_behind_program") c.bytes_behind_program = static_cast<std::uint32_t>(std::stoul(value));
    if (key == "no_skip") c.no_skip = value == "1";
    if (key == "again") c.again = value == "1";
    if (key == "repeat_no_skip") c.repeats.no_skip = value == "1";
    if (key == "repeat_resets") c.repeats.resets = std::stoi(value);
    if (key == "repeat_data") c.repeats.data = value == "1";
    if (key == "program_only") c.program_only = value == "1";
    if (key == "reset_seed") c.reset_seed = std::stoi(value);
  }
  return c;
}

}  // namespace gemel::regress
