// SPDX-License-Identifier: Apache-2.0
// Text inside HTML and XML.
#pragma once
#include <string>
#include <string_view>

namespace gemel {

// `text` (UTF-8) as text or as a quoted attribute of HTML or XML: the five characters with a meaning there are escaped, control characters, which
// neither may have, become `?`.
std::string markup_escape(std::string_view text);

}  // namespace gemel
