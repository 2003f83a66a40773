// SPDX-License-Identifier: Apache-2.0
// ECP5 primitives for simulation, as far as `gemel fpga` uses them: what the netlists that it writes are made of. Behaviour: Lattice's FPGA
// Libraries Reference Guide. A parameter that is not here is not supported: a simulator then says that it does not know it.

module LUT4 #(parameter [15:0] INIT = 16'h0) (input A, B, C, D, output Z);
  assign Z = INIT[{D, C, B, A}];
endmodule

// Multiplexers that join LUTs.
module PFUMX (input ALUT, BLUT, C0, output Z);
  assign Z = C0 ? ALUT : BLUT;
endmodule

module L6MUX21 (input D0, D1, SD, output Z);
  assign Z = SD ? D1 : D0;
endmodule

// Two bits of a carry chain: a LUT of four inputs each, XORed with the carry; the LUT's lowest quarter generates where the LUT does not propagate.
// INJECT1_x = "YES" cuts the chain before bit x.
module CCU2C #(
  parameter [15:0] INIT0 = 16'h0, INIT1 = 16'h0,
  parameter INJECT1_0 = "YES", INJECT1_1 = "YES"
) (
  input CIN, A0, B0, C0, D0, A1, B1, C1, D1,
  output S0, S1, COUT
);
  wire propagate0 = INIT0[{D0, C0, B0, A0}], propagate1 = INIT1[{D1, C1, B1, A1}];
  wire generate0 = INJECT1_0 != "YES" && INIT0[{2'b00, B0, A0}], generate1 = INJECT1_1 != "YES" && INIT1[{2'b00, B1, A1}];
  wire carry1 = propagate0 ? CIN : generate0;
  assign S0 = propagate0 ^ (INJECT1_0 != "YES" && CIN);
  assign S1 = propagate1 ^ (INJECT1_1 != "YES" && carry1);
  assign COUT = propagate1 ? carry1 : generate1;
endmodule

module TRELLIS_FF #(
  parameter GSR = "DISABLED", CEMUX = "CE", CLKMUX = "CLK", LSRMUX = "LSR", SRMODE = "LSR_OVER_CE", REGSET = "RESET"
) (
  input CLK, LSR, CE, DI,
  output reg Q
);
  wire enable = CEMUX == "1" || (CEMUX == "INV" ? !CE : CEMUX == "CE" && CE);
  wire set = LSRMUX == "INV" ? !LSR : LSR;
  wire clock = CLKMUX == "INV" ? !CLK : CLK;
  generate
    if (SRMODE == "ASYNC") begin : asynchronous
      always @(posedge clock or posedge set) if (set) Q <= REGSET == "SET"; else if (enable) Q <= DI;
    end else begin : synchronous
      always @(posedge clock) if (set) Q <= REGSET == "SET"; else if (enable) Q <= DI;
    end
  endgenerate
endmodule

// 16 words of 4 bits in LUTs: written by the clock, read without.
module TRELLIS_DPR16X4 #(parameter WCKMUX = "WCK", WREMUX = "WRE", parameter [63:0] INITVAL = 64'h0) (
  input [3:0] DI, WAD, RAD,
  input WRE, WCK,
  output [3:0] DO
);
  reg [3:0] memory [0:15];
  integer k;
  initial for (k = 0; k < 16; k = k + 1) memory[k] = INITVAL[4*k +: 4];
  wire clock = WCKMUX == "INV" ? !WCK : WCK;
  always @(posedge clock) if (WREMUX == "INV" ? !WRE : WRE) memory[WAD] <= DI;
  assign DO = memory[RAD];
endmodule

// A product of 18 x 18 bits without registers.
module MULT18X18D (
  input A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17,
  input B0, B1, B2, B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17,
  input C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13, C14, C15, C16, C17,
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
  output P0, P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P12, P13, P14, P15, P16, P17, P18, P19, P20, P21, P22, P23, P24, P25, P26, P27, P28, P29,
  P30, P31, P32, P33, P34, P35
);
  wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
  wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
  wire signed [36:0] product = $signed({SIGNEDA && a[17], a}) * $signed({SIGNEDB && b[17], b});
  assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8,
  P7, P6, P5, P4, P3, P2, P1, P0} = product[35:0];
endmodule

// A RAM block of 16 Kbit (18 with the ninth bits of bytes) with two ports of 1, 2, 4, 9 or 18 bits, its words zero at first. In 18 bits the two lowest
// bits of the address enable the bytes. A port that writes keeps what it read before ("NORMAL"), reads the old or the new word.
// In 36 bits A only writes and B only reads: the lower half of a word is on the data pins of A, the upper on those of B, and four bits of the address
// enable the bytes.
module DP16KD #(
  parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18, REGMODE_A = "NOREG", REGMODE_B = "NOREG",
  parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC", CSDECODE_A = "0b000", CSDECODE_B = "0b000",
  parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB", WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL", GSR = "DISABLED",
  parameter [319:0] INITVAL_00 = 320'h0, INITVAL_01 = 320'h0, INITVAL_02 = 320'h0, INITVAL_03 = 320'h0, INITVAL_04 = 320'h0, INITVAL_05 = 320'h0,
  INITVAL_06 = 320'h0, INITVAL_07 = 320'h0, INITVAL_08 = 320'h0, INITVAL_09 = 320'h0, INITVAL_0A = 320'h0, INITVAL_0B = 320'h0, INITVAL_0C = 320'h0,
  INITVAL_0D = 320'h0, INITVAL_0E = 320'h0, INITVAL_0F = 320'h0, INITVAL_10 = 320'h0, INITVAL_11 = 320'h0, INITVAL_12 = 320'h0, INITVAL_13 = 320'h0,
  INITVAL_14 = 320'h0, INITVAL_15 = 320'h0, INITVAL_16 = 320'h0, INITVAL_17 = 320'h0, INITVAL_18 = 320'h0, INITVAL_19 = 320'h0, INITVAL_1A = 320'h0,
  INITVAL_1B = 320'h0, INITVAL_1C = 320'h0, INITVAL_1D = 320'h0, INITVAL_1E = 320'h0, INITVAL_1F = 320'h0, INITVAL_20 = 320'h0, INITVAL_21 = 320'h0,
  INITVAL_22 = 320'h0, INITVAL_23 = 320'h0, INITVAL_24 = 320'h0, INITVAL_25 = 320'h0, INITVAL_26 = 320'h0, INITVAL_27 = 320'h0, INITVAL_28 = 320'h0,
  INITVAL_29 = 320'h0, INITVAL_2A = 320'h0, INITVAL_2B = 320'h0, INITVAL_2C = 320'h0, INITVAL_2D = 320'h0, INITVAL_2E = 320'h0, INITVAL_2F = 320'h0,
  INITVAL_30 = 320'h0, INITVAL_31 = 320'h0, INITVAL_32 = 320'h0, INITVAL_33 = 320'h0, INITVAL_34 = 320'h0, INITVAL_35 = 320'h0, INITVAL_36 = 320'h0,
  INITVAL_37 = 320'h0, INITVAL_38 = 320'h0, INITVAL_39 = 320'h0, INITVAL_3A = 320'h0, INITVAL_3B = 320'h0, INITVAL_3C = 320'h0, INITVAL_3D = 320'h0,
  INITVAL_3E = 320'h0, INITVAL_3F = 320'h0
) (
  input DIA0, DIA1, DIA2, DIA3, DIA4, DIA5, DIA6, DIA7, DIA8, DIA9, DIA10, DIA11, DIA12, DIA13, DIA14, DIA15, DIA16, DIA17,
  input ADA0, ADA1, ADA2, ADA3, ADA4, ADA5, ADA6, ADA7, ADA8, ADA9, ADA10, ADA11, ADA12, ADA13,
  input CEA, OCEA, CLKA, WEA, RSTA, CSA0, CSA1, CSA2,
  output DOA0, DOA1, DOA2, DOA3, DOA4, DOA5, DOA6, DOA7, DOA8, DOA9, DOA10, DOA11, DOA12, DOA13, DOA14, DOA15, DOA16, DOA17,
  input DIB0, DIB1, DIB2, DIB3, DIB4, DIB5, DIB6, DIB7, DIB8, DIB9, DIB10, DIB11, DIB12, DIB13, DIB14, DIB15, DIB16, DIB17,
  input ADB0, ADB1, ADB2, ADB3, ADB4, ADB5, ADB6, ADB7, ADB8, ADB9, ADB10, ADB11, ADB12, ADB13,
  input CEB, OCEB, CLKB, WEB, RSTB, CSB0, CSB1, CSB2,
  output DOB0, DOB1, DOB2, DOB3, DOB4, DOB5, DOB6, DOB7, DOB8, DOB9, DOB10, DOB11, DOB12, DOB13, DOB14, DOB15, DOB16, DOB17
);
  generate
    if (REGMODE_A != "NOREG" || REGMODE_B != "NOREG" || CSDECODE_A != "0b000" || CSDECODE_B != "0b000") begin : other
      initial $fatal(1, "DP16KD: output registers and chip selects are not simulated");
    end
    if (DATA_WIDTH_A > 18 && DATA_WIDTH_A != 36 || DATA_WIDTH_B > 18 && DATA_WIDTH_B != 36) begin : width
      initial $fatal(1, "DP16KD: a port has 1, 2, 4, 9, 18 or 36 bits");
    end
    if (DATA_WIDTH_A == 36 || DATA_WIDTH_B == 36) begin : wide
      always @(posedge CLKB) if (CEB && WEB) $fatal(1, "DP16KD: in 36 bits only A writes");
    end
    if (RESETMODE != "SYNC") begin : asynchronous
      always @(posedge RSTA or posedge RSTB) $fatal(1, "DP16KD: asynchronous resets are not simulated");
    end
  endgenerate
  reg [8:0] bytes [0:2047];
  integer k;
  initial for (k = 0; k < 2048; k = k + 1) bytes[k] = 9'h0;

  wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  wire [17:0] in_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [17:0] in_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
  wire clock_a = CLKAMUX == "INV" ? !CLKA : CLKA;
  reg [17:0] out_a;
  reg [35:0] wide_out;
  reg [17:0] old_a, new_a;
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} =
    DATA_WIDTH_B == 36 ? wide_out[17:0] : out_a;
  always @(posedge clock_a) begin
    old_a = DATA_WIDTH_A == 18 ? {bytes[{address_a[13:4], 1'b1}], bytes[{address_a[13:4], 1'b0}]} : {9'h0, bytes[address_a[13:3]]};
    new_a = old_a;
    if (DATA_WIDTH_A == 18) begin
      if (address_a[0]) new_a[8:0] = in_a[8:0];
      if (address_a[1]) new_a[17:9] = in_a[17:9];
    end else if (DATA_WIDTH_A == 9) new_a[8:0] = in_a[8:0];
    else if (DATA_WIDTH_A == 4) new_a[4*address_a[2] +: 4] = in_a[3:0];
    else if (DATA_WIDTH_A == 2) new_a[2*address_a[2:1] +: 2] = in_a[1:0];
    else new_a[address_a[2:0]] = in_a[0];
    if (CEA && WEA) begin
      if (DATA_WIDTH_A == 36) begin
        if (address_a[0]) bytes[{address_a[13:5], 2'd0}] <= in_a[8:0];
        if (address_a[1]) bytes[{address_a[13:5], 2'd1}] <= in_a[17:9];
        if (address_a[2]) bytes[{address_a[13:5], 2'd2}] <= in_b[8:0];
        if (address_a[3]) bytes[{address_a[13:5], 2'd3}] <= in_b[17:9];
      end else if (DATA_WIDTH_A == 18) begin
        bytes[{address_a[13:4], 1'b0}] <= new_a[8:0];
        bytes[{address_a[13:4], 1'b1}] <= new_a[17:9];
      end else bytes[address_a[13:3]] <= new_a[8:0];
    end
    if (DATA_WIDTH_A == 4) begin
      old_a[3:0] = old_a[4*address_a[2] +: 4];
      new_a[3:0] = new_a[4*address_a[2] +: 4];
    end else if (DATA_WIDTH_A == 2) begin
      old_a[1:0] = old_a[2*address_a[2:1] +: 2];
      new_a[1:0] = new_a[2*address_a[2:1] +: 2];
    end else if (DATA_WIDTH_A == 1) begin
      old_a[0] = old_a[address_a[2:0]];
      new_a[0] = new_a[address_a[2:0]];
    end
    if (CEA) begin
      if (RSTA) out_a <= 18'h0;
      else if (!WEA || WRITEMODE_A == "READBEFOREWRITE") out_a <= old_a;
      else if (WRITEMODE_A == "WRITETHROUGH") out_a <= new_a;
    end
  end

  wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
  wire clock_b = CLKBMUX == "INV" ? !CLKB : CLKB;
  reg [17:0] out_b;
  reg [17:0] old_b, new_b;
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} =
    DATA_WIDTH_B == 36 ? wide_out[35:18] : out_b;
  always @(posedge clock_b) begin
    old_b = DATA_WIDTH_B == 18 ? {bytes[{address_b[13:4], 1'b1}], bytes[{address_b[13:4], 1'b0}]} : {9'h0, bytes[address_b[13:3]]};
    new_b = old_b;
    if (DATA_WIDTH_B == 18) begin
      if (address_b[0]) new_b[8:0] = in_b[8:0];
      if (address_b[1]) new_b[17:9] = in_b[17:9];
    end else if (DATA_WIDTH_B == 9) new_b[8:0] = in_b[8:0];
    else if (DATA_WIDTH_B == 4) new_b[4*address_b[2] +: 4] = in_b[3:0];
    else if (DATA_WIDTH_B == 2) new_b[2*address_b[2:1] +: 2] = in_b[1:0];
    else new_b[address_b[2:0]] = in_b[0];
    if (CEB && WEB) begin
      if (DATA_WIDTH_B == 18) begin
        bytes[{address_b[13:4], 1'b0}] <= new_b[8:0];
        bytes[{address_b[13:4], 1'b1}] <= new_b[17:9];
      end else bytes[address_b[13:3]] <= new_b[8:0];
    end
    if (DATA_WIDTH_B == 4) begin
      old_b[3:0] = old_b[4*address_b[2] +: 4];
      new_b[3:0] = new_b[4*address_b[2] +: 4];
    end else if (DATA_WIDTH_B == 2) begin
      old_b[1:0] = old_b[2*address_b[2:1] +: 2];
      new_b[1:0] = new_b[2*address_b[2:1] +: 2];
    end else if (DATA_WIDTH_B == 1) begin
      old_b[0] = old_b[address_b[2:0]];
      new_b[0] = new_b[address_b[2:0]];
    end
    if (CEB) begin
      if (RSTB) wide_out <= 36'h0;
      else wide_out <= {bytes[{address_b[13:5], 2'd3}], bytes[{address_b[13:5], 2'd2}], bytes[{address_b[13:5], 2'd1}], bytes[{address_b[13:5], 2'd0}]};
      if (RSTB) out_b <= 18'h0;
      else if (!WEB || WRITEMODE_B == "READBEFOREWRITE") out_b <= old_b;
      else if (WRITEMODE_B == "WRITETHROUGH") out_b <= new_b;
    end
  end
endmodule
