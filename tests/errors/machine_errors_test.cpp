// SPDX-License-Identifier: Apache-2.0
// Every bad machine file under machine/ gives exactly the text beside it.
#include "config/load.hpp"
#include "errors/expected.hpp"

namespace gemel {
namespace {

using errors_test::bad_files;
using errors_test::expect_text;

TEST(MachineErrors, EachBadFileGivesItsText) {
  const auto cases = bad_files("machine", ".yaml");
  ASSERT_GE(cases.size(), 15u) << "the sweep swept too little";
  for (const auto& path : cases) expect_text(path, [](const std::string& p) { load_machine(p); });
}

TEST(MachineErrors, NoTextWithoutItsFile) {
  for (const auto& path : bad_files("machine", ".expected")) {
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(path).replace_extension(".yaml"))) << path;
  }
}

}  // namespace
}  // namespace gemel
