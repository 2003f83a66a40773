// SPDX-License-Identifier: Apache-2.0
// vector_unit in lockstep with its beat model: random instructions of every opcode at random distances, random bytes behind the
// source reads, parameters that make results of all sizes; requantizer is its beat model. Half of the instructions are small and
// dense, half have fields from all over their ranges (their addresses wrap at 18 bits).
#include <gtest/gtest.h>

#include "VectorUnit1x1.h"
#include "VectorUnit4x4.h"
#include "VectorUnit5x3.h"
#include "VectorUnitSynthesized1x1.h"
#include "VectorUnitSynthesized4x4.h"
#include "VectorUnitSynthesized5x3.h"
#include "base/numerics.hpp"
#include "blocks/requantizer/requantizer_beat.hpp"
#include "blocks/vector_unit/vector_unit_beat.hpp"
#include "compute_harness.hpp"
#include "isa/isa.hpp"
#include "support/random_seed.hpp"

namespace gemel::rtl_test {
namespace {

constexpr std::uint32_t AddressMask = (1u << 18) - 1;

isa::Vector draw_vector(Random& random, int slices) {
  isa::Vector i;
  const isa::VectorReads& reads = isa::VectorOpcodes[random() % isa::VectorOpcodeCount];
  i.opcode = reads.opcode;
  const bool sums = reads.sources == 0, pair = reads.sources == 2;
  const bool dense = chance(random, 50);
  const auto pick = [&](int least, int small, int greatest) { return between(random, least, dense ? small : greatest); };
  i.tag = between(random, 0, 65535);
  i.rounding = between(random, 0, 3);
  i.param_shared = reads.shared == isa::Sharing::Must || (reads.shared == isa::Sharing::May && chance(random, 40));
  i.table = chance(random, 25);
  i.src0_unsigned = between(random, 0, 1);
  i.src1_unsigned = between(random, 0, 1);
  i.weight_unsigned = between(random, 0, 1);
  i.src0_base = pick(0, 1000, 262143);
  i.src1_base = pair ? pick(0, 1000, 262143) : 0;
  i.param_base = pick(0, 1000, 262143);
  i.dst_base = pick(0, 1000, 262143);
  i.dst_pixel_step = pick(0, 3, 4095);
  i.dst_block_step = pick(0, 20, 262143);
  i.block_step = pick(0, 20, 262143);
  i.plane_words = pick(0, 40, 262143);
  i.pixel_words = pick(0, 3, 16383);
  i.src_height = sums ? 0 : pick(1, 6, 16383);
  i.src_width = sums ? 0 : pick(1, 6, 16383);
  i.stride_y = pick(1, 2, 255);
  i.stride_x = pick(1, 2, 255);
  i.dilation_y = pick(1, 2, 63);
  i.dilation_x = pick(1, 2, 63);
  i.origin_y = dense ? -between(random, 0, 2) : between(random, -300, 300);
  i.origin_x = dense ? -between(random, 0, 2) : between(random, -300, 300);
  if (chance(random, 5)) i.origin_y = chance(random, 50) ? -16384 : 16383;
  if (chance(random, 5)) i.origin_x = chance(random, 50) ? -16384 : 16383;
  const auto count = [&](int percent, int greatest) { return chance(random, percent) ? 1 : between(random, 1, greatest); };
  do {
    i.blocks = count(50, chance(random, 10) ? 20 : 3);
    i.out_planes = count(70, 4);
    i.out_height = count(40, chance(random, 10) ? 30 : 4);
    i.out_width = count(40, chance(random, 10) ? 30 : 4);
    i.kernel_h = reads.steps > 0 ? 1 : count(30, chance(random, 10) ? 20 : 3);
    i.kernel_w = reads.steps > 0 ? 1 : count(30, chance(random, 10) ? 20 : 3);
  } while (std::int64_t{i.blocks} * i.out_planes * i.out_height * i.out_width * i.kernel_h * i.kernel_w * slices > 1500);
  for (auto* zero : {&i.src0_zero, &i.src1_zero, &i.weight_zero, &i.dst_zero}) *zero = between(random, -128, 255);
  i.clamp_min = chance(random, 60) ? -128 : between(random, -128, 255);
  i.clamp_max = chance(random, 60) ? std::max(i.clamp_min, 127) : between(random, i.clamp_min, 255);
  return i;
}

// Words of param_buffer by address: what an instruction's sets, tables and weights lie in.
class Parameters {
 public:
  explicit Parameters(int columns) : columns_(columns), words_((AddressMask + std::size_t{1}) * static_cast<std::size_t>(columns)) {}

  const std::uint8_t* word(std::uint32_t address) const {
    return words_.data() + std::size_t{address & AddressMask} * static_cast<std::size_t>(columns_);
  }
  // In the order in which they are read.
  void fill(const isa::Vector& v, Random& random) {
    at_ = static_cast<std::uint32_t>(v.param_base);
    if (v.table != 0) noise((256 + columns_ - 1) / columns_, random);
    if (v.opcode == isa::Opcode::PoolMax) return;
    if (v.opcode == isa::Opcode::Add || v.opcode == isa::Opcode::Sub) {
      for (int s = 0; s < 3; ++s) add_set(v, s == 2 ? 6 : 22, random);
      return;
    }
    for (int b = 0; b < (v.param_shared != 0 ? 1 : v.blocks); ++b) {
      add_set(v, v.opcode == isa::Opcode::Requantize ? 16 : v.opcode == isa::Opcode::Mul ? 14 : 8, random);
      if (v.opcode == isa::Opcode::Depthwise) noise(v.kernel_h * v.kernel_w, random);
    }
  }

 private:
  void push(const std::vector<std::uint8_t>& bytes) {
    for (const std::uint8_t byte : bytes) {
      words_[(std::size_t{at_ & AddressMask}) * static_cast<std::size_t>(columns_) + static_cast<std::size_t>(in_word_)] = byte;
      if (++in_word_ == columns_) {
        in_word_ = 0;
        ++at_;
      }
    }
  }
  void noise(int words, Random& random) {
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(words * columns_));
    for (auto& b : bytes) b = static_cast<std::uint8_t>(random());
    push(bytes);
  }
  // Sums of about 8 + `bits` bits become bytes; one set in five is anything.
  void add_set(const isa::Vector& v, int bits, Random& random) {
    std::vector<std::int32_t> bias, multiplier;
    std::vector<std::uint8_t> shift, bytes;
    const bool any = chance(random, 20);
    for (int c = 0; c < columns_; ++c) {
      const int right = between(random, std::max(0, bits - 6), bits + 2);
      bias.push_back(any ? any_int32(random) : between(random, -200, 200) * (1 << std::max(0, bits - 8)));
      multiplier.push_back(any              ? any_int32(random)
                           : v.rounding == 2 ? static_cast<std::int32_t>((127 - right) << 23 | static_cast<int>(random() & 0x7fffff))
                                             : static_cast<std::int32_t>(0x40000000 | (random() & 0x3fffffff)));
      shift.push_back(static_cast<std::uint8_t>(any ? random() : static_cast<std::uint64_t>(-right)));
    }
    for (const auto* values : {&bias, &multiplier}) {
      for (const std::int32_t value : *values) {
        for (int b = 0; b < 4; ++b) bytes.push_back(static_cast<std::uint8_t>(static_cast<std::uint32_t>(value) >> 8 * b));
      }
    }
    bytes.insert(bytes.end(), shift.begin(), shift.end());
    push(bytes);
  }

  int columns_;
  std::vector<std::uint8_t> words_;
  std::uint32_t at_ = 0;
  int in_word_ = 0;
};

template <class Top>
void run_vector_unit(int columns, int lanes) {
  Random random(test::random_seed() * 1021 + static_cast<std::uint64_t>(columns * 256 + lanes));
  Machine machine;
  machine.columns = columns;
  machine.lanes = lanes;
  VectorUnitBeat beat(machine);
  RequantizerBeat requantizer(machine);
  Rtl<Top> rtl(random());
  Parameters parameters(columns);
  beat.reset();
  requantizer.reset();
  isa::Word word{};
  isa::Vector instruction;
  bool have = false, in_flight = false;
  int pause = 0;
  std::uint32_t param_address = 0;
  std::array<std::int64_t, isa::VectorOpcodeCount> done{};
  std::array<std::int64_t, 256> bytes_seen{};
  std::int64_t writes = 0, skipped = 0;
  std::vector<std::uint8_t> accumulator(static_cast<std::size_t>(4 * columns)), vector(static_cast<std::size_t>(columns));

  for (int cycle = 0; cycle < 300000; ++cycle) {
    if (random() % 20000 == 0) {
      beat.reset();
      requantizer.reset();
      rtl.reset();
      in_flight = false;
    }
    const VectorUnitOut out = beat.out();
    const std::string at = "cycle " + std::to_string(cycle) + " " + isa::disassemble(word);
    ASSERT_EQ(rtl->quiet_o != 0, beat.quiet()) << at;
    ASSERT_EQ(rtl->done_o != 0, out.completion.done) << at;
    ASSERT_EQ(rtl->accumulator_read_o != 0, out.accumulator.enable) << at;
    ASSERT_EQ(rtl->vector_read_o != 0, out.vector_read.enable) << at;
    ASSERT_EQ(rtl->param_read_o != 0, out.param.enable) << at;
    ASSERT_EQ(rtl->vector_write_o != 0, out.vector_write.enable) << at;
    ASSERT_EQ(rtl->requantizer_valid_o != 0, out.requantizer.valid) << at;
    if (out.accumulator.enable) {
      ASSERT_EQ(rtl->accumulator_address_o, out.accumulator.address & AddressMask) << at;
    }
    if (out.vector_read.enable) {
      ASSERT_EQ(rtl->vector_read_address_o, out.vector_read.address & AddressMask) << at;
    }
    if (out.param.enable) {
      ASSERT_EQ(rtl->param_address_o, out.param.address & AddressMask) << at;
    }
    if (out.requantizer.valid) {
      ASSERT_EQ(rtl->requantizer_rounding_o, static_cast<int>(out.requantizer.rounding)) << at;
      for (int i = 0; i < lanes; ++i) {
        ASSERT_EQ(get_signed(rtl->requantizer_x_o, 32 * i, 32), out.requantizer.x[i]) << at << " lane " << i;
        ASSERT_EQ(get_signed(rtl->requantizer_multiplier_o, 32 * i, 32), out.requantizer.multiplier[i]) << at << " lane " << i;
        ASSERT_EQ(get_signed(rtl->requantizer_shift_o, 6 * i, 6), out.requantizer.shift[i]) << at << " lane " << i;
      }
    }
    if (out.vector_write.enable) {
      ++writes;
      ASSERT_EQ(rtl->vector_write_address_o, out.vector_write.address & AddressMask) << at;
      for (int c = 0; c < columns; ++c) {
        ASSERT_EQ(get(rtl->vector_write_data_o, 8 * c, 8), out.vector_write.data[c]) << at << " column " << c;
        ++bytes_seen[out.vector_write.data[c]];
      }
    }

    VectorUnitIn in;
    if (!have) {
      instruction = draw_vector(random, (columns + lanes - 1) / lanes);
      have = true;
      pause = chance(random, 60) ? 0 : between(random, 0, 40);
    }
    in.command.valid = !in_flight && pause-- <= 0;
    if (in.command.valid) {
      word = isa::encode(instruction);
      parameters.fill(instruction, random);
      for (std::size_t o = 0; o < done.size(); ++o) done[o] += isa::VectorOpcodes[o].opcode == instruction.opcode;
      in_flight = true;
      have = false;
    }
    in.command.word = &word;
    if (out.completion.done) in_flight = false;  // visible in the next cycle
    if (beat.quiet() && requantizer.quiet() && !in.command.valid && chance(random, 50)) {
      ++skipped;
      continue;
    }
    for (auto& b : vector) b = static_cast<std::uint8_t>(chance(random, 10) ? 127 + (random() & 1) : random());
    for (int c = 0; c < columns; ++c) {
      const std::int32_t sum = chance(random, 80) ? static_cast<std::int32_t>(random() & 0x1ffffff) - 0x1000000 : any_int32(random);
      std::memcpy(accumulator.data() + 4 * c, &sum, 4);
    }
    in.accumulator = accumulator.data();
    in.vector = vector.data();
    in.param = parameters.word(param_address);
    in.requantizer = requantizer.out();
    rtl->command_valid_i = in.command.valid;
    if (in.command.valid) {
      set_bytes(rtl->command_i, 512, word.data());
    } else {
      set_random(rtl->command_i, 512, random);
    }
    set_bytes(rtl->accumulator_data_i, 32 * columns, accumulator.data());
    set_bytes(rtl->vector_data_i, 8 * columns, vector.data());
    set_bytes(rtl->param_data_i, 8 * columns, in.param);
    rtl->requantizer_valid_i = in.requantizer.valid;
    if (in.requantizer.valid) {
      set_bytes(rtl->requantizer_y_i, 32 * lanes, in.requantizer.y);
    } else {
      set_random(rtl->requantizer_y_i, 32 * lanes, random);
    }
    if (out.param.enable) param_address = out.param.address;
    rtl.clock();
    beat.step(in);
    requantizer.step(out.requantizer);
  }
  for (const std::int64_t count : done) EXPECT_GT(count, 100);
  for (const std::int64_t count : bytes_seen) EXPECT_GT(count, 0);
  EXPECT_GT(writes, 5000);
  EXPECT_GT(skipped, 100);
}

TEST(RtlVectorUnit, IsInLockstepWith1ColumnAnd1Lane) { run_vector_unit<VectorUnit1x1>(1, 1); }
TEST(RtlVectorUnit, IsInLockstepWith4ColumnsAnd4Lanes) { run_vector_unit<VectorUnit4x4>(4, 4); }
TEST(RtlVectorUnit, IsInLockstepWith5ColumnsAnd3Lanes) { run_vector_unit<VectorUnit5x3>(5, 3); }
// The text that synthesis gets.
TEST(RtlVectorUnit, IsInLockstepAsSynthesizedWith1ColumnAnd1Lane) { run_vector_unit<VectorUnitSynthesized1x1>(1, 1); }
TEST(RtlVectorUnit, IsInLockstepAsSynthesizedWith4ColumnsAnd4Lanes) { run_vector_unit<VectorUnitSynthesized4x4>(4, 4); }
TEST(RtlVectorUnit, IsInLockstepAsSynthesizedWith5ColumnsAnd3Lanes) { run_vector_unit<VectorUnitSynthesized5x3>(5, 3); }

}  // namespace
}  // namespace gemel::rtl_test
