// SPDX-License-Identifier: Apache-2.0
// The short clock (src/rtl_host/wrapper/block.cpp) against two calls of Verilator's eval(): every block, and the whole
// chip, run random programs as two models of the same Verilog with the same inputs, one clocked each way; every output
// is compared after every clock. Registers start with random bits. A version of Verilator in which this passes may be
// added to the list in src/rtl_host/toolchain.cpp.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "regress/regress.hpp"
#include "rtl_host/library.hpp"
#include "rtl_host/toolchain.hpp"
#include "sim/bench.hpp"

namespace gemel {
namespace {

struct Comparison {
  std::int64_t clocks = 0, short_clocks = 0;
  std::string difference;  // the first
};

// Looks like the first model. The second one gets the same inputs and clocks.
class Pair : public RtlModel {
 public:
  Pair(std::string block, std::unique_ptr<RtlModel> first, std::unique_ptr<RtlModel> second,
       const std::vector<PortSpec>& ports, Comparison& seen)
      : block_(std::move(block)), first_(std::move(first)), second_(std::move(second)), seen_(seen) {
    for (const PortSpec& port : ports)
      (port.input ? inputs_ : outputs_).push_back({port.name, first_->port(port.name), second_->port(port.name)});
    outputs_.push_back({"quiet_o", first_->port("quiet_o"), second_->port("quiet_o")});
  }
  ~Pair() override { seen_.short_clocks += clocks_ - first_->clocks_by_eval(); }
  RtlPort port(const std::string& name) override { return first_->port(name); }
  void set_clock(bool) override { FAIL() << "adapters of Gemel's own blocks give whole clocks"; }
  void set_reset(bool active) override {
    hand_over();
    first_->set_reset(active);
    second_->set_reset(active);
  }
  void eval() override { FAIL() << "adapters of Gemel's own blocks give whole clocks"; }
  void clock() override {
    hand_over();
    first_->clock();
    second_->clock();
    ++clocks_;
    ++seen_.clocks;
    if (!seen_.difference.empty()) return;
    for (const Twin& port : outputs_) {
      if (std::memcmp(port.first.bytes, port.second.bytes, port.bytes()) == 0) continue;
      seen_.difference = "block `" + block_ + "`, clock " + std::to_string(clocks_) + ", port `" + port.name + "`";
      return;
    }
  }
  bool quiet() const override { return first_->quiet(); }
  void listen(RtlListener) override {}
  void open_waves(const std::string&) override {}
  void dump_waves(std::int64_t) override {}
  void close_waves() override {}

 private:
  struct Twin {
    std::string name;
    RtlPort first, second;
    std::size_t bytes() const { return static_cast<std::size_t>(first.width + 7) / 8; }
  };
  void hand_over() {
    for (const Twin& port : inputs_) std::memcpy(port.second.bytes, port.first.bytes, port.bytes());
  }

  std::string block_;
  std::unique_ptr<RtlModel> first_, second_;
  std::vector<Twin> inputs_, outputs_;
  Comparison& seen_;
  std::int64_t clocks_ = 0;
};

std::uint64_t seed_of_test() {
  const char* text = std::getenv("GEMEL_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
}

// What both ways to clock say while a random program runs on Gemel's own Verilog in the place of `block`.
void run_pair(const regress::Case& c, Comparison& seen, int reset_seed) {
  SwapOptions swap;
  swap.wrap = [&](const std::string& block, const std::string&,
                  std::unique_ptr<RtlModel>) -> std::unique_ptr<RtlModel> {
    RtlRequest request;
    request.block = block;
    request.parameters = block_spec(block).parameters(machine_parameters(c.machine));
    request.random_reset = true;
    const auto made = [&](RtlRequest::Clocking clocking) {
      request.clocking = clocking;
      return RtlLibrary::get(request)->create(reset_seed);
    };
    return std::make_unique<Pair>(block, made(RtlRequest::Clocking::Short), made(RtlRequest::Clocking::Eval),
                                  block_spec(block).ports(request.parameters), seen);
  };
  SimulationOptions options;
  options.blocks = c.blocks;
  options.reset_seed = reset_seed;
  options.no_skip = true;
  const Run run{c.machine, c.schedule, c.inputs, options};
  Bench bench(run, swap, {});
  constexpr Cycle Enough = 100'000;  // some memories are so slow that a program takes millions
  bench.step_until(Enough, Enough);
}

TEST(ShortClock, IsEvalInEveryBlock) {
  const VerilatorVersion version = verilator_version(rtl_tool_version());
  if (!has_proven_short_clock(version) && std::getenv("GEMEL_TRY_SHORT_CLOCK") == nullptr) {
    GTEST_SKIP() << "Verilator " << to_string(version)
                 << " takes eval(); GEMEL_TRY_SHORT_CLOCK=1 compares all the same";
  }
  const std::uint64_t seed = seed_of_test();
  RecordProperty("seed", std::to_string(seed));
  constexpr int Cases = 12, Machines = 2;
  for (const std::string blocks : {"all=rtl", "npu=rtl"}) {
    Comparison seen;
    for (int index = 0; index < Cases; ++index) {
      run_pair(regress::random_program_case(seed, index, Machines, nullptr, {blocks}), seen, index + 1);
      ASSERT_EQ(seen.difference, "") << blocks << ", case " << index << "; again with GEMEL_SEED=" << seed;
    }
    EXPECT_GT(seen.clocks, 10'000) << blocks;
    // The first clocks initialize; a block of this Verilator that lacks one of the names takes eval() for ever, and
    // that must be seen.
    EXPECT_GT(seen.short_clocks, seen.clocks * 9 / 10) << blocks;
  }
}

TEST(ShortClock, OnlyListedVersionsHaveIt) {
  EXPECT_TRUE(has_proven_short_clock({5, 6}));
  EXPECT_FALSE(has_proven_short_clock({5, 7}));
  EXPECT_FALSE(has_proven_short_clock({6, 6}));
  EXPECT_FALSE(has_proven_short_clock({0, 0}));
}

}  // namespace
}  // namespace gemel
