// SPDX-License-Identifier: Apache-2.0
// The machine is public: gemel/machine.hpp.
#pragma once
#include "gemel/machine.hpp"  // IWYU pragma: export
