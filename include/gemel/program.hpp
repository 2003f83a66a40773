// SPDX-License-Identifier: Apache-2.0
// A compiled schedule (NAME.gemel, made by `gemel compile`) as a platform's driver needs it: what to put where in memory.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace gemel {

struct Program {
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
  std::int64_t memory_bytes = 0;  // everything lies below

  // Throws gemel::UserError (a std::runtime_error) if the file cannot be read or is damaged.
  static Program load(const std::string& path);
};

}  // namespace gemel
