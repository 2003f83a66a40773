// SPDX-License-Identifier: Apache-2.0
// YAML as a tree with places, for programs with files of their own beside Gemel's: spaces of sweeps are read with it.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "gemel/export.hpp"

namespace gemel {

struct YamlTree {
  enum class Kind { Nothing, Scalar, List, Map };
  Kind kind = Kind::Nothing;
  std::string text;     // a scalar's characters
  bool quoted = false;  // a scalar in quotes, which is text whatever it looks like
  int line = 0, column = 0, length = 1;          // where it begins, from 1; characters to underline
  int key_line = 0, key_column = 0;              // of its key in a map; 0: it has none
  std::vector<YamlTree> items;                   // of a list
  std::vector<std::pair<std::string, YamlTree>> entries;  // of a map, in order
};

// `file`: what messages call it. UserError E1202 (no YAML), E1203 (a key twice), E1205 (deeper than 32, or more than 100,000 values).
GEMEL_API YamlTree read_yaml(const std::string& text, const std::string& file);

}  // namespace gemel
