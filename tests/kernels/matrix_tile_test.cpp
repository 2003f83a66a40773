// SPDX-License-Identifier: Apache-2.0
// Every instruction set gives the sums of the formula in matrix_tile.hpp, computed here in the dumbest way, and writes
// nothing else.
#include "kernels/matrix_tile.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/kernels.hpp"
#include "seed.hpp"

namespace gemel::kernels_test {
namespace {

constexpr std::int32_t Untouched = 0x5A5A5A5A;

// A tile with buffers of its own.
struct Case {
  MatrixTile tile;
  std::vector<std::uint8_t> activation, weight;
  std::vector<std::int32_t> accumulator;

  std::int64_t pixels() const { return std::int64_t{tile.out_planes} * tile.out_height * tile.out_width; }
  std::int64_t passes() const { return std::int64_t{tile.kernel_h} * tile.kernel_w * tile.cin_blocks; }

  // Just as large as the tile needs, so that an address sanitizer sees every byte too many.
  void allocate() {
    const MatrixTile& t = tile;
    const std::int64_t last = t.act_base + (t.out_planes - 1) * t.plane_words +
                              (std::int64_t{t.act_height} * t.act_width - 1) * t.pixel_words + (t.cin_blocks - 1) +
                              std::int64_t{t.cout_blocks - 1} * t.act_block_step;
    activation.resize(static_cast<std::size_t>((last + 1) * t.rows));
    weight.resize(static_cast<std::size_t>((t.weight_base + t.cout_blocks * passes() * t.rows) * t.columns));
    accumulator.assign(static_cast<std::size_t>((t.acc_base + t.cout_blocks * pixels()) * t.columns), Untouched);
  }
  void fill(std::mt19937_64& random, bool extremes) {
    for (auto& byte : activation) byte = static_cast<std::uint8_t>(bytes_or_extremes(random, extremes));
    for (auto& byte : weight) byte = static_cast<std::uint8_t>(bytes_or_extremes(random, extremes));
    for (auto& sum : accumulator) sum = static_cast<std::int32_t>(random());
  }
  std::vector<std::int32_t> run(SimdLevel level) const {
    std::vector<std::int32_t> result = accumulator;
    MatrixTile t = tile;
    t.activation = activation.data();
    t.weight = weight.data();
    t.accumulator = result.data();
    kernels(level).matrix_tile(t);
    return result;
  }
};

// The formula, one output after the other.
std::vector<std::int32_t> expected_sums(const Case& c) {
  const MatrixTile& t = c.tile;
  std::vector<std::int32_t> result = c.accumulator;
  for (std::int64_t n = 0; n < t.cout_blocks; ++n) {
    for (std::int64_t p = 0; p < c.pixels(); ++p) {
      const int ox = static_cast<int>(p % t.out_width), oy = static_cast<int>(p / t.out_width % t.out_height);
      const std::int64_t z = p / t.out_width / t.out_height;
      for (int column = 0; column < t.columns; ++column) {
        std::int32_t& out = result[static_cast<std::size_t>((t.acc_base + n * c.pixels() + p) * t.columns + column)];
        std::int64_t sum = t.accumulate ? out : 0;
        for (std::int64_t k = 0; k < c.passes(); ++k) {
          const int cb = static_cast<int>(k % t.cin_blocks), kx = static_cast<int>(k / t.cin_blocks % t.kernel_w);
          const int ky = static_cast<int>(k / t.cin_blocks / t.kernel_w);
          const int y = t.origin_y + oy * t.stride_y + ky * t.dilation_y,
                    x = t.origin_x + ox * t.stride_x + kx * t.dilation_x;
          const bool inside = 0 <= y && y < t.act_height && 0 <= x && x < t.act_width;
          if (!inside) continue;
          for (int r = 0; r < t.rows; ++r) {
            const std::int64_t word = t.act_base + z * t.plane_words +
                                      (std::int64_t{y} * t.act_width + x) * t.pixel_words + cb + n * t.act_block_step;
            const std::uint8_t a = c.activation[static_cast<std::size_t>(word * t.rows + r)];
            const std::uint8_t w = c.weight[static_cast<std::size_t>(
                (t.weight_base + (n * c.passes() + k) * t.rows + r) * t.columns + column)];
            const int operand = (t.act_unsigned ? a : static_cast<std::int8_t>(a)) - t.act_zero;
            const int factor = (t.weight_unsigned ? w : static_cast<std::int8_t>(w)) - t.weight_zero;
            sum += operand * factor;
          }
        }
        out = static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(sum)));
      }
    }
  }
  return result;
}

std::string describe(const MatrixTile& t) {
  const auto list = [](std::initializer_list<std::int64_t> values) {
    std::string text = "(";
    for (const std::int64_t value : values) text += std::to_string(value) + " ";
    text.back() = ')';
    return text;
  };
  return "array" + list({t.rows, t.columns}) + " bases" + list({t.act_base, t.weight_base, t.acc_base}) + " image" +
         list({t.act_height, t.act_width, t.pixel_words, t.plane_words}) + " out" +
         list({t.out_planes, t.out_height, t.out_width}) + " kernel" +
         list({t.kernel_h, t.kernel_w, t.cin_blocks, t.cout_blocks}) + " stride" + list({t.stride_y, t.stride_x}) +
         " dilation" + list({t.dilation_y, t.dilation_x}) + " origin" + list({t.origin_y, t.origin_x}) + " step" +
         list({t.act_block_step}) + " zeros" + list({t.act_zero, t.weight_zero}) + " unsigned" +
         list({t.act_unsigned, t.weight_unsigned}) + " accumulate" + list({t.accumulate});
}

::testing::AssertionResult equal(const std::vector<std::int32_t>& actual, const std::vector<std::int32_t>& expected) {
  if (actual.size() != expected.size()) return ::testing::AssertionFailure() << "sizes differ";
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (actual[i] != expected[i]) {
      return ::testing::AssertionFailure() << "sum " << i << " is " << actual[i] << ", expected " << expected[i];
    }
  }
  return ::testing::AssertionSuccess();
}

int zero_of(std::mt19937_64& random, bool is_unsigned, bool any) {
  if (any) return draw(random, -128, 255);
  switch (draw(random, 0, 3)) {
    case 0: return 0;
    case 1: return is_unsigned ? 128 : -128;
    case 2: return is_unsigned ? 255 : 127;
    default: return is_unsigned ? draw(random, 0, 255) : draw(random, -128, 127);
  }
}

Case random_case(std::mt19937_64& random) {
  Case c;
  MatrixTile& t = c.tile;
  const auto side = [&] {
    static constexpr int Usual[] = {1, 4, 7, 8, 13, 16, 32, 64};
    return draw(random, 0, 1) ? Usual[draw(random, 0, 7)] : draw(random, 1, 40);
  };
  t.rows = side();
  t.columns = side();
  t.act_base = static_cast<std::uint32_t>(draw(random, 0, 5));
  t.weight_base = static_cast<std::uint32_t>(draw(random, 0, 5));
  t.acc_base = static_cast<std::uint32_t>(draw(random, 0, 5));
  t.act_height = draw(random, 1, 9);
  t.act_width = draw(random, 1, 9);
  t.out_planes = draw(random, 1, 2);
  t.out_height = draw(random, 1, 6);
  t.out_width = draw(random, 1, draw(random, 0, 3) ? 6 : 30);
  const bool pointwise = draw(random, 0, 2) == 0;
  t.kernel_h = pointwise ? 1 : draw(random, 1, 4);
  t.kernel_w = pointwise ? 1 : draw(random, 1, 4);
  t.cin_blocks = draw(random, 1, pointwise ? 9 : 3);
  t.cout_blocks = draw(random, 1, 7);
  t.stride_y = draw(random, 1, 3);
  t.stride_x = draw(random, 1, 3);
  t.dilation_y = draw(random, 1, 2);
  t.dilation_x = draw(random, 1, 2);
  if (draw(random, 0, 1)) {
    t.origin_y = draw(random, -4, 4);
    t.origin_x = draw(random, -4, 4);
  } else {  // no padding: the image is as large as it must be
    t.origin_y = draw(random, 0, 1);
    t.origin_x = draw(random, 0, 1);
    t.act_height = t.origin_y + (t.out_height - 1) * t.stride_y + (t.kernel_h - 1) * t.dilation_y + 1;
    t.act_width = t.origin_x + (t.out_width - 1) * t.stride_x + (t.kernel_w - 1) * t.dilation_x + 1;
  }
  t.act_block_step = draw(random, 0, 2) ? 0 : draw(random, 1, 2);
  t.pixel_words = t.cin_blocks + draw(random, 0, 1) * draw(random, 0, 3);
  t.plane_words = std::int64_t{t.act_height} * t.act_width * t.pixel_words + draw(random, 0, 3);
  t.act_unsigned = draw(random, 0, 1);
  t.weight_unsigned = draw(random, 0, 1);
  t.act_zero = zero_of(random, t.act_unsigned, draw(random, 0, 9) == 0);
  t.weight_zero = draw(random, 0, 1) ? 0 : zero_of(random, t.weight_unsigned, draw(random, 0, 3) == 0);
  t.accumulate = draw(random, 0, 1);
  c.allocate();
  c.fill(random, draw(random, 0, 1));
  return c;
}

void expect_all_levels(const Case& c) {
  const std::vector<std::int32_t> expected = expected_sums(c);
  for (const SimdLevel level : simd_levels()) {
    EXPECT_TRUE(equal(c.run(level), expected)) << to_string(level) << " " << describe(c.tile);
  }
}

// `rows` x `columns`, `pixels` pixels in a row, `cin` passes, all bytes equal.
Case constant_case(int rows, int columns, int pixels, int cin, std::uint8_t activation, std::uint8_t weight) {
  Case c;
  c.tile.rows = rows;
  c.tile.columns = columns;
  c.tile.act_width = c.tile.out_width = pixels;
  c.tile.cin_blocks = c.tile.pixel_words = cin;
  c.allocate();
  c.activation.assign(c.activation.size(), activation);
  c.weight.assign(c.weight.size(), weight);
  return c;
}

TEST(MatrixTile, EqualsTheFormulaOnRandomTiles) {
  std::mt19937_64 random(seed_of_this_run());
  for (int i = 0; i < 600 && !HasFailure(); ++i) {
    SCOPED_TRACE("tile " + std::to_string(i));
    expect_all_levels(random_case(random));
  }
}

TEST(MatrixTile, EqualsTheFormulaOnLargeArrays) {
  std::mt19937_64 random(seed_of_this_run());
  for (const auto& [rows, columns] :
       {std::pair{128, 128}, {256, 256}, {255, 129}, {16, 64}, {64, 16}, {1, 256}, {256, 1}}) {
    for (const int pixels : {1, 19}) {
      Case c = constant_case(rows, columns, pixels, 5, 0, 0);
      c.tile.act_zero = -7;
      c.fill(random, false);
      expect_all_levels(c);
    }
  }
}

// The panel of weights is cut when it outgrows the caches; the sums must not notice.
TEST(MatrixTile, SplitsLongSumsOverSeveralPanels) {
  std::mt19937_64 random(seed_of_this_run());
  for (const int pixels : {1, 3, 21}) {
    for (const bool accumulate : {false, true}) {
      Case c = constant_case(16, 40, pixels, 1500, 0, 0);
      c.tile.accumulate = accumulate;
      c.tile.act_zero = 3;
      c.tile.weight_zero = -5;
      c.fill(random, false);
      expect_all_levels(c);
    }
  }
}

TEST(MatrixTile, DoesNotSaturatePairsOfExtremeProducts) {
  // 255 * 127 + 255 * 127 = 64770 would not fit the 16 bits of vpmaddubsw.
  for (const SimdLevel level : simd_levels()) {
    Case c = constant_case(16, 16, 9, 2, 255, 127);
    c.tile.act_unsigned = true;
    for (const std::int32_t sum : c.run(level))
      ASSERT_EQ(sum, 32 /*rows of two passes*/ * 255 * 127) << to_string(level);
    c = constant_case(16, 16, 9, 2, 0x80, 0x80);
    c.tile.act_zero = 127;     // operands -255
    c.tile.weight_zero = 127;  // weights -255
    for (const std::int32_t sum : c.run(level)) ASSERT_EQ(sum, 32 * 255 * 255) << to_string(level);
  }
}

TEST(MatrixTile, WrapsAtThirtyTwoBits) {
  for (const SimdLevel level : simd_levels()) {
    Case c = constant_case(4, 16, 9, 1, 1, 1);
    c.tile.accumulate = true;
    c.accumulator.assign(c.accumulator.size(), INT32_MAX);
    for (const std::int32_t sum : c.run(level)) ASSERT_EQ(sum, INT32_MIN + 3) << to_string(level);
    // 40,000 products of 255 * 255 are 2^32 - 1,693,967,296.
    c = constant_case(16, 16, 3, 2500, 255, 255);
    c.tile.act_unsigned = c.tile.weight_unsigned = true;
    for (const std::int32_t sum : c.run(level)) ASSERT_EQ(sum, -1'693'967'296) << to_string(level);
  }
}

TEST(MatrixTile, PaddingAloneGivesZeroOrTheOldSum) {
  for (const SimdLevel level : simd_levels()) {
    for (const int act_zero : {-128, 0, 127, 255}) {
      for (const bool accumulate : {false, true}) {
        Case c = constant_case(7, 13, 4, 3, 99, 201);
        c.tile.origin_x = 50;  // beside the image
        c.tile.act_zero = act_zero;
        c.tile.act_unsigned = act_zero == 255;
        c.tile.weight_zero = 9;
        c.tile.accumulate = accumulate;
        for (const std::int32_t sum : c.run(level)) ASSERT_EQ(sum, accumulate ? Untouched : 0) << to_string(level);
      }
    }
  }
}

TEST(MatrixTile, ZeroPointsOfTheWholeRangeWorkWithEitherType) {
  std::mt19937_64 random(seed_of_this_run());
  for (const int act_zero : {-128, -1, 0, 1, 127, 128, 255}) {
    for (const int weight_zero : {-128, 0, 1, 128, 255}) {
      for (const int types : {0, 1, 2, 3}) {
        Case c = constant_case(16, 16, 5, 2, 0, 0);
        c.tile.kernel_w = 3;
        c.tile.origin_x = -1;
        c.tile.act_zero = act_zero;
        c.tile.weight_zero = weight_zero;
        c.tile.act_unsigned = types & 1;
        c.tile.weight_unsigned = types & 2;
        c.allocate();
        c.fill(random, true);
        expect_all_levels(c);
      }
    }
  }
}

TEST(MatrixTile, WritesOnlyItsAccumulators) {
  for (const SimdLevel level : simd_levels()) {
    for (const int columns : {3, 8, 13, 16, 20}) {
      Case c = constant_case(8, columns, 6, 2, 5, 7);
      c.tile.acc_base = 4;
      c.allocate();
      c.accumulator.resize(c.accumulator.size() + 64, Untouched);
      const std::vector<std::int32_t> sums = c.run(level);
      const auto first = static_cast<std::size_t>(4 * columns), last = first + static_cast<std::size_t>(6 * columns);
      for (std::size_t i = 0; i < sums.size(); ++i) {
        ASSERT_EQ(sums[i] == Untouched, i < first || i >= last)
            << to_string(level) << " columns " << columns << " sum " << i;
      }
    }
  }
}

// An instruction claims the words from its first tap inside the image to its last: those between the taps of a dilated kernel and the border
// may lie outside of the buffer.
TEST(MatrixTile, ReadsNoWordBehindTheLastTap) {
  constexpr int Page = 1 << 16;
  void* const memory = ::mmap(nullptr, 2 * Page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  ASSERT_EQ(::mprotect(memory, Page, PROT_READ | PROT_WRITE), 0);
  const auto* const end = static_cast<const std::uint8_t*>(memory) + Page;
  for (const SimdLevel level : simd_levels()) {
    for (const int rows : {4, 5}) {
      for (const auto& [origin, words] : {std::pair{0, 1}, std::pair{-2, 0}}) {  // taps at columns 0 and 5; at -2 and 3
        Case c;
        MatrixTile& t = c.tile;
        t.rows = rows;
        t.columns = 3;
        t.act_width = 3;
        t.pixel_words = 100;
        t.kernel_w = 2;
        t.dilation_x = 5;
        t.origin_x = origin;
        c.allocate();
        c.activation.assign(c.activation.size(), 0);  // what is behind the end of memory
        std::mt19937_64 random(seed_of_this_run());
        for (auto& byte : c.weight) byte = static_cast<std::uint8_t>(random());
        t.activation = end - words * rows;
        t.weight = c.weight.data();
        std::vector<std::int32_t> sums = c.accumulator;
        t.accumulator = sums.data();
        kernels(level).matrix_tile(t);
        EXPECT_TRUE(equal(sums, expected_sums(c))) << describe(t);
      }
    }
  }
  ::munmap(memory, 2 * Page);
}

TEST(MatrixTile, RunsAreIndependentOfEarlierOnes) {  // the scratch memory of a thread is used again
  std::mt19937_64 random(seed_of_this_run());
  const Case small = random_case(random);
  const std::vector<std::int32_t> expected = expected_sums(small);
  for (const SimdLevel level : simd_levels()) {
    for (int i = 0; i < 20; ++i) {
      random_case(random).run(level);
      ASSERT_TRUE(equal(small.run(level), expected)) << to_string(level) << " " << describe(small.tile);
    }
  }
}

TEST(MatrixTile, ThreadsDoNotDisturbEachOther) {
  const std::uint64_t seed = seed_of_this_run();
  for (const SimdLevel level : simd_levels()) {
    std::vector<int> wrong(4, 0);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < wrong.size(); ++i) {
      threads.emplace_back([&wrong, i, seed, level] {
        std::mt19937_64 random(seed + i);
        for (int run = 0; run < 40; ++run) {
          const Case c = random_case(random);
          wrong[i] += c.run(level) != expected_sums(c);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, std::vector<int>(4, 0)) << to_string(level);
  }
}

}  // namespace
}  // namespace gemel::kernels_test
