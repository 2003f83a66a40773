// SPDX-License-Identifier: Apache-2.0
// Instructions as text and back; see isa.hpp. Both directions walk the generated field tables, so a new field or
// instruction needs no line here.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "base/error.hpp"
#include "base/text.hpp"
#include "isa/isa.hpp"

namespace gemel::isa {
namespace {

constexpr int SemaphoresPerUnit = 4;

// A field and, where X_base is paired with X_last, its partner. `name` is what stands in the text.
struct Item {
  std::string name;
  const FieldInfo* field = nullptr;
  const FieldInfo* last = nullptr;
};

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool is_wait(const FieldInfo& field) { return std::strcmp(field.name, "wait_mask") == 0; }
bool is_post(const FieldInfo& field) { return std::strcmp(field.name, "post_mask") == 0; }

std::vector<Item> make_items(const FormatInfo& format) {
  std::vector<Item> items;
  for (const FieldInfo& field : HeaderFields) {
    if (std::strcmp(field.name, "opcode") == 0) continue;
    items.push_back({is_wait(field) ? "wait" : is_post(field) ? "post" : field.name, &field, nullptr});
  }
  const auto find_field = [&](const std::string& name) -> const FieldInfo* {
    for (int f = 0; f < format.field_count; ++f) {
      if (name == format.fields[f].name) return &format.fields[f];
    }
    return nullptr;
  };
  for (int f = 0; f < format.field_count; ++f) {
    const FieldInfo& field = format.fields[f];
    const std::string name = field.name;
    if (ends_with(name, "_base")) {
      const std::string operand = name.substr(0, name.size() - 5);
      items.push_back({operand, &field, find_field(operand + "_last")});
    } else if (!ends_with(name, "_last")) {
      items.push_back({name, &field, nullptr});
    }
  }
  return items;
}

const std::vector<Item>& items_of(const OpcodeInfo& info) {
  static const std::vector<std::vector<Item>> table = [] {
    std::vector<std::vector<Item>> all;
    for (const OpcodeInfo& op : Opcodes) all.push_back(make_items(*op.format));
    return all;
  }();
  return table[static_cast<std::size_t>(&info - Opcodes)];
}

std::string show_mask(std::uint64_t mask, int first) {
  std::string text;
  for (int s = 0; mask >> s; ++s) {
    if ((mask >> s) & 1) text += (text.empty() ? "" : ",") + std::to_string(first + s);
  }
  return text;
}

int first_semaphore(const Item& item, Unit unit) {
  return is_wait(*item.field) && unit != Unit::None ? SemaphoresPerUnit * static_cast<int>(unit) : 0;
}

std::string show_raw(const Word& word) {
  std::string text = "word";
  for (const std::uint64_t w : word) {
    char number[24];
    std::snprintf(number, sizeof number, " 0x%" PRIx64, w);
    text += number;
  }
  return text;
}

// A piece of a line without blanks, and where it begins (columns count from 1).
struct Token {
  std::string_view text;
  int column = 0;
};

std::vector<Token> split(std::string_view line) {
  std::vector<Token> tokens;
  const std::size_t end = std::min(line.find('#'), line.size());
  std::size_t at = 0;
  while (at < end) {
    if (std::strchr(" \t\r", line[at]) != nullptr && line[at] != '\0') {
      ++at;
      continue;
    }
    std::size_t stop = at;
    while (stop < end && (line[stop] == '\0' || std::strchr(" \t\r", line[stop]) == nullptr)) ++stop;
    tokens.push_back({line.substr(at, stop - at), static_cast<int>(at) + 1});
    at = stop;
  }
  return tokens;
}

// Decimal or 0x..., with a sign in front; nothing else, and no more than 64 bits.
bool parse_number(std::string_view text, std::int64_t& value, bool& is_negative, std::uint64_t& magnitude) {
  is_negative = !text.empty() && text[0] == '-';
  if (is_negative) text.remove_prefix(1);
  unsigned base = 10;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    base = 16;
    text.remove_prefix(2);
  }
  if (text.empty()) return false;
  magnitude = 0;
  for (const char c : text) {
    unsigned digit = 99;
    if (c >= '0' && c <= '9') digit = static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') digit = static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') digit = static_cast<unsigned>(c - 'A') + 10;
    if (digit >= base) return false;
    if (magnitude > (~std::uint64_t{0} - digit) / base) return false;
    magnitude = magnitude * base + digit;
  }
  value = static_cast<std::int64_t>(is_negative ? ~magnitude + 1 : magnitude);
  return true;
}

// One line's parser: remembers where it is, for messages.
class LineParser {
 public:
  LineParser(std::string_view line, const std::string& file, int number) : line_(line), file_(file), number_(number) {}

  Word parse() {
    const std::vector<Token> tokens = split(line_);
    if (tokens.empty()) fail("E0701", Token{line_.substr(0, 0), 1}, "there is no instruction in this line");
    const Token& first = tokens.front();
    if (first.text == "word") return parse_raw(tokens);
    const OpcodeInfo* info = nullptr;
    std::vector<std::string> names;
    for (const OpcodeInfo& op : Opcodes) {
      names.push_back(op.name);
      if (first.text == op.name) info = &op;
    }
    if (info == nullptr) {
      fail("E0701", first, "unknown instruction `" + std::string(first.text) + "`", did_you_mean(first.text, names),
           "instructions are " + join_or(names));
    }
    Word word{};
    set_field(word, HeaderFields[0], static_cast<std::int64_t>(info->opcode));
    for (int f = 0; f < info->format->field_count; ++f) {
      set_field(word, info->format->fields[f], info->format->fields[f].default_value());
    }
    std::vector<bool> seen(items_of(*info).size());
    for (std::size_t t = 1; t < tokens.size(); ++t) parse_item(*info, tokens[t], word, seen);
    if (const auto bad = check(word)) {
      fail("E0705", first, "this is not a legal instruction: " + isa::to_string(*bad));
    }
    return word;
  }

 private:
  [[noreturn]] void fail(const char* code, const Token& at, std::string message, std::string note = {},
                         std::string hint = {}) const {
    Diagnostic d;
    d.code = code;
    d.message = std::move(message);
    d.file = file_;
    d.line = number_;
    d.column = at.column;
    d.length = std::max(1, static_cast<int>(at.text.size()));
    d.excerpt = std::string(line_);
    d.note = std::move(note);
    d.hint = std::move(hint);
    throw UserError(std::vector<Diagnostic>{d});
  }

  Word parse_raw(const std::vector<Token>& tokens) const {
    Word word{};
    if (tokens.size() != word.size() + 1) {
      fail("E0701", tokens.front(), "`word` takes " + std::to_string(word.size()) + " numbers, but here are " +
                                        std::to_string(tokens.size() - 1));
    }
    for (std::size_t q = 0; q < word.size(); ++q) {
      std::int64_t value = 0;
      bool is_negative = false;
      if (!parse_number(tokens[q + 1].text, value, is_negative, word[q]) || is_negative) {
        fail("E0703", tokens[q + 1], "`" + std::string(tokens[q + 1].text) + "` is not a 64-bit number");
      }
    }
    return word;
  }

  void parse_item(const OpcodeInfo& info, const Token& token, Word& word, std::vector<bool>& seen) const {
    const std::size_t equals = token.text.find('=');
    const std::string name(token.text.substr(0, equals));
    const std::vector<Item>& items = items_of(info);
    std::size_t index = 0;
    while (index < items.size() && items[index].name != name) ++index;
    if (index == items.size()) {
      std::vector<std::string> names;
      for (const Item& item : items) names.push_back(item.name);
      fail("E0702", {token.text.substr(0, name.size()), token.column},
           "`" + std::string(info.name) + "` has no field `" + name + "`", did_you_mean(name, names));
    }
    const Item& item = items[index];
    if (seen[index]) fail("E0704", token, "field `" + name + "` is given twice");
    seen[index] = true;
    if (equals == std::string_view::npos) {
      if (item.field->width != 1) fail("E0703", token, "field `" + name + "` needs a value: " + name + "=...");
      set_field(word, *item.field, 1);
      return;
    }
    const Token value{token.text.substr(equals + 1), token.column + static_cast<int>(equals) + 1};
    if (item.last != nullptr) {
      parse_interval(item, value, word);
    } else if (is_wait(*item.field) || is_post(*item.field)) {
      parse_semaphores(item, info.format->unit, value, word);
    } else {
      parse_value(*item.field, value, word);
    }
  }

  void parse_value(const FieldInfo& field, const Token& token, Word& word) const {
    if (field.names != nullptr) {
      std::vector<std::string> names;
      for (std::int64_t v = 0; v <= field.max; ++v) {
        if (token.text == field.names[v]) return set_field(word, field, v);
        names.push_back(field.names[v]);
      }
      fail("E0703", token, "`" + std::string(token.text) + "` is no value of `" + field.name + "`",
           did_you_mean(token.text, names), "it may be " + join_or(names));
    }
    set_field(word, field, number(field.name, token, field.min, field.max));
  }

  std::int64_t number(const std::string& what, const Token& token, std::int64_t min, std::int64_t max) const {
    std::int64_t value = 0;
    bool is_negative = false;
    std::uint64_t magnitude = 0;
    if (!parse_number(token.text, value, is_negative, magnitude)) {
      fail("E0703", token, "`" + std::string(token.text) + "` is not a number");
    }
    const std::uint64_t room = is_negative ? static_cast<std::uint64_t>(-min) : static_cast<std::uint64_t>(max);
    const bool fits = is_negative && magnitude != 0 ? min < 0 && magnitude <= room : magnitude <= room;
    if (!fits || value < min || value > max) {
      fail("E0703", token, what + " = " + std::string(token.text) + " is outside " + std::to_string(min) + ".." +
                               std::to_string(max));
    }
    return value;
  }

  // [base..last]
  void parse_interval(const Item& item, const Token& token, Word& word) const {
    const std::size_t dots = token.text.find("..");
    if (token.text.size() < 2 || token.text.front() != '[' || token.text.back() != ']' ||
        dots == std::string_view::npos) {
      fail("E0703", token, "`" + item.name + "` needs an interval of words: " + item.name + "=[0..15]");
    }
    const Token base{token.text.substr(1, dots - 1), token.column + 1};
    const Token last{token.text.substr(dots + 2, token.text.size() - dots - 3), token.column + static_cast<int>(dots) + 2};
    parse_value(*item.field, base, word);
    parse_value(*item.last, last, word);
  }

  void parse_semaphores(const Item& item, Unit unit, const Token& token, Word& word) const {
    std::int64_t mask = 0;
    const int first = first_semaphore(item, unit);
    std::size_t at = 0;
    while (true) {
      const std::size_t comma = std::min(token.text.find(',', at), token.text.size());
      const Token one{token.text.substr(at, comma - at), token.column + static_cast<int>(at)};
      const std::int64_t bit = number("semaphore", one, first, first + item.field->width - 1) - first;
      if ((mask >> bit) & 1) fail("E0704", one, "semaphore " + std::string(one.text) + " is given twice");
      mask |= std::int64_t{1} << bit;
      if (comma == token.text.size()) break;
      at = comma + 1;
    }
    set_field(word, *item.field, mask);
  }

  std::string_view line_;
  const std::string& file_;
  int number_;
};

}  // namespace

std::string disassemble(const Word& word) {
  if (check(word)) return show_raw(word);
  const OpcodeInfo& info = *find(opcode(word));
  std::string text = info.name;
  for (const Item& item : items_of(info)) {
    const std::int64_t value = get_field(word, *item.field);
    const std::int64_t last = item.last == nullptr ? 0 : get_field(word, *item.last);
    if (value == item.field->default_value() && (item.last == nullptr || last == item.last->default_value())) continue;
    text += " " + item.name;
    if (item.last != nullptr) {
      text += "=[" + std::to_string(value) + ".." + std::to_string(last) + "]";
    } else if (is_wait(*item.field) || is_post(*item.field)) {
      text += "=" + show_mask(static_cast<std::uint64_t>(value), first_semaphore(item, info.format->unit));
    } else if (item.field->names != nullptr) {
      text += std::string("=") + item.field->names[value];
    } else if (item.field->width > 32) {  // addresses
      char number[24];
      std::snprintf(number, sizeof number, "=0x%" PRIx64, static_cast<std::uint64_t>(value));
      text += number;
    } else if (item.field->width > 1) {
      text += "=" + std::to_string(value);
    }
  }
  return text;
}

Word assemble(std::string_view text, const std::string& file, int line) {
  return LineParser(text, file, line).parse();
}

std::vector<Word> assemble_program(std::string_view text, const std::string& file) {
  std::vector<Word> program;
  std::vector<Diagnostic> errors;
  int line = 1;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view one = text.substr(at, end - at);
    if (!split(one).empty()) {
      try {
        program.push_back(assemble(one, file, line));
      } catch (const UserError& error) {
        errors.insert(errors.end(), error.diagnostics().begin(), error.diagnostics().end());
      }
    }
    at = end + 1;
    ++line;
  }
  if (!errors.empty()) throw UserError(std::move(errors));
  return program;
}

}  // namespace gemel::isa
