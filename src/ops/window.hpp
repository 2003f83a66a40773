// SPDX-License-Identifier: Apache-2.0
// What both pools have in common; pool() is in avg_pool.cpp.
#pragma once
#include <algorithm>

#include "network/layer_reader.hpp"
#include "ops/ops.hpp"

namespace gemel::ops {

// The row of a pool without op, golden and reader. Shape rule: the padding must be smaller than the window.
OpInfo pool();

inline double taps(const Window& window) { return static_cast<double>(window.kernel_h) * window.kernel_w; }

template <class Kind>
void read_pool(LayerReader& r) {
  Window window;
  r.read_window(window, false);
  r.read_activation();
  r.read_kept_output();
  r.layer.attributes = Kind{window};
}

// Calls `visit` with the value of every tap inside the image, for one output pixel and channel.
template <class Visit>
void for_each_tap(const Window& window, const Operand& input, const Nhwc& in, int n, int oy, int ox, int c, Visit visit) {
  for (int ky = 0; ky < window.kernel_h; ++ky) {
    for (int kx = 0; kx < window.kernel_w; ++kx) {
      const int iy = oy * window.stride_h - window.pad_top + ky, ix = ox * window.stride_w - window.pad_left + kx;
      if (iy < 0 || iy >= in.h || ix < 0 || ix >= in.w) continue;
      visit(value_of(input.data[((std::int64_t{n} * in.h + iy) * in.w + ix) * in.c + c], input.tensor.type));
    }
  }
}

// The output of a pool: `result(n, oy, ox, c)` for every element, in NHWC order.
template <class Result>
Bytes for_each_output(const Nhwc& out, Result result) {
  Bytes y;
  y.reserve(static_cast<std::size_t>(out.elements()));
  for (int n = 0; n < out.n; ++n) {
    for (int oy = 0; oy < out.h; ++oy) {
      for (int ox = 0; ox < out.w; ++ox) {
        for (int c = 0; c < out.c; ++c) y.push_back(result(n, oy, ox, c));
      }
    }
  }
  return y;
}

}  // namespace gemel::ops
