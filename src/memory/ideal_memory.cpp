// SPDX-License-Identifier: Apache-2.0
#include "memory/ideal_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace gemel {

IdealMemory::IdealMemory(sc_core::sc_module_name name, const Machine& machine, sc_core::sc_time period)
    : sc_module(name),
      fetch("fetch"),
      load("load"),
      store("store"),
      machine_(machine),
      period_(period),
      period_ticks_(period.value()),
      read_latency_(machine.read_latency_cycles),
      write_latency_(machine.write_latency_cycles),
      bus_log2_(log2_of(static_cast<std::uint64_t>(machine.bus_bytes))),
      size_(static_cast<std::uint64_t>(machine.memory_bytes)),
      read_jitter_(machine, Jitter::Reads),
      write_jitter_(machine, Jitter::Writes) {
  void* mapped = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    throw UserError("E0914", "the host cannot map " + std::to_string(size_) + " bytes for the simulated memory",
                    "choose a smaller memory.size_bytes");
  }
  data_ = static_cast<std::uint8_t*>(mapped);
  ::madvise(mapped, size_, MADV_HUGEPAGE);  // fewer faults where the host does it; a hint
  int tag = 0;
  for (auto* socket : {&fetch, &load, &store}) {
    socket->register_nb_transport_fw(this, &IdealMemory::forward, tag);
    socket->register_b_transport(this, &IdealMemory::blocking, tag);
    socket->register_transport_dbg(this, &IdealMemory::debug, tag);
    socket->register_get_direct_mem_ptr(this, &IdealMemory::direct, tag);
    ++tag;
  }
  SC_METHOD(decide);
  sensitive << decide_event_;
  dont_initialize();
}

IdealMemory::~IdealMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

tlm::tlm_sync_enum IdealMemory::forward(int port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                        sc_core::sc_time& delay) {
  if (phase != tlm::BEGIN_REQ) return tlm::TLM_ACCEPTED;  // END_RESP needs nothing
  const auto at = static_cast<Cycle>((simcontext()->time_stamp().value() + delay.value()) / period_ticks_);
  Queue& queue = queues_[static_cast<std::size_t>(port)];
  (payload.is_read() ? queue.reads : queue.writes) = true;
  const bool in_order = queue.requests.empty() || queue.requests.back().at <= at;  // nearly always
  queue.requests.push_back({&payload, at});
  if (!in_order) queue.sort_in_last();
  if (const Cycle by = deadline(queue); by < next_decision_) decide_by(by);
  phase = tlm::END_REQ;  // never refused: the machine's bridge keeps the queue
  return tlm::TLM_UPDATED;
}

void IdealMemory::Queue::sort_in_last() {
  for (std::size_t i = requests.size() - 1; i > 0 && requests[i - 1].at > requests[i].at; --i) {
    std::swap(requests[i - 1], requests[i]);
  }
}

// Nobody hears of a decision before its first beat or B, so it may wait until the cycle before: then all requests that compete
// with it are known, and a batch of them costs one event. Here for the first of a queue: the earliest that its answer can be.
Cycle IdealMemory::deadline(const Queue& queue) const {
  const Cycle at = queue.requests.front().at;
  Cycle answer = Never;
  if (queue.reads) answer = std::max(at + read_latency_, read_free_);
  if (queue.writes) answer = std::min(answer, at + write_latency_);
  return answer - 1;
}

void IdealMemory::decide_by(Cycle cycle) {
  next_decision_ = cycle;
  const sc_core::sc_time half_past =
      sc_core::sc_time::from_value(static_cast<std::uint64_t>(cycle) * period_ticks_ + period_ticks_ / 2);
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  decide_event_.notify(half_past > now ? half_past - now : sc_core::SC_ZERO_TIME);
}

void IdealMemory::decide() {
  const std::uint64_t now_ticks = simcontext()->time_stamp().value();
  const auto now = static_cast<Cycle>(now_ticks / period_ticks_);  // half a period is cut off
  next_decision_ = now;  // requests that come meanwhile wait for the end
  for (;;) {
    // The oldest; of one cycle in the order of ports. It is served until another port's turn comes at `until`.
    Cycle oldest = now + 1, until = now + 1;
    int port = PortCount;
    for (int p = 0; p < PortCount; ++p) {
      const auto& requests = queues_[static_cast<std::size_t>(p)].requests;
      if (requests.empty()) continue;
      const Cycle at = requests.front().at;
      if (at < oldest) {
        until = oldest;  // ports before this one go first in their cycle
        oldest = at;
        port = p;
      } else {
        until = std::min(until, at + 1);
      }
    }
    if (port == PortCount) break;
    auto& requests = queues_[static_cast<std::size_t>(port)].requests;
    auto& socket = port == Fetch ? fetch : port == Load ? load : store;
    do {
      const Request request = requests.front();
      requests.pop_front();
      const Cycle answer = serve(*request.payload, static_cast<Port>(port), request.at);
      tlm::tlm_phase phase = tlm::BEGIN_RESP;
      sc_core::sc_time delay = sc_core::sc_time::from_value(static_cast<std::uint64_t>(answer) * period_ticks_ - now_ticks);
      socket->nb_transport_bw(*request.payload, phase, delay);  // may send further requests, none of them due by now
    } while (!requests.empty() && requests.front().at < until);
  }
  next_decision_ = Never;
  Cycle next = Never;
  for (const Queue& queue : queues_) {
    if (!queue.requests.empty()) next = std::min(next, deadline(queue));
  }
  if (next != Never) decide_by(next);
}

Cycle IdealMemory::serve(tlm::tlm_generic_payload& payload, Port port, Cycle now) {
  const std::uint64_t first = payload.get_address(), bytes = payload.get_data_length();
  const auto beats = static_cast<std::int64_t>(((first + bytes - 1) >> bus_log2_) - (first >> bus_log2_)) + 1;
  const std::int64_t width = machine_.memory_bytes_per_cycle;
  const std::int64_t occupied =
      width >= machine_.bus_bytes ? beats : (beats * machine_.bus_bytes + width - 1) / width;
  access(payload);
  if (payload.is_read()) {
    const Cycle start = std::max(now + read_latency_ + read_jitter_.next(), read_free_);
    read_free_ = start + occupied;
    const Cycle first_beat = start + occupied - beats;
    while (!outstanding_.empty() && outstanding_.front().last_beat < now) outstanding_.pop_front();
    outstanding_.push_back({first, first + bytes - 1, now, first_beat + beats - 1, port});
    outstanding_first_ = std::min(outstanding_first_, first);
    outstanding_end_ = std::max(outstanding_end_, first + bytes);
    return first_beat;
  }
  if (outstanding_first_ < first + bytes && first < outstanding_end_) check_overlap(first, bytes, now);
  last_write_done_ = std::max(now + write_jitter_.next(), last_write_done_ + occupied);
  return last_write_done_ + write_latency_;
}

// The bounds of outstanding reads grow with each of them; here they become tight again.
void IdealMemory::check_overlap(std::uint64_t first, std::uint64_t bytes, Cycle now) {
  while (!outstanding_.empty() && outstanding_.front().last_beat < now) outstanding_.pop_front();
  outstanding_first_ = ~std::uint64_t{0};
  outstanding_end_ = 0;
  for (std::size_t i = 0; i < outstanding_.size(); ++i) {
    const Outstanding& read = outstanding_[i];
    outstanding_first_ = std::min(outstanding_first_, read.first);
    outstanding_end_ = std::max(outstanding_end_, read.last + 1);
    if (read.first >= first + bytes || first > read.last) continue;
    // A read accepted in this very cycle has been sampled before the write takes effect.
    if (read.accepted < now && now <= read.last_beat && violation_.empty()) {
      violation_ = "a write of [" + std::to_string(first) + ", +" + std::to_string(bytes) + ") at cycle " +
                   std::to_string(now) + " meets an outstanding read of [" + std::to_string(read.first) + ".." +
                   std::to_string(read.last) + "] by " + (read.port == Fetch ? "fetch" : "load_dma");
      sc_core::sc_stop();
    }
  }
}

bool IdealMemory::access(tlm::tlm_generic_payload& payload) {
  const std::uint64_t first = payload.get_address(), bytes = payload.get_data_length();
  if (first >= size_ || bytes > size_ - first) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return false;
  }
  if (poison_first_ <= poison_last_ && first <= poison_last_ && poison_first_ < first + bytes) {
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    return false;
  }
  NoDataExtension* no_data = nullptr;
  payload.get_extension(no_data);
  if (no_data == nullptr) {
    if (payload.is_read()) {
      std::memcpy(payload.get_data_ptr(), data_ + first, bytes);
    } else if (payload.is_write()) {
      std::memcpy(data_ + first, payload.get_data_ptr(), bytes);
    }
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  return true;
}

void IdealMemory::blocking(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  if (access(payload)) {
    delay += (payload.is_read() ? read_latency_ : write_latency_) * period_;
  }
}

unsigned IdealMemory::debug(int, tlm::tlm_generic_payload& payload) {
  return access(payload) ? payload.get_data_length() : 0;
}

bool IdealMemory::direct(int, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  dmi.set_dmi_ptr(data_);
  dmi.set_start_address(0);
  dmi.set_end_address(size_ - 1);
  dmi.set_read_latency(read_latency_ * period_);
  dmi.set_write_latency(write_latency_ * period_);
  dmi.allow_read_write();
  return payload.get_address() < size_;
}

}  // namespace gemel
