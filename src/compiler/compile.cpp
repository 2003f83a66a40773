// SPDX-License-Identifier: Apache-2.0
// The road of a network through the compiler: fuse, plan, place, then step by step lower, synchronize, predict, order, write. From
// lowering on operations flow job by job, so that memory is needed for little but the program. Each part of a program goes that road for itself
// from lowering on: the machine is started for it and knows nothing of the parts before.
#include "compiler/compile.hpp"

#include <algorithm>
#include <map>
#include <variant>

#include "base/error.hpp"
#include "compiler/lower.hpp"
#include "compiler/order.hpp"
#include "compiler/predict.hpp"
#include "config/digest.hpp"
#include "config/parameters.hpp"
#include "network/describe.hpp"

namespace gemel {
namespace {

using namespace compiler;

constexpr std::int64_t MaxComparisons = 20'000'000;  // of jobs with jobs, when groups are interleaved
constexpr std::int64_t ShortProgram = 2000;   // instructions: it is tried as a whole
constexpr std::int64_t MostTrials = 100'000;  // instructions in trials that better one plan
constexpr std::size_t Befores = 4;            // tilings of the group before, tried with a group that runs beside it
constexpr std::size_t BetteredWays = 2;       // of a group that can be run in several ways
constexpr std::size_t SparseFinalists = 4;    // tilings that are tried without zero tiles
constexpr int LeastOutstanding = 8;           // bursts under way, of a lesser machine that plans are made for, too
constexpr std::int64_t LeastGain = 256;       // plans for a lesser machine are taken if they save more than one cycle of so many
constexpr std::size_t Slack = 2;  // jobs that stand between a store and the load that needs it, so that the load need not wait

// The jobs of one step: its first group's as they are; jobs of groups that need only the vector unit are moved between them, each
// behind the last one whose store it reads.
std::vector<Job> interleave(const std::vector<Operation>& operations, const std::vector<Job>& jobs) {
  struct Written {
    std::uint64_t first, end;
  };
  std::vector<Job> merged;
  std::size_t next = 0;
  while (next < jobs.size()) {
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
  return merged;
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

bool begins_step(Lowerer& lowerer, int group, const CompileOptions& options) {
  return group == 0 || !lowerer.plan(group).beside || !options.overlap_layers;
}

// Lowers groups [first, last] step by step (groups of one step run side by side); `take` gets each step's operations in sequential order.
template <typename Take>
void lower_groups(Lowerer& lowerer, int first, int last, const CompileOptions& options, const MemoryMap& memory, Constants& constants, Take take) {
  const auto take_all = [&] {
    for (Operation& op : lowerer.operations) take(op);
    lowerer.operations.clear();
    lowerer.jobs.clear();
  };
  for (int g = first; g <= last;) {
    lowerer.begin_step();
    const bool alone = (g == last || begins_step(lowerer, g + 1, options)) && !lowerer.plan(g).split;
    if (alone) lowerer.at_end_of_job = take_all;  // nothing is moved between its jobs
    do {
      lowerer.lower(g, memory, constants);
    } while (++g <= last && !begins_step(lowerer, g, options));
    lowerer.at_end_of_job = nullptr;
    const std::vector<Job> order = interleave(lowerer.operations, lowerer.jobs);
    const auto earlier = [](const Job& a, const Job& b) { return a.first < b.first; };
    if (!std::is_sorted(order.begin(), order.end(), earlier)) lowerer.operations = reorder(lowerer.operations, order);
    take_all();
  }
}

// Predicted cycles of groups alone, every tensor at a place of its own.
class Trial {
 public:
  Trial(Lowerer& lowerer, const Graph& graph, const Network& network, const Machine& machine, const CompileOptions& options)
      : lowerer_(lowerer), machine_(machine), options_(options) {
    for (const Tensor& t : network.tensors) {
      apart_.address.push_back(apart_.end);
      apart_.end += (static_cast<std::uint64_t>(t.bytes()) + 4095) / 4096 * 4096;
    }
    for (std::size_t t = 0; t < network.tensors.size(); ++t) apart_.address[t] = apart_.address[static_cast<std::size_t>(graph.root[t])];
  }

  // Of groups [first, last].
  std::int64_t cycles(int first, int last) {
    lowerer_.reset();
    Constants nowhere(apart_.end, 4096, false);
    Chains chains;
    Synchronizer synchronizer(machine_);
    Predictor predictor(machine_), in_program_order(machine_, Predictor::Order::Program);
    ProgramOrder order(machine_.queue_depth, [&](Operation& op, const Places& producers) { in_program_order.next(op, producers); });
    lower_groups(lowerer_, first, last, options_, apart_, nowhere, [&](Operation& op) {
      ++operations_;
      chains.set(op);
      const Places producers = synchronizer.next(op);
      predictor.next(op, producers);
      order.add(op, producers);
    });
    order.finish();
    return in_program_order.end();
  }

  // The same, where groups that do the same in the same way may have been tried before.
  std::int64_t known_cycles(int first, int last) {
    std::vector<std::int64_t> key;
    for (int g = first; g <= last; ++g) {
      const std::vector<std::int64_t> s = lowerer_.signature(g);
      key.insert(key.end(), s.begin(), s.end());
      key.push_back(lowerer_.plan(g).beside);
    }
    const auto [seen, is_new] = known_.emplace(std::move(key), 0);
    if (is_new) seen->second = cycles(first, last);
    return seen->second;
  }

  // In all trials so far.
  std::int64_t operations() const { return operations_; }

 private:
  Lowerer& lowerer_;
  const Machine& machine_;
  const CompileOptions& options_;
  MemoryMap apart_;
  std::int64_t operations_ = 0;
  std::map<std::vector<std::int64_t>, std::int64_t> known_;
};

// A group's plan, that of the group before it, and when both and the group behind have ended.
struct Candidate {
  GroupPlan plan, before;
  std::int64_t end = 0;
};

// Of group g, which can be run in several ways: each is tried between its neighbours. The best of them are bettered as long as another tiling
// of one of their parts ends sooner; of more tilings where `wide`. `others`: plans that were best for equal layers, which are tried, too.
Candidate best_of_ways(Lowerer& lowerer, Trial& trial, int g, bool wide, const std::vector<GroupPlan>& others) {
  const int first = lowerer.first_near(g), last = lowerer.last_near(g);
  const auto attempt = [&](const GroupPlan& plan, const GroupPlan& before) {
    if (first < g) lowerer.choose(first, before);
    lowerer.choose(g, plan);
    for (int k = first; k <= last; ++k) lowerer.settle(k);
    const std::int64_t end = trial.known_cycles(first, last);
    return Candidate{lowerer.plan(g), lowerer.plan(first), end};
  };
  const GroupPlan before = lowerer.plan(first);
  std::vector<Candidate> starts;
  for (const GroupPlan& way : lowerer.alternatives(g)) {
    Candidate start = attempt(way, before);
    // What runs on the vector unit beside the group before waits for that one's tiles, and that one for it: both are chosen together.
    if (!way.on_array && start.plan.beside && lowerer.alternatives(g - 1).empty()) {
      for (const GroupPlan& other : lowerer.finalists(g - 1, Befores)) {
        Candidate pair = attempt(way, other);
        if (pair.end < start.end) start = std::move(pair);
      }
    }
    starts.push_back(std::move(start));
  }
  for (const GroupPlan& other : others) starts.push_back(attempt(other, before));
  std::stable_sort(starts.begin(), starts.end(), [](const Candidate& a, const Candidate& b) { return a.end < b.end; });
  starts.resize(std::min(starts.size(), BetteredWays));
  for (Candidate& best : starts) {
    const std::int64_t most = trial.operations() + MostTrials;
    for (bool better = true; better;) {
      better = false;
      for (const GroupPlan& variant : lowerer.variants(best.plan, wide)) {
        if (trial.operations() > most) break;
        Candidate other = attempt(variant, best.before);
        if (other.end >= best.end) continue;
        best = std::move(other);
        better = true;
      }
    }
  }
  return *std::min_element(starts.begin(), starts.end(), [](const Candidate& a, const Candidate& b) { return a.end < b.end; });
}

void choose_alternatives(Lowerer& lowerer, Trial& trial, bool wide) {
  const int groups = lowerer.groups();
  std::map<std::vector<std::int64_t>, Candidate> known;
  std::map<std::vector<std::int64_t>, std::vector<GroupPlan>> of_equal;  // by signature as planned
  for (int g = 0; g < groups; ++g) {
    if (lowerer.alternatives(g).empty()) {
      lowerer.settle(g);
      continue;
    }
    const int first = lowerer.first_near(g), last = lowerer.last_near(g);
    // Seen before: the answer is the same. Which of them it is about belongs to it: the first two groups and the last two may be the same two.
    std::vector<std::int64_t> situation = {g - first};
    for (int i = first; i <= last; ++i) {
      const std::vector<std::int64_t> s = lowerer.signature(i);
      situation.insert(situation.end(), s.begin(), s.end());
    }
    auto seen = known.find(situation);
    if (seen == known.end()) {
      std::vector<GroupPlan> none, &others = wide ? of_equal[lowerer.signature(g)] : none;
      seen = known.emplace(std::move(situation), best_of_ways(lowerer, trial, g, wide, others)).first;
      others.push_back(seen->second.plan);
    }
    const Candidate& best = seen->second;
    if (first < g && lowerer.alternatives(first).empty()) lowerer.choose(first, best.before);
    lowerer.choose(g, best.plan);
    for (int k = first; k <= g; ++k) lowerer.settle(k);
  }
}

// Instructions of the groups [first, last] on the array, at least.
std::int64_t least_instructions(Lowerer& lowerer, int first, int last) {
  std::int64_t instructions = 0;
  for (int g = first; g <= last; ++g) {
    if (lowerer.plan(g).on_array) instructions += lowerer.plan(g).conv.instructions;
  }
  return instructions;
}

// The planner knows layers one by one. How well they follow each other shows in a trial: of a short program as a whole, for each group with
// the tilings that come next to the best one. `first`, `last`: groups of one part.
void try_neighbours(Lowerer& lowerer, Trial& trial, int first, int last) {
  if (least_instructions(lowerer, first, last) > ShortProgram) return;
  std::vector<std::vector<GroupPlan>> ways(static_cast<std::size_t>(last) + 1);
  for (int g = first; g <= last; ++g) {
    ways[static_cast<std::size_t>(g)] = lowerer.finalists(g);
    if (!lowerer.plan(g).on_array) {
      for (const GroupPlan& way : lowerer.variants(lowerer.plan(g))) ways[static_cast<std::size_t>(g)].push_back(way);
    }
    for (const GroupPlan& way : lowerer.alternatives(g)) ways[static_cast<std::size_t>(g)].push_back(way);
  }
  const std::int64_t most = trial.operations() + MostTrials;
  std::int64_t least = trial.known_cycles(first, last);
  const auto choose = [&](int g, const GroupPlan& way) {
    lowerer.choose(g, way);
    for (int i = g; i <= last; ++i) lowerer.settle(i);
  };
  for (bool better = true; better;) {
    better = false;
    for (int g = first; g <= last; ++g) {
      GroupPlan best = lowerer.plan(g);
      for (const GroupPlan& way : ways[static_cast<std::size_t>(g)]) {
        if (trial.operations() >= most) break;
        choose(g, way);
        const std::int64_t end = trial.known_cycles(first, last);
        if (end >= least) continue;
        least = end;
        best = way;
        better = true;
      }
      choose(g, best);
    }
  }
}

// Machines with less of one thing that decides between tilings, by powers of two: what is planned for them runs on the machine itself as fast, or nearly.
std::vector<Machine> lesser_machines(const Machine& machine) {
  std::vector<Machine> list;
  for (int most = LeastOutstanding; most < std::max(machine.load_outstanding, machine.store_outstanding); most *= 2) {
    list.push_back(machine);
    list.back().load_outstanding = std::min(machine.load_outstanding, most);
    list.back().store_outstanding = std::min(machine.store_outstanding, most);
  }
  for (const Buffer b : {Buffer::Accumulator, Buffer::Weight}) {
    Machine lesser = machine;
    std::int64_t& bytes = lesser.buffers[static_cast<std::size_t>(b)].size_bytes;
    std::int64_t less = 1;
    while (2 * less < bytes) less *= 2;
    bytes = less;
    if (check_machine(lesser).empty()) list.push_back(lesser);
  }
  return list;
}

// Plans that are made step by step depend on where they begin: a little more of a resource, and a layer begins with another tiling, and ends with one that
// is worse among its neighbours. So the search begins several times, and for each part of the program the choice with which all of it ends soonest counts:
// with the plans for the machine, its alternatives chosen among few tilings and among more, and with those for lesser machines. Nothing is searched in a
// long program without alternatives; too long a one is not tried as a whole, and gets the first choice. `first`: of each part, its first group.
void choose_plans(Lowerer& lowerer, Trial& trial, const Machine& machine, const std::vector<int>& first) {
  const int groups = lowerer.groups();
  const auto last = [&](std::size_t part) { return (part + 1 < first.size() ? first[part + 1] : groups) - 1; };
  const auto plans = [&] {
    std::vector<GroupPlan> list;
    for (int g = 0; g < groups; ++g) list.push_back(lowerer.plan(g));
    return list;
  };
  const auto take = [&](const std::vector<GroupPlan>& list) {
    for (int g = 0; g < groups; ++g) lowerer.choose(g, list[static_cast<std::size_t>(g)]);
  };
  const auto choose = [&](bool wide) {
    choose_alternatives(lowerer, trial, wide);
    for (std::size_t p = 0; p < first.size(); ++p) try_neighbours(lowerer, trial, first[p], last(p));
  };
  const std::vector<GroupPlan> planned = plans();
  choose(false);
  bool alternatives = false, searched = false;
  for (int g = 0; g < groups; ++g) alternatives |= !lowerer.alternatives(g).empty();
  for (std::size_t p = 0; p < first.size(); ++p) searched |= alternatives || least_instructions(lowerer, first[p], last(p)) <= ShortProgram;
  if (!searched || least_instructions(lowerer, 0, groups - 1) > MostTrials) return;

  std::vector<GroupPlan> best = plans();
  std::vector<std::int64_t> ends;
  for (std::size_t p = 0; p < first.size(); ++p) ends.push_back(trial.known_cycles(first[p], last(p)));
  const auto keep_better = [&](bool least_gain) {
    for (std::size_t p = 0; p < first.size(); ++p) {
      const std::int64_t end = trial.known_cycles(first[p], last(p));
      if (end + (least_gain ? ends[p] / LeastGain : 0) >= ends[p]) continue;
      ends[p] = end;
      for (int g = first[p]; g <= last(p); ++g) best[static_cast<std::size_t>(g)] = lowerer.plan(g);
    }
  };
  if (alternatives) {
    take(planned);
    choose(true);
    keep_better(false);
  }
  for (const Machine& lesser : lesser_machines(machine)) {
    if (!lowerer.plan_for(lesser)) continue;
    choose(false);
    keep_better(true);
  }
  lowerer.plan_for(machine);
  take(best);
}

// Zero tiles are left out of a group's weights where it then ends sooner among its neighbours, or not later, be it as it is tiled or with one of the
// tilings next to that, which were second best for all tiles.
void leave_out_zeros(Lowerer& lowerer, Trial& trial) {
  for (int g = 0; g < lowerer.groups(); ++g) {
    if (lowerer.weight_tiles(g).zero == 0) continue;
    const int first = lowerer.first_near(g), last = lowerer.last_near(g);
    const auto choose = [&](const GroupPlan& plan) {
      lowerer.choose(g, plan);
      for (int i = g; i < lowerer.groups(); ++i) lowerer.settle(i);
    };
    GroupPlan best = lowerer.plan(g);
    std::int64_t least = trial.cycles(first, last) + 1;
    std::vector<GroupPlan> ways = lowerer.finalists(g, SparseFinalists);
    ways.insert(ways.begin(), best);
    for (GroupPlan& way : ways) {
      way.leave_out_zeros = true;
      choose(way);
      const std::int64_t end = trial.cycles(first, last);
      if (end >= least) continue;
      least = end;
      best = way;
    }
    choose(best);
  }
}

void describe_tensors(Schedule& schedule, const Network& network, const Graph& graph, const MemoryMap& memory) {
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
  const auto hand_out = [&](std::size_t t) { schedule.tensors[t].is_output = true; };
  for (const int t : network.outputs) {
    if (schedule.tensors[static_cast<std::size_t>(t)].in_memory) hand_out(static_cast<std::size_t>(t));
  }
  std::vector<char> moved = graph.for_host;  // between memory and host
  for (std::size_t t = 0; t < network.tensors.size(); ++t) {
    if (graph.for_host[t]) hand_out(t);
  }
  for (const BetweenParts& step : graph.between) {
    const Layer& layer = network.layers[static_cast<std::size_t>(step.layer)];
    schedule.host_steps.push_back({step.layer, step.before, layer});
    for (const int t : layer.inputs) moved[static_cast<std::size_t>(t)] = 1;
    moved[static_cast<std::size_t>(layer.output)] = 1;
  }
  for (std::size_t t = 0; t < network.tensors.size(); ++t) {
    if (moved[t]) schedule.host_bytes += network.tensors[t].bytes();
  }
}

void describe_layers(Schedule& schedule, const Network& network, const Graph& graph) {
  schedule.layers.resize(network.layers.size());
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    ScheduleLayer& s = schedule.layers[l];
    s.name = network.layers[l].name;
    s.op = network.layers[l].op();
    s.shape = layer_shape(network, network.layers[l]);
    s.output = network.layers[l].output;
    s.macs = network.macs(network.layers[l]);
    s.on_host = graph.on_host[l] != 0;
  }
}

[[noreturn]] void refuse_instructions(const Schedule& schedule, std::int64_t most) {
  throw UserError("E0605",
                  "network `" + schedule.network + "` needs more than " + std::to_string(most) + " instructions on the machine `" +
                      schedule.machine + "`, and a program cannot have more",
                  "give the machine larger buffers, lower the batch, or run the layers in parts");
}

// Writes instructions into a schedule's program, and what that tells of their layers.
class ProgramWriter {
 public:
  ProgramWriter(Schedule& schedule, const Machine& machine, std::int64_t most)
      : schedule_(schedule), digest_(machine_digest(machine)), most_(most), done_(schedule.layers.size(), -1) {}

  void write(const Operation& op) {
    if (static_cast<std::int64_t>(schedule_.program.size()) + 2 > most_) refuse_instructions(schedule_, most_);
    const int place = static_cast<int>(schedule_.program.size());
    const auto l = static_cast<std::size_t>(op.layer);
    ScheduleLayer& layer = schedule_.layers[l];
    if (layer.first_instruction < 0) layer.first_instruction = place;
    layer.last_instruction = place;
    if (op.instruction.unit == isa::Unit::Store) layer.complete_after = place;
    done_[l] = std::max(done_[l], op.done);
    isa::Instruction instruction = op.instruction;
    if (instruction.unit == isa::Unit::Load) instruction.load.machine = digest_;
    schedule_.program.push_back(isa::encode(instruction));
  }

  // What follows belongs to another part of the program.
  void begin_part() { schedule_.further_parts.push_back(static_cast<std::uint32_t>(schedule_.program.size())); }

  // A layer's cycles: by how much it moves the end of its part.
  void finish_part() {
    schedule_.program.push_back(isa::encode(isa::Halt{}));
    std::int64_t before = 0;
    for (std::size_t l = 0; l < done_.size(); ++l) {
      if (done_[l] < 0) continue;
      schedule_.layers[l].predicted_cycles = std::max<std::int64_t>(0, done_[l] - before);
      before = std::max(before, done_[l]);
    }
    std::fill(done_.begin(), done_.end(), -1);
  }

 private:
  Schedule& schedule_;
  std::int32_t digest_;
  std::int64_t most_;
  std::vector<std::int64_t> done_;  // per layer of this part: the last of its operations, predicted
};

// More memory than there is behind the base: bytes, and of what.
struct Shortage {
  std::int64_t bytes = 0;
  const char* of_what = "";
};

// Of each part, its first group. A network for the host alone has a part without groups.
std::vector<int> first_groups(const Graph& graph) {
  std::vector<int> first = {0};
  for (std::size_t g = 1; g < graph.groups.size(); ++g) {
    if (graph.groups[g].part != graph.groups[g - 1].part) first.push_back(static_cast<int>(g));
  }
  return first;
}

// The layer that makes the second input of a layer with computed weights, a step of the host.
int maker_of_weights(const Network& network, const Graph& graph, const Layer& layer) {
  const int root = graph.root[static_cast<std::size_t>(layer.inputs[1])];
  for (const BetweenParts& step : graph.between) {
    if (network.layers[static_cast<std::size_t>(step.layer)].output == root) return step.layer;
  }
  throw UserError("E0608",
                  "layer `" + layer.name + "`: its weights, `" + network.input_of(layer, 1).name +
                      "`, are not made by a layer of the host, which puts them into their order",
                  "put a layer of the host before it, such as a `transpose`");
}

// Tells the host where the results are weights.
void place_computed_weights(Schedule& schedule, const Network& network, const Graph& graph, Lowerer& lowerer) {
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    if (network.layers[l].has_computed_weights()) schedule.host_bytes += lowerer.weight_bytes[l];
  }
  for (ComputedWeights& weights : lowerer.computed_weights) {
    const int maker = maker_of_weights(network, graph, network.layers[static_cast<std::size_t>(weights.layer)]);
    const auto step = std::find_if(schedule.host_steps.begin(), schedule.host_steps.end(), [&](const HostStep& s) { return s.layer == maker; });
    step->weights.push_back({weights.address, std::move(weights.source)});
  }
}

std::variant<Schedule, Shortage> make_schedule(const Network& network, const Machine& machine, const CompileOptions& options) {
  const Graph graph = make_graph(network, options.fuse);
  for (const Layer& layer : network.layers) {
    if (layer.has_computed_weights()) maker_of_weights(network, graph, layer);
  }
  Lowerer lowerer(network, machine, graph, options.interrupted);
  const int groups = static_cast<int>(graph.groups.size());
  const std::vector<int> parts = first_groups(graph);
  const auto last_group = [&](std::size_t part) { return part + 1 < parts.size() ? parts[part + 1] - 1 : groups - 1; };
  lowerer.plan_for(machine);
  Trial trial(lowerer, graph, network, machine, options);
  choose_plans(lowerer, trial, machine, parts);
  leave_out_zeros(lowerer, trial);
  lowerer.reset();
  std::vector<int> step(static_cast<std::size_t>(groups), 0);
  if (groups > 0 && !graph.between.empty() && graph.between.front().before == 0) step[0] = 1;
  for (int g = 1; g < groups; ++g) {
    step[static_cast<std::size_t>(g)] = step[static_cast<std::size_t>(g - 1)] + (lowerer.first_near(g) == g ? 2 : begins_step(lowerer, g, options) ? 1 : 0);
  }
  const auto align = static_cast<std::uint64_t>(std::max(isa::InstructionBytes, machine.burst_bytes));
  const MemoryMap memory = map_memory(network, graph, step, options.memory_base, align);
  // Without making a program that could not be run anyway, which may be huge; small networks are told the exact need below.
  constexpr std::uint64_t Small = 64 << 20;
  if (memory.end > static_cast<std::uint64_t>(machine.memory_bytes) && memory.end - options.memory_base > Small) {
    return Shortage{static_cast<std::int64_t>(memory.end - options.memory_base), " for its tensors alone"};
  }
  std::int64_t weights = 0;
  bool has_conv = false;
  for (const Layer& layer : network.layers) {
    if (layer.weights() == nullptr || layer.has_computed_weights()) continue;
    weights += static_cast<std::int64_t>(layer.weights()->bytes.size());
    has_conv = true;
  }
  Constants constants(memory.end, align, weights > 0 || !has_conv);
  constants.reserve(weights + weights / 8);

  Schedule schedule;
  schedule.network = network.name;
  schedule.machine = machine.name;
  schedule.machine_text = machine_text(machine);
  schedule.batch = network.inputs.empty() ? 1 : static_cast<int>(network.tensors[static_cast<std::size_t>(network.inputs[0])].shape.outermost());
  describe_layers(schedule, network, graph);
  const std::int64_t least = least_instructions(lowerer, 0, groups - 1);
  if (least > options.most_instructions) refuse_instructions(schedule, options.most_instructions);  // before making them
  schedule.program.reserve(static_cast<std::size_t>(least + least / 4));
  ProgramWriter writer(schedule, machine, options.most_instructions);
  for (std::size_t p = 0; p < parts.size(); ++p) {
    if (p > 0) {
      writer.begin_part();
      lowerer.begin_part();
    }
    Chains chains;
    Synchronizer synchronizer(machine);
    Predictor predictor(machine);
    Predictor in_program_order(machine, Predictor::Order::Program);
    ProgramOrder order(machine.queue_depth, [&](Operation& op, const Places& producers) {
      in_program_order.next(op, producers);
      writer.write(op);
    });
    lower_groups(lowerer, parts[p], last_group(p), options, memory, constants, [&](Operation& op) {
      chains.set(op);
      const Places producers = synchronizer.next(op);
      predictor.next(op, producers);
      order.add(op, producers);
    });
    order.finish();
    writer.finish_part();
  }
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    schedule.layers[l].weight_bytes = lowerer.weight_bytes[l];
    schedule.layers[l].macs -= lowerer.macs_left_out[l];
  }
  for (int g = 0; g < groups; ++g) {
    ScheduleLayer& layer = schedule.layers[static_cast<std::size_t>(graph.groups[static_cast<std::size_t>(g)].main.layer)];
    layer.mapping = lowerer.mapping(g);
    layer.weight_tiles = lowerer.weight_tiles(g);
  }

  schedule.program_base = constants.end();
  schedule.memory_bytes_used =
      static_cast<std::int64_t>(schedule.program_base) + static_cast<std::int64_t>(schedule.program.size()) * isa::InstructionBytes;
  if (schedule.memory_bytes_used > machine.memory_bytes) {
    return Shortage{schedule.memory_bytes_used - static_cast<std::int64_t>(options.memory_base), ""};
  }
  ConstantSegment segment;
  segment.address = constants.base();
  segment.bytes = constants.take();
  if (!segment.bytes.empty()) schedule.constants.push_back(std::move(segment));
  describe_tensors(schedule, network, graph, memory);
  place_computed_weights(schedule, network, graph, lowerer);
  return schedule;
}

}  // namespace

Schedule compile(const Network& network, const Machine& machine, const CompileOptions& options) {
  if (options.memory_base % MemoryBaseUnit != 0 || options.memory_base >= static_cast<std::uint64_t>(isa::MemoryAddresses)) {
    throw UserError("E0606", "programs cannot begin at address " + std::to_string(options.memory_base) + " of memory",
                    "a base is a multiple of " + std::to_string(MemoryBaseUnit) + " below " + std::to_string(isa::MemoryAddresses));
  }
  auto result = make_schedule(network, machine, options);
  if (auto* schedule = std::get_if<Schedule>(&result)) return std::move(*schedule);
  if (options.overlap_layers) {  // side by side, more tensors live at a time
    CompileOptions apart = options;
    apart.overlap_layers = false;
    return compile(network, machine, apart);
  }
  const Shortage& shortage = std::get<Shortage>(result);
  const std::string from = options.memory_base > 0 ? " from address " + std::to_string(options.memory_base) + " on" : "";
  throw UserError("E0603",
                  "network `" + network.name + "` needs " + std::to_string(shortage.bytes) + " bytes of memory" + shortage.of_what + from +
                      ", and the machine `" + machine.name + "` has " + std::to_string(machine.memory_bytes),
                  "raise memory.size_bytes, or lower the batch");
}

}  // namespace gemel
