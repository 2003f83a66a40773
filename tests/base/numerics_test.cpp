// SPDX-License-Identifier: Apache-2.0
// The arithmetic against vectors made with TFLite's own functions, against real float32 arithmetic, against plain division,
// and at every edge that docs/reference/arithmetic.md names.
#include "base/numerics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cfenv>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <random>
#include <sstream>
#include <string>

#include "base/error.hpp"
#include "support/random_seed.hpp"
#include "support/reference_data.hpp"

namespace gemel::numerics {
namespace {

constexpr std::int32_t Max = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t Min = std::numeric_limits<std::int32_t>::min();
const test::ReferenceData Requant = test::reference_data("derived/requant", "tflite");

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> fields;
  std::stringstream stream(line);
  for (std::string field; std::getline(stream, field, ',');) fields.push_back(field);
  return fields;
}

// The lines of a CSV file behind its header; of FILE.gz, if there is no FILE. Empty if neither can be read.
std::vector<std::string> read_lines(const std::filesystem::path& path) {
  std::vector<std::string> lines;
  const std::string command =
      std::filesystem::exists(path) ? "cat '" + path.string() + "'" : "gzip -dc '" + path.string() + ".gz'";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return lines;
  char buffer[512];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) lines.emplace_back(buffer);
  pclose(pipe);
  if (!lines.empty()) lines.erase(lines.begin());
  return lines;
}

// What ONNX Runtime computes, in the CPU's float32: the value before the zero point, cut to int32.
std::int32_t float_reference(std::int32_t x, float scale) {
  const float f = std::nearbyint(static_cast<float>(x) * scale);
  if (f >= 2147483648.0f) return Max;
  if (f <= -2147483648.0f) return -Max;
  return static_cast<std::int32_t>(f);
}

// ---- Vectors from TFLite's functions -------------------------------------------------------------------------------------

TEST(Numerics, AgreesWithTfliteInBothRoundings) {
  const std::vector<std::string> lines = read_lines(Requant.folder / "tflite_MultiplyByQuantizedMultiplier.csv");
  int narrow = 0, wide = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::vector<std::string> f = split(lines[i]);
    ASSERT_EQ(f.size(), 6u) << lines[i];
    const std::int64_t x = std::stoll(f[1]);
    const std::int32_t m = std::stoi(f[2]), s = std::stoi(f[3]), in_double = std::stoi(f[4]), in_single = std::stoi(f[5]);
    if (f[0] == "32") {
      ASSERT_EQ(requantize_double(static_cast<std::int32_t>(x), m, s), in_double) << lines[i];
      ASSERT_EQ(requantize_single(static_cast<std::int32_t>(x), m, s), in_single) << lines[i];
      ++narrow;
    } else {
      ASSERT_EQ(f[0], "64") << lines[i];
      ASSERT_EQ(requantize_wide(x, m, s), in_double) << lines[i];
      ASSERT_EQ(requantize_wide(x, m, s), in_single) << lines[i];
      ++wide;
    }
  }
  EXPECT_EQ(narrow, Requant.whole ? 28685 : 2391);
  EXPECT_EQ(wide, Requant.whole ? 9408 : 784);
}

TEST(Numerics, MakesTheMultipliersThatTfliteMakes) {
  int count = 0;
  for (const std::string& line : read_lines(Requant.folder / "tflite_QuantizeMultiplier.csv")) {
    const std::vector<std::string> f = split(line);
    ASSERT_EQ(f.size(), 3u) << line;
    const QuantizedMultiplier q = quantize_multiplier(std::stod(f[0]));
    ASSERT_EQ(q.multiplier, std::stoi(f[1])) << line;
    ASSERT_EQ(q.shift, std::stoi(f[2])) << line;
    ++count;
  }
  EXPECT_EQ(count, Requant.whole ? 4014 : 502);
}

// ---- Fixed point: edges ---------------------------------------------------------------------------------------------------

constexpr std::int32_t Half = 1 << 30;  // multiplier of 1/2

TEST(Numerics, RoundsTiesOfNegativeValuesAsEachModeSays) {
  // x/4: the tie is met in the shift (m = 1/2, s = -1).
  EXPECT_EQ(requantize_single(2, Half, -1), 1);    // 0.5 up
  EXPECT_EQ(requantize_single(-2, Half, -1), 0);   // -0.5 up
  EXPECT_EQ(requantize_single(-6, Half, -1), -1);  // -1.5 up
  EXPECT_EQ(requantize_double(2, Half, -1), 1);
  EXPECT_EQ(requantize_double(-2, Half, -1), -1);  // -1 exactly, then -0.5 away from zero
  EXPECT_EQ(requantize_double(-6, Half, -1), -2);
  EXPECT_EQ(requantize_magnitude(-2, Half, -1), -1);
  EXPECT_EQ(requantize_magnitude(-6, Half, -1), -2);
  const std::int32_t quarter = float_bits(0.25f);
  EXPECT_EQ(requantize_float(2, quarter), 0);
  EXPECT_EQ(requantize_float(-2, quarter), 0);
  EXPECT_EQ(requantize_float(6, quarter), 2);
  EXPECT_EQ(requantize_float(-6, quarter), -2);
  EXPECT_EQ(requantize_float(-10, quarter), -2);
  // x/2: the tie is met in the product.
  EXPECT_EQ(requantize_double(-1, Half, 0), 0);  // half up
  EXPECT_EQ(requantize_double(1, Half, 0), 1);
  EXPECT_EQ(requantize_single(-3, Half, 0), -1);
  EXPECT_EQ(requantize_magnitude(-3, Half, 0), -2);
}

TEST(Numerics, RoundsTwiceOnlyInDoubleRounding) {
  // 5/8 of 3 = 1.875 -> 2 -> 2/4 = 0.5 -> 1; but 1.875/4 = 0.47 -> 0.
  const std::int32_t five_eighths = 5 << 28;
  EXPECT_EQ(requantize_double(3, five_eighths, -2), 1);
  EXPECT_EQ(requantize_single(3, five_eighths, -2), 0);
}

TEST(Numerics, AddsTheZeroPointAfterRounding) {
  // ONNX Runtime: 0.5 -> 0, then + 3. Rounding 3.5 to even would give 4.
  EXPECT_EQ(finish(requantize_float(2, float_bits(0.25f)), 3, -128, 127), 3);
  EXPECT_EQ(finish(requantize_float(-2, float_bits(0.25f)), 3, -128, 127), 3);
  EXPECT_EQ(finish(requantize_float(6, float_bits(0.25f)), 255, 0, 255), 255);
}

TEST(Numerics, MultiplierZeroGivesTheZeroPoint) {
  for (const std::int32_t x : {0, 1, -1, Max, Min}) {
    for (int mode = 0; mode < 4; ++mode) {
      EXPECT_EQ(finish(requantize(static_cast<RequantMode>(mode), x, 0, 0), -7, -128, 127), -7);
    }
  }
}

TEST(Numerics, FinishDoesNotOverflow) {
  EXPECT_EQ(finish(Max, 127, -128, 127), 127);
  EXPECT_EQ(finish(Min, -128, -128, 127), -128);
  EXPECT_EQ(finish(Max, 255, 0, 255), 255);
  EXPECT_EQ(finish(Min, 0, 0, 255), 0);
  EXPECT_EQ(finish(5, -128, -128, -128), -128);  // a clamp of one value, at the end of the range
  EXPECT_EQ(finish(-1, 127, -128, 127), 126);
}

TEST(Numerics, SumsWrap) {
  EXPECT_EQ(wrap_add(Max, 1), Min);
  EXPECT_EQ(wrap_add(Min, -1), Max);
  EXPECT_EQ(wrap_add(Max, Min), -1);
}

TEST(Numerics, ShiftsToTheEndsOfTheirRange) {
  EXPECT_EQ(requantize_double(Max, Max, -31), 1);
  EXPECT_EQ(requantize_double(Half, Max, -31), 1);  // (2^61 - 2^30) / 2^31 rounds up to 2^30, which is a tie
  EXPECT_EQ(requantize_single(Half, Max, -31), 0);  // (2^61 - 2^30) / 2^62 is below a half
  EXPECT_EQ(requantize_double(Min, Max, -31), -1);
  EXPECT_EQ(requantize_single(Max, Max, -31), 1);
  EXPECT_EQ(requantize_single(1, Half, 1), 1);      // m = 2^30, s = 1 is the identity
  EXPECT_EQ(requantize_double(-77, Half, 1), -77);
  EXPECT_EQ(requantize_single(3, Half, 30), 3 << 29);
  EXPECT_EQ(requantize_double(1, Half, 30), 1 << 29);
  EXPECT_EQ(requantize_single(4, Half, 30), Min);   // 2^31: the low 32 bits
  EXPECT_EQ(requantize_double(4, Half, 30), 0);     // 4 << 30 is 2^32: the low 32 bits
  for (int mode : {0, 1, 3}) {
    EXPECT_EQ(requantize(static_cast<RequantMode>(mode), Min, Max, -32), 0);
    EXPECT_EQ(requantize(static_cast<RequantMode>(mode), Max, Max, 32), 0) << "only six bits of a shift count";
    EXPECT_EQ(requantize(static_cast<RequantMode>(mode), 1000, Min + 77, -5),
              requantize(static_cast<RequantMode>(mode), 1000, 77, -5)) << "bit 31 of a multiplier does not count";
  }
}

// ---- Fixed point against numbers of unlimited width --------------------------------------------------------------------

// floor((2*numerator + denominator) / (2*denominator)): half up.
std::int64_t half_up(__int128 numerator, int shift) {
  if (shift == 0) return static_cast<std::int64_t>(numerator);
  return static_cast<std::int64_t>((numerator + (static_cast<__int128>(1) << (shift - 1))) >> shift);
}
std::int64_t half_away(__int128 numerator, int shift) {
  return numerator < 0 ? -half_up(-numerator, shift) : half_up(numerator, shift);
}

TEST(Numerics, FixedModesAreTheRoundingsOfTheExactProduct) {
  std::mt19937_64 random(test::random_seed());
  for (int i = 0; i < 1'000'000; ++i) {
    const int bits = static_cast<int>(random() % 32);
    const auto x = static_cast<std::int32_t>(static_cast<std::int64_t>(random()) >> 32) >> bits;
    const auto m = static_cast<std::int32_t>(random() & Max) >> (random() % 8 == 0 ? random() % 31 : 0);
    const int s = static_cast<int>(random() % 62) - 31;  // -31..30
    const __int128 product = static_cast<__int128>(x) * m;
    ASSERT_EQ(requantize_single(x, m, s), static_cast<std::int32_t>(half_up(product, 31 - s))) << x << " " << m << " " << s;
    ASSERT_EQ(requantize_magnitude(x, m, s), static_cast<std::int32_t>(half_away(product, 31 - s))) << x << " " << m << " " << s;
    if (s <= 0) {
      const std::int64_t high = half_up(product, 31);
      ASSERT_EQ(requantize_double(x, m, s), static_cast<std::int32_t>(half_away(high, -s))) << x << " " << m << " " << s;
    }
  }
}

// ---- Float ------------------------------------------------------------------------------------------------------------------

TEST(Numerics, FloatLogicEqualsFloat32Arithmetic) {
  ASSERT_EQ(std::fegetround(), FE_TONEAREST);
  std::mt19937_64 random(test::random_seed());
  int ties = 0, large = 0;
  for (int i = 0; i < 3'000'000; ++i) {
    auto x = static_cast<std::int32_t>(random() >> 32);
    float scale;
    switch (i % 3) {
      case 0:  // any magnitude, any scale that leaves something
        x >>= random() % 32;
        scale = std::ldexp(1.0f + static_cast<float>(random() & 0x7fffff) / 8388608.0f, -static_cast<int>(random() % 40));
        break;
      case 1: {  // ties: (2k+1)/2 from x = odd * 2^a and scale = odd * 2^-(a+1), while the product is exact
        const int a = static_cast<int>(random() % 12);
        const int odd = static_cast<int>(random() % 200) | 1, other = static_cast<int>(random() % 200) | 1;
        x = (odd << a) * (random() & 1 ? 1 : -1);
        scale = std::ldexp(static_cast<float>(other), -(a + 1));
        break;
      }
      default:  // near powers of two, above 2^24: where the first and second rounding act
        x = static_cast<std::int32_t>((std::int64_t{1} << (23 + random() % 9)) + static_cast<std::int64_t>(random() % 513) - 256);
        if (random() & 1) x = static_cast<std::int32_t>(0u - static_cast<std::uint32_t>(x));
        scale = std::ldexp(1.0f + static_cast<float>(random() % 4096) / 4096.0f + static_cast<float>(random() % 3) / 8388608.0f,
                           -static_cast<int>(random() % 32));
    }
    const double exact = static_cast<double>(x) * static_cast<double>(scale);
    ties += std::abs(exact - std::trunc(exact)) == 0.5;
    large += magnitude(x) > (1u << 24);
    ASSERT_EQ(requantize_float(x, float_bits(scale)), float_reference(x, scale)) << x << " * " << scale;
  }
  EXPECT_GT(ties, 900'000);
  EXPECT_GT(large, 900'000);
}

TEST(Numerics, FloatRoundsTheProductBeforeTheInteger) {
  // The second rounding matters: without it these results differ. Searched rather than listed, so that it is never vacuous.
  std::mt19937_64 random(test::random_seed());
  int differ = 0;
  for (int i = 0; i < 200'000; ++i) {
    const auto x = static_cast<std::int32_t>(random() % (1 << 24));
    const int k = 1 + static_cast<int>(random() % 1000);
    const float scale = static_cast<float>((k + 0.5) / std::max(x, 1));
    const double exact = static_cast<double>(x) * static_cast<double>(scale);  // 48 bits: exact in double
    ASSERT_EQ(requantize_float(x, float_bits(scale)), float_reference(x, scale)) << x << " * " << scale;
    differ += float_reference(x, scale) != static_cast<std::int32_t>(std::nearbyint(exact));
  }
  EXPECT_GT(differ, 1000);
}

TEST(Numerics, FloatSaturatesAndFlushes) {
  EXPECT_EQ(requantize_float(Max, float_bits(1.0f)), Max);   // fl32(2^31 - 1) = 2^31: cut
  EXPECT_EQ(requantize_float(Min, float_bits(1.0f)), -Max);
  EXPECT_EQ(requantize_float(1, float_bits(2147483648.0f)), Max);
  EXPECT_EQ(requantize_float(1, float_bits(1073741824.0f)), 1 << 30);
  EXPECT_EQ(requantize_float(-1, float_bits(3e38f)), -Max);
  EXPECT_EQ(requantize_float(Max, float_bits(1e-40f)), 0);  // a subnormal scale
  EXPECT_EQ(requantize_float(Min, float_bits(1.17549435e-38f)), 0);
  EXPECT_EQ(requantize_float(0, 0x7f800000), 0);  // infinity
  EXPECT_EQ(requantize_float(1, 0x7fc00000), Max);
  EXPECT_EQ(requantize_float(5, float_bits(-1.0f)), 5) << "the sign of a scale does not count";
  EXPECT_EQ(requantize_float((1 << 24) + 1, float_bits(1.0f)), 1 << 24);        // a tie above 2^24, to even
  EXPECT_EQ(requantize_float((1 << 24) + 3, float_bits(1.0f)), (1 << 24) + 4);
}

// ---- Average pooling and MEAN -------------------------------------------------------------------------------------------

TEST(Numerics, AverageIsExactForEveryWindowAndEverySum) {
  // int8 sums are -128n..127n, uint8 sums 0..255n: -128n..255n covers both.
  for (int n = 1; n <= 599; ++n) {
    const QuantizedMultiplier q = average_multiplier(n);
    ASSERT_GE(q.multiplier, 1 << 30) << n;
    for (int sum = -128 * n; sum <= 255 * n; ++sum) {
      ASSERT_EQ(requantize_magnitude(sum, q.multiplier, q.shift), divide_half_away(sum, n)) << sum << " / " << n;
    }
  }
}

TEST(Numerics, AverageIsExactNextToEveryTieOfLargeWindows) {
  std::mt19937_64 random(test::random_seed());
  std::vector<int> counts = {1024, 12543, 12544, 12545, 65535, 65536, 65537, MaxTaps - 1, MaxTaps};
  for (int i = 0; i < 2000; ++i) counts.push_back(600 + static_cast<int>(random() % (MaxTaps - 600)));
  for (const int n : counts) {
    const QuantizedMultiplier q = average_multiplier(n);
    ASSERT_GE(q.multiplier, 1 << 30) << n;
    ASSERT_GE(q.shift, -31) << n;
    for (int value = -128; value < 255; ++value) {
      const int tie = value * n + n / 2;
      for (int sum = tie - 2; sum <= tie + 2; ++sum) {
        ASSERT_EQ(requantize_magnitude(sum, q.multiplier, q.shift), divide_half_away(sum, n)) << sum << " / " << n;
      }
    }
  }
  EXPECT_THROW(average_multiplier(0), InternalError);
  EXPECT_THROW(average_multiplier(MaxTaps + 1), InternalError);
}

TEST(Numerics, MeanKeepsTheMultipliersPrecision) {
  // 49 = 7x7: k = 5; m' = trunc(2^30 * 32 / 49).
  const QuantizedMultiplier q = mean_requant(1 << 30, 1, 49);
  EXPECT_EQ(q.multiplier, static_cast<std::int32_t>((std::int64_t{1} << 35) / 49));
  EXPECT_EQ(q.shift, 1 - 5);
  // k is bounded by 31 + s, so that the shift stays at -31 or above.
  EXPECT_EQ(mean_requant(1 << 30, -30, 1024).shift, -31);
  EXPECT_EQ(mean_requant(1 << 30, -30, 1024).multiplier, (1 << 30) / 512);
  EXPECT_EQ(mean_requant(1 << 30, -31, 1024).multiplier, (1 << 30) / 1024);
  EXPECT_EQ(mean_requant(123456789, 3, 1).multiplier, 123456789);
  EXPECT_EQ(mean_requant(123456789, 3, 1).shift, 3);
  EXPECT_THROW(mean_requant(1 << 30, 0, 0), InternalError);
}

// ---- Multipliers -----------------------------------------------------------------------------------------------------------

TEST(Numerics, QuantizesMultipliersAtTheEdges) {
  const auto expect = [](double real, std::int32_t multiplier, int shift) {
    const QuantizedMultiplier q = quantize_multiplier(real);
    EXPECT_EQ(q.multiplier, multiplier) << real;
    EXPECT_EQ(q.shift, shift) << real;
  };
  expect(0.0, 0, 0);
  expect(1.0, 1 << 30, 1);
  expect(0.5, 1 << 30, 0);
  expect(std::nextafter(1.0, 0.0), 1 << 30, 1);  // m = 2^31 after rounding: halved
  expect(std::ldexp(0.5, -31), 1 << 30, -31);
  expect(std::ldexp(0.499, -31), 0, 0);  // an exponent below -31
  expect(std::ldexp(std::nextafter(1.0, 0.0), -32), 1 << 30, -31);
  expect(std::ldexp(0.5, 30), 1 << 30, 30);
  expect(1e300, Max, 30);
  EXPECT_THROW(quantize_multiplier(-1.0), InternalError);
  EXPECT_THROW(quantize_multiplier(std::nan("")), InternalError);
  EXPECT_THROW(quantize_multiplier(HUGE_VAL), InternalError);
}

TEST(Numerics, AddMultipliersAreTflites) {
  const AddMultipliers q = add_requant(0.25, 0.5, 0.75);
  EXPECT_EQ(q.first.multiplier, 1 << 30);  // 0.25 / 1.0
  EXPECT_EQ(q.first.shift, -1);
  EXPECT_EQ(q.second.multiplier, 1 << 30);  // 0.5 / 1.0
  EXPECT_EQ(q.second.shift, 0);
  EXPECT_EQ(q.sum.multiplier, 1431655765);  // 1.0 / (2^20 * 0.75) = 4/3 * 2^-20 = (2/3) * 2^-19
  EXPECT_EQ(q.sum.shift, -19);
}

// ---- Rows --------------------------------------------------------------------------------------------------------------------

TEST(Numerics, EveryRowVersionEqualsTheScalarFunctions) {
  std::mt19937_64 random(test::random_seed());
  const std::vector<RowVersion> versions = row_versions();
  ASSERT_GE(versions.size(), 2u);
  const std::vector<std::int32_t> edges = {0, 1, -1, 2, -2, Max, Min, Max - 1, Min + 1, 1 << 24, (1 << 24) + 1, -(1 << 24) - 1, 1 << 30};
  const auto any = [&](int shift_limit) {
    return random() % 8 == 0 ? edges[random() % edges.size()]
                             : static_cast<std::int32_t>(random() >> 32) >> (random() % shift_limit);
  };
  std::int64_t values = 0;
  for (int round = 0; round < 40'000; ++round) {
    const int n = 1 + static_cast<int>(random() % 70);
    const auto mode = static_cast<RequantMode>(random() % 4);
    const bool wild = random() % 4 == 0;  // any bits at all, not only what a compiler would write
    std::vector<std::int32_t> sums(n), bias(n), multiplier(n), shift(n);
    for (int i = 0; i < n; ++i) {
      sums[i] = any(31);
      bias[i] = any(31);
      shift[i] = wild ? static_cast<std::int8_t>(random()) : static_cast<int>(random() % 62) - 31;
      if (wild) {
        multiplier[i] = any(8);
      } else if (mode == RequantMode::Float) {
        multiplier[i] = float_bits(std::ldexp(1.0f + static_cast<float>(random() % 65536) / 65536.0f,
                                              2 - static_cast<int>(random() % 36)));
      } else {
        multiplier[i] = static_cast<std::int32_t>((1u << 30) | (random() & 0x3fffffff));
      }
    }
    const bool is_signed = random() & 1;
    const int low = is_signed ? -128 : 0, high = low + 255;
    const int zero_point = low + static_cast<int>(random() % 256);
    int clamp_min = low, clamp_max = high;
    if (random() % 3 == 0) clamp_min = low + static_cast<int>(random() % 256);
    if (random() % 3 == 0) clamp_max = clamp_min + static_cast<int>(random() % (high - clamp_min + 1));
    std::vector<std::uint8_t> expected(n);
    for (int i = 0; i < n; ++i) {
      const std::int32_t y = requantize(mode, wrap_add(sums[i], bias[i]), multiplier[i], shift[i]);
      expected[i] = static_cast<std::uint8_t>(finish(y, zero_point, clamp_min, clamp_max));
    }
    for (const RowVersion& version : versions) {
      std::vector<std::uint8_t> out(n + 1, 0xa5);
      version.run(mode, sums.data(), bias.data(), multiplier.data(), shift.data(), n, zero_point, clamp_min, clamp_max, out.data());
      ASSERT_EQ(out[n], 0xa5) << version.name << " wrote behind the row";
      out.pop_back();
      ASSERT_EQ(out, expected) << version.name << ", mode " << static_cast<int>(mode) << ", round " << round;
    }
    std::vector<std::uint8_t> out(n);
    requantize_row(mode, sums.data(), bias.data(), multiplier.data(), shift.data(), n, zero_point, clamp_min, clamp_max, out.data());
    ASSERT_EQ(out, expected);
    values += n;
  }
  EXPECT_GT(values, 1'000'000);
}

}  // namespace
}  // namespace gemel::numerics
