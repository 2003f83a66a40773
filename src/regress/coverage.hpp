// SPDX-License-Identifier: Apache-2.0
// What a regression has covered. Functional: bins that are all named before the first case, so that what was never met is a hole
// with a name; counted from programs, memory, counters and times of the fast models, not from RTL. Structural: Verilator's counts
// of lines, branches and toggles, merged over cases, instances and parameters of a module. Both end in one page and one JSON file.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "regress/regress.hpp"
#include "sim/result.hpp"

namespace gemel {
struct SimulationOutput;
}

namespace gemel::regress {

class FunctionalCoverage {
 public:
  struct Bin {
    std::string name;
    std::int64_t hits = 0;
  };
  struct Group {
    std::string name;   // "load.group_bytes", "stalls of load_dma"
    std::vector<Bin> bins;
  };

  explicit FunctionalCoverage(const Machine& machine);

  // Runs the case on the fast models and counts it.
  void add(const Case& c);
  // The parts of it, for cases that have run already. `output` with trace, counters and memory.
  void add(const Case& c, const SimulationOutput& output);

  const std::vector<Group>& groups() const { return groups_; }
  std::int64_t bins() const;
  std::int64_t hit() const;
  std::vector<std::string> holes() const;  // "load.fill: 255"

 private:
  void define(const std::string& group, const std::vector<std::string>& bins);
  void count(const std::string& group, const std::string& bin);  // InternalError if it was not defined
  void count_word(const isa::Word& word, const Machine& machine);
  void count_data(const Case& c, const isa::Instruction& instruction, const SimulationOutput& output);
  void count_times(const Case& c, const SimulationOutput& output);
  void count_error(const Case& c, const SimulationOutput& output);

  std::vector<Group> groups_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

// Of one source file.
struct RtlFileCoverage {
  struct Share {
    int hit = 0, all = 0;
    double percent() const { return all == 0 ? 100.0 : 100.0 * hit / all; }
  };
  Share lines, branches, toggles;
  std::vector<int> missed_lines;          // nothing on them was ever run
  std::vector<int> partly_lines;          // run, but not every branch on them was taken
  std::vector<std::string> still_signals; // bits that never went both ways: "data_i[3]"
};

class RtlCoverage {
 public:
  // A file that Verilator's run-time has written. RunError E0810 if it is none.
  void add(const std::string& path);
  void add_text(std::string_view text, const std::string& path);
  std::map<std::string, RtlFileCoverage> files() const;  // by "load_dma/load_dma.sv"
  RtlFileCoverage total() const;
  int inputs() const { return inputs_; }

 private:
  struct Point {
    std::int64_t count = 0;
    std::vector<int> lines;
  };
  // file, kind ("line", "branch", "toggle"), line, column, what
  std::map<std::tuple<std::string, std::string, int, int, std::string>, Point> points_;
  int inputs_ = 0;
};

struct CoverageRun {
  std::string command;  // the exact one
  std::uint64_t seed = 0;
  int cases = 0, failed = 0;
  std::string machine;  // as YAML
  std::string version;
};

// Self-contained; no script. `source` gives the lines of a file of rtl/ for those that are listed.
std::string coverage_page(const CoverageRun& run, const FunctionalCoverage& functional, const RtlCoverage& rtl, const std::string& rtl_folder);
std::string coverage_json(const CoverageRun& run, const FunctionalCoverage& functional, const RtlCoverage& rtl);

}  // namespace gemel::regress
