// SPDX-License-Identifier: Apache-2.0
// Lockstep of the compute blocks: RTL against beat model, every output port in every cycle. One file per block:
// compute_pe_array.cpp, compute_requantizer.cpp, compute_matrix_unit.cpp, compute_vector_unit.cpp.
#include <verilated.h>

// Verilated code asks for the simulation time when it reports a failed assertion.
double sc_time_stamp() { return 0; }
