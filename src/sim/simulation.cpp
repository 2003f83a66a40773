// SPDX-License-Identifier: Apache-2.0
#include "sim/simulation.hpp"

#include "base/error.hpp"
#include "sim/engines.hpp"

namespace gemel {
namespace {

<<<<<<< HEAD
=======
// SystemC keeps its state in a context; a new one for each run makes runs independent (also after exceptions).
class FreshContext {
 public:
  FreshContext() {
    sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
    sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_DO_NOTHING);
    sc_core::sc_curr_simcontext = new sc_core::sc_simcontext();
    sc_core::sc_default_global_context = sc_core::sc_curr_simcontext;
  }
  ~FreshContext() {
    delete sc_core::sc_curr_simcontext;
    sc_core::sc_curr_simcontext = nullptr;
    sc_core::sc_default_global_context = nullptr;
  }
  FreshContext(const FreshContext&) = delete;
  FreshContext& operator=(const FreshContext&) = delete;
};

// What a person's driver does: program the registers, start, wait for the interrupt. A method, not a thread: nothing here needs a
// stack of its own, and sanitizers do not follow SystemC's.
class Driver : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(Driver);
  Driver(sc_core::sc_module_name name, std::uint64_t program_base, std::uint32_t program_bytes)
      : sc_module(name), csr("csr"), interrupt("interrupt"), base_(program_base), bytes_(program_bytes) {
    SC_METHOD(run);
  }
  tlm_utils::simple_initiator_socket<Driver> csr;
  sc_core::sc_in<bool> interrupt;
  bool done() const { return done_; }

 private:
  void write(std::uint32_t offset, std::uint32_t value, sc_core::sc_time& delay) {
    tlm::tlm_generic_payload payload;
    payload.set_command(tlm::TLM_WRITE_COMMAND);
    payload.set_address(offset);
    payload.set_data_ptr(reinterpret_cast<std::uint8_t*>(&value));
    payload.set_data_length(sizeof value);
    payload.set_streaming_width(sizeof value);
    csr->b_transport(payload, delay);  // the delay adds up: each access comes after the one before
    if (payload.is_response_error()) throw InternalError("the control registers refused a write");
  }
  void run() {
    if (!started_) {
      started_ = true;
      sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
      write(isa::csr::ProgramBaseLow, static_cast<std::uint32_t>(base_), delay);
      write(isa::csr::ProgramBaseHigh, static_cast<std::uint32_t>(base_ >> 32), delay);
      write(isa::csr::ProgramBytes, bytes_, delay);
      write(isa::csr::InterruptEnable, 1, delay);
      write(isa::csr::Control, 1, delay);
    } else if (interrupt.read()) {
      done_ = true;
      sc_core::sc_stop();
      return;
    }
    next_trigger(interrupt.value_changed_event());
  }

  std::uint64_t base_;
  std::uint32_t bytes_;
  bool started_ = false, done_ = false;
};

std::int64_t payload_bytes(const isa::Instruction& instruction) {
  if (instruction.unit == isa::Unit::Load) {
    return std::int64_t{instruction.load.run_bytes} * instruction.load.count1 * instruction.load.count2;
  }
  if (instruction.unit == isa::Unit::Store) {
    return std::int64_t{instruction.store.run_bytes} * instruction.store.count1 * instruction.store.count2;
  }
  return 0;
}

// What an instruction moves and computes, whenever it does.
void add_work(LayerResult& layer, const isa::Instruction& instruction) {
  if (instruction.unit == isa::Unit::Matrix) {
    layer.array_cycles += matrix_pixels(instruction.matrix) * matrix_passes(instruction.matrix);
  }
  layer.load_bytes += instruction.unit == isa::Unit::Load ? payload_bytes(instruction) : 0;
  layer.store_bytes += instruction.unit == isa::Unit::Store ? payload_bytes(instruction) : 0;
}

// Throws RunError E0804 unless layer l's output in memory is golden; false if there is no golden for it.
bool compare_tensor(const Schedule& schedule, int l, Cycle at, const std::uint8_t* memory, const SimulationOptions& options) {
  const ScheduleLayer& layer = schedule.layers[static_cast<std::size_t>(l)];
  const ScheduleTensor& tensor = schedule.tensors[static_cast<std::size_t>(layer.output)];
  const std::vector<std::uint8_t>* expected = options.golden(layer.output);
  if (expected == nullptr) return false;
  const std::uint8_t* actual = memory + tensor.address;
  if (static_cast<std::int64_t>(expected->size()) != tensor.bytes) {
    throw InternalError("golden of tensor `" + tensor.name + "` has " + std::to_string(expected->size()) +
                        " bytes, the schedule says " + std::to_string(tensor.bytes));
  }
  if (std::memcmp(actual, expected->data(), expected->size()) == 0) return true;
  std::int64_t count = 0, first = -1;
  for (std::int64_t i = 0; i < tensor.bytes; ++i) {
    if (actual[i] == (*expected)[static_cast<std::size_t>(i)]) continue;
    if (first < 0) first = i;
    ++count;
  }
  const auto value = [&](std::uint8_t byte) {
    return std::to_string(tensor.type == ElementType::UInt8 ? int{byte} : int{static_cast<std::int8_t>(byte)});
  };
  throw RunError("E0804",
                 "layer `" + layer.name + "`: " + std::to_string(count) + " of " + std::to_string(tensor.bytes) +
                     " elements differ from golden; the first at " + element_text(tensor.shape, first) + ": is " +
                     value(actual[first]) + ", must be " + value((*expected)[static_cast<std::size_t>(first)]) +
                     " (complete at cycle " + std::to_string(at) + ")",
                 "this is a bug of Gemel or of a block of yours; please keep the command that shows it");
}

// Collects figures by layer and compares tensors, for both engines; stops the simulation when something is wrong.
class Recorder : public SequencerObserver {
 public:
  // `stop` ends the simulation; rethrow() then says why.
  Recorder(const Schedule& schedule, const SimulationOptions& options, RunResult& result, const std::uint8_t* memory,
           std::function<void()> stop)
      : schedule_(schedule), options_(options), result_(result), memory_(memory), stop_(std::move(stop)) {
    for (std::size_t l = 0; l < schedule.layers.size(); ++l) {
      const int after = schedule.layers[l].complete_after;
      if (after >= 0) complete_.emplace_back(after, static_cast<int>(l));
    }
    std::sort(complete_.begin(), complete_.end());
  }

  void running_from(Cycle cycle0) override { cycle0_ = cycle0; }
  void started(isa::Unit, std::uint32_t, const isa::Instruction& instruction, Cycle s) override {
    ++started_;
    const int tag = instruction.header().tag;
    LayerResult& layer = layer_of(tag);
    if (layer.first_cycle < 0) layer.first_cycle = s - cycle0_;
    add_work(layer, instruction);
    if (options_.progress && (started_ & 63) == 0) {
      options_.progress({started_, static_cast<std::int64_t>(schedule_.program.size()), s - cycle0_, tag,
                         static_cast<int>(schedule_.layers.size())});
    }
    if (options_.interrupted != nullptr && *options_.interrupted && !interrupted_) {
      interrupt(s - cycle0_);
      stop_();
    }
  }
  void finished(isa::Unit unit, std::uint32_t index, const isa::Instruction& instruction, Cycle s, Cycle p) override {
    const int tag = instruction.header().tag;
    LayerResult& layer = layer_of(tag);
    layer.last_cycle = std::max(layer.last_cycle, p - cycle0_);
    if (options_.trace) result_.trace.push_back({static_cast<int>(unit), tag, s - cycle0_, p - cycle0_, index});
    if (unit == isa::Unit::Store) stored(index, p);
  }
  // The store instruction is complete.
  void stored(std::uint32_t index, Cycle p) {
    if (options_.golden && !options_.timing_only && !failure_) {
      auto it = std::lower_bound(complete_.begin(), complete_.end(), std::make_pair(static_cast<int>(index), -1));
      for (; it != complete_.end() && it->first == static_cast<int>(index) && !failure_; ++it) {
        complete(it->second, p - cycle0_);
      }
    }
  }
  void counted(isa::Unit unit, isa::Cause cause, int tag, Cycle cycles) override {
    layer_of(tag).counters[static_cast<std::size_t>(unit)][static_cast<std::size_t>(cause)] += cycles;
  }

  // The machine has halted: outputs of which no store was seen to complete are compared all the same.
  void halted_at(Cycle at) {
    if (!options_.golden || options_.timing_only) return;
    for (const auto& [index, l] : complete_) {
      const std::size_t layer = static_cast<std::size_t>(l);
      const bool is_output = schedule_.tensors[static_cast<std::size_t>(schedule_.layers[layer].output)].is_output;
      if (is_output && result_.layers[layer].compared == "not compared" && !failure_) complete(l, at);
    }
  }
  void interrupt(Cycle cycle) {
    interrupted_ = true;
    interrupted_at_ = cycle;
  }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
    if (interrupted_) {
      throw Interrupted("interrupted at cycle " + std::to_string(interrupted_at_) + ", after " +
                        std::to_string(started_) + " of " + std::to_string(schedule_.program.size()) + " instructions");
    }
  }
  std::int64_t instructions() const { return started_; }

 private:
  LayerResult& layer_of(int tag) {
    return result_.layers[static_cast<std::size_t>(std::clamp(tag, 0, static_cast<int>(result_.layers.size()) - 1))];
  }

  // Layer l's output is in memory.
  void complete(int l, Cycle at) {
    const auto start = std::chrono::steady_clock::now();
    try {
      if (compare_tensor(schedule_, l, at, memory_, options_)) {
        result_.layers[static_cast<std::size_t>(l)].compared = "equal";
      }
    } catch (...) {
      failure_ = std::current_exception();
    }
    result_.golden_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (failure_) stop_();
  }

  const Schedule& schedule_;
  const SimulationOptions& options_;
  RunResult& result_;
  const std::uint8_t* memory_;
  std::function<void()> stop_;
  std::vector<std::pair<int, int>> complete_;  // (store instruction, layer)
  Cycle cycle0_ = 0;
  std::int64_t started_ = 0;
  bool interrupted_ = false;
  Cycle interrupted_at_ = 0;
  std::exception_ptr failure_;
};

void load_image(const Schedule& schedule, const std::vector<std::vector<std::uint8_t>>& inputs, bool timing_only,
                std::uint8_t* memory) {
  std::memcpy(memory + schedule.program_base, schedule.program.data(), schedule.program.size() * isa::InstructionBytes);
  if (timing_only) return;
  for (const ConstantSegment& segment : schedule.constants) {
    std::memcpy(memory + segment.address, segment.bytes.data(), segment.bytes.size());
  }
  std::size_t i = 0;
  for (const ScheduleTensor& tensor : schedule.tensors) {
    if (!tensor.is_input) continue;
    if (i >= inputs.size() || static_cast<std::int64_t>(inputs[i].size()) != tensor.bytes) {
      throw UserError("E0510", "input `" + tensor.name + "` must have " + std::to_string(tensor.bytes) + " bytes, but " +
                                   (i < inputs.size() ? std::to_string(inputs[i].size()) + " were given" : "it is missing"));
    }
    std::memcpy(memory + tensor.address, inputs[i].data(), inputs[i].size());
    ++i;
  }
}

double peak_memory_mib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

RunResult new_result(const char* engine, const Machine& machine, const Schedule& schedule, const SimulationOptions& options) {
  RunResult result;
  result.network = schedule.network;
  result.machine = machine.name;
  result.batch = schedule.batch;
  result.clock_mhz = machine.clock_mhz;
  result.rows = machine.rows;
  result.columns = machine.columns;
  result.timing_only = options.timing_only;
  result.engine = engine;
  for (const BlockChoice& c : options.blocks) {
    std::string value = to_string(c.kind);
    for (const std::string& source : c.sources) value += (&source == &c.sources.front() ? ":" : ",") + source;
    result.settings.emplace_back("block " + c.block, value);
  }
  for (const ScheduleLayer& layer : schedule.layers) {
    LayerResult out;
    out.name = layer.name;
    out.op = to_string(layer.op);
    out.macs = layer.macs;
    out.predicted_cycles = layer.predicted_cycles;
    if (layer.op == Op::Reshape) {
      out.compared = "view";
    } else if (layer.complete_after < 0) {
      out.compared = "fused";
      // The layer that finishes the job is the next one whose output reaches memory.
      for (const ScheduleLayer& other : schedule.layers) {
        if (&other > &layer && other.complete_after >= 0 && other.op != Op::Reshape) {
          out.fused_into = other.name;
          break;
        }
      }
    } else {
      out.compared = "not compared";
    }
    result.macs += layer.macs;
    result.layers.push_back(std::move(out));
  }
  if (result.layers.empty()) throw UserError("E0511", "the schedule has no layers");
  return result;
}

void take_outputs(const Schedule& schedule, const SimulationOptions& options, const std::uint8_t* memory,
                  SimulationOutput& output) {
  if (options.timing_only) return;
  for (const ScheduleTensor& tensor : schedule.tensors) {
    if (tensor.is_output) output.outputs.emplace_back(memory + tensor.address, memory + tensor.address + tensor.bytes);
  }
  if (options.keep_memory) output.memory.assign(memory, memory + schedule.memory_bytes_used);
}

struct Diverged {  // thrown out of a step
  Divergence divergence;
  Cycle cycle;
  std::string where;  // lines
};

const char* unit_block(int unit) {
  static constexpr const char* Names[] = {"load_dma", "matrix_unit", "vector_unit", "store_dma"};
  return Names[unit];
}

std::string instruction_text(const Schedule& schedule, std::size_t index) {
  const isa::Word& word = schedule.program[index];
  const auto tag = static_cast<std::size_t>(isa::decode(word).header().tag);
  return "instruction " + std::to_string(index) +
         (tag < schedule.layers.size() ? " of layer `" + schedule.layers[tag].name + "`" : "") + ": " + isa::disassemble(word);
}

// The instruction that a block is working on, with its layer; empty if there is none.
std::string in_flight_text(const Stepper& stepper, const Schedule& schedule, const std::string& block) {
  const isa::Unit unit = unit_of(block);
  if (unit == isa::Unit::None) return {};
  const std::vector<std::uint32_t> indices = stepper.in_flight(unit);
  return indices.empty() ? "" : instruction_text(schedule, indices.front());
}

// The instruction in flight that waits for this word of a scratchpad; the client numbers are scratchpad_ports.hpp's.
std::optional<std::uint32_t> reader_of(const Stepper& stepper, const Schedule& schedule, Buffer buffer, const CarriedBeat& beat) {
  isa::Unit unit = isa::Unit::Matrix;
  if (buffer == Buffer::Vector) unit = beat.client == 0 ? isa::Unit::Vector : isa::Unit::Store;
  if (buffer == Buffer::Param || (buffer == Buffer::Accumulator && beat.client == 1)) unit = isa::Unit::Vector;
  for (const std::uint32_t index : stepper.in_flight(unit)) {
    for (const isa::Claim& claim : isa::claims(isa::decode(schedule.program[index]))) {
      const auto word = static_cast<std::int64_t>(beat.address);
      if (claim.buffer == buffer && !claim.write && claim.first <= word && word <= claim.last) return index;
    }
  }
  return {};
}

// What was under way where a block differs: the instruction, and the element that the beat belongs to.
std::string difference_text(const Stepper& stepper, const Machine& machine, const Schedule& schedule, const Divergence& d) {
  const CarriedBeat& beat = d.difference.beat;
  const Locator locator(machine, schedule);
  Location location;
  if (beat.carries == Carries::ReadWord) {
    for (int b = 0; b < BufferCount; ++b) {
      const auto buffer = static_cast<Buffer>(b);
      if (d.block != to_string(buffer)) continue;
      if (const auto reader = reader_of(stepper, schedule, buffer, beat)) location = locator.of_read(buffer, beat.address, d.difference.byte, *reader);
    }
  } else {
    location = locator.of_beat(beat, d.difference.byte, stepper.carried()[static_cast<std::size_t>(beat.carries)]);
  }
  std::string text = location.instruction >= 0 ? instruction_text(schedule, static_cast<std::size_t>(location.instruction))
                                               : in_flight_text(stepper, schedule, d.block);
  if (!text.empty()) text = "\n  " + text;
  if (location.element) text += "\n  " + to_string(*location.element, schedule);
  return text;
}

std::string names_of(const std::vector<BlockChoice>& choices) {
  std::string names;
  for (const BlockChoice& c : choices) names += (names.empty() ? "`" : ", `") + c.block + "`";
  return names;
}

constexpr std::int64_t WaveClocksBefore = 200, WaveClocksAfter = 20;

// Runs the same thing again with waves of the block around the difference; the path, or empty if there are none.
std::string record_waves(const Machine& machine, const Schedule& schedule, const std::vector<std::vector<std::uint8_t>>& inputs,
                         const SimulationOptions& options, const Divergence& first) {
  if (options.waves_folder.empty()) return {};
  struct Enough {};
  SwapOptions swap;
  swap.progress = options.rtl_progress;
  swap.interrupted = options.interrupted;
  swap.reset_seed = options.reset_seed;
  swap.no_skip = options.no_skip;
  RtlPulse pulse;
  swap.pulse = &pulse;
  swap.waves = options.waves_folder;
  swap.waves_block = first.block;
  swap.waves_first = std::max<std::int64_t>(0, first.clock - WaveClocksBefore);
  swap.waves_last = first.clock + WaveClocksAfter;
  const std::string path = options.waves_folder + "/" + first.block + ".fst";
  RtlHangs hangs;
  if (options.rtl_hangs) {
    hangs = [&](const UserError& error) {
      std::remove(path.c_str());  // a part of it
      options.rtl_hangs(error);
    };
  }
  const RtlPatience patience(pulse, hangs);
  Stepper* running = nullptr;
  swap.on_divergence = [&](const Divergence& d) {
    if (d.block == first.block && d.clock > swap.waves_last) throw Enough{};
  };
  std::vector<std::uint8_t> memory(static_cast<std::size_t>(std::min(machine.memory_bytes, schedule.memory_bytes_used)));
  load_image(schedule, inputs, options.timing_only, memory.data());
  Stepper stepper(machine, memory, make_blocks(machine, options.blocks, schedule.program, swap));
  check_npu(stepper, machine, options.blocks, swap);
  running = &stepper;
  if (options.no_skip) running->never_skip();
  try {
    stepper.run(schedule.program_base, static_cast<std::uint32_t>(schedule.program.size() * isa::InstructionBytes), options.max_cycles);
  } catch (const Enough&) {
  }
  return path;
}

// The first place of the array, from the top, in the column of the wrong sum: where it went wrong on its way down. The same thing is run
// again with a probe beside every `pe`. Empty if no place is wrong by itself.
std::string wrong_pe(const Machine& machine, const Schedule& schedule, const std::vector<std::vector<std::uint8_t>>& inputs,
                     const SimulationOptions& options, const Divergence& first) {
  if (first.block != "pe" || first.difference.port.rfind("sums_o[", 0) != 0) return {};
  const int column = static_cast<int>(first.difference.byte / 4);
  const std::int64_t bottom = first.clock - (machine.columns - 1 - column);  // clock in which the sum left the last row
  struct Enough {};
  SwapOptions swap;
  swap.progress = options.rtl_progress;
  swap.interrupted = options.interrupted;
  swap.reset_seed = options.reset_seed;
  swap.no_skip = options.no_skip;
  RtlPulse pulse;
  swap.pulse = &pulse;
  const RtlPatience patience(pulse, options.rtl_hangs);
  swap.on_divergence = [&](const Divergence&) { throw Enough{}; };
  int found = -1;
  swap.pe_probe = [&](const char* places, std::int64_t clock) {
    const std::int64_t row = machine.rows - 1 - (bottom - clock);
    if (found >= 0 || row < 0 || row >= machine.rows) return;
    const std::string place = "gen_row[" + std::to_string(row) + "].gen_column[" + std::to_string(column) + "].";
    if (std::strstr(places, place.c_str()) != nullptr) found = static_cast<int>(row);
  };
  std::vector<std::uint8_t> memory(static_cast<std::size_t>(std::min(machine.memory_bytes, schedule.memory_bytes_used)));
  load_image(schedule, inputs, options.timing_only, memory.data());
  IdealMemoryBeat world(machine, memory);
  Stepper stepper(machine, world, make_blocks(machine, options.blocks, schedule.program, swap));
  if (options.no_skip) stepper.never_skip();
  try {
    stepper.run(schedule.program_base, static_cast<std::uint32_t>(schedule.program.size() * isa::InstructionBytes), options.max_cycles);
  } catch (const Enough&) {
  }
  if (found < 0) return {};
  return "\n  first wrong `pe`: row " + std::to_string(found) + ", column " + std::to_string(column);
}

[[noreturn]] void report_divergence(const Machine& machine, const Schedule& schedule, const std::vector<std::vector<std::uint8_t>>& inputs,
                                    const SimulationOptions& options, const Diverged& d) {
  const std::string waves = record_waves(machine, schedule, inputs, options, d.divergence);
  const Difference& difference = d.divergence.difference;
  std::string text = "block `" + d.divergence.block + "` differs from its model at cycle " + std::to_string(d.cycle) + ", port `" +
                     difference.port + "`: is " + difference.actual + ", must be " + difference.expected + d.where +
                     wrong_pe(machine, schedule, inputs, options, d.divergence);
  if (!waves.empty()) {
    text += "\n  waves: " + waves + ", clocks " + std::to_string(std::max<std::int64_t>(0, d.divergence.clock - WaveClocksBefore)) +
            " to " + std::to_string(d.divergence.clock + WaveClocksAfter) + "; the difference is at clock " +
            std::to_string(d.divergence.clock);
  }
  throw RunError("E0806", text);
}

constexpr Cycle Patience = 100'000;  // cycles without a beat before RTL is said never to answer

// Cycles that the longest instruction computes without a beat on the AXI wires.
Cycle longest_instruction(const Schedule& schedule, const Machine& machine) {
  Cycle longest = 0;
  for (const isa::Word& word : schedule.program) {
    const isa::Instruction i = isa::decode(word);
    if (i.unit == isa::Unit::Matrix) {
      longest = std::max(longest, matrix_passes(i.matrix) * std::max<Cycle>({matrix_pixels(i.matrix), machine.rows, 3}));
    }
    if (i.unit == isa::Unit::Vector) longest = std::max(longest, vector_step_cycles(i.vector, i.opcode, machine));
  }
  return 2 * longest;  // one may wait for another
}

RunError overtaken(const std::string& violation) {
  return RunError("E0805", violation, "the schedule lets a store overtake a load: synchronise them by a semaphore");
}

// Of the whole chip as RTL only the AXI ports are seen. Stores complete in program order: those whose bursts have all been answered.
class StoreWatch {
 public:
  StoreWatch(const Machine& machine, const Schedule& schedule) {
    for (std::uint32_t i = 0; i < schedule.program.size(); ++i) {
      const isa::Instruction instruction = isa::decode(schedule.program[i]);
      if (instruction.unit == isa::Unit::Store) waiting_.push_back({i, store_bursts(instruction.store, machine)});
    }
  }
  // One burst more; the store that is complete with it.
  std::optional<std::uint32_t> answered() {
    if (waiting_.empty() || --waiting_.front().bursts > 0) return {};
    const std::uint32_t index = waiting_.front().instruction;
    waiting_.pop_front();
    return index;
  }

 private:
  struct Waiting {
    std::uint32_t instruction;
    std::int64_t bursts;
  };
  std::deque<Waiting> waiting_;
};

// The beat models, stepped: every cycle of every block. Slow and plain; the same cycles.
SimulationOutput simulate_beats(const Machine& machine, const Schedule& schedule,
                                const std::vector<std::vector<std::uint8_t>>& inputs, const SimulationOptions& options) {
  SimulationOutput output;
  output.result = new_result("beat", machine, schedule, options);
  RunResult& result = output.result;
  const auto wall_start = std::chrono::steady_clock::now();
  std::vector<std::uint8_t> memory(static_cast<std::size_t>(std::min(machine.memory_bytes, schedule.memory_bytes_used)));
  load_image(schedule, inputs, options.timing_only, memory.data());
  SwapOptions swap;
  swap.progress = options.rtl_progress;
  swap.interrupted = options.interrupted;
  swap.coverage = options.coverage;
  swap.reset_seed = options.reset_seed;
  swap.no_skip = options.no_skip;
  swap.build_seconds = &result.build_rtl_seconds;
  RtlPulse pulse;
  swap.pulse = &pulse;
  const RtlPatience patience(pulse, options.blocks.empty() ? RtlHangs() : options.rtl_hangs);
  Stepper* running = nullptr;
  std::map<std::string, std::int64_t> differences;
  swap.on_divergence = [&](const Divergence& d) {
    ++differences[d.block];
    if (!options.keep_going) {
      throw Diverged{d, running->sequencer().cycle(), difference_text(*running, machine, schedule, d)};
    }
  };
  const bool whole_chip = options.blocks.size() == 1 && options.blocks.front().block == "npu" && options.blocks.front().kind == BlockKind::Rtl;
  IdealMemoryBeat world(machine, memory);
  world.poison(options.poison_first, options.poison_last);
  const auto npu = whole_chip ? make_npu(machine, options.blocks, swap) : nullptr;
  Stepper stepper(machine, world, make_blocks(machine, options.blocks, schedule.program, swap));
  check_npu(stepper, machine, options.blocks, swap);
  running = &stepper;
  stepper.observe(options.beats);
  if (options.no_skip) stepper.never_skip();
  struct Stopped {};
  Recorder recorder(schedule, options, result, memory.data(), [] { throw Stopped{}; });
  stepper.interrupt_by(options.interrupted);
  const bool own_rtl = !options.blocks.empty();
  if (own_rtl) stepper.set_watchdog(Patience + 10 * (machine.read_latency_cycles + machine.write_latency_cycles + machine.jitter_cycles));
  StepperResult steps;
  const auto program_bytes = static_cast<std::uint32_t>(schedule.program.size() * isa::InstructionBytes);
  StoreWatch stores(machine, schedule);
  const auto on_axi = [&](const Beat& beat) {
    if (options.beats) options.beats(beat);
    if (options.interrupted != nullptr && *options.interrupted) {
      recorder.interrupt(beat.cycle);
      throw Stopped{};
    }
    if (beat.port != Port::StoreResponse || options.reset_at >= 0) return;  // a reset in the middle leaves only the outputs to compare
    const auto index = stores.answered();
    if (!index) return;
    recorder.stored(*index, beat.cycle + 1);
    if (options.progress) {
      options.progress({*index + 1, static_cast<std::int64_t>(schedule.program.size()), beat.cycle, isa::decode(schedule.program[*index]).header().tag,
                        static_cast<int>(schedule.layers.size())});
    }
  };
  const auto run_until = [&](Cycle limit) {
    return whole_chip ? run_npu_rtl(machine, *npu, world, schedule.program_base, program_bytes, limit,
                                    Patience + longest_instruction(schedule, machine), on_axi)
                      : stepper.run(schedule.program_base, program_bytes, limit);
  };
  const auto restore = [&] {
    world.reset();
    std::fill(memory.begin(), memory.end(), std::uint8_t{0});
    load_image(schedule, inputs, options.timing_only, memory.data());
  };
  try {
    if (options.reset_at >= 0) {
      run_until(options.reset_at);
      restore();
    }
    stepper.observe_program(&recorder, &schedule.program);
    steps = run_until(options.max_cycles);
    if (steps.end == StepperEnd::Halt) recorder.halted_at(steps.cycles);
    if (options.again && !whole_chip && (steps.end == StepperEnd::Halt || steps.end == StepperEnd::Error)) {
      const std::vector<std::uint8_t> after = memory;
      restore();
      stepper.observe_program(nullptr, nullptr);
      output.cycles_again = stepper.run_again(schedule.program_base, program_bytes, options.max_cycles).cycles;
      std::copy(after.begin(), after.end(), memory.begin());
    }
  } catch (const Stopped&) {
    recorder.rethrow();
  } catch (const Diverged& d) {
    report_divergence(machine, schedule, inputs, options, d);
  } catch (const InternalError& e) {  // what a model says of a neighbour that breaks its contract
    if (!own_rtl) throw;
    throw RunError("E0808", "a block that is RTL breaks its contract at cycle " + std::to_string(running->sequencer().cycle()) + ": " +
                                e.diagnostics().front().message + "\n  implemented by RTL: " + names_of(options.blocks),
                   "compare it with its model: check instead of rtl");
  }
  if (steps.end == StepperEnd::Interrupted) {
    recorder.interrupt(steps.cycles);
    recorder.rethrow();
  }
  if (!world.violation().empty()) throw overtaken(world.violation());
  if (steps.end == StepperEnd::Silent || (own_rtl && steps.end == StepperEnd::Deadlock)) {
    std::string waiting;
    for (int u = 0; u < UnitCount; ++u) {
      const std::string text = in_flight_text(stepper, schedule, unit_block(u));
      if (!text.empty()) waiting += "\n  in flight on " + std::string(unit_block(u)) + ": " + text;
    }
    throw RunError("E0807", "nothing has moved on any port since about cycle " + std::to_string(steps.cycles) +
                                " and the program has not ended; implemented by RTL: " + names_of(options.blocks) + waiting,
                   "one of these blocks never answers; look at it with check instead of rtl");
  }
  if (steps.end == StepperEnd::Deadlock) {
    throw RunError("E0802", "deadlock: nothing can happen any more, and the program has not ended",
                   "run the same with --engine model to see who waits for what");
  }
  if (steps.end == StepperEnd::CycleLimit) {
    throw RunError("E0803", "the run did not end within " + std::to_string(options.max_cycles) + " cycles",
                   "raise the limit with --max-cycles");
  }
  result.cycles = steps.cycles;
  output.clocked = steps.stepped;
  result.counters = steps.counters;
  if (whole_chip) {
    result.layers_note = "of the whole chip as RTL only memory and registers are seen: not when its units work for which layer";
    for (const isa::Word& word : schedule.program) {
      const isa::Instruction instruction = isa::decode(word);
      add_work(result.layers[std::min<std::size_t>(static_cast<std::size_t>(instruction.header().tag), result.layers.size() - 1)], instruction);
    }
  } else if (steps.layer_counters.empty()) {
    result.layers_note = "cycles by cause are known for the whole run only: the sequencer's RTL has counted otherwise than its model";
  }
  for (std::size_t tag = 0; tag < steps.layer_counters.size(); ++tag) {
    UnitCounters& counters = result.layers[std::min(tag, result.layers.size() - 1)].counters;
    for (std::size_t u = 0; u < counters.size(); ++u) {
      for (std::size_t c = 0; c < counters[u].size(); ++c) counters[u][c] += steps.layer_counters[tag][u][c];
    }
  }
  for (const LayerResult& layer : result.layers) result.array_cycles += layer.array_cycles;
  const MemoryTraffic traffic = world.traffic();
  result.load_bytes = traffic.load.bytes;
  result.store_bytes = traffic.store.bytes;
  result.load_bursts = traffic.load.bursts;
  result.store_bursts = traffic.store.bursts;
  result.fetch_bursts = traffic.fetch.bursts;
  result.fetch_bytes = traffic.fetch.bytes;
  result.instructions = static_cast<std::int64_t>(schedule.program.size());
  for (const auto& difference : differences) output.differences.push_back(difference);
  output.error_code = static_cast<std::uint32_t>(steps.error_code);
  output.error_cycle = steps.error_cycle;
  output.error_instruction = steps.error_instruction;
  for (const StepperFault& fault : steps.faults) {
    static constexpr const char* Kinds[] = {"", "read and write of one word", "two clients at one port", "outside the buffer",
                                            "read of a word never written"};
    output.faults.push_back(std::string(Kinds[static_cast<int>(fault.fault)]) + ": " + to_string(fault.buffer) + " word " +
                            std::to_string(fault.address) + " at cycle " + std::to_string(fault.cycle));
  }
  take_outputs(schedule, options, memory.data(), output);
  result.simulate_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_start).count() -
                            result.build_rtl_seconds - result.golden_seconds;
  result.peak_memory_mib = peak_memory_mib();
  return output;
}

// The fast models, with this array if there is one. Nothing, if it does not keep its contract.
std::optional<SimulationOutput> simulate_models(const Machine& machine, const Schedule& schedule,
                                                const std::vector<std::vector<std::uint8_t>>& inputs, const SimulationOptions& options,
                                                Clocked<PeArrayIn, PeArrayOut>* array = nullptr) {
  SimulationOutput output;
  output.result = new_result("model", machine, schedule, options);
  RunResult& result = output.result;
  const auto wall_start = std::chrono::steady_clock::now();

  FreshContext context;
  const auto program_bytes = static_cast<std::uint32_t>(schedule.program.size() * isa::InstructionBytes);
  NpuParts parts;
  parts.machine = machine;
  parts.timing_only = options.timing_only;
  parts.array = array;
  // In any order: SystemC runs processes in an order that depends on when they were made.
  std::unique_ptr<Npu> npu_made;
  std::unique_ptr<IdealMemory> memory_made;
  std::unique_ptr<Driver> driver_made;
  for (const int part : options.process_order) {
    if (part == 0) npu_made = std::make_unique<Npu>("npu", parts);
    if (part == 1) memory_made = std::make_unique<IdealMemory>("memory", machine, clock_period(machine));
    if (part == 2) driver_made = std::make_unique<Driver>("driver", schedule.program_base, program_bytes);
  }
  Npu& npu = *npu_made;
  IdealMemory& memory = *memory_made;
  Driver& driver = *driver_made;
  auto& engine = dynamic_cast<ModelEngine&>(npu.engine());
  const sc_core::sc_time period = npu.period();
  memory.poison(options.poison_first, options.poison_last);
  load_image(schedule, inputs, options.timing_only, memory.data());
  sc_core::sc_signal<bool> interrupt("interrupt");
  driver.csr.bind(npu.csr);
  npu.fetch.bind(memory.fetch);
  npu.load.bind(memory.load);
  npu.store.bind(memory.store);
  npu.interrupt(interrupt);
  driver.interrupt(interrupt);
  Recorder recorder(schedule, options, result, memory.data(), [] { sc_core::sc_stop(); });
  engine.observe(&recorder);

  const double limit = static_cast<double>(std::min<std::int64_t>(options.max_cycles, std::int64_t{1} << 52) + 16);
  try {
    sc_core::sc_start(limit * period);
  } catch (const sc_core::sc_report& report) {
    recorder.rethrow();
    engine.rethrow();
    throw InternalError(std::string("SystemC: ") + report.what());
  }
  if (engine.array_failed()) return {};
  recorder.rethrow();
  const SequencerModel& sequencer = engine.sequencer();
  if (!memory.violation().empty()) {
    throw overtaken(memory.violation());
  }
  if (!driver.done() && sequencer.running()) {
    if (sc_core::sc_pending_activity()) {
      throw RunError("E0803", "the run did not end within " + std::to_string(options.max_cycles) + " cycles",
                     "raise the limit with --max-cycles");
    }
    throw RunError("E0802", "deadlock: nothing can happen any more, and the program has not ended\n" + sequencer.waiting(),
                   "look for the semaphore that is never posted");
  }
  result.cycles = sequencer.cycles();
  result.counters = sequencer.counters();
  result.array_cycles = engine.matrix_unit().array_cycles();
  result.load_bytes = engine.load_dma().bytes();
  result.load_bursts = engine.load_dma().bursts();
  result.store_bytes = engine.store_dma().bytes();
  result.store_bursts = engine.store_dma().bursts();
  result.fetch_bytes = sequencer.fetch_bytes();
  result.fetch_bursts = sequencer.fetch_bursts();
  result.instructions = sequencer.dispatched();
  const MachineError& error = sequencer.error();
  output.error_code = static_cast<std::uint32_t>(error.code);
  output.error_cycle = error.cycle;
  output.error_instruction = error.instruction;
  output.error_text = error.text;
  take_outputs(schedule, options, memory.data(), output);
  result.simulate_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_start).count() - result.golden_seconds;
  result.peak_memory_mib = peak_memory_mib();
  return output;
}

>>>>>>> 1a4dbff ([isa] A program knows its machine: loads carry a digest, the sequencer compares)
// Of these blocks only the array stands between models, and nobody wants to see what only the beat engine shows.
bool swaps_array_only(const SimulationOptions& options) {
  return options.engine == Engine::Model && options.blocks.size() == 1 &&
         (options.blocks.front().block == "pe_array" || options.blocks.front().block == "pe") && !options.timing_only && !options.no_skip &&
         !options.beats && !options.again && options.reset_at < 0 && options.coverage.empty();
}

}  // namespace

SimulationOutput simulate_raw(const Machine& machine, const Schedule& schedule,
                              const std::vector<std::vector<std::uint8_t>>& inputs, const SimulationOptions& options) {
  require_machine(schedule, machine);
  const Run run{machine, schedule, inputs, options};
  if (options.engine == Engine::Model && options.blocks.empty()) return *run_models(run);
  double build_seconds = 0;
  std::optional<SimulationOutput> output;
  if (swaps_array_only(options)) output = run_models_with_array(run, build_seconds);
  if (!output) output = run_beats(run);
  output->result.build_rtl_seconds += build_seconds;
  return *std::move(output);
}

SimulationOutput simulate(const Machine& machine, const Schedule& schedule,
                          const std::vector<std::vector<std::uint8_t>>& inputs, const SimulationOptions& options) {
  SimulationOutput output = simulate_raw(machine, schedule, inputs, options);
  if (output.error_code != 0) {
    const std::string where = output.error_instruction < schedule.program.size()
                                  ? "\n  instruction " + std::to_string(output.error_instruction) + ": " +
                                        isa::disassemble(schedule.program[output.error_instruction])
                                  : "";
    throw RunError("E0801",
                   std::string("the machine stopped with error ") +
                       isa::to_string(static_cast<isa::ErrorCode>(output.error_code)) + " at cycle " +
                       std::to_string(output.error_cycle) + ": " + output.error_text + where);
  }
  return output;
}

}  // namespace gemel
