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
      size_(static_cast<std::uint64_t>(machine.memory_bytes)) {
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
  requests_.push_back({&payload, static_cast<Port>(port)});
  decide_event_.notify(delay + period_ / 2);
  return tlm::TLM_ACCEPTED;
}

void IdealMemory::decide() {
  // One request per port and cycle at most, so the order is a plain sort by port.
  std::sort(requests_.begin(), requests_.end(), [](const Request& a, const Request& b) { return a.port < b.port; });
  deciding_.swap(requests_);
  const sc_core::sc_time now_time = sc_core::sc_time_stamp();
  const auto now = static_cast<Cycle>(now_time.value() / period_.value());  // half a period is cut off
  for (const Request& request : deciding_) {
    const Cycle at = serve(*request.payload, request.port, now);
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    sc_core::sc_time delay = static_cast<double>(at) * period_ - now_time;
    auto& socket = request.port == Fetch ? fetch : request.port == Load ? load : store;
    socket->nb_transport_bw(*request.payload, phase, delay);
  }
  deciding_.clear();
}

Cycle IdealMemory::serve(tlm::tlm_generic_payload& payload, Port port, Cycle now) {
  const std::uint64_t first = payload.get_address(), bytes = payload.get_data_length();
  const std::int64_t beats = beats_of(first, bytes, machine_.bus_bytes);
  const std::int64_t width = machine_.memory_bytes_per_cycle;
  const std::int64_t occupied = std::max(beats, (beats * machine_.bus_bytes + width - 1) / width);
  access(payload);
  if (payload.is_read()) {
    const Cycle start = std::max(now + machine_.read_latency_cycles, read_free_);
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
  last_write_done_ = std::max(now, last_write_done_ + occupied);
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
