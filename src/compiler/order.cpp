// SPDX-License-Identifier: Apache-2.0
#include "compiler/order.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace gemel::compiler {
namespace {

constexpr int Reserve = 5;  // of a semaphore's greatest value

}  // namespace

// When an operation is started, all but the last queue_depth of those of each unit that stand before it have been started too, and have
// taken their tokens.
ProgramOrder::ProgramOrder(int queue_depth, Emit emit)
    : window_(isa::SemaphoreMax - Reserve - queue_depth), emit_(std::move(emit)) {}

void ProgramOrder::add(const Operation& op, const Places& producers) {
  const int unit = op.unit(), index = index_++;
  gemel::Ring<Waiting>& own = queues_[unit];
  const int place = next_[unit] + static_cast<int>(own.size());
  Waiting& waiting = own.push();
  waiting.op = op;
  waiting.index = index;
  waiting.producers = producers;
  waiting.held = NoPlaces;
  for (int u = 0; u < Units; ++u) {
    if (producers[u] < 0) continue;
    Waiting& producer = queues_[u][static_cast<std::size_t>(producers[u] - next_[u])];
    const int s = semaphore(u, unit);
    producer.op.header().post_mask |= 1 << s;
    waiting.op.header().wait_mask |= 1 << (s % isa::SemaphoresPerUnit);
    gemel::Ring<Consumer>& list = consumers_[u][unit];
    if (static_cast<int>(list.size()) == window_) {
      if (list.front().index > producer.index) throw InternalError("a semaphore would have to hold more tokens than it can");
      producer.held[unit] = std::max(producer.held[unit], list.front().place);
      list.pop_front();
    }
    list.push_back({index, place});
  }
  // A head that is more than MaxBehind operations old gets no consumers any more; and with a head of every unit, none is missing.
  while (std::all_of(queues_.begin(), queues_.end(), [](const auto& q) { return q.size() > MaxBehind; })) emit_next();
}

void ProgramOrder::finish() {
  while (std::any_of(queues_.begin(), queues_.end(), [](const auto& q) { return !q.empty(); })) emit_next();
}

bool ProgramOrder::emitted(const Places& places) const {
  for (int u = 0; u < Units; ++u) {
    if (places[u] >= next_[u]) return false;
  }
  return true;
}

void ProgramOrder::emit_next() {
  Waiting* best = nullptr;
  for (auto& queue : queues_) {
    if (queue.empty() || !emitted(queue.front().held) || !emitted(queue.front().producers)) continue;
    Waiting& head = queue.front();
    if (best == nullptr || head.op.start < best->op.start || (head.op.start == best->op.start && head.index < best->index)) best = &head;
  }
  if (best == nullptr) throw InternalError("no program order keeps all semaphores within their range");
  const int unit = best->op.unit();
  emit_(best->op, best->producers);
  queues_[unit].pop_front();
  ++next_[unit];
}

}  // namespace gemel::compiler
