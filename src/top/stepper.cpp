// SPDX-License-Identifier: Apache-2.0
// stepper: the floor plan for beat models, and the loop; see stepper.hpp.
#include "top/stepper.hpp"

#include <algorithm>
#include <iterator>

#include "base/error.hpp"

namespace gemel {
namespace {

constexpr std::size_t MaxFaults = 100;

constexpr int Pause = 7;  // from one access of a register to the next, while pins are observed or registers used
constexpr std::uint32_t Registers[] = {isa::csr::Status, isa::csr::ProgramBaseLow, isa::csr::ProgramBaseHigh, isa::csr::ProgramBytes,
                                       isa::csr::InterruptEnable, isa::csr::ErrorCode, isa::csr::ErrorInstruction,
                                       isa::csr::ErrorCycleLow, isa::csr::ErrorCycleHigh, isa::csr::CyclesLow, isa::csr::CyclesHigh,
                                       isa::csr::Version};  // and the counters
constexpr std::size_t PlainRegisters = sizeof Registers / sizeof Registers[0];
constexpr std::size_t RegisterCount = PlainRegisters + 2 * isa::UnitCount * isa::CauseCount;

// Client numbers at the scratchpads; scratchpad_ports.hpp has the table.
constexpr std::size_t VectorReadByUnit = 0, VectorReadByStore = 1;
constexpr std::size_t AccumulatorReadByMatrix = 0, AccumulatorReadByVector = 1;

}  // namespace

isa::Unit unit_of(const std::string& block) {
  if (block == "sequencer" || block == "npu" || block == "npu_axi") return isa::Unit::None;
  if (block == "load_dma") return isa::Unit::Load;
  if (block == "store_dma") return isa::Unit::Store;
  if (block == "vector_unit" || block == "requantizer" || block == "vector_buffer" || block == "param_buffer") return isa::Unit::Vector;
  return isa::Unit::Matrix;
}

void tell_memory(const Machine& machine, const MemoryBeatIn& requests, const MemoryBeatOut& answers, Cycle now, const BeatObserver& observer) {
  const auto bus = static_cast<std::size_t>(machine.bus_bytes);
  const auto request = [&](Port port, const auto& wires, bool ready) {
    if (wires.valid) observer({port, now, wires.address, &wires.bytes, sizeof wires.bytes, !ready});
  };
  const auto data = [&](Port port, const ReadResponseWires& wires) {
    if (wires.valid) observer({port, now, (wires.last ? 1u : 0u) | (wires.error ? 2u : 0u), wires.data, bus});
  };
  request(Port::FetchRequest, requests.fetch, answers.fetch.request_ready);
  request(Port::LoadRequest, requests.load, answers.load.request_ready);
  request(Port::StoreRequest, requests.store, answers.store.request_ready);
  data(Port::FetchData, answers.fetch);
  data(Port::LoadData, answers.load);
  const WriteRequestWires& store = requests.store;
  if (store.data_valid) {
    observer({Port::StoreData, now, (store.data_last ? 1u : 0u) | std::uint32_t{store.strobe_first} << 8 | std::uint32_t{store.strobe_end} << 16,
              store.data, bus, !answers.store.data_ready});
  }
  if (answers.store.valid) observer({Port::StoreResponse, now, answers.store.error ? 2u : 0u, nullptr, 0});
}

Stepper::Stepper(const Machine& machine, std::vector<std::uint8_t>& memory, StepperBlocks blocks)
    : machine_(machine),
      blocks_(std::move(blocks)),
      ideal_(std::make_unique<IdealMemoryBeat>(machine, memory)),
      memory_(*ideal_) {
  complete();
}

Stepper::Stepper(const Machine& machine, MemoryBeat& memory, StepperBlocks blocks)
    : machine_(machine), blocks_(std::move(blocks)), memory_(memory) {
  complete();
}

void Stepper::complete() {
  StepperBlocks& b = blocks_;
  if (!b.sequencer) b.sequencer = std::make_unique<SequencerBeat>(machine_);
  if (!b.load_dma) b.load_dma = std::make_unique<LoadDmaBeat>(machine_);
  if (!b.matrix_unit) b.matrix_unit = std::make_unique<MatrixUnitBeat>(machine_);
  if (!b.pe_array) b.pe_array = std::make_unique<PeArrayBeat>(machine_);
  if (!b.vector_unit) b.vector_unit = std::make_unique<VectorUnitBeat>(machine_);
  if (!b.requantizer) b.requantizer = std::make_unique<RequantizerBeat>(machine_);
  if (!b.store_dma) b.store_dma = std::make_unique<StoreDmaBeat>(machine_);
  for (int i = 0; i < BufferCount; ++i) {
    auto& scratchpad = b.scratchpads[static_cast<std::size_t>(i)];
    if (!scratchpad) scratchpad = std::make_unique<ScratchpadBeat>(machine_, static_cast<Buffer>(i));
  }
  if (b.sequencer->layer_counters() == nullptr) shadow_ = std::make_unique<SequencerBeat>(machine_);
}

void Stepper::reset() {
  blocks_.sequencer->reset();
  if (shadow_) shadow_->reset();
  blocks_.load_dma->reset();
  blocks_.matrix_unit->reset();
  blocks_.pe_array->reset();
  blocks_.vector_unit->reset();
  blocks_.requantizer->reset();
  blocks_.store_dma->reset();
  for (auto& scratchpad : blocks_.scratchpads) scratchpad->reset();
  if (pins_) pins_->reset();
  forget();
}

void Stepper::forget() {
  for (auto& queue : in_flight_) queue.clear();
  busy_pads_ = 0;
  reads_before_ = 0;
  pause_ = 0;
  carried_ = {};
  result_ = {};
  last_beat_ = 0;
}

SequencerIn Stepper::next_access() {
  if ((!pins_ && !registers_) || --pause_ > 0) return {};
  pause_ = Pause;
  if (!registers_) return next_read();
  constexpr std::uint32_t Telling[] = {isa::csr::Status, isa::csr::ProgramBaseLow, isa::csr::ProgramBaseHigh, isa::csr::ProgramBytes,
                                       isa::csr::InterruptEnable, isa::csr::Version, isa::csr::ErrorCode, isa::csr::ErrorInstruction,
                                       isa::csr::ErrorCycleLow, isa::csr::ErrorCycleHigh};
  constexpr std::uint32_t Held[] = {isa::csr::ProgramBaseLow, isa::csr::InterruptEnable, isa::csr::ProgramBytes, isa::csr::Control,
                                    isa::csr::ProgramBaseHigh};
  constexpr std::uint32_t NoCommand = ~std::uint32_t{7};  // start, clear, abort
  const std::uint32_t n = accesses_++, random = (n * 0x9E3779B9u) ^ ((n * 0x85EBCA6Bu) >> 13);
  SequencerIn control;
  if (n % 3 == 2) {
    control.csr_write = true;
    control.csr_write_offset = Held[n / 3 % std::size(Held)];
    control.csr_write_data = control.csr_write_offset == isa::csr::Control ? random & NoCommand : random;
  } else {
    control.csr_read = true;
    control.csr_read_offset = Telling[(n - n / 3) % std::size(Telling)];
  }
  return control;
}

SequencerIn Stepper::next_read() {
  SequencerIn control;
  control.csr_read = true;
  const std::size_t i = next_register_++ % RegisterCount;
  control.csr_read_offset = i < PlainRegisters ? Registers[i] : isa::csr::Counters + 4 * static_cast<std::uint32_t>(i - PlainRegisters);
  return control;
}

void Stepper::read_registers() {
  next_register_ = 0;
  while (next_register_ < RegisterCount || pause_ > 1) {
    SequencerIn control;
    if (--pause_ <= 0) {
      pause_ = Pause;
      control = next_read();
    }
    step(control);
  }
}

StepperResult Stepper::run(std::uint64_t program_base, std::uint32_t program_bytes, Cycle max_cycles) {
  reset();
  return run_again(program_base, program_bytes, max_cycles);
}

StepperResult Stepper::run_again(std::uint64_t program_base, std::uint32_t program_bytes, Cycle max_cycles) {
  forget();
  struct Write {
    std::uint32_t offset, value;
  };
  const Write writes[] = {{isa::csr::ProgramBaseLow, static_cast<std::uint32_t>(program_base)},
                          {isa::csr::ProgramBaseHigh, static_cast<std::uint32_t>(program_base >> 32)},
                          {isa::csr::ProgramBytes, program_bytes},
                          {isa::csr::InterruptEnable, pins_ || registers_ ? 1u : 0u},
                          {isa::csr::Control, 1}};
  SequencerIn control;
  for (const Write& write : writes) {
    control = {};
    control.csr_write = true;
    control.csr_write_offset = write.offset;
    control.csr_write_data = write.value;
    step(control);
  }
  for (int waited = 0; !blocks_.sequencer->out().running; ++waited) {
    if (waited > 16) {  // the model takes two
      throw UserError("E1008", "block `sequencer` is not running 16 cycles after its register control was written",
                      "csr_write_i takes effect two cycles later: csr_written_o and running_o");
    }
    control = {};
    if (write_registers_) write_registers_(control);
    step(control);
  }
  while (blocks_.sequencer->out().running) {
    if (blocks_.sequencer->cycle() >= max_cycles) {
      result_.end = StepperEnd::CycleLimit;
      break;
    }
    control = next_access();
    if (write_registers_) write_registers_(control);
    step(control);
    ++result_.stepped;
    if (interrupted_ != nullptr && interrupted_->load(std::memory_order_relaxed)) {
      result_.end = StepperEnd::Interrupted;
      break;
    }
    if (watchdog_ > 0 && blocks_.sequencer->cycle() - last_beat_ > watchdog_) {
      result_.end = StepperEnd::Silent;
      break;
    }
    if (!skips() || !quiet() || !blocks_.sequencer->out().running) continue;
    Cycle until = memory_.until_change();
    if (until == Never && wait_for_software_) until = wait_for_software_();
    if (until == Never) {
      result_.end = StepperEnd::Deadlock;
      break;
    }
    const Cycle skipped = std::min(until - 1, max_cycles - blocks_.sequencer->cycle());
    if (skipped <= 0) continue;
    last_beat_ += skipped;
    memory_.skip(skipped);
    blocks_.sequencer->skip(skipped);
    if (shadow_) shadow_->skip(skipped);
  }
  result_.cycles = blocks_.sequencer->cycle();
  if ((pins_ || registers_) && result_.end == StepperEnd::Halt) read_registers();
  result_.counters = blocks_.sequencer->counters();
  count_by_layer();
  const SequencerFailure failure = blocks_.sequencer->failure();
  if (failure.code != isa::ErrorCode::None) {
    if (result_.end == StepperEnd::Halt) result_.end = StepperEnd::Error;
    result_.error_code = failure.code;
    result_.error_cycle = failure.cycle;
    result_.error_instruction = failure.instruction;
  }
  return result_;
}

// A shadow that has not counted what the sequencer counted (somebody's own, of other timing) knows nothing.
void Stepper::count_by_layer() {
  if (shadow_ && shadow_->counters() != result_.counters) return;
  result_.layer_counters = *(shadow_ ? shadow_->layer_counters() : blocks_.sequencer->layer_counters());
}

std::vector<std::uint32_t> Stepper::in_flight(isa::Unit unit) const {
  std::vector<std::uint32_t> indices;
  for (const std::size_t i : in_flight_[static_cast<std::size_t>(unit)]) indices.push_back(result_.instructions[i].index);
  return indices;
}

bool Stepper::quiet() const {
  return blocks_.sequencer->quiet() && blocks_.load_dma->quiet() && blocks_.matrix_unit->quiet() && blocks_.pe_array->quiet() && blocks_.vector_unit->quiet() &&
         blocks_.requantizer->quiet() && blocks_.store_dma->quiet() && busy_pads_ == 0 && memory_.quiet();
}

void Stepper::step(SequencerIn& control) {
  // What is on the wires. Copies: stepping a block changes its own.
  const SequencerOut sequencer = blocks_.sequencer->out();
  const LoadDmaOut load = blocks_.load_dma->out();
  const MatrixUnitOut matrix = blocks_.matrix_unit->out();
  const VectorUnitOut vector = blocks_.vector_unit->out();
  const StoreDmaOut store = blocks_.store_dma->out();
  const PeArrayOut array = blocks_.pe_array->out();
  const RequantizerOut requantizer = blocks_.requantizer->out();
  const MemoryBeatOut memory = memory_.out();
  const auto data = [this](Buffer buffer, std::size_t client) {
    return blocks_.scratchpads[static_cast<std::size_t>(buffer)]->out().data[client];
  };
  const auto command = [&sequencer](isa::Unit unit) { return sequencer.command[static_cast<std::size_t>(unit)]; };

  control.unit = {load.completion, matrix.completion, vector.completion, store.completion};
  control.memory = memory.fetch;
  if (sequencer.running) watch(sequencer, control.unit);
  if (observer_ && sequencer.running) tell(sequencer, load, matrix, vector, store, array, requantizer, memory);

  const LoadDmaIn load_in{command(isa::Unit::Load), memory.load};
  const MatrixUnitIn matrix_in{command(isa::Unit::Matrix), data(Buffer::Activation, 0), data(Buffer::Weight, 0),
                               data(Buffer::Accumulator, AccumulatorReadByMatrix), array};
  const VectorUnitIn vector_in{command(isa::Unit::Vector), data(Buffer::Accumulator, AccumulatorReadByVector),
                               data(Buffer::Vector, VectorReadByUnit), data(Buffer::Param, 0), requantizer};
  const StoreDmaIn store_in{command(isa::Unit::Store), data(Buffer::Vector, VectorReadByStore), memory.store};
  const MemoryBeatIn memory_in{sequencer.memory, load.memory, store.memory};

  if (pins_) {
    pins_->step({control.csr_write, control.csr_read, control.csr_write_offset, control.csr_write_data, control.csr_read_offset, memory},
                {memory_in, sequencer.running, sequencer.interrupt, sequencer.csr_written, sequencer.csr_answered, sequencer.csr_data});
  }

  if (watchdog_ > 0) {
    bool beat = memory.fetch.valid || memory.load.valid || memory.store.valid || store.memory.data_valid || load.write.enable ||
                matrix.activation.enable || matrix.weight.enable || matrix.accumulator_write.enable || vector.param.enable ||
                vector.vector_read.enable || vector.accumulator.enable || vector.vector_write.enable || store.vector.enable ||
                array.valid || requantizer.valid;
    for (const CompletionWires& c : control.unit) beat = beat || c.done || c.chain;
    for (const CommandWires& c : sequencer.command) beat = beat || c.valid;
    if (beat) last_beat_ = blocks_.sequencer->cycle();
  }

  const auto carry = [&](Carries carries, bool sent) { carried_[static_cast<std::size_t>(carries)] += sent ? 1 : 0; };
  carry(Carries::LoadedWord, load.write.enable);
  carry(Carries::AccumulatorWord, matrix.accumulator_write.enable);
  carry(Carries::ArraySums, array.valid);
  carry(Carries::RequantizedRow, requantizer.valid);
  carry(Carries::ResultWord, vector.vector_write.enable);
  carry(Carries::StoredBeat, store.memory.data_valid && memory.store.data_ready);

  // Clock: any order would do.
  const Cycle now = blocks_.sequencer->cycle();
  blocks_.sequencer->step(control);
  if (shadow_) {
    try {
      shadow_->step(control);
    } catch (const InternalError&) {  // what it gets does not fit its own commands
      shadow_->reset();
    }
  }
  blocks_.load_dma->step(load_in);
  blocks_.matrix_unit->step(matrix_in);
  blocks_.pe_array->step(matrix.array);
  blocks_.vector_unit->step(vector_in);
  blocks_.requantizer->step(vector.requantizer);
  blocks_.store_dma->step(store_in);
  step_memory(memory_, memory_in, now);

  // Scratchpads last: each is clocked only when somebody has an enable up, or while they are busy.
  const int now_busy = busy_pads_;
  busy_pads_ = 0;
  const auto clock_pad = [&](Buffer buffer, const ScratchpadIn& in) {
    Clocked<ScratchpadIn, ScratchpadOut>& pad = *blocks_.scratchpads[static_cast<std::size_t>(buffer)];
    pad.step(in);
    if (pad.quiet()) return;
    busy_pads_ |= 1 << static_cast<int>(buffer);  // with a fault on its wires, or RTL that is not quiet
    if (pad.out().fault != ScratchpadFault::None && result_.faults.size() < MaxFaults) {
      result_.faults.push_back({blocks_.sequencer->cycle() - 1, buffer, pad.out().fault, pad.out().fault_address});
    }
  };
  const auto wants = [&](Buffer buffer) { return !skips_ || (now_busy >> static_cast<int>(buffer) & 1) != 0; };
  const auto loads = [&](Buffer buffer) { return load.write.enable && load.buffer == buffer; };
  const auto loaded = [&](Buffer buffer) { return loads(buffer) ? load.write : SramWrite{}; };
  if (matrix.activation.enable || loads(Buffer::Activation) || wants(Buffer::Activation)) {
    clock_pad(Buffer::Activation, {{matrix.activation, {}}, {loaded(Buffer::Activation), {}}});
  }
  if (matrix.weight.enable || loads(Buffer::Weight) || wants(Buffer::Weight)) {
    clock_pad(Buffer::Weight, {{matrix.weight, {}}, {loaded(Buffer::Weight), {}}});
  }
  if (matrix.accumulator_read.enable || matrix.accumulator_write.enable || vector.accumulator.enable ||
      wants(Buffer::Accumulator)) {
    clock_pad(Buffer::Accumulator, {{matrix.accumulator_read, vector.accumulator}, {matrix.accumulator_write, {}}});
  }
  if (vector.vector_read.enable || vector.vector_write.enable || store.vector.enable || loads(Buffer::Vector) ||
      wants(Buffer::Vector)) {
    clock_pad(Buffer::Vector, {{vector.vector_read, store.vector}, {loaded(Buffer::Vector), vector.vector_write}});
  }
  if (vector.param.enable || loads(Buffer::Param) || wants(Buffer::Param)) {
    clock_pad(Buffer::Param, {{vector.param, {}}, {loaded(Buffer::Param), {}}});
  }
}

// Starts and ends of instructions.
void Stepper::watch(const SequencerOut& sequencer, const std::array<CompletionWires, isa::UnitCount>& completion) {
  for (std::size_t u = 0; u < in_flight_.size(); ++u) {
    if (completion[u].done && !in_flight_[u].empty()) {
      StepperInstruction& finished = result_.instructions[in_flight_[u].front()];
      finished.done = blocks_.sequencer->cycle();
      in_flight_[u].pop_front();
      if (program_observer_ != nullptr) {
        program_observer_->finished(finished.unit, finished.index, isa::decode((*program_)[finished.index]), finished.start, finished.done);
      }
    }
    if (!sequencer.command[u].valid) continue;
    in_flight_[u].push_back(result_.instructions.size());
    result_.instructions.push_back(
        {blocks_.sequencer->started_index(static_cast<int>(u)), static_cast<isa::Unit>(u), blocks_.sequencer->cycle(), Never});
    if (program_observer_ != nullptr) {
      const StepperInstruction& started = result_.instructions.back();
      program_observer_->started(started.unit, started.index, isa::decode((*program_)[started.index]), started.start);
    }
  }
}

void Stepper::tell(const SequencerOut& sequencer, const LoadDmaOut& load, const MatrixUnitOut& matrix,
                   const VectorUnitOut& vector, const StoreDmaOut& store, const PeArrayOut& array,
                   const RequantizerOut& requantizer, const MemoryBeatOut& memory) {
  const Cycle now = blocks_.sequencer->cycle();
  const auto beat = [&](Port port, std::uint64_t value, const void* data, std::size_t bytes) {
    ++result_.beats[static_cast<std::size_t>(port)];
    observer_({port, now, value, data, bytes});
  };
  const auto port = [](Port first, std::size_t offset) { return static_cast<Port>(static_cast<std::size_t>(first) + offset); };
  const CompletionWires* completions[] = {&load.completion, &matrix.completion, &vector.completion, &store.completion};
  for (std::size_t u = 0; u < isa::UnitCount; ++u) {
    if (sequencer.command[u].valid) {
      beat(port(Port::LoadCommand, u), 0, sequencer.command[u].word->data(), isa::InstructionBytes);
    }
    const CompletionWires& c = *completions[u];
    if (c.done || c.chain) {
      beat(port(Port::LoadCompletion, u), (c.done ? 1u : 0u) | (c.chain ? 2u : 0u) | (c.done && c.error ? 4u : 0u), nullptr, 0);
    }
  }
  tell_memory(machine_, {sequencer.memory, load.memory, store.memory}, memory, now, [this](const Beat& b) {
    ++result_.beats[static_cast<std::size_t>(b.port)];
    observer_(b);
  });
  const auto read = [&](Port p, const SramRead& wires) {
    if (wires.enable) beat(p, wires.address, nullptr, 0);
  };
  const auto write = [&](Port p, const SramWrite& wires, Buffer buffer) {
    if (wires.enable) beat(p, wires.address, wires.data, static_cast<std::size_t>(machine_.word_bytes(buffer)));
  };
  write(Port::LoadWrite, load.write, load.buffer);
  read(Port::MatrixActivationRead, matrix.activation);
  read(Port::MatrixWeightRead, matrix.weight);
  read(Port::MatrixAccumulatorRead, matrix.accumulator_read);
  write(Port::MatrixAccumulatorWrite, matrix.accumulator_write, Buffer::Accumulator);
  read(Port::VectorAccumulatorRead, vector.accumulator);
  read(Port::VectorVectorRead, vector.vector_read);
  read(Port::VectorParamRead, vector.param);
  write(Port::VectorVectorWrite, vector.vector_write, Buffer::Vector);
  read(Port::StoreVectorRead, store.vector);

  const struct {
    bool read;  // in this cycle
    Buffer buffer;
    std::size_t client;
  } reads[] = {{matrix.activation.enable, Buffer::Activation, 0},
               {matrix.weight.enable, Buffer::Weight, 0},
               {matrix.accumulator_read.enable, Buffer::Accumulator, AccumulatorReadByMatrix},
               {vector.accumulator.enable, Buffer::Accumulator, AccumulatorReadByVector},
               {vector.vector_read.enable, Buffer::Vector, VectorReadByUnit},
               {vector.param.enable, Buffer::Param, 0},
               {store.vector.enable, Buffer::Vector, VectorReadByStore}};
  std::uint32_t reads_now = 0;
  for (std::size_t i = 0; i < sizeof reads / sizeof reads[0]; ++i) {
    reads_now |= (reads[i].read ? 1u : 0u) << i;
    if ((reads_before_ >> i & 1) == 0) continue;
    beat(port(Port::MatrixActivationData, i), 0, blocks_.scratchpads[static_cast<std::size_t>(reads[i].buffer)]->out().data[reads[i].client],
         static_cast<std::size_t>(machine_.word_bytes(reads[i].buffer)));
  }
  reads_before_ = reads_now;

  const auto rows = static_cast<std::size_t>(machine_.rows), columns = static_cast<std::size_t>(machine_.columns);
  const auto lanes = static_cast<std::size_t>(machine_.lanes);
  if (matrix.array.weight_valid) beat(Port::ArrayWeight, 0, matrix.array.weight, columns * sizeof(std::int16_t));
  if (matrix.array.activation_valid) {
    beat(Port::ArrayActivation, matrix.array.activation_switch, matrix.array.activation, rows * sizeof(std::int16_t));
  }
  if (array.valid) beat(Port::ArraySums, 0, array.sums, columns * sizeof(std::int32_t));
  if (vector.requantizer.valid) {
    const auto rounding = static_cast<std::uint64_t>(vector.requantizer.rounding) << 8;
    beat(Port::RequantizerIn, rounding, vector.requantizer.x, lanes * sizeof(std::int32_t));
    beat(Port::RequantizerIn, rounding | 1, vector.requantizer.multiplier, lanes * sizeof(std::int32_t));
    beat(Port::RequantizerIn, rounding | 2, vector.requantizer.shift, lanes * sizeof(std::int32_t));
  }
  if (requantizer.valid) beat(Port::RequantizerOut, 0, requantizer.y, lanes * sizeof(std::int32_t));
}

}  // namespace gemel
