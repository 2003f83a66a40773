// SPDX-License-Identifier: Apache-2.0
// npu: the whole machine as one SystemC module. A TLM-2.0 target for control (csr), three TLM-2.0 initiators for memory (fetch,
// load, store; approximately timed, one transaction per AXI burst), an interrupt. Inside, the fast models of all
// blocks: agents that SystemC wakes, one process each. This file is the floor plan; rooms do not know each other.
#pragma once
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "blocks/load_dma/load_dma_model.hpp"
#include "blocks/matrix_unit/matrix_unit_model.hpp"
#include "blocks/sequencer/sequencer_model.hpp"
#include "blocks/store_dma/store_dma_model.hpp"
#include "blocks/vector_unit/vector_unit_model.hpp"
#include "memory/ideal_memory.hpp"

namespace gemel {

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

struct NpuOptions {
  bool timing_only = false;                      // no data is moved or computed
  std::array<int, 3> process_order = {0, 1, 2};  // order in which the processes (sequencer, load_dma, store_dma) are made
};

class Npu : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(Npu);
  Npu(sc_core::sc_module_name name, const Machine& machine, sc_core::sc_time period, NpuOptions options = {});
  ~Npu() override;

  tlm_utils::simple_target_socket<Npu> csr;
  tlm_utils::simple_initiator_socket_tagged<Npu> fetch, load, store;
  sc_core::sc_out<bool> interrupt;

  void observe(SequencerObserver* observer);
  const SequencerModel& sequencer() const { return *sequencer_; }
  const LoadDmaModel& load_dma() const { return *load_dma_; }
  const StoreDmaModel& store_dma() const { return *store_dma_; }
  const MatrixUnitModel& matrix_unit() const { return *matrix_unit_; }

 private:
  class Master;        // TLM side of one AXI master
  class PayloadPool;
  class HaltWatch;

  void control(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  unsigned control_debug(tlm::tlm_generic_payload& payload);
  std::uint32_t read_register(std::uint32_t offset) const;
  void write_register(std::uint32_t offset, std::uint32_t value, Cycle at);
  tlm::tlm_sync_enum backward(int master, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                              sc_core::sc_time& delay);
  void drive_interrupt();

  Machine machine_;
  sc_core::sc_time period_;
  std::unique_ptr<PayloadPool> pool_;
  std::array<std::unique_ptr<Master>, 3> masters_;
  std::array<std::unique_ptr<Scratchpad>, BufferCount> scratchpads_;
  std::unique_ptr<SequencerModel> sequencer_;
  std::unique_ptr<LoadDmaModel> load_dma_;
  std::unique_ptr<StoreDmaModel> store_dma_;
  std::unique_ptr<MatrixUnitModel> matrix_unit_;
  std::unique_ptr<VectorUnitModel> vector_unit_;
  std::unique_ptr<HaltWatch> halt_watch_;
  std::vector<std::unique_ptr<AgentProcess>> processes_;
  sc_core::sc_event interrupt_event_;
  std::uint64_t program_base_ = 0;
  std::uint32_t program_bytes_ = 0;
  bool interrupt_enable_ = false, started_ = false, interrupt_pending_ = false;
};

}  // namespace gemel
