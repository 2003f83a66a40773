// SPDX-License-Identifier: Apache-2.0
// What the lockstep tests of the blocks that move and control share, beside compute_harness.hpp.
#pragma once
#include "base/wires.hpp"
#include "compute_harness.hpp"
#include "config/machine.hpp"

namespace gemel::rtl_test {

// Assertions sample what stands before the edge: inputs have to reach the logic behind them first.
template <class Top>
void clock(Rtl<Top>& rtl) {
  rtl->eval();
  rtl.clock();
}

}  // namespace gemel::rtl_test
