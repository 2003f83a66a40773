// SPDX-License-Identifier: Apache-2.0
// The time that the bulk arithmetic of a run takes alone: compiles a workload for a machine, then gives every matrix and vector
// instruction of the schedule, in order, to the units' models, with scratchpads of their own and nothing around them: no SystemC,
// no DMA, no memory. Prints JSON; seconds are the least of several rounds.
//   replay_bench WORKLOAD MACHINE [ROUNDS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <string>
#include <vector>

#include "blocks/matrix_unit/matrix_unit_model.hpp"
#include "blocks/vector_unit/vector_unit_model.hpp"
#include "compiler/compile.hpp"
#include "config/load.hpp"
#include "network/workload.hpp"

namespace {

using namespace gemel;

class NoSequencer : public CompletionSink {
 public:
  void chain(isa::Unit, Cycle) override {}
  void done(isa::Unit, Cycle, isa::ErrorCode) override {}
};

// Kernels may look for zeros, so operands are random. Parameters stay 0: they must be legal, and take the same time.
void fill(Scratchpad& pad, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::generate_n(pad.data(), pad.words() * pad.word_bytes(), [&] { return static_cast<std::uint8_t>(random()); });
}

double replay(UnitModel& unit, const std::vector<isa::Instruction>& instructions, int rounds) {
  using Clock = std::chrono::steady_clock;
  double least = 1e300;
  for (int round = 0; round < rounds; ++round) {
    const auto start = Clock::now();
    Cycle cycle = 0;
    for (const isa::Instruction& instruction : instructions) unit.start(instruction, cycle += 1000);
    least = std::min(least, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return instructions.empty() ? 0.0 : least;
}

int run(const std::string& workload, const std::string& machine_name, int rounds) {
  const Machine machine = load_machine(find_machine(machine_name));
  LoadOptions options;
  options.timing_only = true;  // the schedule is the same, and no weights are needed
  const Network network = load_workload(workload, options);
  const Schedule schedule = compile(network, machine);
  std::vector<isa::Instruction> matrix, vector;
  for (const isa::Word& word : schedule.program) {
    const isa::Instruction instruction = isa::decode(word);
    const isa::Unit unit = isa::unit(instruction.opcode);
    if (unit == isa::Unit::Matrix) matrix.push_back(instruction);
    if (unit == isa::Unit::Vector) vector.push_back(instruction);
  }

  Scratchpad activation(machine, Buffer::Activation), weight(machine, Buffer::Weight), sums(machine, Buffer::Accumulator),
      bytes(machine, Buffer::Vector), params(machine, Buffer::Param);
  fill(activation, 1);
  fill(weight, 2);
  fill(bytes, 3);
  NoSequencer sequencer;
  MatrixUnitModel matrix_unit(machine, sequencer, &activation, &weight, &sums);
  VectorUnitModel vector_unit(machine, sequencer, &sums, &bytes, &params);
  const double matrix_seconds = replay(matrix_unit, matrix, rounds);
  const double vector_seconds = replay(vector_unit, vector, rounds);
  std::printf("{\"network\": \"%s\", \"machine\": \"%s\", \"macs\": %lld, \"matrix_instructions\": %zu, \"matrix_seconds\": %.6f, "
              "\"vector_instructions\": %zu, \"vector_seconds\": %.6f}\n",
              network.name.c_str(), machine.name.c_str(), static_cast<long long>(network.macs()), matrix.size(), matrix_seconds,
              vector.size(), vector_seconds);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::fprintf(stderr, "usage: replay_bench WORKLOAD MACHINE [ROUNDS]\n");
    return 2;
  }
  try {
    return run(argv[1], argv[2], argc > 3 ? std::max(1, std::atoi(argv[3])) : 3);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
