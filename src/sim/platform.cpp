// SPDX-License-Identifier: Apache-2.0
#include "sim/platform.hpp"

#include "base/error.hpp"
#include "gemel/isa.gen.hpp"

namespace gemel {

SystemcContext::SystemcContext()
    : callers_current_(sc_core::sc_curr_simcontext),
      callers_default_(sc_core::sc_default_global_context),
      callers_info_(sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING)),
      callers_warning_(sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_DO_NOTHING)) {
  sc_core::sc_curr_simcontext = new sc_core::sc_simcontext();
  sc_core::sc_default_global_context = sc_core::sc_curr_simcontext;
}

SystemcContext::~SystemcContext() {
  delete sc_core::sc_curr_simcontext;
  sc_core::sc_curr_simcontext = callers_current_;
  sc_core::sc_default_global_context = callers_default_;
  sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, callers_info_);
  sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, callers_warning_);
}

Driver::Driver(sc_core::sc_module_name name, std::uint64_t program_base, std::uint32_t program_bytes)
    : sc_module(name), csr("csr"), interrupt("interrupt"), base_(program_base), bytes_(program_bytes) {
  SC_METHOD(run);
}

void Driver::write(std::uint32_t offset, std::uint32_t value, sc_core::sc_time& delay) {
  tlm::tlm_generic_payload payload;
  payload.set_command(tlm::TLM_WRITE_COMMAND);
  payload.set_address(offset);
  payload.set_data_ptr(reinterpret_cast<std::uint8_t*>(&value));
  payload.set_data_length(sizeof value);
  payload.set_streaming_width(sizeof value);
  csr->b_transport(payload, delay);  // the delay adds up: each access comes after the one before
  if (payload.is_response_error()) throw InternalError("the control registers refused a write");
}

void Driver::run() {
  if (!started_) {
    started_ = true;
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    write(isa::csr::ProgramBaseLow, static_cast<std::uint32_t>(base_), delay);
    write(isa::csr::ProgramBaseHigh, static_cast<std::uint32_t>(base_ >> 32), delay);
    write(isa::csr::ProgramBytes, bytes_, delay);
    write(isa::csr::InterruptEnable, 1, delay);
    write(isa::csr::Control, 1, delay);
  } else if (interrupt.read()) {
    done_ = true;
    sc_core::sc_stop();
    return;
  }
  next_trigger(interrupt.value_changed_event());
}

}  // namespace gemel
