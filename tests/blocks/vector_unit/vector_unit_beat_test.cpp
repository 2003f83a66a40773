// SPDX-License-Identifier: Apache-2.0
// vector_unit, beat model, with the requantizer behind its ports and plain arrays for buffers. Times against the formulas of
// docs/reference/machine.md, 4; results against the sentences of isa.md, one scalar at a time.
#include "blocks/vector_unit/vector_unit_beat.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "base/cycle.hpp"
#include "base/numerics.hpp"
#include "blocks/requantizer/requantizer_beat.hpp"
#include "support/random_program.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using testing::Random;

constexpr int Words = 2048;

struct Bench {
  Bench(Random& random, int columns, int lanes) : C(columns), L(lanes), unit(machine()), requantizer(machine()) {
    for (auto* buffer : {&vector, &param}) {
      buffer->resize(static_cast<std::size_t>(Words * C));
      for (auto& b : *buffer) b = random.byte();
    }
    accumulator.resize(static_cast<std::size_t>(Words * C));
    for (auto& s : accumulator) s = static_cast<std::int32_t>(random.bits()) >> random.range(0, 24);
    unit.reset();
    requantizer.reset();
  }
  const Machine& machine() {
    machine_.columns = C;
    machine_.lanes = L;
    return machine_;
  }
  VectorUnitOut clock(const isa::Word* command) {
    const VectorUnitOut out = unit.out();
    VectorUnitIn in;
    in.command = {command != nullptr, command};
    in.accumulator = reinterpret_cast<const std::uint8_t*>(accumulator_data.data());
    in.vector = vector_data.data();
    in.param = param_data.data();
    in.requantizer = requantizer.out();
    requantizer.step(out.requantizer);
    unit.step(in);
    const auto word = [this](const auto& from, std::uint32_t address) {
      return std::vector(from.begin() + static_cast<std::ptrdiff_t>(address) * C,
                         from.begin() + static_cast<std::ptrdiff_t>(address + 1) * C);
    };
    if (out.accumulator.enable) accumulator_data = word(accumulator, out.accumulator.address);
    if (out.vector_read.enable) vector_data = word(vector, out.vector_read.address);
    if (out.param.enable) param_data = word(param, out.param.address);
    if (out.vector_write.enable) {
      std::memcpy(vector.data() + static_cast<std::ptrdiff_t>(out.vector_write.address) * C, out.vector_write.data,
                  static_cast<std::size_t>(C));
    }
    ++now;
    return out;
  }

  int C, L;
  Machine machine_;
  VectorUnitBeat unit;
  RequantizerBeat requantizer;
  std::vector<std::uint8_t> vector, param, vector_data, param_data;
  std::vector<std::int32_t> accumulator, accumulator_data;
  Cycle now = 0;
};

// Sources lie in words 0..1023 of vector_buffer, results in 1024 and up.
isa::Vector random_vector(Random& random) {
  isa::Vector i;
  const isa::VectorReads& reads = isa::VectorOpcodes[random.range(0, isa::VectorOpcodeCount - 1)];
  i.opcode = reads.opcode;
  const bool sums = reads.sources == 0, pair = reads.sources == 2;
  i.rounding = random.range(0, 3);
  i.param_shared = reads.shared == isa::Sharing::Must || (reads.shared == isa::Sharing::May && random.chance(40));
  i.table = random.chance(30);
  i.src0_unsigned = random.range(0, 1);
  i.src1_unsigned = random.range(0, 1);
  i.weight_unsigned = random.range(0, 1);
  i.blocks = random.skewed(1, 4);
  i.src0_base = random.range(0, 200);
  i.src1_base = pair ? random.range(0, 200) : 0;
  i.param_base = random.range(0, 200);
  i.dst_base = 1024 + random.range(0, 100);
  i.out_planes = random.skewed(1, 3);
  i.out_height = random.skewed(1, 5);
  i.out_width = random.skewed(1, 5);
  i.dst_pixel_step = i.blocks;
  i.dst_block_step = 1;
  if (!sums) {
    i.block_step = random.range(0, 20);
    i.pixel_words = random.range(1, 3);
    i.plane_words = random.range(0, 20);
    i.src_height = random.range(1, 6);
    i.src_width = random.range(1, 6);
    i.origin_y = -random.range(0, 2);
    i.origin_x = -random.range(0, 2);
    i.stride_y = random.range(1, 2);
    i.stride_x = random.range(1, 2);
    if (!pair) {
      i.kernel_h = random.skewed(1, 3);
      i.kernel_w = random.skewed(1, 3);
      i.dilation_y = random.range(1, 2);
      i.dilation_x = random.range(1, 2);
    }
  }
  i.src0_zero = random.range(-128, 255);
  i.src1_zero = random.range(-128, 255);
  i.weight_zero = random.range(-128, 255);
  i.dst_zero = random.range(-128, 255);
  i.clamp_min = random.range(-128, 100);
  i.clamp_max = random.range(i.clamp_min, 255);
  return i;
}

std::int64_t pixels(const isa::Vector& i) { return std::int64_t{i.out_planes} * i.out_height * i.out_width; }
bool sums(const isa::Vector& i) { return i.opcode == isa::Opcode::Add || i.opcode == isa::Opcode::Sub; }
bool shared_set(const isa::Vector& i) {
  return sums(i) || (i.param_shared && i.opcode != isa::Opcode::PoolMax && i.opcode != isa::Opcode::Depthwise);
}
bool own_sets(const isa::Vector& i) { return i.opcode != isa::Opcode::PoolMax && !shared_set(i); }
int table_words(const isa::Vector& i, int C) { return i.table ? (256 + C - 1) / C : 0; }

int value(std::uint8_t byte, int is_unsigned) { return is_unsigned ? byte : static_cast<std::int8_t>(byte); }

struct Parameters {
  std::int32_t bias, multiplier;
  int shift;
};

// One result byte, from the sentences of isa.md.
std::uint8_t result_byte(const Bench& b, const isa::Vector& i, int block, int z, int oy, int ox, int c) {
  const int C = b.C;
  const auto param_byte = [&](int word, int offset) { return b.param[static_cast<std::size_t>(word * C + offset)]; };
  const auto param32 = [&](int word, int index) {
    std::int32_t v;
    std::memcpy(&v, b.param.data() + static_cast<std::ptrdiff_t>(word) * C + 4 * index, sizeof v);
    return v;
  };
  const auto set = [&](int word) {
    return Parameters{param32(word, c), param32(word + 4, c), static_cast<std::int8_t>(param_byte(word + 8, c))};
  };
  const auto mode = static_cast<numerics::RequantMode>(i.rounding);
  const auto rounding = [&](std::int32_t x, const Parameters& p) {
    return numerics::requantize(mode, numerics::wrap_add(x, p.bias), p.multiplier, p.shift);
  };
  const auto source = [&](int base, int ky, int kx, int is_unsigned, bool& inside) {
    const int y = i.origin_y + oy * i.stride_y + ky * i.dilation_y, x = i.origin_x + ox * i.stride_x + kx * i.dilation_x;
    inside = y >= 0 && y < i.src_height && x >= 0 && x < i.src_width;
    if (!inside) return 0;
    const int word = base + block * i.block_step + z * i.plane_words + (y * i.src_width + x) * i.pixel_words;
    return value(b.vector[static_cast<std::size_t>(word * C + c)], is_unsigned);
  };
  const int sets = i.param_base + table_words(i, C);
  const int taps = i.kernel_h * i.kernel_w;
  const int own = own_sets(i) ? block * (9 + (i.opcode == isa::Opcode::Depthwise ? taps : 0)) : 0;
  bool inside = false;
  std::int64_t y = 0;
  switch (i.opcode) {
    case isa::Opcode::Requantize: {
      const std::int64_t p = (std::int64_t{z} * i.out_height + oy) * i.out_width + ox;
      const std::int64_t word = i.src0_base + block * pixels(i) + p;
      y = rounding(b.accumulator[static_cast<std::size_t>(word * C + c)], set(sets + own)) + std::int64_t{i.dst_zero};
      break;
    }
    case isa::Opcode::Add: case isa::Opcode::Sub: {
      const int first = source(i.src0_base, 0, 0, i.src0_unsigned, inside);
      const std::int32_t a = inside ? (first - i.src0_zero) * (1 << 20) : 0;
      const int second = source(i.src1_base, 0, 0, i.src1_unsigned, inside);
      const std::int32_t d = inside ? (second - i.src1_zero) * (1 << 20) : 0;
      const std::int32_t q0 = rounding(a, set(sets)), q1 = rounding(d, set(sets + 9));
      y = rounding(i.opcode == isa::Opcode::Add ? numerics::wrap_add(q0, q1) : numerics::wrap_subtract(q0, q1), set(sets + 18)) +
          std::int64_t{i.dst_zero};
      break;
    }
    case isa::Opcode::Mul: {
      const int first = source(i.src0_base, 0, 0, i.src0_unsigned, inside), second = source(i.src1_base, 0, 0, i.src1_unsigned, inside);
      y = rounding(inside ? (first - i.src0_zero) * (second - i.src1_zero) : 0, set(sets + own)) + std::int64_t{i.dst_zero};
      break;
    }
    case isa::Opcode::PoolMax: {
      bool any = false;
      for (int ky = 0; ky < i.kernel_h; ++ky)
        for (int kx = 0; kx < i.kernel_w; ++kx) {
          const int v = source(i.src0_base, ky, kx, i.src0_unsigned, inside);
          if (inside && (!any || v > y)) y = v;
          any = any || inside;
        }
      break;
    }
    default: {
      std::int32_t sum = 0;
      for (int ky = 0; ky < i.kernel_h; ++ky)
        for (int kx = 0; kx < i.kernel_w; ++kx) {
          const int v = source(i.src0_base, ky, kx, i.src0_unsigned, inside);
          if (!inside) continue;
          const int w = i.opcode == isa::Opcode::Depthwise
                            ? value(param_byte(sets + own + 9 + ky * i.kernel_w + kx, c), i.weight_unsigned) - i.weight_zero
                            : 1;
          sum += (v - i.src0_zero) * w;
        }
      y = rounding(sum, set(sets + own)) + std::int64_t{i.dst_zero};
    }
  }
  const auto byte = static_cast<std::uint8_t>(std::min<std::int64_t>(std::max<std::int64_t>(y, i.clamp_min), i.clamp_max));
  return i.table ? param_byte(i.param_base + byte / C, byte % C) : byte;
}

TEST(VectorUnit, KeepsItsFormulasAndItsSentences) {
  const std::uint64_t seed = test::random_seed();
  std::map<isa::Opcode, int> seen;
  for (int run = 0; run < 250; ++run) {
    Random random(seed * 15485863 + static_cast<std::uint64_t>(run));
    const int columns = run % 10 == 0 ? 256 : random.range(1, 14);
    Bench bench(random, columns, random.range(1, columns));
    Cycle s = 2;
    for (int n = 0; n < 3; ++n) {
      const isa::Vector i = random_vector(random);
      ++seen[i.opcode];
      const isa::Word word = isa::encode(i);
      SCOPED_TRACE("run " + std::to_string(run) + " C=" + std::to_string(bench.C) + " L=" + std::to_string(bench.L) +
                   " opcode " + isa::to_string(i.opcode));

      // Expected memory, and the cycles of everything on the wires.
      std::vector<std::uint8_t> expected = bench.vector;
      const std::int64_t P = pixels(i), S = (bench.C + bench.L - 1) / bench.L;
      const bool add = sums(i), depthwise = i.opcode == isa::Opcode::Depthwise;
      const std::int64_t taps = add ? 3 : i.opcode == isa::Opcode::Mul ? 2 : i.kernel_h * i.kernel_w;
      const Cycle latency = add ? 20 : 14;
      Cycle t = s + 2;
      std::map<Cycle, int> param_reads, writes;
      std::int64_t source_reads = 0;
      int at = i.param_base;
      for (int w = 0; w < table_words(i, bench.C) + (shared_set(i) ? (add ? 27 : 9) : 0); ++w) param_reads[t++] = at++;
      for (int block = 0; block < i.blocks; ++block) {
        for (int w = 0; own_sets(i) && w < 9; ++w) param_reads[t++] = at++;
        for (std::int64_t p = 0; p < P; ++p) {
          for (std::int64_t step = 0; step < S * taps; ++step, ++t) {
            if (depthwise) param_reads[t] = at + static_cast<int>(step % taps);
          }
          const int to = i.dst_base + static_cast<int>(p) * i.dst_pixel_step + block * i.dst_block_step;
          writes[t - 1 + latency] = to;
          const int ox = static_cast<int>(p % i.out_width), oy = static_cast<int>(p / i.out_width % i.out_height),
                    z = static_cast<int>(p / i.out_width / i.out_height);
          for (int c = 0; c < bench.C; ++c) {
            expected[static_cast<std::size_t>(to * bench.C + c)] = result_byte(bench, i, block, z, oy, ox, c);
          }
        }
        if (depthwise) at += static_cast<int>(taps);
      }
      const Cycle done = t - 1 + latency + 1;

      for (; bench.now <= done;) {
        const Cycle now = bench.now;
        const VectorUnitOut out = bench.clock(now == s ? &word : nullptr);
        const auto read = param_reads.find(now);
        ASSERT_EQ(out.param.enable ? static_cast<int>(out.param.address) : -1, read == param_reads.end() ? -1 : read->second)
            << "cycle " << now;
        const auto write = writes.find(now);
        ASSERT_EQ(out.vector_write.enable ? static_cast<int>(out.vector_write.address) : -1,
                  write == writes.end() ? -1 : write->second)
            << "cycle " << now;
        ASSERT_EQ(out.completion.done, now == done) << "cycle " << now;
        source_reads += out.accumulator.enable || out.vector_read.enable;
      }
      ASSERT_LE(source_reads, i.blocks * P * S * (add ? 2 : taps));
      if (i.opcode == isa::Opcode::Requantize) {
        ASSERT_EQ(source_reads, i.blocks * P * S);
      }
      ASSERT_EQ(bench.vector, expected);
      s = done + 2 + random.skewed(0, 20);
    }
    bench.clock(nullptr);
    EXPECT_TRUE(bench.unit.quiet());
  }
  for (const isa::VectorReads& reads : isa::VectorOpcodes) EXPECT_GT(seen[reads.opcode], 20);
}

}  // namespace
}  // namespace gemel
