// SPDX-License-Identifier: Apache-2.0
// Legality, claims and reach of instructions; see isa.hpp. The numbers of words follow from the loops that
// docs/reference/isa.md gives for each format.
#include "isa/isa.hpp"

#include <algorithm>
#include <utility>

namespace gemel::isa {
namespace {

using Illegal = std::optional<IllegalField>;

Illegal illegal(std::string field, std::int64_t value, std::string rule,
                ErrorCode code = ErrorCode::IllegalInstruction) {
  return IllegalField{code, std::move(field), value, std::move(rule)};
}

Illegal outside(std::string field, std::int64_t value, std::string rule) {
  return illegal(std::move(field), value, std::move(rule), ErrorCode::AddressOutsideBuffer);
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

Illegal out_of_range(std::int64_t value, const FieldInfo& field, const char* format) {
  return illegal(std::string(format) + "." + field.name, value,
                 "must be " + std::to_string(field.min) + ".." + std::to_string(field.max));
}

// Whether a field may have any value that fits, as most may, and needs no look.
constexpr bool is_free(const FieldInfo& field) {
  const std::int64_t least = field.is_signed ? -(std::int64_t{1} << (field.width - 1)) : 0;
  return field.min <= least && field.max >= least + (std::int64_t{1} << field.width) - 1;
}
constexpr bool are_free(const FieldInfo* fields, int count) {
  return count == 0 || (is_free(fields[count - 1]) && are_free(fields, count - 1));
}

// The first field whose value is illegal, or nullptr. Every instruction of a run is checked, so each format has code of its own for the few fields that are
// not free: masks and limits in it, not looked up.
template <const FormatInfo& Format, std::size_t... F>
const FieldInfo* find_illegal(const Word& word, std::index_sequence<F...>) {
  const FieldInfo* found = nullptr;
  [[maybe_unused]] const auto is_illegal = [&](const FieldInfo& field) {
    const std::int64_t value = get_field(word, field);
    if (value >= field.min && value <= field.max) return false;
    found = &field;
    return true;
  };
  static_cast<void>(((!is_free(Format.fields[F]) && is_illegal(Format.fields[F])) || ...));
  return found;
}
template <const FormatInfo& Format>
const FieldInfo* find_illegal(const Word& word) {
  return find_illegal<Format>(word, std::make_index_sequence<Format.field_count>());
}

const FieldInfo* find_illegal(const Word& word, Unit unit) {
  switch (unit) {
    case Unit::Load: return find_illegal<LoadFormat>(word);
    case Unit::Matrix: return find_illegal<MatrixFormat>(word);
    case Unit::Vector: return find_illegal<VectorFormat>(word);
    case Unit::Store: return find_illegal<StoreFormat>(word);
    case Unit::None: break;
  }
  return find_illegal<HaltFormat>(word);
}

Illegal check_interval(const char* format, const char* operand, int base, int last) {
  if (last >= base) return {};
  return outside(std::string(format) + "." + operand + "_last", last,
                 std::string("must be at least ") + operand + "_base = " + std::to_string(base));
}

Illegal check_rules(const Load& i) {
  if (i.window_count == 0) {
    if (i.group_bytes < 1) return illegal("load.group_bytes", i.group_bytes, "must be at least 1 in rows mode");
    if (i.window_bytes != 0) return illegal("load.window_bytes", i.window_bytes, "must be 0 in rows mode");
    if (i.window_step != 0) return illegal("load.window_step", i.window_step, "must be 0 in rows mode");
    if (i.window_offset != 0) return illegal("load.window_offset", i.window_offset, "must be 0 in rows mode");
  } else {
    if (i.group_bytes != 0) return illegal("load.group_bytes", i.group_bytes, "must be 0 in window mode");
    if (i.window_bytes < 1) return illegal("load.window_bytes", i.window_bytes, "must be at least 1 in window mode");
    if (i.window_step < 1 || i.window_step > i.window_bytes) {
      return illegal("load.window_step", i.window_step, "must be 1..window_bytes = " + std::to_string(i.window_bytes));
    }
    if (i.window_offset <= -i.window_bytes) {
      return illegal("load.window_offset", i.window_offset,
                     "must be above -window_bytes = " + std::to_string(-i.window_bytes));
    }
  }
  return check_interval("load", "word", i.word_base, i.word_last);
}

// Operands enter the array as 9-bit numbers, so a zero point lies in the range of its type.
Illegal check_zero(const char* field, int zero, bool is_unsigned) {
  const int least = is_unsigned ? 0 : -128;
  if (zero >= least && zero <= least + 255) return {};
  return illegal(std::string("matrix.") + field, zero,
                 is_unsigned ? "must be 0..255 for unsigned bytes" : "must be -128..127 for signed bytes");
}

Illegal check_rules(const Matrix& i) {
  if (auto bad = check_zero("act_zero", i.act_zero, i.act_unsigned != 0)) return bad;
  if (auto bad = check_zero("weight_zero", i.weight_zero, i.weight_unsigned != 0)) return bad;
  if (auto bad = check_interval("matrix", "act", i.act_base, i.act_last)) return bad;
  if (auto bad = check_interval("matrix", "weight", i.weight_base, i.weight_last)) return bad;
  return check_interval("matrix", "acc", i.acc_base, i.acc_last);
}

Illegal check_rules(const Vector& i) {
  const auto name = [&] { return std::string(to_string(i.opcode)); };
  const auto one = [&](const char* field, int value) -> Illegal {
    if (value == 1) return {};
    return illegal(std::string("vector.") + field, value, "must be 1 in " + name());
  };
  const auto zero = [&](const char* field, int value) -> Illegal {
    if (value == 0) return {};
    return illegal(std::string("vector.") + field, value, "must be 0 in " + name());
  };
  if (i.chain) return illegal("header.chain", i.chain, "must be 0 in " + name() + ": only load, matrix and store chain");
  const VectorReads& read = reads(i.opcode);
  if (read.steps > 0) {
    if (auto bad = one("kernel_h", i.kernel_h)) return bad;
    if (auto bad = one("kernel_w", i.kernel_w)) return bad;
  }
  if (read.sources == 0) {
    if (auto bad = zero("src_height", i.src_height)) return bad;
    if (auto bad = zero("src_width", i.src_width)) return bad;
  } else {
    if (i.src_height < 1) return illegal("vector.src_height", i.src_height, "must be at least 1 in " + name());
    if (i.src_width < 1) return illegal("vector.src_width", i.src_width, "must be at least 1 in " + name());
  }
  if (read.sources != 2) {
    if (auto bad = zero("src1_base", i.src1_base)) return bad;
    if (auto bad = zero("src1_last", i.src1_last)) return bad;
  }
  if (read.shared != Sharing::May) {
    if (auto bad = read.shared == Sharing::Must ? one("param_shared", i.param_shared) : zero("param_shared", i.param_shared)) return bad;
  }
  if (i.clamp_min > i.clamp_max) {
    return illegal("vector.clamp_min", i.clamp_min, "must be at most clamp_max = " + std::to_string(i.clamp_max));
  }
  if (read.sets == 0 && !i.table && i.param_last != i.param_base) {
    return illegal("vector.param_last", i.param_last,
                   "must be param_base = " + std::to_string(i.param_base) + ", for no parameter is read");
  }
  if (auto bad = check_interval("vector", "src0", i.src0_base, i.src0_last)) return bad;
  if (auto bad = check_interval("vector", "src1", i.src1_base, i.src1_last)) return bad;
  if (auto bad = check_interval("vector", "dst", i.dst_base, i.dst_last)) return bad;
  return check_interval("vector", "param", i.param_base, i.param_last);
}

Illegal check_rules(const Store& i) {
  return check_interval("store", "word", i.word_base, i.word_last);
}

Illegal check_rules(const Halt& i) {
  if (i.wait_mask != 0) return illegal("header.wait_mask", i.wait_mask, "must be 0 in halt, which waits for everything");
  if (i.chain != 0) return illegal("header.chain", i.chain, "must be 0 in halt");
  if (i.post_mask != 0) return illegal("header.post_mask", i.post_mask, "must be 0 in halt");
  return {};
}

std::int64_t pixels(const Matrix& i) { return std::int64_t{i.out_planes} * i.out_height * i.out_width; }
std::int64_t pixels(const Vector& i) { return std::int64_t{i.out_planes} * i.out_height * i.out_width; }

Extent from(std::int64_t base, std::int64_t words) { return {words > 0, base, base + words - 1}; }

// Least and greatest coordinate origin + o*stride + k*dilation (o < count, k < kernel) that lies in 0 .. limit-1.
Extent inside(std::int64_t origin, std::int64_t count, std::int64_t stride, std::int64_t kernel, std::int64_t dilation,
              std::int64_t limit) {
  Extent e;
  for (std::int64_t k = 0; k < kernel; ++k) {
    const std::int64_t tap = origin + k * dilation;
    const std::int64_t first_o = tap >= 0 ? 0 : ceil_div(-tap, stride);
    if (tap >= limit || first_o >= count) continue;
    const std::int64_t least = tap + first_o * stride;
    if (least >= limit) continue;
    const std::int64_t last_o = std::min(count - 1, (limit - 1 - tap) / stride);
    const std::int64_t greatest = tap + last_o * stride;
    e.first = e.any ? std::min(e.first, least) : least;
    e.last = e.any ? std::max(e.last, greatest) : greatest;
    e.any = true;
  }
  return e;
}

Extent touched_activations(const Matrix& i) {
  const Extent y = inside(i.origin_y, i.out_height, i.stride_y, i.kernel_h, i.dilation_y, i.act_height);
  const Extent x = inside(i.origin_x, i.out_width, i.stride_x, i.kernel_w, i.dilation_x, i.act_width);
  if (!y.any || !x.any) return {};
  const auto at = [&](std::int64_t row, std::int64_t column) {
    return i.act_base + (row * i.act_width + column) * i.pixel_words;
  };
  return {true, at(y.first, x.first),
          at(y.last, x.last) + (i.out_planes - 1) * std::int64_t{i.plane_words} + i.cin_blocks - 1 +
              (i.cout_blocks - 1) * std::int64_t{i.act_block_step}};
}

Extent touched_source(const Vector& i, std::int64_t base) {
  const Extent y = inside(i.origin_y, i.out_height, i.stride_y, i.kernel_h, i.dilation_y, i.src_height);
  const Extent x = inside(i.origin_x, i.out_width, i.stride_x, i.kernel_w, i.dilation_x, i.src_width);
  if (!y.any || !x.any) return {};
  const auto at = [&](std::int64_t row, std::int64_t column) {
    return base + (row * i.src_width + column) * i.pixel_words;
  };
  return {true, at(y.first, x.first),
          at(y.last, x.last) + (i.out_planes - 1) * std::int64_t{i.plane_words} +
              (i.blocks - 1) * std::int64_t{i.block_step}};
}

// Words of a run in groups: every group begins a word, and the last is as short as the run leaves it.
std::int64_t words_of_run(int run_bytes, int group_bytes, int word_bytes) {
  return run_bytes / group_bytes * ceil_div(group_bytes, word_bytes) + ceil_div(run_bytes % group_bytes, word_bytes);
}

std::int64_t loaded_words(const Load& i, int word_bytes) {
  const std::int64_t runs = std::int64_t{i.count1} * i.count2;
  if (i.window_count > 0) return runs * i.window_count * ceil_div(i.window_bytes, word_bytes);
  return runs * words_of_run(i.run_bytes, i.group_bytes, word_bytes);
}

std::int64_t stored_words(const Store& i, int word_bytes) {
  return std::int64_t{i.count1} * i.count2 * words_of_run(i.run_bytes, i.group_bytes, word_bytes);
}

// Names of the `_last` fields in the order of claims(); the accumulator's read and write share one.
const char* last_field(const Instruction& i, int claim) {
  switch (i.unit) {
    case Unit::Load: return "load.word_last";
    case Unit::Store: return "store.word_last";
    case Unit::Matrix: {
      static constexpr const char* Names[] = {"matrix.act_last", "matrix.weight_last", "matrix.acc_last", "matrix.acc_last"};
      return Names[claim];
    }
    case Unit::Vector: {
      if (claim == 0) return "vector.src0_last";
      if (claim == 1 && reads(i.opcode).sources == 2) return "vector.src1_last";
      const bool is_destination = claim + 1 == claims(i).count;
      return is_destination ? "vector.dst_last" : "vector.param_last";
    }
    case Unit::None: break;
  }
  return "";
}

// Whether the claim must be exactly what is touched. Operands with taps may claim more (a tile with its borders).
bool must_be_exact(const Instruction& i, const Claim& claim) {
  if (i.unit == Unit::Load || i.unit == Unit::Store) return true;
  if (i.unit == Unit::Matrix) return claim.buffer != Buffer::Activation;
  return claim.buffer == Buffer::Param || claim.buffer == Buffer::Accumulator;
}

}  // namespace

std::string to_string(const IllegalField& bad) {
  if (bad.field == "reserved") return "bit " + std::to_string(bad.value) + " is reserved: " + bad.rule;
  return bad.field + " = " + std::to_string(bad.value) + ": " + bad.rule;
}

std::optional<IllegalField> check_fields(const Word& word) {
  const OpcodeInfo* info = find(opcode(word));
  if (info == nullptr) return illegal("opcode", static_cast<int>(opcode(word)), "must be one of the instruction set");
  const FormatInfo& format = *info->format;
  for (std::size_t q = 0; q < word.size(); ++q) {
    if (const std::uint64_t bits = word[q] & format.reserved[q]) {
      int bit = 0;
      while (!((bits >> bit) & 1)) ++bit;
      return illegal("reserved", static_cast<int>(q) * 64 + bit, "must be 0");
    }
  }
  static_assert(are_free(HeaderFields, HeaderFieldCount));
  if (const FieldInfo* field = find_illegal(word, format.unit)) return out_of_range(get_field(word, *field), *field, format.name);
  return {};
}

std::optional<IllegalField> check(const Word& word) {
  if (auto bad = check_fields(word)) return bad;
  switch (unit(opcode(word))) {
    case Unit::Load: return check_rules(decode_load(word));
    case Unit::Matrix: return check_rules(decode_matrix(word));
    case Unit::Vector: return check_rules(decode_vector(word));
    case Unit::Store: return check_rules(decode_store(word));
    case Unit::None: break;
  }
  return check_rules(decode_halt(word));
}

Claims claims(const Instruction& instruction) {
  Claims c;
  switch (instruction.unit) {
    case Unit::Load: {
      const Load& i = instruction.load;
      c.add({static_cast<Buffer>(i.buffer), true, i.word_base, i.word_last});
      break;
    }
    case Unit::Matrix: {
      const Matrix& i = instruction.matrix;
      c.add({Buffer::Activation, false, i.act_base, i.act_last});
      c.add({Buffer::Weight, false, i.weight_base, i.weight_last});
      c.add({Buffer::Accumulator, false, i.acc_base, i.acc_last});
      c.add({Buffer::Accumulator, true, i.acc_base, i.acc_last});
      break;
    }
    case Unit::Vector: {
      const Vector& i = instruction.vector;
      const VectorReads& read = reads(i.opcode);
      c.add({read.sources == 0 ? Buffer::Accumulator : Buffer::Vector, false, i.src0_base, i.src0_last});
      if (read.sources == 2) c.add({Buffer::Vector, false, i.src1_base, i.src1_last});
      if (read.sets > 0 || i.table) c.add({Buffer::Param, false, i.param_base, i.param_last});
      c.add({Buffer::Vector, true, i.dst_base, i.dst_last});
      break;
    }
    case Unit::Store: {
      const Store& i = instruction.store;
      c.add({Buffer::Vector, false, i.word_base, i.word_last});
      break;
    }
    case Unit::None: break;
  }
  return c;
}

int param_words(const Vector& i, int columns) {
  const int table = i.table ? (TableBytes + columns - 1) / columns : 0;
  const int sets = reads(i.opcode).sets * SetWords, weights = i.opcode == Opcode::Depthwise ? i.kernel_h * i.kernel_w : 0;
  return table + (i.param_shared ? sets : i.blocks * (sets + weights));
}

Touched touched(const Instruction& instruction, const Machine& machine) {
  Touched t;
  const auto add = [&](const Extent& e) { t.items[static_cast<std::size_t>(t.count++)] = e; };
  switch (instruction.unit) {
    case Unit::Load: {
      const Load& i = instruction.load;
      add(from(i.word_base, loaded_words(i, machine.word_bytes(static_cast<Buffer>(i.buffer)))));
      break;
    }
    case Unit::Matrix: {
      const Matrix& i = instruction.matrix;
      const std::int64_t passes = std::int64_t{i.kernel_h} * i.kernel_w * i.cin_blocks * i.cout_blocks;
      add(touched_activations(i));
      add(from(i.weight_base, passes * machine.rows));
      add(from(i.acc_base, i.cout_blocks * pixels(i)));
      add(from(i.acc_base, i.cout_blocks * pixels(i)));
      break;
    }
    case Unit::Vector: {
      const Vector& i = instruction.vector;
      const VectorReads& read = reads(i.opcode);
      add(read.sources == 0 ? from(i.src0_base, i.blocks * pixels(i)) : touched_source(i, i.src0_base));
      if (read.sources == 2) add(touched_source(i, i.src1_base));
      if (read.sets > 0 || i.table) add(from(i.param_base, param_words(i, machine.columns)));
      add({true, i.dst_base,
           i.dst_base + (pixels(i) - 1) * i.dst_pixel_step + (i.blocks - 1) * std::int64_t{i.dst_block_step}});
      break;
    }
    case Unit::Store: {
      const Store& i = instruction.store;
      add(from(i.word_base, stored_words(i, machine.word_bytes(Buffer::Vector))));
      break;
    }
    case Unit::None: break;
  }
  return t;
}

std::optional<IllegalField> check_bounds(const Instruction& instruction, const Claims& claimed, const Machine& machine) {
  for (int c = 0; c < claimed.count; ++c) {
    const Claim& claim = claimed.items[static_cast<std::size_t>(c)];
    const std::int64_t words = machine.words(claim.buffer);
    if (claim.last >= words) {
      return outside(last_field(instruction, c), claim.last,
                     "must be less than the " + std::to_string(words) + " words of " + to_string(claim.buffer));
    }
  }
  return {};
}

std::optional<IllegalField> check_at_decode(const Instruction& instruction, const Claims& claimed, const Machine& machine, std::int32_t digest) {
  if (instruction.unit == Unit::Load && instruction.load.machine != 0 && instruction.load.machine != digest) {
    return illegal("load.machine", instruction.load.machine,
                   "must be 0, for any machine, or " + std::to_string(digest) + ", which is this one: the program was compiled for another",
                   ErrorCode::WrongMachine);
  }
  return check_bounds(instruction, claimed, machine);
}

std::optional<IllegalField> check_reach(const Instruction& instruction, const Claims& claimed, const Machine& machine) {
  if (instruction.unit == Unit::Load && instruction.load.window_bytes > machine.burst_bytes) {
    return illegal("load.window_bytes", instruction.load.window_bytes,
                   "must be at most the machine's burst of " + std::to_string(machine.burst_bytes) + " bytes");
  }
  const Touched real = touched(instruction, machine);
  for (int c = 0; c < claimed.count; ++c) {
    const Claim& claim = claimed.items[static_cast<std::size_t>(c)];
    const Extent& extent = real.items[static_cast<std::size_t>(c)];
    if (!extent.any || extent.last <= claim.last) continue;  // not any: every tap is in the padding
    return illegal(last_field(instruction, c), claim.last,
                   std::string("must be ") + (must_be_exact(instruction, claim) ? "" : "at least ") + std::to_string(extent.last) +
                       ", the last word that is touched");
  }
  return {};
}

std::optional<IllegalField> check_claims(const Instruction& instruction, const Machine& machine) {
  const Claims claimed = claims(instruction);
  if (auto bad = check_bounds(instruction, claimed, machine)) return bad;
  if (auto bad = check_reach(instruction, claimed, machine)) return bad;
  const Touched real = touched(instruction, machine);
  for (int c = 0; c < claimed.count; ++c) {
    const Claim& claim = claimed.items[static_cast<std::size_t>(c)];
    const Extent& extent = real.items[static_cast<std::size_t>(c)];
    if (!extent.any || !must_be_exact(instruction, claim) || extent.last >= claim.last) continue;
    return illegal(last_field(instruction, c), claim.last, "must be " + std::to_string(extent.last) + ", the last word that is touched");
  }
  return {};
}

Extent memory_bytes(const Instruction& instruction) {
  const auto runs = [](auto& i, std::int64_t first, std::int64_t last) -> Extent {
    if (last < first) return {};
    const auto base = static_cast<std::int64_t>(i.address);
    return {true, base + first,
            base + last + (i.count1 - 1) * std::int64_t{i.stride1} + (i.count2 - 1) * std::int64_t{i.stride2}};
  };
  if (instruction.unit == Unit::Store) return runs(instruction.store, 0, instruction.store.run_bytes - 1);
  if (instruction.unit != Unit::Load) return {};
  const Load& i = instruction.load;
  if (i.window_count == 0) return runs(i, 0, i.run_bytes - 1);
  const std::int64_t end = i.window_offset + std::int64_t{i.window_count - 1} * i.window_step + i.window_bytes;
  return runs(i, 0, std::min<std::int64_t>(i.run_bytes, end) - 1);
}

}  // namespace gemel::isa
