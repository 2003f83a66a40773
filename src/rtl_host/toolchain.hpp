// SPDX-License-Identifier: Apache-2.0
// Verilator and the C++ compiler: which they are, what they are called with, and what they can. Asking a tool takes
// longer than loading a compiled block, so an answer is kept in the cache folder under a hash of all that decides it:
// the files that would be run, to inode and nanosecond, the environment that they heed, the processor where it counts.
// Of a tool that is not plainly Verilator's or GCC's own (ccache, somebody's script) nobody knows what it would run, so
// it is asked every time.
#pragma once
#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.hpp"

namespace gemel {

struct VerilatorVersion {
  int major = 0, minor = 0;  // "5.006" is 5, 6
};
constexpr bool operator<(const VerilatorVersion& a, const VerilatorVersion& b) {
  return a.major != b.major ? a.major < b.major : a.minor < b.minor;
}
constexpr bool operator==(const VerilatorVersion& a, const VerilatorVersion& b) {
  return a.major == b.major && a.minor == b.minor;
}
std::string to_string(const VerilatorVersion& version);  // "5.006"
// The number in "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)"; 0.0 if there is none.
VerilatorVersion verilator_version(std::string_view text);

constexpr VerilatorVersion OldestVerilator = {5, 6};
// From this one on the ports of a module are read from --json-only; before, from --xml-only, which later ones lack.
constexpr VerilatorVersion FirstWithJson = {5, 32};
// Whether the short clock (wrapper/block.cpp), which knows the insides of Verilated code, may be used: only in versions
// for which tests/rtl_programs/short_clock_test.cpp has compared it with eval(), block by block. All others take
// eval().
bool has_proven_short_clock(const VerilatorVersion& version);

struct Toolchain {
  std::string verilator;  // what it says of itself
  VerilatorVersion version;
  std::vector<std::string> compiler;   // $CXX in words, else g++
  std::string compiler_and_processor;  // what the compiler says of itself and makes of -march=native: a home folder may
                                       // be shared by computers with other processors
};
constexpr const char* NativeFlag = "-march=native";

// Asked once in a process at most. `folders`: where answers are looked up; `writable`: where they are kept, or empty.
// UserError E1002: not installed, E1019: too old.
const Toolchain& toolchain(const std::vector<std::string>& folders, const std::string& writable);

// Runs a tool in `folder`. The caller's flags for other builds (CXXFLAGS, ..) do not reach it, and it speaks English,
// so that what it says can be read. Interrupted: `interrupted` was set. An end for any other reason is the caller's to
// tell.
ProcessResult run_tool(const std::vector<std::string>& arguments, const std::string& folder = {},
                       const std::atomic<bool>* interrupted = nullptr);
// Several, as many at a time as there are cores.
std::vector<ProcessResult> run_tools(const std::vector<std::vector<std::string>>& commands, const std::string& folder,
                                     const std::atomic<bool>* interrupted);

// Folder with verilated.h and Verilator's other sources.
std::string verilator_include(const std::atomic<bool>* interrupted);

// Seconds that one program of a build may take: GEMEL_RTL_BUILD_SECONDS, else 1800. UserError E1018.
int build_seconds();

// Whether a file of this name in the cache folder is a tool's answer.
bool is_remembered_answer(const std::string& name);

}  // namespace gemel
