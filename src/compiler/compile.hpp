// SPDX-License-Identifier: Apache-2.0
// The compiler: a quantized network and a machine give a schedule, the program with its constants and its memory map.
// Pure: no globals, no files, no printing; two threads may compile at once. docs/explanation/mapping.md tells how it decides.
#pragma once
#include <atomic>
#include <cstdint>

#include "config/machine.hpp"
#include "isa/schedule.hpp"
#include "network/network.hpp"

namespace gemel {

// With its last instruction, as the register program_bytes has 32 bits.
inline constexpr std::int64_t MostInstructions = (std::int64_t{1} << 32) / isa::InstructionBytes - 1;

inline constexpr std::uint64_t MemoryBaseUnit = 4096;  // no burst crosses a multiple of it: timing does not depend on the base

struct CompileOptions {
  bool fuse = true;            // additions and tables join the layer before them
  bool overlap_layers = true;  // layers that need only the vector unit run beside their neighbours on the array
  std::int64_t most_instructions = MostInstructions;
  std::uint64_t memory_base = 0;  // nothing lies below this address, a multiple of MemoryBaseUnit
  const std::atomic<bool>* interrupted = nullptr;  // once it is set, compiling ends in Interrupted
};

// UserError E06xx, naming layer, need and limit, if the machine cannot run a layer, or memory is too small from the base on; nothing else
// is refused. Layers whose weights are empty (timing-only networks) get addresses but no constant bytes.
Schedule compile(const Network& network, const Machine& machine, const CompileOptions& options = {});

}  // namespace gemel
