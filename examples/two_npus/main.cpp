// SPDX-License-Identifier: Apache-2.0
// Two NPUs on one memory, each with a driver that does not trust it: a program that takes too long is aborted, and an NPU that cannot even
// be aborted is reset. two_npus [INSIDE [INSIDE]]: what stands in the first and the second NPU, `models` (default) or what --block takes:
// two_npus models npu=rtl
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <systemc>
#include <vector>

#include "gemel/gemel.hpp"
#include "gemel/npu.hpp"
#include "gemel/npu_recorder.hpp"

namespace {

using sc_core::SC_NS;
using sc_core::sc_time;

constexpr std::uint64_t Share = 1 << 20;  // of memory, for each NPU
constexpr std::uint64_t Hole = 2 * Share;  // nobody answers from here on

// Serves one request at a time, in the order of their times: 40 ns, and one for every 16 bytes. Approximately timed: requests are taken over
// at once, and wait here. Those of one time go by the number of their port, whichever process SystemC runs first: each is looked at
// half a clock after it has come.
struct Memory : sc_core::sc_module {
  SC_HAS_PROCESS(Memory);
  explicit Memory(sc_core::sc_module_name name) : sc_module(name), bytes(Hole) {
    for (int p = 0; p < Ports; ++p) {
      port[p].register_nb_transport_fw(this, &Memory::forward, p);
      port[p].register_transport_dbg(this, &Memory::look, p);
    }
    SC_METHOD(serve);
    sensitive << event_;
    dont_initialize();
  }
  static constexpr int Ports = 6;
  tlm_utils::simple_target_socket_tagged<Memory> port[Ports];
  std::vector<std::uint8_t> bytes;

 private:
  tlm::tlm_sync_enum forward(int p, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_time& delay) {
    if (phase != tlm::BEGIN_REQ) return tlm::TLM_ACCEPTED;
    payload.acquire();
    waiting_[{sc_core::sc_time_stamp() + delay, p}] = &payload;  // those of one port are at least a clock apart
    event_.notify(delay + HalfAClock);
    phase = tlm::END_REQ;
    return tlm::TLM_UPDATED;
  }
  void serve() {
    const sc_time now = sc_core::sc_time_stamp();
    while (!waiting_.empty() && waiting_.begin()->first.first + HalfAClock <= now) {
      const int p = waiting_.begin()->first.second;
      tlm::tlm_generic_payload& payload = *waiting_.begin()->second;
      waiting_.erase(waiting_.begin());
      if (payload.get_address() < Hole) {
        access(payload);
        free_ = std::max(free_, now) + sc_time(40 + (payload.get_data_length() + 15) / 16, SC_NS);
        sc_time delay = free_ - now;
        tlm::tlm_phase phase = tlm::BEGIN_RESP;
        port[p]->nb_transport_bw(payload, phase, delay);
      }
      payload.release();
    }
    if (!waiting_.empty()) event_.notify(waiting_.begin()->first.first + HalfAClock - now);
  }
  unsigned look(int, tlm::tlm_generic_payload& payload) {
    if (payload.get_address() + payload.get_data_length() > Hole) return 0;
    access(payload);
    return payload.get_data_length();
  }
  void access(tlm::tlm_generic_payload& payload) {
    std::uint8_t* const there = &bytes[payload.get_address()];
    if (payload.is_read()) std::memcpy(payload.get_data_ptr(), there, payload.get_data_length());
    if (payload.is_write()) std::memcpy(there, payload.get_data_ptr(), payload.get_data_length());
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }

  const sc_time HalfAClock{0.5, SC_NS};
  std::map<std::pair<sc_time, int>, tlm::tlm_generic_payload*> waiting_;
  sc_core::sc_event event_;
  sc_time free_;
};

enum class End { Done, Aborted, Reset };

// Software of one NPU, with a watchdog. It takes turns with nobody.
struct Driver : sc_core::sc_module {
  SC_HAS_PROCESS(Driver);
  Driver(sc_core::sc_module_name name, Memory& m, const gemel::ProgramImage& p) : sc_module(name), memory(m), program(p) { SC_THREAD(run); }
  tlm_utils::simple_initiator_socket<Driver> csr{"csr"};
  sc_core::sc_in<bool> interrupt{"interrupt"};
  sc_core::sc_out<bool> reset{"reset"};
  Memory& memory;
  const gemel::ProgramImage& program;

  struct Run {
    const char* what;
    End end;
    std::uint64_t cycles;
    std::uint32_t sum;  // of the outputs
  };
  std::vector<Run> runs;

  void run() {
    compute("a network");
    // Programs that hang: a store that waits for a semaphore which nobody posts, and a load whose data never come.
    gemel::isa::Store store;
    store.wait_mask = 1;
    watch("a wait for ever", {gemel::isa::encode(store), gemel::isa::encode(gemel::isa::Halt())});
    gemel::isa::Load load;
    load.address = Hole;
    load.group_bytes = 1;
    watch("a load of nothing", {gemel::isa::encode(load), gemel::isa::encode(gemel::isa::Halt())});
    compute("the network again");
  }

 private:
  void compute(const char* what) {
    std::uint32_t x = 1;
    for (const auto& input : program.inputs) {
      for (std::int64_t i = 0; i < input.bytes; ++i) memory.bytes[input.address + static_cast<std::uint64_t>(i)] = static_cast<std::uint8_t>((x = x * 1664525u + 1013904223u) >> 24);
    }
    for (const auto& segment : program.segments) std::memcpy(&memory.bytes[segment.address], segment.bytes.data(), segment.bytes.size());
    const End end = start(program.base, program.bytes);
    std::uint32_t sum = 0;
    for (const auto& output : program.outputs) {
      for (std::int64_t i = 0; i < output.bytes; ++i) sum = sum * 31 + memory.bytes[output.address + static_cast<std::uint64_t>(i)];
    }
    runs.push_back({what, end, cycles(), sum});
  }
  void watch(const char* what, const std::vector<gemel::isa::Word>& words) {
    const std::uint64_t base = program.memory_base + Share / 2;  // behind the network's own
    const std::size_t size = words.size() * sizeof words[0];
    std::memcpy(&memory.bytes[base], words.data(), size);
    runs.push_back({what, start(base, static_cast<std::uint32_t>(size)), 0, 0});
  }

  // Starts the program and waits for its end, but not for ever.
  End start(std::uint64_t base, std::uint32_t size) {
    namespace reg = gemel::isa::csr;
    access(tlm::TLM_WRITE_COMMAND, reg::ProgramBaseLow, static_cast<std::uint32_t>(base));
    access(tlm::TLM_WRITE_COMMAND, reg::ProgramBaseHigh, static_cast<std::uint32_t>(base >> 32));
    access(tlm::TLM_WRITE_COMMAND, reg::ProgramBytes, size);
    access(tlm::TLM_WRITE_COMMAND, reg::InterruptEnable, 1);
    access(tlm::TLM_WRITE_COMMAND, reg::Control, 2 | 1);  // clear what was, and start
    wait(10, SC_NS);                                      // until the interrupt of the program before is off the wire
    if (!interrupt.read()) wait(sc_time(200, sc_core::SC_US), interrupt.posedge_event());
    if (interrupt.read()) return End::Done;
    access(tlm::TLM_WRITE_COMMAND, reg::Control, 4);  // abort: what is under way is finished
    if (!interrupt.read()) wait(sc_time(20, sc_core::SC_US), interrupt.posedge_event());
    if (interrupt.read()) return End::Aborted;
    reset.write(true);  // nothing ends any more
    wait(5, SC_NS);
    reset.write(false);
    wait(5, SC_NS);
    return End::Reset;
  }
  std::uint64_t cycles() {
    namespace reg = gemel::isa::csr;
    return access(tlm::TLM_READ_COMMAND, reg::CyclesLow) | std::uint64_t{access(tlm::TLM_READ_COMMAND, reg::CyclesHigh)} << 32;
  }
  std::uint32_t access(tlm::tlm_command command, std::uint32_t offset, std::uint32_t value = 0) {
    tlm::tlm_generic_payload payload;
    payload.set_command(command);
    payload.set_address(offset);
    payload.set_data_ptr(reinterpret_cast<std::uint8_t*>(&value));
    payload.set_data_length(4);
    payload.set_streaming_width(4);
    sc_time delay = sc_core::SC_ZERO_TIME;
    csr->b_transport(payload, delay);
    if (payload.is_response_error()) SC_REPORT_ERROR("driver", payload.get_response_string().c_str());
    wait(delay);
    return value;
  }
};

// An NPU with its driver.
struct Side {
  gemel::Npu npu;
  Driver driver;
  sc_core::sc_signal<bool> interrupt, reset;
  gemel::NpuRecorder recorder;

  Side(int number, const gemel::NpuConfig& config, const gemel::Program& program, const gemel::ProgramImage& image, Memory& memory)
      : npu(("npu" + std::to_string(number)).c_str(), config), driver(("driver" + std::to_string(number)).c_str(), memory, image),
        recorder(npu, program) {
    npu.fetch.bind(memory.port[3 * number]);
    npu.load.bind(memory.port[3 * number + 1]);
    npu.store.bind(memory.port[3 * number + 2]);
    driver.csr.bind(npu.csr);
    npu.interrupt(interrupt);
    driver.interrupt(interrupt);
    npu.reset(reset);
    driver.reset(reset);
  }
};

const char* text(End end) {
  switch (end) {
    case End::Done: return "done";
    case End::Aborted: return "aborted";
    case End::Reset: break;
  }
  return "reset";
}

}  // namespace

int sc_main(int argc, char** argv) {
  try {
    const gemel::Machine machine = gemel::load_machine("tiny8");
    const gemel::NetworkPtr network = gemel::load_network("digits");
    std::vector<gemel::Program> programs;
    std::vector<gemel::ProgramImage> images;
    for (int n = 0; n < 2; ++n) {  // the same network, for two places in memory
      gemel::ProgramOptions options;
      options.memory_base = static_cast<std::uint64_t>(n) * Share;
      programs.push_back(gemel::compile(network, machine, options));
      images.push_back(programs.back().image());
    }
    Memory memory("memory");
    std::vector<std::unique_ptr<Side>> sides;
    for (int n = 0; n < 2; ++n) {
      gemel::NpuConfig config;
      config.machine = "tiny8";
      if (n + 1 < argc && std::strcmp(argv[n + 1], "models") != 0) config.blocks.push_back(argv[n + 1]);
      config.rtl_hangs = [](const std::string& message) {  // somebody's Verilog loops for ever
        std::cerr << message << "\n";
        std::_Exit(1);
      };
      const auto i = static_cast<std::size_t>(n);
      sides.push_back(std::make_unique<Side>(n, config, programs[i], images[i], memory));
    }
    sc_core::sc_start(10, sc_core::SC_MS);
    for (std::size_t n = 0; n < 2; ++n) {
      for (const Driver::Run& run : sides[n]->driver.runs) {
        std::cout << "npu" << n << ": " << run.what << ": " << text(run.end);
        if (run.cycles > 0) std::cout << ", " << run.cycles << " cycles, outputs' checksum " << run.sum;
        std::cout << "\n";
      }
      const gemel::Result result = sides[n]->recorder.result();
      std::cout << "npu" << n << ": " << result.layers.size() << " layers, " << result.cycles << " cycles, read " << result.load_bytes
                << " bytes, wrote " << result.store_bytes << "\n";
      for (const gemel::LayerResult& layer : result.layers) {
        if (layer.last_cycle >= 0) std::cout << "  " << layer.name << ": cycles " << layer.first_cycle << " to " << layer.last_cycle << "\n";
      }
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
