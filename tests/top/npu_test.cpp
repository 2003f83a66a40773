// SPDX-License-Identifier: Apache-2.0
// npu as a module of somebody's platform, from models and beat models: what its surroundings may be like. With RTL inside: tests/rtl/platform.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <functional>

#include "base/error.hpp"
#include "memory/ideal_memory.hpp"
#include "sim/platform.hpp"
#include "support/platform.hpp"
#include "top/engine.hpp"

namespace gemel {
namespace {

using testing::program_of;
using testing::small_machine;
namespace csr = isa::csr;

constexpr const char* Copy =
    "load post=12 buffer=vector word=[0..63] address=256 run_bytes=256 group_bytes=4\n"
    "store wait=12 word=[0..63] address=4096 run_bytes=256 group_bytes=4\n"
    "halt\n";
constexpr std::uint32_t CopyBytes = 3 * isa::InstructionBytes;

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const UserError& error) {
    return to_string(error.diagnostics().front());
  }
  return "no error";
}

// ---- SystemC's time ------------------------------------------------------------------------------------------------------

// Cycles of the program, with SystemC's time in such units.
Cycle cycles_with(double resolution, sc_core::sc_time_unit unit, double clock_mhz) {
  const SystemcContext context;
  sc_core::sc_set_time_resolution(resolution, unit);
  NpuParts parts;
  parts.machine = small_machine();
  parts.machine.clock_mhz = clock_mhz;
  const Schedule schedule = program_of(Copy, parts.machine);
  Npu npu("npu", parts);
  IdealMemory memory("memory", parts.machine, clock_period(parts.machine));
  gemel::Driver driver("driver", schedule.program_base, CopyBytes);
  sc_core::sc_signal<bool> interrupt("interrupt");
  std::memcpy(memory.data() + schedule.program_base, schedule.program.data(), CopyBytes);
  driver.csr.bind(npu.csr);
  npu.fetch.bind(memory.fetch);
  npu.load.bind(memory.load);
  npu.store.bind(memory.store);
  npu.interrupt(interrupt);
  driver.interrupt(interrupt);
  sc_core::sc_start();
  EXPECT_TRUE(driver.done());
  return dynamic_cast<ModelEngine&>(npu.engine()).cycles();
}

TEST(Npu, NeedsAResolutionThatItsClockIsAnEvenMultipleOf) {
  const Cycle cycles = cycles_with(1, sc_core::SC_PS, 1000);
  EXPECT_GT(cycles, 50);
  EXPECT_EQ(cycles_with(1, sc_core::SC_FS, 1000), cycles);
  EXPECT_EQ(cycles_with(1, sc_core::SC_FS, 2999), cycles);
  EXPECT_EQ(cycles_with(100, sc_core::SC_PS, 500), cycles);
  EXPECT_EQ(cycles_with(1, sc_core::SC_NS, 500), cycles);
  const std::string hint =
      "\nhint: call sc_set_time_resolution(1, sc_core::SC_PS) before any other use of time, or choose another clock_mhz";
  EXPECT_EQ(error_of([] { cycles_with(1, sc_core::SC_NS, 3000); }),
            "error[E1022]: the clock of machine `small` (3000 MHz) has a period of 334 ps, which is no even multiple of SystemC's time "
            "resolution of 1000 ps" + hint);
  EXPECT_EQ(error_of([] { cycles_with(1, sc_core::SC_NS, 800); }),
            "error[E1022]: the clock of machine `small` (800 MHz) has a period of 1250 ps, which is no even multiple of SystemC's time "
            "resolution of 1000 ps" + hint);
  EXPECT_EQ(error_of([] { cycles_with(1, sc_core::SC_NS, 1000); }),  // a multiple, but not an even one
            "error[E1022]: the clock of machine `small` (1000 MHz) has a period of 1000 ps, which is no even multiple of SystemC's time "
            "resolution of 1000 ps" + hint);
}

// ---- somebody's memory ---------------------------------------------------------------------------------------------------

// Approximately timed: takes a request over `end_request` after it, and answers `answer` later. It moves the bytes when it answers. What is
// lost is never answered.
struct Memory : sc_core::sc_module {
  SC_HAS_PROCESS(Memory);
  Memory(sc_core::sc_module_name name, sc_core::sc_time end_request, sc_core::sc_time answer)
      : sc_module(name), bytes(65536), end_request_(end_request), answer_(answer) {
    for (int i = 0; i < 3; ++i) {
      socket[i].register_nb_transport_fw(this, &Memory::forward, i);
      Port& port = ports_[i];
      port.owner = this;
      port.socket = &socket[i];
      sc_core::sc_spawn([&port] { port.take_over(); });
      sc_core::sc_spawn([&port] { port.answer(); });
    }
  }
  tlm_utils::simple_target_socket_tagged<Memory> socket[3];
  std::vector<std::uint8_t> bytes;
  int requests = 0, most_at_a_time = 0, rules_broken = 0;
  std::function<bool(int request)> loses = [](int) { return false; };

 private:
  struct Item {
    tlm::tlm_generic_payload* payload;
    sc_core::sc_time at;
  };
  struct Port {
    Memory* owner = nullptr;
    tlm_utils::simple_target_socket_tagged<Memory>* socket = nullptr;
    bool requesting = false;
    std::deque<Item> begun, taken;
    sc_core::sc_event begin, take;

    void take_over() {
      for (;;) {
        while (begun.empty()) sc_core::wait(begin);
        const Item item = begun.front();
        begun.pop_front();
        const sc_core::sc_time at = item.at + owner->end_request_;
        if (at > sc_core::sc_time_stamp()) sc_core::wait(at - sc_core::sc_time_stamp());
        requesting = false;
        if (owner->loses(owner->requests++)) {
          item.payload->release();
        } else {
          taken.push_back({item.payload, sc_core::sc_time_stamp() + owner->answer_});
          owner->most_at_a_time = std::max(owner->most_at_a_time, static_cast<int>(taken.size()));
          take.notify(sc_core::SC_ZERO_TIME);
        }
        tlm::tlm_phase phase = tlm::END_REQ;
        sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
        (*socket)->nb_transport_bw(*item.payload, phase, delay);
      }
    }
    void answer() {
      for (;;) {
        while (taken.empty()) sc_core::wait(take);
        const Item item = taken.front();
        taken.pop_front();
        if (item.at > sc_core::sc_time_stamp()) sc_core::wait(item.at - sc_core::sc_time_stamp());
        tlm::tlm_generic_payload& p = *item.payload;
        std::uint8_t* const there = &owner->bytes.at(p.get_address());
        if (p.is_read()) std::memcpy(p.get_data_ptr(), there, p.get_data_length());
        if (p.is_write()) std::memcpy(there, p.get_data_ptr(), p.get_data_length());
        p.set_response_status(tlm::TLM_OK_RESPONSE);
        tlm::tlm_phase phase = tlm::BEGIN_RESP;
        sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
        EXPECT_EQ((*socket)->nb_transport_bw(p, phase, delay), tlm::TLM_COMPLETED);
        p.release();
      }
    }
  };
  tlm::tlm_sync_enum forward(int tag, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay) {
    EXPECT_EQ(phase, tlm::BEGIN_REQ);
    Port& port = ports_[tag];
    rules_broken += port.requesting ? 1 : 0;
    port.requesting = true;
    payload.acquire();
    port.begun.push_back({&payload, sc_core::sc_time_stamp() + delay});
    port.begin.notify(sc_core::SC_ZERO_TIME);
    return tlm::TLM_ACCEPTED;
  }

  sc_core::sc_time end_request_, answer_;
  Port ports_[3];
};

class Software : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(Software);
  Software(sc_core::sc_module_name name, std::function<void(Software&)> script) : sc_module(name), script_(std::move(script)) { SC_THREAD(run); }
  tlm_utils::simple_initiator_socket<Software> socket{"socket"};
  sc_core::sc_out<bool> reset{"reset"};

  tlm::tlm_response_status access(tlm::tlm_generic_payload& payload) {
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    socket->b_transport(payload, delay);
    wait(delay);
    return payload.get_response_status();
  }
  tlm::tlm_response_status access(bool write, std::uint32_t offset, std::uint32_t& value) {
    tlm::tlm_generic_payload payload;
    payload.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
    payload.set_address(offset);
    payload.set_data_ptr(reinterpret_cast<std::uint8_t*>(&value));
    payload.set_data_length(4);
    payload.set_streaming_width(4);
    return access(payload);
  }
  void set(std::uint32_t offset, std::uint32_t value) { EXPECT_EQ(access(true, offset, value), tlm::TLM_OK_RESPONSE); }
  std::uint32_t get(std::uint32_t offset) {
    std::uint32_t value = 0;
    EXPECT_EQ(access(false, offset, value), tlm::TLM_OK_RESPONSE);
    return value;
  }
  void start(std::uint32_t base = 0x8000, std::uint32_t bytes = CopyBytes) {
    set(csr::ProgramBaseLow, base);
    set(csr::ProgramBytes, bytes);
    set(csr::Control, 1);
  }
  // Cycles of the program; its error must be that.
  std::uint32_t wait_for_end(isa::ErrorCode error = isa::ErrorCode::None) {
    while ((get(csr::Status) & 1) != 0) pause(10);
    EXPECT_EQ(get(csr::ErrorCode), static_cast<std::uint32_t>(error));
    return get(csr::CyclesLow);
  }
  void pause(double ns) { wait(ns, sc_core::SC_NS); }
  void pulse_reset() {
    reset.write(true);
    pause(3);
    reset.write(false);
    pause(1);
  }

 private:
  void run() { script_(*this); }
  std::function<void(Software&)> script_;
};

enum class Inside { Models, Beats };

struct Surroundings {
  double end_request_ns = 0, answer_ns = 30;
  std::function<bool(int request)> loses;
};

// A platform whose interrupt is not bound; the program lies in memory.
void simulate(Inside inside, const Surroundings& around, const std::function<void(Software&, Memory&)>& script) {
  const SystemcContext context;
  NpuParts parts;
  parts.machine = small_machine();
  if (inside == Inside::Beats) parts.choices = {{"none", BlockKind::Model, {}}};  // anything: without choices there are fast models
  Npu npu("npu", parts);
  Memory memory("memory", sc_core::sc_time(around.end_request_ns, sc_core::SC_NS), sc_core::sc_time(around.answer_ns, sc_core::SC_NS));
  if (around.loses) memory.loses = around.loses;
  Software software("software", [&](Software& s) { script(s, memory); });
  sc_core::sc_signal<bool> reset("reset");
  const Schedule schedule = program_of(Copy, parts.machine);
  for (std::size_t i = 0; i < 4096; ++i) memory.bytes[i] = static_cast<std::uint8_t>(i * 31 + i / 256);
  std::memcpy(&memory.bytes[schedule.program_base], schedule.program.data(), CopyBytes);
  npu.fetch.bind(memory.socket[0]);
  npu.load.bind(memory.socket[1]);
  npu.store.bind(memory.socket[2]);
  software.socket.bind(npu.csr);
  software.reset(reset);
  npu.reset(reset);
  sc_core::sc_start();
  EXPECT_EQ(memory.rules_broken, 0);
}

void expect_copied(const Memory& memory) {
  EXPECT_EQ(std::memcmp(&memory.bytes[4096], &memory.bytes[256], 256), 0);
}

// One request of a socket between BEGIN_REQ and END_REQ; any number of them may wait for their answers.
TEST(Npu, KeepsTheRequestExclusionRule) {
  std::uint32_t slowest = 0;
  for (const double end_request_ns : {0.0, 0.4, 3.0, 40.0}) {
    std::vector<std::uint32_t> cycles;
    for (const Inside inside : {Inside::Models, Inside::Beats}) {
      Surroundings around;
      around.end_request_ns = end_request_ns;
      around.answer_ns = 60.3;
      simulate(inside, around, [&](Software& s, Memory& memory) {
        s.start();
        cycles.push_back(s.wait_for_end());
        expect_copied(memory);
        if (end_request_ns < 5) {
          EXPECT_GT(memory.most_at_a_time, 2);
        }
      });
    }
    ASSERT_EQ(cycles.size(), 2U) << end_request_ns;
    EXPECT_EQ(cycles[0], cycles[1]) << end_request_ns;
    EXPECT_GE(cycles[0], slowest);
    slowest = cycles[0];
  }
  EXPECT_GT(slowest, 350u);  // 40 ns for each of at least four requests, twice
}

// A program that was aborted has left answers on their way; the next one begins at once, and gets its own.
TEST(Npu, ForgetsAnswersFromBeforeTheProgram) {
  for (const Inside inside : {Inside::Models, Inside::Beats}) {
    Surroundings around;
    around.answer_ns = 200;
    std::uint32_t undisturbed = 0;
    simulate(inside, around, [&](Software& s, Memory& memory) {
      s.start();
      undisturbed = s.wait_for_end();
      for (int after = 0; after < 40; after += 3) {
        s.start();
        s.pause(after);
        s.set(csr::Control, 4);
        s.wait_for_end(isa::ErrorCode::Aborted);
        std::memset(&memory.bytes[4096], 0, 256);
        s.start();
        s.wait_for_end();
        expect_copied(memory);
      }
    });
    EXPECT_GT(undisturbed, 500u);
  }
}

TEST(Npu, IsResetAtAnyTime) {
  for (const Inside inside : {Inside::Models, Inside::Beats}) {
    SCOPED_TRACE(inside == Inside::Models ? "models" : "beat models");
    Surroundings around;
    around.answer_ns = 45;
    simulate(inside, around, [&](Software& s, Memory& memory) {
      s.start();
      const std::uint32_t cycles = s.wait_for_end();
      for (double after = 0; after < cycles + 20; after += 2.7) {
        s.start();
        s.pause(after);
        s.pulse_reset();
        for (const std::uint32_t r : {csr::Status, csr::ProgramBaseLow, csr::ProgramBytes, csr::InterruptEnable, csr::ErrorCode, csr::CyclesLow}) {
          EXPECT_EQ(s.get(r), 0u) << "register " << r << ", " << after << " ns";
        }
        s.pause(150);  // what memory has got is over
        std::memset(&memory.bytes[4096], 0, 256);
        s.start();
        EXPECT_EQ(s.wait_for_end(), cycles);
        expect_copied(memory);
      }
    });
  }
}

// A program whose answers never come cannot even be aborted.
TEST(Npu, AResetFreesItFromAMemoryThatDoesNotAnswer) {
  for (const Inside inside : {Inside::Models, Inside::Beats}) {
    for (int lost = 0; lost < 8; ++lost) {
      Surroundings around;
      around.loses = [lost](int request) { return request == lost; };
      bool over = false;
      simulate(inside, around, [&](Software& s, Memory& memory) {
        s.start();
        s.pause(2000);
        EXPECT_EQ(s.get(csr::Status), 1u);
        s.set(csr::Control, 4);
        s.pause(2000);
        EXPECT_EQ(s.get(csr::Status), 1u);
        s.pulse_reset();
        s.start();
        s.wait_for_end();
        expect_copied(memory);
        over = true;
      });
      EXPECT_TRUE(over) << lost;
    }
  }
}

TEST(Npu, AnswersNoAccessDuringAReset) {
  for (const Inside inside : {Inside::Models, Inside::Beats}) {
    simulate(inside, {}, [&](Software& s, Memory& memory) {
      s.start();
      s.pause(10);
      s.reset.write(true);
      s.pause(2);
      std::uint32_t value = 1;
      EXPECT_EQ(s.access(true, csr::Control, value), tlm::TLM_GENERIC_ERROR_RESPONSE);
      EXPECT_EQ(s.access(false, csr::Status, value), tlm::TLM_GENERIC_ERROR_RESPONSE);
      s.reset.write(false);
      s.pause(200);
      EXPECT_EQ(s.get(csr::Status), 0u);
      s.start();
      s.wait_for_end();
      expect_copied(memory);
    });
  }
}

TEST(Npu, RefusesWhatItsRegistersDoNotUnderstand) {
  simulate(Inside::Models, {}, [&](Software& s, Memory&) {
    std::uint8_t data[8] = {}, enables[4] = {0xff, 0xff, 0xff, 0xff};
    const auto status = [&](const std::function<void(tlm::tlm_generic_payload&)>& change) {
      tlm::tlm_generic_payload payload;
      payload.set_command(tlm::TLM_READ_COMMAND);
      payload.set_address(csr::Version);
      payload.set_data_ptr(data);
      payload.set_data_length(4);
      payload.set_streaming_width(4);
      change(payload);
      const unsigned debug = s.socket->transport_dbg(payload);
      const auto response = s.access(payload);
      EXPECT_EQ(debug, response == tlm::TLM_OK_RESPONSE ? 4u : 0u) << "debug transport accepts what blocking transport does not";
      return response;
    };
    using Payload = tlm::tlm_generic_payload;
    EXPECT_EQ(status([](Payload&) {}), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(status([](Payload& p) { p.set_streaming_width(8); }), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(status([](Payload& p) { p.set_address(csr::Version + 1); }), tlm::TLM_BURST_ERROR_RESPONSE);
    EXPECT_EQ(status([](Payload& p) { p.set_address(0x1000); }), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(status([](Payload& p) { p.set_data_length(8); }), tlm::TLM_BURST_ERROR_RESPONSE);
    EXPECT_EQ(status([](Payload& p) { p.set_data_length(2); }), tlm::TLM_BURST_ERROR_RESPONSE);
    EXPECT_EQ(status([](Payload& p) { p.set_streaming_width(2); }), tlm::TLM_BURST_ERROR_RESPONSE);
    EXPECT_EQ(status([](Payload& p) { p.set_streaming_width(0); }), tlm::TLM_BURST_ERROR_RESPONSE);
    EXPECT_EQ(status([&](Payload& p) { p.set_byte_enable_ptr(enables), p.set_byte_enable_length(4); }), tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
    EXPECT_EQ(status([](Payload& p) { p.set_data_ptr(nullptr); }), tlm::TLM_GENERIC_ERROR_RESPONSE);
    EXPECT_EQ(status([](Payload& p) { p.set_command(tlm::TLM_IGNORE_COMMAND); }), tlm::TLM_COMMAND_ERROR_RESPONSE);
  });
}

}  // namespace
}  // namespace gemel
