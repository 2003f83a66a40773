// SPDX-License-Identifier: Apache-2.0
// memory: Words words of Width bits with one write and one read port, a read register behind it, and nothing else: what an FPGA's tools
// make RAM blocks of, and the one place where an SRAM of a compiler goes in. All of the blocks' memories of more than a few words are
// this one. No word has a value before it is written.
// A word that is read in the cycle in which it is written: with Passes the register has what was written. Without, nobody reads such a
// word (the scratchpads' claims see to it), and tools need not care.

module memory #(
  parameter int Width = 8,
  parameter int Words = 4,
  parameter bit Passes = 1'b0,
  localparam int RowBits = Words > 1 ? $clog2(Words) : 1
) (
  input  logic               clk_i,
  input  logic               write_i,
  input  logic [RowBits-1:0] write_row_i,
  input  logic [Width-1:0]   write_data_i,
  input  logic               read_i,
  input  logic [RowBits-1:0] read_row_i,
`ifdef FORMAL
  output logic [Width*Words-1:0] words_o,  // all of it, for proofs of what is built on it
`endif
  output logic [Width-1:0]   read_data_o   // of the last read
);

  (* no_rw_check *) logic [Width-1:0] words [Words];
  logic [Width-1:0] data_q;

`ifndef SYNTHESIS
  // What a program reads of a scratchpad without having written it is 0 in every simulation.
  initial begin
    for (int w = 0; w < Words; w++) words[w] = '0;
  end
`endif

  always_ff @(posedge clk_i) begin
    if (write_i) words[write_row_i] <= write_data_i;
    if (read_i) data_q <= Passes && write_i && write_row_i == read_row_i ? write_data_i : words[read_row_i];
  end
  assign read_data_o = data_q;

`ifdef FORMAL
  for (genvar w = 0; w < Words; w++) begin : gen_word
    assign words_o[Width*w +: Width] = words[w];
  end
`endif

endmodule
