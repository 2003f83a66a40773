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

`ifdef FORMAL
  // Proved by induction (tests/rtl/prove.py), for any master and any register: an answer that waits stays as it is and comes behind its access, one for
  // each; what reaches the registers is what was taken, whole; and nothing that could start waits for longer than three cycles.
  logic past_reset_q = 1'b0;
  logic [CountBits:0] addresses_q, values_q, asked_q;  // taken, and their answers not
  logic b_waits_q, r_waits_q, ar_blocked, ar_blocked_q;
  logic [1:0] bresp_q, rresp_q, waits_q;
  logic [31:0] rdata_q, value_q;
  logic [3:0] strobe_q;
  logic [11:0] written_q, read_q, old_q;        // addresses: taken, taken, of the bytes that are read for a write
  (* hierconn *) logic \u_write_answers.past_reset_q ;
  (* hierconn *) logic \u_read_answers.past_reset_q ;

  assign ar_blocked = ar_waits_q && reads_q != Most && !read_starts;
  always_ff @(posedge clk_i) past_reset_q <= 1'b1;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      addresses_q <= '0;
      values_q <= '0;
      asked_q <= '0;
      b_waits_q <= 1'b0;
      r_waits_q <= 1'b0;
      ar_blocked_q <= 1'b0;
      waits_q <= '0;
    end else begin
      addresses_q <= addresses_q + (CountBits + 1)'(awvalid_i && awready_o) - (CountBits + 1)'(bvalid_o && bready_i);
      values_q <= values_q + (CountBits + 1)'(wvalid_i && wready_o) - (CountBits + 1)'(bvalid_o && bready_i);
      asked_q <= asked_q + (CountBits + 1)'(arvalid_i && arready_o) - (CountBits + 1)'(rvalid_o && rready_i);
      b_waits_q <= bvalid_o && !bready_i;
      r_waits_q <= rvalid_o && !rready_i;
      ar_blocked_q <= ar_blocked;
      waits_q <= write_waits && !write_starts ? waits_q + 1'b1 : '0;
    end
  end
  always_ff @(posedge clk_i) begin
    bresp_q <= bresp_o;
    rresp_q <= rresp_o;
    rdata_q <= rdata_o;
    if (awvalid_i && awready_o) written_q <= {awaddr_i[11:2], 2'b00};
    if (arvalid_i && arready_o) read_q <= {araddr_i[11:2], 2'b00};
    if (wvalid_i && wready_o) begin
      value_q <= wdata_i;
      strobe_q <= wstrb_i;
    end
    if (old_read) old_q <= csr_read_offset_o;
  end
  always_comb begin
    if (!past_reset_q) begin  // hierconn takes their first values away
      assume (!rst_ni && !\u_write_answers.past_reset_q && !\u_read_answers.past_reset_q );
    end else begin
      assert (\u_write_answers.past_reset_q && \u_read_answers.past_reset_q );
    end
    if (rst_ni && past_reset_q) begin
      // What waits stays.
      if (b_waits_q) assert (bvalid_o && bresp_o == bresp_q);
      if (r_waits_q) assert (rvalid_o && rresp_o == rresp_q && rdata_o == rdata_q);
      // An answer for each access, and behind it.
      assert (!bvalid_o || (addresses_q != '0 && values_q != '0));
      assert (!rvalid_o || asked_q != '0);
      assert (addresses_q == (CountBits + 1)'(writes_q) + (CountBits + 1)'(aw_waits_q));
      assert (values_q == (CountBits + 1)'(writes_q) + (CountBits + 1)'(w_waits_q));
      assert (asked_q == (CountBits + 1)'(reads_q) + (CountBits + 1)'(ar_waits_q));
      assert (writes_q <= Most && (CountBits + 2)'(writes_q) == (CountBits + 2)'(write_answers) + (CountBits + 2)'(wrote1_q) + (CountBits + 2)'(wrote2_q));
      assert (reads_q <= Most && (CountBits + 2)'(reads_q) == (CountBits + 2)'(read_answers) + (CountBits + 2)'(read1_q) + (CountBits + 2)'(read2_q));
      // What reaches the registers.
      if (aw_waits_q) assert ({aw_word_q, 2'b00} == written_q);
      if (ar_waits_q) assert ({ar_word_q, 2'b00} == read_q);
      if (w_waits_q) assert (w_data_q == value_q && w_strobe_q == strobe_q);
      if (csr_write_o) begin
        assert (aw_waits_q && w_waits_q && csr_write_offset_o == written_q && isa_pkg::csr_writable(written_q));
        for (int b = 0; b < 4; b++) assert (csr_write_data_o[8*b +: 8] == (strobe_q[b] ? value_q[8*b +: 8] : csr_data_i[8*b +: 8]));
        assert (strobe_q == 4'b1111 || (old2_q && old_q == written_q));  // csr_data_i: what was read two cycles ago, and nothing was written since
      end
      if (csr_read_o && !old_read) assert (ar_waits_q && csr_read_offset_o == read_q && isa_pkg::csr_readable(read_q));
      // Progress.
      assert (old_asked_q == (old1_q || old2_q) && !(old1_q && old2_q));
      if (old_asked_q) assert (write_waits && needs_old && old_q == written_q);
      assert (waits_q == (old2_q ? 2'd2 : old1_q ? 2'd1 : 2'd0));
      assert (!ar_blocked_q || (old_asked_q && !ar_blocked));
    end
  end
`endif

endmodule
