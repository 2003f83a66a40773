// SPDX-License-Identifier: Apache-2.0
// The table of parameters; see parameters.hpp. To add one: a member of Machine, a row here (in_digest: would a program compiled for the
// old value go wrong with the new one?), a line in each file of configs/.
#include "config/parameters.hpp"

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "config/yaml_reader.hpp"
#include "gemel/isa.gen.hpp"

namespace gemel {
namespace {

constexpr std::int64_t KiB = 1 << 10;
constexpr std::int64_t GiB = std::int64_t{1} << 30;
constexpr double BandwidthStep = 0.001;  // Machine::millibytes_per_cycle() is exact

template <typename T>
T integer_of(const ParameterValue& value) {
  return static_cast<T>(std::get<std::int64_t>(value));
}

// get and set of one integer member, as plain function pointers.
#define GEMEL_INTEGER(member)                                                        \
  [](const Machine& m) -> ParameterValue { return std::int64_t{m.member}; },         \
      [](Machine& m, const ParameterValue& v) { m.member = integer_of<decltype(m.member)>(v); }

Parameter integer(std::string key, std::string unit, double least, double most, bool in_digest, std::string sentence,
                  ParameterValue (*get)(const Machine&), void (*set)(Machine&, const ParameterValue&)) {
  return {std::move(key), ParameterType::Integer, std::move(unit), least, most, false, {}, true, in_digest,
          std::move(sentence), get, set};
}

Parameter power_of_two(Parameter parameter) {
  parameter.power_of_two = true;
  return parameter;
}

Parameter optional(Parameter parameter) {
  parameter.required = false;
  return parameter;
}

template <Buffer B>
void add_buffer(std::vector<Parameter>& table, const std::string& contents) {
  const std::string name = to_string(B);
  table.push_back({name + ".size_bytes", ParameterType::SizeBytes, "bytes", 1, static_cast<double>(GiB), false, {}, true, true,
                   "Size of the scratchpad that holds " + contents + ".",
                   [](const Machine& m) -> ParameterValue { return m.buffer(B).size_bytes; },
                   [](Machine& m, const ParameterValue& v) { m.buffer(B).size_bytes = integer_of<std::int64_t>(v); }});
  table.push_back(integer(name + ".banks", "banks", 1, 16, true,
                          "Banks of the " + name + ", each one read and one write port; word w lies in bank w / words per bank.",
                          [](const Machine& m) -> ParameterValue { return std::int64_t{m.buffer(B).banks}; },
                          [](Machine& m, const ParameterValue& v) { m.buffer(B).banks = integer_of<int>(v); }));
}

std::vector<Parameter> declare() {
  std::vector<Parameter> t;
  t.push_back({"name", ParameterType::Name, "", 0, 0, false, {}, true, false,
               "Name of the machine, as it appears in results; for a file in configs/ the file's own name.",
               [](const Machine& m) -> ParameterValue { return m.name; },
               [](Machine& m, const ParameterValue& v) { m.name = std::get<std::string>(v); }});
  t.push_back({"description", ParameterType::Text, "", 0, 0, false, {}, false, false, "One sentence on what the machine is for.",
               [](const Machine& m) -> ParameterValue { return m.description; },
               [](Machine& m, const ParameterValue& v) { m.description = std::get<std::string>(v); }});
  t.push_back({"clock_mhz", ParameterType::Number, "MHz", 0.001, 100000, false, {}, true, false,
               "Frequency of the one clock; only turns cycles into seconds.",
               [](const Machine& m) -> ParameterValue { return m.clock_mhz; },
               [](Machine& m, const ParameterValue& v) { m.clock_mhz = std::get<double>(v); }});

  t.push_back(integer("pe_array.rows", "rows", 1, 256, true,
                      "Rows R of the systolic array: input channels (and packed taps) that one pass sums up; bytes of an activation word.",
                      GEMEL_INTEGER(rows)));
  t.push_back(integer("pe_array.columns", "columns", 1, 256, true,
                      "Columns C of the systolic array: output channels of one pass; bytes of a weight, vector or param word.",
                      GEMEL_INTEGER(columns)));
  t.push_back(integer("vector_unit.lanes", "lanes", 1, 256, true,
                      "Elements L that the vector unit works on at once, at most C; a C-wide word takes ceil(C/L) cycles per operation.",
                      GEMEL_INTEGER(lanes)));

  add_buffer<Buffer::Activation>(t, "inputs of the array, in words of R bytes");
  add_buffer<Buffer::Weight>(t, "weights, in words of C bytes");
  add_buffer<Buffer::Accumulator>(t, "32-bit sums, in words of C sums (4*C bytes)");
  add_buffer<Buffer::Vector>(t, "operands and results of the vector unit, in words of C bytes");
  add_buffer<Buffer::Param>(t, "biases, multipliers, shifts and tables, in words of C bytes");

  t.push_back(power_of_two(integer("bus.bytes", "bytes", 4, 128, true, "Width of the AXI data buses: bytes per beat, each way.",
                                   GEMEL_INTEGER(bus_bytes))));
  t.push_back(power_of_two(integer("dma.burst_bytes", "bytes", 4, 4096, true,
                                   "Longest burst; no burst crosses a multiple of it. At least bus.bytes, at most 256 beats.", GEMEL_INTEGER(burst_bytes))));
  t.push_back(integer("load_dma.outstanding", "bursts", 1, 64, false,
                      "Read bursts that load_dma has asked for and not yet drained, at most; the depth of its FIFO.",
                      GEMEL_INTEGER(load_outstanding)));
  t.push_back(integer("store_dma.outstanding", "bursts", 1, 64, false, "Write bursts that store_dma has under way, at most.",
                      GEMEL_INTEGER(store_outstanding)));
  t.push_back(integer("sequencer.queue_depth", "instructions", 1, 64, false,
                      "Instructions that each unit's queue holds: accepted and not yet started.", GEMEL_INTEGER(queue_depth)));
  t.push_back(integer("sequencer.prefetch_instructions", "instructions", 1, 256, false,
                      "Instructions of 64 bytes that the fetch FIFO holds; at least one burst.", GEMEL_INTEGER(prefetch_instructions)));

  t.push_back({"memory.kind", ParameterType::Choice, "", 0, 0, false, {"ideal"}, true, false,
               "Model of the memory outside: `ideal` has a latency, constant or with jitter, and a bandwidth.",
               [](const Machine& m) -> ParameterValue { return std::string(to_string(m.memory_kind)); },
               [](Machine& m, const ParameterValue&) { m.memory_kind = MemoryKind::Ideal; }});
  t.push_back(integer("memory.read_latency_cycles", "cycles", 1, 100000, false,
                      "Cycles from a read request on the wires to its first beat, where nothing else is in the way.",
                      GEMEL_INTEGER(read_latency_cycles)));
  t.push_back(integer("memory.write_latency_cycles", "cycles", 1, 100000, false,
                      "Cycles from the last beat of a write on the wires to its response.", GEMEL_INTEGER(write_latency_cycles)));
  t.push_back({"memory.bytes_per_cycle", ParameterType::Number, "bytes", BandwidthStep, 4096, false, {}, true, false,
               "Bandwidth of the memory, each way, shared by the ports that read (or write); a fraction, too.",
               [](const Machine& m) -> ParameterValue { return m.memory_bytes_per_cycle; },
               [](Machine& m, const ParameterValue& v) {
                 m.memory_bytes_per_cycle = std::round(std::get<double>(v) / BandwidthStep) / std::round(1 / BandwidthStep);
               },
               BandwidthStep});
  t.push_back(integer("memory.queue", "bursts", 1, 1024, false, "Bursts Q that the memory accepts per port and has not completed.",
                      GEMEL_INTEGER(memory_queue)));
  t.push_back(optional(integer("memory.jitter_cycles", "cycles", 0, 100000, false,
                               "Random extra latency J of a burst, at most: each draws 0 to J cycles; 0 is a memory without.",
                               GEMEL_INTEGER(jitter_cycles))));
  t.push_back(optional(integer("memory.jitter_seed", "", 0, 2147483647, false,
                               "Seed of the extra latencies: the same seed gives the same cycles, everywhere and always.",
                               GEMEL_INTEGER(jitter_seed))));
  const auto stall = [&t](const std::string& channel, const std::string& what, ParameterValue (*get)(const Machine&),
                          void (*set)(Machine&, const ParameterValue&)) {
    t.push_back(optional(integer("memory." + channel + "_stall_percent", "%", 0, 99, false,
                                 "Random cycles in which " + what + ", for tests; 0 is none.", get, set)));
  };
  stall("ar", "the bridge accepts no read request", GEMEL_INTEGER(stall_percent.ar));
  stall("r", "no beat of read data arrives", GEMEL_INTEGER(stall_percent.r));
  stall("aw", "the bridge accepts no write request", GEMEL_INTEGER(stall_percent.aw));
  stall("w", "the bridge takes no beat of written data", GEMEL_INTEGER(stall_percent.w));
  stall("b", "no response to a write arrives", GEMEL_INTEGER(stall_percent.b));
  t.push_back(optional(integer("memory.stall_seed", "", 0, 2147483647, false,
                               "Seed of these stalls: the same seed gives the same cycles, everywhere and always.",
                               GEMEL_INTEGER(stall_seed))));
  t.push_back({"memory.size_bytes", ParameterType::SizeBytes, "bytes", 4.0 * KiB, static_cast<double>(isa::MemoryAddresses), false, {}, true, false,
               "Size of the memory outside, a multiple of 4KiB; costs nothing until it is written to.",
               [](const Machine& m) -> ParameterValue { return m.memory_bytes; },
               [](Machine& m, const ParameterValue& v) { m.memory_bytes = integer_of<std::int64_t>(v); }});
  return t;
}

#undef GEMEL_INTEGER

std::string bound(const Parameter& p, double value) {
  if (p.type == ParameterType::Number) return format_number(value);
  const auto whole = static_cast<std::int64_t>(value);
  return p.type == ParameterType::SizeBytes ? format_size_bytes(whole) : std::to_string(whole);
}

}  // namespace

const char* to_string(ParameterType type) {
  switch (type) {
    case ParameterType::Name: return "name";
    case ParameterType::Text: return "text";
    case ParameterType::Integer: return "integer";
    case ParameterType::SizeBytes: return "size";
    case ParameterType::Number: return "number";
    case ParameterType::Choice: return "choice";
  }
  return "?";
}

std::string Parameter::group() const {
  const auto dot = key.rfind('.');
  return dot == std::string::npos ? std::string() : key.substr(0, dot);
}

std::string Parameter::leaf() const { return key.substr(key.rfind('.') + 1); }

std::string Parameter::range() const {
  switch (type) {
    case ParameterType::Name: return "1 to 64 letters, digits, `_`, `-` or `.`";
    case ParameterType::Text: return "";
    case ParameterType::Choice: {
      std::vector<std::string> quoted;
      for (const auto& choice : choices) quoted.push_back("`" + choice + "`");
      return join_or(quoted);
    }
    case ParameterType::Integer:
    case ParameterType::SizeBytes:
    case ParameterType::Number: break;
  }
  const std::string span = bound(*this, least) + " to " + bound(*this, most);
  if (step > 0) return span + " in steps of " + format_number(step);
  return power_of_two ? "a power of two from " + span : span;
}

const std::vector<Parameter>& parameters() {
  static const std::vector<Parameter> table = declare();  // constant after its first use
  return table;
}

const Parameter* find_parameter(const std::string& key) {
  const auto& table = parameters();
  const auto row = std::find_if(table.begin(), table.end(), [&](const Parameter& p) { return p.key == key; });
  return row == table.end() ? nullptr : &*row;
}

std::vector<std::string> parameter_keys() {
  std::vector<std::string> keys;
  for (const auto& p : parameters()) keys.push_back(p.key);
  return keys;
}

std::string format_value(const Parameter& parameter, const ParameterValue& value) {
  if (const auto* number = std::get_if<double>(&value)) return format_number(*number);
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    return parameter.type == ParameterType::SizeBytes ? format_size_bytes(*whole) : std::to_string(*whole);
  }
  const auto& text = std::get<std::string>(value);
  if (parameter.type == ParameterType::Choice) return text;
  // Double quotes, as YAML and JSON have them: any text survives.
  static const char hex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\x";
      out += hex[byte >> 4];
      out += hex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string default_value(const Parameter& parameter) {
  if (parameter.type == ParameterType::Name) return {};
  Machine machine;
  machine.buffer(Buffer::Activation) = {128 * KiB, 8};
  machine.buffer(Buffer::Weight) = {64 * KiB, 4};
  machine.buffer(Buffer::Accumulator) = {64 * KiB, 4};
  machine.buffer(Buffer::Vector) = {128 * KiB, 8};
  machine.buffer(Buffer::Param) = {4 * KiB, 4};
  return format_value(parameter, parameter.get(machine));
}

std::vector<std::pair<std::string, std::string>> check_machine(const Machine& m) {
  std::vector<std::pair<std::string, std::string>> wrong;
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  if (m.lanes > m.columns) {
    wrong.emplace_back("vector_unit.lanes", "`vector_unit.lanes` is " + number(m.lanes) +
                                                ", but must be at most `pe_array.columns`, which is " + number(m.columns));
  }
  if (m.burst_bytes < m.bus_bytes) {
    wrong.emplace_back("dma.burst_bytes", "`dma.burst_bytes` is " + number(m.burst_bytes) +
                                              ", but must be at least `bus.bytes`, which is " + number(m.bus_bytes));
  }
  constexpr int MostBeats = 256;  // of an AXI4 burst
  if (m.burst_bytes > MostBeats * m.bus_bytes) {
    wrong.emplace_back("dma.burst_bytes", "`dma.burst_bytes` is " + number(m.burst_bytes) + ", but a burst has at most " + number(MostBeats) +
                                              " beats, which are " + number(MostBeats * m.bus_bytes) + " bytes on a bus of " +
                                              number(m.bus_bytes) + " (`bus.bytes`)");
  }
  if (m.prefetch_instructions * isa::InstructionBytes < m.burst_bytes) {
    wrong.emplace_back("sequencer.prefetch_instructions",
                       "`sequencer.prefetch_instructions` is " + number(m.prefetch_instructions) + ", but a burst of " +
                           number(m.burst_bytes) + " bytes (`dma.burst_bytes`) brings " +
                           number(m.burst_bytes / isa::InstructionBytes) + " instructions, which must fit");
  }
  for (int i = 0; i < BufferCount; ++i) {
    const auto b = static_cast<Buffer>(i);
    const std::string key = std::string(to_string(b)) + ".size_bytes";
    const std::int64_t need = std::int64_t{m.word_bytes(b)} * m.buffer(b).banks;
    if (m.buffer(b).size_bytes < need) {
      wrong.emplace_back(key, "`" + key + "` is " + format_size_bytes(m.buffer(b).size_bytes) + ", but " +
                                  number(m.buffer(b).banks) + (m.buffer(b).banks == 1 ? " bank" : " banks") + " of one word of " +
                                  number(m.word_bytes(b)) + (m.word_bytes(b) == 1 ? " byte" : " bytes") + " need " + number(need));
    } else if (m.words(b) > isa::WordAddresses) {
      wrong.emplace_back(key, "`" + key + "` is " + format_size_bytes(m.buffer(b).size_bytes) + ", which is " + number(m.words(b)) +
                                  " words of " + number(m.word_bytes(b)) + (m.word_bytes(b) == 1 ? " byte" : " bytes") +
                                  ", but instructions can address " + number(isa::WordAddresses));
    }
  }
  if (m.memory_bytes % (4 * KiB) != 0) {
    wrong.emplace_back("memory.size_bytes",
                       "`memory.size_bytes` is " + format_size_bytes(m.memory_bytes) + ", but must be a multiple of 4KiB");
  }
  return wrong;
}

std::vector<std::pair<std::string, std::string>> useless_parameters(const Machine& m) {
  std::vector<std::pair<std::string, std::string>> useless;
  if (m.memory_bytes_per_cycle > m.bus_bytes) {
    useless.emplace_back("memory.bytes_per_cycle", "`memory.bytes_per_cycle` is " + format_number(m.memory_bytes_per_cycle) +
                                                       ", and `bus.bytes` of " + std::to_string(m.bus_bytes) +
                                                       " lets no more through in each direction");
  }
  return useless;
}

}  // namespace gemel
