// SPDX-License-Identifier: Apache-2.0
// gemel/program.hpp.
#include "gemel/program.hpp"

#include <chrono>
#include <cstring>
#include <utility>

#include "compiler/compile.hpp"
#include "config/parameters.hpp"
#include "isa/isa.hpp"
#include "network/describe.hpp"
#include "session/session.hpp"

namespace gemel {
namespace {

std::vector<TensorInfo> tensors_with(const Schedule& schedule, bool ScheduleTensor::*flag) {
  std::vector<TensorInfo> tensors;
  for (const ScheduleTensor& tensor : schedule.tensors) {
    if (tensor.*flag) tensors.push_back(schedule_tensor_info(tensor));
  }
  return tensors;
}

}  // namespace

TensorInfo schedule_tensor_info(const ScheduleTensor& tensor) {
  TensorInfo info;
  info.name = tensor.name;
  info.shape.assign(tensor.shape.begin(), tensor.shape.end());
  info.type = to_string(tensor.type);
  info.scale = tensor.scale;
  info.zero_point = tensor.zero_point;
  info.bytes = tensor.bytes;
  return info;
}

void require_one_start(const Program& program) {
  const Schedule& schedule = program.inside().schedule;
  if (schedule.host_steps.empty()) return;
  std::string names;
  for (const HostStep& step : schedule.host_steps) names += (names.empty() ? "" : ", ") + ("`" + step.what.name) + "` (`" + to_string(step.what.op()) + "`)";
  throw UserError("E0515", "no single start runs the program of `" + schedule.network + "`: the NPU waits for layers on the host: " + names,
                  "run it with `gemel run` or gemel::run(), or cut the network at these layers");
}

Program::Program(std::shared_ptr<const Compiled> inside) : inside_(std::move(inside)) {}

Program Program::load(const std::string& path) {
  auto compiled = std::make_shared<Compiled>();
  compiled->schedule = Schedule::load(path);
  return Program(std::move(compiled));
}

void Program::save(const std::string& path) const { inside_->schedule.save(path); }
const std::string& Program::network() const { return inside_->schedule.network; }
const std::string& Program::machine() const { return inside_->schedule.machine; }
Machine Program::compiled_for(const std::vector<std::string>& overrides) const {
  return parse_machine(inside_->schedule.machine_file, "the machine in the program", overrides);
}
int Program::batch() const { return inside_->schedule.batch; }

bool Program::timing_only() const {
  if (inside_->network) return static_cast<const LoadedNetwork&>(*inside_->network).timing_only;
  std::int64_t weights = 0;
  for (const ScheduleLayer& layer : inside_->schedule.layers) weights += layer.weight_bytes;
  return weights > 0 && inside_->schedule.constants.empty();
}

std::vector<TensorInfo> Program::inputs() const { return tensors_with(inside_->schedule, &ScheduleTensor::is_input); }

std::vector<TensorInfo> Program::outputs() const {
  if (!inside_->network) return tensors_with(inside_->schedule, &ScheduleTensor::is_output);
  std::vector<TensorInfo> tensors;  // those made on the host among them
  for (const int t : inside_->network->outputs) tensors.push_back(tensor_info(inside_->network->tensors[static_cast<std::size_t>(t)]));
  return tensors;
}

std::vector<LayerInfo> Program::layers() const {
  std::vector<LayerInfo> layers;
  for (const ScheduleLayer& layer : inside_->schedule.layers) {
    LayerInfo info;
    static_cast<LayerShape&>(info) = layer.shape;
    info.name = layer.name;
    info.op = to_string(layer.op);
    info.macs = layer.macs;
    info.weight_bytes = layer.weight_bytes;
    info.weight_tiles = layer.weight_tiles;
    info.mapping = layer.mapping;
    layers.push_back(std::move(info));
  }
  return layers;
}

std::int64_t Program::instructions() const { return static_cast<std::int64_t>(inside_->schedule.program.size()); }
std::string Program::digest() const { return inside_->schedule.digest(); }

std::string Program::disassemble(std::int64_t instruction) const {
  return isa::disassemble(inside_->schedule.program.at(static_cast<std::size_t>(instruction)));
}

bool Program::stores_inputs() const {
  const Schedule& schedule = inside_->schedule;
  for (std::size_t t = 0; t < schedule.tensors.size(); ++t) {
    if (schedule.tensors[t].is_input && schedule.stored_inputs.count(static_cast<int>(t)) == 0) return false;
  }
  return true;
}

bool Program::stores_expected() const { return !inside_->schedule.expected.empty(); }

std::uint64_t Program::memory_base() const { return inside_->schedule.memory_base(); }
std::int64_t Program::memory_bytes() const { return inside_->schedule.memory_bytes_used; }

ProgramImage Program::image() const {
  const Schedule& schedule = inside_->schedule;
  require_one_start(*this);
  ProgramImage image;
  image.network = schedule.network;
  image.machine = schedule.machine;
  image.machine_text = schedule.machine_text;
  image.base = schedule.program_base;
  image.bytes = static_cast<std::uint32_t>(schedule.program.size() * isa::InstructionBytes);
  ProgramImage::Segment code{image.base, std::vector<std::uint8_t>(image.bytes)};
  std::memcpy(code.bytes.data(), schedule.program.data(), image.bytes);
  image.segments.push_back(std::move(code));
  for (const ConstantSegment& constant : schedule.constants) image.segments.push_back({constant.address, constant.bytes});
  for (const ScheduleTensor& tensor : schedule.tensors) {
    if (tensor.is_input) image.inputs.push_back({tensor.name, tensor.address, tensor.bytes});
    if (tensor.is_output) image.outputs.push_back({tensor.name, tensor.address, tensor.bytes});
  }
  image.memory_base = memory_base();
  image.memory_bytes = schedule.memory_bytes_used;
  return image;
}

Program compile(const NetworkPtr& network, const Machine& machine, const ProgramOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  CompileOptions compile_options;
  compile_options.fuse = options.fuse;
  compile_options.overlap_layers = options.overlap_layers;
  compile_options.memory_base = options.memory_base;
  compile_options.interrupted = options.stop.flag();
  auto compiled = std::make_shared<Compiled>();
  compiled->schedule = compile(*network, machine, compile_options);
  compiled->schedule.machine_file = to_yaml(machine);
  compiled->network = network;
  compiled->compile_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return Program(std::move(compiled));
}

Estimate estimate(const Program& program, const Machine& machine) {
  const Schedule& schedule = program.inside().schedule;
  require_machine(schedule, machine);
  const Machine other = program.compiled_for();
  for (const Parameter& p : parameters()) {
    if (p.key == "name" || p.key == "description" || p.get(other) == p.get(machine)) continue;
    throw UserError("E0512", "the prediction for `" + schedule.network + "` was made for a machine with another `" + p.key + "`: " +
                                 format_value(p, p.get(other)) + " there and " + format_value(p, p.get(machine)) + " here",
                    "compile the network for this machine, or run the program, which needs no prediction");
  }
  Estimate estimate;
  for (const ScheduleLayer& layer : schedule.layers) {
    estimate.layers.push_back({layer.name, layer.predicted_cycles});
    estimate.cycles += layer.predicted_cycles;
  }
  return estimate;
}

}  // namespace gemel
