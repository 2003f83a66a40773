// SPDX-License-Identifier: Apache-2.0
// The text of diagnostics and the exceptions that carry them; see error.hpp.
#include "base/error.hpp"

#include <algorithm>

namespace gemel {
namespace {

constexpr int ExcerptWidth = 160;  // longer lines (flow style on one line) are cut around the column
constexpr int MostOfOneCode = 10;  // diagnostics that are shown

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }  // UTF-8

// A terminal must not be driven by the contents of a file: control characters but the end of line are shown as `?`, a
// tab as a space (so that the underline stands where it should).
std::string printable(const std::string& text) {
  std::string out = text;
  for (char& c : out) {
    if (c == '\t') c = ' ';
    else if ((static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7F) c = '?';
  }
  return out;
}

// The text with `first` and `count` (bytes) of it that still lie inside; both in characters afterwards.
struct Window {
  std::string text;
  int first = 0;
  int count = 1;
};

Window window(const std::string& excerpt, int column, int length) {
  const std::string all = printable(excerpt);
  int first = std::clamp(column - 1, 0, static_cast<int>(all.size()));
  const int last = std::clamp(first + std::max(length, 1), first, static_cast<int>(all.size()));
  int begin = 0;
  int end = static_cast<int>(all.size());
  if (end > ExcerptWidth) {
    begin = std::clamp(first - ExcerptWidth / 3, 0, end - ExcerptWidth);
    end = begin + ExcerptWidth;
    while (begin > 0 && continues_character(all[begin])) --begin;
    while (end < static_cast<int>(all.size()) && continues_character(all[end])) ++end;
  }
  const auto characters = [&](int from, int to) {
    return static_cast<int>(std::count_if(all.begin() + from, all.begin() + std::max(from, to),
                                          [](char c) { return !continues_character(c); }));
  };
  Window w;
  w.text = all.substr(begin, end - begin);
  w.first = characters(begin, first);
  w.count = std::max(1, characters(first, std::min(last, end)));
  if (begin > 0) {
    w.text = "..." + w.text;
    w.first += 3;
  }
  if (end < static_cast<int>(all.size())) w.text += "...";
  return w;
}

std::string joined(const std::vector<Diagnostic>& diagnostics, const char* separator) {
  std::string text;
  std::vector<std::pair<std::string, int>> seen;  // codes in order of their first appearance
  for (const Diagnostic& d : diagnostics) {
    auto count = std::find_if(seen.begin(), seen.end(), [&](const auto& entry) { return entry.first == d.code; });
    if (count == seen.end()) count = seen.insert(seen.end(), {d.code, 0});
    if (++count->second <= MostOfOneCode) text += (text.empty() ? "" : separator) + to_string(d);
  }
  for (const auto& [code, count] : seen) {
    if (count > MostOfOneCode) text += separator + ("error[" + code) + "]: and " + std::to_string(count - MostOfOneCode) + " more of this kind";
  }
  return text;
}

Diagnostic simple(std::string code, std::string message, std::string hint) {
  Diagnostic d;
  d.code = std::move(code);
  d.message = std::move(message);
  d.hint = std::move(hint);
  return d;
}

}  // namespace

std::string to_string(const Diagnostic& d) {
  std::string text = (d.severity == Severity::Warning ? "warning[" : "error[") + d.code + "]: " + printable(d.message);
  if (!d.file.empty()) {
    text += "\n  " + printable(d.file);
    if (d.line > 0) {
      text += ":" + std::to_string(d.line);
      if (d.column > 0) text += ":" + std::to_string(d.column);
    }
  }
  if (d.line > 0 && !d.excerpt.empty()) {
    const Window w = window(d.excerpt, d.column, d.length);
    const std::string number = std::to_string(d.line);
    text += "\n" + number + " | " + w.text;
    if (d.column > 0) {
      text += "\n" + std::string(number.size(), ' ') + " | " + std::string(w.first, ' ') + std::string(w.count, '^');
      if (!d.note.empty()) text += " " + printable(d.note);
    } else if (!d.note.empty()) {
      text += "\n" + std::string(number.size(), ' ') + " | " + printable(d.note);
    }
  } else if (!d.note.empty()) {
    text += "\n  " + printable(d.note);
  }
  if (!d.hint.empty()) text += "\nhint: " + d.hint;  // ours, never a file's
  return text;
}

void Diagnostics::add(Diagnostic diagnostic) {
  if (full()) return;
  excerpt_bytes_ += diagnostic.excerpt.size();
  if (excerpt_bytes_ > MostExcerptBytes) {
    excerpt_bytes_ -= diagnostic.excerpt.size();
    diagnostic.excerpt.clear();
  }
  list_.push_back(std::move(diagnostic));
}

std::string to_string(const std::vector<Diagnostic>& diagnostics) { return joined(diagnostics, "\n"); }

Error::Error(std::vector<Diagnostic> diagnostics)
    : std::runtime_error(joined(diagnostics, "\n\n")), diagnostics_(std::move(diagnostics)) {}

UserError::UserError(std::string code, std::string message, std::string hint)
    : Error({simple(std::move(code), std::move(message), std::move(hint))}) {}

RunError::RunError(std::string code, std::string message, std::string hint)
    : Error({simple(std::move(code), std::move(message), std::move(hint))}) {}

InternalError::InternalError(std::string message)
    : Error({simple("E0001", std::move(message), "this is a bug in Gemel; please report it with the command that led to it")}) {}

}  // namespace gemel
