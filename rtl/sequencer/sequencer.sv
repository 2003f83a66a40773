// SPDX-License-Identifier: Apache-2.0
// sequencer: control registers, fetch, decode, dispatch, semaphores, claims, counters; contract:
// src/blocks/sequencer/sequencer_ports.hpp and docs/reference/machine.md, 2.
//   fetch     requests bursts while the instruction FIFO has places for all their instructions; beats pass one register
//   decode    an instruction is checked on its way into the FIFO; what is wrong with it waits there beside it
//   dispatch  one instruction per cycle from the FIFO's head to its unit's queue, or an error; halt waits here
//   start     one decision per unit and cycle: semaphores, in flight, chain credit, hazards
//   done      in flight and semaphores; the first error is kept
//   counters  one of ten per unit and cycle, in spans of time_i: nothing in here moves while nothing happens
// Names: *_now is the value at the end of this cycle, after an error in this cycle has blocked dispatch and starts.
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

  logic running_q, stopped, begin_run, ends_now;
  logic [3:0] failure_code_q, failure_code_now;
  logic [IndexBits-1:0] failure_index_q, failure_index_now;
  logic [63:0] failure_cycle_q, failure_cycle_now;
  logic [63:0] begin_time_q, end_time_q;  // of the run's cycle 0; of the cycle after its last
  logic failed_now;  // stopped, or about to be
  logic abort_now;   // control.abort counts in this cycle
  logic [63:0] program_base_q;
  logic [31:0] program_bytes_q;

  assign stopped = failure_code_q != isa_pkg::ErrorNone;

  // ---- Fetch: requests ----

  localparam int ReservedBits = $clog2(PrefetchInstructions + 1);

  logic [39:0] fetch_address_q;
  logic [IndexBits-1:0] fetch_left_q, program_q;   // instructions not requested yet; of the program
  logic [ReservedBits-1:0] reserved_q;              // requested and not dispatched
  logic [8:0] bursts_q;                             // requested and not answered
  logic ar_free, ar_wanted;
  logic [6:0] fetch_words;
  logic [12:0] fetch_last;                          // last byte of the burst, counted from the start of its first beat
  logic dispatch_now;

  always_comb begin
    fetch_words = 7'(FetchWords);
    if (FetchWords > 1) fetch_words = 7'(FetchWords) - {1'b0, fetch_address_q[11:6] & 6'(FetchWords - 1)};
    if (fetch_left_q < {19'd0, fetch_words}) fetch_words = fetch_left_q[6:0];
  end
  assign fetch_last = {fetch_words, 6'd0} + (Ways > 1 ? {6'd0, fetch_address_q[6:0] & 7'(BusBytes - 1)} : 13'd0) - 13'd1;
  assign ar_free = !arvalid_o || arready_i;
  assign ar_wanted = !failed_now && running_q && ar_free && fetch_left_q != '0 &&
                     {1'b0, reserved_q} + (ReservedBits + 1)'(fetch_words) <= (ReservedBits + 1)'(PrefetchInstructions);
  // Sums before their conditions, which come late.
  logic [ReservedBits-1:0] reserved_more, reserved_less, reserved_both;
  assign reserved_more = reserved_q + ReservedBits'(fetch_words);
  assign reserved_less = reserved_q - 1'b1;
  assign reserved_both = reserved_q + ReservedBits'(fetch_words) - 1'b1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      arvalid_o <= 1'b0;
      fetch_left_q <= '0;
      reserved_q <= '0;
      bursts_q <= '0;
    end else if (begin_run) begin
      fetch_address_q <= {program_base_q[39:6], 6'd0};
      fetch_left_q <= program_bytes_q[31:6];
      program_q <= program_bytes_q[31:6];
      reserved_q <= '0;
      bursts_q <= '0;
    end else if (running_q) begin
      if (ar_free) arvalid_o <= ar_wanted && !ends_now;
      if (ar_wanted) begin
        fetch_address_q <= fetch_address_q + {27'd0, fetch_words, 6'd0};
        fetch_left_q <= fetch_left_q - {19'd0, fetch_words};
      end
      if (dispatch_now) reserved_q <= ar_wanted ? reserved_both : reserved_less;
      else if (ar_wanted) reserved_q <= reserved_more;
      if (ar_wanted != (rvalid_i && rlast_i)) bursts_q <= ar_wanted ? bursts_q + 1'b1 : bursts_q - 1'b1;
    end
  end
  always_ff @(posedge clk_i) begin
    if (ar_wanted) begin
      araddr_o <= fetch_address_q;
      arlen_o <= 8'(fetch_last >> BusBits);
      ar_bytes_o <= {fetch_words, 6'd0};
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
        if (beat_valid_q) pushed_word = {beat_q, partial_q};
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
  localparam int FifoWidth = WordBits + 4;

  logic [Ways-1:0] fifo_present;
  logic [Ways*FifoWidth-1:0] fifo_head;
  logic [Ways-1:0] fifo_pop;
  for (genvar w = 0; w < Ways; w++) begin : gen_fifo
    logic [3:0] code;
    logic [FifoWidth-1:0] entry;
    logic [FifoBits-1:0] count;
    always_comb begin
      code = isa_pkg::ErrorNone;
      if (push[w]) begin
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
      if (push[w]) entry = {code, pushed_word[WordBits*w +: WordBits]};
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
  if (Ways == 1) begin : gen_one_head
    assign head_present = fifo_present;
    assign {head_code, head_word} = fifo_head;
    assign fifo_pop = dispatch_now;
  end else begin : gen_two_heads
    logic turn_q;
    assign head_present = turn_q ? fifo_present[1] : fifo_present[0];
    assign {head_code, head_word} = turn_q ? fifo_head[FifoWidth +: FifoWidth] : fifo_head[FifoWidth-1:0];
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
  logic [2:0] head_unit;
  logic [Units-1:0] queue_full, queue_empty, push_queue;
  logic dispatchable;

  assign head_unit = isa_pkg::unit_of(head_word[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth]);
  always_comb begin
    decode_code = isa_pkg::ErrorNone;
    if (head_present) decode_code = head_code;
    else if (dispatched_q == program_q) decode_code = isa_pkg::ErrorEndOfProgram;
  end
  assign dispatchable = running_q && head_present && !failed_now;
  always_comb begin
    push_queue = '0;
    for (int u = 0; u < Units; u++) push_queue[u] = dispatchable && head_unit == 3'(u) && !queue_full[u];
  end
  assign dispatch_now = |push_queue;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      dispatched_q <= '0;
    end else if (begin_run) begin
      dispatched_q <= '0;
    end else if (dispatch_now) begin
      dispatched_q <= dispatched_q + 1'b1;
    end
  end

  // ---- Units: queue, in flight, chain credit, command ----

  localparam int QueueBits = $clog2(QueueDepth + 1);
  localparam int PlaceBits = QueueDepth > 1 ? $clog2(QueueDepth) : 1;
  localparam int FlightBits = 16 + IndexBits;  // posts, index
  localparam int ControlBits = FlightBits + 5; // and waits, chain
  localparam int ViewBits = 171;               // of claims

  logic [Units-1:0] candidate, starts, starts_now, done_now, credit_q, head_chains;
  logic [Units-1:0] flight_any, flight_two, flight_left;  // in flight: one or two; two; one or two without what is done now
  /* verilator lint_off UNUSEDSIGNAL */  // a unit's views have no more bits than it needs
  logic [ViewBits*Units-1:0] pushed_views;       // of claims
  /* verilator lint_on UNUSEDSIGNAL */
  logic [ViewBits*Units-1:0] head_views;
  logic [4*Units-1:0] head_waits, missing;       // semaphores: wanted; wanted and not there
  logic [16*Units-1:0] flight_posts;             // of what will be done next
  logic [IndexBits*Units-1:0] flight_index, head_index;

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
      .pop_i   (starts_now[u]),
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
        if (starts_now[u]) start_place_q <= start_place_q == PlaceBits'(QueueDepth - 1) ? '0 : start_place_q + 1'b1;
      end
    end
    always_ff @(posedge clk_i) begin
      if (push_queue[u]) words[push_place_q] <= head_word;
      if (starts_now[u]) command_o[WordBits*u +: WordBits] <= words[start_place_q];
    end
    assign queue_empty[u] = count == '0;
    assign queue_full[u] = count == QueueBits'(QueueDepth);
    assign head_index[IndexBits*u +: IndexBits] = head[IndexBits-1:0];
    assign head_waits[4*u +: 4] = queue_empty[u] ? 4'd0 : head[FlightBits+1 +: 4];
    assign head_chains[u] = head[FlightBits];
    assign head_views[ViewBits*u +: ViewBits] = ViewBits'(head[ControlBits +: UsedBits]);
    assign candidate[u] = running_q && !stopped && start_code_q == isa_pkg::ErrorNone && !queue_empty[u] &&
                          missing[4*u +: 4] == 4'd0 && (!flight_any[u] || (!flight_two[u] && head_chains[u] && credit_q[u]));

    // In flight: the one that will be done next, and the one that is chained behind it.
    logic [FlightBits-1:0] flight0_q, flight1_q, started;
    always_comb begin
      started = '0;
      if (!Lazy || candidate[u]) started = head[FlightBits-1:0];
    end
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        credit_q[u] <= 1'b0;
        command_valid_o[u] <= 1'b0;
      end else if (begin_run) begin
        credit_q[u] <= 1'b0;
        command_valid_o[u] <= 1'b0;
      end else if (running_q) begin
        credit_q[u] <= flight_left[u] && (chain_i[u] || (credit_q[u] && !starts_now[u]));
        command_valid_o[u] <= starts_now[u];
      end else begin
        command_valid_o[u] <= 1'b0;
      end
    end
    always_ff @(posedge clk_i) begin
      if (done_now[u]) flight0_q <= flight1_q;
      if (starts_now[u]) begin
        if (!flight_left[u]) flight0_q <= started;
        else flight1_q <= started;
      end
    end
    assign flight_index[IndexBits*u +: IndexBits] = flight0_q[IndexBits-1:0];
    assign flight_posts[16*u +: 16] = flight0_q[IndexBits +: 16];
  end

  // ---- Start: in the order of units the first that conflicts is the error; it and all behind it do not start ----

  logic [Units-1:0] hazard, broken_chain, fails;
  logic [3:0] start_code, start_code_q;
  logic [IndexBits-1:0] start_index, start_index_q;

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
    .candidate_i    (candidate),
    .heads_i        (head_views),
    .start_i        (starts_now),
    .done_i         (done_now),
    .any_o          (flight_any),
    .two_o          (flight_two),
    .left_o         (flight_left),
    .hazard_o       (hazard),
    .broken_chain_o (broken_chain)
  );
  assign fails = hazard | broken_chain;        // of candidates
  always_comb begin
    start_code = isa_pkg::ErrorNone;
    start_index = '0;
    for (int v = Units - 1; v >= 0; v--) begin
      if (fails[v]) begin
        start_code = hazard[v] ? isa_pkg::ErrorHazard : isa_pkg::ErrorIllegalChain;
        start_index = head_index[IndexBits*v +: IndexBits];
      end
    end
  end
  for (genvar u = 0; u < Units; u++) begin : gen_starts
    assign starts[u] = candidate[u] && fails[u:0] == '0;
  end
  assign starts_now = failed_now ? '0 : starts;

  // A start that failed is an error in the cycle in which its command would have been on the wires.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      start_code_q <= isa_pkg::ErrorNone;
    end else if (begin_run || failed_now) begin
      start_code_q <= isa_pkg::ErrorNone;
    end else if (running_q) begin
      start_code_q <= start_code;
    end
  end
  always_ff @(posedge clk_i) if (fails != '0) start_index_q <= start_index;

  // ---- Done: semaphores, in the order of units; then the cycle's error, if there is one ----

  logic [Units-1:0] overflow, done_failed;
  logic failed_early;                          // without what starts bear on

  semaphores #(.Units(Units)) u_semaphores (
    .clk_i,
    .rst_ni,
    .clear_i    (begin_run),
    .keep_i     (failed_now),
    .wait_i     (head_waits),
    .take_i     (starts),
    .done_i     (done_now),
    .post_i     (flight_posts),
    .missing_o  (missing),
    .overflow_o (overflow)
  );

  always_comb begin
    failure_code_now = failure_code_q;
    failure_index_now = failure_index_q;
    failure_cycle_now = failure_cycle_q;
    if (running_q && !stopped) begin
      // The later of these counts more.
      if (abort_now) begin
        failure_code_now = isa_pkg::ErrorAborted;
        failure_index_now = dispatched_q;
      end
      if (start_code_q != isa_pkg::ErrorNone) begin
        failure_code_now = start_code_q;
        failure_index_now = start_index_q;
      end
      if (decode_code != isa_pkg::ErrorNone) begin
        failure_code_now = decode_code;
        failure_index_now = dispatched_q;
      end
      for (int u = Units - 1; u >= 0; u--) begin
        if (done_failed[u]) begin
          failure_code_now = !error_i[u] ? isa_pkg::ErrorSemaphoreOverflow :
                             u == 3 ? isa_pkg::ErrorWriteError : isa_pkg::ErrorReadError;
          failure_index_now = flight_index[IndexBits*u +: IndexBits];
        end
      end
      if (failed_now) failure_cycle_now = time_i - begin_time_q;
    end
  end
  assign done_failed = done_now & (error_i | overflow);
  assign failed_early = stopped || (running_q && (decode_code != isa_pkg::ErrorNone || start_code_q != isa_pkg::ErrorNone || abort_now ||
                                                  (done_now & error_i) != '0));
  assign failed_now = failed_early || (done_now & overflow) != '0;

  // ---- Begin and end ----

  // With nothing in flight nothing is done, so that no semaphore overflows: `failed_early` is all there is.
  logic nothing_to_do, done_q, done_after, clear_run;
  assign nothing_to_do = !arvalid_o && bursts_q == '0 && flight_any == '0;
  assign ends_now = running_q && nothing_to_do &&
                    (stopped || (head_present && head_unit == isa_pkg::UnitNone && !failed_early && queue_empty == '1));
  assign done_after = done_q || ends_now;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      running_q <= 1'b0;
      done_q <= 1'b0;
      begin_time_q <= '0;
      end_time_q <= '0;
      failure_code_q <= isa_pkg::ErrorNone;
      failure_index_q <= '0;
      failure_cycle_q <= '0;
    end else begin
      running_q <= begin_run || (running_q && !ends_now);
      done_q <= done_after && !begin_run && !clear_run;
      if (begin_run) begin_time_q <= time_i + 64'd1;
      if (ends_now) end_time_q <= time_i + 64'd1;
      if (begin_run || clear_run) begin
        failure_code_q <= isa_pkg::ErrorNone;
        failure_index_q <= '0;
        failure_cycle_q <= '0;
      end else if (failed_now != stopped) begin
        failure_code_q <= failure_code_now;
        failure_index_q <= failure_index_now;
        failure_cycle_q <= failure_cycle_now;
      end
    end
  end
  assign running_o = running_q;

  // ---- Counters. What a unit has been doing since it last changed is added when it changes ----

  logic [4*Units-1:0] cause_now, cause_before;
  logic [64*Units-1:0] since;                    // the time at which it began to do that
  logic [Causes*Units-1:0] known;                // a counter that is not is 0, whatever the memory says
  logic [63:0] counter [Causes*Units];
  for (genvar u = 0; u < Units; u++) begin : gen_cause
    logic [3:0] cause;
    always_comb begin
      if (failed_now) cause = isa_pkg::CauseError;
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
    assign cause_now[4*u +: 4] = cause;

    logic changes;
    logic [3:0] last_q;
    logic [63:0] since_q;
    logic [Causes-1:0] known_q;
    logic [5:0] place;
    assign changes = running_q && cause != last_q;
    assign place = 6'(Causes * u) + 6'(last_q);
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        last_q <= isa_pkg::CauseQueueEmpty;
        since_q <= '0;
        known_q <= '0;
      end else if (begin_run) begin
        last_q <= isa_pkg::CauseQueueEmpty;
        since_q <= time_i + 64'd1;
        known_q <= '0;
      end else if (changes) begin
        last_q <= cause;
        since_q <= time_i;
        known_q[last_q] <= 1'b1;
      end
    end
    always_ff @(posedge clk_i) begin
      if (changes) counter[place] <= (known_q[last_q] ? counter[place] : 64'd0) + time_i - since_q;
    end
    assign cause_before[4*u +: 4] = last_q;
    assign since[64*u +: 64] = since_q;
    assign known[Causes*u +: Causes] = known_q;
  end

  // ---- Registers: taken in one cycle, done in the next; a read tells what they hold then ----

  logic write_q, read_q, interrupt_enable_q, interrupt_enable_after, writable;
  logic [11:0] write_offset_q, read_offset_q;
  logic [31:0] write_data_q, csr_value;
  logic [63:0] counter_value, cycles;
  // The counter that a read asks for, taken apart in the cycle of the request.
  logic [11:0] counter_byte;
  logic [1:0] counter_unit;
  logic counts_q, counter_high_q;
  logic [5:0] counter_index_q, counter_cause_q;
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
      counter_index_q <= counter_byte[8:3];
      counter_unit_q <= counter_unit;
      counter_cause_q <= counter_byte[8:3] - 6'(Causes) * 6'(counter_unit);
    end
  end
  always_comb begin
    logic [63:0] until_now, known_value, passed, began;
    csr_value = '0;
    counter_value = '0;
    cycles = '0;
    until_now = '0;
    known_value = '0;
    passed = '0;
    began = '0;
    if (read_q) begin
      until_now = running_q ? time_i : end_time_q;
      cycles = until_now - begin_time_q + 64'(running_q);  // this cycle counts
      known_value = known[counter_index_q] ? counter[counter_index_q] : 64'd0;
      if (counter_cause_q == 6'(cause_before[4*counter_unit_q +: 4])) begin
        passed = until_now;
        began = since[64*counter_unit_q +: 64];
      end
      // What the unit does in this cycle comes late.
      counter_value = running_q && counter_cause_q == 6'(cause_now[4*counter_unit_q +: 4]) ? known_value + passed - began + 64'd1 :
                                                                                            known_value + passed - began;
      case (read_offset_q)
        {2'b00, isa_pkg::CsrStatus}: csr_value = {28'd0, interrupt_o, failed_now && done_after, done_after, running_q && !ends_now};
        {2'b00, isa_pkg::CsrProgramBaseLow}: csr_value = program_base_q[31:0];
        {2'b00, isa_pkg::CsrProgramBaseHigh}: csr_value = program_base_q[63:32];
        {2'b00, isa_pkg::CsrProgramBytes}: csr_value = program_bytes_q;
        {2'b00, isa_pkg::CsrInterruptEnable}: csr_value = {31'd0, interrupt_enable_q};
        {2'b00, isa_pkg::CsrErrorCode}: csr_value = {28'd0, failure_code_now};
        {2'b00, isa_pkg::CsrErrorInstruction}: csr_value = 32'(failure_index_now);
        {2'b00, isa_pkg::CsrErrorCycleLow}: csr_value = failure_cycle_now[31:0];
        {2'b00, isa_pkg::CsrErrorCycleHigh}: csr_value = failure_cycle_now[63:32];
        {2'b00, isa_pkg::CsrCyclesLow}: csr_value = cycles[31:0];
        {2'b00, isa_pkg::CsrCyclesHigh}: csr_value = cycles[63:32];
        {2'b00, isa_pkg::CsrVersion}: csr_value = isa_pkg::Version;
        default: if (counts_q) csr_value = counter_high_q ? counter_value[63:32] : counter_value[31:0];
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
    if (read_q) csr_data_o <= csr_value;
  end

  // ---- Quiet ----

  logic moves, credit_moves;
  always_comb begin
    credit_moves = (chain_i & ~credit_q) != '0;
    moves = write_q || read_q || csr_write_i || csr_read_i || csr_written_o || csr_answered_o ||
            interrupt_o != (interrupt_enable_after && done_after && !begin_run && !clear_run);
    if (running_q) begin
      if (failed_now != stopped || fails != '0 || done_i != '0 || credit_moves || starts_now != '0 ||
          command_valid_o != '0 || dispatch_now || (arvalid_o && arready_i) || ar_wanted || rvalid_i || beat_valid_q ||
          ends_now) begin
        moves = 1'b1;
      end
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) quiet_o <= 1'b1;
    else quiet_o <= !moves;
  end

endmodule
