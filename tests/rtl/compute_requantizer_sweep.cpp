// SPDX-License-Identifier: Apache-2.0
// compute_requantizer_sweep COUNT [SEED]: COUNT random vectors through the Verilated requantizer (4 lanes), every mode, shift and
// kind of operand, each compared with base/numerics. Prints the seed, progress and a total; ends with 1 at the first difference.
#include <array>
#include <cstdio>
#include <cstdlib>

#include "Requantizer4.h"
#include "base/numerics.hpp"

namespace {

constexpr int Lanes = 4, Latency = 6;

struct Row {
  int rounding = 0;
  std::array<std::int32_t, Lanes> x{}, multiplier{}, shift{};
};

// splitmix64: the sweep's speed is the generator's.
struct Numbers {
  std::uint64_t state;
  std::uint64_t next() {
    std::uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
};

// Uniform, of any length, or around a power of two.
std::int32_t sum(std::uint64_t bits) {
  const auto value = static_cast<std::uint32_t>(bits);
  const int length = static_cast<int>(bits >> 32 & 31);
  switch (bits >> 40 & 3) {
    case 0: return static_cast<std::int32_t>(value);
    case 1: return static_cast<std::int32_t>((1u << length) + (value & 15) - 8);
    default: return static_cast<std::int32_t>(value) >> length;
  }
}

// Legal multipliers and float scales near what networks have, or any bits.
std::int32_t multiplier(std::uint64_t bits, int rounding) {
  const auto value = static_cast<std::uint32_t>(bits);
  if ((bits >> 40 & 3) == 0) return static_cast<std::int32_t>(value);
  if (rounding == 2) return static_cast<std::int32_t>((90 + (bits >> 32 & 63)) << 23 | (value & 0x7fffff));
  return static_cast<std::int32_t>(0x40000000u | (value & 0x3fffffff));
}

}  // namespace

double sc_time_stamp() { return 0; }

int main(int argc, char** argv) {
  const long long count = argc > 1 ? std::atoll(argv[1]) : 1000000;
  const unsigned long long seed = argc > 2 ? std::strtoull(argv[2], nullptr, 0) : 1;
  std::printf("%lld vectors, seed %llu\n", count, seed);
  VerilatedContext context;
  Requantizer4 top(&context);
  top.clk_i = 0;
  top.rst_ni = 1;
  top.eval();
  top.rst_ni = 0;
  top.eval();
  top.rst_ni = 1;
  top.eval();
  Numbers numbers{seed};
  std::array<Row, 8> rows;
  const long long steps = (count + Lanes - 1) / Lanes;
  for (long long t = 0; t < steps + Latency; ++t) {
    if (t >= Latency) {
      const Row& row = rows[static_cast<std::size_t>((t - Latency) % 8)];
      for (int i = 0; i < Lanes; ++i) {
        const auto lane = static_cast<std::size_t>(i);
        const std::int32_t expected = gemel::numerics::requantize(static_cast<gemel::numerics::RequantMode>(row.rounding),
                                                                  row.x[lane], row.multiplier[lane], row.shift[lane]);
        if (!top.valid_o || static_cast<std::int32_t>(top.y_o[i]) != expected) {
          std::printf("DIFFERENCE: rounding %d, x %d, multiplier 0x%08x, shift %d: %d, expected %d\n", row.rounding,
                      row.x[lane], static_cast<unsigned>(row.multiplier[lane]), row.shift[lane],
                      static_cast<std::int32_t>(top.y_o[i]), expected);
          return 1;
        }
      }
    }
    Row& row = rows[static_cast<std::size_t>(t % 8)];
    row.rounding = static_cast<int>(numbers.next() & 3);
    std::uint32_t shifts = 0;
    for (int i = 0; i < Lanes; ++i) {
      const auto lane = static_cast<std::size_t>(i);
      const std::uint64_t more = numbers.next();
      row.x[lane] = sum(numbers.next());
      row.multiplier[lane] = multiplier(more, row.rounding);
      // Mostly such shifts that something remains.
      row.shift[lane] = (more >> 48 & 3) == 0 ? static_cast<int>(more >> 50 & 63) - 32 : static_cast<int>(more >> 50 & 31) - 24;
      shifts |= static_cast<std::uint32_t>(row.shift[lane] & 63) << 6 * i;
      top.x_i[i] = static_cast<std::uint32_t>(row.x[lane]);
      top.multiplier_i[i] = static_cast<std::uint32_t>(row.multiplier[lane]);
    }
    top.shift_i = shifts;
    top.rounding_i = static_cast<std::uint8_t>(row.rounding);
    top.valid_i = t < steps;
    top.clk_i = 1;
    top.eval();
    top.clk_i = 0;
    top.eval();
    if ((t + 1) % 25000000 == 0) {
      std::printf("%lld million compared\n", (t + 1) * Lanes / 1000000);
      std::fflush(stdout);
    }
  }
  top.final();
  std::printf("%lld vectors, 0 differences\n", steps * Lanes);
  return 0;
}
