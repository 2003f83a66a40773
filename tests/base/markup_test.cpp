// SPDX-License-Identifier: Apache-2.0
// Text that goes into HTML and XML as what it is.
#include "base/markup.hpp"

#include <gtest/gtest.h>

namespace gemel {
namespace {

TEST(Markup, TextStaysTextInElementsAndAttributes) {
  EXPECT_EQ(markup_escape("a < b && \"c\" > 'd'"), "a &lt; b &amp;&amp; &quot;c&quot; &gt; &#39;d&#39;");
  EXPECT_EQ(markup_escape("two\nlines\tand \xc3\xa9"), "two\nlines\tand \xc3\xa9");
  EXPECT_EQ(markup_escape(std::string_view("bell\a, escape\x1b, nul\0.", 21)), "bell?, escape?, nul?.");
  EXPECT_EQ(markup_escape(""), "");
}

}  // namespace
}  // namespace gemel
