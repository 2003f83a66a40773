// SPDX-License-Identifier: Apache-2.0
#include "top/axi_bridge.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "memory/axi_stalls.hpp"

namespace gemel {
namespace {

constexpr std::uint64_t Boundary = 4096;    // no burst of AXI crosses a multiple of it
constexpr std::int64_t MostBeats = 256;     // of a burst of AXI4
constexpr std::uint8_t Unasked = 0xA5;      // what lanes hold that nobody has asked for: nothing may depend on them

std::string burst_text(std::uint64_t address, std::uint32_t bytes) {
  return "[" + std::to_string(address) + ", +" + std::to_string(bytes) + ")";
}

}  // namespace

void step_memory(MemoryBeat& memory, const MemoryBeatIn& in, Cycle cycle, const char* chip) {
  try {
    memory.step(in);
  } catch (const AxiError& error) {
    const std::string block = chip != nullptr ? chip : error.block;
    throw RunError("E0820", "block `" + block + "` breaks AXI at cycle " + std::to_string(cycle) + ": " + error.what(),
                   "compare it with its model: --block " + block + "=check; `gemel explain --ports " + block + "` has the rules");
  }
}

AxiBridge::AxiBridge(const Machine& machine)
    : bus_bytes_(machine.bus_bytes), memory_bytes_(static_cast<std::uint64_t>(machine.memory_bytes)),
      queue_(static_cast<std::size_t>(machine.memory_queue)), stalls_(axi_stalls(machine)) {}

void AxiBridge::connect(ReadPort& fetch, ReadPort& load, WritePort& store) {
  fetch_.port = &fetch;
  load_.port = &load;
  store_.port = &store;
}

std::shared_ptr<const void> AxiBridge::forget() {
  struct Kept {
    Ring<ReadBurst> fetches, loads;
    Ring<WriteBurst> stores;
  };
  auto kept = std::make_shared<Kept>();
  std::swap(kept->fetches, fetch_.bursts);
  std::swap(kept->loads, load_.bursts);
  std::swap(kept->stores, store_.sent);
  for (Reader* reader : {&fetch_, &load_}) {
    reader->answered = 0;
    reader->waiting = {};
    reader->traffic = {};
  }
  store_.accepted = {};
  store_.answers = {};
  store_.waiting = {};
  store_.traffic = {};
  busy_ = false;
  driven_ = false;
  return kept;
}

void AxiBridge::restart() {
  forget();
  stalls_.restart();
  set_now(0);
}

void AxiBridge::set_now(Cycle now) {
  now_ = now;
  driven_ = false;
}

bool AxiBridge::idle() const {
  return fetch_.bursts.empty() && load_.bursts.empty() && store_.accepted.empty() && store_.sent.empty();
}

std::vector<std::uint8_t> AxiBridge::buffer(std::size_t bytes) {
  std::vector<std::uint8_t> data;
  if (!spare_.empty()) {
    data = std::move(spare_.back());
    spare_.pop_back();
  }
  data.resize(bytes);
  return data;
}

void AxiBridge::Reader::read_response(Cycle first_beat, bool error) {
  ReadBurst& burst = bursts[answered++];
  burst.first = first_beat;
  burst.error = error;
  if (error) std::fill(burst.data.begin(), burst.data.end(), Unasked);
}

// ---- what is on the wires ------------------------------------------------------------------------------------------------

void AxiBridge::drive(const Reader& reader, const ReadStalls& stalls, ReadResponseWires& wires) const {
  wires.request_ready = reader.bursts.size() < queue_ && stalls.request.open(now_);
  wires.valid = false;
  if (reader.bursts.empty()) return;
  const ReadBurst& burst = reader.bursts.front();
  if (burst.first == Never || now_ < burst.first + burst.sent || !stalls.data.open(now_)) return;
  wires.valid = true;
  wires.last = burst.sent == burst.beats - 1;
  wires.error = burst.error && (burst.error_beat == All || burst.error_beat == burst.sent);
  wires.outside = burst.outside;
  wires.data = burst.data.data() + burst.sent * bus_bytes_;
}

const MemoryBeatOut& AxiBridge::out() const {
  if (driven_) return out_;
  driven_ = true;
  drive(fetch_, stalls_.fetch, out_.fetch);
  drive(load_, stalls_.load, out_.load);
  // Accepted and not completed: beats missing, or B not on the wires before this cycle.
  const WriteStalls& stalls = stalls_.store;
  out_.store.request_ready = store_.accepted.size() + store_.sent.size() < queue_ && stalls.request.open(now_);
  out_.store.data_ready = stalls.data.open(now_);
  out_.store.valid = !store_.answers.empty() && store_.answers.front().b <= now_ && stalls.response.open(now_);
  out_.store.error = out_.store.valid && store_.answers.front().error;
  out_.store.outside = out_.store.error && outside(store_.sent.front().address, store_.sent.front().bytes);
  return out_;
}

// ---- the edge at the end of a cycle --------------------------------------------------------------------------------------

void AxiBridge::step(const MemoryBeatIn& in) {
  const MemoryBeatOut& wires = out();
  busy_ = wires.fetch.valid || wires.load.valid || wires.store.valid || in.store.data_valid ||
          (in.fetch.valid && wires.fetch.request_ready) || (in.load.valid && wires.load.request_ready) ||
          (in.store.valid && wires.store.request_ready);
  if (in.fetch.valid) stalls_.begin(now_);
  complete(fetch_, wires.fetch);
  complete(load_, wires.load);
  if (wires.store.valid) {
    spare_.push_back(std::move(store_.sent.front().data));
    store_.answers.pop_front();
    store_.sent.pop_front();
  }
  accept(fetch_, in.fetch, wires.fetch.request_ready);
  accept(load_, in.load, wires.load.request_ready);
  check_waiting_beat(in.store, wires.store.data_ready);
  if (in.store.data_valid && wires.store.data_ready) take_beat(in.store);
  accept(in.store, wires.store.request_ready);
  ++now_;
  driven_ = false;
  end_of_cycle();
}

// What was on the wires in this cycle has been taken.
void AxiBridge::complete(Reader& reader, const ReadResponseWires& wires) {
  if (!wires.valid) return;
  ReadBurst& burst = reader.bursts.front();
  ++burst.sent;
  if (!wires.last) return;
  if (!reader.last.empty()) spare_.push_back(std::move(reader.last));
  reader.last = std::move(burst.data);
  reader.bursts.pop_front();
  --reader.answered;
}

std::int64_t AxiBridge::error_beat_of(const Reader& reader, std::uint64_t address, std::int64_t beats) const {
  // The sequencer blames the instruction whose bytes an error comes with: the burst's first, as if the error stood on all beats.
  if (&reader == &fetch_) beats = std::min<std::int64_t>(beats, std::max<std::int64_t>(1, isa::InstructionBytes / bus_bytes_));
  const auto choices = static_cast<std::uint64_t>(beats) + 1;  // each beat, or all
  const auto choice = static_cast<std::int64_t>(address * 0x9E3779B97F4A7C15 >> 32) % static_cast<std::int64_t>(choices);
  return choice == beats ? All : choice;
}

void AxiBridge::check_burst(const char* block, const char* request, std::uint64_t address, std::uint32_t bytes) const {
  const std::string burst = std::string(request) + " of " + burst_text(address, bytes);
  if (bytes == 0) throw AxiError(block, burst + " names no bytes");
  if (address / Boundary != (address + bytes - 1) / Boundary) {
    throw AxiError(block, burst + " crosses a multiple of " + std::to_string(Boundary) + ": a burst may not");
  }
  const std::int64_t beats = beats_of(address, bytes, bus_bytes_);
  if (beats > MostBeats) {
    throw AxiError(block, burst + " has " + std::to_string(beats) + " beats: a burst has at most " + std::to_string(MostBeats));
  }
}

void AxiBridge::accept(Reader& reader, const ReadRequestWires& wires, bool ready) {
  if (reader.waiting.valid && (!wires.valid || wires.address != reader.waiting.address || wires.bytes != reader.waiting.bytes)) {
    throw AxiError(reader.block, "AR of " + burst_text(reader.waiting.address, reader.waiting.bytes) +
                                     (wires.valid ? " has changed to " + burst_text(wires.address, wires.bytes) : " has been taken back") +
                                     " before it was accepted: it must stay until arready");
  }
  reader.waiting.valid = wires.valid && !ready;
  if (!wires.valid) return;
  if (!ready) {
    reader.waiting = wires;
    return;
  }
  check_burst(reader.block, "AR", wires.address, wires.bytes);
  ReadBurst burst;
  burst.beats = beats_of(wires.address, wires.bytes, bus_bytes_);
  burst.outside = outside(wires.address, wires.bytes);
  if (errors_in_one_beat_) burst.error_beat = error_beat_of(reader, wires.address, burst.beats);
  burst.data = buffer(static_cast<std::size_t>(burst.beats * bus_bytes_));
  const std::size_t begin = wires.address % static_cast<std::uint64_t>(bus_bytes_), end = begin + wires.bytes;
  std::memset(burst.data.data(), Unasked, begin);
  std::memset(burst.data.data() + end, Unasked, burst.data.size() - end);
  std::uint8_t* const data = burst.data.data() + begin;
  reader.bursts.push_back(std::move(burst));  // the bytes stay where they are
  ++reader.traffic.bursts;
  reader.traffic.bytes += wires.bytes;
  reader.port->read(wires.address, wires.bytes, data, now_);
}

void AxiBridge::accept(const WriteRequestWires& wires, bool ready) {
  const WriteRequestWires& waiting = store_.waiting;
  if (waiting.valid && (!wires.valid || wires.address != waiting.address || wires.bytes != waiting.bytes)) {
    throw AxiError("store_dma", "AW of " + burst_text(waiting.address, waiting.bytes) +
                                    (wires.valid ? " has changed to " + burst_text(wires.address, wires.bytes) : " has been taken back") +
                                    " before it was accepted: it must stay until awready");
  }
  store_.waiting.valid = wires.valid && !ready;
  if (!wires.valid) return;
  if (!ready) {
    store_.waiting.address = wires.address;
    store_.waiting.bytes = wires.bytes;
    return;
  }
  check_burst("store_dma", "AW", wires.address, wires.bytes);
  WriteBurst burst;
  burst.address = wires.address;
  burst.bytes = wires.bytes;
  burst.beats = beats_of(wires.address, wires.bytes, bus_bytes_);
  burst.data = buffer(wires.bytes);
  store_.accepted.push_back(std::move(burst));
  ++store_.traffic.bursts;
  store_.traffic.bytes += wires.bytes;
}

// A W beat stays as it is until it is taken.
void AxiBridge::check_waiting_beat(const WriteRequestWires& wires, bool ready) {
  WriteRequestWires& waiting = store_.waiting;
  if (waiting.data_valid) {
    const auto broken = [](const char* what) { throw AxiError("store_dma", std::string("a W beat that waits ") + what + ": it must stay until wready"); };
    if (!wires.data_valid) broken("has been taken back");
    if (wires.data_last != waiting.data_last) broken("has changed its mark of the last beat");
    if (wires.strobe_first != waiting.strobe_first || wires.strobe_end != waiting.strobe_end) broken("has changed its strobe");
    if (std::memcmp(wires.data, store_.waiting_data.data(), store_.waiting_data.size()) != 0) broken("has changed its data");
  }
  waiting.data_valid = wires.data_valid && !ready;
  if (!waiting.data_valid) return;
  waiting.data_last = wires.data_last;
  waiting.strobe_first = wires.strobe_first;
  waiting.strobe_end = wires.strobe_end;
  store_.waiting_data.assign(wires.data, wires.data + bus_bytes_);
}

void AxiBridge::take_beat(const WriteRequestWires& wires) {
  if (store_.accepted.empty()) {
    throw AxiError("store_dma", "a W beat belongs to no burst: the AW of its burst must have been accepted in an earlier cycle");
  }
  WriteBurst& burst = store_.accepted.front();
  const bool last = burst.taken == burst.beats - 1;
  const auto beat_text = [&] {
    return "W beat " + std::to_string(burst.taken + 1) + " of the burst " + burst_text(burst.address, burst.bytes);
  };
  if (wires.data_last != last) {
    throw AxiError("store_dma", beat_text() + (wires.data_last ? " is marked as its last" : " is not marked as its last") +
                                    ": wlast belongs to beat " + std::to_string(burst.beats));
  }
  const auto bus = static_cast<std::uint64_t>(bus_bytes_);
  const std::uint64_t first = burst.taken == 0 ? burst.address % bus : 0;
  const std::uint64_t end = last ? (burst.address + burst.bytes - 1) % bus + 1 : bus;
  if (wires.strobe_first != first || wires.strobe_end != end) {
    throw AxiError("store_dma", beat_text() + " writes bytes " + std::to_string(wires.strobe_first) + " to " +
                                    std::to_string(wires.strobe_end - 1) + " of the bus: its strobe must select " +
                                    std::to_string(first) + " to " + std::to_string(end - 1));
  }
  std::memcpy(burst.data.data() + burst.filled, wires.data + first, end - first);
  burst.filled += end - first;
  ++burst.taken;
  if (!last) return;
  store_.sent.push_back(std::move(burst));
  store_.accepted.pop_front();
  const WriteBurst& sent = store_.sent.back();
  store_.port->write(sent.address, sent.bytes, sent.data.data(), now_);
}

// ---- while nothing moves -------------------------------------------------------------------------------------------------

// Of the wires to one reader, from now() on.
Cycle AxiBridge::next_change(const Reader& reader, const ReadStalls& stalls) const {
  Cycle next = Never;
  if (reader.waiting.valid && reader.bursts.size() < queue_) next = stalls.request.next_open(now_);
  if (reader.bursts.empty()) return next;
  const ReadBurst& burst = reader.bursts.front();
  return std::min(next, burst.first == Never ? next_answer() : stalls.data.next_open(std::max(burst.first + burst.sent, now_)));
}

Cycle AxiBridge::until_change() const {
  const WriteStalls& stalls = stalls_.store;
  Cycle next = std::min(next_change(fetch_, stalls_.fetch), next_change(load_, stalls_.load));
  if (store_.waiting.valid && store_.accepted.size() + store_.sent.size() < queue_) next = std::min(next, stalls.request.next_open(now_));
  if (store_.waiting.data_valid) next = std::min(next, stalls.data.next_open(now_));
  if (!store_.answers.empty()) {
    next = std::min(next, stalls.response.next_open(std::max(store_.answers.front().b, now_)));
  } else if (!store_.sent.empty()) {
    next = std::min(next, next_answer());
  }
  return next == Never ? Never : std::max<Cycle>(1, next - now_);
}

void AxiBridge::skip(Cycle cycles) {
  now_ += cycles;
  driven_ = false;
}

}  // namespace gemel
