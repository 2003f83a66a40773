// SPDX-License-Identifier: Apache-2.0
// Rules of AXI4 and AXI4-Lite beside the ports of a chip, for simulation. A broken one is told with $display and counted in `broken`; `x_moved` count
// the transfers of a channel. What the chip keeps, and what is around it: a wrong memory is no proof of a right chip.
//   a channel that waits keeps its payload and its valid; valid is never X outside of reset
//   bursts: ascending, whole beats of the bus, at most 256, never across 4 KiB; answers come for what was asked for, in order
//   WLAST and RLAST in the last beat of a burst and in no other; no W beat before its AW (this chip's own rule); B behind the last beat
//   strobes: a run of bytes, of this burst's
`timescale 1ns / 1ps

module axi_channel_rules #(
  parameter int Width = 1,
  parameter Name = ""
) (
  input logic             clk_i,
  input logic             rst_ni,
  input logic             valid_i,
  input logic             ready_i,
  input logic [Width-1:0] payload_i
);
  int broken = 0, moved = 0;
  logic waits = 1'b0;
  logic [Width-1:0] payload;
  always @(posedge clk_i) begin
    if (rst_ni !== 1'b1) begin
      waits = 1'b0;
    end else begin
      if (valid_i !== 1'b0 && valid_i !== 1'b1) begin
        broken = broken + 1;
        $display("BROKEN at %0t: %0s: valid is X", $time, Name);
      end
      if (waits && (valid_i !== 1'b1 || payload_i !== payload)) begin
        broken = broken + 1;
        $display("BROKEN at %0t: %0s has changed before it was taken", $time, Name);
      end
      waits = valid_i === 1'b1 && ready_i !== 1'b1;
      payload = payload_i;
      if (valid_i === 1'b1 && ready_i === 1'b1) moved = moved + 1;
    end
  end
endmodule

// One direction of an AXI4 master: requests and data. Writing: data are W, `done` is B; else data are R and done is the last of them.
module axi_burst_rules #(
  parameter int Bus = 8,
  parameter int MostBursts = 1024,              // under way at once
  parameter logic Writing = 1'b0,
  parameter Name = ""
) (
  input logic           clk_i,
  input logic           rst_ni,
  input logic           request_i,              // valid and ready
  input logic [39:0]    address_i,
  input logic [7:0]     len_i,
  input logic [2:0]     size_i,
  input logic [1:0]     burst_i,
  input logic           beat_i,
  input logic [Bus-1:0] strobe_i,
  input logic           last_i,
  input logic           done_i
);
  int broken = 0, requests = 0, bursts = 0, beats = 0, dones = 0;
  logic [39:0] addresses [0:MostBursts-1];
  int lens [0:MostBursts-1];
  int first;
  logic [Bus-1:0] allowed;
  task automatic complain(input string what);
    broken = broken + 1;
    $display("BROKEN at %0t: %0s: %0s", $time, Name, what);
  endtask
  always @(posedge clk_i) begin
    if (rst_ni !== 1'b1) begin
      requests = 0;
      bursts = 0;
      beats = 0;
      dones = 0;
    end else begin
      // Data first: a beat beside its request comes too early.
      if (beat_i === 1'b1) begin
        if (bursts == requests) begin
          complain("a beat of no burst that was asked for");
        end else begin
          if (last_i !== (beats == lens[bursts % MostBursts])) complain($sformatf("last is %b in beat %0d of a burst of %0d", last_i, beats + 1, lens[bursts % MostBursts] + 1));
          if (Writing) begin
            first = beats == 0 ? int'(addresses[bursts % MostBursts] % 40'(Bus)) : 0;
            allowed = '1;
            allowed = allowed << first;
            if (strobe_i === '0 || (strobe_i & ~allowed) !== '0 || ((strobe_i + (strobe_i & -strobe_i)) & strobe_i) !== '0) begin
              complain($sformatf("strobe is %b in beat %0d of a burst at 0x%h", strobe_i, beats + 1, addresses[bursts % MostBursts]));
            end
          end
          beats = beats + 1;
          if (beats > lens[bursts % MostBursts]) begin
            beats = 0;
            bursts = bursts + 1;
          end
        end
      end
      if (done_i === 1'b1) begin
        if (Writing && dones == bursts - (beat_i === 1'b1 && beats == 0 ? 1 : 0)) complain("an answer before the last beat of its burst");
        dones = dones + 1;
      end
      if (request_i === 1'b1) begin
        if (burst_i !== 2'b01 || size_i !== 3'($clog2(Bus))) complain($sformatf("burst %0d, size %0d", burst_i, size_i));
        if (int'(address_i[11:0]) / Bus * Bus + (int'(len_i) + 1) * Bus > 4096) complain($sformatf("%0d beats from 0x%h on cross 4 KiB", int'(len_i) + 1, address_i));
        if (requests - dones == MostBursts) complain("more bursts under way than these rules can count");
        addresses[requests % MostBursts] = address_i;
        lens[requests % MostBursts] = int'(len_i);
        requests = requests + 1;
      end
    end
  end
endmodule

// A register port: as many answers as accesses at most, and none before its access is whole.
module axi_lite_rules #(
  parameter Name = ""
) (
  input logic clk_i,
  input logic rst_ni,
  input logic aw_i,  // valid and ready, of each channel
  input logic w_i,
  input logic b_i,
  input logic ar_i,
  input logic r_i
);
  int broken = 0, addresses = 0, values = 0, reads = 0;
  always @(posedge clk_i) begin
    if (rst_ni !== 1'b1) begin
      addresses = 0;
      values = 0;
      reads = 0;
    end else begin
      if ((b_i === 1'b1 && (addresses == 0 || values == 0)) || (r_i === 1'b1 && reads == 0)) begin
        broken = broken + 1;
        $display("BROKEN at %0t: %0s: an answer before its access", $time, Name);
      end
      addresses = addresses + (aw_i === 1'b1 ? 1 : 0) - (b_i === 1'b1 ? 1 : 0);
      values = values + (w_i === 1'b1 ? 1 : 0) - (b_i === 1'b1 ? 1 : 0);
      reads = reads + (ar_i === 1'b1 ? 1 : 0) - (r_i === 1'b1 ? 1 : 0);
    end
  end
endmodule
