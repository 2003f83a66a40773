// SPDX-License-Identifier: Apache-2.0
// The ideal memory, cycle by cycle; see memory_beat.hpp.
#include "top/memory_beat.hpp"

#include <algorithm>
#include <cstring>

namespace gemel {
namespace {

constexpr Cycle LongAgo = -1'000'000'000;

}  // namespace

IdealMemoryBeat::IdealMemoryBeat(const Machine& machine, std::vector<std::uint8_t>& bytes)
    : bytes_(bytes),
      bus_bytes_(static_cast<std::uint64_t>(machine.bus_bytes)),
      read_latency_(machine.read_latency_cycles),
      write_latency_(machine.write_latency_cycles),
      bytes_per_cycle_(machine.memory_bytes_per_cycle),
      queue_(static_cast<std::size_t>(machine.memory_queue)),
      read_jitter_(machine, Jitter::Reads),
      write_jitter_(machine, Jitter::Writes) {
  for (ReadPort* port : {&fetch_, &load_}) {
    for (auto& beat : port->beat) beat.resize(bus_bytes_);
  }
  reset();
}

void IdealMemoryBeat::reset() {
  now_ = read_free_ = 0;
  write_done_ = LongAgo;
  for (ReadPort* port : {&fetch_, &load_}) {
    port->bursts.clear();
    port->traffic = {};
  }
  stored_ = {};
  writes_.clear();
  write_data_.clear();
  write_beats_ = 0;
  answers_.clear();
  writes_open_ = 0;
  read_jitter_.restart();
  write_jitter_.restart();
  violation_.clear();
  changed_ = false;
  out_ = {};
  out_.fetch.request_ready = out_.load.request_ready = out_.store.request_ready = true;
}

void IdealMemoryBeat::poison(std::uint64_t first, std::uint64_t last) {
  poison_first_ = first;
  poison_last_ = last;
}

bool IdealMemoryBeat::reachable(std::uint64_t address, std::uint64_t bytes) const {
  const std::uint64_t size = bytes_.size();
  if (address > size || bytes > size - address) return false;
  const bool poisoned = poison_first_ <= poison_last_ && address <= poison_last_ && poison_first_ < address + bytes;
  return !poisoned;
}

void IdealMemoryBeat::step(const MemoryBeatIn& in) {
  const MemoryBeatOut before = out_;
  // Requests of one cycle: fetch, load, store. Reads are sampled before the write of the same cycle takes effect.
  accept_read(fetch_, in.fetch, out_.fetch);
  accept_read(load_, in.load, out_.load);
  clock_write(in.store);
  clock_read(fetch_, out_.fetch);
  clock_read(load_, out_.load);

  // B: counted as completed in the cycle after it was on the wires.
  if (out_.store.valid) --writes_open_;
  out_.store.valid = !answers_.empty() && answers_.front().at == now_ + 1;
  if (out_.store.valid) {
    out_.store.error = answers_.front().error;
    answers_.pop_front();
  }
  out_.store.request_ready = writes_open_ < queue_;
  ++now_;
  changed_ = out_.fetch.valid || out_.load.valid || out_.store.valid || before.fetch.valid || before.load.valid ||
             before.store.valid || out_.fetch.request_ready != before.fetch.request_ready ||
             out_.load.request_ready != before.load.request_ready ||
             out_.store.request_ready != before.store.request_ready;
}

void IdealMemoryBeat::accept_read(ReadPort& port, const ReadRequestWires& request, const ReadResponseWires& wires) {
  if (!request.valid || !wires.request_ready) return;
  const std::uint64_t begin = request.address / bus_bytes_ * bus_bytes_;
  const std::uint64_t beats = (request.address + request.bytes - 1) / bus_bytes_ - request.address / bus_bytes_ + 1;
  const std::uint64_t size = beats * bus_bytes_;
  ReadBurst burst;
  burst.address = request.address;
  burst.bytes = request.bytes;
  burst.accepted = now_;
  burst.error = !reachable(request.address, request.bytes);
  burst.data.assign(size, 0);
  if (!burst.error) {
    std::memcpy(burst.data.data(), bytes_.data() + begin, std::min<std::uint64_t>(size, bytes_.size() - begin));
  }
  const Cycle occupied = std::max<Cycle>(static_cast<Cycle>(beats),
                                         (static_cast<Cycle>(size) + bytes_per_cycle_ - 1) / bytes_per_cycle_);
  const Cycle start = std::max(now_ + read_latency_ + read_jitter_.next(), read_free_);
  read_free_ = start + occupied;
  burst.first = start + occupied - static_cast<Cycle>(beats);
  burst.last = start + occupied - 1;
  port.bursts.push_back(std::move(burst));
  ++port.traffic.bursts;
  port.traffic.bytes += request.bytes;
}

void IdealMemoryBeat::clock_read(ReadPort& port, ReadResponseWires& wires) {
  if (!port.bursts.empty() && port.bursts.front().last == now_) port.bursts.pop_front();
  wires.request_ready = port.bursts.size() < queue_;
  wires.valid = !port.bursts.empty() && port.bursts.front().first <= now_ + 1;
  if (!wires.valid) return;
  const ReadBurst& burst = port.bursts.front();
  port.turn ^= 1;
  auto& beat = port.beat[static_cast<std::size_t>(port.turn)];
  const auto index = static_cast<std::uint64_t>(now_ + 1 - burst.first);
  std::memcpy(beat.data(), burst.data.data() + index * bus_bytes_, bus_bytes_);
  wires.last = burst.last == now_ + 1;
  wires.error = burst.error;
  wires.data = beat.data();
}

void IdealMemoryBeat::clock_write(const WriteRequestWires& request) {
  if (request.data_valid) {
    const WriteBurst& burst = writes_.front();
    if (write_beats_ == 0) write_data_.clear();
    const std::uint64_t begin = write_beats_ == 0 ? request.strobe_first : 0;
    write_data_.insert(write_data_.end(), request.data + begin, request.data + request.strobe_end);
    ++write_beats_;
    if (request.data_last) {
      finish_write();
    } else if (write_data_.size() > burst.bytes) {
      violation_ = "a write burst has more beats than its request";
    }
  }
  if (request.valid && out_.store.request_ready) {
    writes_.push_back({request.address, request.bytes});
    ++writes_open_;
    ++stored_.bursts;
    stored_.bytes += request.bytes;
  }
}

void IdealMemoryBeat::finish_write() {
  const WriteBurst burst = writes_.front();
  writes_.pop_front();
  write_beats_ = 0;
  const bool error = !reachable(burst.address, burst.bytes);
  if (write_data_.size() != burst.bytes) violation_ = "a write burst has not the length of its request";
  if (!error) std::memcpy(bytes_.data() + burst.address, write_data_.data(), write_data_.size());
  for (const ReadPort* port : {&fetch_, &load_}) {
    for (const ReadBurst& read : port->bursts) {
      // Those accepted in this very cycle have been sampled before and are none of the outstanding ones.
      const bool outstanding = read.accepted < now_ && now_ <= read.last;
      if (outstanding && violation_.empty() && read.address < burst.address + burst.bytes &&
          burst.address < read.address + read.bytes) {
        violation_ = "a write of [" + std::to_string(burst.address) + ", +" + std::to_string(burst.bytes) +
                     ") meets an outstanding read of [" + std::to_string(read.address) + ".." +
                     std::to_string(read.address + read.bytes - 1) + "] by " + (port == &fetch_ ? "fetch" : "load_dma");
      }
    }
  }
  const Cycle beats = static_cast<Cycle>((burst.address + burst.bytes - 1) / bus_bytes_ - burst.address / bus_bytes_ + 1);
  const Cycle occupied =
      std::max(beats, (beats * static_cast<Cycle>(bus_bytes_) + bytes_per_cycle_ - 1) / bytes_per_cycle_);
  write_done_ = std::max(now_ + write_jitter_.next(), write_done_ + occupied);
  answers_.push_back({write_done_ + write_latency_, error});
}

Cycle IdealMemoryBeat::until_change() const {
  Cycle next = Never;
  for (const ReadPort* port : {&fetch_, &load_}) {
    if (!port->bursts.empty()) next = std::min(next, std::max(port->bursts.front().first, now_ + 1));
  }
  if (!answers_.empty()) next = std::min(next, answers_.front().at);
  if (out_.store.valid) next = now_ + 1;
  return next == Never ? Never : next - now_;
}

}  // namespace gemel
