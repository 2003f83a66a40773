// SPDX-License-Identifier: Apache-2.0
// Helpers for text; see text.hpp.
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/error.hpp"

namespace gemel {

std::string read_text_file(const std::string& path, const std::string& code, const std::string& what, std::int64_t most_bytes) {
  const auto refuse = [&](const std::string& why, const std::string& hint = {}) {
    Diagnostic d;
    d.code = code;
    d.message = "cannot read " + what + " `" + path + "`: " + why;
    d.hint = hint;
    throw UserError(std::vector<Diagnostic>{std::move(d)});
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) refuse("it is a folder");
  // A device or a pipe may never end.
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored)) refuse("it is not a regular file");
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) refuse(errno ? std::strerror(errno) : "it cannot be opened");
  std::string text;
  std::array<char, 65536> piece;
  while (in.read(piece.data(), piece.size()), in.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
    if (static_cast<std::int64_t>(text.size()) > most_bytes)
      refuse("it has more than " + std::to_string(most_bytes >> 20) + " MiB", "numbers belong into a safetensors file beside the description");
  }
  if (in.bad()) refuse(errno ? std::strerror(errno) : "reading stopped halfway");
  return text;
}

std::string quote(const std::string& text) {
  constexpr std::size_t Longest = 60;
  return "`" + (text.size() > Longest ? text.substr(0, Longest) + "..." : text) + "`";
}

std::string line_of(std::string_view text, int line) {
  if (line < 1) return {};
  for (int i = 1; i < line; ++i) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  return std::string(text);
}

int edit_distance(std::string_view a, std::string_view b) {
  // Damerau's distance (optimal string alignment), three rows of its table.
  std::vector<int> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(above);
    above.swap(row);
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr std::size_t LongestName = 64;  // nobody mistypes more than that, and the distance costs the product of lengths
  if (word.empty() || word.size() > LongestName) return {};
  const std::string* best = nullptr;
  int best_distance = 0;
  for (const auto& candidate : candidates) {
    if (candidate.empty() || candidate.size() > LongestName) continue;
    int distance = edit_distance(word, candidate);
    const std::size_t shorter = std::min(word.size(), candidate.size());
    const bool prefix = shorter >= 3 && word.substr(0, shorter) == std::string_view(candidate).substr(0, shorter);
    const int allowed = static_cast<int>(std::max(word.size(), candidate.size()) + 2) / 3;
    if (distance > allowed && !prefix) continue;
    if (!best || distance < best_distance) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best ? *best : std::string();
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string name = nearest(word, candidates);
  return name.empty() ? name : "did you mean `" + name + "`?";
}

std::string join_or(const std::vector<std::string>& items) {
  std::string text;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i) text += i + 1 == items.size() ? " or " : ", ";
    text += items[i];
  }
  return text;
}

std::string format_number(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;  // shortest form that reads back
  return std::string(buffer, end);
}

std::string fixed(double value, int decimals) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

std::string with_commas(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::size_t first = value < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

}  // namespace gemel
