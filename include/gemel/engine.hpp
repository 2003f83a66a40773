// SPDX-License-Identifier: Apache-2.0
// Who steps the machine. All give the same cycles, counters and bytes.
#pragma once

namespace gemel {

enum class Engine {
  Systemc,  // the fast models, woken by SystemC
  Plain,    // the same models, woken by an event queue: faster, and any number of runs at a time in threads
  Beat,     // the beat models, stepped cycle by cycle
};

}  // namespace gemel
