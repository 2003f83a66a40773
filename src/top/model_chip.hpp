// SPDX-License-Identifier: Apache-2.0
// The floor plan of the fast models: sequencer, units and scratchpads, wired to each other and to three ports of memory. It knows neither
// SystemC nor an engine: the sequencer is an Agent that somebody wakes, the units answer it at once, and the DMAs live on memory's answers.
// pe_array may be a clocked one.
#pragma once
#include <array>
#include <memory>

#include "base/clocked.hpp"
#include "blocks/load_dma/load_dma_model.hpp"
#include "blocks/matrix_unit/matrix_unit_model.hpp"
#include "blocks/sequencer/sequencer_model.hpp"
#include "blocks/store_dma/store_dma_model.hpp"
#include "blocks/vector_unit/vector_unit_model.hpp"
#include "memory/axi_stalls.hpp"

namespace gemel {

struct ModelChipPorts {
  RevocableReadPort& fetch;
  ReadPort& load;
  WritePort& store;
};

class ModelChip : private SequencerObserver {
 public:
  // What the chip tells whoever runs it.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void halted(Cycle x) = 0;  // running is 0 from x+1 on
    // The clocked array does not keep its contract: the run is void, and is to be stopped.
    virtual void array_failed() = 0;
    // Only after read_directly(): a load's and a store's bytes meet while both are at work, or a load's are not all in memory: what memory would have to
    // say about that is not found here.
    virtual void doubtful() {}
  };

  // All of it outlives the chip. `array`: does the arithmetic of pe_array, clocked, not with timing_only; nullptr: the models do it.
  ModelChip(const Machine& machine, ModelChipPorts memory, Waker& waker, Listener& listener, bool timing_only,
            Clocked<PeArrayIn, PeArrayOut>* array);
  ~ModelChip() override;

  // As the chip's reset, but that the buffers keep what they hold. The sinks and the agent are others afterwards.
  void reset();
  // What the bytes of requests to memory lie in: for whoever expects answers to them beyond a reset.
  std::shared_ptr<const void> units() const { return units_; }
  // After reset or construction; once. `running` is 1 from cycle0 on.
  void run(std::uint64_t program_base, std::uint32_t program_bytes, Cycle cycle0);

  // Before run(): load_dma decides its reads itself, as LoadDmaModel::read_directly() has it. Instructions are asked whether that goes with memory of
  // `memory_bytes`, where the program lies at [first, end).
  bool read_directly(ReadChannel& channel, std::uint64_t memory_bytes);
  LoadDmaModel& load_dma() { return *units_->load_dma; }

  // control.abort counts in cycle `at`, which lies ahead.
  void abort(Cycle at) { units_->sequencer->abort(at); }

  // Where memory's answers go.
  ReadSink& fetch_sink() { return *units_->sequencer; }
  ReadSink& load_sink() { return *units_->load_dma; }
  WriteSink& store_sink() { return *units_->store_dma; }
  Agent& agent() { return *units_->sequencer; }

  void observe(SequencerObserver* observer) { observer_ = observer; }
  const SequencerModel& sequencer() const { return *units_->sequencer; }
  const LoadDmaModel& load_dma() const { return *units_->load_dma; }
  const StoreDmaModel& store_dma() const { return *units_->store_dma; }
  const MatrixUnitModel& matrix_unit() const { return *units_->matrix_unit; }

 private:
  void running_from(Cycle cycle0) override;
  void started(isa::Unit unit, std::uint32_t index, const isa::Instruction& instruction, Cycle s) override;
  void finished(isa::Unit unit, std::uint32_t index, const isa::Instruction& instruction, Cycle s, Cycle p) override;
  void counted(isa::Unit unit, isa::Cause cause, int tag, Cycle first, Cycle cycles) override;
  void halted(Cycle x) override;
  void settle_array(Cycle last);
  struct Units {
    std::unique_ptr<SequencerModel> sequencer;
    std::unique_ptr<LoadDmaModel> load_dma;
    std::unique_ptr<StoreDmaModel> store_dma;
    std::unique_ptr<MatrixUnitModel> matrix_unit;
    std::unique_ptr<VectorUnitModel> vector_unit;
  };
  Scratchpad* pad(Buffer b) { return scratchpads_[static_cast<std::size_t>(b)].get(); }

  // Bytes of memory of the instructions of a DMA that are at work: of loads, of stores.
  void look_at_bytes(isa::Unit unit, const isa::Instruction& instruction);
  struct Bytes {
    std::array<isa::Extent, 2> of{};
    int count = 0;
  };

  const Machine& machine_;
  ModelChipPorts memory_;
  AxiStalls stalls_;  // of the bridge before these ports
  Waker& waker_;
  Listener& listener_;
  Clocked<PeArrayIn, PeArrayOut>* array_;
  bool array_failed_ = false;
  SequencerObserver* observer_ = nullptr;
  std::array<std::unique_ptr<Scratchpad>, BufferCount> scratchpads_;
  std::shared_ptr<Units> units_;
  std::uint64_t direct_bytes_ = 0;  // of memory, where load_dma reads directly
  isa::Extent program_;             // then
  std::array<Bytes, 2> at_work_;
};

}  // namespace gemel
