// SPDX-License-Identifier: Apache-2.0
// A schedule: what the compiler emits and the simulator runs. Instructions, the constants that must lie in memory before
// the start, and what is needed to talk about the run: tensors, layers, predictions. Lives in a file NAME.gemel, which is a
// safetensors file with JSON metadata; a checksum covers all of it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "config/machine.hpp"
#include "gemel/isa.gen.hpp"
#include "gemel/layer.hpp"
#include "network/network.hpp"

namespace gemel {

// Bytes that memory holds before the start: weights, parameters, tables.
struct ConstantSegment {
  std::uint64_t address = 0;
  std::vector<std::uint8_t> bytes;
};

// A tensor of the network as it lies in memory (dense, row-major).
struct ScheduleTensor {
  std::string name;
  Shape shape;                 // with the schedule's batch
  ElementType type = ElementType::Int8;
  double scale = 1.0;
  int zero_point = 0;
  bool in_memory = true;       // false: it only ever lives on the chip; address and bytes are 0
  std::uint64_t address = 0;
  std::int64_t bytes = 0;
  int layer = -1;              // that produces it; -1: an input of the network
  bool is_input = false;
  bool is_output = false;      // handed out by the program: an output of the network, or read by a layer on the host
};

// The same as a tensor of a network: name, shape, type, scale and zero point.
Tensor tensor_of(const ScheduleTensor& tensor);

struct ScheduleLayer {
  std::string name;
  Op op = Op::Conv2d;
  LayerShape shape;            // for reports
  int output = -1;             // tensor
  std::int64_t macs = 0;       // of the whole batch, without those of tiles that are left out
  std::int64_t weight_bytes = 0;
  WeightTiles weight_tiles;
  // Its instructions lie within [first, last] (others' may lie between); -1, -1 if it has none (a view).
  int first_instruction = -1;
  int last_instruction = -1;
  // Store instruction after whose completion the output tensor is complete in memory; -1: it never is (fused, or a view).
  int complete_after = -1;
  std::int64_t predicted_cycles = 0;
  std::vector<LayerMapping> mapping;  // for reports
  bool on_host = false;        // runs on the host: between two parts (Schedule::host_steps), or when all have halted (ops::finish_on_host)
};

// A layer that runs on the host before a part of the program: its inputs and its output lie in memory.
struct HostStep {
  int layer = -1;              // of ScheduleLayer
  int before = 0;              // part
  Layer what;                  // tensors are those of the schedule
  // Where its result stands a second time, in the order of the weights of a layer that multiplies with it.
  struct Weights {
    std::uint64_t address = 0;
    std::vector<std::int32_t> source;  // for each byte from there on: the element of the result; -1: its zero point
  };
  std::vector<Weights> weights;
};

struct Schedule {
  std::string network;
  std::string machine;         // name
  std::string machine_text;    // machine_text() (config/digest.hpp) of the machine it was made for
  std::string machine_file;    // that machine as a file, with all of its parameters; may be empty
  int batch = 1;
  std::uint64_t program_base = 0;   // address of the first instruction, a multiple of 64
  std::vector<isa::Word> program;   // ends with halt
  // A program of several parts: the first instruction of each part but the first. Each ends with halt and is started for itself, by its own
  // address and size, when the part before has halted and the host steps between are done.
  std::vector<std::uint32_t> further_parts;
  std::vector<HostStep> host_steps;  // in the order in which they run
  int parts() const { return 1 + static_cast<int>(further_parts.size()); }
  std::vector<ConstantSegment> constants;
  std::vector<ScheduleTensor> tensors;
  std::vector<ScheduleLayer> layers;
  std::int64_t memory_bytes_used = 0;  // everything lies below this address, the program too
  std::uint64_t memory_base() const;   // nothing lies below this one

  // A case in one file: bytes by tensor. Of inputs: what the program is run with unless it is given others; and what must then be in
  // memory when a tensor is complete. Either may lack tensors, or be empty.
  std::map<int, std::vector<std::uint8_t>> stored_inputs, expected;

  std::int64_t host_bytes = 0;  // read and written by layers on the host

  // Whole or not at all; throws as write_file_atomically() (base/files.hpp), and E0508 if layers run on the host.
  void save(const std::string& path) const;
  std::string bytes() const;  // what save() writes
  std::string digest() const;  // 16 hexadecimal digits over instructions, constants, tensors and the machine's machine_text()

  // Throw UserError: E0501 cannot be read, E0502 no schedule or cut short, E0503 of another version, E0504 damaged,
  // E0507 contradicts itself (an illegal instruction, an index beyond its table).
  static Schedule load(const std::string& path);
  enum class Checksum { Verify, Ignore };  // Ignore: only for fuzzing what lies behind it
  static Schedule from_bytes(const void* bytes, std::size_t size, const std::string& name,
                             Checksum verification = Checksum::Verify);
};

// Throws UserError: E0505 says which parameters differ, E0506 that the machine's memory is too small.
void require_machine(const Schedule& schedule, const Machine& machine);
// E0505 only: `compiled_for` is the name of the machine whose machine_text() `text` is.
void require_machine(const std::string& network, const std::string& compiled_for, const std::string& text, const Machine& machine);

}  // namespace gemel
