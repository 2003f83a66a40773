// SPDX-License-Identifier: Apache-2.0
// store_dma, beat model; see store_dma_beat.hpp. The parts are clocked so that each sees the registers of the cycle before,
// except that a burst accepted in this cycle may be taken by the sender at once.
#include "blocks/store_dma/store_dma_beat.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"

namespace gemel {

StoreDmaBeat::StoreDmaBeat(const Machine& machine)
    : machine_(machine),
      burst_bytes_(static_cast<std::uint64_t>(machine.burst_bytes)),
      bus_bytes_(static_cast<std::uint64_t>(machine.bus_bytes)),
      places_(machine.store_outstanding + (machine.columns + machine.burst_bytes - 1) / machine.burst_bytes),
      ring_(static_cast<std::size_t>(places_) * burst_bytes_),
      cutter_(machine.burst_bytes) {
  while ((std::uint64_t{1} << burst_shift_) < burst_bytes_) ++burst_shift_;
  for (auto& b : beat_) b.resize(bus_bytes_);
  reset();
}

void StoreDmaBeat::reset() {
  inside_ = 0;
  reading_ = false;
  run_first_burst_ = 0;
  chain_next_ = false;
  tags_ = {};
  whole_ = freed_ = requested_ = answered_ = 0;
  waiting_.clear();
  cutter_ = BurstCutter(machine_.burst_bytes);
  request_last_ = false;
  accepted_.clear();
  sending_ = false;
  sent_burst_ = -1;
  unanswered_.clear();
  failed_ = false;
  changed_ = false;
  out_ = {};
  out_.completion.status = UnitStatus::WaitWrite;
}

void StoreDmaBeat::step(const StoreDmaIn& in) {
  const bool visible = out_.completion.chain || out_.completion.done || out_.vector.enable || out_.memory.data_valid;
  changed_ = visible || in.command.valid || in.memory.valid || tags_[0].valid || tags_[1].valid;
  if (!changed_ && idle()) return;

  const UnitStatus before = out_.completion.status;
  const bool last_beat = out_.memory.data_valid && out_.memory.data_last && in.memory.data_ready;
  request(in.memory);  // sets the status of a request that waits, which the next two overrule
  if (!out_.memory.data_valid || in.memory.data_ready) send();
  fill_ring(in.vector);
  read_word();
  answer(in.memory);
  if (last_beat) ++freed_;
  if (in.command.valid) accept_command(in.command);
  changed_ = changed_ || out_.completion.status != before;
}

void StoreDmaBeat::accept_command(const CommandWires& command) {
  if (reading_ || inside_ == 2) throw InternalError("store_dma: started before it has given up its place");
  job_ = isa::decode_store(*command.word);
  reading_ = true;
  run1_left_ = job_.count1;
  run2_left_ = job_.count2;
  row_address_ = run_address_ = job_.address;
  at_ = 0;
  group_end_ = std::min(job_.group_bytes, job_.run_bytes);
  word_address_ = static_cast<std::uint32_t>(job_.word_base);
  waiting_.push_back(job_);
  ++inside_;
}

// ---- Answers ----

void StoreDmaBeat::answer(const WriteResponseWires& memory) {
  out_.completion.done = out_.completion.error = false;
  if (!memory.valid) return;
  if (unanswered_.empty()) throw InternalError("store_dma: a write response that nobody has asked for");
  ++answered_;
  failed_ = failed_ || memory.error;
  if (unanswered_.front()) {
    out_.completion.done = true;
    out_.completion.error = failed_;
    failed_ = false;
    --inside_;
  }
  unanswered_.pop_front();
}

// ---- Requester ----

void StoreDmaBeat::request(const WriteResponseWires& memory) {
  WriteRequestWires& aw = out_.memory;
  out_.completion.status = UnitStatus::WaitWrite;
  if (aw.valid) {
    if (!memory.request_ready) {
      out_.completion.status = UnitStatus::WaitRequest;
      return;
    }
    accepted_.push_back({aw.address, aw.bytes});
    aw.valid = false;
    changed_ = true;
  }
  if (requested_ == whole_ || requested_ - answered_ >= machine_.store_outstanding) return;
  if (!cutter_.any()) {
    const isa::Store& s = waiting_.front();
    cutter_.start(s.address, s.run_bytes, s.count1, s.stride1, s.count2, s.stride2);
    waiting_.pop_front();
  }
  aw.valid = true;
  aw.address = cutter_.next().address;
  aw.bytes = cutter_.next().bytes;
  unanswered_.push_back(cutter_.next().last);
  cutter_.advance();
  ++requested_;
  changed_ = true;
}

// ---- Sender ----

void StoreDmaBeat::send() {
  WriteRequestWires& w = out_.memory;
  w.data_valid = false;
  if (!sending_) {
    if (accepted_.empty()) return;
    sent_ = accepted_.front();
    accepted_.pop_front();
    sending_ = true;
    ++sent_burst_;
    beat_at_ = sent_.address & (burst_bytes_ - 1) & ~(bus_bytes_ - 1);
  }
  const std::uint64_t first = sent_.address & (burst_bytes_ - 1);
  const std::uint64_t end = first + sent_.bytes;
  const std::uint64_t from = std::max(first, beat_at_), to = std::min(end, beat_at_ + bus_bytes_);
  const std::uint8_t* place = ring_.data() + static_cast<std::uint64_t>(sent_burst_ % places_) * burst_bytes_;
  turn_ ^= 1;
  auto& beat = beat_[static_cast<std::size_t>(turn_)];
  std::fill(beat.begin(), beat.end(), std::uint8_t{0});
  std::memcpy(beat.data() + (from - beat_at_), place + from, to - from);
  w.data_valid = true;
  w.data_last = to == end;
  w.strobe_first = static_cast<std::uint8_t>(from - beat_at_);
  w.strobe_end = static_cast<std::uint8_t>(to - beat_at_);
  w.data = beat.data();
  out_.completion.status = UnitStatus::Busy;
  beat_at_ += bus_bytes_;
  sending_ = !w.data_last;
  changed_ = true;
}

// ---- Reader and ring ----

void StoreDmaBeat::fill_ring(const std::uint8_t* data) {
  const WordTag& word = tags_[1];
  if (word.valid) {
    std::uint64_t address = word.address;
    std::int64_t burst = word.burst;
    for (int left = word.bytes; left > 0;) {
      const std::uint64_t offset = address & (burst_bytes_ - 1);
      const int count = static_cast<int>(std::min<std::uint64_t>(static_cast<std::uint64_t>(left), burst_bytes_ - offset));
      std::memcpy(ring_.data() + static_cast<std::uint64_t>(burst % places_) * burst_bytes_ + offset, data,
                  static_cast<std::size_t>(count));
      data += count;
      address += static_cast<std::uint64_t>(count);
      left -= count;
      ++burst;
    }
    whole_ = word.whole_after;
  }
  tags_[1] = tags_[0];
  tags_[0].valid = false;
}

void StoreDmaBeat::read_word() {
  out_.completion.chain = chain_next_;
  chain_next_ = false;
  out_.vector.enable = false;
  if (!reading_) return;
  const std::int64_t end = std::min(at_ + machine_.columns, group_end_);
  const auto burst_of = [this](std::int64_t offset) {
    const std::uint64_t address = run_address_ + static_cast<std::uint64_t>(offset);
    return run_first_burst_ + static_cast<std::int64_t>((address >> burst_shift_) - (run_address_ >> burst_shift_));
  };
  if (burst_of(end - 1) - freed_ >= places_) return;

  out_.vector = {true, word_address_++};
  out_.completion.status = UnitStatus::Busy;
  changed_ = true;
  tags_[0] = {true, run_address_ + static_cast<std::uint64_t>(at_), burst_of(at_), static_cast<int>(end - at_), burst_of(end)};
  at_ = end;
  if (at_ < group_end_) return;
  group_end_ = std::min(group_end_ + job_.group_bytes, std::int64_t{job_.run_bytes});  // the last group may be short
  if (at_ < job_.run_bytes) return;

  // The run's last burst is whole even if it does not reach the next boundary.
  tags_[0].whole_after = run_first_burst_ = burst_of(job_.run_bytes - 1) + 1;
  at_ = 0;
  group_end_ = std::min(job_.group_bytes, job_.run_bytes);
  run_address_ += job_.stride1;
  if (--run1_left_ > 0) return;
  run1_left_ = job_.count1;
  row_address_ += job_.stride2;
  run_address_ = row_address_;
  if (--run2_left_ > 0) return;
  reading_ = false;
  chain_next_ = true;
}

}  // namespace gemel
