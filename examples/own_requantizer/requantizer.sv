// SPDX-License-Identifier: Apache-2.0
// A requantizer of one's own, written from the contract alone (`gemel explain --ports requantizer`): all arithmetic in the first
// cycle, in 64-bit numbers, then five more registers. docs/howto/bring_your_own_verilog.md walks through it.
// It knows three of the four roundings; float is left out, and lockstep says so as soon as a network asks for it.
module requantizer #(
  parameter int Lanes = 16
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  input  logic                valid_i,
  input  logic [1:0]          rounding_i,
  input  logic [32*Lanes-1:0] x_i,
  input  logic [32*Lanes-1:0] multiplier_i,
  input  logic [6*Lanes-1:0]  shift_i,
  output logic                valid_o,
  output logic [32*Lanes-1:0] y_o,
  output logic                quiet_o
);

  localparam int Latency = 6;

  function automatic logic [31:0] requantize(input logic [1:0] rounding, input logic signed [31:0] x,
                                             input logic signed [31:0] multiplier, input logic signed [5:0] shift);
    logic signed [63:0] value;
    int                 right;
    case (rounding)
      2'd0: begin  // fixed_double: rounded twice, by 31 bits and by the shift
        value = 64'(shift > 0 ? x << shift : x) * 64'(multiplier);
        value = (value + 64'sd1073741824) >>> 31;
        right = shift < 0 ? -int'(shift) : 0;
        requantize = 32'(half_away(value, right));
      end
      2'd1: begin  // fixed_single: rounded once, half up
        right = 31 - int'(shift);
        requantize = 32'((64'(x) * 64'(multiplier) + (64'sd1 <<< (right - 1))) >>> right);
      end
      2'd3: requantize = 32'(half_away(64'(x) * 64'(multiplier), 31 - int'(shift)));  // magnitude: sign restored
      default: requantize = '0;  // float: not in this one
    endcase
  endfunction

  function automatic logic signed [63:0] half_away(input logic signed [63:0] value, input int right);
    logic signed [63:0] magnitude;
    magnitude = value < 0 ? -value : value;
    if (right > 0) magnitude = (magnitude + (64'sd1 <<< (right - 1))) >>> right;
    half_away = value < 0 ? -magnitude : magnitude;
  endfunction

  logic [Latency-1:0]    valid_q;
  logic [32*Lanes-1:0]   line_q [Latency];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= '0;
      quiet_o <= 1'b1;
    end else begin
      valid_q <= {valid_q[Latency-2:0], valid_i};
      quiet_o <= !(valid_i || valid_q != '0);
    end
  end

  always_ff @(posedge clk_i) begin
    for (int i = 0; i < Lanes; i++) begin
      line_q[0][32*i +: 32] <= requantize(rounding_i, x_i[32*i +: 32], multiplier_i[32*i +: 32], shift_i[6*i +: 6]);
    end
    for (int k = 1; k < Latency; k++) line_q[k] <= line_q[k-1];
  end

  assign valid_o = valid_q[Latency-1];
  assign y_o = line_q[Latency-1];

endmodule
