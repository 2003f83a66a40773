// SPDX-License-Identifier: Apache-2.0
// gemel/version.hpp.
#include "gemel/version.hpp"

#include <commit.gen.hpp>  // made at each build: cmake/commit.cmake

namespace gemel {

const std::string& version() {
  static const std::string text = GEMEL_VERSION;
  return text;
}

const std::string& commit() {
  static const std::string text = SourceCommit;
  return text;
}

}  // namespace gemel
