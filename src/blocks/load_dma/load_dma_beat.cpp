// SPDX-License-Identifier: Apache-2.0
// load_dma, beat model; see load_dma_beat.hpp. The parts are clocked so that each sees the registers of the cycle before:
// requester, then writer, then ring, then the command.
#include "blocks/load_dma/load_dma_beat.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"

namespace gemel {

LoadDmaBeat::LoadDmaBeat(const Machine& machine)
    : machine_(machine),
      burst_bytes_(static_cast<std::uint64_t>(machine.burst_bytes)),
      bus_bytes_(static_cast<std::uint64_t>(machine.bus_bytes)),
      places_(machine.load_outstanding +
              (std::max(machine.rows, machine.columns) + machine.burst_bytes - 1) / machine.burst_bytes),
      cutter_(machine.burst_bytes),
      ring_(static_cast<std::size_t>(places_) * burst_bytes_) {
  while ((std::uint64_t{1} << burst_shift_) < burst_bytes_) ++burst_shift_;
  for (auto& w : word_) w.resize(static_cast<std::size_t>(std::max(machine.rows, machine.columns)));
  reset();
}

void LoadDmaBeat::reset() {
  cutter_ = BurstCutter(machine_.burst_bytes);
  request_last_ = false;
  issued_ = answered_ = drained_ = 0;
  next_parity_ = inside_ = 0;
  unanswered_.clear();
  in_burst_ = false;
  received_to_ = 0;
  failed_ = {};
  waiting_.clear();
  writing_ = false;
  run_first_burst_ = 0;
  done_next_ = false;
  changed_ = false;
  out_ = {};
  out_.completion.status = UnitStatus::WaitData;
}

void LoadDmaBeat::step(const LoadDmaIn& in) {
  const bool visible = out_.completion.chain || out_.completion.done || out_.write.enable || done_next_;
  changed_ = visible || in.command.valid || in.memory.valid;
  if (!changed_ && inside_ == 0) return;

  const UnitStatus before = out_.completion.status;
  request(in);
  write_word();
  if (in.memory.valid) receive(in);
  if (in.command.valid) accept_command(in.command);
  changed_ = changed_ || out_.completion.status != before;
}

void LoadDmaBeat::accept_command(const CommandWires& command) {
  if (cutter_.any() || inside_ == 2) throw InternalError("load_dma: started before it has given up its place");
  Job job;
  job.load = isa::decode_load(*command.word);
  const isa::Load& l = job.load;
  job.window_mode = l.window_count > 0;
  job.word_bytes = machine_.word_bytes(static_cast<Buffer>(l.buffer));
  const std::int64_t windows_end = l.window_offset + std::int64_t{l.window_count - 1} * l.window_step + l.window_bytes;
  job.run_bytes = job.window_mode ? std::min<std::int64_t>(l.run_bytes, windows_end) : l.run_bytes;
  job.parity = next_parity_;
  next_parity_ ^= 1;
  failed_[static_cast<std::size_t>(job.parity)] = false;
  cutter_.start(l.address, job.run_bytes, l.count1, l.stride1, l.count2, l.stride2);
  request_job_ = job;
  waiting_.push_back(job);
  ++inside_;
}

// ---- Requester ----

void LoadDmaBeat::request(const LoadDmaIn& in) {
  ReadRequestWires& ar = out_.memory;
  const bool accepted = ar.valid && in.memory.request_ready;
  out_.completion.chain = accepted && request_last_;
  const bool stays = ar.valid && !accepted;
  out_.completion.status = stays ? UnitStatus::WaitRequest : UnitStatus::WaitData;
  if (stays) return;
  changed_ = changed_ || accepted;
  ar.valid = cutter_.any() && issued_ - answered_ < machine_.load_outstanding && issued_ - drained_ < places_;
  if (!ar.valid) return;
  changed_ = true;
  ar.address = cutter_.next().address;
  ar.bytes = cutter_.next().bytes;
  request_last_ = cutter_.next().last;
  unanswered_.push_back({ar.address, ar.bytes, request_job_.parity});
  cutter_.advance();
  ++issued_;
}

// ---- Ring ----

void LoadDmaBeat::receive(const LoadDmaIn& in) {
  if (unanswered_.empty()) throw InternalError("load_dma: a read beat that nobody has asked for");
  const Unanswered& burst = unanswered_.front();
  if (!in_burst_) {
    beat_at_ = burst.address & (burst_bytes_ - 1) & ~(bus_bytes_ - 1);
    in_burst_ = true;
  }
  std::uint8_t* place = ring_.data() + static_cast<std::uint64_t>(answered_ % places_) * burst_bytes_;
  if (in.memory.error) {
    std::memset(place + beat_at_, 0, bus_bytes_);
    failed_[static_cast<std::size_t>(burst.parity)] = true;
  } else {
    std::memcpy(place + beat_at_, in.memory.data, bus_bytes_);
  }
  beat_at_ += bus_bytes_;
  received_to_ = beat_at_;
  const bool complete = beat_at_ > ((burst.address + burst.bytes - 1) & (burst_bytes_ - 1));
  if (complete != in.memory.last) throw InternalError("load_dma: a read burst of the wrong length");
  if (!complete) return;
  unanswered_.pop_front();
  in_burst_ = false;
  received_to_ = 0;
  ++answered_;
}

std::int64_t LoadDmaBeat::burst_of(std::int64_t run_offset) const {
  const std::uint64_t address = run_address_ + static_cast<std::uint64_t>(run_offset);
  return run_first_burst_ + static_cast<std::int64_t>((address >> burst_shift_) - (run_address_ >> burst_shift_));
}

bool LoadDmaBeat::arrived(std::int64_t run_offset) const {
  const std::int64_t burst = burst_of(run_offset);
  if (burst != answered_) return burst < answered_;
  return ((run_address_ + static_cast<std::uint64_t>(run_offset)) & (burst_bytes_ - 1)) < received_to_;
}

void LoadDmaBeat::copy_from_ring(std::int64_t first, std::int64_t end, std::uint8_t* to) const {
  while (first < end) {
    const std::uint64_t offset = (run_address_ + static_cast<std::uint64_t>(first)) & (burst_bytes_ - 1);
    const auto count = std::min<std::int64_t>(end - first, static_cast<std::int64_t>(burst_bytes_ - offset));
    const std::uint8_t* place = ring_.data() + static_cast<std::uint64_t>(burst_of(first) % places_) * burst_bytes_;
    std::memcpy(to, place + offset, static_cast<std::size_t>(count));
    to += count;
    first += count;
  }
}

// ---- Writer ----

void LoadDmaBeat::begin_writing() {
  job_ = waiting_.front();
  waiting_.pop_front();
  writing_ = true;
  changed_ = true;
  run1_left_ = job_.load.count1;
  run2_left_ = job_.load.count2;
  row_address_ = run_address_ = job_.load.address;
  word_address_ = static_cast<std::uint32_t>(job_.load.word_base);
  begin_run();
}

void LoadDmaBeat::begin_run() {
  group_ = 0;
  if (job_.window_mode) {
    group_first_ = job_.load.window_offset;
    group_end_ = group_first_ + job_.load.window_bytes;
  } else {
    group_first_ = 0;
    group_end_ = std::min<std::int64_t>(job_.load.group_bytes, job_.run_bytes);
  }
  at_ = group_first_;
}

LoadDmaBeat::WordSpan LoadDmaBeat::next_word() const {
  return {at_, std::min(at_ + job_.word_bytes, group_end_)};
}

void LoadDmaBeat::write_word() {
  out_.completion.done = done_next_;
  out_.completion.error = done_next_ && done_failed_;
  done_next_ = false;
  out_.write.enable = false;
  if (out_.completion.done) --inside_;
  if (!writing_) {
    if (!waiting_.empty()) begin_writing();
    return;
  }

  const WordSpan word = next_word();
  const std::int64_t memory_first = std::max<std::int64_t>(word.first, 0);
  const std::int64_t memory_end = std::min<std::int64_t>(word.end, job_.load.run_bytes);
  const bool has_memory = memory_first < memory_end;
  if (has_memory && !arrived(memory_end - 1)) return;

  turn_ ^= 1;
  auto& data = word_[static_cast<std::size_t>(turn_)];
  std::fill(data.begin(), data.end(), std::uint8_t{0});
  if (job_.window_mode) {
    std::fill(data.begin(), data.begin() + (word.end - word.first), static_cast<std::uint8_t>(job_.load.fill));
  }
  if (has_memory) copy_from_ring(memory_first, memory_end, data.data() + (memory_first - word.first));
  out_.write = {true, word_address_++, data.data()};
  out_.buffer = static_cast<Buffer>(job_.load.buffer);
  out_.completion.status = UnitStatus::Busy;
  changed_ = true;

  at_ = word.end;
  if (at_ == group_end_) {
    next_group();
  } else if (!job_.window_mode) {
    drained_ = burst_of(at_);  // a window's bytes stay until its last word
  }
}

void LoadDmaBeat::next_group() {
  const std::int64_t step = job_.window_mode ? job_.load.window_step : job_.load.group_bytes;
  ++group_;
  const bool run_ends = job_.window_mode ? group_ == job_.load.window_count : group_end_ == job_.load.run_bytes;
  if (run_ends) {
    next_run();
    return;
  }
  group_first_ += step;
  group_end_ += step;
  if (!job_.window_mode) group_end_ = std::min(group_end_, job_.run_bytes);  // the last group may be short
  at_ = group_first_;
  const std::int64_t needed = std::max<std::int64_t>(at_, 0);
  drained_ = needed < job_.run_bytes ? burst_of(needed) : burst_of(job_.run_bytes - 1) + 1;
}

void LoadDmaBeat::next_run() {
  drained_ = run_first_burst_ = burst_of(job_.run_bytes - 1) + 1;
  run_address_ += job_.load.stride1;
  if (--run1_left_ == 0) {
    run1_left_ = job_.load.count1;
    row_address_ += job_.load.stride2;
    run_address_ = row_address_;
    if (--run2_left_ == 0) {
      writing_ = false;
      done_next_ = true;
      done_failed_ = failed_[static_cast<std::size_t>(job_.parity)];
      if (!waiting_.empty()) begin_writing();
      return;
    }
  }
  begin_run();
}

}  // namespace gemel
