// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: never answers.
// run: --block requantizer=check:SELF
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
    if (!rst_ni) begin
      valid_o <= 1'b0;
      y_o <= '0;
      quiet_o <= 1'b0;
    end else begin
      valid_o <= 1'b0;
      y_o <= '0;
      quiet_o <= 1'b0;
    end
  end
endmodule
