// SPDX-License-Identifier: Apache-2.0
// load_dma: strided reads of memory into the input buffers; contract: src/blocks/load_dma/load_dma_ports.hpp and
// docs/reference/machine.md, 5.
//   requester  cuts runs into bursts; a burst leaves when fewer than Outstanding are unanswered and its place in the ring is free
//   ring       places of BurstBytes; the byte at address A of burst k lies at offset A mod BurstBytes of place k mod Places, so
//              words are realigned by addressing alone. Beats are dealt to banks in turn, so that a word at any offset is read at once:
//              each cycle the banks read what the next word may need, with a beat that is just being written passed through
//   writer     walks the words of the instruction; a word leaves when the last of its memory bytes has arrived; places are
//              freed when no later word needs a byte of them. What a word is made of depends on the instruction alone, so that its
//              descriptor (length, bytes before the row, end of what is memory) is made while the word before waits to leave
// Two instructions at most are inside: the requester may be one ahead of the writer. Bursts are numbered modulo 2^NumberBits; a
// position is {number, offset}, and positions are compared by the sign of their difference.
`include "assertions.svh"

module load_dma #(
  parameter int Rows = 16,
  parameter int Columns = 16,
  parameter int BusBytes = 16,
  parameter int BurstBytes = 256,
  parameter int Outstanding = 16
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  // command
  input  logic                  command_valid_i,
  /* verilator lint_off UNUSEDSIGNAL */  // opcode, waits and posts are the sequencer's
  input  logic [511:0]          command_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic                  done_o,
  output logic                  chain_o,
  output logic                  error_o,
  output logic [1:0]            status_o,
  // memory
  output logic                  arvalid_o,
  output logic [39:0]           araddr_o,
  output logic [7:0]            arlen_o,
  output logic [12:0]           ar_bytes_o,
  input  logic                  arready_i,
  input  logic                  rvalid_i,
  input  logic [8*BusBytes-1:0] rdata_i,
  input  logic [1:0]            rresp_i,
  input  logic                  rlast_i,
  // buffers
  output logic [3:0]            write_o,
  output logic [17:0]           write_address_o,
  output logic [8*(Rows>Columns?Rows:Columns)-1:0] write_data_o,
  output logic                  quiet_o
);

  localparam int WordBytes = Rows > Columns ? Rows : Columns;  // of the widest word
  localparam int BusBits = $clog2(BusBytes);
  localparam int OffsetBits = $clog2(BurstBytes);
  localparam int PlacesNeeded = Outstanding + (WordBytes + BurstBytes - 1) / BurstBytes;
  localparam int BurstBeats = BurstBytes / BusBytes;
  localparam int BeatBits = BurstBeats > 1 ? $clog2(BurstBeats) : 1;
  // Banks: as many beats as a word may touch. Rows of the banks are whole, so places may be a few more than are needed.
  localparam int BankBits = $clog2((WordBytes + BusBytes - 2) / BusBytes + 1);
  localparam int Banks = 2 ** BankBits;
  localparam int Group = Banks > BurstBeats ? Banks / BurstBeats : 1;  // places in a row
  localparam int Places = (PlacesNeeded + Group - 1) / Group * Group;
  localparam int PlaceBits = Places > 1 ? $clog2(Places) : 1;
  localparam int BankRows = Places * BurstBeats / Banks;
  localparam int RowBits = BankRows > 1 ? $clog2(BankRows) : 1;
  localparam int RingBytes = Banks * BusBytes;                         // of a row
  localparam int NumberBits = $clog2(4 * Places + 8);
  localparam int PositionBits = NumberBits + OffsetBits;
  localparam int LengthBits = $clog2(WordBytes + 1);

  `GEMEL_PARAMETER(ArrayLegal, Rows >= 1 && Rows <= 256 && Columns >= 1 && Columns <= 256)
  `GEMEL_PARAMETER(BusLegal, BusBytes >= 4 && BusBytes <= 128 && 2 ** BusBits == BusBytes)
  `GEMEL_PARAMETER(BurstLegal, BurstBytes >= BusBytes && BurstBytes <= 4096 && 2 ** OffsetBits == BurstBytes)
  `GEMEL_PARAMETER(BeatsLegal, BurstBytes <= 256 * BusBytes)  // AXI4
  `GEMEL_PARAMETER(OutstandingLegal, Outstanding >= 1 && Outstanding <= 64)

  localparam logic [1:0] StatusBusy = 2'd0, StatusWaitRequest = 2'd1, StatusWaitData = 2'd2;

  // A simulator computes what follows a word only when one leaves; gates would only come later for it.
`ifdef VERILATOR
  localparam bit Lazy = 1'b1;
`else
  localparam bit Lazy = 1'b0;
`endif

  // ---- The latest command, as both halves need it ----

  logic [2:0] buffer_q;
  logic [7:0] fill_q;
  logic [17:0] word_base_q;
  logic [OffsetBits-1:0] offset_q;              // of the first run in its burst
  logic [23:0] bytes_q;                         // of a run in memory, from its first on
  logic [23:0] group_bytes_q;
  logic [15:0] count1_q, count2_q, window_count_q;
  logic [31:0] stride1_q, stride2_q;
  logic [11:0] window_bytes_q, window_step_q;
  logic [11:0] lead_q;                          // bytes of the first window before the row
  logic windowed_q;                             // windows: there are some
  logic [23:0] windows_end_q;                   // where the last window ends in its row
  logic windows_short_q;                        // there are some, and that end is before the run's
  logic parity_q;

  logic [39:0] command_address;
  logic [23:0] command_bytes;
  logic [15:0] command_windows;
  logic [11:0] command_offset, command_lead;    // of the first window in its row, 0 or below, modulo 4096; and without the sign
  // Window mode: sum and comparison stand side by side behind the product, which has a window too many. Which of both ends the run comes
  // last, so that is chosen in the cycle behind the command.
  logic signed [29:0] all_windows, windows_rest;
  /* verilator lint_off UNUSEDSIGNAL */  // what is not below zero and ends before the run has 24 bits
  logic signed [29:0] windows_end;
  /* verilator lint_on UNUSEDSIGNAL */
  assign command_address = command_i[isa_pkg::LoadAddressLsb +: 40];
  assign command_bytes = command_i[isa_pkg::LoadRunBytesLsb +: 24];
  assign command_windows = command_i[isa_pkg::LoadWindowCountLsb +: 16];
  assign command_offset = command_i[isa_pkg::LoadWindowOffsetLsb +: 12];
  assign command_lead = -command_offset;
  assign all_windows = $signed({14'd0, command_windows} * {18'd0, command_i[isa_pkg::LoadWindowStepLsb +: 12]});
  assign windows_rest = ($signed({18'd0, command_i[isa_pkg::LoadWindowBytesLsb +: 12]}) -
                         $signed({18'd0, command_i[isa_pkg::LoadWindowStepLsb +: 12]})) +
                        $signed({{18{command_offset != 12'd0}}, command_offset});
  assign windows_end = all_windows + windows_rest;

  logic command_waits_q;                        // the writer has not taken it yet
  logic take_command;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      command_waits_q <= 1'b0;
      parity_q <= 1'b0;
    end else begin
      command_waits_q <= command_valid_i || (command_waits_q && !take_command);
      parity_q <= parity_q ^ command_valid_i;
    end
  end
  always_ff @(posedge clk_i) begin
    if (command_valid_i) begin
      buffer_q <= command_i[isa_pkg::LoadBufferLsb +: 3];
      fill_q <= command_i[isa_pkg::LoadFillLsb +: 8];
      word_base_q <= command_i[isa_pkg::LoadWordBaseLsb +: 18];
      offset_q <= command_address[OffsetBits-1:0];
      bytes_q <= command_bytes;
      group_bytes_q <= command_i[isa_pkg::LoadGroupBytesLsb +: 24];
      count1_q <= command_i[isa_pkg::LoadCount1Lsb +: 16];
      stride1_q <= command_i[isa_pkg::LoadStride1Lsb +: 32];
      count2_q <= command_i[isa_pkg::LoadCount2Lsb +: 16];
      stride2_q <= command_i[isa_pkg::LoadStride2Lsb +: 32];
      window_count_q <= command_windows;
      windowed_q <= command_windows != 16'd0;
      window_bytes_q <= command_i[isa_pkg::LoadWindowBytesLsb +: 12];
      window_step_q <= command_i[isa_pkg::LoadWindowStepLsb +: 12];
      lead_q <= command_lead;
      windows_end_q <= windows_end[23:0];
      windows_short_q <= command_windows != 16'd0 && !windows_end[29] && all_windows < $signed({6'd0, command_bytes}) - windows_rest;
    end
  end

  logic [23:0] run_bytes;                       // memory bytes of a run that are wanted, from its first on
  assign run_bytes = windows_short_q ? windows_end_q : bytes_q;

  // ---- Requester ----

  logic cuts_q;                                 // bursts are left
  logic [39:0] burst_address;
  logic [12:0] burst_bytes;
  logic [7:0]  burst_len;
  logic [NumberBits-1:0] issued_q, answered_q, drained;
  logic ar_last_q, ar_free, ar_leaves, burst_last;

  burst_cutter #(.BusBytes(BusBytes), .BurstBytes(BurstBytes)) u_bursts (
    .clk_i,
    .next_i         (ar_leaves),
    .begin_i        (command_valid_i),
    .address_i      (command_address),
    .begin_count1_i (command_i[isa_pkg::LoadCount1Lsb +: 16]),
    .begin_count2_i (command_i[isa_pkg::LoadCount2Lsb +: 16]),
    .bytes_i        (run_bytes),
    .count1_i       (count1_q),
    .stride1_i      (stride1_q),
    .stride2_i      (stride2_q),
    .address_o      (burst_address),
    .bytes_o        (burst_bytes),
    .len_o          (burst_len),
    .last_o         (burst_last)
  );
  assign ar_free = !arvalid_o || arready_i;
  assign ar_leaves = ar_free && cuts_q && NumberBits'(issued_q - answered_q) < NumberBits'(Outstanding) &&
                     NumberBits'(issued_q - drained) < NumberBits'(PlacesNeeded);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      cuts_q <= 1'b0;
      arvalid_o <= 1'b0;
      issued_q <= '0;
      chain_o <= 1'b0;
    end else begin
      if (command_valid_i) cuts_q <= 1'b1;
      else if (ar_leaves && burst_last) cuts_q <= 1'b0;
      if (ar_free) arvalid_o <= ar_leaves;
      if (ar_leaves) issued_q <= issued_q + 1'b1;
      chain_o <= arvalid_o && arready_i && ar_last_q;
    end
  end
  always_ff @(posedge clk_i) begin
    if (ar_leaves) begin
      araddr_o <= burst_address;
      ar_bytes_o <= burst_bytes;
      arlen_o <= burst_len;
      ar_last_q <= burst_last;
    end
  end

  // ---- Arrivals. What is remembered of a burst: which instruction it belongs to and its first beat in its place ----

  localparam int FlightBits = $clog2(Outstanding + 1);
  logic [FlightBits-1:0] flights;
  logic [BeatBits:0] flight;
  logic [BeatBits-1:0] beat_q, beat, first_beat;
  logic in_burst_q;
  logic [PlaceBits-1:0] arrival_place_q;
  logic [1:0] failed_q;                         // by parity
  logic [PositionBits-1:0] arrived;             // all before this position is in the ring
  logic beat_error;

  if (BurstBeats > 1) begin : gen_first_beat
    assign first_beat = burst_address[OffsetBits-1:BusBits];
  end else begin : gen_only_beat
    assign first_beat = '0;
  end
  fifo #(.Width(BeatBits + 1), .Depth(Outstanding)) u_flights (
    .clk_i,
    .rst_ni,
    .clear_i (1'b0),
    .push_i  (ar_leaves),
    .data_i  ({!parity_q, first_beat}),         // parity_q is the next instruction's
    .pop_i   (rvalid_i && rlast_i),
    .count_o (flights),
    .head_o  (flight)
  );
  assign beat = in_burst_q ? beat_q : flight[BeatBits-1:0];
  assign beat_error = rresp_i >= 2'b10;  // SLVERR, DECERR

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      in_burst_q <= 1'b0;
      beat_q <= '0;
      answered_q <= '0;
      arrival_place_q <= '0;
      failed_q <= '0;
    end else begin
      if (rvalid_i) begin
        in_burst_q <= !rlast_i;
        beat_q <= beat + 1'b1;
        if (rlast_i) begin
          answered_q <= answered_q + 1'b1;
          arrival_place_q <= arrival_place_q == PlaceBits'(Places - 1) ? '0 : arrival_place_q + 1'b1;
        end
        if (beat_error) failed_q[flight[BeatBits]] <= 1'b1;
      end
      if (command_valid_i) failed_q[parity_q] <= 1'b0;
    end
  end
  if (BurstBeats > 1) begin : gen_arrived_offset
    assign arrived = {answered_q, in_burst_q ? beat_q : BeatBits'(0), BusBits'(0)};
  end else begin : gen_arrived_whole
    assign arrived = {answered_q, BusBits'(0)};
  end

  // ---- Writer: where it is ----

  logic writing_q, window_mode_q;
  logic [2:0] to_buffer_q;
  logic [7:0] with_fill_q;
  logic [17:0] word_address_q;
  logic [23:0] groups_q;                        // bytes of a group or window
  logic [15:0] runs1_q, left1_q, left2_q, windows_q, windows_left_q;
  logic row_last_q, job_last_q;                 // the run is the last of its row; and its row of the job
  logic [OffsetBits-1:0] distance1_q, distance2_q;  // of runs, as far as offsets go
  logic [11:0] windows_step_q;
  logic writer_parity_q;
  logic [OffsetBits-1:0] row_offset_q, run_offset_q;  // of the first run of the row, and of the run, in its first burst

  // From the first byte of the next word, or of the group: bytes to the end of the run (none behind it: 0 or less), and before its begin.
  logic signed [29:0] left_q, group_to_end_q;
  logic [11:0] before_q, group_before_q;
  logic [11:0] group_move_q;                    // memory bytes between the group's first and the next's
  logic [23:0] group_left_q;                    // bytes of the group from the next word on
  logic [12:0] rest_q;                          // memory bytes of the run from the window's first on; modulo 2^13, for less is enough
  // Descriptors, of the next word and of the first word of every run: bytes; of these, [lead, end) are memory, and so many.
  logic [8:0] length_q, word_lead_q, memory_end_q, memory_bytes_q, start_length_q, start_lead_q, start_end_q, start_bytes_q;
  logic signed [29:0] start_left_q;
  logic [11:0] start_before_q, start_move_q;
  logic [12:0] start_rest_q;
  // Positions in the ring: of the next word's first byte in the run, and of the group's: what comes before that is drained.
  logic [NumberBits-1:0] at_number_q, group_number_q;
  logic [PlaceBits-1:0] at_place_q, group_place_q;
  logic [OffsetBits-1:0] at_offset_q, group_offset_q;
  logic drained_run_q;                          // the run is drained, its last windows are fill

  assign drained = group_number_q;

  // ---- Writer: the next word ----

  // {bytes of memory, end, lead, length} of a word.
  function automatic logic [35:0] descriptor(input logic [2:0] buffer, input logic [23:0] group_left, input logic signed [29:0] left,
                                             input logic [11:0] outside);
    logic [8:0] bytes, length, lead, last;
    logic [9:0] memory;
    bytes = buffer == 3'd0 ? 9'(Rows) : 9'(Columns);
    length = group_left < {15'd0, bytes} ? group_left[8:0] : bytes;
    // Neither is beyond the word. Each is compared with both of what bounds the word, instead of with the lesser.
    lead = outside < {3'd0, bytes} && {12'd0, outside} < group_left ? outside[8:0] : length;
    last = left[29] ? '0 : left < $signed({21'd0, bytes}) && left < $signed({6'd0, group_left}) ? left[8:0] : length;
    memory = {1'b0, last} - {1'b0, lead};
    descriptor = {memory[9] ? 9'd0 : memory[8:0], last, lead, length};
  endfunction

  // {group, run}: whether they end with a word of this length. The last group of a run may be short.
  function automatic logic [1:0] ends_with(input logic window_mode, input logic [15:0] windows_left, input logic [23:0] group_left,
                                           input logic signed [29:0] left, input logic [8:0] length);
    logic run;
    run = window_mode ? windows_left == 16'd1 : left <= $signed({21'd0, length});
    ends_with = {group_left == 24'(length) || (!window_mode && run), run};
  endfunction

  logic [8:0] advance;
  logic has_memory, writes;
  logic [PositionBits-1:0] ahead;

  always_comb begin
    ahead = '0;
    if (!Lazy || writing_q) ahead = arrived - {at_number_q, at_offset_q};
  end
  assign has_memory = memory_bytes_q != 9'd0;
  assign advance = length_q - word_lead_q;
  assign writes = writing_q && (!has_memory || (!ahead[PositionBits-1] && ahead >= PositionBits'(memory_bytes_q)));

  // ---- Writer: and then ----

  logic group_ends, run_ends, job_ends, begins;
  logic [1:0] ends_q, start_ends_q, next_ends, start_ends;  // {group, run}, with the next word and with the first of every run
  logic signed [29:0] next_to_end, next_left;
  logic [23:0] next_group_left;
  logic [11:0] next_group_before, next_before;
  logic [35:0] next_descriptor, start_descriptor;
  logic signed [29:0] start_left;
  logic [11:0] next_move, start_move;           // as group_move_q, of the next group and of the first of a run
  logic [12:0] rest;                            // memory bytes of the run from the group's (rows: the word's) first on
  logic [12:0] at_sum, group_sum, rest_sum;
  logic [OffsetBits-1:0] next_run_offset, next_row_offset;

  localparam int SumBits = 13;                  // offsets and moves are below 4096
  function automatic logic [PlaceBits-1:0] place_after(input logic [PlaceBits-1:0] place, input logic [SumBits-1:0] more);
    logic [SumBits:0] sum, less;
    sum = {1'b0, more} + (SumBits + 1)'(place);
    less = {1'b0, more} + ((SumBits + 1)'(place) - (SumBits + 1)'(Places));
    place_after = PlaceBits'(less[SumBits] ? sum : less);
  endfunction

  always_comb begin
    {group_ends, run_ends} = 2'b00;
    job_ends = 1'b0;
    next_ends = 2'b00;
    next_to_end = '0;
    next_left = '0;
    next_group_left = '0;
    next_group_before = '0;
    next_before = '0;
    next_descriptor = '0;
    next_move = '0;
    rest = '0;
    at_sum = '0;
    group_sum = '0;
    rest_sum = '0;
    next_row_offset = '0;
    next_run_offset = '0;
    if (!Lazy || writes) begin
      {group_ends, run_ends} = ends_q;
      job_ends = job_last_q;
      at_sum = 13'(at_offset_q) + 13'(advance);
      next_to_end = group_to_end_q - $signed({18'd0, windows_step_q});
      next_group_before = group_before_q < windows_step_q ? '0 : group_before_q - windows_step_q;
      next_left = window_mode_q && group_ends ? next_to_end : left_q - $signed({21'd0, length_q});
      next_group_left = group_ends ? groups_q : group_left_q - 24'(length_q);
      next_before = window_mode_q && group_ends ? next_group_before : before_q < 12'(length_q) ? '0 : before_q - 12'(length_q);
      next_descriptor = descriptor(to_buffer_q, next_group_left, next_left, next_before);
      next_ends = ends_with(window_mode_q, group_ends ? windows_left_q - 16'd1 : windows_left_q, next_group_left, next_left, next_descriptor[8:0]);
      if (!Lazy || group_ends) begin
        next_move = next_group_before < windows_step_q ? windows_step_q - next_group_before : '0;
        rest = window_mode_q ? rest_q : 13'(memory_end_q);
        group_sum = 13'(group_offset_q) + 13'(group_move_q);
        rest_sum = (window_mode_q ? 13'(group_offset_q) : 13'(at_offset_q)) + rest - 13'd1;
        next_row_offset = row_offset_q + distance2_q;
        next_run_offset = row_last_q ? next_row_offset : run_offset_q + distance1_q;
      end
    end
  end

  logic [NumberBits-1:0] number_now, at_number_now;  // group's and next word's, without a new run
  logic [PlaceBits-1:0] place_now, at_place_now;
  logic [OffsetBits-1:0] offset_now, at_offset_now;
  logic drained_now;
  logic [NumberBits-1:0] end_number;            // the burst behind the run's last
  logic [PlaceBits-1:0] end_place;
  logic [PlaceBits-1:0] at_place_after, group_place_after;  // behind the word; of the next window

  always_comb begin
    end_number = group_number_q;
    end_place = group_place_q;
    if (!Lazy || group_ends) begin
      if (!window_mode_q) begin
        end_number = at_number_q + NumberBits'(rest_sum >> OffsetBits) + 1'b1;
        end_place = place_after(at_place_q, (rest_sum >> OffsetBits) + 13'd1);
      end else if (!drained_run_q) begin
        end_number = group_number_q + NumberBits'(rest_sum >> OffsetBits) + 1'b1;
        end_place = place_after(group_place_q, (rest_sum >> OffsetBits) + 13'd1);
      end
    end
  end
  always_comb begin
    at_number_now = at_number_q;
    at_place_now = at_place_q;
    at_offset_now = at_offset_q;
    number_now = group_number_q;
    place_now = group_place_q;
    offset_now = group_offset_q;
    drained_now = drained_run_q;
    at_place_after = at_place_q;
    group_place_after = group_place_q;
    if (!Lazy || writes) begin
      at_place_after = place_after(at_place_q, at_sum >> OffsetBits);
      if (!Lazy || group_ends) group_place_after = place_after(group_place_q, group_sum >> OffsetBits);
      at_number_now = at_number_q + NumberBits'(at_sum >> OffsetBits);
      at_place_now = at_place_after;
      at_offset_now = at_sum[OffsetBits-1:0];
      if (!window_mode_q) begin
        number_now = at_number_now;
        place_now = at_place_now;
        offset_now = at_offset_now;
      end else if (group_ends) begin
        if (next_to_end <= 30'sd0) begin
          number_now = end_number;
          place_now = end_place;
          drained_now = 1'b1;
        end else begin
          number_now = group_number_q + NumberBits'(group_sum >> OffsetBits);
          place_now = group_place_after;
          offset_now = group_sum[OffsetBits-1:0];
        end
        at_number_now = number_now;
        at_place_now = place_now;
        at_offset_now = offset_now;
      end
    end
  end

  // The first word of a run, as the command has it.
  logic [23:0] start_group;
  always_comb begin
    start_group = '0;
    start_left = '0;
    start_descriptor = '0;
    start_ends = '0;
    start_move = '0;
    if (!Lazy || command_waits_q) begin
      start_group = windowed_q ? {12'd0, window_bytes_q} : group_bytes_q;
      start_left = $signed({6'd0, bytes_q}) + $signed({18'd0, lead_q});  // a run's end that no window reaches bounds no window
      start_descriptor = descriptor(buffer_q, start_group, start_left, lead_q);
      start_move = lead_q < window_step_q ? window_step_q - lead_q : '0;
      start_ends = ends_with(windowed_q, window_count_q, start_group, start_left, start_descriptor[8:0]);
    end
  end

  // Whether a word leaves comes late: it decides only when, and not what comes next.
  logic idle_begins, begins_next;               // at once, as nothing is being written; with the word that leaves
  assign idle_begins = command_waits_q && !writing_q;
  assign begins_next = command_waits_q && group_ends && run_ends && job_ends;
  assign begins = idle_begins || (writes && begins_next);
  assign take_command = begins;

  // Where the word may be that is read in the next cycle: the same if none leaves (0); behind it (1), in the next window (2), in the next run
  // (3). Which of them it is comes late, so all are taken to rows of the ring. Of a window behind the end of its row nothing is read.
  localparam int Reads = 4;
  logic [Reads*PlaceBits-1:0] read_place;
  /* verilator lint_off UNUSEDSIGNAL */  // banks are read by whole beats
  logic [Reads*OffsetBits-1:0] read_offset;
  /* verilator lint_on UNUSEDSIGNAL */
  assign read_place = {end_place, group_place_after, at_place_after, idle_begins ? group_place_q : at_place_q};
  assign read_offset = {job_ends && command_waits_q ? offset_q : next_run_offset, group_sum[OffsetBits-1:0], at_sum[OffsetBits-1:0],
                        idle_begins ? offset_q : at_offset_q};

  logic done_next_q, done_failed_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      writing_q <= 1'b0;
      done_next_q <= 1'b0;
      done_o <= 1'b0;
      write_o <= '0;
      at_number_q <= '0;
      at_place_q <= '0;
      group_number_q <= '0;
      group_place_q <= '0;
      status_o <= StatusWaitData;
    end else begin
      writing_q <= begins || (writing_q && !(writes && group_ends && run_ends && job_ends));
      done_next_q <= writes && group_ends && run_ends && job_ends;
      done_o <= done_next_q;
      write_o <= '0;
      if (writes) write_o <= 4'b0001 << to_buffer_q[1:0];
      status_o <= writes ? StatusBusy : ar_free ? StatusWaitData : StatusWaitRequest;
      if (writes) begin
        if (group_ends && run_ends) begin
          at_number_q <= end_number;
          at_place_q <= end_place;
          group_number_q <= end_number;
          group_place_q <= end_place;
        end else begin
          at_number_q <= at_number_now;
          at_place_q <= at_place_now;
          group_number_q <= number_now;
          group_place_q <= place_now;
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (writes && group_ends && run_ends) done_failed_q <= failed_q[writer_parity_q];
    if (done_next_q) error_o <= done_failed_q;
    if (idle_begins || writes) begin
      if (idle_begins || begins_next) begin
        window_mode_q <= windowed_q;
        to_buffer_q <= buffer_q;
        with_fill_q <= fill_q;
        word_address_q <= word_base_q;
        groups_q <= start_group;
        runs1_q <= count1_q;
        left1_q <= count1_q;
        left2_q <= count2_q;
        row_last_q <= count1_q == 16'd1;
        job_last_q <= count1_q == 16'd1 && count2_q == 16'd1;
        windows_q <= window_count_q;
        windows_left_q <= window_count_q;
        distance1_q <= stride1_q[OffsetBits-1:0];
        distance2_q <= stride2_q[OffsetBits-1:0];
        windows_step_q <= window_step_q;
        writer_parity_q <= !parity_q;
        row_offset_q <= offset_q;
        run_offset_q <= offset_q;
        at_offset_q <= offset_q;
        group_offset_q <= offset_q;
        drained_run_q <= 1'b0;
        left_q <= start_left;
        group_to_end_q <= start_left;
        start_left_q <= start_left;
        before_q <= lead_q;
        group_before_q <= lead_q;
        start_before_q <= lead_q;
        group_move_q <= start_move;
        start_move_q <= start_move;
        rest_q <= run_bytes[12:0];
        start_rest_q <= run_bytes[12:0];
        group_left_q <= start_group;
        {memory_bytes_q, memory_end_q, word_lead_q, length_q} <= start_descriptor;
        {start_bytes_q, start_end_q, start_lead_q, start_length_q} <= start_descriptor;
        ends_q <= start_ends;
        start_ends_q <= start_ends;
      end else begin
        word_address_q <= word_address_q + 18'd1;
        left_q <= next_left;
        before_q <= next_before;
        group_left_q <= next_group_left;
        {memory_bytes_q, memory_end_q, word_lead_q, length_q} <= next_descriptor;
        ends_q <= next_ends;
        at_offset_q <= at_offset_now;
        group_offset_q <= offset_now;
        drained_run_q <= drained_now;
        if (group_ends) begin
          windows_left_q <= windows_left_q - 16'd1;
          group_to_end_q <= next_to_end;
          group_before_q <= next_group_before;
          group_move_q <= next_move;
          rest_q <= rest_q - 13'(group_move_q);
          if (run_ends) begin
            group_to_end_q <= start_left_q;
            left_q <= start_left_q;
            group_before_q <= start_before_q;
            group_move_q <= start_move_q;
            before_q <= start_before_q;
            rest_q <= start_rest_q;
            group_left_q <= groups_q;
            {memory_bytes_q, memory_end_q, word_lead_q, length_q} <= {start_bytes_q, start_end_q, start_lead_q, start_length_q};
            ends_q <= start_ends_q;
            windows_left_q <= windows_q;
            drained_run_q <= 1'b0;
            at_offset_q <= next_run_offset;
            group_offset_q <= next_run_offset;
            run_offset_q <= next_run_offset;
            if (row_last_q) begin
              row_offset_q <= next_row_offset;
              left1_q <= runs1_q;
              left2_q <= left2_q - 16'd1;
              row_last_q <= runs1_q == 16'd1;
              job_last_q <= runs1_q == 16'd1 && left2_q == 16'd2;
            end else begin
              left1_q <= left1_q - 16'd1;
              row_last_q <= left1_q == 16'd2;
              job_last_q <= left1_q == 16'd2 && left2_q == 16'd1;
            end
          end
        end
      end
    end
  end

  // ---- Ring: beat b of place p is beat p*BurstBeats + b of all, and lies in bank and row of that number ----

  localparam int AllBits = PlaceBits + (BurstBeats > 1 ? BeatBits : 0);
  logic [AllBits-1:0] arrival_all;
  logic [8*RingBytes-1:0] ring_row;             // what the banks have read
  logic [RowBits-1:0] arrival_row;
  // As read_place; and of the next word, if one leaves.
  /* verilator lint_off UNUSEDSIGNAL */
  logic [Reads*AllBits-1:0] read_all;
  logic [AllBits-1:0] go_all;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [Reads*RowBits-1:0] read_row, read_row_after;
  logic [RowBits-1:0] go_row, go_row_after;
  if (BurstBeats > 1) begin : gen_all
    assign arrival_all = {arrival_place_q, beat};
  end else begin : gen_all_places
    assign arrival_all = arrival_place_q;
  end
  if (BankRows > 1) begin : gen_rows
    assign arrival_row = arrival_all[AllBits-1 -: RowBits];
  end else begin : gen_row
    assign arrival_row = '0;
  end
  for (genvar k = 0; k < Reads; k++) begin : gen_read
    if (BurstBeats > 1) begin : gen_all
      assign read_all[AllBits*k +: AllBits] = {read_place[PlaceBits*k +: PlaceBits], read_offset[OffsetBits*k + BusBits +: OffsetBits - BusBits]};
    end else begin : gen_all_places
      assign read_all[AllBits*k +: AllBits] = read_place[PlaceBits*k +: PlaceBits];
    end
    if (BankRows > 1) begin : gen_rows
      logic [RowBits-1:0] row;
      assign row = read_all[AllBits*k + AllBits - 1 -: RowBits];
      assign read_row[RowBits*k +: RowBits] = row;
      assign read_row_after[RowBits*k +: RowBits] = row == RowBits'(BankRows - 1) ? '0 : row + 1'b1;
    end else begin : gen_row
      assign read_row[RowBits*k +: RowBits] = '0;
      assign read_row_after[RowBits*k +: RowBits] = '0;
    end
  end
  always_comb begin
    {go_all, go_row, go_row_after} = {read_all[AllBits +: AllBits], read_row[RowBits +: RowBits], read_row_after[RowBits +: RowBits]};
    for (int k = 2; k < Reads; k++) begin
      if (k == 2 ? group_ends && window_mode_q : group_ends && run_ends) begin
        {go_all, go_row, go_row_after} = {read_all[AllBits*k +: AllBits], read_row[RowBits*k +: RowBits], read_row_after[RowBits*k +: RowBits]};
      end
    end
  end
  for (genvar b = 0; b < Banks; b++) begin : gen_bank
    logic [8*BusBytes-1:0] arriving;
    logic write;
    logic [RowBits-1:0] row;
    if (Banks == 1) begin : gen_only
      assign write = rvalid_i;
    end else begin : gen_one_of_many
      assign write = rvalid_i && arrival_all[BankBits-1:0] == BankBits'(b);
    end
    if (b == Banks - 1) begin : gen_last
      assign row = writes ? go_row : read_row[RowBits-1:0];
    end else begin : gen_before
      logic [RowBits-1:0] go, stay;
      assign go = BankBits'(b) < go_all[BankBits-1:0] ? go_row_after : go_row;
      assign stay = BankBits'(b) < read_all[BankBits-1:0] ? read_row_after[RowBits-1:0] : read_row[RowBits-1:0];
      assign row = writes ? go : stay;
    end
    assign arriving = beat_error ? '0 : rdata_i;
    memory #(.Width(8 * BusBytes), .Words(BankRows), .Passes(1'b1)) u_memory (
      .clk_i,
      .write_i      (write),
      .write_row_i  (arrival_row),
      .write_data_i (arriving),
      .read_i       (writing_q || command_waits_q),
      .read_row_i   (row),
      .read_data_o  (ring_row[8*BusBytes*b +: 8*BusBytes])
    );
  end

  // ---- The word: its first memory byte lies at its offset in the row of banks and has to come to lane `lead` ----

  localparam int RotateBits = BankBits + BusBits;
  /* verilator lint_off UNUSEDSIGNAL */  // above the rotation it is the row
  logic [BusBits+AllBits-1:0] at_all;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [RotateBits-1:0] rotation;
  logic [16*RingBytes-1:0] rotated;
  logic [8*WordBytes-1:0] word;
  if (BurstBeats > 1) begin : gen_at
    assign at_all = {at_place_q, at_offset_q};
  end else begin : gen_at_place
    assign at_all = {at_place_q, at_offset_q[BusBits-1:0]};
  end
  assign rotation = at_all[RotateBits-1:0] - RotateBits'(word_lead_q);
  always_comb begin
    rotated = '0;
    word = '0;
    if (!Lazy || writes) begin
      if (!Lazy || has_memory) rotated = {ring_row, ring_row} >> {rotation, 3'b000};
      for (int i = 0; i < WordBytes; i++) begin
        if (LengthBits'(i) >= LengthBits'(word_lead_q) && LengthBits'(i) < LengthBits'(memory_end_q)) word[8*i +: 8] = rotated[8*i +: 8];
        else if (window_mode_q && LengthBits'(i) < LengthBits'(length_q)) word[8*i +: 8] = with_fill_q;
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (writes) begin
      write_address_o <= word_address_q;
      write_data_o <= word;
    end
  end

  // ---- Quiet ----

  logic moves;
  assign moves = command_valid_i || rvalid_i || chain_o || done_o || done_next_q || write_o != '0 || writes || (command_waits_q && !writing_q) ||
                 ar_leaves || (arvalid_o && arready_i) ||
                 status_o != (writes ? StatusBusy : ar_free ? StatusWaitData : StatusWaitRequest);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) quiet_o <= 1'b1;
    else quiet_o <= !moves;
  end

  `GEMEL_ASSERT(NoCommandBeforeTheLastIsCut, !command_valid_i || (!cuts_q && !(command_waits_q && !take_command)))
  `GEMEL_ASSERT(BeatsAreAskedFor, !rvalid_i || flights != '0)
  `GEMEL_ASSERT(RequestStays, !(arvalid_o && !arready_i) || !ar_leaves)

endmodule
