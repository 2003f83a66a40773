// SPDX-License-Identifier: Apache-2.0
// Ideal memory: latency (constant, or with jitter), bounded bandwidth each way, deterministic arbitration (docs/reference/machine.md, 7). A TLM-2.0
// target with one socket per master: fetch, load, store. Requests are decided in order of their cycles and, within a cycle, of
// ports, half a period after the cycle or later, so the order in which SystemC runs processes cannot matter. Storage is backed lazily.
#pragma once
#include <tlm>
#include <tlm_utils/simple_target_socket.h>

#include <array>
#include <string>

#include "base/cycle.hpp"
#include "base/ring.hpp"
#include "config/machine.hpp"
#include "memory/jitter.hpp"

namespace gemel {

// Ignorable extension: the initiator moves no data (timing-only runs).
struct NoDataExtension : tlm::tlm_extension<NoDataExtension> {
  tlm::tlm_extension_base* clone() const override { return new NoDataExtension; }
  void copy_from(const tlm::tlm_extension_base&) override {}
};

class IdealMemory : public sc_core::sc_module {
 public:
  enum Port { Fetch = 0, Load = 1, Store = 2, PortCount = 3 };

  SC_HAS_PROCESS(IdealMemory);
  // Throws UserError E0914 if the host cannot map machine.memory_bytes.
  IdealMemory(sc_core::sc_module_name name, const Machine& machine, sc_core::sc_time period);
  ~IdealMemory() override;

  tlm_utils::simple_target_socket_tagged<IdealMemory> fetch, load, store;

  std::uint8_t* data() { return data_; }
  std::uint64_t size() const { return size_; }
  // A write met an outstanding read (machine.md, 7); empty if none did. The simulation is stopped then.
  const std::string& violation() const { return violation_; }
  // Requests to addresses [first, last] are answered with an error, for tests.
  void poison(std::uint64_t first, std::uint64_t last) { poison_first_ = first; poison_last_ = last; }

 private:
  struct Request { tlm::tlm_generic_payload* payload = nullptr; Cycle at = 0; };
  struct Queue {                // undecided requests of a port, in order of time
    Ring<Request> requests;
    bool reads = false, writes = false;  // what came so far
    void sort_in_last();
  };
  struct Outstanding { std::uint64_t first = 0, last = 0; Cycle accepted = 0, last_beat = 0; Port port = Fetch; };

  tlm::tlm_sync_enum forward(int port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);
  void blocking(int port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  unsigned debug(int port, tlm::tlm_generic_payload& payload);
  bool direct(int port, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi);
  Cycle deadline(const Queue& queue) const;
  void decide_by(Cycle cycle);
  void decide();
  Cycle serve(tlm::tlm_generic_payload& payload, Port port, Cycle now);  // cycle of the first beat, or of B
  void check_overlap(std::uint64_t first, std::uint64_t bytes, Cycle now);
  bool access(tlm::tlm_generic_payload& payload);

  const Machine& machine_;
  sc_core::sc_time period_;
  std::uint64_t period_ticks_;
  Cycle read_latency_, write_latency_;
  int bus_log2_;
  std::uint64_t size_;
  std::uint8_t* data_ = nullptr;
  sc_core::sc_event decide_event_;
  std::array<Queue, PortCount> queues_;
  Cycle next_decision_ = Never;
  Ring<Outstanding> outstanding_;  // reads, as decided
  std::uint64_t outstanding_first_ = ~std::uint64_t{0}, outstanding_end_ = 0;  // bounds of their addresses
  Jitter read_jitter_, write_jitter_;
  Cycle read_free_ = 0, last_write_done_ = -1'000'000'000;
  std::string violation_;
  std::uint64_t poison_first_ = 1, poison_last_ = 0;
};

}  // namespace gemel
