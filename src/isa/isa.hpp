// SPDX-License-Identifier: Apache-2.0
// What the generated header cannot say: which instructions are legal, which words they claim and touch, and how they are
// written as text. Three layers of checking, each assuming the one before:
//   check_fields  opcode, reserved bits, field ranges: all from the tables
//   check         and the rules between fields that need no machine: this is what decode rejects
//   check_claims  and the machine's part: claims inside the buffers, and covering exactly what will be touched
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/machine.hpp"
#include "gemel/isa.gen.hpp"

namespace gemel::isa {

struct IllegalField {
  ErrorCode code = ErrorCode::IllegalInstruction;  // or AddressOutsideBuffer, WrongMachine
  std::string field;                               // "load.group_bytes"; "reserved" or "opcode"
  std::int64_t value = 0;                          // what it is; for "reserved" the number of the lowest bit that is set
  std::string rule;                                // "must be at least 1 in rows mode"
};
std::string to_string(const IllegalField& illegal);  // "load.group_bytes = 0: must be at least 1 in rows mode"

std::optional<IllegalField> check_fields(const Word& word);
std::optional<IllegalField> check(const Word& word);
std::optional<IllegalField> check_claims(const Instruction& instruction, const Machine& machine);

// What an instruction holds from start to done: an interval of words of a buffer, to read or to write.
struct Claim {
  Buffer buffer = Buffer::Activation;
  bool write = false;
  int first = 0, last = 0;
};

struct Claims {
  std::array<Claim, 4> items{};
  int count = 0;
  void add(const Claim& claim) { items[static_cast<std::size_t>(count++)] = claim; }
  const Claim* begin() const { return items.data(); }
  const Claim* end() const { return items.data() + count; }
};

// load: its buffer; matrix: activation, weight, accumulator (read and write); vector: src0, src1 (if there are two sources), param (if a
// word of it is read), vector_buffer; store: vector_buffer; halt: nothing.
Claims claims(const Instruction& instruction);

// Parts of check_claims, for which `claimed` is claims(instruction).
// The one that the hardware does at decode: every claim ends inside its buffer.
std::optional<IllegalField> check_bounds(const Instruction& instruction, const Claims& claimed, const Machine& machine);
// The one without which a unit would touch words that it has not claimed, or more bytes than a burst has. No hardware
// looks; a program for which it complains does what nobody promises.
std::optional<IllegalField> check_reach(const Instruction& instruction, const Claims& claimed, const Machine& machine);
// What the hardware does at decode behind check(): made for this machine (`digest`: machine_digest()) or for any, and check_bounds().
std::optional<IllegalField> check_at_decode(const Instruction& instruction, const Claims& claimed, const Machine& machine, std::int32_t digest);
inline std::optional<IllegalField> check_at_decode(const Instruction& instruction, const Machine& machine, std::int32_t digest) {
  return check_at_decode(instruction, claims(instruction), machine, digest);
}

// First and last of the words (or bytes) that are really touched; nothing at all if `any` is false.
struct Extent {
  bool any = false;
  std::int64_t first = 0, last = 0;
};

// What the instruction will touch, computed from its loops and not from its claims. Same order and operands as claims().
struct Touched {
  std::array<Extent, 4> items{};
  int count = 0;
};
Touched touched(const Instruction& instruction, const Machine& machine);

// Words that a vector instruction reads from param_buffer, from param_base on (C = columns).
int param_words(const Vector& vector, int columns);

// Bytes of memory that a load reads (without those that its windows skip at the ends) or a store writes.
Extent memory_bytes(const Instruction& instruction);

// One line: the opcode and the fields that are not at their defaults. Pairs X_base and X_last are written X=[base..last],
// semaphores by their numbers, enums by name, single bits by name alone:
//   matrix tag=3 wait=4,5 chain post=8 act=[0..511] weight=[0..15] acc=[0..63] act_height=8 ...
// A word that is not legal is shown as `word 0x... 0x...`: eight 64-bit numbers, lowest first.
std::string disassemble(const Word& word);

// The inverse, for every word: one instruction. UserError E07xx with line and column for text that is none, or is not legal.
// `#` begins a comment. `file` and `line` are for messages only.
Word assemble(std::string_view text, const std::string& file = "", int line = 1);

// One instruction per line; empty lines and comments are skipped. Every line's error is reported.
std::vector<Word> assemble_program(std::string_view text, const std::string& file = "");

}  // namespace gemel::isa
