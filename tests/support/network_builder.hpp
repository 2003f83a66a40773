// SPDX-License-Identifier: Apache-2.0
// Small networks for tests: those of regressions (src/regress/network_builder.hpp), by the names of tests.
#pragma once
#include "regress/network_builder.hpp"

namespace gemel::test {
using namespace gemel::regress;  // NOLINT: the same words on purpose
}
