// SPDX-License-Identifier: Apache-2.0
// matrix_unit, beat model: feeder and sink around pe_array, which is a neighbour behind registers.
//   weight walker      loads the shadow weights of the next pass as soon as the pass before leaves them (shadow_)
//   activation walker  begins a pass when its weights are read and the pass before has lasted max(P, 3) cycles (gap_)
//   track              a delay line beside the array: what becomes of each row, until its sum is written
// At most two instructions are inside: the second waits in `pending_` until the weight walker is free.
#pragma once
#include <vector>

#include "base/clocked.hpp"
#include "blocks/matrix_unit/matrix_unit_ports.hpp"
#include "config/machine.hpp"

namespace gemel {

class MatrixUnitBeat : public Clocked<MatrixUnitIn, MatrixUnitOut> {
 public:
  explicit MatrixUnitBeat(const Machine& machine);

  void reset() override;
  const MatrixUnitOut& out() const override { return out_; }
  [[gnu::hot]] void step(const MatrixUnitIn& in) override;
  bool quiet() const override { return !changed_; }

 private:
  enum class Shadow : std::uint8_t { Empty, Loading, Full };

  struct Job {
    isa::Matrix m;
    std::int64_t pixels = 0;
    std::int64_t passes = 0;
  };

  // What travels with the zero points: a weight row on its way from the buffer to the array.
  struct WeightTag {
    bool valid = false;
    bool is_unsigned = false;
    std::int16_t zero = 0;
  };

  // The same for an activation row, and what becomes of its sums.
  struct RowTag {
    bool valid = false;
    bool padding = false;
    bool is_unsigned = false;
    bool is_switch = false;
    bool overwrite = false;
    bool last = false;             // of the instruction
    std::int16_t zero = 0;
    std::uint32_t accumulator = 0;
  };

  [[gnu::hot]] void clock_sink(const MatrixUnitIn& in);
  [[gnu::hot]] bool clock_activation_walker();
  [[gnu::hot]] void clock_weight_walker(bool shadow_leaves);
  void begin_pass();
  [[gnu::hot]] void emit_row();
  [[gnu::hot]] void emit_weight_row();
  RowTag& tag(std::int64_t cycles_ago) { return track_[static_cast<std::size_t>(head_ - cycles_ago) & track_mask_]; }

  int rows_, columns_;

  bool pending_valid_ = false;
  Job pending_;

  Job weight_job_;
  Shadow shadow_ = Shadow::Empty;
  std::int64_t loads_left_ = 0;      // passes of weight_job_ whose weights are not being loaded yet
  int rows_left_ = 0;                // of the load in progress
  std::uint32_t weight_at_ = 0;      // first word of the load in progress
  bool chain_next_ = false;

  Job job_;                          // of the activation walker
  std::int64_t passes_left_ = 0;     // not begun yet
  std::int64_t pixels_left_ = 0;     // of the pass in progress
  std::int64_t gap_ = 0;             // cycles until the next pass may be on the wires, counted down to 1
  int ky_ = 0, kx_ = 0, cb_ = 0, n_ = 0;
  int z_ = 0, oy_ = 0, ox_ = 0;
  std::uint32_t accumulator_ = 0;
  bool first_row_ = false;

  std::array<WeightTag, 2> weight_tags_;
  std::vector<RowTag> track_;        // tag(k): of the row whose read was on the wires k cycles before the one being made
  std::size_t track_mask_;
  std::int64_t head_ = 0;
  int track_alive_ = 0;              // cycles until the track is empty

  std::array<std::vector<std::int16_t>, 2> weight_registers_, activation_registers_;
  std::array<std::vector<std::int32_t>, 2> sum_registers_;
  int weight_turn_ = 0, activation_turn_ = 0, sum_turn_ = 0;
  bool changed_ = false;
  MatrixUnitOut out_;
};

}  // namespace gemel
