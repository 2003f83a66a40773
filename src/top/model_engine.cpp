// SPDX-License-Identifier: Apache-2.0
// ModelEngine: the fast models behind the registers, and the SystemC process that wakes them.
#include <algorithm>
#include <functional>

#include "base/error.hpp"
#include "top/engine.hpp"

namespace gemel {

AgentProcess::AgentProcess(sc_core::sc_module_name name, sc_core::sc_time period) : sc_module(name), period_(period) {
  SC_METHOD(run);
  sensitive << event_;
  dont_initialize();
}

void AgentProcess::wakes(Agent& agent) {
  pending_.clear();
  event_.cancel();
  notified_ = Never;
  agent_ = &agent;
  agent.attach(*this);
}

void AgentProcess::wake_at(Cycle cycle) {
  pending_.push_back(cycle);
  std::push_heap(pending_.begin(), pending_.end(), std::greater<>());
  if (cycle >= notified_) return;
  notified_ = cycle;
  const sc_core::sc_time at = sc_core::sc_time::from_value(static_cast<std::uint64_t>(cycle) * period_.value());
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  event_.notify(at > now ? at - now : sc_core::SC_ZERO_TIME);
}

void AgentProcess::run() {
  const auto now = static_cast<Cycle>(sc_core::sc_time_stamp().value() / period_.value());
  notified_ = now;  // requests for this very cycle need no further notification
  while (!pending_.empty() && pending_.front() <= now) {
    std::pop_heap(pending_.begin(), pending_.end(), std::greater<>());
    pending_.pop_back();
  }
  try {
    agent_->wake(now);
  } catch (...) {
    failure_ = std::current_exception();
    throw;
  }
  notified_ = Never;
  if (!pending_.empty()) {
    const Cycle next = pending_.front();
    notified_ = next;
    event_.notify(sc_core::sc_time::from_value(static_cast<std::uint64_t>(next) * period_.value()) -
                  sc_core::sc_time_stamp());
  }
}

FetchProcess::FetchProcess(sc_core::sc_module_name name, ReadPort& memory, sc_core::sc_time period)
    : sc_module(name), memory_(memory), period_(period) {
  SC_METHOD(send);
  sensitive << due_;
  dont_initialize();
}

void FetchProcess::read(std::uint64_t address, std::uint32_t bytes, std::uint8_t* data, Cycle at) {
  requests_.push_back({address, data, at, bytes});
  const sc_core::sc_time due = sc_core::sc_time::from_value(static_cast<std::uint64_t>(at) * period_.value());
  if (requests_.size() == 1) due_.notify(due - sc_core::sc_time_stamp());
}

void FetchProcess::take_back(std::int64_t count) {
  if (count > static_cast<std::int64_t>(requests_.size())) throw InternalError("fetch: a request that has been sent cannot be taken back");
  for (; count > 0; --count) requests_.pop_back();
  if (requests_.empty()) due_.cancel();
}

void FetchProcess::forget() {
  requests_ = {};
  due_.cancel();
}

void FetchProcess::send() {
  const Request request = requests_.front();
  requests_.pop_front();
  if (!requests_.empty()) {  // one at most is accepted in a cycle
    due_.notify(sc_core::sc_time::from_value(static_cast<std::uint64_t>(requests_.front().at) * period_.value()) - sc_core::sc_time_stamp());
  }
  memory_.read(request.address, request.bytes, request.data, request.at);
}

ModelEngine::ModelEngine(const Machine& machine, std::array<NpuMaster*, 3> masters, sc_core::sc_time period, bool timing_only,
                         Clocked<PeArrayIn, PeArrayOut>* array)
    : ModelledRegisters(period),
      machine_(machine),
      masters_(masters),
      process_(std::make_unique<AgentProcess>("sequencer", period)),
      fetch_(std::make_unique<FetchProcess>("fetch_requests", *masters_[0], period)),
      chip_(machine_, {*fetch_, *masters_[1], *masters_[2]}, *process_, *this, timing_only, array) {
  connect();
}

void ModelEngine::connect() {
  masters_[0]->connect(&chip_.fetch_sink());
  masters_[1]->connect(&chip_.load_sink());
  masters_[2]->connect(&chip_.store_sink());
  process_->wakes(chip_.agent());
}

void ModelEngine::forget() {
  fetch_->forget();
  for (NpuMaster* master : masters_) master->abandon(chip_.units());
  chip_.reset();
  connect();
  used_ = false;
}

// Every run begins from reset but for the buffers, which keep what they hold. After an error instructions may still be on their way.
void ModelEngine::run(std::uint64_t program_base, std::uint32_t program_bytes, Cycle cycle0) {
  chip_.observe(begin(program_base, program_bytes));
  if (used_) forget();
  used_ = true;
  chip_.run(program_base, program_bytes, cycle0);
}

Npu::Engine::Figures ModelEngine::figures() {
  const SequencerModel& sequencer = chip_.sequencer();
  Figures figures;
  figures.cycles = sequencer.cycles();
  figures.error = sequencer.error().code;
  figures.counters = sequencer.counters();
  figures.traffic = {{sequencer.fetch_bursts(), sequencer.fetch_bytes()},
                     {chip_.load_dma().bursts(), chip_.load_dma().bytes()},
                     {chip_.store_dma().bursts(), chip_.store_dma().bytes()}};
  return figures;
}

void ModelEngine::array_failed() {
  array_failed_ = true;
  sc_core::sc_stop();
}

}  // namespace gemel
