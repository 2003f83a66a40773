// SPDX-License-Identifier: Apache-2.0
// store_dma as an AXI4 master, at its pins, for tests/rtl/prove.py: any commands with at least a byte, any memory that answers bursts behind their last
// beat, any stalls. Shown: what waits stays; bursts keep within BurstBytes, so within 4 KiB; no W beat without its AW; every burst has the beats of its
// AWLEN, WLAST in the last and in no other, its bytes under strobes; at most Outstanding are unanswered.
// Taken for granted: that a burst is asked for while there is one to cut (WholeBurstsAreCut in the module, which simulation watches).
// One burst is followed, any: `follow` chooses it when its AW is taken. The queue of those that wait for W follows the same one.
module store_dma_axi #(
  parameter int Columns = 2,
  parameter int BusBytes = 4,
  parameter int BurstBytes = 16,
  parameter int Outstanding = 2
) (
  input logic                 clk_i,
  input logic                 rst_ni,
  input logic                 command_valid_i,
  input logic [511:0]         command_i,
  input logic [8*Columns-1:0] vector_data_i,
  input logic                 awready_i,
  input logic                 wready_i,
  input logic                 bvalid_i,
  input logic [1:0]           bresp_i
);
  localparam int BusBits = $clog2(BusBytes);
  localparam int OffsetBits = $clog2(BurstBytes);
  localparam int BeatBits = OffsetBits - BusBits;
  localparam int CountBits = $clog2(Outstanding + 1);

  logic awvalid, wvalid, wlast;
  logic [39:0] awaddr;
  logic [7:0] awlen;
  logic [12:0] aw_bytes;
  logic [8*BusBytes-1:0] wdata;
  logic [BusBytes-1:0] wstrb;
  store_dma #(.Columns(Columns), .BusBytes(BusBytes), .BurstBytes(BurstBytes), .Outstanding(Outstanding)) dut (
    .clk_i, .rst_ni, .command_valid_i, .command_i, .done_o(), .chain_o(), .error_o(), .status_o(), .vector_read_o(), .vector_address_o(),
    .vector_data_i, .awvalid_o(awvalid), .awaddr_o(awaddr), .awlen_o(awlen), .aw_bytes_o(aw_bytes), .awready_i, .wvalid_o(wvalid), .wdata_o(wdata),
    .wstrb_o(wstrb), .wlast_o(wlast), .wready_i, .bvalid_i, .bresp_i, .quiet_o()
  );

  (* hierconn *) logic \dut.cuts_q , \dut.cut_waits_q , \dut.aw_leaves , \dut.sending_q ;
  (* hierconn *) logic [23:0] \dut.run_bytes_q , \dut.cut_bytes_q , \dut.u_bursts.left ;
  (* hierconn *) logic [CountBits-1:0] \dut.flights , \dut.waiting ;
  (* hierconn *) logic [BeatBits-1:0] \dut.beat_q ;
  (* hierconn *) logic [OffsetBits-1:0] \dut.last_q ;
  (* hierconn *) logic \dut.u_flights.past_reset_q , \dut.u_waiting.past_reset_q , \dut.u_waiting.follow , \dut.u_waiting.followed_q ;
  (* hierconn *) logic [2*OffsetBits-1:0] \dut.u_waiting.value_q ;
  (* hierconn *) logic [CountBits-1:0] \dut.u_waiting.before_q ;

  logic past_reset_q = 1'b0;
  logic aw_taken, w_taken, finished;
  assign aw_taken = awvalid && awready_i;
  assign w_taken = wvalid && wready_i;
  assign finished = w_taken && wlast;

  // ---- What waits ----
  logic aw_waits_q, w_waits_q, wlast_q;
  logic [39:0] awaddr_q;
  logic [7:0] awlen_q;
  logic [8*BusBytes-1:0] wdata_q;
  logic [BusBytes-1:0] wstrb_q;

  // ---- Bursts: accepted and not finished; finished and not answered ----
  logic [CountBits:0] unfinished_q, unanswered_q;

  // ---- The followed burst ----
  (* anyseq *) logic follow;
  logic on_q;
  logic [CountBits:0] before_q;                 // bursts that are to end first
  logic [OffsetBits-1:0] first_q, final_q, final_at_take;
  logic [7:0] len_q, index_q;                   // index: of the beat that is on the wires, or will be next
  logic [BusBytes-1:0] strobe;
  assign final_at_take = OffsetBits'(13'(awaddr[OffsetBits-1:0]) + aw_bytes - 13'd1);
  assign strobe = ({BusBytes{1'b1}} << (index_q == '0 ? first_q[BusBits-1:0] : '0)) &
                  ({BusBytes{1'b1}} >> (index_q == len_q ? ~final_q[BusBits-1:0] : '0));

  always_ff @(posedge clk_i) past_reset_q <= 1'b1;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      aw_waits_q <= 1'b0;
      w_waits_q <= 1'b0;
      unfinished_q <= '0;
      unanswered_q <= '0;
      on_q <= 1'b0;
    end else begin
      aw_waits_q <= awvalid && !awready_i;
      w_waits_q <= wvalid && !wready_i;
      unfinished_q <= unfinished_q + (CountBits + 1)'(aw_taken) - (CountBits + 1)'(finished);
      unanswered_q <= unanswered_q + (CountBits + 1)'(finished) - (CountBits + 1)'(bvalid_i);
      if (!on_q) on_q <= aw_taken && follow;
      else if (before_q == '0 && finished) on_q <= 1'b0;
    end
  end
  always_ff @(posedge clk_i) begin
    awaddr_q <= awaddr;
    awlen_q <= awlen;
    wdata_q <= wdata;
    wstrb_q <= wstrb;
    wlast_q <= wlast;
    if (!on_q) begin
      before_q <= unfinished_q - (CountBits + 1)'(finished);
      first_q <= awaddr[OffsetBits-1:0];
      final_q <= final_at_take;
      len_q <= awlen;
      index_q <= '0;
    end else if (before_q != '0) begin
      before_q <= before_q - (CountBits + 1)'(finished);
    end else if (w_taken) begin
      index_q <= index_q + 8'd1;
    end
  end

  always_comb begin
    if (!past_reset_q) begin  // hierconn takes their first values away
      assume (!rst_ni && !\dut.u_flights.past_reset_q && !\dut.u_waiting.past_reset_q );
    end else begin
      assert (\dut.u_flights.past_reset_q && \dut.u_waiting.past_reset_q );
    end
    assume (\dut.u_waiting.follow == (follow && !on_q));
    if (rst_ni && past_reset_q) begin
      assume (!command_valid_i || command_i[isa_pkg::StoreRunBytesLsb +: 24] != '0);
      assume (!\dut.aw_leaves || \dut.cuts_q );
      assume (!bvalid_i || unanswered_q != '0);

      if (aw_waits_q) assert (awvalid && awaddr == awaddr_q && awlen == awlen_q);
      if (w_waits_q) assert (wvalid && wdata == wdata_q && wstrb == wstrb_q && wlast == wlast_q);
      if (awvalid) begin
        assert (aw_bytes != '0 && 14'(awaddr[OffsetBits-1:0]) + 14'(aw_bytes) <= 14'(BurstBytes));
        assert ({5'd0, awlen} == (13'(awaddr[BusBits-1:0]) + aw_bytes - 13'd1) >> BusBits);
      end
      assert (!wvalid || unfinished_q != '0);
      assert ((CountBits + 2)'(unfinished_q) + (CountBits + 2)'(unanswered_q) + (CountBits + 2)'(awvalid) <= (CountBits + 2)'(Outstanding));
      if (on_q && before_q == '0 && wvalid) assert (wlast == (index_q == len_q) && wstrb == strobe);

      // How that comes about.
      assert ((CountBits + 2)'(\dut.flights ) == (CountBits + 2)'(unfinished_q) + (CountBits + 2)'(unanswered_q) + (CountBits + 2)'(awvalid));
      assert ((CountBits + 2)'(unfinished_q) == (CountBits + 2)'(\dut.waiting ) + (CountBits + 2)'(wvalid));
      assert (\dut.sending_q == (wvalid && !wlast));
      if (\dut.cut_waits_q ) assert (\dut.run_bytes_q != '0);
      if (\dut.cuts_q ) assert (\dut.cut_bytes_q != '0 && \dut.u_bursts.left != '0);
      if (\dut.u_waiting.followed_q ) begin
        assert (on_q && index_q == '0 && \dut.u_waiting.value_q == {final_q, first_q});
        assert ((CountBits + 2)'(before_q) == (CountBits + 2)'(\dut.u_waiting.before_q ) + (CountBits + 2)'(wvalid));
      end
      if (on_q) begin
        assert (len_q == 8'(final_q[OffsetBits-1:BusBits]) - 8'(first_q[OffsetBits-1:BusBits]) && final_q >= first_q && index_q <= len_q);
        if (!\dut.u_waiting.followed_q ) begin
          assert (before_q == '0 && wvalid);
          if (\dut.sending_q ) assert (\dut.last_q == final_q && \dut.beat_q == BeatBits'(first_q[OffsetBits-1:BusBits] + BeatBits'(index_q) + 1'b1));
        end
      end
    end
  end
endmodule
