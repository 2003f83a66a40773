// SPDX-License-Identifier: Apache-2.0
// gemel/observer.hpp.
#include "gemel/observer.hpp"

namespace gemel {

Observer::~Observer() = default;
void Observer::progress(const Progress&) {}
void Observer::layer(const LayerInfo&, std::int64_t) {}
void Observer::log(const std::string&) {}
void Observer::warning(const Diagnostic&) {}
void Observer::rtl_displays(const std::string&, const std::string&) {}
void Observer::rtl_hangs(const UserError&) {}

}  // namespace gemel
