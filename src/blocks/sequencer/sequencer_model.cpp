// SPDX-License-Identifier: Apache-2.0
#include "blocks/sequencer/sequencer_model.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "config/digest.hpp"

namespace gemel {
namespace {

using isa::SemaphoreMax;
constexpr int MaxInFlight = 2;
constexpr std::uint32_t AllUnits = 15;

// f(u) for every unit of a set, in their order.
template <class F>
void each_unit(std::uint32_t units, F&& f) {
  for (; units != 0; units &= units - 1) f(__builtin_ctz(units));
}

const char* unit_name(int unit) {
  static constexpr const char* Names[] = {"load_dma", "matrix_unit", "vector_unit", "store_dma"};
  return Names[unit];
}

std::string describe(const isa::Claim& c) {
  return std::string(c.write ? "writing " : "reading ") + to_string(c.buffer) + " [" + std::to_string(c.first) + ".." +
         std::to_string(c.last) + "]";
}

bool meet(const isa::Claim& a, const isa::Claim& b) { return a.first <= b.last && b.first <= a.last; }

}  // namespace

SequencerModel::SequencerModel(const Machine& machine, RevocableReadPort& memory, const ReadStalls& stalls)
    : machine_(machine),
      digest_(machine_digest(machine)),
      memory_(memory),
      stalls_(stalls),
      fetch_burst_(std::max(machine.burst_bytes, isa::InstructionBytes)),
      fetch_last_beat_(static_cast<std::size_t>(machine.memory_queue) + 1),
      dispatch_times_(static_cast<std::size_t>(machine.prefetch_instructions) + 1) {
  for (int b = 0; b < BufferCount; ++b) bank_words_[static_cast<std::size_t>(b)] = machine.bank_words(static_cast<Buffer>(b));
  // Units look at their instructions in place. One more is pushed in the cycle in which one leaves.
  for (Unit& unit : unit_) unit.entries.reserve(static_cast<std::size_t>(machine.queue_depth + MaxInFlight) + 1);
}

void SequencerModel::run(std::uint64_t program_base, std::uint32_t program_bytes, Cycle cycle0) {
  base_ = program_base;
  program_bytes_ = program_bytes;
  cycle0_ = cycle0;
  last_eval_ = cycle0 - 1;
  for (Unit& unit : unit_) unit.idle_from = cycle0;
  last_dispatch_ = cycle0 - 1;
  fetch_last_acc_ = cycle0;  // the first AR is on the wires at cycle 1
  running_ = true;
  if (observer_ != nullptr) observer_->running_from(cycle0);
  wake_at(cycle0);
  schedule_fetch();
}

void SequencerModel::abort(Cycle at) {
  if (!running_ || at < cycle0_ || at >= abort_at_) return;
  abort_at_ = at;
  wake_at(at);
}

void SequencerModel::chain(isa::Unit unit, Cycle c) {
  Unit& its = unit_[static_cast<std::size_t>(unit)];
  its.chains.push_back(c);
  if (its.needs_credit) expect_credit(c + 1);
}

void SequencerModel::expect_credit(Cycle at) {
  next_credit_ = std::min(next_credit_, at);
  wake_at(at);
}

void SequencerModel::done(isa::Unit unit, Cycle p, isa::ErrorCode error) {
  unit_[static_cast<std::size_t>(unit)].dones.push_back({p, error});
  next_pulse_ = std::min(next_pulse_, p);
  wake_at(p);
}

// Fetch: every burst whose cycle is known, that is, for which the dispatch that makes room is known. Behind an error only what was on the wires by then.
void SequencerModel::schedule_fetch() {
  while (fetch_offset_ < program_bytes_) {
    const std::uint64_t address = base_ + fetch_offset_;
    const auto burst = static_cast<std::uint64_t>(fetch_burst_);
    const auto bytes =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(burst - address % burst, program_bytes_ - fetch_offset_));
    const std::int64_t instructions = bytes / isa::InstructionBytes;
    Cycle ar = fetch_last_acc_ + 1;
    const std::int64_t needed = requested_ + instructions - machine_.prefetch_instructions;  // dispatches before it
    if (needed > 0) {
      if (dispatched_ < needed) return;
      ar = std::max(ar, dispatch_times_[needed - 1] + 2);
    }
    const Cycle on_wires = ar;
    if (on_wires > error_at_) return;
    const std::int64_t q = machine_.memory_queue;
    if (fetch_issued_ >= q) {
      if (fetch_answered_ <= fetch_issued_ - q) return;
      ar = std::max(ar, fetch_last_beat_[static_cast<std::size_t>(fetch_issued_ - q) % fetch_last_beat_.size()] + 1);
    }
    ar = stalls_.request.next_open(ar);
    Fetch& fetch = fetches_.push();
    fetch.address = address;
    fetch.bytes = bytes;
    fetch.on_wires = on_wires;
    fetch.instructions = static_cast<std::uint32_t>(instructions);
    fetch.words.resize(static_cast<std::size_t>(instructions));
    requested_ += instructions;
    fetch_offset_ += bytes;
    fetch_last_acc_ = ar;
    ++fetch_issued_;
    ++fetch_bursts_;
    fetch_bytes_ += bytes;
    memory_.read(address, bytes, reinterpret_cast<std::uint8_t*>(fetch.words.data()), ar);
  }
}

// Those bursts that are not on the wires by the cycle of the error.
void SequencerModel::take_back_fetch() {
  std::int64_t count = 0;
  for (; !fetches_.empty() && fetches_.back().on_wires > error_at_; fetches_.pop_back()) {
    fetch_bytes_ -= fetches_.back().bytes;
    ++count;
  }
  if (count == 0) return;
  fetch_bursts_ -= count;
  memory_.take_back(count);
}

void SequencerModel::read_response(Cycle first_beat, bool error) {
  Fetch& fetch = fetches_.front();
  const auto bus = static_cast<std::uint64_t>(machine_.bus_bytes);
  // Each beat is on the wires in the first open cycle in which memory has it and the one before has gone.
  std::uint64_t beat = 0;
  const std::uint64_t beats = static_cast<std::uint64_t>(beats_of(fetch.address, fetch.bytes, machine_.bus_bytes));
  const auto go_to = [&](std::uint64_t count) {
    if (!stalls_.data.any()) {
      fetch_beat_ = first_beat + static_cast<Cycle>(count) - 1;
      return;
    }
    for (; beat < count; ++beat) {
      fetch_beat_ = stalls_.data.next_open(std::max(first_beat + static_cast<Cycle>(beat), fetch_beat_ + 1));
    }
  };
  for (std::uint32_t i = 0; i < fetch.instructions; ++i) {
    const std::uint64_t last = fetch.address + (i + 1) * isa::InstructionBytes - 1;
    go_to(last / bus - fetch.address / bus + 1);
    fifo_.push_back({fetch.words[i], fetch_beat_ + 2, error});
  }
  go_to(beats);
  fetch_last_beat_[static_cast<std::size_t>(fetch_answered_++) % fetch_last_beat_.size()] = fetch_beat_;
  const bool halt_waits = head_legal_ && head_.instruction.unit == isa::Unit::None;  // for what is fetched behind it
  if (error_at_ != Never || halt_waits) wake_at(fetch_beat_ + 1);
  const std::size_t count = fetch.instructions;
  fetches_.pop_front();
  if (fifo_.size() == count) wake_at(std::max(fifo_.front().at, last_dispatch_ + 1));
  schedule_fetch();
}

void SequencerModel::count(int unit, isa::Cause cause, int tag, Cycle first, Cycle cycles) {
  if (cycles == 0) return;
  counters_[static_cast<std::size_t>(unit)][static_cast<std::size_t>(cause)] += cycles;
  if (observer_ != nullptr) observer_->counted(static_cast<isa::Unit>(unit), cause, tag, first, cycles);
}

// A unit's cycles of one class, until before `end`.
void SequencerModel::count_idle(int u, Cycle end) {
  Unit& unit = unit_[static_cast<std::size_t>(u)];
  if (unit.idle) count(u, unit.idle_cause, unit.idle_tag, unit.idle_from, end - unit.idle_from);
}

// What those units did that are done in this cycle, but from the cycle of an error on.
void SequencerModel::count_work(Cycle now) {
  each_unit(staged_, [&](int u) {
    Unit& unit = unit_[static_cast<std::size_t>(u)];
    if (!unit.finished) return;
    const Entry& entry = unit.entries.front();
    const Cycle first = std::max(entry.s, unit.window), last = std::min(now, error_at_ - 1);
    unit.window = now + 1;
    if (last < first) return;
    const StatusCounts status = units_[static_cast<std::size_t>(u)]->status(first, last);
    const int tag = entry.instruction.header().tag;
    count(u, isa::Cause::WaitRequest, tag, first, status.wait_request);
    count(u, u == 0 ? isa::Cause::WaitData : isa::Cause::WaitWrite, tag, first, status.wait_other);
    count(u, isa::Cause::Busy, tag, first, last - first + 1 - status.wait_request - status.wait_other);
  });
}

void SequencerModel::apply_staged(Cycle now) {
  if (now >= next_credit_) {
    next_credit_ = Never;
    for (int u = 0; u < 4; ++u) {
      const Unit& unit = unit_[static_cast<std::size_t>(u)];
      if (unit.needs_credit && !unit.chains.empty()) stage(u);
    }
  }
  changed_ = staged_;
  if (staged_ == 0) return;
  staged_ = 0;
  semaphore_ = semaphore_next_;
  each_unit(changed_, [&](int u) {
    Unit& unit = unit_[static_cast<std::size_t>(u)];
    unit.queued += unit.push - unit.started;
    if (unit.finished) unit.entries.pop_front();
    unit.in_flight += unit.started - unit.finished;
    // Nobody looks at a unit's credit but where something of it changes: chain pulses of the cycles since then, too.
    if (unit.credit_take) unit.credit = 0;
    for (; !unit.chains.empty() && unit.chains.front() < now; unit.chains.pop_front()) unit.credit = 1;
    if (unit.in_flight == 0) unit.credit = 0;
    unit.push = unit.started = unit.finished = unit.credit_take = 0;
  });
}

void SequencerModel::wake(Cycle now) {
  if (!running_ || now <= last_eval_) return;
  if (now < cycle0_) return;
  last_eval_ = now;
  apply_staged(now);
  take_dones(now);
  if (error_at_ == Never || (start_failed_ && error_at_ == now)) dispatch(now);
  if (abort_at_ == now && error_at_ == Never) {
    fail(isa::ErrorCode::Aborted, now, static_cast<std::uint32_t>(dispatched_), "the program was aborted through the register control");
  }
  if (running_ && error_at_ == Never) start(now);
  count_work(now);
  classify(now);
  if (!running_) {
    stop(now);
    return;
  }
  if (error_at_ < now) {
    bool busy = fetch_beat_ >= now || !fetches_.empty();
    for (const Unit& unit : unit_) busy |= unit.in_flight > 0;
    if (!busy) {
      running_ = false;
      stop(now);
      return;
    }
    if (fetch_beat_ >= now) wake_at(fetch_beat_ + 1);
  }
  // A start decided in this cycle made it busy; from the next evaluation on the new state holds.
  if (staged_ != 0 || error_at_ == now) wake_at(now + 1);
}

void SequencerModel::take_dones(Cycle now) {
  if (now < next_pulse_) return;
  next_pulse_ = Never;
  for (int u = 0; u < 4; ++u) {
    const Unit& unit = unit_[static_cast<std::size_t>(u)];
    if (!unit.dones.empty() && unit.dones.front().p == now) take_done(u, now);
    if (!unit.dones.empty()) next_pulse_ = std::min(next_pulse_, unit.dones.front().p);
  }
}

void SequencerModel::take_done(int u, Cycle now) {
  Unit& unit = unit_[static_cast<std::size_t>(u)];
  const Done done = unit.dones.front();
  unit.dones.pop_front();
  const Entry& entry = unit.entries.front();
  const isa::Header& header = entry.instruction.header();
  unit.finished = 1;
  stage(u);
  if (observer_ != nullptr) observer_->finished(static_cast<isa::Unit>(u), entry.index, entry.instruction, entry.s, now);
  if (done.error != isa::ErrorCode::None) {
    fail(done.error, now, entry.index, std::string("memory answered ") + unit_name(u) + " with an error");
    return;
  }
  for (auto mask = static_cast<std::uint32_t>(header.post_mask); mask != 0; mask &= mask - 1) {
    const int s = __builtin_ctz(mask);
    // What starts in this cycle takes its tokens behind this: posts find their room before anything is taken.
    const int count = ++semaphore_next_[static_cast<std::size_t>(s)];
    stage(s / 4);
    if (count > SemaphoreMax) {
      fail(isa::ErrorCode::SemaphoreOverflow, now, entry.index,
           "semaphore " + std::to_string(s) + " (into " + unit_name(s / 4) + ") would exceed " + std::to_string(SemaphoreMax));
    }
  }
}

void SequencerModel::dispatch(Cycle now) {
  if (now <= last_dispatch_) return;
  if (fifo_.empty()) {
    if (dispatched_ * isa::InstructionBytes >= static_cast<std::int64_t>(program_bytes_)) {
      fail(isa::ErrorCode::EndOfProgram, now, static_cast<std::uint32_t>(dispatched_), "the program ended without halt");
    }
    return;
  }
  const Ready& ready = fifo_.front();
  if (now < ready.at) {
    wake_at(ready.at);
    return;
  }
  const auto index = static_cast<std::uint32_t>(dispatched_);
  if (ready.error) {
    fail(isa::ErrorCode::ReadError, now, index, "memory answered an instruction fetch with an error");
    return;
  }
  if (!head_legal_) {
    if (const auto illegal = isa::check(ready.word)) {
      fail(illegal->code, now, index, isa::to_string(*illegal));
      return;
    }
    head_.instruction = isa::decode(ready.word);
    head_.index = index;
    head_.claims = isa::claims(head_.instruction);
    if (const auto misfit = isa::check_at_decode(head_.instruction, head_.claims, machine_, digest_)) {
      fail(misfit->code, now, index, isa::to_string(*misfit));
      return;
    }
    // Data are computed on host memory, at once: what is not claimed is not there to be touched.
    if (const auto beyond = isa::check_reach(head_.instruction, head_.claims, machine_)) {
      throw RunError("E0811", "instruction " + std::to_string(index) + " touches words that it does not claim: " + isa::to_string(*beyond) +
                                  "\n  instruction " + std::to_string(index) + ": " + isa::disassemble(ready.word),
                     "hardware does not look, and would read and write beside them; correct the claim");
    }
    head_legal_ = true;
  }
  if (abort_at_ == now) return;  // no error of its own: it stays where it is
  if (head_.instruction.unit == isa::Unit::None) {  // halt
    const Cycle last_beat =
        fetch_answered_ == 0 ? now - 1
                             : fetch_last_beat_[static_cast<std::size_t>(fetch_answered_ - 1) % fetch_last_beat_.size()];
    if (last_beat >= now) {  // prefetch beyond halt is still on its way
      wake_at(last_beat + 1);
      return;
    }
    bool idle = fetches_.empty();
    for (const Unit& unit : unit_) idle = idle && unit.in_flight == 0 && unit.queued == 0;
    if (idle) {
      running_ = false;
      ++dispatched_;
    }
    return;
  }
  Unit& unit = unit_[static_cast<std::size_t>(head_.instruction.unit)];
  if (unit.queued >= machine_.queue_depth) return;
  unit.entries.push() = head_;
  head_legal_ = false;
  unit.push = 1;
  stage(static_cast<int>(head_.instruction.unit));
  fifo_.pop_front();
  dispatch_times_[dispatched_++] = now;
  last_dispatch_ = now;
  schedule_fetch();
}

// Of a unit with something in its queue.
bool SequencerModel::wants_to_start(int u) {
  Unit& unit = unit_[static_cast<std::size_t>(u)];
  unit.needs_credit = false;
  if (unit.in_flight == MaxInFlight) return false;
  const isa::Header& header = unit.entries[static_cast<std::size_t>(unit.in_flight)].instruction.header();
  if (unit.in_flight > 0 && !header.chain) return false;
  for (auto mask = static_cast<std::uint32_t>(header.wait_mask); mask != 0; mask &= mask - 1) {
    if (semaphore_[static_cast<std::size_t>(4 * u + __builtin_ctz(mask))] == 0) return false;
  }
  unit.needs_credit = unit.in_flight > 0 && !unit.credit;
  if (unit.needs_credit && !unit.chains.empty()) expect_credit(unit.chains.front() + 1);
  return !unit.needs_credit;
}

void SequencerModel::start(Cycle now) {
  std::array<bool, 4> starting{};
  const auto head = [](Unit& unit) -> Entry& { return unit.entries[static_cast<std::size_t>(unit.in_flight)]; };
  // Who could start before has started.
  bool any = false;
  each_unit(changed_, [&](int u) { any |= starting[static_cast<std::size_t>(u)] = unit_[static_cast<std::size_t>(u)].queued > 0 && wants_to_start(u); });
  if (!any) return;
  for (int u = 0; u < 4; ++u) {
    if (!starting[static_cast<std::size_t>(u)]) continue;
    Unit& unit = unit_[static_cast<std::size_t>(u)];
    Entry& entry = head(unit);
    if (const std::string what = conflict(u, entry, starting); !what.empty()) {
      fail(isa::ErrorCode::Hazard, now + 1, entry.index, what);
      start_failed_ = true;
      return;
    }
    if (u == static_cast<int>(isa::Unit::Matrix) && unit.in_flight == 1) {
      const isa::Matrix& a = unit.entries.front().instruction.matrix;
      const isa::Matrix& b = entry.instruction.matrix;
      const bool equal = a.acc_base == b.acc_base && a.acc_last == b.acc_last;
      if (!equal && a.acc_base <= b.acc_last && b.acc_base <= a.acc_last) {
        fail(isa::ErrorCode::IllegalChain, now + 1, entry.index,
             "chained behind instruction " + std::to_string(unit.entries.front().index) +
                 " whose accumulator words overlap its own without being equal");
        start_failed_ = true;
        return;
      }
    }
    const isa::Header& header = entry.instruction.header();
    for (int i = 0; i < 4; ++i) {
      if (header.wait_mask >> i & 1) --semaphore_next_[static_cast<std::size_t>(4 * u + i)];
    }
    unit.started = 1;
    unit.credit_take = 1;
    stage(u);
    entry.s = now + 1;
    unit.last_tag = header.tag;
    if (observer_ != nullptr) observer_->started(static_cast<isa::Unit>(u), entry.index, entry.instruction, now + 1);
    units_[static_cast<std::size_t>(u)]->start(entry.instruction, now + 1);
  }
}

// Whether two instructions that are at work at the same time may not hold these.
bool SequencerModel::clash(const isa::Claim& a, const isa::Claim& b) const {
  if (a.buffer != b.buffer) return false;
  if (a.write != b.write) return meet(a, b);
  const std::int64_t bank = bank_words_[static_cast<std::size_t>(a.buffer)];
  if (a.last + bank <= b.first || b.last + bank <= a.first) return false;  // a bank or more lies between them: no division
  return a.first / bank <= b.last / bank && b.first / bank <= a.last / bank;  // of two intervals that meet, a bank, too
}

// The first hazard of an instruction that would start, in words; empty if there is none.
std::string SequencerModel::conflict(int u, const Entry& entry, const std::array<bool, 4>& starting) const {
  const auto describe_clash = [&](const isa::Claim& a, const isa::Claim& b, const Entry& other, int v) {
    const std::string both = ": instruction " + std::to_string(entry.index) + " on " + unit_name(u) + " (" + describe(a) + ") and instruction " +
                             std::to_string(other.index) + " on " + unit_name(v) + " (" + describe(b) + ")";
    if ((a.write || b.write) && meet(a, b)) return "a written interval meets another" + both;
    const std::int64_t bank = std::max(a.first, b.first) / bank_words_[static_cast<std::size_t>(a.buffer)];
    return std::string("both hold the ") + (a.write ? "write" : "read") + " port of bank " + std::to_string(bank) + " of " + to_string(a.buffer) +
           both;
  };
  for (const isa::Claim& a : entry.claims) {
    for (const isa::Claim& b : entry.claims) {
      if (&a == &b || !a.write || a.buffer != b.buffer || !meet(a, b)) continue;
      if (a.buffer == Buffer::Accumulator) continue;  // read-modify-write of the matrix unit
      return "instruction " + std::to_string(entry.index) + " on " + unit_name(u) + " is " + describe(a) + " and " +
             describe(b);
    }
  }
  for (int v = 0; v < 4; ++v) {
    if (v == u) continue;
    const Unit& other = unit_[static_cast<std::size_t>(v)];
    const int count = other.in_flight + (starting[static_cast<std::size_t>(v)] ? 1 : 0);
    for (int i = 0; i < count; ++i) {
      const Entry& there = other.entries[static_cast<std::size_t>(i)];
      for (const isa::Claim& a : entry.claims) {
        for (const isa::Claim& b : there.claims) {
          if (clash(a, b)) return describe_clash(a, b, there, v);
        }
      }
    }
  }
  return {};
}

// What each unit does from cycle `now` on, from the state that is visible in it and the starts decided in it.
void SequencerModel::classify(Cycle now) {
  each_unit(now >= error_at_ ? AllUnits : changed_, [&](int u) {
    Unit& unit = unit_[static_cast<std::size_t>(u)];
    const bool idle = unit.in_flight == 0 || now >= error_at_;
    if (!idle && !unit.idle) return;
    int tag = unit.last_tag;
    isa::Cause cause = isa::Cause::QueueEmpty;
    if (now >= error_at_) {
      cause = isa::Cause::Error;
    } else if (unit.started) {
      cause = isa::Cause::Busy;
    } else if (idle && unit.queued > 0) {
      const isa::Header& header = unit.entries.front().instruction.header();
      cause = isa::Cause::Busy;  // all there, but a hazard stopped it: the error follows
      for (int i = 3; i >= 0; --i) {
        if ((header.wait_mask >> i & 1) && semaphore_[static_cast<std::size_t>(4 * u + i)] == 0) {
          cause = static_cast<isa::Cause>(static_cast<int>(isa::Cause::WaitSemaphore0) + i);
        }
      }
      tag = header.tag;
    }
    if (idle && unit.idle && cause == unit.idle_cause && tag == unit.idle_tag) return;
    count_idle(u, now);
    unit.idle = idle;
    unit.idle_cause = cause;
    unit.idle_tag = tag;
    unit.idle_from = now;
  });
}

void SequencerModel::fail(isa::ErrorCode code, Cycle cycle, std::uint32_t instruction, std::string text) {
  // A start fails in the cycle after its decision; whatever else fails in that cycle comes first.
  const bool overtakes = start_failed_ && error_at_ == cycle;
  if (error_at_ != Never && !overtakes) return;
  start_failed_ = false;
  error_at_ = cycle;
  error_ = {code, cycle - cycle0_, instruction, std::move(text)};
  staged_ = AllUnits;  // look again next cycle
  take_back_fetch();
}

void SequencerModel::stop(Cycle now) {
  for (int u = 0; u < 4; ++u) count_idle(u, now + 1);
  cycles_ = now + 1 - cycle0_;
  if (observer_ != nullptr) observer_->halted(now);
}

std::string SequencerModel::waiting() const {
  std::string text;
  for (int u = 0; u < 4; ++u) {
    const Unit& unit = unit_[static_cast<std::size_t>(u)];
    text += std::string(unit_name(u)) + ": ";
    if (unit.in_flight > 0) {
      text += "instruction " + std::to_string(unit.entries.front().index) + " is at work and waits for memory";
    } else if (unit.queued > 0) {
      const Entry& entry = unit.entries.front();
      text += "instruction " + std::to_string(entry.index) + " waits for semaphore";
      for (int i = 0; i < 4; ++i) {
        if ((entry.instruction.header().wait_mask >> i & 1) && semaphore_[static_cast<std::size_t>(4 * u + i)] == 0) {
          text += " " + std::to_string(4 * u + i);
        }
      }
    } else {
      text += "nothing to do";
    }
    text += "\n";
  }
  text += "sequencer: " + std::to_string(dispatched_) + " of " + std::to_string(program_bytes_ / isa::InstructionBytes) +
          " instructions dispatched";
  return text;
}

}  // namespace gemel
