// SPDX-License-Identifier: Apache-2.0
// Random matrix instructions on small tiles: all words lie below 4096.
#pragma once
#include "gemel/isa.gen.hpp"
#include "support/random_program.hpp"

namespace gemel::testing {

inline isa::Matrix random_matrix(Random& random) {
  isa::Matrix m;
  m.accumulate = random.chance(30);
  m.act_base = random.range(0, 100);
  m.weight_base = random.range(0, 100);
  m.acc_base = random.range(0, 100);
  m.act_height = random.skewed(1, 6);
  m.act_width = random.skewed(1, 6);
  m.pixel_words = random.skewed(1, 3);
  m.plane_words = random.range(0, 40);
  m.act_block_step = random.chance(70) ? 0 : random.range(0, 5);
  m.out_planes = random.skewed(1, 2);
  m.out_height = random.skewed(1, 5);
  m.out_width = random.skewed(1, 5);
  m.kernel_h = random.skewed(1, 3);
  m.kernel_w = random.skewed(1, 3);
  m.cin_blocks = random.skewed(1, 2);
  m.cout_blocks = random.skewed(1, 3);
  m.stride_y = random.range(1, 2);
  m.stride_x = random.range(1, 2);
  m.dilation_y = random.range(1, 2);
  m.dilation_x = random.range(1, 2);
  m.origin_y = -random.range(0, 2);
  m.origin_x = -random.range(0, 2);
  m.act_unsigned = random.range(0, 1);
  m.weight_unsigned = random.range(0, 1);
  m.act_zero = m.act_unsigned ? random.range(0, 255) : random.range(-128, 127);
  m.weight_zero = m.weight_unsigned ? random.range(0, 255) : random.range(-128, 127);
  return m;
}

}  // namespace gemel::testing
