// SPDX-License-Identifier: Apache-2.0
// The world outside the chip as the stepper sees it: bridge and memory behind three AXI masters, one call per cycle; and the ideal
// memory of docs/reference/machine.md, 7, over a vector of bytes, for stepping without SystemC.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/cycle.hpp"
#include "base/wires.hpp"
#include "config/machine.hpp"
#include "memory/jitter.hpp"

namespace gemel {

struct MemoryBeatIn {
  ReadRequestWires fetch, load;
  WriteRequestWires store;
};

struct MemoryBeatOut {
  ReadResponseWires fetch, load;
  WriteResponseWires store;
};

struct Traffic {  // of one port
  std::int64_t bursts = 0, bytes = 0;
};

struct MemoryTraffic {
  Traffic fetch, load, store;
};

class MemoryBeat {
 public:
  virtual ~MemoryBeat() = default;
  virtual const MemoryBeatOut& out() const = 0;
  virtual void step(const MemoryBeatIn& in) = 0;
  // The step before has changed nothing on the wires.
  virtual bool quiet() const = 0;
  // Cycles until the wires change if no request arrives: at least 1, Never if they will not.
  virtual Cycle until_change() const = 0;
  // As `cycles` steps without a request; less than until_change().
  virtual void skip(Cycle cycles) = 0;
};

// A burst is granted its time when it is accepted; beats then come by themselves.
class IdealMemoryBeat : public MemoryBeat {
 public:
  IdealMemoryBeat(const Machine& machine, std::vector<std::uint8_t>& bytes);

  const MemoryBeatOut& out() const override { return out_; }
  [[gnu::hot]] void step(const MemoryBeatIn& in) override;
  bool quiet() const override { return !changed_; }
  Cycle until_change() const override;
  void skip(Cycle cycles) override { now_ += cycles; }

  // Forgets every request and answer under way, as when the chip and its interconnect are reset. Bytes and poison stay.
  void reset();
  // Bursts that touch [first, last] are answered with an error, for tests.
  void poison(std::uint64_t first, std::uint64_t last);
  // What was asked for and accepted.
  MemoryTraffic traffic() const { return {fetch_.traffic, load_.traffic, stored_}; }
  // A write met bytes of an outstanding read burst of another port; empty if none did.
  const std::string& violation() const { return violation_; }

 private:
  struct ReadBurst {
    std::uint64_t address = 0;
    std::uint32_t bytes = 0;
    Cycle accepted = 0;
    Cycle first = 0, last = 0;         // beats on the wires
    bool error = false;
    std::vector<std::uint8_t> data;    // whole beats, sampled when the burst was accepted
  };
  struct ReadPort {
    std::deque<ReadBurst> bursts;      // accepted and not completed
    std::array<std::vector<std::uint8_t>, 2> beat;
    int turn = 0;
    Traffic traffic;
  };
  struct WriteBurst {
    std::uint64_t address = 0;
    std::uint32_t bytes = 0;
  };
  struct Answer {
    Cycle at = 0;
    bool error = false;
  };

  void accept_read(ReadPort& port, const ReadRequestWires& request, const ReadResponseWires& wires);
  [[gnu::hot]] void clock_read(ReadPort& port, ReadResponseWires& wires);
  [[gnu::hot]] void clock_write(const WriteRequestWires& request);
  void finish_write();
  bool reachable(std::uint64_t address, std::uint64_t bytes) const;

  std::vector<std::uint8_t>& bytes_;
  std::uint64_t bus_bytes_;
  Cycle read_latency_, write_latency_, bytes_per_cycle_;
  std::size_t queue_;
  Jitter read_jitter_, write_jitter_;
  Cycle now_ = 0;
  Cycle read_free_ = 0;
  Cycle write_done_ = 0;
  ReadPort fetch_, load_;
  std::deque<WriteBurst> writes_;      // accepted, last W beat not seen
  std::vector<std::uint8_t> write_data_;
  std::uint64_t write_beats_ = 0;
  std::deque<Answer> answers_;
  std::size_t writes_open_ = 0;        // accepted and not completed
  std::uint64_t poison_first_ = 1, poison_last_ = 0;
  Traffic stored_;
  std::string violation_;
  bool changed_ = false;
  MemoryBeatOut out_;
};

}  // namespace gemel
