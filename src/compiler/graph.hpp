// SPDX-License-Identifier: Apache-2.0
// The network as groups of layers that are lowered together, and where its tensors lie in memory. A group is a main layer,
// perhaps with a residual addition behind it whose other operand is already there, each perhaps with tables behind it.
// Nothing between members of a group reaches memory. Views share the memory of what they view.
// Layers of operators that the machine lacks run on the host. Those that a layer of the machine depends on cut the program into parts: part p runs
// what needs no more than p steps on the host one after the other. The other ones run when the last part has halted.
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
  int part = 0;          // of the program
};

// A layer on the host between two parts: it reads and writes the machine's memory.
struct BetweenParts {
  int layer = -1;
  int before = 0;        // the part that starts when it is done; 0: it reads inputs of the network only
};

struct Graph {
  std::vector<Group> groups;     // by part
  std::vector<char> on_host;     // per layer
  std::vector<BetweenParts> between;  // by part; of one part in an order in which each finds what it reads
  std::vector<char> for_host;    // per tensor: in memory, and read by a layer that runs on the host when the last part has halted
  std::vector<int> root;         // per tensor: the tensor whose memory it shares (itself, unless a view)
  std::vector<char> in_memory;   // per tensor
};

Graph make_graph(const Network& network, bool fuse);

struct MemoryMap {
  std::vector<std::uint64_t> address;  // per tensor
  std::uint64_t end = 0;
};

// Places tensors from address `base` on by first fit; memory of a tensor is used again once its last reader's group has passed. Inputs
// and outputs stay to the end. `step[g]`: groups of one step run side by side; where the host has something to do before a part, one step is free
// before that of the part's first group. `base` is a multiple of `align`.
MemoryMap map_memory(const Network& network, const Graph& graph, const std::vector<int>& step, std::uint64_t base, std::uint64_t align);

}  // namespace gemel::compiler
