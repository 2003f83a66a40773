// SPDX-License-Identifier: Apache-2.0
// Regressions of RTL against the models: one case is a machine, a program with its data, and a choice of who stands behind each
// block. The fast models run it; then the beat engine does, with the beat models and with these blocks. Cycles, counters, times of
// instructions and every byte of memory must be equal, and the cycle and payload of every beat on every connection. pe_array alone must be equal
// between the fast models, too. A case comes from its seed, and can be kept in a folder and run again.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "config/machine.hpp"
#include "isa/schedule.hpp"
#include "regress/reach.hpp"
#include "rtl_host/library.hpp"
#include "sim/simulation.hpp"
#include "top/swap.hpp"

namespace gemel::regress {

// Runs of the same RTL that must not differ from the first.
struct Repeats {
  bool no_skip = false;  // every block clocked in every cycle: the same beats
  int resets = 0;        // other random bits in the registers at power-up, so many times: the same beats
  bool data = false;     // zeros, and other random numbers, for inputs and weights: the same times of beats
};

struct Case {
  std::string name;  // "case 17", "mixture 1023"
  Machine machine;
  Schedule schedule;
  std::vector<std::vector<std::uint8_t>> inputs;
  std::vector<BlockChoice> blocks;
  bool no_skip = false;
  int reset_seed = -1;
  Repeats repeats;
  bool again = false;  // the program runs a second time on the same chip without a reset
  std::uint64_t poison_first = 1, poison_last = 0;  // requests to these addresses are answered with an error; first > last: none
  std::int64_t abort_at = -1;              // SimulationOptions::abort_at
  std::uint32_t bytes_behind_program = 0;  // SimulationOptions::bytes_behind_program
  bool program_only = false;  // random instructions (program_case.hpp): they may end in an error, and read what nobody wrote
};

// What the fast models run it with. Memory is kept whole unless the case is spread over too much of it; then what it has to do with are its
// outputs.
SimulationOptions options_of(const Case& c);

// What has been compared; plain numbers, so that a process can tell them to another.
struct Tally {
  std::int64_t cycles = 0, instructions = 0, bytes = 0, beats = 0;
  std::int64_t errors = 0;  // cases that ended in an error of the machine: its code, cycle and instruction are compared
  std::int64_t no_skip_runs = 0, skipped = 0, skippable = 0;  // clocks that were skipped, of so many
  std::int64_t reset_runs = 0, data_runs = 0, data_beats = 0;
  std::int64_t between_fast_models = 0;  // runs of pe_array alone
  Reached reached{};  // cases whose models met it
  std::int64_t least_latency = 0, most_latency = 0, stalling = 0;  // of memory; cases with random stalls
};
Tally operator+(const Tally& a, const Tally& b);

struct Outcome {
  std::string failure;  // empty: everything is equal
  Tally tally;
};

// The machine number `index` of a seed: an array of at most 8 x 8 with other numbers everywhere else. Sixteen in a row have every
// number of outstanding bursts.
Machine random_machine_of(std::uint64_t seed, int index);
// Case `index`: one of `machines` machines with a memory of its own around it, a random network that it can run, and one of
// `block_sets` ("all=check", or several with commas), or a random one if there are none.
Case random_case(std::uint64_t seed, int index, int machines, const std::vector<std::string>& block_sets);
// The same with random instructions instead of a network; on `fixed`, if it is there, with another memory around it each time.
Case random_program_case(std::uint64_t seed, int index, int machines, const Machine* fixed, const std::vector<std::string>& block_sets);
// 1,024 mixtures of the ten top-level blocks as model or RTL, then alone: each leaf, all blocks, the whole chip. All on one small
// machine whose memory stalls, with a program that has every kind of instruction.
int mixture_count();
// "24 machines: rows 1..8, ..."
std::string describe_machines(std::uint64_t seed, int machines);
std::vector<Case> mixtures(std::uint64_t seed);

// A machine of 2 x 3 with two lanes and little of everything: small enough for counting each toggle.
Machine coverage_machine();
// Case `index` of a coverage run: small networks and random instructions in turn, with another memory around the machine each time.
Case coverage_case(std::uint64_t seed, int index, const Machine& machine, const std::vector<std::string>& block_sets);

// As in SimulationOptions. `coverage`: RTL is built to count lines and toggles, and leaves its counts in this folder.
struct RunOptions {
  RtlNotice notice;
  RtlDisplay display;
  RtlHangs hangs;
  const std::atomic<bool>* interrupted = nullptr;
  std::string coverage;
};
// Interrupted passes through; every other error is the outcome's.
Outcome run(const Case& c, const RunOptions& options = {});

// Adds 1 to what the case meets, run by beat models alone.
void count_reached(const Case& c, Reached& reached);

// The blocks of one set of `--blocks`: "pe_array=rtl,requantizer=check:mine.sv,lanes.sv". UserError E1001, E1010.
std::vector<BlockChoice> parse_set(const std::string& set);

// "requantizer=check, load_dma=rtl"
std::string describe(const std::vector<BlockChoice>& blocks);

// A folder with machine.yaml, schedule.gemel, inputs/N.bin and settings.txt.
void save(const Case& c, const std::string& folder);
Case load(const std::string& folder);

}  // namespace gemel::regress
