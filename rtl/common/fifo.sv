// SPDX-License-Identifier: Apache-2.0
// fifo: a queue of Depth entries in a memory whose read register is the head: what is pushed into an empty queue, or behind
// the last entry while that leaves, is at the head in the next cycle. Not to be pushed when full or popped when empty. A cleared
// queue is empty in the next cycle, whatever else was asked for.
`include "assertions.svh"

module fifo #(
  parameter int Width = 8,
  parameter int Depth = 4,
  localparam int CountBits = $clog2(Depth + 1)
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 clear_i,
  input  logic                 push_i,
  input  logic [Width-1:0]     data_i,
  input  logic                 pop_i,
  output logic [CountBits-1:0] count_o,  // entries
  output logic [Width-1:0]     head_o    // the oldest, if there is one
);

  localparam int PlaceBits = Depth > 1 ? $clog2(Depth) : 1;
  localparam logic [PlaceBits-1:0] LastPlace = PlaceBits'(Depth - 1);

  logic [PlaceBits-1:0] write_q, read_q, read_after, next;
  logic [CountBits-1:0] count_q;

  // The place whose entry is to be the next head: the one behind the head, or the first of an empty queue. `pop_i` comes late, and
  // decides only whether it is read. What is just being pushed there passes through.
  assign read_after = read_q == LastPlace ? '0 : read_q + 1'b1;
  assign next = count_q == '0 ? read_q : read_after;
`ifdef FORMAL
  logic [Width*Depth-1:0] memory;
`endif
  memory #(.Width(Width), .Words(Depth), .Passes(1'b1)) u_memory (
    .clk_i,
    .write_i      (push_i),
    .write_row_i  (write_q),
    .write_data_i (data_i),
    .read_i       (pop_i || (push_i && count_q == '0)),
    .read_row_i   (next),
`ifdef FORMAL
    .words_o      (memory),
`endif
    .read_data_o  (head_o)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      write_q <= '0;
      read_q <= '0;
      count_q <= '0;
    end else if (clear_i) begin
      write_q <= '0;
      read_q <= '0;
      count_q <= '0;
    end else begin
      if (push_i) write_q <= write_q == LastPlace ? '0 : write_q + 1'b1;
      if (pop_i) read_q <= read_after;
      if (push_i != pop_i) count_q <= push_i ? count_q + 1'b1 : count_q - 1'b1;
    end
  end
  assign count_o = count_q;

  `GEMEL_ASSERT(NotPushedWhenFull, !push_i || pop_i || clear_i || count_q != CountBits'(Depth))
  `GEMEL_ASSERT(NotPoppedWhenEmpty, !pop_i || clear_i || count_q != '0)

`ifdef FORMAL
  // Proved by induction (tests/rtl/prove.py): whatever is pushed comes out, unchanged and in its turn. One entry is followed, any:
  // `follow` chooses it, `before_q` says how many are to leave before it.
  (* anyseq *) logic follow;
  logic past_reset_q = 1'b0, followed_q;
  logic [Width-1:0] value_q;
  logic [CountBits-1:0] before_q;
  logic [PlaceBits:0] place;                    // of the followed entry
  logic [PlaceBits:0] behind;                   // of what comes next
  assign place = {1'b0, read_q} + (PlaceBits + 1)'(before_q);
  assign behind = {1'b0, read_q} + (PlaceBits + 1)'(count_q);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      followed_q <= 1'b0;
    end else if (clear_i) begin
      followed_q <= 1'b0;
    end else if (!followed_q && push_i && follow) begin
      followed_q <= 1'b1;
      value_q <= data_i;
      before_q <= pop_i ? count_q - 1'b1 : count_q;
    end else if (followed_q && pop_i) begin
      followed_q <= before_q != '0;
      before_q <= before_q - 1'b1;
    end
  end
  always_ff @(posedge clk_i) past_reset_q <= 1'b1;
  always_comb begin
    if (!past_reset_q) assume (!rst_ni);
    if (rst_ni && past_reset_q) begin
      assume (!push_i || pop_i || clear_i || count_q != CountBits'(Depth));
      assume (!pop_i || clear_i || count_q != '0);
      assert (count_q <= CountBits'(Depth));
      assert (read_q <= LastPlace && write_q <= LastPlace);
      assert (write_q == PlaceBits'(behind >= (PlaceBits + 1)'(Depth) ? behind - (PlaceBits + 1)'(Depth) : behind));
      assert (count_q == '0 || head_o == memory[Width*read_q +: Width]);
      if (followed_q) begin
        assert (before_q < count_q);
        assert (memory[Width*PlaceBits'(place >= (PlaceBits + 1)'(Depth) ? place - (PlaceBits + 1)'(Depth) : place) +: Width] == value_q);
        if (before_q == '0) assert (head_o == value_q);  // what it is all for
      end
    end
  end
`endif

endmodule
