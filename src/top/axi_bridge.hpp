// SPDX-License-Identifier: Apache-2.0
// The world outside the chip as the stepper sees it, one call per cycle; and the bridge between the wires of its three AXI masters and
// the ports of memory (docs/reference/machine.md, 7), one for blocks and for the whole chip. The bridge takes requests off the wires, passes bursts
// on, and puts beats on the wires in the cycles that the answers name. What breaks AXI, or this machine's rules for it, ends the run.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/agent.hpp"
#include "base/cycle.hpp"
#include "base/ring.hpp"
#include "base/stalls.hpp"
#include "base/wires.hpp"
#include "config/machine.hpp"

namespace gemel {

struct MemoryBeatIn {
  ReadRequestWires fetch, load;
  WriteRequestWires store;
};

struct MemoryBeatOut {
  ReadResponseWires fetch, load;
  WriteResponseWires store;
};

struct Traffic {  // of one port: what was asked for and accepted
  std::int64_t bursts = 0, bytes = 0;
};

struct MemoryTraffic {
  Traffic fetch, load, store;
};

class MemoryBeat {
 public:
  virtual ~MemoryBeat() = default;
  virtual const MemoryBeatOut& out() const = 0;
  // Throws AxiError.
  virtual void step(const MemoryBeatIn& in) = 0;
  // The step before has changed nothing on the wires.
  virtual bool quiet() const = 0;
  // Cycles until the wires change if no request arrives: at least 1, Never if they will not.
  virtual Cycle until_change() const = 0;
  // As `cycles` steps without a request; less than until_change().
  virtual void skip(Cycle cycles) = 0;
};

// A master has broken a rule.
struct AxiError : std::runtime_error {
  AxiError(std::string block_in, const std::string& rule) : std::runtime_error(rule), block(std::move(block_in)) {}
  std::string block;  // "sequencer", "load_dma" or "store_dma"
};
// memory.step(in), in a run's cycle `cycle`. A broken rule becomes RunError E0820 that names the block, or `chip` if all masters are one's.
void step_memory(MemoryBeat& memory, const MemoryBeatIn& in, Cycle cycle, const char* chip = nullptr);

class AxiBridge : public MemoryBeat {
 public:
  const MemoryBeatOut& out() const override;
  [[gnu::hot]] void step(const MemoryBeatIn& in) override;
  bool quiet() const override { return !busy_; }
  Cycle until_change() const override;
  void skip(Cycle cycles) override;

  bool idle() const;  // nothing is under way
  MemoryTraffic traffic() const { return {fetch_.traffic, load_.traffic, store_.traffic}; }

 protected:
  explicit AxiBridge(const Machine& machine);
  // An error of a burst stands on all of its beats, unless this is asked for: then often on one of them, which its address chooses.
  void errors_in_one_beat() { errors_in_one_beat_ = true; }
  // Once. The ports answer to the sinks below.
  void connect(ReadPort& fetch, ReadPort& load, WritePort& store);
  ReadSink* read_sink(bool load) { return load ? &load_ : &fetch_; }
  WriteSink* write_sink() { return &store_; }
  // All requests of cycle now() - 1 have been passed on; the wires of now() are asked for next.
  virtual void end_of_cycle() = 0;
  // The first cycle from now() on in which an answer that is not known yet may become known.
  virtual Cycle next_answer() const = 0;
  // Forgets what is under way, and what has been counted. What is returned holds the bytes of bursts that memory has got: whoever
  // still expects answers to them keeps it.
  std::shared_ptr<const void> forget();
  // The same, and stalls and cycles begin anew.
  void restart();
  void set_now(Cycle now);
  Cycle now() const { return now_; }

 private:
  static constexpr std::int64_t All = -1;
  struct ReadBurst {
    std::vector<std::uint8_t> data;  // whole beats, from the address aligned down
    std::int64_t beats = 0, sent = 0;
    Cycle first = Never;             // its first beat; not answered yet
    std::int64_t error_beat = All;   // if there is an error: the beat that says so
    bool error = false, outside = false;
  };
  struct Reader final : ReadSink {
    explicit Reader(const char* who) : block(who) {}
    void read_response(Cycle first_beat, bool error) override;

    const char* block;
    ReadPort* port = nullptr;
    Ring<ReadBurst> bursts;          // accepted, not complete
    std::size_t answered = 0;        // of these
    ReadRequestWires waiting;        // on the wires in the cycle before, and not taken
    std::vector<std::uint8_t> last;  // the burst of which a beat may still be on the wires
    Traffic traffic;
  };
  struct WriteBurst {
    std::uint64_t address = 0;
    std::uint32_t bytes = 0;
    std::int64_t beats = 0, taken = 0;
    std::size_t filled = 0;          // bytes
    std::vector<std::uint8_t> data;
  };
  struct Answer { Cycle b = 0; bool error = false; };
  struct Writer final : WriteSink {
    void write_response(Cycle b, bool error) override { answers.push_back({b, error}); }

    WritePort* port = nullptr;
    Ring<WriteBurst> accepted;       // AW taken, beats missing
    Ring<WriteBurst> sent;           // on its way: the data must stay
    Ring<Answer> answers;            // of the oldest of them
    WriteRequestWires waiting;       // AW and W in the cycle before, as far as they were not taken
    std::vector<std::uint8_t> waiting_data;
    Traffic traffic;
  };

  void drive(const Reader& reader, const ReadStalls& stalls, ReadResponseWires& wires) const;
  Cycle next_change(const Reader& reader, const ReadStalls& stalls) const;
  void complete(Reader& reader, const ReadResponseWires& wires);
  void accept(Reader& reader, const ReadRequestWires& wires, bool ready);
  void accept(const WriteRequestWires& wires, bool ready);
  void take_beat(const WriteRequestWires& wires);
  bool outside(std::uint64_t address, std::uint32_t bytes) const { return address >= memory_bytes_ || bytes > memory_bytes_ - address; }
  std::int64_t error_beat_of(const Reader& reader, std::uint64_t address, std::int64_t beats) const;
  void check_waiting_beat(const WriteRequestWires& wires, bool ready);
  void check_burst(const char* block, const char* request, std::uint64_t address, std::uint32_t bytes) const;
  std::vector<std::uint8_t> buffer(std::size_t bytes);

  int bus_bytes_;
  std::uint64_t memory_bytes_;
  std::size_t queue_;
  bool errors_in_one_beat_ = false;
  AxiStalls stalls_;
  Reader fetch_{"sequencer"}, load_{"load_dma"};
  Writer store_;
  std::vector<std::vector<std::uint8_t>> spare_;  // buffers of bursts that are over
  Cycle now_ = 0;
  bool busy_ = false;
  mutable bool driven_ = false;    // out_ belongs to this cycle
  mutable MemoryBeatOut out_;
};

}  // namespace gemel
