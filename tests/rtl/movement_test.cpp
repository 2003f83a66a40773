// SPDX-License-Identifier: Apache-2.0
// Lockstep of the blocks that move and control: RTL against beat model, every output port in every cycle. One file per block:
// movement_scratchpad.cpp, movement_sequencer.cpp, movement_load_dma.cpp, movement_store_dma.cpp, movement_npu.cpp.
#include <verilated.h>

// Verilated code asks for the simulation time when it reports a failed assertion.
double sc_time_stamp() { return 0; }
