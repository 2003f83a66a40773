// SPDX-License-Identifier: Apache-2.0
// gemel/yaml.hpp.
#include "gemel/yaml.hpp"

#include "config/yaml_reader.hpp"

namespace gemel {
namespace {

constexpr YamlCodes SpaceYamlCodes = {"space file", "E1201", "E1202", "E1203", "E1203", "E1203", "E1204", "E1205"};
constexpr int MostDeep = 32, MostValues = 100000;  // aliases may repeat what they stand for

YamlTree tree_of(const YamlValue& value, int deep, int& values) {
  YamlTree tree;
  const Diagnostic place = value.place(), key = value.key_place();
  tree.line = place.line;
  tree.column = place.column;
  tree.length = place.length;
  tree.key_line = key.line;
  tree.key_column = key.column;
  if (deep > MostDeep || ++values > MostValues) {
    values = MostValues + 1;
    return tree;
  }
  if (value.is_scalar()) {
    tree.kind = YamlTree::Kind::Scalar;
    tree.text = value.scalar();
    tree.quoted = value.is_quoted();
  } else if (value.is_list()) {
    tree.kind = YamlTree::Kind::List;
    for (const YamlValue& item : value.as_list()) {
      if (values > MostValues) break;
      tree.items.push_back(tree_of(item, deep + 1, values));
    }
  } else if (value.is_map()) {
    tree.kind = YamlTree::Kind::Map;
    YamlMap map = value.map();
    const std::vector<std::string> keys = map.keys();
    for (const std::string& entry : keys) {
      if (values > MostValues) break;
      tree.entries.emplace_back(entry, tree_of(map.find(entry), deep + 1, values));
    }
  }
  return tree;
}

}  // namespace

YamlTree read_yaml(const std::string& text, const std::string& file) {
  const YamlReader reader = YamlReader::from_text(text, file, SpaceYamlCodes);
  int values = 0;
  YamlTree tree = tree_of(reader.root(), 0, values);
  if (values > MostValues) {
    reader.root().complain("the file is nested deeper than " + std::to_string(MostDeep) + " or has more than " + std::to_string(MostValues) + " values");
  }
  reader.finish();
  return tree;
}

}  // namespace gemel
