// SPDX-License-Identifier: Apache-2.0
// Wakes agents at the cycles they ask for, and lets a memory answer, in SystemC's place: no context, no global state, any number of
// queues in any threads.
//
// A cycle has two halves, as under SystemC. In the first, all agents that are due are woken: a wake is for a later cycle, or for the present
// one before its memory half, and messages are stamped with a later cycle, so the order of agents cannot matter. In the second, the memory
// decides what is due: all requests of the cycle have been made by then.
#pragma once
#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "base/agent.hpp"
#include "base/cycle.hpp"

namespace gemel {

// The cycles at which one agent is to be woken: sorted, each once. The models keep few of them (two per instruction in flight), most requests
// are for the nearest, so they are inserted from that end, without a heap and without an allocation.
class WakeList final : public Waker {
 public:
  void wake_at(Cycle cycle) override {
    std::size_t at = cycles_.size();
    while (at > 0 && cycles_[at - 1] < cycle) --at;
    if (at > 0 && cycles_[at - 1] == cycle) return;
    cycles_.insert(cycles_.begin() + static_cast<std::ptrdiff_t>(at), cycle);
  }
  Cycle next() const { return cycles_.empty() ? Never : cycles_.back(); }
  void pop() { cycles_.pop_back(); }
  void clear() { cycles_.clear(); }

 private:
  std::vector<Cycle> cycles_;  // the latest first
};

class EventQueue {
 public:
  enum class End {
    Stopped,  // stop()
    Idle,     // nothing can happen any more
    Limit,    // what comes next lies behind the limit
  };

  // A list for one more agent, which is woken by it from wakes() on. The queue owns the list; its place does not change.
  WakeList& add() {
    slots_.push_back(std::make_unique<Slot>());
    return slots_.back()->list;
  }
  // The agent behind a list of add(); it outlives the queue or is replaced. What was asked for before is forgotten.
  void wakes(WakeList& list, Agent& agent) {
    for (const auto& slot : slots_) {
      if (&slot->list != &list) continue;
      slot->agent = &agent;
      list.clear();
      agent.attach(list);
    }
  }

  // The next cycle for which an agent has asked; Never: none has.
  Cycle next_wake() const {
    Cycle next = Never;
    for (const auto& slot : slots_) next = std::min(next, slot->list.next());
    return next;
  }
  // The cycle under way, or of the last event.
  Cycle now() const { return now_; }
  // From within an event: run() returns when the half cycle is over.
  void stop() { stopped_ = true; }

  // Runs all events of cycles up to and including `last`, in order. Memory: Cycle next_change(), at whose end it must have decided;
  // void advance(Cycle now), which may make agents ask for wakes in later cycles.
  template <class Memory>
  End run(Memory& memory, Cycle last);

 private:
  struct Slot {
    WakeList list;
    Agent* agent = nullptr;
  };

  std::vector<std::unique_ptr<Slot>> slots_;
  Cycle now_ = 0;
  bool stopped_ = false;
};

template <class Memory>
EventQueue::End EventQueue::run(Memory& memory, Cycle last) {
  stopped_ = false;
  for (;;) {
    const Cycle change = memory.next_change();  // which may make agents ask for wakes
    const Cycle next = std::min(change, next_wake());
    if (next > last) return next == Never ? End::Idle : End::Limit;
    now_ = next;
    for (const auto& slot : slots_) {
      while (slot->list.next() <= next) {
        slot->list.pop();
        slot->agent->wake(next);
        if (stopped_) return End::Stopped;
      }
    }
    if (memory.next_change() <= next) memory.advance(next);
    if (stopped_) return End::Stopped;
  }
}

}  // namespace gemel
