// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: in one place of the array, row 2 and column 1, a product is one too large.
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

  logic here;
  initial here = $sformatf("%m") == "TOP.pe_array.gen_row[2].gen_column[1].u_pe";

  always_ff @(posedge clk_i) begin
    if (load_i) shadow_q <= weight_i;
    if (switch_i) active_q <= shadow_q;
    sum_o <= sum_i + 32'($signed(activation_i)) * 32'($signed(switch_i ? shadow_q : active_q)) + 32'(here);
  end

endmodule
