// SPDX-License-Identifier: Apache-2.0
// The AXI-to-TLM bridge of the stepper: takes requests off the wires, sends transactions, and puts beats on the wires in the
// cycles that the answers name (docs/reference/machine.md, 7). Time passes in here: a step ends with a wait of one clock, so the
// stepper runs in an SC_THREAD.
#pragma once
#include <array>
#include <deque>
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
  void begin(Cycle now);  // the cycle of the next step

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

  int bus_bytes_, queue_;
  sc_core::sc_time period_;
  Reader fetch_, load_;
  Writer store_;
  Cycle now_ = 0;
  mutable Cycle driven_ = -1;      // the cycle that out_ belongs to
  mutable MemoryBeatOut out_;
  bool busy_ = false;
};

}  // namespace gemel
