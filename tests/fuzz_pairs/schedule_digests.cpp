// SPDX-License-Identifier: Apache-2.0
// gemel_schedule_digests [COUNT] [FIRST_SEED]: a digest of the compiled schedule (instructions, constants, memory map) of every shipped
// workload on every shipped machine, and of COUNT random pairs (or of the compiler's refusal), a row each. For changes of the compiler that
// must not change what it makes: run it before and after, and compare the two outputs.
#include <cstdlib>
#include <iostream>

#include "base/error.hpp"
#include "compiler/compile.hpp"
#include "config/home.hpp"
#include "config/load.hpp"
#include "network/workload.hpp"
#include "regress/random_machine.hpp"
#include "support/network_builder.hpp"

namespace gemel {
namespace {

// FNV-1a of what compile() gives.
std::string digest(const Network& network, const Machine& machine) {
  std::string bytes;
  try {
    bytes = compile(network, machine).bytes();
  } catch (const UserError& e) {
    for (const Diagnostic& d : e.diagnostics()) bytes += to_string(d);
  }
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

}  // namespace
}  // namespace gemel

int main(int argc, char** argv) {
  using namespace gemel;
  const long count = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 1000;
  const std::uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  for (const std::string& workload : list_named("workloads", ".yaml")) {
    const Network network = load_workload(workload);
    for (const std::string& name : list_named("configs", ".yaml")) {
      std::cout << digest(network, load_machine(find_named("configs", name, ".yaml"))) << "  " << workload << " on " << name << "\n";
    }
  }
  for (std::uint64_t seed = first; seed < first + static_cast<std::uint64_t>(count); ++seed) {
    test::Random random(seed);
    const Machine machine = test::random_machine(random);
    const Network network = test::random_network(random, {});
    std::cout << digest(network, machine) << "  seed " << seed << "\n";
  }
}
