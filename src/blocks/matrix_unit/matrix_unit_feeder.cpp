// SPDX-License-Identifier: Apache-2.0
#include "blocks/matrix_unit/matrix_unit_feeder.hpp"

#include <algorithm>
#include <cstring>

namespace gemel {
namespace {

constexpr Cycle ReadToArray = 2;  // a word read at t is on the array's wires at t + 2

struct OtherTime {};  // sums come earlier or later than they must

// Numbers of 9 bits: what the unit makes of the bytes of a word.
void remove_zero(const std::uint8_t* bytes, bool is_unsigned, int zero, std::vector<std::int16_t>& row) {
  const std::uint8_t flip = is_unsigned ? 0 : 0x80;  // two's complement as excess 128
  const int offset = is_unsigned ? zero : zero + 128;
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = static_cast<std::int16_t>((bytes[i] ^ flip) - offset);
}

}  // namespace

MatrixUnitFeeder::MatrixUnitFeeder(const Machine& machine, Clocked<PeArrayIn, PeArrayOut>& array, Scratchpad& activation, Scratchpad& weight,
                                   Scratchpad& accumulator)
    : array_(array),
      activation_(activation),
      weight_(weight),
      accumulator_(reinterpret_cast<std::int32_t*>(accumulator.data())),
      rows_(machine.rows),
      columns_(machine.columns),
      weights_(static_cast<std::size_t>(columns_)),
      activations_(static_cast<std::size_t>(rows_)) {}

void MatrixUnitFeeder::reset(Cycle first) {
  array_.reset();
  now_ = first;
}

void MatrixUnitFeeder::enqueue(const isa::Matrix& m, Cycle first_weight, Cycle first_pass, Cycle interval) {
  Job job;
  job.m = m;
  job.pixels = matrix_pixels(m);
  job.passes = matrix_passes(m);
  job.first_weight = first_weight;
  job.first_pass = first_pass;
  job.interval = interval;
  jobs_.push_back(job);
  if (load_at_ == Never) begin_load();
  if (row_at_ == Never) begin_pass();
}

void MatrixUnitFeeder::begin_load() {
  if (load_job_ == jobs_.size()) {
    load_at_ = Never;
    return;
  }
  const Job& job = jobs_[load_job_];
  load_row_ = rows_ - 1;
  load_at_ = ReadToArray + (load_ == 0 ? job.first_weight : job.first_pass + (load_ - 1) * job.interval);
}

void MatrixUnitFeeder::begin_pass() {
  if (jobs_.empty()) {
    row_at_ = Never;
    return;
  }
  const Job& job = jobs_.front();
  if (pass_ == 0) {
    ky_ = kx_ = cb_ = n_ = 0;
  } else if (++cb_ == job.m.cin_blocks) {  // pass order: n, ky, kx, cb
    cb_ = 0;
    if (++kx_ == job.m.kernel_w) {
      kx_ = 0;
      if (++ky_ == job.m.kernel_h) {
        ky_ = 0;
        ++n_;
      }
    }
  }
  z_ = oy_ = ox_ = 0;
  row_ = 0;
  row_accumulator_ = static_cast<std::uint32_t>(job.m.acc_base + n_ * job.pixels);
  row_at_ = ReadToArray + job.first_pass + pass_ * job.interval;
}

void MatrixUnitFeeder::put_weights(PeArrayIn& in) {
  const Job& job = jobs_[load_job_];
  in.weight_valid = true;
  in.weight = weights_.data();
  remove_zero(weight_.word(job.m.weight_base + load_ * rows_ + load_row_), job.m.weight_unsigned != 0, job.m.weight_zero, weights_);
  ++load_at_;
  if (load_row_-- > 0) return;
  if (++load_ == job.passes) {
    load_ = 0;
    ++load_job_;
  }
  begin_load();
}

void MatrixUnitFeeder::put_activations(PeArrayIn& in) {
  const Job& job = jobs_.front();
  const isa::Matrix& m = job.m;
  in.activation_valid = true;
  in.activation_switch = row_ == 0;
  in.activation = activations_.data();
  const int y = m.origin_y + oy_ * m.stride_y + ky_ * m.dilation_y;
  const int x = m.origin_x + ox_ * m.stride_x + kx_ * m.dilation_x;
  if (y < 0 || y >= m.act_height || x < 0 || x >= m.act_width) {
    std::fill(activations_.begin(), activations_.end(), std::int16_t{0});
  } else {
    const std::int64_t address = m.act_base + std::int64_t{z_} * m.plane_words + (std::int64_t{y} * m.act_width + x) * m.pixel_words + cb_ +
                                 std::int64_t{n_} * m.act_block_step;
    remove_zero(activation_.word(address), m.act_unsigned != 0, m.act_zero, activations_);
  }
  due_.push_back({row_at_ + rows_ + columns_ - 1, row_accumulator_++, ky_ == 0 && kx_ == 0 && cb_ == 0 && !m.accumulate});
  ++row_at_;
  if (++ox_ == m.out_width) {
    ox_ = 0;
    if (++oy_ == m.out_height) {
      oy_ = 0;
      ++z_;
    }
  }
  if (++row_ < job.pixels) return;
  if (++pass_ == job.passes) {
    pass_ = 0;
    jobs_.pop_front();
    --load_job_;  // weights enter before activations
  }
  begin_pass();
}

void MatrixUnitFeeder::take_sums(const PeArrayOut& out) {
  const Due due = due_.front();
  due_.pop_front();
  std::int32_t* words = accumulator_ + std::int64_t{due.accumulator} * columns_;
  if (due.overwrite) {
    std::memcpy(words, out.sums, static_cast<std::size_t>(columns_) * sizeof *words);
    return;
  }
  for (int c = 0; c < columns_; ++c) {  // sums wrap: 32 bits, two's complement
    words[c] = static_cast<std::int32_t>(static_cast<std::uint32_t>(words[c]) + static_cast<std::uint32_t>(out.sums[c]));
  }
}

void MatrixUnitFeeder::clock_through(Cycle last) {
  while (now_ <= last) {
    PeArrayIn in;
    if (now_ == load_at_) put_weights(in);
    if (now_ == row_at_) put_activations(in);
    if (!in.weight_valid && !in.activation_valid && due_.empty() && array_.quiet()) {  // a clock would change nothing
      now_ = std::min({load_at_, row_at_, last + 1});
      continue;
    }
    array_.step(in);
    ++now_;
    const PeArrayOut& out = array_.out();
    if (out.valid != (!due_.empty() && due_.front().at == now_)) throw OtherTime{};
    if (out.valid) take_sums(out);
  }
}

bool MatrixUnitFeeder::run_through(Cycle last) {
  if (failed_) return false;
  try {
    clock_through(last);
  } catch (...) {  // whoever asked for a fast run has a slow one to find out what it was
    failed_ = true;
  }
  return !failed_;
}

}  // namespace gemel
