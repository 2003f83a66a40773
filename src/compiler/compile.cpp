// SPDX-License-Identifier: Apache-2.0
// The road of a network through the compiler: fuse, place, plan, lower, order, synchronize, emit.
#include "compiler/compile.hpp"

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "compiler/lower.hpp"
#include "compiler/predict.hpp"
#include "compiler/sync.hpp"
#include "config/digest.hpp"
#include "network/describe.hpp"

namespace gemel {
namespace {

using namespace compiler;

constexpr std::int64_t MaxComparisons = 20'000'000;  // of jobs with jobs, when groups are interleaved
constexpr std::size_t Slack = 2;  // jobs that stand between a store and the load that needs it, so that the load need not wait

// Jobs of groups that need only the vector unit are moved between the jobs of the group before them, each behind the last
// one whose store it reads. Groups of one step are such neighbours.
std::vector<Job> interleave(const std::vector<Operation>& operations, const std::vector<Job>& jobs, const std::vector<int>& step) {
  std::vector<Job> order;
  order.reserve(jobs.size());
  struct Written {
    std::uint64_t first, end;
  };
  std::size_t next = 0;
  while (next < jobs.size()) {
    // One step: its first group as it is, then group by group.
    const int this_step = step[static_cast<std::size_t>(jobs[next].group)];
    std::vector<Job> merged;
    while (next < jobs.size() && step[static_cast<std::size_t>(jobs[next].group)] == this_step) {
      const Job& one = jobs[next];
      std::size_t last = next;
      while (last < jobs.size() && jobs[last].group == one.group && jobs[last].part == one.part) ++last;
      if (merged.empty() || static_cast<std::int64_t>(merged.size() * (last - next)) > MaxComparisons) {
        merged.insert(merged.end(), jobs.begin() + static_cast<std::int64_t>(next), jobs.begin() + static_cast<std::int64_t>(last));
        next = last;
        continue;
      }
      std::vector<Written> writes;
      std::vector<std::size_t> writer;
      for (std::size_t j = 0; j < merged.size(); ++j) {
        for (int i = merged[j].first; i < merged[j].end; ++i) {
          const Operation& op = operations[static_cast<std::size_t>(i)];
          if (op.instruction.unit != isa::Unit::Store) continue;
          writes.push_back({op.memory_first, op.memory_end});
          writer.push_back(j);
        }
      }
      // Evenly, too: a heap of them in one place would hold up the others.
      std::vector<Job> result;
      std::size_t taken = 0;
      const std::size_t count = last - next, others = merged.size();
      for (std::size_t k = 0; k < count; ++k, ++next) {
        std::size_t after = 0;  // so many of the others must stand before
        for (int i = jobs[next].first; i < jobs[next].end; ++i) {
          const Operation& op = operations[static_cast<std::size_t>(i)];
          if (op.instruction.unit != isa::Unit::Load || op.memory_end == op.memory_first) continue;
          for (std::size_t w = writes.size(); w-- > 0 && writer[w] + 1 > after;) {
            if (writes[w].first < op.memory_end && op.memory_first < writes[w].end) after = writer[w] + 1;
          }
        }
        const std::size_t place = std::min(others, std::max(after + Slack, (k + 1) * others / count));
        for (; taken < place; ++taken) result.push_back(merged[taken]);
        result.push_back(jobs[next]);
      }
      for (; taken < merged.size(); ++taken) result.push_back(merged[taken]);
      merged = std::move(result);
    }
    order.insert(order.end(), merged.begin(), merged.end());
  }
  return order;
}

// Operations job by job in another order.
std::vector<Operation> reorder(const std::vector<Operation>& operations, const std::vector<Job>& order) {
  std::vector<Operation> sorted;
  sorted.reserve(operations.size());
  for (const Job& j : order) {
    sorted.insert(sorted.end(), operations.begin() + j.first, operations.begin() + j.end);
  }
  if (sorted.size() != operations.size()) throw InternalError("jobs do not cover all operations");
  return sorted;
}

// Steps of groups [first, last]: groups that run side by side have one.
std::vector<int> steps(Lowerer& lowerer, int groups, const CompileOptions& options) {
  std::vector<int> step(static_cast<std::size_t>(groups), 0);
  for (int g = 1; g < groups; ++g) {
    step[static_cast<std::size_t>(g)] = step[static_cast<std::size_t>(g - 1)] + (lowerer.plan(g).beside && options.overlap_layers ? 0 : 1);
  }
  return step;
}

// Lowers groups [first, last], and orders their jobs.
void lower_groups(Lowerer& lowerer, int first, int last, const std::vector<int>& step, const MemoryMap& memory, Constants& constants) {
  for (int g = first; g <= last; ++g) {
    if (g == first || step[static_cast<std::size_t>(g)] != step[static_cast<std::size_t>(g - 1)]) lowerer.begin_step();
    lowerer.lower(g, memory, constants);
  }
  const std::vector<Job> order = interleave(lowerer.operations, lowerer.jobs, step);
  const auto earlier = [](const Job& a, const Job& b) { return a.first < b.first; };
  if (!std::is_sorted(order.begin(), order.end(), earlier)) lowerer.operations = reorder(lowerer.operations, order);
  set_chains(lowerer.operations);
}

// Where there are several ways to run a group, each is tried with its neighbours, and the one that ends first is taken.
void choose_alternatives(Lowerer& lowerer, const Graph& graph, const Network& network, const Machine& machine, const CompileOptions& options) {
  const int groups = static_cast<int>(graph.groups.size());
  MemoryMap apart;  // every tensor at a place of its own
  for (const Tensor& t : network.tensors) {
    apart.address.push_back(apart.end);
    apart.end += (static_cast<std::uint64_t>(t.bytes()) + 4095) / 4096 * 4096;
  }
  for (std::size_t t = 0; t < network.tensors.size(); ++t) apart.address[t] = apart.address[static_cast<std::size_t>(graph.root[t])];
  std::map<std::vector<std::int64_t>, std::size_t> known;
  for (int g = 0; g < groups; ++g) {
    const std::vector<GroupPlan>& ways = lowerer.alternatives(g);
    if (ways.empty()) {
      lowerer.settle(g);
      continue;
    }
    const int first = std::max(0, g - 1), last = std::min(groups - 1, g + 1);
    std::vector<std::int64_t> situation;  // seen before: the answer is the same
    for (int i = first; i <= last; ++i) {
      const std::vector<std::int64_t> s = lowerer.signature(i);
      situation.insert(situation.end(), s.begin(), s.end());
    }
    const auto seen = known.find(situation);
    std::int64_t least = 0;
    const GroupPlan* best = seen != known.end() ? &ways[seen->second] : nullptr;
    for (const GroupPlan& way : ways) {
      if (seen != known.end()) break;
      lowerer.choose(g, way);
      for (int i = g; i <= last; ++i) lowerer.settle(i);
      lowerer.reset();
      Constants nowhere(apart.end, 4096, false);
      lower_groups(lowerer, first, last, steps(lowerer, groups, options), apart, nowhere);
      const std::vector<Edge> edges = derive_edges(lowerer.operations, machine);
      apply_edges(lowerer.operations, edges);
      const std::int64_t end = predict(lowerer.operations, edges, machine);
      if (best == nullptr || end < least) {
        least = end;
        best = &way;
      }
    }
    known[situation] = static_cast<std::size_t>(best - ways.data());
    lowerer.choose(g, *best);
    lowerer.settle(g);
  }
  lowerer.reset();
}

void fill_layers(Schedule& schedule, const Network& network, const Graph& graph, const Lowerer& lowerer,
                 const std::vector<int>& order) {
  schedule.layers.resize(network.layers.size());
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    ScheduleLayer& s = schedule.layers[l];
    s.name = network.layers[l].name;
    s.op = network.layers[l].op();
    s.shape = layer_shape(network, network.layers[l]);
    s.output = network.layers[l].output;
    s.macs = network.macs(network.layers[l]);
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
  for (int g = 0; g < groups; ++g) lowerer.plan(g);
  choose_alternatives(lowerer, graph, network, machine, options);
  const std::vector<int> step = steps(lowerer, groups, options);
  const auto align = static_cast<std::uint64_t>(std::max(64, machine.burst_bytes));
  const MemoryMap memory = map_memory(network, graph, step, align);
  // Without making a program that could not be run anyway, which may be huge; small networks are told the exact need below.
  constexpr std::uint64_t Small = 64 << 20;
  if (memory.end > static_cast<std::uint64_t>(machine.memory_bytes) && memory.end > Small) {
    if (options.overlap_layers) {
      CompileOptions apart = options;
      apart.overlap_layers = false;
      return compile(network, machine, apart);
    }
    throw UserError("E0603",
                    "network `" + network.name + "` needs " + std::to_string(memory.end) + " bytes of memory for its tensors alone, and the machine `" +
                        machine.name + "` has " + std::to_string(machine.memory_bytes),
                    "raise memory.size_bytes, or lower the batch");
  }
  std::int64_t weights = 0;
  bool has_conv = false;
  for (const Layer& layer : network.layers) {
    if (layer.weights() == nullptr) continue;
    weights += static_cast<std::int64_t>(layer.weights()->bytes.size());
    has_conv = true;
  }
  Constants constants(memory.end, align, weights > 0 || !has_conv);
  constants.reserve(weights + weights / 8);
  lower_groups(lowerer, 0, groups - 1, step, memory, constants);
  std::vector<Operation>& operations = lowerer.operations;
  const std::vector<Edge> edges = derive_edges(operations, machine);
  apply_edges(operations, edges);
  predict(operations, edges, machine);
  const std::vector<int> order = order_program(operations, edges, machine.queue_depth);

  Schedule schedule;
  schedule.network = network.name;
  schedule.machine = machine.name;
  schedule.machine_text = machine_text(machine);
  schedule.batch = network.inputs.empty() ? 1 : static_cast<int>(network.tensors[static_cast<std::size_t>(network.inputs[0])].shape.outermost());
  schedule.program_base = constants.end();
  schedule.program.reserve(order.size() + 1);
  const std::int32_t digest = machine_digest(machine);
  for (const int i : order) {
    isa::Instruction& instruction = operations[static_cast<std::size_t>(i)].instruction;
    if (instruction.unit == isa::Unit::Load) instruction.load.machine = digest;
    schedule.program.push_back(isa::encode(instruction));
  }
  schedule.program.push_back(isa::encode(isa::Halt{}));
  schedule.memory_bytes_used =
      static_cast<std::int64_t>(schedule.program_base) + static_cast<std::int64_t>(schedule.program.size()) * isa::InstructionBytes;
  if (schedule.memory_bytes_used > machine.memory_bytes) {
    if (options.overlap_layers) {  // side by side, more tensors live at a time
      CompileOptions apart = options;
      apart.overlap_layers = false;
      return compile(network, machine, apart);
    }
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
    s.bytes = s.in_memory ? tensor.bytes() : 0;
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
