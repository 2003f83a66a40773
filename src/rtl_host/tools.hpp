// SPDX-License-Identifier: Apache-2.0
// What Verilator and the compiler say of themselves, remembered: asking takes longer than loading a compiled block. An answer is kept in
// the cache folder under a hash of all that decides it: the files that would be run, to inode and nanosecond, the environment that they
// heed, the processor where it counts. Of a tool that is not plainly Verilator's or GCC's own (ccache, somebody's script)
// nobody knows what it would run, so it is asked every time.
#pragma once
#include <functional>
#include <string>

namespace gemel {

// All that decides what `verilator --version` answers; empty: not known. Starts no process.
std::string verilator_identity();
// The same of `g++ -march=native -###`.
std::string compiler_identity();

// The answer kept for an identity, else `ask()`'s, which is then kept. A damaged answer is asked again; one that cannot be written is not kept.
std::string remembered(const std::string& cache, const std::string& identity, const std::function<std::string()>& ask);

// Whether a file of this name in the cache folder is such an answer.
bool is_remembered_answer(const std::string& name);

}  // namespace gemel
