// SPDX-License-Identifier: Apache-2.0
// npu_memory: the memory around the chip, for simulation: three AXI ports, the bytes, and when what is answered
// (docs/reference/machine.md, 7, ideal memory), jitter and stalls included, so that a program takes exactly the cycles that Gemel says.
//   fetch, load  read; they share the read channel. Data are sampled in the cycle in which AR is accepted
//   store        writes; data hold from the cycle of the burst's last W beat on
// All outputs are registers that change at the rising clock, so no simulator's order of processes matters. Byte lanes of R that no burst has
// asked for hold 8'hA5. What a master must not do is told with $display and counted in failures_o.
// `now` is the cycle whose wires are looked at: at a rising edge it ends, and the wires of the next cycle are computed.
`timescale 1ns / 1ps

module npu_memory #(
  parameter int BusBytes = 16,
  parameter int BurstBytes = 256,      // the longest burst of the DMAs
  parameter int Words = 1024,          // of BusBytes bytes, from address 0 on
  parameter int ReadLatency = 100,     // cycles from AR to the first beat, if nothing else is under way
  parameter int WriteLatency = 100,    // cycles from the last W beat to B
  parameter int MillibytesPerCycle = 16000,  // each way, in thousandths of a byte
  parameter int Queue = 64,            // bursts per port that are accepted and not complete
  parameter int JitterCycles = 0,      // most that a burst may be late
  parameter int JitterSeed = 0,
  parameter int ArStallPercent = 0,    // of the cycles in which the channel stands still
  parameter int RStallPercent = 0,
  parameter int AwStallPercent = 0,
  parameter int WStallPercent = 0,
  parameter int BStallPercent = 0,
  parameter int StallSeed = 0
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  // fetch
  input  logic                  fetch_arvalid_i,
  input  logic [39:0]           fetch_araddr_i,
  input  logic [7:0]            fetch_arlen_i,
  input  logic [12:0]           fetch_ar_bytes_i,
  output logic                  fetch_arready_o,
  output logic                  fetch_rvalid_o,
  output logic [8*BusBytes-1:0] fetch_rdata_o,
  output logic [1:0]            fetch_rresp_o,
  output logic                  fetch_rlast_o,
  // load
  input  logic                  load_arvalid_i,
  input  logic [39:0]           load_araddr_i,
  input  logic [7:0]            load_arlen_i,
  input  logic [12:0]           load_ar_bytes_i,
  output logic                  load_arready_o,
  output logic                  load_rvalid_o,
  output logic [8*BusBytes-1:0] load_rdata_o,
  output logic [1:0]            load_rresp_o,
  output logic                  load_rlast_o,
  // store
  input  logic                  store_awvalid_i,
  input  logic [39:0]           store_awaddr_i,
  input  logic [7:0]            store_awlen_i,
  input  logic [12:0]           store_aw_bytes_i,
  output logic                  store_awready_o,
  input  logic                  store_wvalid_i,
  input  logic [8*BusBytes-1:0] store_wdata_i,
  input  logic [BusBytes-1:0]   store_wstrb_i,
  input  logic                  store_wlast_i,
  output logic                  store_wready_o,
  output logic                  store_bvalid_o,
  output logic [1:0]            store_bresp_o,
  // rules that the chip has broken
  output int                    failures_o
);

  localparam int LongestBurst = BurstBytes > 64 ? BurstBytes : 64;  // fetch reads whole instructions
  localparam int MostBeats = LongestBurst > BusBytes ? LongestBurst / BusBytes : 1;
  localparam logic [63:0] JitterSpan = 64'(JitterCycles) + 64'd1;
  localparam logic [1:0] Okay = 2'b00, DecodeError = 2'b11;
  localparam logic [63:0] Golden = 64'h9E3779B97F4A7C15;            // SplitMix64

  logic [8*BusBytes-1:0] memory [0:Words-1];

  int     failures = 0;
  longint now = 0;

  task automatic complain(input string what);
    failures = failures + 1;
    if (failures <= 10) $display("FAIL: cycle %0d of the memory: %0s", now, what);
  endtask

  // ---- Random numbers: jitter and stalls ----

  logic   stalls_begun = 1'b0;  // from the first AR of fetch on
  longint stalls_origin = 0;    // its cycle
  logic [63:0] read_jitter = 64'(2 * JitterSeed), write_jitter = 64'(2 * JitterSeed + 1);

  function automatic logic [63:0] mixed(input logic [63:0] seed);
    logic [63:0] z;
    z = (seed ^ (seed >> 30)) * 64'hBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 64'h94D049BB133111EB;
    mixed = z ^ (z >> 31);
  endfunction

  // Whether channel `stream` moves in cycle `now`.
  function automatic logic moves(input int stream, input int percent);
    logic [63:0] draw;
    moves = 1'b1;
    if (percent != 0 && stalls_begun && now > stalls_origin) begin
      draw = mixed(64'(8) * 64'(StallSeed) + 64'(stream) + 64'(now - stalls_origin) * Golden);
      moves = draw % 64'd100 >= 64'(percent);
    end
  endfunction

  // ---- Read bursts: a ring per port; port 0 is fetch, port 1 load ----

  longint      read_free = 0;                              // first cycle in which the read channel is free
  longint      first_at [0:2*Queue-1], accepted_at [0:2*Queue-1];  // first beat; AR
  logic [39:0] read_address [0:2*Queue-1];
  int          read_bytes [0:2*Queue-1], read_beats [0:2*Queue-1];
  logic        read_fails [0:2*Queue-1];
  logic [8*BusBytes-1:0] beats [0:2*Queue*MostBeats-1];
  int          oldest [0:1], pending [0:1], sent [0:1];    // place of the oldest, bursts, beats of the oldest that are over
  logic        ar_waits [0:1];
  logic [39:0] ar_address [0:1];
  logic [12:0] ar_bytes [0:1];

  initial begin
    for (int p = 0; p < 2; p++) begin
      oldest[p] = 0;
      pending[p] = 0;
      sent[p] = 0;
      ar_waits[p] = 1'b0;
    end
  end

  function automatic int beats_of(input logic [39:0] address, input logic [12:0] bytes);
    beats_of = int'((address + 40'(bytes) - 40'd1) / 40'(BusBytes) - address / 40'(BusBytes)) + 1;
  endfunction

  function automatic logic outside(input logic [39:0] address, input logic [12:0] bytes);
    outside = address + 40'(bytes) > 40'(Words) * 40'(BusBytes);
  endfunction

  // The channel is taken by so many cycles for so many beats.
  function automatic longint occupied(input int count);
    int cycles;
    cycles = count;
    if (MillibytesPerCycle < 1000 * BusBytes) cycles = (count * 1000 * BusBytes + MillibytesPerCycle - 1) / MillibytesPerCycle;
    occupied = longint'(cycles);
  endfunction

  task automatic check_burst(input string channel, input logic [39:0] address, input logic [7:0] len, input logic [12:0] bytes);
    if (bytes == 13'd0) begin
      complain($sformatf("%0s of no bytes", channel));
    end else begin
      if (address / 40'd4096 != (address + 40'(bytes) - 40'd1) / 40'd4096) begin
        complain($sformatf("%0s of [0x%h, +%0d) crosses a multiple of 4096", channel, address, bytes));
      end
      if (int'(len) + 1 != beats_of(address, bytes)) begin
        complain($sformatf("%0s of [0x%h, +%0d) has len %0d, must have %0d", channel, address, bytes, len, beats_of(address, bytes) - 1));
      end
      if (beats_of(address, bytes) > MostBeats) begin
        complain($sformatf("%0s of [0x%h, +%0d) has more than %0d beats", channel, address, bytes, MostBeats));
      end
      if (outside(address, bytes)) complain($sformatf("%0s of [0x%h, +%0d) lies outside of the program's memory", channel, address, bytes));
    end
  endtask

  // AR that is on the wires in this cycle.
  task automatic take_ar(input int port, input string channel, input logic valid, input logic ready, input logic [39:0] address,
                         input logic [7:0] len, input logic [12:0] bytes);
    int place, count, first_lane, last_lane;
    logic [39:0] word;
    if (ar_waits[port] && (!valid || address != ar_address[port] || bytes != ar_bytes[port])) begin
      complain($sformatf("%0s has changed before it was accepted", channel));
    end
    ar_waits[port] = valid && !ready;
    ar_address[port] = address;
    ar_bytes[port] = bytes;
    if (valid && ready) begin
      check_burst(channel, address, len, bytes);
      place = Queue * port + (oldest[port] + pending[port]) % Queue;
      pending[port] = pending[port] + 1;
      count = beats_of(address, bytes);
      if (count > MostBeats) count = MostBeats;
      read_address[place] = address;
      read_bytes[place] = int'(bytes);
      read_beats[place] = count;
      read_fails[place] = outside(address, bytes);
      accepted_at[place] = now;
      first_at[place] = now + longint'(ReadLatency);
      if (JitterCycles != 0) begin
        read_jitter = read_jitter + Golden;
        first_at[place] = first_at[place] + longint'(mixed(read_jitter) % JitterSpan);
      end
      if (first_at[place] < read_free) first_at[place] = read_free;
      read_free = first_at[place] + occupied(count);
      first_at[place] = read_free - longint'(count);
      word = address / 40'(BusBytes);
      for (int i = 0; i < count; i++) begin
        beats[place*MostBeats + i] = read_fails[place] ? {BusBytes{8'hA5}} : memory[int'(word) + i];
      end
      first_lane = int'(address % 40'(BusBytes));
      last_lane = int'((address + 40'(bytes) - 40'd1) % 40'(BusBytes));
      for (int lane = 0; lane < BusBytes; lane++) begin
        if (lane < first_lane) beats[place*MostBeats][8*lane +: 8] = 8'hA5;
        if (lane > last_lane) beats[place*MostBeats + count - 1][8*lane +: 8] = 8'hA5;
      end
    end
  endtask

  // The beat of this cycle has been taken.
  task automatic end_of_beat(input int port, input logic last);
    sent[port] = sent[port] + 1;
    if (last) begin
      sent[port] = 0;
      oldest[port] = (oldest[port] + 1) % Queue;
      pending[port] = pending[port] - 1;
    end
  endtask

  function automatic int front(input int port);
    front = Queue * port + oldest[port];
  endfunction

  function automatic logic has_beat(input int port, input int stream);
    has_beat = 1'b0;
    if (pending[port] != 0) has_beat = now >= first_at[front(port)] + longint'(sent[port]) && moves(stream, RStallPercent);
  endfunction

  // ---- Writes ----

  longint      last_written = -1000000000;                 // cycle in which the channel wrote its last burst
  logic [39:0] write_address [0:Queue-1];
  logic [12:0] write_bytes [0:Queue-1];
  longint      answer_at [0:Queue-1];                      // B
  logic        write_fails [0:Queue-1];
  int          write_oldest = 0, write_pending = 0;        // accepted, not answered
  int          whole = 0;                                  // of these: all W beats are there
  int          taken = 0;                                  // W beats of the first burst that is not whole
  logic [8*BusBytes-1:0] burst_data [0:MostBeats-1];
  logic        aw_waits = 1'b0, w_waits = 1'b0;
  logic [39:0] aw_address;
  logic [12:0] aw_bytes;
  logic [8*BusBytes-1:0] w_data;
  logic [BusBytes-1:0]   w_strobe;
  logic        w_last;

  task automatic check_overlap(input logic [39:0] address, input logic [12:0] bytes);
    int place;
    for (int port = 0; port < 2; port++) begin
      for (int i = 0; i < pending[port]; i++) begin
        place = Queue * port + (oldest[port] + i) % Queue;
        if (accepted_at[place] < now && first_at[place] + longint'(read_beats[place]) > now &&
            read_address[place] < address + 40'(bytes) && address < read_address[place] + 40'(read_bytes[place])) begin
          complain($sformatf("a write of [0x%h, +%0d) meets a read burst under way, of [0x%h, +%0d)", address, bytes, read_address[place],
                             read_bytes[place]));
        end
      end
    end
  endtask

  task automatic take_w;
    int place, count, first_lane, last_lane;
    longint earliest;
    logic [39:0] address;
    logic [BusBytes-1:0] strobe;
    logic last;
    if (w_waits && (!store_wvalid_i || store_wdata_i !== w_data || store_wstrb_i != w_strobe || store_wlast_i != w_last)) begin
      complain("W has changed before it was taken");
    end
    w_waits = store_wvalid_i && !store_wready_o;
    w_data = store_wdata_i;
    w_strobe = store_wstrb_i;
    w_last = store_wlast_i;
    if (store_wvalid_i && store_wready_o) begin
      if (whole == write_pending) begin
        complain("a W beat belongs to no burst whose AW has been accepted in an earlier cycle");
      end else begin
        place = (write_oldest + whole) % Queue;
        address = write_address[place];
        count = beats_of(address, write_bytes[place]);
        first_lane = taken == 0 ? int'(address % 40'(BusBytes)) : 0;
        last = taken == count - 1;
        last_lane = last ? int'((address + 40'(write_bytes[place]) - 40'd1) % 40'(BusBytes)) : BusBytes - 1;
        for (int lane = 0; lane < BusBytes; lane++) strobe[lane] = lane >= first_lane && lane <= last_lane;
        if (store_wlast_i !== last) complain($sformatf("wlast is %b in W beat %0d of %0d", store_wlast_i, taken + 1, count));
        if (store_wstrb_i !== strobe) complain($sformatf("wstrb is %b in W beat %0d of %0d, must be %b", store_wstrb_i, taken + 1, count, strobe));
        if (taken < MostBeats) burst_data[taken] = store_wdata_i;
        taken = taken + 1;
        if (last) begin
          check_overlap(address, write_bytes[place]);
          if (!write_fails[place]) begin
            for (int i = 0; i < count && i < MostBeats; i++) begin
              for (int lane = 0; lane < BusBytes; lane++) begin
                if ((i > 0 || lane >= int'(address % 40'(BusBytes))) && (i < count - 1 || lane <= last_lane)) begin
                  memory[int'(address / 40'(BusBytes)) + i][8*lane +: 8] = burst_data[i][8*lane +: 8];
                end
              end
            end
          end
          earliest = now;
          if (JitterCycles != 0) begin
            write_jitter = write_jitter + Golden;
            earliest = earliest + longint'(mixed(write_jitter) % JitterSpan);
          end
          last_written = last_written + occupied(count);
          if (last_written < earliest) last_written = earliest;
          answer_at[place] = last_written + longint'(WriteLatency);
          whole = whole + 1;
          taken = 0;
        end
      end
    end
  endtask

  task automatic take_aw;
    int place;
    if (aw_waits && (!store_awvalid_i || store_awaddr_i != aw_address || store_aw_bytes_i != aw_bytes)) begin
      complain("AW has changed before it was accepted");
    end
    aw_waits = store_awvalid_i && !store_awready_o;
    aw_address = store_awaddr_i;
    aw_bytes = store_aw_bytes_i;
    if (store_awvalid_i && store_awready_o) begin
      check_burst("AW", store_awaddr_i, store_awlen_i, store_aw_bytes_i);
      place = (write_oldest + write_pending) % Queue;
      write_address[place] = store_awaddr_i;
      write_bytes[place] = store_aw_bytes_i;
      write_fails[place] = outside(store_awaddr_i, store_aw_bytes_i);
      write_pending = write_pending + 1;
    end
  endtask

  // ---- A cycle ----

  task automatic drive_idle;
    fetch_arready_o <= 1'b0;
    fetch_rvalid_o <= 1'b0;
    load_arready_o <= 1'b0;
    load_rvalid_o <= 1'b0;
    store_awready_o <= 1'b0;
    store_wready_o <= 1'b0;
    store_bvalid_o <= 1'b0;
  endtask

  // The wires of cycle `now`.
  task automatic drive;
    logic beat;
    fetch_arready_o <= pending[0] < Queue && moves(0, ArStallPercent);
    beat = has_beat(0, 1);
    fetch_rvalid_o <= beat;
    if (beat) begin
      fetch_rdata_o <= beats[front(0)*MostBeats + sent[0]];
      fetch_rresp_o <= read_fails[front(0)] ? DecodeError : Okay;
      fetch_rlast_o <= sent[0] == read_beats[front(0)] - 1;
    end
    load_arready_o <= pending[1] < Queue && moves(2, ArStallPercent);
    beat = has_beat(1, 3);
    load_rvalid_o <= beat;
    if (beat) begin
      load_rdata_o <= beats[front(1)*MostBeats + sent[1]];
      load_rresp_o <= read_fails[front(1)] ? DecodeError : Okay;
      load_rlast_o <= sent[1] == read_beats[front(1)] - 1;
    end
    store_awready_o <= write_pending < Queue && moves(4, AwStallPercent);
    store_wready_o <= moves(5, WStallPercent);
    beat = 1'b0;
    if (whole != 0) beat = answer_at[write_oldest] <= now && moves(6, BStallPercent);
    store_bvalid_o <= beat;
    if (beat) store_bresp_o <= write_fails[write_oldest] ? DecodeError : Okay;
  endtask

  initial failures_o = 0;

  always @(posedge clk_i) begin
    if (!rst_ni) begin
      drive_idle;
    end else begin
      if (fetch_arvalid_i && !stalls_begun) begin
        stalls_begun = 1'b1;
        stalls_origin = now;
      end
      if (fetch_rvalid_o) end_of_beat(0, fetch_rlast_o);
      if (load_rvalid_o) end_of_beat(1, load_rlast_o);
      if (store_bvalid_o) begin
        write_oldest = (write_oldest + 1) % Queue;
        write_pending = write_pending - 1;
        whole = whole - 1;
      end
      take_ar(0, "AR of fetch", fetch_arvalid_i, fetch_arready_o, fetch_araddr_i, fetch_arlen_i, fetch_ar_bytes_i);
      take_ar(1, "AR of load", load_arvalid_i, load_arready_o, load_araddr_i, load_arlen_i, load_ar_bytes_i);
      take_w;
      take_aw;
      now = now + 1;
      drive;
      failures_o <= failures;
    end
  end

endmodule
