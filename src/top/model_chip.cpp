// SPDX-License-Identifier: Apache-2.0
#include "top/model_chip.hpp"

#include "top/stepper.hpp"

namespace gemel {

ModelChip::ModelChip(const Machine& machine, ModelChipPorts memory, Waker& waker, Listener& listener, bool timing_only,
                     Clocked<PeArrayIn, PeArrayOut>* array)
    : machine_(machine), memory_(memory), stalls_(axi_stalls(machine)), waker_(waker), listener_(listener), array_(array) {
  if (!timing_only) {
    for (int b = 0; b < BufferCount; ++b) {
      scratchpads_[static_cast<std::size_t>(b)] = std::make_unique<Scratchpad>(machine_, static_cast<Buffer>(b));
    }
  }
  reset();
}

ModelChip::~ModelChip() = default;

void ModelChip::reset() {
  auto units = std::make_shared<Units>();
  units->sequencer = std::make_unique<SequencerModel>(machine_, memory_.fetch, stalls_.fetch);
  SequencerModel& sequencer = *units->sequencer;
  units->load_dma = std::make_unique<LoadDmaModel>(
      machine_, sequencer, memory_.load, stalls_.load,
      std::array<Scratchpad*, 4>{pad(Buffer::Activation), pad(Buffer::Weight), pad(Buffer::Vector), pad(Buffer::Param)});
  units->store_dma = std::make_unique<StoreDmaModel>(machine_, sequencer, memory_.store, stalls_.store, pad(Buffer::Vector));
  units->matrix_unit = std::make_unique<MatrixUnitModel>(machine_, sequencer, pad(Buffer::Activation), pad(Buffer::Weight),
                                                         pad(Buffer::Accumulator));
  units->vector_unit = std::make_unique<VectorUnitModel>(machine_, sequencer, pad(Buffer::Accumulator), pad(Buffer::Vector),
                                                         pad(Buffer::Param));
  sequencer.connect({units->load_dma.get(), units->matrix_unit.get(), units->vector_unit.get(), units->store_dma.get()});
  sequencer.observe(this);
  sequencer.attach(waker_);
  units_ = std::move(units);
}

bool ModelChip::read_directly(ReadChannel& channel, std::uint64_t memory_bytes) {
  if (!units_->load_dma->read_directly(channel)) return false;
  direct_bytes_ = memory_bytes;
  return true;
}

void ModelChip::look_at_bytes(isa::Unit unit, const isa::Instruction& instruction) {
  const bool is_store = unit == isa::Unit::Store;
  const isa::Extent bytes = isa::memory_bytes(instruction);
  const auto meets = [&](const isa::Extent& other) { return other.any && bytes.any && bytes.first <= other.last && other.first <= bytes.last; };
  const Bytes& others = at_work_[is_store ? 0 : 1];
  bool doubtful = is_store ? meets(program_) : bytes.last >= static_cast<std::int64_t>(direct_bytes_);
  for (int i = 0; i < others.count; ++i) doubtful |= meets(others.of[static_cast<std::size_t>(i)]);
  if (doubtful) listener_.doubtful();
  Bytes& own = at_work_[is_store ? 1 : 0];
  own.of[static_cast<std::size_t>(own.count++)] = bytes;
}

void ModelChip::run(std::uint64_t program_base, std::uint32_t program_bytes, Cycle cycle0) {
  program_ = {program_bytes > 0, static_cast<std::int64_t>(program_base), static_cast<std::int64_t>(program_base + program_bytes) - 1};
  if (array_ != nullptr) units_->matrix_unit->feed(*array_, cycle0 - Stepper::CyclesToStart);
  if (program_bytes > 0) stalls_.begin(cycle0 + 1);
  units_->sequencer->run(program_base, program_bytes, cycle0);
}

void ModelChip::settle_array(Cycle last) {
  if (array_failed_ || units_->matrix_unit->settle(last)) return;
  array_failed_ = true;
  listener_.array_failed();
}

void ModelChip::running_from(Cycle cycle0) {
  if (observer_ != nullptr) observer_->running_from(cycle0);
}

void ModelChip::started(isa::Unit unit, std::uint32_t index, const isa::Instruction& instruction, Cycle s) {
  if (direct_bytes_ > 0 && (unit == isa::Unit::Load || unit == isa::Unit::Store)) look_at_bytes(unit, instruction);
  if (observer_ != nullptr) observer_->started(unit, index, instruction, s);
}

void ModelChip::finished(isa::Unit unit, std::uint32_t index, const isa::Instruction& instruction, Cycle s, Cycle p) {
  if (unit == isa::Unit::Matrix) settle_array(p);
  if (direct_bytes_ > 0 && (unit == isa::Unit::Load || unit == isa::Unit::Store)) {
    Bytes& own = at_work_[unit == isa::Unit::Store ? 1 : 0];
    own.of[0] = own.of[1];
    --own.count;
  }
  if (observer_ != nullptr) observer_->finished(unit, index, instruction, s, p);
}

void ModelChip::counted(isa::Unit unit, isa::Cause cause, int tag, Cycle first, Cycle cycles) {
  if (observer_ != nullptr) observer_->counted(unit, cause, tag, first, cycles);
}

void ModelChip::halted(Cycle x) {
  settle_array(x);
  if (observer_ != nullptr) observer_->halted(x);
  listener_.halted(x);
}

}  // namespace gemel
