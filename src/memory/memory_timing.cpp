// SPDX-License-Identifier: Apache-2.0
#include "memory/memory_timing.hpp"

#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace gemel {
namespace {

constexpr Cycle LongAgo = -1'000'000'000;

const char* reader(MemoryPort port) { return port == MemoryPort::Fetch ? "fetch" : "load_dma"; }

}  // namespace

MemoryTiming::MemoryTiming(const Machine& machine, MemoryBytes bytes) : MemoryTiming(machine, bytes, nullptr) {}

MemoryTiming::MemoryTiming(const Machine& machine, MemoryBytes bytes, std::unique_ptr<MemoryDevice> device)
    : channel_({std::int64_t{1000} * machine.bus_bytes, machine.millibytes_per_cycle()}, machine.read_latency_cycles),
      write_latency_(machine.write_latency_cycles),
      bus_log2_(log2_of(static_cast<std::uint64_t>(machine.bus_bytes))),
      bytes_(bytes),
      read_jitter_(machine, Jitter::Reads),
      write_jitter_(machine, Jitter::Writes),
      last_write_done_(LongAgo),
      device_(std::move(device)) {}

void MemoryTiming::reset() {
  queues_ = {};
  next_change_ = Never;
  overlap_.reset();
  read_jitter_.restart();
  write_jitter_.restart();
  channel_.take_until(0);
  last_write_done_ = LongAgo;
  if (device_ == nullptr) return;
  device_->reset();
  collectors_ = {};
  waiting_ = {};
  device_now_ = -1;
}

void MemoryTiming::Queue::sort_in_last() {
  for (std::size_t i = requests.size() - 1; i > 0 && requests[i - 1].at > requests[i].at; --i) {
    std::swap(requests[i - 1], requests[i]);
  }
}

std::pair<std::uint64_t, std::uint64_t> MemoryTiming::Queue::range() const {
  std::uint64_t first = ~std::uint64_t{0}, end = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const MemoryRequest& r = requests[i];
    first = std::min(first, r.address);
    end = std::max(end, r.address + r.span(r.count));
  }
  return {first, end};
}

bool MemoryTiming::independent(const Queue& a, const Queue& b) const {
  if ((a.reads && a.writes) || (b.reads && b.writes) || a.writes == b.writes) return false;
  const auto [first_a, end_a] = a.range();
  const auto [first_b, end_b] = b.range();
  if (first_a < end_b && first_b < end_a) return false;
  // Reads that have been decided, too: their record is kept only as long as writes come in order with them.
  return a.writes ? !overlap_.may_meet(first_a, end_a - first_a) : !overlap_.may_meet(first_b, end_b - first_b);
}

void MemoryTiming::recompute_next_change() {
  if (device_ != nullptr) {
    next_change_ = device_event();
    return;
  }
  next_change_ = Never;
  for (const Queue& queue : queues_) {
    if (!queue.requests.empty()) next_change_ = std::min(next_change_, deadline(queue));
  }
}

void MemoryTiming::take_back(MemoryPort port, std::int64_t count) {
  auto& requests = queues_[static_cast<std::size_t>(port)].requests;
  if (count > static_cast<std::int64_t>(requests.size())) throw InternalError("memory: a request that has been decided cannot be taken back");
  for (; count > 0; --count) requests.pop_back();
  recompute_next_change();
}

void MemoryTiming::move_data(const MemoryRequest& request, std::int64_t bursts) {
  std::uint8_t *there = bytes_.data() + request.address, *here = request.data;
  std::size_t bytes = request.bytes;
  if (request.stride == bytes) {  // all of them are one piece
    bytes *= static_cast<std::size_t>(bursts);
    bursts = 1;
  }
  for (; bursts > 0; --bursts, there += request.stride, here += bytes) {
    if (request.write) {
      std::memcpy(there, here, bytes);
    } else {
      std::memcpy(here, there, bytes);
    }
  }
}

// Checks a burst, and moves its data: the same for any memory.
MemoryFault MemoryTiming::access(const MemoryRequest& request) {
  if (request.write) overlap_.write(request.address, request.bytes, request.at);
  const MemoryFault fault = bytes_.fault(request.address, request.bytes);
  if (fault == MemoryFault::None) move(request, 1);
  return fault;
}

// Of a train as many bursts as follow one another at equal distances: each comes behind the one before, or each at a time of its own.
MemoryAnswer MemoryTiming::decide_ideal(Ring<MemoryRequest>& requests, Cycle until) {
  MemoryRequest& request = requests.front();
  const std::int64_t beats_of_each = beats(request), occupied = channel_.bandwidth().occupation(beats_of_each);  // if all are alike
  // Reads compete for the cycles of their beats, writes for those in which the last of theirs has been written.
  const Cycle free = request.write ? last_write_done_ : channel_.free();
  Jitter& jitter = request.write ? write_jitter_ : read_jitter_;
  const Cycle earliest = request.at + (request.write ? 0 : channel_.latency()) + jitter.next();
  const Cycle next = request.write ? free + occupied : free;
  const Cycle late = next - earliest;
  std::int64_t count = 1;
  if (request.count > 1 && !jitter.any() && (request.stride & ((std::uint64_t{1} << bus_log2_) - 1)) == 0) {
    count = request.count;
    if (late > 0 && request.period > occupied) count = std::min(count, late / (request.period - occupied) + 1);  // those behind find the channel free
    if (request.at + (count - 1) * request.period >= until) count = (until - 1 - request.at) / request.period + 1;
  }
  MemoryFault fault = bytes_.fault(request.address, request.span(count));
  if (request.write && overlap_.may_meet(request.address, request.span(count))) {
    count = 1;
    overlap_.write(request.address, request.bytes, request.at);
  }
  if (count > 1 && fault != MemoryFault::None) count = 1;
  if (count == 1) fault = bytes_.fault(request.address, request.bytes);
  if (fault == MemoryFault::None) move(request, count);

  const Cycle start = std::max(earliest, next), period = late > 0 ? occupied : std::max(request.period, occupied);
  const Cycle last = start + (count - 1) * period;
  if (request.write) {
    last_write_done_ = last;
  } else {
    channel_.take_until(last + occupied);
    overlap_.read({request.address, request.bytes, count, request.stride, request.at, request.period, start + occupied - 1, period, reader(request.port)});
  }
  const Cycle first = request.write ? start + write_latency_ : start + occupied - beats_of_each;
  const MemoryAnswer answer{request.port, fault, first, request.user, static_cast<std::uint32_t>(count), period};
  if (request.count == count) {
    requests.pop_front();
  } else {
    request.drop(static_cast<std::uint32_t>(count));
  }
  return answer;
}

ReadChannel* MemoryTiming::share_reads() {
  if (device_ != nullptr || read_jitter_.any()) return nullptr;
  shared_ = true;
  return &channel_;
}

MemoryAnswer MemoryTiming::decide_fetch() {
  auto& requests = queues_[static_cast<std::size_t>(MemoryPort::Fetch)].requests;
  const MemoryAnswer answer = decide_ideal(requests, requests.front().at + 1);
  recompute_next_change();
  return answer;
}

// ---- device --------------------------------------------------------------------------------------------------------------

void MemoryTiming::decide(const MemoryRequest& request) {
  Pending pending{request.port, access(request), -1, request.user};
  if (!request.write) {
    pending.read = overlap_.read({request.address, request.bytes, 1, 0, request.at, 0, Never, 0, reader(request.port)});
  }
  PieceSplitter splitter(request.address, request.bytes, device_->access_bytes());
  const bool fails = pending.fault != MemoryFault::None;  // the device has no such address: answered in the next cycle
  BurstCollector<Pending>& collector = collectors_[static_cast<std::size_t>(request.port)];
  const std::int64_t burst = collector.open(fails ? 0 : splitter.count(), request.write ? 1 : beats(request), request.at + 1, pending);
  if (fails) return;
  const std::uint64_t id = static_cast<std::uint64_t>(burst) * MemoryPortCount + static_cast<std::uint64_t>(request.port);
  while (splitter.any()) {
    const PieceSplitter::Piece piece = splitter.next();
    waiting_[request.write ? 1 : 0].push_back({piece.address, piece.bytes, request.write, id});
  }
}

void MemoryTiming::feed(Cycle now) {
  for (Ring<MemoryAccess>& waiting : waiting_) {
    while (!waiting.empty() && device_->accepts(waiting.front().write)) {
      device_->request(waiting.front(), now);
      waiting.pop_front();
    }
  }
}

Cycle MemoryTiming::device_event() const {
  Cycle next = device_->next_change();
  for (const Queue& queue : queues_) {
    if (!queue.requests.empty()) next = std::min(next, queue.requests.front().at);
  }
  for (const Ring<MemoryAccess>& waiting : waiting_) {
    if (!waiting.empty() && device_->accepts(waiting.front().write)) next = std::min(next, device_now_ + 1);
  }
  return next;
}

void MemoryTiming::step_device(Cycle cycle) {
  for (Queue& queue : queues_) {  // in the order of ports
    while (!queue.requests.empty() && queue.requests.front().at <= cycle) {
      MemoryRequest& request = queue.requests.front();
      decide(request);
      if (request.count > 1) {
        request.drop(1);
      } else {
        queue.requests.pop_front();
      }
    }
  }
  feed(cycle);  // what waits here has waited for a place
  done_.clear();
  device_->advance(cycle, done_);
  device_now_ = cycle;
  for (const MemoryAccessDone& done : done_) {
    collectors_[done.id % MemoryPortCount].piece(static_cast<std::int64_t>(done.id / MemoryPortCount), done.at);
  }
  for (BurstCollector<Pending>& collector : collectors_) {
    while (collector.complete()) {
      const auto answer = collector.take();
      if (answer.burst.read >= 0) overlap_.last_beat(answer.burst.read, answer.last);
      answers_.push_back({answer.burst.port, answer.burst.fault, answer.first, answer.burst.user});
    }
  }
}

}  // namespace gemel
