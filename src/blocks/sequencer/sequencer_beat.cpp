// SPDX-License-Identifier: Apache-2.0
// sequencer, beat model; see sequencer_beat.hpp. Order within a cycle: decide() looks at the registers, finish() at the
// completions on the wires; errors of the cycle then stop what would change; last the registers are assigned.
#include "blocks/sequencer/sequencer_beat.hpp"

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "blocks/sequencer/control_register.hpp"
#include "config/digest.hpp"

namespace gemel {
namespace {

using isa::SemaphoreMax;
using isa::SemaphoresPerUnit;
constexpr std::uint32_t StatusRunning = 1, StatusDone = 2, StatusError = 4, StatusInterrupt = 8;
constexpr auto MatrixIndex = static_cast<std::size_t>(isa::Unit::Matrix);

inline bool meet(const isa::Claim& a, const isa::Claim& b) { return a.first <= b.last && b.first <= a.last; }

inline std::uint32_t low(std::uint64_t value) { return static_cast<std::uint32_t>(value); }
inline std::uint32_t high(std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); }

constexpr isa::Cause StatusCause[] = {isa::Cause::Busy, isa::Cause::WaitRequest, isa::Cause::WaitData,
                                      isa::Cause::WaitWrite};

}  // namespace

SequencerBeat::SequencerBeat(const Machine& machine)
    : machine_(machine),
      digest_(machine_digest(machine)),
      fetch_burst_bytes_(static_cast<std::uint64_t>(std::max(machine.burst_bytes, isa::InstructionBytes))),
      beat_(static_cast<std::size_t>(machine.bus_bytes)) {}

void SequencerBeat::reset() {
  write_pending_ = read_pending_ = false;
  program_base_ = 0;
  program_bytes_ = 0;
  interrupt_enable_ = done_ = false;
  cycle_ = 0;
  counters_ = {};
  failure_ = start_failure_ = {};
  begin_run();
  out_ = {};
  changed_ = false;
}

void SequencerBeat::step(const SequencerIn& in) {
  changed_ = false;
  if (out_.running) {
    clock_run(in);
    last_in_ = in;
  } else {
    for (CommandWires& command : out_.command) command.valid = false;
  }
  clock_csr(in);
}

void SequencerBeat::skip(Cycle cycles) {
  if (!out_.running) return;
  count(last_in_, Starts{}, cycles);
  cycle_ += cycles;
}

// ---- Control and status registers ----

void SequencerBeat::clock_csr(const SequencerIn& in) {
  if (out_.csr_written || out_.csr_answered || write_pending_ || read_pending_ || in.csr_write || in.csr_read) {
    changed_ = true;
    out_.csr_written = write_pending_;
    out_.csr_answered = read_pending_;
    if (read_pending_) out_.csr_data = read_csr(read_offset_);
    if (write_pending_) write_csr(write_offset_, write_data_);
    write_pending_ = in.csr_write;
    write_offset_ = in.csr_write_offset;
    write_data_ = in.csr_write_data;
    read_pending_ = in.csr_read;
    read_offset_ = in.csr_read_offset;
  }
  const bool interrupt = interrupt_enable_ && done_;
  changed_ = changed_ || interrupt != out_.interrupt;
  out_.interrupt = interrupt;
}

void SequencerBeat::write_csr(std::uint32_t offset, std::uint32_t value) {
  namespace csr = isa::csr;
  if (offset == csr::InterruptEnable) interrupt_enable_ = (value & 1) != 0;
  if (out_.running) return;  // the others only while nothing runs; but for control.abort, which clock_run() has seen
  switch (offset) {
    case csr::Control:
      if (value & ControlClear) {
        done_ = false;
        failure_ = {};
      }
      if (value & ControlStart) {
        begin_run();
        out_.running = true;
      }
      break;
    case csr::ProgramBaseLow:
      program_base_ = (program_base_ & ~std::uint64_t{0xffffffff}) | value;
      break;
    case csr::ProgramBaseHigh:
      program_base_ = (program_base_ & 0xffffffff) | std::uint64_t{value} << 32;
      break;
    case csr::ProgramBytes:
      program_bytes_ = value;
      break;
    default:
      break;
  }
}

std::uint32_t SequencerBeat::read_csr(std::uint32_t offset) const {
  namespace csr = isa::csr;
  constexpr std::uint32_t CounterBytes = 8;
  if (offset >= csr::Counters && offset < csr::Counters + CounterBytes * isa::UnitCount * isa::CauseCount) {
    const std::uint32_t index = (offset - csr::Counters) / CounterBytes;
    const auto value = static_cast<std::uint64_t>(counters_[index / isa::CauseCount][index % isa::CauseCount]);
    return offset % CounterBytes == 0 ? low(value) : high(value);
  }
  const auto cycles = static_cast<std::uint64_t>(cycle_);
  const auto error_cycle = static_cast<std::uint64_t>(failure_.cycle);
  switch (offset) {
    case csr::Status:
      return (out_.running ? StatusRunning : 0) | (done_ ? StatusDone : 0) |
             (done_ && failure_.code != isa::ErrorCode::None ? StatusError : 0) | (out_.interrupt ? StatusInterrupt : 0);
    case csr::ProgramBaseLow: return low(program_base_);
    case csr::ProgramBaseHigh: return high(program_base_);
    case csr::ProgramBytes: return program_bytes_;
    case csr::InterruptEnable: return interrupt_enable_ ? 1 : 0;
    case csr::ErrorCode: return static_cast<std::uint32_t>(failure_.code);
    case csr::ErrorInstruction: return failure_.instruction;
    case csr::ErrorCycleLow: return low(error_cycle);
    case csr::ErrorCycleHigh: return high(error_cycle);
    case csr::CyclesLow: return low(cycles);
    case csr::CyclesHigh: return high(cycles);
    case csr::Version: return isa::Version;
    default: return 0;
  }
}

void SequencerBeat::begin_run() {
  cycle_ = 0;
  counters_ = {};
  layer_counters_.assign(1, {});
  failure_ = start_failure_ = {};
  done_ = false;
  program_base_ &= ~std::uint64_t{isa::InstructionBytes - 1};
  fetch_at_ = unpack_at_ = program_base_;
  program_end_ = program_base_ + program_bytes_ / isa::InstructionBytes * isa::InstructionBytes;
  requested_ = bursts_requested_ = bursts_answered_ = dispatched_ = 0;
  beat_valid_ = false;
  partial_error_ = false;
  fifo_.clear();
  head_checked_ = false;
  for (Unit& unit : unit_) {
    unit.queue.clear();
    unit.in_flight.clear();
    unit.credit = false;
    unit.last_tag = 0;
  }
  semaphore_.fill(0);
}

// ---- One cycle of a run ----

void SequencerBeat::clock_run(const SequencerIn& in) {
  const bool stopped = failure_.code != isa::ErrorCode::None;  // in an earlier cycle
  Starts decision;
  if (!stopped && start_failure_.code == isa::ErrorCode::None) decision = decide();

  bool dispatchable = false;
  if (!stopped) {
    // Of several errors in a cycle: completions, decode, starts, an abort.
    Failure failure = finish(in);
    if (failure.code == isa::ErrorCode::None) failure = decode_head(dispatchable);
    if (failure.code == isa::ErrorCode::None) failure = start_failure_;
    const bool aborts = write_pending_ && write_offset_ == isa::csr::Control && (write_data_ & ControlAbort) != 0;
    if (failure.code == isa::ErrorCode::None && aborts) {
      failure = {isa::ErrorCode::Aborted, cycle_, static_cast<std::uint32_t>(dispatched_)};
    }
    if (failure.code != isa::ErrorCode::None) {
      failure_ = failure;
      failure_.cycle = cycle_;
      decision = {};
      dispatchable = false;
      changed_ = true;
    }
  }
  count(in, decision, 1);
  start_failure_ = decision.failure;
  changed_ = changed_ || start_failure_.code != isa::ErrorCode::None;

  const bool is_halt = dispatchable && isa::unit(isa::opcode(fifo_.front().word)) == isa::Unit::None;
  const bool halts = is_halt && nothing_to_do();
  const bool gives_up = failure_.code != isa::ErrorCode::None && failure_.cycle < cycle_ && nothing_to_do();

  fetch(in);
  // Completions take effect behind everything that looked at the registers of this cycle.
  for (std::size_t u = 0; u < unit_.size(); ++u) {
    Unit& unit = unit_[u];
    const CompletionWires& wires = in.unit[u];
    const bool had_credit = unit.credit;
    if (wires.done) {
      const Entry& finished = unit.in_flight.front();
      if (failure_.code == isa::ErrorCode::None) {
        for (std::size_t s = 0; s < semaphore_.size(); ++s) semaphore_[s] += finished.header.post_mask >> s & 1;
      }
      unit.in_flight.pop_front();
      changed_ = true;
    }
    if (decision.starts[u]) unit.credit = false;
    if (wires.chain) unit.credit = true;
    if (unit.in_flight.empty()) unit.credit = false;
    changed_ = changed_ || unit.credit != had_credit;
  }
  start(decision);
  if (dispatchable && !is_halt) dispatch();

  ++cycle_;
  if (halts || gives_up) {
    out_.running = false;
    out_.memory.valid = false;
    done_ = true;
    changed_ = true;
  }
}

bool SequencerBeat::nothing_to_do() const {
  if (out_.memory.valid || bursts_requested_ != bursts_answered_) return false;
  const bool stopped = failure_.code != isa::ErrorCode::None;  // what is queued then stays there
  for (const Unit& unit : unit_) {
    if ((!stopped && !unit.queue.empty()) || !unit.in_flight.empty()) return false;
  }
  return true;
}

// ---- Fetch ----

void SequencerBeat::fetch(const SequencerIn& in) {
  if (beat_valid_) unpack_beat();
  beat_valid_ = in.memory.valid;
  std::int64_t answered = 0;
  if (in.memory.valid) {
    std::memcpy(beat_.data(), in.memory.data, beat_.size());
    beat_error_ = in.memory.error;
    answered = in.memory.last ? 1 : 0;
    changed_ = true;
  }

  ReadRequestWires& ar = out_.memory;
  if (!ar.valid || in.memory.request_ready) {
    changed_ = changed_ || ar.valid;
    ar.valid = false;
    if (fetch_at_ < program_end_ && failure_.code == isa::ErrorCode::None) {
      const std::uint64_t boundary = (fetch_at_ / fetch_burst_bytes_ + 1) * fetch_burst_bytes_;
      const std::uint64_t stop = std::min(boundary, program_end_);
      const auto instructions = static_cast<std::int64_t>((stop - fetch_at_) / isa::InstructionBytes);
      if (requested_ + instructions - dispatched_ <= machine_.prefetch_instructions) {
        ar = {true, fetch_at_, static_cast<std::uint32_t>(stop - fetch_at_)};
        fetch_at_ = stop;
        requested_ += instructions;
        ++bursts_requested_;
        changed_ = true;
      }
    }
  }
  bursts_answered_ += answered;
}

// The beat of the cycle before goes into the FIFO; a beat holds a part of an instruction or several.
void SequencerBeat::unpack_beat() {
  const auto bus = static_cast<std::uint64_t>(machine_.bus_bytes);
  const std::uint64_t beat_address = unpack_at_ / bus * bus;
  const std::uint64_t end = std::min(beat_address + bus, program_end_);
  while (unpack_at_ < end) {
    const std::uint64_t offset = (unpack_at_ - program_base_) % isa::InstructionBytes;
    const std::uint64_t bytes = std::min(end - unpack_at_, isa::InstructionBytes - offset);
    std::uint8_t raw[isa::InstructionBytes];
    std::memcpy(raw, partial_.data(), sizeof raw);
    std::memcpy(raw + offset, beat_.data() + (unpack_at_ - beat_address), bytes);
    std::memcpy(partial_.data(), raw, sizeof raw);
    partial_error_ = (offset != 0 && partial_error_) || beat_error_;
    unpack_at_ += bytes;
    if (offset + bytes == isa::InstructionBytes) fifo_.push_back({partial_, partial_error_});
  }
  changed_ = true;
}

// ---- Dispatch ----

// Looks at the head of the FIFO: an error, or whether it can go (its queue has a place; halt: always).
SequencerBeat::Failure SequencerBeat::decode_head(bool& dispatchable) const {
  const auto index = static_cast<std::uint32_t>(dispatched_);
  if (fifo_.empty()) {
    const auto program = static_cast<std::int64_t>((program_end_ - program_base_) / isa::InstructionBytes);
    if (dispatched_ == program) return {isa::ErrorCode::EndOfProgram, cycle_, index};
    return {};
  }
  const Fetched& head = fifo_.front();
  if (head.error) return {isa::ErrorCode::ReadError, cycle_, index};
  // Checking is slow here and a head may wait long: a full queue means that it has been found legal, or will be later.
  const isa::Unit unit = isa::unit(isa::opcode(head.word));
  if (!head_checked_) {
    if (const auto illegal = isa::check(head.word)) return {illegal->code, cycle_, index};
    if (const auto misfit = isa::check_at_decode(isa::decode(head.word), machine_, digest_)) return {misfit->code, cycle_, index};
    head_checked_ = true;
  }
  dispatchable = unit == isa::Unit::None ||
                 unit_[static_cast<std::size_t>(unit)].queue.size() < static_cast<std::size_t>(machine_.queue_depth);
  return {};
}

void SequencerBeat::dispatch() {
  const isa::Instruction instruction = isa::decode(fifo_.front().word);
  Entry entry;
  entry.index = static_cast<std::uint32_t>(dispatched_);
  entry.word = fifo_.front().word;
  entry.header = instruction.header();
  entry.claims = isa::claims(instruction);
  const auto layers = static_cast<std::size_t>(entry.header.tag) + 1;
  if (layer_counters_.size() < layers) layer_counters_.resize(layers);
  unit_[static_cast<std::size_t>(instruction.unit)].queue.push_back(entry);
  fifo_.pop_front();
  head_checked_ = false;
  ++dispatched_;
  changed_ = true;
}

// ---- Start ----

bool SequencerBeat::wants_to_start(const Unit& unit, int index) const {
  if (unit.queue.empty()) return false;
  const isa::Header& header = unit.queue.front().header;
  for (int i = 0; i < SemaphoresPerUnit; ++i) {
    if ((header.wait_mask >> i & 1) && semaphore_[static_cast<std::size_t>(SemaphoresPerUnit * index + i)] == 0) return false;
  }
  return unit.in_flight.empty() || (unit.in_flight.size() == 1 && header.chain && unit.credit);
}

SequencerBeat::Starts SequencerBeat::decide() const {
  std::array<bool, isa::UnitCount> candidates{};
  bool any = false;
  for (std::size_t u = 0; u < unit_.size(); ++u) {
    candidates[u] = wants_to_start(unit_[u], static_cast<int>(u));
    any = any || candidates[u];
  }
  Starts decision;
  if (!any) return decision;
  for (std::size_t u = 0; u < unit_.size(); ++u) {
    if (!candidates[u]) continue;
    const Entry& entry = unit_[u].queue.front();
    if (hazard(static_cast<int>(u), candidates)) {
      decision.failure = {isa::ErrorCode::Hazard, cycle_ + 1, entry.index};
      return decision;
    }
    if (u == MatrixIndex && !unit_[u].in_flight.empty()) {
      const isa::Claim& mine = entry.claims.items[static_cast<std::size_t>(entry.claims.count - 1)];  // accumulator, write
      const isa::Claims& theirs = unit_[u].in_flight.front().claims;
      const isa::Claim& other = theirs.items[static_cast<std::size_t>(theirs.count - 1)];
      const bool equal = mine.first == other.first && mine.last == other.last;
      if (!equal && meet(mine, other)) {
        decision.failure = {isa::ErrorCode::IllegalChain, cycle_ + 1, entry.index};
        return decision;
      }
    }
    decision.starts[u] = true;
  }
  return decision;
}

bool SequencerBeat::hazard(int unit, const std::array<bool, isa::UnitCount>& candidates) const {
  const Entry& entry = unit_[static_cast<std::size_t>(unit)].queue.front();
  if (self_conflict(entry)) return true;
  for (std::size_t v = 0; v < unit_.size(); ++v) {
    if (v == static_cast<std::size_t>(unit)) continue;
    for (const Entry& other : unit_[v].in_flight) {
      if (conflict(entry, other)) return true;
    }
    if (candidates[v] && conflict(entry, unit_[v].queue.front())) return true;
  }
  return false;
}

// Two instructions of different units.
bool SequencerBeat::conflict(const Entry& a, const Entry& b) const {
  for (const isa::Claim& p : a.claims) {
    for (const isa::Claim& q : b.claims) {
      if (p.buffer != q.buffer) continue;
      if ((p.write || q.write) && meet(p, q)) return true;
      const std::int64_t bank = machine_.bank_words(p.buffer);
      if (p.write == q.write && p.first / bank <= q.last / bank && q.first / bank <= p.last / bank) return true;
    }
  }
  return false;
}

bool SequencerBeat::self_conflict(const Entry& a) const {
  for (const isa::Claim& p : a.claims) {
    if (!p.write || p.buffer == Buffer::Accumulator) continue;  // the matrix unit's own read-modify-write
    for (const isa::Claim& q : a.claims) {
      if (&p != &q && p.buffer == q.buffer && meet(p, q)) return true;
    }
  }
  return false;
}

void SequencerBeat::start(const Starts& decision) {
  for (std::size_t u = 0; u < unit_.size(); ++u) {
    Unit& unit = unit_[u];
    CommandWires& command = out_.command[u];
    changed_ = changed_ || command.valid || decision.starts[u];
    command.valid = decision.starts[u];
    if (!command.valid) continue;
    const Entry& entry = unit.queue.front();
    for (std::size_t i = 0; i < SemaphoresPerUnit; ++i) semaphore_[SemaphoresPerUnit * u + i] -= entry.header.wait_mask >> i & 1;
    unit.turn ^= 1;
    unit.command[static_cast<std::size_t>(unit.turn)] = entry.word;
    command.word = &unit.command[static_cast<std::size_t>(unit.turn)];
    unit.started_index = entry.index;
    unit.last_tag = entry.header.tag;
    unit.in_flight.push_back(entry);
    unit.queue.pop_front();
  }
}

// ---- Done ----

// The first error among the completions on the wires. What starts in this cycle takes its semaphores behind it.
SequencerBeat::Failure SequencerBeat::finish(const SequencerIn& in) const {
  bool any = false;
  for (const CompletionWires& wires : in.unit) any = any || wires.done;
  if (!any) return {};
  std::array<int, 16> count = semaphore_;
  for (std::size_t u = 0; u < unit_.size(); ++u) {
    if (!in.unit[u].done) continue;
    if (unit_[u].in_flight.empty()) throw InternalError("sequencer: a completion without an instruction in flight");
    const Entry& entry = unit_[u].in_flight.front();
    if (in.unit[u].error) {
      const bool store = u == static_cast<std::size_t>(isa::Unit::Store);
      return {store ? isa::ErrorCode::WriteError : isa::ErrorCode::ReadError, cycle_, entry.index};
    }
    for (std::size_t s = 0; s < count.size(); ++s) {
      count[s] += entry.header.post_mask >> s & 1;
      if (count[s] > SemaphoreMax) return {isa::ErrorCode::SemaphoreOverflow, cycle_, entry.index};
    }
  }
  return {};
}

// ---- Counters ----

SequencerBeat::Counted SequencerBeat::cause_of(int index, const SequencerIn& in, const Starts& decision) const {
  const auto u = static_cast<std::size_t>(index);
  const Unit& unit = unit_[u];
  if (failure_.code != isa::ErrorCode::None) return {isa::Cause::Error, unit.last_tag};
  if (!unit.in_flight.empty()) return {StatusCause[static_cast<std::size_t>(in.unit[u].status)], unit.in_flight.front().header.tag};
  if (unit.queue.empty()) return {isa::Cause::QueueEmpty, unit.last_tag};
  const isa::Header& header = unit.queue.front().header;
  if (decision.starts[u]) return {isa::Cause::Busy, header.tag};
  for (int i = 0; i < SemaphoresPerUnit; ++i) {
    if ((header.wait_mask >> i & 1) && semaphore_[static_cast<std::size_t>(SemaphoresPerUnit * index + i)] == 0) {
      return {static_cast<isa::Cause>(static_cast<int>(isa::Cause::WaitSemaphore0) + i), header.tag};
    }
  }
  return {isa::Cause::Busy, header.tag};  // a start that became an error
}

void SequencerBeat::count(const SequencerIn& in, const Starts& decision, Cycle cycles) {
  for (int u = 0; u < isa::UnitCount; ++u) {
    const Counted counted = cause_of(u, in, decision);
    const auto unit = static_cast<std::size_t>(u), cause = static_cast<std::size_t>(counted.cause);
    counters_[unit][cause] += cycles;
    layer_counters_[static_cast<std::size_t>(counted.tag)][unit][cause] += cycles;
  }
}

}  // namespace gemel
