// SPDX-License-Identifier: Apache-2.0
#include "top/swap.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/error.hpp"
#include "blocks/load_dma/load_dma_rtl.hpp"
#include "blocks/matrix_unit/matrix_unit_rtl.hpp"
#include "blocks/pe_array/pe_array_rtl.hpp"
#include "blocks/requantizer/requantizer_rtl.hpp"
#include "blocks/scratchpad/scratchpad_rtl.hpp"
#include "blocks/sequencer/sequencer_rtl.hpp"
#include "blocks/store_dma/store_dma_rtl.hpp"
#include "blocks/vector_unit/vector_unit_rtl.hpp"
#include "top/npu_axi_rtl.hpp"

namespace gemel {
namespace {

// Every name that --block takes; the order is that of messages and of building.
const std::vector<std::string>& swappable() {
  static const std::vector<std::string> names = {"sequencer", "load_dma", "store_dma", "matrix_unit", "vector_unit",
                                                 "activation_buffer", "weight_buffer", "vector_buffer", "param_buffer",
                                                 "accumulator_buffer", "pe_array", "requantizer"};
  return names;
}

class CheckedSequencer : public Checked<SequencerIn, SequencerOut, SequencerBlock,
                                        void (*)(const Machine&, const SequencerIn&, const SequencerOut&, const SequencerOut&, Comparison&)> {
 public:
  template <class... Arguments>
  explicit CheckedSequencer(bool traced, Arguments&&... arguments) : Checked(std::forward<Arguments>(arguments)...), traced_(traced) {}
  void skip(Cycle cycles) override {
    model().skip(cycles);
    rtl().skip(cycles);
  }
  // While it runs, a program that looks at the registers, and tries to write some, which must be to no effect.
  void step(const SequencerIn& in) override {
    if (!out().running || in.csr_read || in.csr_write || ++steps_ % StepsPerAccess != 0) return Checked::step(in);
    SequencerIn with_access = in;
    const auto access = static_cast<std::uint32_t>(steps_ / StepsPerAccess);
    if (access % 16 == 0) {
      constexpr std::uint32_t Registers[] = {isa::csr::ProgramBaseLow, isa::csr::ProgramBaseHigh, isa::csr::ProgramBytes};
      with_access.csr_write = true;
      with_access.csr_write_offset = Registers[access / 16 % 3];
      with_access.csr_write_data = ~access;
    } else {
      with_access.csr_read = true;
      with_access.csr_read_offset = access * 4 % EndOfRegisters;
    }
    Checked::step(with_access);
  }
  Cycle cycle() const override { return model().cycle(); }
  SequencerCounters counters() override { return model().counters(); }
  // The run is over: what it has left in the registers, read over the wires of both.
  SequencerFailure failure() override {
    const SequencerFailure failure = model().failure();
    if (!out().running && !asked_) {
      asked_ = true;
      read_registers();
      write(isa::csr::ProgramBaseLow, 0xffffffc0);
      write(isa::csr::ProgramBaseHigh, 0xffffffff);
      write(isa::csr::ProgramBytes, 0xffffffc0);
      write(isa::csr::InterruptEnable, 0);
      write(isa::csr::Control, 2);  // clear
      read_registers();
    }
    return failure;
  }
  void reset() override {
    Checked::reset();
    if (!traced_) {  // waves begin with the reset before the program
      read_registers();
      Checked::reset();
    }
    asked_ = false;
    steps_ = 0;
  }
  const std::vector<SequencerCounters>* layer_counters() const override { return model().layer_counters(); }
  std::uint32_t started_index(int unit) const override { return model().started_index(unit); }

 private:
  void read_registers() {
    SequencerIn in;
    in.csr_read = true;
    for (std::uint32_t offset = 0; offset < WindowBytes; offset += 4) {  // behind the last register, too
      in.csr_read_offset = offset;
      step(in);
      step({});
    }
    step({});
  }
  void write(std::uint32_t offset, std::uint32_t value) {
    SequencerIn in;
    in.csr_write = true;
    in.csr_write_offset = offset;
    in.csr_write_data = value;
    step(in);
    step({});
    step({});
  }
  static constexpr std::uint32_t WindowBytes = 4096, EndOfRegisters = isa::csr::Counters + 8 * isa::CauseCount * isa::UnitCount;

  static constexpr std::int64_t StepsPerAccess = 16;

  bool traced_;
  bool asked_ = false;  // in this run
  std::int64_t steps_ = 0;
};

// The chip beside the models: it gets what they get.
class NpuCheck : public PinObserver {
 public:
  NpuCheck(const Machine& machine, std::unique_ptr<Clocked<NpuIn, NpuOut>> npu, DivergenceSink sink)
      : machine_(machine), npu_(std::move(npu)), sink_(std::move(sink)) {}

  void reset() override {
    npu_->reset();
    clock_ = 0;
  }
  void step(const NpuIn& in, const NpuOut& must) override {
    Comparison differences;
    compare(machine_, must, npu_->out(), differences);
    if (differences.any()) sink_(differences.first(), clock_);
    npu_->step(in);
    ++clock_;
  }

 private:
  const Machine& machine_;
  std::unique_ptr<Clocked<NpuIn, NpuOut>> npu_;
  DivergenceSink sink_;
  std::int64_t clock_ = 0;
};

template <class In, class Out>
using Compare = void (*)(const Machine&, const In&, const Out&, const Out&, Comparison&);

std::shared_ptr<RtlLibrary> get_library(const RtlRequest& request, const SwapOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  std::shared_ptr<RtlLibrary> library = RtlLibrary::get(request, {options.progress, options.notice, options.interrupted});
  if (options.build_seconds != nullptr) {
    *options.build_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return library;
}

class Maker {
 public:
  Maker(const Machine& machine, const std::vector<BlockChoice>& choices, const SwapOptions& options)
      : machine_(machine), choices_(choices), options_(options) {}

  const BlockChoice* choice(const std::string& block) const {
    for (const BlockChoice& c : choices_) {
      if (c.block == block) return &c;
    }
    return nullptr;
  }

  template <class In, class Out, class Rtl, class Beat, class... Extra>
  std::unique_ptr<Clocked<In, Out>> make(const std::string& block, Extra... extra) {
    return make_with<In, Out, Rtl, Beat>(block, static_cast<Compare<In, Out>>(&compare), extra...);
  }
  template <class In, class Out, class Rtl, class Beat, class Comparer, class... Extra>
  std::unique_ptr<Clocked<In, Out>> make_with(const std::string& block, Comparer comparer, Extra... extra) {
    const BlockChoice* c = choice(block);
    if (c == nullptr) return nullptr;
    std::unique_ptr<Clocked<In, Out>> rtl = ready(*c, std::make_unique<Rtl>(machine_, extra..., model_of(*c)));
    if (c->kind == BlockKind::Rtl) return rtl;
    return std::make_unique<Checked<In, Out, Clocked<In, Out>, Comparer>>(machine_, std::make_unique<Beat>(machine_, extra...),
                                                                          std::move(rtl), comparer, sink(block));
  }
  std::unique_ptr<SequencerBlock> make_sequencer(const std::vector<isa::Word>& program) {
    const BlockChoice* c = choice("sequencer");
    if (c == nullptr) return nullptr;
    std::unique_ptr<SequencerRtl> rtl = ready(*c, std::make_unique<SequencerRtl>(machine_, model_of(*c), program));
    // Shortly before 16, 32 and 64 bits are too few, or from 0.
    constexpr std::uint64_t Beginnings[] = {0, (std::uint64_t{1} << 16) - 300, (std::uint64_t{1} << 32) - 1000, ~std::uint64_t{0} - 700};
    if (options_.reset_seed >= 0) rtl->count_from(Beginnings[static_cast<std::size_t>(options_.reset_seed) % std::size(Beginnings)]);
    if (c->kind == BlockKind::Rtl) return rtl;
    return std::make_unique<CheckedSequencer>(
        traced("sequencer"), machine_, std::make_unique<SequencerBeat>(machine_), std::move(rtl),
        static_cast<void (*)(const Machine&, const SequencerIn&, const SequencerOut&, const SequencerOut&, Comparison&)>(&compare),
        sink("sequencer"));
  }
  const BlockChoice* chip() const { return choice("npu") != nullptr ? choice("npu") : choice("npu_axi"); }
  std::unique_ptr<NpuBlock> make_npu() {
    const BlockChoice& c = *chip();
    if (c.block == "npu_axi") return make_npu_axi();
    return ready(c, std::make_unique<NpuRtl>(model_of(c)));
  }
  std::unique_ptr<NpuAxiRtl> make_npu_axi() {
    const BlockChoice& c = *choice("npu_axi");
    return ready(c, std::make_unique<NpuAxiRtl>(model_of(c)));
  }
  DivergenceSink sink(const std::string& block) const {
    return [block, tell = options_.on_divergence](const Difference& difference, std::int64_t clock) {
      if (tell) tell({block, difference, clock});
    };
  }

 private:
  // `pe` stands inside pe_array and is seen at its ports.
  static const BlockSpec& spec_of(const BlockChoice& c) { return block_spec(c.block == "pe" ? "pe_array" : c.block); }

  const WaveWindow* window_of(const std::string& block) const {
    const auto found = std::find_if(options_.waves.begin(), options_.waves.end(), [&](const WaveWindow& w) { return w.block == block; });
    return found == options_.waves.end() ? nullptr : &*found;
  }
  bool traced(const std::string& block) const { return window_of(block) != nullptr; }

  bool probed(const BlockChoice& c) const { return c.block == "pe" && options_.pe_probe; }

  std::unique_ptr<RtlModel> model_of(const BlockChoice& c) {
    const BlockSpec& spec = spec_of(c);
    RtlRequest request;
    request.block = spec.name;
    request.parameters = spec.parameters(machine_parameters(machine_));
    request.sources = c.sources;
    if (c.block == "pe") request.sources.insert(request.sources.begin(), own_rtl_folder() + "/pe_array/pe_array.sv");
    if (probed(c)) request.sources.push_back(own_rtl_folder() + "/pe/pe_probe.sv");
    request.trace = traced(c.block);
    request.coverage = options_.coverage;
    request.random_reset = options_.reset_seed >= 0 || !c.sources.empty();
    const auto library = get_library(request, options_);
    if (!c.sources.empty() && !probed(c)) require_defined_reset(*library, c, spec, request.parameters, options_.pulse);
    auto model = library->create(std::max(options_.reset_seed, 0), options_.pulse);
    if (options_.display) model->listen([tell = options_.display, block = c.block](const char* text) { tell(block, text); });
    return options_.wrap ? options_.wrap(c.block, library->path(), std::move(model)) : std::move(model);
  }

  // Somebody's block: two instances whose registers began with other random bits must look alike after reset.
  static void require_defined_reset(RtlLibrary& library, const BlockChoice& c, const BlockSpec& spec, const RtlParameters& parameters,
                                    RtlPulse* pulse) {
    const auto after_reset = [&](int seed) {
      auto model = library.create(seed, pulse);
      std::vector<std::pair<std::string, std::uint64_t>> outputs;
      for (const PortSpec& p : spec.ports(parameters)) {
        const RtlPort port = model->port(p.name);
        if (p.input) std::memset(port.bytes, 0, static_cast<std::size_t>((port.width + 7) / 8));
      }
      const auto clock = [&] {
        model->set_clock(true);
        model->eval();
        model->set_clock(false);
        model->eval();
      };
      const auto look = [&] {
        for (const PortSpec& p : spec.ports(parameters)) {
          if (!p.input && p.valid.empty() && p.width <= 64) outputs.emplace_back(p.name, get_bits(model->port(p.name)));
        }
        outputs.emplace_back("quiet_o", get_bits(model->port("quiet_o")));
      };
      model->set_reset(true);
      clock();
      clock();
      look();  // a write while others are reset would be one, too
      model->set_reset(false);
      clock();
      look();
      return outputs;
    };
    const auto first = after_reset(1);
    for (int seed = 2; seed <= 16; ++seed) {  // 16 seeds: one unreset bit is equal in all of them with a probability of 2^-15
      const auto other = after_reset(seed);
      for (std::size_t i = 0; i < first.size(); ++i) {
        if (first[i].second == other[i].second) continue;
        throw UserError("E1011", "block `" + c.block + "`: output `" + first[i].first + "` is X after reset: it depends on what registers held before",
                        "give the register behind it a reset value");
      }
    }
  }

  template <class Rtl>
  std::unique_ptr<Rtl> ready(const BlockChoice& c, std::unique_ptr<Rtl> rtl) {
    if (options_.no_skip) rtl->never_skip();
    const BlockSpec& spec = spec_of(c);
    const std::vector<PortSpec> ports = spec.ports(spec.parameters(machine_parameters(machine_)));
    if (!c.sources.empty()) rtl->watch(ports);
    if (options_.reset_seed >= 0) rtl->noise(ports, static_cast<std::uint64_t>(options_.reset_seed));
    if (probed(c)) {
      rtl->model().listen([probe = options_.pe_probe, block = rtl.get()](const char* places) { probe(places, block->clock_number()); });
    }
    if (const WaveWindow* window = window_of(c.block)) rtl->open_waves(window->file, window->first, window->last);
    return rtl;
  }

  const Machine& machine_;
  const std::vector<BlockChoice>& choices_;
  const SwapOptions& options_;
};

}  // namespace

const char* to_string(BlockKind kind) {
  switch (kind) {
    case BlockKind::Model: return "model";
    case BlockKind::Rtl: return "rtl";
    case BlockKind::Check: return "check";
  }
  return "?";
}

BlockChoice parse_block_choice(const std::string& text) {
  BlockChoice choice;
  const std::size_t equals = text.find('=');
  const std::size_t colon = text.find(':', equals == std::string::npos ? 0 : equals);
  const std::string kind = equals == std::string::npos ? "" : text.substr(equals + 1, colon == std::string::npos ? colon : colon - equals - 1);
  if (kind == "model") {
    choice.kind = BlockKind::Model;
  } else if (kind == "rtl") {
    choice.kind = BlockKind::Rtl;
  } else if (kind == "check") {
    choice.kind = BlockKind::Check;
  } else {
    throw UserError("E1010", "`--block " + text + "` is not of the form NAME=model|rtl|check[:FILE.sv,...]");
  }
  choice.block = text.substr(0, equals);
  if (choice.block != "all" && !is_chip(choice.block) && choice.block != "pe" &&
      std::find(swappable().begin(), swappable().end(), choice.block) == swappable().end()) {
    std::string names = "all, npu, npu_axi, pe";
    for (const std::string& name : swappable()) names += ", " + name;
    throw UserError("E1001", "there is no block `" + choice.block + "`", "blocks are: " + names);
  }
  if (colon != std::string::npos) {
    if (choice.kind == BlockKind::Model || choice.block == "all") {
      throw UserError("E1010", "`--block " + text + "`: sources go with rtl or check of one block");
    }
    std::size_t begin = colon + 1;
    while (begin <= text.size()) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      if (end > begin) choice.sources.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    if (choice.sources.empty()) throw UserError("E1010", "`--block " + text + "` names no source after the colon");
  }
  if (choice.block == "pe" && choice.kind != BlockKind::Model && choice.sources.empty()) {
    throw UserError("E1010", "`--block " + text + "`: `pe` is part of `pe_array` and needs a source of its own",
                    "pe=check:FILE.sv, or pe_array=check for Gemel's own");
  }
  return choice;
}

std::vector<BlockChoice> resolve_choices(const std::vector<BlockChoice>& choices) {
  std::vector<BlockChoice> resolved;
  const auto put = [&](const BlockChoice& choice) {
    resolved.erase(std::remove_if(resolved.begin(), resolved.end(), [&](const BlockChoice& c) { return c.block == choice.block; }),
                   resolved.end());
    if (choice.kind != BlockKind::Model) resolved.push_back(choice);
  };
  for (const BlockChoice& choice : choices) {
    if (choice.block != "all") {
      put(choice);
      continue;
    }
    for (const std::string& name : swappable()) put({name, choice.kind, {}});
  }
  const auto has = [&](const char* block) {
    return std::any_of(resolved.begin(), resolved.end(), [&](const BlockChoice& c) { return c.block == block; });
  };
  if (has("pe")) {  // it brings Gemel's pe_array along
    resolved.erase(std::remove_if(resolved.begin(), resolved.end(),
                                  [](const BlockChoice& c) { return c.block == "pe_array" && c.sources.empty(); }),
                   resolved.end());
    if (has("pe_array")) throw UserError("E1010", "`pe` and a `pe_array` of one's own cannot be given together", "put the `pe` beside the `pe_array`");
  }
  for (const BlockChoice& c : resolved) {
    if (is_chip(c.block) && resolved.size() > 1) {
      throw UserError("E1010", "`" + c.block + "` is the whole chip: it goes with no other block", "to compare block by block: --block all=check");
    }
  }
  return resolved;
}

StepperBlocks make_blocks(const Machine& machine, const std::vector<BlockChoice>& choices, const std::vector<isa::Word>& program,
                          const SwapOptions& options) {
  Maker maker(machine, choices, options);
  StepperBlocks b;
  b.sequencer = maker.make_sequencer(program);
  b.load_dma = maker.make<LoadDmaIn, LoadDmaOut, LoadDmaRtl, LoadDmaBeat>("load_dma");
  b.store_dma = maker.make<StoreDmaIn, StoreDmaOut, StoreDmaRtl, StoreDmaBeat>("store_dma");
  b.matrix_unit = maker.make<MatrixUnitIn, MatrixUnitOut, MatrixUnitRtl, MatrixUnitBeat>("matrix_unit");
  b.vector_unit = maker.make<VectorUnitIn, VectorUnitOut, VectorUnitRtl, VectorUnitBeat>("vector_unit");
  b.pe_array = maker.make<PeArrayIn, PeArrayOut, PeArrayRtl, PeArrayBeat>(maker.choice("pe") != nullptr ? "pe" : "pe_array");
  b.requantizer = maker.make<RequantizerIn, RequantizerOut, RequantizerRtl, RequantizerBeat>("requantizer");
  for (int i = 0; i < BufferCount; ++i) {
    const auto buffer = static_cast<Buffer>(i);
    b.scratchpads[static_cast<std::size_t>(i)] = maker.make_with<ScratchpadIn, ScratchpadOut, ScratchpadRtl, ScratchpadBeat>(
        to_string(buffer), ScratchpadCompare{buffer}, buffer);
  }
  return b;
}

std::unique_ptr<NpuBlock> make_npu(const Machine& machine, const std::vector<BlockChoice>& choices, const SwapOptions& options) {
  return Maker(machine, choices, options).make_npu();
}

void check_npu(Stepper& stepper, const Machine& machine, const std::vector<BlockChoice>& choices, const SwapOptions& options) {
  Maker maker(machine, choices, options);
  const BlockChoice* c = maker.chip();
  if (c == nullptr || c->kind != BlockKind::Check) return;
  if (c->block == "npu_axi") {
    stepper.observe_pins(std::make_unique<NpuAxiCheck>(machine, maker.make_npu_axi(), maker.sink(c->block)));
  } else {
    stepper.observe_pins(std::make_unique<NpuCheck>(machine, maker.make_npu(), maker.sink(c->block)));
  }
}

}  // namespace gemel
