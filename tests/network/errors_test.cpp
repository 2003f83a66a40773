// SPDX-License-Identifier: Apache-2.0
// Every bad workload file and layer table under tests/errors gives exactly the text beside it.
#include "errors/expected.hpp"
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

}  // namespace
}  // namespace gemel
