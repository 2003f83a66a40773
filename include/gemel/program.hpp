// SPDX-License-Identifier: Apache-2.0
// Compiled programs: from a network and a machine, from and to files NAME.gemel; what the compiler predicts of them; and what a
// platform's driver needs to run one.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gemel/export.hpp"
#include "gemel/layer.hpp"
#include "gemel/machine.hpp"
#include "gemel/network.hpp"

namespace gemel {

// What to put where in memory, and what to write into the registers.
struct ProgramImage {
  struct Segment {
    std::uint64_t address = 0;
    std::vector<std::uint8_t> bytes;
  };
  struct Region {
    std::string name;
    std::uint64_t address = 0;
    std::int64_t bytes = 0;
  };
  std::string network;            // its name
  std::string machine;            // name of the machine that it was compiled for
  std::string machine_text;       // the parameters of that machine which programs depend on, `key=value` a line; Npu::require() compares
  std::uint64_t base = 0;         // CSRs program_base_low, program_base_high
  std::uint32_t bytes = 0;        // CSR program_bytes
  std::vector<Segment> segments;  // the instructions and all constants
  std::vector<Region> inputs, outputs;
  std::uint64_t memory_base = 0;  // nothing lies below this address, ProgramOptions::memory_base
  std::int64_t memory_bytes = 0;  // everything lies below this one
};

struct Compiled;  // inside

// An immutable program for one machine; copies share it, and any number of threads may use it.
class GEMEL_API Program {
 public:
  // UserError E0501 to E0507: the file cannot be read, is none, damaged, or of another version.
  static Program load(const std::string& path);
  // Whole or not at all. UserError E0902.
  void save(const std::string& path) const;

  const std::string& network() const;         // name
  const std::string& machine() const;         // name of the machine it was compiled for
  // That machine as it was then, with all of its parameters, and with `overrides` applied. UserError E01xx.
  Machine compiled_for(const std::vector<std::string>& overrides = {}) const;
  int batch() const;
  bool timing_only() const;                   // made of a network without weights: no data can be computed
  std::vector<TensorInfo> inputs() const, outputs() const;
  std::vector<LayerInfo> layers() const;
  std::int64_t instructions() const;
  std::uint64_t memory_base() const;          // nothing lies below this address
  std::int64_t memory_bytes() const;          // everything lies below this one
  std::string digest() const;                 // 16 hexadecimal digits over all that is run
  std::string disassemble(std::int64_t instruction) const;  // one of instructions()

  // A case as one file: the program with the bytes of its inputs, and what must be in memory when a layer is complete.
  bool stores_inputs() const;                 // of all inputs
  bool stores_expected() const;
  // This program with such data. `inputs` and `seed`: as in RunOptions. `expected`: with the reference's tensors, too; UserError E0513 if the
  // network is not known, because the program came from a file.
  Program with_data(const std::vector<std::vector<std::uint8_t>>& inputs, std::uint64_t seed, bool expected) const;

  // UserError E0515 if it waits for layers on the host: then no single start runs it.
  ProgramImage image() const;

  explicit Program(std::shared_ptr<const Compiled> inside);
  const Compiled& inside() const { return *inside_; }

 private:
  std::shared_ptr<const Compiled> inside_;
};

struct ProgramOptions {
  bool fuse = true;            // additions and tables join the layer before them
  bool overlap_layers = true;  // layers that need only the vector unit run beside their neighbours on the array
  // Where in memory the program and its data begin, a multiple of 4096: several programs, or several NPUs, share a memory. Cycles do not
  // depend on it.
  std::uint64_t memory_base = 0;
  StopToken stop;
};

// Pure: no globals, no files; any number of threads may compile at once. UserError E06xx, naming layer, need and limit, if the
// machine cannot run a layer or has too little memory; E0606 for a base that cannot be.
GEMEL_API Program compile(const NetworkPtr& network, const Machine& machine, const ProgramOptions& options = {});

// A prediction, not a simulation: the compiler's own model of time, in microseconds instead of milliseconds. It is within
// `error_share` of the simulated cycles for every shipped network on every shipped machine (tests/session measures that).
struct Estimate {
  struct Layer {
    std::string name;
    std::int64_t cycles = 0;  // by how much the layer moves the end
  };
  std::int64_t cycles = 0;
  double error_share = 0.03;
  std::vector<Layer> layers;
};
// UserError E0505 if the program is for another machine, latencies and clock included: compile it for this one.
GEMEL_API Estimate estimate(const Program& program, const Machine& machine);

}  // namespace gemel
