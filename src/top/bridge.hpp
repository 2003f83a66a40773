// SPDX-License-Identifier: Apache-2.0
// The AXI-to-TLM bridge: takes requests off the wires, sends transactions, and puts beats on the wires in the cycles that the
// answers name (docs/reference/machine.md, 7). One for blocks and for the whole chip. Time passes in here, while a program runs: a
// step ends with a wait for the next clock, so whoever steps is an SC_THREAD.
#pragma once
#include <array>
#include <deque>
#include <functional>
#include <vector>

#include "base/agent.hpp"
#include "config/machine.hpp"
#include <systemc>

#include "top/memory_beat.hpp"

namespace gemel {

class BridgeBeat : public MemoryBeat {
 public:
  // The ports' sinks are sink_of(fetch), sink_of(load), store_sink().
  BridgeBeat(const Machine& machine, ReadPort& fetch, ReadPort& load, WritePort& store, sc_core::sc_time period);

  ReadSink* fetch_sink() { return &fetch_; }
  ReadSink* load_sink() { return &load_; }
  WriteSink* store_sink() { return &store_; }
  // The cycle of the next step. `running` is asked at the end of each: while it is false, registers are accessed and no time goes by.
  void begin(Cycle now, std::function<bool()> running);
  bool idle() const;  // nothing is under way

  const MemoryBeatOut& out() const override;
  void step(const MemoryBeatIn& in) override;
  bool quiet() const override;
  Cycle until_change() const override;
  void skip(Cycle cycles) override;

 private:
  struct ReadBurst {
    std::vector<std::uint8_t> data;  // whole beats, from the address aligned down
    std::int64_t beats = 0;
    Cycle first = Never;             // not answered yet
    bool error = false;
  };
  struct Reader : ReadSink {
    explicit Reader(ReadPort& p) : port(p) {}
    ReadPort& port;
    std::deque<ReadBurst> bursts;    // accepted, not complete
    std::size_t answered = 0;
    void read_response(Cycle first_beat, bool error) override;
  };
  struct WriteBurst {
    std::uint64_t address = 0;
    std::vector<std::uint8_t> data;
    std::size_t filled = 0;
  };
  struct Writer : WriteSink {
    explicit Writer(WritePort& p) : port(p) {}
    WritePort& port;
    std::deque<WriteBurst> accepted;   // AW taken, beats missing
    std::deque<WriteBurst> sent;       // transaction under way: the data must stay
    struct Answer { Cycle b; bool error; };
    std::deque<Answer> answers;
    void write_response(Cycle b, bool error) override { answers.push_back({b, error}); }
  };

  void drive(Reader& reader, ReadResponseWires& wires) const;
  void accept(Reader& reader, const ReadRequestWires& wires, bool ready);
  void wait_for_clock();

  int bus_bytes_, queue_;
  sc_core::sc_time period_;
  Reader fetch_, load_;
  Writer store_;
  Cycle now_ = 0;
  std::function<bool()> running_;
  mutable bool driven_ = false;    // out_ belongs to this cycle
  mutable MemoryBeatOut out_;
  bool busy_ = false;
};

}  // namespace gemel
