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

  RevocableReadPort& fetch() { return fetch_; }
  ReadPort& load() { return load_; }
  WritePort& store() { return store_; }
  // To whom the answers go; before the first request.
  void connect(ReadSink* fetch, ReadSink* load, WriteSink* store) {
    reads_ = {fetch, load};
    writes_ = store;
  }

  Cycle next_change() const { return timing_.next_change(); }
  // As MemoryTiming has them.
  ReadChannel* share_reads() { return timing_.share_reads(); }
  Cycle next_fetch() const { return timing_.next_fetch(); }
  void decide_fetch() {
    const MemoryAnswer answer = timing_.decide_fetch();
    reads_[0]->read_responses({answer.at, answer.period, answer.count, answer.fault != MemoryFault::None});
  }
  void advance(Cycle now) {
    advance(now, [now] { return now + 1; });
  }
  // The same where whoever runs the models knows that before cycle `next_wake()` they ask for nothing but what answers make them ask for: the
  // memory goes on until then, and hands out more answers together.
  template <class NextWake>
  void advance(Cycle now, NextWake&& next_wake) {
    for (; now < next_wake(); now = timing_.next_change()) answer(now, [&] { return std::max(now, next_wake() - 1); });
  }

 private:
  template <class Ahead>
  void answer(Cycle now, Ahead&& ahead) {
    std::array<bool, MemoryPortCount> answered{};
    timing_.advance(now, ahead, [&](const MemoryAnswer& answer) {
      const AnswerTrain train{answer.at, answer.period, answer.count, answer.fault != MemoryFault::None};
      const auto port = static_cast<std::size_t>(answer.port);
      answered[port] = true;
      if (answer.port == MemoryPort::Store) {
        writes_->write_responses(train);
      } else {
        reads_[port]->read_responses(train);
      }
    });
    for (std::size_t port = 0; port < reads_.size(); ++port) {
      if (answered[port]) reads_[port]->no_more_read_responses();
    }
    if (answered[static_cast<std::size_t>(MemoryPort::Store)]) writes_->no_more_write_responses();
  }

  struct Reads final : RevocableReadPort {
    Reads(MemoryTiming& t, MemoryPort p) : timing(t), port(p) {}
    void read(std::uint64_t address, std::uint32_t bytes, std::uint8_t* data, Cycle at) override {
      timing.request({port, false, bytes, address, data, at});
    }
    void read(const ReadTrain& train) override {
      timing.request({port, false, train.bytes, train.address, train.data, train.at, nullptr, train.count, train.period,
                      train.stride});
    }
    void take_back(std::int64_t count) override { timing.take_back(port, count); }
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
                      train.count, train.period, train.stride});
    }
    MemoryTiming& timing;
  };

  MemoryTiming& timing_;
  Reads fetch_{timing_, MemoryPort::Fetch}, load_{timing_, MemoryPort::Load};
  Writes store_{timing_};
  std::array<ReadSink*, 2> reads_{};
  WriteSink* writes_ = nullptr;
};

}  // namespace gemel
