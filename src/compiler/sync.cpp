// SPDX-License-Identifier: Apache-2.0
#include "compiler/sync.hpp"

#include <algorithm>

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
    buffers_[b].access(c.first, c.last + 1, c.write, unit, place, need);
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

void Synchronizer::Words::access(int first, int end, bool write, int unit, int place, Places& need) {
  const auto holds = [](int word, const Piece& piece) { return word < piece.end; };
  std::size_t from = static_cast<std::size_t>(std::upper_bound(pieces_.begin(), pieces_.end(), first, holds) - pieces_.begin()), to = from;
  while (pieces_[to].end < end) ++to;
  // What of the first and the last piece lies outside becomes a piece of its own.
  if (first > (from == 0 ? 0 : pieces_[from - 1].end)) {
    const Piece before{first, pieces_[from].writer, pieces_[from].reader};
    pieces_.insert(pieces_.begin() + static_cast<std::ptrdiff_t>(from), before);
    ++from;
    ++to;
  }
  if (end < pieces_[to].end) {
    const Piece within{end, pieces_[to].writer, pieces_[to].reader};
    pieces_.insert(pieces_.begin() + static_cast<std::ptrdiff_t>(to), within);
  }
  Places latest = need;  // also collects the unit's own operations, to avoid a branch; taken out again below
  for (std::size_t i = from; i <= to; ++i) {
    join(latest, pieces_[i].writer);
    if (write) join(latest, pieces_[i].reader);
    else pieces_[i].reader[unit] = place;
  }
  latest[unit] = need[unit];
  need = latest;
  if (!write) return;
  // A written interval is of one state: its pieces become one, so that there are few.
  Piece& written = pieces_[from];
  written = {end};
  written.writer[unit] = place;
  pieces_.erase(pieces_.begin() + static_cast<std::ptrdiff_t>(from) + 1, pieces_.begin() + static_cast<std::ptrdiff_t>(to) + 1);
}

void Synchronizer::IntervalMap::access(std::uint64_t first, std::uint64_t end, bool write, int unit, int place, Places& need) {
  auto it = border(first);
  // Gaps within [first, end) become intervals too, so that the access is recorded there.
  std::uint64_t at = first;
  Places latest = need;  // also collects the unit's own operations, to avoid a branch; taken out again below
  auto written = map_.end();
  while (at < end) {
    if (it == map_.end() || it->first > at) it = insert(it, at, State{it == map_.end() ? end : std::min(end, it->first), NoPlaces, NoPlaces});
    State& s = it->second;
    if (s.end > end) {
      insert(std::next(it), end, s);
      s.end = end;
    }
    at = s.end;
    join(latest, s.writer);
    if (!write) {
      s.reader[unit] = place;
      ++it;
      continue;
    }
    // A written interval is of one state: its pieces become one, so that maps stay small.
    join(latest, s.reader);
    if (written == map_.end()) {
      written = it++;
    } else {
      spare_.push_back(map_.extract(it++));
    }
  }
  if (written != map_.end()) {
    State& s = written->second;
    s.end = end;
    s.writer = s.reader = NoPlaces;
    s.writer[unit] = place;
  }
  latest[unit] = need[unit];
  need = latest;
}

// Makes `at` a border of intervals; gives the first interval that begins at or after it.
Synchronizer::IntervalMap::Map::iterator Synchronizer::IntervalMap::border(std::uint64_t at) {
  const auto it = map_.lower_bound(at);
  if (it == map_.begin() || (it != map_.end() && it->first == at)) return it;
  State& before = std::prev(it)->second;
  if (before.end <= at) return it;
  const State right = before;
  before.end = at;
  return insert(it, at, right);
}

Synchronizer::IntervalMap::Map::iterator Synchronizer::IntervalMap::insert(Map::iterator hint, std::uint64_t first, const State& state) {
  if (spare_.empty()) return map_.emplace_hint(hint, first, state);
  Map::node_type node = std::move(spare_.back());
  spare_.pop_back();
  node.key() = first;
  node.mapped() = state;
  return map_.insert(hint, std::move(node));
}

}  // namespace gemel::compiler
