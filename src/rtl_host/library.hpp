// SPDX-License-Identifier: Apache-2.0
// Verilated blocks on demand: (block, parameters, sources, Verilator, compiler, processor) -> shared object, built when first needed,
// kept in the user's cache folder under a hash, loaded at run time. Safe against parallel use (a lock per object), a killed build (temporary
// folder, renamed when whole) and a full disk (nothing half-made is ever loaded).
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "rtl_host/patience.hpp"
#include "rtl_host/ports.hpp"

namespace gemel {

struct RtlRequest {
  std::string block;                 // "vector_buffer"
  RtlParameters parameters;          // of the module
  std::vector<std::string> sources;  // empty: Gemel's own
  bool trace = false;                // built with FST waves
  bool random_reset = false;         // registers start with random bits until reset
  std::string coverage;              // built to count lines and toggles; each instance writes its counts into this folder in the end
};

// One port of a model: its storage, little endian, ceil(width / 8) bytes; Verilator's types all lie so.
struct RtlPort {
  std::uint8_t* bytes = nullptr;
  int width = 0;
};

// Gets what Verilog displays in one evaluation; must not throw.
using RtlListener = std::function<void(const char* text)>;

// An instance of a Verilated block, driven through a plain C interface.
class RtlModel {
 public:
  virtual ~RtlModel() = default;
  virtual RtlPort port(const std::string& name) = 0;   // InternalError if there is none
  virtual void set_clock(bool high) = 0;
  virtual void set_reset(bool active) = 0;             // rst_ni = !active
  virtual void eval() = 0;
  virtual void clock() = 0;                            // high, eval, low, eval; nothing may follow the falling edge
  virtual bool quiet() const = 0;
  virtual void listen(RtlListener listener) = 0;         // in place of stderr; for all instances of the library
  virtual void open_waves(const std::string& path) = 0;  // models built with `trace`
  virtual void dump_waves(std::int64_t time) = 0;
  virtual void close_waves() = 0;
};

// Progress of a build: a line of text, now and then. May be empty.
using RtlProgress = std::function<void(const std::string&)>;

// What Verilator says of itself; asked once in a process, so ask before forking. UserError E1002.
std::string rtl_tool_version();
// Folder of Gemel's own Verilog. UserError E1003: nowhere to be found.
std::string own_rtl_folder();
// Folder of the cache: $GEMEL_CACHE, else $XDG_CACHE_HOME/gemel, else ~/.cache/gemel.
std::string rtl_cache_folder();
struct RtlCacheEntry {
  std::string hash, description;
  std::int64_t bytes = 0;
};
std::vector<RtlCacheEntry> list_rtl_cache();
std::int64_t clear_rtl_cache();  // removes all entries; bytes freed

// Throws UserError
//   E1002 Verilator is not installed        E1003 a source cannot be read
//   E1004 it does not compile (Verilator's own lines are shown)
//   E1005 ports are missing, extra, or of the wrong width or direction (each named)
//   E1006 the module or one of its parameters is missing
//   E1009 the cache folder cannot be written    E1014 it is too large to compile or to simulate
// and, out of eval(): RunError E1012 (the Verilog called $finish, $stop, $fatal or failed an assertion), UserError E1013 (a
// combinational loop that does not settle).
class RtlLibrary {
 public:
  // Once `interrupted` is set, what is being built is ended, with all its processes, and Interrupted is thrown.
  static std::shared_ptr<RtlLibrary> get(const RtlRequest& request, const RtlProgress& progress = {},
                                         const std::atomic<bool>* interrupted = nullptr);
  virtual ~RtlLibrary() = default;
  // `seed`: of the random reset, if the library was requested so. `pulse`: told of every evaluation; outlives the model.
  virtual std::unique_ptr<RtlModel> create(int seed = 0, RtlPulse* pulse = nullptr) = 0;
  virtual const std::string& path() const = 0;
};

}  // namespace gemel
