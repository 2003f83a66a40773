// SPDX-License-Identifier: Apache-2.0
// The memory as a TLM-2.0 target, with one socket per master: fetch, load, store. When what is answered, and what is an error, is
// MemoryTiming's; here cycles become simulated time. Requests are decided half a period after a clock edge, so the order in which
// SystemC runs processes cannot matter. Storage is backed lazily.
#pragma once
#include <tlm>
#include <tlm_utils/simple_target_socket.h>

#include <string>

#include "memory/memory_timing.hpp"

namespace gemel {

// Ignorable extension: the initiator moves no data (timing-only runs).
struct NoDataExtension : tlm::tlm_extension<NoDataExtension> {
  tlm::tlm_extension_base* clone() const override { return new NoDataExtension; }
  void copy_from(const tlm::tlm_extension_base&) override {}
};

class IdealMemory : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(IdealMemory);
  // Throws UserError E0914 if the host cannot map machine.memory_bytes.
  IdealMemory(sc_core::sc_module_name name, const Machine& machine, sc_core::sc_time period);

  tlm_utils::simple_target_socket_tagged<IdealMemory> fetch, load, store;

  std::uint8_t* data() { return bytes_.data(); }
  std::uint64_t size() const { return bytes_.size(); }
  // A write met an outstanding read (machine.md, 7); empty if none did. The simulation is stopped then.
  const std::string& violation() const { return timing_.violation(); }
  // Requests to addresses [first, last] are answered with an error, for tests.
  void poison(std::uint64_t first, std::uint64_t last) { timing_.bytes().poison(first, last); }

 private:
  tlm::tlm_sync_enum forward(int port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);
  void blocking(int port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  unsigned debug(int port, tlm::tlm_generic_payload& payload);
  bool direct(int port, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi);
  void decide_by(Cycle cycle);
  void decide();
  bool access(tlm::tlm_generic_payload& payload);

  sc_core::sc_time period_;
  std::uint64_t period_ticks_;
  MappedBytes bytes_;
  MemoryTiming timing_;
  sc_core::sc_event decide_event_;
  Cycle next_decision_ = Never;  // that decide_event_ is notified for
};

}  // namespace gemel
