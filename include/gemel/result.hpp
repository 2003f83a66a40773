// SPDX-License-Identifier: Apache-2.0
// What a run leaves: cycles, counters, bytes, outputs, per layer and in total. gemel/report.hpp makes result.json, trace.json
// and report.html of it.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gemel/counters.hpp"
#include "gemel/layer.hpp"

namespace gemel {

struct LayerResult : LayerInfo {
  std::string fused_into;          // name of the layer whose schedule computes it as well, or empty
  std::int64_t first_cycle = -1;   // start of its first instruction; -1: it has none, or that is not known
  std::int64_t last_cycle = -1;    // done of its last instruction
  int rounds = 1;                  // as in Result: what follows are sums over so many runs of the program
  std::int64_t array_cycles = 0;   // cycles in which a pixel row entered the array for this layer
  std::int64_t load_bytes = 0, store_bytes = 0;  // payload bytes moved
  std::int64_t predicted_cycles = 0;
  // Cycles by unit and cause attributed to this layer: busy to the instruction's layer, waiting to the layer of the instruction
  // that waits, queue_empty to the layer last started in that unit. Sums over layers equal the totals.
  UnitCounters counters{};
  std::string compared;            // "equal", "fused", "not compared", "view"; "host": computed on the host
};

struct TraceEvent {  // one instruction on one unit
  int unit = 0;
  int layer = 0;
  std::int64_t start = 0, end = 0;  // command on the wires .. done on the wires
  std::uint32_t instruction = 0;
  int opcode = 0;                   // isa::Opcode
  std::int64_t bytes = 0;           // moved between memory and buffers
  std::uint32_t posts = 0;          // bit s: its end posts to semaphore s; unit u waits for semaphores 4 u to 4 u + 3
  // The cycles that the unit's counters put down to this instruction, counted .. end, and what they were: their sum. Before the end of the
  // instruction ahead a chained one has none. -1: not known, the beat engine counts by layer only.
  std::int64_t counted = -1;
  std::int64_t busy = 0, wait_request = 0, wait_other = 0;  // wait_other: wait_data of load_dma, wait_write of store_dma
};

struct TraceWait {  // cycles in which a unit had no instruction at work
  int unit = 0;
  int layer = 0;                    // whose cycles these are
  int cause = 0;                    // isa::Cause
  std::int64_t first = 0, cycles = 0;
};

// The bytes of a tensor after a run.
struct TensorData : TensorInfo {
  std::vector<std::uint8_t> data;  // dense, `bytes` bytes
};

struct Result {
  std::string network, machine;    // names
  int batch = 1;
  double clock_mhz = 1000;
  int rows = 0, columns = 0;       // of the array
  bool timing_only = false;
  std::string engine;              // "systemc", "plain" or "beat"
  // How often the program ran (test images in several batches). Everything below is the sum over all rounds; layers' first and
  // last cycle are those of the first round.
  int rounds = 1;
  // How often the NPU is started in a round: once for each part of a program that waits for host steps. Cycles, also of layers and of the trace,
  // follow each other over the parts; the host's time is not in them.
  int starts = 1;
  std::int64_t cycles = 0;         // start to halt
  UnitCounters counters{};
  std::int64_t macs = 0, array_cycles = 0;
  std::int64_t load_bytes = 0, store_bytes = 0, fetch_bytes = 0;
  std::int64_t load_bursts = 0, store_bursts = 0, fetch_bursts = 0;
  std::int64_t instructions = 0;
  std::int64_t host_bytes = 0;     // read from and written to the NPU's memory by layers that run on the host
  std::vector<LayerResult> layers;
  // Why the layers' `counters` are not known (and first and last cycle where they are -1); empty: they are.
  std::string layers_note;
  std::vector<TraceEvent> trace;   // only with tracing on
  std::vector<TraceWait> trace_waits;  // likewise; empty of the beat engine
  std::vector<TensorData> outputs;  // of the network; of the last round; empty in a timing-only run
  std::vector<TensorData> tensors;  // RunOptions::keep_tensors, in the network's order; of the last round
  std::vector<std::pair<std::string, std::string>> blocks;  // that were not models: name, "rtl" or "check"
  // Of those that were checked: cycles in which they differed from their models (other than 0 only with RunOptions::keep_going).
  std::vector<std::pair<std::string, std::int64_t>> differences;
  // Host time. RTL: compiling and loading it; not part of simulate_seconds.
  double compile_seconds = 0, build_rtl_seconds = 0, simulate_seconds = 0, golden_seconds = 0, peak_memory_mib = 0;
  // Test images, where the workload has them (digits).
  int images = 0;
  double accuracy = -1, float_accuracy = -1;  // shares 0..1; -1: none
  std::vector<std::pair<std::string, std::string>> settings;  // what the run was called with
  // To make the run again: Gemel's version and commit; digests of the whole machine (but for name and description), of the network with its
  // numbers (empty: not known, the program came from a file) and of the program; the seed of inputs that were drawn.
  std::string version, commit, machine_digest, network_digest, program_digest;
  std::uint64_t seed = 0;

  // Layers that run on the host, and their share of all layers' output elements.
  struct HostSteps {
    std::vector<std::string> operators;  // of each such layer
    double elements_share = 0;
  };
  HostSteps host_steps() const {
    HostSteps steps;
    double all = 0, host = 0;
    for (const LayerResult& layer : layers) {
      double elements = 1;
      for (const std::int64_t length : layer.output) elements *= static_cast<double>(length);
      all += elements;
      if (layer.compared != "host") continue;
      host += elements;
      steps.operators.push_back(layer.op);
    }
    if (all > 0) steps.elements_share = host / all;
    return steps;
  }

  // Share of the array's MAC slots used over the whole run: macs / (cycles * R * C).
  double utilization() const {
    return cycles > 0 ? static_cast<double>(macs) / (static_cast<double>(cycles) * rows * columns) : 0.0;
  }
};

}  // namespace gemel
