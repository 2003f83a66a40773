// SPDX-License-Identifier: Apache-2.0
#include "top/bridge.hpp"

#include <algorithm>
#include <cstring>

namespace gemel {

BridgeBeat::BridgeBeat(const Machine& machine, ReadPort& fetch, ReadPort& load, WritePort& store, sc_core::sc_time period)
    : bus_bytes_(machine.bus_bytes), queue_(machine.memory_queue), period_(period), fetch_(fetch), load_(load), store_(store) {}

void BridgeBeat::begin(Cycle now, std::function<bool()> running) {
  now_ = now;
  running_ = std::move(running);
  driven_ = false;
}

void BridgeBeat::wait_for_clock() {
  const sc_core::sc_time at = sc_core::sc_time::from_value(static_cast<std::uint64_t>(now_) * period_.value());
  if (at > sc_core::sc_time_stamp()) sc_core::wait(at - sc_core::sc_time_stamp());
}

bool BridgeBeat::idle() const {
  return fetch_.bursts.empty() && load_.bursts.empty() && store_.accepted.empty() && store_.sent.empty();
}

void BridgeBeat::Reader::read_response(Cycle first_beat, bool error) {
  ReadBurst& burst = bursts[answered++];
  burst.first = first_beat;
  burst.error = error;
}

void BridgeBeat::drive(Reader& reader, ReadResponseWires& wires) const {
  wires = {};
  wires.request_ready = reader.bursts.size() < static_cast<std::size_t>(queue_);
  if (reader.bursts.empty()) return;
  const ReadBurst& burst = reader.bursts.front();
  if (burst.first == Never || now_ < burst.first) return;
  const std::int64_t beat = now_ - burst.first;
  wires.valid = true;
  wires.last = beat == burst.beats - 1;
  wires.error = burst.error;
  wires.data = burst.data.data() + beat * bus_bytes_;
}

const MemoryBeatOut& BridgeBeat::out() const {
  if (driven_) return out_;
  driven_ = true;
  auto& self = const_cast<BridgeBeat&>(*this);
  drive(self.fetch_, out_.fetch);
  drive(self.load_, out_.load);
  out_.store = {};
  // Accepted and not completed: beats missing, or B not on the wires before this cycle.
  const std::size_t open = store_.accepted.size() + store_.sent.size();
  out_.store.request_ready = open < static_cast<std::size_t>(queue_);
  if (!store_.answers.empty() && store_.answers.front().b <= now_) {
    out_.store.valid = true;
    out_.store.error = store_.answers.front().error;
  }
  return out_;
}

void BridgeBeat::accept(Reader& reader, const ReadRequestWires& wires, bool ready) {
  if (!wires.valid || !ready) return;
  ReadBurst burst;
  burst.beats = beats_of(wires.address, wires.bytes, bus_bytes_);
  burst.data.resize(static_cast<std::size_t>(burst.beats * bus_bytes_));
  reader.bursts.push_back(std::move(burst));
  reader.port.read(wires.address, wires.bytes,
                   reader.bursts.back().data.data() + wires.address % static_cast<std::uint64_t>(bus_bytes_), now_);
}

void BridgeBeat::step(const MemoryBeatIn& in) {
  const MemoryBeatOut wires = out();
  // What was on the wires in this cycle is complete.
  for (auto [reader, response] : {std::make_pair(&fetch_, &wires.fetch), std::make_pair(&load_, &wires.load)}) {
    if (response->valid && response->last) {
      reader->bursts.pop_front();
      --reader->answered;
    }
  }
  if (wires.store.valid) {
    store_.answers.pop_front();
    store_.sent.pop_front();
  }
  accept(fetch_, in.fetch, wires.fetch.request_ready);
  accept(load_, in.load, wires.load.request_ready);
  if (in.store.data_valid && !store_.accepted.empty()) {
    WriteBurst& burst = store_.accepted.front();
    const std::size_t count = std::min<std::size_t>(in.store.strobe_end - in.store.strobe_first, burst.data.size() - burst.filled);
    std::memcpy(burst.data.data() + burst.filled, in.store.data + in.store.strobe_first, count);
    burst.filled += count;
    if (in.store.data_last) {
      store_.sent.push_back(std::move(burst));
      store_.accepted.pop_front();
      const WriteBurst& sent = store_.sent.back();
      store_.port.write(sent.address, static_cast<std::uint32_t>(sent.data.size()), sent.data.data(), now_);
    }
  }
  if (in.store.valid && wires.store.request_ready) {
    WriteBurst burst;
    burst.address = in.store.address;
    burst.data.resize(in.store.bytes);
    store_.accepted.push_back(std::move(burst));
  }
  busy_ = in.fetch.valid || in.load.valid || in.store.valid || in.store.data_valid || wires.fetch.valid || wires.load.valid ||
          wires.store.valid;
  ++now_;
  driven_ = false;
  if (running_()) wait_for_clock();
}

bool BridgeBeat::quiet() const { return !busy_; }

Cycle BridgeBeat::until_change() const {
  Cycle next = Never;
  for (const Reader* reader : {&fetch_, &load_}) {
    if (reader->bursts.empty()) continue;
    const Cycle first = reader->bursts.front().first;
    next = std::min(next, first == Never ? now_ : first);  // not answered yet: look again every cycle
  }
  if (!store_.answers.empty()) {
    next = std::min(next, store_.answers.front().b);
  } else if (!store_.sent.empty()) {
    next = now_;
  }
  return next == Never ? Never : std::max<Cycle>(1, next - now_);
}

void BridgeBeat::skip(Cycle cycles) {
  now_ += cycles;
  driven_ = false;
  wait_for_clock();
}

}  // namespace gemel
