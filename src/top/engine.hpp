// SPDX-License-Identifier: Apache-2.0
// What stands inside npu: the floor plan, twice. ModelEngine wires up the fast models: the sequencer is an agent that SystemC
// wakes, the units answer it at once, and the DMAs live on memory's answers. BeatEngine runs the stepper (beat models and RTL)
// in a thread, clock by clock. Rooms do not know each other.
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "blocks/load_dma/load_dma_model.hpp"
#include "blocks/matrix_unit/matrix_unit_model.hpp"
#include "blocks/sequencer/sequencer_model.hpp"
#include "blocks/store_dma/store_dma_model.hpp"
#include "blocks/vector_unit/vector_unit_model.hpp"
#include "gemel/npu.hpp"
#include "top/bridge.hpp"
#include "top/master.hpp"
#include "top/swap.hpp"

namespace gemel {

using NpuMaster = AxiMaster<tlm_utils::simple_initiator_socket_tagged<Npu>>;

// A whole even number of picoseconds: memory decides half a period after the edge.
sc_core::sc_time clock_period(const Machine& machine);

class Npu::Engine {
 public:
  virtual ~Engine() = default;
  // `running` is 1 from cycle0 on, or as soon after it as the engine can.
  virtual void run(std::uint64_t program_base, std::uint32_t program_bytes, Cycle cycle0) = 0;
  virtual bool running() const = 0;
  virtual Cycle cycles() const = 0;
  virtual UnitCounters counters() const = 0;
  virtual MachineError error() const = 0;
  std::function<void()> halted;  // called when a run ends; the interrupt is one clock later
};

// One process that wakes an agent at the cycles it asks for.
class AgentProcess : public sc_core::sc_module, public Waker {
 public:
  SC_HAS_PROCESS(AgentProcess);
  AgentProcess(sc_core::sc_module_name name, Agent& agent, sc_core::sc_time period);
  void wake_at(Cycle cycle) override;

 private:
  void run();

  Agent& agent_;
  sc_core::sc_time period_;
  sc_core::sc_event event_;
  std::vector<Cycle> pending_;  // min-heap
  Cycle notified_ = Never;
};

class ModelEngine : public Npu::Engine {
 public:
  ModelEngine(const Machine& machine, std::array<NpuMaster*, 3> masters, sc_core::sc_time period, bool timing_only);

  void run(std::uint64_t program_base, std::uint32_t program_bytes, Cycle cycle0) override {
    sequencer_->run(program_base, program_bytes, cycle0);
  }
  bool running() const override { return sequencer_->running(); }
  Cycle cycles() const override { return sequencer_->cycles(); }
  UnitCounters counters() const override { return sequencer_->counters(); }
  MachineError error() const override { return sequencer_->error(); }

  void observe(SequencerObserver* observer);
  const SequencerModel& sequencer() const { return *sequencer_; }
  const LoadDmaModel& load_dma() const { return *load_dma_; }
  const StoreDmaModel& store_dma() const { return *store_dma_; }
  const MatrixUnitModel& matrix_unit() const { return *matrix_unit_; }

 private:
  class HaltWatch;
  Machine machine_;
  std::array<std::unique_ptr<Scratchpad>, BufferCount> scratchpads_;
  std::unique_ptr<SequencerModel> sequencer_;
  std::unique_ptr<LoadDmaModel> load_dma_;
  std::unique_ptr<StoreDmaModel> store_dma_;
  std::unique_ptr<MatrixUnitModel> matrix_unit_;
  std::unique_ptr<VectorUnitModel> vector_unit_;
  std::unique_ptr<HaltWatch> halt_watch_;
  std::unique_ptr<AgentProcess> process_;
};

// A difference of a checked block ends the simulation with RunError E0806.
class BeatEngine : public Npu::Engine, public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(BeatEngine);
  BeatEngine(sc_core::sc_module_name name, const Machine& machine, std::array<NpuMaster*, 3> masters, sc_core::sc_time period,
             const std::vector<BlockChoice>& choices);

  void run(std::uint64_t program_base, std::uint32_t program_bytes, Cycle cycle0) override;
  bool running() const override { return running_; }
  Cycle cycles() const override { return result_.cycles; }
  UnitCounters counters() const override { return result_.counters; }
  MachineError error() const override {
    return {result_.error_code, result_.error_cycle, result_.error_instruction, {}};
  }

 private:
  void thread();

  Machine machine_;
  sc_core::sc_time period_;
  BridgeBeat bridge_;
  std::unique_ptr<Stepper> stepper_;
  sc_core::sc_event start_;
  std::uint64_t program_base_ = 0;
  std::uint32_t program_bytes_ = 0;
  bool running_ = false;
  StepperResult result_;
};

// For those who build a machine themselves (sim, tests): like Npu, from a Machine.
struct NpuParts {
  Machine machine;
  std::vector<BlockChoice> choices;
  bool timing_only = false;
};

}  // namespace gemel
