// SPDX-License-Identifier: Apache-2.0
// npu: the whole machine as one SystemC module, for anybody's platform.
//   csr                 TLM-2.0 target, 32-bit registers (offsets: gemel::isa::csr, docs/reference/isa.md); blocking transport, and
//                       debug transport to read. An access is answered two clocks after the first edge at or after its time: told as
//                       delay, or, while a program runs, waited for in the caller's thread
//   fetch, load, store  TLM-2.0 initiators, one transaction per AXI burst; approximately timed (BEGIN_REQ at the cycle of the
//                       request, BEGIN_RESP tells the first beat or B), one request of a socket at a time between BEGIN_REQ and END_REQ.
//                       A target with blocking transport only works as well: the socket converts, and its delay becomes the latency;
//                       it has one request of a socket under way at a time. Answers of a port are taken in the order of its requests
//   interrupt           output; high from the end of a program until it is cleared in `control`. It need not be bound
//   reset               input, active high, at any time; it need not be bound. While it is high accesses of registers are answered with
//                       TLM_GENERIC_ERROR_RESPONSE, and so is one that it overtakes. Answers to requests from before it are ignored;
//                       the buffers keep what they hold
// Inside are the fast models, or, with `blocks`, beat models and Verilated RTL, clock by clock, or, with "npu=rtl", the whole chip as one
// Verilated model. Outside all are the same: transactions, answers of registers and interrupts, to the clock (docs/howto/use_your_own_platform.md).
#pragma once
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gemel/export.hpp"
#include "gemel/isa.gen.hpp"
#include "gemel/machine.hpp"

namespace gemel {

struct NpuParts;  // inside
struct ProgramImage;  // gemel/program.hpp

struct NpuConfig {
  std::string machine = "edge16";      // name of a shipped machine, or a file
  std::vector<std::string> overrides;  // "pe_array.rows=32"
  std::vector<std::string> blocks;     // "pe_array=rtl", "requantizer=check:mine.sv", "all=rtl", "npu=rtl"; empty: the fast models
  bool timing_only = false;            // no data is moved or computed (fast models only)
  // An evaluation of RTL does not end (E1016). Called in a thread beside the simulation, which goes on hanging: say so, and end the process.
  // Empty: nobody looks.
  std::function<void(const std::string& message)> rtl_hangs;
  // What the Verilog of blocks displays ($display), and what is to be said of its building (a damaged entry of the cache is built again).
  // Empty: it is dropped.
  std::function<void(const std::string& text)> rtl_says;
};

class GEMEL_API Npu : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(Npu);
  // Throws gemel::UserError for a machine or a block that does not exist, RTL that does not compile, a clock that is no even multiple of
  // SystemC's time resolution (E1022).
  Npu(sc_core::sc_module_name name, const NpuConfig& config);
  Npu(sc_core::sc_module_name name, const NpuParts& parts);
  ~Npu() override;

  tlm_utils::simple_target_socket<Npu> csr;
  tlm_utils::simple_initiator_socket_tagged<Npu> fetch, load, store;
  sc_core::sc_port<sc_core::sc_signal_inout_if<bool>, 1, sc_core::SC_ZERO_OR_MORE_BOUND> interrupt;
  sc_core::sc_port<sc_core::sc_signal_in_if<bool>, 1, sc_core::SC_ZERO_OR_MORE_BOUND> reset;

  const Machine& machine() const;
  sc_core::sc_time period() const;  // of the machine's clock
  // Throws gemel::UserError E0505, which names the parameters that differ, if the program was compiled for another machine. Without this
  // call the NPU stops such a program at its first load, with the error `wrong_machine` in CSR error_code.
  void require(const ProgramImage& program) const;

  class Engine;  // inside: what runs a program
  Engine& engine() { return *engine_; }
  const NpuParts& parts() const;

 private:
  struct Wires;
  void build(const NpuParts& parts);
  void control(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  unsigned control_debug(tlm::tlm_generic_payload& payload);
  tlm::tlm_sync_enum backward(int tag, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);
  void drive_interrupt();
  void look_at_reset();

  std::unique_ptr<Wires> wires_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace gemel
