// SPDX-License-Identifier: Apache-2.0
#include "top/npu.hpp"

#include <algorithm>
#include <cstring>
#include <functional>

namespace gemel {
namespace {

Cycle cycle_of(const sc_core::sc_time& time, const sc_core::sc_time& period) {  // rounded up to a clock edge
  return static_cast<Cycle>((time.value() + period.value() - 1) / period.value());
}

}  // namespace

AgentProcess::AgentProcess(sc_core::sc_module_name name, Agent& agent, sc_core::sc_time period)
    : sc_module(name), agent_(agent), period_(period) {
  agent.attach(*this);
  SC_METHOD(run);
  sensitive << event_;
  dont_initialize();
}

void AgentProcess::wake_at(Cycle cycle) {
  pending_.push_back(cycle);
  std::push_heap(pending_.begin(), pending_.end(), std::greater<>());
  if (cycle >= notified_) return;
  notified_ = cycle;
  const sc_core::sc_time at = sc_core::sc_time::from_value(static_cast<std::uint64_t>(cycle) * period_.value());
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  event_.notify(at > now ? at - now : sc_core::SC_ZERO_TIME);
}

void AgentProcess::run() {
  const auto now = static_cast<Cycle>(sc_core::sc_time_stamp().value() / period_.value());
  notified_ = now;  // requests for this very cycle need no further notification
  while (!pending_.empty() && pending_.front() <= now) {
    std::pop_heap(pending_.begin(), pending_.end(), std::greater<>());
    pending_.pop_back();
  }
  agent_.wake(now);
  notified_ = Never;
  if (!pending_.empty()) {
    const Cycle next = pending_.front();
    notified_ = next;
    event_.notify(sc_core::sc_time::from_value(static_cast<std::uint64_t>(next) * period_.value()) -
                  sc_core::sc_time_stamp());
  }
}

// Payloads are reused; TLM's approximately timed protocol needs a memory manager.
class Npu::PayloadPool : public tlm::tlm_mm_interface {
 public:
  ~PayloadPool() override {
    for (tlm::tlm_generic_payload* payload : all_) {
      payload->clear_extension(&no_data_);
      delete payload;
    }
  }
  tlm::tlm_generic_payload* take(bool no_data) {
    if (free_.empty()) {
      all_.push_back(new tlm::tlm_generic_payload(this));
      free_.push_back(all_.back());
    }
    tlm::tlm_generic_payload* payload = free_.back();
    free_.pop_back();
    if (no_data) payload->set_extension(&no_data_);
    payload->acquire();
    return payload;
  }
  void free(tlm::tlm_generic_payload* payload) override {
    payload->clear_extension(&no_data_);
    free_.push_back(payload);
  }

 private:
  NoDataExtension no_data_;
  std::vector<tlm::tlm_generic_payload*> all_, free_;
};

class Npu::Master : public ReadPort, public WritePort {
 public:
  Master(Npu& npu, tlm_utils::simple_initiator_socket_tagged<Npu>& socket) : npu_(npu), socket_(socket) {}
  void connect(ReadSink* reads) { reads_ = reads; }
  void connect(WriteSink* writes) { writes_ = writes; }

  void read(std::uint64_t address, std::uint32_t bytes, std::uint8_t* data) override {
    send(tlm::TLM_READ_COMMAND, address, bytes, data);
  }
  void write(std::uint64_t address, std::uint32_t bytes, const std::uint8_t* data) override {
    send(tlm::TLM_WRITE_COMMAND, address, bytes, const_cast<std::uint8_t*>(data));
  }
  void respond(tlm::tlm_generic_payload& payload, const sc_core::sc_time& delay) {
    const sc_core::sc_time now = sc_core::sc_time_stamp();
    const auto cycle = static_cast<Cycle>(now.value() / npu_.period_.value());
    const Cycle at = std::max(cycle_of(now + delay, npu_.period_), cycle + 1);
    const bool error = payload.is_response_error();
    payload.release();
    if (reads_ != nullptr) {
      reads_->read_response(at, error);
    } else {
      writes_->write_response(at, error);
    }
  }

 private:
  void send(tlm::tlm_command command, std::uint64_t address, std::uint32_t bytes, std::uint8_t* data) {
    const bool no_data = data == nullptr;
    if (no_data && dummy_.size() < bytes) dummy_.resize(bytes);
    tlm::tlm_generic_payload* payload = npu_.pool_->take(no_data);
    payload->set_command(command);
    payload->set_address(address);
    payload->set_data_ptr(no_data ? dummy_.data() : data);
    payload->set_data_length(bytes);
    payload->set_streaming_width(bytes);
    payload->set_byte_enable_ptr(nullptr);
    payload->set_dmi_allowed(false);
    payload->set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    const tlm::tlm_sync_enum status = socket_->nb_transport_fw(*payload, phase, delay);
    if (status == tlm::TLM_COMPLETED || (status == tlm::TLM_UPDATED && phase == tlm::BEGIN_RESP)) {
      respond(*payload, delay);
    }
  }

  Npu& npu_;
  tlm_utils::simple_initiator_socket_tagged<Npu>& socket_;
  ReadSink* reads_ = nullptr;
  WriteSink* writes_ = nullptr;
  std::vector<std::uint8_t> dummy_;
};

// Passes everything on to the user's observer and raises the interrupt at halt.
class Npu::HaltWatch : public SequencerObserver {
 public:
  explicit HaltWatch(Npu& npu) : npu_(npu) {}
  void forward_to(SequencerObserver* next) { next_ = next; }
  void running_from(Cycle cycle0) override {
    if (next_ != nullptr) next_->running_from(cycle0);
  }
  void started(isa::Unit unit, std::uint32_t index, const isa::Instruction& instruction, Cycle s) override {
    if (next_ != nullptr) next_->started(unit, index, instruction, s);
  }
  void finished(isa::Unit unit, std::uint32_t index, const isa::Instruction& instruction, Cycle s, Cycle p) override {
    if (next_ != nullptr) next_->finished(unit, index, instruction, s, p);
  }
  void counted(isa::Unit unit, isa::Cause cause, int tag, Cycle cycles) override {
    if (next_ != nullptr) next_->counted(unit, cause, tag, cycles);
  }
  void halted(Cycle x) override {
    if (next_ != nullptr) next_->halted(x);
    if (npu_.interrupt_enable_) {
      npu_.interrupt_pending_ = true;
      npu_.interrupt_event_.notify(npu_.period_);  // on the wires from x+1
    }
  }

 private:
  Npu& npu_;
  SequencerObserver* next_ = nullptr;
};

Npu::Npu(sc_core::sc_module_name name, const Machine& machine, sc_core::sc_time period, NpuOptions options)
    : sc_module(name),
      csr("csr"),
      fetch("fetch"),
      load("load"),
      store("store"),
      interrupt("interrupt"),
      machine_(machine),
      period_(period),
      pool_(std::make_unique<PayloadPool>()) {
  csr.register_b_transport(this, &Npu::control);
  csr.register_transport_dbg(this, &Npu::control_debug);
  int tag = 0;
  for (auto* socket : {&fetch, &load, &store}) {
    socket->register_nb_transport_bw(this, &Npu::backward, tag);
    masters_[static_cast<std::size_t>(tag++)] = std::make_unique<Master>(*this, *socket);
  }
  if (!options.timing_only) {
    for (int b = 0; b < BufferCount; ++b) {
      scratchpads_[static_cast<std::size_t>(b)] = std::make_unique<Scratchpad>(machine_, static_cast<Buffer>(b));
    }
  }
  const auto pad = [&](Buffer b) { return scratchpads_[static_cast<std::size_t>(b)].get(); };
  sequencer_ = std::make_unique<SequencerModel>(machine_, *masters_[0]);
  load_dma_ = std::make_unique<LoadDmaModel>(
      machine_, *sequencer_, *masters_[1],
      std::array<Scratchpad*, 4>{pad(Buffer::Activation), pad(Buffer::Weight), pad(Buffer::Vector), pad(Buffer::Param)});
  store_dma_ = std::make_unique<StoreDmaModel>(machine_, *sequencer_, *masters_[2], pad(Buffer::Vector));
  matrix_unit_ = std::make_unique<MatrixUnitModel>(machine_, *sequencer_, pad(Buffer::Activation), pad(Buffer::Weight),
                                                   pad(Buffer::Accumulator));
  vector_unit_ = std::make_unique<VectorUnitModel>(machine_, *sequencer_, pad(Buffer::Accumulator), pad(Buffer::Vector),
                                                   pad(Buffer::Param));
  sequencer_->connect({load_dma_.get(), matrix_unit_.get(), vector_unit_.get(), store_dma_.get()});
  masters_[0]->connect(static_cast<ReadSink*>(sequencer_.get()));
  masters_[1]->connect(static_cast<ReadSink*>(load_dma_.get()));
  masters_[2]->connect(static_cast<WriteSink*>(store_dma_.get()));
  halt_watch_ = std::make_unique<HaltWatch>(*this);
  sequencer_->observe(halt_watch_.get());

  static constexpr const char* Names[] = {"sequencer", "load_dma", "store_dma"};
  const std::array<Agent*, 3> agents = {sequencer_.get(), load_dma_.get(), store_dma_.get()};
  for (const int i : options.process_order) {
    processes_.push_back(std::make_unique<AgentProcess>(Names[i], *agents[static_cast<std::size_t>(i)], period_));
  }
  SC_METHOD(drive_interrupt);
  sensitive << interrupt_event_;
  dont_initialize();
}

Npu::~Npu() = default;

void Npu::observe(SequencerObserver* observer) { halt_watch_->forward_to(observer); }

tlm::tlm_sync_enum Npu::backward(int master, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                 sc_core::sc_time& delay) {
  if (phase != tlm::BEGIN_RESP) return tlm::TLM_ACCEPTED;  // END_REQ: requests are never refused
  masters_[static_cast<std::size_t>(master)]->respond(payload, delay);
  return tlm::TLM_COMPLETED;
}

void Npu::drive_interrupt() { interrupt.write(interrupt_pending_); }

std::uint32_t Npu::read_register(std::uint32_t offset) const {
  namespace csr_offset = isa::csr;
  const auto half = [](std::uint64_t value, bool high) { return static_cast<std::uint32_t>(high ? value >> 32 : value); };
  const MachineError& error = sequencer_->error();
  const bool failed = error.code != isa::ErrorCode::None;
  const bool running = sequencer_->running();
  switch (offset) {
    case csr_offset::Status:
      return (running ? 1U : 0U) | (started_ && !running ? 2U : 0U) | (failed ? 4U : 0U) | (interrupt_pending_ ? 8U : 0U);
    case csr_offset::ProgramBaseLow: return half(program_base_, false);
    case csr_offset::ProgramBaseHigh: return half(program_base_, true);
    case csr_offset::ProgramBytes: return program_bytes_;
    case csr_offset::InterruptEnable: return interrupt_enable_ ? 1 : 0;
    case csr_offset::ErrorCode: return static_cast<std::uint32_t>(error.code);
    case csr_offset::ErrorInstruction: return error.instruction;
    case csr_offset::ErrorCycleLow: return half(static_cast<std::uint64_t>(error.cycle), false);
    case csr_offset::ErrorCycleHigh: return half(static_cast<std::uint64_t>(error.cycle), true);
    case csr_offset::CyclesLow: return half(static_cast<std::uint64_t>(sequencer_->cycles()), false);
    case csr_offset::CyclesHigh: return half(static_cast<std::uint64_t>(sequencer_->cycles()), true);
    case csr_offset::Version: return isa::Version;
    default: break;
  }
  if (offset >= csr_offset::Counters && offset < csr_offset::Counters + 8 * UnitCount * CauseCount) {
    const std::uint32_t index = (offset - csr_offset::Counters) / 8;
    return half(static_cast<std::uint64_t>(sequencer_->counters()[index / CauseCount][index % CauseCount]), offset & 4);
  }
  return 0;
}

void Npu::write_register(std::uint32_t offset, std::uint32_t value, Cycle at) {
  namespace csr_offset = isa::csr;
  if (sequencer_->running()) return;  // only status may be read while running
  switch (offset) {
    case csr_offset::Control:
      if (value & 2U) {
        interrupt_pending_ = false;
        interrupt_event_.notify(sc_core::SC_ZERO_TIME);
      }
      if (value & 1U) {
        started_ = true;
        sequencer_->run(program_base_, program_bytes_, at + 2);
      }
      break;
    case csr_offset::ProgramBaseLow: program_base_ = (program_base_ & ~0xffffffffULL) | value; break;
    case csr_offset::ProgramBaseHigh: program_base_ = (program_base_ & 0xffffffffULL) | std::uint64_t{value} << 32; break;
    case csr_offset::ProgramBytes: program_bytes_ = value; break;
    case csr_offset::InterruptEnable: interrupt_enable_ = value & 1U; break;
    default: break;
  }
}

void Npu::control(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  if (payload.get_data_length() != 4 || payload.get_address() % 4 != 0 || payload.get_byte_enable_ptr() != nullptr) {
    payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
    return;
  }
  const Cycle at = cycle_of(sc_core::sc_time_stamp() + delay, period_);
  const auto offset = static_cast<std::uint32_t>(payload.get_address());
  if (payload.is_read()) {
    const std::uint32_t value = read_register(offset);
    std::memcpy(payload.get_data_ptr(), &value, sizeof value);
  } else {
    std::uint32_t value = 0;
    std::memcpy(&value, payload.get_data_ptr(), sizeof value);
    write_register(offset, value, at);
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  delay = sc_core::sc_time::from_value(static_cast<std::uint64_t>(at + 2) * period_.value()) - sc_core::sc_time_stamp();
}

unsigned Npu::control_debug(tlm::tlm_generic_payload& payload) {
  if (!payload.is_read() || payload.get_data_length() != 4) return 0;
  const std::uint32_t value = read_register(static_cast<std::uint32_t>(payload.get_address()));
  std::memcpy(payload.get_data_ptr(), &value, sizeof value);
  return 4;
}

}  // namespace gemel
