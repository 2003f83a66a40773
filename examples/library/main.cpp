// SPDX-License-Identifier: Apache-2.0
// Compiles ResNet-50 for the machine edge16, runs it, compares every layer with the reference, and prints the layers.
#include <cstdio>

#include "gemel/gemel.hpp"

int main(int argc, char** argv) {
  try {
    const gemel::Machine machine = gemel::load_machine(argc > 1 ? argv[1] : "edge16");
    const gemel::Program program = gemel::compile(gemel::load_network("resnet50"), machine);
    const gemel::Result result = gemel::run(program, machine);
    for (const gemel::LayerResult& layer : result.layers) {
      std::printf("%-16s %-16s %12lld MACs, ends at cycle %10lld, %s\n", layer.name.c_str(), layer.op.c_str(),
                  static_cast<long long>(layer.macs), static_cast<long long>(layer.last_cycle), layer.compared.c_str());
    }
    std::printf("%s on %s: %lld cycles, %.1f %% of the array's peak\n", result.network.c_str(), result.machine.c_str(),
                static_cast<long long>(result.cycles), 100 * result.utilization());
  } catch (const gemel::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
