// SPDX-License-Identifier: Apache-2.0
// Every parameter of a machine, declared once: key, type, unit, default, range, one sentence, and where it lives in
// Machine. The parser, `gemel explain`, the reference page, the JSON schema and the machine's digest all come from this
// table; rules that tie two parameters together are check_machine().
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "config/machine.hpp"
#include "gemel/parameters.hpp"

namespace gemel {

enum class ParameterType { Name, Text, Integer, SizeBytes, Number, Choice };
const char* to_string(ParameterType type);  // "integer", "size", ...

struct Parameter {
  std::string key;       // "pe_array.rows"
  ParameterType type;
  std::string unit;      // "rows", "bytes", ...; empty where there is none
  double least = 0;      // Integer, SizeBytes, Number: inclusive (all bounds are exact as doubles)
  double most = 0;
  bool power_of_two = false;
  std::vector<std::string> choices;  // Choice
  bool required = true;              // in a machine file
  bool in_digest = false;            // a program fits only machines with the same value (config/digest.hpp)
  std::string sentence;
  ParameterValue (*get)(const Machine&);
  void (*set)(Machine&, const ParameterValue&);
  double step = 0;  // Number: values are multiples of it, of which `set` takes the nearest; 0: any value

  std::string group() const;  // "pe_array"; "" for keys without a dot
  std::string leaf() const;   // "rows"
  std::string range() const;  // "1 to 256", "a power of two from 4 to 128", "`ideal`"; "" if anything goes
};

const std::vector<Parameter>& parameters();
const Parameter* find_parameter(const std::string& key);  // nullptr if there is none
std::vector<std::string> parameter_keys();

// A value as it stands in a machine file: 16, 128KiB, 0.5, ideal; text in quotes.
std::string format_value(const Parameter& parameter, const ParameterValue& value);
std::string default_value(const Parameter& parameter);  // the one of a default-constructed Machine, i.e. of edge16

// What contradicts what, as (key to blame, message); empty if the machine can be built. Expects every parameter to be
// in its own range. For machines made in code: load_machine() has already done it.
std::vector<std::pair<std::string, std::string>> check_machine(const Machine& machine);

// Values that can be built and have no effect, as (key, message). Expects a machine without contradictions.
std::vector<std::pair<std::string, std::string>> useless_parameters(const Machine& machine);

}  // namespace gemel
