// SPDX-License-Identifier: Apache-2.0
// Eight runs at a time in eight threads, from reading to the last comparison with golden, are equal to the same runs one after another. Built
// with the preset `tsan`, ThreadSanitizer watches it.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <exception>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "support/same_engines.hpp"

namespace gemel {
namespace {

using test::all_differences;
using test::ShippedCase;

struct Job {
  const char* workload;
  const char* machine;
  Engine engine;
  bool timing_only;
};

constexpr std::array<Job, 8> Jobs = {{
    {"digits", "tiny8", Engine::Plain, false},
    {"digits", "edge16", Engine::Plain, false},
    {"digits", "odd7x13", Engine::Beat, false},
    {"resnet8", "wide16x64", Engine::Plain, false},
    {"resnet8", "edge16", Engine::Plain, false},
    {"resnet8", "odd7x13", Engine::Plain, true},
    {"mobilenet_v2", "server128", Engine::Plain, true},
    {"digits", "tiny8", Engine::Beat, false},
}};

SimulationOutput run(const Job& job) { return ShippedCase(job.workload, job.machine, job.timing_only).run(job.engine); }

// Runs every job in a thread of its own, all begun together.
std::vector<std::optional<SimulationOutput>> run_together() {
  std::vector<std::optional<SimulationOutput>> outputs(Jobs.size());
  std::atomic<std::size_t> waiting{Jobs.size()};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < Jobs.size(); ++i) {
    threads.emplace_back([&, i] {
      --waiting;
      while (waiting > 0) std::this_thread::yield();
      try {
        outputs[i] = run(Jobs[i]);
      } catch (const std::exception& error) {
        ADD_FAILURE() << Jobs[i].workload << " on " << Jobs[i].machine << ": " << error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return outputs;
}

TEST(Threads, EightRunsAtATimeEqualOneAfterAnother) {
  std::vector<SimulationOutput> alone;
  for (const Job& job : Jobs) alone.push_back(run(job));
  for (int round = 0; round < 2; ++round) {
    const auto together = run_together();
    for (std::size_t i = 0; i < Jobs.size(); ++i) {
      ASSERT_TRUE(together[i].has_value());
      const ShippedCase c(Jobs[i].workload, Jobs[i].machine, true);  // for its machine
      EXPECT_EQ(all_differences(c, alone[i], *together[i]), "") << Jobs[i].workload << " on " << Jobs[i].machine;
    }
  }
}

// A run that fails or is stopped in one thread leaves the others alone.
TEST(Threads, ARunThatIsStoppedDoesNotDisturbTheOthers) {
  const ShippedCase c("digits", "tiny8", true);
  const std::int64_t cycles = c.run(Engine::Plain).result.cycles;
  std::atomic<bool> stop{true};
  std::array<std::int64_t, 4> seen{};
  std::array<int, 4> interrupted{};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    threads.emplace_back([&, i] {
      SimulationOptions options;
      options.engine = Engine::Plain;
      options.timing_only = true;
      if (i % 2 == 0) options.interrupted = &stop;
      for (int n = 0; n < 20; ++n) {
        try {
          seen[i] += simulate(c.machine, c.schedule, c.inputs, options).result.cycles;
        } catch (const Interrupted&) {
          ++interrupted[i];
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seen, (std::array<std::int64_t, 4>{0, 20 * cycles, 0, 20 * cycles}));
  EXPECT_EQ(interrupted, (std::array<int, 4>{20, 0, 20, 0}));
}

}  // namespace
}  // namespace gemel
