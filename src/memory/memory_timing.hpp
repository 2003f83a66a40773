// SPDX-License-Identifier: Apache-2.0
// The memory outside the chip, once for everybody: requests with their cycles go in, answers with theirs come out (docs/reference/machine.md, 7).
// It has three faces: a TLM-2.0 target (ideal_memory.hpp), cycle by cycle (top/memory_beat.hpp), and plain calls (plain_memory.hpp).
// Requests may be made long before they are due; they are decided in order of their cycles and, within a cycle, of ports. What holds for
// any memory is found here: addresses outside, poisoned bytes, writes that meet outstanding reads.
//
//   request()      a burst; `at` lies after the last advance()
//   next_change()  the cycle at whose end advance() must be called at the latest
//   advance(now)   all requests of cycles up to `now` have been made: decides them, and hands out the answers that are known by then
//
// Every answer lies after the cycle of the advance() that hands it out.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/agent.hpp"
#include "base/cycle.hpp"
#include "base/read_channel.hpp"
#include "base/ring.hpp"
#include "config/machine.hpp"
#include "memory/burst_pieces.hpp"
#include "memory/jitter.hpp"
#include "memory/memory_bytes.hpp"
#include "memory/memory_device.hpp"
#include "memory/overlap_check.hpp"

namespace gemel {

enum class MemoryPort : std::uint8_t { Fetch, Load, Store };
inline constexpr std::size_t MemoryPortCount = 3;

struct MemoryRequest {
  MemoryPort port = MemoryPort::Fetch;
  bool write = false;
  std::uint32_t bytes = 0;        // at least 1
  std::uint64_t address = 0;      // of the first byte
  std::uint8_t* data = nullptr;   // to read into or write from, when the request is decided; nullptr: only time passes
  Cycle at = 0;                   // read: accepted; write: last W beat
  void* user = nullptr;           // handed back
  std::uint32_t count = 1;        // a train of so many bursts; their data follow one another
  Cycle period = 0;               // between their cycles
  std::uint64_t stride = 0;       // between their addresses

  void drop(std::uint32_t n) {  // the first n bursts
    count -= n;
    address += n * stride;
    if (data != nullptr) data += std::size_t{n} * bytes;
    at += n * period;
  }
  std::uint64_t span(std::int64_t bursts) const { return static_cast<std::uint64_t>(bursts - 1) * stride + bytes; }  // of the first bursts
};

struct MemoryAnswer {
  MemoryPort port = MemoryPort::Fetch;
  MemoryFault fault = MemoryFault::None;
  Cycle at = 0;                   // read: first beat on the wires, the others follow without gaps; write: B
  void* user = nullptr;
  std::uint32_t count = 1;        // of so many bursts of a train
  Cycle period = 0;               // between their first beats
};

class MemoryTiming {
 public:
  // The memory that the machine names.
  MemoryTiming(const Machine& machine, MemoryBytes bytes);
  // Any device behind the same front.
  MemoryTiming(const Machine& machine, MemoryBytes bytes, std::unique_ptr<MemoryDevice> device);

  void request(const MemoryRequest& request) {
    Queue& queue = queues_[static_cast<std::size_t>(request.port)];
    (request.write ? queue.writes : queue.reads) = true;
    const bool in_order = queue.requests.empty() || queue.requests.back().at <= request.at;  // nearly always
    queue.requests.push() = request;
    if (!in_order) queue.sort_in_last();
    next_change_ = std::min(next_change_, deadline(queue));
  }
  // The last requests of a port, each of a single burst and due later than the last advance() has gone, were not made.
  void take_back(MemoryPort port, std::int64_t count);
  Cycle next_change() const { return next_change_; }
  // `answer(const MemoryAnswer&)` is called in the order of decisions, each before the next burst moves data; it may make further requests,
  // none of them due by `now`.
  template <class Sink>
  void advance(Cycle now, Sink&& answer) {
    advance(now, [now] { return now; }, answer);
  }
  // The same where whoever runs the models knows that up to and including cycle ahead(), `now` or later, no port asks for anything but what
  // answers make it ask for; each answer may bring that cycle nearer. What a single port asks for is decided as far ahead as that.
  template <class Ahead, class Sink>
  void advance(Cycle now, Ahead&& ahead, Sink&& answer);

  // Forgets every request and answer under way, as when the chip and its interconnect are reset. Bytes and poison stay; cycles begin anew.
  void reset();
  // Somebody else may decide reads of the port Load, in time order with what this decides: after reads of fetch that are accepted in the same cycle or
  // before, and before those that are accepted later. An ideal memory without jitter has such a channel, else nullptr. These reads are neither checked
  // nor moved here. From then on, reads of fetch are decided no further ahead than the cycle of advance().
  ReadChannel* share_reads();
  // The first undecided read of fetch; Never: there is none.
  Cycle next_fetch() const {
    const auto& requests = queues_[static_cast<std::size_t>(MemoryPort::Fetch)].requests;
    return requests.empty() ? Never : requests.front().at;
  }
  // Decides it.
  MemoryAnswer decide_fetch();
  MemoryBytes& bytes() { return bytes_; }
  const MemoryBytes& bytes() const { return bytes_; }
  // A write met an outstanding read; empty if none did.
  const std::string& violation() const { return overlap_.violation(); }
  Cycle read_latency() const { return channel_.latency(); }
  Cycle write_latency() const { return write_latency_; }

 private:
  struct Queue {                         // undecided requests of a port, in order of time
    Ring<MemoryRequest> requests;
    bool reads = false, writes = false;  // what came so far
    void sort_in_last();
    // Bounds of their addresses.
    std::pair<std::uint64_t, std::uint64_t> range() const;
  };
  struct Pending {                       // a burst inside the device
    MemoryPort port = MemoryPort::Fetch;
    MemoryFault fault = MemoryFault::None;
    std::int64_t read = -1;              // its number in overlap_; -1: a write
    void* user = nullptr;
  };

  // Nobody hears of an ideal memory's decision before its first beat or B, so it may wait until the cycle before: then all requests that
  // compete with it are known, and a batch of them is decided at once. Here for the first of a queue: the earliest that its answer can be.
  // A device decides at once.
  Cycle deadline(const Queue& queue) const {
    const Cycle at = queue.requests.front().at;
    if (device_ != nullptr) return at;
    Cycle answer = Never;
    if (queue.reads) answer = std::max(at + channel_.latency(), channel_.free());
    if (queue.writes) answer = std::min(answer, at + write_latency_);
    return answer - 1;
  }
  void move(const MemoryRequest& request, std::int64_t bursts) {  // the data of its first bursts
    if (request.data != nullptr) move_data(request, bursts);
  }
  void move_data(const MemoryRequest& request, std::int64_t bursts);
  MemoryFault access(const MemoryRequest& request);
  std::int64_t beats(const MemoryRequest& request) const {
    return static_cast<std::int64_t>(((request.address + request.bytes - 1) >> bus_log2_) - (request.address >> bus_log2_)) + 1;
  }
  // Whether the order of their undecided requests cannot matter: reads of one and writes of the other, which nowhere meet.
  bool independent(const Queue& a, const Queue& b) const;
  MemoryAnswer decide_ideal(Ring<MemoryRequest>& requests, Cycle until);  // of the front bursts before cycle `until`, at least one; they leave it
  void decide(const MemoryRequest& request);       // for the device
  void feed(Cycle now);                            // the device, while it accepts
  Cycle device_event() const;                      // the next cycle in which it, or a request for it, does something
  void step_device(Cycle cycle);                   // all that happens in this cycle; answers are collected
  void recompute_next_change();

  ReadChannel channel_;  // ideal: of reads; and the bandwidth of both directions
  const Cycle write_latency_;
  const int bus_log2_;
  MemoryBytes bytes_;
  std::array<Queue, MemoryPortCount> queues_;
  Cycle next_change_ = Never;
  OverlapCheck overlap_;

  // ideal: in closed form
  bool shared_ = false;  // share_reads()
  Jitter read_jitter_, write_jitter_;
  Cycle last_write_done_;

  // device
  std::unique_ptr<MemoryDevice> device_;
  std::array<BurstCollector<Pending>, MemoryPortCount> collectors_;
  std::array<Ring<MemoryAccess>, 2> waiting_;      // pieces for which the device had no place: reads, writes
  Cycle device_now_ = -1;                          // the device has lived through this cycle
  std::vector<MemoryAccessDone> done_;
  std::vector<MemoryAnswer> answers_;
};

template <class Ahead, class Sink>
void MemoryTiming::advance(Cycle now, Ahead&& ahead, Sink&& answer) {
  next_change_ = now;  // requests that come meanwhile wait for the end
  if (device_ != nullptr) {
    for (Cycle cycle = device_event(); cycle <= now; cycle = device_event()) {
      step_device(cycle);
      for (const MemoryAnswer& a : answers_) answer(a);
      answers_.clear();
    }
    recompute_next_change();
    return;
  }
  std::array<bool, MemoryPortCount> answered{};  // these may ask for more when they know that there are no more answers
  for (;;) {
    // The oldest; of one cycle in the order of ports. Its port is served until another's turn comes.
    Cycle oldest = Never;
    std::size_t port = 0;
    bool alone = true;
    for (std::size_t p = 0; p < MemoryPortCount; ++p) {
      const auto& requests = queues_[p].requests;
      if (requests.empty() || requests.front().at >= oldest) continue;
      oldest = requests.front().at;
      port = p;
    }
    for (std::size_t p = 0; p < MemoryPortCount; ++p) alone &= p == port || (!answered[p] && queues_[p].requests.empty());
    alone &= !shared_ || port == static_cast<std::size_t>(MemoryPort::Store);
    const Cycle last = alone ? ahead() : now;
    if (oldest > last) break;
    auto& requests = queues_[port].requests;
    Cycle until = last + 1;
    for (std::size_t p = 0; p < MemoryPortCount; ++p) {
      const auto& others = queues_[p].requests;
      if (p == port || others.empty()) continue;
      const Cycle turn = others.front().at + (p < port ? 0 : 1);  // in one cycle, in the order of ports
      if (turn < until && !independent(queues_[port], queues_[p])) until = turn;
    }
    do {
      answer(decide_ideal(requests, until));
    } while (!alone && !requests.empty() && requests.front().at < until);
    answered[port] = true;
  }
  recompute_next_change();
}

}  // namespace gemel
