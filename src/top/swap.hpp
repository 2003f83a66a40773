// SPDX-License-Identifier: Apache-2.0
// Which implementation stands behind each block's ports: `--block NAME=model|rtl|check[:FILE[,FILE...]]`.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "rtl_host/checked.hpp"
#include "rtl_host/library.hpp"
#include "top/npu_ports.hpp"
#include "top/stepper.hpp"

namespace gemel {

enum class BlockKind {
  Model,  // the model
  Rtl,    // the Verilated block instead of the model
  Check,  // the model drives, the Verilated block is compared with it in every cycle
};
const char* to_string(BlockKind kind);

struct BlockChoice {
  std::string block;                 // "requantizer", "vector_buffer", "pe" (inside pe_array), "all", "npu", "npu_axi"
  BlockKind kind = BlockKind::Model;
  std::vector<std::string> sources;  // empty: Gemel's own
};

// The whole chip: npu, or npu_axi around it.
inline bool is_chip(const std::string& block) { return block == "npu" || block == "npu_axi"; }
// RTL in the place of all models.
inline bool is_chip_rtl(const BlockChoice& choice) { return choice.kind == BlockKind::Rtl && is_chip(choice.block); }

// "requantizer=check:mine.sv,helper.sv". UserError E1001 (no such block, with the list), E1010 (not of this form).
BlockChoice parse_block_choice(const std::string& text);
// Later choices override earlier ones; "all" stands for every block but npu, npu_axi and pe. One entry per block, models left out.
std::vector<BlockChoice> resolve_choices(const std::vector<BlockChoice>& choices);

struct Divergence {
  std::string block;
  Difference difference;
  std::int64_t clock = 0;  // of the block, since reset: the time axis of its waves
};

// Waves of a block that is RTL, in the clocks [first, last] since its reset.
struct WaveWindow {
  std::string block, file;
  std::int64_t first = 0, last = -1;
};

// Told what the Verilog of a block displays ($display, $write), line by line or in parts; must not throw. Empty: it is dropped.
using RtlDisplay = std::function<void(const std::string& block, const char* text)>;

struct SwapOptions {
  RtlProgress progress;                            // RtlHost
  RtlNotice notice;                                // RtlHost
  const std::atomic<bool>* interrupted = nullptr;  // ends the building of RTL
  RtlDisplay display;                    // told what the Verilog displays
  RtlPulse* pulse = nullptr;             // told of every evaluation of RTL
  double* build_seconds = nullptr;       // what building and loading RTL takes is added
  std::function<void(const Divergence&)> on_divergence;  // checked blocks; called during the step
  std::vector<WaveWindow> waves;         // one of a block at most
  // Of a `pe` of somebody's: told the places of the array (as Verilog prints them, rtl/pe/pe_probe.sv) whose sums are wrong in a clock.
  std::function<void(const char* places, std::int64_t clock)> pe_probe;
  bool no_skip = false;    // evaluates RTL in every clock, also while it is quiet
  int reset_seed = -1;     // >= 0: registers of RTL start with random bits of this seed, and so do payload inputs in every clock without valid
  // Stands between a Verilated block and its adapter, for tools that record what goes through. May be empty.
  std::function<std::unique_ptr<RtlModel>(const std::string& block, const std::string& library, std::unique_ptr<RtlModel>)> wrap;
  std::string coverage;    // folder for the counts of lines and toggles of RTL, or empty
};

// The blocks for a stepper. The program is for the sequencer's adapter.
StepperBlocks make_blocks(const Machine& machine, const std::vector<BlockChoice>& choices, const std::vector<isa::Word>& program,
                          const SwapOptions& options);

// The whole chip, of the choice "npu=rtl" or "npu_axi=rtl".
std::unique_ptr<NpuBlock> make_npu(const Machine& machine, const std::vector<BlockChoice>& choices, const SwapOptions& options);
// With "npu=check" or "npu_axi=check": puts the chip beside the stepper's blocks. It gets what they get; every pin is compared in every cycle.
void check_npu(Stepper& stepper, const Machine& machine, const std::vector<BlockChoice>& choices, const SwapOptions& options);

}  // namespace gemel
