// SPDX-License-Identifier: Apache-2.0
// What stands inside npu: the floor plan, three times. ModelEngine wires up the fast models: the sequencer is an agent that SystemC
// wakes, the units answer it at once, and the DMAs live on memory's answers; pe_array may be a clocked one. BeatEngine runs the stepper (beat models and RTL)
// in a thread, clock by clock. ChipEngine clocks the whole chip as RTL, whose own registers are accessed. Rooms do not know each other.
#pragma once
#include <array>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ring.hpp"
#include "blocks/sequencer/control_register.hpp"
#include "gemel/npu.hpp"
#include "top/bridge.hpp"
#include "top/master.hpp"
#include "top/model_chip.hpp"
#include "top/swap.hpp"

namespace gemel {

using NpuMaster = AxiMaster<tlm_utils::simple_initiator_socket_tagged<Npu>>;

// A whole even number of picoseconds, and of SystemC's time resolution: memory decides half a period after the edge. UserError E1022 where
// the resolution is too coarse.
sc_core::sc_time clock_period(const Machine& machine);

class Npu::Engine {
 public:
  // What a program has done so far, or the last one did.
  struct Figures {
    Cycle cycles = 0;  // of a program that has ended
    isa::ErrorCode error = isa::ErrorCode::None;
    UnitCounters counters{};
    MemoryTraffic traffic;
    std::vector<SequencerCounters> layer_counters;  // by tag, where the engine counts so; else the observer is told
  };
  struct Access {
    bool write = false;
    std::uint32_t offset = 0, value = 0;  // what was read stands in `value`
    Cycle at = 0;                         // on the wires
    Cycle answered = 0;                   // on the wires: two cycles later
    bool aborts() const { return write && offset == isa::csr::Control && (value & ControlAbort) != 0; }
  };
  virtual ~Engine() = default;
  // While a program runs this waits for the access's time, in the caller's thread; else no simulated time goes by. Of no effect if
  // a reset comes meanwhile.
  virtual void access(Access& access) = 0;
  // A read that takes no time; false if that cannot be done now.
  virtual bool peek(std::uint32_t offset, std::uint32_t& value) = 0;
  // As the chip's reset, now, whatever it does: but for the buffers all is as in the beginning. Answers to what memory has been asked for
  // go nowhere.
  virtual void reset() = 0;
  virtual const char* name() const = 0;  // as in Result::engine
  virtual Figures figures() = 0;
  virtual bool sees_instructions() const { return true; }  // when which of them starts and ends
  // Told of the programs that are this one, at this address, from the next start on; nullptr: nobody is.
  void observe(SequencerObserver* observer, std::uint64_t program_base, const std::vector<isa::Word>* program) {
    observer_ = observer;
    observed_base_ = program_base;
    observed_ = program;
    observing_ = false;
    kept_ = {};
  }
  // Of the last program that was observed.
  Figures observed_figures() { return observing_ ? figures() : kept_; }
  std::function<void(bool level, Cycle at)> interrupt;  // is to be on the wires from that cycle on; told in order, ahead of time

 protected:
  // RunError E1017 where the caller cannot wait: it is no thread.
  static void require_thread();
  // Whoever is told of the program that begins now. To be called while the figures are still those of the one before.
  SequencerObserver* begin(std::uint64_t program_base, std::uint32_t program_bytes) {
    const bool is_it = observer_ != nullptr && program_base == observed_base_ && program_bytes == observed_->size() * isa::InstructionBytes;
    if (observing_ && !is_it) kept_ = figures();
    observing_ = is_it;
    return is_it ? observer_ : nullptr;
  }
  const std::vector<isa::Word>* observed() const { return observed_; }

 private:
  SequencerObserver* observer_ = nullptr;
  std::uint64_t observed_base_ = 0;
  const std::vector<isa::Word>* observed_ = nullptr;
  bool observing_ = false;  // the program that runs, or the last one
  Figures kept_;
};

inline MemoryTraffic operator-(const MemoryTraffic& a, const MemoryTraffic& b) {
  const auto less = [](const Traffic& x, const Traffic& y) { return Traffic{x.bursts - y.bursts, x.bytes - y.bytes}; };
  return {less(a.fetch, b.fetch), less(a.load, b.load), less(a.store, b.store)};
}

// Register file for the model engines, with the timing of rtl/sequencer: a write takes effect, and a read returns the state, two cycles
// after the access. While a program runs `status` tells running, done and interrupt; error, cycles and counters are told when it has ended.
class ModelledRegisters : public Npu::Engine {
 public:
  explicit ModelledRegisters(sc_core::sc_time period) : period_(period) {}
  void access(Access& access) override;
  bool peek(std::uint32_t offset, std::uint32_t& value) override;
  void reset() override;

 protected:
  virtual void run(std::uint64_t program_base, std::uint32_t program_bytes, Cycle cycle0) = 0;  // `running` is 1 from cycle0 on
  virtual void abort(Cycle at) = 0;  // control.abort is written: on the wires in cycle `at`, which lies ahead
  virtual void forget() = 0;         // of reset(): the program that runs, and the counts of the last one
  virtual bool running() const = 0;
  virtual Cycle cycles() const = 0;
  virtual UnitCounters counters() const = 0;
  virtual MachineError error() const = 0;
  void halted(Cycle x);  // to be called in cycle x: running is 0 from x+1 on
  sc_core::sc_time period() const { return period_; }

 private:
  void write(std::uint32_t offset, std::uint32_t value, Cycle settled);
  std::uint32_t read(std::uint32_t offset, bool interrupt_level) const;
  void update_interrupt(Cycle at);

  sc_core::sc_time period_;
  std::uint64_t program_base_ = 0;
  std::uint32_t program_bytes_ = 0;
  bool interrupt_enable_ = false, done_ = false;
  bool cleared_ = false;               // the error of the last run
  std::int64_t resets_ = 0;
  sc_core::sc_event reset_;  // for those who wait for the answer of an access
  bool level_ = false, level_before_ = false;
  Cycle level_from_ = 0;
};

// One process that wakes an agent at the cycles it asks for.
class AgentProcess : public sc_core::sc_module, public Waker {
 public:
  SC_HAS_PROCESS(AgentProcess);
  AgentProcess(sc_core::sc_module_name name, sc_core::sc_time period);
  void wakes(Agent& agent);  // from now on; what the one before has asked for is forgotten
  void wake_at(Cycle cycle) override;
  // Throws again what the agent has thrown; SystemC keeps its text only. Nothing if it has not.
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void run();

  Agent* agent_ = nullptr;
  std::exception_ptr failure_;
  sc_core::sc_time period_;
  sc_core::sc_event event_;
  std::vector<Cycle> pending_;  // min-heap
  Cycle notified_ = Never;
};

// Requests of fetch, passed on when they are due: until then they can be taken back, and a TLM target would not give them back.
class FetchProcess : public sc_core::sc_module, public RevocableReadPort {
 public:
  SC_HAS_PROCESS(FetchProcess);
  FetchProcess(sc_core::sc_module_name name, ReadPort& memory, sc_core::sc_time period);
  using ReadPort::read;
  void read(std::uint64_t address, std::uint32_t bytes, std::uint8_t* data, Cycle at) override;
  void take_back(std::int64_t count) override;
  void forget();  // all requests that are not due yet

 private:
  struct Request {
    std::uint64_t address = 0;
    std::uint8_t* data = nullptr;
    Cycle at = 0;
    std::uint32_t bytes = 0;
  };
  void send();

  ReadPort& memory_;
  sc_core::sc_time period_;
  sc_core::sc_event due_;
  Ring<Request> requests_;
};

class ModelEngine : public ModelledRegisters, private ModelChip::Listener {
 public:
  // `array`: does the arithmetic of pe_array, clocked; nullptr: the models do it.
  ModelEngine(const Machine& machine, std::array<NpuMaster*, 3> masters, sc_core::sc_time period, bool timing_only,
              Clocked<PeArrayIn, PeArrayOut>* array);

  void run(std::uint64_t program_base, std::uint32_t program_bytes, Cycle cycle0) override;
  void abort(Cycle at) override { chip_.abort(at + 1); }
  void forget() override;
  bool running() const override { return chip_.sequencer().running(); }
  Cycle cycles() const override { return chip_.sequencer().cycles(); }
  UnitCounters counters() const override { return chip_.sequencer().counters(); }
  MachineError error() const override { return chip_.sequencer().error(); }

  const char* name() const override { return "systemc"; }
  Figures figures() override;

  const ModelChip& chip() const { return chip_; }
  void rethrow() const { process_->rethrow(); }
  // The array has not kept its contract: the simulation has been stopped, and its results are void.
  bool has_array_failed() const { return array_failed_; }

 private:
  void halted(Cycle x) override { ModelledRegisters::halted(x); }
  void array_failed() override;
  void connect();

  Machine machine_;
  std::array<NpuMaster*, 3> masters_;
  bool used_ = false;  // the units have run a program
  bool array_failed_ = false;
  std::unique_ptr<AgentProcess> process_;
  std::unique_ptr<FetchProcess> fetch_;
  ModelChip chip_;
};

// Thrown into an engine's thread, out of whatever it is doing, by a reset.
struct ResetPulled {};

// A difference of a checked block ends the simulation with RunError E0806.
class BeatEngine : public ModelledRegisters, public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(BeatEngine);
  BeatEngine(sc_core::sc_module_name name, const Machine& machine, std::array<NpuMaster*, 3> masters, sc_core::sc_time period,
             const NpuParts& parts);

  void run(std::uint64_t program_base, std::uint32_t program_bytes, Cycle cycle0) override;
  void abort(Cycle at) override;
  void forget() override;
  bool running() const override { return running_; }
  Cycle cycles() const override { return result_.cycles; }
  UnitCounters counters() const override { return result_.counters; }
  MachineError error() const override {
    return {result_.error_code, result_.error_cycle, result_.error_instruction, {}};
  }
  const char* name() const override { return "beat"; }
  Figures figures() override;

 private:
  void thread();
  void write_abort(SequencerIn& control);
  Cycle wait_for_abort();

  std::string in_flight_text(const std::string& block);

  Machine machine_;
  std::array<NpuMaster*, 3> masters_;
  RtlPulse pulse_;
  RtlPatience patience_;
  BridgeBeat bridge_;
  std::unique_ptr<Stepper> stepper_;
  sc_core::sc_event start_, software_;
  sc_core::sc_process_handle process_;  // of thread()
  std::uint64_t program_base_ = 0;
  std::uint32_t program_bytes_ = 0;
  Cycle cycle0_ = 0;
  Cycle abort_at_ = Never;  // on the wires
  bool used_ = false;       // it has run a program
  bool running_ = false;
  StepperResult result_;
  MemoryTraffic before_;    // the program
};

// The whole chip as RTL. It is clocked while a program runs, and for accesses of its registers; in between time leaves no trace in it.
class ChipEngine : public Npu::Engine, public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(ChipEngine);
  ChipEngine(sc_core::sc_module_name name, const Machine& machine, std::array<NpuMaster*, 3> masters, sc_core::sc_time period,
             const NpuParts& parts);

  void access(Access& access) override;
  bool peek(std::uint32_t offset, std::uint32_t& value) override;  // not while a program runs
  void reset() override;
  const char* name() const override { return "beat"; }
  Figures figures() override;
  bool sees_instructions() const override { return false; }

 private:
  struct Waiting {
    Access& access;
    bool done = false;  // else it came too late for this run
    sc_core::sc_event event;
  };
  void thread();
  void clock_program();
  std::int64_t read64(std::uint32_t offset);    // of registers, at rest
  void tick();
  void sleep();                                 // while nothing moves
  void access_at_rest(Access& access);
  void clock(NpuIn in);
  static void drive(NpuIn& in, const Access& access);
  [[noreturn]] void no_answer(const Access& access) const;

  sc_core::sc_time period_;
  std::array<NpuMaster*, 3> masters_;
  RtlPulse pulse_;
  RtlPatience patience_;
  BridgeBeat bridge_;
  std::unique_ptr<NpuBlock> npu_;
  Cycle clock_ = 0;                             // that npu_->out() belongs to
  bool active_ = false;                         // the thread clocks
  bool level_ = false;                          // of the interrupt
  MemoryTraffic before_;                        // the program
  std::deque<Waiting*> waiting_, writing_, reading_;  // not yet on the wires; on their way
  sc_core::sc_event start_, arrived_;
  sc_core::sc_process_handle process_;          // of thread()
  std::vector<std::uint8_t> fetched_, loaded_;  // the beats of a cycle
};

// For those who build a machine themselves (sim, tests): like Npu, from a Machine.
struct NpuParts {
  Machine machine;
  std::vector<BlockChoice> choices;
  bool timing_only = false;
  RtlHangs rtl_hangs;
  std::function<void(const std::string& text)> rtl_says;  // NpuConfig
  // Without choices, not timing-only: a pe_array between the fast models. It outlives the Npu.
  Clocked<PeArrayIn, PeArrayOut>* array = nullptr;
};

// How RTL is made for a platform: what is displayed and said goes to `rtl_says`.
SwapOptions swap_options(const NpuParts& parts);

}  // namespace gemel
