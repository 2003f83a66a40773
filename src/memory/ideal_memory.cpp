// SPDX-License-Identifier: Apache-2.0
#include "memory/ideal_memory.hpp"

#include <cstring>

namespace gemel {
namespace {

tlm::tlm_response_status status_of(MemoryFault fault) {
  switch (fault) {
    case MemoryFault::Outside: return tlm::TLM_ADDRESS_ERROR_RESPONSE;
    case MemoryFault::Poisoned: return tlm::TLM_GENERIC_ERROR_RESPONSE;
    case MemoryFault::None: break;
  }
  return tlm::TLM_OK_RESPONSE;
}

}  // namespace

IdealMemory::IdealMemory(sc_core::sc_module_name name, const Machine& machine, sc_core::sc_time period)
    : sc_module(name),
      fetch("fetch"),
      load("load"),
      store("store"),
      period_(period),
      period_ticks_(period.value()),
      bytes_(static_cast<std::uint64_t>(machine.memory_bytes)),
      timing_(machine, MemoryBytes(bytes_.data(), bytes_.size())) {
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

tlm::tlm_sync_enum IdealMemory::forward(int port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                        sc_core::sc_time& delay) {
  if (phase != tlm::BEGIN_REQ) return tlm::TLM_ACCEPTED;  // END_RESP needs nothing
  const auto at = static_cast<Cycle>((simcontext()->time_stamp().value() + delay.value()) / period_ticks_);
  NoDataExtension* no_data = nullptr;
  payload.get_extension(no_data);
  timing_.request({static_cast<MemoryPort>(port), payload.is_write(), payload.get_data_length(), payload.get_address(),
                   no_data == nullptr ? payload.get_data_ptr() : nullptr, at, &payload});
  if (timing_.next_change() < next_decision_) decide_by(timing_.next_change());
  phase = tlm::END_REQ;  // never refused: the machine's bridge keeps the queue
  return tlm::TLM_UPDATED;
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
  timing_.advance(now, [this, now_ticks](const MemoryAnswer& answer) {
    auto& payload = *static_cast<tlm::tlm_generic_payload*>(answer.user);
    payload.set_response_status(status_of(answer.fault));
    auto& socket = answer.port == MemoryPort::Fetch ? fetch : answer.port == MemoryPort::Load ? load : store;
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    sc_core::sc_time delay = sc_core::sc_time::from_value(static_cast<std::uint64_t>(answer.at) * period_ticks_ - now_ticks);
    socket->nb_transport_bw(payload, phase, delay);  // may send further requests, none of them due by now
  });
  next_decision_ = Never;
  if (!timing_.violation().empty()) sc_core::sc_stop();
  if (timing_.next_change() != Never) decide_by(timing_.next_change());
}

bool IdealMemory::access(tlm::tlm_generic_payload& payload) {
  const std::uint64_t first = payload.get_address(), bytes = payload.get_data_length();
  const MemoryFault fault = timing_.bytes().fault(first, bytes);
  payload.set_response_status(status_of(fault));
  if (fault != MemoryFault::None) return false;
  if (payload.is_read()) {
    std::memcpy(payload.get_data_ptr(), data() + first, bytes);
  } else if (payload.is_write()) {
    std::memcpy(data() + first, payload.get_data_ptr(), bytes);
  }
  return true;
}

void IdealMemory::blocking(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  if (access(payload)) delay += (payload.is_read() ? timing_.read_latency() : timing_.write_latency()) * period_;
}

unsigned IdealMemory::debug(int, tlm::tlm_generic_payload& payload) {
  return access(payload) ? payload.get_data_length() : 0;
}

bool IdealMemory::direct(int, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  dmi.set_dmi_ptr(data());
  dmi.set_start_address(0);
  dmi.set_end_address(size() - 1);
  dmi.set_read_latency(timing_.read_latency() * period_);
  dmi.set_write_latency(timing_.write_latency() * period_);
  dmi.allow_read_write();
  return payload.get_address() < size();
}

}  // namespace gemel
