// SPDX-License-Identifier: Apache-2.0
// Assertions for every block. `GEMEL_ASSERT(Name, condition)` must hold at each rising clk_i while reset is inactive;
// `GEMEL_PARAMETER(Name, condition)` once, before time 0. Only Verilator sees them: Icarus 11 and Yosys 0.23 do not read
// concurrent assertions. For proofs of equivalence (scripts/equivalence.py) assertions are wires of their names.
`ifndef GEMEL_ASSERTIONS_SVH
`define GEMEL_ASSERTIONS_SVH
`ifdef VERILATOR
  `define GEMEL_ASSERT(Name, condition) \
    Name : assert property (@(posedge clk_i) disable iff (!rst_ni) (condition)) \
    else $error("%m does not hold");
  `define GEMEL_PARAMETER(Name, condition) \
    if (!(condition)) begin : gen_``Name \
      $error("illegal parameter"); \
    end
`elsif GEMEL_EQUIVALENCE
  `define GEMEL_ASSERT(Name, condition) \
    (* keep *) wire Name = !rst_ni || (condition);
  `define GEMEL_PARAMETER(Name, condition)
`else
  `define GEMEL_ASSERT(Name, condition)
  `define GEMEL_PARAMETER(Name, condition)
`endif
`endif
