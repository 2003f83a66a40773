// SPDX-License-Identifier: Apache-2.0
#include "blocks/load_dma/load_dma_model.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/burst_cutter.hpp"

namespace gemel {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

LoadDmaModel::LoadDmaModel(const Machine& machine, CompletionSink& sequencer, ReadPort& memory, const ReadStalls& stalls,
                           std::array<Scratchpad*, 4> buffers)
    : machine_(machine),
      sequencer_(sequencer),
      memory_(memory),
      stalls_(stalls),
      buffers_(buffers),
      bus_log2_(log2_of(static_cast<std::uint64_t>(machine.bus_bytes))),
      burst_log2_(log2_of(static_cast<std::uint64_t>(machine.burst_bytes))),
      burst_mask_(static_cast<std::uint64_t>(machine.burst_bytes) - 1),
      bus_bytes_(machine.bus_bytes),
      bursts_(machine.load_outstanding, machine.memory_queue),
      ring_(machine.load_outstanding + ceil_div(std::max(machine.rows, machine.columns), machine.burst_bytes)),
      answered_at_(1),
      drained_at_(1) {
  drained_.push(LongAgo, 0, ring_);
}

bool LoadDmaModel::read_directly(ReadChannel& channel) {
  const bool has_data = std::any_of(buffers_.begin(), buffers_.end(), [](const Scratchpad* buffer) { return buffer != nullptr; });
  if (has_data || bursts_.queue_is_short() || stalls_.request.any() || stalls_.data.any()) return false;
  channel_ = &channel;
  answered_at_ = Recent<Cycle>(static_cast<std::size_t>(bursts_.most()) + 1);
  drained_at_ = Recent<Cycle>(static_cast<std::size_t>(ring_) + 1);
  for (std::int64_t i = 0; i < bursts_.most(); ++i) answered_at_[i - bursts_.most()] = LongAgo;
  for (; drained_count_ < ring_; ++drained_count_) drained_at_[drained_count_] = LongAgo;
  return true;
}

std::int64_t LoadDmaModel::Job::last_byte(std::int64_t index) const {
  if (whole_words) return (index + 1) * word_bytes - 1;
  const std::int64_t group = words_per_group == 1 ? index : index / words_per_group, part = index - group * words_per_group;
  if (!windowed()) {
    return std::min({group * load->group_bytes + (part + 1) * word_bytes, (group + 1) * load->group_bytes, std::int64_t{load->run_bytes}}) - 1;
  }
  return last_of_window(load->window_offset + group * load->window_step, part);
}

std::int64_t LoadDmaModel::Job::draining_word(std::int64_t byte) const {
  if (whole_words) return byte / word_bytes;
  if (!windowed()) {
    return byte / load->group_bytes * words_per_group + byte % load->group_bytes / word_bytes;
  }
  const std::int64_t window = std::min((byte - load->window_offset) / load->window_step, groups - 1);
  return (window + 1) * words_per_group - 1;
}

std::int64_t LoadDmaModel::Job::words_within(std::int64_t bytes) const {
  if (whole_words) return bytes / word_bytes;
  if (bytes == run_bytes) return words;
  if (windowed()) {
    const std::int64_t behind_first = bytes - load->window_offset - load->window_bytes;
    std::int64_t whole = behind_first < 0 ? 0 : std::min(behind_first / load->window_step + 1, groups) * words_per_group;
    while (whole < words && last_byte(whole) < bytes) ++whole;
    return whole;
  }
  return bytes / load->group_bytes * words_per_group + bytes % load->group_bytes / word_bytes;
}

void LoadDmaModel::start(const isa::Instruction& instruction, Cycle s) {
  const isa::Load& load = instruction.load;
  Job job;
  job.load = &load;
  job.run_address = job.row_address = load.address;
  job.left_in_row = load.count1;
  job.s = s;
  job.word_bytes = machine_.word_bytes(static_cast<Buffer>(load.buffer));
  job.runs = std::int64_t{load.count1} * load.count2;
  if (job.windowed()) {
    job.groups = load.window_count;
    job.words_per_group = ceil_div(load.window_bytes, job.word_bytes);
    job.run_bytes = std::min<std::int64_t>(
        load.run_bytes, load.window_offset + (job.groups - 1) * load.window_step + load.window_bytes);
    job.period = job.run_bytes;
  } else {
    job.groups = ceil_div(load.run_bytes, load.group_bytes);
    job.words_per_group = ceil_div(load.group_bytes, job.word_bytes);
    job.run_bytes = load.run_bytes;
    job.whole_words = load.group_bytes % job.word_bytes == 0 && load.run_bytes % job.word_bytes == 0;
    job.period = job.whole_words ? job.word_bytes : load.run_bytes % load.group_bytes == 0 ? load.group_bytes : load.run_bytes;
  }
  job.words = job.groups * job.words_per_group;
  if (!job.windowed()) {  // the last group may be short
    job.words += ceil_div(load.run_bytes - (job.groups - 1) * load.group_bytes, job.word_bytes) - job.words_per_group;
  }
  if (Scratchpad* buffer = buffers_[static_cast<std::size_t>(load.buffer)]) {
    bool free = true;  // no load in flight writes these words, too
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      const isa::Load& other = *jobs_[i].load;
      free &= other.buffer != load.buffer || other.word_last < load.word_base || load.word_last < other.word_base;
    }
    if (job.whole_words && free) {
      job.direct = buffer->word(load.word_base);
    } else {
      job.staging = std::move(spare_staging_);
      job.staging.resize(static_cast<std::size_t>(job.runs * job.run_bytes));
    }
  }
  if (channel_ != nullptr) job.cut = number_of_cut(job);
  jobs_.push_back(std::move(job));
  if (jobs_.size() == 1) emit_leading_fill(jobs_.front());
  if (channel_ == nullptr) {
    request();
  } else if (jobs_.size() == 1) {
    find_next_read();
  }
}

void LoadDmaModel::request() {
  if (requesting_) return;
  requesting_ = true;
  ReadTrain train;
  while (next_train(train)) memory_.read(train);
  requesting_ = false;
}

// The next bursts at equal distances, if all that their cycles depend on is known; false: of none.
bool LoadDmaModel::next_train(ReadTrain& train) {
  if (request_job_ >= jobs_.size()) return false;
  Job& job = jobs_[request_job_];
  if (burst_ar_ == Never) {
    if (bursts_.answers().empty() || drained_.empty()) return false;
    burst_ar_ = std::max({job.s + 2, acc_ + 1, bursts_.answers().front() + 2, drained_.front() + 1});
    bursts_.answers().pop();
    drained_.pop();
  }
  Cycle accepted = burst_ar_;
  if (!bursts_.accept(accepted)) return false;
  accepted = stalls_.request.next_open(accepted);
  stuck_.add(burst_ar_ + 1, accepted);
  burst_ar_ = Never;

  Burst& burst = outstanding_.push();
  burst.run = job.next_run;
  burst.offset = job.next_offset;
  burst.address = job.run_address + static_cast<std::uint64_t>(job.next_offset);
  const auto to_boundary = static_cast<std::int64_t>(burst_mask_ + 1 - (burst.address & burst_mask_));
  const std::int64_t left = job.run_bytes - job.next_offset;
  burst.bytes = static_cast<std::uint32_t>(std::min(to_boundary, left));
  burst.runs = burst.bytes == job.run_bytes;
  train = {burst.address, destination(job, burst), accepted, 0, burst.bytes, 1, 0};
  if (!bursts_.queue_is_short() && !stalls_.request.any()) {
    if (burst.runs) {
      lengthen(train, job.load->stride1, job.left_in_row);
    } else if (burst.bytes > burst_mask_) {
      lengthen(train, burst.bytes, left >> burst_log2_);
    }
  }
  burst.count = train.count;
  burst.stride = train.stride;
  issued_ += train.count;
  acc_ = train.at + (train.count - 1) * train.period;
  const std::int64_t bytes = std::int64_t{train.count} * train.bytes;
  bytes_ += bytes;
  if (burst.runs) {
    job.begin_run(train.count);
  } else {
    job.next_offset += bytes;
    if (job.next_offset != job.run_bytes) return true;
    job.begin_run();
  }
  if (job.next_run == job.runs) {
    sequencer_.chain(isa::Unit::Load, acc_ + 1);
    ++request_job_;
  }
  return true;
}

// The drained bursts are numbered from F on: burst k waits for that with its own number, and for the answer of the one N before it.
void LoadDmaModel::find_next_read() {
  next_read_ = Never;
  if (drained_count_ <= issued_) return;  // its place becomes free with a word that no byte on its way makes whole
  next_read_ = std::max({jobs_.front().s + 2, acc_ + 1, answered_at_[issued_ - bursts_.most()] + 2, drained_at_[issued_] + 1});
}

// What changes from burst to burst is kept in locals: the series are of the same type as the members, and each write to one would have all of these read again.
void LoadDmaModel::read_until(Cycle last) {
  Job& job = jobs_.front();
  const std::uint64_t run_bytes = static_cast<std::uint64_t>(job.run_bytes), burst_mask = burst_mask_;
  const std::int64_t most = bursts_.most();
  const Series answered_at = answered_at_.series(), drained_at = drained_at_.series();
  ReadChannel channel = *channel_;
  std::uint64_t offset = static_cast<std::uint64_t>(job.next_offset), bytes_read = 0;
  std::int64_t issued = issued_, drained_count = drained_count_;
  std::uint32_t phase = job.phase;
  Alike* known = known_;
  Cycle next = next_read_, acc = acc_, word = std::max(word_, job.s + 2);
  do {
    const std::uint64_t within = (job.run_address + offset) & burst_mask;
    const auto bytes = static_cast<std::uint32_t>(std::min(burst_mask + 1 - within, run_bytes - offset));
    const Likeness likeness(job.cut, within, bytes, phase);
    if (!(alike_[known->behind].likeness == likeness)) {
      known->behind = likeness.place();
      if (!(alike_[known->behind].likeness == likeness)) learn(job, likeness, static_cast<std::int64_t>(offset), bytes);
    }
    known = &alike_[known->behind];
    const Alike& alike = *known;
    acc = next;
    const Cycle behind = channel.take(acc, alike.occupied);
    answered_at[issued++] = behind - 1;
    bytes_read += bytes;
    for (const WordAt& one : alike.drained) drained_at[drained_count++] = std::max(word + one.words, behind + one.at);
    if (!job.has_words && alike.last.words > 0) begin_words(job, std::max(word + 1, behind + alike.first));
    word = std::max(word + alike.last.words, behind + alike.last.at);
    offset += bytes;
    if (offset == run_bytes) {
      offset = 0;
      job.begin_run();
      if (job.next_run == job.runs) break;
    }
    next = drained_count <= issued ? Never : std::max({acc + 1, answered_at[issued - most] + 2, drained_at[issued] + 1});
    const bool goes_on = phase == alike.next_phase && alike.drained.size() == 1;
    phase = alike.next_phase;
    if (next > last || !goes_on) continue;
    // The bursts behind it that are like it: within the run, or runs of one burst each.
    const bool runs = offset == 0;
    std::int64_t alike_left = 0;
    if (!runs && bytes > burst_mask) {
      alike_left = static_cast<std::int64_t>(run_bytes - offset) / static_cast<std::int64_t>(bytes);
    } else if (runs && bytes == run_bytes && (job.load->stride1 & burst_mask) == 0 && (job.run_address & burst_mask) == within) {
      alike_left = job.left_in_row;
    }
    if (alike_left == 0) continue;
    const WordAt drained = alike.drained.front(), last_word = alike.last;
    const Cycle occupied = alike.occupied;
    const std::int64_t begin = issued, end = issued + alike_left, ahead = drained_count - issued;
    do {
      acc = next;
      const Cycle free = channel.take(acc, occupied);
      answered_at[issued] = free - 1;
      drained_at[issued + ahead] = std::max(word + drained.words, free + drained.at);
      word = std::max(word + last_word.words, free + last_word.at);
      ++issued;
      next = std::max({acc + 1, answered_at[issued - most] + 2, drained_at[issued] + 1});
    } while (issued < end && next <= last);
    const std::int64_t count = issued - begin;
    drained_count += count;
    bytes_read += static_cast<std::uint64_t>(count) * bytes;
    if (runs) {
      job.begin_run(count);
    } else {
      offset += static_cast<std::uint64_t>(count) * bytes;
      if (offset == run_bytes) {
        offset = 0;
        job.begin_run();
      }
    }
  } while (next <= last && job.next_run < job.runs);
  job.next_offset = static_cast<std::int64_t>(offset);
  job.phase = phase;
  known_ = known;
  *channel_ = channel;
  bytes_ += static_cast<std::int64_t>(bytes_read);
  issued_ = issued;
  drained_count_ = drained_count;
  next_read_ = next;
  acc_ = acc;
  if (job.has_words) word_ = word;
  if (job.next_run < job.runs) return;
  sequencer_.chain(isa::Unit::Load, acc_ + 1);
  next_read_ = Never;
  finish_job();
  if (!jobs_.empty()) find_next_read();
}

// The same number for every job whose runs are cut into words alike.
std::uint32_t LoadDmaModel::number_of_cut(const Job& job) {
  const isa::Load& load = *job.load;
  WordCut cut{job.word_bytes, job.period, 0, 0, load.window_count, load.window_bytes, load.window_step, load.window_offset};
  if (job.windowed() || (job.period == job.run_bytes && !job.whole_words)) {
    cut.run_bytes = load.run_bytes;
    cut.group_bytes = load.group_bytes;
  }
  const auto known = std::find(cuts_.rbegin(), cuts_.rend(), cut);  // nearly always one of the last
  if (known != cuts_.rend()) return static_cast<std::uint32_t>(cuts_.rend() - known) - 1;
  cuts_.push_back(cut);
  return static_cast<std::uint32_t>(cuts_.size()) - 1;
}

// What is known of all bursts like the next, of `bytes` from `offset` of the run on.
void LoadDmaModel::learn(const Job& job, const Likeness& likeness, std::int64_t offset, std::int64_t bytes) {
  Alike& alike = alike_[likeness.place()];
  const std::int64_t end = offset + bytes;
  const auto beat = [&](std::int64_t byte) {
    return static_cast<Cycle>((job.run_address + static_cast<std::uint64_t>(byte)) >> bus_log2_) -
           static_cast<Cycle>((job.run_address + static_cast<std::uint64_t>(offset)) >> bus_log2_);
  };
  const Cycle beats = beat(end - 1) + 1;
  alike.likeness = likeness;
  alike.occupied = channel_->bandwidth().occupation(beats);
  alike.next_phase = end == job.run_bytes ? 0 : static_cast<std::uint32_t>(end % job.period);
  // Words follow one another, but each comes two cycles behind the beat that brings its last byte.
  const std::int64_t first = offset > 0 || likeness.phase() == Job::Led ? job.words_within(offset) : 0, behind = job.words_within(end);
  std::vector<Cycle> at;
  for (std::int64_t i = first; i < behind; ++i) {
    const std::int64_t last = job.last_byte(i);
    at.push_back(std::max(at.empty() ? LongAgo : at.back() + 1, last < offset ? LongAgo : beat(last) + 2 - beats));
  }
  alike.first = at.empty() ? LongAgo : at.front();
  alike.last = {behind - first, at.empty() ? LongAgo : at.back()};
  // Of this burst and of those before it in the run that have not been drained.
  std::vector<std::int64_t> draining{job.draining_word(end - 1)};
  for (std::int64_t before = offset; before > 0 && job.draining_word(before - 1) >= first; before -= static_cast<std::int64_t>(burst_mask_) + 1) {
    draining.push_back(job.draining_word(before - 1));
  }
  alike.drained.clear();
  for (auto word = draining.rbegin(); word != draining.rend() && *word < behind; ++word) {
    alike.drained.push_back({*word - first + 1, at[static_cast<std::size_t>(*word - first)]});
  }
}

// By the bursts that follow the first at `stride` without waiting for anything unknown, as long as they keep its distance in time and none
// of them crosses a burst's boundary; `most` in all.
void LoadDmaModel::lengthen(ReadTrain& train, std::uint64_t stride, std::int64_t most) {
  most = uncut_bursts(train.address, train.bytes, stride, burst_mask_ + 1, std::min(most, bursts_.most()) - 1);
  const Steady steady = take_steady<2>(train.at, 1, most, {Wait{bursts_.answers(), 2}, Wait{drained_, 1}});
  train.count += static_cast<std::uint32_t>(steady.count);
  train.period = steady.period;
  train.stride = stride;
}

std::uint8_t* LoadDmaModel::destination(Job& job, const Burst& burst) {
  if (job.direct != nullptr) return job.direct + burst.run * job.run_bytes + burst.offset;
  if (!job.staging.empty()) return job.staging.data() + burst.run * job.run_bytes + burst.offset;
  return nullptr;
}

void LoadDmaModel::read_responses(const AnswerTrain& answer) {
  Burst& bursts = outstanding_.front();
  Job& job = jobs_.front();
  job.failed |= answer.error;
  Cycle first_beat = answer.at;
  for (std::uint32_t left = answer.count; left > 0;) {
    std::uint32_t n = 1;
    if (stalls_.data.any()) {
      emit_one_by_one(job, bursts, first_beat);
    } else if (emit_train(job, bursts, left, first_beat, answer.period)) {
      n = left;
    } else {
      bursts_.answered(first_beat + beat_of(bursts, bursts.bytes - 1), 0, 1);
      emit(job, bursts, first_beat);
    }
    if (job.word == job.words) {
      job.word = 0;
      ++job.word_run;
    }
    bursts.drop(n);
    left -= n;
    first_beat += n * answer.period;
  }
  if (bursts.count == 0) outstanding_.pop_front();
  if (job.word_run == job.runs) finish_job();
}

// The words of the first `count` of bursts at equal distances that are all there with the burst's last beat, if they follow one another, or if each follows its
// beats; false: not so simple, nothing has been done.
bool LoadDmaModel::emit_train(Job& job, const Burst& bursts, std::uint32_t count, Cycle first_beat, Cycle period) {
  const std::int64_t words = bursts.bytes / job.word_bytes;  // of each
  const bool whole = job.whole_words && undrained_.empty() && words * job.word_bytes == bursts.bytes && job.word * job.word_bytes == bursts.offset;
  if (!whole) return false;
  Cycle pace = 1;  // cycles from word to word
  if (job.word_bytes > bus_bytes_) {
    pace = job.word_bytes >> bus_log2_;
    if ((job.word_bytes | static_cast<std::int64_t>(bursts.address)) & (bus_bytes_ - 1)) return false;
  }
  if (count == 1) period = words * pace;
  const Cycle arrived = first_beat + beat_of(bursts, job.word_bytes - 1) + 2, first = std::max({arrived, word_ + 1, job.s + 3});
  const bool dense = pace == 1 && period <= words;  // one word per cycle, and beats come no slower
  if (!dense && (first != arrived || period < words * pace)) return false;
  const Cycle step = dense ? words : period, more = (words - 1) * pace;
  bursts_.answered(first_beat + beat_of(bursts, bursts.bytes - 1), period, count);
  drained_.push(first + more, step, count);
  word_ = first + (count - 1) * step + more;
  if (dense) {
    words_.add(first, count * words);
  } else {
    words_.add(first, words, pace, step, count);
  }
  if (bursts.runs) {
    job.word_run += count;
  } else {
    job.word += count * words;
  }
  return true;
}

void LoadDmaModel::finish_job() {
  Job& job = jobs_.front();
  sequencer_.done(isa::Unit::Load, word_ + 1, job.failed ? isa::ErrorCode::ReadError : isa::ErrorCode::None);
  if (!job.staging.empty()) {
    if (!job.failed) place(job);
    spare_staging_ = std::move(job.staging);
  }
  if (channel_ == nullptr) {
    --request_job_;
  } else {
    written_.back().last = word_;
  }
  jobs_.pop_front();
  if (!jobs_.empty()) emit_leading_fill(jobs_.front());
}

// Words wholly of fill at the head of an instruction wait for no burst: they may be written before its first response, even in
// the cycle in which the instruction before is done, whose status counts they belong to.
void LoadDmaModel::emit_leading_fill(Job& job) {
  while (job.last_byte(job.word) < 0) emitted(job, 1, std::max(word_ + 1, job.s + 3));
  if (job.word > 0) job.phase = Job::Led;
}

// All words that the answered bytes allow.
void LoadDmaModel::emit(Job& job, const Burst& burst, Cycle first_beat) {
  const std::int64_t end = burst.offset + burst.bytes;  // bytes of this run that are there
  undrained_.push_back({burst.run, job.draining_word(end - 1)});
  if (job.windowed()) {
    emit_windows(job, burst, first_beat);
    return;
  }
  const std::int64_t ready = job.words_within(end);
  if (ready == job.word) return;
  // Each word is written behind the one before, and two cycles behind the beat that brings its last byte.
  std::int64_t last = job.last_byte(job.word);
  const Cycle next = std::max(word_ + 1, job.s + 3);
  if (job.word_bytes <= bus_bytes_) {  // a word needs at most one beat more than the word before
    emitted(job, ready - job.word, std::max(next, first_beat + beat_of(burst, last - burst.offset) + 2));
    return;
  }
  // At least one beat more, but for the last word of a group or of the run, which may be short.
  const auto address = static_cast<std::int64_t>(burst.address) - burst.offset;
  WordCycles::Beats beats{first_beat + 2 - static_cast<Cycle>(burst.address >> bus_log2_), address + last, job.word_bytes, bus_log2_};
  if (job.whole_words) {
    emitted(job, ready - job.word, next, beats);
    return;
  }
  while (job.word < ready) {
    beats.byte = address + job.last_byte(job.word);
    const std::int64_t until_short = std::min(job.words_per_group - 1 - job.word % job.words_per_group, job.words - 1 - job.word);
    emitted(job, std::clamp<std::int64_t>(until_short, 1, ready - job.word), std::max(word_ + 1, job.s + 3), beats);
  }
}

// The same where words come of windows, which may share bytes.
void LoadDmaModel::emit_windows(Job& job, const Burst& burst, Cycle first_beat) {
  const std::int64_t end = burst.offset + burst.bytes;
  Cycle first = std::max(word_ + 1, job.s + 3);
  std::int64_t count = 0;  // words without a gap from `first` on
  // Of the next word: its part of a window, and where the window begins. As last_byte() has it, without a division for each.
  const std::int64_t group = job.words_per_group == 1 ? job.word : job.word / job.words_per_group;
  std::int64_t part = job.word - group * job.words_per_group, window = job.load->window_offset + group * job.load->window_step;
  while (job.word + count < job.words) {
    const std::int64_t last = job.last_of_window(window, part);
    if (last >= end) break;
    if (++part == job.words_per_group) {
      part = 0;
      window += job.load->window_step;
    }
    // Bytes of an earlier burst have been there since before the word before, which waited for this burst.
    const Cycle at = last < burst.offset ? 0 : first_beat + beat_of(burst, last - burst.offset) + 2;
    if (at > first + count) {
      if (count > 0) emitted(job, count, first);
      count = 0;
      first = at;
    }
    ++count;
  }
  if (count > 0) emitted(job, count, first);
}

// The same where R stalls: each beat is on the wires in the first open cycle in which memory has it and the one before has gone.
void LoadDmaModel::emit_one_by_one(Job& job, const Burst& burst, Cycle first_beat) {
  beats_.clear();
  for (Cycle i = beat_of(burst, burst.bytes - 1); i >= 0; --i, ++first_beat) {
    beat_ = stalls_.data.next_open(std::max(first_beat, beat_ + 1));
    beats_.push_back(beat_);
  }
  bursts_.answered(beat_, 0, 1);
  const std::int64_t end = burst.offset + burst.bytes;
  undrained_.push_back({burst.run, job.draining_word(end - 1)});
  while (job.word < job.words) {
    const std::int64_t last = job.last_byte(job.word);
    if (last >= end) break;
    Cycle at = std::max(word_ + 1, job.s + 3);
    if (last >= burst.offset) at = std::max(at, beats_[static_cast<std::size_t>(beat_of(burst, last - burst.offset))] + 2);
    emitted(job, 1, at);
  }
}

// The next words, in cycles without a gap.
void LoadDmaModel::emitted(Job& job, std::int64_t count, Cycle first) {
  if (channel_ == nullptr) {
    words_.add(first, count);
  } else {
    begin_words(job, first);
  }
  while (!undrained_.empty() && undrained_.front().run == job.word_run && undrained_.front().word < job.word + count) {
    drained_.push(first + (undrained_.front().word - job.word));
    undrained_.pop_front();
  }
  job.word += count;
  word_ = first + count - 1;
}

// The next words from cycle `first` on, each not before its beat, of which it needs at least one more than the word before. Bursts before
// the last are drained with the first of them, and that with the last.
void LoadDmaModel::emitted(Job& job, std::int64_t count, Cycle first, const WordCycles::Beats& beats) {
  word_ = words_.add(first, count, beats);
  job.word += count;
  for (; !undrained_.empty() && undrained_.front().word < job.word; undrained_.pop_front()) {
    drained_.push(undrained_.front().word == job.word - 1 ? word_ : std::max(first, beats.at(0)));
  }
}

std::int64_t LoadDmaModel::take_words(Cycle last) {
  std::int64_t words = 0;
  for (; !written_.empty() && written_.front().last <= last; written_.pop_front()) words += written_.front().count;
  // The instruction behind the one that ends may write its first word in the same cycle.
  if (written_.empty() || written_.front().first > last) return words;
  written_.front().first = Never;
  --written_.front().count;
  return words + 1;
}

// Cuts the staged runs into words.
void LoadDmaModel::place(Job& job) {
  const isa::Load& load = *job.load;
  std::uint8_t* out = buffers_[static_cast<std::size_t>(load.buffer)]->word(load.word_base);
  const std::int64_t width = job.word_bytes;
  const std::int64_t padded = job.words_per_group * width;
  for (std::int64_t run = 0; run < job.runs; ++run) {
    const std::uint8_t* bytes = job.staging.data() + run * job.run_bytes;
    for (std::int64_t group = 0; group < job.groups; ++group) {
      if (!job.windowed()) {
        const std::int64_t first = group * load.group_bytes, count = std::min<std::int64_t>(load.group_bytes, load.run_bytes - first);
        const std::int64_t filled = ceil_div(count, width) * width;
        std::memcpy(out, bytes + first, static_cast<std::size_t>(count));
        std::memset(out + count, 0, static_cast<std::size_t>(filled - count));
        out += filled;
        continue;
      }
      const std::int64_t window = load.window_offset + group * load.window_step;
      const std::int64_t first = std::max<std::int64_t>(window, 0);
      const std::int64_t last = std::min<std::int64_t>(window + load.window_bytes, load.run_bytes);  // exclusive
      std::memset(out, load.fill, static_cast<std::size_t>(load.window_bytes));
      std::memset(out + load.window_bytes, 0, static_cast<std::size_t>(padded - load.window_bytes));
      if (last > first) std::memcpy(out + (first - window), bytes + first, static_cast<std::size_t>(last - first));
      out += padded;
    }
  }
}

StatusCounts LoadDmaModel::status(Cycle first, Cycle last) {
  if (burst_ar_ != Never && burst_ar_ < last) {
    // Not accepted yet: stuck at least until now. The rest is added when the acceptance is known.
    stuck_.add(burst_ar_ + 1, last);
    burst_ar_ = last;
  }
  if (channel_ != nullptr) return {0, last - first + 1 - take_words(last)};
  if (stuck_.empty()) return {0, last - first + 1 - words_.take(last)};
  words_.take_each(last, [&](Cycle cycle) { busy_.add(cycle, cycle); });
  const Coverage covered = coverage(busy_, none_, stuck_, first, last);
  busy_.drop_until(last);
  stuck_.drop_until(last);
  return {covered.stuck, last - first + 1 - covered.busy - covered.stuck};
}

}  // namespace gemel
