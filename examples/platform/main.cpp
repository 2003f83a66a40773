// SPDX-License-Identifier: Apache-2.0
// Somebody's platform: a bus, a memory that is not Gemel's (blocking transport only), a driver that writes the control registers
// and waits for the interrupt. platform PROGRAM.gemel [MACHINE [BLOCK=KIND ...]], e.g. platform digits.gemel tiny8 pe_array=rtl, or npu=rtl
#include <tlm_utils/multi_passthrough_target_socket.h>

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <systemc>
#include <vector>

#include "gemel/npu.hpp"
#include "gemel/program.hpp"

// Plain memory: every access takes 80 ns and the port is busy for one clock per 16 bytes.
struct Memory : sc_core::sc_module {
  tlm_utils::simple_target_socket<Memory> socket{"socket"};
  std::vector<std::uint8_t> bytes;

  Memory(sc_core::sc_module_name name, std::size_t size) : sc_module(name), bytes(size) {
    socket.register_b_transport(this, &Memory::access);
    socket.register_transport_dbg(this, &Memory::look);  // messages about a difference show the instruction
  }
  unsigned look(tlm::tlm_generic_payload& payload) {
    sc_core::sc_time none;
    access(payload, none);
    return payload.is_response_ok() ? payload.get_data_length() : 0;
  }
  void access(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    const auto address = payload.get_address();
    if (address + payload.get_data_length() > bytes.size()) {
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      return;
    }
    if (payload.is_read()) {
      std::memcpy(payload.get_data_ptr(), &bytes[address], payload.get_data_length());
    } else {
      std::memcpy(&bytes[address], payload.get_data_ptr(), payload.get_data_length());
    }
    delay += sc_core::sc_time(80 + (payload.get_data_length() + 15) / 16, sc_core::SC_NS);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
};

// Three masters, one memory.
struct Bus : sc_core::sc_module {
  tlm_utils::simple_target_socket_tagged<Bus> from[3];
  tlm_utils::simple_initiator_socket<Bus> to{"to"};

  explicit Bus(sc_core::sc_module_name name) : sc_module(name) {
    for (int i = 0; i < 3; ++i) {
      from[i].register_b_transport(this, &Bus::pass, i);
      from[i].register_transport_dbg(this, &Bus::look, i);
    }
  }
  unsigned look(int, tlm::tlm_generic_payload& payload) { return to->transport_dbg(payload); }
  void pass(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) { to->b_transport(payload, delay); }
};

struct Driver : sc_core::sc_module {
  tlm_utils::simple_initiator_socket<Driver> csr{"csr"};
  sc_core::sc_in<bool> interrupt{"interrupt"};
  const gemel::ProgramImage& program;
  std::uint64_t cycles = 0;
  std::uint32_t error = 0;

  SC_HAS_PROCESS(Driver);
  Driver(sc_core::sc_module_name name, const gemel::ProgramImage& p) : sc_module(name), program(p) { SC_THREAD(run); }

  std::uint32_t access(tlm::tlm_command command, std::uint32_t offset, std::uint32_t value = 0) {
    tlm::tlm_generic_payload payload;
    payload.set_command(command);
    payload.set_address(offset);
    payload.set_data_ptr(reinterpret_cast<std::uint8_t*>(&value));
    payload.set_data_length(4);
    payload.set_streaming_width(4);
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    csr->b_transport(payload, delay);
    wait(delay);
    return value;
  }
  void run() {
    namespace reg = gemel::isa::csr;
    access(tlm::TLM_WRITE_COMMAND, reg::ProgramBaseLow, static_cast<std::uint32_t>(program.base));
    access(tlm::TLM_WRITE_COMMAND, reg::ProgramBaseHigh, static_cast<std::uint32_t>(program.base >> 32));
    access(tlm::TLM_WRITE_COMMAND, reg::ProgramBytes, program.bytes);
    access(tlm::TLM_WRITE_COMMAND, reg::InterruptEnable, 1);
    access(tlm::TLM_WRITE_COMMAND, reg::Control, 1);
    wait(interrupt.posedge_event());
    error = access(tlm::TLM_READ_COMMAND, reg::ErrorCode);
    cycles = access(tlm::TLM_READ_COMMAND, reg::CyclesLow) | std::uint64_t{access(tlm::TLM_READ_COMMAND, reg::CyclesHigh)} << 32;
    sc_core::sc_stop();
  }
};

int sc_main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: platform PROGRAM.gemel [MACHINE [BLOCK=KIND ...]]\n";
    return 2;
  }
  try {
    const gemel::ProgramImage program = gemel::Program::load(argv[1]).image();
    gemel::NpuConfig config;
    if (argc > 2) config.machine = argv[2];
    for (int i = 3; i < argc; ++i) config.blocks.push_back(argv[i]);
    config.rtl_hangs = [](const std::string& message) {  // somebody's Verilog loops for ever
      std::cerr << message << "\n";
      std::_Exit(1);
    };
    config.rtl_says = [](const std::string& text) { std::cerr << text; };

    gemel::Npu npu("npu", config);
    Memory memory("memory", static_cast<std::size_t>(program.memory_bytes) + 4096);
    Bus bus("bus");
    Driver driver("driver", program);
    sc_core::sc_signal<bool> interrupt("interrupt");
    npu.fetch.bind(bus.from[0]);
    npu.load.bind(bus.from[1]);
    npu.store.bind(bus.from[2]);
    bus.to.bind(memory.socket);
    driver.csr.bind(npu.csr);
    npu.interrupt(interrupt);
    driver.interrupt(interrupt);

    for (const auto& segment : program.segments) std::memcpy(&memory.bytes[segment.address], segment.bytes.data(), segment.bytes.size());
    std::uint32_t x = 1;
    for (const auto& input : program.inputs) {
      for (std::int64_t i = 0; i < input.bytes; ++i) memory.bytes[input.address + static_cast<std::uint64_t>(i)] = static_cast<std::uint8_t>((x = x * 1664525u + 1013904223u) >> 24);
    }
    sc_core::sc_start();
    if (driver.cycles == 0 || driver.error != 0) {
      std::cerr << "the program did not end well: error " << driver.error << "\n";
      return 1;
    }
    std::uint32_t sum = 0;
    for (const auto& output : program.outputs) {
      for (std::int64_t i = 0; i < output.bytes; ++i) sum = sum * 31 + memory.bytes[output.address + static_cast<std::uint64_t>(i)];
    }
    std::cout << driver.cycles << " cycles, outputs' checksum " << sum << "\n";
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
