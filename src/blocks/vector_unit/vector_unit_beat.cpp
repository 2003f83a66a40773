// SPDX-License-Identifier: Apache-2.0
// vector_unit, beat model; see vector_unit_beat.hpp. tag(k) in step() is what was on the wires k cycles before the cycle that
// is being made; so a stage that reads data which came one cycle after its step works on tag(2).
#include "blocks/vector_unit/vector_unit_beat.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "base/numerics.hpp"

namespace gemel {
namespace {

using isa::AddSets;
using isa::Sharing;
using isa::SetWords;
using isa::TableBytes;
constexpr int AddSteps = isa::reads(isa::Opcode::Add).steps;  // first source, second source, sum
constexpr int ReadStage = 2;          // read data is on the wires
constexpr int ParameterStage = 5;     // a parameter word enters its register
constexpr int FeedStage = 5;
constexpr int ResultStage = 12;       // the requantizer's result is on the wires
constexpr int AddFeedStage = 11;      // of the third step: the second result is on the wires
constexpr int AddResultStage = 18;
constexpr int WriteStage = 14;
constexpr int AddWriteStage = 20;

inline std::int32_t extend(std::uint8_t byte, bool is_unsigned) {
  return is_unsigned ? std::int32_t{byte} : std::int32_t{static_cast<std::int8_t>(byte)};
}

inline std::int32_t word32(const std::uint8_t* bytes) {
  std::int32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

}  // namespace

VectorUnitBeat::VectorUnitBeat(const Machine& machine)
    : columns_(machine.columns),
      lanes_(machine.lanes),
      slices_((columns_ + lanes_ - 1) / lanes_),
      table_words_((TableBytes + columns_ - 1) / columns_) {
  const auto lanes = static_cast<std::size_t>(lanes_);
  const auto columns = static_cast<std::size_t>(columns_);
  values_.resize(static_cast<std::size_t>(Places) * lanes);
  parameter_line_.resize(static_cast<std::size_t>(Places) * columns);
  sets_.resize(AddSets * SetWords * columns);
  table_.resize(static_cast<std::size_t>(table_words_) * columns);
  sums_.resize(lanes);
  first_result_.resize(lanes);
  for (auto* registers : {&x_, &multiplier_, &shift_}) {
    for (auto& r : *registers) r.resize(lanes);
  }
  for (auto& w : word_) w.resize(columns);
}

void VectorUnitBeat::reset() {
  pending_ = issuing_ = false;
  tags_.fill(Tag{});
  alive_ = 0;
  changed_ = false;
  out_ = {};
}

void VectorUnitBeat::step(const VectorUnitIn& in) {
  changed_ = in.command.valid || pending_ || issuing_ || alive_ > 0 || out_.completion.done;
  if (!changed_) return;

  ++head_;
  tag(0).kind = Tag::Kind::Nothing;
  out_.accumulator.enable = out_.vector_read.enable = out_.param.enable = false;
  if (alive_ > 0) {
    --alive_;
    feed_requantizer(in);  // uses the parameter registers of this cycle, before load_parameters() assigns them
    collect(in);
    load_parameters(in);
    sum_taps(in);
  } else {
    out_.completion.done = false;
  }
  if (pending_) {
    pending_ = false;
    begin(v_);
  }
  if (issuing_) issue();

  if (in.command.valid) {
    if (issuing_ || alive_ > 0) throw InternalError("vector_unit: started while it is at work");
    v_ = isa::decode_vector(*in.command.word);
    pending_ = true;
  }
}

// ---- Issue: one parameter read or step per cycle ----

void VectorUnitBeat::begin(const isa::Vector& v) {
  tags_.fill(Tag{});
  issuing_ = true;
  block_ = 0;
  parameter_at_ = static_cast<std::uint32_t>(v.param_base);
  table_left_ = v.table ? table_words_ : 0;
  parameter_index_ = 0;
  parameters_left_ = table_left_;
  reads_ = isa::reads(v.opcode);
  own_sets_ = reads_.shared == Sharing::Never || (reads_.shared == Sharing::May && !v.param_shared);
  if (!own_sets_) parameters_left_ += reads_.sets * SetWords;
  begin_block();
}

void VectorUnitBeat::begin_block() {
  z_ = oy_ = ox_ = slice_ = ky_ = kx_ = phase_ = 0;
  pixel_ = 0;
  if (own_sets_) parameters_left_ += reads_.sets * SetWords;
}

void VectorUnitBeat::issue() {
  alive_ = (reads_.twice() ? AddWriteStage : WriteStage) + 1;
  if (parameters_left_ > 0) {
    issue_parameter();
  } else {
    issue_step();
  }
}

void VectorUnitBeat::issue_parameter() {
  --parameters_left_;
  Tag& t = tag(0);
  t.kind = table_left_ > 0 ? Tag::Kind::Table : Tag::Kind::Set;
  t.index = parameter_index_++;
  if (table_left_ > 0 && --table_left_ == 0) parameter_index_ = 0;
  out_.param = {true, parameter_at_++};
}

// Whether the word of the current tap lies inside the source; if so it is read.
bool VectorUnitBeat::read_source(std::int64_t base) {
  const int y = v_.origin_y + oy_ * v_.stride_y + ky_ * v_.dilation_y;
  const int x = v_.origin_x + ox_ * v_.stride_x + kx_ * v_.dilation_x;
  if (y < 0 || y >= v_.src_height || x < 0 || x >= v_.src_width) return false;
  const std::int64_t address = base + std::int64_t{block_} * v_.block_step + std::int64_t{z_} * v_.plane_words +
                               (std::int64_t{y} * v_.src_width + x) * v_.pixel_words;
  out_.vector_read = {true, static_cast<std::uint32_t>(address)};
  return true;
}

void VectorUnitBeat::issue_step() {
  Tag& t = tag(0);
  t = Tag{};
  t.kind = Tag::Kind::Step;
  t.slice = slice_;
  t.destination = static_cast<std::uint32_t>(v_.dst_base + pixel_ * v_.dst_pixel_step +
                                             std::int64_t{block_} * v_.dst_block_step);
  if (reads_.sources == 0) {
    const std::int64_t pixels = std::int64_t{v_.out_planes} * v_.out_height * v_.out_width;
    out_.accumulator = {true, static_cast<std::uint32_t>(v_.src0_base + block_ * pixels + pixel_)};
    t.inside = t.first_tap = true;
  } else if (reads_.sources == 2) {
    t.phase = static_cast<std::uint8_t>(phase_);
    if (phase_ < reads_.sources) t.inside = read_source(phase_ == 0 ? v_.src0_base : v_.src1_base);
    t.first_tap = true;
  } else {
    t.inside = read_source(v_.src0_base);
    t.first_tap = ky_ == 0 && kx_ == 0;
    if (v_.opcode == isa::Opcode::Depthwise) {
      out_.param = {true, parameter_at_ + static_cast<std::uint32_t>(ky_ * v_.kernel_w + kx_)};
    }
  }

  t.last_tap = next_tap();
  if (!t.last_tap) return;
  if (++slice_ < slices_) return;
  slice_ = 0;
  t.word_complete = true;
  if (!next_pixel()) return;
  if (v_.opcode == isa::Opcode::Depthwise) parameter_at_ += static_cast<std::uint32_t>(v_.kernel_h * v_.kernel_w);
  parameter_index_ = 0;
  if (++block_ < v_.blocks) {
    begin_block();
  } else {
    t.last = true;
    issuing_ = false;
  }
}

// True if that was the last tap.
bool VectorUnitBeat::next_tap() {
  if (reads_.steps > 0) {
    if (++phase_ < reads_.steps) return false;
    phase_ = 0;
    return true;
  }
  if (++kx_ < v_.kernel_w) return false;
  kx_ = 0;
  if (++ky_ < v_.kernel_h) return false;
  ky_ = 0;
  return true;
}

// True if that was the last pixel.
bool VectorUnitBeat::next_pixel() {
  ++pixel_;
  if (++ox_ < v_.out_width) return false;
  ox_ = 0;
  if (++oy_ < v_.out_height) return false;
  oy_ = 0;
  return ++z_ == v_.out_planes;
}

// ---- The pipeline ----

void VectorUnitBeat::load_parameters(const VectorUnitIn& in) {
  const auto is_parameter = [](const Tag& t) { return t.kind == Tag::Kind::Table || t.kind == Tag::Kind::Set; };
  const auto line = [this](const Tag& t) { return parameter_line_.data() + (&t - tags_.data()) * columns_; };
  const auto size = static_cast<std::size_t>(columns_);
  const Tag& read = tag(ReadStage);
  if (is_parameter(read)) std::memcpy(line(read), in.param, size);
  const Tag& enter = tag(ParameterStage);
  if (is_parameter(enter)) {
    auto& registers = enter.kind == Tag::Kind::Table ? table_ : sets_;
    std::memcpy(registers.data() + enter.index * columns_, line(enter), size);
  }
}

// Stages +2 to +4, of which nothing is visible outside, at once; values() waits for the stage after.
void VectorUnitBeat::sum_taps(const VectorUnitIn& in) {
  const Tag& t = tag(ReadStage);
  if (t.kind != Tag::Kind::Step) return;
  const int first = t.slice * lanes_;
  const int count = lanes_in(t.slice);
  const std::uint8_t* source = in.vector + (t.inside ? first : 0);
  const auto of_pair = [&](int i) -> std::int32_t {  // the value of the phase's source, without its zero point
    if (!t.inside) return 0;
    return t.phase == 0 ? extend(source[i], v_.src0_unsigned != 0) - v_.src0_zero : extend(source[i], v_.src1_unsigned != 0) - v_.src1_zero;
  };
  switch (v_.opcode) {
    case isa::Opcode::Requantize:
      for (int i = 0; i < count; ++i) sums_[static_cast<std::size_t>(i)] = word32(in.accumulator + 4 * (first + i));
      break;
    case isa::Opcode::Add: case isa::Opcode::Sub:
      if (t.phase == AddSteps - 1) return;
      for (int i = 0; i < count; ++i) sums_[static_cast<std::size_t>(i)] = of_pair(i) * (std::int32_t{1} << numerics::AddLeftShift);
      break;
    case isa::Opcode::Mul:
      for (int i = 0; i < count; ++i) {
        auto& product = sums_[static_cast<std::size_t>(i)];
        product = t.phase == 0 ? of_pair(i) : product * of_pair(i);
      }
      break;
    case isa::Opcode::PoolMax: {
      // The comparison begins with the first tap inside; without any the result is 0.
      if (t.first_tap) std::fill(sums_.begin(), sums_.end(), INT32_MIN);
      if (t.inside) {
        for (int i = 0; i < count; ++i) {
          auto& sum = sums_[static_cast<std::size_t>(i)];
          sum = std::max(sum, extend(source[i], v_.src0_unsigned != 0));
        }
      }
      break;
    }
    default: {  // pool_sum, depthwise
      if (t.first_tap) std::fill(sums_.begin(), sums_.end(), 0);
      if (!t.inside) break;
      const std::uint8_t* weight = v_.opcode == isa::Opcode::Depthwise ? in.param + first : nullptr;
      for (int i = 0; i < count; ++i) {
        const std::int32_t value = extend(source[i], v_.src0_unsigned != 0) - v_.src0_zero;
        const std::int32_t factor = weight ? extend(weight[i], v_.weight_unsigned != 0) - v_.weight_zero : 1;
        auto& sum = sums_[static_cast<std::size_t>(i)];
        sum = numerics::wrap_add(sum, value * factor);
      }
    }
  }
  if (t.last_tap || reads_.twice()) std::copy(sums_.begin(), sums_.end(), values(t));
}

void VectorUnitBeat::feed_requantizer(const VectorUnitIn& in) {
  out_.requantizer.valid = false;
  const Tag& t = tag(FeedStage);
  if (v_.opcode == isa::Opcode::PoolMax) return;
  if (!reads_.twice()) {
    if (t.kind == Tag::Kind::Step && t.last_tap) send(t, 0, values(t));
    return;
  }
  if (t.kind == Tag::Kind::Step && t.phase < AddSteps - 1) send(t, t.phase, values(t));
  const Tag& third = tag(AddFeedStage);
  if (third.kind == Tag::Kind::Step && third.phase == AddSteps - 1) {
    std::int32_t* sum = values(third);
    for (int i = 0; i < lanes_; ++i) {
      const std::int32_t first = first_result_[static_cast<std::size_t>(i)], second = in.requantizer.y[i];
      sum[i] = v_.opcode == isa::Opcode::Sub ? numerics::wrap_subtract(first, second) : numerics::wrap_add(first, second);
    }
    send(third, AddSets - 1, sum);
  }
}

// Bias, and the row's registers at the requantizer.
void VectorUnitBeat::send(const Tag& t, int set, const std::int32_t* x) {
  if (out_.requantizer.valid) throw InternalError("vector_unit: two rows for the requantizer in one cycle");
  send_turn_ ^= 1;
  const auto turn = static_cast<std::size_t>(send_turn_);
  const std::uint8_t* biases = sets_.data() + static_cast<std::ptrdiff_t>(set) * SetWords * columns_;
  const std::uint8_t* multipliers = biases + 4 * columns_;
  const std::uint8_t* shifts = multipliers + 4 * columns_;
  const int first = t.slice * lanes_;
  const int count = lanes_in(t.slice);
  for (int i = 0; i < lanes_; ++i) {
    const auto lane = static_cast<std::size_t>(i);
    const int c = first + i;
    const bool used = i < count;
    x_[turn][lane] = used ? numerics::wrap_add(x[i], word32(biases + 4 * c)) : 0;
    multiplier_[turn][lane] = used ? word32(multipliers + 4 * c) : 0;
    shift_[turn][lane] = used ? numerics::sign_extend_shift(shifts[c]) : 0;
  }
  out_.requantizer = {true, static_cast<isa::Rounding>(v_.rounding), x_[turn].data(), multiplier_[turn].data(),
                      shift_[turn].data()};
}

// Stages behind the requantizer: zero point, clamp and table (at once), and the write register.
void VectorUnitBeat::collect(const VectorUnitIn& in) {
  const bool add = reads_.twice();
  const Tag& result = tag(add ? AddResultStage : ResultStage);
  if (result.kind == Tag::Kind::Step && result.last_tap) {
    std::int32_t* y = values(result);
    const int count = lanes_in(result.slice);
    if (v_.opcode == isa::Opcode::PoolMax) {
      for (int i = 0; i < count; ++i) {
        y[i] = numerics::finish(y[i] == INT32_MIN ? 0 : y[i], 0, v_.clamp_min, v_.clamp_max);
      }
    } else {
      if (!in.requantizer.valid) throw InternalError("vector_unit: the requantizer has not kept its latency");
      for (int i = 0; i < count; ++i) {
        y[i] = numerics::finish(in.requantizer.y[i], v_.dst_zero, v_.clamp_min, v_.clamp_max);
      }
    }
    for (int i = 0; i < count; ++i) {
      const auto byte = static_cast<std::uint8_t>(y[i]);
      y[i] = v_.table ? table_[byte] : byte;
    }
  }
  if (add) {
    const Tag& first = tag(ResultStage);
    if (first.kind == Tag::Kind::Step && first.phase == 0) {
      std::copy(in.requantizer.y, in.requantizer.y + lanes_, first_result_.begin());
    }
  }

  out_.vector_write.enable = false;
  const Tag& write = tag(add ? AddWriteStage : WriteStage);
  if (write.kind == Tag::Kind::Step && write.last_tap) {
    auto& word = word_[static_cast<std::size_t>(word_turn_)];
    const std::int32_t* y = values(write);
    const int first = write.slice * lanes_;
    for (int i = 0; i < lanes_in(write.slice); ++i) word[static_cast<std::size_t>(first + i)] = static_cast<std::uint8_t>(y[i]);
    if (write.word_complete) {
      out_.vector_write = {true, write.destination, word.data()};
      word_turn_ ^= 1;
    }
  }
  const Tag& finishing = tag((add ? AddWriteStage : WriteStage) + 1);
  out_.completion.done = finishing.kind == Tag::Kind::Step && finishing.last;
}

}  // namespace gemel
