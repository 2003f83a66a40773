// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: ninety thousand registers, written out by loops.
// run: --block requantizer=check:SELF
// env: GEMEL_RTL_BUILD_SECONDS=3
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
  logic [31:0] sum [90000];
  for (genvar i = 0; i < 300; i++) begin : gen_outer
    for (genvar j = 0; j < 300; j++) begin : gen_inner
      always_ff @(posedge clk_i) sum[300*i+j] <= sum[(300*i+j+1)%90000] + x_i[31:0] * 32'(i+j);
    end
  end
  always_ff @(posedge clk_i) if (sum[39999] == 0) $write("");
endmodule
