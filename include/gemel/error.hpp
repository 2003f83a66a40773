// SPDX-License-Identifier: Apache-2.0
// Errors are exceptions: the user's mistake (UserError), a run that found something wrong (RunError), a run that was stopped
// (Interrupted), a bug of Gemel (InternalError). All but Interrupted carry diagnostics: code, text, place and hint of each thing
// that was found. The command line makes exit codes 2, 4, 128 + the signal and 3 of them; the library itself neither prints nor exits.
#pragma once
#include <stdexcept>
#include <string>
#include <vector>

#include "gemel/export.hpp"

namespace gemel {

enum class Severity { Error, Warning };

// One message: what was found, where, and what to do. `line` and `column` count from 1; 0 = not known.
struct Diagnostic {
  std::string code;      // key into docs/reference/errors.md: "E0103"
  std::string message;
  std::string file;
  int line = 0;
  int column = 0;
  int length = 1;        // characters to underline
  std::string excerpt;   // the source line, where there is one
  std::string note;      // shown beside the underline, e.g. "did you mean `columns`?"
  std::string hint;      // what to try next
  Severity severity = Severity::Error;
};

// The text of one diagnostic as shown to the user, without a trailing newline:
//   error[E0103]: unknown key `colums`
//     configs/tiny.yaml:3:3
//   3 |   colums: 16
//     |   ^^^^^^ did you mean `columns`?
//   hint: ...
GEMEL_API std::string to_string(const Diagnostic& diagnostic);

// All of them, one after another. Of one code only the first ten are shown, and how many more there are.
GEMEL_API std::string to_string(const std::vector<Diagnostic>& diagnostics);

// what() is the text of all diagnostics.
class GEMEL_API Error : public std::runtime_error {
 public:
  explicit Error(std::vector<Diagnostic> diagnostics);
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
};

// The user's mistake: a file, a flag, a network that does not fit. Exit code 2. All that were found, at once.
class GEMEL_API UserError : public Error {
 public:
  using Error::Error;
  UserError(std::string code, std::string message, std::string hint = {});
};

// The simulated machine came to a stop it should not have: hazard, deadlock, AXI error, difference from golden,
// cycle limit. Exit code 4.
class GEMEL_API RunError : public Error {
 public:
  using Error::Error;
  RunError(std::string code, std::string message, std::string hint = {});
};

// Asked to end, by a signal or by StopToken::request_stop(). What had been reached is in the text. Exit code 128 + the signal.
class GEMEL_API Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A bug of ours. Exit code 3.
class GEMEL_API InternalError : public Error {
 public:
  explicit InternalError(std::string message);
};

}  // namespace gemel
