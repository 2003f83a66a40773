// SPDX-License-Identifier: Apache-2.0
#include "sim/run.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cstring>

#include "blocks/matrix_unit/matrix_unit_ports.hpp"

namespace gemel {

std::int64_t payload_bytes(const isa::Instruction& instruction) {
  const isa::Extent hull = isa::memory_bytes(instruction);  // knows of windows that cover a part of a row only
  if (!hull.any) return 0;
  const auto payload = [&](const auto& i) {
    const std::int64_t others = (i.count1 - 1) * std::int64_t{i.stride1} + (i.count2 - 1) * std::int64_t{i.stride2};
    return (hull.last - hull.first + 1 - others) * i.count1 * i.count2;
  };
  return instruction.unit == isa::Unit::Load ? payload(instruction.load) : payload(instruction.store);
}

namespace {

LayerResult& layer_of(std::size_t tag, RunResult& result) { return result.layers[std::min(tag, result.layers.size() - 1)]; }

}  // namespace

RunResult new_result(const char* engine, const Run& run) {
  const Machine& machine = run.machine;
  const Schedule& schedule = run.schedule;
  RunResult result;
  result.network = schedule.network;
  result.machine = machine.name;
  result.batch = schedule.batch;
  result.clock_mhz = machine.clock_mhz;
  result.rows = machine.rows;
  result.columns = machine.columns;
  result.timing_only = run.options.timing_only;
  result.engine = engine;
  for (const BlockChoice& c : run.options.blocks) {
    std::string value = to_string(c.kind);
    for (const std::string& source : c.sources) value += (&source == &c.sources.front() ? ":" : ",") + source;
    result.settings.emplace_back("block " + c.block, value);
  }
  for (const ScheduleLayer& layer : schedule.layers) {
    LayerResult out;
    static_cast<LayerShape&>(out) = layer.shape;
    out.name = layer.name;
    out.op = to_string(layer.op);
    out.macs = layer.macs;
    out.weight_bytes = layer.weight_bytes;
    out.weight_tiles = layer.weight_tiles;
    out.mapping = layer.mapping;
    out.predicted_cycles = layer.predicted_cycles;
    if (layer.on_host) {
      out.compared = "host";
    } else if (layer.op == Op::Reshape) {
      out.compared = "view";
    } else if (layer.complete_after < 0) {
      out.compared = "fused";
      // The layer that finishes the job is the next one whose output reaches memory.
      const auto last = schedule.layers.data() + schedule.layers.size();
      const auto finishes = [](const ScheduleLayer& other) { return other.complete_after >= 0 && other.op != Op::Reshape; };
      if (const auto other = std::find_if(&layer + 1, last, finishes); other != last) out.fused_into = other->name;
    } else {
      out.compared = "not compared";
    }
    result.macs += layer.macs;
    result.layers.push_back(std::move(out));
  }
  result.starts = schedule.parts();
  result.host_bytes = schedule.host_bytes;
  if (result.layers.empty()) throw UserError("E0511", "the schedule has no layers");
  return result;
}

void add_work(LayerResult& layer, const isa::Instruction& instruction) {
  if (instruction.unit == isa::Unit::Matrix) {
    layer.array_cycles += matrix_pixels(instruction.matrix) * matrix_passes(instruction.matrix);
  }
  layer.load_bytes += instruction.unit == isa::Unit::Load ? payload_bytes(instruction) : 0;
  layer.store_bytes += instruction.unit == isa::Unit::Store ? payload_bytes(instruction) : 0;
}

void take_traffic(const MemoryTraffic& traffic, RunResult& result) {
  result.load_bytes = traffic.load.bytes;
  result.store_bytes = traffic.store.bytes;
  result.fetch_bytes = traffic.fetch.bytes;
  result.load_bursts = traffic.load.bursts;
  result.store_bursts = traffic.store.bursts;
  result.fetch_bursts = traffic.fetch.bursts;
}

namespace {

void add(UnitCounters& sum, const UnitCounters& other) {
  for (std::size_t u = 0; u < sum.size(); ++u) {
    for (std::size_t c = 0; c < sum[u].size(); ++c) sum[u][c] += other[u][c];
  }
}

}  // namespace

void add_figures(RunResult& sum, const RunResult& other) {
  sum.cycles += other.cycles;
  add(sum.counters, other.counters);
  sum.array_cycles += other.array_cycles;
  sum.load_bytes += other.load_bytes;
  sum.store_bytes += other.store_bytes;
  sum.fetch_bytes += other.fetch_bytes;
  sum.load_bursts += other.load_bursts;
  sum.store_bursts += other.store_bursts;
  sum.fetch_bursts += other.fetch_bursts;
  sum.instructions += other.instructions;
  for (std::size_t l = 0; l < sum.layers.size(); ++l) {
    LayerResult& layer = sum.layers[l];
    layer.array_cycles += other.layers[l].array_cycles;
    layer.load_bytes += other.layers[l].load_bytes;
    layer.store_bytes += other.layers[l].store_bytes;
    add(layer.counters, other.layers[l].counters);
  }
  sum.build_rtl_seconds += other.build_rtl_seconds;
  sum.simulate_seconds += other.simulate_seconds;
  sum.golden_seconds += other.golden_seconds;
  sum.peak_memory_mib = std::max(sum.peak_memory_mib, other.peak_memory_mib);
}

void add_layer_counters(const std::vector<SequencerCounters>& counters, RunResult& result) {
  for (std::size_t tag = 0; tag < counters.size(); ++tag) {
    add(layer_of(tag, result).counters, counters[tag]);
  }
}

void add_whole_chip(const Schedule& schedule, RunResult& result) {
  result.layers_note = "of the whole chip as RTL only memory and registers are seen: not when its units work for which layer";
  for (const isa::Word& word : schedule.program) {
    const isa::Instruction instruction = isa::decode(word);
    add_work(layer_of(static_cast<std::size_t>(instruction.header().tag), result), instruction);
  }
}

void load_image(const Run& run, std::uint8_t* memory) {
  const Schedule& schedule = run.schedule;
  if (run.image != nullptr) {
    std::memcpy(memory, run.image->data(), run.image->size());
    return;
  }
  std::memcpy(memory + schedule.program_base, schedule.program.data(), schedule.program.size() * isa::InstructionBytes);
  if (run.options.timing_only) return;
  for (const ConstantSegment& segment : schedule.constants) {
    std::memcpy(memory + segment.address, segment.bytes.data(), segment.bytes.size());
  }
  std::size_t i = 0;
  for (const ScheduleTensor& tensor : schedule.tensors) {
    if (!tensor.is_input) continue;
    if (i >= run.inputs.size() || static_cast<std::int64_t>(run.inputs[i].size()) != tensor.bytes) {
      throw UserError("E0510", "input `" + tensor.name + "` must have " + std::to_string(tensor.bytes) + " bytes, but " +
                                   (i < run.inputs.size() ? std::to_string(run.inputs[i].size()) + " were given" : "it is missing"));
    }
    std::memcpy(memory + tensor.address, run.inputs[i].data(), run.inputs[i].size());
    ++i;
  }
}

void take_outputs(const Run& run, const std::uint8_t* memory, SimulationOutput& output) {
  if (run.options.timing_only) return;
  for (const ScheduleTensor& tensor : run.schedule.tensors) {
    if (tensor.is_output) output.outputs.emplace_back(memory + tensor.address, memory + tensor.address + tensor.bytes);
  }
  if (run.options.keep_memory) output.memory.assign(memory, memory + run.schedule.memory_bytes_used);
}

double peak_memory_mib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

std::string instruction_text(const Schedule& schedule, std::size_t index) {
  const isa::Word& word = schedule.program[index];
  const auto tag = static_cast<std::size_t>(isa::decode(word).header().tag);
  return "instruction " + std::to_string(index) +
         (tag < schedule.layers.size() ? " of layer `" + schedule.layers[tag].name + "`" : "") + ": " + isa::disassemble(word);
}

RunError overlap_error(const std::string& violation) {
  return RunError("E0805", violation, "the schedule lets a store overtake a load: synchronise them by a semaphore");
}

RunError deadlock_error(const SequencerModel& sequencer) {
  return RunError("E0802", "deadlock: nothing can happen any more, and the program has not ended\n" + sequencer.waiting(),
                  "look for the semaphore that is never posted");
}

RunError cycle_limit_error(const SimulationOptions& options) {
  return RunError("E0803", "the run did not end within " + std::to_string(options.max_cycles) + " cycles",
                  "raise the limit with --max-cycles");
}

}  // namespace gemel
