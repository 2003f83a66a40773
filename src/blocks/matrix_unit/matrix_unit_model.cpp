// SPDX-License-Identifier: Apache-2.0
#include "blocks/matrix_unit/matrix_unit_model.hpp"

#include <algorithm>

#include "kernels/matrix_tile.hpp"

namespace gemel {
namespace {


MatrixTile tile_of(const isa::Matrix& m) {
  MatrixTile t;
  t.act_base = static_cast<std::uint32_t>(m.act_base);
  t.weight_base = static_cast<std::uint32_t>(m.weight_base);
  t.acc_base = static_cast<std::uint32_t>(m.acc_base);
  t.act_height = m.act_height;
  t.act_width = m.act_width;
  t.pixel_words = m.pixel_words;
  t.plane_words = m.plane_words;
  t.out_planes = m.out_planes;
  t.out_height = m.out_height;
  t.out_width = m.out_width;
  t.kernel_h = m.kernel_h;
  t.kernel_w = m.kernel_w;
  t.cin_blocks = m.cin_blocks;
  t.cout_blocks = m.cout_blocks;
  t.stride_y = m.stride_y;
  t.stride_x = m.stride_x;
  t.dilation_y = m.dilation_y;
  t.dilation_x = m.dilation_x;
  t.origin_y = m.origin_y;
  t.origin_x = m.origin_x;
  t.act_block_step = m.act_block_step;
  t.act_zero = m.act_zero;
  t.act_unsigned = m.act_unsigned != 0;
  t.weight_zero = m.weight_zero;
  t.weight_unsigned = m.weight_unsigned != 0;
  t.accumulate = m.accumulate != 0;
  return t;
}

}  // namespace

void MatrixUnitModel::feed(Clocked<PeArrayIn, PeArrayOut>& array, Cycle first) {
  feeder_ = std::make_unique<MatrixUnitFeeder>(machine_, array, *activation_, *weight_, *accumulator_);
  feeder_->reset(first);
}

void MatrixUnitModel::start(const isa::Instruction& instruction, Cycle s) {
  const isa::Matrix& m = instruction.matrix;
  const std::int64_t pixels = matrix_pixels(m), passes = matrix_passes(m);
  const WeightStationary::Times t = dataflow_.times(s, pixels, passes, last_);
  last_ = t.last;
  array_cycles_ += pixels * passes;

  sequencer_.chain(isa::Unit::Matrix, t.chain);
  sequencer_.done(isa::Unit::Matrix, t.done, isa::ErrorCode::None);

  if (feeder_ != nullptr) {
    feeder_->enqueue(m, t.first_stationary, t.first_moving, t.interval);
  } else if (activation_ != nullptr) {
    MatrixTile tile = tile_of(m);
    tile.rows = machine_.rows;
    tile.columns = machine_.columns;
    tile.activation = activation_->data();
    tile.weight = weight_->data();
    tile.accumulator = reinterpret_cast<std::int32_t*>(accumulator_->data());
    run_matrix_tile(tile);
  }
}

}  // namespace gemel
