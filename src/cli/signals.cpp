// SPDX-License-Identifier: Apache-2.0
#include "cli/signals.hpp"

#include <unistd.h>

#include <csignal>
#include <ctime>
#include <initializer_list>

namespace gemel::cli {
namespace {

// A signal handler can reach nothing but globals. Lock-free, so it may write them.
std::atomic<int> first_signal{0};
std::atomic<long> first_ms{0};  // on the monotonic clock
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<long>::is_always_lock_free);

long now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);  // may be called in a handler
  return static_cast<long>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

void handle(int signal) {
  int none = 0;
  if (first_signal.compare_exchange_strong(none, signal)) {
    first_ms = now_ms();
    stop_token().request_stop();
  } else if (stop_requested() && now_ms() - first_ms > SecondSignalMs) {
    ::_exit(128 + signal);
  }
}

}  // namespace

void catch_signals() {
  stop_token();  // made before a handler can ask for it
  struct sigaction action {};
  action.sa_handler = handle;  // without SA_RESTART: a call that blocks returns, and the flag is looked at
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    if (signal == SIGHUP && ::sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    ::sigaction(signal, &action, nullptr);
  }
}

const StopToken& stop_token() {
  static const StopToken token;
  return token;
}

int interrupted_exit_code() { return 128 + (first_signal != 0 ? first_signal.load() : SIGINT); }

}  // namespace gemel::cli
