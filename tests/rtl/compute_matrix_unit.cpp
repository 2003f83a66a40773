// SPDX-License-Identifier: Apache-2.0
// matrix_unit in lockstep with its beat model: random instructions, chained and not, at random distances; random bytes behind
// every read; pe_array is its beat model. Half of the instructions are small and dense, half have fields from all over their
// ranges (their addresses wrap at 18 bits).
#include <gtest/gtest.h>

#include "MatrixUnit1x1.h"
#include "MatrixUnit4x4.h"
#include "MatrixUnit5x3.h"
#include "blocks/matrix_unit/matrix_unit_beat.hpp"
#include "blocks/pe_array/pe_array_beat.hpp"
#include "compute_harness.hpp"
#include "isa/isa.hpp"
#include "support/random_seed.hpp"

namespace gemel::rtl_test {
namespace {

constexpr std::uint32_t AddressMask = (1u << 18) - 1;

isa::Matrix draw_matrix(Random& random) {
  isa::Matrix i;
  const bool dense = chance(random, 50);
  const auto pick = [&](int least, int small, int greatest) { return between(random, least, dense ? small : greatest); };
  i.tag = between(random, 0, 65535);
  i.accumulate = between(random, 0, 1);
  i.act_base = pick(0, 1000, 262143);
  i.weight_base = pick(0, 1000, 262143);
  i.acc_base = pick(0, 1000, 262143);
  i.act_height = pick(1, 8, 16383);
  i.act_width = pick(1, 8, 16383);
  i.pixel_words = pick(1, 3, 16383);
  i.plane_words = pick(0, 40, 262143);
  i.act_block_step = pick(0, 5, 16383);
  i.stride_y = pick(1, 2, 255);
  i.stride_x = pick(1, 2, 255);
  i.dilation_y = pick(1, 2, 255);
  i.dilation_x = pick(1, 2, 255);
  i.origin_y = dense ? -between(random, 0, 2) : between(random, -300, 300);
  i.origin_x = dense ? -between(random, 0, 2) : between(random, -300, 300);
  if (chance(random, 5)) i.origin_y = chance(random, 50) ? -16384 : 16383;
  if (chance(random, 5)) i.origin_x = chance(random, 50) ? -16384 : 16383;
  // Loops: mostly short, and never more than some thousand rows.
  const auto count = [&](int percent, int greatest) { return chance(random, percent) ? 1 : between(random, 1, greatest); };
  do {
    i.out_planes = count(70, 4);
    i.out_height = count(30, chance(random, 10) ? 40 : 6);
    i.out_width = count(30, chance(random, 10) ? 40 : 6);
    i.kernel_h = count(50, chance(random, 10) ? 20 : 3);
    i.kernel_w = count(50, chance(random, 10) ? 20 : 3);
    i.cin_blocks = count(50, chance(random, 10) ? 30 : 3);
    i.cout_blocks = count(50, chance(random, 10) ? 30 : 3);
  } while (std::int64_t{i.out_planes} * i.out_height * i.out_width * i.kernel_h * i.kernel_w * i.cin_blocks * i.cout_blocks > 2000);
  i.act_unsigned = between(random, 0, 1);
  i.act_zero = i.act_unsigned != 0 ? between(random, 0, 255) : between(random, -128, 127);
  i.weight_unsigned = between(random, 0, 1);
  i.weight_zero = i.weight_unsigned != 0 ? between(random, 0, 255) : between(random, -128, 127);
  return i;
}

// What the sequencer does: a second instruction only behind the first one's chain pulse.
struct Issuer {
  int in_flight = 0;
  bool credit = false;

  bool may_start(bool chained) const { return in_flight == 0 || (in_flight == 1 && chained && credit); }
  void start() {
    ++in_flight;
    credit = false;
  }
  void see(const CompletionWires& completion) {
    if (completion.chain) credit = true;
    if (completion.done) --in_flight;
    if (in_flight == 0) credit = false;
  }
};

template <class Top>
void run_matrix_unit(int rows, int columns) {
  Random random(test::random_seed() * 1019 + static_cast<std::uint64_t>(rows * 256 + columns));
  Machine machine;
  machine.rows = rows;
  machine.columns = columns;
  MatrixUnitBeat beat(machine);
  PeArrayBeat array(machine);
  Rtl<Top> rtl(random());
  beat.reset();
  array.reset();
  Issuer issuer;
  isa::Word word{};
  bool have = false, chained = false;
  int pause = 0;
  std::int64_t started = 0, behind = 0, reads = 0, writes = 0, skipped = 0;
  std::vector<std::uint8_t> activation(static_cast<std::size_t>(rows)), weight(static_cast<std::size_t>(columns)),
      accumulator(static_cast<std::size_t>(4 * columns));

  for (int cycle = 0; cycle < 200000; ++cycle) {
    if (random() % 20000 == 0) {
      beat.reset();
      array.reset();
      rtl.reset();
      issuer = {};
    }
    const MatrixUnitOut out = beat.out();
    const std::string at = "cycle " + std::to_string(cycle);
    ASSERT_EQ(rtl->quiet_o != 0, beat.quiet()) << at;
    ASSERT_EQ(rtl->done_o != 0, out.completion.done) << at;
    ASSERT_EQ(rtl->chain_o != 0, out.completion.chain) << at;
    ASSERT_EQ(rtl->activation_read_o != 0, out.activation.enable) << at;
    ASSERT_EQ(rtl->weight_read_o != 0, out.weight.enable) << at;
    ASSERT_EQ(rtl->accumulator_read_o != 0, out.accumulator_read.enable) << at;
    ASSERT_EQ(rtl->accumulator_write_o != 0, out.accumulator_write.enable) << at;
    ASSERT_EQ(rtl->array_weight_valid_o != 0, out.array.weight_valid) << at;
    ASSERT_EQ(rtl->array_activation_valid_o != 0, out.array.activation_valid) << at;
    if (out.activation.enable) {
      ASSERT_EQ(rtl->activation_address_o, out.activation.address & AddressMask) << at;
    }
    if (out.weight.enable) {
      ASSERT_EQ(rtl->weight_address_o, out.weight.address & AddressMask) << at;
    }
    if (out.accumulator_read.enable) {
      ASSERT_EQ(rtl->accumulator_read_address_o, out.accumulator_read.address & AddressMask) << at;
    }
    if (out.accumulator_write.enable) {
      ++writes;
      ASSERT_EQ(rtl->accumulator_write_address_o, out.accumulator_write.address & AddressMask) << at;
      ASSERT_TRUE(equal_bytes(rtl->accumulator_write_data_o, 32 * columns, out.accumulator_write.data)) << at;
    }
    if (out.array.weight_valid) {
      for (int c = 0; c < columns; ++c) ASSERT_EQ(get_signed(rtl->array_weight_o, 9 * c, 9), out.array.weight[c]) << at;
    }
    if (out.array.activation_valid) {
      ASSERT_EQ(rtl->array_activation_switch_o != 0, out.array.activation_switch) << at;
      for (int r = 0; r < rows; ++r) ASSERT_EQ(get_signed(rtl->array_activation_o, 9 * r, 9), out.array.activation[r]) << at;
    }
    reads += out.activation.enable;

    MatrixUnitIn in;
    if (!have) {
      word = isa::encode(draw_matrix(random));
      have = true;
      chained = chance(random, 70);
      pause = chance(random, 50) ? 0 : between(random, 0, chance(random, 10) ? 400 : 20);
    }
    in.command.valid = issuer.may_start(chained) && pause-- <= 0;
    in.command.word = &word;
    if (in.command.valid) {
      ++started;
      behind += issuer.in_flight;
      issuer.start();
      have = false;
    }
    issuer.see(out.completion);  // visible in the next cycle
    if (beat.quiet() && array.quiet() && !in.command.valid && chance(random, 50)) {
      ++skipped;
      continue;
    }
    for (auto* bytes : {&activation, &weight, &accumulator}) {
      for (auto& b : *bytes) b = static_cast<std::uint8_t>(chance(random, 10) ? 127 + (random() & 1) : random());
    }
    in.activation = activation.data();
    in.weight = weight.data();
    in.accumulator = accumulator.data();
    in.array = array.out();
    rtl->command_valid_i = in.command.valid;
    if (in.command.valid) {
      set_bytes(rtl->command_i, 512, word.data());
    } else {
      set_random(rtl->command_i, 512, random);
    }
    set_bytes(rtl->activation_data_i, 8 * rows, activation.data());
    set_bytes(rtl->weight_data_i, 8 * columns, weight.data());
    set_bytes(rtl->accumulator_data_i, 32 * columns, accumulator.data());
    rtl->array_sums_valid_i = in.array.valid;
    if (in.array.valid) set_bytes(rtl->array_sums_i, 32 * columns, in.array.sums);
    rtl.clock();
    beat.step(in);
    array.step(out.array);
  }
  EXPECT_GT(started, 500);
  EXPECT_GT(behind, 100);
  EXPECT_GT(reads, 1000);
  EXPECT_GT(writes, 10000);
  EXPECT_GT(skipped, 100);
}

TEST(RtlMatrixUnit, IsInLockstepAt1x1) { run_matrix_unit<MatrixUnit1x1>(1, 1); }
TEST(RtlMatrixUnit, IsInLockstepAt4x4) { run_matrix_unit<MatrixUnit4x4>(4, 4); }
TEST(RtlMatrixUnit, IsInLockstepAt5x3) { run_matrix_unit<MatrixUnit5x3>(5, 3); }

}  // namespace
}  // namespace gemel::rtl_test
