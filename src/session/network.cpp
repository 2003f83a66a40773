// SPDX-License-Identifier: Apache-2.0
// gemel/network.hpp.
#include "gemel/network.hpp"

#include <string_view>
#include <utility>

#include "network/describe.hpp"
#include "network/workload.hpp"
#include "session/session.hpp"

namespace gemel {
namespace {

LoadOptions load_options(const NetworkOptions& options) {
  LoadOptions load;
  load.batch = options.batch;
  load.seed = options.seed;
  load.timing_only = options.timing_only;
  load.interrupted = options.stop.flag();
  return load;
}

NetworkPtr loaded(Network network, const NetworkOptions& options) {
  auto result = std::make_shared<LoadedNetwork>();
  static_cast<Network&>(*result) = std::move(network);
  result->timing_only = options.timing_only;
  return result;
}

}  // namespace

NetworkPtr load_network(const std::string& name_or_path, const NetworkOptions& options) {
  static constexpr std::pair<std::string_view, const char*> Others[] = {
      {".onnx", "an ONNX model"}, {".tflite", "a TensorFlow Lite model"}, {".gemel", "a compiled program"}};
  for (const auto& [end, what] : Others) {
    const std::string_view text = name_or_path;
    if (text.size() < end.size() || text.substr(text.size() - end.size()) != end) continue;
    throw UserError("E0217", "`" + name_or_path + "` is " + what + ", and a workload is needed",
                    end != ".gemel" ? "`gemel import` makes one of it"
                                     : "workloads are YAML with safetensors, or SCALE-Sim's tables: docs/reference/workloads.md");
  }
  return loaded(load_workload(name_or_path, load_options(options)), options);
}

NetworkPtr parse_network(const std::string& yaml, const std::string& file, const NetworkOptions& options) {
  return loaded(load_workload_text(yaml, file, load_options(options)), options);
}

std::vector<NetworkName> list_networks() {
  std::vector<NetworkName> names;
  for (WorkloadInfo& info : list_workloads()) names.push_back({std::move(info.name), std::move(info.description)});
  return names;
}

NetworkInfo describe(const NetworkPtr& network) {
  NetworkInfo info;
  info.name = network->name;
  info.description = network->description;
  info.file = network->file;
  for (const int input : network->inputs) info.inputs.push_back(tensor_info(network->tensors[static_cast<std::size_t>(input)]));
  for (const int output : network->outputs) info.outputs.push_back(tensor_info(network->tensors[static_cast<std::size_t>(output)]));
  for (const Layer& layer : network->layers) info.layers.push_back(layer_info(*network, layer));
  if (!info.inputs.empty()) info.batch = static_cast<int>(info.inputs.front().shape.front());
  info.macs = network->macs();
  info.weights = network->weights();
  info.timing_only = static_cast<const LoadedNetwork&>(*network).timing_only;
  return info;
}

std::string digest(const NetworkPtr& network) { return network_digest(*network); }

std::optional<TestImages> test_images(const NetworkPtr& network) {
  std::optional<TestSet> set = load_test_set(*network);
  if (!set) return std::nullopt;
  TestImages images;
  Tensor all = network->tensors[static_cast<std::size_t>(network->inputs.front())];
  all.shape = set->shape;
  images.images = tensor_info(all);
  images.data = std::move(set->images);
  images.labels = std::move(set->labels);
  images.float_accuracy = set->float_accuracy;
  return images;
}

}  // namespace gemel
