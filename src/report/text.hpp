// SPDX-License-Identifier: Apache-2.0
// Numbers as the reports print them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace gemel {

std::string with_commas(std::int64_t value);                // 16,812,345
std::string percent(double share, int decimals = 1);        // "93.4 %"
std::string fixed(double value, int decimals);              // locale-free
std::string bytes_text(std::int64_t bytes);                 // "512 B", "97.5 KiB", "24.4 MiB"
std::string seconds_text(double seconds);                   // "16.8 ms"
std::string count_text(double value);                       // "4.09 G", for MACs and rates
std::string html_escape(std::string_view text);

}  // namespace gemel
