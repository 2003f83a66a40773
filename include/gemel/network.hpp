// SPDX-License-Identifier: Apache-2.0
// Quantized networks: from files, by name, and what is in them.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gemel/export.hpp"
#include "gemel/layer.hpp"
#include "gemel/observer.hpp"

namespace gemel {

// A network as compiler and reference see it. Opaque and immutable: any number of threads may share one.
struct Network;
using NetworkPtr = std::shared_ptr<const Network>;

struct NetworkOptions {
  int batch = 0;                      // images; 0: as the file says
  std::optional<std::uint64_t> seed;  // of synthetic numbers, instead of the file's
  bool timing_only = false;           // no weights are made or kept: enough for cycles, and fast
  StopToken stop;
};

// The network of that name (list_networks()) or in that file: .yaml or .yml (docs/reference/workloads.md), or a SCALE-Sim table
// (.csv). UserError with everything that was found wrong: E02xx (the description), E03xx (tensors), E04xx (tables).
GEMEL_API NetworkPtr load_network(const std::string& name_or_path, const NetworkOptions& options = {});
// The same from the text of a YAML file; `file` is what messages call it, and tensors are looked for beside it.
GEMEL_API NetworkPtr parse_network(const std::string& yaml, const std::string& file, const NetworkOptions& options = {});

struct NetworkName {
  std::string name, description;
};
// The networks that come with Gemel, by name.
GEMEL_API std::vector<NetworkName> list_networks();

struct NetworkInfo {
  std::string name, description, file;
  int batch = 1;
  std::vector<TensorInfo> inputs, outputs;
  std::vector<LayerInfo> layers;      // in order of execution
  std::int64_t macs = 0, weights = 0;  // weights: elements
  bool timing_only = false;           // it was loaded without weights
};
GEMEL_API NetworkInfo describe(const NetworkPtr& network);
// 16 hexadecimal digits over layers, tensors and their numbers, as result.json has them.
GEMEL_API std::string digest(const NetworkPtr& network);

// Images with the right answers that came with a network.
struct TestImages {
  TensorInfo images;                  // all of them: shape[0] is their number
  std::vector<std::uint8_t> data;     // dense NHWC, of the type of the network's first input
  std::vector<std::int32_t> labels;
  std::optional<double> float_accuracy;  // of the float network that was quantized, 0..1
};
// None if there is none.
GEMEL_API std::optional<TestImages> test_images(const NetworkPtr& network);

}  // namespace gemel
