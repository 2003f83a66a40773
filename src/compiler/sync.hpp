// SPDX-License-Identifier: Apache-2.0
// Semaphores, derived and never written by hand. From operations in sequential order: every conflict between two units
// (a buffer word or a memory byte that one of them writes; a bank whose read or write port both need) becomes an edge from
// the earlier to the later, unless what is already waited for implies it. An edge is one token: the producer posts, the
// consumer waits. Each ordered pair of units has one semaphore, and its edges rise on both sides, so the k-th token is
// the k-th edge's whatever the timing.
//   into load:   0 matrix, 1 vector, 2 store     into matrix: 4 load, 5 vector
//   into vector: 8 load, 9 matrix, 10 store      into store:  12 vector, 13 load
#pragma once
#include <vector>

#include "compiler/operation.hpp"

namespace gemel::compiler {

struct Edge {
  int producer = 0, consumer = 0;  // indices of operations; of different units
};

// Semaphore on which `consumer` waits for `producer`; -1 if the two share nothing.
int semaphore(int producer_unit, int consumer_unit);

// Conflicts as a reduced list, ordered by consumer.
std::vector<Edge> derive_edges(const std::vector<Operation>& operations, const Machine& machine);

// Sets wait and post masks. All masks must be 0 before.
void apply_edges(std::vector<Operation>& operations, const std::vector<Edge>& edges);

// Sets `chain` wherever it is legal.
void set_chains(std::vector<Operation>& operations);

// A program order (a permutation of the operations, each unit's in sequential order) by predicted starts, such that no
// semaphore can reach 256 whatever the timing: a producer is held back behind the consumers of tokens long since posted.
std::vector<int> order_program(const std::vector<Operation>& operations, const std::vector<Edge>& edges, int queue_depth);

}  // namespace gemel::compiler
