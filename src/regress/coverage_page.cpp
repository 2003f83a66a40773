// SPDX-License-Identifier: Apache-2.0
// coverage.html and coverage.json; see coverage.hpp.
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/markup.hpp"
#include "regress/coverage.hpp"

namespace gemel::regress {
namespace {

constexpr const char* Style = R"css(
:root { color-scheme: light dark; --line: #8884; --hole: #c33; --fine: #2a7; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 13px; }
pre { overflow-x: auto; border: 1px solid var(--line); padding: .6rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid var(--line); padding: .2rem .5rem; text-align: left; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bin { display: inline-block; margin: 0 .7rem 0 0; white-space: nowrap; }
.hole { color: var(--hole); font-weight: 600; }
summary { cursor: pointer; }
)css";

std::string percent(const RtlFileCoverage::Share& s) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f %% <small>(%d of %d)</small>", s.percent(), s.hit, s.all);
  return s.all == 0 ? "none" : text;
}

std::vector<std::string> source_lines(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

void list_lines(std::ostream& out, const std::string& title, const std::vector<int>& numbers, const std::vector<std::string>& source) {
  if (numbers.empty()) return;
  out << "<details><summary>" << numbers.size() << " " << title << "</summary><pre>";
  for (const int n : numbers) {
    const auto i = static_cast<std::size_t>(n);
    out << n << ": " << (i >= 1 && i <= source.size() ? markup_escape(source[i - 1]) : "") << "\n";
  }
  out << "</pre></details>";
}

}  // namespace

std::string coverage_page(const CoverageRun& run, const FunctionalCoverage& functional, const RtlCoverage& rtl, const std::string& rtl_folder) {
  std::ostringstream out;
  const RtlFileCoverage total = rtl.total();
  const std::vector<std::string> holes = functional.holes();
  out << "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Coverage</title>\n<style>" << Style
      << "</style>\n</head>\n<body>\n<h1>Coverage</h1>\n<p><code>" << markup_escape(run.command) << "</code></p>\n<p>Seed " << run.seed << ", " << run.cases
      << " cases, " << run.failed << " failed. Gemel " << markup_escape(run.version) << ".</p>\n<table>\n<tr><th>functional bins</th><th>RTL lines</th>"
      << "<th>RTL branches</th><th>RTL toggles</th></tr>\n<tr><td>" << functional.hit() << " of " << functional.bins() << "</td><td>" << percent(total.lines)
      << "</td><td>" << percent(total.branches) << "</td><td>" << percent(total.toggles) << "</td></tr>\n</table>\n";

  out << "<h2>Holes</h2>\n";
  if (holes.empty()) {
    out << "<p>None: every bin was hit.</p>\n";
  } else {
    out << "<p>Bins that no case has hit:</p>\n<ul>\n";
    for (const std::string& hole : holes) out << "<li class=\"hole\">" << markup_escape(hole) << "</li>\n";
    out << "</ul>\n";
  }

  out << "<h2>RTL</h2>\n<p>Over all instances and cases. A line counts as run if anything on it was; a branch is one way out of an "
         "<code>if</code> or <code>case</code>; a toggle is one bit of a signal that changed.</p>\n"
         "<table>\n<tr><th>file</th><th>lines</th><th>branches</th><th>toggles</th></tr>\n";
  for (const auto& [name, f] : rtl.files()) {
    const std::vector<std::string> source = source_lines(rtl_folder + "/" + name);
    out << "<tr><td><code>" << markup_escape(name) << "</code>";
    list_lines(out, "lines never run", f.missed_lines, source);
    list_lines(out, "lines with a branch never taken", f.partly_lines, source);
    out << "</td><td class=\"n\">" << percent(f.lines) << "</td><td class=\"n\">" << percent(f.branches) << "</td><td class=\"n\">" << percent(f.toggles)
        << "</td></tr>\n";
  }
  out << "</table>\n<h2>Functional bins</h2>\n<p>Counted from programs, memory, counters and times of the fast models: instructions that have run, "
         "each once for every bin it falls into; for stalls, cases.</p>\n<table>\n";
  for (const FunctionalCoverage::Group& g : functional.groups()) {
    out << "<tr><td><code>" << markup_escape(g.name) << "</code></td><td>";
    for (const FunctionalCoverage::Bin& b : g.bins) {
      out << "<span class=\"bin" << (b.hits == 0 ? " hole" : "") << "\">" << markup_escape(b.name) << ": " << b.hits << "</span> ";
    }
    out << "</td></tr>\n";
  }
  out << "</table>\n<h2>Machine</h2>\n<pre>" << markup_escape(run.machine) << "</pre>\n</body>\n</html>\n";
  return out.str();
}

std::string coverage_json(const CoverageRun& run, const FunctionalCoverage& functional, const RtlCoverage& rtl) {
  using Json = nlohmann::ordered_json;
  const auto share = [](const RtlFileCoverage::Share& s) { return Json{{"hit", s.hit}, {"all", s.all}}; };
  const auto shares = [&](const RtlFileCoverage& f) {
    return Json{{"lines", share(f.lines)}, {"branches", share(f.branches)}, {"toggles", share(f.toggles)}};
  };
  Json json = {{"command", run.command}, {"version", run.version}, {"seed", run.seed}, {"cases", run.cases}, {"failed", run.failed}};
  json["functional"] = {{"hit", functional.hit()}, {"all", functional.bins()}, {"holes", functional.holes()}};
  Json groups = Json::object();
  for (const FunctionalCoverage::Group& g : functional.groups()) {
    for (const FunctionalCoverage::Bin& b : g.bins) groups[g.name][b.name] = b.hits;
  }
  json["functional"]["groups"] = groups;
  json["rtl"] = shares(rtl.total());
  Json files = Json::object();
  for (const auto& [name, f] : rtl.files()) {
    files[name] = shares(f);
    files[name]["lines_never_run"] = f.missed_lines;
    files[name]["lines_with_a_branch_never_taken"] = f.partly_lines;
    files[name]["bits_that_never_toggled"] = f.still_signals;
  }
  json["rtl"]["files"] = files;
  return json.dump(1) + "\n";
}

}  // namespace gemel::regress
