// SPDX-License-Identifier: Apache-2.0
// Everything in the corpora, the cases that fuzzing found among it, once through its parser; and each of them cut short and
// with bytes changed, as a small fuzz that needs no special compiler.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fuzz/targets.hpp"
#include "support/random_seed.hpp"

namespace gemel::fuzz {
namespace {

namespace fs = std::filesystem;

class Corpus : public ::testing::TestWithParam<Target> {
 protected:
  std::vector<std::string> inputs() const {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(fs::path(GEMEL_SOURCE_DIR) / "tests" / "fuzz" / "corpus" / GetParam().name))
      paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    std::vector<std::string> all;
    for (const auto& path : paths) {
      std::ifstream in(path, std::ios::binary);
      all.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    return all;
  }
  void run(const std::string& bytes) const {
    GetParam().run(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }
};

// A broken promise aborts the process, and an exception that is no UserError fails the test.
TEST_P(Corpus, KeepsThePromises) {
  const auto all = inputs();
  ASSERT_GE(all.size(), 3u) << "the sweep swept too little";
  for (const std::string& bytes : all) EXPECT_NO_THROW(run(bytes));
}

TEST_P(Corpus, KeepsThemWithBytesChanged) {
  std::mt19937_64 random(test::random_seed(11));
  int runs = 0;
  for (const std::string& bytes : inputs()) {
    for (int i = 0; i < 60; ++i, ++runs) {
      std::string changed = bytes;
      for (int k = static_cast<int>(random() % 4); k >= 0 && !changed.empty(); --k) {
        const std::size_t at = random() % changed.size();
        if (random() % 8 == 0) changed.resize(at);
        else if (random() % 4 == 0) changed.erase(at, random() % 8);
        else changed[at] = random() % 2 ? static_cast<char>(random()) : changed[random() % changed.size()];
      }
      EXPECT_NO_THROW(run(changed)) << "input: " << ::testing::PrintToString(changed);
    }
  }
  EXPECT_GE(runs, 180);
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Corpus, ::testing::ValuesIn(Targets), [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace gemel::fuzz
