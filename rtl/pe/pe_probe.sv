// SPDX-License-Identifier: Apache-2.0
// pe_probe: bound beside somebody's `pe` in every place of the array, to find the one that is wrong. Says its own place in every clock in
// which the sum on the wires is not what the contract makes of what the place itself has got. Not part of the chip.
module pe_probe (
  input logic        clk_i,
  input logic        load_i,
  input logic [8:0]  weight_i,
  input logic        switch_i,
  input logic [8:0]  activation_i,
  input logic [31:0] sum_i,
  input logic [31:0] sum_o
);

  logic [8:0]  shadow_q, active_q;
  logic [31:0] sum_q;

  always_ff @(posedge clk_i) begin
    if (load_i) shadow_q <= weight_i;
    if (switch_i) active_q <= shadow_q;
    sum_q <= sum_i + 32'($signed(activation_i)) * 32'($signed(switch_i ? shadow_q : active_q));
    if (sum_o != sum_q) $display("%m");
  end

endmodule

bind pe pe_probe u_probe (.*);
