// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: waits in a loop for what only another clock could bring.
// run: --block requantizer=check:SELF
// env: GEMEL_RTL_EVAL_SECONDS=2
module requantizer #(
  parameter int Lanes = 16
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                valid_i,
  input  logic [1:0]          rounding_i,
  input  logic [32*Lanes-1:0] x_i,
  input  logic [32*Lanes-1:0] multiplier_i,
  input  logic [6*Lanes-1:0]  shift_i,
  output logic                valid_o,
  output logic [32*Lanes-1:0] y_o,
  output logic                quiet_o
);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    logic [31:0] turns;
    turns = '0;
    if (!rst_ni) begin
      valid_o <= 1'b0;
      quiet_o <= 1'b0;
      y_o <= '0;
    end else begin
      while (valid_i) turns = turns + 32'd1;
      valid_o <= 1'b0;
      quiet_o <= 1'b0;
      y_o[31:0] <= turns;
    end
  end
endmodule
