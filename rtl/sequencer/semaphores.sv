// SPDX-License-Identifier: Apache-2.0
// semaphores: the counters that instructions wait for and post to. Unit u waits for PerUnit of them, from PerUnit * u on. In one
// cycle units take one each of what they wait for, and units that are done post: all of it counts. A unit whose posts bring a count
// above the greatest is named; the counts are then not to be kept, which `keep_i` says.

module semaphores #(
  parameter int Units = 4,
  parameter int PerUnit = 4,
  parameter int CountBits = 8,
  localparam int Count = Units * PerUnit
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   clear_i,
  input  logic                   keep_i,     // nothing of this cycle counts: the run has failed
  input  logic [Count-1:0]       wait_i,     // what the head of each unit's queue waits for
  input  logic [Units-1:0]       take_i,     // it starts: only when nothing is missing
  input  logic [Units-1:0]       done_i,
  input  logic [Units*Count-1:0] post_i,     // per unit, what its instruction posts when done
  output logic [Count-1:0]       missing_o,  // waited for, and at zero
  output logic [Units-1:0]       overflow_o
);

  logic [Count*CountBits-1:0] count_q, count_now;
  logic [Count-1:0] available_q, available_now;  // those that are not zero

  assign missing_o = wait_i & ~available_q;

  // `take_i` comes late, behind all that decides about starts. So overflows are found without it, in two kinds: those that a take
  // averts, and the others; by the unit that is done and the semaphore.
  logic [Units*Count-1:0] overflows, overflows_untaken;
  always_comb begin
    logic [Units:0] near;        // near[k]: k more are too many
    logic [Units+1:0] least;     // least[k]: of the units up to this one k have posted at least
    logic [3:0] posts;           // signed: less what is taken
    logic taken;
    overflows = '0;
    overflows_untaken = '0;
    count_now = count_q;
    available_now = available_q;
    near = '0;
    least = '0;
    posts = '0;
    taken = 1'b0;
    if (done_i != '0 || take_i != '0) begin
      for (int s = 0; s < Count; s++) begin
        for (int k = 1; k <= Units; k++) near[k] = count_q[CountBits*s +: CountBits] >= CountBits'(2 ** CountBits - k);
        least = (Units + 2)'(1);
        posts = '0;
        for (int u = 0; u < Units; u++) begin
          if (done_i[u] && post_i[Count*u + s]) begin
            least = least << 1 | (Units + 2)'(1);
            posts = posts + 4'd1;
          end
          for (int k = 1; k <= Units; k++) begin
            if (done_i[u] && least[k] && near[k]) begin
              if (least[k+1] || !wait_i[s]) overflows[Count*u + s] = 1'b1;
              overflows_untaken[Count*u + s] = 1'b1;
            end
          end
        end
        taken = take_i[s/PerUnit] && wait_i[s];
        posts = posts - 4'(taken);
        count_now[CountBits*s +: CountBits] = count_q[CountBits*s +: CountBits] + CountBits'($signed(posts));
        available_now[s] = count_now[CountBits*s +: CountBits] != '0;
      end
    end
  end
  for (genvar u = 0; u < Units; u++) begin : gen_overflow
    logic [Units-1:0] untaken;  // by who would take
    for (genvar v = 0; v < Units; v++) begin : gen_taker
      assign untaken[v] = overflows_untaken[Count*u + PerUnit*v +: PerUnit] != '0;
    end
    assign overflow_o[u] = overflows[Count*u +: Count] != '0 || (untaken & ~take_i) != '0;
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q <= '0;
      available_q <= '0;
    end else if (clear_i) begin
      count_q <= '0;
      available_q <= '0;
    end else if ((done_i != '0 || take_i != '0) && !keep_i) begin
      count_q <= count_now;
      available_q <= available_now;
    end
  end

`ifdef FORMAL
  // Proved by induction (tests/rtl/prove.py), without the order in which hardware adds: a count is all posts minus all takes since it
  // was cleared, never below zero, taken from only when not zero; exactly those who overflow one are named.
  localparam int WideBits = CountBits + 4;  // enough to go wrong in: below zero is a great number
  logic past_reset_q = 1'b0;
  logic [Units*Count-1:0] over;             // per semaphore: whose posts find no room
  logic [Units-1:0] over_any;
  for (genvar s = 0; s < Count; s++) begin : gen_expected
    logic [WideBits-1:0] value_q, rest;
    logic [Units-1:0] posters;
    logic taken;
    // Of so many units, those that post.
    function automatic logic [WideBits-1:0] number(input logic [Units-1:0] who, input int units);
      number = '0;
      for (int u = 0; u < units; u++) number = number + WideBits'(who[u]);
    endfunction
    assign taken = take_i[s/PerUnit] && wait_i[s];
    assign rest = value_q - WideBits'(taken);
    for (genvar u = 0; u < Units; u++) begin : gen_poster
      assign posters[u] = done_i[u] && post_i[Count*u + s];
      assign over[Units*s + u] = done_i[u] && rest + number(posters, u + 1) > WideBits'(2 ** CountBits - 1);
    end
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) value_q <= '0;
      else if (clear_i) value_q <= '0;
      else if (!keep_i) value_q <= rest + number(posters, Units);
    end
    always_comb begin
      if (rst_ni && past_reset_q) begin
        assert (value_q == WideBits'(count_q[CountBits*s +: CountBits]));
        assert (available_q[s] == (value_q != '0));
        assert (missing_o[s] == (wait_i[s] && value_q == '0));
        assume (!take_i[s/PerUnit] || !missing_o[s]);  // starts take only what is there
        assert (!taken || value_q != '0);
      end
    end
  end
  always_comb begin
    over_any = '0;
    for (int s = 0; s < Count; s++) over_any = over_any | over[Units*s +: Units];
  end
  always_ff @(posedge clk_i) past_reset_q <= 1'b1;
  always_comb begin
    if (!past_reset_q) assume (!rst_ni);
    if (rst_ni && past_reset_q) begin
      assume (over_any == '0 || keep_i);  // an overflow fails the run
      assert (overflow_o == over_any);
    end
  end
`endif

endmodule
