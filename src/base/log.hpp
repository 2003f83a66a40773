// SPDX-License-Identifier: Apache-2.0
// Logging: one place that knows spdlog. Logs go to stderr, results to stdout. Below src/cli nobody logs by himself: a room
// that has something to say takes a `Log*` (nullptr: silence), so that embedders and Python decide where it goes.
#pragma once
#include <memory>
#include <string>

namespace gemel {

enum class LogLevel : int { Debug, Info, Warning, Error, Off };

class Log {
 public:
  virtual ~Log() = default;
  virtual void write(LogLevel level, const std::string& message) = 0;
};

// Lines on stderr as `warning: text`, coloured on a terminal. Every call gives a log of its own.
std::unique_ptr<Log> make_stderr_log(LogLevel least);

inline void log(Log* sink, LogLevel level, const std::string& message) {
  if (sink) sink->write(level, message);
}

}  // namespace gemel
