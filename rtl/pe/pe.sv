// SPDX-License-Identifier: Apache-2.0
// pe: one multiply-accumulate of the array; a datapath without control, reset or valid.
//   sum_o(t+1) = sum_i(t) + activation_i(t) * w(t)      9 bits signed each; 32-bit two's complement, wraps
//   w(t)       = the shadow weight of the last cycle up to t with switch_i
// load_i replaces the shadow at the end of its cycle; switch_i in the same cycle takes the old one.
// A product of 32 bits in one expression is fastest in Verilator: as wires of their own it would evaluate the factors twice a cycle. Synthesis
// gets what it is, a product of 9 x 9 bits, signed: Yosys does not see by itself that 23 bits of each factor are copies of a sign, and makes a
// multiplier of twice the area. compute_test compares both for all operands.
module pe (
  input  logic        clk_i,
  // weight
  input  logic        load_i,
  input  logic [8:0]  weight_i,
  // activation
  input  logic        switch_i,
  input  logic [8:0]  activation_i,
  // sum
  input  logic [31:0] sum_i,
  output logic [31:0] sum_o
);

  logic [8:0] shadow_q, active_q;

  always_ff @(posedge clk_i) begin
    if (load_i) shadow_q <= weight_i;
    if (switch_i) active_q <= shadow_q;
`ifdef VERILATOR
    sum_o <= sum_i + 32'($signed(activation_i)) * 32'($signed(switch_i ? shadow_q : active_q));
`else
    sum_o <= sum_i + $unsigned(32'(product));
`endif
  end

`ifndef VERILATOR
  logic signed [8:0]  weight;
  logic signed [17:0] product;
  assign weight = switch_i ? shadow_q : active_q;
  assign product = $signed(activation_i) * weight;
`endif

endmodule
