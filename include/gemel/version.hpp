// SPDX-License-Identifier: Apache-2.0
// Which Gemel this is.
#pragma once
#include <string>

#include "gemel/export.hpp"

namespace gemel {

GEMEL_API const std::string& version();  // "0.1.0"
GEMEL_API const std::string& commit();   // of the source, as far as the build knew it: "8f6b46c", "8f6b46c with changes"; else empty

}  // namespace gemel
