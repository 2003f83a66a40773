// SPDX-License-Identifier: Apache-2.0
// To watch a run, and to stop it.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "gemel/error.hpp"
#include "gemel/export.hpp"
#include "gemel/result.hpp"

namespace gemel {

struct Progress {
  std::int64_t instructions = 0, total_instructions = 0;
  std::int64_t cycles = 0;
  int layer = 0, layers = 0;
};

// Called in the thread that runs, now and then; must not throw. Override what is of interest.
class GEMEL_API Observer {
 public:
  virtual ~Observer();
  virtual void progress(const Progress& progress);
  // A layer's output is complete in memory and, if it was compared with the reference, equal.
  virtual void layer(const LayerInfo& layer, std::int64_t cycle);
  // A line about what takes time: RTL being compiled.
  virtual void log(const std::string& line);
  // Legal, but probably not meant.
  virtual void warning(const Diagnostic& warning);
  // What the Verilog of a block displays ($display, $write), in lines or parts of them.
  virtual void rtl_displays(const std::string& block, const std::string& text);
  // The Verilog of a block does not come to the end of a clock (E1016). Called in another thread; the run itself goes on hanging,
  // so that ending the process is all that helps.
  virtual void rtl_hangs(const UserError& error);
};

// A wish to stop that copies share. Reading, compiling and running look at it now and then and end in Interrupted.
class StopToken {
 public:
  StopToken() : flag_(std::make_shared<std::atomic<bool>>(false)) {}
  // May be called in any thread, and in a signal handler.
  void request_stop() const noexcept { flag_->store(true, std::memory_order_relaxed); }
  bool stop_requested() const noexcept { return flag_->load(std::memory_order_relaxed); }
  const std::atomic<bool>* flag() const noexcept { return flag_.get(); }  // lives as long as any copy of the token

 private:
  static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");
  std::shared_ptr<std::atomic<bool>> flag_;
};

}  // namespace gemel
