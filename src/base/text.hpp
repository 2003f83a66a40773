// SPDX-License-Identifier: Apache-2.0
// Small helpers for reading text and talking about it: files as strings, lines as excerpts, near misses of names.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

// The most that a description in text (machine, workload, layer table) may have: about 200,000 layers.
inline constexpr std::int64_t MostTextBytes = std::int64_t{16} << 20;

// The whole file. UserError with `code` if it cannot be read, is no regular file or has more than `most_bytes`; `what` names it
// in the message ("machine file").
std::string read_text_file(const std::string& path, const std::string& code, const std::string& what,
                           std::int64_t most_bytes = MostTextBytes);

// The text in backquotes, cut after 60 bytes.
std::string quote(const std::string& text);

// Line `line` (from 1) of `text` without its end of line; empty if there is no such line.
std::string line_of(std::string_view text, int line);

// Edits (insert, delete, replace, swap of neighbours) that make `b` of `a`.
int edit_distance(std::string_view a, std::string_view b);

// The candidate that `word` was probably meant to be, or "" if none is near: at most a third of its letters wrong, or
// the one a prefix of the other. The first of the best wins, so give candidates in a fixed order.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

// "did you mean `x`?" or "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

// "a", "a or b", "a, b or c".
std::string join_or(const std::vector<std::string>& items);

// A number with no needless digits: 1000, 0.5, 1e-06. Reads back to the same double.
std::string format_number(double value);

std::string with_commas(std::int64_t value);    // 16,812,345
std::string fixed(double value, int decimals);  // locale-free

}  // namespace gemel
