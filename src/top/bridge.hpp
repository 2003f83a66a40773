// SPDX-License-Identifier: Apache-2.0
// The AXI-to-TLM bridge: its ports send transactions. Time passes in here, while a program runs: a step ends with a wait for the next
// clock, so whoever steps is an SC_THREAD.
#pragma once
#include <functional>

#include <systemc>

#include "top/axi_bridge.hpp"

namespace gemel {

class BridgeBeat : public AxiBridge {
 public:
  // The ports' sinks are fetch_sink(), load_sink(), store_sink().
  BridgeBeat(const Machine& machine, ReadPort& fetch, ReadPort& load, WritePort& store, sc_core::sc_time period);

  ReadSink* fetch_sink() { return read_sink(false); }
  ReadSink* load_sink() { return read_sink(true); }
  WriteSink* store_sink() { return write_sink(); }
  // The cycle of the next step. `running` is asked at the end of each: while it is false, registers are accessed and no time goes by.
  void begin(Cycle now, std::function<bool()> running);
  Cycle time() const { return now(); }  // of the next step
  using AxiBridge::forget;
  void skip(Cycle cycles) override;

 protected:
  void end_of_cycle() override;
  Cycle next_answer() const override { return now(); }  // SystemC does not tell: to be asked in every cycle

 private:
  void wait_for_clock();

  sc_core::sc_time period_;
  std::function<bool()> running_;
};

}  // namespace gemel
