// SPDX-License-Identifier: Apache-2.0
// stepper: the floor plan for beat models, and the loop; see stepper.hpp.
#include "top/stepper.hpp"

#include "base/error.hpp"

namespace gemel {
namespace {

constexpr std::size_t MaxFaults = 100;

constexpr const char* PortNames[] = {
    "load_dma.command", "matrix_unit.command", "vector_unit.command", "store_dma.command",
    "load_dma.completion", "matrix_unit.completion", "vector_unit.completion", "store_dma.completion",
    "sequencer.ar", "sequencer.r", "load_dma.ar", "load_dma.r", "store_dma.aw", "store_dma.w", "store_dma.b",
    "load_dma.write",
    "matrix_unit.activation_read", "matrix_unit.weight_read", "matrix_unit.accumulator_read",
    "matrix_unit.accumulator_write",
    "vector_unit.accumulator_read", "vector_unit.vector_read", "vector_unit.param_read", "vector_unit.vector_write",
    "store_dma.vector_read",
    "pe_array.weight", "pe_array.activation", "pe_array.sums",
    "requantizer.in", "requantizer.out",
};
static_assert(sizeof PortNames / sizeof PortNames[0] == PortCount);

// Client numbers at the scratchpads; scratchpad_ports.hpp has the table.
constexpr std::size_t VectorReadByUnit = 0, VectorReadByStore = 1;
constexpr std::size_t AccumulatorReadByMatrix = 0, AccumulatorReadByVector = 1;

}  // namespace

const char* to_string(Port port) { return PortNames[static_cast<int>(port)]; }

Stepper::Stepper(const Machine& machine, std::vector<std::uint8_t>& memory)
    : machine_(machine),
      sequencer_(machine),
      load_dma_(machine),
      matrix_unit_(machine),
      pe_array_(machine),
      vector_unit_(machine),
      requantizer_(machine),
      store_dma_(machine),
      ideal_(std::make_unique<IdealMemoryBeat>(machine, memory)),
      memory_(*ideal_) {
  for (int b = 0; b < BufferCount; ++b) {
    scratchpads_[static_cast<std::size_t>(b)] = std::make_unique<ScratchpadBeat>(machine, static_cast<Buffer>(b));
  }
}

Stepper::Stepper(const Machine& machine, MemoryBeat& memory)
    : machine_(machine),
      sequencer_(machine),
      load_dma_(machine),
      matrix_unit_(machine),
      pe_array_(machine),
      vector_unit_(machine),
      requantizer_(machine),
      store_dma_(machine),
      memory_(memory) {
  for (int b = 0; b < BufferCount; ++b) {
    scratchpads_[static_cast<std::size_t>(b)] = std::make_unique<ScratchpadBeat>(machine, static_cast<Buffer>(b));
  }
}

void Stepper::reset() {
  sequencer_.reset();
  load_dma_.reset();
  matrix_unit_.reset();
  pe_array_.reset();
  vector_unit_.reset();
  requantizer_.reset();
  store_dma_.reset();
  for (auto& scratchpad : scratchpads_) scratchpad->reset();
  for (auto& queue : in_flight_) queue.clear();
  faulty_pads_ = 0;
  result_ = {};
}

StepperResult Stepper::run(std::uint64_t program_base, std::uint32_t program_bytes, Cycle max_cycles) {
  reset();
  struct Write {
    std::uint32_t offset, value;
  };
  const Write writes[] = {{isa::csr::ProgramBaseLow, static_cast<std::uint32_t>(program_base)},
                          {isa::csr::ProgramBaseHigh, static_cast<std::uint32_t>(program_base >> 32)},
                          {isa::csr::ProgramBytes, program_bytes},
                          {isa::csr::Control, 1}};
  SequencerIn control;
  for (const Write& write : writes) {
    control = {};
    control.csr_write = true;
    control.csr_write_offset = write.offset;
    control.csr_write_data = write.value;
    step(control);
  }
  while (!sequencer_.out().running) {
    control = {};
    step(control);
  }
  while (sequencer_.out().running) {
    if (sequencer_.cycle() >= max_cycles) {
      result_.end = StepperEnd::CycleLimit;
      break;
    }
    control = {};
    step(control);
    ++result_.stepped;
    if (!skips_ || !quiet() || !sequencer_.out().running) continue;
    const Cycle until = memory_.until_change();
    if (until == Never) {
      result_.end = StepperEnd::Deadlock;
      break;
    }
    const Cycle skipped = std::min(until - 1, max_cycles - sequencer_.cycle());
    if (skipped <= 0) continue;
    memory_.skip(skipped);
    sequencer_.skip(skipped);
  }
  result_.cycles = sequencer_.cycle();
  result_.counters = sequencer_.counters();
  const SequencerBeat::Failure& failure = sequencer_.failure();
  if (failure.code != isa::ErrorCode::None) {
    if (result_.end == StepperEnd::Halt) result_.end = StepperEnd::Error;
    result_.error_code = failure.code;
    result_.error_cycle = failure.cycle;
    result_.error_instruction = failure.instruction;
  }
  return result_;
}

bool Stepper::quiet() const {
  return sequencer_.quiet() && load_dma_.quiet() && matrix_unit_.quiet() && pe_array_.quiet() && vector_unit_.quiet() &&
         requantizer_.quiet() && store_dma_.quiet() && faulty_pads_ == 0 && memory_.quiet();
}

void Stepper::step(SequencerIn& control) {
  // What is on the wires. Copies: stepping a block changes its own.
  const SequencerOut sequencer = sequencer_.out();
  const LoadDmaOut load = load_dma_.out();
  const MatrixUnitOut matrix = matrix_unit_.out();
  const VectorUnitOut vector = vector_unit_.out();
  const StoreDmaOut store = store_dma_.out();
  const PeArrayOut array = pe_array_.out();
  const RequantizerOut requantizer = requantizer_.out();
  const MemoryBeatOut memory = memory_.out();
  const auto data = [this](Buffer buffer, std::size_t client) {
    return scratchpads_[static_cast<std::size_t>(buffer)]->out().data[client];
  };
  const auto command = [&sequencer](isa::Unit unit) { return sequencer.command[static_cast<std::size_t>(unit)]; };

  control.unit = {load.completion, matrix.completion, vector.completion, store.completion};
  control.memory = memory.fetch;
  if (sequencer.running) watch(sequencer, control.unit);
  if (observer_) tell(sequencer, load, matrix, vector, store, array, requantizer, memory);

  const LoadDmaIn load_in{command(isa::Unit::Load), memory.load};
  const MatrixUnitIn matrix_in{command(isa::Unit::Matrix), data(Buffer::Activation, 0), data(Buffer::Weight, 0),
                               data(Buffer::Accumulator, AccumulatorReadByMatrix), array};
  const VectorUnitIn vector_in{command(isa::Unit::Vector), data(Buffer::Accumulator, AccumulatorReadByVector),
                               data(Buffer::Vector, VectorReadByUnit), data(Buffer::Param, 0), requantizer};
  const StoreDmaIn store_in{command(isa::Unit::Store), data(Buffer::Vector, VectorReadByStore), memory.store};
  const MemoryBeatIn memory_in{sequencer.memory, load.memory, store.memory};

  // Clock: any order would do.
  sequencer_.step(control);
  load_dma_.step(load_in);
  matrix_unit_.step(matrix_in);
  pe_array_.step(matrix.array);
  vector_unit_.step(vector_in);
  requantizer_.step(vector.requantizer);
  store_dma_.step(store_in);
  memory_.step(memory_in);

  // Scratchpads last: each is clocked only when somebody has an enable up, or to take a fault off the wires.
  const int now_faulty = faulty_pads_;
  faulty_pads_ = 0;
  const auto clock_pad = [&](Buffer buffer, const ScratchpadIn& in) {
    ScratchpadBeat& pad = *scratchpads_[static_cast<std::size_t>(buffer)];
    pad.step(in);
    if (pad.quiet()) return;
    faulty_pads_ |= 1 << static_cast<int>(buffer);
    if (result_.faults.size() < MaxFaults) {
      result_.faults.push_back({sequencer_.cycle() - 1, buffer, pad.out().fault, pad.out().fault_address});
    }
  };
  const auto wants = [&](Buffer buffer) { return (now_faulty >> static_cast<int>(buffer) & 1) != 0; };
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
      result_.instructions[in_flight_[u].front()].done = sequencer_.cycle();
      in_flight_[u].pop_front();
    }
    if (!sequencer.command[u].valid) continue;
    in_flight_[u].push_back(result_.instructions.size());
    result_.instructions.push_back(
        {sequencer_.started_index(static_cast<int>(u)), static_cast<isa::Unit>(u), sequencer_.cycle(), Never});
  }
}

void Stepper::tell(const SequencerOut& sequencer, const LoadDmaOut& load, const MatrixUnitOut& matrix,
                   const VectorUnitOut& vector, const StoreDmaOut& store, const PeArrayOut& array,
                   const RequantizerOut& requantizer, const MemoryBeatOut& memory) {
  const Cycle now = sequencer_.cycle();
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
      beat(port(Port::LoadCompletion, u), (c.done ? 1u : 0u) | (c.chain ? 2u : 0u) | (c.error ? 4u : 0u), nullptr, 0);
    }
  }
  const auto bus = static_cast<std::size_t>(machine_.bus_bytes);
  const auto request = [&](Port p, const auto& wires) {
    if (wires.valid) beat(p, wires.address, &wires.bytes, sizeof wires.bytes);
  };
  request(Port::FetchRequest, sequencer.memory);
  request(Port::LoadRequest, load.memory);
  request(Port::StoreRequest, store.memory);
  if (memory.fetch.valid) beat(Port::FetchData, memory.fetch.last, memory.fetch.data, bus);
  if (memory.load.valid) beat(Port::LoadData, memory.load.last, memory.load.data, bus);
  if (store.memory.data_valid) beat(Port::StoreData, store.memory.data_last, store.memory.data, bus);
  if (memory.store.valid) beat(Port::StoreResponse, memory.store.error, nullptr, 0);

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

  const auto rows = static_cast<std::size_t>(machine_.rows), columns = static_cast<std::size_t>(machine_.columns);
  const auto lanes = static_cast<std::size_t>(machine_.lanes);
  if (matrix.array.weight_valid) beat(Port::ArrayWeight, 0, matrix.array.weight, columns * sizeof(std::int16_t));
  if (matrix.array.activation_valid) {
    beat(Port::ArrayActivation, matrix.array.activation_switch, matrix.array.activation, rows * sizeof(std::int16_t));
  }
  if (array.valid) beat(Port::ArraySums, 0, array.sums, columns * sizeof(std::int32_t));
  if (vector.requantizer.valid) {
    beat(Port::RequantizerIn, 0, vector.requantizer.x, lanes * sizeof(std::int32_t));
    beat(Port::RequantizerIn, 1, vector.requantizer.multiplier, lanes * sizeof(std::int32_t));
    beat(Port::RequantizerIn, 2, vector.requantizer.shift, lanes * sizeof(std::int32_t));
  }
  if (requantizer.valid) beat(Port::RequantizerOut, 0, requantizer.y, lanes * sizeof(std::int32_t));
}

}  // namespace gemel
