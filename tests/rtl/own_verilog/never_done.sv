// SPDX-License-Identifier: Apache-2.0
// Wrong on purpose: a store_dma that never is done.
// run: --block store_dma=rtl:SELF
module store_dma #(
  parameter int Columns = 16,  // columns
  parameter int BusBytes = 16,  // bus_bytes
  parameter int BurstBytes = 256,  // burst_bytes
  parameter int Outstanding = 16  // store_outstanding
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,  // asynchronous, active low
  input  logic                  command_valid_i,  // the sequencer starts an instruction
  input  logic [511:0]          command_i,  // the instruction that starts (docs/reference/isa.md)
  output logic                  done_o,  // one cycle: the instruction is complete
  output logic                  chain_o,  // the next instruction may start although this one is not complete
  output logic                  error_o,  // the instruction that is done ended in a memory error
  output logic [1:0]            status_o,  // what it waits for: bit 0 memory request, bit 1 memory data or response
  output logic                  vector_read_o,  // reads a word of vector_buffer
  output logic [17:0]           vector_address_o,  // word of vector_buffer
  input  logic [8*Columns-1:0]  vector_data_i,  // the word read
  output logic                  awvalid_o,  // a burst is announced; held until awready_i
  output logic [39:0]           awaddr_o,  // byte address of the burst, not aligned
  output logic [7:0]            awlen_o,  // beats of the burst less one
  output logic [12:0]           aw_bytes_o,  // bytes written, from the address on
  input  logic                  awready_i,  // memory accepts a burst
  output logic                  wvalid_o,  // a beat of written data; held until wready_i
  output logic [8*BusBytes-1:0] wdata_o,  // data of the beat
  output logic [BusBytes-1:0]   wstrb_o,  // which bytes of the beat are written
  output logic                  wlast_o,  // last beat of its burst
  input  logic                  wready_i,  // memory takes a beat
  input  logic                  bvalid_i,  // a burst has been written; always taken
  input  logic [1:0]            bresp_i,  // 0 okay, 2 memory error
  output logic                  quiet_o  // 1: nothing outside would change without new inputs; 0 is always safe
);

  // Every output is a register.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      done_o <= '0;
      chain_o <= '0;
      error_o <= '0;
      status_o <= '0;
      vector_read_o <= '0;
      vector_address_o <= '0;
      awvalid_o <= '0;
      awaddr_o <= '0;
      awlen_o <= '0;
      aw_bytes_o <= '0;
      wvalid_o <= '0;
      wdata_o <= '0;
      wstrb_o <= '0;
      wlast_o <= '0;
      quiet_o <= 1'b0;
    end else begin
      // Here: what the block does.
      done_o <= '0;
      chain_o <= '0;
      error_o <= '0;
      status_o <= '0;
      vector_read_o <= '0;
      vector_address_o <= '0;
      awvalid_o <= '0;
      awaddr_o <= '0;
      awlen_o <= '0;
      aw_bytes_o <= '0;
      wvalid_o <= '0;
      wdata_o <= '0;
      wstrb_o <= '0;
      wlast_o <= '0;
      quiet_o <= 1'b0;
    end
  end

endmodule
