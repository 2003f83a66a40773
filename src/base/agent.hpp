// SPDX-License-Identifier: Apache-2.0
// How the fast models meet. A model is an Agent: it is woken at the cycles it asked for, and by messages stamped with a
// later cycle, so the order in which agents run within a cycle cannot matter. SystemC appears only behind Waker and the ports.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/cycle.hpp"
#include "gemel/isa.gen.hpp"

namespace gemel {

class Waker {
 public:
  virtual ~Waker() = default;
  // Calls wake(cycle) of the agent; several requests are kept, equal ones are merged. `cycle` must not be past.
  virtual void wake_at(Cycle cycle) = 0;
};

class Agent {
 public:
  virtual ~Agent() = default;
  virtual void wake(Cycle now) = 0;
  void attach(Waker& waker) { waker_ = &waker; }

 protected:
  void wake_at(Cycle cycle) { waker_->wake_at(cycle); }

 private:
  Waker* waker_ = nullptr;
};

// Cycles of a DMA's window by status; the rest of the window is busy.
struct StatusCounts {
  Cycle wait_request = 0;
  Cycle wait_other = 0;  // load_dma: wait_data; store_dma: wait_write
};

// A unit as the sequencer's model sees it.
class UnitModel {
 public:
  virtual ~UnitModel() = default;
  // The command is on the wires at s. The instruction stays where it is until it is done.
  virtual void start(const isa::Instruction& instruction, Cycle s) = 0;
  // Statuses in the cycles [first, last]; called in order, once per window, at simulated time `last`.
  virtual StatusCounts status(Cycle /*first*/, Cycle /*last*/) { return {}; }
};

// The sequencer's model as a unit sees it. Both pulses lie in the future when they are announced.
class CompletionSink {
 public:
  virtual ~CompletionSink() = default;
  virtual void chain(isa::Unit unit, Cycle c) = 0;
  virtual void done(isa::Unit unit, Cycle p, isa::ErrorCode error) = 0;
};

// Reads of memory, in order. The request is accepted in cycle `at`, now or later (a model knows its requests long before they are
// due); the response (in order) says when the first beat is on the wires; beats are contiguous. data == nullptr: timing only.
// A model often knows many bursts at once, and memory often decides many at once: both may be passed on as trains, which mean the same as
// one burst after another and cost less. Answers of a train may come in several trains; when there are no more for now, the sink is told, and
// may make its next requests together.
template <class Byte>
struct Train {
  std::uint64_t address = 0;    // of the first burst
  Byte* data = nullptr;         // of all of them, one behind the other
  Cycle at = 0, period = 0;     // of burst i: at + i * period
  std::uint32_t bytes = 0;      // of a burst
  std::uint32_t count = 1;      // bursts
  std::uint64_t stride = 0;     // from the address of one to that of the next; their addresses do not wrap

  // One after the other: f(address, bytes, data, at).
  template <class F>
  void each(F&& f) const {
    for (std::uint32_t i = 0; i < count; ++i) {
      f(address + i * stride, bytes, data == nullptr ? nullptr : data + std::size_t{i} * bytes, at + i * period);
    }
  }
};
using ReadTrain = Train<std::uint8_t>;
using WriteTrain = Train<const std::uint8_t>;
struct AnswerTrain {
  Cycle at = 0, period = 0;     // read: first beat of burst i is on the wires in cycle at + i * period; write: B
  std::uint32_t count = 1;
  bool error = false;
};
class ReadSink {
 public:
  virtual ~ReadSink() = default;
  virtual void read_response(Cycle first_beat, bool error) = 0;
  virtual void read_responses(const AnswerTrain& train) {
    for (std::uint32_t i = 0; i < train.count; ++i) read_response(train.at + i * train.period, train.error);
  }
  virtual void no_more_read_responses() {}
};
class ReadPort {
 public:
  virtual ~ReadPort() = default;
  virtual void read(std::uint64_t address, std::uint32_t bytes, std::uint8_t* data, Cycle at) = 0;
  virtual void read(const ReadTrain& train) {
    train.each([this](std::uint64_t address, std::uint32_t bytes, std::uint8_t* data, Cycle at) { read(address, bytes, data, at); });
  }
};
// A port whose last requests can be taken back as long as they are not due: made one by one, each accepted in a later cycle than the present.
class RevocableReadPort : public ReadPort {
 public:
  virtual void take_back(std::int64_t count) = 0;
};

// Writes of memory, in order. `at`: cycle of the last W beat, now or later; the response says when B is on the wires. The data must
// stay until then.
class WriteSink {
 public:
  virtual ~WriteSink() = default;
  virtual void write_response(Cycle b, bool error) = 0;
  virtual void write_responses(const AnswerTrain& train) {
    for (std::uint32_t i = 0; i < train.count; ++i) write_response(train.at + i * train.period, train.error);
  }
  virtual void no_more_write_responses() {}
};
class WritePort {
 public:
  virtual ~WritePort() = default;
  virtual void write(std::uint64_t address, std::uint32_t bytes, const std::uint8_t* data, Cycle at) = 0;
  virtual void write(const WriteTrain& train) {
    train.each([this](std::uint64_t address, std::uint32_t bytes, const std::uint8_t* data, Cycle at) { write(address, bytes, data, at); });
  }
};

// Beats of a burst that covers [address, address + bytes) on a bus of bus_bytes (full width, start aligned down).
inline std::int64_t beats_of(std::uint64_t address, std::uint64_t bytes, int bus_bytes) {
  const auto bus = static_cast<std::uint64_t>(bus_bytes);
  return static_cast<std::int64_t>((address + bytes - 1) / bus - address / bus + 1);
}

}  // namespace gemel
