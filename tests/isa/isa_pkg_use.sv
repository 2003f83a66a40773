// SPDX-License-Identifier: Apache-2.0
// A circuit that uses the package as decoders do, for the tools that have to read it.
module isa_pkg_use (
  input  logic [511:0] word_i,
  input  logic [18:0]  activation_words_i,
  input  logic [18:0]  weight_words_i,
  input  logic [18:0]  vector_words_i,
  input  logic [18:0]  param_words_i,
  input  logic [18:0]  accumulator_words_i,
  input  logic [30:0]  machine_i,
  output logic         fields_legal_o,
  output logic         legal_o,
  output logic         intervals_legal_o,
  output logic         fits_machine_o,
  output logic         inside_buffers_o,
  output logic [2:0]   unit_o,
  output logic [isa_pkg::LoadAddressWidth-1:0] address_o,
  output logic         is_halt_o
);
  assign fields_legal_o = isa_pkg::fields_legal(word_i);
  assign legal_o = isa_pkg::is_legal(word_i);
  assign intervals_legal_o = isa_pkg::intervals_legal(word_i);
  assign fits_machine_o = isa_pkg::fits_machine(word_i, machine_i);
  assign inside_buffers_o = isa_pkg::inside_buffers(word_i, activation_words_i, weight_words_i, vector_words_i,
                                                    param_words_i, accumulator_words_i);
  assign unit_o = isa_pkg::unit_of(word_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth]);
  assign address_o = word_i[isa_pkg::LoadAddressLsb +: isa_pkg::LoadAddressWidth];
  assign is_halt_o = word_i[isa_pkg::HeaderOpcodeLsb +: isa_pkg::HeaderOpcodeWidth] == isa_pkg::OpcodeHalt;
endmodule
