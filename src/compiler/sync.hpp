// SPDX-License-Identifier: Apache-2.0
// Semaphores, derived and never written by hand. From operations in sequential order: every conflict between two units
// (a buffer word or a memory byte that one of them writes; a bank whose read or write port both need) becomes an edge from
// the earlier to the later, unless what is already waited for implies it. An edge is one token: the producer posts, the
// consumer waits. Each ordered pair of units has one semaphore, and its edges rise on both sides, so the k-th token is
// the k-th edge's whatever the timing.
//   into load:   0 matrix, 1 vector, 2 store     into matrix: 4 load, 5 vector
//   into vector: 8 load, 9 matrix, 10 store      into store:  12 vector, 13 load
#pragma once
#include <array>
#include <limits>
#include <map>
#include <vector>

#include "base/ring.hpp"
#include "compiler/operation.hpp"

namespace gemel::compiler {

// One operation of each unit, by its place among the operations of that unit in sequential order; -1: none.
using Places = std::array<int, Units>;
inline constexpr Places NoPlaces{-1, -1, -1, -1};

// No operation waits for one that stands further behind than this among the operations of its unit.
inline constexpr int MaxBehind = 128;

// The last MaxBehind values of a unit's operations, by place.
template <typename T>
class History {
 public:
  void push(const T& value) { values_[size_++] = value; }
  const T& operator[](int place) { return values_[place]; }
  int size() const { return size_; }  // of all that were pushed

 private:
  Recent<T> values_{MaxBehind};
  int size_ = 0;
};

// Semaphore on which `consumer` waits for `producer`; -1 if the two share nothing.
int semaphore(int producer_unit, int consumer_unit);

// Sets `chain` of operations wherever it is legal, one after another.
class Chains {
 public:
  void set(Operation& op);

 private:
  bool any_ = false;
  int acc_base_ = 0, acc_last_ = 0;  // of the last matrix instruction
};

// Derives the edges into operations, one operation after another. What is last known of each word is kept in interval maps; what a unit
// knows to be done is kept as a vector clock, one place per unit: dones of a unit come in order, so one number tells all.
class Synchronizer {
 public:
  explicit Synchronizer(const Machine& machine);
  // The producers of the edges into `op`, which follows all operations so far.
  Places next(const Operation& op);

 private:
  // Who last wrote and who has read each interval since. An access is ordered behind those that it replaces; access() adds to `need` the operations
  // of other units that it must follow, and records it.

  // Of a buffer: few intervals, one behind the other from word 0 on.
  class Words {
   public:
    void access(int first, int end, bool write, int unit, int place, Places& need);

   private:
    struct Piece {
      int end;
      Places writer = NoPlaces, reader = NoPlaces;
    };
    std::vector<Piece> pieces_{{std::numeric_limits<int>::max()}};
  };
  // Of memory: many, and gaps between them.
  class IntervalMap {
   public:
    void access(std::uint64_t first, std::uint64_t end, bool write, int unit, int place, Places& need);

   private:
    struct State {
      std::uint64_t end;
      Places writer, reader;
    };
    using Map = std::map<std::uint64_t, State>;
    Map::iterator border(std::uint64_t at);
    Map::iterator insert(Map::iterator hint, std::uint64_t first, const State& state);
    Map map_;
    std::vector<Map::node_type> spare_;  // nodes for the next intervals, so that none is allocated again
  };
  struct Known {
    int index = -1;           // of the operation, in sequential order
    Places done = NoPlaces;   // what is done when it starts
  };

  std::array<Words, BufferCount> buffers_;
  IntervalMap memory_;
  std::array<int, BufferCount> bank_words_{};
  std::array<std::vector<std::array<Places, 2>>, BufferCount> banks_;  // per bank and direction: last user of each unit
  std::array<History<Known>, Units> known_;
  int index_ = 0;
};

}  // namespace gemel::compiler
