// SPDX-License-Identifier: Apache-2.0
#include "gemel/npu.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <iterator>
#include <map>
#include <sstream>

#include "base/error.hpp"
#include "config/load.hpp"
#include "gemel/program.hpp"
#include "isa/schedule.hpp"
#include "top/engine.hpp"

namespace gemel {

// ---- beat models and RTL -------------------------------------------------------------------------------------------------

SwapOptions swap_options(const NpuParts& parts) {
  SwapOptions swap;
  if (!parts.rtl_says) return swap;
  swap.notice = [says = parts.rtl_says](const Diagnostic& warning) { says(to_string(warning) + "\n"); };
  swap.display = [says = parts.rtl_says](const std::string&, const char* text) { says(text); };
  return swap;
}

BeatEngine::BeatEngine(sc_core::sc_module_name name, const Machine& machine, std::array<NpuMaster*, 3> masters,
                       sc_core::sc_time period, const NpuParts& parts)
    : ModelledRegisters(period), sc_module(name), machine_(machine), masters_(masters), patience_(pulse_, parts.rtl_hangs),
      bridge_(machine_, *masters[0], *masters[1], *masters[2], period) {
  masters[0]->connect(bridge_.fetch_sink());
  masters[1]->connect(bridge_.load_sink());
  masters[2]->connect(bridge_.store_sink());
  SwapOptions swap = swap_options(parts);
  swap.pulse = &pulse_;
  swap.on_divergence = [this](const Divergence& d) {
    throw RunError("E0806", "block `" + d.block + "` differs from its model at cycle " +
                                std::to_string(stepper_->sequencer().cycle()) + ", port `" + d.difference.port + "`: is " +
                                d.difference.actual + ", must be " + d.difference.expected + in_flight_text(d.block));
  };
  stepper_ = std::make_unique<Stepper>(machine_, bridge_, make_blocks(machine_, parts.choices, {}, swap));
  check_npu(*stepper_, machine_, parts.choices, swap);
  stepper_->write_registers([this](SequencerIn& control) { write_abort(control); });
  stepper_->wait_for_software([this] { return wait_for_abort(); });
  SC_THREAD(thread);
}

// The instruction that a block works on, as far as memory tells it; empty if there is none.
std::string BeatEngine::in_flight_text(const std::string& block) {
  const isa::Unit unit = unit_of(block);
  if (unit == isa::Unit::None) return {};
  const std::vector<std::uint32_t> indices = stepper_->in_flight(unit);
  if (indices.empty()) return {};
  const std::uint32_t index = indices.front();
  std::array<std::uint8_t, isa::InstructionBytes> bytes{};
  isa::Word word;
  static_assert(sizeof word == sizeof bytes);
  const bool known = masters_[0]->peek(program_base_ + std::uint64_t{index} * isa::InstructionBytes, isa::InstructionBytes, bytes.data());
  std::memcpy(&word, bytes.data(), sizeof word);
  return "\n  instruction " + std::to_string(index) + (known ? ": " + isa::disassemble(word) : "");
}

void BeatEngine::run(std::uint64_t program_base, std::uint32_t program_bytes, Cycle cycle0) {
  program_base_ = program_base;
  program_bytes_ = program_bytes;
  cycle0_ = cycle0;
  abort_at_ = Never;
  running_ = true;
  SequencerObserver* const observer = begin(program_base, program_bytes);
  before_ = bridge_.traffic();
  if (observer != nullptr) observer->running_from(0);
  stepper_->observe_program(observer, observer != nullptr ? observed() : nullptr);
  start_.notify(sc_core::SC_ZERO_TIME);
}

void BeatEngine::abort(Cycle at) {
  abort_at_ = std::min(abort_at_, at);
  software_.notify(sc_core::SC_ZERO_TIME);
}

void BeatEngine::write_abort(SequencerIn& control) {
  if (bridge_.time() < abort_at_) return;
  control.csr_write = true;
  control.csr_write_offset = isa::csr::Control;
  control.csr_write_data = ControlAbort;
  abort_at_ = Never;
}

// For ever, if nobody aborts: without events the simulation ends, as with the models.
Cycle BeatEngine::wait_for_abort() {
  while (abort_at_ == Never) wait(software_);
  return abort_at_ - bridge_.time();
}

void BeatEngine::forget() {
  if (running_ && process_.valid()) process_.throw_it(ResetPulled());
  start_.cancel();
  const auto bursts = bridge_.forget();
  for (NpuMaster* master : masters_) master->abandon(bursts);
  used_ = running_ = false;
  abort_at_ = Never;
  result_ = {};
  before_ = {};
}

Npu::Engine::Figures BeatEngine::figures() {
  return {result_.cycles, result_.error_code, result_.counters, bridge_.traffic() - before_, result_.layer_counters};
}

void BeatEngine::thread() {
  process_ = sc_core::sc_get_current_process_handle();
  for (;;) {
    try {
      wait(start_);
      // From the write of `control` on time passes with the clock: an abort may follow at once.
      bridge_.begin(cycle0_ - Stepper::CyclesToStart, [this] {
        const Cycle next = bridge_.time();
        return next <= cycle0_ ? next >= cycle0_ - 2 : stepper_->sequencer().out().running;
      });
      // Buffers keep what they hold from one program to the next.
      result_ = used_ ? stepper_->run_again(program_base_, program_bytes_, Never) : stepper_->run(program_base_, program_bytes_, Never);
      used_ = true;
      running_ = false;
      halted(cycle0_ + result_.cycles - 1);
    } catch (const ResetPulled&) {
    }
  }
}

sc_core::sc_time clock_period(const Machine& machine) {
  const double picoseconds = 2 * std::max(1.0, std::round(5e5 / machine.clock_mhz));
  const double resolution = sc_core::sc_get_time_resolution().to_seconds() * 1e12;  // in picoseconds, too
  const double halves = std::round(picoseconds / resolution / 2);
  if (std::abs(2 * halves * resolution - picoseconds) > 1e-6 * picoseconds) {
    std::ostringstream text;
    text << "the clock of machine `" << machine.name << "` (" << machine.clock_mhz << " MHz) has a period of " << picoseconds
         << " ps, which is no even multiple of SystemC's time resolution of " << resolution << " ps";
    throw UserError("E1022", text.str(), "call sc_set_time_resolution(1, sc_core::SC_PS) before any other use of time, or choose another clock_mhz");
  }
  return sc_core::sc_time::from_value(2 * static_cast<std::uint64_t>(halves));
}

constexpr std::uint64_t RegisterBytes = 0x1000;  // of the chip's address

// ---- npu -----------------------------------------------------------------------------------------------------------------

struct Npu::Wires {
  NpuParts parts;
  sc_core::sc_time period;
  std::array<std::unique_ptr<NpuMaster>, 3> masters;
  sc_core::sc_event_queue interrupt_event{"interrupt_event"};
  std::map<Cycle, bool> interrupt_levels;  // from that cycle on
  bool in_reset = false;
  std::int64_t resets = 0;
};

Npu::Npu(sc_core::sc_module_name name, const NpuConfig& config)
    : sc_module(name), csr("csr"), fetch("fetch"), load("load"), store("store"), interrupt("interrupt"), reset("reset") {
  NpuParts parts;
  parts.machine = load_machine(find_machine(config.machine), config.overrides);
  std::vector<BlockChoice> choices;
  for (const std::string& text : config.blocks) choices.push_back(parse_block_choice(text));
  parts.choices = resolve_choices(choices);
  parts.timing_only = config.timing_only;
  parts.rtl_says = config.rtl_says;
  if (config.rtl_hangs) parts.rtl_hangs = [tell = config.rtl_hangs](const UserError& error) { tell(error.what()); };
  build(parts);
}

Npu::Npu(sc_core::sc_module_name name, const NpuParts& parts)
    : sc_module(name), csr("csr"), fetch("fetch"), load("load"), store("store"), interrupt("interrupt"), reset("reset") {
  build(parts);
}

Npu::~Npu() = default;

void Npu::build(const NpuParts& parts) {
  wires_ = std::make_unique<Wires>();
  wires_->parts = parts;
  wires_->period = clock_period(parts.machine);
  csr.register_b_transport(this, &Npu::control);
  csr.register_transport_dbg(this, &Npu::control_debug);
  std::array<NpuMaster*, 3> masters{};
  int tag = 0;
  for (auto* socket : {&fetch, &load, &store}) {
    socket->register_nb_transport_bw(this, &Npu::backward, tag);
    auto& master = wires_->masters[static_cast<std::size_t>(tag)];
    master = std::make_unique<NpuMaster>(*socket, wires_->period, parts.machine.bus_bytes);
    masters[static_cast<std::size_t>(tag++)] = master.get();
  }
  if (parts.choices.empty()) {
    engine_ = std::make_unique<ModelEngine>(parts.machine, masters, wires_->period, parts.timing_only, parts.array);
  } else if (std::any_of(parts.choices.begin(), parts.choices.end(), is_chip_rtl)) {
    engine_ = std::make_unique<ChipEngine>("chip", parts.machine, masters, wires_->period, parts);
  } else {
    engine_ = std::make_unique<BeatEngine>("blocks", parts.machine, masters, wires_->period, parts);
  }
  engine_->interrupt = [this](bool level, Cycle at) {
    wires_->interrupt_levels[at] = level;
    const sc_core::sc_time due = sc_core::sc_time::from_value(static_cast<std::uint64_t>(at) * wires_->period.value());
    const sc_core::sc_time now = sc_core::sc_time_stamp();
    wires_->interrupt_event.notify(due > now ? due - now : sc_core::SC_ZERO_TIME);
  };
  SC_METHOD(drive_interrupt);
  sensitive << wires_->interrupt_event;
  dont_initialize();
  SC_METHOD(look_at_reset);
  sensitive << reset;
}

sc_core::sc_time Npu::period() const { return wires_->period; }
const Machine& Npu::machine() const { return wires_->parts.machine; }
const NpuParts& Npu::parts() const { return wires_->parts; }

void Npu::require(const ProgramImage& program) const {
  require_machine(program.network, program.machine, program.machine_text, machine());
}

tlm::tlm_sync_enum Npu::backward(int tag, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  NpuMaster& master = *wires_->masters[static_cast<std::size_t>(tag)];
  if (phase == tlm::END_REQ) master.end_request(payload, delay);
  if (phase != tlm::BEGIN_RESP) return tlm::TLM_ACCEPTED;
  master.respond(payload, delay);
  return tlm::TLM_COMPLETED;
}

void Npu::look_at_reset() {
  wires_->in_reset = reset.size() > 0 && reset->read();
  if (!wires_->in_reset) return;
  ++wires_->resets;
  engine_->reset();
  wires_->interrupt_levels.clear();
  wires_->interrupt_event.cancel_all();
  wires_->interrupt_levels[static_cast<Cycle>(sc_core::sc_time_stamp().value() / wires_->period.value())] = false;
  wires_->interrupt_event.notify(sc_core::SC_ZERO_TIME);  // a signal has one driver
}

void Npu::drive_interrupt() {
  auto& levels = wires_->interrupt_levels;
  const auto next = levels.upper_bound(static_cast<Cycle>(sc_core::sc_time_stamp().value() / wires_->period.value()));
  if (next == levels.begin()) return;
  if (interrupt.size() > 0) interrupt->write(std::prev(next)->second);
  levels.erase(levels.begin(), std::prev(next));
}

namespace {

// What the registers do not understand, before anything is done.
tlm::tlm_response_status refusal(const tlm::tlm_generic_payload& payload) {
  if (!payload.is_read() && !payload.is_write()) return tlm::TLM_COMMAND_ERROR_RESPONSE;
  if (payload.get_data_ptr() == nullptr) return tlm::TLM_GENERIC_ERROR_RESPONSE;
  if (payload.get_byte_enable_ptr() != nullptr) return tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE;
  if (payload.get_data_length() != 4 || payload.get_streaming_width() < 4 || payload.get_address() % 4 != 0) return tlm::TLM_BURST_ERROR_RESPONSE;
  if (payload.get_address() >= RegisterBytes) return tlm::TLM_ADDRESS_ERROR_RESPONSE;
  return tlm::TLM_OK_RESPONSE;
}

}  // namespace

void Npu::control(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const std::int64_t resets = wires_->resets;
  payload.set_response_status(wires_->in_reset ? tlm::TLM_GENERIC_ERROR_RESPONSE : refusal(payload));
  if (payload.is_response_error()) return;
  Engine::Access access;
  access.write = payload.is_write();
  access.offset = static_cast<std::uint32_t>(payload.get_address());
  if (access.write) std::memcpy(&access.value, payload.get_data_ptr(), sizeof access.value);
  const sc_core::sc_time when = sc_core::sc_time_stamp() + delay;
  // An abort must be known before its cycle: it goes by the first edge behind its time, all others by the first at or after it.
  access.at = access.aborts() ? static_cast<Cycle>(when.value() / wires_->period.value()) + 1 : cycle_of(when, wires_->period);
  engine_->access(access);
  if (wires_->resets != resets) {
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    delay = sc_core::SC_ZERO_TIME;
    return;
  }
  if (!access.write) std::memcpy(payload.get_data_ptr(), &access.value, sizeof access.value);
  delay = sc_core::sc_time::from_value(static_cast<std::uint64_t>(access.answered) * wires_->period.value()) - sc_core::sc_time_stamp();
}

unsigned Npu::control_debug(tlm::tlm_generic_payload& payload) {
  if (!payload.is_read() || refusal(payload) != tlm::TLM_OK_RESPONSE) return 0;
  std::uint32_t value = 0;
  if (!engine_->peek(static_cast<std::uint32_t>(payload.get_address()), value)) return 0;
  std::memcpy(payload.get_data_ptr(), &value, sizeof value);
  return sizeof value;
}

}  // namespace gemel
