// SPDX-License-Identifier: Apache-2.0
// Every instruction set gives the window sums of the formulas in vector_tile.hpp, computed here one output at a time.
#include "kernels/vector_tile.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/kernels.hpp"
#include "seed.hpp"

namespace gemel::kernels_test {
namespace {

struct Case {
  VectorTile tile;
  int blocks = 1;
  std::vector<std::uint8_t> source, weights;
  bool weights_unsigned = false;
  int weight_zero = 0;

  std::int64_t pixels() const { return std::int64_t{tile.out_planes} * tile.out_height * tile.out_width; }

  void allocate() {  // just as large as the tile needs
    const VectorTile& t = tile;
    const std::int64_t last = t.src_base + (t.out_planes - 1) * t.plane_words +
                              (std::int64_t{t.src_height} * t.src_width - 1) * t.pixel_words +
                              std::int64_t{blocks - 1} * t.block_step;
    source.resize(static_cast<std::size_t>((last + 1) * t.columns));
    weights.resize(static_cast<std::size_t>(t.kernel_h * t.kernel_w * t.columns));
    tile.source = source.data();
  }
  DepthwiseWeights depthwise() const { return {weights.data(), weights_unsigned, weight_zero}; }
};

struct Expected {
  std::vector<std::int32_t> depthwise, sums, maxima;
};

Expected expected_of(const Case& c, int block) {
  const VectorTile& t = c.tile;
  Expected e;
  for (std::int64_t p = 0; p < c.pixels(); ++p) {
    const int ox = static_cast<int>(p % t.out_width), oy = static_cast<int>(p / t.out_width % t.out_height);
    const std::int64_t z = p / t.out_width / t.out_height;
    for (int column = 0; column < t.columns; ++column) {
      int depthwise = 0, sum = 0, maximum = 0;
      bool any = false;
      for (int tap = 0; tap < t.kernel_h * t.kernel_w; ++tap) {
        const int y = t.origin_y + oy * t.stride_y + tap / t.kernel_w * t.dilation_y;
        const int x = t.origin_x + ox * t.stride_x + tap % t.kernel_w * t.dilation_x;
        if (y < 0 || y >= t.src_height || x < 0 || x >= t.src_width) continue;
        const std::int64_t word = t.src_base + z * t.plane_words + (std::int64_t{y} * t.src_width + x) * t.pixel_words +
                                  std::int64_t{block} * t.block_step;
        const std::uint8_t s = c.source[static_cast<std::size_t>(word * t.columns + column)];
        const std::uint8_t w = c.weights[static_cast<std::size_t>(tap * t.columns + column)];
        const int value = t.source_unsigned ? s : static_cast<std::int8_t>(s);
        const int weight = (c.weights_unsigned ? w : static_cast<std::int8_t>(w)) - c.weight_zero;
        depthwise += (value - t.source_zero) * weight;
        sum += value - t.source_zero;
        maximum = any ? std::max(maximum, value) : value;
        any = true;
      }
      e.depthwise.push_back(depthwise);
      e.sums.push_back(sum);
      e.maxima.push_back(maximum);
    }
  }
  return e;
}

void expect_all_levels(const Case& c, const std::string& text) {
  for (int block = 0; block < c.blocks; ++block) {
    const Expected expected = expected_of(c, block);
    for (const SimdLevel level : simd_levels()) {
      SCOPED_TRACE(std::string(to_string(level)) + " block " + std::to_string(block) + " of " + text);
      std::vector<std::int32_t> actual(expected.sums.size());
      kernels(level).depthwise_sums(c.tile, block, c.depthwise(), actual.data());
      EXPECT_EQ(actual, expected.depthwise);
      kernels(level).window_sums(c.tile, block, actual.data());
      EXPECT_EQ(actual, expected.sums);
      kernels(level).window_maxima(c.tile, block, actual.data());
      EXPECT_EQ(actual, expected.maxima);
    }
  }
}

Case random_case(std::mt19937_64& random) {
  Case c;
  VectorTile& t = c.tile;
  t.columns = draw(random, 0, 1) ? draw(random, 1, 40) : 8 << draw(random, 0, 4);
  c.blocks = draw(random, 1, 3);
  t.src_base = static_cast<std::uint32_t>(draw(random, 0, 5));
  t.src_height = draw(random, 1, 9);
  t.src_width = draw(random, 1, 20);
  t.pixel_words = c.blocks + draw(random, 0, 2);
  t.block_step = draw(random, 1, 2);
  t.plane_words = std::int64_t{t.src_height} * t.src_width * t.pixel_words + draw(random, 0, 3);
  t.out_planes = draw(random, 1, 2);
  t.out_height = draw(random, 1, 6);
  t.out_width = draw(random, 1, 14);
  t.kernel_h = draw(random, 1, 5);
  t.kernel_w = draw(random, 1, 5);
  t.stride_y = draw(random, 1, 3);
  t.stride_x = draw(random, 1, 3);
  t.dilation_y = draw(random, 1, 3);
  t.dilation_x = draw(random, 1, 3);
  t.origin_y = draw(random, -6, 5);
  t.origin_x = draw(random, -6, 5);
  t.source_unsigned = draw(random, 0, 1);
  t.source_zero = draw(random, -128, 255);
  c.weights_unsigned = draw(random, 0, 1);
  c.weight_zero = draw(random, -128, 255);
  c.allocate();
  const bool extremes = draw(random, 0, 1);
  for (auto& byte : c.source) byte = static_cast<std::uint8_t>(bytes_or_extremes(random, extremes));
  for (auto& byte : c.weights) byte = static_cast<std::uint8_t>(bytes_or_extremes(random, extremes));
  return c;
}

TEST(VectorTile, EqualsTheFormulaOnRandomTiles) {
  std::mt19937_64 random(seed_of_this_run());
  for (int i = 0; i < 500 && !HasFailure(); ++i) expect_all_levels(random_case(random), "tile " + std::to_string(i));
}

TEST(VectorTile, WindowsWithoutATapInsideAreZero) {
  Case c;
  c.tile.columns = 13;
  c.tile.origin_x = -3;  // outputs -3, -2, -1 lie left of the image
  c.tile.out_width = 3;
  c.tile.source_zero = 77;
  c.allocate();
  std::fill(c.source.begin(), c.source.end(), std::uint8_t{0x81});
  std::fill(c.weights.begin(), c.weights.end(), std::uint8_t{5});
  for (const SimdLevel level : simd_levels()) {
    std::vector<std::int32_t> actual(39, -1);
    const std::vector<std::int32_t> zeros(39, 0);
    kernels(level).depthwise_sums(c.tile, 0, c.depthwise(), actual.data());
    EXPECT_EQ(actual, zeros) << to_string(level);
    actual.assign(39, -1);
    kernels(level).window_sums(c.tile, 0, actual.data());
    EXPECT_EQ(actual, zeros) << to_string(level);
    actual.assign(39, -1);
    kernels(level).window_maxima(c.tile, 0, actual.data());
    EXPECT_EQ(actual, zeros) << to_string(level);
  }
}

TEST(VectorTile, MaximumOfNegativeValuesIsNegative) {
  Case c;
  c.tile.columns = 16;
  c.tile.src_width = c.tile.kernel_w = 3;
  c.allocate();
  std::fill(c.source.begin(), c.source.end(), std::uint8_t{0x80});
  for (const SimdLevel level : simd_levels()) {
    std::vector<std::int32_t> actual(16);
    kernels(level).window_maxima(c.tile, 0, actual.data());
    EXPECT_EQ(actual, std::vector<std::int32_t>(16, -128)) << to_string(level);
  }
}

}  // namespace
}  // namespace gemel::kernels_test
