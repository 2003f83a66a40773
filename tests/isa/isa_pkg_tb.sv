// SPDX-License-Identifier: Apache-2.0
// Runs the vectors in legal.hex and illegal.hex through the package; isa_pkg_test.py writes them and reads the last line.
module isa_pkg_tb;
  parameter int LegalCount = 1;
  parameter int IllegalCount = 1;

  logic [511:0] legal [LegalCount];
  logic [511:0] illegal [IllegalCount];
  logic [511:0] word;
  logic [7:0] opcode;
  int accepted, rejected, loads, matrices;
  longint strides, origins;

  initial begin
    $readmemh("legal.hex", legal);
    $readmemh("illegal.hex", illegal);
    accepted = 0;
    rejected = 0;
    loads = 0;
    matrices = 0;
    strides = 0;
    origins = 0;
    for (int i = 0; i < LegalCount; i++) begin
      word = legal[i];
      opcode = word[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth];
      if (isa_pkg::is_legal(word) && isa_pkg::intervals_legal(word)) accepted++;
      if (isa_pkg::unit_of(opcode) == isa_pkg::UnitLoad) begin
        loads++;
        strides += word[isa_pkg::LoadStride2Lsb +: isa_pkg::LoadStride2Width];
      end
      if (isa_pkg::unit_of(opcode) == isa_pkg::UnitMatrix) begin
        matrices++;
        origins += $signed(word[isa_pkg::MatrixOriginXLsb +: isa_pkg::MatrixOriginXWidth]);
      end
    end
    for (int i = 0; i < IllegalCount; i++) begin
      if (!isa_pkg::fields_legal(illegal[i]) && !isa_pkg::is_legal(illegal[i])) rejected++;
    end
    $display("legal %0d of %0d, illegal %0d of %0d, loads %0d strides %0d, matrices %0d origins %0d", accepted, LegalCount,
             rejected, IllegalCount, loads, strides, matrices, origins);
    $finish;
  end
endmodule
