// SPDX-License-Identifier: Apache-2.0
// reset_synchronizer: a reset that begins at once, with or without a clock, and ends with the second rising clock after rst_ni has
// ended, so that all registers leave it in the same cycle.

module reset_synchronizer (
  input  logic clk_i,
  input  logic rst_ni,
  output logic rst_no
);

  logic first_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      first_q <= 1'b0;
      rst_no <= 1'b0;
    end else begin
      first_q <= 1'b1;
      rst_no <= first_q;
    end
  end

endmodule
