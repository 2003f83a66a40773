// SPDX-License-Identifier: Apache-2.0
// npu in somebody's platform: models, one block as RTL, the whole chip as RTL, and the chip in lockstep must be the same to everybody
// outside: every transaction on the memory side, every access of a register, every change of the interrupt, at the same time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "base/error.hpp"
#include "compiler/compile.hpp"
#include "regress/network_builder.hpp"
#include "support/platform.hpp"
#include "support/random_seed.hpp"
#include "top/engine.hpp"

extern "C" int sc_main(int, char**) { return 0; }

namespace gemel {
namespace {

using testing::program_of;
using testing::small_machine;
namespace csr = isa::csr;

constexpr const char* Implementations[] = {"", "pe_array=rtl", "npu=rtl", "npu=check", "sequencer=rtl"};  // the first: models
constexpr int Always = 4;  // so many of them are compared if nothing is said

class FreshContext {
 public:
  FreshContext() {
    sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
    sc_core::sc_curr_simcontext = sc_core::sc_default_global_context = new sc_core::sc_simcontext();
  }
  ~FreshContext() {
    delete sc_core::sc_curr_simcontext;
    sc_core::sc_curr_simcontext = sc_core::sc_default_global_context = nullptr;
  }
  FreshContext(const FreshContext&) = delete;
  FreshContext& operator=(const FreshContext&) = delete;
};

class Log {
 public:
  void add(const sc_core::sc_time& time, const std::string& text) {
    std::string number = std::to_string(time.value());
    lines_.push_back(std::string(15 - number.size(), ' ') + number + " ps " + text);
  }
  std::vector<std::string> lines() const {  // what happens at one time has no order
    std::vector<std::string> sorted = lines_;
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  }
  // Of accesses and interrupts alone.
  std::vector<std::string> of_software() const {
    std::vector<std::string> kept;
    for (const std::string& line : lines()) {
      if (line.find(", sum ") == std::string::npos) kept.push_back(line);
    }
    return kept;
  }
  int count(const std::string& text) const {
    return static_cast<int>(std::count_if(lines_.begin(), lines_.end(), [&](const std::string& l) { return l.find(text) != l.npos; }));
  }

 private:
  std::vector<std::string> lines_;
};

// Blocking transport only; answers after a time that depends on the address and is no whole number of clocks.
struct Memory : sc_core::sc_module {
  tlm_utils::simple_target_socket_tagged<Memory> socket[3];
  std::vector<std::uint8_t> bytes;
  Log& log;

  Memory(sc_core::sc_module_name name, std::size_t size, Log& l) : sc_module(name), bytes(size), log(l) {
    for (int i = 0; i < 3; ++i) socket[i].register_b_transport(this, &Memory::access, i);
  }
  void access(int port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    static constexpr const char* Names[] = {"fetch", "load", "store"};
    const auto address = payload.get_address();
    const std::size_t length = payload.get_data_length();
    std::uint32_t sum = 0;
    if (address + length <= bytes.size()) {
      if (payload.is_write()) std::memcpy(&bytes[address], payload.get_data_ptr(), length);
      if (payload.is_read()) std::memcpy(payload.get_data_ptr(), &bytes[address], length);
      for (std::size_t i = 0; i < length; ++i) sum = 31 * sum + bytes[address + i];
      payload.set_response_status(tlm::TLM_OK_RESPONSE);
    } else {
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    }
    log.add(sc_core::sc_time_stamp() + delay, std::string(Names[port]) + (payload.is_write() ? " write " : " read ") + std::to_string(address) +
                                                  " " + std::to_string(length) + ", sum " + std::to_string(sum));
    delay += sc_core::sc_time(12.3 + static_cast<double>(address / 64 % 7), sc_core::SC_NS);
  }
};

struct Seen {
  std::vector<std::string> lines, of_software;
  std::vector<std::uint8_t> memory;
  int interrupts = 0;
};

class Driver;
using Script = std::function<void(Driver&)>;

class Driver : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(Driver);
  Driver(sc_core::sc_module_name name, Log& log, Script script) : sc_module(name), log_(log), script_(std::move(script)) {
    SC_THREAD(run);
    SC_METHOD(see);
    sensitive << interrupt;
    dont_initialize();
  }
  tlm_utils::simple_initiator_socket<Driver> socket{"socket"};
  sc_core::sc_in<bool> interrupt{"interrupt"};
  sc_core::sc_out<bool> reset{"reset"};

  std::uint32_t access(bool write, std::uint32_t offset, std::uint32_t value, double ahead_ns = 0) {
    tlm::tlm_generic_payload payload;
    payload.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
    payload.set_address(offset);
    payload.set_data_ptr(reinterpret_cast<std::uint8_t*>(&value));
    payload.set_data_length(4);
    payload.set_streaming_width(4);
    sc_core::sc_time delay(ahead_ns, sc_core::SC_NS);
    socket->b_transport(payload, delay);
    EXPECT_TRUE(payload.is_response_ok() || may_fail);
    log_.add(sc_core::sc_time_stamp() + delay,
             (write ? "write of " : "read of ") + std::to_string(offset) + ": " + (payload.is_response_ok() ? std::to_string(value) : "failed"));
    wait(delay);
    return value;
  }
  void set(std::uint32_t offset, std::uint32_t value) { access(true, offset, value); }
  std::uint32_t get(std::uint32_t offset) { return access(false, offset, 0); }
  bool may_fail = false;  // what a reset overtakes
  void pause(double ns) { wait(ns, sc_core::SC_NS); }
  void wait_for_interrupt() {
    wait(1, sc_core::SC_NS);  // until an access of the registers shows
    if (!interrupt.read()) wait(interrupt.posedge_event());
  }
  void read_all() {
    for (std::uint32_t offset = 0; offset <= csr::Version; offset += 4) get(offset);
    for (std::uint32_t i = 0; i < 2 * isa::UnitCount * isa::CauseCount; ++i) get(csr::Counters + 4 * i);
  }

 private:
  void run() { script_(*this); }
  void see() { log_.add(sc_core::sc_time_stamp(), interrupt.read() ? "interrupt" : "no interrupt"); }

  Log& log_;
  Script script_;
};

Seen simulate(const std::string& block, const Machine& machine, const std::vector<std::uint8_t>& memory_before, const Script& script) {
  const FreshContext context;
  Log log;
  NpuParts parts;
  parts.machine = machine;
  if (!block.empty()) parts.choices = resolve_choices({parse_block_choice(block)});
  Npu npu("npu", parts);
  Memory memory("memory", memory_before.size(), log);
  memory.bytes = memory_before;
  Driver driver("driver", log, script);
  sc_core::sc_signal<bool> interrupt("interrupt");
  sc_core::sc_signal<bool, sc_core::SC_MANY_WRITERS> reset("reset");
  npu.fetch.bind(memory.socket[0]);
  npu.load.bind(memory.socket[1]);
  npu.store.bind(memory.socket[2]);
  driver.socket.bind(npu.csr);
  npu.interrupt(interrupt);
  driver.interrupt(interrupt);
  npu.reset(reset);
  driver.reset(reset);
  sc_core::sc_start();
  return {log.lines(), log.of_software(), memory.bytes, log.count(" ps interrupt")};
}

void expect_same_lines(const std::string& block, const std::vector<std::string>& is, const std::vector<std::string>& must) {
  for (std::size_t l = 0, shown = 0; l < std::min(is.size(), must.size()) && shown < 5; ++l) {
    if (is[l] == must[l]) continue;
    ADD_FAILURE() << block << "\n  is:      " << is[l] << "\n  must be: " << must[l];
    ++shown;
  }
  EXPECT_EQ(is.size(), must.size()) << block;
}

// The same to all implementations, all of `lines`; what models made of it.
Seen expect_same(const Machine& machine, const std::vector<std::uint8_t>& memory, const Script& script, int implementations = Always) {
  const Seen models = simulate(Implementations[0], machine, memory, script);
  for (int i = 0; i < implementations; ++i) {
    const std::string block = Implementations[i];
    const Seen seen = simulate(block, machine, memory, script);
    expect_same_lines(block, seen.lines, models.lines);
    EXPECT_EQ(seen.memory, models.memory) << block;
  }
  return models;
}

std::vector<std::uint8_t> memory_with(const Schedule& schedule, std::mt19937& random) {
  std::vector<std::uint8_t> memory(65536);
  for (auto& byte : memory) byte = static_cast<std::uint8_t>(random());
  for (const ConstantSegment& s : schedule.constants) std::memcpy(&memory[s.address], s.bytes.data(), s.bytes.size());
  std::memcpy(&memory[schedule.program_base], schedule.program.data(), schedule.program.size() * isa::InstructionBytes);
  return memory;
}

constexpr const char* Copy =
    "load post=12 buffer=vector word=[0..15] address=256 run_bytes=64 group_bytes=4\n"
    "store wait=12 word=[0..15] address=4096 run_bytes=64 group_bytes=4\n";

void set_program(Driver& d, std::uint32_t base, std::size_t instructions) {
  d.set(csr::ProgramBaseLow, base);
  d.set(csr::ProgramBaseHigh, 0);
  d.set(csr::ProgramBytes, static_cast<std::uint32_t>(instructions * isa::InstructionBytes));
}

TEST(Platform, RegistersAndInterruptsAreTheSame) {
  const Machine machine = small_machine();
  const Schedule schedule = program_of(std::string(Copy) + "halt\n", machine);
  std::mt19937 random(1);
  const Seen seen = expect_same(machine, memory_with(schedule, random), [&](Driver& d) {
    d.read_all();
    set_program(d, 0x8000, 3);
    d.set(csr::InterruptEnable, 1);
    d.set(csr::Control, 1);
    EXPECT_EQ(d.get(csr::Status), 1u);  // running
    d.wait_for_interrupt();
    EXPECT_EQ(d.get(csr::Status), 2u | 8u);  // done, interrupt
    d.read_all();
    d.set(csr::InterruptEnable, 0);  // takes it off the wire, and back
    d.set(csr::InterruptEnable, 1);
    d.wait_for_interrupt();
    d.set(csr::Control, 2);
    EXPECT_EQ(d.get(csr::Status), 0u);
    d.read_all();
    d.set(csr::Control, 3);  // once more
    d.wait_for_interrupt();
    d.read_all();
    d.set(csr::Control, 1);  // and more, from done
    d.wait_for_interrupt();
    d.read_all();
  });
  EXPECT_EQ(seen.interrupts, 4);
}

// Of a driver that polls: at every distance from the halt there is a read, a write of interrupt_enable, a start that comes too early.
TEST(Platform, AccessesAroundTheHaltAreTheSame) {
  const Machine machine = small_machine();
  const Schedule schedule = program_of(std::string(Copy) + "halt\n", machine);
  std::mt19937 random(1);
  Cycle cycles = 0;
  const auto memory = memory_with(schedule, random);
  const Seen seen = expect_same(machine, memory, [&](Driver& d) {
    set_program(d, 0x8000, 3);
    d.set(csr::InterruptEnable, 1);
    d.set(csr::Control, 1);
    d.wait_for_interrupt();
    cycles = d.get(csr::CyclesLow);
    for (int what = 0; what < 5; ++what) {
      for (int before = -4; before <= 4; ++before) {
        d.set(csr::InterruptEnable, what == 2 ? 0 : 1);
        d.set(csr::Control, 3);
        d.pause(static_cast<double>(cycles - before));
        switch (what) {
          case 0: d.get(csr::Status); break;
          case 1: d.set(csr::InterruptEnable, 0); break;
          case 2: d.set(csr::InterruptEnable, 1); break;
          case 3: d.set(csr::Control, 2); break;
          default: d.set(csr::ProgramBytes, 3 * isa::InstructionBytes); break;
        }
        d.get(csr::Status);
        d.pause(20);
        d.get(csr::Status);
      }
    }
  });
  EXPECT_GT(cycles, 50);
  EXPECT_GT(seen.interrupts, 30);
}

TEST(Platform, ErrorsAreTheSame) {
  const Machine machine = small_machine();
  const Schedule hazard = program_of("load buffer=vector word=[0..15] address=256 run_bytes=64 group_bytes=4\n"
                                     "store word=[8..9] address=4096 run_bytes=8 group_bytes=4\nhalt\n", machine);
  Schedule outside = program_of("load buffer=vector word=[0..15] address=131072 run_bytes=64 group_bytes=4\nhalt\n", machine);
  std::mt19937 random(1);
  std::vector<std::uint8_t> memory = memory_with(hazard, random);
  std::memcpy(&memory[0xa000], outside.program.data(), outside.program.size() * isa::InstructionBytes);
  // How long it takes to stop is not agreed upon; what the registers then say is.
  std::vector<std::vector<std::uint32_t>> all;
  for (const char* block : Implementations) {
    std::vector<std::uint32_t> said;
    simulate(block, machine, memory, [&](Driver& d) {
      d.set(csr::InterruptEnable, 1);
      for (const auto& [base, code] : {std::make_pair(0x8000u, isa::ErrorCode::Hazard), std::make_pair(0xa000u, isa::ErrorCode::ReadError)}) {
        set_program(d, base, base == 0x8000u ? 3 : 2);
        d.set(csr::Control, 1);
        d.wait_for_interrupt();
        EXPECT_EQ(d.get(csr::ErrorCode), static_cast<std::uint32_t>(code)) << block;
        for (const bool clear : {false, true}) {
          if (clear) d.set(csr::Control, 2);
          for (const std::uint32_t r : {csr::Status, csr::ErrorCode, csr::ErrorInstruction, csr::ErrorCycleLow, csr::ErrorCycleHigh}) {
            said.push_back(d.get(r));
          }
        }
      }
    });
    all.push_back(said);
    EXPECT_EQ(said, all.front()) << block;
  }
  EXPECT_EQ(all.front().size(), 20u);
  EXPECT_EQ(all.front()[0], 2u | 4u | 8u);  // done, error, interrupt
}

// A program that waits for ever: without further events the simulation ends. Its registers are there all the same.
TEST(Platform, ADeadlockIsTheSame) {
  const Machine machine = small_machine();
  const Schedule schedule = program_of("store wait=12 word=[0..15] address=4096 run_bytes=64 group_bytes=4\nhalt\n", machine);
  std::mt19937 random(1);
  const Seen seen = expect_same(machine, memory_with(schedule, random), [&](Driver& d) {
    set_program(d, 0x8000, 2);
    d.set(csr::InterruptEnable, 1);
    d.set(csr::Control, 1);
    d.pause(5000);
    EXPECT_EQ(d.get(csr::Status), 1u);
    d.pause(300);
    EXPECT_EQ(d.get(csr::Status), 1u);
    d.wait_for_interrupt();
  }, 3);  // npu=check is clocked for ever
  EXPECT_EQ(seen.interrupts, 0);
}

Schedule random_schedule(const Machine& machine, std::uint64_t seed) {
  regress::RandomNetworkLimits limits;
  limits.max_layers = 3;
  limits.max_channels = 10;
  limits.max_size = 6;
  limits.max_elements = 400;
  limits.max_macs = 10'000;
  regress::Random random(seed);
  for (;;) {
    try {
      return compile(regress::random_network(random, limits), machine);
    } catch (const UserError&) {  // does not fit: another
    }
  }
}

// A watchdog: the same program, which never ends by itself, is aborted and runs once more. Also where the chip is in lockstep and
// clocked all the time.
TEST(Platform, AnAbortEndsADeadlock) {
  const Machine machine = small_machine();
  const Schedule schedule = program_of(std::string(Copy) + "store wait=12 word=[0..15] address=4096 run_bytes=64 group_bytes=4\nhalt\n", machine);
  std::mt19937 random(1);
  const Seen seen = expect_same(machine, memory_with(schedule, random), [&](Driver& d) {
    set_program(d, 0x8000, 4);
    d.set(csr::InterruptEnable, 1);
    for (int run = 0; run < 2; ++run) {
      d.set(csr::Control, 1);
      d.pause(3000.25);
      EXPECT_EQ(d.get(csr::Status), 1u);
      d.set(csr::Control, 4);
      d.wait_for_interrupt();
      EXPECT_EQ(d.get(csr::Status), 2u | 4u | 8u);
      EXPECT_EQ(d.get(csr::ErrorCode), static_cast<std::uint32_t>(isa::ErrorCode::Aborted));
      EXPECT_EQ(d.get(csr::ErrorInstruction), 3u);  // would have been next: the halt
      d.read_all();
      d.set(csr::Control, 2);
    }
  }, 5);
  EXPECT_EQ(seen.interrupts, 2);
}

// An abort at any time, on and off the clock's grid, before, while and after a program runs: the same error in the same cycle, the same end, and the
// same requests to memory at the same times. The program after it is whole.
TEST(Platform, AbortsAtAnyTimeAreTheSame) {
  const std::uint64_t seed = test::random_seed(1);
  const Machine machine = small_machine();
  int aborted = 0, ended = 0;
  for (std::uint64_t k = 0; k < 6; ++k) {
    std::mt19937 random(static_cast<std::uint32_t>(seed * 7919 + k));
    const Schedule schedule = random_schedule(machine, seed * 7919 + k);
    const std::vector<std::uint8_t> memory = memory_with(schedule, random);
    const std::uint32_t driver_seed = random();
    Seen models;
    for (const char* block : Implementations) {
      aborted = ended = 0;
      const Seen seen = simulate(block, machine, memory, [&](Driver& d) {
        std::mt19937 own(driver_seed);
        const auto below = [&](int n) { return static_cast<int>(own() % static_cast<unsigned>(n)); };
        set_program(d, static_cast<std::uint32_t>(schedule.program_base), schedule.program.size());
        d.set(csr::InterruptEnable, 1);
        d.set(csr::Control, 1);
        d.wait_for_interrupt();
        const auto cycles = static_cast<int>(d.get(csr::CyclesLow));
        for (int run = 0; run < 12; ++run) {
          if (below(3) == 0) d.pause(0.1 * below(30));
          d.set(csr::Control, 3);
          if (run > 0) d.pause(below(2) == 0 ? below(cycles + 10) : 0.1 * below(10 * cycles));
          d.access(true, csr::Control, 4 + static_cast<std::uint32_t>(below(4)), 0.1 * below(50));  // start and clear are ignored beside it
          if (below(4) == 0) d.set(csr::Control, 4);
          while ((d.get(csr::Status) & 1) != 0) d.pause(5);
          ++(d.get(csr::ErrorCode) == static_cast<std::uint32_t>(isa::ErrorCode::Aborted) ? aborted : ended);
          d.read_all();
        }
      });
      if (block[0] == '\0') models = seen;
      expect_same_lines(block, seen.lines, models.lines);
    }
    if (HasFailure()) FAIL() << "GEMEL_SEED=" << seed << ", case " << k;
    EXPECT_GT(aborted, 3);
  }
}

// A reset at any time: of a running chip, of one at rest, in the middle of an access by somebody else. Registers are as in the beginning, and
// the next program is whole.
TEST(Platform, ResetsAtAnyTimeAreTheSame) {
  const std::uint64_t seed = test::random_seed(1);
  const Machine machine = small_machine();
  for (std::uint64_t k = 0; k < 4; ++k) {
    std::mt19937 random(static_cast<std::uint32_t>(seed * 104729 + k));
    const Schedule schedule = random_schedule(machine, seed * 104729 + k);
    const std::vector<std::uint8_t> memory = memory_with(schedule, random);
    const std::uint32_t driver_seed = random();
    Seen models;
    for (const char* block : Implementations) {
      int resets = 0, failed = 0;
      const Seen seen = simulate(block, machine, memory, [&](Driver& d) {
        std::mt19937 own(driver_seed);
        const auto below = [&](int n) { return static_cast<int>(own() % static_cast<unsigned>(n)); };
        const auto begin = [&] {
          set_program(d, static_cast<std::uint32_t>(schedule.program_base), schedule.program.size());
          d.set(csr::InterruptEnable, 1);
          d.set(csr::Control, 1);
        };
        begin();
        d.wait_for_interrupt();
        const auto cycles = static_cast<int>(d.get(csr::CyclesLow));
        for (int run = 0; run < 10; ++run) {
          begin();
          // The reset comes from elsewhere: an access may be under way.
          const int after = 10 * below(cycles + 20) + 3, length = 1 + below(40);
          sc_core::sc_spawn([&d, after, length] {
            sc_core::wait(0.1 * after, sc_core::SC_NS);
            d.reset.write(true);
            sc_core::wait(length, sc_core::SC_NS);
            d.reset.write(false);
          });
          d.may_fail = true;
          for (const double end = sc_core::sc_time_stamp().to_seconds() * 1e9 + 0.1 * after + length + 2; sc_core::sc_time_stamp().to_seconds() * 1e9 < end;) {
            d.get(csr::Version);
            d.pause(below(3) == 0 ? 0.1 * below(400) : 1);
          }
          d.may_fail = false;
          ++resets;
          d.read_all();
          d.pause(60);  // what memory has got is over
          begin();
          d.wait_for_interrupt();
          EXPECT_EQ(d.get(csr::ErrorCode), 0u) << block;
          EXPECT_EQ(static_cast<int>(d.get(csr::CyclesLow)), cycles) << block;
          d.read_all();
        }
      });
      for (const std::string& line : seen.of_software) failed += line.find(": failed") != std::string::npos ? 1 : 0;
      EXPECT_EQ(resets, 10);
      EXPECT_GE(failed, 10) << block;
      if (block[0] == '\0') models = seen;
      expect_same_lines(block, seen.of_software, models.of_software);
    }
    if (HasFailure()) FAIL() << "GEMEL_SEED=" << seed << ", case " << k;
  }
}

TEST(Platform, NetworksAndDriversOfAnyKindAreTheSame) {
  const std::uint64_t seed = test::random_seed(1);
  const Machine machine = small_machine();
  for (std::uint64_t k = 0; k < 12; ++k) {
    std::mt19937 random(static_cast<std::uint32_t>(seed + k));
    const Schedule schedule = random_schedule(machine, seed + k);
    const std::vector<std::uint8_t> memory = memory_with(schedule, random);
    const std::uint32_t driver_seed = random();
    expect_same(machine, memory, [&](Driver& d) {
      std::mt19937 own(driver_seed);
      const auto below = [&](int n) { return static_cast<int>(own() % static_cast<unsigned>(n)); };
      for (int run = 0; run < 2; ++run) {
        set_program(d, static_cast<std::uint32_t>(schedule.program_base), schedule.program.size());
        d.pause(0.1 * below(100));
        d.access(true, csr::InterruptEnable, 1, 0.1 * below(100));
        d.access(true, csr::Control, 1 + 2 * below(2), 0.1 * below(100));
        while ((d.access(false, csr::Status, 0, 0.1 * below(50)) & 1) != 0) {
          d.pause(0.1 * below(own() % 4 == 0 ? 20000 : 40));
          switch (below(6)) {
            case 0: d.set(csr::InterruptEnable, own() & 1); break;
            case 1: d.set(csr::ProgramBaseLow, 64); break;
            case 2: d.set(csr::Control, own() & 2); break;
            case 3: d.get(csr::InterruptEnable); break;
            default: break;
          }
        }
        d.read_all();
      }
    });
    if (HasFailure()) FAIL() << "GEMEL_SEED=" << seed + k << " is the first case";
  }
}

// A method cannot wait, and the running machine's registers answer in time only.
TEST(Platform, AMethodCannotAccessARunningMachine) {
  const Machine machine = small_machine();
  const Schedule schedule = program_of(std::string(Copy) + "halt\n", machine);
  std::mt19937 random(1);
  const auto memory = memory_with(schedule, random);
  for (const char* block : Implementations) {
    std::string said;
    try {
      simulate(block, machine, memory, [&](Driver& d) {
        set_program(d, 0x8000, 3);
        d.set(csr::Control, 1);
        sc_core::sc_spawn_options options;
        options.spawn_method();
        sc_core::sc_spawn([&d] { d.get(csr::Status); }, "method", &options);
        d.pause(10);
      });
    } catch (const sc_core::sc_report& report) {
      said = report.get_msg();
    }
    EXPECT_NE(said.find("error[E1017]: a control register of the NPU is accessed from outside of any thread while a program runs\n"
                        "hint: call b_transport from an SC_THREAD: the access waits for its answer"), std::string::npos) << block << ": " << said;
  }
}

}  // namespace
}  // namespace gemel
