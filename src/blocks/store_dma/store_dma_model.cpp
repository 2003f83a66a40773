// SPDX-License-Identifier: Apache-2.0
#include "blocks/store_dma/store_dma_model.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

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
      slots_(machine.store_outstanding + static_cast<int>(ceil_div(machine.columns, machine.burst_bytes))),
      outstanding_bursts_(machine.store_outstanding),
      memory_queue_(machine.memory_queue),
      bus_log2_(log2_of(static_cast<std::uint64_t>(machine.bus_bytes))),
      burst_mask_(static_cast<std::uint64_t>(machine.burst_bytes) - 1),
      last_write_(static_cast<std::size_t>(slots_) + 1),
      answer_(static_cast<std::size_t>(std::max(machine.store_outstanding, machine.memory_queue)) + 1) {}

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
    while (read_next_burst()) {
    }
  } while (request_next_train());
  advancing_ = false;
}

// Reads the words that end in the next burst, if its slot's last writing is known.
bool StoreDmaModel::read_next_burst() {
  if (read_job_ >= jobs_.size()) return false;
  const std::int64_t k = read_;
  if (requested_ <= k - slots_) return false;
  Job& job = jobs_[read_job_];
  const isa::Store& store = *job.store;

  Burst& burst = bursts_in_flight_.push();
  burst = {};
  burst.address = job.run_address + static_cast<std::uint64_t>(job.offset);
  const auto to_boundary = static_cast<std::int64_t>(burst_mask_ + 1 - (burst.address & burst_mask_));
  burst.bytes = static_cast<std::uint32_t>(std::min(to_boundary, store.run_bytes - job.offset));
  if (job.data != nullptr) burst.data = job.data + job.run * store.run_bytes + job.offset;
  const std::int64_t end = job.offset + burst.bytes;
  const std::int64_t in_group = end % store.group_bytes;
  std::int64_t complete = end / store.group_bytes * job.words_per_group + in_group / machine_.columns;
  burst.ends_in_word = in_group % machine_.columns != 0;
  if (burst.ends_in_word && end == store.run_bytes) {  // the run's last group is short, and its last word whole for all that is wanted
    burst.ends_in_word = false;
    ++complete;
  }

  const std::int64_t words = complete - job.word;
  if (words > 0) {
    Cycle first = std::max(word_ + 1, job.s + 2);
    if (k >= slots_) first = std::max(first, last_write_[k - slots_] + 2);
    reads_.add(first, first + words - 1);
    word_ = first + words - 1;
    // Bursts that ended inside a word are complete with the first of these words.
    for (std::size_t i = bursts_in_flight_.size() - 1; i > 0 && bursts_in_flight_[i - 1].full == Never; --i) {
      bursts_in_flight_[i - 1].full = first + 2;
    }
    if (!burst.ends_in_word) burst.full = word_ + 2;
    job.word = complete;
  }
  ++read_;
  ++bursts_;
  ++job.unanswered;
  bytes_ += burst.bytes;
  job.offset = end;
  if (end == store.run_bytes) {
    job.begin_run();
    if (job.run == job.runs) {
      burst.last = true;
      job.generated = true;
      ++read_job_;
      sequencer_.chain(isa::Unit::Store, word_ + 1);
    }
  }
  return true;
}

// AW and W beats of the next bursts at equal distances, if everything they wait for is known; false: of none.
bool StoreDmaModel::request_next_train() {
  const std::int64_t n = outstanding_bursts_, q = memory_queue_;
  WriteTrain train;
  train.count = 0;
  while (requested_ < read_) {
    const std::int64_t k = requested_;
    Burst& burst = bursts_in_flight_[static_cast<std::size_t>(k - first_burst_)];
    if (burst.full == Never) break;
    if (waiting_aw_ == Never) {
      if (answered_ <= k - n) break;
      waiting_aw_ = std::max(request_ + 1, burst.full + 1);
      if (k >= n) waiting_aw_ = std::max(waiting_aw_, answer_[k - n] + 2);
    }
    if (answered_ <= k - q) break;
    const Cycle accepted = stalls_.request.next_open(k >= q ? std::max(waiting_aw_, answer_[k - q] + 1) : waiting_aw_);
    const Cycle first_beat = std::max(accepted + 1, beat_ + 1);
    const Cycle more_beats = static_cast<Cycle>((burst.address + burst.bytes - 1) >> bus_log2_) - static_cast<Cycle>(burst.address >> bus_log2_);
    if (train.count > 0) {  // of the same instruction, and W does not stall
      const Cycle wl = first_beat + more_beats;
      if (train.count == 1) {
        if (burst.address < train.address) break;  // addresses have wrapped
        train.period = wl - train.at;
        train.stride = burst.address - train.address;
      }
      const bool regular = burst.address == train.address + train.count * train.stride && wl == train.at + train.count * train.period;
      if (burst.bytes != train.bytes || !regular) break;
    }
    stuck_.add(waiting_aw_ + 1, accepted);
    waiting_aw_ = Never;
    request_ = accepted;
    beat_ = send_beats(first_beat, more_beats);
    last_write_[k] = beat_;
    if (train.count == 0) train = {burst.address, burst.data, beat_, 0, burst.bytes, 0, 0};
    ++train.count;
    ++requested_;
    if (burst.last || stalls_.data.any()) break;
  }
  if (train.count == 0) return false;
  memory_.write(train);
  return true;
}

// The beats of a burst, whose first comes onto the wires at `first`; `more` follow it. When the last is taken. A beat counts as busy in the
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
  for (std::uint32_t i = 0; i < answer.count; ++i) {
    Cycle b = answer.at + i * answer.period;
    if (stalls_.response.any()) b = stalls_.response.next_open(std::max(b, response_ + 1));
    response_ = b;
    answer_[answered_++] = b;
    bursts_in_flight_.pop_front();
  }
  first_burst_ += answer.count;
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
