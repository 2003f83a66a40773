// SPDX-License-Identifier: Apache-2.0
// Every message that Gemel can give, one row per code: exit class and one sentence. A code used in the sources without a
// row here, or without a paragraph in docs/reference/errors.md, fails tests/repo. Rooms add their rows to their section
// of error_codes.cpp: E01xx machine files and settings, E02xx workloads in YAML, E03xx tensors, E04xx layer tables (CSV),
// E05xx schedule files, E06xx compiler, E07xx instructions, E08xx runs, E09xx files and flags, E10xx RTL.
#pragma once
#include <string_view>
#include <vector>

namespace gemel {

// Who has to act, which is also the exit code of `gemel`.
enum class ExitClass : int {
  Warning = 0,   // nobody has to: the run goes on
  User = 2,      // UserError: a file, a flag, a network that does not fit
  Internal = 3,  // InternalError: a bug of ours
  Run = 4,       // RunError: the simulated machine stopped where it should not
};

struct ErrorCode {
  std::string_view code;      // "E0103"
  ExitClass exit_class;
  std::string_view sentence;  // what it means, in general
};

const std::vector<ErrorCode>& error_codes();                // sorted by code
const ErrorCode* find_error_code(std::string_view code);    // nullptr if there is none

}  // namespace gemel
