// SPDX-License-Identifier: Apache-2.0
// axi_lite_registers: an AXI4-Lite slave in front of the chip's registers; docs/reference/machine.md, 9.
//   AW, W, AR  wait in one place each, which is free again in the cycle in which its access starts: one access per cycle and direction
//   access     starts when a place for its answer is free; the registers answer two cycles later
//   WSTRB      a write of some bytes of a register reads the others first; of none, it writes nothing
//   B, R       wait in queues of Outstanding answers, in the order of their accesses
// An access that the registers do not have (isa_pkg::csr_readable(), csr_writable()) is answered SLVERR: nothing is written, zeros are read.
// The lowest two bits of an address do not matter: accesses are of whole words. AWPROT and ARPROT are for those in front of it.

`include "assertions.svh"

module axi_lite_registers #(
  parameter int Outstanding = 4
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  // AXI4-Lite
  input  logic        awvalid_i,
  output logic        awready_o,
  /* verilator lint_off UNUSEDSIGNAL */  // the lowest two bits
  input  logic [11:0] awaddr_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic        wvalid_i,
  output logic        wready_o,
  input  logic [31:0] wdata_i,
  input  logic [3:0]  wstrb_i,
  output logic        bvalid_o,
  input  logic        bready_i,
  output logic [1:0]  bresp_o,
  input  logic        arvalid_i,
  output logic        arready_o,
  /* verilator lint_off UNUSEDSIGNAL */
  input  logic [11:0] araddr_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic        rvalid_o,
  input  logic        rready_i,
  output logic [31:0] rdata_o,
  output logic [1:0]  rresp_o,
  // registers: an answer follows two cycles behind its access
  output logic        csr_write_o,
  output logic [11:0] csr_write_offset_o,
  output logic [31:0] csr_write_data_o,
  output logic        csr_read_o,
  output logic [11:0] csr_read_offset_o,
  input  logic [31:0] csr_data_i,
  output logic        quiet_o
);

  localparam int CountBits = $clog2(Outstanding + 1);
  localparam logic [CountBits-1:0] Most = CountBits'(Outstanding);
  localparam logic [1:0] Okay = 2'b00, SlaveError = 2'b10;
  `GEMEL_PARAMETER(OutstandingLegal, Outstanding >= 1)

  logic awake_q;  // no handshake before it is out of reset

  // ---- Writes ----

  logic aw_waits_q, w_waits_q, write_waits, write_legal, write_starts, write_ends;
  logic [9:0] aw_word_q;
  logic [31:0] w_data_q;
  logic [3:0] w_strobe_q;
  logic [CountBits-1:0] writes_q;               // started, and their answers not taken
  logic wrote1_q, wrote1_legal_q, wrote2_q, wrote2_legal_q;  // started one and two cycles ago
  logic needs_old, old_read, old_here;          // a write of some bytes of a register

  assign write_waits = aw_waits_q && w_waits_q && writes_q != Most;
  assign write_legal = isa_pkg::csr_writable({aw_word_q, 2'b00});
  assign needs_old = write_legal && w_strobe_q != 4'b0000 && w_strobe_q != 4'b1111;
  assign write_starts = write_waits && (!needs_old || old_here);
  assign write_ends = bvalid_o && bready_i;
  assign awready_o = awake_q && (!aw_waits_q || write_starts);
  assign wready_o = awake_q && (!w_waits_q || write_starts);
  assign csr_write_o = write_starts && write_legal && w_strobe_q != 4'b0000;
  assign csr_write_offset_o = {aw_word_q, 2'b00};
  for (genvar b = 0; b < 4; b++) begin : gen_byte
    assign csr_write_data_o[8*b +: 8] = w_strobe_q[b] ? w_data_q[8*b +: 8] : csr_data_i[8*b +: 8];
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      awake_q <= 1'b0;
      aw_waits_q <= 1'b0;
      w_waits_q <= 1'b0;
      writes_q <= '0;
      wrote1_q <= 1'b0;
      wrote2_q <= 1'b0;
    end else begin
      awake_q <= 1'b1;
      aw_waits_q <= (awvalid_i && awready_o) || (aw_waits_q && !write_starts);
      w_waits_q <= (wvalid_i && wready_o) || (w_waits_q && !write_starts);
      if (write_starts != write_ends) writes_q <= write_starts ? writes_q + 1'b1 : writes_q - 1'b1;
      wrote1_q <= write_starts;
      wrote2_q <= wrote1_q;
    end
  end
  always_ff @(posedge clk_i) begin
    if (awvalid_i && awready_o) aw_word_q <= awaddr_i[11:2];
    if (wvalid_i && wready_o) begin
      w_data_q <= wdata_i;
      w_strobe_q <= wstrb_i;
    end
    wrote1_legal_q <= write_legal;
    wrote2_legal_q <= wrote1_legal_q;
  end

  logic [CountBits-1:0] write_answers;
  logic write_answer;                           // legal
  fifo #(.Width(1), .Depth(Outstanding)) u_write_answers (
    .clk_i,
    .rst_ni,
    .clear_i (1'b0),
    .push_i  (wrote2_q),
    .data_i  (wrote2_legal_q),
    .pop_i   (write_ends),
    .count_o (write_answers),
    .head_o  (write_answer)
  );
  assign bvalid_o = write_answers != '0;
  assign bresp_o = write_answer ? Okay : SlaveError;

  // ---- Reads; what a write needs goes first ----

  logic ar_waits_q, read_legal, read_starts, read_ends, old_asked_q;
  logic [9:0] ar_word_q;
  logic [CountBits-1:0] reads_q;
  logic read1_q, read1_legal_q, read2_q, read2_legal_q, old1_q, old2_q;

  assign read_legal = isa_pkg::csr_readable({ar_word_q, 2'b00});
  assign old_read = write_waits && needs_old && !old_asked_q;
  assign old_here = old2_q;
  assign read_starts = ar_waits_q && reads_q != Most && !old_read;
  assign read_ends = rvalid_o && rready_i;
  assign arready_o = awake_q && (!ar_waits_q || read_starts);
  assign csr_read_o = old_read || (read_starts && read_legal);
  assign csr_read_offset_o = {old_read ? aw_word_q : ar_word_q, 2'b00};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ar_waits_q <= 1'b0;
      reads_q <= '0;
      read1_q <= 1'b0;
      read2_q <= 1'b0;
      old_asked_q <= 1'b0;
      old1_q <= 1'b0;
      old2_q <= 1'b0;
    end else begin
      ar_waits_q <= (arvalid_i && arready_o) || (ar_waits_q && !read_starts);
      if (read_starts != read_ends) reads_q <= read_starts ? reads_q + 1'b1 : reads_q - 1'b1;
      read1_q <= read_starts;
      read2_q <= read1_q;
      old_asked_q <= old_read || (old_asked_q && !write_starts);
      old1_q <= old_read;
      old2_q <= old1_q;
    end
  end
  always_ff @(posedge clk_i) begin
    if (arvalid_i && arready_o) ar_word_q <= araddr_i[11:2];
    read1_legal_q <= read_legal;
    read2_legal_q <= read1_legal_q;
  end

  logic [CountBits-1:0] read_answers;
  logic read_answer;                            // legal
  fifo #(.Width(33), .Depth(Outstanding)) u_read_answers (
    .clk_i,
    .rst_ni,
    .clear_i (1'b0),
    .push_i  (read2_q),
    .data_i  ({read2_legal_q, read2_legal_q ? csr_data_i : 32'd0}),
    .pop_i   (read_ends),
    .count_o (read_answers),
    .head_o  ({read_answer, rdata_o})
  );
  assign rvalid_o = read_answers != '0;
  assign rresp_o = read_answer ? Okay : SlaveError;

  // ---- Quiet ----

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) quiet_o <= 1'b0;
    else quiet_o <= awake_q && !awvalid_i && !wvalid_i && !arvalid_i && !aw_waits_q && !w_waits_q && !ar_waits_q && writes_q == '0 && reads_q == '0;
  end

endmodule
