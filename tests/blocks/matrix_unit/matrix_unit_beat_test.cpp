// SPDX-License-Identifier: Apache-2.0
// matrix_unit, beat model, with pe_array behind its ports and plain arrays for buffers. Times against the formulas of
// docs/reference/machine.md, 3, written here once more; data against the loops of the instruction.
#include "blocks/matrix_unit/matrix_unit_beat.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>

#include "base/cycle.hpp"
#include "blocks/matrix_unit/random_matrix.hpp"
#include "blocks/pe_array/pe_array_beat.hpp"
#include "support/random_program.hpp"
#include "support/random_seed.hpp"

namespace gemel {
namespace {

using testing::Random;
using testing::random_matrix;

constexpr int Words = 4096;

// Three buffers with one cycle of latency, and the two blocks.
struct Bench {
  Bench(Random& random, int rows, int columns) : R(rows), C(columns), unit(machine()), array(machine()) {
    activation.resize(static_cast<std::size_t>(Words * R));
    weight.resize(static_cast<std::size_t>(Words * C));
    sums.resize(static_cast<std::size_t>(Words * C));
    for (auto& b : activation) b = random.byte();
    for (auto& b : weight) b = random.byte();
    for (auto& s : sums) s = static_cast<std::int32_t>(random.bits());
    unit.reset();
    array.reset();
  }
  const Machine& machine() {
    machine_.rows = R;
    machine_.columns = C;
    return machine_;
  }

  // Clocks everything once; `out` is what was on the wires.
  MatrixUnitOut clock(const isa::Word* command) {
    const MatrixUnitOut out = unit.out();
    MatrixUnitIn in;
    in.command = {command != nullptr, command};
    in.activation = activation_data.data();
    in.weight = weight_data.data();
    in.accumulator = reinterpret_cast<const std::uint8_t*>(sums_data.data());
    in.array = array.out();
    const PeArrayIn array_in = out.array;
    array.step(array_in);
    unit.step(in);
    const auto word = [](const auto& from, std::uint32_t address, int size) {
      return std::vector(from.begin() + static_cast<std::ptrdiff_t>(address) * size,
                         from.begin() + static_cast<std::ptrdiff_t>(address + 1) * size);
    };
    if (out.activation.enable) activation_data = word(activation, out.activation.address, R);
    if (out.weight.enable) weight_data = word(weight, out.weight.address, C);
    if (out.accumulator_read.enable) sums_data = word(sums, out.accumulator_read.address, C);
    if (out.accumulator_write.enable) {
      EXPECT_FALSE(out.accumulator_read.enable && out.accumulator_read.address == out.accumulator_write.address);
      std::memcpy(sums.data() + static_cast<std::ptrdiff_t>(out.accumulator_write.address) * C, out.accumulator_write.data,
                  static_cast<std::size_t>(C) * sizeof(std::int32_t));
    }
    ++now;
    return out;
  }

  int R, C;
  Machine machine_;
  MatrixUnitBeat unit;
  PeArrayBeat array;
  std::vector<std::uint8_t> activation, weight, activation_data, weight_data;
  std::vector<std::int32_t> sums, sums_data;
  Cycle now = 0;
};

int value(std::uint8_t byte, int is_unsigned) { return is_unsigned ? byte : static_cast<std::int8_t>(byte); }

// The loops of isa.md.
void multiply(const Bench& b, const isa::Matrix& m, std::vector<std::int32_t>& sums) {
  const int P = m.out_planes * m.out_height * m.out_width, K = m.kernel_h * m.kernel_w * m.cin_blocks;
  for (int n = 0; n < m.cout_blocks; ++n) {
    int k = 0;
    for (int ky = 0; ky < m.kernel_h; ++ky)
      for (int kx = 0; kx < m.kernel_w; ++kx)
        for (int cb = 0; cb < m.cin_blocks; ++cb, ++k) {
          int p = 0;
          for (int z = 0; z < m.out_planes; ++z)
            for (int oy = 0; oy < m.out_height; ++oy)
              for (int ox = 0; ox < m.out_width; ++ox, ++p) {
                const int y = m.origin_y + oy * m.stride_y + ky * m.dilation_y;
                const int x = m.origin_x + ox * m.stride_x + kx * m.dilation_x;
                const bool inside = y >= 0 && y < m.act_height && x >= 0 && x < m.act_width;
                const int word = m.act_base + z * m.plane_words + (y * m.act_width + x) * m.pixel_words + cb + n * m.act_block_step;
                for (int c = 0; c < b.C; ++c) {
                  std::uint32_t sum = 0;
                  for (int r = 0; inside && r < b.R; ++r) {
                    const int a = value(b.activation[static_cast<std::size_t>(word * b.R + r)], m.act_unsigned) - m.act_zero;
                    const int w = value(b.weight[static_cast<std::size_t>((m.weight_base + (n * K + k) * b.R + r) * b.C + c)],
                                        m.weight_unsigned) - m.weight_zero;
                    sum += static_cast<std::uint32_t>(a * w);
                  }
                  auto& s = sums[static_cast<std::size_t>((m.acc_base + n * P + p) * b.C + c)];
                  s = static_cast<std::int32_t>((k == 0 && !m.accumulate ? 0u : static_cast<std::uint32_t>(s)) + sum);
                }
              }
        }
  }
}

// One instruction's times, from its command and the one before (a_last, P_last: very long ago for the first).
struct Times {
  std::vector<Cycle> wf, a;
  Cycle chain, done;
  std::int64_t P;
};
Times formulas(const isa::Matrix& m, Cycle s, int R, int C, bool chained, Cycle a_last, std::int64_t P_last) {
  Times t;
  t.P = std::int64_t{m.out_planes} * m.out_height * m.out_width;
  const int passes = m.cout_blocks * m.kernel_h * m.kernel_w * m.cin_blocks;
  t.wf.push_back(chained ? std::max(s + 2, a_last) : s + 2);
  t.a.push_back(chained ? std::max(t.wf[0] + R, a_last + std::max<Cycle>(P_last, 3)) : t.wf[0] + R);
  for (int j = 1; j < passes; ++j) {
    t.wf.push_back(t.a.back());
    t.a.push_back(t.a.back() + std::max<Cycle>({t.P, R, 3}));
  }
  t.chain = t.wf.back() + 1;
  t.done = t.a.back() + t.P - 1 + R + C + 3;
  return t;
}

TEST(MatrixUnit, KeepsItsFormulasAndComputesItsLoops) {
  const std::uint64_t seed = test::random_seed();
  int chained_starts = 0, instructions = 0;
  for (int run = 0; run < 150; ++run) {
    Random random(seed * 104729 + static_cast<std::uint64_t>(run));
    Bench bench(random, random.range(1, 9), random.range(1, 9));
    std::vector<std::int32_t> expected = bench.sums;
    SCOPED_TRACE("run " + std::to_string(run) + " R=" + std::to_string(bench.R) + " C=" + std::to_string(bench.C));

    // Plan the starts from the formulas alone, as the sequencer would: chained ones at least 2 cycles behind the chain pulse
    // and with one instruction in flight, the others at least 2 cycles behind done.
    struct Planned {
      isa::Word word;
      Cycle s;
      Times times;
    };
    std::vector<Planned> plan;
    Cycle done_before_last = -100;
    for (int i = 0; i < 6; ++i) {
      isa::Matrix m = random_matrix(random);
      const bool chained = i > 0 && random.chance(70);
      Cycle s = 3;
      Times times;
      if (i > 0) {
        const Planned& last = plan.back();
        const isa::Matrix before = isa::decode_matrix(last.word);
        if (chained) {  // accumulators equal or disjoint
          if (random.chance(50)) {
            m.acc_base = before.acc_base;
            m.out_planes = before.out_planes;
            m.out_height = before.out_height;
            m.out_width = before.out_width;
            m.cout_blocks = before.cout_blocks;
          } else {
            m.acc_base = before.acc_base + 1000;
            if (m.acc_base > 3000) m.acc_base = 0;
          }
        }
        s = (chained ? std::max(last.times.chain + 2, done_before_last + 2) : last.times.done + 2) + random.skewed(0, 30);
        times = formulas(m, s, bench.R, bench.C, chained && s < last.times.done + 2, last.times.a.back(), last.times.P);
        chained_starts += chained;
        done_before_last = last.times.done;
      } else {
        times = formulas(m, s, bench.R, bench.C, false, 0, 0);
      }
      m.chain = chained;
      plan.push_back({isa::encode(m), s, times});
      multiply(bench, m, expected);
      ++instructions;
    }

    // What must be on the wires, by cycle.
    const Cycle end = plan.back().times.done + 3;
    std::vector<int> weight_reads(static_cast<std::size_t>(end), -1), rows(static_cast<std::size_t>(end), 0);
    std::vector<bool> chains(static_cast<std::size_t>(end)), dones(static_cast<std::size_t>(end));
    for (const Planned& p : plan) {
      const isa::Matrix m = isa::decode_matrix(p.word);
      for (std::size_t j = 0; j < p.times.wf.size(); ++j) {
        for (int r = 0; r < bench.R; ++r) {
          int& read = weight_reads[static_cast<std::size_t>(p.times.wf[j] + r)];
          ASSERT_EQ(read, -1);
          read = m.weight_base + static_cast<int>(j) * bench.R + bench.R - 1 - r;
        }
        for (std::int64_t q = 0; q < p.times.P; ++q) ++rows[static_cast<std::size_t>(p.times.a[j] + q)];
      }
      chains[static_cast<std::size_t>(p.times.chain)] = true;
      dones[static_cast<std::size_t>(p.times.done)] = true;
    }
    std::size_t next = 0;
    while (bench.now < end) {
      const Cycle t = bench.now;
      const isa::Word* command = next < plan.size() && plan[next].s == t ? &plan[next++].word : nullptr;
      const MatrixUnitOut out = bench.clock(command);
      const auto i = static_cast<std::size_t>(t);
      ASSERT_EQ(out.weight.enable ? static_cast<int>(out.weight.address) : -1, weight_reads[i]) << "cycle " << t;
      ASSERT_EQ(out.completion.chain, chains[i]) << "cycle " << t;
      ASSERT_EQ(out.completion.done, dones[i]) << "cycle " << t;
      if (out.activation.enable) {
        ASSERT_EQ(rows[i], 1) << "cycle " << t;
      }
      if (t >= 2) {
        ASSERT_EQ(out.array.activation_valid ? 1 : 0, rows[i - 2]) << "cycle " << t;
      }
      const auto latency = static_cast<std::size_t>(bench.R + bench.C + 2);
      if (i >= latency) {
        ASSERT_EQ(out.accumulator_write.enable ? 1 : 0, rows[i - latency]) << "cycle " << t;
      }
    }
    ASSERT_EQ(next, plan.size());
    ASSERT_EQ(bench.sums, expected);
    bench.clock(nullptr);
    EXPECT_TRUE(bench.unit.quiet());
  }
  EXPECT_GT(instructions, 500);
  EXPECT_GT(chained_starts, 200);
}

}  // namespace
}  // namespace gemel
