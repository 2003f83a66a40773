// SPDX-License-Identifier: Apache-2.0
// Numbers as the reports print them, beside with_commas() and fixed().
#pragma once
#include <cstdint>
#include <string>

#include "base/text.hpp"

namespace gemel {

std::string percent(double share, int decimals = 1);        // "93.4 %"
std::string bytes_text(std::int64_t bytes);                 // "512 B", "97.5 KiB", "24.4 MiB"
std::string seconds_text(double seconds);                   // "16.8 ms"
std::string count_text(double value);                       // "4.09 G", for MACs and rates

}  // namespace gemel
