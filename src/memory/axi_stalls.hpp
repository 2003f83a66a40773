// SPDX-License-Identifier: Apache-2.0
// The stalls that a machine names.
#pragma once
#include "base/stalls.hpp"
#include "config/machine.hpp"

namespace gemel {

inline AxiStalls axi_stalls(const Machine& machine) {
  const auto channel = [&](std::uint64_t stream, int percent) {
    return StallPattern(static_cast<std::uint64_t>(machine.stall_seed), stream, percent);
  };
  AxiStalls stalls;
  stalls.fetch = {channel(0, machine.stall_percent.ar), channel(1, machine.stall_percent.r)};
  stalls.load = {channel(2, machine.stall_percent.ar), channel(3, machine.stall_percent.r)};
  stalls.store = {channel(4, machine.stall_percent.aw), channel(5, machine.stall_percent.w), channel(6, machine.stall_percent.b)};
  return stalls;
}

}  // namespace gemel
