// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: an accumulator_buffer that reads zeros.
// run: --block accumulator_buffer=check:SELF
module scratchpad #(
  parameter int WordBytes = 64,  // 4*columns
  parameter int Words = 1024,  // accumulator_words
  parameter int Banks = 4,  // accumulator_banks
  parameter int ReadClients = 2,  // 2
  parameter int WriteClients = 1  // 1
) (
  input  logic                                clk_i,
  input  logic                                rst_ni,  // asynchronous, active low
  input  logic [ReadClients-1:0]              read_i,  // one bit per client: reads
  input  logic [18*ReadClients-1:0]           read_address_i,  // word of each client
  output logic [8*WordBytes*ReadClients-1:0]  read_data_o,  // the word of each client; stays until its next read
  input  logic [WriteClients-1:0]             write_i,  // one bit per client: writes
  input  logic [18*WriteClients-1:0]          write_address_i,  // word of each client
  input  logic [8*WordBytes*WriteClients-1:0] write_data_i,  // data of each client
  output logic                                quiet_o  // 1: nothing outside would change without new inputs; 0 is always safe
);

  // Every output is a register.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      read_data_o <= '0;
      quiet_o <= 1'b0;
    end else begin
      // Here: what the block does.
      read_data_o <= '0;
      quiet_o <= 1'b0;
    end
  end

endmodule
