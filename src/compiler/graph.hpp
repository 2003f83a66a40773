// SPDX-License-Identifier: Apache-2.0
// The network as groups of layers that are lowered together, and where its tensors lie in memory. A group is a main layer,
// perhaps with a residual addition behind it whose other operand is already there, each perhaps with tables behind it.
// Nothing between members of a group reaches memory. Views share the memory of what they view.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "config/machine.hpp"
#include "network/network.hpp"

namespace gemel::compiler {

// A layer with the tables that follow it worked into one.
struct Stage {
  int layer = -1;
  bool has_table = false;
  TableEntries table{};
};

struct Group {
  Stage main;
  Stage add;             // layer -1: none
  bool main_is_second = false;  // the main layer's result is the addition's second operand
  int residual = -1;     // tensor: the addition's other operand
  int output = -1;       // tensor that is stored
  int last_layer = -1;   // layer that produces it: its tag is on the stores
};

struct Graph {
  std::vector<Group> groups;
  std::vector<char> on_host;     // per layer: runs on the host when the program has halted
  std::vector<char> for_host;    // per tensor: made by the machine or an input, and read by such a layer
  std::vector<int> root;         // per tensor: the tensor whose memory it shares (itself, unless a view)
  std::vector<char> in_memory;   // per tensor
};

// UserError E0607 if the machine would have to wait for the host.
Graph make_graph(const Network& network, bool fuse);

struct MemoryMap {
  std::vector<std::uint64_t> address;  // per tensor
  std::uint64_t end = 0;
};

// Places tensors from address `base` on by first fit; memory of a tensor is used again once its last reader's group has passed. Inputs
// and outputs stay to the end. `step[g]`: groups of one step run side by side. `base` is a multiple of `align`.
MemoryMap map_memory(const Network& network, const Graph& graph, const std::vector<int>& step, std::uint64_t base, std::uint64_t align);

}  // namespace gemel::compiler
