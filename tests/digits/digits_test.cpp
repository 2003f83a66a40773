// SPDX-License-Identifier: Apache-2.0
// The shipped digit classifier through golden: byte for byte what the NumPy reference (python/gemel/reference.py), which shares no
// code with it, computed for every test image; and as accurate as promised. That file's own checks: tests/python/reference_test.py.
#include <gtest/gtest.h>

#include <cmath>

#include "network/safetensors.hpp"
#include "network/workload.hpp"
#include "ops/golden.hpp"

namespace gemel {
namespace {

TEST(Digits, GoldenGivesTheScoresOfTheNumpyReference) {
  LoadOptions options;
  options.batch = 360;
  const std::string path = GEMEL_SOURCE_DIR "/workloads/digits.yaml";
  const Network network = load_workload(path, options);
  const auto test = load_test_set(network);
  ASSERT_TRUE(test);
  ASSERT_EQ(test->shape[0], 360);
  Golden golden(network);
  golden.set_input(network.inputs.at(0), test->images);
  const std::vector<std::uint8_t>& scores = golden.tensor(network.outputs.at(0));

  const auto file = safetensors::File::open(GEMEL_SOURCE_DIR "/workloads/digits.safetensors");
  const auto expected = file.read<std::int8_t>("test.scores");
  ASSERT_EQ(scores.size(), expected.size());
  ASSERT_EQ(scores.size(), 3600U);
  int correct = 0;
  for (int image = 0; image < 360; ++image) {
    int best = 0;
    for (int digit = 0; digit < 10; ++digit) {
      const std::size_t at = static_cast<std::size_t>(image) * 10 + static_cast<std::size_t>(digit);
      ASSERT_EQ(static_cast<std::int8_t>(scores[at]), expected[at]) << "image " << image << ", digit " << digit;
      if (expected[at] > expected[at - static_cast<std::size_t>(digit - best)]) best = digit;
    }
    correct += best == test->labels[static_cast<std::size_t>(image)];
  }
  EXPECT_GE(correct, 350);  // 97 % of 360 are 349.2
  ASSERT_TRUE(test->float_accuracy);
  EXPECT_LE(std::abs(*test->float_accuracy - correct / 360.0), 0.005);
}

}  // namespace
}  // namespace gemel
