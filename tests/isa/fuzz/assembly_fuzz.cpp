// SPDX-License-Identifier: Apache-2.0
// Coverage-guided fuzzing of the assembler: any text is refused with a UserError, or gives words that come back through the
// disassembler.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.hpp"
#include "isa/isa.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    for (const gemel::isa::Word& word : gemel::isa::assemble_program({reinterpret_cast<const char*>(data), size})) {
      if (gemel::isa::assemble(gemel::isa::disassemble(word)) != word) std::abort();
    }
  } catch (const gemel::UserError& error) {
    for (const gemel::Diagnostic& d : error.diagnostics()) {
      if (d.code.compare(0, 3, "E07") != 0 || d.line < 1 || d.column < 1) std::abort();
    }
  }
  return 0;
}
