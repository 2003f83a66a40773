// SPDX-License-Identifier: Apache-2.0
#include "gemel/npu.hpp"

#include <cmath>
#include <cstring>
#include <functional>

#include "base/error.hpp"
#include "config/load.hpp"
#include "top/engine.hpp"

namespace gemel {

// ---- agents --------------------------------------------------------------------------------------------------------------

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

// ---- fast models ---------------------------------------------------------------------------------------------------------

// Passes everything on to the user's observer and tells npu about the halt.
class ModelEngine::HaltWatch : public SequencerObserver {
 public:
  explicit HaltWatch(ModelEngine& engine) : engine_(engine) {}
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
    if (engine_.Engine::halted) engine_.Engine::halted();
  }

 private:
  ModelEngine& engine_;
  SequencerObserver* next_ = nullptr;
};

ModelEngine::ModelEngine(const Machine& machine, std::array<NpuMaster*, 3> masters, sc_core::sc_time period, bool timing_only)
    : machine_(machine) {
  if (!timing_only) {
    for (int b = 0; b < BufferCount; ++b) {
      scratchpads_[static_cast<std::size_t>(b)] = std::make_unique<Scratchpad>(machine_, static_cast<Buffer>(b));
    }
  }
  const auto pad = [&](Buffer b) { return scratchpads_[static_cast<std::size_t>(b)].get(); };
  sequencer_ = std::make_unique<SequencerModel>(machine_, *masters[0]);
  load_dma_ = std::make_unique<LoadDmaModel>(
      machine_, *sequencer_, *masters[1],
      std::array<Scratchpad*, 4>{pad(Buffer::Activation), pad(Buffer::Weight), pad(Buffer::Vector), pad(Buffer::Param)});
  store_dma_ = std::make_unique<StoreDmaModel>(machine_, *sequencer_, *masters[2], pad(Buffer::Vector));
  matrix_unit_ = std::make_unique<MatrixUnitModel>(machine_, *sequencer_, pad(Buffer::Activation), pad(Buffer::Weight),
                                                   pad(Buffer::Accumulator));
  vector_unit_ = std::make_unique<VectorUnitModel>(machine_, *sequencer_, pad(Buffer::Accumulator), pad(Buffer::Vector),
                                                   pad(Buffer::Param));
  sequencer_->connect({load_dma_.get(), matrix_unit_.get(), vector_unit_.get(), store_dma_.get()});
  masters[0]->connect(static_cast<ReadSink*>(sequencer_.get()));
  masters[1]->connect(static_cast<ReadSink*>(load_dma_.get()));
  masters[2]->connect(static_cast<WriteSink*>(store_dma_.get()));
  halt_watch_ = std::make_unique<HaltWatch>(*this);
  sequencer_->observe(halt_watch_.get());
  process_ = std::make_unique<AgentProcess>("sequencer", *sequencer_, period);
}

void ModelEngine::observe(SequencerObserver* observer) { halt_watch_->forward_to(observer); }

// ---- beat models and RTL -------------------------------------------------------------------------------------------------

BeatEngine::BeatEngine(sc_core::sc_module_name name, const Machine& machine, std::array<NpuMaster*, 3> masters,
                       sc_core::sc_time period, const std::vector<BlockChoice>& choices)
    : sc_module(name), machine_(machine), period_(period), bridge_(machine_, *masters[0], *masters[1], *masters[2], period) {
  masters[0]->connect(bridge_.fetch_sink());
  masters[1]->connect(bridge_.load_sink());
  masters[2]->connect(bridge_.store_sink());
  SwapOptions swap;
  swap.on_divergence = [this](const Divergence& d) {
    throw RunError("E0806", "block `" + d.block + "` differs from its model at cycle " +
                                std::to_string(stepper_->sequencer().cycle()) + ", port `" + d.difference.port + "`: is " +
                                d.difference.actual + ", must be " + d.difference.expected);
  };
  stepper_ = std::make_unique<Stepper>(machine_, bridge_, make_blocks(machine_, choices, {}, swap));
  SC_THREAD(thread);
}

void BeatEngine::run(std::uint64_t program_base, std::uint32_t program_bytes, Cycle) {
  program_base_ = program_base;
  program_bytes_ = program_bytes;
  running_ = true;
  start_.notify(sc_core::SC_ZERO_TIME);
}

void BeatEngine::thread() {
  for (;;) {
    wait(start_);
    const Cycle now = cycle_of(sc_core::sc_time_stamp(), period_);
    wait(sc_core::sc_time::from_value(static_cast<std::uint64_t>(now) * period_.value()) - sc_core::sc_time_stamp());
    bridge_.begin(now);
    result_ = stepper_->run(program_base_, program_bytes_, Never);
    running_ = false;
    if (halted) halted();
  }
}

sc_core::sc_time clock_period(const Machine& machine) {
  return sc_core::sc_time(2.0 * std::max(1.0, std::round(5e5 / machine.clock_mhz)), sc_core::SC_PS);
}

// ---- npu -----------------------------------------------------------------------------------------------------------------

struct Npu::Wires {
  sc_core::sc_time period;
  std::array<std::unique_ptr<NpuMaster>, 3> masters;
  sc_core::sc_event interrupt_event;
  std::uint64_t program_base = 0;
  std::uint32_t program_bytes = 0;
  bool interrupt_enable = false, started = false, interrupt_pending = false;
};

Npu::Npu(sc_core::sc_module_name name, const NpuConfig& config)
    : sc_module(name), csr("csr"), fetch("fetch"), load("load"), store("store"), interrupt("interrupt") {
  NpuParts parts;
  parts.machine = load_machine(find_machine(config.machine), config.overrides);
  std::vector<BlockChoice> choices;
  for (const std::string& text : config.blocks) choices.push_back(parse_block_choice(text));
  parts.choices = resolve_choices(choices);
  parts.timing_only = config.timing_only;
  build(parts);
}

Npu::Npu(sc_core::sc_module_name name, const NpuParts& parts)
    : sc_module(name), csr("csr"), fetch("fetch"), load("load"), store("store"), interrupt("interrupt") {
  build(parts);
}

Npu::~Npu() = default;

void Npu::build(const NpuParts& parts) {
  wires_ = std::make_unique<Wires>();
  wires_->period = clock_period(parts.machine);
  csr.register_b_transport(this, &Npu::control);
  csr.register_transport_dbg(this, &Npu::control_debug);
  std::array<NpuMaster*, 3> masters{};
  int tag = 0;
  for (auto* socket : {&fetch, &load, &store}) {
    socket->register_nb_transport_bw(this, &Npu::backward, tag);
    auto& master = wires_->masters[static_cast<std::size_t>(tag)];
    master = std::make_unique<NpuMaster>(*socket, wires_->period);
    masters[static_cast<std::size_t>(tag++)] = master.get();
  }
  if (parts.choices.empty()) {
    engine_ = std::make_unique<ModelEngine>(parts.machine, masters, wires_->period, parts.timing_only);
  } else {
    engine_ = std::make_unique<BeatEngine>("blocks", parts.machine, masters, wires_->period, parts.choices);
  }
  engine_->halted = [this] {
    if (!wires_->interrupt_enable) return;
    wires_->interrupt_pending = true;
    wires_->interrupt_event.notify(wires_->period);  // on the wires from x+1
  };
  SC_METHOD(drive_interrupt);
  sensitive << wires_->interrupt_event;
  dont_initialize();
}

sc_core::sc_time Npu::period() const { return wires_->period; }

tlm::tlm_sync_enum Npu::backward(int master, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                 sc_core::sc_time& delay) {
  if (phase != tlm::BEGIN_RESP) return tlm::TLM_ACCEPTED;  // END_REQ: requests are never refused
  wires_->masters[static_cast<std::size_t>(master)]->respond(payload, delay);
  return tlm::TLM_COMPLETED;
}

void Npu::drive_interrupt() { interrupt.write(wires_->interrupt_pending); }

namespace {

std::uint32_t half(std::uint64_t value, bool high) { return static_cast<std::uint32_t>(high ? value >> 32 : value); }

std::uint32_t result_register(const Npu::Engine& engine, std::uint32_t offset) {
  const MachineError error = engine.error();
  switch (offset) {
    case isa::csr::ErrorCode: return static_cast<std::uint32_t>(error.code);
    case isa::csr::ErrorInstruction: return error.instruction;
    case isa::csr::ErrorCycleLow: return half(static_cast<std::uint64_t>(error.cycle), false);
    case isa::csr::ErrorCycleHigh: return half(static_cast<std::uint64_t>(error.cycle), true);
    case isa::csr::CyclesLow: return half(static_cast<std::uint64_t>(engine.cycles()), false);
    case isa::csr::CyclesHigh: return half(static_cast<std::uint64_t>(engine.cycles()), true);
    case isa::csr::Version: return isa::Version;
    default: break;
  }
  if (offset >= isa::csr::Counters && offset < isa::csr::Counters + 8 * UnitCount * CauseCount) {
    const std::uint32_t index = (offset - isa::csr::Counters) / 8;
    return half(static_cast<std::uint64_t>(engine.counters()[index / CauseCount][index % CauseCount]), offset & 4);
  }
  return 0;
}

}  // namespace

void Npu::control(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  if (payload.get_data_length() != 4 || payload.get_address() % 4 != 0 || payload.get_byte_enable_ptr() != nullptr) {
    payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
    return;
  }
  Wires& w = *wires_;
  const Cycle at = cycle_of(sc_core::sc_time_stamp() + delay, w.period);
  if (payload.is_read()) {
    control_debug(payload);
  } else if (!engine_->running()) {  // while running only reads mean anything
    std::uint32_t value = 0;
    std::memcpy(&value, payload.get_data_ptr(), sizeof value);
    switch (payload.get_address()) {
      case isa::csr::Control:
        if (value & 2U) {
          w.interrupt_pending = false;
          w.interrupt_event.notify(sc_core::SC_ZERO_TIME);
        }
        if (value & 1U) {
          w.started = true;
          engine_->run(w.program_base, w.program_bytes, at + 2);
        }
        break;
      case isa::csr::ProgramBaseLow: w.program_base = (w.program_base & ~0xffffffffULL) | value; break;
      case isa::csr::ProgramBaseHigh: w.program_base = (w.program_base & 0xffffffffULL) | std::uint64_t{value} << 32; break;
      case isa::csr::ProgramBytes: w.program_bytes = value; break;
      case isa::csr::InterruptEnable: w.interrupt_enable = value & 1U; break;
      default: break;
    }
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  delay = sc_core::sc_time::from_value(static_cast<std::uint64_t>(at + 2) * w.period.value()) - sc_core::sc_time_stamp();
}

unsigned Npu::control_debug(tlm::tlm_generic_payload& payload) {
  if (!payload.is_read() || payload.get_data_length() != 4) return 0;
  const Wires& w = *wires_;
  const bool running = engine_->running();
  std::uint32_t value = 0;
  const auto offset = static_cast<std::uint32_t>(payload.get_address());
  switch (offset) {
    case isa::csr::Status:
      value = (running ? 1U : 0U) | (w.started && !running ? 2U : 0U) |
              (engine_->error().code != isa::ErrorCode::None ? 4U : 0U) | (w.interrupt_pending ? 8U : 0U);
      break;
    case isa::csr::ProgramBaseLow: value = half(w.program_base, false); break;
    case isa::csr::ProgramBaseHigh: value = half(w.program_base, true); break;
    case isa::csr::ProgramBytes: value = w.program_bytes; break;
    case isa::csr::InterruptEnable: value = w.interrupt_enable ? 1 : 0; break;
    default: value = result_register(*engine_, offset);
  }
  std::memcpy(payload.get_data_ptr(), &value, sizeof value);
  return 4;
}

}  // namespace gemel
