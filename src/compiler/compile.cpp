// SPDX-License-Identifier: Apache-2.0
// The road of a network through the compiler: fuse, place, plan, lower, order, synchronize, emit.
#include "compiler/compile.hpp"

#include "base/error.hpp"
#include "compiler/lower.hpp"
#include "compiler/predict.hpp"
#include "compiler/sync.hpp"

namespace gemel {
namespace {

using namespace compiler;

// Operations job by job in another order.
void reorder(std::vector<Operation>& operations, const std::vector<Job>& order) {
  std::vector<Operation> sorted;
  sorted.reserve(operations.size());
  for (const Job& j : order) {
    for (int i = j.first; i < j.end; ++i) sorted.push_back(operations[static_cast<std::size_t>(i)]);
  }
  if (sorted.size() != operations.size()) throw InternalError("jobs do not cover all operations");
  operations = std::move(sorted);
}

void fill_layers(Schedule& schedule, const Network& network, const Graph& graph, const Lowerer& lowerer,
                 const std::vector<int>& order) {
  schedule.layers.resize(network.layers.size());
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    ScheduleLayer& s = schedule.layers[l];
    s.name = network.layers[l].name;
    s.op = network.layers[l].op;
    s.output = network.layers[l].output;
    s.macs = network.layers[l].op == Op::Conv2d ? network.macs(network.layers[l]) : 0;
    s.weight_bytes = lowerer.weight_bytes[l];
  }
  std::vector<std::int64_t> done(network.layers.size(), -1);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Operation& op = lowerer.operations[static_cast<std::size_t>(order[i])];
    ScheduleLayer& s = schedule.layers[static_cast<std::size_t>(op.layer)];
    if (s.first_instruction < 0) s.first_instruction = static_cast<int>(i);
    s.last_instruction = static_cast<int>(i);
    if (op.instruction.unit == isa::Unit::Store) s.complete_after = static_cast<int>(i);
    done[static_cast<std::size_t>(op.layer)] = std::max(done[static_cast<std::size_t>(op.layer)], op.done);
  }
  // A layer's cycles: by how much it moves the end.
  std::int64_t before = 0;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    if (done[l] < 0) continue;
    schedule.layers[l].predicted_cycles = std::max<std::int64_t>(0, done[l] - before);
    before = std::max(before, done[l]);
  }
  (void)graph;
}

}  // namespace

Schedule compile(const Network& network, const Machine& machine, const CompileOptions& options) {
  const Graph graph = make_graph(network, options.fuse);
  Lowerer lowerer(network, machine, graph);
  const int groups = static_cast<int>(graph.groups.size());
  std::vector<int> step(static_cast<std::size_t>(groups));
  for (int g = 0; g < groups; ++g) {
    lowerer.plan(g);
    step[static_cast<std::size_t>(g)] = g;
  }
  const auto align = static_cast<std::uint64_t>(std::max(64, machine.burst_bytes));
  const MemoryMap memory = map_memory(network, graph, step, align);
  std::int64_t weights = 0;
  bool has_conv = false;
  for (const Layer& layer : network.layers) {
    weights += static_cast<std::int64_t>(layer.weights.size());
    has_conv = has_conv || layer.op == Op::Conv2d;
  }
  Constants constants(memory.end, align, weights > 0 || !has_conv);
  constants.reserve(weights + weights / 8);
  for (int g = 0; g < groups; ++g) {
    lowerer.lower(g, memory, constants);
    lowerer.release();
  }

  std::vector<Operation>& operations = lowerer.operations;
  set_chains(operations);
  const std::vector<Edge> edges = derive_edges(operations, machine);
  apply_edges(operations, edges);
  predict(operations, edges, machine);
  const std::vector<int> order = order_program(operations, edges, machine.queue_depth);

  Schedule schedule;
  schedule.network = network.name;
  schedule.machine = machine.name;
  schedule.machine_text = machine_text(machine);
  schedule.batch = network.inputs.empty() ? 1 : network.tensors[static_cast<std::size_t>(network.inputs[0])].shape.n;
  schedule.program_base = constants.end();
  schedule.program.reserve(order.size() + 1);
  for (const int i : order) schedule.program.push_back(isa::encode(operations[static_cast<std::size_t>(i)].instruction));
  schedule.program.push_back(isa::encode(isa::Halt{}));
  schedule.memory_bytes_used =
      static_cast<std::int64_t>(schedule.program_base) + static_cast<std::int64_t>(schedule.program.size()) * isa::InstructionBytes;
  if (schedule.memory_bytes_used > machine.memory_bytes) {
    throw UserError("E0603",
                    "network `" + network.name + "` needs " + std::to_string(schedule.memory_bytes_used) + " bytes of memory, and the machine `" +
                        machine.name + "` has " + std::to_string(machine.memory_bytes),
                    "raise memory.size_bytes, or lower the batch");
  }
  ConstantSegment segment;
  segment.address = constants.base();
  segment.bytes = constants.take();
  if (!segment.bytes.empty()) schedule.constants.push_back(std::move(segment));

  for (std::size_t t = 0; t < network.tensors.size(); ++t) {
    const Tensor& tensor = network.tensors[t];
    ScheduleTensor s;
    s.name = tensor.name;
    s.shape = tensor.shape;
    s.type = tensor.type;
    s.scale = tensor.scale;
    s.zero_point = tensor.zero_point;
    s.in_memory = graph.in_memory[t] != 0;
    s.address = s.in_memory ? memory.address[t] : 0;
    s.bytes = s.in_memory ? tensor.shape.elements() : 0;
    schedule.tensors.push_back(std::move(s));
  }
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    schedule.tensors[static_cast<std::size_t>(network.layers[l].output)].layer = static_cast<int>(l);
  }
  for (const int t : network.inputs) schedule.tensors[static_cast<std::size_t>(t)].is_input = true;
  for (const int t : network.outputs) schedule.tensors[static_cast<std::size_t>(t)].is_output = true;
  fill_layers(schedule, network, graph, lowerer, order);
  return schedule;
}

}  // namespace gemel
