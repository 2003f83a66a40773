// SPDX-License-Identifier: Apache-2.0
// The signals that ask a command to end: SIGINT (Ctrl-C), SIGTERM (timeout, a cancelled CI job) and SIGHUP (a closed terminal). A
// command that runs for long calls catch_signals() first and hands stop_requested() to whatever it calls; what it calls looks at
// the flag and throws Interrupted, and main() ends with interrupted_exit_code().
#pragma once
#include <atomic>

#include "gemel/observer.hpp"

namespace gemel::cli {

// From here on the first signal sets stop_requested(). A second one, more than SecondSignalMs later, ends the process at once, for a
// command that does not look at the flag. (`timeout` sends its signal twice in one moment: to the process and to its group.)
// SIGHUP stays ignored under nohup.
void catch_signals();
constexpr long SecondSignalMs = 500;

const StopToken& stop_token();
inline const std::atomic<bool>& stop_requested() { return *stop_token().flag(); }

// 128 + the number of the first signal, as a shell tells it; 130 if there was none.
int interrupted_exit_code();

}  // namespace gemel::cli
