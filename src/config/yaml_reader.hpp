// SPDX-License-Identifier: Apache-2.0
// Reading YAML with good manners: typed access that *collects* complaints (file, line, column, excerpt, suggestion) instead
// of stopping at the first, and that notices unknown, missing and duplicate keys by itself. Use:
//   YamlReader reader = YamlReader::from_file(path, WorkloadYamlCodes);   // throws UserError if it does not parse
//   YamlMap top = reader.root().map();
//   auto name = top.text("name");                         // required: complains and gives "" if missing or wrong
//   auto groups = top.integer("groups", 1, 65536, 1);     // optional: last argument is the default
//   for (YamlValue item : top.list("layers")) { YamlMap layer = item.map(); ...; layer.done(); }
//   top.done();        // keys that nobody asked for are unknown; do it for every map
//   reader.finish();   // throws UserError with everything found, in order of line
// After a complaint the value returned is usable (the default, or the least legal value), so reading simply goes on.
#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace gemel {

// Which code each complaint gets: E01xx in machine files, E02xx in workloads.
struct YamlCodes {
  const char* what;  // "machine file", for messages
  const char* unreadable;
  const char* unparsable;
  const char* unknown_key;
  const char* missing_key;
  const char* duplicate_key;
  const char* wrong_type;
  const char* out_of_range;
};
inline constexpr YamlCodes MachineYamlCodes = {"machine file", "E0101", "E0102", "E0103", "E0104", "E0105", "E0106", "E0107"};
inline constexpr YamlCodes WorkloadYamlCodes = {"workload file", "E0201", "E0202", "E0203", "E0204", "E0205", "E0206", "E0207"};

struct YamlNode;   // yaml_reader.cpp
struct YamlState;  // yaml_reader.cpp: text, file name, codes, what has been found so far
class YamlMap;

// One value (or a missing one) and where it stands. Cheap to copy; valid as long as any of its reader's values lives.
class YamlValue {
 public:
  bool exists() const { return node_ != nullptr; }
  bool is_null() const;    // missing, empty, `~` or `null`
  bool is_scalar() const;
  bool is_list() const;
  bool is_map() const;
  int line() const;        // from 1; 0 if unknown
  const std::string& path() const { return path_; }  // "layers[3].kernel", for messages
  std::string scalar() const;  // the characters of a scalar, else ""
  bool is_quoted() const;      // a scalar in quotes
  Diagnostic place() const;      // file, line, column, length and excerpt; no message
  Diagnostic key_place() const;  // of its key; line 0: it has none
  bool is_integer() const;     // a scalar that reads as an integer: for keys that take a number or a word

  // Typed reading; nullopt after a complaint. Ranges are inclusive.
  std::optional<std::int64_t> as_integer(std::int64_t least, std::int64_t most) const;
  std::optional<std::int64_t> as_size_bytes(std::int64_t least, std::int64_t most) const;  // 4096, 4KiB, 2MiB, 1GiB
  std::optional<double> as_number(double least, double most) const;  // finite; NaN and infinities are complained of
  std::optional<std::string> as_text() const;
  std::optional<bool> as_boolean() const;                            // true, false
  // `synonyms`: what others call a choice, in lower case and without `_` and `-`, and what to suggest instead (in backquotes).
  using Synonyms = std::map<std::string, std::string>;
  std::optional<std::string> as_choice(const std::vector<std::string>& choices, const Synonyms& synonyms = {}) const;
  std::vector<YamlValue> as_list() const;                            // empty after a complaint
  YamlMap map() const;                                               // an empty map after a complaint

  // A complaint about this value. `code` defaults to out_of_range; `note` stands beside the underline.
  void complain(const std::string& message, const std::string& note = {}, const std::string& hint = {},
                const char* code = nullptr) const;

 private:
  friend class YamlReader;
  friend class YamlMap;
  std::shared_ptr<YamlState> state_;
  std::shared_ptr<const YamlNode> node_;  // nullptr: missing
  std::string path_;
  bool complain_of_type(const std::string& expected) const;  // always false
};

// A map. Asking for a key marks it as known; done() complains of those never asked for.
class YamlMap {
 public:
  bool has(const std::string& key);                  // marks it as known, too
  YamlValue find(const std::string& key);            // may not exist()
  YamlValue require(const std::string& key);         // complains if missing
  const std::vector<std::string>& keys() const { return keys_; }  // in order, without repetition

  // Required, and with a default for an optional key.
  std::int64_t integer(const std::string& key, std::int64_t least, std::int64_t most);
  std::int64_t integer(const std::string& key, std::int64_t least, std::int64_t most, std::int64_t otherwise);
  double number(const std::string& key, double least, double most);
  double number(const std::string& key, double least, double most, double otherwise);
  std::string text(const std::string& key);
  std::string text(const std::string& key, const std::string& otherwise);
  bool boolean(const std::string& key, bool otherwise);
  std::string choice(const std::string& key, const std::vector<std::string>& choices);
  std::string choice(const std::string& key, const std::vector<std::string>& choices, const std::string& otherwise);
  std::vector<YamlValue> list(const std::string& key);           // required
  std::vector<YamlValue> optional_list(const std::string& key);  // empty if missing
  YamlMap map(const std::string& key);                           // required
  std::optional<YamlMap> optional_map(const std::string& key);

  void also_known(const std::vector<std::string>& keys);  // never unknown, and candidates for suggestions
  void done(const std::string& hint = {});                // complains of every key that was not asked for
  const YamlValue& value() const { return self_; }        // where the map stands, to complain of it as a whole

 private:
  friend class YamlValue;
  YamlValue self_;
  std::vector<std::string> keys_;
  std::vector<std::string> known_;
};

class YamlReader {
 public:
  // UserError at once if the file cannot be read or is not YAML (everything else would be guesswork then).
  // Interrupted once `*interrupted` is set.
  static YamlReader from_file(const std::string& path, const YamlCodes& codes, const std::atomic<bool>* interrupted = nullptr);
  static YamlReader from_text(std::string text, std::string file, const YamlCodes& codes,
                              const std::atomic<bool>* interrupted = nullptr);

  YamlValue root() const;
  void add(Diagnostic diagnostic);    // a complaint with no place in the file
  bool clean() const;                 // nothing found so far
  void finish() const;                // throws UserError if anything was found

 private:
  YamlReader() = default;
  std::shared_ptr<YamlState> state_;
};

// A plain decimal or hexadecimal integer with an optional sign; nullopt if it is anything else or does not fit.
std::optional<std::int64_t> parse_integer(const std::string& text);
// The same with an optional KiB, MiB or GiB behind it.
std::optional<std::int64_t> parse_size_bytes(const std::string& text);
// A finite or non-finite floating-point number, as YAML writes it (.nan, .inf included).
std::optional<double> parse_number(const std::string& text);
// 131072 -> "128KiB"; what is no multiple of 1024 stays plain.
std::string format_size_bytes(std::int64_t bytes);

}  // namespace gemel
