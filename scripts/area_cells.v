// SPDX-License-Identifier: Apache-2.0
// How scripts/area.py maps the full adders of multipliers and of sums of three and more: carry by a multiplexer that the sum's first XOR
// controls, 2 XOR and 1 MUX (6.33 NAND2 equivalents). Yosys' own takes 2 AND and 1 OR for the carry (8). The name sorts before Yosys', which
// is how techmap chooses.
(* techmap_celltype = "$fa" *)
module _80_full_adder (A, B, C, X, Y);
  parameter WIDTH = 1;
  input [WIDTH-1:0] A, B, C;
  output [WIDTH-1:0] X, Y;  // carry, sum
  wire [WIDTH-1:0] different;
  genvar i;
  assign different = A ^ B;
  assign Y = different ^ C;
  generate
    for (i = 0; i < WIDTH; i = i + 1) begin : gen_carry
      assign X[i] = different[i] ? C[i] : A[i];
    end
  endgenerate
endmodule
