// SPDX-License-Identifier: Apache-2.0
// Claims against a walk through the loops of docs/reference/isa.md, one word at a time.
#include <gtest/gtest.h>

#include <set>

#include "isa/isa.hpp"
#include "isa/random_instruction.hpp"

namespace gemel::isa {
namespace {

using test::between;

Machine machine(int rows, int columns) {
  Machine m;
  m.name = "test";
  m.rows = rows;
  m.columns = columns;
  for (ScratchpadParams& buffer : m.buffers) buffer = {std::int64_t{64} << 20, 1};
  return m;
}

// The sets of words that are touched, in the order of claims(). Every loop is a loop.
using Words = std::vector<std::set<std::int64_t>>;

Words walk(const Load& i, const Machine& m) {
  const int word_bytes = i.buffer == static_cast<int>(BufferId::Activation) ? m.rows : m.columns;
  std::set<std::int64_t> words;
  std::int64_t next = i.word_base;
  for (int i2 = 0; i2 < i.count2; ++i2) {
    for (int i1 = 0; i1 < i.count1; ++i1) {
      const bool windows = i.window_count > 0;
      for (int piece = 0; windows && piece < i.window_count; ++piece) {
        for (int byte = 0; byte < i.window_bytes; byte += word_bytes) words.insert(next++);
      }
      for (int at = 0; !windows && at < i.run_bytes; at += i.group_bytes) {
        for (int byte = 0; byte < i.group_bytes && at + byte < i.run_bytes; byte += word_bytes) words.insert(next++);
      }
    }
  }
  return {words};
}

Words walk(const Store& i, const Machine& m) {
  std::set<std::int64_t> words;
  std::int64_t next = i.word_base;
  for (int run = 0; run < i.count1 * i.count2; ++run) {
    for (int at = 0; at < i.run_bytes; at += i.group_bytes) {
      for (int byte = 0; byte < i.group_bytes && at + byte < i.run_bytes; byte += m.columns) words.insert(next++);
    }
  }
  return {words};
}

Words walk(const Matrix& i, const Machine& m) {
  std::set<std::int64_t> act, weight, acc;
  const std::int64_t pixels = i.out_planes * i.out_height * i.out_width;
  std::int64_t pass = 0;
  for (int n = 0; n < i.cout_blocks; ++n) {
    for (int ky = 0; ky < i.kernel_h; ++ky) {
      for (int kx = 0; kx < i.kernel_w; ++kx) {
        for (int cb = 0; cb < i.cin_blocks; ++cb, ++pass) {
          for (int r = 0; r < m.rows; ++r) weight.insert(i.weight_base + pass * m.rows + r);
          std::int64_t p = 0;
          for (int z = 0; z < i.out_planes; ++z) {
            for (int oy = 0; oy < i.out_height; ++oy) {
              for (int ox = 0; ox < i.out_width; ++ox, ++p) {
                acc.insert(i.acc_base + n * pixels + p);
                const int y = i.origin_y + oy * i.stride_y + ky * i.dilation_y;
                const int x = i.origin_x + ox * i.stride_x + kx * i.dilation_x;
                if (y < 0 || y >= i.act_height || x < 0 || x >= i.act_width) continue;
                act.insert(i.act_base + z * i.plane_words + (y * i.act_width + x) * i.pixel_words + cb + n * i.act_block_step);
              }
            }
          }
        }
      }
    }
  }
  return {act, weight, acc, acc};
}

Words walk(const Vector& i, const Machine& m) {
  std::set<std::int64_t> src0, src1, param, dst;
  std::int64_t next_param = i.param_base;
  const auto parameters = [&](int words) {
    for (int w = 0; w < words; ++w) param.insert(next_param++);
  };
  if (i.table) parameters((256 + m.columns - 1) / m.columns);
  const bool three_sets = i.opcode == Opcode::Add || i.opcode == Opcode::Sub;
  if (three_sets) parameters(27);
  const bool sets = i.opcode != Opcode::PoolMax && !three_sets;
  if (sets && i.param_shared) parameters(9);
  const std::int64_t pixels = i.out_planes * i.out_height * i.out_width;
  for (int b = 0; b < i.blocks; ++b) {
    if (sets && !i.param_shared) parameters(9);
    if (i.opcode == Opcode::Depthwise) parameters(i.kernel_h * i.kernel_w);
    std::int64_t p = 0;
    for (int z = 0; z < i.out_planes; ++z) {
      for (int oy = 0; oy < i.out_height; ++oy) {
        for (int ox = 0; ox < i.out_width; ++ox, ++p) {
          dst.insert(i.dst_base + p * i.dst_pixel_step + b * i.dst_block_step);
          if (i.opcode == Opcode::Requantize) {
            src0.insert(i.src0_base + b * pixels + p);
            continue;
          }
          for (int ky = 0; ky < i.kernel_h; ++ky) {
            for (int kx = 0; kx < i.kernel_w; ++kx) {
              const int y = i.origin_y + oy * i.stride_y + ky * i.dilation_y;
              const int x = i.origin_x + ox * i.stride_x + kx * i.dilation_x;
              if (y < 0 || y >= i.src_height || x < 0 || x >= i.src_width) continue;
              const std::int64_t word = b * i.block_step + z * i.plane_words + (y * i.src_width + x) * i.pixel_words;
              src0.insert(i.src0_base + word);
              src1.insert(i.src1_base + word);
            }
          }
        }
      }
    }
  }
  Words words{src0};
  if (three_sets || i.opcode == Opcode::Mul) words.push_back(src1);
  if (!param.empty()) words.push_back(param);
  words.push_back(dst);
  return words;
}

int small(test::Random& random, int min, int max) { return static_cast<int>(between(random, min, max)); }

Instruction random_tile(test::Random& random) {
  const auto tile = [&](auto& i) {
    i.out_planes = small(random, 1, 2);
    i.out_height = small(random, 1, 5);
    i.out_width = small(random, 1, 5);
    i.kernel_h = small(random, 1, 4);
    i.kernel_w = small(random, 1, 4);
    i.stride_y = small(random, 1, 4);
    i.stride_x = small(random, 1, 4);
    i.dilation_y = small(random, 1, 4);
    i.dilation_x = small(random, 1, 4);
    i.origin_y = small(random, -9, 9);
    i.origin_x = small(random, -9, 9);
    i.plane_words = small(random, 0, 60);
  };
  switch (random() % 4) {
    case 0: {
      Load i;
      i.buffer = small(random, 0, 3);
      i.word_base = small(random, 0, 50);
      i.count1 = small(random, 1, 3);
      i.count2 = small(random, 1, 3);
      if (random() % 2) {
        i.group_bytes = small(random, 1, 40);
        i.run_bytes = small(random, 1, 4 * i.group_bytes);
      } else {
        i.run_bytes = small(random, 1, 60);
        i.window_count = small(random, 1, 8);
        i.window_bytes = small(random, 1, 40);
        i.window_step = small(random, 1, i.window_bytes);
        i.window_offset = small(random, 1 - i.window_bytes, 0);
      }
      return i;
    }
    case 1: {
      Matrix i;
      tile(i);
      i.act_base = small(random, 0, 50);
      i.weight_base = small(random, 0, 50);
      i.acc_base = small(random, 0, 50);
      i.act_height = small(random, 1, 9);
      i.act_width = small(random, 1, 9);
      i.pixel_words = small(random, 1, 3);
      i.act_block_step = small(random, 0, 3);
      i.cin_blocks = small(random, 1, 3);
      i.cout_blocks = small(random, 1, 3);
      return i;
    }
    case 2: {
      Vector i;
      i.opcode = VectorOpcodes[random() % VectorOpcodeCount].opcode;
      tile(i);
      i.src_height = small(random, 1, 9);
      i.src_width = small(random, 1, 9);
      i.table = small(random, 0, 1);
      i.param_shared = small(random, 0, 1);
      i.blocks = small(random, 1, 3);
      i.src0_base = small(random, 0, 50);
      i.src1_base = small(random, 0, 50);
      i.src1_last = i.src1_base;
      i.dst_base = small(random, 0, 50);
      i.param_base = small(random, 0, 50);
      i.param_last = i.param_base;
      i.block_step = small(random, 0, 30);
      i.dst_block_step = small(random, 0, 30);
      i.dst_pixel_step = small(random, 0, 4);
      i.pixel_words = small(random, 0, 3);
      return test::make_legal(i, random);
    }
    default: {
      Store i;
      i.word_base = small(random, 0, 50);
      i.count1 = small(random, 1, 3);
      i.count2 = small(random, 1, 3);
      i.group_bytes = small(random, 1, 40);
      i.run_bytes = small(random, 1, 4 * i.group_bytes);
      return i;
    }
  }
}

// Where the last word of claim c is written in the instruction.
std::int32_t& last_of(Instruction& i, int c) {
  switch (i.unit) {
    case Unit::Load: return i.load.word_last;
    case Unit::Store: return i.store.word_last;
    case Unit::Matrix: return c == 0 ? i.matrix.act_last : c == 1 ? i.matrix.weight_last : i.matrix.acc_last;
    default: break;
  }
  const Claim claim = claims(i).items[static_cast<std::size_t>(c)];
  if (c == 0) return i.vector.src0_last;
  if (claim.write) return i.vector.dst_last;
  return claim.buffer == Buffer::Param ? i.vector.param_last : i.vector.src1_last;
}

TEST(Claims, TouchedWordsAreThoseOfTheLoops) {
  test::Random random(test::seed());
  int nothing = 0, units = 0;
  for (int n = 0; n < 20'000; ++n) {
    const Machine m = machine(small(random, 1, 24), small(random, 1, 24));
    const Instruction i = random_tile(random);
    const Words words = i.unit == Unit::Load     ? walk(i.load, m)
                        : i.unit == Unit::Matrix ? walk(i.matrix, m)
                        : i.unit == Unit::Vector ? walk(i.vector, m)
                                                 : walk(i.store, m);
    const Touched real = touched(i, m);
    ASSERT_EQ(static_cast<std::size_t>(real.count), words.size()) << disassemble(encode(i));
    ASSERT_EQ(claims(i).count, real.count);
    for (std::size_t c = 0; c < words.size(); ++c) {
      const Extent& e = real.items[c];
      ASSERT_EQ(e.any, !words[c].empty()) << c << ": " << disassemble(encode(i));
      nothing += !e.any;
      if (!e.any) continue;
      ASSERT_EQ(e.first, *words[c].begin()) << c << ": " << disassemble(encode(i));
      ASSERT_EQ(e.last, *words[c].rbegin()) << c << ": " << disassemble(encode(i));
    }
    units |= 1 << static_cast<int>(i.unit);
  }
  EXPECT_EQ(units, 0xf);
  EXPECT_GT(nothing, 10) << "tiles wholly in the padding were met";
}

TEST(Claims, AreHeldTight) {
  test::Random random(test::seed());
  int exact = 0, loose = 0;
  for (int n = 0; n < 5'000; ++n) {
    const Machine m = machine(small(random, 1, 24), small(random, 1, 24));
    Instruction i = random_tile(random);
    const Touched real = touched(i, m);
    for (int c = 0; c < real.count; ++c) {
      const Extent& e = real.items[static_cast<std::size_t>(c)];
      if (e.any) last_of(i, c) = static_cast<int>(e.last);
    }
    auto bad = check_claims(i, m);
    ASSERT_FALSE(bad) << to_string(*bad) << '\n' << disassemble(encode(i));
    for (int c = 0; c < real.count; ++c) {
      const Extent& e = real.items[static_cast<std::size_t>(c)];
      if (!e.any) continue;
      Instruction changed = i;
      last_of(changed, c) = static_cast<int>(e.last) - 1;
      bad = check_claims(changed, m);
      ASSERT_TRUE(bad) << "one word less must not pass: operand " << c << " of " << disassemble(encode(i));
      EXPECT_EQ(bad->value, e.last - 1);
      last_of(changed, c) = static_cast<int>(e.last) + 1;
      const Claim claim = claims(changed).items[static_cast<std::size_t>(c)];
      const bool has_taps = i.unit == Unit::Matrix ? claim.buffer == Buffer::Activation
                                                   : i.unit == Unit::Vector && claim.buffer == Buffer::Vector;
      bad = check_claims(changed, m);
      EXPECT_EQ(bad.has_value(), !has_taps) << "operand " << c << " of " << disassemble(encode(changed));
      ++(has_taps ? loose : exact);
    }
  }
  EXPECT_GT(exact, 1000);
  EXPECT_GT(loose, 1000);
}

TEST(Claims, EndInsideTheBuffer) {
  Machine m = machine(16, 16);
  m.buffers[static_cast<int>(Buffer::Vector)].size_bytes = 64 * 16;
  const Instruction at_the_end = decode(assemble("store word=[60..63] run_bytes=64 group_bytes=16"));
  EXPECT_FALSE(check_bounds(at_the_end, claims(at_the_end), m));
  EXPECT_FALSE(check_claims(at_the_end, m));
  const Instruction behind = decode(assemble("store word=[61..64] run_bytes=64 group_bytes=16"));
  const auto bad = check_bounds(behind, claims(behind), m);
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->code, ErrorCode::AddressOutsideBuffer);
  EXPECT_EQ(to_string(*bad), "store.word_last = 64: must be less than the 64 words of vector_buffer");
}

TEST(Claims, WindowsFitABurst) {
  Machine m = machine(16, 16);
  m.burst_bytes = 64;
  const char* text = "load word=[0..3] run_bytes=99 window_count=1 window_bytes=64 window_step=1";
  EXPECT_FALSE(check_claims(decode(assemble(text)), m));
  const auto bad = check_claims(
      decode(assemble("load word=[0..4] run_bytes=99 window_count=1 window_bytes=65 window_step=1")), m);
  ASSERT_TRUE(bad);
  EXPECT_EQ(to_string(*bad), "load.window_bytes = 65: must be at most the machine's burst of 64 bytes");
}

TEST(Claims, NameBufferAndDirection) {
  const auto shown = [](const char* text) {
    std::string all;
    for (const Claim& c : claims(decode(assemble(text)))) {
      all += std::string(to_string(c.buffer)) + (c.write ? " writes " : " reads ") + std::to_string(c.first) + ".." +
             std::to_string(c.last) + "; ";
    }
    return all;
  };
  EXPECT_EQ(shown("halt"), "");
  EXPECT_EQ(shown("load buffer=weight word=[2..5] group_bytes=1"), "weight_buffer writes 2..5; ");
  EXPECT_EQ(shown("matrix act=[1..2] weight=[3..4] acc=[5..6]"),
            "activation_buffer reads 1..2; weight_buffer reads 3..4; accumulator_buffer reads 5..6; "
            "accumulator_buffer writes 5..6; ");
  EXPECT_EQ(shown("requantize src0=[1..2] param=[3..11] dst=[5..6]"),
            "accumulator_buffer reads 1..2; param_buffer reads 3..11; vector_buffer writes 5..6; ");
  EXPECT_EQ(shown("add src_height=1 src_width=1 param_shared src0=[1..2] src1=[3..4] param=[5..31] dst=[7..8]"),
            "vector_buffer reads 1..2; vector_buffer reads 3..4; param_buffer reads 5..31; vector_buffer writes 7..8; ");
  EXPECT_EQ(shown("pool_max src_height=1 src_width=1 src0=[1..2] dst=[5..6]"),
            "vector_buffer reads 1..2; vector_buffer writes 5..6; ");
  EXPECT_EQ(shown("pool_max table src_height=1 src_width=1 src0=[1..2] param=[0..15] dst=[5..6]"),
            "vector_buffer reads 1..2; param_buffer reads 0..15; vector_buffer writes 5..6; ");
  EXPECT_EQ(shown("store word=[4..9]"), "vector_buffer reads 4..9; ");
}

TEST(Claims, MemoryBytesAreThoseOfTheRuns) {
  test::Random random(test::seed());
  for (int n = 0; n < 5'000; ++n) {
    Instruction i = random_tile(random);
    if (i.unit != Unit::Load && i.unit != Unit::Store) continue;
    std::set<std::int64_t> bytes;
    const auto walk_runs = [&](auto& t, const auto& has_byte) {
      t.address = 1000;
      t.stride1 = static_cast<std::uint32_t>(small(random, 0, 100));
      t.stride2 = static_cast<std::uint32_t>(small(random, 0, 300));
      for (int i2 = 0; i2 < t.count2; ++i2) {
        for (int i1 = 0; i1 < t.count1; ++i1) {
          for (int at = 0; at < t.run_bytes; ++at) {
            if (has_byte(at)) bytes.insert(1000 + i2 * std::int64_t{t.stride2} + i1 * std::int64_t{t.stride1} + at);
          }
        }
      }
    };
    if (i.unit == Unit::Store) {
      walk_runs(i.store, [](int) { return true; });
    } else {
      walk_runs(i.load, [&](int at) {
        for (int w = 0; w < i.load.window_count; ++w) {
          const int first = i.load.window_offset + w * i.load.window_step;
          if (at >= first && at < first + i.load.window_bytes) return true;
        }
        return i.load.window_count == 0;
      });
    }
    const Extent e = memory_bytes(i);
    ASSERT_TRUE(e.any);
    ASSERT_EQ(e.first, *bytes.begin()) << disassemble(encode(i));
    ASSERT_EQ(e.last, *bytes.rbegin()) << disassemble(encode(i));
  }
}

}  // namespace
}  // namespace gemel::isa
