// SPDX-License-Identifier: Apache-2.0
// Errors. Two kinds: the user's mistake (UserError, exit 2) and ours (InternalError, exit 3). A run that finds a
// difference, hazard, deadlock or memory error ends in RunError (exit 4). Nothing below src/cli prints or exits.
#pragma once
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace gemel {

// One message: what was found, where, and what to do. `line` and `column` count from 1; 0 = not known.
// `code` is the key into docs/reference/errors.md ("E0103"); every code is declared in error_codes.hpp.
struct Diagnostic {
  std::string code;
  std::string message;
  std::string file;
  int line = 0;
  int column = 0;
  int length = 1;        // characters to underline
  std::string excerpt;   // the source line, where there is one
  std::string note;      // shown beside the underline, e.g. "did you mean `columns`?"
  std::string hint;      // what to try next
};

// The text of one diagnostic as shown to the user, without a trailing newline:
//   error[E0103]: unknown key `colums`
//     configs/tiny.yaml:3:3
//   3 |   colums: 16
//     |   ^^^^^^ did you mean `columns`?
//   hint: ...
std::string to_string(const Diagnostic& diagnostic);

// What was found wrong in one file, bounded in memory: a file of noise must not become a report of gigabytes. Beyond `Most`
// entries nothing is added, and beyond `MostExcerptBytes` entries come without their line.
class Diagnostics {
 public:
  static constexpr std::size_t Most = 200;
  static constexpr std::size_t MostExcerptBytes = 1 << 20;

  void add(Diagnostic diagnostic);
  bool full() const { return list_.size() >= Most; }
  bool empty() const { return list_.empty(); }
  const std::vector<Diagnostic>& list() const { return list_; }

 private:
  std::vector<Diagnostic> list_;
  std::size_t excerpt_bytes_ = 0;
};

class Error : public std::runtime_error {
 public:
  explicit Error(std::vector<Diagnostic> diagnostics);
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
};

// The user's mistake: a file, a flag, a network that does not fit. Exit code 2. All that were found, at once.
class UserError : public Error {
 public:
  using Error::Error;
  UserError(std::string code, std::string message, std::string hint = {});
};

// The simulated machine came to a stop it should not have: hazard, deadlock, AXI error, difference from golden,
// cycle limit. Exit code 4.
class RunError : public Error {
 public:
  using Error::Error;
  RunError(std::string code, std::string message, std::string hint = {});
};

// Asked to end, by a signal or by an embedder. What had been reached is in the text. Exit code 128 + the signal.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A bug of ours. Exit code 3.
class InternalError : public Error {
 public:
  explicit InternalError(std::string message);
};

}  // namespace gemel
