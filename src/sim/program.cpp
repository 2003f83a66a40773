// SPDX-License-Identifier: Apache-2.0
#include "gemel/program.hpp"

#include <cstring>

#include "isa/schedule.hpp"

namespace gemel {

Program Program::load(const std::string& path) {
  const Schedule schedule = Schedule::load(path);
  Program program;
  program.network = schedule.network;
  program.machine = schedule.machine;
  program.machine_text = schedule.machine_text;
  program.base = schedule.program_base;
  program.bytes = static_cast<std::uint32_t>(schedule.program.size() * isa::InstructionBytes);
  Segment instructions;
  instructions.address = schedule.program_base;
  instructions.bytes.resize(program.bytes);
  std::memcpy(instructions.bytes.data(), schedule.program.data(), program.bytes);
  program.segments.push_back(std::move(instructions));
  for (const ConstantSegment& constant : schedule.constants) program.segments.push_back({constant.address, constant.bytes});
  for (const ScheduleTensor& tensor : schedule.tensors) {
    if (tensor.is_input) program.inputs.push_back({tensor.name, tensor.address, tensor.bytes});
    if (tensor.is_output) program.outputs.push_back({tensor.name, tensor.address, tensor.bytes});
  }
  program.memory_bytes = schedule.memory_bytes_used;
  return program;
}

}  // namespace gemel
