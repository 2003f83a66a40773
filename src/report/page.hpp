// SPDX-License-Identifier: Apache-2.0
// What the pages (HTML) of a run and of two runs are made of: one file that fetches nothing, in the look of page.css. Text is given plain and is
// escaped here.
#pragma once
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gemel/counters.hpp"
#include "report/report.hpp"

namespace gemel {

// Files beside this one, as cmake/embed.cmake writes them into the library.
extern const char page_css[], page_js[], report_js[];

// Up to <main> and the heading.
void begin_page(std::ostream& out, const std::string& title);
// From </main> on. `data`: JSON, or nothing; `scripts`: run in this order, after page.js.
void end_page(std::ostream& out, const std::string& data, const std::vector<const char*>& scripts);

void add_tile(std::ostream& out, const std::string& value, const std::string& what);

// Class in page.css of each Group, which has its colour.
const char* group_class(int group);

// Boxes in the colour of their class, with what it means.
void add_legend(std::ostream& out, const std::vector<std::pair<std::string, std::string>>& entries);
void add_group_legend(std::ostream& out, const std::vector<const UnitCounters*>& counted);  // of the groups that have any cycles

// A part of a track, between two shares of its width; `inside` is written into it.
std::string bar_part(double from, double width, const std::string& css, const std::string& title, const std::string& inside = "");
// The cycles of a unit by group as parts of one bar, which is `length` of the track's width.
std::string group_bar(const std::string& name, const std::array<std::int64_t, CauseCount>& causes, double length = 1.0);
// A name (HTML) and its track.
void add_bar_row(std::ostream& out, const std::string& name, const std::string& parts, const std::string& attributes = "");

// Around what may be wider than the page, a table for instance: begins a <div> that scrolls by keys, too.
std::string scroll(const std::string& label);
// A cell that is sorted by `value`; without one it stands last.
std::string sorted_cell(double value, const std::string& text);
std::string sorted_cell(std::nullptr_t, const std::string& text);
// A head of a column; with `sorted_by` a name by which it can be sorted: numbers from the largest down, texts from the first up.
enum class Column { Text, SortedText, SortedNumber };
std::string table_head(const std::string& text, Column column);

double share_of(std::int64_t part, std::int64_t whole);  // 0 of nothing

}  // namespace gemel
