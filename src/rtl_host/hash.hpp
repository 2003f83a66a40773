// SPDX-License-Identifier: Apache-2.0
// SHA-1 of a text, 40 hexadecimal digits: names of files in the cache folder.
#pragma once
#include <boost/uuid/detail/sha1.hpp>
#include <cstdio>
#include <string>

namespace gemel {

inline std::string sha1(const std::string& text) {
  boost::uuids::detail::sha1 hash;
  hash.process_bytes(text.data(), text.size());
  unsigned digest[5];
  hash.get_digest(digest);
  char out[41];
  for (int i = 0; i < 5; ++i) std::snprintf(out + 8 * i, 9, "%08x", digest[i]);
  return std::string(out, 40);
}

}  // namespace gemel
