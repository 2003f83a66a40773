// SPDX-License-Identifier: Apache-2.0
// docs/reference/operators.md is made from the tables of operators (ops.hpp) and of lowerings (lower.hpp). GEMEL_UPDATE=1 writes it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "compiler/lower.hpp"
#include "ops/ops.hpp"

namespace gemel {
namespace {

template <class List, class Text>
std::string listed(const List& list, Text text) {
  std::string out;
  for (const auto& entry : list) out += (out.empty() ? "`" : ", `") + std::string(text(entry)) + "`";
  return out;
}

std::string document() {
  std::ostringstream out;
  out << "<!-- Made from src/ops and src/compiler/lowering.cpp by tests/compiler/operators_doc_test.cpp: do not edit. -->\n"
         "# Operators\n\n"
         "What a layer can be. How a workload file says it: [workloads](workloads.md); the arithmetic to the bit: [arithmetic](arithmetic.md);\n"
         "how to add one: [add an operator](../howto/add_an_operator.md).\n\n"
         "| operator | inputs | does | keys | arithmetic | runs on |\n"
         "| --- | --- | --- | --- | --- | --- |\n";
  for (const ops::OpInfo& row : ops::table()) {
    const std::string arithmetic = listed(row.arithmetic, [](Rounding r) { return to_string(r); });
    out << "| `" << row.name() << "` | " << row.inputs << " | " << row.summary << " | " << listed(row.keys, [](const std::string& k) { return k; })
        << " | " << (arithmetic.empty() ? "rounds in one way, or not at all" : arithmetic) << " | " << compiler::Lowerer::lowering(row.op).runs_on
        << " |\n";
  }
  return out.str();
}

TEST(OperatorsDocument, IsFresh) {
  const std::string path = std::string(GEMEL_SOURCE_DIR) + "/docs/reference/operators.md";
  if (std::getenv("GEMEL_UPDATE") != nullptr) std::ofstream(path, std::ios::binary) << document();
  std::ifstream in(path, std::ios::binary);
  const std::string written{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  EXPECT_EQ(written, document()) << "GEMEL_UPDATE=1 compiler_test writes it; read the diff";
}

}  // namespace
}  // namespace gemel
