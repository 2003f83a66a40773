// SPDX-License-Identifier: Apache-2.0
#include "rtl_host/block.hpp"

namespace gemel {

std::string hex_bytes(const void* bytes, std::size_t count) {
  static constexpr char Digits[] = "0123456789abcdef";
  const auto* b = static_cast<const std::uint8_t*>(bytes);
  std::string text = "0x";
  for (std::size_t i = count; i-- > 0;) {
    text += Digits[b[i] >> 4];
    text += Digits[b[i] & 15];
  }
  return text;
}

}  // namespace gemel
