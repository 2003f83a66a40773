// SPDX-License-Identifier: Apache-2.0
// gemel_engines [WORKLOAD...]: every shipped workload (or these) on every shipped machine, with data, in the engines systemc, plain and beat:
// layers equal to golden, and cycles, counters, start and end of every instruction, bytes of memory and reports equal between the engines.
// Prints a row per pair and, last, a count. Exit code 1 if anything differs.
#include <exception>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include "support/same_engines.hpp"

extern "C" int sc_main(int, char**) { return 0; }  // never called; libsystemc refers to it

namespace {

using namespace gemel;

std::string compare(const std::string& workload, const std::string& machine, std::int64_t& cycles) {
  const test::ShippedCase c(workload, machine, false);
  const SimulationOutput plain = c.run(Engine::Plain);
  cycles = plain.result.cycles;
  const std::string what = test::all_differences(c, plain, c.run(Engine::Systemc));
  return what + test::all_differences(c, plain, c.run(Engine::Beat));
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> workloads(argv + 1, argv + argc);
  if (workloads.empty()) workloads = list_named("workloads", ".yaml");
  int equal = 0, different = 0;
  std::cout << std::left << std::setw(20) << "workload" << std::setw(12) << "machine" << std::right << std::setw(12) << "cycles" << "\n";
  for (const std::string& workload : workloads) {
    for (const std::string& machine : list_named("configs", ".yaml")) {
      std::int64_t cycles = 0;
      std::string what;
      try {
        what = compare(workload, machine, cycles);
      } catch (const std::exception& error) {
        what = error.what();
      }
      (what.empty() ? equal : different) += 1;
      std::cout << std::left << std::setw(20) << workload << std::setw(12) << machine << std::right << std::setw(12) << cycles << "  "
                << (what.empty() ? "equal" : "DIFFERENT: " + what) << std::endl;
    }
  }
  std::cout << equal << " pairs equal in systemc, plain and beat, " << different << " different\n";
  return different == 0 && equal > 0 ? 0 : 1;  // nothing compared is no success
}
