// SPDX-License-Identifier: Apache-2.0
// Networks from workload files (docs/reference/workloads.md): YAML with the layers, safetensors or a seed for the numbers;
// also the door for SCALE-Sim's tables (scalesim.hpp). Everything is checked here, so that golden and compiler need not.
#pragma once
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "network/network.hpp"

namespace gemel {

struct LoadOptions {
  int batch = 0;                      // images; 0: as the file says
  std::optional<std::uint64_t> seed;  // for synthetic numbers, instead of the file's
  bool timing_only = false;           // no weights are made or kept (everything that decides over cycles is)
  const std::atomic<bool>* interrupted = nullptr;  // once it is set, reading ends in Interrupted
};

// A name of list_workloads(), or a path (something with a `/`, or ending in .yaml, .yml or .csv).
// UserError with everything that was found wrong: E02xx (workload), E03xx (tensors), E04xx (tables).
Network load_workload(const std::string& name_or_path, const LoadOptions& options = {});

// The same from text, for tests and tools; `file` is shown in messages, and tensors are looked for beside it.
Network load_workload_text(const std::string& yaml, const std::string& file, const LoadOptions& options = {});

// The file of a shipped workload, or UserError E0208 with a suggestion. Paths are returned as they are.
std::string find_workload(const std::string& name_or_path);

struct WorkloadInfo {
  std::string name;  // as find_workload() takes it
  std::string path;
  std::string description;
};
// The shipped workloads, by name: every NAME.yaml in the folder `workloads` (config/home.hpp says where that is).
std::vector<WorkloadInfo> list_workloads();

// The test data that came with a network (tensors test.images, test.labels, test.float_accuracy), if any.
struct TestSet {
  Shape shape;                       // of all images: n is their number
  std::vector<std::uint8_t> images;  // raw bytes of the first input's type, dense NHWC
  std::vector<std::int32_t> labels;
  std::optional<double> float_accuracy;  // of the float network that was quantized, 0..1
};
std::optional<TestSet> load_test_set(const Network& network);

}  // namespace gemel
