// SPDX-License-Identifier: Apache-2.0
// burst_cutter: cuts the runs of a DMA's command into bursts, none across a multiple of BurstBytes. A command has count2 rows of count1
// runs; stride1 bytes lie between the starts of two runs, stride2 between those of two rows. A burst stands at the outputs from the cycle
// behind `begin_i` on, the next one in the cycle behind `next_i`. The caller keeps the inputs of the second group while bursts are left.
// What the next burst needs is known a burst before, so that nothing waits for one sum behind another; but for the bytes of a run, which the
// caller gives with its first burst.
module burst_cutter #(
  parameter int BusBytes = 16,
  parameter int BurstBytes = 256
) (
  input  logic        clk_i,
  input  logic        next_i,         // the burst leaves
  // the first run, and how many
  input  logic        begin_i,        // goes before next_i
  input  logic [39:0] address_i,
  input  logic [15:0] begin_count1_i,
  input  logic [15:0] begin_count2_i,
  // every run's bytes, and what leads to the others
  input  logic [23:0] bytes_i,        // at least 1
  input  logic [15:0] count1_i,
  input  logic [31:0] stride1_i,
  input  logic [31:0] stride2_i,
  // the burst
  output logic [39:0] address_o,
  output logic [12:0] bytes_o,
  output logic [7:0]  len_o,          // beats - 1
  output logic        last_o          // of its command
);

  localparam int BusBits = $clog2(BusBytes);
  localparam int OffsetBits = $clog2(BurstBytes);

  logic [39:0] row_q, run_q, at_q;    // first run of the row; run; burst
  logic        run_begins_q;          // the burst is its run's first
  logic [23:0] left, left_q;          // bytes of the run from the burst on
  logic [15:0] left1_q, left2_q;
  logic        row_ends_q, ends_q;    // with the run: its row, the command

  logic [OffsetBits-1:0] to_end;      // bytes behind the burst's first up to the boundary
  logic [OffsetBits+1:0] reach;       // where a short run ends, from the boundary before the burst
  logic        run_ends;
  logic [12:0] last_byte;             // of the run, from the start of the burst's first beat
  assign left = run_begins_q ? bytes_i : left_q;
  assign to_end = ~at_q[OffsetBits-1:0];
  assign reach = {1'b0, left[OffsetBits:0]} + (OffsetBits + 2)'(at_q[OffsetBits-1:0]);
  assign run_ends = left[23:OffsetBits+1] == '0 && reach <= (OffsetBits + 2)'(BurstBytes);
  assign last_byte = 13'(at_q[BusBits-1:0]) + left[12:0] - 13'd1;
  assign address_o = at_q;
  assign bytes_o = run_ends ? left[12:0] : 13'(to_end) + 13'd1;
  assign len_o = run_ends ? 8'(last_byte >> BusBits) : 8'(13'(to_end) >> BusBits);
  assign last_o = run_ends && ends_q;

  logic [39:0] next_row, next_run;
  assign next_row = row_q + {8'd0, stride2_i};
  assign next_run = row_ends_q ? next_row : run_q + {8'd0, stride1_i};

  always_ff @(posedge clk_i) begin
    if (begin_i) begin
      row_q <= address_i;
      run_q <= address_i;
      at_q <= address_i;
      run_begins_q <= 1'b1;
      left1_q <= begin_count1_i;
      left2_q <= begin_count2_i;
      row_ends_q <= begin_count1_i == 16'd1;
      ends_q <= begin_count1_i == 16'd1 && begin_count2_i == 16'd1;
    end else if (next_i && run_ends) begin
      run_q <= next_run;
      at_q <= next_run;
      run_begins_q <= 1'b1;
      if (row_ends_q) begin
        row_q <= next_row;
        left1_q <= count1_i;
        left2_q <= left2_q - 16'd1;
        row_ends_q <= count1_i == 16'd1;
        ends_q <= count1_i == 16'd1 && left2_q == 16'd2;
      end else begin
        left1_q <= left1_q - 16'd1;
        row_ends_q <= left1_q == 16'd2;
        ends_q <= left1_q == 16'd2 && left2_q == 16'd1;
      end
    end else if (next_i) begin
      at_q <= {at_q[39:OffsetBits] + 1'b1, OffsetBits'(0)};
      left_q <= left - 24'(to_end) - 24'd1;
      run_begins_q <= 1'b0;
    end
  end

endmodule
