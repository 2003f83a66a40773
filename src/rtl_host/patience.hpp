// SPDX-License-Identifier: Apache-2.0
// An endless loop in somebody's Verilog (`while (1)`) hangs inside one evaluation, and nothing in the thread that runs it can notice. So
// a thread beside it looks, once a second, whether the same evaluation has been under way for too long. An evaluation
// costs three plain stores more.
#pragma once
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/error.hpp"
#include "rtl_host/model.hpp"

namespace gemel {

// Called in the watching thread with UserError E1016. What it does not end, goes on hanging.
using RtlHangs = std::function<void(const UserError&)>;

// A time limit from the environment: whole seconds from 1 to a week, `otherwise` where the variable is not set. UserError E1018.
int seconds_from_environment(const char* variable, int otherwise);

// Seconds that one evaluation may take: GEMEL_RTL_EVAL_SECONDS, else 30. UserError E1018.
int rtl_eval_seconds();

class RtlPatience {
 public:
  // An empty `hangs`: nothing is watched.
  RtlPatience(const RtlPulse& pulse, RtlHangs hangs);
  ~RtlPatience();
  RtlPatience(const RtlPatience&) = delete;
  RtlPatience& operator=(const RtlPatience&) = delete;

 private:
  void watch();

  const RtlPulse& pulse_;
  RtlHangs hangs_;
  int seconds_;
  bool over_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace gemel
