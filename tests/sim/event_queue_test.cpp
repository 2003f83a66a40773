// SPDX-License-Identifier: Apache-2.0
// The event queue: who is called in which order, and why a run of it ends.
#include "base/event_queue.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace gemel {
namespace {

struct Recorded : Agent {
  Recorded(std::string& log_in, char name_in) : log(log_in), name(name_in) {}
  void wake(Cycle now) override {
    log += name + std::to_string(now) + " ";
    if (then) then(now);
  }
  using Agent::wake_at;
  std::string& log;
  char name;
  std::function<void(Cycle)> then;
};

struct Memory {
  Cycle next_change() const { return next; }
  void advance(Cycle now) {
    log += "m" + std::to_string(now) + " ";
    next = Never;
    if (then) then(now);
  }
  std::string& log;
  Cycle next = Never;
  std::function<void(Cycle)> then = {};
};

class Queue : public testing::Test {
 protected:
  Queue() {
    queue.wakes(queue.add(), a);
    queue.wakes(queue.add(), b);
  }
  std::string log;
  Recorded a{log, 'a'}, b{log, 'b'};
  Memory memory{log};
  EventQueue queue;
};

TEST_F(Queue, WakesInOrderOfCyclesAndEachCycleOnce) {
  for (const Cycle c : {5, 3, 9, 3, 5, 1, 9}) a.wake_at(c);
  b.wake_at(4);
  EXPECT_EQ(queue.run(memory, 100), EventQueue::End::Idle);
  EXPECT_EQ(log, "a1 a3 b4 a5 a9 ");
  EXPECT_EQ(queue.now(), 9);
}

TEST_F(Queue, MemoryDecidesWhenAllAgentsOfTheCycleAreThrough) {
  memory.next = 4;
  a.wake_at(2);
  a.wake_at(4);
  b.wake_at(4);
  a.then = [&](Cycle now) { if (now == 2) memory.next = 3; };      // a request that must be decided earlier
  memory.then = [&](Cycle now) { if (now == 3) b.wake_at(6); };
  b.then = [&](Cycle now) { if (now == 4) memory.next = 4; };      // in this very cycle
  EXPECT_EQ(queue.run(memory, 6), EventQueue::End::Idle);
  EXPECT_EQ(log, "a2 m3 a4 b4 m4 b6 ");
}

TEST_F(Queue, RunsUpToTheLimitAndGoesOnFromThere) {
  a.wake_at(7);
  a.wake_at(8);
  EXPECT_EQ(queue.run(memory, 7), EventQueue::End::Limit);
  EXPECT_EQ(log, "a7 ");
  EXPECT_EQ(queue.run(memory, 8), EventQueue::End::Idle);
  EXPECT_EQ(log, "a7 a8 ");
}

TEST_F(Queue, StopsWithTheEventThatAsksForIt) {
  a.wake_at(1);
  a.wake_at(2);
  memory.next = 1;
  a.then = [&](Cycle) { queue.stop(); };
  EXPECT_EQ(queue.run(memory, 10), EventQueue::End::Stopped);
  EXPECT_EQ(log, "a1 ");
  a.then = nullptr;
  EXPECT_EQ(queue.run(memory, 10), EventQueue::End::Idle);  // nothing was lost
  EXPECT_EQ(log, "a1 m1 a2 ");
}

TEST_F(Queue, ForgetsWhatTheAgentBeforeHasAskedFor) {
  EventQueue other;
  WakeList& list = other.add();
  other.wakes(list, a);
  a.wake_at(3);
  other.wakes(list, b);
  b.wake_at(4);
  EXPECT_EQ(other.run(memory, 10), EventQueue::End::Idle);
  EXPECT_EQ(log, "b4 ");
}

}  // namespace
}  // namespace gemel
