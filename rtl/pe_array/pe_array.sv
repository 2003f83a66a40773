// SPDX-License-Identifier: Apache-2.0
// pe_array: Rows x Columns multiply-accumulates, weight stationary; contract: src/blocks/pe_array/pe_array_ports.hpp.
// Everything that enters at t reaches pe (r, c) at t + r + c: activation r along row r, switch with the wavefront, weight of
// column c down column c. When the last weight row reaches row 0 of a column, every earlier row is at its final place; in that cycle
// the whole column loads its shadow registers. Sums go down; column c waits Columns-1-c cycles for the last.
`include "assertions.svh"

module pe_array #(
  parameter int Rows = 16,
  parameter int Columns = 16
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  // weights
  input  logic                  weight_valid_i,
  input  logic [9*Columns-1:0]  weight_i,
  // activations
  input  logic                  activation_valid_i,
  input  logic                  activation_switch_i,
  input  logic [9*Rows-1:0]     activation_i,
  // sums
  output logic                  sums_valid_o,
  output logic [32*Columns-1:0] sums_o,
  output logic                  quiet_o
);

  localparam int Latency = Rows + Columns - 1;
  localparam int CountWidth = $clog2(Rows + 1);

  `GEMEL_PARAMETER(RowsLegal, Rows >= 1 && Rows <= 256)
  `GEMEL_PARAMETER(ColumnsLegal, Columns >= 1 && Columns <= 256)

  // ---- Control: what is valid, and the two bits that travel with the wavefront ----

  logic [Latency-1:0]    valid_q;      // bit k: a row entered k+1 cycles ago
  logic [Latency-1:0]    switch_line;  // bit k: the first row of a pass entered k cycles ago
  logic [Columns-1:0]    load_line;    // bit c: the last weight row of a pass entered c cycles ago
  logic [CountWidth-1:0] count_q;      // weight rows of the pass that have entered
  logic                  weights_move;

  assign switch_line[0] = activation_valid_i && activation_switch_i;
  assign load_line[0] = weight_valid_i && count_q == CountWidth'(Rows - 1);
  if (Latency > 1) begin : gen_switch
    logic [Latency-2:0] switch_q;
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) switch_q <= '0;
      else switch_q <= switch_line[Latency-2:0];
    end
    assign switch_line[Latency-1:1] = switch_q;
  end
  if (Columns > 1) begin : gen_load
    logic [Columns-2:0] load_q;
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) load_q <= '0;
      else load_q <= load_line[Columns-2:0];
    end
    assign load_line[Columns-1:1] = load_q;
    assign weights_move = weight_valid_i || load_q != '0;
  end else begin : gen_no_load
    assign weights_move = weight_valid_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= '0;
      count_q <= '0;
      quiet_o <= 1'b1;
    end else begin
      valid_q <= Latency'({valid_q, activation_valid_i});
      if (weight_valid_i) count_q <= load_line[0] ? '0 : count_q + 1'b1;
      quiet_o <= !(weight_valid_i || activation_valid_i || valid_q != '0);
    end
  end
  assign sums_valid_o = valid_q[Latency-1];

  // ---- Delay lines, one per row and one per column: what entered k+1 cycles ago is at 9*k ----

  for (genvar r = 0; r < Rows; r++) begin : gen_row_line
    localparam int Places = r + Columns - 1;
    if (Places > 0) begin : gen_line
      logic [9*Places-1:0] line_q;
      always_ff @(posedge clk_i) line_q <= (9 * Places)'({line_q, activation_i[9*r +: 9]});
    end
  end
  for (genvar c = 0; c < Columns; c++) begin : gen_column_line
    localparam int Places = c + Rows - 1;
    if (Places > 0) begin : gen_line
      logic [9*Places-1:0] line_q;
      always_ff @(posedge clk_i) if (weights_move) line_q <= (9 * Places)'({line_q, weight_i[9*c +: 9]});
    end
  end

  // ---- The array: sums of row r enter row r+1 ----

  for (genvar r = 0; r < Rows; r++) begin : gen_row
    for (genvar c = 0; c < Columns; c++) begin : gen_column
      logic [8:0]  weight, activation;
      logic [31:0] sum_above, sum;
      if (r + c == 0) begin : gen_entry
        assign weight = weight_i[8:0];
        assign activation = activation_i[8:0];
      end else begin : gen_inside
        assign weight = gen_column_line[c].gen_line.line_q[9*(r + c - 1) +: 9];
        assign activation = gen_row_line[r].gen_line.line_q[9*(r + c - 1) +: 9];
      end
      if (r == 0) begin : gen_top
        assign sum_above = '0;
      end else begin : gen_below
        assign sum_above = gen_row[r - 1].gen_column[c].sum;
      end
      pe u_pe (
        .clk_i        (clk_i),
        .load_i       (load_line[c]),
        .weight_i     (weight),
        .switch_i     (switch_line[r + c]),
        .activation_i (activation),
        .sum_i        (sum_above),
        .sum_o        (sum)
      );
    end
  end

  // ---- Deskew ----

  for (genvar c = 0; c < Columns; c++) begin : gen_deskew
    localparam int Places = Columns - 1 - c;
    if (Places == 0) begin : gen_wire
      assign sums_o[32*c +: 32] = gen_row[Rows - 1].gen_column[c].sum;
    end else begin : gen_line
      logic [32*Places-1:0] line_q;
      always_ff @(posedge clk_i) line_q <= (32 * Places)'({line_q, gen_row[Rows - 1].gen_column[c].sum});
      assign sums_o[32*c +: 32] = line_q[32*(Places - 1) +: 32];
    end
  end

  // ---- Contract ----

  `GEMEL_ASSERT(WeightRowsContiguous, weight_valid_i || count_q == '0)
  `GEMEL_ASSERT(SwitchOnlyWhenLoaded, !(activation_valid_i && activation_switch_i) || count_q == '0)

endmodule
