// SPDX-License-Identifier: Apache-2.0
// Random instructions for the tests: any legal one (edges of every field included), and the seed they come from.
#pragma once
#include <algorithm>
#include <cstdint>
#include <random>
#include <string>

#include "gemel/isa.gen.hpp"
#include "support/random_seed.hpp"

namespace gemel::isa::test {

using Random = std::mt19937_64;

// Another seed in every run; printed, so that a failure can be replayed.
inline std::uint64_t seed() { return gemel::test::random_seed(std::random_device{}()); }

inline std::int64_t between(Random& random, std::int64_t min, std::int64_t max) {
  return std::uniform_int_distribution<std::int64_t>(min, max)(random);
}

inline std::int64_t draw(Random& random, const FieldInfo& f) {
  switch (random() % 4) {
    case 0: return f.default_value();
    case 1: return random() % 2 ? f.min : f.max;
    case 2: return between(random, f.min, std::min(f.max, f.min + 40));
    default: return between(random, f.min, f.max);
  }
}

inline void sort_pair(std::int32_t& base, std::int32_t& last) {
  if (base > last) std::swap(base, last);
}

inline Load make_legal(Load i, Random& random) {
  sort_pair(i.word_base, i.word_last);
  if (i.window_count == 0) {
    i.group_bytes = std::max(1, i.group_bytes);
    i.window_bytes = i.window_step = i.window_offset = 0;
  } else {
    i.group_bytes = 0;
    i.window_bytes = std::max(1, i.window_bytes);
    i.window_step = static_cast<int>(between(random, 1, i.window_bytes));
    i.window_offset = std::max(i.window_offset, 1 - i.window_bytes);
  }
  return i;
}

inline Matrix make_legal(Matrix i, Random&) {
  i.act_zero = std::clamp(i.act_zero, i.act_unsigned ? 0 : -128, i.act_unsigned ? 255 : 127);
  i.weight_zero = std::clamp(i.weight_zero, i.weight_unsigned ? 0 : -128, i.weight_unsigned ? 255 : 127);
  sort_pair(i.act_base, i.act_last);
  sort_pair(i.weight_base, i.weight_last);
  sort_pair(i.acc_base, i.acc_last);
  return i;
}

inline Vector make_legal(Vector i, Random&) {
  i.chain = 0;
  sort_pair(i.src0_base, i.src0_last);
  sort_pair(i.src1_base, i.src1_last);
  sort_pair(i.dst_base, i.dst_last);
  sort_pair(i.param_base, i.param_last);
  sort_pair(i.clamp_min, i.clamp_max);
  const VectorReads& read = reads(i.opcode);
  if (read.steps > 0) i.kernel_h = i.kernel_w = 1;
  i.src_height = read.sources == 0 ? 0 : std::max(1, i.src_height);
  i.src_width = read.sources == 0 ? 0 : std::max(1, i.src_width);
  if (read.shared != Sharing::May) i.param_shared = read.shared == Sharing::Must;
  if (read.sources != 2) i.src1_base = i.src1_last = 0;
  if (read.sets == 0 && !i.table) i.param_last = i.param_base;
  return i;
}

inline Store make_legal(Store i, Random&) {
  sort_pair(i.word_base, i.word_last);
  return i;
}

// All fields in their ranges, nothing reserved; rules between fields may be broken.
inline Word random_in_range(Random& random, const OpcodeInfo& info) {
  Word w{};
  for (const FieldInfo& f : HeaderFields) set_field(w, f, draw(random, f));
  set_field(w, HeaderFields[0], static_cast<std::int64_t>(info.opcode));
  for (int f = 0; f < info.format->field_count; ++f) set_field(w, info.format->fields[f], draw(random, info.format->fields[f]));
  return w;
}

inline Word random_legal(Random& random) {
  const Word w = random_in_range(random, Opcodes[random() % OpcodeCount]);
  const Instruction i = decode(w);
  switch (i.unit) {
    case Unit::Load: return encode(make_legal(i.load, random));
    case Unit::Matrix: return encode(make_legal(i.matrix, random));
    case Unit::Vector: return encode(make_legal(i.vector, random));
    case Unit::Store: return encode(make_legal(i.store, random));
    case Unit::None: break;
  }
  Halt halt;
  halt.tag = i.halt.tag;
  return encode(halt);
}

}  // namespace gemel::isa::test
