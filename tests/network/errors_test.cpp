// SPDX-License-Identifier: Apache-2.0
// Every bad workload file and layer table under tests/errors gives exactly the text beside it.
#include <cstdlib>
#include <utility>

#include "errors/expected.hpp"
#include "network/scalesim.hpp"
#include "network/workload.hpp"

namespace gemel {
namespace {

using errors_test::bad_files;
using errors_test::expect_text;

TEST(WorkloadErrors, EachBadFileGivesItsText) {
  const auto cases = bad_files("workload", ".yaml");
  ASSERT_GE(cases.size(), 10u) << "the sweep swept too little";
  for (const auto& path : cases) expect_text(path, [](const std::string& p) { load_workload(p); });
}

TEST(TableErrors, EachBadFileGivesItsText) {
  const auto cases = bad_files("table", ".csv");
  ASSERT_GE(cases.size(), 5u) << "the sweep swept too little";
  for (const auto& path : cases) expect_text(path, [](const std::string& p) { load_workload(p); });
}

TEST(WorkloadErrors, NoTextWithoutItsFile) {
  for (const auto& path : bad_files("workload", ".expected"))
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(path).replace_extension(".yaml"))) << path;
  for (const auto& path : bad_files("table", ".expected"))
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(path).replace_extension(".csv"))) << path;
}

std::string text_of(const std::string& name) {
  try {
    load_workload(name);
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(WorkloadErrors, AWorkloadThatIsNotThereIsNamedWithASuggestion) {
  EXPECT_EQ(text_of("resnet5"),
            "error[E0208]: there is no workload `resnet5`\n  did you mean `resnet50`?\n"
            "hint: `gemel workloads` lists them; a file of your own is given as a path, such as ./mine.yaml");
}

TEST(WorkloadErrors, AFileThatIsNotThereIsNamed) {
  EXPECT_EQ(text_of("no/such/file.yaml"),
            "error[E0201]: cannot read workload file `no/such/file.yaml`: No such file or directory");
  EXPECT_EQ(text_of("no/such/file.csv"), "error[E0401]: cannot read layer table `no/such/file.csv`: No such file or directory");
}

TEST(WorkloadErrors, WhatMayNeverEndIsNotRead) {
  EXPECT_EQ(text_of("/dev/zero"), "error[E0201]: cannot read workload file `/dev/zero`: it is not a regular file");
}

TEST(WorkloadErrors, ATextHasALargestSize) {
  std::string pattern = (std::filesystem::temp_directory_path() / "gemel-XXXXXX").string();
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  for (const auto& [name, start] : {std::pair("/large.yaml", "error[E0201]: cannot read workload file `"),
                                    std::pair("/large.csv", "error[E0401]: cannot read layer table `")}) {
    const std::string path = pattern + name;
    std::ofstream(path) << "Layer, M, N, K\n";
    std::filesystem::resize_file(path, (16 << 20) + 1);
    EXPECT_EQ(text_of(path), start + path + "`: it has more than 16 MiB\n"
                                            "hint: numbers belong into a safetensors file beside the description");
  }
  std::filesystem::remove_all(pattern);
}

// 300 mistakes in lines of 64 KiB: 200 are kept, and about 16 of the lines.
TEST(WorkloadErrors, AreBoundedInMemory) {
  std::string text = "Layer, M, N, K\n";
  for (int i = 0; i < 240; ++i) text += "a, 0, 4, " + std::string(1 << 16, '7') + "\n";
  try {
    load_workload_text(text, "t.yaml");
    FAIL();
  } catch (const UserError&) {
  }
  try {
    scalesim::load_table_text(text, "t.csv");
    FAIL();
  } catch (const UserError& error) {
    std::size_t bytes = 0;
    for (const Diagnostic& d : error.diagnostics()) bytes += d.excerpt.size() + d.message.size();
    EXPECT_EQ(error.diagnostics().size(), Diagnostics::Most);
    EXPECT_LT(bytes, Diagnostics::MostExcerptBytes + 200 * Diagnostics::Most);
  }
}

}  // namespace
}  // namespace gemel
