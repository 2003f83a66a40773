// SPDX-License-Identifier: Apache-2.0
// The choice of an instruction set, and what is said about a wrong one.
#include "kernels/kernels.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/error.hpp"

namespace gemel::kernels_test {
namespace {

std::string names_of_levels() {
  std::string names;
  for (const SimdLevel level : simd_levels()) names += (names.empty() ? "" : ", ") + std::string(to_string(level));
  return names;
}

TEST(Kernels, EveryLevelHasItsOwnName) {
  ASSERT_FALSE(simd_levels().empty());
  EXPECT_EQ(simd_levels().front(), SimdLevel::Scalar);
  for (const SimdLevel level : simd_levels()) {
    EXPECT_EQ(kernels(level).level, level);
    EXPECT_EQ(&kernels(std::string(to_string(level))), &kernels(level));
  }
}

TEST(Kernels, TheEnvironmentOverrulesTheChoice) {  // ctest runs each test in a process of its own, and this asks first
  if (std::getenv("GEMEL_SIMD")) GTEST_SKIP() << "GEMEL_SIMD is set already: the choice is not ours to test";
  ASSERT_EQ(setenv("GEMEL_SIMD", "scalar", 1), 0);
  EXPECT_EQ(kernels().level, SimdLevel::Scalar);
}

TEST(Kernels, AnUnknownNameIsAnErrorThatListsTheKnownOnes) {
  try {
    kernels(std::string("sse9"));
    FAIL() << "no error";
  } catch (const UserError& error) {
    ASSERT_EQ(error.diagnostics().size(), 1u);
    EXPECT_EQ(to_string(error.diagnostics()[0]),
              "error[E0930]: GEMEL_SIMD names no instruction set: `sse9`\n"
              "hint: this computer has " +
                  names_of_levels() + "; leave GEMEL_SIMD unset to use the fastest");
  }
}

TEST(Kernels, ALevelThatTheCpuLacksIsAnError) {
  if (simd_levels().back() == SimdLevel::Vnni) GTEST_SKIP() << "this computer has every level that there is";
  EXPECT_THROW(kernels(SimdLevel::Vnni), UserError);
}

}  // namespace
}  // namespace gemel::kernels_test
