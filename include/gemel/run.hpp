// SPDX-License-Identifier: Apache-2.0
// Runs a program on a machine and compares every layer with the reference.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gemel/engine.hpp"
#include "gemel/export.hpp"
#include "gemel/machine.hpp"
#include "gemel/observer.hpp"
#include "gemel/program.hpp"
#include "gemel/result.hpp"

namespace gemel {

struct RunOptions {
  // Bytes of the inputs in order, dense. An input that is missing or empty is what the program's file stores for it, or else drawn
  // from `seed`.
  std::vector<std::vector<std::uint8_t>> inputs;
  // Who stands behind blocks' ports, as --block has it: "pe_array=rtl", "requantizer=check:mine.sv". Empty: the models.
  std::vector<std::string> blocks;
  std::optional<Engine> engine;        // default: what `blocks` need
  std::uint64_t seed = 1;              // of inputs that are drawn
  bool test_images = false;            // run all test images that came with the network, batch by batch, and count the right answers
  bool compare = true;                 // with the reference, layer by layer, where it is known (see run())
  // Names of tensors (a layer's output has the layer's name) that Result::tensors is to have, from the reference: the machine's own bytes
  // were equal wherever the layer's `compared` is "equal". "*" is all of them. Needs data and `compare`.
  std::vector<std::string> keep_tensors;
  bool timing_only = false;            // cycles without data; so is every run of a program without weights
  bool trace = false;                  // fill Result::trace
  std::int64_t max_cycles = std::int64_t{1} << 40;
  bool keep_going = false;             // count differences of checked blocks instead of ending with the first
  bool no_skip = false;                // clock RTL and beat models in every cycle, also when all are quiet
  std::optional<int> reset_seed;       // registers of RTL start with random bits of this seed
  // A run that ends in RunError (but not for the limit of cycles) is kept in this file: program, machine, inputs and expected tensors, to be
  // loaded and run again. Empty: nowhere.
  std::string case_file;
  std::string waves_folder;            // for waves around the first difference of a checked block; empty: none
  // Waves of blocks that are RTL, in a window of clocks since the block's reset, "requantizer:400:600", whether they differ or not: into
  // waves_folder, as requantizer_400_600.fst. One window of each block.
  std::vector<std::string> waves;
  Observer* observer = nullptr;
  StopToken stop;
};

// The reference is the network that the program was compiled from, or the expected tensors in the program's file; a program from a
// file without them is not compared. Throws
//   UserError    E0505 a program for another machine; E0510 inputs that do not fit; E0513, E0514 tensors to keep that are not known;
//                E0911 options that contradict each other; E0107, E0108 a machine that cannot be; E10xx blocks and their RTL
//   RunError     E0801 the machine's own error, E0802 deadlock, E0803 cycle limit, E0804 difference from the reference, E0805
//                overlapping memory accesses, E0806 a checked block differs from its model, E0807, E0808 RTL that misbehaves
//   Interrupted  `stop` was requested
GEMEL_API Result run(const Program& program, const Machine& machine, const RunOptions& options = {});

// What run() checks before anything else: UserError E0911, E1001, E1010, E1023.
GEMEL_API void check(const RunOptions& options);

}  // namespace gemel
