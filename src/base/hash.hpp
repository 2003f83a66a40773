// SPDX-License-Identifier: Apache-2.0
// Hashes, in one place: of contents (XXH3 with 128 bits, 10 GB/s), of several pieces one after another (programs, networks, machines), and of names
// that number random streams. They notice accidents, not somebody who means harm.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

namespace gemel {

// 32 hexadecimal digits. For names in a cache and for noticing damage.
std::string content_hash(std::string_view bytes);

// FNV-1a, 64 bits, of several pieces one after another. What is derived from it (synthetic tensors, digests of
// machines) lies in files and recorded results, so it stays as it is.
constexpr std::uint64_t NameHashStart = 0xCBF29CE484222325;
constexpr std::uint64_t add_to_name_hash(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

// 64 bits; every step is a bijection of the state, so a change within any one word is always seen. The same on every little-endian host. It
// lies in schedule files and results, so it stays as it is.
class Hash {
 public:
  void add(const void* data, std::size_t size) {
    const auto* next = static_cast<const std::uint8_t*>(data);
    add_word(size);
    for (; size >= 8; size -= 8, next += 8) {
      std::uint64_t word;
      std::memcpy(&word, next, 8);
      add_word(word);
    }
    std::uint64_t tail = 0;
    for (std::size_t i = 0; i < size; ++i) tail |= std::uint64_t{next[i]} << (8 * i);
    add_word(tail);
  }
  void add(const std::string& text) { add(text.data(), text.size()); }
  std::string text() const {  // 16 hexadecimal digits
    char digits[24];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(state_));
    return digits;
  }

 private:
  void add_word(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x9e3779b97f4a7c15u;  // odd, from the golden ratio
    state_ ^= state_ >> 32;
  }
  std::uint64_t state_ = 0x67656d656cu;
};

}  // namespace gemel
