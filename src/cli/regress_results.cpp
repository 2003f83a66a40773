// SPDX-License-Identifier: Apache-2.0
#include "cli/regress_results.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/markup.hpp"
#include "base/text.hpp"
#include "gemel/version.hpp"

namespace gemel::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto Replace = Json::error_handler_t::replace;  // what is no UTF-8 (a $display of somebody's Verilog)

std::vector<CaseResult> in_order(const RegressionResults& results) {
  std::vector<CaseResult> cases = results.cases;
  std::sort(cases.begin(), cases.end(), [](const CaseResult& a, const CaseResult& b) { return a.number < b.number; });
  return cases;
}

std::int64_t failed(const RegressionResults& results) {
  return std::count_if(results.cases.begin(), results.cases.end(), [](const CaseResult& c) { return !c.failure.empty(); });
}

// Text and attributes of XML: what is no UTF-8 is replaced.
std::string xml(const std::string& text) { return markup_escape(Json::parse(Json(text).dump(-1, ' ', false, Replace)).get<std::string>()); }

}  // namespace

std::string results_json(const RegressionResults& results) {
  Json cases = Json::array();
  for (const CaseResult& c : in_order(results)) {
    Json one = {{"case", c.number}, {"passed", c.failure.empty()}, {"seconds", c.seconds}};
    if (c.failure.empty()) {
      const regress::Tally& t = c.tally;
      one["cycles"] = t.cycles;
      one["instructions"] = t.instructions;
      one["memory_bytes"] = t.bytes;
      one["beats"] = t.beats;
      one["machine_errors"] = t.errors;
    } else {
      one["folder"] = c.folder;
      one["failure"] = c.failure;
    }
    cases.push_back(std::move(one));
  }
  const Json all = {{"format", 1},
                    {"version", version()},
                    {"commit", commit()},
                    {"kind", results.kind},
                    {"seed", results.seed},
                    {"wanted", results.wanted},
                    {"complete", static_cast<int>(results.cases.size()) == results.wanted},
                    {"passed", static_cast<std::int64_t>(results.cases.size()) - failed(results)},
                    {"failed", failed(results)},
                    {"seconds", results.seconds},
                    {"cases", std::move(cases)}};
  return all.dump(1, ' ', false, Replace) + "\n";
}

std::string results_junit(const RegressionResults& results) {
  const std::string counts = "tests=\"" + std::to_string(results.cases.size()) + "\" failures=\"" + std::to_string(failed(results)) +
                             "\" errors=\"0\" skipped=\"0\" time=\"" + fixed(results.seconds, 3) + "\"";
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites " + counts + ">\n  <testsuite name=\"gemel regress: " + xml(results.kind) +
                    ", seed " + std::to_string(results.seed) + "\" " + counts + ">\n    <properties>\n";
  const auto property = [&out](const char* name, const std::string& value) {
    out += std::string("      <property name=\"") + name + "\" value=\"" + xml(value) + "\"/>\n";
  };
  property("version", version());
  property("commit", commit());
  property("seed", std::to_string(results.seed));
  property("wanted", std::to_string(results.wanted));
  out += "    </properties>\n";
  for (const CaseResult& c : in_order(results)) {
    out += "    <testcase classname=\"gemel." + xml(results.kind) + "\" name=\"case " + std::to_string(c.number) + "\" time=\"" + fixed(c.seconds, 3) + "\"";
    if (c.failure.empty()) {
      out += "/>\n";
      continue;
    }
    const std::string first = c.failure.substr(0, c.failure.find('\n'));
    out += ">\n      <failure message=\"" + xml(first) + "\">" + xml(c.failure + (c.failure.back() == '\n' ? "" : "\n") + "kept in " + c.folder) +
           "</failure>\n    </testcase>\n";
  }
  return out + "  </testsuite>\n</testsuites>\n";
}

}  // namespace gemel::cli
