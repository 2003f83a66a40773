// SPDX-License-Identifier: Apache-2.0
// Hashes: the published values, and that every bit counts.
#include "base/hash.hpp"

#include <gtest/gtest.h>

#include <set>

namespace gemel {
namespace {

// XXH3 with 128 bits, seed 0: the value for no bytes at all, as the algorithm's own documentation and tests have it.
TEST(Hash, ContentsAreXxh3) { EXPECT_EQ(content_hash(""), "99aa06d3014798d86001c324468d497f"); }

TEST(Hash, EveryBitOfTheContentsCounts) {
  std::string text(1000, '\0');
  std::set<std::string> seen = {content_hash(text)};
  for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
    EXPECT_TRUE(seen.insert(content_hash(text)).second) << "bit " << bit;
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
  }
  EXPECT_TRUE(seen.insert(content_hash(text + '\0')).second) << "the length counts, too";
}

// FNV-1a, 64 bits: values of its authors.
TEST(Hash, NamesAreFnv) {
  EXPECT_EQ(add_to_name_hash(NameHashStart, ""), 0xcbf29ce484222325u);
  EXPECT_EQ(add_to_name_hash(NameHashStart, "a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(add_to_name_hash(NameHashStart, "foobar"), 0x85944171f73967e8u);
  EXPECT_EQ(add_to_name_hash(add_to_name_hash(NameHashStart, "foo"), "bar"), 0x85944171f73967e8u);
}

}  // namespace
}  // namespace gemel
