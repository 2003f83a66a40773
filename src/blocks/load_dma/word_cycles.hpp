// SPDX-License-Identifier: Apache-2.0
// The cycles in which load_dma writes words, in order: what the words of one burst, or of many at equal distances, have in common is kept, and
// single cycles are looked at only where a window ends between them.
#pragma once
#include <algorithm>
#include <cstdint>

#include "base/cycle.hpp"
#include "base/ring.hpp"

namespace gemel {

class WordCycles {
 public:
  // Words that follow one another, or beats: word i is written in cycle max(first + i, base + (byte + i * width >> shift)).
  struct Beats {
    Cycle base = 0;
    std::int64_t byte = 0, width = 0;
    int shift = 0;

    Cycle at(std::int64_t i) const { return base + ((byte + i * width) >> shift); }
  };

  bool empty() const { return runs_.empty(); }

  // `count` words in cycles without a gap.
  void add(Cycle first, std::int64_t count) {
    if (!runs_.empty()) {
      Run& back = runs_.back();
      if (back.kind == Kind::Dense && back.last + 1 == first) {
        back.count += count;
        back.last += count;
        return;
      }
    }
    push(Kind::Dense, first, first + count - 1, count);
  }
  // Words behind one another from cycle `first` on, but none before its beat. Gives the cycle of the last.
  Cycle add(Cycle first, std::int64_t count, const Beats& beats) {
    const Cycle last = std::max(first + count - 1, beats.at(count - 1));
    push(Kind::Beats, first, last, count).beats = beats;
    return last;
  }
  // `bursts` times `words` words: one every `pace` cycles, and the first of a burst `period` cycles behind that of the burst before.
  void add(Cycle first, std::int64_t words, Cycle pace, Cycle period, std::int64_t bursts) {
    Run& run = push(Kind::Bursts, first, first + (bursts - 1) * period + (words - 1) * pace, bursts * words);
    run.words = words;
    run.pace = pace;
    run.period = period;
  }

  // Words up to and including cycle `last`, which are forgotten; f(cycle) for each of them.
  template <class F>
  void take_each(Cycle last, F&& f) {
    while (!runs_.empty()) {
      Run& run = runs_.front();
      for (; run.taken < run.count; ++run.taken) {
        const Cycle cycle = run.at(run.taken);
        if (cycle > last) return;
        f(cycle);
      }
      runs_.pop_front();
    }
  }
  // How many these are.
  std::int64_t take(Cycle last) {
    std::int64_t words = 0;
    for (; !runs_.empty() && runs_.front().last <= last; runs_.pop_front()) words += runs_.front().count - runs_.front().taken;
    if (runs_.empty()) return words;
    Run& run = runs_.front();
    const std::int64_t before = run.taken;
    if (run.kind == Kind::Dense) {
      run.taken = std::max(before, last - run.first + 1);
    } else {
      while (run.at(run.taken) <= last) ++run.taken;
    }
    return words + run.taken - before;
  }

 private:
  enum class Kind : std::uint8_t { Dense, Beats, Bursts };
  struct Run {
    Kind kind = Kind::Dense;
    Cycle first = 0, last = 0;
    std::int64_t count = 0, taken = 0;
    Beats beats;
    std::int64_t words = 1;
    Cycle pace = 1, period = 0;

    Cycle at(std::int64_t i) const {
      switch (kind) {
        case Kind::Dense: break;
        case Kind::Beats: return std::max(first + i, beats.at(i));
        case Kind::Bursts: return first + i / words * period + i % words * pace;
      }
      return first + i;
    }
  };

  Run& push(Kind kind, Cycle first, Cycle last, std::int64_t count) {
    Run& run = runs_.push();
    run.kind = kind;
    run.first = first;
    run.last = last;
    run.count = count;
    run.taken = 0;
    return run;
  }

  Ring<Run> runs_;
};

}  // namespace gemel
