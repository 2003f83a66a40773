// SPDX-License-Identifier: Apache-2.0
// What ties a program to its machine. The rows of the parameter table that are marked `in_digest` decide: with one of them changed the
// program would mean something else. Clock, latencies, queues and the size of memory are not among them: there the program runs as well.
#pragma once
#include <cstdint>
#include <string>

#include "config/machine.hpp"

namespace gemel {

// One `key=value` per line, in the order of the table, values as in a machine file.
std::string machine_text(const Machine& machine);

// 31 bits, never 0 (which stands for any machine), of machine_text(); the same over runs, compilers and versions. Instructions carry it
// (isa.toml, load.machine), and the sequencer compares.
std::int32_t machine_digest(const Machine& machine);
std::int32_t digest_of_machine_text(const std::string& text);

// How two such texts differ: `pe_array.rows 16 there and 32 here, ...`, at most four of them, in the order of the table. Empty if they do not.
std::string machine_differences(const std::string& there, const std::string& here);

}  // namespace gemel
