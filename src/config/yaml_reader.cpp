// SPDX-License-Identifier: Apache-2.0
// The YAML reading layer; see yaml_reader.hpp. yaml-cpp only parses: its events build a tree of our own, because its nodes
// forget where a key stood and make aliases hard to bound. Contents are shared between an anchor and its aliases.
#include "config/yaml_reader.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <sstream>
#include <unordered_map>

#include "base/text.hpp"

namespace gemel {

namespace {

struct Place {
  int line = 0;  // from 1; 0: unknown
  int column = 0;
  int length = 1;
};

}  // namespace

struct YamlContent {
  enum class Kind { Null, Scalar, List, Map };
  struct Entry {
    std::string key;
    std::shared_ptr<const YamlNode> value;
  };
  Kind kind = Kind::Null;
  bool quoted = false;
  std::string scalar;
  std::vector<std::shared_ptr<const YamlNode>> items;
  std::vector<Entry> entries;  // the first of every key
};

struct YamlNode {
  std::shared_ptr<YamlContent> content;
  Place place;  // where the value begins
  Place key;    // where its key stands, if it has one
};

struct YamlState {
  std::string text;
  std::string file;
  YamlCodes codes{};
  std::shared_ptr<const YamlNode> root;
  Diagnostics diagnostics;

  Diagnostic diagnostic(const char* code, std::string message, const Place& place) const {
    Diagnostic d;
    d.code = code;
    d.message = std::move(message);
    d.file = file;
    d.line = place.line;
    d.column = place.column;
    d.length = place.length;
    d.excerpt = line_of(text, place.line);
    return d;
  }
  void complain(const char* code, std::string message, const Place& place, std::string note = {}, std::string hint = {}) {
    if (diagnostics.full()) return;
    Diagnostic d = diagnostic(code, std::move(message), place);
    d.note = std::move(note);
    d.hint = std::move(hint);
    diagnostics.add(std::move(d));
  }
};

namespace {

Place place_of(const YAML::Mark& mark, int length = 1) {
  if (mark.is_null()) return {};
  return {mark.line + 1, mark.column + 1, std::max(1, length)};
}

// Builds the tree from the parser's events. A stack of open lists and maps; a map waits for a key or for a value.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(YamlState& state, const std::atomic<bool>* interrupted) : state_(state), interrupted_(interrupted) {}
  std::shared_ptr<const YamlNode> root;

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(make(YamlContent::Kind::Null, mark, anchor, 1), false);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto node = std::make_shared<YamlNode>();
    const auto found = anchors_.find(anchor);
    node->content = found == anchors_.end() ? std::make_shared<YamlContent>() : found->second;
    node->place = place_of(mark);
    if (open_contents_.count(node->content.get())) {  // a list that contains itself would never end (nor be freed)
      state_.complain(state_.codes.unparsable, "an alias refers to the list or map around it", node->place);
      node->content = std::make_shared<YamlContent>();
    }
    add(node, false);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    const bool quoted = tag == "!";  // yaml-cpp's mark for a quoted scalar without a tag
    auto node = make(YamlContent::Kind::Scalar, mark, anchor, static_cast<int>(value.size()) + (quoted ? 2 : 0));
    node->content->scalar = value;
    node->content->quoted = quoted;
    add(node, false);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    add(make(YamlContent::Kind::List, mark, anchor, 1), true);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    add(make(YamlContent::Kind::Map, mark, anchor, 1), true);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    std::shared_ptr<YamlContent> content;
    bool has_key = false;
    bool key_is_word = true;
    std::string key;
    Place key_place;
    std::unordered_map<std::string, int> lines;  // of the keys so far
  };

  std::shared_ptr<YamlNode> make(YamlContent::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor, int length) {
    auto node = std::make_shared<YamlNode>();
    node->content = std::make_shared<YamlContent>();
    node->content->kind = kind;
    node->place = place_of(mark, length);
    if (anchor) anchors_[anchor] = node->content;
    return node;
  }

  void add(const std::shared_ptr<YamlNode>& node, bool opens) {
    if (interrupted_ && *interrupted_) throw Interrupted("interrupted while reading " + state_.file);
    if (stack_.empty()) {
      root = node;
    } else if (Open& top = stack_.back(); top.content->kind == YamlContent::Kind::List) {
      top.content->items.push_back(node);
    } else if (!top.has_key) {
      top.has_key = true;
      top.key_place = node->place;
      top.key_is_word = node->content->kind == YamlContent::Kind::Scalar;
      if (!top.key_is_word) {
        state_.complain(state_.codes.unparsable, "a key must be a word", node->place);
      }
      top.key = node->content->scalar;
    } else {
      top.has_key = false;
      node->key = top.key_place;
      if (top.key_is_word) add_entry(top, node);
    }
    if (opens) {
      stack_.push_back({node->content, false, true, {}, {}, {}});
      ++open_contents_[node->content.get()];
    }
  }

  void add_entry(Open& map, const std::shared_ptr<YamlNode>& node) {
    const auto [first, is_new] = map.lines.emplace(map.key, map.key_place.line);
    if (is_new) {
      map.content->entries.push_back({map.key, node});
    } else {
      state_.complain(state_.codes.duplicate_key, "key `" + map.key + "` is given twice", map.key_place,
                      "first given on line " + std::to_string(first->second));
    }
  }

  void close() {
    open_contents_.erase(stack_.back().content.get());
    stack_.pop_back();
  }

  YamlState& state_;
  const std::atomic<bool>* interrupted_;
  std::vector<Open> stack_;
  std::map<YAML::anchor_t, std::shared_ptr<YamlContent>> anchors_;
  std::unordered_map<const YamlContent*, int> open_contents_;
};

// Tells whether anything follows the first document.
class DocumentCounter : public YAML::EventHandler {
 public:
  Place second;
  bool found = false;
  void OnDocumentStart(const YAML::Mark& mark) override {
    second = place_of(mark);
    found = true;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

bool is_number_text(const YamlContent& content) { return content.kind == YamlContent::Kind::Scalar && !content.quoted; }

}  // namespace

// ---- scalars ----------------------------------------------------------------------------------------------------------

std::optional<std::int64_t> parse_integer(const std::string& text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  const bool negative = p != end && *p == '-';
  if (p != end && (*p == '-' || *p == '+')) ++p;
  int base = 10;
  if (end - p > 2 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
    base = 16;
    p += 2;
  }
  std::uint64_t magnitude = 0;
  const auto [stop, error] = std::from_chars(p, end, magnitude, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  constexpr auto Most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (magnitude > Most + (negative ? 1 : 0)) return std::nullopt;
  return static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude);
}

std::optional<std::int64_t> parse_size_bytes(const std::string& text) {
  static const std::pair<const char*, int> units[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
  std::string digits = text;
  int shift = 0;
  for (const auto& [unit, bits] : units) {
    if (text.size() > 3 && text.compare(text.size() - 3, 3, unit) == 0) {
      digits = text.substr(0, text.size() - 3);
      while (!digits.empty() && digits.back() == ' ') digits.pop_back();
      shift = bits;
    }
  }
  const auto count = parse_integer(digits);
  if (!count) return std::nullopt;
  const std::int64_t unit = std::int64_t{1} << shift;
  const std::int64_t most = std::numeric_limits<std::int64_t>::max() / unit;
  if (*count > most || *count < -most) return std::nullopt;
  return *count * unit;
}

std::optional<double> parse_number(const std::string& text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  const bool negative = p != end && *p == '-';
  if (p != end && (*p == '-' || *p == '+')) ++p;
  const std::string word(p, end);
  if (word == ".inf" || word == ".Inf" || word == ".INF") {
    return negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  }
  if (word == ".nan" || word == ".NaN" || word == ".NAN") return std::numeric_limits<double>::quiet_NaN();
  if (p == end || !(*p == '.' || (*p >= '0' && *p <= '9'))) return std::nullopt;  // not "inf", "nan", "--1"
  double value = 0;
  const auto [stop, error] = std::from_chars(p, end, value);
  if (stop != end) return std::nullopt;
  if (error == std::errc::result_out_of_range) {  // from_chars does not say on which side
    const bool tiny = word.find("e-") != std::string::npos || word.find("E-") != std::string::npos;
    value = tiny ? 0.0 : std::numeric_limits<double>::infinity();
  } else if (error != std::errc()) {
    return std::nullopt;
  }
  return negative ? -value : value;
}

std::string format_size_bytes(std::int64_t bytes) {
  static const std::pair<const char*, int> units[] = {{"GiB", 30}, {"MiB", 20}, {"KiB", 10}};
  for (const auto& [unit, bits] : units) {
    if (bytes != 0 && bytes % (std::int64_t{1} << bits) == 0) return std::to_string(bytes >> bits) + unit;
  }
  return std::to_string(bytes);
}

// ---- YamlValue ----------------------------------------------------------------------------------------------------------

bool YamlValue::is_null() const { return !node_ || node_->content->kind == YamlContent::Kind::Null; }
bool YamlValue::is_scalar() const { return node_ && node_->content->kind == YamlContent::Kind::Scalar; }
bool YamlValue::is_list() const { return node_ && node_->content->kind == YamlContent::Kind::List; }
bool YamlValue::is_map() const { return node_ && node_->content->kind == YamlContent::Kind::Map; }
int YamlValue::line() const { return node_ ? node_->place.line : 0; }
std::string YamlValue::scalar() const { return is_scalar() ? node_->content->scalar : std::string(); }
bool YamlValue::is_integer() const { return node_ && is_number_text(*node_->content) && parse_integer(node_->content->scalar); }

bool YamlValue::is_quoted() const { return is_scalar() && node_->content->quoted; }
Diagnostic YamlValue::place() const { return node_ ? state_->diagnostic("", {}, node_->place) : Diagnostic{}; }
Diagnostic YamlValue::key_place() const { return node_ ? state_->diagnostic("", {}, node_->key) : Diagnostic{}; }

void YamlValue::complain(const std::string& message, const std::string& note, const std::string& hint, const char* code) const {
  Place place;  // a list or a map is best shown by its key
  if (node_) place = (is_scalar() || node_->key.line == 0) ? node_->place : node_->key;
  state_->complain(code ? code : state_->codes.out_of_range, message, place, note, hint);
}

bool YamlValue::complain_of_type(const std::string& expected) const {
  const std::string name = path_.empty() ? std::string("the file") : "`" + path_ + "`";
  std::string found = "nothing";
  if (is_list()) found = "a list";
  if (is_map()) found = "a map";
  if (is_scalar()) found = (node_->content->quoted ? "the text " : "") + quote(node_->content->scalar);
  complain(name + " must be " + expected + ", not " + found, {}, {}, state_->codes.wrong_type);
  return false;
}

namespace {

// "Max_Pool-2D" -> "maxpool2d": names of one thing differ in case and in what joins their words.
std::string folded(const std::string& word) {
  std::string out;
  for (const char c : word)
    if (c != '_' && c != '-' && c != ' ') out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

// An integer beyond 64 bits is out of range rather than no integer.
bool is_digits(const std::string& text) {
  const std::size_t first = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  return text.size() > first && text.find_first_not_of("0123456789", first) == std::string::npos;
}

std::string range_text(const std::string& least, const std::string& most) {
  return least == most ? least : least + " to " + most;
}

}  // namespace

std::optional<std::int64_t> YamlValue::as_integer(std::int64_t least, std::int64_t most) const {
  const auto value = is_scalar() && is_number_text(*node_->content) ? parse_integer(node_->content->scalar) : std::nullopt;
  if (!value && !(is_scalar() && is_number_text(*node_->content) && is_digits(node_->content->scalar))) {
    complain_of_type("an integer");
    return std::nullopt;
  }
  if (!value || *value < least || *value > most) {
    complain("`" + path_ + "` is " + node_->content->scalar + ", but must be " +
             range_text(std::to_string(least), std::to_string(most)));
    return std::nullopt;
  }
  return value;
}

std::optional<std::int64_t> YamlValue::as_size_bytes(std::int64_t least, std::int64_t most) const {
  const auto value = is_scalar() && is_number_text(*node_->content) ? parse_size_bytes(node_->content->scalar) : std::nullopt;
  if (!value) {
    complain_of_type("a size in bytes (such as 4096, 64KiB or 1GiB)");
    return std::nullopt;
  }
  if (*value < least || *value > most) {
    complain("`" + path_ + "` is " + format_size_bytes(*value) + ", but must be " +
             range_text(format_size_bytes(least), format_size_bytes(most)));
    return std::nullopt;
  }
  return value;
}

std::optional<double> YamlValue::as_number(double least, double most) const {
  const auto value = is_scalar() && is_number_text(*node_->content) ? parse_number(node_->content->scalar) : std::nullopt;
  if (!value) {
    complain_of_type("a number");
    return std::nullopt;
  }
  if (!std::isfinite(*value)) {
    complain("`" + path_ + "` is " + quote(node_->content->scalar) + ", but must be finite");
    return std::nullopt;
  }
  if (*value < least || *value > most) {
    complain("`" + path_ + "` is " + node_->content->scalar + ", but must be " +
             range_text(format_number(least), format_number(most)));
    return std::nullopt;
  }
  return value;
}

std::optional<std::string> YamlValue::as_text() const {
  if (!is_scalar()) {
    complain_of_type("text");
    return std::nullopt;
  }
  return node_->content->scalar;
}

std::optional<bool> YamlValue::as_boolean() const {
  if (is_scalar() && !node_->content->quoted && node_->content->scalar == "true") return true;
  if (is_scalar() && !node_->content->quoted && node_->content->scalar == "false") return false;
  complain_of_type("true or false");
  return std::nullopt;
}

std::optional<std::string> YamlValue::as_choice(const std::vector<std::string>& choices, const Synonyms& synonyms) const {
  const auto word = as_text();
  if (!word) return std::nullopt;
  if (std::find(choices.begin(), choices.end(), *word) != choices.end()) return word;
  std::vector<std::string> shown;
  for (const auto& choice : choices) shown.push_back("`" + choice + "`");
  const auto synonym = synonyms.find(folded(*word));
  complain("`" + path_ + "` is " + quote(*word) + ", but must be " + join_or(shown),
           synonym != synonyms.end() ? "did you mean " + synonym->second + "?" : did_you_mean(*word, choices));
  return std::nullopt;
}

std::vector<YamlValue> YamlValue::as_list() const {
  std::vector<YamlValue> values;
  if (!is_list()) {
    complain_of_type("a list");
    return values;
  }
  const auto& items = node_->content->items;
  values.resize(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    values[i].state_ = state_;
    values[i].node_ = items[i];
    values[i].path_ = path_ + "[" + std::to_string(i) + "]";
  }
  return values;
}

YamlMap YamlValue::map() const {
  YamlMap map;
  map.self_ = *this;
  const bool empty_file = path_.empty() && is_null();  // its missing keys say more than its type
  if (!is_map() && !empty_file) complain_of_type("a map of keys and values");
  if (is_map()) {
    for (const auto& entry : node_->content->entries) map.keys_.push_back(entry.key);
  }
  return map;
}

// ---- YamlMap --------------------------------------------------------------------------------------------------------------

bool YamlMap::has(const std::string& key) { return find(key).exists(); }

YamlValue YamlMap::find(const std::string& key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  YamlValue value;
  value.state_ = self_.state_;
  value.path_ = self_.path_.empty() ? key : self_.path_ + "." + key;
  if (self_.is_map()) {
    for (const auto& entry : self_.node_->content->entries) {
      if (entry.key == key) value.node_ = entry.value;
    }
  }
  return value;
}

YamlValue YamlMap::require(const std::string& key) {
  YamlValue value = find(key);
  const bool empty_file = self_.path_.empty() && self_.is_null();
  if (!value.exists() && (self_.is_map() || empty_file)) {  // otherwise the map itself has been complained of
    self_.complain("missing key `" + value.path_ + "`", {}, {}, self_.state_->codes.missing_key);
  }
  return value;
}

std::int64_t YamlMap::integer(const std::string& key, std::int64_t least, std::int64_t most) {
  const YamlValue value = require(key);
  return value.exists() ? value.as_integer(least, most).value_or(least) : least;
}
std::int64_t YamlMap::integer(const std::string& key, std::int64_t least, std::int64_t most, std::int64_t otherwise) {
  const YamlValue value = find(key);
  return value.exists() ? value.as_integer(least, most).value_or(otherwise) : otherwise;
}
double YamlMap::number(const std::string& key, double least, double most) {
  const YamlValue value = require(key);
  return value.exists() ? value.as_number(least, most).value_or(least) : least;
}
double YamlMap::number(const std::string& key, double least, double most, double otherwise) {
  const YamlValue value = find(key);
  return value.exists() ? value.as_number(least, most).value_or(otherwise) : otherwise;
}
std::string YamlMap::text(const std::string& key) {
  const YamlValue value = require(key);
  return value.exists() ? value.as_text().value_or("") : "";
}
std::string YamlMap::text(const std::string& key, const std::string& otherwise) {
  const YamlValue value = find(key);
  return value.exists() ? value.as_text().value_or(otherwise) : otherwise;
}
bool YamlMap::boolean(const std::string& key, bool otherwise) {
  const YamlValue value = find(key);
  return value.exists() ? value.as_boolean().value_or(otherwise) : otherwise;
}
std::string YamlMap::choice(const std::string& key, const std::vector<std::string>& choices) {
  const YamlValue value = require(key);
  return value.exists() ? value.as_choice(choices).value_or(choices.front()) : choices.front();
}
std::string YamlMap::choice(const std::string& key, const std::vector<std::string>& choices, const std::string& otherwise) {
  const YamlValue value = find(key);
  return value.exists() ? value.as_choice(choices).value_or(otherwise) : otherwise;
}
std::vector<YamlValue> YamlMap::list(const std::string& key) {
  const YamlValue value = require(key);
  return value.exists() ? value.as_list() : std::vector<YamlValue>();
}
std::vector<YamlValue> YamlMap::optional_list(const std::string& key) {
  const YamlValue value = find(key);
  return value.exists() ? value.as_list() : std::vector<YamlValue>();
}
YamlMap YamlMap::map(const std::string& key) {
  const YamlValue value = require(key);
  if (value.exists()) return value.map();
  YamlMap missing;
  missing.self_ = value;  // a missing map complains no more about its own keys
  return missing;
}
std::optional<YamlMap> YamlMap::optional_map(const std::string& key) {
  const YamlValue value = find(key);
  if (!value.exists()) return std::nullopt;
  return value.map();
}

void YamlMap::also_known(const std::vector<std::string>& keys) {
  for (const auto& key : keys) {
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  }
}

void YamlMap::done(const std::string& hint) {
  if (!self_.is_map()) return;
  for (const auto& entry : self_.node_->content->entries) {
    if (self_.state_->diagnostics.full()) return;
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
    Place place = entry.value->key;
    place.length = std::max<int>(1, static_cast<int>(entry.key.size()));
    self_.state_->complain(self_.state_->codes.unknown_key, "unknown key " + quote(entry.key), place,
                           did_you_mean(entry.key, known_), hint);
  }
}

// ---- YamlReader -----------------------------------------------------------------------------------------------------------

YamlReader YamlReader::from_file(const std::string& path, const YamlCodes& codes, const std::atomic<bool>* interrupted) {
  return from_text(read_text_file(path, codes.unreadable, codes.what), path, codes, interrupted);
}

YamlReader YamlReader::from_text(std::string text, std::string file, const YamlCodes& codes, const std::atomic<bool>* interrupted) {
  YamlReader reader;
  reader.state_ = std::make_shared<YamlState>();
  YamlState& state = *reader.state_;
  state.text = std::move(text);
  state.file = std::move(file);
  state.codes = codes;
  TreeBuilder builder(state, interrupted);
  DocumentCounter rest;
  try {
    std::istringstream in(state.text);
    YAML::Parser parser(in);
    parser.HandleNextDocument(builder);
    parser.HandleNextDocument(rest);
  } catch (const YAML::Exception& e) {
    Diagnostic d = state.diagnostic(codes.unparsable, "not valid YAML: " + e.msg, place_of(e.mark));
    const auto indent = d.excerpt.substr(0, d.excerpt.find_first_not_of(" \t"));
    if (indent.find('\t') != std::string::npos) d.hint = "the line is indented with a tab, which YAML does not allow";
    throw UserError(std::vector<Diagnostic>{std::move(d)});
  }
  if (rest.found) state.complain(codes.unparsable, "a second document begins here, but a file holds one", rest.second);
  state.root = builder.root ? builder.root : std::make_shared<YamlNode>(YamlNode{std::make_shared<YamlContent>(), {}, {}});
  return reader;
}

YamlValue YamlReader::root() const {
  YamlValue value;
  value.state_ = state_;
  value.node_ = state_->root;
  return value;
}

void YamlReader::add(Diagnostic diagnostic) {
  if (diagnostic.file.empty()) diagnostic.file = state_->file;
  state_->diagnostics.add(std::move(diagnostic));
}

bool YamlReader::clean() const { return state_->diagnostics.empty(); }

void YamlReader::finish() const {
  if (clean()) return;
  auto all = state_->diagnostics.list();
  const auto key = [](const Diagnostic& d) {
    return std::make_pair(d.line ? d.line : std::numeric_limits<int>::max(), d.column);
  };
  std::stable_sort(all.begin(), all.end(), [&](const Diagnostic& a, const Diagnostic& b) { return key(a) < key(b); });
  throw UserError(std::move(all));
}

}  // namespace gemel
