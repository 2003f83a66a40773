// SPDX-License-Identifier: Apache-2.0
// A circuit that uses the package as decoders do, for the tools that have to read it.
module isa_pkg_use (
  input  logic [511:0] word_i,
  output logic         legal_o,
  output logic [2:0]   unit_o,
  output logic [isa_pkg::LoadAddressWidth-1:0] address_o,
  output logic         is_halt_o
);
  assign legal_o   = isa_pkg::fields_legal(word_i);
  assign unit_o    = isa_pkg::unit_of(word_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth]);
  assign address_o = word_i[isa_pkg::LoadAddressLsb +: isa_pkg::LoadAddressWidth];
  assign is_halt_o = word_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth] == isa_pkg::OpcodeHalt;
endmodule
