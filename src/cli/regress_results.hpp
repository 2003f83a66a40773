// SPDX-License-Identifier: Apache-2.0
// Results of a regression as files for continuous integration: JSON with every number, JUnit's XML with what its readers show.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "regress/regress.hpp"

namespace gemel::cli {

struct CaseResult {
  int number = 0;
  double seconds = 0;     // from the start of its process to its end
  regress::Tally tally;   // of a case that passed
  std::string failure;    // why it failed; empty: it passed
  std::string folder;     // of a case that failed: where it is kept
};

struct RegressionResults {
  std::string kind;       // "random cases"
  std::uint64_t seed = 0;
  int wanted = 0;         // cases; fewer are in `cases` if the regression was interrupted, or ended with the first failure
  double seconds = 0;     // host time of all of it
  std::vector<CaseResult> cases;  // that have ended, in order of their ends
};

// Format 1: docs/howto/run_a_regression.md.
std::string results_json(const RegressionResults& results);
std::string results_junit(const RegressionResults& results);

}  // namespace gemel::cli
