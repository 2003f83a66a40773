// SPDX-License-Identifier: Apache-2.0
#include "compiler/sync.hpp"

#include "base/error.hpp"

namespace gemel::compiler {
namespace {

void join(Places& a, const Places& b) {
  for (int u = 0; u < Units; ++u) a[u] = std::max(a[u], b[u]);
}

}  // namespace

int semaphore(int producer, int consumer) {
  // Rows: consumer; columns: producer (load, matrix, vector, store).
  static constexpr int Table[Units][Units] = {{-1, 0, 1, 2}, {4, -1, 5, -1}, {8, 9, -1, 10}, {13, -1, 12, -1}};
  return Table[consumer][producer];
}

void Chains::set(Operation& op) {
  switch (op.instruction.unit) {
    case isa::Unit::Load: op.instruction.load.chain = 1; break;
    case isa::Unit::Store: op.instruction.store.chain = 1; break;
    case isa::Unit::Matrix: {
      isa::Matrix& m = op.instruction.matrix;
      const bool equal = m.acc_base == acc_base_ && m.acc_last == acc_last_;
      const bool disjoint = m.acc_base > acc_last_ || m.acc_last < acc_base_;
      m.chain = any_ && (equal || disjoint);
      any_ = true;
      acc_base_ = m.acc_base;
      acc_last_ = m.acc_last;
      break;
    }
    case isa::Unit::Vector:
    case isa::Unit::None: break;
  }
}

Synchronizer::Synchronizer(const Machine& machine) {
  for (int b = 0; b < BufferCount; ++b) {
    bank_words_[b] = static_cast<int>(machine.bank_words(static_cast<Buffer>(b)));
    banks_[b].assign(static_cast<std::size_t>(machine.buffers[b].banks), {NoPlaces, NoPlaces});
  }
}

Places Synchronizer::next(const Operation& op) {
  const int unit = op.unit(), place = known_[unit].size();
  Places need = NoPlaces;
  for (const isa::Claim& c : isa::claims(op.instruction)) {
    const int b = static_cast<int>(c.buffer);
    buffers_[b].access(static_cast<std::uint64_t>(c.first), static_cast<std::uint64_t>(c.last) + 1, c.write, unit, place, need);
    for (int bank = c.first / bank_words_[b]; bank <= c.last / bank_words_[b]; ++bank) {
      Places& users = banks_[b][bank][c.write];
      for (int u = 0; u < Units; ++u) {
        if (u == unit) continue;
        need[u] = std::max(need[u], users[u]);
        users[u] = -1;
      }
      users[unit] = place;
    }
  }
  if (op.memory_end > op.memory_first) {
    memory_.access(op.memory_first, op.memory_end, op.instruction.unit == isa::Unit::Store, unit, place, need);
  }

  // A unit starts in order, so what its last start knew is known.
  Places done = place > 0 ? known_[unit][place - 1].done : NoPlaces;
  for (int u = 0; u < Units; ++u) {
    // Never a token older than MaxBehind operations of its producer: it would have to be kept with all those after it.
    // To wait for a younger one is always right, and so far behind it costs no overlap worth having.
    if (need[u] > done[u]) need[u] = std::max(need[u], known_[u].size() - MaxBehind);
  }
  // The youngest producer first: it knows most.
  Places producers = NoPlaces;
  for (;;) {
    int producer = -1;
    for (int u = 0; u < Units; ++u) {
      if (need[u] > done[u] && (producer < 0 || known_[u][need[u]].index > known_[producer][need[producer]].index)) producer = u;
    }
    if (producer < 0) break;
    if (semaphore(producer, unit) < 0) {
      throw InternalError("no semaphore from unit " + std::to_string(producer) + " to unit " + std::to_string(unit));
    }
    producers[producer] = need[producer];
    join(done, known_[producer][need[producer]].done);
    done[producer] = need[producer];
  }
  known_[unit].push({index_++, done});
  return producers;
}

void Synchronizer::IntervalMap::access(std::uint64_t first, std::uint64_t end, bool write, int unit, int place, Places& need) {
  auto it = split(first);
  split(end);
  // Gaps within [first, end) become intervals too, so that the access is recorded there.
  std::uint64_t at = first;
  Places latest = need;  // also collects the unit's own operations, to avoid a branch; taken out again below
  while (at < end) {
    if (it == map_.end() || it->first > at) {
      const std::uint64_t stop = it == map_.end() ? end : std::min(end, it->first);
      it = map_.emplace_hint(it, at, State{stop, NoPlaces, NoPlaces});
    }
    State& s = it->second;
    join(latest, s.writer);
    if (write) {
      join(latest, s.reader);
      s.writer = s.reader = NoPlaces;
      s.writer[unit] = place;
    } else {
      s.reader[unit] = place;
    }
    at = s.end;
    ++it;
  }
  latest[unit] = need[unit];
  need = latest;
  if (write) merge(first, end);
}

// Makes `at` a border of intervals; gives the first interval that begins at or after it.
Synchronizer::IntervalMap::Map::iterator Synchronizer::IntervalMap::split(std::uint64_t at) {
  auto it = map_.lower_bound(at);
  if (it != map_.begin()) {
    auto before = std::prev(it);
    if (before->second.end > at) {
      State right = before->second;
      before->second.end = at;
      return map_.emplace_hint(it, at, right);
    }
  }
  return it;
}

// A written interval is of one state: its pieces become one again, so that maps stay small.
void Synchronizer::IntervalMap::merge(std::uint64_t first, std::uint64_t end) {
  auto it = map_.find(first);
  it->second.end = end;
  map_.erase(std::next(it), map_.lower_bound(end));
}

}  // namespace gemel::compiler
