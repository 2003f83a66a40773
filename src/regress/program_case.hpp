// SPDX-License-Identifier: Apache-2.0
// Cases of a regression that are no network: random instructions, corner values for data, now and then an error on purpose.
#pragma once
#include "regress/network_builder.hpp"
#include "regress/regress.hpp"

namespace gemel::regress {

// What RTL does not depend on: latencies, bandwidth, queue and random stalls of memory.
void draw_memory_around(Random& random, Machine& machine);

// Sets program and data of the case, for its machine with a memory of another size. Most programs end with halt; others meet a hazard, an
// illegal instruction, an address outside of memory, an overflow of a semaphore, or their end.
void draw_random_program(Random& random, Case& c);

}  // namespace gemel::regress
