// SPDX-License-Identifier: Apache-2.0
// requantizer: Lanes sums, multiplied and rounded in any of four ways, 6 cycles later; contract:
// src/blocks/requantizer/requantizer_ports.hpp, arithmetic: docs/reference/arithmetic.md. Sign and magnitude throughout, so one
// unsigned 32x31 multiplier per lane serves all modes:
//   1 shift left (fixed_double)            2 magnitude; float: leading one to the top (the first half of int32 -> float32)
//   3 float: to 24 bits, half to even      4 product
//   5 fixed_double: first rounding, by 31 bits; float: to 24 bits, half to even; both: what remains to shift
//   6 shift right, round, sign
module requantizer #(
  parameter int Lanes = 16
) (
  input  logic                clk_i,
  input  logic                rst_ni,
  // in
  input  logic                valid_i,
  input  logic [1:0]          rounding_i,
  input  logic [32*Lanes-1:0] x_i,
  input  logic [32*Lanes-1:0] multiplier_i,
  input  logic [6*Lanes-1:0]  shift_i,
  // out
  output logic                valid_o,
  output logic [32*Lanes-1:0] y_o,
  output logic                quiet_o
);

  localparam int Latency = 6;

  // Leading zeros (0..31) of a value that is not 0, and the value without them. 0 stays 0.
  function automatic logic [36:0] normalized(input logic [31:0] value);
    logic [31:0] v;
    logic [4:0]  zeros;
    v = value;
    zeros = '0;
    if (v[31:16] == '0) begin
      v = v << 16;
      zeros[4] = 1'b1;
    end
    if (v[31:24] == '0) begin
      v = v << 8;
      zeros[3] = 1'b1;
    end
    if (v[31:28] == '0) begin
      v = v << 4;
      zeros[2] = 1'b1;
    end
    if (v[31:30] == '0) begin
      v = v << 2;
      zeros[1] = 1'b1;
    end
    if (!v[31]) begin
      v = v << 1;
      zeros[0] = 1'b1;
    end
    normalized = {zeros, v};
  endfunction

  // ---- Control ----

  logic [Latency-1:0] valid_q;    // bit k: a row entered k+1 cycles ago
  logic [1:0] rounding1_q, rounding2_q, rounding3_q, rounding4_q, rounding5_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= '0;
      quiet_o <= 1'b1;
    end else begin
      valid_q <= {valid_q[Latency-2:0], valid_i};
      quiet_o <= !(valid_i || valid_q != '0);
    end
  end
  assign valid_o = valid_q[Latency-1];

  always_ff @(posedge clk_i) begin
    rounding1_q <= rounding_i;
    rounding2_q <= rounding1_q;
    rounding3_q <= rounding2_q;
    rounding4_q <= rounding3_q;
    rounding5_q <= rounding4_q;
  end

  // ---- Lanes ----

  for (genvar i = 0; i < Lanes; i++) begin : gen_lane
    // 1
    logic [31:0] x1_q;
    logic [30:0] multiplier1_q;  // of a float scale: without the sign
    logic [5:0]  shift1_q;
    always_ff @(posedge clk_i) begin
      if (valid_i) begin
        x1_q <= rounding_i == isa_pkg::RoundingFixedDouble && !shift_i[6*i + 5] ?
                x_i[32*i +: 32] << shift_i[6*i +: 5] : x_i[32*i +: 32];
        multiplier1_q <= multiplier_i[32*i +: 31];
        shift1_q <= shift_i[6*i +: 6];
      end
    end

    // 2
    logic        negative2_q;
    logic [31:0] magnitude1;
    logic [36:0] magnitude2_q;   // above bit 31: leading zeros that were removed
    logic [30:0] multiplier2_q;
    logic [5:0]  shift2_q;
    assign magnitude1 = x1_q[31] ? -x1_q : x1_q;
    always_ff @(posedge clk_i) begin
      if (valid_q[0]) begin
        negative2_q <= x1_q[31];
        magnitude2_q <= rounding1_q == isa_pkg::RoundingFloat ? normalized(magnitude1) : {5'd0, magnitude1};
        multiplier2_q <= multiplier1_q;
        shift2_q <= shift1_q;
      end
    end

    // 3. right3_q: fixed: what to shift right at the end; float: the same less one bit, which the product decides.
    logic              negative3_q, even2;
    logic [31:0]       a3_q;
    logic [30:0]       b3_q;
    logic signed [9:0] right3_q;
    assign even2 = magnitude2_q[7] && (magnitude2_q[6:0] != '0 || magnitude2_q[8]);
    always_ff @(posedge clk_i) begin
      if (valid_q[1]) begin
        negative3_q <= negative2_q;
        if (rounding2_q == isa_pkg::RoundingFloat) begin
          // Value = a * b * 2^(exponent - 150 + 8 - zeros). A scale that is subnormal or 0 makes 0.
          a3_q <= multiplier2_q[30:23] == '0 ? '0 : {7'd0, {1'b0, magnitude2_q[31:8]} + {24'd0, even2}};
          b3_q <= {7'd0, 1'b1, multiplier2_q[22:0]};
          right3_q <= 10'sd125 + $signed({5'd0, magnitude2_q[36:32]}) - $signed({2'd0, multiplier2_q[30:23]});
        end else begin
          a3_q <= magnitude2_q[31:0];
          b3_q <= multiplier2_q;
          right3_q <= rounding2_q != isa_pkg::RoundingFixedDouble ? 10'sd31 - $signed({{4{shift2_q[5]}}, shift2_q}) :
                      shift2_q[5] ? -$signed({{4{shift2_q[5]}}, shift2_q}) : '0;
        end
      end
    end

    // 4
    logic              negative4_q;
    logic [62:0]       product4_q;
    logic signed [9:0] right4_q;
    always_ff @(posedge clk_i) begin
      if (valid_q[2]) begin
        negative4_q <= negative3_q;
        product4_q <= {31'd0, a3_q} * {32'd0, b3_q};
        right4_q <= right3_q;
      end
    end

    // 5. float: the product of two normalized numbers has 47 or 48 bits; `scaled` is what it is rounded to, times 2^7.
    logic              negative5_q, high4, even4;
    logic [62:0]       value5_q;
    logic [5:0]        right5_q;
    logic [23:0]       kept4;
    logic [24:0]       scaled4;
    logic signed [9:0] shifted4;
    assign high4 = product4_q[47];
    assign kept4 = high4 ? product4_q[47:24] : product4_q[46:23];
    assign even4 = high4 ? product4_q[23] && (product4_q[22:0] != '0 || kept4[0]) :
                           product4_q[22] && (product4_q[21:0] != '0 || kept4[0]);
    assign scaled4 = {1'b0, kept4} + {24'd0, even4};
    assign shifted4 = high4 ? right4_q : right4_q + 10'sd1;
    always_ff @(posedge clk_i) begin
      if (valid_q[3]) begin
        negative5_q <= negative4_q;
        if (rounding4_q == isa_pkg::RoundingFloat) begin
          if (product4_q[47:46] == '0) begin
            value5_q <= '0;
            right5_q <= '0;
          end else if (shifted4 < 10'sd0 || (shifted4 == 10'sd0 && scaled4[24])) begin
            value5_q <= 63'h7fffffff;
            right5_q <= '0;
          end else begin
            value5_q <= {31'd0, scaled4, 7'd0};
            right5_q <= shifted4 > 10'sd63 ? 6'd63 : shifted4[5:0];
          end
        end else if (rounding4_q == isa_pkg::RoundingFixedDouble) begin
          // Half up, of the signed value.
          value5_q <= {31'd0, product4_q[62:31]} + {62'd0, product4_q[30] && (!negative4_q || product4_q[29:0] != '0)};
          right5_q <= right4_q[5:0];
        end else begin
          value5_q <= product4_q;
          right5_q <= right4_q[5:0];
        end
      end
    end

    // 6. `shifted` has one bit behind the point.
    logic [32:0] shifted5;
    logic        half5, rest5, up5;
    logic [31:0] y_q;
    assign shifted5 = 33'({value5_q, 1'b0} >> right5_q);
    assign half5 = shifted5[0];
    assign rest5 = ({value5_q, 1'b0} & ~(64'hffff_ffff_ffff_ffff << right5_q)) != '0;
    assign up5 = rounding5_q == isa_pkg::RoundingFixedSingle ? half5 && (!negative5_q || rest5) :
                 rounding5_q == isa_pkg::RoundingFloat ? half5 && (rest5 || shifted5[1]) : half5;
    always_ff @(posedge clk_i) begin
      // -(v + up) is ~v + !up
      if (valid_q[4]) y_q <= (negative5_q ? ~shifted5[32:1] : shifted5[32:1]) + {31'd0, negative5_q ^ up5};
    end
    assign y_o[32*i +: 32] = y_q;
  end

endmodule
