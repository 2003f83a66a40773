// SPDX-License-Identifier: Apache-2.0
// The result of a run is public: gemel/result.hpp.
#pragma once
#include "gemel/result.hpp"  // IWYU pragma: export

namespace gemel {

using RunResult = Result;

}  // namespace gemel
