// SPDX-License-Identifier: Apache-2.0
// Program order: one list of all units' instructions, made while operations come. Each unit's own order stays; between the units the
// one that is predicted to start first is next. A producer always stands before its consumer (a consumer before its producer could
// fill its queue and block dispatch for ever), and no semaphore can exceed its greatest value whatever the timing: a producer is held
// back behind the consumers of tokens that were posted long before.
#pragma once
#include <functional>

#include "compiler/sync.hpp"

namespace gemel::compiler {

class ProgramOrder {
 public:
  // Gets the operations in program order, with their wait and post masks set, and their producers.
  using Emit = std::function<void(Operation&, const Places&)>;
  ProgramOrder(int queue_depth, Emit emit);

  // The next operation in sequential order, with its predicted start and its producers. Operations are emitted as soon as
  // nothing that may still come can stand before them or wait for them.
  void add(const Operation& op, const Places& producers);
  void finish();

 private:
  struct Waiting {
    Operation op;
    int index = 0;                // in sequential order
    Places producers = NoPlaces;
    Places held = NoPlaces;       // stands behind these
  };
  struct Consumer {
    int index = 0, place = 0;
  };

  bool emitted(const Places& places) const;
  void emit_next();

  int window_;                                                    // tokens of a semaphore that may be under way
  Emit emit_;
  std::array<gemel::Ring<Waiting>, Units> queues_;                // not emitted yet
  Places next_{};                                                 // places of the queues' heads
  std::array<std::array<gemel::Ring<Consumer>, Units>, Units> consumers_;  // the last `window_` of each semaphore, oldest first
  int index_ = 0;
};

}  // namespace gemel::compiler
