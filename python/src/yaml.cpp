// SPDX-License-Identifier: Apache-2.0
// YAML as nested tuples: (kind, value, quoted, line, column, length, line and column of the key).
#include "gemel/yaml.hpp"

#include "bindings.hpp"

namespace gemel::python {
namespace {

py::tuple tuple_of(const YamlTree& tree) {
  static constexpr const char* Kinds[] = {"nothing", "scalar", "list", "map"};
  py::object value = py::none();
  if (tree.kind == YamlTree::Kind::Scalar) {
    value = py::bytes(tree.text).attr("decode")("utf-8", "replace");
  } else if (tree.kind == YamlTree::Kind::List) {
    py::list items;
    for (const YamlTree& item : tree.items) items.append(tuple_of(item));
    value = items;
  } else if (tree.kind == YamlTree::Kind::Map) {
    py::list entries;
    for (const auto& [key, entry] : tree.entries) entries.append(py::make_tuple(py::bytes(key).attr("decode")("utf-8", "replace"), tuple_of(entry)));
    value = entries;
  }
  return py::make_tuple(Kinds[static_cast<int>(tree.kind)], value, tree.quoted, tree.line, tree.column, tree.length, tree.key_line, tree.key_column);
}

}  // namespace

void bind_yaml(py::module_& module) {
  module.def(
      "read_yaml", [](const std::string& text, const std::string& file) { return tuple_of(read_yaml(text, file)); }, py::kw_only(), py::arg("text"),
      py::arg("file"));
}

}  // namespace gemel::python
