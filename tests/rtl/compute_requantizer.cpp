// SPDX-License-Identifier: Apache-2.0
// requantizer in lockstep with its beat model: all modes, every shift, edges and random values, gaps and resets.
#include <gtest/gtest.h>

#include "Requantizer1.h"
#include "Requantizer3.h"
#include "Requantizer4.h"
#include "base/numerics.hpp"
#include "blocks/requantizer/requantizer_beat.hpp"
#include "compute_harness.hpp"
#include "support/random_seed.hpp"

namespace gemel::rtl_test {
namespace {

std::int32_t bits(std::uint32_t value) { return static_cast<std::int32_t>(value); }

// Numbers next to every power of two, of both signs, and the ends.
std::vector<std::int32_t> edge_sums() {
  std::vector<std::int32_t> edges = {0};
  for (int b = 0; b < 32; ++b) {
    for (int d = -1; d <= 1; ++d) {
      const std::uint32_t value = (std::uint32_t{1} << b) + static_cast<std::uint32_t>(d);
      edges.push_back(bits(value));
      edges.push_back(bits(0u - value));
    }
  }
  for (const std::uint32_t odd : {0x00ffffffu, 0x01000001u, 0x01000003u, 0x7fffff40u, 0x7fffff80u, 0x7fffffc0u, 0x55555555u}) {
    edges.push_back(bits(odd));
    edges.push_back(bits(0u - odd));
  }
  return edges;
}

std::vector<std::int32_t> edge_multipliers() {
  return {0, 1, 2, 3, 0x3fffffff, 0x40000000, 0x40000001, 0x5a827999, 0x7ffffffe, 0x7fffffff, bits(0x80000000u), -1};
}

// Float scales: every exponent with a few mantissas; subnormals, infinities and NaNs among them.
std::vector<std::int32_t> edge_scales() {
  std::vector<std::int32_t> scales;
  for (std::uint32_t exponent = 0; exponent < 256; ++exponent) {
    for (const std::uint32_t mantissa : {0u, 1u, 0x400000u, 0x555555u, 0x7fffffu}) scales.push_back(bits(exponent << 23 | mantissa));
  }
  scales.push_back(bits(0xbf800000u));
  return scales;
}

template <class Top>
class Lockstep {
 public:
  Lockstep(int lanes, Random& random) : lanes_(lanes), random_(random), beat_(machine(lanes)), rtl_(random()) {
    beat_.reset();
    for (auto* values : {&x_, &multiplier_, &shift_}) values->resize(static_cast<std::size_t>(lanes));
  }

  // One more vector; a row enters when all lanes have one.
  void push(std::int32_t x, std::int32_t multiplier, int shift, isa::Rounding rounding) {
    const auto lane = static_cast<std::size_t>(count_);
    x_[lane] = x;
    multiplier_[lane] = multiplier;
    shift_[lane] = shift;
    if (++count_ < lanes_) return;
    count_ = 0;
    step({true, rounding, x_.data(), multiplier_.data(), shift_.data()});
  }
  void idle() { step({}); }
  void reset() {
    beat_.reset();
    rtl_.reset();
  }
  bool failed() const { return failed_; }
  std::int64_t compared() const { return compared_; }

 private:
  static Machine machine(int lanes) {
    Machine m;
    m.lanes = lanes;
    return m;
  }
  void step(const RequantizerIn& in) {
    rtl_->valid_i = in.valid;
    if (in.valid) {
      rtl_->rounding_i = static_cast<std::uint8_t>(in.rounding);
      for (int i = 0; i < lanes_; ++i) {
        set(rtl_->x_i, 32 * i, 32, in.x[i]);
        set(rtl_->multiplier_i, 32 * i, 32, in.multiplier[i]);
        set(rtl_->shift_i, 6 * i, 6, in.shift[i]);
      }
    } else {
      rtl_->rounding_i = random_() & 3;
      set_random(rtl_->x_i, 32 * lanes_, random_);
    }
    rtl_.clock();
    beat_.step(in);
    compare();
  }
  void compare() {
    const RequantizerOut& out = beat_.out();
    if ((rtl_->valid_o != 0) != out.valid || (rtl_->quiet_o != 0) != beat_.quiet()) {
      ADD_FAILURE() << "valid or quiet after " << compared_ << " results";
      failed_ = true;
    }
    if (!out.valid || failed_) return;
    for (int i = 0; i < lanes_; ++i, ++compared_) {
      const std::int32_t y = get_signed(rtl_->y_o, 32 * i, 32);
      if (y != out.y[i]) {
        ADD_FAILURE() << "result " << compared_ << ": " << y << ", expected " << out.y[i];
        failed_ = true;
      }
    }
  }

  int lanes_;
  Random& random_;
  RequantizerBeat beat_;
  Rtl<Top> rtl_;
  std::vector<std::int32_t> x_, multiplier_, shift_;
  int count_ = 0;
  bool failed_ = false;
  std::int64_t compared_ = 0;
};

template <class Top>
void run_requantizer(int lanes) {
  Random random(test::random_seed() * 1013 + static_cast<std::uint64_t>(lanes));
  Lockstep<Top> lockstep(lanes, random);
  for (int n = 0; n < 400000 && !lockstep.failed(); ++n) {
    if (random() % 20000 == 0) lockstep.reset();
    if (n % 64 >= 48 && chance(random, 60)) {
      for (int i = between(random, 1, 9); i > 0; --i) lockstep.idle();
    }
    const auto rounding = static_cast<isa::Rounding>(random() & 3);
    lockstep.push(any_int32(random), any_int32(random), between(random, -32, 31), rounding);
  }
  EXPECT_GT(lockstep.compared(), 300000);
}

TEST(RtlRequantizer, IsInLockstepWith1Lane) { run_requantizer<Requantizer1>(1); }
TEST(RtlRequantizer, IsInLockstepWith3Lanes) { run_requantizer<Requantizer3>(3); }
TEST(RtlRequantizer, IsInLockstepWith4Lanes) { run_requantizer<Requantizer4>(4); }

TEST(RtlRequantizer, RoundsEveryEdgeInEveryModeLikeTheScalarArithmetic) {
  Random random(test::random_seed());
  Lockstep<Requantizer4> lockstep(4, random);
  std::int64_t pushed = 0;
  for (const auto rounding : {isa::Rounding::FixedDouble, isa::Rounding::FixedSingle, isa::Rounding::Magnitude}) {
    for (const std::int32_t multiplier : edge_multipliers()) {
      for (int shift = -32; shift < 32; ++shift) {
        for (const std::int32_t x : edge_sums()) {
          lockstep.push(x, multiplier, shift, rounding);
          ++pushed;
        }
      }
    }
    ASSERT_FALSE(lockstep.failed()) << isa::to_string(rounding);
  }
  for (const std::int32_t scale : edge_scales()) {
    for (const std::int32_t x : edge_sums()) {
      lockstep.push(x, scale, between(random, -32, 31), isa::Rounding::Float);
      ++pushed;
    }
    ASSERT_FALSE(lockstep.failed()) << "scale " << numerics::float_from_bits(scale);
  }
  for (int i = 0; i < 8; ++i) lockstep.idle();
  EXPECT_GE(lockstep.compared(), pushed - 3);
}

}  // namespace
}  // namespace gemel::rtl_test
