// SPDX-License-Identifier: Apache-2.0
// Predicted starts and ends of operations: each unit in order, edges, chaining and the formulas of timing.hpp. Fetch and
// queues are taken as never in the way. One pass in sequential order, constant work per operation.
#pragma once
#include <vector>

#include "compiler/sync.hpp"

namespace gemel::compiler {

// Fills start and done; returns the cycle after the last done.
std::int64_t predict(std::vector<Operation>& operations, const std::vector<Edge>& edges, const Machine& machine);

}  // namespace gemel::compiler
