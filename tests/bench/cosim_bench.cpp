// SPDX-License-Identifier: Apache-2.0
// Speed of co-simulation, side by side in one run; CPU time of this process, the least of several rounds, since a busy computer
// can only add to it. Everything is Verilated before the first clock is measured.
//
// blocks: a network runs on the beat models while one Verilated block stands beside its model, fed with the same inputs and
// compared with nothing. What that takes longer than the same run with a block that does nothing in the place of the Verilated one,
// by the cycles, is the block's time inside Gemel: adapter, packing, clocking, and by how much models and RTL slow one another
// down. What went into the block's ports is recorded in every clock and given to the same shared object in a loop
// of C++ that knows nothing but gemel_eval(): the bare time. (The loop's outputs are compared with the recorded ones first.)
// npu: the same, but the whole run counts: there is nothing beside it. And so does a run of pe_array between the fast models; its bare
// loop has only those clocks in which the array does not rest, since Gemel leaves out the others.
// layers: layers of ResNet-50 on npu=rtl and on the models, with data and timing-only; without compiling, Verilating, golden.
//   cosim_bench blocks WORKLOAD MACHINE ROUNDS [BLOCK...] | layers MACHINE ROUNDS
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "compiler/compile.hpp"
#include "config/load.hpp"
#include "network/synthetic.hpp"
#include "network/workload.hpp"
#include "sim/simulation.hpp"
#include "top/npu_rtl.hpp"
#include "top/swap.hpp"

extern "C" int sc_main(int, char**) { return 0; }  // never called; libsystemc refers to it

namespace {

using namespace gemel;

double cpu_seconds() {
  std::timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double least_seconds(int rounds, const std::function<void()>& prepare, const std::function<void()>& work) {
  double least = 1e300;
  for (int i = 0; i < rounds; ++i) {
    prepare();
    const double start = cpu_seconds();
    work();
    least = std::min(least, cpu_seconds() - start);
  }
  return least;
}

// ---- Stimulus ------------------------------------------------------------------------------------------------------------

// Ports as they change from clock to clock: what a testbench would assign.
struct Tape {
  struct Port {
    std::string name;
    bool input = false;
    std::size_t bytes = 0;
  };
  struct Change {
    std::uint16_t port = 0;
    std::uint32_t data = 0;  // where in `bytes`
  };
  std::string library;
  std::vector<Port> ports;
  std::vector<Change> changes;
  std::vector<std::size_t> clock_ends;  // in `changes`, by clock
  std::vector<std::uint64_t> outputs;   // a hash of all outputs after each clock
  std::vector<std::uint8_t> bytes;
};

std::uint64_t hash_of(const std::vector<Tape::Port>& ports, const std::vector<const std::uint8_t*>& at) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (std::size_t p = 0; p < ports.size(); ++p) {
    if (ports[p].input) continue;
    for (std::size_t i = 0; i < ports[p].bytes; ++i) hash = (hash ^ at[p][i]) * 0x100000001b3u;
  }
  return hash;
}

// Never quiet, unless it rests, so that every clock is on the tape; but buffers are clocked on demand only.
class Recorder : public RtlModel {
 public:
  Recorder(std::unique_ptr<RtlModel> model, const std::vector<PortSpec>& ports, bool rests, Tape& tape)
      : model_(std::move(model)), tape_(tape), rests_(rests) {
    const auto add = [&](const std::string& name, bool input) {
      const RtlPort port = model_->port(name);
      tape_.ports.push_back({name, input, static_cast<std::size_t>((port.width + 7) / 8)});
      at_.push_back(port.bytes);
      before_.emplace_back();
    };
    add("rst_ni", true);
    for (const PortSpec& port : ports) add(port.name, port.input);
  }
  RtlPort port(const std::string& name) override { return model_->port(name); }
  void set_clock(bool high) override {
    high_ = high;
    model_->set_clock(high);
  }
  void set_reset(bool active) override { model_->set_reset(active); }
  void listen(RtlListener listener) override { model_->listen(std::move(listener)); }
  void eval() override {
    if (high_) {
      for (std::size_t p = 0; p < at_.size(); ++p) {
        if (!tape_.ports[p].input) continue;
        const std::vector<std::uint8_t> now(at_[p], at_[p] + tape_.ports[p].bytes);
        if (now == before_[p]) continue;
        before_[p] = now;
        tape_.changes.push_back({static_cast<std::uint16_t>(p), static_cast<std::uint32_t>(tape_.bytes.size())});
        tape_.bytes.insert(tape_.bytes.end(), now.begin(), now.end());
      }
      tape_.clock_ends.push_back(tape_.changes.size());
    }
    model_->eval();
    if (!high_) tape_.outputs.push_back(hash_of(tape_.ports, {at_.begin(), at_.end()}));
  }
  void clock() override {
    set_clock(true);
    eval();
    set_clock(false);
    eval();
  }
  bool quiet() const override { return rests_ && model_->quiet(); }
  void open_waves(const std::string& path) override { model_->open_waves(path); }
  void dump_waves(std::int64_t time) override { model_->dump_waves(time); }
  void close_waves() override { model_->close_waves(); }

 private:
  std::unique_ptr<RtlModel> model_;
  Tape& tape_;
  bool rests_;
  bool high_ = false;
  std::vector<std::uint8_t*> at_;
  std::vector<std::vector<std::uint8_t>> before_;
};

// The same shared object without Gemel.
class Bare {
 public:
  explicit Bare(const Tape& tape) : tape_(tape), library_(dlopen(tape.library.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) throw std::runtime_error(dlerror());
    model_ = reinterpret_cast<void* (*)(int)>(dlsym(library_, "gemel_create"))(0);
    eval_ = reinterpret_cast<int (*)(void*)>(dlsym(library_, "gemel_eval"));
    const auto port = reinterpret_cast<std::uint8_t* (*)(void*, const char*)>(dlsym(library_, "gemel_port"));
    for (const Tape::Port& p : tape.ports) at_.push_back(port(model_, p.name.c_str()));
    clock_ = port(model_, "clk_i");
  }
  ~Bare() {
    reinterpret_cast<void (*)(void*)>(dlsym(library_, "gemel_destroy"))(model_);
    dlclose(library_);
  }
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;

  void run() {
    const std::uint8_t* bytes = tape_.bytes.data();
    const Tape::Change* change = tape_.changes.data();
    for (const std::size_t end : tape_.clock_ends) {
      for (const Tape::Change* last = tape_.changes.data() + end; change < last; ++change) {
        std::memcpy(at_[change->port], bytes + change->data, tape_.ports[change->port].bytes);
      }
      *clock_ = 1;
      eval_(model_);
      *clock_ = 0;
      eval_(model_);
    }
  }
  void require_same() {
    const Tape::Change* change = tape_.changes.data();
    for (std::size_t clock = 0; clock < tape_.clock_ends.size(); ++clock) {
      for (const Tape::Change* last = tape_.changes.data() + tape_.clock_ends[clock]; change < last; ++change) {
        std::memcpy(at_[change->port], tape_.bytes.data() + change->data, tape_.ports[change->port].bytes);
      }
      *clock_ = 1;
      eval_(model_);
      *clock_ = 0;
      eval_(model_);
      if (hash_of(tape_.ports, {at_.begin(), at_.end()}) != tape_.outputs[clock]) {
        throw std::runtime_error(tape_.library + ": the bare loop's outputs differ at clock " + std::to_string(clock));
      }
    }
  }

 private:
  const Tape& tape_;
  void* library_;
  void* model_ = nullptr;
  int (*eval_)(void*) = nullptr;
  std::vector<std::uint8_t*> at_;
  std::uint8_t* clock_ = nullptr;
};

double bare_seconds(const Tape& tape, int rounds) {
  Bare(tape).require_same();
  std::unique_ptr<Bare> bare;
  return least_seconds(rounds, [&] { bare.reset(); bare = std::make_unique<Bare>(tape); }, [&] { bare->run(); });
}

// ---- A program in its memory ---------------------------------------------------------------------------------------------

struct Job {
  Machine machine;
  Schedule schedule;
  std::vector<std::vector<std::uint8_t>> inputs;

  Job(const Network& network, const std::string& machine_name)
      : machine(load_machine(find_machine(machine_name))), schedule(compile(network, machine)) {
    for (std::size_t i = 0; i < network.inputs.size(); ++i) {
      inputs.push_back(synthetic_input(network.tensors[static_cast<std::size_t>(network.inputs[i])], 1 + i));
    }
  }
  std::vector<std::uint8_t> memory() const {
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(schedule.memory_bytes_used));
    std::memcpy(bytes.data() + schedule.program_base, schedule.program.data(), program_bytes());
    for (const ConstantSegment& segment : schedule.constants) {
      std::memcpy(bytes.data() + segment.address, segment.bytes.data(), segment.bytes.size());
    }
    std::size_t i = 0;
    for (const ScheduleTensor& tensor : schedule.tensors) {
      if (!tensor.is_input) continue;
      std::memcpy(bytes.data() + tensor.address, inputs[i].data(), inputs[i].size());
      ++i;
    }
    return bytes;
  }
  std::uint32_t program_bytes() const { return static_cast<std::uint32_t>(schedule.program.size() * isa::InstructionBytes); }
};

constexpr Cycle Forever = Cycle{1} << 40;

SwapOptions recording(const Machine& machine, Tape* tape, bool rests = false) {
  SwapOptions options;
  options.progress = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
  if (tape == nullptr) return options;
  options.wrap = [&machine, tape, rests](const std::string& block, const std::string& library, std::unique_ptr<RtlModel> model) {
    const BlockSpec& spec = block_spec(block);
    *tape = Tape{};
    tape->library = library;
    return std::make_unique<Recorder>(std::move(model), spec.ports(spec.parameters(machine_parameters(machine))),
                                      rests || std::string(spec.module) == "scratchpad", *tape);
  };
  return options;
}

// ---- npu -----------------------------------------------------------------------------------------------------------------

struct NpuRun {
  StepperResult result;
  std::vector<std::uint8_t> memory;
  double seconds = 0;  // from when the block is loaded
};

NpuRun run_npu(const Job& job, Tape* tape = nullptr) {
  NpuRun run;
  run.memory = job.memory();
  const auto npu = make_npu(job.machine, {{"npu", BlockKind::Rtl, {}}}, recording(job.machine, tape));
  IdealMemoryBeat memory(job.machine, run.memory);
  const double start = cpu_seconds();
  run.result = run_npu_rtl(job.machine, *npu, memory, job.schedule.program_base, job.program_bytes(), Forever, Forever, {});
  run.seconds = cpu_seconds() - start;
  return run;
}

// What a run leaves must be what the model leaves.
void require_equal(const NpuRun& run, const SimulationOutput& model) {
  if (run.result.cycles != model.result.cycles) throw std::runtime_error("npu=rtl: other cycles than the model");
  if (run.result.counters != model.result.counters) throw std::runtime_error("npu=rtl: other counters than the model");
  if (!std::equal(model.memory.begin(), model.memory.end(), run.memory.begin(), run.memory.end())) {
    throw std::runtime_error("npu=rtl: other memory contents than the model");
  }
}

// ---- blocks --------------------------------------------------------------------------------------------------------------

struct Nothing {  // is compared
  template <class In, class Out>
  void operator()(const Machine&, const In&, const Out&, const Out&, Comparison&) const {}
};

class BesideSequencer : public Checked<SequencerIn, SequencerOut, SequencerBlock, Nothing> {
 public:
  using Checked::Checked;
  void skip(Cycle cycles) override { model().skip(cycles); }
  Cycle cycle() const override { return model().cycle(); }
  SequencerCounters counters() override { return model().counters(); }
  SequencerFailure failure() override { return model().failure(); }
  std::uint32_t started_index(int unit) const override { return model().started_index(unit); }
};

// Calls use(place, its model) for the one block of `blocks` that is not a beat model.
template <class Use>
void with_block(StepperBlocks& blocks, const Machine& machine, const Use& use) {
  if (blocks.sequencer) use(blocks.sequencer, std::make_unique<SequencerBeat>(machine));
  if (blocks.load_dma) use(blocks.load_dma, std::make_unique<LoadDmaBeat>(machine));
  if (blocks.store_dma) use(blocks.store_dma, std::make_unique<StoreDmaBeat>(machine));
  if (blocks.matrix_unit) use(blocks.matrix_unit, std::make_unique<MatrixUnitBeat>(machine));
  if (blocks.vector_unit) use(blocks.vector_unit, std::make_unique<VectorUnitBeat>(machine));
  if (blocks.pe_array) use(blocks.pe_array, std::make_unique<PeArrayBeat>(machine));
  if (blocks.requantizer) use(blocks.requantizer, std::make_unique<RequantizerBeat>(machine));
  for (int i = 0; i < BufferCount; ++i) {
    auto& place = blocks.scratchpads[static_cast<std::size_t>(i)];
    if (place) use(place, std::make_unique<ScratchpadBeat>(machine, static_cast<Buffer>(i)));
  }
}

template <class In, class Out>
In input_of(const Clocked<In, Out>&);

// Stands where the Verilated block stands, so that the stand costs the same in both runs.
template <class In, class Out, class Base = Clocked<In, Out>>
class Idle : public Base {
 public:
  void reset() override {}
  const Out& out() const override { return out_; }
  void step(const In&) override {}
  bool quiet() const override { return true; }

 private:
  Out out_{};
};
class IdleSequencer : public Idle<SequencerIn, SequencerOut, SequencerBlock> {
 public:
  void skip(Cycle) override {}
  Cycle cycle() const override { return 0; }
  SequencerCounters counters() override { return {}; }
  SequencerFailure failure() override { return {}; }
  std::uint32_t started_index(int) const override { return 0; }
};
struct MakeIdle {
  template <class In, class Out, class Model>
  void operator()(std::unique_ptr<Clocked<In, Out>>& place, const std::unique_ptr<Model>&) const { place = std::make_unique<Idle<In, Out>>(); }
  void operator()(std::unique_ptr<SequencerBlock>& place, const std::unique_ptr<SequencerBeat>&) const { place = std::make_unique<IdleSequencer>(); }
};

struct PutBeside {  // the Verilated block beside its model
  const Machine& machine;
  template <class In, class Out, class Model>
  void operator()(std::unique_ptr<Clocked<In, Out>>& place, std::unique_ptr<Model> model) const {
    place = std::make_unique<Checked<In, Out, Clocked<In, Out>, Nothing>>(machine, std::move(model), std::move(place), Nothing{}, DivergenceSink{});
  }
  void operator()(std::unique_ptr<SequencerBlock>& place, std::unique_ptr<SequencerBeat> model) const {
    place = std::make_unique<BesideSequencer>(machine, std::move(model), std::move(place), Nothing{}, DivergenceSink{});
  }
};

StepperBlocks verilated(const Job& job, const std::string& block, Tape* tape = nullptr, bool rests = false) {
  return make_blocks(job.machine, {{block, BlockKind::Rtl, {}}}, job.schedule.program, recording(job.machine, tape, rests));
}

// Seconds of a run with these blocks, made anew in every round.
double run_seconds(const Job& job, int rounds, bool skips, const std::function<StepperBlocks()>& make, Cycle expected) {
  std::vector<std::uint8_t> memory;
  std::unique_ptr<Stepper> stepper;
  return least_seconds(
      rounds,
      [&] {
        memory = job.memory();
        stepper = std::make_unique<Stepper>(job.machine, memory, make());
        if (!skips) stepper->never_skip();
      },
      [&] {
        const StepperResult result = stepper->run(job.schedule.program_base, job.program_bytes(), Forever);
        if (result.cycles != expected) throw std::runtime_error("a run of other cycles");
      });
}

// Of a block in reset's state whose inputs stay.
double quiet_ns(const Job& job, const std::string& block, int rounds) {
  constexpr int Clocks = 100'000;
  StepperBlocks blocks = verilated(job, block);
  double seconds = 0;
  with_block(blocks, job.machine, [&](auto& place, auto) {
    const decltype(input_of(*place)) in{};
    seconds = least_seconds(rounds, [&] { place->reset(); }, [&] { for (int i = 0; i < Clocks; ++i) place->step(in); });
  });
  return seconds / Clocks * 1e9;
}

void measure_block(const Job& job, const std::string& block, int rounds, Cycle cycles) {
  Tape tape;
  run_seconds(job, 1, false, [&] {
    StepperBlocks b = verilated(job, block, &tape);
    with_block(b, job.machine, PutBeside{job.machine});
    return b;
  }, cycles);
  double models = 1e300, with = 1e300;
  for (int i = 0; i < rounds; ++i) {  // in turn: a computer's speed changes
    models = std::min(models, run_seconds(job, 1, false, [&] {
      StepperBlocks b = verilated(job, block);
      with_block(b, job.machine, MakeIdle{});
      with_block(b, job.machine, PutBeside{job.machine});
      return b;
    }, cycles));
    with = std::min(with, run_seconds(job, 1, false, [&] {
      StepperBlocks b = verilated(job, block);
      with_block(b, job.machine, PutBeside{job.machine});
      return b;
    }, cycles));
  }
  const double run = run_seconds(job, rounds, true, [&] { return verilated(job, block); }, cycles);
  const auto all = static_cast<double>(cycles);
  const double bare = bare_seconds(tape, rounds) / all * 1e9, inside = (with - models) / all * 1e9;
  std::printf("%-20s %8zu %9.1f %10.1f %9.1f %7.2f %9.1f %12.2f\n", block.c_str(), tape.clock_ends.size(), bare, inside, inside - bare, bare / inside,
              quiet_ns(job, block, rounds), static_cast<double>(cycles) / run / 1e6);
  std::fflush(stdout);
}

SimulationOutput simulate_model(const Job& job, bool timing_only) {
  SimulationOptions options;
  options.timing_only = timing_only;
  options.keep_memory = !timing_only;
  return simulate(job.machine, job.schedule, job.inputs, options);
}

void print_run(const char* what, std::size_t clocks, double bare, double inside) {
  std::printf("%-20s %8zu %9.1f %10.1f %9.1f %7.2f %9s %12.2f\n", what, clocks, bare, inside, inside - bare, bare / inside, "-", 1e3 / inside);
  std::fflush(stdout);
}

void measure_array(const Job& job, int rounds, const SimulationOutput& model) {
  Tape tape;
  run_seconds(job, 1, true, [&] { return verilated(job, "pe_array", &tape, true); }, model.result.cycles);
  SimulationOptions options;
  options.blocks = {{"pe_array", BlockKind::Rtl, {}}};
  options.keep_memory = true;
  double seconds = 1e300;
  for (int i = 0; i < rounds; ++i) {
    const SimulationOutput run = simulate(job.machine, job.schedule, job.inputs, options);
    if (run.result.engine != "systemc") throw std::runtime_error("pe_array=rtl did not run between the fast models");
    if (run.result.cycles != model.result.cycles || run.result.counters != model.result.counters || run.memory != model.memory) {
      throw std::runtime_error("pe_array=rtl between the fast models: other cycles, counters or memory");
    }
    seconds = std::min(seconds, run.result.simulate_seconds);
  }
  const auto cycles = static_cast<double>(model.result.cycles);
  print_run("pe_array, whole run", tape.clock_ends.size(), bare_seconds(tape, rounds) / cycles * 1e9, seconds / cycles * 1e9);
}

void measure_npu(const Job& job, int rounds, const SimulationOutput& model) {
  Tape tape;
  require_equal(run_npu(job, &tape), model);
  double seconds = 1e300;
  for (int i = 0; i < rounds; ++i) seconds = std::min(seconds, run_npu(job).seconds);
  const auto cycles = static_cast<double>(model.result.cycles);
  const double bare = bare_seconds(tape, rounds) / static_cast<double>(tape.clock_ends.size()) * 1e9, inside = seconds / cycles * 1e9;
  print_run("npu, whole run", tape.clock_ends.size(), bare, inside);
  std::printf("npu=rtl: cycles, counters and memory equal to the model's: %s and digits\n", job.schedule.network.c_str());
}

void measure_blocks(const std::string& workload, const std::string& machine, int rounds, std::vector<std::string> blocks) {
  const Job job(load_workload(workload), machine);
  const SimulationOutput model = simulate_model(job, false);
  const Cycle cycles = model.result.cycles;
  const double models = run_seconds(job, rounds, false, [] { return StepperBlocks{}; }, cycles);
  std::printf("%s on %s (%dx%d), %lld cycles; beat models alone, every clock stepped: %.1f ns a cycle\n", workload.c_str(), machine.c_str(),
              job.machine.rows, job.machine.columns, static_cast<long long>(cycles), models / static_cast<double>(cycles) * 1e9);
  std::printf("%-20s %8s %9s %10s %9s %7s %9s %12s\n", "block", "clocks", "bare ns", "Gemel ns", "added ns", "ratio", "quiet ns", "run Mcycles/s");
  if (blocks.empty()) {
    blocks = {"pe_array", "matrix_unit", "requantizer", "vector_unit", "sequencer", "load_dma", "store_dma"};
    for (int i = 0; i < BufferCount; ++i) blocks.emplace_back(to_string(static_cast<Buffer>(i)));
    blocks.emplace_back("npu");
  }
  for (const std::string& block : blocks) {
    if (block != "npu") measure_block(job, block, rounds, cycles);
    if (block == "pe_array") measure_array(job, rounds, model);
  }
  if (std::find(blocks.begin(), blocks.end(), "npu") == blocks.end()) return;
  const Job digits(load_workload("digits"), machine);
  require_equal(run_npu(digits), simulate_model(digits, false));
  measure_npu(job, rounds, model);
}

// ---- layers --------------------------------------------------------------------------------------------------------------

struct Layer {
  const char* name;
  int size, channels, out_channels, kernel, stride, padding;
};
constexpr Layer Sample[] = {{"conv1", 224, 3, 64, 7, 2, 3},        {"s2b2_conv1", 56, 256, 64, 1, 1, 0},  {"s2b2_conv2", 56, 64, 64, 3, 1, 1},
                            {"s3b1_conv2", 56, 128, 128, 3, 2, 1}, {"s4b2_conv3", 14, 256, 1024, 1, 1, 0}, {"s5b2_conv2", 7, 512, 512, 3, 1, 1}};

Network network_of(const Layer& layer) {
  const auto text = [](int number) { return std::to_string(number); };
  const std::string p = text(layer.padding);
  return load_workload_text("gemel_workload: 1\nname: " + std::string(layer.name) + "\nsynthetic: {seed: 1}\ninputs:\n  - {name: image, shape: [1, " +
                                text(layer.size) + ", " + text(layer.size) + ", " + text(layer.channels) + "]}\nlayers:\n  - {name: conv, op: conv2d, " +
                                "out_channels: " + text(layer.out_channels) + ", kernel: " + text(layer.kernel) + ", stride: " + text(layer.stride) +
                                ", padding: [" + p + ", " + p + ", " + p + ", " + p + "], activation: relu}\n",
                            "ResNet-50");
}

void measure_layers(const std::string& machine, int rounds) {
  std::printf("layers of ResNet-50 on %s: nanoseconds a simulated cycle, and how many times as fast as npu=rtl\n", machine.c_str());
  std::printf("%-12s %10s %10s %10s %12s %8s %10s\n", "layer", "cycles", "npu=rtl", "with data", "timing-only", "x data", "x timing");
  double total_cycles = 0, total_rtl = 0, total_data = 0, total_timing = 0;
  const auto line = [](const char* name, double cycles, double rtl, double data, double timing) {
    std::printf("%-12s %10.0f %10.1f %10.2f %12.3f %8.0f %10.0f\n", name, cycles, rtl / cycles * 1e9, data / cycles * 1e9, timing / cycles * 1e9,
                rtl / data, rtl / timing);
    std::fflush(stdout);
  };
  for (const Layer& layer : Sample) {
    const Job job(network_of(layer), machine);
    SimulationOutput model;
    const double data = least_seconds(rounds, [] {}, [&] { model = simulate_model(job, false); });
    const double timing = least_seconds(rounds, [] {}, [&] { simulate_model(job, true); });
    const NpuRun run = run_npu(job);
    require_equal(run, model);
    const auto cycles = static_cast<double>(run.result.cycles);
    const double rtl = run.seconds;
    line(layer.name, cycles, rtl, data, timing);
    total_cycles += cycles;
    total_rtl += rtl;
    total_data += data;
    total_timing += timing;
  }
  line("all", total_cycles, total_rtl, total_data, total_timing);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  try {
    if (mode == "blocks" && argc >= 5) {
      measure_blocks(argv[2], argv[3], std::max(1, std::atoi(argv[4])), {argv + 5, argv + argc});
    } else if (mode == "layers" && argc == 4) {
      measure_layers(argv[2], std::max(1, std::atoi(argv[3])));
    } else {
      std::fprintf(stderr, "usage: cosim_bench blocks WORKLOAD MACHINE ROUNDS [BLOCK...] | layers MACHINE ROUNDS\n");
      return 2;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
