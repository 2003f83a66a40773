// SPDX-License-Identifier: Apache-2.0
// A machine: every parameter of the hardware, resolved and validated before cycle 0. src/config/parameters.cpp declares each
// field once (key, type, unit, default, range, sentence); the parser, `gemel explain`, the reference page and the JSON schema
// come from there.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "gemel/error.hpp"
#include "gemel/export.hpp"

namespace gemel {

// The five scratchpads, in the numbering used by instructions (isa.toml, enum buffer).
enum class Buffer : std::uint8_t { Activation = 0, Weight = 1, Vector = 2, Param = 3, Accumulator = 4 };
inline constexpr int BufferCount = 5;
GEMEL_API const char* to_string(Buffer buffer);  // "activation_buffer", ...

struct ScratchpadParams {
  std::int64_t size_bytes = 0;
  int banks = 1;
};

// What stands behind the AXI ports. More kinds (DRAM timing) are to come; none of them changes data.
enum class MemoryKind : std::uint8_t { Ideal };
GEMEL_API const char* to_string(MemoryKind kind);  // "ideal"

// How many of a hundred cycles a channel of AXI stands still, for tests.
struct StallPercent {
  int ar = 0, r = 0, aw = 0, w = 0, b = 0;
};

struct GEMEL_API Machine {
  std::string name;
  std::string description;
  double clock_mhz = 1000.0;

  int rows = 16;      // pe_array.rows R, 1..256
  int columns = 16;   // pe_array.columns C, 1..256
  int lanes = 16;     // vector_unit.lanes L, 1..columns

  std::array<ScratchpadParams, BufferCount> buffers;  // indexed by Buffer

  int bus_bytes = 16;           // bus.bytes: AXI data width, a power of two, 4..128
  int burst_bytes = 256;        // dma.burst_bytes: a power of two, bus_bytes..4096
  int load_outstanding = 16;    // load_dma.outstanding N, 1..64
  int store_outstanding = 16;   // store_dma.outstanding N, 1..64
  int queue_depth = 8;          // sequencer.queue_depth: accepted, unstarted instructions per unit, 1..64
  int prefetch_instructions = 16;  // sequencer.prefetch_instructions: instruction FIFO, >= burst_bytes/64, 1..256

  MemoryKind memory_kind = MemoryKind::Ideal;  // memory.kind
  int read_latency_cycles = 100;   // memory.read_latency_cycles: AR on the wires to first beat, 1..100000
  int write_latency_cycles = 100;  // memory.write_latency_cycles: last W beat to B, 1..100000
  double memory_bytes_per_cycle = 16;  // memory.bytes_per_cycle, each way, 0.001..4096 in steps of 0.001
  int memory_queue = 64;           // memory.queue Q: accepted and uncompleted bursts per port, 1..1024
  int jitter_cycles = 0;           // memory.jitter_cycles J: random extra latency of a burst, at most; 0..100000
  int jitter_seed = 0;             // memory.jitter_seed, 0..2^31-1
  StallPercent stall_percent;      // memory.ar_stall_percent, ...: 0..99
  int stall_seed = 0;              // memory.stall_seed, 0..2^31-1
  std::int64_t memory_bytes = std::int64_t{1} << 30;  // memory.size_bytes: a multiple of 4 KiB up to 2^40; backed lazily

  const ScratchpadParams& buffer(Buffer b) const { return buffers[static_cast<int>(b)]; }
  ScratchpadParams& buffer(Buffer b) { return buffers[static_cast<int>(b)]; }
  // Bytes that one direction moves in 1000 cycles: the lesser of bus.bytes and memory.bytes_per_cycle, exactly.
  std::int64_t millibytes_per_cycle() const;
  // Bytes of one word: R for activation, 4*C for accumulator, C for the others.
  int word_bytes(Buffer b) const;
  // Whole words in a buffer, rounded down to a multiple of its banks. Word w lives in bank w / bank_words.
  std::int64_t words(Buffer b) const;
  std::int64_t bank_words(Buffer b) const;
};

// The machine of that name (list_machines()) or in that file (anything with a `/`, or ending in .yaml or .yml), with `overrides`
// ("pe_array.rows=32") applied. UserError E01xx with everything that is wrong.
GEMEL_API Machine load_machine(const std::string& name_or_path, const std::vector<std::string>& overrides = {});
// The same from the text of a machine file; `file` is what messages call it.
GEMEL_API Machine parse_machine(const std::string& text, const std::string& file, const std::vector<std::string>& overrides = {});
// A machine with `overrides` applied, in microseconds; UserError as above, with places in to_yaml(machine).
GEMEL_API Machine change_machine(const Machine& machine, const std::vector<std::string>& overrides);
// A machine file; parse_machine() gives the same machine back.
GEMEL_API std::string to_yaml(const Machine& machine);
// Names of the machines that come with Gemel, sorted.
GEMEL_API std::vector<std::string> list_machines();
// What is legal and yet of no use, such as a memory that is faster than the bus to it: warnings W01xx.
GEMEL_API std::vector<Diagnostic> machine_warnings(const Machine& machine);

}  // namespace gemel
