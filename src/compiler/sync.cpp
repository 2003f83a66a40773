// SPDX-License-Identifier: Apache-2.0
// Deriving semaphores; see sync.hpp. What is last known of each word is kept in interval maps; what a unit knows to be done
// is kept as a vector clock, one index per unit: dones of a unit come in order, so one number tells all.
#include "compiler/sync.hpp"

#include <array>
#include <map>
#include <numeric>

#include "base/error.hpp"

namespace gemel::compiler {
namespace {

using Clock = std::array<int, Units>;  // per unit the greatest operation known to be done, -1 none
constexpr Clock Nothing{-1, -1, -1, -1};
constexpr int MaxBehind = 128;  // tokens of one semaphore in sequential order

void join(Clock& a, const Clock& b) {
  for (int u = 0; u < Units; ++u) a[u] = std::max(a[u], b[u]);
}

// Who last wrote and who has read each interval since. An access is ordered behind those that it replaces.
class IntervalMap {
 public:
  // Adds to `need` the operations of other units that this access must follow, and records it.
  void access(std::uint64_t first, std::uint64_t end, bool write, int unit, int index, Clock& need) {
    auto it = split(first);
    split(end);
    // Gaps within [first, end) become intervals too, so that the access is recorded there.
    std::uint64_t at = first;
    Clock latest = need;  // also accumulates the unit's own entry, to avoid a branch; restored below
    while (at < end) {
      if (it == map_.end() || it->first > at) {
        const std::uint64_t stop = it == map_.end() ? end : std::min(end, it->first);
        it = map_.emplace_hint(it, at, State{stop, Nothing, Nothing});
      }
      State& s = it->second;
      join(latest, s.writer);
      if (write) {
        join(latest, s.reader);
        s.writer = s.reader = Nothing;
        s.writer[unit] = index;
      } else {
        s.reader[unit] = index;
      }
      at = s.end;
      ++it;
    }
    latest[unit] = need[unit];
    need = latest;
    if (write) merge(first, end);
  }

 private:
  struct State {
    std::uint64_t end;
    Clock writer, reader;
  };
  using Map = std::map<std::uint64_t, State>;

  // Makes `at` a border of intervals; gives the first interval that begins at or after it.
  Map::iterator split(std::uint64_t at) {
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
  void merge(std::uint64_t first, std::uint64_t end) {
    auto it = map_.find(first);
    it->second.end = end;
    map_.erase(std::next(it), map_.lower_bound(end));
  }
  Map map_;
};

}  // namespace

int semaphore(int producer, int consumer) {
  // Rows: consumer; columns: producer (load, matrix, vector, store).
  static constexpr int Table[Units][Units] = {{-1, 0, 1, 2}, {4, -1, 5, -1}, {8, 9, -1, 10}, {13, -1, 12, -1}};
  return Table[consumer][producer];
}

std::vector<Edge> derive_edges(const std::vector<Operation>& operations, const Machine& machine) {
  std::vector<Edge> edges;
  edges.reserve(operations.size() * 2);
  std::array<IntervalMap, BufferCount> buffers;
  IntervalMap memory;
  std::array<int, BufferCount> bank_words{};
  std::array<std::vector<std::array<Clock, 2>>, BufferCount> banks;  // per bank and direction: last user of each unit
  for (int b = 0; b < BufferCount; ++b) {
    bank_words[b] = static_cast<int>(machine.bank_words(static_cast<Buffer>(b)));
    banks[b].assign(static_cast<std::size_t>(machine.buffers[b].banks), {Nothing, Nothing});
  }
  std::vector<Clock> known(operations.size());  // what is done when an operation starts
  Clock latest = Nothing;                       // last operation of each unit
  std::array<std::vector<int>, Units> streams;  // all so far

  for (int i = 0; i < static_cast<int>(operations.size()); ++i) {
    const Operation& op = operations[i];
    const int unit = op.unit();
    Clock need = Nothing;
    const isa::Claims claims = isa::claims(op.instruction);
    for (const isa::Claim& c : claims) {
      const int b = static_cast<int>(c.buffer);
      buffers[b].access(static_cast<std::uint64_t>(c.first), static_cast<std::uint64_t>(c.last) + 1, c.write, unit, i, need);
      for (int bank = c.first / bank_words[b]; bank <= c.last / bank_words[b]; ++bank) {
        Clock& users = banks[b][bank][c.write];
        for (int u = 0; u < Units; ++u) {
          if (u == unit) continue;
          need[u] = std::max(need[u], users[u]);
          users[u] = -1;
        }
        users[unit] = i;
      }
    }
    if (op.memory_end > op.memory_first) {
      memory.access(op.memory_first, op.memory_end, op.instruction.unit == isa::Unit::Store, unit, i, need);
    }

    // A unit starts in order, so what its last start knew is known. Then the youngest producer first: it knows most.
    Clock clock = latest[unit] >= 0 ? known[latest[unit]] : Nothing;
    for (int u = 0; u < Units; ++u) {
      // Never a token older than MaxBehind operations of its producer: it would have to be kept with all those after it.
      // To wait for a younger one is always right, and so far behind it costs no overlap worth having.
      const int count = static_cast<int>(streams[u].size());
      if (need[u] > clock[u] && count > MaxBehind) need[u] = std::max(need[u], streams[u][static_cast<std::size_t>(count - MaxBehind)]);
    }
    for (;;) {
      int producer = -1;
      for (int u = 0; u < Units; ++u) {
        if (need[u] > clock[u]) producer = std::max(producer, need[u]);
      }
      if (producer < 0) break;
      if (semaphore(operations[producer].unit(), unit) < 0) {
        throw InternalError("no semaphore from unit " + std::to_string(operations[producer].unit()) + " to unit " +
                            std::to_string(unit));
      }
      edges.push_back({producer, i});
      join(clock, known[producer]);
      clock[operations[producer].unit()] = producer;
    }
    known[i] = clock;
    latest[unit] = i;
    streams[unit].push_back(i);
  }
  return edges;
}

void apply_edges(std::vector<Operation>& operations, const std::vector<Edge>& edges) {
  for (const Edge& e : edges) {
    const int s = semaphore(operations[e.producer].unit(), operations[e.consumer].unit());
    operations[e.producer].header().post_mask |= 1 << s;
    operations[e.consumer].header().wait_mask |= 1 << (s % 4);
  }
}

void set_chains(std::vector<Operation>& operations) {
  const isa::Matrix* last = nullptr;
  for (Operation& op : operations) {
    switch (op.instruction.unit) {
      case isa::Unit::Load: op.instruction.load.chain = 1; break;
      case isa::Unit::Store: op.instruction.store.chain = 1; break;
      case isa::Unit::Matrix: {
        isa::Matrix& m = op.instruction.matrix;
        if (last != nullptr) {
          const bool equal = m.acc_base == last->acc_base && m.acc_last == last->acc_last;
          const bool disjoint = m.acc_base > last->acc_last || m.acc_last < last->acc_base;
          m.chain = equal || disjoint;
        }
        last = &m;
        break;
      }
      case isa::Unit::Vector:
      case isa::Unit::None: break;
    }
  }
}

std::vector<int> order_program(const std::vector<Operation>& operations, const std::vector<Edge>& edges, int queue_depth) {
  const int count = static_cast<int>(operations.size());
  std::array<std::vector<int>, Units> streams;
  for (int i = 0; i < count; ++i) streams[operations[i].unit()].push_back(i);

  // hold[i]: the operation that must stand before i in the program. When i is started, all but the last queue_depth of
  // those of each unit that stand before it have been started too, and have taken their tokens.
  const int window = 250 - queue_depth;
  std::vector<int> hold(operations.size(), -1);
  std::vector<std::array<int, Units>> producers(operations.size(), Nothing);
  std::array<std::array<std::vector<int>, Units>, Units> consumers;
  for (const Edge& e : edges) {
    producers[e.consumer][operations[e.producer].unit()] = e.producer;
    const int p = operations[e.producer].unit(), c = operations[e.consumer].unit();
    auto& list = consumers[p][c];
    if (static_cast<int>(list.size()) >= window) {
      const int held = list[list.size() - static_cast<std::size_t>(window)];
      if (held > e.producer) throw InternalError("a semaphore would have to hold more than 255 tokens");
      hold[e.producer] = std::max(hold[e.producer], held);
    }
    list.push_back(e.consumer);
  }

  std::vector<int> order;
  order.reserve(operations.size());
  std::vector<char> emitted(operations.size(), 0);
  std::array<std::size_t, Units> next{};
  while (static_cast<int>(order.size()) < count) {
    int best = -1;
    for (int u = 0; u < Units; ++u) {
      if (next[u] == streams[u].size()) continue;
      const int i = streams[u][next[u]];
      if (hold[i] >= 0 && !emitted[hold[i]]) continue;
      bool ready = true;  // a consumer before its producer could fill its queue and block dispatch for ever
      for (const int p : producers[i]) ready = ready && (p < 0 || emitted[p]);
      if (!ready) continue;
      if (best < 0 || operations[i].start < operations[best].start ||
          (operations[i].start == operations[best].start && i < best)) {
        best = i;
      }
    }
    if (best < 0) throw InternalError("no program order keeps all semaphores below 256");
    emitted[best] = 1;
    order.push_back(best);
    ++next[operations[best].unit()];
  }
  return order;
}

}  // namespace gemel::compiler
