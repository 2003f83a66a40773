// SPDX-License-Identifier: Apache-2.0
// What a run under SystemC needs around the NPU and its memory: a context of its own, and a driver.
#pragma once
#include <systemc>
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>

#include <cstdint>

namespace gemel {

// SystemC keeps its state in a global context. A new one for each run makes runs independent, also after exceptions; the caller's
// context and message settings are back afterwards, so that a program which simulates something itself can call simulate().
class SystemcContext {
 public:
  SystemcContext();
  ~SystemcContext();
  SystemcContext(const SystemcContext&) = delete;
  SystemcContext& operator=(const SystemcContext&) = delete;

 private:
  sc_core::sc_simcontext* callers_current_;
  sc_core::sc_simcontext* callers_default_;
  sc_core::sc_actions callers_info_, callers_warning_;
};

// What software does: programs the registers, starts, waits for the interrupt, ends the simulation. A method, not a thread: nothing
// here needs a stack of its own, and sanitizers do not follow SystemC's.
class Driver : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(Driver);
  Driver(sc_core::sc_module_name name, std::uint64_t program_base, std::uint32_t program_bytes);

  tlm_utils::simple_initiator_socket<Driver> csr;
  sc_core::sc_in<bool> interrupt;
  bool done() const { return done_; }

 private:
  void write(std::uint32_t offset, std::uint32_t value, sc_core::sc_time& delay);
  void run();

  std::uint64_t base_;
  std::uint32_t bytes_;
  bool started_ = false, done_ = false;
};

}  // namespace gemel
