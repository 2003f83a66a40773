// SPDX-License-Identifier: Apache-2.0
// Bad input lies beside its text: FOLDER/unknown_key.yaml, FOLDER/unknown_key.expected. A room with bad input of its own
// makes a folder here and a test of three lines:
//   const auto cases = bad_files("machine", ".yaml");
//   ASSERT_GE(cases.size(), 10u);
//   for (const auto& path : cases) expect_text(path, [](const std::string& p) { load_machine(p); });
// GEMEL_UPDATE=1 writes the .expected files; the diff is then to be read, line by line.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace gemel::errors_test {

inline std::string read_whole(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline std::vector<std::string> bad_files(const std::string& folder, const std::string& extension) {
  std::vector<std::string> found;
  const auto root = std::filesystem::path(GEMEL_SOURCE_DIR) / "tests" / "errors" / folder;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    if (entry.path().extension() == extension) found.push_back(entry.path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// Calls load(path), which must throw UserError with exactly the text in the file beside `path`, the folder left out.
template <typename Load>
void expect_text(const std::string& path, Load load) {
  SCOPED_TRACE(path);
  std::string text;
  try {
    load(path);
    ADD_FAILURE() << "was accepted";
    return;
  } catch (const UserError& e) {
    text = std::string(e.what()) + "\n";
  }
  const std::string folder = std::filesystem::path(path).parent_path().string() + "/";
  for (auto at = text.find(folder); at != std::string::npos; at = text.find(folder)) text.erase(at, folder.size());
  const auto beside = std::filesystem::path(path).replace_extension(".expected");
  if (std::getenv("GEMEL_UPDATE")) {
    std::ofstream(beside, std::ios::binary) << text;
    return;
  }
  ASSERT_TRUE(std::filesystem::exists(beside)) << "no " << beside << "; GEMEL_UPDATE=1 writes it";
  EXPECT_EQ(text, read_whole(beside));
}

}  // namespace gemel::errors_test
