// SPDX-License-Identifier: Apache-2.0
// Errors are public: gemel/error.hpp. Here is what collects them.
#pragma once
#include <cstddef>
#include <vector>

#include "gemel/error.hpp"  // IWYU pragma: export

namespace gemel {

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

}  // namespace gemel
