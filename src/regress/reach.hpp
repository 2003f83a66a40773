// SPDX-License-Identifier: Apache-2.0
// What a regression has met of what is rare and yet breaks: ends of fields' ranges, errors in the middle of something, events in one cycle,
// sums that wrap, corners of float32. Counted from programs and from the beats of the models, not from RTL; so a generator that no longer
// makes one of them is seen.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "config/machine.hpp"
#include "isa/isa.hpp"
#include "top/stepper.hpp"

namespace gemel::regress {

enum class Reach : std::uint8_t {
  MatrixDilation, MatrixStride, MatrixWindow, MatrixImages, MatrixDepth, MatrixTile,
  VectorDilation, VectorStride, VectorWindow, VectorImages, VectorTile, VectorBlocks, VectorTaps, VectorFarBlocks,
  LoadRun, LoadRowOfWindows, LoadStride1, LoadStride2, LoadManyWindows, LoadHigh, LoadWholeBurst, LoadBeats,
  StoreRun, StoreStride1, StoreStride2, StoreHigh, StoreWholeBurst, StoreBeats,
  FetchHigh, FetchCarries, LongProgram, LongRun, LastWord, NextBank,
  LoadOutside, LoadEarlyBeat, LoadEarlyBurst, FetchOutside, FetchEarlyBeat, StoreOutside, StoreEarlyBurst, Aborted,
  PostsTogether, CreditOutlivesUnit, CreditOutlivesOlder,
  SumOf19Bits, SumWraps, BiasWraps, AddWraps,
  FloatValueCarries, FloatValueSticky, FloatValueFaint, FloatProductCarries, FloatProductSticky, FloatProductFaint, FloatResultSticky, FloatResultFaint,
  FloatTies, FloatSaturatesByCarry, FixedNegativeHalf, FixedFaint,
  Noise,
  Count
};
inline constexpr int ReachCount = static_cast<int>(Reach::Count);
const char* to_string(Reach reach);  // "matrix: dilation from 4"

using Reached = std::array<std::int64_t, ReachCount>;
// Adds 1 to each kind of which there were any events.
void add_case(const Reached& events, Reached& cases);

// Of one run of beat models, told all its beats in order.
class ReachObserver {
 public:
  ReachObserver(const Machine& machine, Reached& reached);
  void add(const Beat& beat);
  void ended(Cycle cycles, std::uint32_t error_code);

 private:
  struct Burst {
    bool outside = false;
    bool early = false;  // an error before its last beat
  };
  struct Reader {
    std::deque<Burst> bursts;
    bool failed = false, last_failed = false;  // a burst of the instruction; its last
  };
  struct UnitState {
    std::deque<isa::Instruction> flights;  // the oldest first
    bool credit = false, credit_of_younger = false, dropped = false;
  };
  void count(Reach reach, bool met) { reached_[static_cast<std::size_t>(reach)] += met ? 1 : 0; }
  void instruction(const isa::Instruction& instruction);
  bool begins_in_next_bank(const isa::Instruction& instruction) const;
  void request(const Beat& beat, Reader& reader, Reach whole, Reach beats);
  void data(const Beat& beat, Reader& reader, Reach early_beat);
  void completion(const Beat& beat, int unit);
  void requantizer_in(const Beat& beat);
  void float_corners(std::uint32_t x, std::uint32_t scale);

  const Machine& machine_;
  Reached& reached_;
  Reader fetch_, load_, store_;
  bool fetched_low_ = false;  // below 4 GiB
  std::array<UnitState, isa::UnitCount> units_{};
  Cycle posted_at_ = -1;
  int posted_ = 0;  // semaphores, in that cycle
  std::vector<std::int32_t> sums_, outs_[2], x_, multiplier_;  // sums_, outs_: of the cycles below
  Cycle sums_at_ = -1, outs_at_[2] = {-1, -1};
  isa::Vector vector_{};
  Cycle first_x_ = -1;
  int commands_ = 0;
  int step_ = 0;  // accumulator words read by the vector instruction
  struct Sum {
    Cycle due = 0;
    std::vector<std::int32_t> lanes;
  };
  std::deque<Sum> sums_on_their_way_;
};

}  // namespace gemel::regress
