// SPDX-License-Identifier: Apache-2.0
// The counters are public: gemel/counters.hpp.
#pragma once
#include "gemel/counters.hpp"  // IWYU pragma: export
