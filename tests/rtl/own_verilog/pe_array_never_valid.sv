// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: a pe_array that never answers.
// run: --block pe_array=check:SELF
module pe_array #(
  parameter int Rows = 16,  // rows
  parameter int Columns = 16  // columns
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,  // asynchronous, active low
  input  logic                  weight_valid_i,  // a row of weights enters
  input  logic [9*Columns-1:0]  weight_i,  // Columns weights of 9 bits, signed; the last row of the array first
  input  logic                  activation_valid_i,  // a row of activations enters
  input  logic                  activation_switch_i,  // first row of a pass: from here on the weights loaded last
  input  logic [9*Rows-1:0]     activation_i,  // Rows activations of 9 bits, signed
  output logic                  sums_valid_o,  // sums leave: Rows + Columns - 1 cycles after their row entered
  output logic [32*Columns-1:0] sums_o,  // Columns sums of 32 bits
  output logic                  quiet_o  // 1: nothing outside would change without new inputs; 0 is always safe
);

  // Every output is a register.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      sums_valid_o <= '0;
      sums_o <= '0;
      quiet_o <= 1'b0;
    end else begin
      // Here: what the block does.
      sums_valid_o <= '0;
      sums_o <= '0;
      quiet_o <= 1'b0;
    end
  end

endmodule
