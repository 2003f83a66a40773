// SPDX-License-Identifier: Apache-2.0
// sequencer: control registers, fetch, decode, dispatch, semaphores, claims, counters; contract:
// src/blocks/sequencer/sequencer_ports.hpp and docs/reference/machine.md, 2.
//   fetch     requests bursts while the instruction FIFO has places for all their instructions; beats pass one register
//   decode    an instruction is checked on its way into the FIFO; what is wrong with it waits there beside it
//   dispatch  one instruction per cycle from the FIFO's head to its unit's queue, or an error; halt waits here
//   start     one decision per unit and cycle: semaphores, in flight, chain credit
//   check     in the cycle after: hazards, and whether the run failed when the instruction started. What passes is on the wires then; what
//             does not is killed before any unit has seen it. So nothing that an error bears on stands between a queue and its start
//   done      in flight and semaphores; the first error is kept
//   counters  one of ten per unit and cycle, in spans of time_i: nothing in here moves while nothing happens
// Names: *_now is the value at the end of this cycle. After an error nothing counts but code, cycle and instruction, what is in flight and
// what fetch has asked for: dispatch, semaphores and queues may go on for the cycle of the error.
`include "assertions.svh"

module sequencer #(
  parameter int Rows = 16,
  parameter int Columns = 16,
  parameter int BusBytes = 16,
  parameter int BurstBytes = 256,
  parameter int QueueDepth = 8,
  parameter int PrefetchInstructions = 16,
  parameter int ActivationWords = 64,
  parameter int WeightWords = 64,
  parameter int VectorWords = 64,
  parameter int ParamWords = 64,
  parameter int AccumulatorWords = 64,
  parameter int ActivationBanks = 1,
  parameter int WeightBanks = 1,
  parameter int VectorBanks = 1,
  parameter int ParamBanks = 1,
  parameter int AccumulatorBanks = 1,
  parameter int Machine = 0  // digest of all of the machine's parameters that programs depend on; 0: programs for any machine only
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic [63:0]           time_i,
  // registers
  input  logic                  csr_write_i,
  input  logic [11:0]           csr_write_offset_i,
  input  logic [31:0]           csr_write_data_i,
  output logic                  csr_written_o,
  input  logic                  csr_read_i,
  input  logic [11:0]           csr_read_offset_i,
  output logic                  csr_answered_o,
  output logic [31:0]           csr_data_o,
  // units
  output logic [3:0]            command_valid_o,
  output logic [4*512-1:0]      command_o,
  input  logic [3:0]            done_i,
  input  logic [3:0]            chain_i,
  input  logic [3:0]            error_i,
  input  logic [7:0]            status_i,
  // fetch
  output logic                  arvalid_o,
  output logic [39:0]           araddr_o,
  output logic [7:0]            arlen_o,
  output logic [12:0]           ar_bytes_o,
  input  logic                  arready_i,
  input  logic                  rvalid_i,
  input  logic [8*BusBytes-1:0] rdata_i,
  input  logic [1:0]            rresp_i,
  input  logic                  rlast_i,
  // state
  output logic                  running_o,
  output logic                  interrupt_o,
  output logic                  quiet_o
);

  localparam int Units = isa_pkg::UnitCount;
  localparam int Causes = isa_pkg::CauseCount;
  localparam int WordBits = isa_pkg::InstructionBits;
  localparam int WordBytes = isa_pkg::InstructionBytes;
  localparam int IndexBits = 26;  // a program has less than 2^32 bytes
  localparam int FetchBytes = BurstBytes > WordBytes ? BurstBytes : WordBytes;
  localparam int FetchWords = FetchBytes / WordBytes;
  localparam int BusBits = $clog2(BusBytes);
  localparam int Ways = BusBytes > WordBytes ? BusBytes / WordBytes : 1;  // instructions in a beat

  `GEMEL_PARAMETER(ArrayLegal, Rows >= 1 && Rows <= 256 && Columns >= 1 && Columns <= 256)
  `GEMEL_PARAMETER(BusLegal, BusBytes >= 4 && BusBytes <= 128 && 2 ** BusBits == BusBytes)
  `GEMEL_PARAMETER(BurstLegal, BurstBytes >= BusBytes && BurstBytes <= 4096 && 2 ** $clog2(BurstBytes) == BurstBytes)
  `GEMEL_PARAMETER(BeatsLegal, BurstBytes <= 256 * BusBytes)  // AXI4
  `GEMEL_PARAMETER(PrefetchLegal, PrefetchInstructions >= FetchWords)
  `GEMEL_PARAMETER(BanksLegal, ActivationBanks >= 1 && WeightBanks >= 1 && ParamBanks >= 1)
  `GEMEL_PARAMETER(MachineLegal, Machine >= 0)

  // A simulator makes wide signals only when somebody looks at them; gates would only come later for it.
`ifdef VERILATOR
  localparam bit Lazy = 1'b1;
`else
  localparam bit Lazy = 1'b0;
`endif

  // ---- State that several parts share ----

  logic running_q, begin_run, ends_now;
  logic stopped;     // the run has failed in an earlier cycle
  logic [3:0] failure_code;             // of the error: of use while the run is stopped by one
  logic [IndexBits-1:0] failure_index;
  logic [63:0] failure_cycle_q;
  logic [63:0] begin_time_q, end_time_q;  // of the run's cycle 0; of the cycle after its last
  logic failed_now;  // stopped, or about to be
  logic abort_now;   // control.abort counts in this cycle
  logic [63:0] program_base_q;
  logic [31:0] program_bytes_q;

  // ---- Fetch: requests ----

  localparam int ReservedBits = $clog2(PrefetchInstructions + 1);

  logic [39:0] fetch_address_q;
  logic [IndexBits-1:0] fetch_left_q, fetch_left_next, program_q;  // instructions not requested yet; of the program
  logic [ReservedBits-1:0] reserved_q;              // requested and not dispatched
  logic [8:0] bursts_q;                             // requested and not answered
  logic ar_free, ar_ready, ar_wanted;
  logic [6:0] fetch_words_q;                        // of the next burst; none: all are requested
  logic [12:0] fetch_last;                          // last byte of the burst, counted from the start of its first beat
  logic dispatch_now;

  // Instructions of a burst: to the next multiple of FetchBytes, or to the program's end.
  function automatic logic [6:0] burst_words(input logic [5:0] at, input logic [IndexBits-1:0] left);
    burst_words = 7'(FetchWords);
    if (FetchWords > 1) burst_words = 7'(FetchWords) - {1'b0, at & 6'(FetchWords - 1)};
    if (left < {19'd0, burst_words}) burst_words = left[6:0];
  endfunction
  assign fetch_left_next = fetch_left_q - {19'd0, fetch_words_q};
  assign fetch_last = {fetch_words_q, 6'd0} + (Ways > 1 ? {6'd0, fetch_address_q[6:0] & 7'(BusBytes - 1)} : 13'd0) - 13'd1;
  assign ar_free = !arvalid_o || arready_i;
  // The address is ready whether or not the run fails in this cycle; the request is not made then.
  assign ar_ready = !stopped && running_q && ar_free && fetch_words_q != '0 &&
                    {1'b0, reserved_q} + (ReservedBits + 1)'(fetch_words_q) <= (ReservedBits + 1)'(PrefetchInstructions);
  assign ar_wanted = ar_ready && !failed_now;
  // Sums before their conditions, which come late.
  logic [ReservedBits-1:0] reserved_more, reserved_less, reserved_both;
  assign reserved_more = reserved_q + ReservedBits'(fetch_words_q);
  assign reserved_less = reserved_q - 1'b1;
  assign reserved_both = reserved_q + ReservedBits'(fetch_words_q) - 1'b1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      arvalid_o <= 1'b0;
      fetch_left_q <= '0;
      fetch_words_q <= '0;
      reserved_q <= '0;
      bursts_q <= '0;
    end else if (begin_run) begin
      fetch_address_q <= {program_base_q[39:6], 6'd0};
      fetch_left_q <= program_bytes_q[31:6];
      fetch_words_q <= burst_words(program_base_q[11:6], program_bytes_q[31:6]);
      program_q <= program_bytes_q[31:6];
      reserved_q <= '0;
      bursts_q <= '0;
    end else if (running_q) begin
      if (ar_free) arvalid_o <= ar_wanted && !ends_now;
      if (ar_ready) begin
        fetch_address_q <= fetch_address_q + {27'd0, fetch_words_q, 6'd0};
        fetch_left_q <= fetch_left_next;
        fetch_words_q <= burst_words(6'd0, fetch_left_next);  // the first burst ends at a multiple, or the program
      end
      if (dispatch_now) reserved_q <= ar_ready ? reserved_both : reserved_less;
      else if (ar_ready) reserved_q <= reserved_more;
      if (ar_wanted != (rvalid_i && rlast_i)) bursts_q <= ar_wanted ? bursts_q + 1'b1 : bursts_q - 1'b1;
    end
  end
  always_ff @(posedge clk_i) begin
    if (ar_ready) begin
      araddr_o <= fetch_address_q;
      arlen_o <= 8'(fetch_last >> BusBits);
      ar_bytes_o <= {fetch_words_q, 6'd0};
    end
  end

  // ---- Fetch: beats. A register, then the parts of an instruction in turn, then the check and the FIFO ----

  logic beat_valid_q, beat_error_q;
  logic [8*BusBytes-1:0] beat_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      beat_valid_q <= 1'b0;
    end else begin
      beat_valid_q <= running_q && rvalid_i && !begin_run;
    end
  end
  always_ff @(posedge clk_i) begin
    if (rvalid_i) begin
      beat_q <= rdata_i;
      beat_error_q <= rresp_i >= 2'b10;  // SLVERR, DECERR
    end
  end

  logic [Ways-1:0] push;
  logic [Ways*WordBits-1:0] pushed_word;
  logic pushed_error;
  if (Ways == 1) begin : gen_parts
    localparam int Parts = WordBytes / BusBytes;
    if (Parts == 1) begin : gen_whole
      assign push = beat_valid_q;
      assign pushed_word = beat_q;
      assign pushed_error = beat_error_q;
    end else begin : gen_some
      localparam int PartBits = $clog2(Parts);
      logic [PartBits-1:0] part_q;
      logic [WordBits-8*BusBytes-1:0] partial_q;  // the parts before, the latest highest
      logic partial_error_q;
      assign push = beat_valid_q && part_q == PartBits'(Parts - 1);
      always_comb begin
        pushed_word = '0;
        if (!Lazy || beat_valid_q) pushed_word = {beat_q, partial_q};
      end
      assign pushed_error = beat_error_q || partial_error_q;
      always_ff @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) begin
          part_q <= '0;
          partial_error_q <= 1'b0;
        end else if (begin_run) begin
          part_q <= '0;
          partial_error_q <= 1'b0;
        end else if (beat_valid_q) begin
          part_q <= part_q + 1'b1;
          partial_error_q <= !push && pushed_error;
        end
      end
      always_ff @(posedge clk_i) begin
        if (beat_valid_q) partial_q <= pushed_word[WordBits-1:8*BusBytes];
      end
    end
  end else begin : gen_ways
    // Two instructions in a beat, but for the ends of the program.
    logic upper_q;  // the program begins in the upper half of its first beat
    logic [IndexBits-1:0] left_q;
    assign push[0] = beat_valid_q && !upper_q;
    assign push[1] = beat_valid_q && (upper_q || left_q != IndexBits'(1));
    assign pushed_word = beat_q;
    assign pushed_error = beat_error_q;
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        upper_q <= 1'b0;
        left_q <= '0;
      end else if (begin_run) begin
        upper_q <= program_base_q[6];
        left_q <= program_bytes_q[31:6];
      end else if (beat_valid_q) begin
        upper_q <= 1'b0;
        left_q <= left_q - IndexBits'(push[0]) - IndexBits'(push[1]);
      end
    end
  end

  // ---- Decode: one FIFO per way; with two, instructions take turns ----

  localparam int FifoDepth = (PrefetchInstructions + Ways - 1) / Ways;
  localparam int FifoBits = $clog2(FifoDepth + 1);
  localparam int FifoWidth = WordBits + 4 + Units;  // instruction, error, unit

  logic [Ways-1:0] fifo_present;
  logic [Ways*FifoWidth-1:0] fifo_head;
  logic [Ways-1:0] fifo_pop;
  for (genvar w = 0; w < Ways; w++) begin : gen_fifo
    logic [3:0] code;
    logic [FifoWidth-1:0] entry;
    logic [FifoBits-1:0] count;
    always_comb begin
      code = isa_pkg::ErrorNone;
      if (!Lazy || push[w]) begin
        if (pushed_error) begin
          code = isa_pkg::ErrorReadError;
        end else if (!isa_pkg::is_legal(pushed_word[WordBits*w +: WordBits])) begin
          code = isa_pkg::ErrorIllegalInstruction;
        end else if (!isa_pkg::intervals_legal(pushed_word[WordBits*w +: WordBits])) begin
          code = isa_pkg::ErrorAddressOutsideBuffer;
        end else if (!isa_pkg::fits_machine(pushed_word[WordBits*w +: WordBits], 31'(Machine))) begin
          code = isa_pkg::ErrorWrongMachine;
        end else if (!isa_pkg::inside_buffers(pushed_word[WordBits*w +: WordBits], 19'(ActivationWords), 19'(WeightWords),
                                              19'(VectorWords), 19'(ParamWords), 19'(AccumulatorWords))) begin
          code = isa_pkg::ErrorAddressOutsideBuffer;
        end
      end
    end
    always_comb begin
      entry = '0;
      if (!Lazy || push[w]) begin
        entry[WordBits+3:0] = {code, pushed_word[WordBits*w +: WordBits]};
        for (int u = 0; u < Units; u++) begin
          entry[WordBits+4+u] = isa_pkg::unit_of(pushed_word[WordBits*w + isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth]) == 3'(u);
        end
      end
    end
    fifo #(.Width(FifoWidth), .Depth(FifoDepth)) u_fifo (
      .clk_i,
      .rst_ni,
      .clear_i (begin_run),
      .push_i  (push[w]),
      .data_i  (entry),
      .pop_i   (fifo_pop[w]),
      .count_o (count),
      .head_o  (fifo_head[FifoWidth*w +: FifoWidth])
    );
    assign fifo_present[w] = count != '0;
  end

  logic head_present;
  logic [WordBits-1:0] head_word;
  logic [3:0] head_code;
  logic [Units-1:0] head_units;  // the unit that it is for; none: halt, or no instruction at all
  if (Ways == 1) begin : gen_one_head
    assign head_present = fifo_present;
    assign {head_units, head_code, head_word} = fifo_head;
    assign fifo_pop = dispatch_now;
  end else begin : gen_two_heads
    logic turn_q;
    assign head_present = turn_q ? fifo_present[1] : fifo_present[0];
    assign {head_units, head_code, head_word} = turn_q ? fifo_head[FifoWidth +: FifoWidth] : fifo_head[FifoWidth-1:0];
    assign fifo_pop = {dispatch_now && turn_q, dispatch_now && !turn_q};
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        turn_q <= 1'b0;
      end else if (begin_run) begin
        turn_q <= program_base_q[6];
      end else if (dispatch_now) begin
        turn_q <= !turn_q;
      end
    end
  end

  // ---- Dispatch ----

  logic [IndexBits-1:0] dispatched_q;
  logic [3:0] decode_code;
  logic [Units-1:0] queue_full, queue_empty, push_queue;
  logic dispatchable, all_dispatched_q;

  always_comb begin
    decode_code = isa_pkg::ErrorNone;
    if (head_present) decode_code = head_code;
    else if (all_dispatched_q) decode_code = isa_pkg::ErrorEndOfProgram;
  end
  assign dispatchable = running_q && head_present && !stopped;
  always_comb begin
    push_queue = '0;
    for (int u = 0; u < Units; u++) push_queue[u] = dispatchable && head_units[u] && !queue_full[u];
  end
  assign dispatch_now = |push_queue;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      dispatched_q <= '0;
      all_dispatched_q <= 1'b0;
    end else if (begin_run) begin
      dispatched_q <= '0;
      all_dispatched_q <= program_bytes_q[31:6] == '0;
    end else if (dispatch_now) begin
      dispatched_q <= dispatched_q + 1'b1;
      all_dispatched_q <= dispatched_q + 1'b1 == program_q;
    end
  end

  // ---- Units: queue, in flight, chain credit, command ----

  localparam int QueueBits = $clog2(QueueDepth + 1);
  localparam int PlaceBits = QueueDepth > 1 ? $clog2(QueueDepth) : 1;
  localparam int FlightBits = 16 + IndexBits;  // posts, index
  localparam int ControlBits = FlightBits + 5; // and waits, chain
  localparam int ViewBits = 171;               // of claims

  logic [Units-1:0] starts, done_now, credit_q, head_chains;
  logic [Units-1:0] started_q, killed;           // in the cycle before; of these, what was not to start
  logic [Units-1:0] flight_any, flight_two, flight_left;  // in flight, with what is killed: one or two; two; one or two without what is done now
  /* verilator lint_off UNUSEDSIGNAL */  // a unit's views have no more bits than it needs
  logic [ViewBits*Units-1:0] pushed_views;       // of claims
  /* verilator lint_on UNUSEDSIGNAL */
  logic [ViewBits*Units-1:0] head_views;
  logic [4*Units-1:0] head_waits, missing;       // semaphores: wanted; wanted and not there
  logic [16*Units-1:0] flight_posts;             // of what will be done next
  logic [IndexBits*Units-1:0] flight_index, started_index;

  assign done_now = running_q ? done_i : '0;

  for (genvar u = 0; u < Units; u++) begin : gen_unit
    // The queue: what decides about a start is at the head in time. Instructions as a whole lie in a memory, which is read when one starts,
    // into the command's register.
    localparam int UsedBits = u == 0 ? 47 : u == 1 ? 116 : u == 2 ? ViewBits : 44;  // of the unit's views
    logic [QueueBits-1:0] count;
    logic [UsedBits+ControlBits-1:0] pushed, head;
    logic [WordBits-1:0] words [QueueDepth];
    logic [PlaceBits-1:0] push_place_q, start_place_q;
    always_comb begin
      pushed = '0;
      if (!Lazy || push_queue[u]) begin
        pushed = {pushed_views[ViewBits*u +: UsedBits], head_word[isa_pkg::HeaderWaitMaskLsb +: isa_pkg::HeaderWaitMaskWidth],
                  head_word[isa_pkg::HeaderChainLsb], head_word[isa_pkg::HeaderPostMaskLsb +: isa_pkg::HeaderPostMaskWidth], dispatched_q};
      end
    end
    fifo #(.Width(UsedBits + ControlBits), .Depth(QueueDepth)) u_queue (
      .clk_i,
      .rst_ni,
      .clear_i (begin_run),
      .push_i  (push_queue[u]),
      .data_i  (pushed),
      .pop_i   (starts[u]),
      .count_o (count),
      .head_o  (head)
    );
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        push_place_q <= '0;
        start_place_q <= '0;
      end else if (begin_run) begin
        push_place_q <= '0;
        start_place_q <= '0;
      end else begin
        if (push_queue[u]) push_place_q <= push_place_q == PlaceBits'(QueueDepth - 1) ? '0 : push_place_q + 1'b1;
        if (starts[u]) start_place_q <= start_place_q == PlaceBits'(QueueDepth - 1) ? '0 : start_place_q + 1'b1;
      end
    end
    always_ff @(posedge clk_i) begin
      if (push_queue[u]) words[push_place_q] <= head_word;
      if (starts[u]) command_o[WordBits*u +: WordBits] <= words[start_place_q];
    end
    assign queue_empty[u] = count == '0;
    assign queue_full[u] = count == QueueBits'(QueueDepth);
    assign head_waits[4*u +: 4] = queue_empty[u] ? 4'd0 : head[FlightBits+1 +: 4];
    assign head_chains[u] = head[FlightBits];
    assign head_views[ViewBits*u +: ViewBits] = ViewBits'(head[ControlBits +: UsedBits]);
    assign starts[u] = running_q && !stopped && !queue_empty[u] && missing[4*u +: 4] == 4'd0 &&
                       (!flight_any[u] || (!flight_two[u] && head_chains[u] && credit_q[u]));

    // In flight: the one that will be done next, and the one that is chained behind it.
    logic [FlightBits-1:0] flight0_q, flight1_q, started;
    always_comb begin
      started = '0;
      if (!Lazy || starts[u]) started = head[FlightBits-1:0];
    end
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        credit_q[u] <= 1'b0;
        started_q[u] <= 1'b0;
      end else if (begin_run) begin
        credit_q[u] <= 1'b0;
        started_q[u] <= 1'b0;
      end else if (running_q) begin
        credit_q[u] <= flight_left[u] && (chain_i[u] || ((credit_q[u] || killed[u]) && !starts[u]));
        started_q[u] <= starts[u];
      end else begin
        started_q[u] <= 1'b0;
      end
    end
    assign command_valid_o[u] = started_q[u] && !killed[u];
    always_ff @(posedge clk_i) begin
      if (done_now[u]) flight0_q <= flight1_q;
      if (starts[u]) begin
        if (!flight_left[u]) flight0_q <= started;
        else flight1_q <= started;
      end
    end
    assign flight_index[IndexBits*u +: IndexBits] = flight0_q[IndexBits-1:0];
    assign flight_posts[16*u +: 16] = flight0_q[IndexBits +: 16];
    assign started_index[IndexBits*u +: IndexBits] = flight_two[u] ? flight1_q[IndexBits-1:0] : flight0_q[IndexBits-1:0];
  end

  // ---- Check: in the order of units the first that conflicts is the error; it and all behind it were not to start, nor was anything that
  // started in the cycle of an error ----

  logic [Units-1:0] hazard, broken_chain, fails;
  logic [3:0] start_code;
  logic [IndexBits-1:0] start_index;

  claims #(
    .VectorWords      (VectorWords),
    .VectorBanks      (VectorBanks),
    .AccumulatorWords (AccumulatorWords),
    .AccumulatorBanks (AccumulatorBanks)
  ) u_claims (
    .clk_i,
    .rst_ni,
    .clear_i        (begin_run),
    .push_i         (push_queue),
    .word_i         (head_word),
    .view_o         (pushed_views),
    .candidate_i    (starts),
    .heads_i        (head_views),
    .done_i         (done_now),
    .kill_i         (killed),
    .any_o          (flight_any),
    .two_o          (flight_two),
    .left_o         (flight_left),
    .hazard_o       (hazard),
    .broken_chain_o (broken_chain)
  );
  assign fails = hazard | broken_chain;        // of what started in the cycle before
  always_comb begin
    start_code = isa_pkg::ErrorNone;
    start_index = '0;
    for (int v = Units - 1; v >= 0; v--) begin
      if (fails[v]) begin
        start_code = hazard[v] ? isa_pkg::ErrorHazard : isa_pkg::ErrorIllegalChain;
        start_index = started_index[IndexBits*v +: IndexBits];
      end
    end
  end
  for (genvar u = 0; u < Units; u++) begin : gen_killed
    assign killed[u] = started_q[u] && (stopped || fails[u:0] != '0);
  end

  // ---- Done: semaphores, in the order of units; then the cycle's error, if there is one ----

  logic [Units-1:0] overflow, done_failed;
  logic overflows;

  semaphores #(.Units(Units)) u_semaphores (
    .clk_i,
    .rst_ni,
    .clear_i    (begin_run),
    .wait_i     (head_waits),
    .take_i     (starts),
    .untake_i   (killed),
    .done_i     (done_now),
    .post_i     (flight_posts),
    .missing_o  (missing),
    .overflow_o (overflow),
    .overflows_o(overflows)
  );

  // If something fails in this cycle: what. The later of these counts more.
  logic [3:0] failure_code_now, failure_code_q;
  logic [IndexBits-1:0] failure_index_now, failure_index_q;
  always_comb begin
    failure_code_now = isa_pkg::ErrorAborted;
    failure_index_now = dispatched_q;
    if (!Lazy || failed_now) begin
      if (fails != '0) begin
        failure_code_now = start_code;
        failure_index_now = start_index;
      end
      if (decode_code != isa_pkg::ErrorNone) begin
        failure_code_now = decode_code;
        failure_index_now = dispatched_q;
      end
    end
  end
  // Of units that were done then, whether they failed comes last: which of them counts is found behind the registers.
  logic [Units-1:0] done_failed_q, done_error_q;
  logic [IndexBits*Units-1:0] done_index_q;
  assign done_failed = done_now & (error_i | overflow);
  always_comb begin
    failure_code = failure_code_q;
    failure_index = failure_index_q;
    for (int u = Units - 1; u >= 0; u--) begin
      if (done_failed_q[u]) begin
        failure_code = !done_error_q[u] ? isa_pkg::ErrorSemaphoreOverflow : u == 3 ? isa_pkg::ErrorWriteError : isa_pkg::ErrorReadError;
        failure_index = done_index_q[IndexBits*u +: IndexBits];
      end
    end
  end
  assign failed_now = stopped || (running_q && (decode_code != isa_pkg::ErrorNone || fails != '0 || abort_now || (done_now & error_i) != '0 ||
                                                overflows));

  // ---- Begin and end ----

  // From registers alone, as a run may begin in the cycle in which one ends. With nothing in flight nothing is done or fails; what is wrong
  // with a halt, or an abort, goes before it.
  logic all_answered, in_flight, halts, done_q, done_after, clear_run;
  assign all_answered = !arvalid_o && bursts_q == '0;
  assign in_flight = (flight_any & ~(started_q & ~flight_two & {Units{stopped}})) != '0;
  assign halts = head_present && head_units == '0 && head_code == isa_pkg::ErrorNone && queue_empty == '1 && !abort_now;
  assign ends_now = running_q && all_answered && !in_flight && (stopped || halts);
  assign done_after = done_q || ends_now;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      running_q <= 1'b0;
      done_q <= 1'b0;
      begin_time_q <= '0;
      end_time_q <= '0;
      stopped <= 1'b0;
    end else begin
      running_q <= begin_run || (running_q && !ends_now);
      done_q <= done_after && !begin_run && !clear_run;
      if (begin_run) begin_time_q <= time_i + 64'd1;
      if (ends_now) end_time_q <= time_i + 64'd1;
      stopped <= failed_now && !begin_run && !clear_run;
    end
  end
  // Whether something fails comes late, so gates write these until it has.
  always_ff @(posedge clk_i) begin
    if (running_q && !stopped && (!Lazy || failed_now)) begin
      failure_code_q <= failure_code_now;
      failure_index_q <= failure_index_now;
      done_failed_q <= done_failed;
      done_error_q <= error_i;
      done_index_q <= flight_index;
      failure_cycle_q <= time_i - begin_time_q;
    end
  end
  assign running_o = running_q;

  // ---- Counters. What a unit has been doing since it last changed is added when it changes ----

  logic [4*Units-1:0] cause_q, cause_before;     // of the last cycle, unless the run failed in it; of the time that is not yet counted
  // Errors come late in their cycle. Counters hear of them in the next, and date them back.
  logic late_q;
  logic [63:0] time_before_q, time_counted;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) late_q <= 1'b0;
    else late_q <= failed_now && !stopped;
  end
  always_ff @(posedge clk_i) time_before_q <= time_i;
  assign time_counted = late_q ? time_before_q : time_i;
  // The first cycle of a run: in it no unit does anything else than wait for instructions.
  logic began_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) began_q <= 1'b0;
    else began_q <= begin_run;
  end
  logic [64*Units-1:0] since;                    // the time at which it began to do that
  logic [64*Units-1:0] counted;                  // of the cause that a read asks for, up to then
  logic [5:0] counter_cause_q;                   // which is this
  for (genvar u = 0; u < Units; u++) begin : gen_cause
    logic [3:0] cause;
    always_comb begin
      if (stopped) cause = isa_pkg::CauseError;
      else if (flight_any[u]) begin
        case (status_i[2*u +: 2])
          2'd0: cause = isa_pkg::CauseBusy;
          2'd1: cause = isa_pkg::CauseWaitRequest;
          2'd2: cause = isa_pkg::CauseWaitData;
          default: cause = isa_pkg::CauseWaitWrite;
        endcase
      end else if (queue_empty[u]) cause = isa_pkg::CauseQueueEmpty;
      else if (missing[4*u]) cause = isa_pkg::CauseWaitSemaphore0;
      else if (missing[4*u + 1]) cause = isa_pkg::CauseWaitSemaphore1;
      else if (missing[4*u + 2]) cause = isa_pkg::CauseWaitSemaphore2;
      else if (missing[4*u + 3]) cause = isa_pkg::CauseWaitSemaphore3;
      else cause = isa_pkg::CauseBusy;  // starts, or would if it were no error
    end

    logic changes;
    logic [3:0] last_q;
    logic [63:0] since_q;
    logic [Causes-1:0] known_q;                  // a counter that is not is 0, whatever the memory says
    logic [63:0] counter [Causes];
    assign changes = running_q && cause != last_q;
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        last_q <= isa_pkg::CauseQueueEmpty;
        since_q <= '0;
        known_q <= '0;
      end else begin
        if (began_q) begin
          since_q <= time_i;
        end else if (changes) begin
          since_q <= time_counted;
        end
        if (begin_run) begin
          last_q <= isa_pkg::CauseQueueEmpty;
          known_q <= '0;
        end else if (changes) begin
          last_q <= cause;
          known_q[last_q] <= 1'b1;
        end
      end
    end
    always_ff @(posedge clk_i) begin
      if (changes) counter[last_q] <= (known_q[last_q] ? counter[last_q] : 64'd0) + time_counted - since_q;
    end
    always_ff @(posedge clk_i) cause_q[4*u +: 4] <= cause;
    assign cause_before[4*u +: 4] = last_q;
    always_comb begin
      since[64*u +: 64] = '0;
      counted[64*u +: 64] = '0;
      if (!Lazy || read_q) begin
        since[64*u +: 64] = began_q ? time_i : since_q;
        if (known_q[counter_cause_q[3:0]]) counted[64*u +: 64] = counter[counter_cause_q[3:0]];
      end
    end
  end

  // ---- Registers: taken in one cycle, done in the next; a read tells what they hold then ----

  logic write_q, read_q, interrupt_enable_q, interrupt_enable_after, writable;
  logic [11:0] write_offset_q, read_offset_q;
  logic [31:0] write_data_q;
  logic [63:0] cycles;
  logic [63:0] csr_value, csr_value_q, csr_sum;  // of a counter all bits, of other registers the lower half
  logic [63:0] csr_base;
  logic [2:0] csr_added;
  logic csr_high_q, csr_new_q, csr_counts_q, csr_spans_q, csr_running_q, csr_late_q, csr_fails, answer_of_error;
  logic [1:0] csr_unit_q;
  logic [5:0] csr_cause_q;
  logic [11:0] answer_offset_q;
  logic [31:0] answer_error;
  // The counter that a read asks for, taken apart in the cycle of the request.
  logic [11:0] counter_byte;
  logic [1:0] counter_unit;
  logic counts_q, counter_high_q, counter_spans;  // spans: its unit has been doing this up to now
  logic [1:0] counter_unit_q;

  assign writable = write_q && !(running_q && !ends_now);
  assign abort_now = write_q && write_offset_q == {2'b00, isa_pkg::CsrControl} && write_data_q[2];
  assign begin_run = writable && write_offset_q == {2'b00, isa_pkg::CsrControl} && write_data_q[0];
  assign clear_run = writable && write_offset_q == {2'b00, isa_pkg::CsrControl} && write_data_q[1];
  assign interrupt_enable_after = write_q && write_offset_q == {2'b00, isa_pkg::CsrInterruptEnable} ? write_data_q[0] : interrupt_enable_q;

  assign counter_byte = csr_read_offset_i - {2'b00, isa_pkg::CsrCounters};
  always_comb begin
    counter_unit = 2'd0;
    for (int u = 1; u < Units; u++) begin
      if (counter_byte[8:3] >= 6'(Causes * u)) counter_unit = 2'(u);
    end
  end
  always_ff @(posedge clk_i) begin
    if (csr_read_i) begin
      counts_q <= counter_byte < 12'(8 * Causes * Units);
      counter_high_q <= counter_byte[2:0] != 3'd0;
      counter_unit_q <= counter_unit;
      counter_cause_q <= counter_byte[8:3] - 6'(Causes) * 6'(counter_unit);
    end
  end
  assign counter_spans = counter_cause_q == 6'(cause_before[4*counter_unit_q +: 4]);
  // {whether it is one, value} of a register that tells of the error, as of the cycle before.
  function automatic logic [32:0] error_register(input logic [11:0] offset);
    error_register = '0;
    if (stopped) begin
      case (offset)
        {2'b00, isa_pkg::CsrErrorCode}: error_register = {1'b1, 28'd0, failure_code};
        {2'b00, isa_pkg::CsrErrorInstruction}: error_register = {1'b1, 32'(failure_index)};
        {2'b00, isa_pkg::CsrErrorCycleLow}: error_register = {1'b1, failure_cycle_q[31:0]};
        {2'b00, isa_pkg::CsrErrorCycleHigh}: error_register = {1'b1, failure_cycle_q[63:32]};
        default: ;
      endcase
    end
  endfunction
  always_comb begin
    logic [63:0] began;
    csr_value = '0;
    cycles = '0;
    began = '0;
    if (read_q) begin
      cycles = (running_q ? time_i : end_time_q) - begin_time_q + 64'(running_q);  // this cycle counts
      if (counter_spans) began = since[64*counter_unit_q +: 64];
      // The time that has passed is added in the next cycle, and so is what the unit does in this one, which comes late.
      if (counts_q) csr_value = counted[64*counter_unit_q +: 64] - began;
      case (read_offset_q)
        {2'b00, isa_pkg::CsrStatus}: csr_value[31:0] = {28'd0, interrupt_o, stopped && done_after, done_after, running_q && !ends_now};
        {2'b00, isa_pkg::CsrProgramBaseLow}: csr_value[31:0] = program_base_q[31:0];
        {2'b00, isa_pkg::CsrProgramBaseHigh}: csr_value[31:0] = program_base_q[63:32];
        {2'b00, isa_pkg::CsrProgramBytes}: csr_value[31:0] = program_bytes_q;
        {2'b00, isa_pkg::CsrInterruptEnable}: csr_value[31:0] = {31'd0, interrupt_enable_q};
        {2'b00, isa_pkg::CsrCyclesLow}: csr_value[31:0] = cycles[31:0];
        {2'b00, isa_pkg::CsrCyclesHigh}: csr_value[31:0] = cycles[63:32];
        {2'b00, isa_pkg::CsrVersion}: csr_value[31:0] = isa_pkg::Version;
        default: if (!counts_q) csr_value[31:0] = 32'(error_register(read_offset_q));
      endcase
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      write_q <= 1'b0;
      read_q <= 1'b0;
      csr_written_o <= 1'b0;
      csr_answered_o <= 1'b0;
      program_base_q <= '0;
      program_bytes_q <= '0;
      interrupt_enable_q <= 1'b0;
      interrupt_o <= 1'b0;
    end else begin
      write_q <= csr_write_i;
      read_q <= csr_read_i;
      csr_written_o <= write_q;
      csr_answered_o <= read_q;
      interrupt_enable_q <= interrupt_enable_after;
      interrupt_o <= interrupt_enable_after && done_after && !begin_run && !clear_run;
      if (begin_run) program_base_q[5:0] <= '0;
      if (writable) begin
        if (write_offset_q == {2'b00, isa_pkg::CsrProgramBaseLow}) program_base_q[31:0] <= write_data_q;
        if (write_offset_q == {2'b00, isa_pkg::CsrProgramBaseHigh}) program_base_q[63:32] <= write_data_q;
        if (write_offset_q == {2'b00, isa_pkg::CsrProgramBytes}) program_bytes_q <= write_data_q;
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (csr_write_i) begin
      write_offset_q <= csr_write_offset_i;
      write_data_q <= csr_write_data_i;
    end
    if (csr_read_i) read_offset_q <= csr_read_offset_i;
    csr_new_q <= read_q;
    if (read_q) begin
      csr_value_q <= csr_value;
      csr_high_q <= counts_q && counter_high_q;
      csr_counts_q <= counts_q;
      csr_spans_q <= counts_q && counter_spans;
      answer_offset_q <= read_offset_q;
      csr_running_q <= running_q;
      csr_late_q <= late_q;
      csr_unit_q <= counter_unit_q;
      csr_cause_q <= counter_cause_q;
    end else begin
      csr_value_q <= csr_sum;
    end
  end

  // Whoever read in the cycle of an error has it, too. It is known in the next cycle, when the answer is on the wires.
  assign csr_fails = csr_new_q && late_q;
  assign {answer_of_error, answer_error} = error_register(answer_offset_q);
  assign csr_base = csr_fails && answer_of_error ? {32'd0, answer_error} : csr_value_q;
  // A counter: the time that had passed, and the cycle of the request. After an error of the cycle before that, the time had stood still for a
  // cycle, and the error has two.
  always_comb begin
    csr_added = 3'd0;
    csr_sum = csr_base;
    if (csr_new_q && csr_counts_q) begin
      if (csr_fails) csr_added = {2'd0, csr_cause_q == 6'(isa_pkg::CauseError)};
      else if (csr_running_q && csr_cause_q == 6'(cause_q[4*csr_unit_q +: 4])) csr_added = csr_late_q ? 3'd2 : 3'd1;
      else if (csr_running_q && csr_late_q && csr_spans_q) csr_added = 3'b111;
      csr_sum = csr_base + (csr_spans_q ? csr_running_q ? time_before_q : end_time_q : 64'd0) + 64'($signed(csr_added));
    end
  end
  assign csr_data_o = csr_high_q ? csr_sum[63:32] : csr_sum[31:0];

  // ---- Quiet ----

  logic moves, credit_moves;
  always_comb begin
    credit_moves = (chain_i & ~(credit_q | killed)) != '0;
    moves = write_q || read_q || csr_write_i || csr_read_i || csr_written_o || csr_answered_o ||
            interrupt_o != (interrupt_enable_after && done_after && !begin_run && !clear_run);
    if (running_q) begin
      if (failed_now != stopped || done_i != '0 || credit_moves || starts != '0 || command_valid_o != '0 || dispatch_now ||
          (arvalid_o && arready_i) || ar_wanted || rvalid_i || beat_valid_q || ends_now) begin
        moves = 1'b1;
      end
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) quiet_o <= 1'b1;
    else quiet_o <= !moves;
  end

endmodule
