// SPDX-License-Identifier: Apache-2.0
// The TLM-2.0 side of one AXI master: a burst becomes one approximately timed transaction, its answer a cycle.
#pragma once
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <vector>

#include "base/agent.hpp"
#include "memory/ideal_memory.hpp"

namespace gemel {

inline Cycle cycle_of(const sc_core::sc_time& time, const sc_core::sc_time& period) {  // rounded up to a clock edge
  return static_cast<Cycle>((time.value() + period.value() - 1) / period.value());
}

// Payloads are reused; TLM's approximately timed protocol needs a memory manager. Those that move no data keep their extension.
class PayloadPool : public tlm::tlm_mm_interface {
 public:
  PayloadPool() = default;
  PayloadPool(const PayloadPool&) = delete;
  PayloadPool& operator=(const PayloadPool&) = delete;
  ~PayloadPool() override {
    for (Payload* payload : all_) {
      payload->clear_extension(&no_data_);
      delete payload;
    }
  }
  tlm::tlm_generic_payload* take(bool no_data) {
    std::vector<Payload*>& free = free_[no_data ? 1 : 0];
    if (free.empty()) {
      all_.push_back(new Payload(this, no_data));
      if (no_data) all_.back()->set_extension(&no_data_);
      free.push_back(all_.back());
    }
    Payload* payload = free.back();
    free.pop_back();
    payload->acquire();
    return payload;
  }
  void free(tlm::tlm_generic_payload* payload) override {
    auto* own = static_cast<Payload*>(payload);
    free_[own->no_data ? 1 : 0].push_back(own);
  }

 private:
  struct Payload : tlm::tlm_generic_payload {
    Payload(PayloadPool* pool, bool none) : tlm_generic_payload(pool), no_data(none) {}
    bool no_data;
  };
  NoDataExtension no_data_;
  std::vector<Payload*> all_;
  std::array<std::vector<Payload*>, 2> free_;
};

// Socket: tlm_utils::simple_initiator_socket_tagged<...>. The base protocol's request exclusion rule is kept: the next request of the
// socket waits until the one before has been taken over (END_REQ, or its response). A target that says so at once, as Gemel's memory
// does, has any number of requests under way; one with blocking transport only, behind SystemC's simple_target_socket, one at a time.
template <class Socket>
class AxiMaster : public ReadPort, public WritePort {
 public:
  AxiMaster(Socket& socket, const sc_core::sc_time& period, int bus_bytes) : socket_(socket), period_(period), bus_bytes_(bus_bytes) {}
  void connect(ReadSink* reads) { reads_ = reads; }
  void connect(WriteSink* writes) { writes_ = writes; }

  using ReadPort::read;
  using WritePort::write;
  void read(std::uint64_t address, std::uint32_t bytes, std::uint8_t* data, Cycle at) override {
    request(tlm::TLM_READ_COMMAND, address, bytes, data, at);
  }
  void write(std::uint64_t address, std::uint32_t bytes, const std::uint8_t* data, Cycle at) override {
    request(tlm::TLM_WRITE_COMMAND, address, bytes, const_cast<std::uint8_t*>(data), at);
  }
  // Debug transport; false if the platform does not offer it.
  bool peek(std::uint64_t address, std::uint32_t bytes, std::uint8_t* data) {
    tlm::tlm_generic_payload payload;
    payload.set_read();
    payload.set_address(address);
    payload.set_data_ptr(data);
    payload.set_data_length(bytes);
    payload.set_streaming_width(bytes);
    return socket_->transport_dbg(payload) == bytes;
  }
  // Forgets its requests, as after a reset. Those that memory has got already are answered into the void; it may read and write their
  // bytes until then, so `data`, in which these lie, is kept as long.
  void abandon(const std::shared_ptr<const void>& data) {
    for (const Waiting& waiting : waiting_) waiting.payload->release();
    waiting_.clear();
    for (const Sent& sent : sent_) abandoned_.push_back({sent.payload, data});
    sent_.clear();
    free_ = 0;
  }

  // What memory says by nb_transport_bw.
  void end_request(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& delay) {
    if (&payload != requesting_) return;
    taken_over(delay);
    send_waiting();
  }
  void respond(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& delay) {
    if (&payload == requesting_) taken_over(delay);
    take_answer(payload, delay);
    send_waiting();
  }

 private:
  struct Waiting {
    tlm::tlm_generic_payload* payload;
    Cycle at;
  };
  struct Sent {
    tlm::tlm_generic_payload* payload;
    Cycle answer;
  };
  struct Abandoned {
    tlm::tlm_generic_payload* payload;
    std::shared_ptr<const void> data;
  };

  void request(tlm::tlm_command command, std::uint64_t address, std::uint32_t bytes, std::uint8_t* data, Cycle at) {
    const bool no_data = data == nullptr;
    if (no_data && dummy_.size() < bytes) dummy_.resize(bytes);
    tlm::tlm_generic_payload* payload = pool_.take(no_data);
    payload->set_command(command);
    payload->set_address(address);
    payload->set_data_ptr(no_data ? dummy_.data() : data);
    payload->set_data_length(bytes);
    payload->set_streaming_width(bytes);
    payload->set_byte_enable_ptr(nullptr);
    payload->set_dmi_allowed(false);
    payload->set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    if (requesting_ == nullptr && waiting_.empty()) {
      send(payload, at);
    } else {
      waiting_.push_back({payload, at});
    }
  }
  void send_waiting() {
    while (requesting_ == nullptr && !waiting_.empty()) {
      const Waiting next = waiting_.front();
      waiting_.pop_front();
      send(next.payload, next.at);
    }
  }
  void send(tlm::tlm_generic_payload* payload, Cycle at) {
    sent_.push_back({payload, Never});
    requesting_ = payload;
    const sc_core::sc_time& now = socket_.simcontext()->time_stamp();
    // A request that is due later is sent now, with its delay: TLM's timing annotation.
    const sc_core::sc_time due = std::max(sc_core::sc_time::from_value(static_cast<std::uint64_t>(at) * period_.value()), taken_over_at_);
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    sc_core::sc_time delay = due > now ? due - now : sc_core::SC_ZERO_TIME;
    const tlm::tlm_sync_enum status = socket_->nb_transport_fw(*payload, phase, delay);
    if (status == tlm::TLM_ACCEPTED) return;
    if (payload == requesting_) taken_over(delay);
    if (status == tlm::TLM_COMPLETED || phase == tlm::BEGIN_RESP) take_answer(*payload, delay);
  }
  void taken_over(const sc_core::sc_time& delay) {
    requesting_ = nullptr;
    taken_over_at_ = socket_.simcontext()->time_stamp() + delay;
  }
  void take_answer(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& delay) {
    const sc_core::sc_time& now = socket_.simcontext()->time_stamp();
    Cycle at = cycle_of(now + delay, period_);
    // An answer is for a later cycle, whatever it says.
    if (delay < period_) at = std::max(at, static_cast<Cycle>(now.value() / period_.value()) + 1);
    const auto is_it = [&payload](const auto& one) { return one.payload == &payload; };
    const auto sent = std::find_if(sent_.begin(), sent_.end(), is_it);
    if (sent == sent_.end()) {
      const auto abandoned = std::find_if(abandoned_.begin(), abandoned_.end(), is_it);
      if (abandoned == abandoned_.end()) return;
      abandoned->payload->release();
      abandoned_.erase(abandoned);
      return;
    }
    sent->answer = at;
    // AXI's order: an answer waits for those of older requests, and beats of one port come one after the other, however early they are there.
    while (!sent_.empty() && sent_.front().answer != Never) {
      tlm::tlm_generic_payload& oldest = *sent_.front().payload;
      at = std::max(sent_.front().answer, free_);
      free_ = at + (oldest.is_read() ? beats_of(oldest.get_address(), oldest.get_data_length(), bus_bytes_) : 1);
      const bool error = oldest.is_response_error();
      sent_.pop_front();
      oldest.release();
      if (reads_ != nullptr) {
        reads_->read_response(at, error);
      } else {
        writes_->write_response(at, error);
      }
    }
  }

  Socket& socket_;
  sc_core::sc_time period_;
  int bus_bytes_;
  std::deque<Waiting> waiting_;                         // for the one before to be taken over
  const tlm::tlm_generic_payload* requesting_ = nullptr;  // sent, not taken over yet
  sc_core::sc_time taken_over_at_;                      // the one before
  std::deque<Sent> sent_;                               // not passed on yet
  std::vector<Abandoned> abandoned_;
  Cycle free_ = 0;                                      // first cycle without a beat of what has been passed on
  ReadSink* reads_ = nullptr;
  WriteSink* writes_ = nullptr;
  PayloadPool pool_;
  std::vector<std::uint8_t> dummy_;
};

}  // namespace gemel
