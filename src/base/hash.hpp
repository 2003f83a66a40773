// SPDX-License-Identifier: Apache-2.0
// Hashes, in one place: of contents (XXH3 with 128 bits, 10 GB/s), and of names that number random streams.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace gemel {

// 32 hexadecimal digits. For names in a cache and for noticing damage; not against somebody who means harm.
std::string content_hash(std::string_view bytes);

// FNV-1a, 64 bits, of several pieces one after another. What is derived from it (synthetic tensors, digests of
// machines) lies in files and recorded results, so it stays as it is.
constexpr std::uint64_t NameHashStart = 0xCBF29CE484222325;
constexpr std::uint64_t add_to_name_hash(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

}  // namespace gemel
