// SPDX-License-Identifier: Apache-2.0
// store_dma: strided writes of vector_buffer words to memory; contract: src/blocks/store_dma/store_dma_ports.hpp and
// docs/reference/machine.md, 6.
//   reader     walks the words of the instruction, reads each as soon as the places of the ring that it needs are free
//   ring       places of BurstBytes; the byte for address A of burst k lies at offset A mod BurstBytes of place k mod Places. Beats
//              are dealt to banks in turn, so that a word at any offset is written at once, always by whole beats: the bytes of a beat
//              that is not yet full are kept (`tail`) and written again with the next word's
//   requester  cuts the same runs into bursts again; sends AW when a burst is whole and fewer than Outstanding are unanswered
//   sender     puts accepted bursts on W, beat after beat; the last beat frees the place
//   answers    counts B; the last of an instruction makes `done`
// Two instructions at most are inside: the reader may be one ahead of the others. Bursts are numbered modulo 2^NumberBits.
`include "assertions.svh"

module store_dma #(
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
  // buffer
  output logic                  vector_read_o,
  output logic [17:0]           vector_address_o,
  input  logic [8*Columns-1:0]  vector_data_i,
  // memory
  output logic                  awvalid_o,
  output logic [39:0]           awaddr_o,
  output logic [7:0]            awlen_o,
  output logic [12:0]           aw_bytes_o,
  input  logic                  awready_i,
  output logic                  wvalid_o,
  output logic [8*BusBytes-1:0] wdata_o,
  output logic [BusBytes-1:0]   wstrb_o,
  output logic                  wlast_o,
  input  logic                  wready_i,
  input  logic                  bvalid_i,
  input  logic [1:0]            bresp_i,
  output logic                  quiet_o
);

  localparam int BusBits = $clog2(BusBytes);
  localparam int OffsetBits = $clog2(BurstBytes);
  localparam int PlacesNeeded = Outstanding + (Columns + BurstBytes - 1) / BurstBytes;
  localparam int BurstBeats = BurstBytes / BusBytes;
  localparam int BeatBits = BurstBeats > 1 ? $clog2(BurstBeats) : 1;
  // Banks: as many beats as a word may touch. Rows of the banks are whole, so places may be a few more than are needed.
  localparam int BankBits = $clog2((Columns + BusBytes - 2) / BusBytes + 1);
  localparam int Banks = 2 ** BankBits;
  localparam int Group = Banks > BurstBeats ? Banks / BurstBeats : 1;  // places in a row
  localparam int Places = (PlacesNeeded + Group - 1) / Group * Group;
  localparam int PlaceBits = Places > 1 ? $clog2(Places) : 1;
  localparam int BankRows = Places * BurstBeats / Banks;
  localparam int RowBits = BankRows > 1 ? $clog2(BankRows) : 1;
  localparam int FieldBytes = Banks * BusBytes;                        // of a row
  localparam int NumberBits = $clog2(4 * Places + 8);
  localparam int LengthBits = $clog2(Columns + 1);

  `GEMEL_PARAMETER(ColumnsLegal, Columns >= 1 && Columns <= 256)
  `GEMEL_PARAMETER(BusLegal, BusBytes >= 4 && BusBytes <= 128 && 2 ** BusBits == BusBytes)
  `GEMEL_PARAMETER(BurstLegal, BurstBytes >= BusBytes && BurstBytes <= 4096 && 2 ** OffsetBits == BurstBytes)
  `GEMEL_PARAMETER(BeatsLegal, BurstBytes <= 256 * BusBytes)  // AXI4
  `GEMEL_PARAMETER(OutstandingLegal, Outstanding >= 1 && Outstanding <= 64)

  localparam logic [1:0] StatusBusy = 2'd0, StatusWaitRequest = 2'd1, StatusWaitWrite = 2'd3;

  // A simulator computes what follows a word only when one leaves; gates would only come later for it.
`ifdef VERILATOR
  localparam bit Lazy = 1'b1;
`else
  localparam bit Lazy = 1'b0;
`endif

  // ---- The latest command ----

  logic [39:0] address_q;
  logic [23:0] run_bytes_q, group_bytes_q;
  logic [15:0] count1_q, count2_q;
  logic [31:0] stride1_q, stride2_q;
  logic [39:0] command_address;
  logic [23:0] command_run_bytes, command_group_bytes;
  logic [15:0] command_count1, command_count2;
  assign command_address = command_i[isa_pkg::StoreAddressLsb +: 40];
  assign command_run_bytes = command_i[isa_pkg::StoreRunBytesLsb +: 24];
  assign command_group_bytes = command_i[isa_pkg::StoreGroupBytesLsb +: 24];
  assign command_count1 = command_i[isa_pkg::StoreCount1Lsb +: 16];
  assign command_count2 = command_i[isa_pkg::StoreCount2Lsb +: 16];
  always_ff @(posedge clk_i) begin
    if (command_valid_i) begin
      address_q <= command_address;
      run_bytes_q <= command_run_bytes;
      group_bytes_q <= command_group_bytes;
      count1_q <= command_count1;
      stride1_q <= command_i[isa_pkg::StoreStride1Lsb +: 32];
      count2_q <= command_count2;
      stride2_q <= command_i[isa_pkg::StoreStride2Lsb +: 32];
    end
  end

  // ---- Reader ----

  localparam int SumBits = 13;                  // offsets and lengths are below 4096
  function automatic logic [PlaceBits-1:0] place_after(input logic [PlaceBits-1:0] place, input logic [SumBits-1:0] more);
    logic [SumBits:0] sum, less;
    sum = {1'b0, more} + (SumBits + 1)'(place);
    less = {1'b0, more} + ((SumBits + 1)'(place) - (SumBits + 1)'(Places));
    place_after = PlaceBits'(less[SumBits] ? sum : less);
  endfunction

  logic reading_q, reads, group_ends, run_ends, job_ends, chain_next_q, first_q;
  logic [23:0] group_left_q, run_left_q, group_left_next, run_left_next;  // bytes from the next word on
  logic [15:0] left1_q, left2_q;
  logic [OffsetBits-1:0] row_offset_q, run_offset_q, next_row_offset, next_run_offset;
  logic [17:0] word_address_q;
  logic [NumberBits-1:0] at_number_q, at_number_next, last_number, freed_q;
  logic [PlaceBits-1:0] at_place_q, at_place_next;
  logic [OffsetBits-1:0] at_offset_q, at_offset_next;
  logic [8:0] length_q, length, length_next;    // of the next word
  logic [1:0] ends_q, ends_next;                // {group, run}: whether they end with it
  logic [SumBits-1:0] sum, last_sum;
  function automatic logic [8:0] word_length(input logic [23:0] group_left, input logic [23:0] run_left);
    word_length = group_left < 24'(Columns) ? group_left[8:0] : 9'(Columns);
    if (run_left < 24'(word_length)) word_length = run_left[8:0];  // the last group may be short
  endfunction
  function automatic logic [1:0] word_ends(input logic [23:0] group_left, input logic [23:0] run_left);
    logic group, run, first;
    group = group_left <= 24'(Columns);
    run = run_left <= 24'(Columns);
    first = run_left <= group_left;             // the run ends no later than the group
    word_ends = {first ? run : group, first && run};
  endfunction

  always_comb begin
    length = '0;
    last_sum = '0;
    last_number = at_number_q;
    reads = 1'b0;
    if (reading_q) begin
      length = length_q;
      last_sum = SumBits'(at_offset_q) + SumBits'(length) - 13'd1;
      last_number = at_number_q + NumberBits'(last_sum >> OffsetBits);
      reads = NumberBits'(last_sum >> OffsetBits) < NumberBits'(NumberBits'(PlacesNeeded) - NumberBits'(at_number_q - freed_q));
    end
  end
  always_comb begin
    group_ends = 1'b0;
    run_ends = 1'b0;
    job_ends = 1'b0;
    next_row_offset = '0;
    next_run_offset = '0;
    group_left_next = '0;
    run_left_next = '0;
    length_next = '0;
    ends_next = 2'b00;
    sum = '0;
    at_number_next = at_number_q;
    at_place_next = at_place_q;
    at_offset_next = at_offset_q;
    if (!Lazy || reads) begin
      {group_ends, run_ends} = ends_q;
      job_ends = run_ends && left1_q == 16'd1 && left2_q == 16'd1;
      group_left_next = group_ends ? group_bytes_q : group_left_q - 24'(length);
      run_left_next = run_ends ? run_bytes_q : run_left_q - 24'(length);
      length_next = word_length(group_left_next, run_left_next);
      ends_next = word_ends(group_left_next, run_left_next);
      if (run_ends) begin  // the run's last burst is whole even if it does not reach the next boundary
        next_row_offset = row_offset_q + stride2_q[OffsetBits-1:0];
        next_run_offset = left1_q == 16'd1 ? next_row_offset : run_offset_q + stride1_q[OffsetBits-1:0];
        at_number_next = last_number + 1'b1;
        at_place_next = place_after(at_place_q, (last_sum >> OffsetBits) + 13'd1);
        at_offset_next = next_run_offset;
      end else begin
        sum = last_sum + 13'd1;
        at_number_next = at_number_q + NumberBits'(sum >> OffsetBits);
        at_place_next = place_after(at_place_q, sum >> OffsetBits);
        at_offset_next = sum[OffsetBits-1:0];
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      reading_q <= 1'b0;
      chain_next_q <= 1'b0;
      chain_o <= 1'b0;
      vector_read_o <= 1'b0;
      at_number_q <= '0;
      at_place_q <= '0;
      freed_q <= '0;
    end else begin
      reading_q <= command_valid_i || (reading_q && !(reads && job_ends));
      chain_next_q <= reads && job_ends;
      chain_o <= chain_next_q;
      vector_read_o <= reads;
      if (reads) begin
        at_number_q <= at_number_next;
        at_place_q <= at_place_next;
      end
      if (wvalid_o && wlast_o && wready_i) freed_q <= freed_q + 1'b1;
    end
  end
  always_ff @(posedge clk_i) begin
    if (reads) begin
      vector_address_o <= word_address_q;
      word_address_q <= word_address_q + 18'd1;
      group_left_q <= group_left_next;
      run_left_q <= run_left_next;
      length_q <= length_next;
      ends_q <= ends_next;
      at_offset_q <= at_offset_next;
      first_q <= run_ends;
      if (run_ends) begin
        run_offset_q <= next_run_offset;
        left1_q <= left1_q == 16'd1 ? count1_q : left1_q - 16'd1;
        if (left1_q == 16'd1) begin
          row_offset_q <= next_row_offset;
          left2_q <= left2_q - 16'd1;
        end
      end
    end
    if (command_valid_i) begin
      word_address_q <= command_i[isa_pkg::StoreWordBaseLsb +: 18];
      group_left_q <= command_group_bytes;
      run_left_q <= command_run_bytes;
      length_q <= word_length(command_group_bytes, command_run_bytes);
      ends_q <= word_ends(command_group_bytes, command_run_bytes);
      at_offset_q <= command_address[OffsetBits-1:0];
      run_offset_q <= command_address[OffsetBits-1:0];
      row_offset_q <= command_address[OffsetBits-1:0];
      left1_q <= command_count1;
      left2_q <= command_count2;
      first_q <= 1'b1;
    end
  end

  // ---- A word on its way: read on the wires (0), data on the wires (1) ----

  logic tag0_q, tag1_q, first0_q, first1_q;
  logic [PlaceBits-1:0] place0_q, place1_q;
  logic [OffsetBits-1:0] offset0_q, offset1_q;
  logic [LengthBits-1:0] length0_q, length1_q;
  logic [NumberBits-1:0] whole0_q, whole1_q, whole_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      tag0_q <= 1'b0;
      tag1_q <= 1'b0;
      whole_q <= '0;
    end else begin
      tag0_q <= reads;
      tag1_q <= tag0_q;
      if (tag1_q) whole_q <= whole1_q;
    end
  end
  always_ff @(posedge clk_i) begin
    if (reads) begin
      first0_q <= first_q;
      place0_q <= at_place_q;
      offset0_q <= at_offset_q;
      length0_q <= LengthBits'(length);
      whole0_q <= at_number_next;
    end
    if (tag0_q) begin
      first1_q <= first0_q;
      place1_q <= place0_q;
      offset1_q <= offset0_q;
      length1_q <= length0_q;
      whole1_q <= whole0_q;
    end
  end

  // ---- Requester ----

  logic cut_waits_q, cuts_q, cut_begins;        // a command it has not begun; bursts are left
  logic [23:0] cut_bytes_q;
  logic [15:0] cut_count1_q;
  logic [31:0] cut_stride1_q, cut_stride2_q;
  logic [39:0] burst_address;
  logic [12:0] burst_bytes;
  logic [7:0]  burst_len;
  logic [NumberBits-1:0] requested_q;
  logic burst_last, aw_free, aw_leaves, aw_accepted;

  localparam int FlightBits = $clog2(Outstanding + 1);
  logic [FlightBits-1:0] flights;
  logic flight_last;

  burst_cutter #(.BusBytes(BusBytes), .BurstBytes(BurstBytes)) u_bursts (
    .clk_i,
    .next_i         (aw_leaves),
    .begin_i        (cut_begins),
    .address_i      (address_q),
    .begin_count1_i (count1_q),
    .begin_count2_i (count2_q),
    .bytes_i        (cut_bytes_q),
    .count1_i       (cut_count1_q),
    .stride1_i      (cut_stride1_q),
    .stride2_i      (cut_stride2_q),
    .address_o      (burst_address),
    .bytes_o        (burst_bytes),
    .len_o          (burst_len),
    .last_o         (burst_last)
  );
  assign aw_free = !awvalid_o || awready_i;
  assign aw_accepted = awvalid_o && awready_i;
  assign aw_leaves = aw_free && requested_q != whole_q && flights < FlightBits'(Outstanding);
  assign cut_begins = cut_waits_q && (!cuts_q || (aw_leaves && burst_last));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      cut_waits_q <= 1'b0;
      cuts_q <= 1'b0;
      awvalid_o <= 1'b0;
      requested_q <= '0;
    end else begin
      cut_waits_q <= command_valid_i || (cut_waits_q && !cut_begins);
      cuts_q <= cut_begins || (cuts_q && !(aw_leaves && burst_last));
      if (aw_free) awvalid_o <= aw_leaves;
      if (aw_leaves) requested_q <= requested_q + 1'b1;
    end
  end
  always_ff @(posedge clk_i) begin
    if (aw_leaves) begin
      awaddr_o <= burst_address;
      aw_bytes_o <= burst_bytes;
      awlen_o <= burst_len;
    end
    if (cut_begins) begin
      cut_bytes_q <= run_bytes_q;
      cut_count1_q <= count1_q;
      cut_stride1_q <= stride1_q;
      cut_stride2_q <= stride2_q;
    end
  end

  // ---- Answers: of every unanswered burst whether it is its instruction's last ----

  logic failed_q, burst_failed;
  assign burst_failed = bresp_i >= 2'b10;  // SLVERR, DECERR
  fifo #(.Width(1), .Depth(Outstanding)) u_flights (
    .clk_i,
    .rst_ni,
    .clear_i (1'b0),
    .push_i  (aw_leaves),
    .data_i  (burst_last),
    .pop_i   (bvalid_i),
    .count_o (flights),
    .head_o  (flight_last)
  );
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      done_o <= 1'b0;
      error_o <= 1'b0;
      failed_q <= 1'b0;
    end else begin
      done_o <= bvalid_i && flight_last;
      error_o <= bvalid_i && flight_last && (failed_q || burst_failed);
      if (bvalid_i) failed_q <= !flight_last && (failed_q || burst_failed);
    end
  end

  // ---- Sender: a burst goes straight from AW to W if none waits; a beat stays on the wires until it is taken ----

  logic [FlightBits-1:0] waiting;
  logic [2*OffsetBits-1:0] waiting_head;
  logic w_free, sending_q, sends, takes, takes_waiting, beat_last;
  logic [OffsetBits-1:0] accepted_first, accepted_last, taken_first, taken_last, last_q, last;
  logic [BeatBits-1:0] beat_q, beat, last_beat;
  logic [BusBits-1:0] strobe_first, strobe_last;
  logic [PlaceBits-1:0] place_q;                // of the burst that is being sent, or will be next

  assign accepted_first = awaddr_o[OffsetBits-1:0];
  assign accepted_last = OffsetBits'(13'(accepted_first) + aw_bytes_o - 13'd1);
  assign w_free = !wvalid_o || wready_i;
  assign takes_waiting = w_free && !sending_q && waiting != '0;
  assign takes = w_free && !sending_q && (waiting != '0 || aw_accepted);
  assign sends = w_free && (sending_q || takes);
  assign {taken_last, taken_first} = takes_waiting ? waiting_head : {accepted_last, accepted_first};
  assign last = sending_q ? last_q : taken_last;
  if (BurstBeats > 1) begin : gen_beats
    assign beat = sending_q ? beat_q : taken_first[OffsetBits-1:BusBits];
    assign last_beat = last[OffsetBits-1:BusBits];
  end else begin : gen_only_beat
    assign beat = '0;
    assign last_beat = '0;
  end
  assign beat_last = beat == last_beat;
  assign strobe_first = sending_q ? '0 : taken_first[BusBits-1:0];
  assign strobe_last = beat_last ? last[BusBits-1:0] : '1;

  fifo #(.Width(2 * OffsetBits), .Depth(Outstanding)) u_waiting (
    .clk_i,
    .rst_ni,
    .clear_i (1'b0),
    .push_i  (aw_accepted && (takes_waiting || !takes)),
    .data_i  ({accepted_last, accepted_first}),
    .pop_i   (takes_waiting),
    .count_o (waiting),
    .head_o  (waiting_head)
  );
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      sending_q <= 1'b0;
      wvalid_o <= 1'b0;
      place_q <= '0;
    end else begin
      if (w_free) begin
        sending_q <= sends && !beat_last;
        wvalid_o <= sends;
      end
      if (sends && beat_last) place_q <= place_q == PlaceBits'(Places - 1) ? '0 : place_q + 1'b1;
    end
  end
  always_ff @(posedge clk_i) begin
    if (sends) begin
      beat_q <= beat + 1'b1;
      last_q <= last;
      wlast_o <= beat_last;
      wstrb_o <= ('1 << strobe_first) & ('1 >> ~strobe_last);
    end
  end

  // ---- Ring: beat b of place p is beat p*BurstBeats + b of all, and lies in bank and row of that number ----

  localparam int AllBits = PlaceBits + (BurstBeats > 1 ? BeatBits : 0);
  logic [AllBits-1:0] write_all, send_all;
  if (BurstBeats > 1) begin : gen_all
    assign write_all = {place1_q, offset1_q[OffsetBits-1:BusBits]};
    assign send_all = {place_q, beat};
  end else begin : gen_all_places
    assign write_all = place1_q;
    assign send_all = place_q;
  end

  // The word from the start of its first beat on, behind what that beat held before; then turned to where banks are.
  localparam int TouchedBits = $clog2(Banks + 1);
  logic [8*FieldBytes-1:0] field, row_data;
  logic [8*Columns-1:0] word;
  logic [8*BusBytes-1:0] tail_q;
  logic [SumBits-1:0] field_end;                // byte behind the word in the field
  logic [TouchedBits-1:0] touched;              // beats
  assign field_end = SumBits'(offset1_q[BusBits-1:0]) + SumBits'(length1_q);
  assign touched = TouchedBits'((field_end + SumBits'(BusBytes - 1)) >> BusBits);
  for (genvar i = 0; i < Columns; i++) begin : gen_lane
    assign word[8*i +: 8] = LengthBits'(i) < length1_q ? vector_data_i[8*i +: 8] : 8'd0;
  end
  always_comb begin
    field = '0;
    if (tag1_q) begin
      field = (8*FieldBytes)'(word) << {offset1_q[BusBits-1:0], 3'b000};
      if (!first1_q) field[8*BusBytes-1:0] = field[8*BusBytes-1:0] | tail_q;
    end
  end
  always_ff @(posedge clk_i) begin
    if (tag1_q) tail_q <= field_end[BusBits-1:0] == '0 ? '0 : (8*BusBytes)'(field >> {field_end[SumBits-1:BusBits], {(BusBits + 3){1'b0}}});
  end

  logic [RowBits-1:0] write_row, write_row_after, send_row;
  if (BankRows > 1) begin : gen_rows
    assign write_row = write_all[AllBits-1 -: RowBits];
    assign write_row_after = write_row == RowBits'(BankRows - 1) ? '0 : write_row + 1'b1;
    assign send_row = send_all[AllBits-1 -: RowBits];
  end else begin : gen_row
    assign write_row = '0;
    assign write_row_after = '0;
    assign send_row = '0;
  end

  logic [8*FieldBytes-1:0] bank_data;
  if (Banks == 1) begin : gen_straight
    assign row_data = field;
  end else begin : gen_turned
    /* verilator lint_off UNUSEDSIGNAL */  // what is turned out at the top is the lower half
    logic [16*FieldBytes-1:0] twice;
    /* verilator lint_on UNUSEDSIGNAL */
    always_comb begin
      twice = '0;
      if (tag1_q) twice = {field, field} << {write_all[BankBits-1:0], {(BusBits + 3){1'b0}}};
    end
    assign row_data = twice[8*FieldBytes +: 8*FieldBytes];
  end
  for (genvar b = 0; b < Banks; b++) begin : gen_bank
    logic write, read;
    logic [RowBits-1:0] row;
    if (Banks == 1) begin : gen_only
      assign write = tag1_q;
      assign read = sends;
      assign row = write_row;
    end else begin : gen_one_of_many
      logic [BankBits-1:0] nth;                 // beat of the field
      assign nth = BankBits'(b) - write_all[BankBits-1:0];
      assign write = tag1_q && {1'b0, nth} < (BankBits + 1)'(touched);
      assign read = sends && send_all[BankBits-1:0] == BankBits'(b);
      if (b == Banks - 1) begin : gen_last
        assign row = write_row;
      end else begin : gen_before
        assign row = BankBits'(b) < write_all[BankBits-1:0] ? write_row_after : write_row;
      end
    end
    memory #(.Width(8 * BusBytes), .Words(BankRows)) u_memory (
      .clk_i,
      .write_i      (write),
      .write_row_i  (row),
      .write_data_i (row_data[8*BusBytes*b +: 8*BusBytes]),
      .read_i       (read),
      .read_row_i   (send_row),
      .read_data_o  (bank_data[8*BusBytes*b +: 8*BusBytes])
    );
  end
  if (Banks == 1) begin : gen_data
    assign wdata_o = bank_data;
  end else begin : gen_data_of_bank
    logic [BankBits-1:0] bank_q;                // that was read for the beat on the wires
    always_ff @(posedge clk_i) if (sends) bank_q <= send_all[BankBits-1:0];
    assign wdata_o = bank_data[8*BusBytes*bank_q +: 8*BusBytes];
  end

  // ---- Status, quiet ----

  logic [1:0] status;
  logic moves;
  assign status = reads || sends ? StatusBusy : aw_free ? StatusWaitWrite : StatusWaitRequest;
  assign moves = command_valid_i || bvalid_i || chain_o || done_o || vector_read_o || wvalid_o || tag0_q || tag1_q ||
                 chain_next_q || reads || sends || aw_accepted || aw_leaves || (cut_waits_q && !cuts_q) || status_o != status;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      status_o <= StatusWaitWrite;
      quiet_o <= 1'b1;
    end else begin
      status_o <= status;
      quiet_o <= !moves;
    end
  end

  `GEMEL_ASSERT(NoCommandBeforeTheLastIsRead, !command_valid_i || (!reading_q && !(cut_waits_q && !cut_begins)))
  `GEMEL_ASSERT(AnswersAreAskedFor, !bvalid_i || flights != '0)
  `GEMEL_ASSERT(WholeBurstsAreCut, !aw_leaves || cuts_q)

endmodule
