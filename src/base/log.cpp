// SPDX-License-Identifier: Apache-2.0
// The log on stderr, by spdlog; see log.hpp.
#include "base/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>

namespace gemel {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::Debug: return spdlog::level::debug;
    case LogLevel::Info: return spdlog::level::info;
    case LogLevel::Warning: return spdlog::level::warn;
    case LogLevel::Error: return spdlog::level::err;
    case LogLevel::Off: return spdlog::level::off;
  }
  return spdlog::level::off;
}

class StderrLog : public Log {
 public:
  explicit StderrLog(LogLevel least)
      : logger_("gemel", std::make_shared<spdlog::sinks::stderr_color_sink_mt>()) {  // not registered: no global state
    logger_.set_pattern("%^%l%$: %v");
    logger_.set_level(to_spdlog(least));
    logger_.flush_on(spdlog::level::debug);
  }
  void write(LogLevel level, const std::string& message) override { logger_.log(to_spdlog(level), "{}", message); }

 private:
  spdlog::logger logger_;
};

}  // namespace

std::unique_ptr<Log> make_stderr_log(LogLevel least) { return std::make_unique<StderrLog>(least); }

}  // namespace gemel
