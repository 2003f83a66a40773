// SPDX-License-Identifier: Apache-2.0
// Requests that wait for answers and for places in memory's queue.
#include "base/outstanding.hpp"

#include <gtest/gtest.h>

namespace gemel {
namespace {

TEST(Outstanding, ALongQueueNeverMakesARequestWait) {
  Outstanding requests(2, 2);
  EXPECT_FALSE(requests.queue_is_short());
  for (int i = 0; i < 2; ++i) {
    ASSERT_FALSE(requests.answers().empty());
    EXPECT_EQ(requests.answers().front(), LongAgo);
    requests.answers().pop();
    Cycle at = 5;
    EXPECT_TRUE(requests.accept(at));
    EXPECT_EQ(at, 5);
  }
  EXPECT_TRUE(requests.answers().empty());
  requests.answered(40, 3, 2);
  EXPECT_EQ(requests.answers().run().count, 2);
  EXPECT_EQ(requests.answers().front(), 40);
}

TEST(Outstanding, AShortQueueHoldsARequestUntilOneHasLeftIt) {
  Outstanding requests(4, 1);
  EXPECT_TRUE(requests.queue_is_short());
  Cycle at = 5;
  EXPECT_TRUE(requests.accept(at));
  EXPECT_EQ(at, 5);
  EXPECT_FALSE(requests.accept(at));
  requests.answered(40, 0, 1);
  EXPECT_TRUE(requests.accept(at));
  EXPECT_EQ(at, 41);
  requests.answered(50, 0, 1);
  at = 90;  // the place has been free for long
  EXPECT_TRUE(requests.accept(at));
  EXPECT_EQ(at, 90);
}

}  // namespace
}  // namespace gemel
