// SPDX-License-Identifier: Apache-2.0
#include "top/bridge.hpp"

#include <utility>

namespace gemel {

BridgeBeat::BridgeBeat(const Machine& machine, ReadPort& fetch, ReadPort& load, WritePort& store, sc_core::sc_time period)
    : AxiBridge(machine), period_(period) {
  connect(fetch, load, store);
}

void BridgeBeat::begin(Cycle now, std::function<bool()> running) {
  set_now(now);
  running_ = std::move(running);
}

void BridgeBeat::end_of_cycle() {
  if (running_()) wait_for_clock();
}

void BridgeBeat::skip(Cycle cycles) {
  AxiBridge::skip(cycles);
  wait_for_clock();
}

void BridgeBeat::wait_for_clock() {
  const sc_core::sc_time at = sc_core::sc_time::from_value(static_cast<std::uint64_t>(now()) * period_.value());
  if (at > sc_core::sc_time_stamp()) sc_core::wait(at - sc_core::sc_time_stamp());
}

}  // namespace gemel
