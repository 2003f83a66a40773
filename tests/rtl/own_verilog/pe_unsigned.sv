// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: a pe that takes weights for unsigned numbers.
// run: --block pe=check:SELF
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
    sum_o <= sum_i + 32'($signed(activation_i)) * 32'(switch_i ? shadow_q : active_q);
  end

endmodule
