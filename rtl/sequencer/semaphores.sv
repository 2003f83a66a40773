// SPDX-License-Identifier: Apache-2.0
// semaphores: the counters that instructions wait for and post to. Unit u waits for PerUnit of them, from PerUnit * u on. In one
// cycle units that are done post, and units take one each of what they wait for: posts find their room before anything is taken. A unit
// whose posts bring a count above the greatest is named; from then on counts mean nothing until they are cleared.

module semaphores #(
  parameter int Units = 4,
  parameter int PerUnit = 4,
  parameter int CountBits = 8,
  localparam int Count = Units * PerUnit
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   clear_i,
  input  logic [Count-1:0]       wait_i,     // what the head of each unit's queue waits for
  input  logic [Units-1:0]       take_i,     // it starts: only when nothing is missing
  input  logic [Units-1:0]       untake_i,   // what it took in the cycle before it did not take: the run has failed in this cycle
  input  logic [Units-1:0]       done_i,
  input  logic [Units*Count-1:0] post_i,     // per unit, what its instruction posts when done
  output logic [Count-1:0]       missing_o,  // waited for, and at zero
  output logic [Units-1:0]       overflow_o,
  output logic                   overflows_o  // any of them, sooner
);

  logic [Count*CountBits-1:0] count_q, count_now;
  logic [Count-1:0] available_q, available_now;  // those that are not zero
  logic [Count-1:0] taken, taken_q;
  logic [(Units+1)*Count-1:0] near_q, near_now;  // bit k - 1 of a semaphore: k more are too many

  // Of counts that are zero: those of few bits are near their greatest, too.
  function automatic logic [Units:0] near_zero();
    for (int k = 1; k <= Units + 1; k++) near_zero[k-1] = k >= 2 ** CountBits;
  endfunction
  localparam logic [(Units+1)*Count-1:0] NearNothing = {Count{near_zero()}};

  assign missing_o = wait_i & ~available_q;
  for (genvar s = 0; s < Count; s++) begin : gen_taken
    assign taken[s] = take_i[s/PerUnit] && wait_i[s];
  end

  logic [Units*Count-1:0] overflows;  // by the unit that is done and the semaphore
  always_comb begin
    logic [Units:0] near;   // bit k - 1, of the count as it is in truth
    logic [Units:0] least;  // least[k]: of the units up to this one k have posted at least
    logic [3:0] change;     // signed: what is posted, less what is taken
    overflows = '0;
    overflows_o = 1'b0;
    count_now = count_q;
    available_now = available_q;
    near_now = near_q;
    near = '0;
    least = '0;
    change = '0;
    if (done_i != '0 || take_i != '0) begin
      for (int s = 0; s < Count; s++) begin
        near = near_q[(Units+1)*s +: Units+1];
        if (untake_i[s/PerUnit] && taken_q[s]) near = near >> 1;
        least = (Units + 1)'(1);
        change = '0;
        for (int u = 0; u < Units; u++) begin
          if (done_i[u] && post_i[Count*u + s]) begin
            least = least << 1 | (Units + 1)'(1);
            change = change + 4'd1;
          end
          for (int k = 1; k <= Units; k++) begin
            if (done_i[u] && least[k] && near[k-1]) overflows[Count*u + s] = 1'b1;
          end
        end
        if ((least[Units:1] & near[Units-1:0]) != '0) overflows_o = 1'b1;
        change = change - 4'(taken[s]);
        count_now[CountBits*s +: CountBits] = count_q[CountBits*s +: CountBits] + CountBits'($signed(change));
        available_now[s] = count_now[CountBits*s +: CountBits] != '0;
        for (int k = 1; k <= Units + 1; k++) begin
          near_now[(Units+1)*s + k - 1] = {1'b0, count_now[CountBits*s +: CountBits]} >= (CountBits + 1)'(2 ** CountBits - k);
        end
      end
    end
  end
  for (genvar u = 0; u < Units; u++) begin : gen_overflow
    assign overflow_o[u] = overflows[Count*u +: Count] != '0;
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q <= '0;
      available_q <= '0;
      near_q <= NearNothing;
    end else if (clear_i) begin
      count_q <= '0;
      available_q <= '0;
      near_q <= NearNothing;
    end else if (done_i != '0 || take_i != '0) begin
      count_q <= count_now;
      available_q <= available_now;
      near_q <= near_now;
    end
  end
  always_ff @(posedge clk_i) taken_q <= taken;

`ifdef FORMAL
  // Proved by induction (tests/rtl/prove.py), without the order in which hardware adds: a count is all posts minus all takes since it
  // was cleared, never below zero, taken from only when not zero; exactly those who overflow one are named. A failed run proves nothing more.
  localparam int WideBits = CountBits + 4;  // enough to go wrong in: below zero is a great number
  logic past_reset_q = 1'b0, dead_q;
  logic [Units-1:0] took_q;
  logic [Units*Count-1:0] over;             // per semaphore: whose posts find no room
  logic [Units-1:0] over_any;
  for (genvar s = 0; s < Count; s++) begin : gen_expected
    logic [WideBits-1:0] value_q, there;
    logic [Units-1:0] posters;
    logic wanted_q;
    // Of so many units, those that post.
    function automatic logic [WideBits-1:0] number(input logic [Units-1:0] who, input int units);
      number = '0;
      for (int u = 0; u < units; u++) number = number + WideBits'(who[u]);
    endfunction
    assign there = value_q + WideBits'(untake_i[s/PerUnit] && wanted_q);
    for (genvar u = 0; u < Units; u++) begin : gen_poster
      assign posters[u] = done_i[u] && post_i[Count*u + s];
      assign over[Units*s + u] = done_i[u] && there + number(posters, u + 1) > WideBits'(2 ** CountBits - 1);
    end
    always_ff @(posedge clk_i) wanted_q <= wait_i[s];
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) value_q <= '0;
      else if (clear_i) value_q <= '0;
      else value_q <= value_q + number(posters, Units) - WideBits'(take_i[s/PerUnit] && wait_i[s]);
    end
    always_comb begin
      if (rst_ni && past_reset_q && !dead_q) begin
        assert (value_q == WideBits'(count_q[CountBits*s +: CountBits]));
        assert (available_q[s] == (value_q != '0));
        for (int k = 1; k <= Units + 1; k++) assert (near_q[(Units+1)*s + k - 1] == (value_q + WideBits'(k) > WideBits'(2 ** CountBits - 1)));
        assert (missing_o[s] == (wait_i[s] && value_q == '0));
        assert (taken_q[s] == (took_q[s/PerUnit] && wanted_q));
        assert (!taken_q[s] || value_q < WideBits'(2 ** CountBits - 1));
        assume (!take_i[s/PerUnit] || !missing_o[s]);  // starts take only what is there
        assert (!taken[s] || value_q != '0);
      end
    end
  end
  always_comb begin
    over_any = '0;
    for (int s = 0; s < Count; s++) over_any = over_any | over[Units*s +: Units];
  end
  always_ff @(posedge clk_i) begin
    past_reset_q <= 1'b1;
    took_q <= clear_i ? '0 : take_i;
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) dead_q <= 1'b0;
    else dead_q <= !clear_i && (dead_q || overflow_o != '0 || untake_i != '0);
  end
  always_comb begin
    if (!past_reset_q) assume (!rst_ni);
    assume (rst_ni || take_i == '0);
    assume (!clear_i || take_i == '0);
    assume ((untake_i & ~took_q) == '0);
    if (rst_ni && past_reset_q && !dead_q) assert (overflow_o == over_any && overflows_o == (over_any != '0));
  end
`endif

endmodule
