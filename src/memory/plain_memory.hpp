// SPDX-License-Identifier: Apache-2.0
// The memory for models that no SystemC wakes: three ports of plain calls. Whoever runs the models calls advance(c) after all of them have
// been woken for cycle c, with no cycle left out in which next_change() is due:
//
//   c = min(next wake of an agent, memory.next_change());  wake the agents that are due at c;  if (memory.next_change() <= c) memory.advance(c);
#pragma once
#include <array>

#include "base/agent.hpp"
#include "memory/memory_timing.hpp"

namespace gemel {

class PlainMemory {
 public:
  explicit PlainMemory(MemoryTiming& timing) : timing_(timing) {}
  PlainMemory(const PlainMemory&) = delete;
  PlainMemory& operator=(const PlainMemory&) = delete;

  ReadPort& fetch() { return fetch_; }
  ReadPort& load() { return load_; }
  WritePort& store() { return store_; }
  // To whom the answers go; before the first request.
  void connect(ReadSink* fetch, ReadSink* load, WriteSink* store) {
    reads_ = {fetch, load};
    writes_ = store;
  }

  Cycle next_change() const { return timing_.next_change(); }
  void advance(Cycle now) {
    timing_.advance(now, [this](const MemoryAnswer* answers, std::size_t count) {
      answers_.clear();
      for (std::size_t i = 0; i < count; ++i) {
        answers_.push_back({answers[i].at, answers[i].period, answers[i].count, answers[i].fault != MemoryFault::None});
      }
      if (answers->port == MemoryPort::Store) {
        writes_->write_responses(answers_.data(), count);
      } else {
        reads_[static_cast<std::size_t>(answers->port)]->read_responses(answers_.data(), count);
      }
    });
  }

 private:
  struct Reads final : ReadPort {
    Reads(MemoryTiming& t, MemoryPort p) : timing(t), port(p) {}
    void read(std::uint64_t address, std::uint32_t bytes, std::uint8_t* data, Cycle at) override {
      timing.request({port, false, bytes, address, data, at});
    }
    void read(const ReadTrain& train) override {
      timing.request({port, false, train.bytes, train.address, train.data, train.at, nullptr, train.count, train.period});
    }
    MemoryTiming& timing;
    MemoryPort port;
  };
  struct Writes final : WritePort {
    explicit Writes(MemoryTiming& t) : timing(t) {}
    void write(std::uint64_t address, std::uint32_t bytes, const std::uint8_t* data, Cycle at) override {
      timing.request({MemoryPort::Store, true, bytes, address, const_cast<std::uint8_t*>(data), at});
    }
    void write(const WriteTrain& train) override {
      timing.request({MemoryPort::Store, true, train.bytes, train.address, const_cast<std::uint8_t*>(train.data), train.at, nullptr,
                      train.count, train.period});
    }
    MemoryTiming& timing;
  };

  MemoryTiming& timing_;
  Reads fetch_{timing_, MemoryPort::Fetch}, load_{timing_, MemoryPort::Load};
  Writes store_{timing_};
  std::array<ReadSink*, 2> reads_{};
  WriteSink* writes_ = nullptr;
  std::vector<AnswerTrain> answers_;  // on their way to a sink
};

}  // namespace gemel
