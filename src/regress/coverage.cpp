// SPDX-License-Identifier: Apache-2.0
// Bins, and Verilator's counts; see coverage.hpp.
#include "regress/coverage.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/error.hpp"
#include "sim/simulation.hpp"

namespace gemel::regress {
namespace {

using isa::Opcode;

// ---- classes of a field's values --------------------------------------------------------------------------------------------

enum class Class {
  Flag,     // 0, 1
  Count,    // 1, 2, 3 or more
  Zero,     // zero points: ends and middles of their types
  Origin,   // negative, 0, positive
  Distance, // 0, more
  Byte,     // 0, 255, other
  Address,  // on a beat of the bus, off it
  Rounding,
  Buffer,
  Clamp,    // clamp_min and clamp_max together
};

struct FieldBins {
  const char* field;
  Class kind;
};

const std::vector<std::string>& bins_of(Class kind) {
  static const std::map<Class, std::vector<std::string>> all = {
      {Class::Flag, {"0", "1"}},
      {Class::Count, {"1", "2", "3 or more"}},
      {Class::Zero, {"-128", "0", "127", "255", "other"}},
      {Class::Origin, {"negative", "0", "positive"}},
      {Class::Distance, {"0", "more"}},
      {Class::Byte, {"0", "255", "other"}},
      {Class::Address, {"on a beat", "off a beat"}},
      {Class::Rounding, {"0", "1", "2", "3"}},
      {Class::Buffer, {"activation_buffer", "weight_buffer", "vector_buffer", "param_buffer"}},
      {Class::Clamp, {"int8: -128..127", "uint8: 0..255", "one value", "other"}},
  };
  return all.at(kind);
}

std::string bin_of(Class kind, std::int64_t value, const Machine& machine) {
  switch (kind) {
    case Class::Count: return value <= 2 ? std::to_string(value) : "3 or more";
    case Class::Zero: return value == -128 || value == 0 || value == 127 || value == 255 ? std::to_string(value) : "other";
    case Class::Origin: return value < 0 ? "negative" : value == 0 ? "0" : "positive";
    case Class::Distance: return value == 0 ? "0" : "more";
    case Class::Byte: return value == 0 || value == 255 ? std::to_string(value) : "other";
    case Class::Address: return value % machine.bus_bytes == 0 ? "on a beat" : "off a beat";
    case Class::Buffer: return to_string(static_cast<Buffer>(value));
    default: return std::to_string(value);
  }
}

// The fields that an opcode is free to choose.
std::vector<FieldBins> fields_of(Opcode opcode) {
  static const std::vector<FieldBins> window = {
      {"stride_y", Class::Count}, {"stride_x", Class::Count}, {"origin_y", Class::Origin}, {"origin_x", Class::Origin}};
  static const std::vector<FieldBins> kernel = {
      {"kernel_h", Class::Count}, {"kernel_w", Class::Count}, {"dilation_y", Class::Count}, {"dilation_x", Class::Count}};
  std::vector<FieldBins> f;
  const auto with = [&f](const std::vector<FieldBins>& more) { f.insert(f.end(), more.begin(), more.end()); };
  switch (opcode) {
    case Opcode::Load:
      with({{"buffer", Class::Buffer}, {"chain", Class::Flag}, {"address", Class::Address}, {"count1", Class::Count}, {"count2", Class::Count},
            {"stride1", Class::Distance}, {"stride2", Class::Distance}, {"fill", Class::Byte}});
      break;
    case Opcode::Store:
      with({{"chain", Class::Flag}, {"address", Class::Address}, {"count1", Class::Count}, {"count2", Class::Count}, {"stride1", Class::Distance},
            {"stride2", Class::Distance}});
      break;
    case Opcode::Matrix:
      with({{"chain", Class::Flag}, {"accumulate", Class::Flag}, {"act_unsigned", Class::Flag}, {"weight_unsigned", Class::Flag},
            {"act_zero", Class::Zero}, {"weight_zero", Class::Zero}, {"cin_blocks", Class::Count}, {"cout_blocks", Class::Count},
            {"out_planes", Class::Count}, {"out_height", Class::Count}, {"out_width", Class::Count}, {"act_block_step", Class::Distance}});
      with(window);
      with(kernel);
      break;
    default: {
      const isa::VectorReads& reads = isa::reads(opcode);
      with({{"table", Class::Flag}, {"src0_unsigned", Class::Flag}, {"blocks", Class::Count}, {"out_planes", Class::Count},
            {"out_height", Class::Count}, {"out_width", Class::Count}});
      if (reads.sets > 0) with({{"rounding", Class::Rounding}, {"dst_zero", Class::Zero}});
      if (reads.sets > 0 && reads.shared == isa::Sharing::May) with({{"param_shared", Class::Flag}});
      if (reads.sources > 0) with(window);
      if (reads.sources > 0 && reads.sets > 0) with({{"src0_zero", Class::Zero}});
      if (reads.sources == 2) with({{"src1_zero", Class::Zero}, {"src1_unsigned", Class::Flag}});
      if (opcode == Opcode::Depthwise) with({{"weight_zero", Class::Zero}, {"weight_unsigned", Class::Flag}});
      if (reads.steps == 0) with(kernel);
    }
  }
  return f;
}

const isa::FieldInfo& field_info(const isa::FormatInfo& format, std::string_view name) {
  for (const isa::FieldInfo& f : isa::HeaderFields) {
    if (name == f.name) return f;
  }
  for (int i = 0; i < format.field_count; ++i) {
    if (name == format.fields[i].name) return format.fields[i];
  }
  throw InternalError("no field " + std::string(name) + " in " + format.name);
}

// ---- the other bins ---------------------------------------------------------------------------------------------------------

constexpr const char* UnitNames[] = {"load_dma", "matrix_unit", "vector_unit", "store_dma"};
constexpr const char* DataCorners[] = {"0x00", "0x7f", "0x80", "0xff"};

// What a unit's status may say; waiting for semaphores and an empty queue are for all.
bool may_be(int unit, isa::Cause cause) {
  switch (cause) {
    case isa::Cause::WaitRequest: return unit == 0 || unit == 3;
    case isa::Cause::WaitData: return unit == 0;
    case isa::Cause::WaitWrite: return unit == 3;
    default: return true;
  }
}

std::string occupancy(int count) { return std::to_string(count) + (count == 1 ? " instruction" : " instructions"); }

}  // namespace

// ---- functional -------------------------------------------------------------------------------------------------------------

FunctionalCoverage::FunctionalCoverage(const Machine& machine) {
  std::vector<std::string> names;
  for (const isa::OpcodeInfo& info : isa::Opcodes) names.emplace_back(info.name);
  define("opcodes", names);
  for (const isa::OpcodeInfo& info : isa::Opcodes) {
    if (info.opcode == Opcode::Halt) continue;
    for (const FieldBins& f : fields_of(info.opcode)) define(std::string(info.name) + "." + f.field, bins_of(f.kind));
    if (info.format->unit == isa::Unit::Vector) define(std::string(info.name) + ".clamp", bins_of(Class::Clamp));
  }
  define("load: runs", {"rows", "rows of several words a group", "rows with a short last group", "windows", "windows that overlap",
                        "windows that begin before the row"});
  define("store: runs", {"one word a group", "several words a group", "a last word in part", "a short last group"});
  define("matrix: padding", {"none", "above or left", "taps wholly outside"});
  for (int b = 0; b < 4; ++b) define(std::string("bytes loaded into ") + to_string(static_cast<Buffer>(b)), {std::begin(DataCorners), std::end(DataCorners)});
  for (int u = 0; u < isa::UnitCount; ++u) {
    std::vector<std::string> causes;
    for (std::uint32_t c = 0; c < isa::CauseCount; ++c) {
      if (may_be(u, static_cast<isa::Cause>(c))) causes.emplace_back(isa::to_string(static_cast<isa::Cause>(c)));
    }
    define(std::string("cycles of ") + UnitNames[u], causes);
  }
  for (int u = 0; u < isa::UnitCount; ++u) {
    std::vector<std::string> depths;
    for (int d = 1; d <= machine.queue_depth; ++d) depths.push_back(occupancy(d) + (d == machine.queue_depth ? ": full" : ""));
    define(std::string("queue of ") + UnitNames[u] + " seen with", depths);
  }
  for (int u = 0; u < isa::UnitCount; ++u) {
    if (u != static_cast<int>(isa::Unit::Vector)) define(std::string("chained on ") + UnitNames[u], {"behind one in flight", "behind nothing"});
  }
  std::vector<std::string> semaphores;
  for (int s = 0; s < 16; ++s) semaphores.push_back(std::to_string(s));
  define("semaphores posted", semaphores);
  define("semaphores taken", semaphores);
  define("semaphore counts", {"1", "2", "3 to 254", "255"});
  std::vector<std::string> errors;
  for (int e = 1; e <= static_cast<int>(isa::ErrorCode::EndOfProgram); ++e) errors.emplace_back(isa::to_string(static_cast<isa::ErrorCode>(e)));
  define("errors", errors);
  define("read errors", {"load_dma", "instruction fetch"});
  define("hazards: two of one bank and direction", {"read port of vector_buffer", "read port of accumulator_buffer", "write port of vector_buffer"});
  define("hazards: a written interval meets another in",
         {"activation_buffer", "weight_buffer", "vector_buffer", "param_buffer", "accumulator_buffer", "itself"});
}

void FunctionalCoverage::define(const std::string& group, const std::vector<std::string>& bins) {
  index_[group] = groups_.size();
  groups_.push_back({group, {}});
  for (const std::string& bin : bins) groups_.back().bins.push_back({bin, 0});
}

void FunctionalCoverage::count(const std::string& group, const std::string& bin) {
  const auto at = index_.find(group);
  if (at == index_.end()) throw InternalError("no coverage group " + group);
  for (Bin& b : groups_[at->second].bins) {
    if (b.name != bin) continue;
    ++b.hits;
    return;
  }
  throw InternalError("coverage group " + group + " has no bin " + bin);
}

void FunctionalCoverage::add(const Case& c) {
  add(c, simulate_raw(c.machine, c.schedule, c.inputs, options_of(c)));
}

void FunctionalCoverage::add(const Case& c, const SimulationOutput& output) {
  // Instructions that have run, and halt; not those behind an error.
  std::vector<bool> ran(c.schedule.program.size());
  for (const TraceEvent& e : output.result.trace) ran[e.instruction] = true;
  for (std::size_t i = 0; i < c.schedule.program.size(); ++i) {
    const isa::Word& word = c.schedule.program[i];
    const bool halt = output.error_code == 0 && isa::opcode(word) == Opcode::Halt;
    if (!ran[i] && !halt) continue;
    count_word(word, c.machine);
    if (!halt) count_data(c, isa::decode(word), output);
  }
  for (int u = 0; u < isa::UnitCount; ++u) {
    for (std::uint32_t k = 0; k < isa::CauseCount; ++k) {
      const auto cause = static_cast<isa::Cause>(k);
      if (output.result.counters[static_cast<std::size_t>(u)][k] > 0) count(std::string("cycles of ") + UnitNames[u], isa::to_string(cause));
    }
  }
  count_times(c, output);
  if (output.error_code != 0) count_error(c, output);
}

void FunctionalCoverage::count_word(const isa::Word& word, const Machine& machine) {
  const Opcode opcode = isa::opcode(word);
  const isa::OpcodeInfo& info = *isa::find(opcode);
  const std::string name = info.name;
  count("opcodes", name);
  if (opcode == Opcode::Halt) return;
  for (const FieldBins& f : fields_of(opcode)) {
    count(name + "." + f.field, bin_of(f.kind, isa::get_field(word, field_info(*info.format, f.field)), machine));
  }
  const isa::Instruction i = isa::decode(word);
  if (i.unit == isa::Unit::Load) {
    const isa::Load& l = i.load;
    const int word_bytes = machine.word_bytes(static_cast<Buffer>(l.buffer));
    count("load: runs", l.window_count > 0 ? "windows" : "rows");
    if (l.window_count == 0 && l.group_bytes > word_bytes) count("load: runs", "rows of several words a group");
    if (l.window_count == 0 && l.run_bytes % l.group_bytes != 0) count("load: runs", "rows with a short last group");
    if (l.window_count > 1 && l.window_step < l.window_bytes) count("load: runs", "windows that overlap");
    if (l.window_offset < 0) count("load: runs", "windows that begin before the row");
  } else if (i.unit == isa::Unit::Store) {
    count("store: runs", i.store.group_bytes > machine.columns ? "several words a group" : "one word a group");
    if (i.store.group_bytes % machine.columns != 0) count("store: runs", "a last word in part");
    if (i.store.run_bytes % i.store.group_bytes != 0) count("store: runs", "a short last group");
  } else if (i.unit == isa::Unit::Matrix) {
    const isa::Matrix& m = i.matrix;
    const bool padded = m.origin_y < 0 || m.origin_x < 0;
    const int below = m.origin_y + (m.out_height - 1) * m.stride_y + (m.kernel_h - 1) * m.dilation_y;
    const int right = m.origin_x + (m.out_width - 1) * m.stride_x + (m.kernel_w - 1) * m.dilation_x;
    const bool beyond = below >= m.act_height || right >= m.act_width;
    if (padded) count("matrix: padding", "above or left");
    if (!padded && !beyond) count("matrix: padding", "none");
    if (!isa::touched(i, machine).items[0].any) count("matrix: padding", "taps wholly outside");
  } else {
    const isa::Vector& v = i.vector;
    const bool is_int8 = v.clamp_min == -128 && v.clamp_max == 127, is_uint8 = v.clamp_min == 0 && v.clamp_max == 255;
    count(name + ".clamp", is_int8 ? "int8: -128..127" : is_uint8 ? "uint8: 0..255" : v.clamp_min == v.clamp_max ? "one value" : "other");
  }
}

// Ends of the bytes' ranges among those that a load brings, as they are in memory at the end of the run.
void FunctionalCoverage::count_data(const Case& c, const isa::Instruction& instruction, const SimulationOutput& output) {
  if (instruction.unit != isa::Unit::Load) return;
  const isa::Load& l = instruction.load;
  std::array<bool, 256> seen{};
  const auto look = [&seen](std::uint64_t begin, std::uint64_t end, std::uint64_t part, const std::vector<std::uint8_t>& bytes) {
    end = std::min(end, part + bytes.size());
    for (std::uint64_t a = std::max(begin, part); a < end; ++a) seen[bytes[a - part]] = true;
  };
  for (int i2 = 0; i2 < l.count2; ++i2) {
    for (int i1 = 0; i1 < l.count1; ++i1) {
      const std::uint64_t begin = l.address + std::uint64_t{l.stride2} * static_cast<std::uint64_t>(i2) +
                                  std::uint64_t{l.stride1} * static_cast<std::uint64_t>(i1);
      const std::uint64_t end = begin + static_cast<std::uint64_t>(l.run_bytes);
      look(begin, end, 0, output.memory);
      std::size_t i = 0;
      for (const ScheduleTensor& part : c.schedule.tensors) {
        if (part.is_output) look(begin, end, part.address, output.outputs.at(i++));
      }
    }
  }
  const std::string group = std::string("bytes loaded into ") + to_string(static_cast<Buffer>(l.buffer));
  constexpr std::uint8_t Values[] = {0x00, 0x7f, 0x80, 0xff};
  for (int v = 0; v < 4; ++v) {
    if (seen[Values[v]]) count(group, DataCorners[v]);
  }
}

// Queues, chains and semaphores, from when instructions started and ended.
void FunctionalCoverage::count_times(const Case& c, const SimulationOutput& output) {
  constexpr std::int64_t Never = INT64_MAX;
  const std::size_t size = c.schedule.program.size();
  std::vector<std::int64_t> start(size, Never), end(size, Never);
  std::vector<int> unit(size, -1);
  for (std::size_t i = 0; i < size; ++i) {
    if (isa::find(isa::opcode(c.schedule.program[i])) != nullptr) unit[i] = static_cast<int>(isa::unit(isa::opcode(c.schedule.program[i])));
  }
  for (const TraceEvent& e : output.result.trace) {
    start[e.instruction] = e.start;
    end[e.instruction] = e.end;
  }
  // Dispatch is in order: when an instruction starts, those before it are in their queues or beyond.
  for (std::size_t i = 0; i < size; ++i) {
    if (start[i] == Never) continue;
    std::array<int, isa::UnitCount> queued{};
    for (std::size_t j = 0; j < i; ++j) {
      if (unit[j] >= 0 && unit[j] < isa::UnitCount && start[j] >= start[i]) ++queued[static_cast<std::size_t>(unit[j])];
    }
    if (start[i] > 0) ++queued[static_cast<std::size_t>(unit[i])];  // itself, until the cycle before
    for (int u = 0; u < isa::UnitCount; ++u) {
      const int n = std::min(queued[static_cast<std::size_t>(u)], c.machine.queue_depth);
      if (n > 0) count(std::string("queue of ") + UnitNames[u] + " seen with", occupancy(n) + (n == c.machine.queue_depth ? ": full" : ""));
    }
  }
  std::array<std::int64_t, isa::UnitCount> last_end{-1, -1, -1, -1};
  struct Change {
    std::int64_t cycle;
    int order;  // what was taken at the decision goes before what comes from a done
    int semaphore, by;
  };
  std::vector<Change> changes;
  for (std::size_t i = 0; i < size; ++i) {
    if (start[i] == Never) continue;
    const auto u = static_cast<std::size_t>(unit[i]);
    const isa::Header header = isa::decode(c.schedule.program[i]).header();
    if (header.chain != 0) count(std::string("chained on ") + UnitNames[u], start[i] <= last_end[u] ? "behind one in flight" : "behind nothing");
    last_end[u] = end[i];
    for (int k = 0; k < 4; ++k) {
      if ((header.wait_mask >> k & 1) == 0) continue;
      changes.push_back({start[i], 0, 4 * static_cast<int>(u) + k, -1});
      count("semaphores taken", std::to_string(4 * u + static_cast<std::size_t>(k)));
    }
    for (int s = 0; s < 16; ++s) {
      if ((header.post_mask >> s & 1) == 0 || end[i] == Never) continue;
      changes.push_back({end[i] + 1, 1, s, 1});
      count("semaphores posted", std::to_string(s));
    }
  }
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) { return std::tie(a.cycle, a.order) < std::tie(b.cycle, b.order); });
  std::array<int, 16> value{};
  for (const Change& change : changes) {
    int& v = value[static_cast<std::size_t>(change.semaphore)];
    v += change.by;
    if (change.by > 0 && v >= 1 && v <= 255) count("semaphore counts", v <= 2 ? std::to_string(v) : v == 255 ? "255" : "3 to 254");
  }
}

void FunctionalCoverage::count_error(const Case& c, const SimulationOutput& output) {
  const auto code = static_cast<isa::ErrorCode>(output.error_code);
  count("errors", isa::to_string(code));
  const std::string& text = output.error_text;
  const auto says = [&text](const std::string& part) { return text.find(part) != std::string::npos; };
  if (code == isa::ErrorCode::ReadError) count("read errors", says("fetch") ? "instruction fetch" : "load_dma");
  if (code != isa::ErrorCode::Hazard) return;
  if (says("both hold the ")) {
    const std::string direction = says("the read port") ? "read" : "write";
    for (const Buffer b : {Buffer::Vector, Buffer::Accumulator}) {
      if (says(std::string("of ") + to_string(b) + ":")) count("hazards: two of one bank and direction", direction + " port of " + to_string(b));
    }
    return;
  }
  const std::string group = "hazards: a written interval meets another in";
  if (!says("a written interval")) return count(group, "itself");
  // The buffer that both have in common: one of them writes it.
  const std::size_t writing = text.find("(writing ");
  const std::string rest = text.substr(writing + 9);
  count(group, rest.substr(0, rest.find(' ')));
  static_cast<void>(c);
}

std::int64_t FunctionalCoverage::bins() const {
  std::int64_t n = 0;
  for (const Group& g : groups_) n += static_cast<std::int64_t>(g.bins.size());
  return n;
}

std::int64_t FunctionalCoverage::hit() const { return bins() - static_cast<std::int64_t>(holes().size()); }

std::vector<std::string> FunctionalCoverage::holes() const {
  std::vector<std::string> names;
  for (const Group& g : groups_) {
    for (const Bin& b : g.bins) {
      if (b.hits == 0) names.push_back(g.name + ": " + b.name);
    }
  }
  return names;
}

// ---- RTL --------------------------------------------------------------------------------------------------------------------

namespace {

// Value of a key in Verilator's "\001key\002value\001key\002value".
std::string_view value_of(std::string_view text, std::string_view key) {
  const std::string mark = "\001" + std::string(key) + "\002";
  const std::size_t begin = text.find(mark);
  if (begin == std::string_view::npos) return {};
  const std::string_view rest = text.substr(begin + mark.size());
  return rest.substr(0, rest.find('\001'));
}

int number(std::string_view text) {
  int n = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') break;
    n = 10 * n + (c - '0');
  }
  return n;
}

// "33-35,40"
std::vector<int> lines_of(std::string_view text) {
  std::vector<int> lines;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    const std::size_t dash = part.find('-');
    const int first = number(part), last = dash == std::string_view::npos ? first : number(part.substr(dash + 1));
    for (int l = first; l <= last; ++l) lines.push_back(l);
    text.remove_prefix(std::min(text.size(), part.size() + 1));
  }
  return lines;
}

// The part of a path from its last folder on: "load_dma/load_dma.sv".
std::string short_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::size_t before = slash == std::string_view::npos || slash == 0 ? std::string_view::npos : path.rfind('/', slash - 1);
  return std::string(before == std::string_view::npos ? path : path.substr(before + 1));
}

}  // namespace

void RtlCoverage::add(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  add_text(std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()), path);
}

void RtlCoverage::add_text(std::string_view text, const std::string& path) {
  const auto refuse = [&path]() -> RunError { return RunError("E0810", "`" + path + "` holds no coverage of Verilator's", "is the disk full?"); };
  if (text.substr(0, 20) != "# SystemC::Coverage-") throw refuse();
  ++inputs_;
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    const std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    if (line.substr(0, 3) != "C '") continue;
    const std::size_t quote = line.rfind("' ");
    if (quote == std::string_view::npos) throw refuse();
    const std::string_view keys = line.substr(3, quote - 3);
    std::string_view kind = value_of(keys, "page");
    kind = kind.substr(0, kind.find('/'));
    if (kind.substr(0, 2) == "v_") kind.remove_prefix(2);
    Point& point = points_[{short_name(value_of(keys, "f")), std::string(kind), number(value_of(keys, "l")), number(value_of(keys, "n")),
                            std::string(value_of(keys, "o"))}];
    point.count += std::stoll(std::string(line.substr(quote + 2)));
    if (point.lines.empty()) point.lines = lines_of(value_of(keys, "S"));
  }
}

std::map<std::string, RtlFileCoverage> RtlCoverage::files() const {
  struct Line {
    bool run = false, all = true;
  };
  std::map<std::string, RtlFileCoverage> files;
  std::map<std::string, std::map<int, Line>> lines;
  const auto share = [](RtlFileCoverage::Share& s, bool hit) {
    ++s.all;
    s.hit += hit ? 1 : 0;
  };
  for (const auto& [key, point] : points_) {
    const auto& [file, kind, line, column, what] = key;
    const bool hit = point.count > 0;
    RtlFileCoverage& f = files[file];
    if (kind == "toggle") {
      share(f.toggles, hit);
      if (!hit) f.still_signals.push_back(what);
      continue;
    }
    if (kind == "branch") share(f.branches, hit);
    for (const int l : point.lines) {
      Line& of = lines[file][l];
      of.run = of.run || hit;
      of.all = of.all && hit;
    }
  }
  for (const auto& [file, all] : lines) {
    RtlFileCoverage& f = files[file];
    for (const auto& [number, line] : all) {
      share(f.lines, line.run);
      if (!line.run) f.missed_lines.push_back(number);
      if (line.run && !line.all) f.partly_lines.push_back(number);
    }
  }
  return files;
}

RtlFileCoverage RtlCoverage::total() const {
  RtlFileCoverage total;
  const auto sum = [](RtlFileCoverage::Share& to, const RtlFileCoverage::Share& from) {
    to.hit += from.hit;
    to.all += from.all;
  };
  for (const auto& [name, f] : files()) {
    sum(total.lines, f.lines);
    sum(total.branches, f.branches);
    sum(total.toggles, f.toggles);
  }
  return total;
}

}  // namespace gemel::regress
