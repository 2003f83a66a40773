// SPDX-License-Identifier: Apache-2.0
#include "rtl_host/patience.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>

namespace gemel {

int seconds_from_environment(const char* variable, int otherwise) {
  const char* value = std::getenv(variable);
  if (value == nullptr) return otherwise;
  constexpr int Most = 7 * 24 * 3600;
  const std::string_view text(value);
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 1 || seconds > Most) {
    throw UserError("E1018", std::string(variable) + " must be a number of seconds from 1 to " + std::to_string(Most) + ", not `" + value + "`");
  }
  return seconds;
}

int rtl_eval_seconds() { return seconds_from_environment("GEMEL_RTL_EVAL_SECONDS", 30); }

RtlPatience::RtlPatience(const RtlPulse& pulse, RtlHangs hangs) : pulse_(pulse), hangs_(std::move(hangs)), seconds_(rtl_eval_seconds()) {
  if (hangs_) thread_ = std::thread([this] { watch(); });
}

RtlPatience::~RtlPatience() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    over_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void RtlPatience::watch() {
  int seconds = 0;  // that this evaluation has been seen for
  std::uint64_t seen = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  while (!wake_.wait_for(lock, std::chrono::seconds(1), [this] { return over_; })) {
    const char* block = pulse_.block.load(std::memory_order_relaxed);
    const std::uint64_t evaluations = pulse_.evaluations.load(std::memory_order_relaxed);
    seconds = block != nullptr && evaluations == seen ? seconds + 1 : 0;
    seen = evaluations;
    if (seconds < seconds_) continue;
    hangs_(UserError("E1016", "block `" + std::string(block) + "`, clock " + std::to_string(std::max<std::int64_t>(0, pulse_.clock)) +
                                  ": the Verilog has not come to the end of this clock for " + std::to_string(seconds) + " seconds",
                     "is there a loop in it that never ends? GEMEL_RTL_EVAL_SECONDS sets another limit"));
    return;
  }
}

}  // namespace gemel
