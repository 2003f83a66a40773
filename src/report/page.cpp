// SPDX-License-Identifier: Apache-2.0
// Parts of pages; see page.hpp.
#include "report/page.hpp"

#include <array>
#include <cmath>

#include "base/markup.hpp"
#include "gemel/report.hpp"
#include "report/text.hpp"

namespace gemel {
namespace {

constexpr std::array<const char*, GroupCount> GroupClass = {"busy", "other", "request", "data", "write", "empty", "error"};
constexpr double Labelled = 0.06;  // shares below that have no room for their figure

std::string number(double value) {
  std::string text = fixed(value, 3);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

std::string report_style() { return page_css; }
std::string report_script() { return page_js; }

void begin_page(std::ostream& out, const std::string& title) {
  out << "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
         "content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>"
      << markup_escape(title) << "</title>\n<style>" << page_css << "</style>\n</head>\n<body>\n<main>\n<h1>" << markup_escape(title) << "</h1>\n";
}

void end_page(std::ostream& out, const std::string& data, const std::vector<const char*>& scripts) {
  out << "</main>\n";
  if (!data.empty()) {
    std::string safe;  // no `</script>` inside
    for (const char c : data) safe += c == '<' ? "\\u003c" : std::string(1, c);
    out << "<script type=\"application/json\" id=\"data\">" << safe << "</script>\n";
  }
  out << "<script>\n" << page_js;
  for (const char* script : scripts) out << script;
  out << "</script>\n</body>\n</html>\n";
}

void add_tile(std::ostream& out, const std::string& value, const std::string& what) {
  out << "<div class=\"tile\"><b>" << markup_escape(value) << "</b><span>" << markup_escape(what) << "</span></div>\n";
}

const char* group_class(int group) { return GroupClass.at(static_cast<std::size_t>(group)); }

void add_legend(std::ostream& out, const std::vector<std::pair<std::string, std::string>>& entries) {
  out << "<div class=\"legend\">";
  for (const auto& [css, name] : entries) out << "<span><i class=\"" << css << "\"></i>" << markup_escape(name) << "</span>";
  out << "</div>\n";
}

void add_group_legend(std::ostream& out, const std::vector<const UnitCounters*>& counted) {
  std::array<std::int64_t, GroupCount> sums{};
  for (const UnitCounters* counters : counted) {
    for (const auto& causes : *counters) {
      const auto groups = grouped(causes);
      for (std::size_t g = 0; g < sums.size(); ++g) sums[g] += groups[g];
    }
  }
  std::vector<std::pair<std::string, std::string>> entries;
  for (int g = 0; g < GroupCount; ++g) {
    if (sums[static_cast<std::size_t>(g)] > 0) entries.emplace_back(group_class(g), group_name(static_cast<Group>(g)));
  }
  add_legend(out, entries);
}

std::string bar_part(double from, double width, const std::string& css, const std::string& title, const std::string& inside) {
  return "<i class=\"" + css + "\" style=\"left:" + number(100 * from) + "%;width:" + number(100 * width) + "%\" title=\"" + markup_escape(title) + "\">" +
         markup_escape(inside) + "</i>";
}

std::string group_bar(const std::string& name, const std::array<std::int64_t, CauseCount>& causes, double length) {
  const auto groups = grouped(causes);
  std::int64_t all = 0;
  for (const std::int64_t cycles : groups) all += cycles;
  std::string parts;
  double at = 0;
  for (int g = 0; g < GroupCount; ++g) {
    const std::int64_t cycles = groups[static_cast<std::size_t>(g)];
    if (cycles == 0) continue;
    const double share = share_of(cycles, all), width = share * length;
    parts += bar_part(at, width, group_class(g),
                      name + ": " + std::string(group_name(static_cast<Group>(g))) + ", " + with_commas(cycles) + " cycles (" + percent(share) + ")",
                      width > Labelled ? percent(share, 0) : "");
    at += width;
  }
  return parts;
}

void add_bar_row(std::ostream& out, const std::string& name, const std::string& parts, const std::string& attributes) {
  out << "<div class=\"row\"" << attributes << "><span class=\"name\">" << name << "</span><div class=\"track\">" << parts << "</div></div>\n";
}

std::string scroll(const std::string& label) {
  return "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" + markup_escape(label) + "\">";
}

std::string sorted_cell(double value, const std::string& text) {
  return "<td data-v=\"" + (value == std::floor(value) ? fixed(value, 0) : fixed(value, 4)) + "\">" + text + "</td>";
}
std::string sorted_cell(std::nullptr_t, const std::string& text) { return "<td data-v=\"\">" + text + "</td>"; }

std::string table_head(const std::string& text, Column column) {
  std::string head = "<th scope=\"col\"";
  if (column != Column::SortedNumber) head += " class=\"left\"";
  if (column != Column::Text) head += " data-name=\"" + markup_escape(text) + "\"";
  if (column == Column::SortedNumber) head += " data-first=\"down\"";
  return head + ">" + markup_escape(text) + "</th>";
}

double share_of(std::int64_t part, std::int64_t whole) { return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0; }

}  // namespace gemel
