// SPDX-License-Identifier: Apache-2.0
// requantizer: Lanes sums, multiplied and rounded in any of four ways, 6 cycles later; contract:
// src/blocks/requantizer/requantizer_ports.hpp, arithmetic: docs/reference/arithmetic.md. Sign and magnitude throughout, so one
// unsigned 32x31 multiplier per lane serves all modes:
//   1 fixed_double: shift left;            2 fixed: magnitude; float: leading one near the top
//     float: magnitude
//   3 float: leading one to the top, to    4 product
//     24 bits, half to even: float32
//   5 fixed_double: first rounding, by 31 bits; float: to 24 bits, half to even; both: what remains to shift
//   6 shift right, round, sign
// Stages are functions, called where a register is enabled: what they compute costs a simulator nothing while they are idle.
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

  // 2, float: a value without its leading zeros as far as they come in fours, and how many fours of them there were (0..7).
  function automatic logic [34:0] without_fours(input logic [31:0] value);
    logic [31:0] v;
    logic [2:0]  fours;
    v = value;
    fours = '0;
    if (v[31:16] == '0) begin
      v = v << 16;
      fours[2] = 1'b1;
    end
    if (v[31:24] == '0) begin
      v = v << 8;
      fours[1] = 1'b1;
    end
    if (v[31:28] == '0) begin
      v = v << 4;
      fours[0] = 1'b1;
    end
    without_fours = {fours, v};
  endfunction

  // 3, float: leading zeros that such a value has left (0..3; 3 of 0, which stays 0).
  function automatic logic [1:0] zeros(input logic [2:0] top);
    zeros = top[2:1] == '0 ? {1'b1, !top[0]} : {1'b0, !top[2]};
  endfunction

  // 3, float: the value without them to 24 bits, half to even; 25 bits, for it may become 2^24.
  function automatic logic [24:0] mantissa(input logic [31:0] value);
    logic [31:0] v;
    v = value << zeros(value[31:29]);
    mantissa = {1'b0, v[31:8]} + {24'd0, v[7] && (v[6:0] != '0 || v[8])};
  endfunction

  // 5, float: the product of two normalized numbers, 47 or 48 bits of it, to 24 bits, half to even; 25 bits as above.
  function automatic logic [24:0] significant(input logic [47:0] product);
    if (product[47]) significant = {1'b0, product[47:24]} + {24'd0, product[23] && (product[22:0] != '0 || product[24])};
    else significant = {1'b0, product[46:23]} + {24'd0, product[22] && (product[21:0] != '0 || product[23])};
  endfunction

  // 5, float: whether the magnitude is 2^31 or more. `remaining` is what is left to shift right.
  function automatic logic saturates(input logic carry, input logic [9:0] remaining);
    saturates = remaining[9] || (remaining == '0 && carry);
  endfunction

  // 5: a magnitude. The first rounding of fixed_double is half up, of the signed value.
  function automatic logic [62:0] first_value(input logic [1:0] rounding, input logic negative, input logic [62:0] product,
                                              input logic [9:0] right);
    logic [24:0] kept;
    if (rounding == isa_pkg::RoundingFloat) begin
      kept = significant(product[47:0]);
      if (product[47:46] == '0) first_value = '0;
      else if (saturates(kept[24], right + 10'(!product[47]))) first_value = 63'h7fffffff;
      else first_value = {31'd0, kept, 7'd0};
    end else if (rounding == isa_pkg::RoundingFixedDouble) begin
      first_value = {31'd0, product[62:31]} + {62'd0, product[30] && (!negative || product[29:0] != '0)};
    end else begin
      first_value = product;
    end
  endfunction

  // 5: how far it is to be shifted right; anything from 33 on makes 0 of a float's value.
  function automatic logic [5:0] first_right(input logic [1:0] rounding, input logic [47:0] product, input logic [9:0] right);
    logic [24:0] kept;
    logic [9:0]  remaining;
    first_right = right[5:0];
    if (rounding == isa_pkg::RoundingFloat) begin
      kept = significant(product);
      remaining = right + 10'(!product[47]);
      if (saturates(kept == 25'h1000000, remaining)) first_right = '0;
      else if (remaining[8:6] != '0) first_right = 6'd63;
      else first_right = remaining[5:0];
    end
  endfunction

  // 6: `shifted` has one bit behind the point. fixed_single: half up; float: half to even; else half away from zero.
  function automatic logic [31:0] second_rounding(input logic [1:0] rounding, input logic negative, input logic [62:0] value,
                                                  input logic [5:0] right);
    logic [32:0] shifted;
    logic        rest, up;
    shifted = 33'({value, 1'b0} >> right);
    rest = ({value, 1'b0} & ~(64'hffff_ffff_ffff_ffff << right)) != '0;
    up = shifted[0];
    if (rounding == isa_pkg::RoundingFixedSingle) up = shifted[0] && (!negative || rest);
    if (rounding == isa_pkg::RoundingFloat) up = shifted[0] && (rest || shifted[1]);
    // -(v + up) is ~v + !up
    second_rounding = (negative ? ~shifted[32:1] : shifted[32:1]) + {31'd0, negative ^ up};
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
    logic [31:0] x, magnitude;
    logic        negative1_q;
    logic [31:0] x1_q;           // float: its magnitude
    logic [30:0] multiplier1_q;  // of a float scale: without the sign
    logic [5:0]  shift1_q;
    logic [31:0] shifted;
    assign x = x_i[32*i +: 32];
    assign magnitude = x[31] ? -x : x;
    assign shifted = x << shift_i[6*i +: 5];
    always_ff @(posedge clk_i) begin
      if (valid_i) begin
        negative1_q <= x[31];
        x1_q <= x;
        if (rounding_i == isa_pkg::RoundingFloat) x1_q <= magnitude;
        else if (rounding_i == isa_pkg::RoundingFixedDouble && !shift_i[6*i + 5]) begin
          negative1_q <= shifted[31];
          x1_q <= shifted;
        end
        multiplier1_q <= multiplier_i[32*i +: 31];
        shift1_q <= shift_i[6*i +: 6];
      end
    end

    // 2
    logic        negative2_q;
    logic [34:0] magnitude2_q;   // above bit 31: leading zeros that were removed, in fours
    logic [30:0] multiplier2_q;
    logic [5:0]  shift2_q;
    always_ff @(posedge clk_i) begin
      if (valid_q[0]) begin
        negative2_q <= negative1_q;
        magnitude2_q <= rounding1_q == isa_pkg::RoundingFloat ? without_fours(x1_q) : {3'd0, negative1_q ? -x1_q : x1_q};
        multiplier2_q <= multiplier1_q;
        shift2_q <= shift1_q;
      end
    end

    // 3. right3_q: fixed: what to shift right at the end; float: the same less one bit, which the product decides.
    logic              negative3_q;
    logic [31:0]       a3_q;
    logic [30:0]       b3_q;
    logic [9:0]        right3_q;
    always_ff @(posedge clk_i) begin
      if (valid_q[1]) begin
        negative3_q <= negative2_q;
        if (rounding2_q == isa_pkg::RoundingFloat) begin
          // Value = a * b * 2^(exponent - 150 + 8 - zeros). A scale that is subnormal or 0 makes 0.
          a3_q <= multiplier2_q[30:23] == '0 ? '0 : {7'd0, mantissa(magnitude2_q[31:0])};
          b3_q <= {7'd0, 1'b1, multiplier2_q[22:0]};
          right3_q <= 10'sd125 + $signed({5'd0, magnitude2_q[34:32], zeros(magnitude2_q[31:29])}) - $signed({2'd0, multiplier2_q[30:23]});
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
    logic [9:0]        right4_q;
    always_ff @(posedge clk_i) begin
      if (valid_q[2]) begin
        negative4_q <= negative3_q;
        product4_q <= {31'd0, a3_q} * {32'd0, b3_q};
        right4_q <= right3_q;
      end
    end

    // 5
    logic        negative5_q;
    logic [62:0] value5_q;
    logic [5:0]  right5_q;
    always_ff @(posedge clk_i) begin
      if (valid_q[3]) begin
        negative5_q <= negative4_q;
        value5_q <= first_value(rounding4_q, negative4_q, product4_q, right4_q);
        right5_q <= first_right(rounding4_q, product4_q[47:0], right4_q);
      end
    end

    // 6
    logic [31:0] y_q;
    always_ff @(posedge clk_i) begin
      if (valid_q[4]) y_q <= second_rounding(rounding5_q, negative5_q, value5_q, right5_q);
    end
    assign y_o[32*i +: 32] = y_q;
  end

endmodule
