// SPDX-License-Identifier: Apache-2.0
// Fusion and memory; see graph.hpp.
#include "compiler/graph.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <numeric>
#include <queue>

#include "base/error.hpp"
#include "ops/ops.hpp"

namespace gemel::compiler {
namespace {

void compose(Stage& stage, const TableEntries& next) {
  for (int i = 0; i < 256; ++i) {
    stage.table[i] = stage.has_table ? next[stage.table[i]] : next[static_cast<std::size_t>(i)];
  }
  stage.has_table = true;
}

// Per tensor: whether a layer of the machine depends on it.
std::vector<char> needed_by_machine(const Network& network) {
  std::vector<char> needed(network.tensors.size(), 0);
  for (std::size_t l = network.layers.size(); l-- > 0;) {
    const Layer& layer = network.layers[l];
    const bool on_machine = !ops::info(layer.op()).on_host && layer.op() != Op::Reshape;
    if (!on_machine && !needed[static_cast<std::size_t>(layer.output)]) continue;
    for (const int t : layer.inputs) needed[static_cast<std::size_t>(t)] = 1;
  }
  return needed;
}

// Fills Graph::on_host, between and for_host; gives each layer's part, as far as the machine runs it.
std::vector<int> find_host_layers(const Network& network, Graph& graph) {
  graph.on_host.assign(network.layers.size(), 0);
  graph.for_host.assign(network.tensors.size(), 0);
  const std::vector<char> needed = needed_by_machine(network);
  std::vector<int> part(network.layers.size(), 0);
  // Per tensor: the first part whose layers may read it, and the first part before which the host may.
  std::vector<int> for_machine(network.tensors.size(), 0), before(network.tensors.size(), 0);
  std::vector<char> at_the_end(network.tensors.size(), 0);  // made by the host when the last part has halted
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const Layer& layer = network.layers[l];
    const auto out = static_cast<std::size_t>(layer.output);
    const bool view = layer.op() == Op::Reshape, host = ops::info(layer.op()).on_host;
    const auto most = [&](const std::vector<int>& of) {
      int m = 0;
      for (const int t : layer.inputs) m = std::max(m, of[static_cast<std::size_t>(t)]);
      return m;
    };
    const bool of_end = view && at_the_end[static_cast<std::size_t>(layer.inputs[0])];
    if (of_end || (host && !needed[out])) {
      graph.on_host[l] = at_the_end[out] = 1;
      for (const int t : layer.inputs) graph.for_host[static_cast<std::size_t>(t)] = !at_the_end[static_cast<std::size_t>(t)];
    } else if (view) {
      for_machine[out] = most(for_machine);
      before[out] = most(before);
    } else if (host) {
      graph.on_host[l] = 1;
      for_machine[out] = before[out] = most(before);
      graph.between.push_back({static_cast<int>(l), before[out]});
    } else {
      part[l] = for_machine[out] = most(for_machine);
      before[out] = part[l] + 1;
    }
  }
  std::stable_sort(graph.between.begin(), graph.between.end(), [](const BetweenParts& a, const BetweenParts& b) { return a.before < b.before; });
  return part;
}

Stage stage_of(const Network& network, int layer) {
  Stage s;
  s.layer = layer;
  const Layer& l = network.layers[layer];
  if (const Table* table = l.get<Table>()) compose(s, table->entries);
  if (l.then_table) compose(s, *l.then_table);
  return s;
}

}  // namespace

Graph make_graph(const Network& network, bool fuse) {
  Graph graph;
  const std::vector<int> part = find_host_layers(network, graph);
  const int tensors = static_cast<int>(network.tensors.size());
  const int layers = static_cast<int>(network.layers.size());
  graph.root.resize(tensors);
  std::iota(graph.root.begin(), graph.root.end(), 0);
  graph.in_memory.assign(tensors, 1);
  std::vector<std::vector<int>> readers(tensors);
  std::vector<int> producer(tensors, -1);
  std::vector<char> kept(tensors, 0);
  for (int l = 0; l < layers; ++l) {
    const Layer& layer = network.layers[l];
    for (const int t : layer.inputs) readers[t].push_back(l);
    producer[layer.output] = l;
    if (layer.op() == Op::Reshape) graph.root[layer.output] = graph.root[layer.inputs[0]];
  }
  for (const int t : network.outputs) kept[t] = 1;
  for (const int t : network.inputs) kept[t] = 1;
  for (int t = 0; t < tensors; ++t) kept[t] = kept[t] || graph.for_host[t];
  for (int l = 0; l < layers; ++l) {
    if (graph.on_host[l]) graph.in_memory[network.layers[l].output] = 0;
  }
  for (const BetweenParts& step : graph.between) {
    const Layer& layer = network.layers[step.layer];
    graph.in_memory[layer.output] = 1;
    for (const int t : layer.inputs) kept[t] = 1;
  }

  std::vector<char> absorbed(layers, 0);
  // The only reader of a tensor that need not be kept, if it is of that kind.
  const auto follower = [&](int tensor, Op op) {
    if (!fuse || kept[tensor] || readers[tensor].size() != 1) return -1;
    const int l = readers[tensor][0];
    return network.layers[l].op() == op && !absorbed[l] ? l : -1;
  };
  // Tables behind a stage join it; gives the tensor that comes out.
  const auto absorb_tables = [&](Stage& stage, int tensor, int& last) {
    for (int l = follower(tensor, Op::Table); l >= 0; l = follower(tensor, Op::Table)) {
      compose(stage, stage_of(network, l).table);
      absorbed[l] = 1;
      graph.in_memory[tensor] = 0;
      tensor = network.layers[l].output;
      last = l;
    }
    return tensor;
  };

  for (int l = 0; l < layers; ++l) {
    const Layer& layer = network.layers[l];
    if (absorbed[l] || layer.op() == Op::Reshape || graph.on_host[l]) continue;
    Group g;
    g.main = stage_of(network, l);
    g.last_layer = l;
    int tensor = layer.output;
    if (layer.sum_bytes == 0) tensor = absorb_tables(g.main, tensor, g.last_layer);
    if (layer.weights() != nullptr && !layer.has_computed_weights() && layer.sum_bytes == 0) {
      const int a = follower(tensor, Op::Add);
      if (a >= 0) {
        const Layer& add = network.layers[a];
        g.main_is_second = add.inputs[0] != tensor;
        const int other = add.inputs[g.main_is_second ? 0 : 1];
        const int made_by = producer[graph.root[other]];
        // A layer's result is there if the layer stands before this one (and was not itself waiting for an addition).
        if (add.inputs[0] != add.inputs[1] && made_by < l && graph.in_memory[graph.root[other]]) {
          g.add = stage_of(network, a);
          g.residual = other;
          g.last_layer = a;
          absorbed[a] = 1;
          graph.in_memory[tensor] = 0;
          tensor = absorb_tables(g.add, add.output, g.last_layer);
        }
      }
    }
    g.output = tensor;
    g.part = part[g.last_layer];
    graph.groups.push_back(g);
  }
  std::stable_sort(graph.groups.begin(), graph.groups.end(), [](const Group& a, const Group& b) { return a.part < b.part; });
  for (int t = 0; t < tensors; ++t) graph.in_memory[t] = graph.in_memory[graph.root[t]] && graph.in_memory[t];
  return graph;
}

MemoryMap map_memory(const Network& network, const Graph& graph, const std::vector<int>& step, std::uint64_t base, std::uint64_t align) {
  const int tensors = static_cast<int>(network.tensors.size());
  const int steps = step.empty() ? 0 : step.back() + 1;
  std::vector<int> from(tensors, -1), until(tensors, -1);  // steps during which a root lives; inputs from the beginning
  for (const int t : network.inputs) {
    from[graph.root[t]] = 0;
    until[graph.root[t]] = steps;
  }
  std::vector<int> group_of_layer(network.layers.size(), -1);
  std::vector<char> is_read(tensors, 0);
  const auto reads = [&](int tensor, int s) {
    const int r = graph.root[tensor];
    until[r] = std::max(until[r], s);
    is_read[r] = 1;
  };
  for (std::size_t g = 0; g < graph.groups.size(); ++g) {
    const Group& group = graph.groups[g];
    for (const int t : network.layers[group.main.layer].inputs) reads(t, step[g]);
    if (group.residual >= 0) reads(group.residual, step[g]);
    from[graph.root[group.output]] = step[g];
    until[graph.root[group.output]] = std::max(until[graph.root[group.output]], step[g]);
  }
  std::size_t behind = 0;  // first group of the part behind the host's step
  for (const BetweenParts& between : graph.between) {
    while (graph.groups[behind].part < between.before) ++behind;
    const Layer& layer = network.layers[between.layer];
    const int s = step[behind] - 1;
    for (const int t : layer.inputs) reads(t, s);
    from[graph.root[layer.output]] = s;
    reads(layer.output, s);
  }
  for (const int t : network.outputs) until[graph.root[t]] = steps;
  for (int t = 0; t < tensors; ++t) {
    if (graph.for_host[t]) until[graph.root[t]] = steps;
    // A layer is complete with the response to its last store, and the data of the next store may be written before that. Where a layer reads the
    // tensor, no later store reaches its place so soon.
    if (!is_read[graph.root[t]]) until[graph.root[t]] = steps;
  }

  std::vector<int> order;
  for (int t = 0; t < tensors; ++t) {
    if (graph.root[t] == t && graph.in_memory[t] && from[t] >= 0) order.push_back(t);
  }
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return from[a] < from[b]; });

  MemoryMap map;
  map.address.assign(tensors, 0);
  map.end = base;
  // First fit in the free stretches of memory, by address; every one begins at a multiple of `align`. Kept as stretches, because
  // a table of independent layers has all its tensors alive at once.
  constexpr std::uint64_t NoEnd = ~std::uint64_t{0};
  std::map<std::uint64_t, std::uint64_t> free = {{base, NoEnd}};  // first byte, one past the last
  struct Placed {
    int until;
    std::uint64_t first, end;
    bool operator>(const Placed& o) const { return until > o.until; }
  };
  std::priority_queue<Placed, std::vector<Placed>, std::greater<>> placed;  // the first to be freed on top
  const auto release = [&](std::uint64_t first, std::uint64_t end) {
    auto next = free.lower_bound(first);
    if (next != free.begin() && std::prev(next)->second == first) first = std::prev(next)->first;
    if (next != free.end() && next->first == end) {
      end = next->second;
      free.erase(next);
    }
    free[first] = end;
  };
  for (const int t : order) {
    for (; !placed.empty() && placed.top().until < from[t]; placed.pop()) release(placed.top().first, placed.top().end);
    const std::uint64_t bytes = static_cast<std::uint64_t>(network.tensors[t].bytes());
    const std::uint64_t room = (bytes + align - 1) / align * align;
    auto where = free.begin();
    while (where->second - where->first < room) ++where;  // the last stretch has no end
    const std::uint64_t at = where->first, end = where->second;
    free.erase(where);
    if (at + room < end) free[at + room] = end;
    placed.push({until[t], at, at + room});
    map.address[t] = at;
    map.end = std::max(map.end, at + bytes);
  }
  for (int t = 0; t < tensors; ++t) map.address[t] = map.address[graph.root[t]];
  map.end = (map.end + align - 1) / align * align;
  return map;
}

}  // namespace gemel::compiler
