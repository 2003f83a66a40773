// SPDX-License-Identifier: Apache-2.0
// Executes schedules instruction by instruction on plain arrays, exactly as isa.toml says: slow, no clock, and strict. Every
// word is checked for legality, claims and bounds; a word read before it was written is an error, as is a claim that does
// not hold. Two ways:
//   run_in_order   in program order, one after another
//   run_at_random  as four units with queues and semaphores whose speeds are drawn anew all the time; data moves at the
//                  start or at the end of an instruction, as the generator likes. Whatever a schedule's tokens permit may
//                  happen, so a missing token shows as a hazard or as a difference; deadlock and overflow are found too.
#pragma once
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "isa/isa.hpp"
#include "isa/schedule.hpp"

namespace gemel::test {

class Interpreter {
 public:
  Interpreter(const Schedule& schedule, const Machine& machine);
  void set_input(int tensor, const std::vector<std::uint8_t>& bytes);

  // Both give the first thing that is wrong, or "". After each instruction that completes a tensor, `complete` is called.
  template <typename Complete>
  std::string run_in_order(Complete complete) {
    for (std::size_t i = 0; i < program_.size() && problem_.empty(); ++i) {
      execute(i);
      complete(static_cast<int>(i));
    }
    return problem_;
  }
  template <typename Complete>
  std::string run_at_random(std::mt19937_64& random, Complete complete) {
    while (problem_.empty() && step(random, complete)) {
    }
    return problem_;
  }

  std::vector<std::uint8_t> tensor(int index) const;
  int greatest_count() const { return greatest_count_; }  // of any semaphore

 private:
  struct Flight {
    std::size_t instruction;
    bool executed;
  };
  struct UnitState {
    std::vector<std::size_t> queue;
    std::vector<Flight> flight;
  };

  void fail(std::size_t instruction, const std::string& what);
  void execute(std::size_t instruction);
  void load(const isa::Load& l);
  void matrix(const isa::Matrix& m);
  void vector(const isa::Vector& v);
  void store(const isa::Store& s);
  const std::uint8_t* word(Buffer buffer, std::int64_t index);
  std::uint8_t* written(Buffer buffer, std::int64_t index);
  bool can_start(int unit) const;
  void start(int unit, bool at_once);
  int finish(int unit);  // gives the instruction
  void check_hazards(std::size_t instruction);

  template <typename Complete>
  bool step(std::mt19937_64& random, Complete complete) {
    // What could happen now.
    struct Choice {
      int kind, unit;  // 0 dispatch, 1 start, 2 finish
    };
    std::vector<Choice> choices;
    if (next_ < program_.size() && program_[next_].unit != isa::Unit::None &&
        static_cast<int>(units_[static_cast<int>(program_[next_].unit)].queue.size()) < machine_.queue_depth) {
      choices.push_back({0, 0});
    }
    for (int u = 0; u < isa::UnitCount; ++u) {
      if (can_start(u)) choices.push_back({1, u});
      if (!units_[u].flight.empty()) choices.push_back({2, u});
    }
    if (choices.empty()) {
      if (program_[next_].unit == isa::Unit::None) {
        for (int u = 0; u < isa::UnitCount; ++u) {
          if (!units_[u].queue.empty()) fail(units_[u].queue.front(), "deadlock: waits for ever");
        }
        return false;
      }
      fail(next_, "deadlock: cannot be dispatched");
      return false;
    }
    // Speeds that change: for a while one unit, or dispatch, is preferred.
    if (random() % 16 == 0) favourite_ = static_cast<int>(random() % 12);
    std::size_t pick = random() % choices.size();
    for (std::size_t i = 0; i < choices.size(); ++i) {
      if (favourite_ < 4 ? (choices[i].unit == favourite_ && choices[i].kind != 0) : favourite_ == 4 && choices[i].kind == 0) pick = i;
      if (favourite_ > 4 && favourite_ < 8 && choices[i].kind == 1) pick = i;
    }
    const Choice& c = choices[pick];
    if (c.kind == 0) {
      units_[static_cast<int>(program_[next_].unit)].queue.push_back(next_);
      ++next_;
    } else if (c.kind == 1) {
      start(c.unit, random() % 2 == 0);
    } else {
      complete(finish(c.unit));
    }
    return true;
  }

  const Schedule& schedule_;
  const Machine& machine_;
  std::vector<isa::Instruction> program_;
  std::vector<std::uint8_t> memory_;
  std::vector<std::uint8_t> buffers_[4];
  std::vector<std::int32_t> accumulator_;
  std::vector<char> is_written_[BufferCount];
  std::string problem_;
  std::size_t next_ = 0, current_ = 0;
  UnitState units_[isa::UnitCount];
  int semaphores_[16] = {};
  int favourite_ = 11, greatest_count_ = 0;
};

}  // namespace gemel::test
