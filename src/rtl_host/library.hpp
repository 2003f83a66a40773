// SPDX-License-Identifier: Apache-2.0
// Verilated blocks on demand: (block, parameters, sources, Verilator, compiler, processor) -> shared object, built when
// first needed, kept in the user's cache folder under a hash, checked and loaded at run time. Safe against parallel use
// (a lock per object), a killed build (temporary folder, renamed when whole), a full disk (nothing half-made is ever
// loaded) and damaged files (built again).
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gemel/error.hpp"
#include "rtl_host/model.hpp"
#include "rtl_host/patience.hpp"
#include "rtl_host/ports.hpp"

namespace gemel {

struct RtlRequest {
  std::string block;                 // "vector_buffer"
  RtlParameters parameters;          // of the module
  std::vector<std::string> sources;  // empty: Gemel's own
  bool trace = false;                // built with FST waves
  bool random_reset = false;         // registers start with random bits until reset
  std::string
      coverage;  // built to count lines and toggles; each instance writes its counts into this folder in the end
  // A clock of Gemel's own sources without waves may leave out what they do not need of Verilator's eval(), in versions
  // for which that was compared (rtl_host/toolchain.hpp). The test that compares asks for either.
  enum class Clocking { ByVersion, Short, Eval };
  Clocking clocking = Clocking::ByVersion;
};

// A line of text, now and then. May be empty.
using RtlProgress = std::function<void(const std::string&)>;
// A warning. May be empty.
using RtlNotice = std::function<void(const Diagnostic&)>;

// Who is told while RTL is built, and who may end it. Each may be empty or null.
struct RtlHost {
  RtlProgress progress;  // what is being done, for a line that is overwritten
  RtlNotice notice;      // E1020, E1021: the cache folder is not as it should be, and the run goes on
  const std::atomic<bool>* interrupted = nullptr;  // once set, all that was started is ended, and Interrupted is thrown
};

// What Verilator says of itself; asked once in a process, so ask before forking. UserError E1002, E1019.
std::string rtl_tool_version();
// Folder of Gemel's own Verilog. UserError E1003: nowhere to be found.
std::string own_rtl_folder();
// Folder of the cache: $GEMEL_CACHE, else $XDG_CACHE_HOME/gemel, else ~/.cache/gemel.
std::string rtl_cache_folder();
struct RtlCacheEntry {
  enum class State { Whole, BeingBuilt, LeftOver };
  State state = State::Whole;
  std::string hash, description;
  std::int64_t bytes = 0;
};
std::vector<RtlCacheEntry> list_rtl_cache();
std::int64_t clear_rtl_cache();  // removes all but what is being built; bytes freed

// Throws UserError
//   E1002 Verilator or the compiler is not installed      E1003 a source cannot be read
//   E1004 it does not compile (Verilator's own lines are shown)
//   E1005 ports are missing, extra, or of the wrong width or direction (each named)
//   E1006 the module or one of its parameters is missing
//   E1009 the cache folder cannot be used                 E1014 it is too large to compile or to simulate
//   E1018 a time limit in the environment is wrong        E1019 Verilator is too old
class RtlLibrary {
 public:
  static std::shared_ptr<RtlLibrary> get(const RtlRequest& request, const RtlHost& host = {});
  virtual ~RtlLibrary() = default;
  // `seed`: of the random reset, if the library was requested so. `pulse`: told of every evaluation; outlives the
  // model.
  virtual std::unique_ptr<RtlModel> create(int seed = 0, RtlPulse* pulse = nullptr) = 0;
  virtual const std::string& path() const = 0;
};

}  // namespace gemel
