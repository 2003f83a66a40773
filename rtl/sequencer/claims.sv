// SPDX-License-Identifier: Apache-2.0
// claims: what the instructions in flight hold, two per unit at most, and whether those that started may. From start to done an
// instruction holds the words that docs/reference/isa.md, Claims, lists; a hazard is one bank held in one direction by two units, or
// a written interval that meets another interval. Instructions are legal (isa_pkg::intervals_legal, inside_buffers).
// What of an instruction others have to see, its view, is made when it is put into its unit's queue, where it waits beside it.
// Views are compared in the cycle of the start, and what is wrong is known in the next, from a register: an instruction that was not to
// start is in flight for that one cycle, and killed at its end. No unit has seen it by then.
`include "assertions.svh"

module claims #(
  parameter int VectorWords = 64,
  parameter int VectorBanks = 1,
  parameter int AccumulatorWords = 64,
  parameter int AccumulatorBanks = 1,
  localparam int Units = isa_pkg::UnitCount,
  localparam int WordBits = isa_pkg::InstructionBits,
  localparam int ViewBits = 171  // of the widest view, the vector unit's
) (
  input  logic                      clk_i,
  input  logic                      rst_ni,
  input  logic                      clear_i,
  input  logic [Units-1:0]          push_i,         // the queue that takes an instruction
  // verilator lint_off UNUSEDSIGNAL
  input  logic [WordBits-1:0]       word_i,         // that instruction; only its claims are looked at
  // verilator lint_on UNUSEDSIGNAL
  output logic [ViewBits*Units-1:0] view_o,         // its view; load: 47 bits, matrix: 116, vector: all, store: 44, zeros above
  input  logic [Units-1:0]          candidate_i,    // the head starts: never behind two in flight
  input  logic [ViewBits*Units-1:0] heads_i,        // views
  input  logic [Units-1:0]          done_i,         // the older one in flight
  input  logic [Units-1:0]          kill_i,         // the younger one in flight, or the only one: it was a candidate in the cycle before
  output logic [Units-1:0]          any_o,          // in flight
  output logic [Units-1:0]          two_o,
  output logic [Units-1:0]          left_o,         // in flight without what is done now
  output logic [Units-1:0]          hazard_o,       // of a candidate of the cycle before, with others in flight then or other candidates
  output logic [Units-1:0]          broken_chain_o  // of that, too: accumulators neither the same as in flight nor apart from them
);

  // ---- An interval is {last, first} in words; a span is one with the banks that it touches in front ----

  localparam int IntervalBits = 36;
  localparam int SpanBits = IntervalBits + 8;
  `GEMEL_PARAMETER(ViewsFit, ViewBits == 3 + 3 * SpanBits + IntervalBits)
  // A simulator makes wide signals only when somebody looks at them; gates would only come later for it.
`ifdef VERILATOR
  localparam bit Lazy = 1'b1;
`else
  localparam bit Lazy = 1'b0;
`endif

  /* verilator lint_off UNUSEDSIGNAL */  // each of these functions looks at its part of a view
  function automatic logic meet(input logic [35:0] a, input logic [35:0] b);
    meet = a[17:0] <= b[35:18] && b[17:0] <= a[35:18];
  endfunction
  // One bank at least is touched by both; so it is where the words meet.
  function automatic logic share(input logic [43:0] a, input logic [43:0] b);
    share = a[39:36] <= b[43:40] && b[39:36] <= a[43:40];
  endfunction
  function automatic logic [3:0] vector_bank(input logic [17:0] word);
    vector_bank = 4'd0;
    for (int b = 1; b < VectorBanks; b++) begin
      if ({1'b0, word} >= 19'(b * (VectorWords / VectorBanks))) vector_bank = 4'(b);
    end
  endfunction
  function automatic logic [3:0] accumulator_bank(input logic [17:0] word);
    accumulator_bank = 4'd0;
    for (int b = 1; b < AccumulatorBanks; b++) begin
      if ({1'b0, word} >= 19'(b * (AccumulatorWords / AccumulatorBanks))) accumulator_bank = 4'(b);
    end
  endfunction

  // What an instruction claims, as others have to see it. load: {buffer, span}; matrix: {accumulator span, weight, activation};
  // vector: {param used, second source used, first source is sums, destination span, second span, first span, param}; store: {span}.
  localparam int LoadBufferAt = SpanBits;
  localparam int WeightAt = IntervalBits;
  localparam int SumsAt = 2 * IntervalBits;
  localparam int Source0At = IntervalBits;
  localparam int Source1At = IntervalBits + SpanBits;
  localparam int DestinationAt = IntervalBits + 2 * SpanBits;
  localparam int IsSumsAt = IntervalBits + 3 * SpanBits;

  // A load against others.
  function automatic logic load_matrix(input logic [ViewBits-1:0] l, input logic [ViewBits-1:0] m);
    load_matrix = (l[LoadBufferAt +: 3] == 3'd0 && meet(l[35:0], m[35:0])) ||
                  (l[LoadBufferAt +: 3] == 3'd1 && meet(l[35:0], m[WeightAt +: IntervalBits]));
  endfunction
  function automatic logic load_vector(input logic [ViewBits-1:0] l, input logic [ViewBits-1:0] v);
    load_vector = (l[LoadBufferAt +: 3] == 3'd2 &&
                   (share(l[43:0], v[DestinationAt +: SpanBits]) ||
                    (!v[IsSumsAt] && meet(l[35:0], v[Source0At +: IntervalBits])) ||
                    (v[IsSumsAt+1] && meet(l[35:0], v[Source1At +: IntervalBits])))) ||
                  (l[LoadBufferAt +: 3] == 3'd3 && v[IsSumsAt+2] && meet(l[35:0], v[35:0]));
  endfunction
  function automatic logic load_store(input logic [ViewBits-1:0] l, input logic [ViewBits-1:0] s);
    load_store = l[LoadBufferAt +: 3] == 3'd2 && meet(l[35:0], s[35:0]);
  endfunction
  function automatic logic matrix_vector(input logic [ViewBits-1:0] m, input logic [ViewBits-1:0] v);
    matrix_vector = v[IsSumsAt] && share(m[SumsAt +: SpanBits], v[Source0At +: SpanBits]);
  endfunction
  function automatic logic vector_store(input logic [ViewBits-1:0] v, input logic [ViewBits-1:0] s);
    vector_store = (!v[IsSumsAt] && share(v[Source0At +: SpanBits], s[43:0])) ||
                   (v[IsSumsAt+1] && share(v[Source1At +: SpanBits], s[43:0])) ||
                   meet(v[DestinationAt +: IntervalBits], s[35:0]);
  endfunction
  function automatic logic vector_itself(input logic [ViewBits-1:0] v);
    vector_itself = (!v[IsSumsAt] && meet(v[DestinationAt +: IntervalBits], v[Source0At +: IntervalBits])) ||
                    (v[IsSumsAt+1] && meet(v[DestinationAt +: IntervalBits], v[Source1At +: IntervalBits]));
  endfunction
  // Two instructions of the units `a` < `b`.
  function automatic logic conflict(input int a, input int b, input logic [ViewBits-1:0] x, input logic [ViewBits-1:0] y);
    conflict = 1'b0;
    if (a == 0 && b == 1) conflict = load_matrix(x, y);
    if (a == 0 && b == 2) conflict = load_vector(x, y);
    if (a == 0 && b == 3) conflict = load_store(x, y);
    if (a == 1 && b == 2) conflict = matrix_vector(x, y);
    if (a == 2 && b == 3) conflict = vector_store(x, y);
  endfunction

  // The claims of a unit's instruction.
  function automatic logic [SpanBits-1:0] vector_span(input logic [17:0] first, input logic [17:0] last);
    vector_span = {vector_bank(last), vector_bank(first), last, first};
  endfunction
  function automatic logic [SpanBits-1:0] accumulator_span(input logic [17:0] first, input logic [17:0] last);
    accumulator_span = {accumulator_bank(last), accumulator_bank(first), last, first};
  endfunction
  function automatic logic [ViewBits-1:0] load_view(input logic [WordBits-1:0] word);
    load_view = '0;
    load_view[SpanBits-1:0] = vector_span(word[isa_pkg::LoadWordBaseLsb +: 18], word[isa_pkg::LoadWordLastLsb +: 18]);
    load_view[LoadBufferAt +: 3] = word[isa_pkg::LoadBufferLsb +: 3];
  endfunction
  function automatic logic [ViewBits-1:0] matrix_view(input logic [WordBits-1:0] word);
    matrix_view = '0;
    matrix_view[IntervalBits-1:0] = {word[isa_pkg::MatrixActLastLsb +: 18], word[isa_pkg::MatrixActBaseLsb +: 18]};
    matrix_view[WeightAt +: IntervalBits] = {word[isa_pkg::MatrixWeightLastLsb +: 18], word[isa_pkg::MatrixWeightBaseLsb +: 18]};
    matrix_view[SumsAt +: SpanBits] = accumulator_span(word[isa_pkg::MatrixAccBaseLsb +: 18], word[isa_pkg::MatrixAccLastLsb +: 18]);
  endfunction
  function automatic logic [ViewBits-1:0] vector_view(input logic [WordBits-1:0] word);
    logic [7:0] opcode;
    logic [17:0] first, last;  // of the first source
    opcode = word[isa_pkg::HeaderOpcodeLsb +: 8];
    first = word[isa_pkg::VectorSrc0BaseLsb +: 18];
    last = word[isa_pkg::VectorSrc0LastLsb +: 18];
    vector_view[IntervalBits-1:0] = {word[isa_pkg::VectorParamLastLsb +: 18], word[isa_pkg::VectorParamBaseLsb +: 18]};
    vector_view[Source0At +: SpanBits] = isa_pkg::reads_sums(opcode) ? accumulator_span(first, last) : vector_span(first, last);
    vector_view[Source1At +: SpanBits] = vector_span(word[isa_pkg::VectorSrc1BaseLsb +: 18], word[isa_pkg::VectorSrc1LastLsb +: 18]);
    vector_view[DestinationAt +: SpanBits] = vector_span(word[isa_pkg::VectorDstBaseLsb +: 18], word[isa_pkg::VectorDstLastLsb +: 18]);
    vector_view[IsSumsAt] = isa_pkg::reads_sums(opcode);
    vector_view[IsSumsAt+1] = isa_pkg::reads_pair(opcode);
    vector_view[IsSumsAt+2] = isa_pkg::reads_sets(opcode) || word[isa_pkg::VectorTableLsb];
  endfunction
  function automatic logic [ViewBits-1:0] store_view(input logic [WordBits-1:0] word);
    store_view = '0;
    store_view[SpanBits-1:0] = vector_span(word[isa_pkg::StoreWordBaseLsb +: 18], word[isa_pkg::StoreWordLastLsb +: 18]);
  endfunction

  /* verilator lint_on UNUSEDSIGNAL */

  // ---- In flight: the one that will be done next, and the one that is chained behind it ----

  logic [ViewBits*Units-1:0] head_view, flight0_view, flight1_view;

  always_comb begin
    view_o = '0;
    if (!Lazy || push_i[0]) view_o[0 +: ViewBits] = load_view(word_i);
    if (!Lazy || push_i[1]) view_o[ViewBits +: ViewBits] = matrix_view(word_i);
    if (!Lazy || push_i[2]) view_o[2*ViewBits +: ViewBits] = vector_view(word_i);
    if (!Lazy || push_i[3]) view_o[3*ViewBits +: ViewBits] = store_view(word_i);
  end

  for (genvar u = 0; u < Units; u++) begin : gen_unit
    logic [ViewBits-1:0] flight0_q, flight1_q;
    logic [1:0] flights_q, flights_left;
    assign flights_left = flights_q - 2'(done_i[u]);
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) flights_q <= 2'd0;
      else if (clear_i) flights_q <= 2'd0;
      else flights_q <= flights_left - 2'(kill_i[u]) + 2'(candidate_i[u]);
    end
    always_ff @(posedge clk_i) begin
      if (done_i[u]) flight0_q <= flight1_q;
      if (candidate_i[u]) begin
        if (flights_left == 2'd0) flight0_q <= heads_i[ViewBits*u +: ViewBits];
        else flight1_q <= heads_i[ViewBits*u +: ViewBits];
      end
    end
    assign any_o[u] = flights_q != 2'd0;
    assign two_o[u] = flights_q[1];
    assign left_o[u] = flights_left != 2'd0;
    `GEMEL_ASSERT(NotDoneWithoutStart, !done_i[u] || any_o[u])
  end

  always_comb begin
    head_view = '0;
    flight0_view = '0;
    flight1_view = '0;
    if (!Lazy || candidate_i != '0) begin
      head_view = heads_i;
      flight0_view = {gen_unit[3].flight0_q, gen_unit[2].flight0_q, gen_unit[1].flight0_q, gen_unit[0].flight0_q};
      flight1_view = {gen_unit[3].flight1_q, gen_unit[2].flight1_q, gen_unit[1].flight1_q, gen_unit[0].flight1_q};
    end
  end

  // ---- Conflicts of the candidates ----

  // One bit for each pair: the candidate of a unit with, of another unit, the older in flight, the younger, the candidate; and with itself.
  localparam int Kinds = 3;
  logic [Kinds*Units*Units-1:0] collisions;
  logic broken_chain;       // of the matrix unit's candidate
  always_comb begin
    collisions = '0;
    if (!Lazy || candidate_i != '0) begin
      for (int a = 0; a < Units; a++) begin
        for (int b = a + 1; b < Units; b++) begin
          if (candidate_i[a]) begin
            if (any_o[b]) collisions[Kinds*(Units*a + b)] =
                conflict(a, b, head_view[ViewBits*a +: ViewBits], flight0_view[ViewBits*b +: ViewBits]);
            if (two_o[b]) collisions[Kinds*(Units*a + b) + 1] =
                conflict(a, b, head_view[ViewBits*a +: ViewBits], flight1_view[ViewBits*b +: ViewBits]);
          end
          if (candidate_i[b]) begin
            if (any_o[a]) collisions[Kinds*(Units*b + a)] =
                conflict(a, b, flight0_view[ViewBits*a +: ViewBits], head_view[ViewBits*b +: ViewBits]);
            if (two_o[a]) collisions[Kinds*(Units*b + a) + 1] =
                conflict(a, b, flight1_view[ViewBits*a +: ViewBits], head_view[ViewBits*b +: ViewBits]);
          end
          if (candidate_i[a] && candidate_i[b]) begin
            collisions[Kinds*(Units*a + b) + 2] = conflict(a, b, head_view[ViewBits*a +: ViewBits], head_view[ViewBits*b +: ViewBits]);
            collisions[Kinds*(Units*b + a) + 2] = collisions[Kinds*(Units*a + b) + 2];
          end
        end
      end
      if (candidate_i[2]) collisions[Kinds*(Units*2 + 2)] = vector_itself(head_view[ViewBits*2 +: ViewBits]);
    end
  end
  // Chained matrix instructions: accumulators the same, or none in common.
  always_comb begin
    broken_chain = 1'b0;
    if (candidate_i[1] && any_o[1]) begin
      broken_chain = head_view[ViewBits + SumsAt +: IntervalBits] != flight0_view[ViewBits + SumsAt +: IntervalBits] &&
                     meet(head_view[ViewBits + SumsAt +: IntervalBits], flight0_view[ViewBits + SumsAt +: IntervalBits]);
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      hazard_o <= '0;
      broken_chain_o <= '0;
    end else begin
      for (int u = 0; u < Units; u++) hazard_o[u] <= collisions[Kinds*Units*u +: Kinds*Units] != '0;
      broken_chain_o <= Units'(broken_chain) << 1;
    end
  end

`ifdef FORMAL
  // Proved by induction (tests/rtl/prove.py) against whole instructions, kept in flight as they were started, and their claims as
  // docs/reference/isa.md lists them. A claim is {used, written, buffer, last, first}.
  localparam int ClaimBits = 41;
  localparam int Banks = VectorBanks > AccumulatorBanks ? VectorBanks : AccumulatorBanks;
  localparam int Slots = 3;    // per unit: the head of its queue, what is older in flight, what is younger
  localparam int Claims = 4;   // of an instruction, at most
  function automatic logic words_meet(input logic [ClaimBits-1:0] p, input logic [ClaimBits-1:0] q);
    words_meet = p[38:36] == q[38:36] && !(p[35:18] < q[17:0] || q[35:18] < p[17:0]);
  endfunction
  logic past_reset_q = 1'b0;
  logic [Units-1:0] held0_q, held1_q;          // in flight: the older, the younger
  logic [Units-1:0] fresh_q;                   // the younger, or the only one, started in the cycle before
  logic dead_q;                                // one was killed: the run has failed, and what starts now is killed, too
  logic [Slots*Units-1:0] present;
  logic [WordBits*Slots*Units-1:0] words;
  logic [ClaimBits*Claims*Slots*Units-1:0] claimed;
  logic [Banks*Claims*Slots*Units-1:0] touched;  // banks; buffers that have but one reader and one writer may as well be one
  for (genvar u = 0; u < Units; u++) begin : gen_kept
    (* anyseq *) logic [WordBits-1:0] head;      // the candidate, which `heads_i` is the view of
    logic [WordBits-1:0] word0_q, word1_q;
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        {held1_q[u], held0_q[u]} <= 2'b00;
      end else if (clear_i) begin
        {held1_q[u], held0_q[u]} <= 2'b00;
      end else begin
        case (2'(held0_q[u]) + 2'(held1_q[u]) + 2'(candidate_i[u]) - 2'(done_i[u]) - 2'(kill_i[u]))
          2'd0: {held1_q[u], held0_q[u]} <= 2'b00;
          2'd1: {held1_q[u], held0_q[u]} <= 2'b01;
          default: {held1_q[u], held0_q[u]} <= 2'b11;
        endcase
      end
    end
    always_ff @(posedge clk_i) begin
      if (done_i[u]) word0_q <= held1_q[u] ? word1_q : head;
      else if (!held0_q[u]) word0_q <= head;
      if (candidate_i[u]) word1_q <= head;
    end
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) fresh_q[u] <= 1'b0;
      else fresh_q[u] <= candidate_i[u] && !clear_i;
    end
    assign present[Slots*u +: Slots] = {held1_q[u], held0_q[u], candidate_i[u]};
    assign words[WordBits*Slots*u +: WordBits*Slots] = {word1_q, word0_q, head};
    logic [Slots-1:0] legal;
    logic [ViewBits*Slots-1:0] views;
    for (genvar i = 0; i < Slots; i++) begin : gen_slot
      logic [WordBits-1:0] word;
      logic [7:0] opcode;
      logic [ClaimBits*Claims-1:0] c;
      logic [Claims-1:0] inside;
      assign word = words[WordBits*(Slots*u + i) +: WordBits];
      assign opcode = word[isa_pkg::HeaderOpcodeLsb +: 8];
      if (u == 0) begin : gen_load
        assign c = {{3{41'd0}},
                    2'b11, word[isa_pkg::LoadBufferLsb +: 3], word[isa_pkg::LoadWordLastLsb +: 18], word[isa_pkg::LoadWordBaseLsb +: 18]};
        assign views[ViewBits*i +: ViewBits] = load_view(word);
        assign legal[i] = inside == '1 && word[isa_pkg::LoadBufferLsb +: 3] <= 3'd3;
      end else if (u == 1) begin : gen_matrix
        assign c = {2'b11, 3'd4, word[isa_pkg::MatrixAccLastLsb +: 18], word[isa_pkg::MatrixAccBaseLsb +: 18],
                    2'b10, 3'd4, word[isa_pkg::MatrixAccLastLsb +: 18], word[isa_pkg::MatrixAccBaseLsb +: 18],
                    2'b10, 3'd1, word[isa_pkg::MatrixWeightLastLsb +: 18], word[isa_pkg::MatrixWeightBaseLsb +: 18],
                    2'b10, 3'd0, word[isa_pkg::MatrixActLastLsb +: 18], word[isa_pkg::MatrixActBaseLsb +: 18]};
        assign views[ViewBits*i +: ViewBits] = matrix_view(word);
        assign legal[i] = inside == '1;
      end else if (u == 2) begin : gen_vector
        assign c = {2'b11, 3'd2, word[isa_pkg::VectorDstLastLsb +: 18], word[isa_pkg::VectorDstBaseLsb +: 18],
                    isa_pkg::reads_sets(opcode) || word[isa_pkg::VectorTableLsb], 1'b0, 3'd3,
                    word[isa_pkg::VectorParamLastLsb +: 18], word[isa_pkg::VectorParamBaseLsb +: 18],
                    isa_pkg::reads_pair(opcode), 1'b0, 3'd2, word[isa_pkg::VectorSrc1LastLsb +: 18], word[isa_pkg::VectorSrc1BaseLsb +: 18],
                    2'b10, isa_pkg::reads_sums(opcode) ? 3'd4 : 3'd2,
                    word[isa_pkg::VectorSrc0LastLsb +: 18], word[isa_pkg::VectorSrc0BaseLsb +: 18]};
        assign views[ViewBits*i +: ViewBits] = vector_view(word);
        assign legal[i] = inside == '1;
      end else begin : gen_store
        assign c = {{3{41'd0}}, 2'b10, 3'd2, word[isa_pkg::StoreWordLastLsb +: 18], word[isa_pkg::StoreWordBaseLsb +: 18]};
        assign views[ViewBits*i +: ViewBits] = store_view(word);
        assign legal[i] = inside == '1;
      end
      for (genvar n = 0; n < Claims; n++) begin : gen_inside
        assign inside[n] = !c[ClaimBits*n + 40] ||
                           (c[ClaimBits*n +: 18] <= c[ClaimBits*n + 18 +: 18] &&
                            (c[ClaimBits*n + 36 +: 3] != 3'd2 || 32'(c[ClaimBits*n + 18 +: 18]) < VectorWords) &&
                            (c[ClaimBits*n + 36 +: 3] != 3'd4 || 32'(c[ClaimBits*n + 18 +: 18]) < AccumulatorWords));
      end
      assign claimed[ClaimBits*Claims*(Slots*u + i) +: ClaimBits*Claims] = c;
    end
    for (genvar i = 0; i < Slots * Claims; i++) begin : gen_claimed
      logic [ClaimBits-1:0] c;
      assign c = claimed[ClaimBits*(Slots*Claims*u + i) +: ClaimBits];
      for (genvar b = 0; b < Banks; b++) begin : gen_bank
        localparam int OfVector = VectorWords / VectorBanks, OfAccumulator = AccumulatorWords / AccumulatorBanks;
        assign touched[Banks*(Slots*Claims*u + i) + b] =
            c[38:36] == 3'd2 ? c[17:0] < 18'((b + 1) * OfVector) && c[35:18] >= 18'(b * OfVector) :
            c[38:36] == 3'd4 ? c[17:0] < 18'((b + 1) * OfAccumulator) && c[35:18] >= 18'(b * OfAccumulator) : b == 0;
      end
    end
    always_comb begin
      assume (!candidate_i[u] || legal[0]);
      assume (heads_i[ViewBits*u +: ViewBits] == views[0 +: ViewBits]);
      if (rst_ni && past_reset_q && push_i[u] && word_i == head) assert (view_o[ViewBits*u +: ViewBits] == views[0 +: ViewBits]);
      assume (!candidate_i[u] || (!two_o[u] && !fresh_q[u] && !dead_q));  // a chain's credit comes later than its first
      assume (!done_i[u] || two_o[u] || (any_o[u] && !fresh_q[u]));  // no unit has seen what has just started
      if (rst_ni && past_reset_q) begin
        // Recorded at start, dropped when done, the older first.
        assert (any_o[u] == held0_q[u] && two_o[u] == held1_q[u] && (held0_q[u] || !held1_q[u]));
        assert (gen_unit[u].flights_q == 2'(held0_q[u]) + 2'(held1_q[u]));
        assert (!fresh_q[u] || held0_q[u]);
        assert (left_o[u] == (held1_q[u] || (held0_q[u] && !done_i[u])));
        assert (!held0_q[u] || (legal[1] && gen_unit[u].flight0_q == views[ViewBits +: ViewBits]));
        assert (!held1_q[u] || (legal[2] && gen_unit[u].flight1_q == views[2*ViewBits +: ViewBits]));
      end
    end
  end

  // Slots of two units, and all pairs of their claims: bit Slots * Units * x + y, for slots x and y.
  localparam int All = Slots * Units;
  logic [All*All-1:0] collides;
  for (genvar x = 0; x < All; x++) begin : gen_x
    for (genvar y = 0; y < All; y++) begin : gen_y
      if (x / Slots < y / Slots) begin : gen_pair
        logic [Claims*Claims-1:0] pairs;
        for (genvar n = 0; n < Claims * Claims; n++) begin : gen_claims
          logic [ClaimBits-1:0] p, q;
          assign p = claimed[ClaimBits*(Claims*x + n/Claims) +: ClaimBits];
          assign q = claimed[ClaimBits*(Claims*y + n%Claims) +: ClaimBits];
          localparam bit Claimed = !(n/Claims > 0 && x/Slots % 3 == 0) && !(n%Claims > 0 && y/Slots % 3 == 0);  // load, store: one
          if (Claimed) begin : gen_claimed
            assign pairs[n] = p[40] && q[40] &&
                              (((p[39] || q[39]) && words_meet(p, q)) ||
                               (p[39] == q[39] && p[38:36] == q[38:36] &&
                                (touched[Banks*(Claims*x + n/Claims) +: Banks] & touched[Banks*(Claims*y + n%Claims) +: Banks]) != '0));
          end else begin : gen_none
            assign pairs[n] = 1'b0;
          end
        end
        assign collides[All*x + y] = present[x] && present[y] && pairs != '0;
      end else if (x / Slots > y / Slots) begin : gen_mirrored
        assign collides[All*x + y] = collides[All*y + x];
      end else begin : gen_itself
        assign collides[All*x + y] = 1'b0;
      end
    end
  end
  // Of one instruction: a written interval that meets another. Only the vector unit's can: the matrix unit's reading and writing of
  // its accumulators is no hazard, the others claim but once.
  function automatic logic with_itself(input logic [ClaimBits-1:0] p, input logic [ClaimBits-1:0] written);
    with_itself = p[40] && words_meet(p, written);
  endfunction
  localparam int VectorHead = Claims * Slots * 2;
  logic itself;
  assign itself = candidate_i[2] && (with_itself(claimed[ClaimBits*VectorHead +: ClaimBits], claimed[ClaimBits*(VectorHead + 3) +: ClaimBits]) ||
                                     with_itself(claimed[ClaimBits*(VectorHead + 1) +: ClaimBits], claimed[ClaimBits*(VectorHead + 3) +: ClaimBits]) ||
                                     with_itself(claimed[ClaimBits*(VectorHead + 2) +: ClaimBits], claimed[ClaimBits*(VectorHead + 3) +: ClaimBits]));

  // Accumulators of chained matrix instructions: equal or apart.
  function automatic logic apart_or_equal(input logic [ClaimBits-1:0] p, input logic [ClaimBits-1:0] q);
    apart_or_equal = p == q || !words_meet(p, q);
  endfunction
  localparam int SumsHead = Claims * Slots + 2, SumsOlder = SumsHead + Claims, SumsYounger = SumsOlder + Claims;

  // What starts is judged one cycle later: by the claims of its cycle, kept in `expected_q`.
  logic [Units-1:0] expected, expected_q, failing, kills;
  logic broken, broken_q;
  (* anyseq *) logic fails_otherwise;  // any other error of the run
  logic [All*All-1:0] in_flight;
  logic [All-1:0] settled;  // in flight, and not to be killed
  for (genvar u = 0; u < Units; u++) begin : gen_expected
    assign expected[u] = collides[All*Slots*u +: All] != '0 || (u == 2 && itself);
    assign failing[u] = hazard_o[u] || broken_chain_o[u];
    assign kills[u] = fresh_q[u] && (dead_q || failing[u:0] != '0);  // in the order of units, the first that fails and all behind it
    assign settled[Slots*u +: Slots] = {held1_q[u] && !(kill_i[u] && held1_q[u]), held0_q[u] && !(kill_i[u] && !held1_q[u]), 1'b0};
    always_comb assume (kill_i[u] == kills[u]);
  end
  for (genvar n = 0; n < All * All; n++) begin : gen_in_flight
    assign in_flight[n] = settled[n / All] && settled[n % All] && collides[n];
  end
  assign broken = candidate_i[1] && held0_q[1] &&
                  !apart_or_equal(claimed[ClaimBits*SumsHead +: ClaimBits], claimed[ClaimBits*SumsOlder +: ClaimBits]);

  always_ff @(posedge clk_i) past_reset_q <= 1'b1;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      expected_q <= '0;
      broken_q <= 1'b0;
      dead_q <= 1'b0;
    end else begin
      expected_q <= expected;
      broken_q <= broken;
      dead_q <= !clear_i && (dead_q || kill_i != '0 || fails_otherwise);
    end
  end
  always_comb begin
    if (!past_reset_q) assume (!rst_ni);
    assume (!clear_i || candidate_i == '0);
    if (rst_ni && past_reset_q) begin
      assert (hazard_o == expected_q);  // reported exactly where the specification has one
      assert (in_flight == '0);         // no two units ever hold what collides
      assert (broken_chain_o == {2'b00, broken_q, 1'b0});
      assert (!settled[Slots + 2] || apart_or_equal(claimed[ClaimBits*SumsOlder +: ClaimBits], claimed[ClaimBits*SumsYounger +: ClaimBits]));
    end
  end
`endif

endmodule
