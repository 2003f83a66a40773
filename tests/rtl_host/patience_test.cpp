// SPDX-License-Identifier: Apache-2.0
// The thread that looks whether a clock of RTL ever ends; time limits from the environment; versions of Verilator.
#include "rtl_host/patience.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "rtl_host/toolchain.hpp"

namespace gemel {
namespace {

constexpr const char* Limit = "GEMEL_RTL_EVAL_SECONDS";

class Setting {
 public:
  explicit Setting(const char* value) { value != nullptr ? ::setenv(Limit, value, 1) : ::unsetenv(Limit); }
  ~Setting() { ::unsetenv(Limit); }
};

TEST(Patience, LimitsAreWholeSeconds) {
  {
    const Setting none(nullptr);
    EXPECT_EQ(seconds_from_environment(Limit, 30), 30);
  }
  for (const auto& [text, seconds] : {std::pair{"1", 1}, {"604800", 604800}}) {
    const Setting set(text);
    EXPECT_EQ(seconds_from_environment(Limit, 30), seconds);
  }
  for (const char* text : {"", "0", "-1", "604801", "1.5", "1s", " 1", "99999999999", "many"}) {
    const Setting set(text);
    EXPECT_THROW(seconds_from_environment(Limit, 30), UserError) << text;
  }
}

TEST(Patience, AnEvaluationWithoutAnEndIsTold) {
  const Setting one_second("1");
  RtlPulse pulse;
  std::mutex mutex;
  std::condition_variable told;
  std::string text;
  pulse.clock = 41;
  pulse.evaluations = 7;
  pulse.block = "requantizer";
  const RtlPatience patience(pulse, [&](const UserError& error) {
    const std::lock_guard<std::mutex> lock(mutex);
    text = error.what();
    told.notify_one();
  });
  std::unique_lock<std::mutex> lock(mutex);
  told.wait(lock, [&] { return !text.empty(); });
  EXPECT_EQ(
      text.find("error[E1016]: block `requantizer`, clock 41: the Verilog has not come to the end of this clock for "),
      0u)
      << text;
}

TEST(Patience, APauseBetweenEvaluationsIsNotTold) {
  const Setting one_second("1");
  RtlPulse pulse;  // no block's Verilog is being evaluated
  std::atomic<int> told{0};
  {
    const RtlPatience patience(pulse, [&](const UserError&) { ++told; });
    std::this_thread::sleep_for(std::chrono::milliseconds(3500));
  }
  EXPECT_EQ(told, 0);
}

TEST(Patience, WithoutAListenerNothingIsWatched) {
  RtlPulse pulse;
  pulse.block = "requantizer";
  const RtlPatience patience(pulse, {});  // and its destructor does not wait for a thread
}

TEST(Verilator, VersionsAreRead) {
  EXPECT_EQ(verilator_version("Verilator 5.006 2023-01-22 rev (Debian 5.006-3)\n"), (VerilatorVersion{5, 6}));
  EXPECT_EQ(verilator_version("Verilator 5.048 rev vUNKNOWN-built20260516\n"), (VerilatorVersion{5, 48}));
  EXPECT_EQ(verilator_version("Verilator 4.038 2020-07-11\n"), (VerilatorVersion{4, 38}));
  for (const char* text :
       {"", "Verilator", "Verilator ", "Verilator five", "Verilator 5", "Verilator 5.", "who knows"}) {
    EXPECT_EQ(verilator_version(text), (VerilatorVersion{0, 0})) << text;
  }
  EXPECT_EQ(to_string(VerilatorVersion{5, 6}), "5.006");
  EXPECT_TRUE((VerilatorVersion{4, 228} < OldestVerilator));
  EXPECT_FALSE((VerilatorVersion{5, 6} < OldestVerilator));
  EXPECT_FALSE((VerilatorVersion{6, 0} < OldestVerilator));
}

}  // namespace
}  // namespace gemel
