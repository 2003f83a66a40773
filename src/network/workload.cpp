// SPDX-License-Identifier: Apache-2.0
// Reads workload files. One pass over the layers in their order, each in four steps: (1) its inputs, (2) its keys, by its operator
// (ops.hpp, OpInfo::read), (3) its shape, (4) its numbers (numbers.hpp), from which NetworkBuilder makes multipliers. Whatever is
// wrong is collected; a layer that cannot be understood leaves an output of unknown shape, and what depends on that is read but not
// judged.
#include "network/workload.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <unordered_map>
#include <utility>

#include "base/text.hpp"
#include "config/home.hpp"
#include "config/yaml_reader.hpp"
#include "network/builder.hpp"
#include "network/layer_reader.hpp"
#include "network/limits.hpp"
#include "network/numbers.hpp"
#include "network/safetensors.hpp"
#include "network/scalesim.hpp"
#include "ops/ops.hpp"

namespace gemel {
namespace {

using safetensors::Dtype;
using synthetic::Statistics;

const YamlValue::Synonyms OpSynonyms = {
    {"conv", "`conv2d`"},
    {"convolution", "`conv2d`"},
    {"depthwiseconv2d", "`conv2d` with `groups: depthwise`"},
    {"depthwise", "`conv2d` with `groups: depthwise`"},
    {"dwconv", "`conv2d` with `groups: depthwise`"},
    {"linear", "`dense`"},
    {"fc", "`dense`"},
    {"fullyconnected", "`dense`"},
    {"innerproduct", "`dense`"},
    {"gemm", "`matmul`"},
    {"maxpool2d", "`max_pool`"},
    {"avgpool2d", "`avg_pool`"},
    {"averagepool", "`avg_pool`"},
    {"averagepool2d", "`avg_pool`"},
    {"mean", "`global_avg_pool`"},
    {"gap", "`global_avg_pool`"},
    {"globalaveragepool", "`global_avg_pool`"},
    {"globalaveragepooling2d", "`global_avg_pool`"},
    {"adaptiveavgpool2d", "`global_avg_pool`"},
    {"layernorm", "`layer_norm`"},
    {"layernormalization", "`layer_norm`"},
    {"permute", "`transpose`"},
    {"bmm", "`batch_matmul`"},
    {"embedding", "`gather`"},
    {"flatten", "`reshape`"},
    {"view", "`reshape`"},
    {"squeeze", "`reshape`"},
    {"quantize", "`op: table, function: identity`"},
    {"requantize", "`op: table, function: identity`"},
    {"relu6", "`activation: relu6` of the layer before"},
    {"swish", "`op: table, function: silu`"},
    {"lut", "`table`"},
};
// ... and the functions of `table`, which are no operators of their own.
YamlValue::Synonyms op_synonyms() {
  YamlValue::Synonyms synonyms = OpSynonyms;
  for (const std::string& name : quantization::table_function_names()) {
    std::string key;
    std::copy_if(name.begin(), name.end(), std::back_inserter(key), [](char c) { return c != '_'; });
    synonyms.emplace(key, "`op: table, function: " + name + "`");
  }
  return synonyms;
}

// Every key that some operator knows: what may stand in a layer whose operator is not known.
std::vector<std::string> all_layer_keys() {
  std::vector<std::string> keys = {"name", "op", "input", "inputs"};
  for (const ops::OpInfo& row : ops::table()) keys.insert(keys.end(), row.keys.begin(), row.keys.end());
  return keys;
}

std::vector<std::string> op_names() {
  std::vector<std::string> names;
  for (const ops::OpInfo& row : ops::table()) names.emplace_back(row.name());
  return names;
}

class Loader {
 public:
  Loader(YamlReader reader, std::string file, const LoadOptions& options)
      : reader_(std::move(reader)), options_(options), builder_({}, std::move(file)) {}
  Network load();

 private:
  // What is known of a tensor beside the builder's; same index.
  struct State {
    bool known = false;  // shape and quantization are valid
    Statistics values;
  };

  void read_sources(YamlMap& top);
  void read_input(const YamlValue& item);
  void read_layer(const YamlValue& item);
  bool read_inputs(YamlMap& map, const ops::OpInfo& info, Layer& layer);
  bool finish_layer(LayerReader& reader, std::vector<Statistics> values, State& state);
  void read_outputs(YamlMap& top);
  void find_unused_tensors();

  bool claim_name(const YamlValue& where, const std::string& name);
  // Runs `action`; a BuildError of it is complained of at the key that it is about. False then.
  template <class Action>
  bool checked(LayerReader& reader, Action action) {
    try {
      action();
      return true;
    } catch (const BuildError& error) {
      const Diagnostic& d = error.diagnostics().front();
      reader.fail(reader.place(error.about()), d.message, d.code.c_str(), d.note, d.hint);
      return false;
    }
  }
  bool has_source() const { return file_ != nullptr || drawn_ != nullptr; }

  YamlReader reader_;
  LoadOptions options_;
  NetworkBuilder builder_;
  std::vector<State> states_;
  std::unordered_map<std::string, int> later_;  // layer names of the whole file, with their lines
  Rounding rounding_ = Rounding::FixedDouble;
  int file_batch_ = 0;  // n of the inputs as the file gives it
  // Where numbers come from; neither after an error.
  std::unique_ptr<FileNumbers> file_;
  std::unique_ptr<SyntheticNumbers> drawn_;
};

Network Loader::load() {
  YamlMap top = reader_.root().map();
  Network& net = builder_.network();
  top.integer("gemel_workload", 1, 1);
  net.name = top.text("name");
  if (const YamlValue name = top.find("name"); name.is_scalar() && !name_problem(net.name).empty())
    name.complain("`name` cannot be a name: it " + name_problem(net.name));
  net.description = top.text("description", "");
  if (const YamlValue text = top.find("description"); !net.description.empty() && !name_problem(net.description).empty())
    text.complain("`description` cannot be shown: it " + name_problem(net.description));
  const auto& names = arithmetic_names();
  const std::string arithmetic = top.choice("arithmetic", names, names[0]);
  rounding_ = static_cast<Rounding>(std::find(names.begin(), names.end(), arithmetic) - names.begin());
  read_sources(top);

  const auto inputs = top.list("inputs");
  const auto layers = top.list("layers");
  if (top.has("inputs") && top.find("inputs").is_list() && inputs.empty())
    top.find("inputs").complain("`inputs` is empty: a network reads something");
  if (top.has("layers") && top.find("layers").is_list() && layers.empty())
    top.find("layers").complain("`layers` is empty: a network does something");
  for (const YamlValue& item : layers)
    if (item.is_map()) {
      YamlMap map = item.map();
      later_.emplace(map.find("name").scalar(), item.line());
    }
  for (const YamlValue& item : inputs) read_input(item);
  for (const YamlValue& item : layers) {
    if (options_.interrupted && *options_.interrupted) throw Interrupted("interrupted while reading " + net.file);
    read_layer(item);
  }
  read_outputs(top);
  find_unused_tensors();
  top.done("docs/reference/workloads.md lists every key");
  reader_.finish();
  return builder_.take();
}

void Loader::read_sources(YamlMap& top) {
  const YamlValue file = top.find("tensors");
  const auto synthetic = top.optional_map("synthetic");
  if (file.exists() && synthetic) {
    file.complain("`tensors` and `synthetic` are both given", {}, "keep the one that the network's numbers come from", "E0215");
  } else if (!file.exists() && !synthetic) {
    if (top.value().is_map())
      top.value().complain("neither `tensors` nor `synthetic` says where the network's numbers come from", {},
                           "add `tensors: FILE.safetensors` or `synthetic: {seed: 1}`", "E0215");
  } else if (synthetic) {
    YamlMap map = *synthetic;
    const auto seed = static_cast<std::uint64_t>(map.integer("seed", 0, INT64_MAX, 1));
    map.done();
    drawn_ = std::make_unique<SyntheticNumbers>(options_.seed.value_or(seed), options_.timing_only);
  } else if (const auto path = file.as_text()) {
    Network& net = builder_.network();
    net.tensors_file = (std::filesystem::path(net.file).parent_path() / *path).string();
    try {
      file_ = std::make_unique<FileNumbers>(safetensors::File::open(net.tensors_file), options_.timing_only);
    } catch (const UserError& error) {
      for (const Diagnostic& d : error.diagnostics()) reader_.add(d);
    }
  }
}

bool Loader::claim_name(const YamlValue& where, const std::string& name) {
  if (!where.is_scalar()) return false;  // complained of already
  if (const std::string problem = name_problem(name); !problem.empty()) {
    where.complain("`" + where.path() + "` cannot be a name: it " + problem);
    return false;
  }
  try {
    builder_.check_name(name);
  } catch (const BuildError& error) {
    const Diagnostic& d = error.diagnostics().front();
    where.complain(d.message, d.note, d.hint, d.code.c_str());
    return false;
  }
  return true;
}

void Loader::read_input(const YamlValue& item) {
  if (!item.is_map()) {
    item.map();  // says so
    return;
  }
  YamlMap map = item.map();
  bool valid = true;
  Tensor tensor;
  tensor.name = map.text("name");
  valid = claim_name(map.find("name"), tensor.name) && valid;
  const YamlValue shape = map.require("shape");
  if (shape.exists()) tensor.shape = read_shape(shape, valid);
  else valid = false;
  valid = read_quantization(map, tensor, file_ != nullptr, true) && valid;
  map.done();
  if (valid) {
    if (file_batch_ == 0) file_batch_ = static_cast<int>(tensor.shape[0]);
    if (options_.batch > 0) {
      if (tensor.shape[0] != file_batch_) {
        shape.complain("the inputs have different numbers of images, so no other batch can be chosen", {}, {}, "E0216");
        valid = false;
      }
      tensor.shape[0] = options_.batch;
    }
  }
  State state;
  if (drawn_) state.values = drawn_->input(tensor);
  if (valid) {
    try {
      builder_.input(tensor);
      state.known = true;
      states_.push_back(state);
      return;
    } catch (const BuildError& error) {
      const Diagnostic& d = error.diagnostics().front();
      item.complain(d.message, d.note, d.hint, d.code.c_str());
    }
  }
  builder_.placeholder_input(std::move(tensor));
  states_.push_back(state);
}

// True if all of them are known.
bool Loader::read_inputs(YamlMap& map, const ops::OpInfo& info, Layer& layer) {
  const bool one = info.inputs == 1;
  const auto& net = builder_.network();
  std::vector<YamlValue> items;
  bool valid = true;
  if (const YamlValue list = map.find("inputs"); list.exists()) {
    items = list.as_list();
    valid = list.is_list();
    if (const YamlValue single = map.find("input"); single.exists()) {
      single.complain("`input` and `inputs` are both given");
      valid = false;
    }
  } else if (const YamlValue single = map.find("input"); single.exists()) {
    items.push_back(single);
  } else if (one && !net.tensors.empty()) {
    // Not the last of several inputs, and not the tensor of a layer that could not be added.
    const int previous = net.layers.empty() ? 0 : net.layers.back().output;
    layer.inputs.push_back(previous);
    return states_[static_cast<std::size_t>(previous)].known;
  }
  if (items.size() != static_cast<std::size_t>(info.inputs)) {
    if (valid && !net.tensors.empty())
      map.value().complain(std::string("`") + info.name() + "` takes " + (one ? "one input" : "two inputs") + ", but " +
                               std::to_string(items.size()) + (items.size() == 1 ? " is given" : " are given"),
                           one ? "" : "write `inputs: [first, second]`");
    return false;
  }
  for (const YamlValue& item : items) {
    const auto name = item.as_text();
    if (!name) {
      valid = false;
      continue;
    }
    if (const int found = builder_.find(*name); found >= 0) {
      layer.inputs.push_back(found);
      valid = valid && states_[static_cast<std::size_t>(found)].known;
      continue;
    }
    valid = false;
    if (const auto later = later_.find(*name); later != later_.end()) {
      item.complain("`" + *name + "` is made on line " + std::to_string(later->second) + ", after it is read here", {},
                    "layers stand in the order of execution, and none may depend on itself", "E0210");
    } else {
      item.complain("there is no tensor `" + *name + "`", builder_.suggestion(*name), {}, "E0210");
    }
  }
  return valid;
}

void Loader::read_layer(const YamlValue& item) {
  YamlMap map = item.map();
  if (!item.is_map()) return;
  Layer layer;
  layer.line = item.line();
  layer.name = map.text("name");
  bool valid = claim_name(map.find("name"), layer.name) && has_source();
  const YamlValue op = map.require("op");
  const auto known = op.exists() ? op.as_choice(op_names(), op_synonyms()) : std::nullopt;
  Tensor output;
  output.name = layer.name;
  State state;
  if (!known) {
    map.also_known(all_layer_keys());
    map.done();
    layer.inputs = {};
    builder_.placeholder(std::move(layer), std::move(output));  // the next layer's default input; nothing is returned after an error
    states_.push_back(state);
    return;
  }
  const ops::OpInfo& info = *ops::find(*known);
  valid = read_inputs(map, info, layer) && valid;

  LayerReader::Context context{file_ != nullptr, rounding_, options_.batch, std::max(1, file_batch_), {}};
  std::vector<Statistics> values;
  for (const int i : layer.inputs) {
    context.inputs.push_back(&builder_.tensor(i));
    values.push_back(states_[static_cast<std::size_t>(i)].values);
  }
  LayerReader reader(std::move(map), info, std::move(context));
  reader.layer = std::move(layer);
  reader.output = std::move(output);
  reader.valid = valid;
  info.read(reader);
  reader.map().also_known(info.keys);
  reader.map().done("docs/reference/workloads.md lists the keys that `" + *known + "` takes");
  if (!reader.valid || !finish_layer(reader, std::move(values), state)) builder_.placeholder(std::move(reader.layer), std::move(reader.output));
  states_.push_back(state);
}

// Shape, numbers, and the builder's checks; false after an error.
bool Loader::finish_layer(LayerReader& reader, std::vector<Statistics> values, State& state) {
  Layer& layer = reader.layer;
  Tensor& output = reader.output;
  std::vector<float> weight_scales;
  const bool shaped = checked(reader, [&] { output.shape = builder_.shape_of(layer, reader.wanted); });
  if (!shaped) return false;
  const auto& inputs = reader.context().inputs;
  if (file_) {
    const Table* table = layer.get<Table>();
    const bool wants_table = table != nullptr && table->function == Table::NoFunction;
    const bool filled = file_->fill(layer, inputs[0], output, wants_table, weight_scales,
                                    [&](const std::string& message, const std::string& note, const char* code) {
                                      reader.map().value().complain(message, note, {}, code);
                                    });
    if (!filled) return false;
  } else if (!checked(reader, [&] { state.values = drawn_->fill(layer, inputs, values, output, reader.activation, weight_scales); })) {
    return false;
  }
  state.known = checked(reader, [&] {
    builder_.quantize(layer, output, weight_scales, reader.activation);
    if (reader.clamp) NetworkBuilder::narrow_clamp(layer, reader.clamp->min, reader.clamp->max);
    builder_.add(std::move(layer), output);
  });
  return state.known;
}

void Loader::read_outputs(YamlMap& top) {
  const YamlValue value = top.find("outputs");
  if (!value.exists()) {
    builder_.find_outputs();
    return;
  }
  std::vector<int> outputs;
  for (const YamlValue& item : value.as_list()) {
    const auto name = item.as_text();
    if (!name) continue;
    const int found = builder_.find(*name);
    if (found < 0) item.complain("there is no tensor `" + *name + "`", builder_.suggestion(*name), {}, "E0210");
    else if (std::find(outputs.begin(), outputs.end(), found) != outputs.end()) item.complain("`" + *name + "` is listed twice");
    else outputs.push_back(found);
  }
  if (value.is_list() && value.as_list().empty()) value.complain("`outputs` is empty: leave it out, or name a tensor");
  builder_.set_outputs(std::move(outputs));
}

// A tensor that nobody asked for is a misspelled one (an optional bias would be missed without a word otherwise).
void Loader::find_unused_tensors() {
  if (!file_ || !reader_.clean()) return;  // after other errors this would only repeat them
  const std::vector<std::string> expected(file_->used().begin(), file_->used().end());
  for (const auto& t : file_->file().tensors()) {
    if (file_->used().count(t.name) || t.name.rfind("test.", 0) == 0) continue;
    Diagnostic d;
    d.code = "E0308";
    d.file = builder_.network().tensors_file;
    d.message = "tensor `" + t.name + "` belongs to no layer of " + builder_.network().file;
    d.note = did_you_mean(t.name, expected);
    reader_.add(std::move(d));
  }
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

Network load_workload(const std::string& name_or_path, const LoadOptions& options) {
  const std::string path = find_workload(name_or_path);
  if (ends_with(path, ".csv")) return scalesim::load_table(path, options);
  return Loader(YamlReader::from_file(path, WorkloadYamlCodes, options.interrupted), path, options).load();
}

Network load_workload_text(const std::string& yaml, const std::string& file, const LoadOptions& options) {
  return Loader(YamlReader::from_text(yaml, file, WorkloadYamlCodes, options.interrupted), file, options).load();
}

std::string find_workload(const std::string& name) {
  if (name.find('/') != std::string::npos || ends_with(name, ".yaml") || ends_with(name, ".yml") || ends_with(name, ".csv"))
    return name;
  const std::string path = name.empty() ? std::string() : find_named("workloads", name, ".yaml");
  if (!path.empty()) return path;
  const auto names = list_named("workloads", ".yaml");
  Diagnostic d;
  d.code = "E0208";
  d.message = "there is no workload `" + name + "`";
  d.note = did_you_mean(name, names);
  d.hint = names.empty() ? "no workloads were found at all; set GEMEL_HOME to the folder that has `workloads`"
                         : "`gemel workloads` lists them; a file of your own is given as a path, such as ./mine.yaml";
  throw UserError(std::vector<Diagnostic>{std::move(d)});
}

std::vector<WorkloadInfo> list_workloads() {
  std::vector<WorkloadInfo> list;
  for (const std::string& name : list_named("workloads", ".yaml")) {
    WorkloadInfo info{name, find_named("workloads", name, ".yaml"), {}};
    YamlMap top = YamlReader::from_file(info.path, WorkloadYamlCodes).root().map();
    info.description = top.find("description").scalar();
    list.push_back(std::move(info));
  }
  return list;
}

std::optional<TestSet> load_test_set(const Network& network) {
  if (network.tensors_file.empty()) return std::nullopt;
  const auto file = safetensors::File::open(network.tensors_file);
  const safetensors::View* images = file.find("test.images");
  if (!images) return std::nullopt;
  const Tensor& input = network.tensors[network.inputs.at(0)];
  const auto fail = [&](const char* code, const std::string& message) {
    Diagnostic d;
    d.code = code;
    d.file = network.tensors_file;
    d.message = message;
    throw UserError(std::vector<Diagnostic>{std::move(d)});
  };
  file.require("test.images", input.type == ElementType::Int8 ? Dtype::I8 : Dtype::U8);
  const auto& s = images->shape;
  const Nhwc image = input.nhwc();
  if (s.size() != 4 || s[0] < 1 || s[0] > limits::MostLength || s[1] != image.h || s[2] != image.w || s[3] != image.c)
    fail("E0306", "tensor `test.images` has the shape " + images->shape_text() + ", but must have [count, " +
                      std::to_string(image.h) + ", " + std::to_string(image.w) + ", " + std::to_string(image.c) + "]");
  TestSet set;
  set.shape = input.shape;
  set.shape[0] = s[0];
  set.images.assign(images->data, images->data + images->bytes);
  set.labels = file.read<std::int32_t>("test.labels");
  if (set.labels.size() != static_cast<std::size_t>(s[0]))
    fail("E0306", "tensor `test.labels` has " + std::to_string(set.labels.size()) + " entries for " + std::to_string(s[0]) + " images");
  if (file.find("test.float_accuracy")) {
    const auto accuracy = file.read<float>("test.float_accuracy");
    if (accuracy.size() != 1 || !(accuracy[0] >= 0.0f && accuracy[0] <= 1.0f))
      fail("E0307", "tensor `test.float_accuracy` must be one number from 0 to 1");
    set.float_accuracy = accuracy[0];
  }
  return set;
}

}  // namespace gemel
