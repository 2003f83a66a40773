// SPDX-License-Identifier: Apache-2.0
#include "blocks/store_dma/store_dma_model.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/burst_cutter.hpp"

namespace gemel {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

StoreDmaModel::StoreDmaModel(const Machine& machine, CompletionSink& sequencer, WritePort& memory, const WriteStalls& stalls,
                             Scratchpad* vector)
    : machine_(machine),
      sequencer_(sequencer),
      memory_(memory),
      stalls_(stalls),
      vector_(vector),
      burst_mask_(static_cast<std::uint64_t>(machine.burst_bytes) - 1),
      outstanding_(machine.store_outstanding, machine.memory_queue) {
  sent_.push(LongAgo, 0, machine.store_outstanding + ceil_div(machine.columns, machine.burst_bytes));  // F slots
}

void StoreDmaModel::start(const isa::Instruction& instruction, Cycle s) {
  const isa::Store& store = instruction.store;
  Job job;
  job.store = &store;
  job.s = s;
  job.runs = std::int64_t{store.count1} * store.count2;
  job.run_address = job.row_address = store.address;
  job.left_in_row = store.count1;
  job.words_per_group = ceil_div(store.group_bytes, machine_.columns);
  if (vector_ != nullptr) {
    const std::uint8_t* words = vector_->word(store.word_base);
    if (store.group_bytes % machine_.columns == 0 && store.run_bytes % machine_.columns == 0) {
      job.data = words;
    } else {
      job.staging = std::move(spare_staging_);
      job.staging.resize(static_cast<std::size_t>(job.runs * store.run_bytes));
      std::uint8_t* out = job.staging.data();
      for (std::int64_t run = 0; run < job.runs; ++run) {
        for (std::int64_t at = 0; at < store.run_bytes; at += store.group_bytes) {
          const std::int64_t count = std::min(store.group_bytes, store.run_bytes - static_cast<int>(at));
          std::memcpy(out, words, static_cast<std::size_t>(count));
          out += count;
          words += ceil_div(count, machine_.columns) * machine_.columns;
        }
      }
      job.data = job.staging.data();  // stays where it is when the job moves
    }
  }
  jobs_.push_back(std::move(job));
  advance();
}

void StoreDmaModel::advance() {
  if (advancing_) return;
  advancing_ = true;
  do {
    while (read_next_bursts()) {
    }
  } while (request_next_bursts());
  advancing_ = false;
}

// Reads the words that end in the next bursts of one kind, as far as it is known when their slots become free; false: of none.
bool StoreDmaModel::read_next_bursts() {
  if (read_job_ >= jobs_.size() || sent_.empty()) return false;
  Job& job = jobs_[read_job_];
  const isa::Store& store = *job.store;

  Bursts bursts;
  bursts.store = job.store;
  bursts.address = job.run_address + static_cast<std::uint64_t>(job.offset);
  const auto to_boundary = static_cast<std::int64_t>(burst_mask_ + 1 - (bursts.address & burst_mask_));
  bursts.bytes = static_cast<std::uint32_t>(std::min(to_boundary, store.run_bytes - job.offset));
  if (job.data != nullptr) bursts.data = job.data + job.run * store.run_bytes + job.offset;
  const std::int64_t end = job.offset + bursts.bytes, in_group = end % store.group_bytes;
  std::int64_t complete = end / store.group_bytes * job.words_per_group + in_group / machine_.columns;
  bool cut = in_group % machine_.columns != 0;  // its last byte lies inside a word that a later burst completes
  if (cut && end == store.run_bytes) {  // the run's last group is short, and its last word whole for all that is wanted
    cut = false;
    ++complete;
  }

  const std::int64_t words = complete - job.word;
  const bool whole_run = end == store.run_bytes && job.offset == 0;
  const Cycle slot_free = sent_.front() + 2;
  sent_.pop();
  if (words > 0) {
    const Cycle first = std::max({word_ + 1, job.s + 2, slot_free});
    full_.push(first + 2, 0, cut_);  // with the first of these words
    cut_ = 0;
    Steady more;
    if (whole_run) {
      bursts.stride = store.stride1;
      more = lengthen(bursts, first, words, job.left_in_row);
    } else if (!cut && bursts.bytes > burst_mask_ && words * machine_.columns == bursts.bytes && store.group_bytes % machine_.columns == 0) {
      bursts.stride = bursts.bytes;
      more = lengthen(bursts, first, words, (store.run_bytes - job.offset) / bursts.bytes);
    }
    reads_.add(first, first + words - 1, more.period, more.count + 1);
    word_ = first + more.count * more.period + words - 1;
    if (!cut) full_.push(first + words + 1, more.period, more.count + 1);
    complete += more.count * words;
  }
  cut_ += cut ? 1 : 0;
  job.word = complete;
  // Known together or one after the other: they wait together, or what is asked for at once would shrink from answer to answer.
  Bursts* const before = waiting_.empty() ? nullptr : &waiting_.back();
  const bool goes_on = before != nullptr && before->store == bursts.store && before->bytes == bursts.bytes && before->stride == bursts.stride &&
                       before->address + before->count * before->stride == bursts.address;
  if (goes_on) {
    before->count += bursts.count;
  } else {
    waiting_.push_back(bursts);
  }
  bursts_ += bursts.count;
  job.unanswered += bursts.count;
  bytes_ += std::int64_t{bursts.count} * bursts.bytes;
  if (whole_run) {
    job.begin_run(bursts.count);
  } else {
    job.offset += std::int64_t{bursts.count} * bursts.bytes;
    if (job.offset != store.run_bytes) return true;
    job.begin_run();
  }
  if (job.run == job.runs) {
    job.generated = true;
    ++read_job_;
    sequencer_.chain(isa::Unit::Store, word_ + 1);
  }
  return true;
}

// Adds the bursts behind the first, each of `words` words and none across a burst's boundary, that come at an equal distance; `most` in all.
// `first`: when the first word of the first is read.
Steady StoreDmaModel::lengthen(Bursts& bursts, Cycle first, std::int64_t words, std::int64_t most) {
  most = uncut_bursts(bursts.address, bursts.bytes, bursts.stride, burst_mask_ + 1, std::min(most, outstanding_.most()) - 1);
  const Steady more = take_steady<1>(first, words, most, {Wait{sent_, 2}});
  bursts.count += static_cast<std::uint32_t>(more.count);
  return more;
}

// AW and W beats of the next bursts at equal distances, if everything they wait for is known; false: of none.
bool StoreDmaModel::request_next_bursts() {
  if (full_.empty()) return false;
  if (waiting_aw_ == Never) {
    if (outstanding_.answers().empty()) return false;
    waiting_aw_ = std::max({request_ + 1, full_.front() + 1, outstanding_.answers().front() + 2});
    outstanding_.answers().pop();
  }
  Cycle accepted = waiting_aw_;
  if (!outstanding_.accept(accepted)) return false;
  accepted = stalls_.request.next_open(accepted);
  full_.pop();
  stuck_.add(waiting_aw_ + 1, accepted);
  waiting_aw_ = Never;

  Bursts& bursts = waiting_.front();
  const Cycle beats = beats_of(bursts.address, bursts.bytes, machine_.bus_bytes);
  const bool alike = bursts.stride % static_cast<std::uint64_t>(machine_.bus_bytes) == 0;  // in beats
  Steady more;
  if (alike && !outstanding_.queue_is_short() && !stalls_.request.any() && !stalls_.data.any()) {
    more = take_steady<2>(accepted, 1, bursts.count - 1, {Wait{full_, 1}, Wait{outstanding_.answers(), 2}});
  }
  request_ = accepted + more.count * more.period;
  for (std::int64_t left = more.count + 1; left > 0;) {
    // A burst's beats follow its AW or the burst before. AWs that come more slowly than beats go leave, after a while, a gap before each.
    const Cycle first = std::max(accepted, beat_) + 1;
    Cycle period = std::max(more.period, beats);
    std::int64_t n = left;
    if (more.period > beats && accepted < beat_) {
      period = beats;
      n = std::min(left, (beat_ - accepted) / (more.period - beats) + 1);
    }
    WriteTrain train{bursts.address, bursts.data, 0, period, bursts.bytes, static_cast<std::uint32_t>(n), bursts.stride};
    if (n == 1) {
      train.at = send_beats(first, beats - 1);
    } else {  // no channel stalls
      train.at = first + beats - 1;
      beats_.add(first, train.at, period, n);
    }
    beat_ = train.at + (n - 1) * period;
    sent_.push(train.at, period, n);
    accepted += n * more.period;
    left -= n;
    bursts.drop(train.count);
    if (bursts.count == 0) waiting_.pop_front();
    memory_.write(train);
  }
  return true;
}

// Beats, the first of which comes onto the wires at `first`; `more` follow it. When the last is taken. A beat counts as busy in the
// cycle in which it comes onto the wires: the one after the beat before was taken.
Cycle StoreDmaModel::send_beats(Cycle first, Cycle more) {
  if (!stalls_.data.any()) {
    beats_.add(first, first + more);
    return first + more;
  }
  for (;; --more) {
    beats_.add(first, first);
    const Cycle taken = stalls_.data.next_open(first);
    if (more == 0) return taken;
    first = taken + 1;
  }
}

// Those of a train are of one instruction.
void StoreDmaModel::write_responses(const AnswerTrain& answer) {
  if (stalls_.response.any()) {
    for (std::uint32_t i = 0; i < answer.count; ++i) {
      response_ = stalls_.response.next_open(std::max(answer.at + i * answer.period, response_ + 1));
      outstanding_.answered(response_, 0, 1);
    }
  } else {
    response_ = answer.at + (answer.count - 1) * answer.period;
    outstanding_.answered(answer.at, answer.period, answer.count);
  }
  Job& job = jobs_.front();
  job.failed |= answer.error;
  job.unanswered -= answer.count;
  if (job.unanswered == 0 && job.generated) {
    sequencer_.done(isa::Unit::Store, response_ + 1, job.failed ? isa::ErrorCode::WriteError : isa::ErrorCode::None);
    if (!job.staging.empty()) spare_staging_ = std::move(job.staging);
    jobs_.pop_front();
    --read_job_;
  }
}

StatusCounts StoreDmaModel::status(Cycle first, Cycle last) {
  if (waiting_aw_ != Never && waiting_aw_ < last) {
    stuck_.add(waiting_aw_ + 1, last);
    waiting_aw_ = last;
  }
  const Coverage covered = coverage(reads_, beats_, stuck_, first, last);
  reads_.drop_until(last);
  beats_.drop_until(last);
  stuck_.drop_until(last);
  return {covered.stuck, last - first + 1 - covered.busy - covered.stuck};
}

}  // namespace gemel
