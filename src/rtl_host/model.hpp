// SPDX-License-Identifier: Apache-2.0
// A block of RTL that runs, as adapters see it: ports as bytes, a clock, a reset. Nothing here knows Verilator or this
// process, so the block may as well stand in another process or behind a cable. A process that holds a Verilated model,
// or has forked while one was alive, must leave by _exit(): exit() runs the destructors of Verilator's run-time, which
// wait for threads that a forked process does not have, and hangs.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

namespace gemel {

// What RTL is doing at the moment; written by the thread that evaluates it.
struct RtlPulse {
  std::atomic<const char*> block{nullptr};  // whose Verilog is being evaluated; nullptr: none
  std::atomic<std::int64_t> clock{0};       // of that block, since reset
  std::atomic<std::uint64_t> evaluations{0};
};

// One port of a model: its storage, little endian. 1, 2, 4 or 8 bytes up to 64 bits, whole 32-bit words beyond; unused
// high bits are 0.
struct RtlPort {
  std::uint8_t* bytes = nullptr;
  int width = 0;
};

// Gets what the Verilog displays in one evaluation, in lines; must not throw.
using RtlListener = std::function<void(const char* text)>;

// Out of eval() and clock(): RunError E1012 (the Verilog called $finish, $stop, $fatal or failed an assertion),
// UserError E1013 (a combinational loop that does not settle).
class RtlModel {
 public:
  virtual ~RtlModel() = default;
  virtual RtlPort port(const std::string& name) = 0;  // InternalError if there is none
  virtual void set_clock(bool high) = 0;
  virtual void set_reset(bool active) = 0;  // rst_ni = !active
  virtual void eval() = 0;
  virtual void clock() = 0;  // high, eval, low, eval; nothing may follow the falling edge
  virtual bool quiet() const = 0;
  virtual std::int64_t clocks_by_eval() const { return 0; }  // of all, those that took Verilator's eval(): for tests
  virtual void listen(RtlListener listener) = 0;             // until somebody listens, what is displayed is dropped
  virtual void open_waves(const std::string& path) = 0;      // models built with `trace`
  virtual void dump_waves(std::int64_t time) = 0;
  virtual void close_waves() = 0;
};

}  // namespace gemel
