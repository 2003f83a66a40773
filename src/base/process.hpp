// SPDX-License-Identifier: Apache-2.0
// Programs that Gemel runs: without a shell, each in a process group of its own, their output in memory (the disk may
// be full), with a limit of time, and ended with all that they have started when the caller is asked to stop.
#pragma once
#include <atomic>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace gemel {

struct ProcessRequest {
  std::vector<std::string> arguments;  // the first one is looked up in PATH
  std::string folder;                  // to work in; empty: the caller's
  // Variables of the environment that differ from the caller's; an empty value takes the variable away.
  std::vector<std::pair<std::string, std::string>> environment;
};

struct ProcessResult {
  enum class End { Exited, Killed, TooLong, Interrupted, NotStarted, NotRun };
  End end = End::NotRun;  // NotRun: another one failed before
  int status = 0;         // exit code, number of the signal, or errno of a program that could not be started
  std::string output;     // both streams; of a program that could not be started: the system's reason
  bool good() const { return end == End::Exited && status == 0; }
};

// Runs the programs, at most `jobs` at a time, in this order; results in the same order. After the first that fails
// none is begun, and the others are ended. `interrupted` may be null.
std::vector<ProcessResult> run_processes(const std::vector<ProcessRequest>& requests, int jobs,
                                         std::chrono::seconds limit, const std::atomic<bool>* interrupted);
ProcessResult run_process(const ProcessRequest& request, std::chrono::seconds limit,
                          const std::atomic<bool>* interrupted);

// Cores that this process may use.
int usable_cores();

}  // namespace gemel
