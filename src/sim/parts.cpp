// SPDX-License-Identifier: Apache-2.0
#include "sim/parts.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "ops/ops.hpp"

namespace gemel {
namespace {

struct Range {
  int first, end;  // instructions
};

Range range_of(const Schedule& schedule, int part) {
  const auto border = [&](int p) {
    if (p == 0) return 0;
    return static_cast<int>(p < schedule.parts() ? schedule.further_parts[static_cast<std::size_t>(p - 1)] : schedule.program.size());
  };
  return {border(part), border(part + 1)};
}

bool holds(const Range& range, const ScheduleLayer& layer) { return layer.first_instruction >= range.first && layer.first_instruction < range.end; }

// One part as a program; without constants, which lie in memory.
Schedule part_of(const Schedule& whole, const Range& range) {
  Schedule part;
  part.network = whole.network;
  part.machine = whole.machine;
  part.machine_text = whole.machine_text;
  part.batch = whole.batch;
  part.program_base = whole.program_base + static_cast<std::uint64_t>(range.first) * isa::InstructionBytes;
  part.program.assign(whole.program.begin() + range.first, whole.program.begin() + range.end);
  part.tensors = whole.tensors;
  part.layers = whole.layers;
  for (ScheduleLayer& layer : part.layers) {
    const bool here = holds(range, layer);
    for (int* const index : {&layer.first_instruction, &layer.last_instruction, &layer.complete_after}) {
      *index = here && *index >= 0 ? *index - range.first : -1;
    }
  }
  part.memory_bytes_used = whole.memory_bytes_used;
  return part;
}

// On the host, from memory to memory.
void run_on_host(const Schedule& schedule, const HostStep& step, std::uint8_t* memory) {
  const auto place = [&](int index) -> const ScheduleTensor& { return schedule.tensors[static_cast<std::size_t>(index)]; };
  const auto bytes_of = [&](int index) { return memory + place(index).address; };
  std::vector<Tensor> inputs;
  for (const int t : step.what.inputs) inputs.push_back(tensor_of(place(t)));
  std::vector<ops::Operand> operands;
  for (std::size_t i = 0; i < inputs.size(); ++i) operands.push_back({inputs[i], bytes_of(step.what.inputs[i])});
  const ops::Bytes result = ops::golden(step.what, operands, tensor_of(place(step.what.output)));
  std::memcpy(bytes_of(step.what.output), result.data(), result.size());
  const auto zero = static_cast<std::uint8_t>(place(step.what.output).zero_point);
  for (const HostStep::Weights& weights : step.weights) {
    std::uint8_t* to = memory + weights.address;
    for (const std::int32_t element : weights.source) *to++ = element < 0 ? zero : result[static_cast<std::size_t>(element)];
  }
}

// The figures of a part that starts at cycle `offset` into those of the whole.
void add_part(RunResult& sum, const Schedule& schedule, const Range& range, RunResult part, Cycle offset) {
  add_figures(sum, part);
  if (!part.layers_note.empty()) sum.layers_note = part.layers_note;
  for (std::size_t l = 0; l < sum.layers.size(); ++l) {
    if (!holds(range, schedule.layers[l])) continue;
    LayerResult& layer = sum.layers[l];
    const LayerResult& other = part.layers[l];
    layer.compared = other.compared;
    layer.fused_into = other.fused_into;
    layer.first_cycle = other.first_cycle < 0 ? -1 : other.first_cycle + offset;
    layer.last_cycle = other.last_cycle < 0 ? -1 : other.last_cycle + offset;
  }
  for (TraceEvent event : part.trace) {
    event.start += offset;
    event.end += offset;
    if (event.counted >= 0) event.counted += offset;
    event.instruction += static_cast<std::uint32_t>(range.first);
    sum.trace.push_back(event);
  }
  for (TraceWait wait : part.trace_waits) {
    wait.first += offset;
    sum.trace_waits.push_back(wait);
  }
}

RunError with_part(const RunError& error, int part, int parts) {
  std::vector<Diagnostic> diagnostics = error.diagnostics();
  diagnostics.front().message += "\n  in part " + std::to_string(part + 1) + " of " + std::to_string(parts) +
                                 " of the program, from whose start cycles and instructions are counted here";
  return RunError(std::move(diagnostics));
}

}  // namespace

SimulationOutput run_parts(const Run& run, const std::function<SimulationOutput(const Run&)>& run_part) {
  const Schedule& schedule = run.schedule;
  const bool has_data = !run.options.timing_only;
  std::vector<std::uint8_t> memory;
  if (has_data) {
    memory.resize(static_cast<std::size_t>(schedule.memory_bytes_used));
    load_image(run, memory.data());
  }
  SimulationOutput sum;
  auto step = schedule.host_steps.begin();
  for (int p = 0; p < schedule.parts(); ++p) {
    for (; step != schedule.host_steps.end() && step->before == p; ++step) {
      if (has_data) run_on_host(schedule, *step, memory.data());
    }
    const Range range = range_of(schedule, p);
    const Schedule part = part_of(schedule, range);
    const Cycle offset = sum.result.cycles;
    SimulationOptions options = run.options;
    options.max_cycles = std::max<std::int64_t>(1, run.options.max_cycles - offset);
    options.keep_memory = has_data;
    if (run.options.progress) {
      options.progress = [&](Progress progress) {
        progress.instructions += range.first;
        progress.total_instructions = static_cast<std::int64_t>(schedule.program.size());
        progress.cycles += offset;
        run.options.progress(progress);
      };
    }
    if (run.options.layer_complete) options.layer_complete = [&](int layer, std::int64_t cycle) { run.options.layer_complete(layer, cycle + offset); };
    Run here{run.machine, part, run.inputs, options};
    here.image = has_data ? &memory : nullptr;
    SimulationOutput output;
    try {
      output = run_part(here);
    } catch (const RunError& error) {
      throw with_part(error, p, schedule.parts());
    }
    if (p == 0) sum.result = new_result(output.result.engine.c_str(), run);
    add_part(sum.result, schedule, range, std::move(output.result), offset);
    sum.clocked += output.clocked;
    for (const auto& [block, cycles] : output.differences) {
      const auto known = std::find_if(sum.differences.begin(), sum.differences.end(), [name = &block](const auto& d) { return d.first == *name; });
      if (known == sum.differences.end()) sum.differences.emplace_back(block, cycles);
      else known->second += cycles;
    }
    if (output.cycles_again >= 0) sum.cycles_again = std::max<std::int64_t>(0, sum.cycles_again) + output.cycles_again;
    sum.faults.insert(sum.faults.end(), output.faults.begin(), output.faults.end());
    memory = std::move(output.memory);
    sum.outputs = std::move(output.outputs);
    sum.error_code = output.error_code;
    sum.error_cycle = output.error_cycle + offset;
    sum.error_instruction = output.error_instruction + static_cast<std::uint32_t>(range.first);
    sum.error_text = output.error_text;
    if (sum.error_code != 0) break;
  }
  if (run.options.keep_memory) sum.memory = std::move(memory);
  return sum;
}

}  // namespace gemel
