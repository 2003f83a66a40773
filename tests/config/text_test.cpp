// SPDX-License-Identifier: Apache-2.0
// Helpers for text: distances, suggestions, lines, numbers; the table of messages; the shape of a diagnostic.
#include "base/text.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/error_codes.hpp"

namespace gemel {
namespace {

TEST(EditDistance, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("abc", ""), 3);
  EXPECT_EQ(edit_distance("rows", "row"), 1);
  EXPECT_EQ(edit_distance("row", "rows"), 1);
  EXPECT_EQ(edit_distance("rows", "rovs"), 1);
  EXPECT_EQ(edit_distance("rows", "rwos"), 1);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
}

TEST(Nearest, TakesTheFirstOfTheBestAndNothingFar) {
  EXPECT_EQ(nearest("colums", {"rows", "columns"}), "columns");
  EXPECT_EQ(nearest("xyz", {"rows", "columns"}), "");
  EXPECT_EQ(nearest("out", {"outstanding", "outer"}), "outer");
  EXPECT_EQ(nearest("ab", {"ac", "ad"}), "ac");
  EXPECT_EQ(nearest("", {"a"}), "");
  EXPECT_EQ(nearest(std::string(1000, 'x'), {"x"}), "");
}

TEST(LineOf, FindsLinesWithAnyEnd) {
  EXPECT_EQ(line_of("a\r\nb\nc", 1), "a");
  EXPECT_EQ(line_of("a\r\nb\nc", 2), "b");
  EXPECT_EQ(line_of("a\r\nb\nc", 3), "c");
  EXPECT_EQ(line_of("a\r\nb\nc", 4), "");
  EXPECT_EQ(line_of("a", 0), "");
}

TEST(FormatNumber, IsShortestAndReadsBack) {
  EXPECT_EQ(format_number(1000.0), "1000");
  EXPECT_EQ(format_number(0.5), "0.5");
  EXPECT_EQ(format_number(0.1), "0.1");
}

TEST(Diagnostics, HaveTheHouseShape) {
  Diagnostic d;
  d.code = "E0103";
  d.message = "unknown key `colums`";
  d.file = "configs/tiny.yaml";
  d.line = 3;
  d.column = 3;
  d.length = 6;
  d.excerpt = "  colums: 16";
  d.note = "did you mean `columns`?";
  d.hint = "`gemel explain pe_array` lists every parameter";
  EXPECT_EQ(to_string(d),
            "error[E0103]: unknown key `colums`\n"
            "  configs/tiny.yaml:3:3\n"
            "3 |   colums: 16\n"
            "  |   ^^^^^^ did you mean `columns`?\n"
            "hint: `gemel explain pe_array` lists every parameter");
}

TEST(Diagnostics, KeepTheirGutterForLongLineNumbers) {
  Diagnostic d;
  d.code = "E0103";
  d.message = "m";
  d.file = "f";
  d.line = 1234;
  d.column = 2;
  d.excerpt = "\tx";
  EXPECT_EQ(to_string(d), "error[E0103]: m\n  f:1234:2\n1234 |  x\n     |  ^");
}

TEST(ErrorCodes, AreSortedUniqueAndSaySomething) {
  const auto& table = error_codes();
  ASSERT_GE(table.size(), 20u);
  for (std::size_t i = 0; i < table.size(); ++i) {
    EXPECT_EQ(table[i].code.size(), 5u) << table[i].code;
    if (i > 0) {
      EXPECT_LT(table[i - 1].code, table[i].code);
    }
    EXPECT_GT(table[i].sentence.size(), 15u) << table[i].code;
    EXPECT_EQ(table[i].sentence.back(), '.') << table[i].code;
  }
  EXPECT_EQ(find_error_code("E0103")->exit_class, ExitClass::User);
  EXPECT_EQ(find_error_code("E9999"), nullptr);
}

TEST(Errors, CarryEveryDiagnosticInTheirText) {
  const UserError error("E0110", "first", "try this");
  EXPECT_STREQ(error.what(), "error[E0110]: first\nhint: try this");
  EXPECT_STREQ(InternalError("lost count").what(),
               "error[E0001]: lost count\nhint: this is a bug in Gemel; please report it with the command that led to it");
  EXPECT_STREQ(Error({error.diagnostics()[0], error.diagnostics()[0]}).what(),
            "error[E0110]: first\nhint: try this\n\nerror[E0110]: first\nhint: try this");
}

}  // namespace
}  // namespace gemel
