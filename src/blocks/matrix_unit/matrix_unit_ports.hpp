// SPDX-License-Identifier: Apache-2.0
// matrix_unit, ports. Contract (s: command on the wires; docs/reference/machine.md, 3): weight rows of pass j are read at
// wf[j] .. wf[j]+R-1, pixel p of pass j at a[j]+p; wf[1] = max(s+2, a_last), a[1] = max(wf[1]+R, a_last + max(P_last, 3)),
// a[j] = a[j-1] + max(P, R, 3), wf[j] = a[j-1]. `chain` one cycle after the last pass's first weight row, `done` one cycle after the last
// accumulator write. The accumulator word of a pixel is read R+C and written R+C+2 cycles after its activation word.
#pragma once
#include "base/wires.hpp"
#include "blocks/pe_array/pe_array_ports.hpp"
#include "isa/compute_timing.hpp"

namespace gemel {

struct MatrixUnitIn {
  CommandWires command;
  const std::uint8_t* activation = nullptr;   // read data of the three buffers
  const std::uint8_t* weight = nullptr;
  const std::uint8_t* accumulator = nullptr;
  PeArrayOut array;
};

struct MatrixUnitOut {
  CompletionWires completion;
  SramRead activation;
  SramRead weight;
  SramRead accumulator_read;
  SramWrite accumulator_write;
  PeArrayIn array;
};

}  // namespace gemel
