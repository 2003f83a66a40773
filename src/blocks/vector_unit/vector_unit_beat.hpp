// SPDX-License-Identifier: Apache-2.0
// vector_unit, beat model: an issuer that emits one parameter read or one step per cycle, and a pipeline of 14 stages behind it, in
// which the requantizer (a neighbour behind registers) takes six:
//   step 0 | +1 read data | +2 zero point | +3 product | +4 sum over taps | +5 bias, into the requantizer | +11 out of it |
//   +12 zero point and clamp | +13 table | +14 write
// mul: of two steps the second multiplies by what the first has read.
// add, sub: the first two steps send their results through; the sum of both enters at +11 of the third step's slot, which its own
// step leaves empty. pool_max: a delay line in place of the requantizer.
// Parameters enter their registers 5 cycles after their read was on the wires (4 would do): in time for the step behind the last of
// them, and after the last step before the first of them has used the old ones. So one set of registers is enough.
#pragma once
#include <array>
#include <vector>

#include "base/clocked.hpp"
#include "blocks/vector_unit/vector_unit_ports.hpp"
#include "config/machine.hpp"

namespace gemel {

class VectorUnitBeat : public Clocked<VectorUnitIn, VectorUnitOut> {
 public:
  explicit VectorUnitBeat(const Machine& machine);

  void reset() override;
  const VectorUnitOut& out() const override { return out_; }
  [[gnu::hot]] void step(const VectorUnitIn& in) override;
  bool quiet() const override { return !changed_; }

 private:
  static constexpr std::int64_t Places = 32;  // of the pipeline's tags; a power of two above the longest path

  // What was issued in a cycle.
  struct Tag {
    enum class Kind : std::uint8_t { Nothing, Table, Set, Step } kind = Kind::Nothing;
    std::uint8_t phase = 0;      // of the steps of two sources: first, second, none (add, sub)
    bool inside = false;         // the source word was read
    bool first_tap = false;
    bool last_tap = false;
    bool word_complete = false;  // last step of the pixel's last slice
    bool last = false;           // of the instruction
    int slice = 0;
    int index = 0;               // of the table or set word
    std::uint32_t destination = 0;
  };

  Tag& tag(std::int64_t cycles_ago) { return tags_[static_cast<std::size_t>((head_ - cycles_ago) & (Places - 1))]; }
  std::int32_t* values(const Tag& t) { return values_.data() + (&t - tags_.data()) * lanes_; }

  void begin(const isa::Vector& v);
  void begin_block();
  [[gnu::hot]] void issue();
  void issue_parameter();
  [[gnu::hot]] void issue_step();
  [[gnu::hot]] bool read_source(std::int64_t base);
  [[gnu::hot]] bool next_tap();
  [[gnu::hot]] bool next_pixel();
  void load_parameters(const VectorUnitIn& in);
  [[gnu::hot]] void sum_taps(const VectorUnitIn& in);
  [[gnu::hot]] void feed_requantizer(const VectorUnitIn& in);
  [[gnu::hot]] void send(const Tag& t, int set, const std::int32_t* x);
  [[gnu::hot]] void collect(const VectorUnitIn& in);
  int lanes_in(int slice) const { return std::min(lanes_, columns_ - slice * lanes_); }

  int columns_, lanes_, slices_, table_words_;

  bool pending_ = false;
  isa::Vector v_;                // the instruction at work; there is never a second
  isa::VectorReads reads_{};     // what it reads
  bool own_sets_ = false;        // each block has its own
  bool issuing_ = false;
  int parameters_left_ = 0;      // words before the next step
  int parameter_index_ = 0;      // of the next word: table first, then set words
  int table_left_ = 0;
  std::uint32_t parameter_at_ = 0;
  int block_ = 0, z_ = 0, oy_ = 0, ox_ = 0, slice_ = 0, ky_ = 0, kx_ = 0, phase_ = 0;
  std::int64_t pixel_ = 0;       // p of (z_, oy_, ox_)

  std::array<Tag, static_cast<std::size_t>(Places)> tags_;
  std::vector<std::int32_t> values_;         // per place L lanes: sums, then results
  std::int64_t head_ = 0;
  int alive_ = 0;                            // cycles until the pipeline is empty

  std::vector<std::uint8_t> parameter_line_; // per place one parameter word
  std::vector<std::uint8_t> sets_;           // 3 sets of 9 words
  std::vector<std::uint8_t> table_;          // 256 bytes and what the last table word has beyond
  std::vector<std::int32_t> sums_;           // L lanes
  std::vector<std::int32_t> first_result_;   // add: L lanes
  std::array<std::vector<std::int32_t>, 2> x_, multiplier_, shift_;
  std::array<std::vector<std::uint8_t>, 2> word_;
  int send_turn_ = 0, word_turn_ = 0;
  bool changed_ = false;
  VectorUnitOut out_;
};

}  // namespace gemel
