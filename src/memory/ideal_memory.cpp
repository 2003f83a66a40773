// SPDX-License-Identifier: Apache-2.0
#include "memory/ideal_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "base/agent.hpp"
#include "base/error.hpp"

namespace gemel {

IdealMemory::IdealMemory(sc_core::sc_module_name name, const Machine& machine, sc_core::sc_time period)
    : sc_module(name),
      fetch("fetch"),
      load("load"),
      store("store"),
      machine_(machine),
      period_(period),
      size_(static_cast<std::uint64_t>(machine.memory_bytes)),
      read_jitter_(machine, Jitter::Reads),
      write_jitter_(machine, Jitter::Writes) {
  void* mapped = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) {
    throw UserError("E0914", "the host cannot map " + std::to_string(size_) + " bytes for the simulated memory",
                    "choose a smaller memory.size_bytes");
  }
  data_ = static_cast<std::uint8_t*>(mapped);
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
  const sc_core::sc_time due = sc_core::sc_time_stamp() + delay;
  const Request request{&payload, static_cast<Port>(port), static_cast<Cycle>(due.value() / period_.value())};
  // In order of time, then of ports; of one port as they come. Nearly always it is the last.
  const auto before = [](const Request& x, const Request& y) { return x.at != y.at ? x.at < y.at : x.port < y.port; };
  if (requests_.empty() || !before(request, requests_.back())) {
    requests_.push_back(request);
  } else {
    requests_.insert(std::upper_bound(requests_.begin(), requests_.end(), request, before), request);
  }
  decide_by(deadline(request));
  phase = tlm::END_REQ;  // never refused: the machine's bridge keeps the queue
  return tlm::TLM_UPDATED;
}

// Nobody hears of a decision before its first beat or B, so it may wait until the cycle before: then all requests that compete
// with it are known, and a batch of them costs one event.
Cycle IdealMemory::deadline(const Request& request) const {
  return request.at + (request.payload->is_read() ? machine_.read_latency_cycles : machine_.write_latency_cycles) - 1;
}

void IdealMemory::decide_by(Cycle cycle) {
  if (cycle >= next_decision_) return;
  next_decision_ = cycle;
  const auto half_past = static_cast<std::uint64_t>(cycle) * period_.value() + period_.value() / 2;
  decide_event_.notify(sc_core::sc_time::from_value(half_past) - sc_core::sc_time_stamp());
}

void IdealMemory::decide() {
  const sc_core::sc_time now_time = sc_core::sc_time_stamp();
  const auto now = static_cast<Cycle>(now_time.value() / period_.value());  // half a period is cut off
  next_decision_ = Never;
  while (!requests_.empty() && requests_.front().at <= now) {
    const Request request = requests_.front();
    requests_.pop_front();
    const Cycle at = serve(*request.payload, request.port, request.at);
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    sc_core::sc_time delay = sc_core::sc_time::from_value(static_cast<std::uint64_t>(at) * period_.value()) - now_time;
    auto& socket = request.port == Fetch ? fetch : request.port == Load ? load : store;
    socket->nb_transport_bw(*request.payload, phase, delay);  // may send further requests, none of them due by now
  }
  for (const Request& request : requests_) decide_by(deadline(request));
}

Cycle IdealMemory::serve(tlm::tlm_generic_payload& payload, Port port, Cycle now) {
  const std::uint64_t first = payload.get_address(), bytes = payload.get_data_length();
  const std::int64_t beats = beats_of(first, bytes, machine_.bus_bytes);
  const std::int64_t width = machine_.memory_bytes_per_cycle;
  const std::int64_t occupied = std::max(beats, (beats * machine_.bus_bytes + width - 1) / width);
  access(payload);
  if (payload.is_read()) {
    const Cycle start = std::max(now + machine_.read_latency_cycles + read_jitter_.next(), read_free_);
    read_free_ = start + occupied;
    const Cycle first_beat = start + occupied - beats;
    outstanding_.push_back({first, first + bytes - 1, now, first_beat + beats - 1, port});
    return first_beat;
  }
  while (!outstanding_.empty() && outstanding_.front().last_beat < now) outstanding_.pop_front();
  for (const Outstanding& read : outstanding_) {
    // A read accepted in this very cycle has been sampled before the write takes effect.
    const bool outstanding = read.accepted < now && now <= read.last_beat;
    if (outstanding && read.first < first + bytes && first <= read.last && violation_.empty()) {
      violation_ = "a write of [" + std::to_string(first) + ", +" + std::to_string(bytes) + ") at cycle " +
                   std::to_string(now) + " meets an outstanding read of [" + std::to_string(read.first) + ".." +
                   std::to_string(read.last) + "] by " + (read.port == Fetch ? "fetch" : "load_dma");
      sc_core::sc_stop();
    }
  }
  last_write_done_ = std::max(now + write_jitter_.next(), last_write_done_ + occupied);
  return last_write_done_ + machine_.write_latency_cycles;
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
    delay += (payload.is_read() ? machine_.read_latency_cycles : machine_.write_latency_cycles) * period_;
  }
}

unsigned IdealMemory::debug(int, tlm::tlm_generic_payload& payload) {
  return access(payload) ? payload.get_data_length() : 0;
}

bool IdealMemory::direct(int, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  dmi.set_dmi_ptr(data_);
  dmi.set_start_address(0);
  dmi.set_end_address(size_ - 1);
  dmi.set_read_latency(machine_.read_latency_cycles * period_);
  dmi.set_write_latency(machine_.write_latency_cycles * period_);
  dmi.allow_read_write();
  return payload.get_address() < size_;
}

}  // namespace gemel
