// SPDX-License-Identifier: Apache-2.0
// ChipEngine: the whole chip as RTL in somebody's platform. In cycle c the bridge takes and sends what is on the AXI wires; the clock that
// ends c is given when simulated time has come to c+1, so that whoever accesses a register in c, in whatever order, is in time for it.
#include "base/error.hpp"
#include "top/engine.hpp"
#include "top/npu_rtl.hpp"

namespace gemel {
namespace {

constexpr Cycle CsrPatience = 16;  // cycles; the contract says two, behind AXI four

}  // namespace

ChipEngine::ChipEngine(sc_core::sc_module_name name, const Machine& machine, std::array<NpuMaster*, 3> masters, sc_core::sc_time period,
                       const NpuParts& parts)
    : sc_module(name), period_(period), masters_(masters), patience_(pulse_, parts.rtl_hangs), bridge_(machine, *masters[0], *masters[1], *masters[2], period),
      fetched_(static_cast<std::size_t>(machine.bus_bytes)), loaded_(static_cast<std::size_t>(machine.bus_bytes)) {
  SwapOptions swap = swap_options(parts);
  swap.pulse = &pulse_;
  npu_ = make_npu(machine, parts.choices, swap);
  masters[0]->connect(bridge_.fetch_sink());
  masters[1]->connect(bridge_.load_sink());
  masters[2]->connect(bridge_.store_sink());
  npu_->reset();
  SC_THREAD(thread);
}

void ChipEngine::access(Access& access) {
  while (active_) {
    require_thread();
    Waiting waiting{access};
    const auto later = [&](const Waiting* w) { return w->access.at > access.at; };
    waiting_.insert(std::find_if(waiting_.begin(), waiting_.end(), later), &waiting);
    arrived_.notify(sc_core::SC_ZERO_TIME);
    sc_core::wait(waiting.event);
    if (waiting.done) return;
  }
  access_at_rest(access);
}

bool ChipEngine::peek(std::uint32_t offset, std::uint32_t& value) {
  if (active_) return false;
  Access access;
  access.offset = offset;
  access.at = clock_;
  access_at_rest(access);
  clock_ = access.at;
  value = access.value;
  return true;
}

// Nothing is under way: memory is not there, and no time goes by.
void ChipEngine::access_at_rest(Access& access) {
  if (access.write && access.offset == isa::csr::Control && (access.value & ControlStart) != 0) {
    begin(static_cast<std::uint64_t>(read64(isa::csr::ProgramBaseLow)), static_cast<std::uint32_t>(read64(isa::csr::ProgramBytes)));
  }
  clock_ = std::max(clock_, access.at);
  NpuIn in;
  drive(in, access);
  clock(in);
  clock({});
  while (!(access.write ? npu_->out().csr_written : npu_->out().csr_answered)) {  // a program that has been started has come to its first cycle
    if (clock_ > access.at + CsrPatience) no_answer(access);
    clock({});
  }
  if (!access.write) access.value = npu_->out().csr_data;
  access.answered = clock_;
  if (!npu_->out().running) return;
  active_ = true;
  before_ = bridge_.traffic();
  start_.notify(sc_core::SC_ZERO_TIME);
}

void ChipEngine::drive(NpuIn& in, const Access& access) {
  (access.write ? in.csr_write : in.csr_read) = true;
  (access.write ? in.csr_write_offset : in.csr_read_offset) = access.offset;
  in.csr_write_data = access.value;
}

void ChipEngine::clock(NpuIn in) {
  npu_->step(in);
  ++clock_;
  const bool level = npu_->out().interrupt;
  if (level != level_ && interrupt) interrupt(level, clock_);
  level_ = level;
}

void ChipEngine::reset() {
  if (active_ && process_.valid()) process_.throw_it(ResetPulled());
  start_.cancel();
  active_ = false;
  const auto bursts = bridge_.forget();
  for (NpuMaster* master : masters_) master->abandon(bursts);
  for (auto* queue : {&waiting_, &writing_, &reading_}) {
    for (Waiting* waiting : *queue) {
      waiting->done = true;
      waiting->event.notify(sc_core::SC_ZERO_TIME);
    }
    queue->clear();
  }
  npu_->reset();
  level_ = false;
  before_ = {};
}

std::int64_t ChipEngine::read64(std::uint32_t offset) {
  std::uint32_t low = 0, high = 0;
  peek(offset, low);
  peek(offset + 4, high);
  return static_cast<std::int64_t>(low | std::uint64_t{high} << 32);
}

Npu::Engine::Figures ChipEngine::figures() {
  Figures figures;
  figures.traffic = bridge_.traffic() - before_;
  if (active_) return figures;  // the chip shows its registers over its wires alone
  std::uint32_t error = 0;
  peek(isa::csr::ErrorCode, error);
  figures.error = static_cast<isa::ErrorCode>(error);
  figures.cycles = read64(isa::csr::CyclesLow);
  for (std::uint32_t u = 0; u < isa::UnitCount; ++u) {
    for (std::uint32_t c = 0; c < isa::CauseCount; ++c) figures.counters[u][c] = read64(isa::csr::Counters + 8 * (isa::CauseCount * u + c));
  }
  return figures;
}

void ChipEngine::thread() {
  process_ = sc_core::sc_get_current_process_handle();
  for (;;) {
    try {
      wait(start_);
      clock_program();
    } catch (const ResetPulled&) {
    }
  }
}

void ChipEngine::clock_program() {
  const sc_core::sc_time begin = sc_core::sc_time::from_value(static_cast<std::uint64_t>(clock_) * period_.value());
  if (begin > sc_core::sc_time_stamp()) wait(begin - sc_core::sc_time_stamp());
  bridge_.begin(clock_, [this] { return npu_->out().running; });
  while (npu_->out().running || !writing_.empty() || !reading_.empty()) {
    tick();
    if (npu_->still() && bridge_.idle() && waiting_.empty() && writing_.empty() && reading_.empty() && npu_->out().running) sleep();
  }
  active_ = false;
  for (Waiting* waiting : waiting_) waiting->event.notify(sc_core::SC_ZERO_TIME);
  waiting_.clear();
}

void ChipEngine::tick() {
  const NpuOut out = npu_->out();
  NpuIn in;
  in.memory = bridge_.out();
  const auto keep = [](ReadResponseWires& wires, std::vector<std::uint8_t>& bytes) {  // the bridge lets go of its bursts
    if (!wires.valid) return;
    std::memcpy(bytes.data(), wires.data, bytes.size());
    wires.data = bytes.data();
  };
  keep(in.memory.fetch, fetched_);
  keep(in.memory.load, loaded_);
  step_memory(bridge_, out.memory, clock_, "npu");
  if (!waiting_.empty() && waiting_.front()->access.at <= clock_) {
    Waiting* const waiting = waiting_.front();
    waiting_.pop_front();
    drive(in, waiting->access);
    (waiting->access.write ? writing_ : reading_).push_back(waiting);
  }
  clock(in);
  const auto answer = [this](std::deque<Waiting*>& queue) {
    Waiting* const waiting = queue.front();
    queue.pop_front();
    waiting->access.answered = clock_;
    waiting->done = true;
    waiting->event.notify(sc_core::SC_ZERO_TIME);
    return waiting;
  };
  if (npu_->out().csr_written && !writing_.empty()) answer(writing_);
  if (npu_->out().csr_answered && !reading_.empty()) answer(reading_)->access.value = npu_->out().csr_data;
  for (const auto* queue : {&writing_, &reading_}) {
    if (!queue->empty() && clock_ > queue->front()->access.at + CsrPatience) no_answer(queue->front()->access);
  }
}

// Waits for memory's answers, or for ever: without events the simulation ends, as with models. Then only its counters have moved.
void ChipEngine::sleep() {
  wait(arrived_);
  const Cycle at = waiting_.front()->access.at;
  const sc_core::sc_time due = sc_core::sc_time::from_value(static_cast<std::uint64_t>(at) * period_.value());
  if (due > sc_core::sc_time_stamp()) wait(due - sc_core::sc_time_stamp());
  NpuIn in;
  in.memory = bridge_.out();
  while (clock_ < at) clock(in);
  bridge_.begin(clock_, [this] { return npu_->out().running; });
}

void ChipEngine::no_answer(const Access& access) const {
  throw UserError("E1008", "block `npu` did not answer a " + std::string(access.write ? "write" : "read") + " of register " +
                               std::to_string(access.offset) + " within " + std::to_string(CsrPatience) + " cycles",
                  access.write ? "csr_written_o must follow csr_write_i by two cycles" : "csr_answered_o must follow csr_read_i by two cycles");
}

}  // namespace gemel
